/* SPDX-License-Identifier: Apache-2.0 */
/* mapper_reads.c - which steps of a producer each step of a reader waits for, over all places.
 *
 * The box of the producer's value that a data space reads is a product of ranges; range d moves
 * with some axes of the reader only (by_dim), followed back through followers and moves. Dimensions
 * that move with common axes are looked at together, the others apart: per such part one table over
 * the positions of its temporal digits, each entry the largest over the positions of its spatial
 * digits. The ready step is 1 + R0 + the sum of the entries. That is exact over all places: parts
 * share no digit, so the place that is latest in one part can be latest in all; and as completion
 * times only rise with steps, waiting for the largest ready step of all places is what the last
 * place to complete the step waits for (max and + commute), so `done` is that of places which run
 * on their own, too. A part of more than MOST_POSITIONS positions waits for all of its ranges.
 * Cost: sum over parts of their positions, and the reader's steps. */
#include "passes/mapper.h"

#include <string.h>

enum { MOST_POSITIONS = 1 << 15 };

/* Dimensions of the value that move together, and the digits of the reader they move with. */
typedef struct part {
	uint32_t axes, dims;
	int n;
	int digit[2 * PIM_MAX_AXES];	/* outer to inner */
	int64_t coef[2 * PIM_MAX_AXES]; /* temporal: of the position; spatial: of the place */
	int64_t times, places;
	int32_t *table; /* by temporal position; -1: nothing is needed */
} part;

typedef struct reading {
	const pim_mapper_group *g, *from;
	const pim_mapper_edge *e;
	const pim_spaces *reader, *producer;
} reading;

static uint32_t digit_axes(const pim_spaces *s)
{
	uint32_t set = 0;
	for (int i = 0; i < s->n; i++)
		if (s->digit[i].count > 1)
			set |= 1u << s->digit[i].axis;
	return set;
}

/* Joins dimensions that share axes with digits. Returns how many parts there are. */
static int find_parts(const reading *r, part *p)
{
	uint32_t moving = digit_axes(r->reader);
	int n = 0, rank = r->from->leader->type->rank;
	for (int d = 0; d < rank; d++) {
		part now = {.axes = r->e->by_dim[d] & moving, .dims = 1u << d};
		int kept = 0;
		for (int k = 0; k < n; k++)
			if (p[k].axes & now.axes) {
				now.axes |= p[k].axes;
				now.dims |= p[k].dims;
			} else {
				p[kept++] = p[k];
			}
		n = kept;
		p[n++] = now;
	}
	return n;
}

/* False when there are too many positions. */
static bool number_positions(const pim_spaces *s, part *p)
{
	p->times = p->places = 1;
	for (int i = 0; i < s->n; i++)
		p->n += s->digit[i].count > 1 && p->axes >> s->digit[i].axis & 1;
	for (int i = s->n - 1, k = p->n; i >= 0; i--) {
		if (s->digit[i].count == 1 || !(p->axes >> s->digit[i].axis & 1))
			continue;
		int64_t *all = s->digit[i].spatial ? &p->places : &p->times;
		p->digit[--k] = i;
		p->coef[k] = *all;
		*all *= s->digit[i].count;
		if (p->times * p->places > MOST_POSITIONS)
			return false;
	}
	return true;
}

/* A part of too many positions has one, which reads all. */
static void limit_positions(const pim_spaces *s, part *p)
{
	if (number_positions(s, p))
		return;
	p->n = 0;
	p->times = p->places = 1;
}

/* The reader's axes at a position; axes without digits there in full. False when empty. */
static bool box_at(const pim_spaces *s, const part *p, int64_t time, int64_t place, pim_box *axes)
{
	int64_t value[2 * PIM_MAX_AXES];
	for (int k = 0; k < p->n; k++) {
		const pim_digit *d = &s->digit[p->digit[k]];
		value[k] = (d->spatial ? place : time) / p->coef[k] % d->count;
	}
	return pim_spaces_part(s, p->n, p->digit, value, axes);
}

