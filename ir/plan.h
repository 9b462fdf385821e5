/* SPDX-License-Identifier: Apache-2.0 */
/* plan.h - what printing and reading decisions share. */
#ifndef PIM_IR_PLAN_H
#define PIM_IR_PLAN_H

#include "ir/ir.h"

/* Is the axis told from the others of its op by a name that the text form can hold? */
bool pim_axis_name_tells(const pim_axes *x, int axis);
/* The tile of an axis that has no temporal loop, unless the text says otherwise. */
int64_t pim_nest_usual_tile(const pim_nest *nest, const pim_axes *x, int axis);
/* order=(...), without a separator in front. */
void pim_order_print(const pim_order *o, pim_text *out);

#endif
