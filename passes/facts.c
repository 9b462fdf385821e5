/* SPDX-License-Identifier: Apache-2.0 */
/* passes/facts.c - every fact a graph claims, checked by that fact's verifier. */
#include "passes/pass.h"

typedef bool fact_verifier(pim_graph *g);

static fact_verifier *const verifiers[] = {
#define FACT(name, what) pim_verify_##name,
	PIM_FACTS(FACT)
#undef FACT
};

/* Each decision from the nest on is about the one before it: passes take them in this order and
 * drop the later ones with an earlier one, so only edited text lacks one. */
static bool stands_on_others(const pim_graph *g, int bit)
{
	if (bit <= PIM_FACT_BIT_laid_out || (g->facts & 1u << (bit - 1)))
		return true;
	return pim_error(g->module->context, g->loc, "graph @%s is said to be %s, but not %s", g->name,
		pim_fact_name(bit), pim_fact_name(bit - 1));
}

/* Later facts speak about types, so nothing is asked of a graph whose types are wrong; and a
 * decision on top of a broken one would only repeat the complaint. */
bool pim_graph_verify_facts(pim_graph *g)
{
	if (!pim_verify_shaped(g))
		return false;
	for (int bit = PIM_FACT_BIT_shaped + 1; bit < PIM_FACT_COUNT; bit++)
		if ((g->facts & 1u << bit) && !(stands_on_others(g, bit) && verifiers[bit](g)))
			return false;
	return true;
}

bool pim_graph_verify(pim_graph *g)
{
	return pim_graph_verify_facts(g);
}
