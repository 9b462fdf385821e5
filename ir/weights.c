/* SPDX-License-Identifier: Apache-2.0 */
/* weights - the large constants of a module that is being printed, in a safetensors file beside the
 * text. */
#include <string.h>

#include "ir/text_form.h"

struct pim_weights {
	const char *name;
	pim_map *keys; /* of the node's address */
};

typedef struct collected {
	int n, room;
	const char **keys;
	const pim_type **types;
	const void **data;
	pim_map *taken;
} collected;

static const char *choose_key(collected *all, const pim_node *n, pim_arena *a)
{
	const pim_data *d = pim_constant_data(n);
	const char *wanted = d->key	   ? d->key
						 : n->name ? n->name
								   : pim_arena_printf(a, "%u", n->number),
			   *key = wanted;
	for (int i = 2; pim_map_put(all->taken, key, strlen(key), all); i++)
		key = pim_arena_printf(a, "%s_%d", wanted, i);
	return key;
}

static void collect(collected *all, pim_weights *w, const pim_node *n, pim_arena *a)
{
	const char *key = choose_key(all, n, a);
	all->keys[all->n] = key;
	all->types[all->n] = n->type;
	all->data[all->n++] = pim_constant_data(n)->bytes;
	pim_map_put(w->keys, &n, sizeof n, (void *)(uintptr_t)key);
}

static int count_large(const pim_module *m, const pim_print_options *o)
{
	int count = 0;
	for (int i = 0; i < m->n_graphs; i++)
		for (const pim_node *n = m->graphs[i]->first; n; n = n->next)
			count += n->op == PIM_OP_constant && pim_elements_are_large(n, o);
	return count;
}

pim_weights *pim_weights_write(const pim_module *m, const pim_print_options *o, pim_arena *scratch)
{
	pim_weights *w = PIM_NEW(scratch, pim_weights, 1);
	const char *slash = strrchr(o->weights, '/');
	collected all = {.room = count_large(m, o), .taken = pim_map_new(scratch)};
	all.keys = PIM_NEW(scratch, const char *, all.room);
	all.types = PIM_NEW(scratch, const pim_type *, all.room);
	all.data = PIM_NEW(scratch, const void *, all.room);
	w->name = slash ? slash + 1 : o->weights;
	w->keys = pim_map_new(scratch);
	for (int i = 0; i < m->n_graphs && all.room; i++)
		for (const pim_node *n = m->graphs[i]->first; n; n = n->next)
			if (n->op == PIM_OP_constant && pim_elements_are_large(n, o))
				collect(&all, w, n, scratch);
	if (!all.n)
		w->name = NULL;
	else if (!pim_safetensors_write(m->context, o->weights, all.n, all.keys, all.types, all.data))
		return NULL;
	return w;
}

const char *pim_weights_key(const pim_weights *w, const pim_node *n)
{
	return pim_map_get(w->keys, &n, sizeof n);
}

const char *pim_weights_name(const pim_weights *w)
{
	return w->name;
}
