/* SPDX-License-Identifier: Apache-2.0 */
/* stats - what a network takes: ops, multiply-accumulates, parameters, bytes.
 *
 * Needs: shaped. The graph stays as it is.
 * Idea:  ops are all nodes but inputs and constants. Multiply-accumulates are those of products and
 *        convolutions. Parameters are the elements of constants of rank 1 and more that are not of
 *        64-bit integers or bools (shapes, indices, masks of bools), each constant once; the
 * running mean and variance of batch_norm are statistics, not parameters. A mask kept in floats
 * counts: nothing tells it from weights. Weight bytes are those of all constants. The peak is of
 * live values in program order: a value lives from its op until its last reader is done, results
 * until the end, and no op works in place. Cost:  linear in nodes. */
#include "passes/pass.h"

/* Constants that batch_norm reads as its mean and variance. */
static bool *find_statistics(const pim_graph *g, pim_arena *a)
{
	bool *found = PIM_NEW(a, bool, g->n_ids);
	for (const pim_node *n = g->first; n; n = n->next)
		for (uint32_t i = 3; n->op == PIM_OP_batch_norm && i < n->n_in; i++)
			if (n->in[i])
				found[n->in[i]->id] = true;
	return found;
}

static bool may_be_trained(const pim_type *t)
{
	return t->rank > 0 && t->dtype != PIM_DTYPE_i64 && t->dtype != PIM_DTYPE_u64 &&
		   t->dtype != PIM_DTYPE_bool;
}

static void count_constants(const pim_graph *g, pim_job *j)
{
	const bool *statistic = find_statistics(g, j->arena);
	for (const pim_node *n = g->first; n; n = n->next)
		if (n->op == PIM_OP_constant) {
			pim_job_count(j, "weight_bytes", (double)pim_type_bytes(n->type));
			if (!statistic[n->id] && may_be_trained(n->type))
				pim_job_count(j, "parameters", (double)n->type->elements);
		}
}

/* By id: the last node in program order that reads it; the node itself when none does. */
static const pim_node **find_last_readers(const pim_graph *g, pim_arena *a)
{
	const pim_node **last = PIM_NEW(a, const pim_node *, g->n_ids);
	for (const pim_node *n = g->first; n; n = n->next) {
		last[n->id] = n;
		for (uint32_t i = 0; i < n->n_in; i++)
			if (n->in[i])
				last[n->in[i]->id] = n;
	}
	for (int i = 0; i < g->n_results; i++)
		last[g->results[i]->id] = NULL;
	return last;
}

/* Bytes of the value when n is the last to read it (and takes that from `last`, so that it counts
 * once). */
static int64_t take_last(const pim_node *value, const pim_node *n, const pim_node **last)
{
	if (!value || value->op == PIM_OP_constant || last[value->id] != n)
		return 0;
	last[value->id] = NULL;
	return pim_type_bytes(value->type);
}

static int64_t find_peak(const pim_graph *g, pim_arena *a)
{
	const pim_node **last = find_last_readers(g, a);
	int64_t live = 0, peak = 0;
	for (int i = 0; i < g->n_inputs; i++)
		live += pim_type_bytes(g->inputs[i]->type);
	for (const pim_node *n = g->first; n; n = n->next) {
		if (pim_op_at((pim_op)n->op)->flags & PIM_OPF_leaf)
			continue;
		live += pim_type_bytes(n->type);
		peak = live > peak ? live : peak;
		for (uint32_t i = 0; i < n->n_in; i++)
			live -= take_last(n->in[i], n, last);
		live -= take_last(n, n, last);
	}
	return live > peak ? live : peak;
}

bool pim_pass_stats(pim_graph *g, pim_job *j)
{
	for (const pim_node *n = g->first; n; n = n->next)
		if (!(pim_op_at((pim_op)n->op)->flags & PIM_OPF_leaf)) {
			pim_job_count(j, "ops", 1);
			pim_job_count(j, "macs", (double)pim_node_macs(n));
		}
	count_constants(g, j);
	pim_job_count(j, "activation_bytes_peak", (double)find_peak(g, j->arena));
	return true;
}
