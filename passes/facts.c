/* SPDX-License-Identifier: Apache-2.0 */
/* passes/facts.c - every fact a graph claims, checked by that fact's verifier. */
#include "passes/pass.h"

typedef bool fact_verifier(pim_graph *g);

static fact_verifier *const verifiers[] = {
#define FACT(name, what) pim_verify_##name,
	PIM_FACTS(FACT)
#undef FACT
};

/* Later facts speak about types, so nothing is asked of a graph whose types are wrong; and a
 * decision on top of a broken one would only repeat the complaint. */
bool pim_graph_verify_facts(pim_graph *g)
{
	if (!pim_verify_shaped(g))
		return false;
	for (int bit = PIM_FACT_BIT_shaped + 1; bit < PIM_FACT_COUNT; bit++)
		if ((g->facts & 1u << bit) && !verifiers[bit](g))
			return false;
	return true;
}

bool pim_graph_verify(pim_graph *g)
{
	return pim_graph_verify_facts(g);
}
