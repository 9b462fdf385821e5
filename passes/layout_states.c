/* SPDX-License-Identifier: Apache-2.0 */
/* layout_states.c - the layouts an op's result may have, and what computing it so costs.
 *
 * Idea: a result may be whole on one unit, copied to all, cut along one dimension, along two
 * when one is too short for all units or a square cut saves operands, or be partial sums of a
 * summed axis (each also under a given cut into branches). Which dimensions can be cut is read from
 * the axes: factors of the dimension, outer first, as long as they are free or windowed; a cut
 * falls between whole inner factors, so that a slice is a box of every value. Of many candidates
 * those that compute fastest are kept. States follow those of the first input of equal shape, so
 * that element-wise ops never force a change of layout. Source: layouts R, C, F and P of Allspark's
 * interleaved dataflow, as derived for any op (ours).
 */
#include <math.h>
#include <string.h>

#include "passes/pass.h"

enum { MAX_CANDIDATES = 160 };

typedef struct candidates {
	const pim_node *node;
	const pim_axes *axes; /* NULL for a leaf */
	const pim_target *target;
	pim_layout base;
	int64_t units, room; /* that slices may use; for each slice of the base */
	int64_t cut[PIM_MAX_RANK];
	int n;
	pim_layout layout[MAX_CANDIDATES];
	double cycles[MAX_CANDIDATES];
} candidates;

static bool moves_only(const pim_node *n)
{
	return pim_op_at((pim_op)n->op)->flags & PIM_OPF_move;
}

/* Does cutting this axis leave a box of every input? Of moved elements only where it is outermost
 * but for axes that are cut in full. */
static bool leaves_boxes(const pim_node *n, const pim_axes *x, int axis, const bool *full)
{
	for (int i = 0; i < x->n_inputs; i++) {
		if (!n->in[i] || (x->whole && x->whole[i]))
			continue;
		for (int d = 0; d < n->in[i]->type->rank; d++) {
			const pim_index *m = &x->map[i][d];
			int64_t own = 0, most = 0;
			for (int t = 0; t < m->n; t++) {
				int64_t coef = m->term[t].coef < 0 ? -m->term[t].coef : m->term[t].coef;
				if (m->term[t].axis == axis)
					own = coef;
				if (coef > most && x->axis[m->term[t].axis].size > 1 && !full[m->term[t].axis])
					most = coef;
			}
			if (own > 0 && own < most)
				return false;
		}
	}
	return true;
}

static bool can_cut(const pim_node *n, const pim_axes *x, int axis, const bool *full)
{
	pim_axis_kind kind = x->axis[axis].kind;
	if (kind != PIM_AXIS_free && kind != PIM_AXIS_windowed)
		return false;
	return !moves_only(n) || leaves_boxes(n, x, axis, full);
}

int64_t pim_states_cut(const pim_node *n, const pim_axes *x, int d, int64_t want)
{
	int64_t size = n->type->dims[d], inner = size, parts = 1;
	if (size <= 1 || want <= 1 || n->type->elements == 0)
		return 1;
	if (!x)
		return size < want ? size : want;
	const pim_index *m = &x->map[x->n_inputs][d];
	bool full[PIM_MAX_AXES] = {false};
	for (int t = 0; t < m->n && parts < want; t++) {
		int axis = m->term[t].axis;
		int64_t extent = x->axis[axis].size, k = want / parts;
		if (extent == 1)
			continue;
		if (!can_cut(n, x, axis, full))
			return parts;
		inner /= extent;
		k = k < extent ? k : extent;
		while (inner > 1 && extent % k != 0)
			k--;
		parts *= k;
		full[axis] = true;
		if (k < extent)
			return parts;
	}
	return parts;
}

/* Every dimension must be cut a multiple of the base's times, where it can be. */
static bool is_legal(const candidates *c, const pim_layout *l)
{
	for (int d = 0; d < l->rank; d++) {
		if (l->parts[d] % c->base.parts[d] != 0)
			return false;
		if (l->parts[d] > 1 && pim_states_cut(c->node, c->axes, d, l->parts[d]) != l->parts[d])
			return false;
	}
	return true;
}

