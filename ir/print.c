/* SPDX-License-Identifier: Apache-2.0 */
/* print - the text form of modules, graphs and nodes.
 *
 * What is printed reads back to the same program, and printing that gives the same bytes. Elements
 * of constants are in ir/elements.c, decisions in ir/plan.c. */
#include <string.h>

#include "ir/text_form.h"

const pim_print_options pim_print_defaults = {.inline_elements = 16};

#define TYPE_TEXTS 16
#define TYPE_ROOM 44

typedef struct printer {
	pim_text *out;
	const pim_print_options *options;
	const pim_weights *weights;
	struct {
		const pim_type *type;
		uint32_t n;
		char s[TYPE_ROOM];
	} types[TYPE_TEXTS];
} printer;

/* The text of a type is made once and kept until another type wants its slot. */
static void print_type(printer *p, const pim_type *t)
{
	if (!t) {
		pim_text_add(p->out, "?", 1);
		return;
	}
	size_t slot = ((uintptr_t)t >> 4 ^ (uintptr_t)t >> 9) % TYPE_TEXTS;
	if (p->types[slot].type != t) {
		pim_text text = {0};
		pim_type_print(&text, t);
		if (text.n > TYPE_ROOM) {
			pim_text_add(p->out, text.s, text.n);
			pim_text_free(&text);
			return;
		}
		memcpy(p->types[slot].s, text.s, text.n);
		p->types[slot].n = (uint32_t)text.n;
		p->types[slot].type = t;
		pim_text_free(&text);
	}
	pim_text_add(p->out, p->types[slot].s, p->types[slot].n);
}

static void print_list(pim_text *out, const pim_attr *a)
{
	pim_text_add(out, "[", 1);
	for (uint32_t i = 0; i < a->n; i++) {
		if (i)
			pim_text_add(out, ", ", 2);
		if (a->kind == PIM_ATTR_ints)
			pim_text_int(out, a->is[i]);
		else if (a->kind == PIM_ATTR_floats)
			pim_text_float(out, a->fs[i]);
		else
			pim_text_quoted(out, a->ss[i]);
	}
	pim_text_add(out, "]", 1);
}

static void print_attr(printer *p, const pim_node *n, const pim_attr *a)
{
	if (a->kind == PIM_ATTR_data) {
		pim_elements_print(p->out, n, a->data, p->options, p->weights);
		return;
	}
	pim_text_str(p->out, a->name);
	pim_text_add(p->out, " = ", 3);
	if (a->kind == PIM_ATTR_int)
		pim_text_int(p->out, a->i);
	else if (a->kind == PIM_ATTR_float)
		pim_text_float(p->out, a->f);
	else if (a->kind == PIM_ATTR_string)
		pim_text_quoted(p->out, a->s);
	else
		print_list(p->out, a);
}

static void print_attrs(printer *p, const pim_node *n)
{
	for (int i = 0; i < n->n_attrs; i++) {
		pim_text_add(p->out, i ? ", " : " {", 2);
		print_attr(p, n, &n->attrs[i]);
	}
	if (n->n_attrs)
		pim_text_add(p->out, "}", 1);
}

static int print_place(pim_text *out, const pim_context *c, pim_loc at, int printed)
{
	const pim_source *s = at.source ? &c->sources[at.source] : NULL;
	if (s && s->kind == PIM_SOURCE_name) {
		pim_text_str(out, printed++ ? ", " : " loc(");
		pim_text_quoted(out, s->name);
	}
	for (int i = 0; s && s->kind == PIM_SOURCE_merged && i < s->n_parts; i++)
		printed = print_place(out, c, s->parts[i], printed);
	return printed;
}

/* What follows the op or the name: type, decisions, places that have names. */
static void print_tail(printer *p, const pim_node *n)
{
	print_type(p, n->type);
	if (n->plan)
		pim_plan_print(n, p->out);
	if (n->loc.source && print_place(p->out, pim_context_of(n), n->loc, 0))
		pim_text_add(p->out, ")", 1);
}

static void print_node(printer *p, const pim_node *n)
{
	pim_label_print(p->out, n);
	pim_text_add(p->out, " = ", 3);
	pim_text_str(p->out, pim_op_at((pim_op)n->op)->name);
	for (uint32_t i = 0; i < n->n_in; i++) {
		pim_text_add(p->out, i ? ", " : " ", i ? 2 : 1);
		if (n->in[i])
			pim_label_print(p->out, n->in[i]);
		else
			pim_text_add(p->out, "_", 1);
	}
	print_attrs(p, n);
	pim_text_add(p->out, " : ", 3);
	print_tail(p, n);
}

static void print_signature(printer *p, const pim_graph *g)
{
	pim_text_str(p->out, "  graph @");
	pim_text_name(p->out, g->name);
	pim_text_add(p->out, "(", 1);
	for (int i = 0; i < g->n_inputs; i++) {
		if (i)
			pim_text_add(p->out, ", ", 2);
		pim_label_print(p->out, g->inputs[i]);
		pim_text_add(p->out, ": ", 2);
		print_tail(p, g->inputs[i]);
	}
	pim_text_str(p->out, ") {\n");
}

static void print_results(pim_text *out, const pim_graph *g)
{
	pim_text_str(out, "    return");
	for (int i = 0; i < g->n_results; i++) {
		pim_text_str(out, i ? ", " : " ");
		pim_label_print(out, g->results[i]);
		if (g->result_names[i]) {
			pim_text_str(out, " as ");
			pim_text_quoted(out, g->result_names[i]);
		}
	}
	pim_text_str(out, "\n  }\n");
}

static void print_graph(printer *p, const pim_graph *g)
{
	print_signature(p, g);
	pim_sets_print(g, p->out);
	for (const pim_node *n = g->first; n; n = n->next) {
		if (n->op == PIM_OP_input)
			continue;
		pim_text_add(p->out, "    ", 4);
		print_node(p, n);
		pim_text_add(p->out, "\n", 1);
	}
	print_results(p->out, g);
}

void pim_graph_print(const pim_graph *g, const pim_print_options *o, pim_text *out)
{
	printer p = {.out = out, .options = o ? o : &pim_print_defaults};
	print_graph(&p, g);
}

static void print_module(printer *p, const pim_module *m)
{
	const char *weights = p->weights ? pim_weights_name(p->weights) : m->weights;
	pim_text_str(p->out, "module {\n");
	if (weights) {
		pim_text_str(p->out, "  weights ");
		const char *folder = !p->weights && p->options->folder ? p->options->folder : "";
		pim_text path = {0};
		pim_text_printf(&path, "%s%s", folder, weights);
		pim_text_quoted(p->out, path.s);
		pim_text_free(&path);
		pim_text_str(p->out, "\n");
	}
	for (int i = 0; i < m->n_graphs; i++)
		print_graph(p, m->graphs[i]);
	pim_text_str(p->out, "}\n");
}

bool pim_module_write(const pim_module *m, const pim_print_options *o, pim_text *out)
{
	pim_arena *scratch = pim_arena_new();
	printer p = {.out = out, .options = o ? o : &pim_print_defaults};
	if (p.options->weights)
		p.weights = pim_weights_write(m, p.options, scratch);
	bool ok = !p.options->weights || p.weights;
	if (ok)
		print_module(&p, m);
	pim_arena_free(scratch);
	return ok;
}

char *pim_module_print(const pim_module *m)
{
	pim_text out = {0};
	pim_module_write(m, &pim_print_defaults, &out);
	return out.s;
}
