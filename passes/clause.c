/* SPDX-License-Identifier: Apache-2.0 */
/* clause - variables, the trail of bounds, clauses and edges, and their propagation.
 *
 * Idea:   a bound that rises is a step. Steps are told in order: first to edges (delays), then to
 *         clauses that watch the bound, last to propagators, one at a time.
 * Cost:   a step costs its edges and the clauses that watch its bound. */
#include "passes/clause_state.h"

#include <stdlib.h>
#include <string.h>

#include "ir/array.h"

void pim_clause_list_add(pim_clause_list *l, int32_t v)
{
	l->at = pim_array_grow(l->at, l->n, &l->room, sizeof *l->at);
	l->at[l->n++] = v;
}

pim_clause_solver *pim_clause_new(void)
{
	pim_clause_solver *s = pim_array_new(1, sizeof *s);
	s->bump = 1;
	s->clause_bump = 1;
	s->most_learned = 4000;
	return s;
}

void pim_clause_free(pim_clause_solver *s)
{
	for (int b = 0; b < s->n_bounds; b++) {
		for (int k = 0; k < s->bound[b].n_buckets; k++)
			free(s->bound[b].bucket[k].watch);
		free(s->bound[b].bucket);
		free(s->bound[b].edges.at);
		free(s->bound[b].conditions.at);
		free(s->bound[b].propagators.at);
	}
	void *const parts[] = {s->bound, s->edge, s->worker, s->queue[0].of, s->queue[1].of, s->step,
		s->level_start, s->level_written, s->level_popped, s->written, s->contradiction, s->clause,
		s->clause_from, s->store, s->need, s->learned, s->touched.at, s->atom, s->heap, s->bucket,
		s->popped.at, s->is_switch, s->phase};
	for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
		free(parts[i]);
	free(s);
}

static void begin_bound(pim_clause_bound *b, int32_t from, int32_t to)
{
	enum { MOST_BUCKETS = 128 };
	*b = (pim_clause_bound){.value = from, .base = from, .last = -1};
	while ((to - from) >> b->shift >= MOST_BUCKETS)
		b->shift++;
	b->n_buckets = to > from ? ((to - from) >> b->shift) + 1 : 1;
	b->bucket = pim_array_new(b->n_buckets, sizeof *b->bucket);
}

int pim_clause_var(pim_clause_solver *s, int32_t lo, int32_t hi)
{
	if (s->n_bounds + 2 > s->room_bounds) {
		s->bound = pim_array_grow(s->bound, s->room_bounds, &s->room_bounds, sizeof *s->bound);
		s->phase = pim_array_resize(s->phase, s->room_bounds / 2, sizeof *s->phase);
		s->is_switch = pim_array_resize(s->is_switch, s->room_bounds / 2, sizeof *s->is_switch);
	}
	int var = s->n_bounds / 2;
	begin_bound(&s->bound[2 * var], lo, hi);
	begin_bound(&s->bound[2 * var + 1], -hi, -lo);
	s->phase[var] = lo;
	s->is_switch[var] = hi - lo == 1;
	s->n_bounds += 2;
	if (lo > hi)
		s->refuted = true;
	return var;
}

static void add_half_edge(
	pim_clause_solver *s, int from, int to, int32_t delay, pim_clause_literal condition)
{
	s->edge = pim_array_grow(s->edge, s->n_edges, &s->room_edges, sizeof *s->edge);
	s->edge[s->n_edges] = (pim_clause_edge_row){from, to, delay, condition};
	pim_clause_list_add(&s->bound[from].edges, s->n_edges);
	if (condition.bound >= 0)
		pim_clause_list_add(&s->bound[condition.bound].conditions, s->n_edges);
	s->n_edges++;
}

int32_t pim_clause_low(const pim_clause_solver *s, int var)
{
	return s->bound[2 * var].value;
}
int32_t pim_clause_high(const pim_clause_solver *s, int var)
{
	return -s->bound[2 * var + 1].value;
}
int64_t pim_clause_conflicts(const pim_clause_solver *s)
{
	return s->conflicts;
}

static void queue_worker(pim_clause_solver *s, int32_t w)
{
	pim_clause_ring *q = &s->queue[s->worker[w].slow];
	s->worker[w].queued = true;
	q->of[(q->first + q->count++) % s->n_workers] = w;
}

/* Workers are all made before the first runs, so that the rings begin at 0. */
int pim_clause_propagator(pim_clause_solver *s, pim_clause_propagate *f, void *self, bool slow)
{
	int64_t room = s->room_workers;
	s->worker = pim_array_grow(s->worker, s->n_workers, &s->room_workers, sizeof *s->worker);
	for (int k = 0; k < 2 && room != s->room_workers; k++)
		s->queue[k].of = pim_array_resize(s->queue[k].of, s->room_workers, sizeof *s->queue[k].of);
	s->worker[s->n_workers++] = (pim_clause_worker){f, self, false, slow};
	queue_worker(s, s->n_workers - 1);
	return s->n_workers - 1;
}