static const pim_axes *axes_of_reader(const pim_mapper_group *g, const pim_node *reader)
{
	for (int i = 0; i < g->n_followers; i++)
		if (g->follower[i] == reader)
			return g->follower_axes[i];
	return g->axes;
}

bool pim_mapper_trace(
	const pim_mapper_group *g, const pim_mapper_edge *e, const pim_box *axes, pim_box *box)
{
	pim_box at;
	if (e->reader == g->leader) {
		pim_axes_demand(g->axes, e->reader, e->input, axes, box, NULL, NULL);
	} else {
		const pim_axes *x = axes_of_reader(g, e->reader);
		pim_axes_result(g->axes, e->reader->type->rank, axes, box);
		pim_axes_cover(x, box, &at);
		pim_axes_demand(x, e->reader, e->input, &at, box, NULL, NULL);
	}
	for (int k = 0; k < e->n_way && !pim_box_empty(box); k++) {
		pim_axes_cover(e->way_axes[k], box, &at);
		pim_axes_demand(e->way_axes[k], e->way[k], e->way_input[k], &at, box, NULL, NULL);
	}
	return !pim_box_empty(box);
}

/* What indices lo..hi of dimension d of the producer's value add to the ready step. */
static int64_t ready_part(const reading *r, int d, int64_t lo, int64_t hi)
{
	const pim_axes *y = r->from->axes;
	const pim_index *index = &y->map[y->n_inputs][d];
	if (index->n == 1 && index->term[0].coef == 1 && index->offset == 0)
		return pim_spaces_axis_ready(r->producer, index->term[0].axis, lo, hi);
	pim_box box = pim_box_of(r->from->leader->type), axes;
	box.lo[d] = lo;
	box.hi[d] = hi;
	pim_axes_cover(y, &box, &axes);
	int64_t sum = 0;
	for (int t = 0; t < index->n; t++) {
		int axis = index->term[t].axis;
		sum += pim_spaces_axis_ready(r->producer, axis, axes.lo[axis], axes.hi[axis]);
	}
	return sum;
}

/* The latest ready step that was asked for, by dimension: neighbours often ask the same. */
typedef struct answer {
	int64_t lo, hi, ready;
} answer;

static int64_t ready_of_part(const reading *r, const part *p, const pim_box *box, answer *known)
{
	int64_t sum = 0;
	for (int d = 0; d < r->from->leader->type->rank; d++) {
		if (!(p->dims >> d & 1))
			continue;
		if (known[d].lo != box->lo[d] || known[d].hi != box->hi[d])
			known[d] = (answer){box->lo[d], box->hi[d], ready_part(r, d, box->lo[d], box->hi[d])};
		sum += known[d].ready;
	}
	return sum;
}

static void fill_table(const reading *r, part *p, pim_arena *scratch)
{
	answer known[PIM_MAX_RANK] = {{0}};
	p->table = PIM_NEW(scratch, int32_t, p->times);
	for (int64_t time = 0; time < p->times; time++) {
		int64_t most = -1;
		for (int64_t place = 0; place < p->places; place++) {
			pim_box axes, box;
			if (!box_at(r->reader, p, time, place, &axes) ||
				!pim_mapper_trace(r->g, r->e, &axes, &box))
				continue;
			int64_t ready = ready_of_part(r, p, &box, known);
			most = ready > most ? ready : most;
		}
		p->table[time] = (int32_t)most;
	}
}

