/* SPDX-License-Identifier: Apache-2.0 */
/* decompose - break composed ops into primitive ones.
 *
 * Needs: shaped.
 * Idea:  the op's own rule (DECOMPOSE rows of ops.def) writes primitives before the op; the walk
 * goes on at the first of them, since a rule may use ops that are composed themselves. Cost: linear
 * in nodes. */
#include <string.h>

#include "passes/pass.h"

static bool report_unknown(pim_job *j, const char *name)
{
	const char *names[PIM_OP_COUNT];
	int n = 0;
	for (int op = 0; op < PIM_OP_COUNT; op++)
		if (pim_op_at((pim_op)op)->decompose)
			names[n++] = pim_op_at((pim_op)op)->name;
	const char *near = pim_nearest(name, n, names);
	return pim_error(j->graph->module->context, (pim_loc){0, 0},
		"option 'ops' of pass 'decompose': no op '%s' has a rule%s%s%s", name,
		near ? ", did you mean '" : "", near ? near : "", near ? "'" : "");
}

/* Which ops to break, from "gelu+softmax"; all that have a rule when empty. */
static bool choose_ops(pim_job *j, bool chosen[PIM_OP_COUNT])
{
	const char *list = pim_job_string(j, "ops");
	bool good = true;
	for (int op = 0; op < PIM_OP_COUNT; op++)
		chosen[op] = !*list && pim_op_at((pim_op)op)->decompose;
	while (*list) {
		size_t n = strcspn(list, "+");
		pim_op op = pim_op_find(list, n);
		if (op == PIM_OP_COUNT || !pim_op_at(op)->decompose)
			good = report_unknown(j, pim_arena_copy(j->arena, list, n));
		else
			chosen[op] = true;
		list += n + (list[n] == '+');
	}
	return good;
}

/* Can the machine of the job not run it as it is? Without a machine nothing is refused. */
static bool is_refused(const pim_node *n, const pim_job *j)
{
	int64_t extent[PIM_MAX_AXES];
	if (!j->target || n->type->n_parts)
		return false;
	const pim_axes *x = pim_axes_new(n, j->arena);
	for (int a = 0; a < x->n_axes; a++)
		extent[a] = x->axis[a].size;
	return pim_target_refusal(j->target, n, x, extent) != NULL;
}

/* Where the walk goes on: the first node that the rule wrote. NULL after a diagnostic. */
static pim_node *break_up(pim_replacer *r, pim_node *n, int *decomposed)
{
	pim_node *before = n->prev;
	pim_node *by = pim_op_at(n->op)->decompose(n);
	if (!by)
		return NULL;
	if (by == n)
		return n;
	pim_replacer_note(r, n, by);
	(*decomposed)++;
	return before ? before->next : n->graph->first;
}

bool pim_pass_decompose(pim_graph *g, pim_job *j)
{
	bool chosen[PIM_OP_COUNT], only_refused = pim_job_int(j, "refused") != 0;
	if (!choose_ops(j, chosen))
		return false;
	pim_replacer *r = pim_replacer_new(g, j->arena);
	int decomposed = 0;
	for (pim_node *n = g->first; n;) {
		pim_node *next = n;
		bool breaks = chosen[n->op] && pim_replacer_find(r, n) == n;
		if (breaks && (!only_refused || is_refused(n, j)))
			next = break_up(r, n, &decomposed);
		if (!next)
			return false;
		n = next == n ? n->next : next;
	}
	pim_replacer_apply(r);
	pim_graph_drop_unused(g, j->arena);
	pim_job_count(j, "decomposed", decomposed);
	return true;
}
