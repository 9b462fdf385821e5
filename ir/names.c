/* SPDX-License-Identifier: Apache-2.0 */
/* names - the authors' names of nodes, each taken once in a graph. */
#include <string.h>

#include "ir/ir.h"

void pim_node_unname(pim_node *n)
{
	if (!n->name)
		return;
	if (pim_map_get(n->graph->names, n->name, strlen(n->name)) == n)
		pim_map_put(n->graph->names, n->name, strlen(n->name), NULL);
	n->name = NULL;
	if (n->number == PIM_NO_NUMBER)
		n->number = n->graph->n_numbers++;
}

pim_node *pim_node_take_name(pim_node *n, const char *name, size_t bytes)
{
	pim_graph *g = n->graph;
	if (!g->names)
		g->names = pim_map_new(g->module->arena);
	void **owner;
	const char *key = pim_map_key(g->names, name, bytes, &owner);
	if (*owner && *owner != n)
		return *owner;
	*owner = n;
	n->name = key;
	return n;
}

void pim_node_rename(pim_node *n, const char *name)
{
	if (n->name && !strcmp(n->name, name))
		return;
	pim_text numbered = {0};
	pim_node_unname(n);
	const char *wanted = name;
	for (int i = 2; pim_node_take_name(n, wanted, strlen(wanted)) != n; i++) {
		numbered.n = 0;
		pim_text_printf(&numbered, "%s_%d", name, i);
		wanted = numbered.s;
	}
	pim_text_free(&numbered);
}

static bool is_plain(const char *name)
{
	bool digits = true;
	for (const char *s = name; *s; s++) {
		bool digit = *s >= '0' && *s <= '9';
		bool letter = (*s >= 'a' && *s <= 'z') || (*s >= 'A' && *s <= 'Z');
		if (!digit && !letter && !strchr("_./-:", *s))
			return false;
		digits &= digit;
	}
	return *name && !digits && *name != ':' && name[strlen(name) - 1] != ':';
}

void pim_text_name(pim_text *t, const char *name)
{
	if (is_plain(name))
		pim_text_str(t, name);
	else
		pim_text_quoted(t, name);
}

static void print_number(pim_text *t, uint32_t number)
{
	char s[12], *end = s + sizeof s, *p = end;
	do
		*--p = (char)('0' + number % 10);
	while (number /= 10);
	*--p = '%';
	pim_text_add(t, p, (size_t)(end - p));
}

void pim_label_print(pim_text *t, const pim_node *n)
{
	if (!n->name) {
		print_number(t, n->number);
		return;
	}
	pim_text_add(t, "%", 1);
	pim_text_name(t, n->name);
}

const char *pim_node_label(const pim_node *n, pim_arena *a)
{
	pim_text t = {0};
	pim_label_print(&t, n);
	return pim_text_keep(&t, a);
}
