/* SPDX-License-Identifier: Apache-2.0 */
/* clause_search - decisions by activity, restarts, forgetting of clauses.
 *
 * Idea:   a literal x >= v that stands in a learned clause is an atom with an activity, raised
 *         when it takes part in a contradiction. The most active undecided atom is decided next,
 *         the way the preferred solution has it. With no atom left, the choice variable with the
 *         least lower bound gets that value. Restarts follow Luby's sequence; at a restart, when
 *         there are too many, the less active half of the long learned clauses goes.
 * Source: Moskewicz et al. 2001 (activities); Luby, Sinclair, Zuckerman 1993 (restarts);
 *         Schutt, Feydy, Stuckey, Wallace 2011 (activities on start times). */
#include "passes/clause_state.h"

#include <stdlib.h>
#include <string.h>

#include "ir/array.h"
#include "ir/heap.h"
#include "ir/ir.h"

/* ---- the heap of atoms ---- */

static inline bool is_busier(const pim_clause_solver *s, int32_t a, int32_t b)
{
	return s->atom[a].activity > s->atom[b].activity;
}

static inline void place_atom(pim_clause_solver *s, int32_t *heap, int64_t place, int32_t atom)
{
	heap[place] = atom;
	s->atom[atom].place = (int32_t)place;
}

PIM_HEAP(atom, pim_clause_solver *, int32_t, is_busier, place_atom)

static void push_atom(pim_clause_solver *s, int32_t atom)
{
	atom_lift(s, s->heap, s->n_heap++, atom);
}

static int32_t pop_atom(pim_clause_solver *s)
{
	int32_t atom = atom_pop(s, s->heap, s->n_heap--);
	s->atom[atom].place = -1;
	return atom;
}

/* ---- atoms by variable and value ---- */

static uint32_t hash_atom(int32_t var, int32_t at)
{
	uint64_t h = ((uint64_t)(uint32_t)var << 32 | (uint32_t)at) * 0x9E3779B97F4A7C15u;
	return (uint32_t)(h >> 32);
}

static void rehash_atoms(pim_clause_solver *s)
{
	s->n_buckets = s->n_buckets ? 2 * s->n_buckets : 1024;
	s->bucket = pim_array_resize(s->bucket, s->n_buckets, sizeof *s->bucket);
	memset(s->bucket, 0xFF, (size_t)s->n_buckets * sizeof *s->bucket);
	for (int a = 0; a < s->n_atoms; a++) {
		uint32_t b = hash_atom(s->atom[a].var, s->atom[a].at) & (uint32_t)(s->n_buckets - 1);
		s->atom[a].chained = s->bucket[b];
		s->bucket[b] = a;
	}
}

static int32_t find_atom(pim_clause_solver *s, int32_t var, int32_t at, bool make)
{
	if (s->n_atoms >= s->n_buckets)
		rehash_atoms(s);
	uint32_t b = hash_atom(var, at) & (uint32_t)(s->n_buckets - 1);
	for (int32_t a = s->bucket[b]; a >= 0; a = s->atom[a].chained)
		if (s->atom[a].var == var && s->atom[a].at == at)
			return a;
	if (!make)
		return -1;
	int64_t room = s->room_atoms;
	s->atom = pim_array_grow(s->atom, s->n_atoms, &room, sizeof *s->atom);
	s->heap = pim_array_grow(s->heap, s->n_atoms, &s->room_atoms, sizeof *s->heap);
	s->atom[s->n_atoms] = (pim_clause_atom){var, at, -1, s->bucket[b], 0};
	s->bucket[b] = s->n_atoms++;
	push_atom(s, s->n_atoms - 1);
	return s->n_atoms - 1;
}

static void calm_atoms(pim_clause_solver *s)
{
	for (int a = 0; a < s->n_atoms; a++)
		s->atom[a].activity *= 1e-100;
	s->bump *= 1e-100;
}

