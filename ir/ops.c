/* SPDX-License-Identifier: Apache-2.0 */
/* ops - the table of ops, made from the rows of ops.def, constant, so that it costs nothing at
 * start.
 *
 * The attribute rows of one op stand together. AT_<op> numbers its first row; a struct with one
 * byte per row counts them. */
#include <string.h>

#include "ir/op_table.h"

enum {
#define OP(name, min, max, flags, help) AT_##name, BEFORE_##name = AT_##name - 1,
#define ATTR(op, name, kind, init, help) ROW_##op##_##name,
#include "ir/ops.def"
};

struct attrs_before_the_first_op {
	char op;
#define OP(name, min, max, flags, help)                                                            \
	}                                                                                              \
	;                                                                                              \
	struct attrs_##name {                                                                          \
		char op;
#define ATTR(op, name, kind, init, help) char name##_row;
#include "ir/ops.def"
};

static const pim_op_attr attrs[] = {
#define ATTR(op, name, kind, init, help) {#name, PIM_ATTR_##kind, init, help},
#include "ir/ops.def"
};

/* The letters of the column `flags`. */
enum {
	M = PIM_OPF_matrix,
	V = PIM_OPF_vector,
	E = PIM_OPF_elementwise,
	C = PIM_OPF_commutes,
	T = PIM_OPF_move,
	L = PIM_OPF_leaf,
	I = PIM_OPF_lookup,
	P = PIM_OPF_in_place,
	A = PIM_OPF_any_address,
};

/* Rows that belong to another row fill in or replace one field of it. */
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Woverride-init"
static const pim_op_info table[PIM_OP_COUNT] = {
#define OP(op, min, max, bits, text)                                                               \
	[PIM_OP_##op].name = #op, [PIM_OP_##op].help = text, [PIM_OP_##op].min_inputs = min,           \
	[PIM_OP_##op].max_inputs = max, [PIM_OP_##op].flags = bits, [PIM_OP_##op].steps = 1,           \
	[PIM_OP_##op].n_attrs = sizeof(struct attrs_##op) - 1, [PIM_OP_##op].attrs = attrs + AT_##op,  \
	[PIM_OP_##op].infer = pim_infer_##op, [PIM_OP_##op].eval = pim_eval_##op,                      \
	[PIM_OP_##op].axes = pim_axes_##op,
#define STEPS(op, n) [PIM_OP_##op].steps = n,
#define FOLD(op) [PIM_OP_##op].fold = pim_fold_##op,
#define DECOMPOSE(op) [PIM_OP_##op].decompose = pim_decompose_##op,
#include "ir/ops.def"
};
#pragma GCC diagnostic pop

const pim_op_info *pim_op_at(pim_op op)
{
	return &table[op];
}

pim_op pim_op_find(const char *name, size_t n)
{
	int op = 0;
	while (op < PIM_OP_COUNT && (strncmp(table[op].name, name, n) || table[op].name[n]))
		op++;
	return (pim_op)op;
}
