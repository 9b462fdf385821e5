/* SPDX-License-Identifier: Apache-2.0 */
/* picture_fold.c - finds repeated structure in a graph, so that a picture shows it once.
 *
 * Every node gets a token: its op, type, attributes and how far back its inputs stand. A run in
 * which tokens repeat with a period is a sequence of equal rounds (the blocks of a Transformer).
 * Runs are taken greedily, the one that hides most nodes first. Cost: nodes times the longest
 * period looked for. */
#include <string.h>

#include "passes/picture_fold.h"

enum { LONGEST_PERIOD = 600, MOST_ROUNDS = 64, LONGEST_GRAPH = 40000 };

static uint64_t mix(uint64_t h, uint64_t v)
{
	h ^= v + 0x9e3779b97f4a7c15u + (h << 6) + (h >> 2);
	return h * 0xff51afd7ed558ccdu;
}

static uint64_t token_of(const pim_fold *f, int i)
{
	const pim_node *n = f->node[i];
	uint64_t h = mix(n->op, (uint64_t)(uintptr_t)n->type);
	for (uint32_t k = 0; k < n->n_in; k++) {
		if (!n->in[k])
			continue;
		int p = f->position[n->in[k]->id];
		h = mix(h, p < 0 ? (uint64_t)(uintptr_t)n->in[k]->type : (uint64_t)(i - p));
	}
	for (int k = 0; k < n->n_attrs; k++)
		if (n->attrs[k].kind == PIM_ATTR_int)
			h = mix(h, (uint64_t)n->attrs[k].i);
	return h;
}

static bool is_free(const pim_fold *f, int first, int n)
{
	for (int i = first; i < first + n; i++)
		if (f->shown[i] != i || f->round[i] >= 0)
			return false;
	return true;
}

/* The run of the given period that hides most; count 0 when there is none. */
static pim_round best_of_period(const pim_fold *f, const uint64_t *token, int period)
{
	pim_round best = {0};
	for (int i = 0, equal = 0; i + period < f->n; i++) {
		equal = token[i] == token[i + period] ? equal + 1 : 0;
		bool ends = i + period + 1 == f->n || token[i + 1] != token[i + 1 + period];
		if (!ends || equal < period)
			continue;
		pim_round r = {i - equal + 1, period, equal / period + 1};
		if (r.count * period > best.count * best.period && is_free(f, r.first, r.count * period))
			best = r;
	}
	return best;
}

static int hidden(const pim_round *r)
{
	return (r->count - 1) * r->period;
}

static pim_round best_round(const pim_fold *f, const uint64_t *token)
{
	pim_round best = {0};
	for (int period = 2; period <= LONGEST_PERIOD && 2 * period <= f->n; period++) {
		pim_round r = best_of_period(f, token, period);
		if (hidden(&r) > hidden(&best))
			best = r;
	}
	return best;
}

static void take_round(pim_fold *f, const pim_round *r)
{
	for (int i = 0; i < r->period; i++) {
		f->round[r->first + i] = f->n_rounds;
		for (int k = 1; k < r->count; k++)
			f->shown[r->first + k * r->period + i] = r->first + i;
	}
	f->n_shown -= hidden(r);
	f->rounds[f->n_rounds++] = *r;
}

static void fold_rounds(pim_fold *f, pim_arena *a)
{
	uint64_t *token = PIM_NEW(a, uint64_t, f->n);
	for (int i = 0; i < f->n; i++)
		token[i] = token_of(f, i);
	f->rounds = PIM_NEW(a, pim_round, MOST_ROUNDS);
	while (f->n_rounds < MOST_ROUNDS) {
		pim_round r = best_round(f, token);
		if (hidden(&r) < 4)
			break;
		take_round(f, &r);
	}
}

/* Leaves out shown nodes in the middle, until `most` are left. */
static void leave_out(pim_fold *f, int most)
{
	int seen = 0, drop = f->n_shown - most;
	for (int i = 0; i < f->n; i++) {
		if (f->shown[i] != i)
			continue;
		seen++;
		if (seen > most / 2 && f->n_left_out < drop) {
			f->shown[i] = -1;
			f->n_left_out++;
		}
	}
	for (int i = 0; i < f->n; i++)
		if (f->shown[i] >= 0 && f->shown[f->shown[i]] < 0)
			f->shown[i] = -1;
	f->n_shown -= f->n_left_out;
}

pim_fold *pim_fold_new(pim_graph *g, const bool *only, int most, pim_arena *a)
{
	pim_fold *f = PIM_NEW(a, pim_fold, 1);
	f->node = PIM_NEW(a, pim_node *, g->n_ids);
	f->position = PIM_NEW(a, int, g->n_ids);
	PIM_EACH_NODE(n, g)
	{
		bool drawn = n->op != PIM_OP_constant && (!only || only[n->id]);
		f->position[n->id] = drawn ? f->n : -1;
		if (drawn)
			f->node[f->n++] = n;
	}
	f->shown = PIM_NEW(a, int, f->n);
	f->round = PIM_NEW(a, int, f->n);
	for (int i = 0; i < f->n; i++) {
		f->shown[i] = i;
		f->round[i] = -1;
	}
	f->n_shown = f->n;
	if (f->n <= LONGEST_GRAPH)
		fold_rounds(f, a);
	if (f->n_shown > most)
		leave_out(f, most);
	return f;
}
