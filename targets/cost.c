/* SPDX-License-Identifier: Apache-2.0 */
/* cost.c - cycles and energy of kernels, transfers and messages.
 *
 * Every estimate of a pass and every charge of the simulator comes from here. A matrix kernel is
 * output-stationary (ours): the array holds rows x columns results and takes one
 * multiply-accumulate of each per cycle, so a tile takes batch * ceil(m/rows) * ceil(n/columns) * k
 * cycles and the fill. Which axis is which is read from the indices: one that indexes the result
 * and the first input only is a row (m), the result and the second input only a column (n), all
 * three a batch, and one that the result does not have is summed (k). The weights of a convolution
 * thus stand in the columns and its places and images in the rows. A vector kernel makes `steps`
 * lane operations for each point of the iteration space, so reductions and windows pay for what
 * they read. The issue of the command (command_cycles) is not in these figures. Command sets other
 * than tile have rules of their own, in a table at the end. */
#include <math.h>
#include <string.h>

#include "targets/bank/bank.h"
#include "targets/target.h"

/* Cycles to move bytes at a rate; at least one for anything. */
static int64_t cycles_at(int64_t bytes, double rate)
{
	double cycles = ceil((double)bytes / rate);
	return cycles < 9e18 ? (int64_t)cycles : INT64_MAX;
}

/* Does this axis index the input (or, for input = n_inputs, the result)? */
static bool indexes(const pim_axes *x, int input, int axis)
{
	if (input < x->n_inputs && x->whole && x->whole[input])
		return false;
	for (int d = 0; d < PIM_MAX_RANK; d++)
		for (int t = 0; t < x->map[input][d].n; t++)
			if (x->map[input][d].term[t].axis == axis)
				return true;
	return false;
}

typedef struct product_shape {
	int64_t batch, m, n, k;
} product_shape;

static product_shape find_product(const pim_axes *x, const int64_t *extent)
{
	product_shape s = {1, 1, 1, 1};
	for (int a = 0; a < x->n_axes; a++) {
		bool first = x->n_inputs > 0 && indexes(x, 0, a);
		bool second = x->n_inputs > 1 && indexes(x, 1, a);
		int64_t *part = &s.m;
		if (!indexes(x, x->n_inputs, a))
			part = &s.k;
		else if (first && second)
			part = &s.batch;
		else if (second)
			part = &s.n;
		*part = pim_times(*part, extent[a]);
	}
	return s;
}

static int64_t count_points(const pim_axes *x, const int64_t *extent)
{
	int64_t points = 1;
	for (int a = 0; a < x->n_axes; a++)
		points = pim_times(points, extent[a]);
	return points;
}

static int64_t matrix_cycles(const pim_target *t, const pim_axes *x, const int64_t *extent)
{
	product_shape s = find_product(x, extent);
	int64_t waves =
		pim_times(pim_divide_up(s.m, t->matrix.rows), pim_divide_up(s.n, t->matrix.columns));
	return pim_plus(pim_times(pim_times(s.batch, waves), s.k), t->matrix.fill_cycles);
}

/* Entries of a table that are named by indices are not walked over: one step per result element. */
static int64_t count_results(const pim_axes *x, const int64_t *extent)
{
	int64_t points = 1;
	for (int a = 0; a < x->n_axes; a++)
		points = pim_times(points, indexes(x, x->n_inputs, a) ? extent[a] : 1);
	return points;
}

static int64_t vector_steps(const pim_node *op, const pim_axes *x, const int64_t *extent)
{
	const pim_op_info *info = pim_op_at((pim_op)op->op);
	bool lookup = info->flags & PIM_OPF_lookup;
	return pim_times(lookup ? count_results(x, extent) : count_points(x, extent), info->steps);
}

static bool is_product(const pim_node *op)
{
	return pim_op_at((pim_op)op->op)->flags & PIM_OPF_matrix;
}

static int64_t tile_kernel_cycles(
	const pim_target *t, const pim_node *op, const pim_axes *x, const int64_t *extent)
{
	if (is_product(op))
		return matrix_cycles(t, x, extent);
	return pim_plus(
		pim_divide_up(vector_steps(op, x, extent), t->vector.lanes), t->vector.start_cycles);
}

static double tile_kernel_pj(
	const pim_target *t, const pim_node *op, const pim_axes *x, const int64_t *extent)
{
	if (is_product(op))
		return (double)count_points(x, extent) * t->matrix.mac_pj;
	return (double)vector_steps(op, x, extent) * t->vector.step_pj;
}

