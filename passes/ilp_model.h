/* SPDX-License-Identifier: Apache-2.0 */
/* passes/ilp_model.h - a model as it is written down, between ilp_model.c and the solvers.
 *
 * Private to the façade: ilp.c and ilp_none.c solve what ilp_model.c stores. */
#ifndef PIM_PASSES_ILP_MODEL_H
#define PIM_PASSES_ILP_MODEL_H

#include "passes/ilp.h"

typedef struct pim_ilp_column {
	double lo, hi, cost;
	bool integer;
} pim_ilp_column;
typedef struct pim_ilp_constraint {
	int first, n; /* its terms in var[] and coef[] */
	pim_ilp_sense sense;
	double right;
} pim_ilp_constraint;

struct pim_ilp {
	int n_columns, n_rows, n_terms;
	int64_t room_columns, room_rows, room_terms;
	pim_ilp_column *column;
	pim_ilp_constraint *row;
	int *var;
	double *coef;
	double *best; /* n_columns values of the best known solution; NULL for none */
	double objective, bound;
	int64_t nodes;
};

/* Rounds integers, then demands every bound and row within 1e-6 of its scale; if all hold and the
 * solution is better than the best known one, keeps it. False when it does not hold. */
bool pim_ilp_offer(pim_ilp *p, const double *values);
/* Every solution's cost is a whole number. */
bool pim_ilp_whole_costs(const pim_ilp *p);
/* The cost when every variable sits at its cheaper bound: proved, often weak. */
double pim_ilp_box_bound(const pim_ilp *p);

#endif
