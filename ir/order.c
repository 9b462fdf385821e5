/* SPDX-License-Identifier: Apache-2.0 */
/* order - in which order the slices of a node take turns, and which of its units they run on.
 *
 * Printed as pieces first..last:step*times:shift: a run of slices `step` apart (1 when it is left
 * out), and `times` such runs, each `shift` behind the one before. 0..56:8*8:1 walks an 8 x 8 grid
 * by columns. */
#include <assert.h>

#include "ir/plan.h"

pim_order *pim_order_new(int64_t n, const int32_t *slice, pim_arena *a)
{
	pim_order *o = PIM_NEW(a, pim_order, 1);
	*o = (pim_order){.n = n, .slice = PIM_NEW(a, int32_t, n), .position = PIM_NEW(a, int32_t, n)};
	for (int64_t i = 0; i < n; i++) {
		o->slice[i] = slice[i];
		if (slice[i] >= 0 && slice[i] < n)
			o->position[slice[i]] = (int32_t)i;
	}
	return o;
}

bool pim_order_is_permutation(const pim_order *o)
{
	for (int64_t i = 0; i < o->n; i++)
		if (o->slice[i] < 0 || o->slice[i] >= o->n || o->position[o->slice[i]] != i)
			return false;
	return true;
}

int64_t pim_slice_position(const pim_node *n, int64_t slice)
{
	const pim_order *o = n->plan->order;
	return o ? o->position[slice] : slice;
}

int64_t pim_slice_at(const pim_node *n, int64_t position)
{
	const pim_order *o = n->plan->order;
	return o ? o->slice[position] : position;
}

int64_t pim_slice_slot(const pim_node *n, int64_t slice, int64_t units)
{
	return pim_slice_position(n, slice) % units;
}

int pim_slice_unit(const pim_node *n, int64_t slice)
{
	return n->plan->unit[pim_slice_slot(n, slice, n->plan->n_units)];
}

/* Items from i on that are one step apart. */
static int64_t run_length(const pim_order *o, int64_t i)
{
	int64_t length = 1;
	while (i + length < o->n &&
		   o->slice[i + length] - o->slice[i + length - 1] == o->slice[i + 1] - o->slice[i])
		length++;
	return length;
}

/* How often items i..i+length-1 come again, each time as far behind. */
static int64_t count_runs(const pim_order *o, int64_t i, int64_t length)
{
	int64_t end = i + length;
	while (
		end < o->n && o->slice[end] - o->slice[end - length] == o->slice[i + length] - o->slice[i])
		end++;
	return (end - i) / length;
}

void pim_order_print(const pim_order *o, pim_text *out)
{
	pim_text_str(out, "order=(");
	for (int64_t i = 0; i < o->n;) {
		int64_t length = run_length(o, i), times = count_runs(o, i, length);
		int step = length > 1 ? o->slice[i + 1] - o->slice[i] : 1;
		if (length == 2 && times == 1 && step != 1)
			length = 1;
		pim_text_printf(out, i ? ", %d" : "%d", (int)o->slice[i]);
		if (length > 1)
			pim_text_printf(out, "..%d", (int)o->slice[i + length - 1]);
		if (length > 1 && step != 1)
			pim_text_printf(out, ":%d", step);
		if (times > 1)
			pim_text_printf(out, "*%d:%d", (int)times, (int)(o->slice[i + length] - o->slice[i]));
		i += length * times;
	}
	pim_text_str(out, ")");
}
