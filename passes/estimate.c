/* SPDX-License-Identifier: Apache-2.0 */
/* estimate - what one node costs when it may use so many units.
 *
 * Compute is the nest's figure for one slice, once per wave. Incoming is what a wave waits for its
 * inputs: the bytes and messages one slice receives from other units, and no less than what the
 * busiest sender needs to get its share out; three slices (first, middle, last) stand for all.
 * Which units is not known yet: slice s of any node is taken to be on unit (s mod its units), and a
 * message to travel a third of the network's diameter. While a wave computes, the next one's inputs
 * arrive: with c and q cycles of both, w waves take q + w*c + (w-1)*max(0, q-c). Needs a layout and
 * a nest; ops that only move elements may be without a nest. */
#include "passes/pass.h"

typedef struct crew {
	int units, from; /* of the node; of each of its producers, at most */
} crew;

typedef struct arrivals {
	int64_t remote, local, messages; /* bytes, bytes, count: of one slice, all inputs */
} arrivals;

static int64_t at_most(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

static int64_t at_least(int64_t a, int64_t b)
{
	return a > b ? a : b;
}

static int64_t divide_up(int64_t a, int64_t b)
{
	return a / b + (a % b != 0);
}

static bool has_layout(const pim_node *n)
{
	return n && n->plan && n->plan->layout;
}

static void count_input(const pim_node *n, const pim_axes *x, int input, const pim_box *axes,
	int64_t slice, crew c, arrivals *a)
{
	const pim_node *from = n->in[input];
	int64_t from_units = at_most(c.from, pim_layout_slices(from->plan->layout));
	int64_t size = (int64_t)pim_dtype_bytes(from->type->dtype), to = slice % c.units;
	pim_box need, part;
	pim_axes_demand(x, n, input, axes, &need, NULL, NULL);
	pim_pieces p = pim_pieces_of(from, &need, slice % from->plan->layout->copies);
	for (int64_t s; pim_pieces_next(&p, &s, &part);) {
		int64_t bytes = pim_box_elements(&part) * size;
		bool home = s % from_units == to;
		a->local += home ? bytes : 0;
		a->remote += home ? 0 : bytes;
		a->messages += home ? 0 : 1;
	}
}

static arrivals count_arrivals(const pim_node *n, const pim_axes *x, int64_t slice, crew c)
{
	arrivals a = {0};
	pim_box axes;
	pim_slice_axes(n, x, slice, &axes);
	for (int i = 0; i < (int)n->n_in; i++)
		if (has_layout(n->in[i]))
			count_input(n, x, i, &axes, slice, c, &a);
	return a;
}

/* Units that hold the inputs: those over which what is sent is spread. */
static int64_t count_senders(const pim_node *n, int units)
{
	int64_t senders = 1;
	for (int i = 0; i < (int)n->n_in; i++)
		if (has_layout(n->in[i]))
			senders = at_least(senders, at_most(units, pim_layout_slices(n->in[i]->plan->layout)));
	return senders;
}

/* Cycles until the inputs of a wave of `wide` slices, each like this one, have arrived. */
static int64_t wait_for(const pim_target *t, const arrivals *a, int64_t wide, int64_t senders)
{
	if (!a->messages)
		return 0;
	int64_t bytes = at_least(a->remote, divide_up(a->remote * wide, senders));
	int64_t messages = at_least(a->messages, divide_up(a->messages * wide, senders));
	int hops = (int)divide_up(pim_network_diameter(t), 3);
	return pim_target_send_cycles(t, bytes, hops) + messages * t->command_cycles;
}

pim_estimate pim_node_estimate(
	const pim_target *t, const pim_node *n, int units, int from_units, pim_arena *scratch)
{
	pim_estimate e = {.slices = 1, .waves = 1, .cycles = 1};
	if (!has_layout(n))
		return e;
	e.slices = pim_layout_slices(n->plan->layout);
	crew c = {
		.units = (int)at_most(at_least(units, 1), e.slices), .from = (int)at_least(from_units, 1)};
	e.waves = divide_up(e.slices, c.units);
	const pim_axes *x = pim_axes_new(n, scratch);
	int64_t sample[] = {0, e.slices / 2, e.slices - 1}, copied = 0, waits = 0,
			senders = count_senders(n, c.from);
	for (int i = 0; i < 3; i++) {
		arrivals a = count_arrivals(n, x, sample[i], c);
		copied = at_least(copied, a.local);
		waits = at_least(waits, wait_for(t, &a, c.units, senders));
		e.bytes += (double)a.remote * (double)e.slices / 3;
	}
	int64_t compute = n->plan->nest ? n->plan->nest->cycles
					  : copied		? pim_target_memory_cycles(t, copied)
									: 0;
	e.compute = compute * e.waves;
	e.incoming = waits * e.waves;
	e.cycles = at_least(1, waits + e.compute + (e.waves - 1) * at_least(0, waits - compute));
	return e;
}
