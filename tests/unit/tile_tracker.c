/* SPDX-License-Identifier: Apache-2.0 */
/* tile_tracker.c - the range tracker and the room of a unit against one entry per byte. */
#include <stdlib.h>
#include <string.h>

#include "targets/tile/tile.h"
#include "tests/unit/check.h"
#include "tests/unit/draw.h"

enum { BYTES = 96, STEPS = 300, ROUNDS = 400 };

typedef struct byte_state {
	int64_t write, read[PIM_ENGINE_COUNT];
	int engine;
} byte_state;

static void raise_to(int64_t *to, int64_t v)
{
	*to = *to < v ? v : *to;
}

static void access_bytes(byte_state *s, int64_t lo, int64_t hi, bool writes, int engine,
	int64_t number, int64_t latest[PIM_ENGINE_COUNT])
{
	for (int64_t b = lo; b < hi; b++) {
		raise_to(&latest[s[b].engine], s[b].write);
		for (int e = 0; writes && e < PIM_ENGINE_COUNT; e++)
			raise_to(&latest[e], s[b].read[e]);
	}
	for (int64_t b = lo; b < hi; b++) {
		if (writes)
			s[b] = (byte_state){.write = number, .engine = engine};
		else
			s[b].read[engine] = number;
	}
}

/* What was done to any byte was done to all, whoever did it: a read waits for none of it. */
static void join_bytes(byte_state *s, int64_t lo, int64_t hi)
{
	byte_state all = {0};
	for (int64_t b = lo; b < hi; b++) {
		raise_to(&all.read[s[b].engine], s[b].write);
		for (int e = 0; e < PIM_ENGINE_COUNT; e++)
			raise_to(&all.read[e], s[b].read[e]);
	}
	for (int64_t b = lo; b < hi; b++)
		s[b] = all;
}

static void check_tracker(void)
{
	for (int round = 0; round < ROUNDS; round++) {
		pim_tracker t = {0};
		byte_state twin[BYTES] = {{0}};
		for (int i = 1; i <= STEPS; i++) {
			int64_t lo = draw(BYTES), hi = lo + draw(BYTES - (int)lo + 1);
			int engine = draw(PIM_ENGINE_COUNT);
			if (draw(20) == 0) {
				pim_tracker_join(&t, lo, hi);
				join_bytes(twin, lo, hi);
			}
			bool writes = draw(2);
			int64_t a[PIM_ENGINE_COUNT] = {0}, b[PIM_ENGINE_COUNT] = {0};
			pim_tracker_access(&t, lo, hi, writes, engine, i, a);
			access_bytes(twin, lo, hi, writes, engine, i, b);
			CHECK(!memcmp(a, b, sizeof a));
		}
		for (int i = 1; i < t.n; i++)
			CHECK(t.range[i - 1].hi <= t.range[i].lo);
		pim_tracker_free(&t);
	}
}

/* Regions taken never overlap, given back all is one gap again, and the first that fits is used. */
static void check_room(void)
{
	struct {
		int64_t at, bytes;
	} held[64];
	pim_room r;
	pim_room_start(&r);
	int n = 0;
	for (int i = 0; i < 20000; i++) {
		if (n < 64 && (n == 0 || draw(2))) {
			int64_t bytes = draw(500);
			int64_t at = pim_room_take(&r, bytes);
			CHECK(at % 64 == 0 && at + bytes <= r.peak);
			for (int k = 0; k < n; k++)
				CHECK(at + bytes <= held[k].at || held[k].at + held[k].bytes <= at);
			held[n].at = at;
			held[n++].bytes = bytes;
		} else {
			int k = draw(n);
			pim_room_give(&r, held[k].at, held[k].bytes);
			held[k] = held[--n];
		}
	}
	while (n > 0) {
		n--;
		pim_room_give(&r, held[n].at, held[n].bytes);
	}
	CHECK(r.n == 1 && r.gap[0].lo == 0 && r.now == 0);
	pim_room_free(&r);
}

int main(void)
{
	draw_state = 1;
	check_tracker();
	check_room();
	return check_failures != 0;
}
