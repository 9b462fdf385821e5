/* SPDX-License-Identifier: Apache-2.0 */
/* op_table.h - prototypes of the functions that the rows of ops.def name. */
#ifndef PIM_IR_OP_TABLE_H
#define PIM_IR_OP_TABLE_H

#include "ir/ir.h"

#define OP(name, min, max, flags, help)                                                            \
	const pim_type *pim_infer_##name(const pim_node *n);                                           \
	bool pim_eval_##name(const pim_node *n, const pim_tensor *in, pim_tensor *out, pim_eval *e);   \
	void pim_axes_##name(const pim_node *n, pim_axes *a);
#define FOLD(op) pim_node *pim_fold_##op(pim_node *n);
#define DECOMPOSE(op) pim_node *pim_decompose_##op(pim_node *n);
#include "ir/ops.def"

#endif