static int64_t tile_memory_cycles(const pim_target *t, int64_t bytes)
{
	return pim_plus(cycles_at(bytes, t->memory.bytes_per_cycle), t->memory.latency);
}

/* One step of a lane for each element. */
static int64_t tile_add_cycles(const pim_target *t, pim_dtype type, int64_t elements)
{
	(void)type;
	return pim_plus(pim_divide_up(elements, t->vector.lanes), t->vector.start_cycles);
}

/* ---- by command set ---- */

typedef struct rules {
	const char *set;
	int64_t (*kernel_cycles)(
		const pim_target *, const pim_node *, const pim_axes *, const int64_t *);
	double (*kernel_pj)(const pim_target *, const pim_node *, const pim_axes *, const int64_t *);
	int64_t (*memory_cycles)(const pim_target *, int64_t);
	int64_t (*add_cycles)(const pim_target *, pim_dtype, int64_t);
	const char *(*refusal)(
		const pim_target *, const pim_node *, const pim_axes *, const int64_t *); /* NULL: none */
} rules;

static const rules known[] = {
	{"bank", pim_bank_kernel_cycles, pim_bank_kernel_pj, pim_bank_memory_cycles,
		pim_bank_add_cycles, pim_bank_refusal},
	{"tile", tile_kernel_cycles, tile_kernel_pj, tile_memory_cycles, tile_add_cycles, NULL},
};

/* The last row is that of machines without a set of their own. */
static const rules *rules_of(const pim_target *t)
{
	size_t last = sizeof known / sizeof known[0] - 1;
	for (size_t i = 0; i < last; i++)
		if (t->command_set && !strcmp(t->command_set, known[i].set))
			return &known[i];
	return &known[last];
}

int64_t pim_target_kernel_cycles(
	const pim_target *t, const pim_node *op, const pim_axes *x, const int64_t *extent)
{
	return rules_of(t)->kernel_cycles(t, op, x, extent);
}

double pim_target_kernel_pj(
	const pim_target *t, const pim_node *op, const pim_axes *x, const int64_t *extent)
{
	return rules_of(t)->kernel_pj(t, op, x, extent);
}

int64_t pim_target_memory_cycles(const pim_target *t, int64_t bytes)
{
	return rules_of(t)->memory_cycles(t, bytes);
}

int64_t pim_target_buffer_cycles(const pim_target *t, int64_t bytes)
{
	return pim_plus(cycles_at(bytes, t->buffer.bytes_per_cycle), t->buffer.latency);
}

int64_t pim_target_in_place_cycles(const pim_target *t, int64_t bytes)
{
	return t->bank.grid ? 0 : cycles_at(bytes, t->memory.bytes_per_cycle);
}

int64_t pim_target_add_cycles(const pim_target *t, pim_dtype type, int64_t elements)
{
	return rules_of(t)->add_cycles(t, type, elements);
}

int64_t pim_target_send_cycles(const pim_target *t, int64_t bytes, int hops)
{
	return pim_plus(
		cycles_at(bytes, t->network.link_bytes_per_cycle), pim_times(hops, t->network.hop_cycles));
}

int64_t pim_target_link_cycles(const pim_target *t, int64_t bytes)
{
	return pim_max(1, pim_target_send_cycles(t, bytes, 0));
}

const char *pim_target_refusal(
	const pim_target *t, const pim_node *op, const pim_axes *x, const int64_t *extent)
{
	const rules *r = rules_of(t);
	return r->refusal ? r->refusal(t, op, x, extent) : NULL;
}

int64_t pim_node_macs(const pim_node *n)
{
	if (!is_product(n))
		return 0;
	pim_arena *scratch = pim_arena_new();
	const pim_axes *x = pim_axes_new(n, scratch);
	int64_t macs = 1;
	for (int a = 0; a < x->n_axes; a++)
		macs = pim_times(macs, x->axis[a].size);
	pim_arena_free(scratch);
	return macs;
}

int64_t pim_target_usable_bytes(const pim_target *t)
{
	enum { GAPS = 64 }; /* one part of so many */
	return t->memory.bytes - t->memory.bytes / GAPS;
}

int64_t pim_target_constant_bytes(int64_t bytes)
{
	return (bytes + PIM_CONSTANT_ALIGN - 1) / PIM_CONSTANT_ALIGN * PIM_CONSTANT_ALIGN;
}