static int64_t count_waves(const pim_layout *l, const pim_target *t)
{
	return (pim_layout_slices(l) + t->units - 1) / t->units;
}

/* A stand-in for the node that has this layout, for the functions that read it from the plan. */
static pim_node with_layout(const pim_node *n, pim_plan *plan, const pim_layout *l)
{
	*plan = (pim_plan){.set = -1};
	plan->layout = (pim_layout *)l;
	pim_node shadow = *n;
	shadow.plan = plan;
	return shadow;
}

/* Bytes of constants, of other inputs and of the result in the largest slice. */
static void find_bytes(const candidates *c, const int64_t *extent, int64_t bytes[3])
{
	const pim_node *n = c->node;
	bytes[0] = bytes[1] = 0;
	for (int i = 0; i < (int)n->n_in; i++)
		if (n->in[i])
			bytes[n->in[i]->op != PIM_OP_constant] += pim_nest_operand_bytes(n, c->axes, i, extent);
	bytes[2] = pim_nest_operand_bytes(n, c->axes, (int)n->n_in, extent);
}

static void find_extents(const candidates *c, const pim_layout *l, int64_t *extent)
{
	for (int a = 0; a < c->axes->n_axes; a++)
		extent[a] = c->axes->axis[a].size;
	pim_plan plan;
	pim_node shadow = with_layout(c->node, &plan, l);
	pim_box axes;
	pim_slice_axes(&shadow, c->axes, pim_layout_slices(l) - 1, &axes);
	for (int a = 0; a < c->axes->n_axes; a++)
		extent[a] = axes.hi[a] - axes.lo[a];
}

static double find_cycles(const candidates *c, const pim_layout *l)
{
	const pim_target *t = c->target;
	double waves = (double)count_waves(l, t);
	if (!c->axes) {
		double bytes =
			(double)pim_type_bytes(c->node->type) * l->copies / (double)pim_layout_slices(l);
		return waves * bytes / t->memory.bytes_per_cycle;
	}
	int64_t extent[PIM_MAX_AXES], bytes[3];
	find_extents(c, l, extent);
	find_bytes(c, extent, bytes);
	double work = 0;
	if (!moves_only(c->node))
		work = (double)pim_target_kernel_cycles(t, c->node, c->axes, extent);
	double port = (double)(bytes[0] + bytes[1] + bytes[2]) / t->memory.bytes_per_cycle;
	return waves * (fmax(work, port) + (double)t->memory.latency);
}

static void add_candidate(candidates *c, const pim_layout *l)
{
	if (c->n == MAX_CANDIDATES || !is_legal(c, l))
		return;
	for (int i = 0; i < c->n; i++)
		if (pim_layout_equal(&c->layout[i], l))
			return;
	c->cycles[c->n] = find_cycles(c, l);
	c->layout[c->n++] = *l;
}

/* The base with dimension d cut up to `want` times more; false when it cannot be. */
static bool cut_more(const candidates *c, pim_layout *l, int d, int64_t want)
{
	int64_t base = l->parts[d], most = pim_states_cut(c->node, c->axes, d, base * want);
	most -= most % base;
	while (most > base && pim_states_cut(c->node, c->axes, d, most) != most)
		most -= base;
	if (most <= base)
		return false;
	l->parts[d] = (int32_t)most;
	return true;
}

static void add_single_cuts(candidates *c)
{
	for (int d = 0; d < c->base.rank; d++) {
		pim_layout l = c->base;
		if (cut_more(c, &l, d, c->room))
			add_candidate(c, &l);
	}
}

/* Dimension d cut about `first` times, then another for what is left of the units. */
static void add_double_cuts(candidates *c, int64_t first)
{
	for (int d = 0; d < c->base.rank; d++)
		for (int e = 0; e < c->base.rank; e++) {
			pim_layout l = c->base;
			if (d == e || !cut_more(c, &l, d, first))
				continue;
			int64_t left = c->room / (l.parts[d] / c->base.parts[d]);
			if (left > 1 && cut_more(c, &l, e, left))
				add_candidate(c, &l);
		}
}