/* Adds a part's entries to the ready steps; -1 stays. */
static void add_part(const pim_spaces *s, const part *p, int64_t steps, int32_t *ready)
{
	int64_t value[2 * PIM_MAX_AXES] = {0}, at = 0;
	int64_t coef[2 * PIM_MAX_AXES] = {0};
	for (int k = 0; k < p->n; k++)
		if (!s->digit[p->digit[k]].spatial)
			coef[p->digit[k]] = p->coef[k];
	for (int64_t j = 0; j < steps; j++) {
		ready[j] = ready[j] < 0 || p->table[at] < 0 ? -1 : ready[j] + p->table[at];
		for (int i = s->n - 1; i >= 0; i--) {
			if (s->digit[i].spatial)
				continue;
			at += coef[i];
			if (++value[i] < s->digit[i].count)
				break;
			at -= coef[i] * value[i];
			value[i] = 0;
		}
	}
}

/* ---- ranges of every position, for turns ---- */

static void number_digits(const pim_spaces *s, uint32_t axes, pim_mapper_part *p)
{
	p->positions = 1;
	for (int i = 0; i < s->n; i++)
		if (s->digit[i].count > 1 && axes >> s->digit[i].axis & 1)
			p->digit[p->n++] = i;
	for (int k = p->n - 1; k >= 0; k--) {
		p->coef[k] = p->positions;
		p->positions *= s->digit[p->digit[k]].count;
		if (p->positions > MOST_POSITIONS) {
			p->n = 0;
			p->positions = 1;
			return;
		}
	}
}

static void fill_part(const reading *r, pim_mapper_part *p, pim_arena *a)
{
	for (int d = 0; d < p->n_dims; d++) {
		p->lo[d] = PIM_NEW(a, int32_t, p->positions);
		p->hi[d] = PIM_NEW(a, int32_t, p->positions);
	}
	for (int64_t at = 0; at < p->positions; at++) {
		int64_t value[2 * PIM_MAX_AXES];
		pim_box axes, box;
		for (int k = 0; k < p->n; k++)
			value[k] = at / p->coef[k] % r->reader->digit[p->digit[k]].count;
		if (!pim_spaces_part(r->reader, p->n, p->digit, value, &axes) ||
			!pim_mapper_trace(r->g, r->e, &axes, &box))
			continue;
		for (int d = 0; d < p->n_dims; d++) {
			p->lo[d][at] = (int32_t)box.lo[p->dim[d]];
			p->hi[d][at] = (int32_t)box.hi[p->dim[d]];
		}
	}
}

const pim_mapper_demand *pim_mapper_demand_of(const pim_mapper_group *g, const pim_mapper_edge *e,
	const pim_mapper_group *from, const pim_mapper_choice *c, pim_arena *a)
{
	reading r = {.g = g, .from = from, .e = e, .reader = c->spaces};
	if (e->whole || !c->regular)
		return NULL;
	pim_mapper_demand *demand = PIM_NEW(a, pim_mapper_demand, 1);
	part parts[PIM_MAX_RANK];
	demand->n = find_parts(&r, parts);
	for (int k = 0; k < demand->n; k++) {
		pim_mapper_part *p = &demand->part[k];
		for (int d = 0; d < PIM_MAX_RANK; d++)
			if (parts[k].dims >> d & 1)
				p->dim[p->n_dims++] = d;
		number_digits(r.reader, parts[k].axes, p);
		fill_part(&r, p, a);
	}
	return demand;
}

void pim_mapper_ready(const pim_mapper *m, const pim_mapper_group *g, const pim_mapper_edge *e,
	const pim_mapper_choice *c, const pim_mapper_group *from, const pim_mapper_choice *p,
	int32_t *ready)
{
	(void)m;
	reading r = {.g = g, .from = from, .e = e, .reader = c->spaces, .producer = p->spaces};
	for (int64_t j = 0; j < c->steps; j++)
		ready[j] = (int32_t)(e->whole ? p->steps : 1 + p->spaces->last);
	if (e->whole)
		return;
	pim_arena *scratch = pim_arena_new();
	part parts[PIM_MAX_RANK];
	int n = find_parts(&r, parts);
	for (int k = 0; k < n; k++) {
		limit_positions(r.reader, &parts[k]);
		fill_table(&r, &parts[k], scratch);
		add_part(r.reader, &parts[k], c->steps, ready);
	}
	for (int64_t j = 0; j < c->steps; j++)
		ready[j] = ready[j] < 0 ? 0 : ready[j];
	pim_arena_free(scratch);
}

