/* SPDX-License-Identifier: Apache-2.0 */
/* layout_share.c - how units may hold the constants of an op together, and what that costs.
 *
 * Units whose slices read the same box of a constant may each hold 1/s of it, in groups of s: every
 * use then fetches the other (s-1)/s from the group. That is possible where the boxes that slices
 * read are the pieces of an even cut of the constant; the layout of the constant is this cut, with
 * one dimension cut s times more. Degrees are the powers of two up to the readers of a box, as
 * groups of so many neighbours are compact parts of a network. A fetch pays each message at the
 * ports of sender and reader, or what the busiest link of the group carries if that is longer.
 * Source: the weight sharing of Allspark (known from its abstract), worked out for any op (ours).
 */
#include <math.h>
#include <string.h>

#include "passes/layout_search.h"

typedef struct box_key {
	int64_t lo[PIM_MAX_RANK], hi[PIM_MAX_RANK];
} box_key;

/* A box that some units read. */
typedef struct reading {
	box_key box;
	int64_t bytes;
	int readers;
	int last; /* unit that was counted last */
} reading;

/* What the slices of an op in one state read of one constant. */
typedef struct demand {
	const pim_target *target;
	const pim_type *type;
	int n;
	reading *read;	/* distinct boxes */
	int64_t *bytes; /* by unit: of its distinct boxes */
	int *boxes;		/* by unit: how many */
	int32_t parts[PIM_MAX_RANK];
} demand;

static box_key key_of(const pim_box *b)
{
	box_key key;
	memset(&key, 0, sizeof key);
	for (int d = 0; d < b->n; d++) {
		key.lo[d] = b->lo[d];
		key.hi[d] = b->hi[d];
	}
	return key;
}

static void add_reader(demand *m, pim_map *known, const pim_box *need, int unit)
{
	box_key key = key_of(need);
	reading *r = pim_map_get(known, &key, sizeof key);
	if (!r) {
		r = &m->read[m->n++];
		*r = (reading){
			key, pim_box_elements(need) * (int64_t)pim_dtype_bytes(m->type->dtype), 0, -1};
		pim_map_put(known, &key, sizeof key, r);
	}
	struct {
		const reading *of;
		int64_t unit;
	} pair = {r, unit};
	if (r->last == unit || pim_map_put(known, &pair, sizeof pair, r))
		return;
	r->last = unit;
	r->readers++;
	m->bytes[unit] += r->bytes;
	m->boxes[unit]++;
}

static demand find_demand(const pim_target *t, const pim_node *n, const pim_axes *x, int input,
	const pim_state *s, pim_arena *a)
{
	demand m = {.target = t, .type = n->in[input]->type};
	m.read = PIM_NEW(a, reading, s->slices);
	m.bytes = PIM_NEW(a, int64_t, t->units);
	m.boxes = PIM_NEW(a, int, t->units);
	pim_map *known = pim_map_new(a);
	pim_plan plan = {.set = -1, .layout = (pim_layout *)(uintptr_t)&s->layout};
	pim_node shadow = *n;
	shadow.plan = &plan;
	for (int64_t k = 0; k < s->slices; k++) {
		pim_box axes, need;
		pim_slice_axes(&shadow, x, k, &axes);
		pim_axes_demand(x, n, input, &axes, &need, NULL, NULL);
		if (!pim_box_empty(&need))
			add_reader(&m, known, &need, (int)(k % t->units));
	}
	return m;
}

/* How often each dimension is cut when the boxes are the pieces of an even cut; false when they are
 * not. */
static bool find_parts(demand *m)
{
	int64_t all = 1;
	for (int d = 0; d < m->type->rank; d++) {
		int64_t size = m->type->dims[d];
		int64_t extent = m->read[0].box.hi[d] - m->read[0].box.lo[d];
		m->parts[d] = (int32_t)((size + extent - 1) / extent);
		for (int r = 1; r < m->n; r++) {
			int64_t other = m->read[r].box.hi[d] - m->read[r].box.lo[d];
			int64_t parts = (size + other - 1) / other;
			m->parts[d] = parts > m->parts[d] ? (int32_t)parts : m->parts[d];
		}
		all *= m->parts[d];
	}
	for (int r = 0; r < m->n; r++)
		for (int d = 0; d < m->type->rank; d++) {
			int64_t size = m->type->dims[d], k = m->parts[d], lo = m->read[r].box.lo[d];
			int64_t piece = ((lo + 1) * k - 1) / size;
			if (piece * size / k != lo || (piece + 1) * size / k != m->read[r].box.hi[d])
				return false;
		}
	return all == m->n;
}

static int64_t largest_piece(const pim_type *t, const pim_layout *l)
{
	int64_t elements = 1;
	for (int d = 0; d < t->rank; d++)
		elements *= (t->dims[d] + l->parts[d] - 1) / l->parts[d];
	return pim_target_constant_bytes(elements * (int64_t)pim_dtype_bytes(t->dtype));
}

double pim_share_cycles(const pim_target *t, int64_t messages, int64_t bytes)
{
	pim_exchange r = pim_exchange_of(t, messages);
	double each = (double)(t->memory.latency + t->command_cycles);
	double receive = (double)messages * each + (double)bytes / t->memory.bytes_per_cycle;
	double send = fmax(receive, (double)messages * (double)t->command_cycles +
									(double)bytes / t->network.link_bytes_per_cycle);
	double carried = (double)bytes * r.load / t->network.link_bytes_per_cycle;
	double first = send / (double)messages + r.hops * (double)t->network.hop_cycles;
	return first + fmax(carried, receive + send - send / (double)messages);
}