/* Partial sums add up when every input is cut with the sum, in types that add exactly enough. */
static int64_t summable_size(const candidates *c)
{
	pim_dtype t = c->node->type->dtype;
	if (!c->axes || t == PIM_DTYPE_f16 || t == PIM_DTYPE_bf16 || t == PIM_DTYPE_bool)
		return 1;
	int axis = -1;
	for (int a = 0; a < c->axes->n_axes; a++)
		if (c->axes->axis[a].kind == PIM_AXIS_summed &&
			(axis < 0 || c->axes->axis[a].size > c->axes->axis[axis].size))
			axis = a;
	for (int i = 0; i < (int)c->node->n_in && axis >= 0; i++) {
		bool found = false;
		for (int d = 0; c->node->in[i] && d < c->node->in[i]->type->rank; d++)
			for (int k = 0; k < c->axes->map[i][d].n; k++)
				found = found || c->axes->map[i][d].term[k].axis == axis;
		if (!found || (c->axes->whole && c->axes->whole[i]))
			return 1;
	}
	return axis < 0 ? 1 : c->axes->axis[axis].size;
}

static void add_sums(candidates *c)
{
	int64_t size = summable_size(c), most = size < c->room ? size : c->room;
	if (most < 2)
		return;
	pim_layout l = c->base;
	l.sums = (int32_t)most;
	add_candidate(c, &l);
	int64_t part = (int64_t)sqrt((double)c->room);
	for (int d = 0; d < c->base.rank && part > 1; d++) {
		l = c->base;
		if (!cut_more(c, &l, d, part))
			continue;
		l.sums = (int32_t)(size < part ? size : part);
		add_candidate(c, &l);
	}
}

static void add_whole(candidates *c)
{
	add_candidate(c, &c->base);
	pim_layout l = pim_layout_whole(c->node->type);
	for (int d = 0; d < l.rank; d++)
		if (c->base.parts[d] > 1)
			return;
	l.copies = (int32_t)c->target->units;
	if (c->units < c->target->units)
		return;
	add_candidate(c, &l);
}

static void add_like(candidates *c, const pim_states *like)
{
	for (int i = 0; like && i < like->n; i++)
		if (like->state[i].seen)
			add_candidate(c, &like->state[i].layout);
}

/* Cuts that a neighbour is bound to, alone and with one more. */
static void add_hint(candidates *c, const int32_t *hint)
{
	pim_layout own = c->base;
	int64_t room = c->room;
	for (int d = 0; d < own.rank; d++)
		if (hint[d] > own.parts[d])
			c->base.parts[d] = hint[d];
	if (!pim_layout_equal(&own, &c->base) && pim_layout_slices(&c->base) <= c->units) {
		c->room = c->units / pim_layout_slices(&c->base);
		add_single_cuts(c);
		add_candidate(c, &c->base);
	}
	c->base = own;
	c->room = room;
}

static void start_candidates(candidates *c, const pim_node *n, const pim_axes *x,
	const pim_target *t, const int32_t base[PIM_MAX_RANK], int64_t units)
{
	*c = (candidates){
		.node = n, .axes = x, .target = t, .units = units, .base = pim_layout_whole(n->type)};
	for (int d = 0; base && d < c->base.rank; d++)
		if (base[d] > 1)
			c->base.parts[d] = base[d];
	int64_t slices = pim_layout_slices(&c->base);
	c->room = slices < units ? units / slices : 1;
}

static void fill_candidates(candidates *c, const pim_states *like, const int32_t *hint)
{
	add_whole(c);
	if (c->node->type->n_parts > 0 || (c->axes && pim_node_is(c->node, "get")))
		return;
	if (hint)
		add_hint(c, hint);
	add_single_cuts(c);
	add_like(c, like);
	add_double_cuts(c, (int64_t)sqrt((double)c->room));
	for (int64_t first = c->room / 2; first > 1; first /= 2)
		add_double_cuts(c, first);
	add_sums(c);
}

