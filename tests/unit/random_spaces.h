/* SPDX-License-Identifier: Apache-2.0 */
/* tests/unit/random_spaces.h - random nests of a convolution, and the random numbers they are made
 * of. */
#ifndef PIM_TESTS_RANDOM_SPACES_H
#define PIM_TESTS_RANDOM_SPACES_H

#include "passes/overlap.h"
#include "tests/unit/draw.h"

/* A convolution's axes; the consumer's c is the producer's k, its rows and columns p and q by
 * window. */
enum { K, C, P, Q, R, S, AXES };
static const bool result[AXES] = {[K] = true, [P] = true, [Q] = true};

/* Up to `most` loops of each axis, spatial and temporal in any order, tails included. */
static pim_spaces *random_spaces(const int64_t *size, int most, pim_arena *a)
{
	pim_loop loop[4 * AXES];
	int64_t tile[AXES];
	int n = 0;
	for (int axis = 0; axis < AXES; axis++) {
		int64_t rest = size[axis];
		for (int times = (int)draw(most + 1); times > 0 && rest > 1; times--) {
			int64_t count = 2 + draw(rest < 6 ? rest - 1 : 5);
			loop[n++] = (pim_loop){.axis = axis, .count = (int32_t)count, .spatial = draw(3) == 0};
			rest = (rest + count - 1) / count;
		}
		tile[axis] = rest;
	}
	for (int i = n - 1; i > 0; i--) {
		int j = (int)draw(i + 1);
		pim_loop swap = loop[i];
		loop[i] = loop[j];
		loop[j] = swap;
	}
	return pim_spaces_new(AXES, size, tile, result, n, loop, a);
}

/* Places and steps together cover every index of the iteration space. */
static bool covers(const pim_spaces *s)
{
	int64_t points = 0, all = 1;
	for (int axis = 0; axis < AXES; axis++)
		all *= s->size[axis];
	for (int64_t place = 0; place < s->places; place++)
		for (int64_t step = 0; step < s->steps; step++) {
			pim_box box;
			if (pim_spaces_box(s, place, step, &box))
				points += pim_box_elements(&box);
		}
	return points == all;
}

#endif
