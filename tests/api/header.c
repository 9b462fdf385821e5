/* SPDX-License-Identifier: Apache-2.0 */
/* header.c - pim/pim.h alone, in every language version that promises to take it; header.cpp is a
 * copy that the build makes. */
#include <pim/pim.h>

int header_is_complete(const pim_graph *g);

int header_is_complete(const pim_graph *g)
{
	pim_dtype t = PIM_DTYPE_f32;
	return pim_graph_name(g) != NULL && PIM_FACT_lowered != 0 && t != PIM_DTYPE_COUNT;
}
