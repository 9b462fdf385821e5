/* SPDX-License-Identifier: Apache-2.0 */
/* reroll.c - folds repeated command sequences into repeat blocks.
 *
 * Idea (ours): the stream is a list of items, at first its commands and whole blocks. Two items are
 * alike when everything but their addresses is equal. For each period one walk from
 * the end finds at every place how many rounds follow each other that are alike and whose addresses
 * grow by the same step; of all periods the one that saves most is kept, and a shortest path over
 * the places chooses which runs to fold. Folded runs are the items of the next pass, until nothing
 * folds, so nests are found from the inside: periods up to 4 items first, then 8, and so on to 64.
 * A first round that differs (it sets what the others add to, or waits for less) stays in front by
 * itself. Addresses are compared by one linear hash of an item's addresses, whose differences are
 * equal where the steps are; runs are compared exactly before they are folded. What is folded never
 * gets longer, so it is written over what it stands for. Items of which none was folded are not
 * looked at again but for longer periods. Cost: 64 * items of time per pass, passes <= 10. */
#include <stdlib.h>
#include <string.h>

#include "ir/array.h"
#include "targets/program.h"

enum { FIRST_PERIOD = 4, MOST_PERIOD = 64, MOST_PASSES = 10, LEAST_GAIN_OF_TWO = 4 };

typedef struct item {
	int64_t first, n; /* commands */
	uint64_t address; /* linear hash of the addresses */
} item;

/* The best run that starts at an item: rounds of period items; 0 for none. */
typedef struct run {
	int64_t rounds, gain;
	int period;
} run;

typedef struct folder {
	pim_stream *stream;
	pim_arena *arena;
	int64_t from;		   /* the first command that is looked at */
	int64_t written, refs; /* commands and references of the stream that are final in this pass */
	int64_t n;
	item *item;
	uint64_t *shape; /* of the items: what the search looks at most */
	run *best;
	int64_t *before; /* commands before an item; n + 1 */
	int64_t *cost;	 /* commands from an item on, after folding; n + 1 */
} folder;

static uint64_t mix(uint64_t h, uint64_t v)
{
	h = (h ^ v) * 0x9e3779b97f4a7c15u;
	return h ^ h >> 29;
}

/* ---- items ---- */

static uint64_t hash_command(uint64_t h, const pim_stream *s, const pim_command *c)
{
	h = mix(h, (uint64_t)c->code | (uint64_t)c->accumulate << 8 | (uint64_t)c->n_refs << 16);
	h = mix(h, (uint64_t)c->index << 32 | c->unit);
	h = mix(mix(h, c->task), (uint64_t)c->count);
	h = mix(h, (uint64_t)c->after[0] << 32 | c->after[1]);
	h = mix(h, (uint64_t)c->after[2] << 32 | c->after[3]);
	for (int r = 0; r < c->n_refs; r++) {
		const pim_ref *ref = &s->ref[c->first + (uint32_t)r];
		uint64_t steps = 0;
		for (int d = 0; d < PIM_MAX_REPEAT; d++)
			steps |= (uint64_t)ref->step[d];
		h = mix(h, ref->space);
		for (int d = 0; steps && d < PIM_MAX_REPEAT; d++)
			h = mix(h, (uint64_t)ref->step[d]);
	}
	return h;
}

/* The item that starts at command `at`: one command, or a block with its end; and a hash that is
 * equal for items that are alike. */
static item make_item(const pim_stream *s, int64_t at, uint64_t *shape)
{
	item it = {.first = at};
	int depth = 0, deepest = 0;
	uint64_t weight = 0;
	*shape = 0;
	do {
		const pim_command *c = &s->command[at++];
		*shape = hash_command(*shape, s, c);
		for (int r = 0; r < c->n_refs; r++) {
			weight = mix(weight, 0x51ed270b2a2f1d7bu);
			it.address += (uint64_t)s->ref[c->first + (uint32_t)r].address * (weight | 1);
		}
		depth += (c->code == PIM_COMMAND_repeat) - (c->code == PIM_COMMAND_end);
		deepest = depth > deepest ? depth : deepest;
	} while (depth > 0 && at < s->n_commands);
	it.n = at - it.first;
	if (deepest >= PIM_MAX_REPEAT)
		*shape = mix(*shape, (uint64_t)it.first); /* like no other: it cannot go deeper */
	return it;
}

