/* SPDX-License-Identifier: Apache-2.0 */
/* transfer.c - what a node needs from elsewhere: collected over all of its slices, put into one
 * order, then written.
 *
 * Equal bytes that several units ask for leave their owner once, as a multicast. The engines that
 * send and receive take their commands in order, so a transfer must not stand before one that can
 * go earlier: transfers are sorted by the time at which the schedule has their source ready, then
 * by the turn of the slice that reads them, then by how far the unit numbers of sender and receiver
 * lie apart. By the last, units that exchange all with all do so in rounds in which every unit
 * sends to another one, instead of all to the first, then all to the second.
 *
 * No deadlock: there is one global order in which commands are written, whatever it is, and a recv
 * stands behind its send in it. Streams and the commands an engine takes keep that order, `after`
 * reaches back in it, and a send never waits for its receiver; so of all commands that have not
 * ended, the first in the global order can always go on. Messages between two units are sent and
 * received in that order, too, so each recv takes the message meant for it. */
#include <stdlib.h>
#include <string.h>

#include "ir/array.h"
#include "targets/tile/tile.h"

/* Transfers with one source that leave together: n of them, from `first` on. */
typedef struct bundle {
	const pim_transfer *const *first;
	int n, distance;
	int64_t turn;
} bundle;

/* How the elements are read: dims joined where they are consecutive in the source, to = packed. */
static pim_pattern sent_pattern(const pim_pattern *p)
{
	pim_pattern sent = *p;
	int64_t bytes = (int64_t)pim_dtype_bytes(p->dtype);
	for (int d = p->rank - 1; d >= 0; d--) {
		sent.to[d] = bytes;
		bytes *= p->extent[d];
	}
	pim_pattern_simplify(&sent);
	return sent;
}

void pim_transfer_add(pim_lowering *l, const pim_pattern *p, int from_unit, pim_touch from,
	int to_unit, pim_touch to, int64_t ready)
{
	l->transfer =
		pim_array_grow(l->transfer, l->n_transfers, &l->room_transfers, sizeof *l->transfer);
	pim_touch_span(p, p->from, &from);
	pim_touch_span(p, p->to, &to);
	l->transfer[l->n_transfers] = (pim_transfer){.pattern = *p,
		.sent = sent_pattern(p),
		.from_unit = from_unit,
		.to_unit = to_unit,
		.from = from,
		.to = to,
		.ready = ready > l->since ? ready : l->since,
		.turn = l->turn,
		.order = l->n_transfers};
	l->n_transfers++;
}

int64_t pim_slice_ready(const pim_node *value, int64_t slice)
{
	const pim_plan *p = value->plan;
	if (pim_op_at(value->op)->flags & PIM_OPF_leaf)
		return 0;
	int64_t waves = (pim_layout_slices(p->layout) + p->n_units - 1) / p->n_units;
	return p->start + p->cycles * (pim_slice_position(value, slice) / p->n_units + 1) / waves;
}

static int compare(int64_t a, int64_t b)
{
	return (a > b) - (a < b);
}

static int compare_lists(const int64_t *a, const int64_t *b, int n)
{
	for (int i = 0; i < n; i++)
		if (a[i] != b[i])
			return compare(a[i], b[i]);
	return 0;
}

static int compare_sent(const pim_pattern *a, const pim_pattern *b)
{
	if (a->dtype != b->dtype)
		return compare(a->dtype, b->dtype);
	if (a->rank != b->rank)
		return compare(a->rank, b->rank);
	int extents = compare_lists(a->extent, b->extent, a->rank);
	return extents ? extents : compare_lists(a->from, b->from, a->rank);
}

static int compare_sources(const pim_transfer *a, const pim_transfer *b)
{
	if (a->from_unit != b->from_unit)
		return compare(a->from_unit, b->from_unit);
	if (a->from.space != b->from.space)
		return compare(a->from.space, b->from.space);
	if (a->from.address != b->from.address)
		return compare(a->from.address, b->from.address);
	return compare_sent(&a->sent, &b->sent);
}

