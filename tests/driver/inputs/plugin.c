/* SPDX-License-Identifier: Apache-2.0 */
/* A plugin of three passes: one that counts, one that fails without a word, one that breaks the
 * program; built with other versions of the interface by -DABI=N. */
#include <pim/pim.h>
#include <stdlib.h>

#ifndef ABI
#define ABI PIM_ABI
#endif

static bool count_nodes(pim_graph *g, pim_job *j)
{
	for (pim_node *n = pim_graph_first(g); n; n = pim_node_next(n))
		pim_job_count(j, "seen", (double)pim_job_int(j, "weight"));
	return true;
}

static bool fail_silently(pim_graph *g, pim_job *j)
{
	(void)g;
	(void)j;
	return false;
}

static bool change_value(pim_graph *g, pim_job *j)
{
	(void)j;
	pim_node *old = pim_graph_result(g, 0), *in = pim_node_input(old, 0);
	pim_node *by = pim_node_new(g, "exp", 1, &in, old);
	if (!by || !pim_node_infer(by))
		return false;
	pim_node_replace(old, by);
	return true;
}

/* A node whose type was never worked out. */
static bool leave_invalid(pim_graph *g, pim_job *j)
{
	(void)j;
	pim_node *old = pim_graph_result(g, 0), *in = pim_node_input(old, 0);
	pim_node *by = pim_node_new(g, "exp", 1, &in, old);
	if (by)
		pim_node_replace(old, by);
	return by != NULL;
}

static bool crash(pim_graph *g, pim_job *j)
{
	(void)g;
	(void)j;
	abort();
}

static const pim_pass_field fields[] = {{"weight", "int", "1", "of a node"},
	{"seen", "count", NULL, "nodes by weight"}, {NULL, NULL, NULL, NULL}};

static const pim_pass passes[] = {
	{"count-nodes", PIM_FACT_shaped, 0, 0, "count nodes", count_nodes, fields},
	{"fail-silently", PIM_FACT_shaped, 0, 0, "fail", fail_silently, NULL},
	{"change-value", PIM_FACT_shaped, 0, 0, "compute something else", change_value, NULL},
	{"leave-invalid", PIM_FACT_shaped, 0, 0, "leave a node without a type", leave_invalid, NULL},
	{"crash", PIM_FACT_shaped, 0, 0, "abort", crash, NULL},
#ifdef TWICE
	{"cse", PIM_FACT_shaped, 0, 0, "a name that is taken", count_nodes, NULL},
#endif
	{NULL, 0, 0, 0, NULL, NULL, NULL}};

static const pim_plugin plugin = {ABI, "test", passes};

const pim_plugin *pim_plugin_get(void)
{
	return &plugin;
}