static void split_items(folder *f)
{
	f->n = 0;
	for (int64_t at = f->from; at < f->stream->n_commands; f->n++) {
		f->item[f->n] = make_item(f->stream, at, &f->shape[f->n]);
		f->before[f->n] = at;
		at += f->item[f->n].n;
	}
	f->before[f->n] = f->stream->n_commands;
}

/* ---- runs ---- */

static int64_t find_gain(const folder *f, int64_t at, int period, int64_t rounds)
{
	int64_t gain = (rounds - 1) * (f->before[at + period] - f->before[at]) - 2;
	return rounds > 2 || gain >= LEAST_GAIN_OF_TWO ? gain : 0;
}

static bool repeats(const folder *f, int64_t i, int period)
{
	return f->shape[i] == f->shape[i + period];
}

/* Below item i, which is not alike with the next round: the last item of the next stretch that may
 * be as long as a period, negative when there is none. Such a stretch covers the item a period on,
 * so the rest is not looked at. */
static int64_t skip_down(const folder *f, int64_t i, int period)
{
	int64_t at = i - period;
	while (at >= 0 && !repeats(f, at, period))
		at -= period;
	while (at >= 0 && at + 1 < i && repeats(f, at + 1, period))
		at++;
	return at;
}

/* Keeps, for each item, this period when it saves more than the ones before. */
static void try_period(folder *f, int period)
{
	int64_t alike = 0,
			steady = 0; /* items from here on that are alike, and in step, with the next round */
	const item *it = f->item;
	for (int64_t i = f->n - period - 1; i >= 0; i--) {
		if (!repeats(f, i, period)) {
			alike = steady = 0;
			i = skip_down(f, i, period) + 1;
			continue;
		}
		alike++;
		bool step = alike > period && it[i + period].address - it[i].address ==
										  it[i + 2 * period].address - it[i + period].address;
		steady = step ? steady + 1 : 0;
		if (alike < period)
			continue;
		int64_t rounds = alike / period + 1, by_step = steady / period + 2;
		rounds = rounds < by_step ? rounds : by_step;
		int64_t gain = find_gain(f, i, period, rounds);
		if (gain > f->best[i].gain)
			f->best[i] = (run){rounds, gain, period};
	}
}

static int64_t address_of(const pim_stream *s, const pim_command *c, int r)
{
	return s->ref[c->first + (uint32_t)r].address;
}

/* Exactly: is command c of a round what the same command of the first round is, `round` steps on?
 */
static bool is_in_step(const pim_stream *s, const pim_command *first, const pim_command *second,
	const pim_command *c, int64_t round)
{
	if (!pim_command_is_like(s, first, s, c))
		return false;
	for (int r = 0; r < c->n_refs; r++) {
		int64_t step = address_of(s, second, r) - address_of(s, first, r);
		if (address_of(s, c, r) != address_of(s, first, r) + round * step)
			return false;
	}
	return true;
}

static bool is_run(const folder *f, int64_t at, const run *r)
{
	const pim_command *first = f->stream->command + f->before[at];
	int64_t n = f->before[at + r->period] - f->before[at];
	if (f->before[at + r->period * r->rounds] - f->before[at] != n * r->rounds)
		return false;
	for (int64_t round = 1; round < r->rounds; round++)
		for (int64_t i = 0; i < n; i++)
			if (!is_in_step(f->stream, first + i, first + n + i, first + round * n + i, round))
				return false;
	return true;
}

/* Chooses the runs that leave the fewest commands; the others lose their rounds. */
static bool choose_runs(folder *f)
{
	bool any = false;
	f->cost[f->n] = 0;
	for (int64_t i = f->n - 1; i >= 0; i--) {
		run *r = &f->best[i];
		f->cost[i] = f->cost[i + 1] + f->item[i].n;
		if (!r->gain)
			continue;
		int64_t folded =
			f->cost[i + r->period * r->rounds] + f->before[i + r->period] - f->before[i] + 2;
		if (folded <= f->cost[i]) {
			f->cost[i] = folded;
			any = true;
		} else {
			r->gain = 0;
		}
	}
	return any;
}

/* ---- folding ---- */