void pim_clause_bump_literal(pim_clause_solver *s, pim_clause_literal l, bool make)
{
	if (l.bound & 1)
		l = pim_clause_not(l);
	if (s->switches_only && !s->is_switch[l.bound / 2])
		return;
	int32_t a = find_atom(s, l.bound / 2, l.at, make);
	if (a < 0)
		return;
	s->atom[a].activity += s->bump;
	if (s->atom[a].place >= 0)
		atom_lift(s, s->heap, s->atom[a].place, a);
	if (s->atom[a].activity > 1e100)
		calm_atoms(s);
}

/* Atoms taken out since then come back. */
void pim_clause_restore_atoms(pim_clause_solver *s, int n)
{
	while (s->popped.n > n) {
		int32_t a = s->popped.at[--s->popped.n];
		if (s->atom[a].place < 0)
			push_atom(s, a);
	}
}

/* ---- decisions ---- */

static pim_clause_literal lean(
	const pim_clause_solver *s, const pim_clause_plan *p, int32_t var, int32_t at)
{
	pim_clause_literal yes = {2 * var, at};
	int32_t like = p->prefer ? p->prefer[var] : s->phase[var];
	return like >= at ? yes : pim_clause_not(yes);
}

static bool choose_active(pim_clause_solver *s, const pim_clause_plan *p, pim_clause_literal *l)
{
	while (s->n_heap) {
		int32_t a = pop_atom(s);
		pim_clause_list_add(&s->popped, a);
		pim_clause_literal yes = {2 * s->atom[a].var, s->atom[a].at};
		if (pim_clause_holds(s, yes) || pim_clause_fails(s, yes))
			continue;
		*l = lean(s, p, s->atom[a].var, s->atom[a].at);
		return true;
	}
	return false;
}

static bool choose_first(pim_clause_solver *s, const pim_clause_plan *p, pim_clause_literal *l)
{
	int best = -1;
	for (int i = 0; i < p->n_choices; i++) {
		int x = p->choice[i];
		if (pim_clause_low(s, x) == pim_clause_high(s, x))
			continue;
		if (best < 0 || pim_clause_low(s, x) < pim_clause_low(s, best) ||
			(pim_clause_low(s, x) == pim_clause_low(s, best) &&
				pim_clause_high(s, x) < pim_clause_high(s, best)))
			best = x;
	}
	for (int x = 0; best < 0 && x < s->n_bounds / 2; x++)
		if (pim_clause_low(s, x) < pim_clause_high(s, x))
			best = x;
	if (best < 0)
		return false;
	*l = (pim_clause_literal){2 * best + 1, -pim_clause_low(s, best)};
	return true;
}

/* ---- forgetting ---- */

typedef struct rank {
	int32_t clause;
	float activity;
} rank;

static int compare_rank(const void *a, const void *b)
{
	const rank *x = a, *y = b;
	if (x->activity != y->activity)
		return x->activity < y->activity ? -1 : 1;
	return x->clause - y->clause;
}

/* Moves clauses that stay to the front; at level 0. */
static void pack_clauses(pim_clause_solver *s, const bool *gone)
{
	int kept = 0, store = 0;
	for (int c = 0; c < s->n_clauses; c++) {
		s->n_learned -= gone[c] && s->clause[c].learned;
		if (gone[c])
			continue;
		memmove(s->store + store, s->store + s->clause_from[c],
			(size_t)s->clause[c].n * sizeof *s->store);
		s->clause[kept] = s->clause[c];
		s->clause_from[kept++] = store;
		store += s->clause[c].n;
	}
	s->n_clauses = kept;
	s->n_store = store;
	pim_clause_rewatch(s);
}

/* A clause that holds for good goes. Of the others the first two literals are free at level 0. */
static bool holds_for_good(const pim_clause_solver *s, int c)
{
	const pim_clause_literal *l = s->store + s->clause_from[c];
	for (int i = 0; i < s->clause[c].n; i++)
		if (pim_clause_holds(s, l[i]))
			return true;
	return false;
}