void pim_clause_wake(pim_clause_solver *s, int propagator, int bound)
{
	pim_clause_list_add(&s->bound[bound].propagators, propagator);
}

/* ---- the trail ---- */

static void note_contradiction(pim_clause_solver *s, pim_clause_literal l)
{
	s->contradiction = pim_array_grow(
		s->contradiction, s->n_contradiction, &s->room_contradiction, sizeof *s->contradiction);
	s->contradiction[s->n_contradiction++] = l;
}

static void note_reason(pim_clause_solver *s, int bound, int32_t at, pim_clause_reason why)
{
	if (why.cause == PIM_CAUSE_clause) {
		const pim_clause_literal *l = s->store + s->clause_from[why.a];
		for (int i = 0; i < s->clause[why.a].n; i++)
			if (l[i].bound != bound || l[i].at != at)
				note_contradiction(s, pim_clause_not(l[i]));
	} else if (why.cause == PIM_CAUSE_edge) {
		const pim_clause_edge_row *e = &s->edge[why.a];
		note_contradiction(s, (pim_clause_literal){e->from, at - e->delay});
		if (e->condition.bound >= 0)
			note_contradiction(s, e->condition);
	} else if (why.cause == PIM_CAUSE_written) {
		for (int i = 0; i < why.b; i++)
			note_contradiction(s, s->written[why.a + i]);
	}
}

/* False: the other bound already says no. */
bool pim_clause_set(pim_clause_solver *s, int bound, int32_t at, pim_clause_reason why)
{
	pim_clause_bound *b = &s->bound[bound];
	if (b->value >= at)
		return true;
	if (s->bound[bound ^ 1].value >= 1 - at) {
		s->n_contradiction = 0;
		int32_t least = 1 - s->bound[bound ^ 1].value;
		if (why.cause == PIM_CAUSE_edge && least < at)
			at = least;
		note_reason(s, bound, at, why);
		note_contradiction(s, (pim_clause_literal){bound ^ 1, 1 - at});
		return false;
	}
	s->step = pim_array_grow(s->step, s->n_steps, &s->room_steps, sizeof *s->step);
	s->step[s->n_steps] = (pim_clause_step){bound, at, b->value, b->last, s->level, why};
	b->value = at;
	b->last = s->n_steps++;
	return true;
}

static void open_level(pim_clause_solver *s)
{
	if (s->level + 2 > s->room_levels) {
		s->room_levels = s->room_levels ? 2 * s->room_levels : 64;
		int32_t **all[] = {&s->level_start, &s->level_written, &s->level_popped};
		for (int k = 0; k < 3; k++)
			*all[k] = pim_array_resize(*all[k], s->room_levels, sizeof **all[k]);
	}
	s->level++;
	s->level_start[s->level] = s->n_steps;
	s->level_written[s->level] = s->n_written;
	s->level_popped[s->level] = s->popped.n;
}

void pim_clause_decide(pim_clause_solver *s, pim_clause_literal l)
{
	open_level(s);
	pim_clause_set(s, l.bound, l.at, (pim_clause_reason){PIM_CAUSE_decision, 0, 0});
}

static int32_t take_worker(pim_clause_solver *s, pim_clause_ring *q)
{
	int32_t w = q->of[q->first];
	q->first = (q->first + 1) % s->n_workers;
	q->count--;
	s->worker[w].queued = false;
	return w;
}

static void empty_queues(pim_clause_solver *s)
{
	for (int k = 0; k < 2; k++)
		while (s->queue[k].count)
			take_worker(s, &s->queue[k]);
}

void pim_clause_backtrack(pim_clause_solver *s, int level)
{
	if (s->level <= level)
		return;
	empty_queues(s);
	for (int i = s->n_steps - 1; i >= s->level_start[level + 1]; i--) {
		const pim_clause_step *t = &s->step[i];
		pim_clause_bound *b = &s->bound[t->bound];
		if (s->bound[t->bound].value == -s->bound[t->bound ^ 1].value)
			s->phase[t->bound / 2] = s->bound[t->bound & ~1].value;
		b->value = t->before;
		b->last = t->previous;
	}
	s->n_steps = s->done = s->level_start[level + 1];
	s->n_written = s->open_from = s->level_written[level + 1];
	pim_clause_restore_atoms(s, s->level_popped[level + 1]);
	s->level = level;
}

void pim_clause_because(pim_clause_solver *s, int bound, int32_t at)
{
	s->written = pim_array_grow(s->written, s->n_written, &s->room_written, sizeof *s->written);
	s->written[s->n_written++] = (pim_clause_literal){bound, at};
}