/* Moves n commands and their references down to what is written; one place up where the first of a
 * run that follows all that is written makes room for its `repeat`. */
static void move_commands(folder *f, int64_t from, int64_t n)
{
	pim_stream *s = f->stream;
	pim_command *to = s->command + f->written;
	const pim_command *last = s->command + from + n - 1;
	int64_t first = s->command[from].first, n_refs = last->first + last->n_refs - first;
	memmove(to, s->command + from, (size_t)n * sizeof *to);
	if (first != f->refs) {
		memmove(s->ref + f->refs, s->ref + first, (size_t)n_refs * sizeof *s->ref);
		for (int64_t i = 0; i < n; i++)
			to[i].first -= (uint32_t)(first - f->refs);
	}
	f->written += n;
	f->refs += n_refs;
}

static void note_steps(folder *f, const pim_command *c, const pim_command *second)
{
	for (int k = 0; k < c->n_refs; k++) {
		pim_ref *ref = &f->stream->ref[c->first + (uint32_t)k];
		int64_t step[PIM_MAX_REPEAT] = {address_of(f->stream, second, k) - ref->address};
		memcpy(step + 1, ref->step, sizeof step - sizeof *step);
		ref->step = pim_steps_keep(f->arena, step);
	}
}

static void fold_run(folder *f, int64_t at, const run *r)
{
	pim_stream *s = f->stream;
	int64_t first = f->before[at], n = f->before[at + r->period] - first, open = f->written++;
	for (int64_t i = first; i < first + n; i++)
		note_steps(f, &s->command[i], &s->command[i + n]);
	uint32_t refs = (uint32_t)f->refs;
	move_commands(f, first, n);
	s->command[open] = (pim_command){.code = PIM_COMMAND_repeat, .first = refs, .count = r->rounds};
	s->command[f->written++] = (pim_command){.code = PIM_COMMAND_end, .first = (uint32_t)f->refs};
}

/* False when nothing was folded after all. */
static bool fold_items(folder *f)
{
	pim_stream *s = f->stream;
	int64_t kept = f->from; /* from here on commands stay as they are */
	bool any = false;
	f->written = f->from;
	f->refs = s->command[f->from].first;
	for (int64_t i = 0; i < f->n;) {
		const run *r = &f->best[i];
		if (!r->gain || !is_run(f, i, r)) {
			i++;
			continue;
		}
		if (f->before[i] > kept)
			move_commands(f, kept, f->before[i] - kept);
		fold_run(f, i, r);
		any = true;
		i += r->period * r->rounds;
		kept = f->before[i];
	}
	if (s->n_commands > kept)
		move_commands(f, kept, s->n_commands - kept);
	s->n_commands = f->written;
	s->n_refs = f->refs;
	return any;
}

/* Periods up to `longest`; those up to `tried` were tried on the same items. */
static bool find_runs(folder *f, int tried, int longest)
{
	if (!tried) {
		split_items(f);
		memset(f->best, 0, (size_t)f->n * sizeof *f->best);
	}
	for (int period = tried + 1; period <= longest && period < f->n; period++)
		try_period(f, period);
	return choose_runs(f);
}

void pim_stream_reroll(pim_stream *s, int64_t from, pim_arena *a)
{
	int64_t n = s->n_commands - from;
	if (n < 4)
		return;
	folder f = {.stream = s, .arena = a, .from = from};
	f.item = pim_array_raw(n, sizeof *f.item);
	f.shape = pim_array_raw(n, sizeof *f.shape);
	f.best = pim_array_raw(n, sizeof *f.best);
	f.before = pim_array_raw(n + 1, sizeof *f.before);
	f.cost = pim_array_raw(n + 1, sizeof *f.cost);
	bool folds = true;
	for (int pass = 0, tried = 0, longest = FIRST_PERIOD; pass < MOST_PASSES && folds; pass++) {
		bool found = find_runs(&f, tried, longest);
		folds = (found && fold_items(&f)) || longest < MOST_PERIOD;
		tried = found ? 0 : longest;
		longest = 2 * longest < MOST_PERIOD ? 2 * longest : MOST_PERIOD;
	}
	free(f.item);
	free(f.shape);
	free(f.best);
	free(f.before);
	free(f.cost);
}