static void forget_clauses(pim_clause_solver *s)
{
	bool *gone = pim_array_new(s->n_clauses, sizeof *gone);
	rank *r = pim_array_raw(s->n_clauses, sizeof *r);
	int n = 0;
	for (int c = 0; c < s->n_clauses; c++) {
		gone[c] = holds_for_good(s, c);
		if (!gone[c] && s->clause[c].learned && s->clause[c].lbd > 2)
			r[n++] = (rank){c, s->clause[c].activity};
	}
	qsort(r, (size_t)n, sizeof *r, compare_rank);
	for (int i = 0; i < n / 2; i++)
		gone[r[i].clause] = true;
	pack_clauses(s, gone);
	free(gone);
	free(r);
	s->most_learned += s->most_learned / 20;
}

/* ---- search ---- */

static int64_t luby(int64_t i)
{
	int64_t size = 1, power = 1;
	for (; size < i + 1; power *= 2)
		size = 2 * size + 1;
	while (size - 1 != i) {
		size = (size - 1) / 2;
		power /= 2;
		i %= size;
	}
	return power;
}

static bool learn_clause(pim_clause_solver *s)
{
	s->conflicts++;
	if (s->level == 0 || !pim_clause_analyze(s))
		return false;
	pim_clause_backtrack(s, s->learned_level);
	pim_clause_literal first = s->learned[0];
	pim_clause_reason why = {PIM_CAUSE_decision, 0, 0};
	if (s->n_learned_literals > 1)
		why = (pim_clause_reason){PIM_CAUSE_clause,
			pim_clause_store(s, s->n_learned_literals, s->learned, true, s->learned_lbd), 0};
	s->bump /= 0.95;
	s->clause_bump /= 0.999f;
	return pim_clause_set(s, first.bound, first.at, why);
}

/* The next decision: the assumption first. */
static pim_clause_result decide_next(pim_clause_solver *s, const pim_clause_plan *p)
{
	pim_clause_literal l = p->assumption;
	if (s->level == 0 && l.bound >= 0) {
		if (pim_clause_fails(s, l))
			return PIM_CLAUSE_assumed;
		pim_clause_decide(s, l);
		return PIM_CLAUSE_limit;
	}
	if (!choose_active(s, p, &l) && !choose_first(s, p, &l))
		return PIM_CLAUSE_solution;
	pim_clause_decide(s, l);
	return PIM_CLAUSE_limit;
}

static bool begin_restart(pim_clause_solver *s)
{
	pim_clause_backtrack(s, 0);
	if (!pim_clause_propagate_all(s))
		return false;
	if (s->n_learned > s->most_learned)
		forget_clauses(s);
	return true;
}

/* Until the next restart; PIM_CLAUSE_limit means that it is due, or that time is up. */
static pim_clause_result search_branch(pim_clause_solver *s, const pim_clause_plan *p, int64_t most)
{
	for (int64_t stop = s->conflicts + most, steps = 0;; steps++) {
		if (!pim_clause_propagate_all(s)) {
			if (!learn_clause(s))
				return PIM_CLAUSE_refuted;
			continue;
		}
		if (s->conflicts >= stop || (steps % 64 == 63 && pim_seconds_now() > p->until))
			return PIM_CLAUSE_limit;
		pim_clause_result r = decide_next(s, p);
		if (r != PIM_CLAUSE_limit)
			return r;
	}
}

pim_clause_result pim_clause_search(pim_clause_solver *s, const pim_clause_plan *p)
{
	int64_t stop = s->conflicts + p->conflicts;
	s->switches_only = p->switches_only;
	while (!s->refuted && begin_restart(s)) {
		int64_t most = 100 * luby(s->restarts++);
		if (most > stop - s->conflicts)
			most = stop - s->conflicts;
		pim_clause_result r = search_branch(s, p, most);
		s->refuted = r == PIM_CLAUSE_refuted;
		if (r != PIM_CLAUSE_limit)
			return r;
		if (s->conflicts >= stop || pim_seconds_now() > p->until)
			return PIM_CLAUSE_limit;
	}
	s->refuted = true;
	return PIM_CLAUSE_refuted;
}
