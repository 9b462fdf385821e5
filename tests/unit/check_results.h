/* SPDX-License-Identifier: Apache-2.0 */
/* tests/unit/check_results.h - what the simulator computed against what the evaluator says. */
#ifndef PIM_TESTS_UNIT_CHECK_RESULTS_H
#define PIM_TESTS_UNIT_CHECK_RESULTS_H

#include "targets/sim.h"
#include "tests/unit/check.h"

/* Every result of the run equals want[], up to sums in another order. `round` says which one
 * failed. */
static inline void check_results(
	const pim_graph *g, const pim_sim_report *r, const pim_tensor *want, int round)
{
	for (int i = 0; i < g->n_results; i++) {
		pim_difference d = pim_tensor_compare(&r->result[i], &want[i], 1e-4, 1e-4);
		if (d.beyond)
			fprintf(stderr, "seed %d result %d: %g instead of %g at %lld\n", round, i, d.a, d.b,
				(long long)d.index);
		CHECK(d.beyond == 0);
	}
}

#endif