/* The constant in groups of `degree` units; false where no dimension can be cut so often. */
static bool make_share(const demand *m, int degree, int readers, pim_share *s)
{
	*s = (pim_share){.degree = degree};
	s->layout = (pim_layout){.rank = m->type->rank, .sums = 1, .copies = readers / degree};
	int cut = -1;
	for (int d = 0; d < m->type->rank; d++) {
		s->layout.parts[d] = m->parts[d];
		if (cut < 0 && m->type->dims[d] / m->parts[d] >= degree)
			cut = d;
	}
	if (cut < 0)
		return false;
	s->layout.parts[cut] *= degree;
	int64_t piece = largest_piece(m->type, &s->layout), whole = 0, boxes = 0, total = 0;
	for (int u = 0; u < m->target->units; u++) {
		whole = m->bytes[u] > whole ? m->bytes[u] : whole;
		boxes = m->boxes[u] > boxes ? m->boxes[u] : boxes;
		total += m->bytes[u];
	}
	int64_t fetched = whole - whole / degree;
	s->bytes = piece * boxes;
	s->staged = whole;
	s->moved = total - total / degree;
	s->mean_bytes = (double)total / degree / m->target->units;
	s->cycles = pim_share_cycles(m->target, boxes * (degree - 1), fetched);
	return true;
}

static pim_share unshared(const demand *m)
{
	pim_share s = {.degree = 1};
	int64_t total = 0;
	for (int u = 0; u < m->target->units; u++) {
		int64_t bytes = pim_target_constant_bytes(m->bytes[u]);
		s.bytes = bytes > s.bytes ? bytes : s.bytes;
		total += m->bytes[u];
	}
	s.mean_bytes = (double)total / m->target->units;
	return s;
}

static int least_readers(const demand *m)
{
	int least = m->n ? m->read[0].readers : 0;
	for (int r = 1; r < m->n; r++)
		least = m->read[r].readers < least ? m->read[r].readers : least;
	return least;
}

/* A constant that several ops read may lie on their units once: no more than a share of it is
 * certain to be this op's. */
static void find_shares(demand *m, int ops, pim_sharing *sharing)
{
	sharing->share[sharing->n++] = unshared(m);
	sharing->share[0].mean_bytes /= ops;
	int readers = least_readers(m);
	if (readers < 2 || ops > 1 || !find_parts(m))
		return;
	for (int degree = 2; degree <= readers && sharing->n < PIM_MAX_SHARES; degree *= 2)
		sharing->n += make_share(m, degree, readers, &sharing->share[sharing->n]);
}

void pim_state_find_shares(
	const pim_target *t, const pim_node *n, const int *readers, pim_state *s, pim_arena *a)
{
	pim_arena *scratch = pim_arena_new();
	const pim_axes *x = pim_axes_new(n, scratch);
	s->sharing = PIM_NEW(a, pim_sharing, n->n_in + 1);
	s->n_sharings = 0;
	s->weight_bytes = 0;
	for (int i = 0; i < (int)n->n_in; i++) {
		if (!n->in[i] || n->in[i]->op != PIM_OP_constant)
			continue;
		demand m = find_demand(t, n, x, i, s, scratch);
		pim_sharing *sharing = &s->sharing[s->n_sharings++];
		sharing->input = i;
		find_shares(&m, readers[n->in[i]->id], sharing);
		s->weight_bytes += sharing->share[0].bytes;
	}
	pim_arena_free(scratch);
}

double pim_share_weight(const pim_layout_search *s, const pim_share *share)
{
	return s->weighs == PIM_WEIGHS_mean ? share->mean_bytes : (double)share->bytes;
}

const pim_share *pim_share_choose(
	const pim_layout_search *s, const pim_sharing *sharing, double price)
{
	const pim_share *best = &sharing->share[0];
	for (const pim_share *k = best + 1; k < &sharing->share[sharing->n]; k++)
		if (k->cycles + price * pim_share_weight(s, k) <
			best->cycles + price * pim_share_weight(s, best))
			best = k;
	return best;
}

/* The constants of a node in its own state, those that are shared by the plan written down. */
static void choose_for(
	const pim_layout_search *s, pim_layout_plan *p, const pim_node *n, double price)
{
	const pim_state *own = &p->states[n->id]->state[p->own[n->id]];
	for (int i = 0; i < own->n_sharings; i++) {
		const pim_share *share = pim_share_choose(s, &own->sharing[i], price);
		p->share[n->in[own->sharing[i].input]->id] = share->degree > 1 ? share : NULL;
	}
}

void pim_layout_plan_share(const pim_layout_search *s, pim_layout_plan *p, double price)
{
	PIM_EACH_NODE(n, s->graph)
	{
		if (p->states[n->id])
			choose_for(s, p, n, price);
	}
}

void pim_layout_search_share(pim_layout_search *s)
{
	pim_map *known = pim_map_new(s->arena);
	PIM_EACH_NODE(n, s->graph)
	{
		pim_states *r = s->states[n->id];
		if (!r || r->type->n_parts > 0 || (pim_op_at((pim_op)n->op)->flags & PIM_OPF_leaf) ||
			pim_map_put(known, &r, sizeof r, r))
			continue;
		for (int k = 0; k < r->n; k++)
			if (r->state[k].own)
				pim_state_find_shares(s->target, n, s->readers, &r->state[k], s->arena);
	}
}
