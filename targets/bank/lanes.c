/* SPDX-License-Identifier: Apache-2.0 */
/* lanes.c - running micro-programs: what each lane gathers, turns and scatters.
 *
 * Lane l of a wave works on one result and, in each round, on one point of what makes it; both are
 * numbers in the mixed radix of their axes. An operand's element follows from the op's axes; what
 * lies outside of the operand is padding, for which gather has a value. */
#include <stdlib.h>
#include <string.h>

#include "ir/array.h"
#include "targets/bank/bank.h"

struct pim_bank {
	const pim_target *target;
	pim_map *routines; /* by key */
	pim_arena *arena;
	uint64_t *rows; /* of the compute rows: scratch, then registers */
	uint64_t *turned;
	int64_t operations; /* row operations that ran */
};

/* A kernel while it runs. */
typedef struct run {
	pim_bank *bank;
	const pim_micro *m;
	const pim_bank_operand *operand; /* the result is the last */
	int64_t words;					 /* of a row */
	int64_t wave, round, lanes;		 /* lanes in use in this wave */
} run;

static void free_rows(void *p)
{
	free(((pim_bank_rows *)p)->op);
}

static void free_bits(void *p)
{
	free(p);
}

static uint64_t *new_bits(pim_arena *a, int64_t words)
{
	uint64_t *bits = pim_array_new(words, sizeof *bits);
	pim_arena_defer(a, free_bits, bits);
	return bits;
}

pim_bank *pim_bank_new(const pim_target *t, pim_arena *a)
{
	pim_bank *b = PIM_NEW(a, pim_bank, 1);
	int64_t words = t->bank.columns / 64;
	*b = (pim_bank){.target = t, .routines = pim_map_new(a), .arena = a};
	b->rows = new_bits(a, words * t->bank.compute_rows);
	b->turned = new_bits(a, 2 * words + 2);
	return b;
}

static const pim_bank_rows *find_routine(pim_bank *b, const pim_routine_key *key)
{
	pim_bank_rows *r = pim_map_get(b->routines, key, sizeof *key);
	if (r)
		return r;
	r = PIM_NEW(b->arena, pim_bank_rows, 1);
	if (!pim_routine_write(key, r))
		PIM_BUG("no routine %s", pim_routine_name(key->routine));
	pim_arena_defer(b->arena, free_rows, r);
	pim_map_put(b->routines, key, sizeof *key, r);
	return r;
}

static uint64_t *find_register(const run *r, int reg)
{
	return r->bank->rows + (r->m->scratch + r->m->first_row[reg]) * r->words;
}

/* ---- which element a lane works on ---- */

/* Sets the places of the axes that are (not) points from a number. */
static void set_places(const pim_micro *m, bool inner, int64_t number, int64_t *at)
{
	for (int a = m->axes->n_axes - 1; a >= 0; a--) {
		if (m->inner[a] != inner)
			continue;
		at[a] = number % m->extent[a];
		number /= m->extent[a];
	}
}

/* The next result in order. */
static void next_place(const pim_micro *m, int64_t *at)
{
	for (int a = m->axes->n_axes - 1; a >= 0; a--) {
		if (m->inner[a])
			continue;
		if (++at[a] < m->extent[a])
			return;
		at[a] = 0;
	}
}

/* The element of an operand, -1 for padding. */
static int64_t find_element(
	const pim_micro *m, int operand, const pim_type *t, const int64_t *at, const pim_step *s)
{
	int64_t element = 0;
	for (int d = 0; d < t->rank; d++) {
		const pim_index *index = &m->axes->map[operand][d];
		int64_t place = index->offset;
		for (int k = 0; k < index->n; k++)
			place += index->term[k].coef * at[index->term[k].axis];
		if (d == s->dim)
			place += s->offset;
		if (place < 0 || place >= t->dims[d])
			return -1;
		element = element * t->dims[d] + place;
	}
	return element;
}

typedef void visit_lane(run *r, const pim_step *s, int64_t lane, const int64_t *at, void *value);

