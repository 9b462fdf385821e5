/* SPDX-License-Identifier: Apache-2.0 */
/* layout_cost.c - bytes and cycles to bring a value to the slices that read it.
 *
 * A slice gets what its own unit's homes do not hold from the slices that do. Bytes are exact from
 * the boxes, for slice s on unit s mod units. A message pays the memory port at both ends. Cycles
 * are those of the first message and the largest of three loads: the busiest reader, an
 * owner on average, and all links together at the mean distance (ours). */
#include <math.h>

#include "passes/pass.h"

/* Elements that two boxes share. */
static int64_t count_shared(int rank, const int64_t *a, const int64_t *b)
{
	int64_t shared = 1;
	for (int d = 0; d < rank && shared > 0; d++) {
		int64_t lo = pim_max(a[d], b[d]);
		int64_t hi = pim_min(a[rank + d], b[rank + d]);
		shared *= hi > lo ? hi - lo : 0;
	}
	return shared;
}

static int64_t piece_with(int64_t index, int64_t size, int64_t pieces)
{
	return ((index + 1) * pieces - 1) / size;
}

/* Slices of `from` that hold some part of a box, copies not counted. */
static int64_t count_owners(const pim_type *t, const pim_layout *from, const int64_t *need)
{
	int64_t owners = from->sums;
	for (int d = 0; d < t->rank; d++) {
		if (from->parts[d] == 1)
			continue;
		int64_t first = piece_with(need[d], t->dims[d], from->parts[d]);
		owners *= piece_with(need[t->rank + d] - 1, t->dims[d], from->parts[d]) - first + 1;
	}
	return owners;
}

/* Elements of `need` that the homes on one unit hold. */
static int64_t count_local(
	int rank, int units, const pim_state *from, int64_t unit, const int64_t *need)
{
	int64_t local = 0;
	for (int64_t s = unit; s < from->slices; s += units)
		local += count_shared(rank, from->home + s * 2 * rank, need);
	return local;
}

/* What an exchange amounts to: everything, and what the busiest reader takes. */
typedef struct exchange {
	int64_t bytes, messages, reader_bytes, reader_messages;
	int64_t held; /* bytes of all homes: what is there to be sent */
} exchange;

/* Readers of a byte, at least 1: what several read is sent once, along a tree of links that grows
 * by one for each further reader. */
static double find_cycles(const pim_target *t, const exchange *x, int64_t owners)
{
	double readers = fmax(1, (double)x->bytes / (double)x->held);
	double links = pim_network_link_count(t), hops = pim_network_mean_hops(t);
	double rate = t->network.link_bytes_per_cycle;
	double each = (double)(t->memory.latency + t->command_cycles);
	double reader =
		(double)x->reader_messages * each + (double)x->reader_bytes / t->memory.bytes_per_cycle;
	double sent = (double)x->bytes / readers / (double)owners;
	double owner = fmax(
		(double)x->messages / readers / (double)owners * each + sent / t->memory.bytes_per_cycle,
		sent / rate);
	double tree = fmin(readers * hops, hops + readers - 1);
	double carried = links > 0 ? (double)x->bytes / readers * tree / (links * rate) : 0;
	double first = each + hops * (double)t->network.hop_cycles;
	return first + fmax(carried, fmax(fmax(reader, (double)x->reader_bytes / rate), owner));
}

/* Does every unit hold all of it? */
static bool is_everywhere(const pim_target *t, const pim_state *from)
{
	return from->layout.copies >= t->units && from->layout.copies == from->slices;
}

pim_edge pim_edge_cost(const pim_target *t, const pim_type *type, const pim_state *from,
	const int64_t *need, int64_t slices)
{
	if (type->n_parts > 0 || !need || is_everywhere(t, from))
		return (pim_edge){0, 0};
	int rank = type->rank;
	int64_t bytes = (int64_t)pim_dtype_bytes(type->dtype);
	int64_t waves = (slices + t->units - 1) / t->units;
	int64_t owners = from->slices < t->units ? from->slices : t->units;
	exchange x = {.held = from->home_bytes * owners};
	for (int64_t s = 0; s < slices; s++) {
		const int64_t *box = need + s * 2 * rank;
		int64_t all = count_shared(rank, box, box) * from->layout.sums;
		int64_t local = all ? count_local(rank, t->units, from, s % t->units, box) : 0;
		if (all <= local)
			continue;
		int64_t messages = count_owners(type, &from->layout, box) - (local > 0);
		x.bytes += (all - local) * bytes;
		x.messages += messages;
		x.reader_bytes = pim_max(x.reader_bytes, (all - local) * bytes * waves);
		x.reader_messages = pim_max(x.reader_messages, messages * waves);
	}
	if (x.bytes == 0)
		return (pim_edge){0, 0};
	return (pim_edge){find_cycles(t, &x, owners), x.bytes};
}

pim_edge pim_relayout_cost(
	const pim_target *t, const pim_type *type, const pim_state *from, const pim_state *to)
{
	if (pim_layout_equal(&from->layout, &to->layout))
		return (pim_edge){0, 0};
	pim_edge e = pim_edge_cost(t, type, from, to->home, to->slices);
	int64_t elements = to->home_bytes / (int64_t)pim_dtype_bytes(type->dtype);
	if (from->layout.sums > 1)
		e.cycles +=
			(double)pim_target_add_cycles(t, type->dtype, elements) * (double)from->layout.sums;
	e.cycles += (double)to->home_bytes / t->memory.bytes_per_cycle + (double)t->memory.latency;
	return e;
}