/* ---- lanes ---- */

/* The piece of the value in which a box ends, along the dimensions of a part. */
static int32_t last_piece(const pim_node *value, const part *p, const pim_box *box)
{
	const pim_layout *l = value->plan->layout;
	pim_pieces at = pim_pieces_of(value, box, 0);
	int32_t piece = 0;
	for (int d = 0; d < l->rank; d++)
		piece = piece * l->parts[d] + (p->dims >> d & 1 ? (int32_t)at.last[d] : 0);
	return piece;
}

/* Of a place in the middle, which stands for all. */
static void fill_pieces(const reading *r, const pim_node *value, part *p, pim_arena *scratch)
{
	p->table = PIM_NEW(scratch, int32_t, p->times);
	for (int64_t time = 0; time < p->times; time++) {
		pim_box axes, box;
		bool any = box_at(r->reader, p, time, p->places / 2, &axes) &&
				   pim_mapper_trace(r->g, r->e, &axes, &box);
		p->table[time] = any ? last_piece(value, p, &box) : -1;
	}
}

/* Pieces become lanes in the order in which they come. */
static void number_lanes(pim_mapper_lanes *l, int64_t steps, int64_t pieces, pim_arena *scratch)
{
	int32_t *number = PIM_NEW(scratch, int32_t, pieces);
	for (int64_t j = 0; j < steps; j++) {
		int32_t piece = l->of_step[j];
		if (piece < 0)
			continue;
		if (!number[piece]) {
			l->steps[l->n] = 0;
			number[piece] = ++l->n;
		}
		l->of_step[j] = number[piece] - 1;
		l->steps[l->of_step[j]]++;
	}
	if (l->n == 1)
		l->n = 0;
}

void pim_mapper_find_lanes(const pim_mapper *m, const pim_mapper_group *g, const pim_mapper_edge *e,
	const pim_mapper_choice *c, const pim_mapper_group *from, const pim_mapper_choice *p,
	pim_mapper_lanes *l)
{
	reading r = {.g = g, .from = from, .e = e, .reader = c->spaces};
	l->n = 0;
	if (e->whole || e->n_way || c->steps == 1)
		return;
	pim_arena *scratch = pim_arena_new();
	const pim_node *made = e->reader->in[e->input];
	pim_layout held = pim_mapper_layout_of(m, from->leader, &p->layout, made);
	const pim_node *value = pim_mapper_shadow(made, &held, NULL, scratch);
	part parts[PIM_MAX_RANK];
	int n = find_parts(&r, parts);
	memset(l->of_step, 0, sizeof *l->of_step * (size_t)c->steps);
	for (int k = 0; k < n; k++) {
		limit_positions(r.reader, &parts[k]);
		fill_pieces(&r, value, &parts[k], scratch);
		add_part(r.reader, &parts[k], c->steps, l->of_step);
	}
	number_lanes(l, c->steps, pim_layout_slices(&held), scratch);
	pim_arena_free(scratch);
}

/* ---- moves ---- */

/* A value on the way, in a layout, and what it took to have it so. */
typedef struct stage {
	const pim_node *value;
	pim_mapper_move sum;
} stage;

static stage read_stage(const pim_mapper *m, pim_node *reader, int input, stage s, pim_crews crews,
	double times, pim_arena *a)
{
	reader->in[input] = (pim_node *)s.value;
	pim_estimate e = pim_input_estimate(m->target, reader, input, crews, a);
	s.sum.cycles += (double)(e.incoming + e.compute) * times;
	s.sum.bytes += e.bytes;
	s.value = reader;
	return s;
}

/* Op k of the way, on the producer's units, cut as `like` is; what an edge before has on its way,
 * too, is counted there. */
