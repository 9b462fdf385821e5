/* SPDX-License-Identifier: Apache-2.0 */
/* estimate - what one node costs when it may use so many units.
 *
 * Compute is the nest's figure for one slice, once per wave; ops that only move elements have no
 * kernel and take what copies within the unit take. A box that lies whole in one home on the unit
 * is read in place. Incoming is what a wave waits for its inputs: every piece from another unit is
 * one message, paid at the port of the sender and again at that of the receiver; the wave waits for
 * the longest of what one slice receives, what one sender sends, and what the links carry when half
 * of them are used evenly. Three slices (first, middle, last) stand for all. Which units is not
 * known yet: slice s of any node is taken to be on unit (s mod its units), and a message to travel
 * a third of the network's diameter. While a wave computes, the next one's inputs arrive: with c
 * and q cycles of both, w waves take q + w*c + (w-1)*max(0, q-c). Needs a layout, and a nest but
 * for moves. Source: ours; the charges are those of the simulator. */
#include "passes/pass.h"

typedef struct crew {
	int units, from; /* of the node; of each of its producers, at most */
} crew;

/* What one slice needs of all inputs: bytes and messages from other units, and the cycles they take
 * at the receiver's port, at the senders' ports and in copies within the unit. */
typedef struct arrivals {
	int64_t bytes, messages, receive, send, copy;
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

static bool only_moves(const pim_node *n)
{
	return pim_op_at((pim_op)n->op)->flags & PIM_OPF_move;
}

/* Is the slice, or a copy of it, on the logical unit `to`? */
static bool is_home(const pim_layout *l, int64_t slice, int64_t units, int64_t to)
{
	int64_t each = pim_layout_slices(l) / l->copies;
	for (int64_t c = 0; c < l->copies; c++)
		if ((slice % each + c * each) % units == to)
			return true;
	return false;
}

static void count_input(const pim_target *t, const pim_node *n, const pim_axes *x, int input,
	const pim_box *axes, int64_t slice, crew c, arrivals *a)
{
	const pim_node *from = n->in[input];
	const pim_layout *l = from->plan->layout;
	int64_t units = at_most(c.from, pim_layout_slices(l)), pieces = 0, copy = 0;
	pim_box need, part;
	pim_axes_demand(x, n, input, axes, &need, NULL, NULL);
	pim_pieces p = pim_pieces_of(from, &need, slice % l->copies);
	for (int64_t s; pim_pieces_next(&p, &s, &part); pieces++) {
		int64_t bytes = pim_box_elements(&part) * (int64_t)pim_dtype_bytes(from->type->dtype);
		int64_t port = pim_target_memory_cycles(t, bytes) + t->command_cycles;
		if (is_home(l, s, units, slice % c.units)) {
			copy += port;
			continue;
		}
		a->bytes += bytes;
		a->messages++;
		a->receive += port;
		a->send += at_least(port, pim_target_send_cycles(t, bytes, 0) + t->command_cycles);
	}
	a->copy += pieces > 1 || only_moves(n) ? copy : 0;
}

static arrivals count_arrivals(
	const pim_target *t, const pim_node *n, const pim_axes *x, int64_t slice, crew c)
{
	arrivals a = {0};
	pim_box axes;
	pim_slice_axes(n, x, slice, &axes);
	for (int i = 0; i < (int)n->n_in; i++)
		if (has_layout(n->in[i]))
			count_input(t, n, x, i, &axes, slice, c, &a);
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
	int hops = (int)divide_up(pim_network_diameter(t), 3);
	int64_t first = a->send / a->messages + hops * t->network.hop_cycles;
	double links = t->network.link_bytes_per_cycle * t->units * 2;
	int64_t carried = (int64_t)((double)a->bytes * (double)wide * hops / links);
	return first + at_least(carried, at_least(a->receive, divide_up(a->send * wide, senders)));
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
		arrivals a = count_arrivals(t, n, x, sample[i], c);
		copied = at_least(copied, a.copy);
		waits = at_least(waits, wait_for(t, &a, c.units, senders));
		e.bytes += (double)a.bytes * (double)e.slices / 3;
	}
	int64_t kernels = n->plan->nest && !only_moves(n) ? n->plan->nest->cycles : 0,
			compute = kernels + copied;
	e.compute = compute * e.waves;
	e.incoming = waits * e.waves;
	e.cycles = at_least(1, waits + e.compute + (e.waves - 1) * at_least(0, waits - compute));
	return e;
}
