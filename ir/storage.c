/* SPDX-License-Identifier: Apache-2.0 */
/* storage - where the values of one evaluation lie: one block, planned before it is filled.
 *
 * Values are walked in program order. One that is read for the last time leaves a hole, and a new
 * value takes the smallest hole that holds it. An op that may write over an operand (P in ops.def)
 * does so when nobody else reads it; a reshape is its operand under another type. Constants stay
 * where they are: also at odd addresses when only ops that take any address (A) read them. */
#include "ir/op_rules.h"

#include <string.h>

enum { ALIGNMENT = 64 };

typedef struct hole {
	int64_t at, bytes;
} hole;

typedef struct plan {
	const pim_graph *g;
	pim_storage *s;
	const pim_node **last; /* by id of the owner: who reads it last; NULL: nobody, or a result */
	bool *kept;			   /* by id of the owner: not to be given away or written over */
	hole *holes;		   /* by address */
	int64_t *bytes;		   /* by id of the owner: taken of the block */
	int n_holes;
} plan;

static int64_t round_up(int64_t bytes)
{
	return (bytes + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
}

int64_t pim_storage_room(const pim_type *t)
{
	int64_t total = 0;
	if (t->n_parts == 0)
		return round_up(pim_type_bytes(t) + 1);
	for (int i = 0; i < t->n_parts; i++)
		total += pim_storage_room(t->parts[i]);
	return total;
}

static bool is_dense(const pim_node *n)
{
	const pim_data *d = n->op == PIM_OP_constant ? pim_constant_data(n) : NULL;
	return d && d->kind == PIM_DATA_dense;
}

const void *pim_constant_elements(const pim_node *n)
{
	const void *bytes = is_dense(n) ? pim_constant_data(n)->bytes : NULL;
	return (uintptr_t)bytes % pim_dtype_bytes(n->type->dtype) ? NULL : bytes;
}

static bool has_flag(const pim_node *n, unsigned flag)
{
	return pim_op_at((pim_op)n->op)->flags & flag;
}

/* Constants that a reader wants at an aligned address, and what else must be kept. */
static void find_fixed(plan *p)
{
	bool *strict = p->kept;
	for (const pim_node *n = p->g->first; n; n = n->next)
		for (uint32_t i = 0; i < n->n_in; i++)
			if (n->in[i] && !has_flag(n, PIM_OPF_any_address))
				strict[n->in[i]->id] = true;
	for (int i = 0; i < p->g->n_results; i++)
		strict[p->g->results[i]->id] = true;
	for (const pim_node *n = p->g->first; n; n = n->next)
		if (is_dense(n))
			p->s->fixed[n->id] =
				strict[n->id] ? pim_constant_elements(n) : pim_constant_data(n)->bytes;
	memset(p->kept, 0, sizeof *p->kept * (size_t)p->g->n_ids);
}

static void find_owners(plan *p)
{
	const pim_graph *g = p->g;
	uint32_t *owner = p->s->owner;
	for (const pim_node *n = g->first; n; n = n->next) {
		owner[n->id] = n->op == PIM_OP_reshape ? owner[n->in[0]->id] : n->id;
		p->kept[n->id] = n->op == PIM_OP_input || p->s->fixed[n->id];
		for (uint32_t i = 0; i < n->n_in; i++)
			if (n->in[i])
				p->last[owner[n->in[i]->id]] = n;
	}
	for (int i = 0; i < g->n_results; i++)
		p->kept[owner[g->results[i]->id]] = true;
}

/* The operand that n writes over: of the result's dims and element size, and read by nobody later.
 */
static const pim_node *find_overwritten(const plan *p, const pim_node *n)
{
	size_t bytes = n->type->n_parts ? 0 : pim_dtype_bytes(n->type->dtype);
	for (uint32_t i = 0; has_flag(n, PIM_OPF_in_place) && i < n->n_in; i++) {
		const pim_node *x = n->in[i];
		if (!x || x->type->rank != n->type->rank || pim_dtype_bytes(x->type->dtype) != bytes ||
			memcmp(x->type->dims, n->type->dims, sizeof *n->type->dims * (size_t)n->type->rank))
			continue;
		uint32_t owner = p->s->owner[x->id];
		if (!p->kept[owner] && p->last[owner] == n)
			return x;
	}
	return NULL;
}

static void take_hole(plan *p, int at, int64_t bytes)
{
	hole *h = p->holes + at;
	h->at += bytes;
	h->bytes -= bytes;
	if (h->bytes == 0)
		memmove(h, h + 1, sizeof *h * (size_t)(--p->n_holes - at));
}

/* The smallest hole that holds it; else the end of the block, from where the last hole begins. */
static int64_t take(plan *p, int64_t bytes)
{
	int best = -1;
	for (int i = 0; i < p->n_holes; i++)
		if (p->holes[i].bytes >= bytes && (best < 0 || p->holes[i].bytes < p->holes[best].bytes))
			best = i;
	int64_t at = best < 0 ? p->s->bytes : p->holes[best].at;
	if (best >= 0) {
		take_hole(p, best, bytes);
		return at;
	}
	const hole *end = p->n_holes ? p->holes + p->n_holes - 1 : NULL;
	if (end && end->at + end->bytes == p->s->bytes) {
		at = end->at;
		p->n_holes--;
	}
	p->s->bytes = at + bytes;
	return at;
}

static void give_back(plan *p, int64_t at, int64_t bytes)
{
	int i = p->n_holes;
	for (; i > 0 && p->holes[i - 1].at > at; i--)
		p->holes[i] = p->holes[i - 1];
	p->holes[i] = (hole){at, bytes};
	p->n_holes++;
	if (i + 1 < p->n_holes && p->holes[i + 1].at == at + bytes) {
		p->holes[i].bytes += p->holes[i + 1].bytes;
		take_hole(p, i + 1, p->holes[i + 1].bytes);
	}
	if (i > 0 && p->holes[i - 1].at + p->holes[i - 1].bytes == at) {
		p->holes[i - 1].bytes += p->holes[i].bytes;
		take_hole(p, i, p->holes[i].bytes);
	}
}

static void release(plan *p, uint32_t owner)
{
	if (p->kept[owner] || !p->bytes[owner])
		return;
	give_back(p, p->s->at[owner], p->bytes[owner]);
	p->bytes[owner] = 0;
}

static void place(plan *p, const pim_node *n)
{
	const pim_node *over = find_overwritten(p, n);
	uint32_t from = over ? p->s->owner[over->id] : 0;
	if (over) {
		p->s->at[n->id] = p->s->at[from];
		p->bytes[n->id] = p->bytes[from];
		p->bytes[from] = 0;
	} else {
		p->bytes[n->id] = pim_storage_room(n->type);
		p->s->at[n->id] = take(p, p->bytes[n->id]);
	}
}

pim_storage *pim_storage_plan(const pim_graph *g, pim_arena *a)
{
	pim_storage *s = PIM_NEW(a, pim_storage, 1);
	plan p = {.g = g, .s = s};
	s->at = PIM_NEW(a, int64_t, g->n_ids);
	s->fixed = PIM_NEW(a, const void *, g->n_ids);
	s->owner = PIM_NEW(a, uint32_t, g->n_ids);
	p.last = PIM_NEW(a, const pim_node *, g->n_ids);
	p.kept = PIM_NEW(a, bool, g->n_ids);
	p.bytes = PIM_NEW(a, int64_t, g->n_ids);
	p.holes = PIM_NEW(a, hole, g->n_ids + 1);
	find_fixed(&p);
	find_owners(&p);
	for (const pim_node *n = g->first; n; n = n->next) {
		bool made = s->owner[n->id] == n->id && n->op != PIM_OP_input && !s->fixed[n->id];
		if (made)
			place(&p, n);
		for (uint32_t i = 0; i < n->n_in; i++)
			if (n->in[i] && p.last[s->owner[n->in[i]->id]] == n)
				release(&p, s->owner[n->in[i]->id]);
		if (made && !p.last[n->id])
			release(&p, n->id);
	}
	return s;
}
