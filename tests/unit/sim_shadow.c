/* SPDX-License-Identifier: Apache-2.0 */
/* sim_shadow.c - the map of accesses against one record per byte, on random accesses over pages. */
#include <stdlib.h>
#include <string.h>

#include "targets/sim.h"
#include "tests/unit/check.h"

enum { BYTES = 5 * 4096 + 100, ROUNDS = 20000 };

typedef struct record {
	int64_t write_end, read_end;
	bool written;
} record;

static pim_sim_fault_kind test_bytes(
	const record *r, int64_t lo, int64_t hi, const pim_sim_access *a, int64_t *first)
{
	for (int64_t i = lo; i < hi; i++) {
		*first = i;
		if (r[i].write_end > a->start || (a->writes && r[i].read_end > a->start))
			return PIM_SIM_race;
		if (!a->writes && !r[i].written)
			return PIM_SIM_unwritten;
	}
	return PIM_SIM_clean;
}

static void note_bytes(record *r, int64_t lo, int64_t hi, const pim_sim_access *a)
{
	for (int64_t i = lo; i < hi; i++) {
		int64_t *end = a->writes ? &r[i].write_end : &r[i].read_end;
		*end = a->end > *end ? a->end : *end;
		r[i].written = r[i].written || a->writes;
	}
}

static int64_t draw(unsigned *state, int64_t n)
{
	*state = *state * 1664525u + 1013904223u;
	return (int64_t)(*state >> 8) % n;
}

int main(void)
{
	static record bytes[BYTES];
	pim_sim_shadow *shadow = pim_sim_shadow_new(BYTES);
	unsigned state = 7;
	int count[3] = {0};
	for (int i = 0; i < ROUNDS; i++) {
		int64_t lo = draw(&state, BYTES), room = draw(&state, 99) ? 64 : BYTES;
		int64_t hi = lo + 1 + draw(&state, room), first = 0;
		hi = hi < BYTES ? hi : BYTES;
		pim_sim_access a = {.command = (uint32_t)i, .writes = draw(&state, 2)};
		a.start = i + draw(&state, 40);
		a.end = a.start + 1 + draw(&state, 20);
		pim_sim_fault f = pim_sim_shadow_test(shadow, lo, hi, &a);
		CHECK(f.kind == test_bytes(bytes, lo, hi, &a, &first));
		CHECK(f.kind == PIM_SIM_clean || (f.lo == first && f.hi > f.lo && f.hi <= hi));
		count[f.kind]++;
		pim_sim_shadow_note(shadow, lo, hi, &a);
		note_bytes(bytes, lo, hi, &a);
	}
	pim_sim_shadow_free(shadow);
	CHECK(count[PIM_SIM_clean] > 100 && count[PIM_SIM_race] > 100 && count[PIM_SIM_unwritten] > 50);
	return check_failures != 0;
}
