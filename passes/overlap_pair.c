/* SPDX-License-Identifier: Apache-2.0 */
/* overlap_pair - a producer and a consumer of its result, dimension by dimension.
 *
 * Each dimension of the value between is an index of the consumer's axes (what it reads) and one of
 * the producer's (what it makes); the ready step of a box is 1 + R0 and a part for each. */
#include "passes/overlap.h"

pim_pair pim_pair_of(int input, const pim_axes *x, const pim_spaces *consumer, const pim_node *v,
	const pim_axes *y, const pim_spaces *producer)
{
	pim_pair e = {.producer = producer, .consumer = consumer, .n = v->type->rank};
	for (int d = 0; d < e.n; d++) {
		pim_pair_dim *p = &e.dim[d];
		*p = (pim_pair_dim){.size = v->type->dims[d],
			.read = x->map[input][d],
			.made = y->map[y->n_inputs][d],
			.read_whole = x->whole && x->whole[input]};
		for (int k = 0; k < p->made.n; k++) {
			pim_axis_kind kind = y->axis[p->made.term[k].axis].kind;
			p->made_whole = p->made_whole || kind == PIM_AXIS_summed || kind == PIM_AXIS_coupled;
		}
	}
	return e;
}

bool pim_pair_need(const pim_pair *e, int dim, const pim_box *axes, int64_t *lo, int64_t *hi)
{
	const pim_pair_dim *d = &e->dim[dim];
	*lo = d->read_whole ? 0 : d->read.offset;
	*hi = d->read_whole ? d->size : *lo + 1;
	for (int t = 0; t < d->read.n && !d->read_whole; t++) {
		int a = d->read.term[t].axis;
		int64_t first = d->read.term[t].coef * axes->lo[a],
				last = d->read.term[t].coef * (axes->hi[a] - 1);
		*lo += pim_min(first, last);
		*hi += pim_max(first, last);
	}
	*lo = pim_max(*lo, 0);
	*hi = pim_min(*hi, d->size);
	return *lo < *hi;
}

/* Outer axes stand at the first index of the range, until one of them begins with it and has its
 * inner axes in full. */
int64_t pim_pair_made(const pim_pair *e, int dim, int64_t lo, int64_t hi, pim_box *axes)
{
	const pim_pair_dim *d = &e->dim[dim];
	int64_t first = lo - d->made.offset, end = hi - d->made.offset, done = end;
	bool all = d->made_whole;
	for (int t = 0; t < d->made.n; t++) {
		int a = d->made.term[t].axis;
		int64_t coef = d->made.term[t].coef, at = first / coef, last = t + 1 == d->made.n;
		axes->lo[a] = all ? 0 : at;
		axes->hi[a] = all ? e->producer->size[a] : last ? pim_divide_up(end, coef) : end / coef;
		if (all || last)
			continue;
		all = first == at * coef && axes->hi[a] > at;
		axes->hi[a] = all ? axes->hi[a] : at + 1;
		done -= all ? end - axes->hi[a] * coef : pim_max(end - (at + 1) * coef, 0);
		end = pim_min(end, (at + 1) * coef) - at * coef;
		first -= at * coef;
	}
	return done + d->made.offset;
}

static int64_t part_of_box(const pim_pair *e, int dim, const pim_box *axes)
{
	const pim_index *made = &e->dim[dim].made;
	int64_t part = 0;
	for (int t = 0; t < made->n; t++) {
		int a = made->term[t].axis;
		part += pim_spaces_axis_ready(e->producer, a, axes->lo[a], axes->hi[a]);
	}
	return part;
}

int64_t pim_pair_part(const pim_pair *e, int dim, int64_t lo, int64_t hi)
{
	pim_box axes;
	int64_t part = 0;
	while (lo < hi) {
		lo = pim_pair_made(e, dim, lo, hi, &axes);
		part = pim_max(part, part_of_box(e, dim, &axes));
	}
	return part;
}

static int count_readers(const pim_pair *e, int axis)
{
	int readers = 0;
	for (int d = 0; d < e->n; d++)
		for (int t = 0; t < e->dim[d].read.n && !e->dim[d].read_whole; t++)
			readers += e->dim[d].read.term[t].axis == axis;
	return readers;
}

bool pim_pair_separates(const pim_pair *e)
{
	for (int a = 0; a < e->consumer->n_axes; a++)
		if (count_readers(e, a) > 1)
			return false;
	return true;
}
