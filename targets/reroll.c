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
 * equal where the steps are; runs are compared exactly before they are folded. Cost: 64 * items of
 * time per pass, passes <= 10; the memory of the stream twice. */
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
		h = mix(h, ref->space);
		for (int d = 0; d < PIM_MAX_REPEAT; d++)
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
	for (int64_t at = 0; at < f->stream->n_commands; f->n++) {
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

static void copy_command(pim_stream *to, const pim_stream *from, const pim_command *c)
{
	pim_command *copy =
		pim_stream_add(to, (pim_command_code)c->code, c->n_refs, pim_command_refs(from, c));
	uint32_t first = copy->first;
	*copy = *c;
	copy->first = first;
}

static void fold_run(pim_stream *to, const folder *f, int64_t at, const run *r)
{
	const pim_stream *s = f->stream;
	const pim_command *c = s->command + f->before[at];
	int64_t n = f->before[at + r->period] - f->before[at];
	pim_stream_add(to, PIM_COMMAND_repeat, 0, NULL)->count = r->rounds;
	for (int64_t i = 0; i < n; i++, c++) {
		copy_command(to, s, c);
		pim_ref *refs = c->n_refs ? to->ref + to->n_refs - c->n_refs : NULL;
		for (int k = 0; k < c->n_refs; k++) {
			memmove(refs[k].step + 1, refs[k].step, (PIM_MAX_REPEAT - 1) * sizeof refs[k].step[0]);
			refs[k].step[0] = address_of(s, c + n, k) - address_of(s, c, k);
		}
	}
	pim_stream_add(to, PIM_COMMAND_end, 0, NULL);
}

/* False when nothing was folded after all. */
static bool fold_items(folder *f)
{
	bool any = false;
	pim_stream *s = f->stream,
			   to = {.buffer_bytes = s->buffer_bytes, .memory_bytes = s->memory_bytes};
	for (int64_t i = 0; i < f->n;) {
		const run *r = &f->best[i];
		if (r->gain && is_run(f, i, r)) {
			fold_run(&to, f, i, r);
			any = true;
			i += r->period * r->rounds;
			continue;
		}
		for (int64_t k = 0; k < f->item[i].n; k++)
			copy_command(&to, s, &s->command[f->item[i].first + k]);
		i++;
	}
	free(s->command);
	free(s->ref);
	*s = to;
	return any;
}

static bool fold_pass(folder *f, int longest)
{
	split_items(f);
	memset(f->best, 0, (size_t)f->n * sizeof *f->best);
	for (int period = 1; period <= longest && period < f->n; period++)
		try_period(f, period);
	return choose_runs(f) && fold_items(f);
}

void pim_stream_reroll(pim_stream *s)
{
	int64_t n = s->n_commands;
	if (n < 4)
		return;
	folder f = {.stream = s};
	f.item = pim_array_raw(n, sizeof *f.item);
	f.shape = pim_array_raw(n, sizeof *f.shape);
	f.best = pim_array_raw(n, sizeof *f.best);
	f.before = pim_array_raw(n + 1, sizeof *f.before);
	f.cost = pim_array_raw(n + 1, sizeof *f.cost);
	bool folds = true;
	for (int pass = 0, longest = FIRST_PERIOD; pass < MOST_PASSES && folds; pass++) {
		folds = fold_pass(&f, longest) || longest < MOST_PERIOD;
		longest = 2 * longest < MOST_PERIOD ? 2 * longest : MOST_PERIOD;
	}
	free(f.item);
	free(f.shape);
	free(f.best);
	free(f.before);
	free(f.cost);
}
