/* SPDX-License-Identifier: Apache-2.0 */
/* random.h - random numbers by a seed, the same on every machine. */
#ifndef PIM_IR_RANDOM_H
#define PIM_IR_RANDOM_H

#include <stdint.h>

/* Steele, Lea and Flood's SplitMix64 (OOPSLA 2014): a well-mixed number for each value of a
 * counter, *state. */
static inline uint64_t pim_random(uint64_t *state)
{
	uint64_t z = *state += 0x9e3779b97f4a7c15u;
	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
	z = (z ^ z >> 27) * 0x94d049bb133111ebu;
	return z ^ z >> 31;
}

#endif