bool pim_clause_raise(pim_clause_solver *s, int bound, int32_t at)
{
	int from = s->open_from, n = s->n_written - from, steps = s->n_steps;
	bool fits = pim_clause_set(s, bound, at, (pim_clause_reason){PIM_CAUSE_written, from, n});
	if (!fits || s->n_steps == steps)
		s->n_written = from;
	s->open_from = s->n_written;
	return fits;
}

bool pim_clause_contradict(pim_clause_solver *s)
{
	s->n_contradiction = 0;
	for (int i = s->open_from; i < s->n_written; i++)
		note_contradiction(s, s->written[i]);
	s->n_written = s->open_from;
	return false;
}

/* ---- edges ---- */

/* The edge asks for more than its end can be: its condition fails. */
static bool refute_condition(pim_clause_solver *s, const pim_clause_edge_row *e)
{
	int32_t least = 1 - s->bound[e->to ^ 1].value;
	pim_clause_because(s, e->from, least - e->delay);
	pim_clause_because(s, e->to ^ 1, 1 - least);
	pim_clause_literal no = pim_clause_not(e->condition);
	return pim_clause_raise(s, no.bound, no.at);
}

static bool follow_edge(pim_clause_solver *s, int index)
{
	const pim_clause_edge_row *e = &s->edge[index];
	int32_t at = s->bound[e->from].value + e->delay;
	if (e->condition.bound < 0 || pim_clause_holds(s, e->condition))
		return pim_clause_set(s, e->to, at, (pim_clause_reason){PIM_CAUSE_edge, index, 0});
	if (at <= -s->bound[e->to ^ 1].value || pim_clause_fails(s, e->condition))
		return true;
	return refute_condition(s, e);
}

static bool follow_edges(pim_clause_solver *s, const pim_clause_step *t)
{
	const pim_clause_bound *b = &s->bound[t->bound];
	for (int i = 0; i < b->edges.n; i++)
		if (!follow_edge(s, b->edges.at[i]))
			return false;
	for (int i = 0; i < b->conditions.n; i++) {
		int32_t at = s->edge[b->conditions.at[i]].condition.at;
		if (at > t->before && at <= t->at && !follow_edge(s, b->conditions.at[i]))
			return false;
	}
	return true;
}

void pim_clause_edge(
	pim_clause_solver *s, int from, int to, int32_t delay, pim_clause_literal condition)
{
	pim_clause_backtrack(s, 0);
	add_half_edge(s, 2 * from, 2 * to, delay, condition);
	add_half_edge(s, 2 * to + 1, 2 * from + 1, delay, condition);
	if (!follow_edge(s, s->n_edges - 2) || !follow_edge(s, s->n_edges - 1))
		s->refuted = true;
}

/* ---- clauses ---- */

static int find_bucket(const pim_clause_bound *b, int32_t at)
{
	int k = (at - b->base) >> b->shift;
	return k < 0 ? 0 : k < b->n_buckets ? k : b->n_buckets - 1;
}

static void watch_literal(
	pim_clause_solver *s, pim_clause_literal l, int clause, pim_clause_literal blocker)
{
	pim_clause_bound *b = &s->bound[l.bound ^ 1];
	pim_clause_bucket *k = &b->bucket[find_bucket(b, 1 - l.at)];
	k->watch = pim_array_grow(k->watch, k->n, &k->room, sizeof *k->watch);
	k->watch[k->n++] = (pim_clause_watch){clause, 1 - l.at, blocker};
}

int pim_clause_store(
	pim_clause_solver *s, int n, const pim_clause_literal *l, bool learned, int lbd)
{
	int64_t room = s->room_clauses;
	s->clause = pim_array_grow(s->clause, s->n_clauses, &room, sizeof *s->clause);
	s->clause_from =
		pim_array_grow(s->clause_from, s->n_clauses, &s->room_clauses, sizeof *s->clause_from);
	s->clause[s->n_clauses] =
		(pim_clause_head){.n = n, .lbd = lbd, .learned = learned, .activity = s->clause_bump};
	s->clause_from[s->n_clauses] = s->n_store;
	for (int i = 0; i < n; i++) {
		s->store = pim_array_grow(s->store, s->n_store, &s->room_store, sizeof *s->store);
		s->store[s->n_store++] = l[i];
	}
	watch_literal(s, l[0], s->n_clauses, l[1]);
	watch_literal(s, l[1], s->n_clauses, l[0]);
	s->n_learned += learned;
	return s->n_clauses++;
}