/* Rows are the outermost dimension that can be cut, columns the channels (dim 1 of an image, else
 * the last). */
static pim_layout_kind find_kind(const candidates *c, const pim_layout *l)
{
	int channel = l->rank >= 4 ? 1 : l->rank - 1, cut = -1, cuts = 0;
	if (l->copies > 1)
		return PIM_LAYOUT_full;
	for (int d = 0; d < l->rank; d++)
		if (l->parts[d] > 1) {
			cut = d;
			cuts++;
		}
	if (cuts != 1 || l->sums > 1)
		return PIM_LAYOUT_other;
	if (cut == channel)
		return PIM_LAYOUT_columns;
	for (int d = 0; d < cut; d++)
		if (d != channel && pim_states_cut(c->node, c->axes, d, 2) > 1)
			return PIM_LAYOUT_other;
	return PIM_LAYOUT_rows;
}

/* Boxes as lo[rank], hi[rank]. */
static void put_box(int64_t *to, const pim_box *b)
{
	memcpy(to, b->lo, (size_t)b->n * sizeof *to);
	memcpy(to + b->n, b->hi, (size_t)b->n * sizeof *to);
}

static void find_boxes(const candidates *c, pim_state *s, pim_arena *a)
{
	const pim_node *n = c->node;
	int rank = s->layout.rank;
	s->home = PIM_NEW(a, int64_t, 2 * rank * s->slices + 1);
	s->need = PIM_NEW(a, int64_t *, n->n_in + 1);
	for (int i = 0; i < (int)n->n_in; i++)
		if (n->in[i] && n->in[i]->op != PIM_OP_constant && n->in[i]->type->n_parts == 0)
			s->need[i] = PIM_NEW(a, int64_t, 2 * n->in[i]->type->rank * s->slices + 1);
	pim_plan plan;
	pim_node shadow = with_layout(n, &plan, &s->layout);
	for (int64_t k = 0; k < s->slices; k++) {
		pim_box box = pim_layout_box(&s->layout, n->type, k, NULL), axes, need;
		put_box(s->home + k * 2 * rank, &box);
		if (c->axes && n->type->n_parts == 0)
			pim_slice_axes(&shadow, c->axes, k, &axes);
		for (int i = 0; i < (int)n->n_in; i++)
			if (s->need[i] && n->type->n_parts == 0) {
				pim_axes_demand(c->axes, n, i, &axes, &need, NULL, NULL);
				put_box(s->need[i] + k * 2 * n->in[i]->type->rank, &need);
			}
	}
}

/* What map will find for the largest slice; leaves and moves as they were estimated. */
static double find_nest_cycles(const candidates *c, const pim_layout *l)
{
	const pim_node *n = c->node;
	if (!c->axes || moves_only(n) || n->type->n_parts > 0)
		return find_cycles(c, l) / (double)count_waves(l, c->target);
	pim_arena *scratch = pim_arena_new();
	pim_plan plan;
	pim_node *shadow = pim_arena_alloc(scratch, sizeof *n + n->n_in * sizeof *n->in);
	*shadow = with_layout(n, &plan, l);
	memcpy(shadow->in, n->in, n->n_in * sizeof *n->in);
	int64_t evaluated = 0;
	const pim_nest *nest = pim_nest_choose(c->target, shadow, PIM_NEST_greedy, scratch, &evaluated);
	double cycles = (double)nest->cycles;
	pim_arena_free(scratch);
	return cycles;
}