/* Calls f for each lane with its places; at NULL: the lane has no point in this round. */
static void each_lane(run *r, const pim_step *s, visit_lane *f, void *value)
{
	const pim_micro *m = r->m;
	int64_t at[PIM_MAX_AXES] = {0}, lane = 0;
	for (int64_t g = 0; g < m->groups; g++) {
		int64_t point = r->round * m->groups + g, first = r->wave * r->bank->target->bank.columns;
		set_places(m, true, m->backwards ? m->points - 1 - point : point, at);
		set_places(m, false, first, at);
		for (int64_t i = 0; i < r->lanes / m->groups; i++, lane++) {
			f(r, s, lane, point < m->points ? at : NULL, value);
			next_place(m, at);
		}
	}
}

static void gather_lane(run *r, const pim_step *s, int64_t lane, const int64_t *at, void *value)
{
	uint64_t *v = (uint64_t *)value + lane;
	const pim_bank_operand *o = &r->operand[s->operand];
	int64_t element = at ? find_element(r->m, s->operand, o->type, at, s) : -1;
	size_t size = pim_dtype_bytes(o->type->dtype);
	*v = s->value;
	if (element < 0)
		return;
	*v = 0;
	memcpy(v, (const uint8_t *)o->data + (size_t)element * size, size);
}

static void scatter_lane(run *r, const pim_step *s, int64_t lane, const int64_t *at, void *value)
{
	const pim_bank_operand *o = &r->operand[r->m->op->n_in];
	if (!at || (!r->m->couples && lane >= r->lanes / r->m->groups))
		return;
	size_t size = pim_dtype_bytes(o->type->dtype);
	int64_t element = find_element(r->m, r->m->axes->n_inputs, o->type, at, s);
	memcpy((uint8_t *)o->data + (size_t)element * size, (uint64_t *)value + lane, size);
}

/* ---- values that the address generator knows ---- */

static int64_t count_window(run *r, const int64_t *at)
{
	const pim_micro *m = r->m;
	const pim_type *t = r->operand[0].type;
	const int64_t *counted;
	int n = pim_node_ints(m->op, "counted_pads", &counted) / 2;
	int64_t place[PIM_MAX_AXES], count = 0;
	memcpy(place, at, sizeof place);
	for (int64_t point = 0; point < m->points; point++) {
		bool inside = true;
		set_places(m, true, point, place);
		for (int d = 0; d < t->rank; d++) {
			const pim_index *index = &m->axes->map[0][d];
			int64_t p = index->offset;
			for (int k = 0; k < index->n; k++)
				p += index->term[k].coef * place[index->term[k].axis];
			int64_t lo = n && d >= 2 ? counted[d - 2] : 0,
					hi = n && d >= 2 ? counted[n + d - 2] : 0;
			inside = inside && p >= -lo && p < t->dims[d] + hi;
		}
		count += inside;
	}
	return count ? count : 1; /* of nothing the mean is zero */
}

static void know_lane(run *r, const pim_step *s, int64_t lane, const int64_t *at, void *value)
{
	uint64_t *v = (uint64_t *)value + lane;
	double known = s->value == PIM_KNOWN_point	? (double)r->round
				   : s->value == PIM_KNOWN_here ? at != NULL
				   : at							? (double)count_window(r, at)
												: 1;
	*v = pim_format_encode(s->key.to, known);
}

/* ---- steps ---- */

static void write_register(run *r, int reg, const uint64_t *value)
{
	uint64_t *rows = find_register(r, reg);
	for (int64_t w = 0; w < r->words; w++)
		pim_lanes_write(rows + w, r->words, r->m->format[reg].bits, value + 64 * w);
}

static void move_lanes(run *r, const pim_step *s)
{
	uint64_t *value = pim_array_new(64 * r->words, sizeof *value);
	if (s->code == PIM_STEP_scatter) {
		const uint64_t *rows = find_register(r, s->a);
		for (int64_t w = 0; w < r->words; w++)
			pim_lanes_read(rows + w, r->words, r->m->format[s->a].bits, value + 64 * w);
		each_lane(r, s, scatter_lane, value);
	} else {
		each_lane(r, s, s->code == PIM_STEP_known ? know_lane : gather_lane, value);
		write_register(r, s->to, value);
	}
	free(value);
}