void pim_clause_rewatch(pim_clause_solver *s)
{
	for (int b = 0; b < s->n_bounds; b++)
		for (int k = 0; k < s->bound[b].n_buckets; k++)
			s->bound[b].bucket[k].n = 0;
	for (int c = 0; c < s->n_clauses; c++) {
		const pim_clause_literal *l = s->store + s->clause_from[c];
		watch_literal(s, l[0], c, l[1]);
		watch_literal(s, l[1], c, l[0]);
	}
}

bool pim_clause_add(pim_clause_solver *s, int n, const pim_clause_literal *l)
{
	pim_clause_backtrack(s, 0);
	pim_clause_literal *left = pim_array_raw(n + 2, sizeof *left);
	int n_left = 0;
	bool holds = false;
	for (int i = 0; i < n; i++) {
		holds |= pim_clause_holds(s, l[i]);
		if (!pim_clause_fails(s, l[i]))
			left[n_left++] = l[i];
	}
	if (!holds && n_left == 0)
		s->refuted = true;
	else if (!holds && n_left == 1)
		pim_clause_set(s, left[0].bound, left[0].at, (pim_clause_reason){PIM_CAUSE_decision, 0, 0});
	else if (!holds)
		pim_clause_store(s, n_left, left, false, 0);
	free(left);
	return !s->refuted;
}

/* A literal of the clause that does not fail takes the second place; false if there is none. */
static bool move_watch(pim_clause_solver *s, int c)
{
	pim_clause_literal *l = s->store + s->clause_from[c];
	for (int i = 2, n = s->clause[c].n; i < n; i++)
		if (!pim_clause_fails(s, l[i])) {
			pim_clause_literal moved = l[i];
			l[i] = l[1];
			l[1] = moved;
			watch_literal(s, moved, c, l[0]);
			return true;
		}
	return false;
}

/* The watched literal has failed: another one is watched, or the first one must hold. */
static bool tell_clause(
	pim_clause_solver *s, pim_clause_watch *w, pim_clause_literal fails, bool *stays)
{
	pim_clause_literal *l = s->store + s->clause_from[w->clause];
	if (l[0].bound == fails.bound && l[0].at == fails.at) {
		l[0] = l[1];
		l[1] = fails;
	}
	w->blocker = l[0];
	if (pim_clause_holds(s, l[0]))
		return true;
	int c = w->clause;
	if (move_watch(s, c)) {
		*stays = false;
		return true;
	}
	l = s->store + s->clause_from[c];
	return pim_clause_set(s, l[0].bound, l[0].at, (pim_clause_reason){PIM_CAUSE_clause, c, 0});
}

/* A clause may move its watch to a later place of the same bucket, which is then passed over. */
static bool tell_bucket(pim_clause_solver *s, const pim_clause_step *t, pim_clause_bucket *b)
{
	int kept = 0, i = 0;
	bool fits = true;
	for (; i < b->n && fits; i++) {
		pim_clause_watch w = b->watch[i];
		bool stays = true;
		if (w.at <= t->at && w.at > t->before && !pim_clause_holds(s, w.blocker))
			fits = tell_clause(s, &w, (pim_clause_literal){t->bound ^ 1, 1 - w.at}, &stays);
		b->watch[kept] = w;
		kept += stays;
	}
	for (; i < b->n; i++)
		b->watch[kept++] = b->watch[i];
	b->n = kept;
	return fits;
}

static bool tell_watches(pim_clause_solver *s, const pim_clause_step *t)
{
	pim_clause_bound *b = &s->bound[t->bound];
	int last = find_bucket(b, t->at);
	for (int k = find_bucket(b, t->before + 1); k <= last; k++)
		if (b->bucket[k].n && !tell_bucket(s, t, &b->bucket[k]))
			return false;
	return true;
}

/* ---- all together ---- */

static void wake_workers(pim_clause_solver *s, int bound)
{
	const pim_clause_list *l = &s->bound[bound].propagators;
	for (int i = 0; i < l->n; i++)
		if (!s->worker[l->at[i]].queued)
			queue_worker(s, l->at[i]);
}

static bool run_next_worker(pim_clause_solver *s)
{
	pim_clause_worker *w = &s->worker[take_worker(s, &s->queue[s->queue[0].count ? 0 : 1])];
	return w->run(w->self, s);
}

bool pim_clause_propagate_all(pim_clause_solver *s)
{
	for (;;) {
		while (s->done < s->n_steps) {
			pim_clause_step t = s->step[s->done++];
			wake_workers(s, t.bound);
			if (!follow_edges(s, &t) || !tell_watches(s, &t))
				return false;
		}
		if (!s->queue[0].count && !s->queue[1].count)
			break;
		if (!run_next_worker(s))
			return false;
	}
	if (!s->level) {
		for (int i = 0; i < s->n_steps; i++)
			s->bound[s->step[i].bound].last = -1;
		s->n_steps = s->done = s->n_written = s->open_from = 0;
	}
	return true;
}