static void fill_state(const candidates *c, int which, bool own, pim_state *s, pim_arena *a)
{
	s->layout = c->layout[which];
	s->kind = find_kind(c, &s->layout);
	s->own = own;
	s->seen = s->layout.sums <= 1;
	s->slices = pim_layout_slices(&s->layout);
	int64_t waves = count_waves(&s->layout, c->target);
	s->cycles = own ? (double)waves * find_nest_cycles(c, &s->layout) : c->cycles[which];
	if (c->axes && c->node->type->n_parts == 0) {
		int64_t extent[PIM_MAX_AXES], bytes[3];
		find_extents(c, &s->layout, extent);
		find_bytes(c, extent, bytes);
		s->weight_bytes = waves * bytes[0];
		s->staging_bytes = waves * bytes[1];
		s->home_bytes = waves * bytes[2];
	} else if (c->node->type->n_parts == 0) {
		int64_t boxes = s->slices / s->layout.copies;
		s->home_bytes = waves * ((pim_type_bytes(c->node->type) + boxes - 1) / boxes);
	}
	find_boxes(c, s, a);
}

static bool holds(const pim_states *r, const pim_layout *l)
{
	for (int i = 0; i < r->n; i++)
		if (pim_layout_equal(&r->state[i].layout, l))
			return true;
	return false;
}

/* Which candidate to keep next: the first few in order, then the fastest. */
static int find_next(const candidates *c, const bool *taken, int done, int first)
{
	int best = -1;
	for (int i = 0; i < c->n; i++) {
		if (taken[i])
			continue;
		if (done < first)
			return i;
		if (best < 0 || c->cycles[i] < c->cycles[best])
			best = i;
	}
	return best;
}

static void keep_candidates(
	pim_states *r, const candidates *c, bool own, int first, int room, pim_arena *a)
{
	bool taken[MAX_CANDIDATES] = {false};
	for (int done = 0; r->n < room; done++) {
		int i = find_next(c, taken, done, first);
		if (i < 0)
			return;
		taken[i] = true;
		if (!holds(r, &c->layout[i]) && (own || c->layout[i].sums <= 1))
			fill_state(c, i, own, &r->state[r->n++], a);
	}
}

static int64_t find_need(const pim_state *s)
{
	return s->weight_bytes + s->staging_bytes + s->home_bytes;
}

/* A state that no unit's memory can hold is never chosen, unless all are so; the smallest stays. */
static void drop_oversize(pim_states *r, const pim_target *t)
{
	int64_t own = INT64_MAX, seen = INT64_MAX;
	for (int i = 0; i < r->n; i++) {
		const pim_state *s = &r->state[i];
		if (s->own && find_need(s) < own)
			own = find_need(s);
		if (s->seen && s->home_bytes < seen)
			seen = s->home_bytes;
	}
	own = own > t->memory.bytes ? own : t->memory.bytes;
	seen = seen > t->memory.bytes ? seen : t->memory.bytes;
	for (int i = 0; i < r->n; i++) {
		r->state[i].own = r->state[i].own && find_need(&r->state[i]) <= own;
		r->state[i].seen = r->state[i].seen && r->state[i].home_bytes <= seen;
	}
}

pim_states *pim_states_new(const pim_node *n, const pim_target *t, const int32_t base[PIM_MAX_RANK],
	const int32_t hint[PIM_MAX_RANK], int64_t most, const pim_states *like, pim_arena *a)
{
	bool leaf = pim_op_at((pim_op)n->op)->flags & PIM_OPF_leaf;
	pim_axes *x = leaf || n->type->n_parts > 0 ? NULL : pim_axes_new(n, a);
	pim_states *r = PIM_NEW(a, pim_states, 1);
	r->type = n->type;
	candidates c;
	int64_t units = most > 0 ? most : t->units;
	start_candidates(&c, n, x, t, base, units);
	fill_candidates(&c, like, hint);
	if (c.n == 0) { /* the base cannot be had here */
		start_candidates(&c, n, x, t, NULL, units);
		fill_candidates(&c, like, hint);
	}
	bool bound = pim_layout_slices(&c.base) > 1;
	keep_candidates(r, &c, true, 8, bound ? PIM_MAX_STATES - 4 : PIM_MAX_STATES, a);
	if (bound) {
		start_candidates(&c, n, x, t, NULL, t->units);
		add_whole(&c);
		add_single_cuts(&c);
		keep_candidates(r, &c, false, PIM_MAX_STATES, PIM_MAX_STATES, a);
	}
	drop_oversize(r, t);
	return r;
}