static void set_lanes(run *r, const pim_step *s)
{
	r->bank->operations += s->key.to.bits;
	uint64_t *rows = find_register(r, s->to);
	for (int b = 0; b < s->key.to.bits; b++)
		memset(rows + b * r->words, s->value >> b & 1 ? 0xff : 0, (size_t)r->words * 8);
}

/* One row, `by` lanes on, the first lanes behind the last. */
static void turn_row(run *r, uint64_t *to, const uint64_t *from, int64_t by)
{
	uint64_t *twice = r->bank->turned;
	int64_t words = r->words, at = r->lanes / 64, shift = r->lanes % 64;
	memset(twice, 0, (size_t)(2 * words + 2) * 8);
	memcpy(twice, from, (size_t)words * 8);
	if (shift)
		twice[at] &= ((uint64_t)1 << shift) - 1;
	for (int64_t w = 0; w < words; w++) {
		twice[at + w] |= from[w] << shift;
		if (shift)
			twice[at + w + 1] |= from[w] >> (64 - shift);
	}
	for (int64_t w = 0; w < words; w++) {
		int64_t first = by / 64 + w, bits = by % 64;
		to[w] = twice[first] >> bits;
		if (bits)
			to[w] |= twice[first + 1] << (64 - bits);
	}
}

static void turn_lanes(run *r, const pim_step *s)
{
	uint64_t *to = find_register(r, s->to);
	const uint64_t *from = find_register(r, s->a);
	for (int b = 0; b < s->key.to.bits; b++)
		turn_row(r, to + b * r->words, from + b * r->words, (int64_t)s->value);
}

static void call_routine(run *r, const pim_step *s)
{
	uint64_t *base[PIM_AREAS] = {
		[PIM_AREA_scratch] = r->bank->rows,
		[PIM_AREA_to] = find_register(r, s->to),
		[PIM_AREA_a] = find_register(r, s->a),
		[PIM_AREA_b] = find_register(r, s->b),
		[PIM_AREA_c] = find_register(r, s->c),
	};
	const pim_bank_rows *rows = find_routine(r->bank, &s->key);
	r->bank->operations += rows->n;
	pim_routine_run(rows, base, r->words);
}

static void run_step(run *r, const pim_step *s)
{
	switch ((pim_step_code)s->code) {
	case PIM_STEP_gather:
	case PIM_STEP_scatter:
	case PIM_STEP_known:
		move_lanes(r, s);
		break;
	case PIM_STEP_set:
		set_lanes(r, s);
		break;
	case PIM_STEP_turn:
		turn_lanes(r, s);
		break;
	case PIM_STEP_call:
		call_routine(r, s);
		break;
	default:
		break;
	}
}

/* The steps up to the end of the rounds, all rounds; gives the step behind. */
static int run_rounds(run *r, int first)
{
	int at = first;
	for (r->round = 0; r->round < r->m->rounds; r->round++)
		for (at = first; r->m->step[at].code != PIM_STEP_end; at++)
			run_step(r, &r->m->step[at]);
	r->round = 0;
	return at + 1;
}

int64_t pim_bank_operations(const pim_bank *b)
{
	return b->operations;
}

void pim_bank_run(pim_bank *b, const pim_micro *m, const pim_bank_operand *operand)
{
	int64_t columns = b->target->bank.columns;
	run r = {.bank = b, .m = m, .operand = operand};
	for (; r.wave < m->waves; r.wave++) {
		int64_t left = m->results * m->groups - r.wave * columns;
		r.lanes = left < columns ? left : columns;
		r.words = (r.lanes + 63) / 64;
		pim_rows_start(b->rows, r.words);
		for (int i = 0; i < m->n;) {
			if (m->step[i].code == PIM_STEP_repeat)
				i = run_rounds(&r, i + 1);
			else
				run_step(&r, &m->step[i++]);
		}
	}
}
