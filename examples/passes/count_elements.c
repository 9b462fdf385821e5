/* SPDX-License-Identifier: Apache-2.0 */
/* count_elements - an analysis pass outside the tree: how many elements each op makes, as remarks.
 *
 *   cc -shared -fPIC count_elements.c -o count_elements.so $(pkg-config --cflags pimopt)
 *   pimopt net.onnx --load-pass=./count_elements.so --pass-pipeline='count-elements{least=1000}' */
#include "pim/pim.h"

static bool count_elements(pim_graph *g, pim_job *j)
{
	for (pim_node *n = pim_graph_first(g); n; n = pim_node_next(n)) {
		int64_t elements = pim_node_type(n)->elements;
		pim_job_count(j, "elements", (double)elements);
		if (elements >= pim_job_int(j, "least"))
			pim_node_note(
				n, PIM_REMARK, "%s makes %lld elements", pim_node_op(n), (long long)elements);
	}
	return true;
}

static const pim_pass_field fields[] = {
	{"least", "int", "1000", "remark on ops that make at least so many elements"},
	{"elements", "count", NULL, "elements of all values"},
	{0},
};

static const pim_pass passes[] = {
	{"count-elements", PIM_FACT_shaped, 0, 0, "count the elements of every value", count_elements,
		fields},
	{0},
};

const pim_plugin *pim_plugin_get(void)
{
	static const pim_plugin plugin = {PIM_ABI, "count-elements", passes};
	return &plugin;
}
