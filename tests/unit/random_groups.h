/* SPDX-License-Identifier: Apache-2.0 */
/* tests/unit/random_groups.h - random nests whose result has groups of several channels.
 *
 * Drawn by draw(n), 0 .. n - 1, of the program that includes this. */
#ifndef PIM_TESTS_RANDOM_GROUPS_H
#define PIM_TESTS_RANDOM_GROUPS_H

#include "passes/overlap.h"

/* Axes of the producer; the consumer has its channels instead of groups. */
enum { GROUP, CHANNEL, OTHER, GROUP_AXES };

/* Spatial loops over groups, one fewer at most; and how long loops are: spatial ones, temporal ones
 * and every third of those, and loops between them. */
typedef struct group_lengths {
	int64_t times, groups, channels, usual, longest, between;
} group_lengths;

typedef struct group_nest {
	int n;
	pim_loop loop[16];
	int64_t size[GROUP_AXES], rest[GROUP_AXES];
} group_nest;

static void add_group_loop(group_nest *l, int axis, int64_t most, bool spatial)
{
	int64_t count = 1 + draw(most);
	if (axis == OTHER) {
		l->size[OTHER] *= count;
	} else {
		count = pim_min(count, l->rest[axis]);
		l->rest[axis] = pim_divide_up(l->rest[axis], count);
	}
	if (count > 1)
		l->loop[l->n++] = (pim_loop){axis, (int32_t)count, spatial};
}

/* Spatial loops outside temporal ones, ragged tails; `sorted`: groups outside their channels. */
static pim_spaces *random_groups(
	int64_t groups, int64_t channels, bool sorted, const group_lengths *most, pim_arena *a)
{
	static const bool made[GROUP_AXES] = {[GROUP] = true, [CHANNEL] = true};
	group_nest l = {.size = {groups, channels, 1}, .rest = {groups, channels, 1}};
	for (int64_t times = draw(most->times); times > 0; times--)
		add_group_loop(&l, GROUP, most->groups, true);
	if (!sorted && draw(3) == 0)
		add_group_loop(&l, CHANNEL, most->channels, true);
	for (int k = 0; k < 6; k++) {
		int axis = sorted ? k / 3 : (int)draw(2);
		add_group_loop(&l, axis, k % 3 == 2 ? most->longest : most->usual, false);
		add_group_loop(&l, OTHER, most->between, false);
	}
	return pim_spaces_new(GROUP_AXES, l.size, l.rest, made, l.n, l.loop, a);
}

#endif
