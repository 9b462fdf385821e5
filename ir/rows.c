/* SPDX-License-Identifier: Apache-2.0 */
/* rows - walks a row-major result and operands with any strides, one innermost row at a time.
 *
 * Neighbouring dims along which every operand goes on evenly are merged first, so that most walks
 * are one long row. */
#include "ir/op_rules.h"

#include <string.h>

/* Whether dim d can join the merged dim m inside which it lies. */
static bool does_join(
	const pim_rows *r, int m, int64_t size, const int64_t (*strides)[PIM_MAX_RANK], int d)
{
	for (int i = 0; i < r->n_operands; i++)
		if (r->stride[i][m] != strides[i][d] * size)
			return false;
	return true;
}

void pim_rows_begin(
	pim_rows *r, int rank, const int64_t *dims, int n, const int64_t (*strides)[PIM_MAX_RANK])
{
	*r = (pim_rows){.n_operands = n};
	int m = -1;
	for (int d = 0; d < rank; d++) {
		r->empty |= dims[d] == 0;
		if (dims[d] == 1)
			continue;
		if (m >= 0 && does_join(r, m, dims[d], strides, d))
			r->dim[m] *= dims[d];
		else
			r->dim[++m] = dims[d];
		for (int i = 0; i < n; i++)
			r->stride[i][m] = strides[i][d];
	}
	r->rank = m < 0 ? 0 : m;
	r->length = m < 0 ? 1 : r->dim[m];
	for (int i = 0; i < n; i++)
		r->step[i] = m < 0 ? 0 : r->stride[i][m];
}

void pim_rows_begin_broadcast(pim_rows *r, const pim_type *result, int n, const pim_tensor *in)
{
	int64_t strides[PIM_MAX_OPERANDS][PIM_MAX_RANK];
	for (int i = 0; i < n; i++) {
		int64_t own[PIM_MAX_RANK];
		const pim_type *t = in[i].type;
		int shift = result->rank - t->rank;
		pim_type_strides(t, own);
		for (int d = 0; d < result->rank; d++)
			strides[i][d] = d < shift || t->dims[d - shift] == 1 ? 0 : own[d - shift];
	}
	pim_rows_begin(r, result->rank, result->dims, n, (const int64_t(*)[PIM_MAX_RANK])strides);
}

bool pim_rows_next(pim_rows *r)
{
	if (!r->started) {
		r->started = true;
		return !r->empty;
	}
	r->result += r->length;
	for (int d = r->rank - 1; d >= 0; d--) {
		for (int i = 0; i < r->n_operands; i++)
			r->offset[i] += r->stride[i][d];
		if (++r->at[d] < r->dim[d])
			return true;
		for (int i = 0; i < r->n_operands; i++)
			r->offset[i] -= r->stride[i][d] * r->dim[d];
		r->at[d] = 0;
	}
	return false;
}

/* One row of elements of 1, 2, 4 or 8 bytes, `step` elements apart. */
static void copy_row(size_t bytes, char *to, const char *from, int64_t step, int64_t n)
{
	ptrdiff_t jump = (ptrdiff_t)step * (ptrdiff_t)bytes;
	if (step == 1)
		memcpy(to, from, (size_t)n * bytes);
	else if (bytes == 4)
		for (int64_t i = 0; i < n; i++, from += jump)
			memcpy(to + 4 * i, from, 4);
	else if (bytes == 8)
		for (int64_t i = 0; i < n; i++, from += jump)
			memcpy(to + 8 * i, from, 8);
	else
		for (int64_t i = 0; i < n; i++, from += jump)
			memcpy(to + (size_t)i * bytes, from, bytes);
}

void pim_rows_copy(
	size_t bytes, int rank, const int64_t *dims, void *to, const void *from, const int64_t *strides)
{
	int64_t all[1][PIM_MAX_RANK] = {{0}};
	pim_rows r;
	for (int d = 0; d < rank; d++)
		all[0][d] = strides[d];
	for (pim_rows_begin(&r, rank, dims, 1, (const int64_t(*)[PIM_MAX_RANK])all); pim_rows_next(&r);)
		copy_row(bytes, (char *)to + (size_t)r.result * bytes,
			(const char *)from + r.offset[0] * (int64_t)bytes, r.step[0], r.length);
}
