/* SPDX-License-Identifier: Apache-2.0 */
/* analyze_overlap - how far consumers can run while producers still do.
 *
 * Needs: MAPPED.  Gives: nothing; reports.
 * Idea:  exact ready times of all tiles, stalls carried through the graph (overlap_graph.c).
 * Cost:  tiles of all slices that differ, times inputs. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "passes/overlap.h"
#include "passes/pass.h"

static void explain(const pim_overlap *s, const pim_node *n)
{
	const pim_overlap_run *r = pim_overlap_at(s, n);
	pim_node_note(n, PIM_REMARK,
		"%lld steps in %lld places, %.0f cycles alone; begins at %.0f, ends at %.0f, longest wait "
		"%.0f",
		(long long)r->steps, (long long)r->places, r->cost, r->begin, r->end, r->waits);
}

/* Does `wanted` name a tile of n, as name:tile? */
static bool names_tile(const char *wanted, const pim_node *n, int64_t *tile)
{
	const char *colon = strrchr(wanted, ':');
	size_t bytes = colon ? (size_t)(colon - wanted) : 0;
	if (!colon || !n->name || strlen(n->name) != bytes || strncmp(n->name, wanted, bytes) != 0)
		return false;
	char *end;
	*tile = strtoll(colon + 1, &end, 10);
	return end > colon + 1 && !*end;
}

static void count_totals(pim_job *j, const pim_overlap_total *t)
{
	pim_job_count(j, "sequential", t->sequential);
	pim_job_count(j, "overlapped", ceil(t->overlapped));
	pim_job_count(j, "pairs", (double)t->pairs);
	pim_job_count(j, "traced", (double)t->traced);
	pim_job_count(j, "barriers", (double)t->barriers);
}

bool pim_pass_analyze_overlap(pim_graph *g, pim_job *j)
{
	const pim_overlap *s = pim_overlap_new(g, j->target, j->arena);
	const char *wanted = pim_job_string(j, "explain");
	int64_t tile;
	bool check = pim_job_int(j, "check") != 0, good = true;
	PIM_EACH_NODE(n, g)
	{
		if (pim_op_at((pim_op)n->op)->flags & PIM_OPF_leaf)
			continue;
		if (check)
			good = pim_overlap_check(s, n) && good;
		if (!strcmp(wanted, "all") || (n->name && !strcmp(wanted, n->name)))
			explain(s, n);
		if (names_tile(wanted, n, &tile))
			good = pim_overlap_explain(s, n, tile, PIM_EXPLAIN_tile) && good;
	}
	count_totals(j, pim_overlap_totals(s));
	return good;
}
