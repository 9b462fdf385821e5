/* SPDX-License-Identifier: Apache-2.0 */
/* overlap_stairs - the largest up(x + A t) - down(t) for t below an end, for two stairs.
 *
 * Let n_i be the digits of up's argument and d_j those of t. A step of a stair is not below all of
 * its inner ones together, so no sum of steps that fit below x + A t is worth more than up there:
 *
 *     maximise     sum rise_i n_i - sum fall_j d_j
 *     subject to   sum width_i n_i - sum A width_j d_j <= x,   0 <= n_i,   0 <= d_j < count_j
 *
 * With e_j = last d_j - d_j this is a knapsack of items that all gain: steps of `up`, and tiles of
 * `down` that are left out (overlap_pack.c). `t < end` is one such problem for each digit of the
 * end: digits before it as the end has them, this one below, all inside it free. Source: ours. */
#include "passes/overlap_stairs.h"

#include "passes/overlap_pack.h"

void pim_stairs_add(pim_stairs *s, int64_t width, int64_t rise)
{
	int last = s->n - 1;
	bool same =
		last >= 0 && s->width[last] % width == 0 && s->rise[last] == s->width[last] / width * rise;
	s->n += !same;
	s->width[s->n - 1] = width;
	s->rise[s->n - 1] = rise;
}

int64_t pim_stairs_at(const pim_stairs *s, int64_t index)
{
	int64_t sum = 0;
	for (int i = 0; i < s->n; i++) {
		int64_t digit = index / s->width[i];
		sum += digit * s->rise[i];
		index -= digit * s->width[i];
	}
	return sum;
}

static int64_t count_inside(const pim_stairs *s, int i)
{
	return pim_divide_up(s->width[i - 1], s->width[i]);
}

int64_t pim_stairs_reach(const pim_stairs *s, int64_t value)
{
	int64_t index = 0;
	if (value <= 0)
		return 0;
	for (int i = 0; i < s->n; i++) {
		if (!s->rise[i])
			return i > 0 ? index + s->width[i - 1] : INT64_MAX;
		int64_t digit = value / s->rise[i];
		if (i > 0 && digit >= count_inside(s, i))
			return index + s->width[i - 1];
		index += digit * s->width[i];
		value -= digit * s->rise[i];
	}
	return !s->n ? INT64_MAX : index + (value > 0 ? s->width[s->n - 1] : 0);
}

static void add_item(pim_pack *p, int64_t size, int64_t gain, int64_t most)
{
	p->item[p->n++] = (pim_item){.size = size, .gain = gain, .most = most};
}

static void add_steps(pim_pack *p, const pim_stairs *up)
{
	for (int i = 0; i < up->n; i++)
		add_item(p, up->width[i], up->rise[i], i ? count_inside(up, i) - 1 : INT64_MAX);
}

/* Digits of t from `first` on, of which there are `count`. */
static void add_tiles(pim_pack *p, const pim_stairs *down, int64_t apart, int first, int64_t count)
{
	for (int j = first; j < down->n; j++)
		add_item(p, apart * down->width[j], down->rise[j],
			(j > first ? count_inside(down, j) : count) - 1);
}

int64_t pim_stairs_most(const pim_stairs *up, const pim_stairs *down, int64_t x, int64_t apart,
	int64_t end, int64_t least, int64_t *steps)
{
	int64_t last = end - 1, before = 0;
	pim_pack p;
	if (last < 0 || x + apart * last < 0)
		return least;
	least = pim_max(least, pim_stairs_at(up, x + apart * last) - pim_stairs_at(down, last));
	for (int j = 0; j < down->n; j++) {
		int64_t digit = (last - before) / down->width[j], next = before + digit * down->width[j];
		if (digit > 0 && x + apart * (next - 1) >= 0) {
			p.n = 0;
			add_steps(&p, up);
			add_tiles(&p, down, apart, j, digit);
			least = pim_pack_most(
				&p, x + apart * (next - 1), -pim_stairs_at(down, next - 1), least, steps);
		}
		before = next;
	}
	return least;
}