/* What may become one multicast lies together; what stays within a unit, behind it. */
static int by_source(const void *a, const void *b)
{
	const pim_transfer *x = *(const pim_transfer *const *)a, *y = *(const pim_transfer *const *)b;
	bool local = x->from_unit == x->to_unit, other = y->from_unit == y->to_unit;
	if (local != other)
		return local - other;
	int sources = compare_sources(x, y);
	if (sources)
		return sources;
	return x->to_unit != y->to_unit ? compare(x->to_unit, y->to_unit) : compare(x->order, y->order);
}

static bool may_join(const pim_transfer *before, const pim_transfer *t)
{
	return t->from_unit != t->to_unit && before->to_unit != t->to_unit &&
		   compare_sources(before, t) == 0;
}

static int find_distance(const pim_lowering *l, const pim_transfer *t)
{
	int distance = t->to_unit - t->from_unit;
	return distance < 0 ? distance + l->target->units : distance;
}

static int64_t make_bundles(const pim_lowering *l, const pim_transfer *const *t, bundle *b)
{
	int64_t n = 0;
	for (int64_t i = 0; i < l->n_transfers; i++) {
		int distance = find_distance(l, t[i]);
		if (i == 0 || !may_join(t[i - 1], t[i]))
			b[n++] = (bundle){&t[i], 0, distance, t[i]->turn};
		bundle *last = &b[n - 1];
		last->n++;
		last->turn = t[i]->turn < last->turn ? t[i]->turn : last->turn;
		last->distance = distance < last->distance ? distance : last->distance;
	}
	return n;
}

static int by_time(const void *a, const void *b)
{
	const bundle *x = a, *y = b;
	const pim_transfer *s = *x->first, *t = *y->first;
	if (s->ready != t->ready)
		return compare(s->ready, t->ready);
	if (x->turn != y->turn)
		return compare(x->turn, y->turn);
	if (x->distance != y->distance)
		return compare(x->distance, y->distance);
	return compare(s->order, t->order);
}

static void emit_multicast(pim_lowering *l, const bundle *b, int *unit)
{
	const pim_transfer *source = b->first[0];
	for (int i = 0; i < b->n; i++)
		unit[i] = b->first[i]->to_unit;
	pim_emit(l, source->from_unit, PIM_COMMAND_multicast,
		pim_program_pattern(l->program, &source->sent), pim_program_group(l->program, b->n, unit),
		false, 1, &source->from);
	for (int i = 0; i < b->n; i++)
		pim_emit(l, unit[i], PIM_COMMAND_recv,
			pim_program_pattern(l->program, &b->first[i]->pattern), (uint32_t)source->from_unit,
			false, 1, &b->first[i]->to);
}

void pim_transfers_emit(pim_lowering *l)
{
	if (!l->n_transfers)
		return;
	pim_arena *scratch = pim_arena_new();
	const pim_transfer **sorted = PIM_NEW(scratch, const pim_transfer *, l->n_transfers);
	bundle *b = PIM_NEW(scratch, bundle, l->n_transfers);
	int *unit = PIM_NEW(scratch, int, l->target->units);
	for (int64_t i = 0; i < l->n_transfers; i++)
		sorted[i] = &l->transfer[i];
	qsort(sorted, (size_t)l->n_transfers, sizeof *sorted, by_source);
	int64_t n = make_bundles(l, sorted, b);
	qsort(b, (size_t)n, sizeof *b, by_time);
	for (int64_t i = 0; i < n; i++) {
		const pim_transfer *t = b[i].first[0];
		if (b[i].n > 1)
			emit_multicast(l, &b[i], unit);
		else
			pim_emit_transfer(l, &t->pattern, t->from_unit, t->from, t->to_unit, t->to);
	}
	l->n_transfers = 0;
	pim_arena_free(scratch);
}
