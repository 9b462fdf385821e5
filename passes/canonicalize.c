/* SPDX-License-Identifier: Apache-2.0 */
/* canonicalize - simplify by algebra until nothing changes, then drop what is unused.
 *
 * Needs: shaped.
 * Idea:  walks in program order; each op's own rule (FOLD rows of ops.def), and for element-wise
 * ops the one that brings them before reshapes, is asked until it has no more to say, and later
 * nodes see the simpler inputs at once, so most programs need two walks: one that changes and one
 * that finds nothing left. A rule must make the program smaller or more regular; rules that undo
 * each other are met by the limits, and the op is named in a remark. Cost:  linear in nodes per
 * walk. */
#include "passes/pass.h"

enum { REPEATS = 32 };

typedef struct rewriter {
	pim_replacer *replacer;
	int64_t changed;
	const pim_node *last; /* that a rule applied to */
} rewriter;

static pim_node *apply_rule(pim_node *n)
{
	/* By now the decisions are gone, so a relayout moves nothing. */
	if (n->op == PIM_OP_relayout)
		return n->in[0];
	const pim_op_info *info = pim_op_at(n->op);
	pim_node *by = info->fold ? info->fold(n) : n;
	return by == n && info->flags & PIM_OPF_elementwise ? pim_fold_elementwise(n) : by;
}

static void remark_endless(const pim_node *n, const char *how, int64_t many)
{
	pim_node_note(n, PIM_REMARK,
		"the rule of '%s' still applies after %lld %s: rules may undo each other",
		pim_op_at(n->op)->name, (long long)many, how);
}

/* What n becomes; NULL after a diagnostic. */
static pim_node *simplify(rewriter *w, pim_node *n)
{
	pim_node *now = n;
	for (int i = 0; i < REPEATS; i++) {
		pim_node *by = apply_rule(now);
		if (!by || by == now)
			return by;
		w->changed++;
		w->last = n;
		now = pim_replacer_find(w->replacer, by);
		pim_replacer_update(w->replacer, now);
	}
	remark_endless(n, "times", REPEATS);
	return now;
}

static bool walk(pim_graph *g, rewriter *w, pim_arena *scratch)
{
	w->replacer = pim_replacer_new(g, scratch);
	w->changed = 0;
	PIM_EACH_NODE(n, g)
	{
		pim_replacer_update(w->replacer, n);
		pim_node *by = simplify(w, n);
		if (!by)
			return false;
		if (by != n)
			pim_replacer_note(w->replacer, n, by);
	}
	if (w->changed)
		pim_replacer_apply(w->replacer);
	return true;
}

/* Walks until one changes nothing; false after an error of a rule. */
static bool walk_until_quiet(pim_graph *g, pim_job *j, int *removed)
{
	int64_t rounds = pim_job_int(j, "rounds");
	for (int64_t i = 0; i < rounds; i++) {
		rewriter w = {0};
		pim_arena *scratch = pim_arena_new();
		bool good = walk(g, &w, scratch);
		if (good && w.changed && i + 1 == rounds)
			remark_endless(w.last, "walks", rounds);
		if (good)
			*removed += pim_graph_drop_unused(g, scratch);
		pim_arena_free(scratch);
		pim_job_count(j, "folded", (double)w.changed);
		if (!good || !w.changed)
			return good;
	}
	return true;
}

bool pim_pass_canonicalize(pim_graph *g, pim_job *j)
{
	int removed = 0;
	bool good = walk_until_quiet(g, j, &removed);
	pim_job_count(j, "removed", removed);
	return good;
}
