/* SPDX-License-Identifier: Apache-2.0 */
/* passes/ilp.h - the façade over an integer linear programming solver.
 *
 * ilp.c is lp_solve; ilp_none.c stands in when it is absent and always answers PIM_ILP_none. Models
 * are written with indexes, no names; an answer is checked by the fact's verifier, never believed. */
#ifndef PIM_PASSES_ILP_H
#define PIM_PASSES_ILP_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

typedef struct pim_ilp pim_ilp;
typedef enum pim_ilp_status {
	PIM_ILP_optimal,    /* value is the minimum */
	PIM_ILP_feasible,   /* a solution, the limit was reached: bound <= minimum <= value */
	PIM_ILP_infeasible, /* proved */
	PIM_ILP_unbounded,
	PIM_ILP_limit,      /* time ran out before any solution */
	PIM_ILP_broken,     /* the solver failed */
	PIM_ILP_none        /* built without a solver */
} pim_ilp_status;
typedef enum pim_ilp_sense { PIM_ILP_le, PIM_ILP_ge, PIM_ILP_eq } pim_ilp_sense;

pim_ilp *pim_ilp_new(void);
void pim_ilp_free(pim_ilp *p);
/* Adds a variable in lo..hi (INFINITY allowed) with its cost in the minimised sum; its index from 0. */
int pim_ilp_var(pim_ilp *p, double lo, double hi, double cost, bool integer);
/* Adds the row sum coef[i] * var[i] (sense) right; a variable may stand in it more than once. */
void pim_ilp_row(pim_ilp *p, int n, const int *var, const double *coef, pim_ilp_sense sense, double right);
/* A known solution: one value per variable; its cost becomes the cut-off. */
void pim_ilp_start(pim_ilp *p, const double *values);
/* Minimises for at most `seconds` of wall time (kept within 10 %). */
pim_ilp_status pim_ilp_solve(pim_ilp *p, double seconds);
double pim_ilp_value(const pim_ilp *p, int var);
double pim_ilp_objective(const pim_ilp *p);
double pim_ilp_bound(const pim_ilp *p); /* proved lower bound */
int64_t pim_ilp_nodes(const pim_ilp *p);

#endif
