/* SPDX-License-Identifier: Apache-2.0 */
/* cse - compute equal values once.
 *
 * Needs: shaped.
 * Idea:  one walk in program order with a hash table of what was computed: op, inputs (those that
 * stand for them now; in order of id where the op commutes), attributes and type. A value that is
 * in the table replaces the later one. Cost:  linear in nodes and in the bytes of small constants.
 */
#include <string.h>

#include "passes/pass.h"

typedef struct slot {
	uint32_t hash;
	pim_node *node;
} slot;

typedef struct table {
	size_t mask;
	slot *slot;
} table;

static uint64_t mix(uint64_t h, uint64_t v)
{
	h = (h ^ v) * 0x9e3779b97f4a7c15u;
	return h ^ h >> 32;
}

static uint64_t mix_bytes(uint64_t h, const void *p, size_t n)
{
	const unsigned char *s = p;
	for (; n >= 8; s += 8, n -= 8) {
		uint64_t v;
		memcpy(&v, s, 8);
		h = mix(h, v);
	}
	for (; n; s++, n--)
		h = mix(h, *s);
	return h;
}

static bool is_list(const pim_attr *a)
{
	return a->kind == PIM_ATTR_ints || a->kind == PIM_ATTR_floats || a->kind == PIM_ATTR_strings;
}

static size_t list_bytes(const pim_attr *a)
{
	switch ((pim_attr_kind)a->kind) {
	case PIM_ATTR_ints:
		return a->n * sizeof *a->is;
	case PIM_ATTR_floats:
		return a->n * sizeof *a->fs;
	case PIM_ATTR_strings:
		return a->n * sizeof *a->ss;
	default:
		return 0;
	}
}

/* The bytes that tell a constant from others: all when they are few, else the first ones. */
static size_t data_bytes(const pim_data *d, const pim_type *t)
{
	if (d->kind == PIM_DATA_splat)
		return pim_dtype_bytes(t->dtype);
	return d->kind == PIM_DATA_dense ? (size_t)pim_type_bytes(t) : 0;
}

static uint64_t hash_attr(uint64_t h, const pim_attr *a, const pim_type *t)
{
	h = mix(mix(h, (uintptr_t)a->name), a->kind);
	if (a->kind == PIM_ATTR_data) {
		size_t n = data_bytes(a->data, t);
		return mix_bytes(mix(h, a->data->kind), a->data->bytes, n < 256 ? n : 256);
	}
	return is_list(a) ? mix_bytes(h, a->is, list_bytes(a)) : mix(h, (uint64_t)a->i);
}

static bool equal_data(const pim_data *a, const pim_data *b, const pim_type *t)
{
	if (a->kind != b->kind || a->kind == PIM_DATA_absent)
		return false;
	return a->bytes == b->bytes || !memcmp(a->bytes, b->bytes, data_bytes(a, t));
}

static bool equal_attr(const pim_attr *a, const pim_attr *b, const pim_type *t)
{
	if (a->name != b->name || a->kind != b->kind || a->n != b->n)
		return false;
	if (a->kind == PIM_ATTR_data)
		return equal_data(a->data, b->data, t);
	if (is_list(a))
		return !a->n || !memcmp(a->is, b->is, list_bytes(a));
	return a->i == b->i;
}

static bool is_swapped(const pim_node *n)
{
	return n->n_in == 2 && (pim_op_at(n->op)->flags & PIM_OPF_commutes) &&
		   n->in[0]->id > n->in[1]->id;
}

static const pim_node *input_at(const pim_node *n, bool swapped, uint32_t i)
{
	return n->in[swapped ? 1 - i : i];
}

static uint32_t hash_node(const pim_node *n)
{
	bool swapped = is_swapped(n);
	uint64_t h = mix(mix(n->op, n->n_in), (uintptr_t)n->type);
	for (uint32_t i = 0; i < n->n_in; i++) {
		const pim_node *in = input_at(n, swapped, i);
		h = mix(h, in ? in->id + 1 : 0);
	}
	for (int i = 0; i < n->n_attrs; i++)
		h = mix(h, 0) ^ hash_attr(1, &n->attrs[i], n->type);
	return (uint32_t)(h ^ h >> 32);
}

static bool equal_nodes(const pim_node *a, const pim_node *b)
{
	if (a->op != b->op || a->type != b->type || a->n_in != b->n_in || a->n_attrs != b->n_attrs)
		return false;
	bool swapped_a = is_swapped(a), swapped_b = is_swapped(b);
	for (uint32_t i = 0; i < a->n_in; i++)
		if (input_at(a, swapped_a, i) != input_at(b, swapped_b, i))
			return false;
	for (int i = 0; i < a->n_attrs; i++)
		if (!equal_attr(&a->attrs[i], &b->attrs[i], a->type))
			return false;
	return true;
}

/* The equal node that came before n; n itself, now in the table, when there is none. */
static pim_node *find_equal(table *t, pim_node *n)
{
	uint32_t h = hash_node(n);
	size_t i = h & t->mask;
	for (; t->slot[i].node; i = (i + 1) & t->mask)
		if (t->slot[i].hash == h && equal_nodes(t->slot[i].node, n))
			return t->slot[i].node;
	t->slot[i] = (slot){h, n};
	return n;
}

static table make_table(const pim_graph *g, pim_arena *a)
{
	size_t room = 64;
	while (room < 2 * (size_t)g->n_ids)
		room *= 2;
	return (table){room - 1, PIM_NEW(a, slot, room)};
}

bool pim_pass_cse(pim_graph *g, pim_job *j)
{
	table t = make_table(g, j->arena);
	pim_replacer *r = pim_replacer_new(g, j->arena);
	pim_node **merged = PIM_NEW(j->arena, pim_node *, g->n_ids + 1);
	int n_merged = 0;
	PIM_EACH_NODE(n, g)
	{
		if (n_merged)
			pim_replacer_update(r, n);
		pim_node *by = n->op == PIM_OP_input ? n : find_equal(&t, n);
		if (by == n)
			continue;
		pim_replacer_note(r, n, by);
		merged[n_merged++] = n;
	}
	if (n_merged)
		pim_replacer_apply(r);
	for (int i = 0; i < n_merged; i++)
		pim_node_unlink(merged[i]);
	pim_job_count(j, "merged", n_merged);
	return true;
}