static stage follow_way(const pim_mapper *m, const pim_mapper_edge *e, int k, stage s,
	const pim_node *like, const pim_layout *cut, pim_arena *a)
{
	pim_layout l = pim_mapper_layout_of(m, like, cut, e->way[k]);
	pim_node *next = pim_mapper_shadow(e->way[k], &l, NULL, a);
	int units = next->plan->n_units = s.value->plan->n_units;
	int64_t waves = pim_divide_up(pim_layout_slices(&l), units);
	if (k >= e->shared - 1)
		return read_stage(m, next, e->way_input[k], s, PIM_CREWS_same, (double)waves, a);
	s.value = next;
	return s;
}

static stage cheaper(stage a, stage b)
{
	return b.sum.cycles < a.sum.cycles ? b : a;
}

static stage read_way(const pim_mapper *m, const pim_mapper_edge *e, const pim_mapper_choice *c,
	stage s, pim_crews crews, pim_arena *a)
{
	pim_node *reader = pim_mapper_shadow(e->reader, &c->layout, NULL, a);
	reader->plan->n_units = c->units;
	return e->shared ? s : read_stage(m, reader, e->input, s, crews, 1, a);
}

/* What moves on the way is cut as the producer is up to some op, and from there as the reader. */
pim_mapper_move pim_mapper_move_of(const pim_mapper *m, const pim_mapper_edge *e,
	const pim_mapper_choice *c, const pim_mapper_group *from, const pim_mapper_choice *p)
{
	if (e->whole)
		return (pim_mapper_move){0};
	pim_arena *a = pim_arena_new();
	const pim_node *made = pim_mapper_made(e);
	bool all = !c->turn && !p->turn && p->units == m->units && c->units == m->units;
	pim_crews crews = all ? PIM_CREWS_same : PIM_CREWS_apart;
	pim_layout held = pim_mapper_layout_of(m, from->leader, &p->layout, made);
	pim_node *value = pim_mapper_shadow(made, &held, NULL, a);
	value->plan->n_units = p->units;
	stage as_made = {.value = value}, as_read = as_made;
	for (int k = e->n_way - 1; k >= 0; k--) {
		as_read = cheaper(follow_way(m, e, k, as_made, e->reader, &c->layout, a),
			follow_way(m, e, k, as_read, e->reader, &c->layout, a));
		as_made = follow_way(m, e, k, as_made, from->leader, &p->layout, a);
	}
	stage best = read_way(m, e, c, as_made, crews, a);
	if (e->n_way > 0)
		best = cheaper(best, read_way(m, e, c, as_read, crews, a));
	pim_arena_free(a);
	return best.sum;
}

pim_mapper_move pim_mapper_fetch_of(
	const pim_mapper *m, const pim_mapper_group *g, const pim_layout *l, int units)
{
	pim_mapper_move sum = {0};
	pim_arena *scratch = pim_arena_new();
	for (int f = -1; f < g->n_followers; f++) {
		const pim_node *n = f < 0 ? g->leader : g->follower[f];
		pim_layout own = pim_mapper_layout_of(m, g->leader, l, n);
		pim_node *reader = pim_mapper_shadow(n, &own, NULL, scratch);
		reader->plan->n_units = units;
		for (uint32_t k = 0; k < n->n_in; k++) {
			if (!n->in[k] || n->in[k]->op != PIM_OP_input)
				continue;
			pim_layout held = pim_mapper_layout_of(m, g->leader, l, n->in[k]);
			int64_t slices = pim_layout_slices(&held);
			reader->in[k] = pim_mapper_shadow(n->in[k], &held, NULL, scratch);
			reader->in[k]->plan->n_units = (int)(slices < m->units ? slices : m->units);
			pim_estimate s = pim_input_estimate(m->target, reader, (int)k, PIM_CREWS_same, scratch);
			sum.cycles += (double)(s.incoming + s.compute);
			sum.bytes += s.bytes;
		}
	}
	pim_arena_free(scratch);
	return sum;
}
