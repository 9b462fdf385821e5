/* SPDX-License-Identifier: Apache-2.0 */
/* Rerolling never changes what runs: unrolled, a rerolled stream is the stream it was made from. */
#include <stdlib.h>
#include <string.h>

#include "targets/program.h"
#include "tests/unit/check.h"
#include "tests/unit/draw.h"

static void add_copy(pim_stream *s, const pim_command *c, int n, const pim_ref *refs)
{
	pim_command *copy = pim_stream_add(s, (pim_command_code)c->code, n, refs);
	uint32_t first = copy->first;
	*copy = *c;
	copy->n_refs = (uint8_t)n;
	copy->first = first;
}

/* The stream with all repeats run out, by the walk. */
static pim_stream unroll(const pim_stream *s)
{
	pim_stream flat = {0};
	pim_walk w = {.stream = s};
	for (const pim_command *c; (c = pim_walk_next(&w));) {
		pim_ref refs[16] = {0};
		for (int r = 0; r < c->n_refs; r++) {
			refs[r].space = s->ref[c->first + (uint32_t)r].space;
			refs[r].address = pim_walk_address(&w, &s->ref[c->first + (uint32_t)r]);
		}
		add_copy(&flat, c, c->n_refs, refs);
	}
	return flat;
}

static bool equal(const pim_stream *a, const pim_stream *b)
{
	if (a->n_commands != b->n_commands || a->n_refs != b->n_refs)
		return false;
	for (int64_t i = 0; i < a->n_commands; i++) {
		const pim_command *x = &a->command[i], *y = &b->command[i];
		if (x->code != y->code || x->n_refs != y->n_refs || x->accumulate != y->accumulate ||
			x->index != y->index || x->unit != y->unit || x->task != y->task ||
			x->count != y->count || memcmp(x->after, y->after, sizeof x->after))
			return false;
	}
	for (int64_t i = 0; i < a->n_refs; i++)
		if (a->ref[i].space != b->ref[i].space || a->ref[i].address != b->ref[i].address ||
			memcmp(a->ref[i].step, b->ref[i].step, PIM_MAX_REPEAT * sizeof(int64_t)))
			return false;
	return true;
}

static void drop(pim_stream *s)
{
	free(s->command);
	free(s->ref);
}

static void add_random(pim_stream *s)
{
	pim_ref refs[2] = {{.space = 1, .address = draw(4)}, {.space = 2, .address = draw(4)}};
	pim_command c = {.code = (uint8_t)draw(3), .index = (uint32_t)draw(2)};
	c.after[0] = (uint32_t)draw(2);
	add_copy(s, &c, (int)draw(3), refs);
}

/* A loop nest run out: bodies of random commands, addresses affine in the rounds. */
static void add_nest(pim_stream *s, int depth, int64_t *base)
{
	int body = 1 + (int)draw(4);
	int64_t rounds = 1 + draw(6), step = draw(5) - 1, size = 0;
	uint64_t seed = draw_state;
	for (int64_t round = 0; round < rounds; round++) {
		draw_state = seed;
		for (int i = 0; i < body; i++) {
			int64_t before = s->n_refs;
			if (depth > 0 && draw(3) == 0)
				add_nest(s, depth - 1, base);
			else
				add_random(s);
			for (int64_t r = before; r < s->n_refs; r++)
				s->ref[r].address += round * step;
		}
		if (round == 0 && draw(4) == 0 && s->n_commands)
			s->command[s->n_commands - 1].after[1] = 1; /* a first round that differs */
		size++;
	}
	*base += size;
}

static void add_part(pim_stream *s)
{
	int64_t base = 0;
	for (int64_t i = 1 + draw(4); i > 0; i--) {
		for (int64_t k = draw(3); k > 0; k--)
			add_random(s);
		add_nest(s, 3, &base);
	}
}

static void test_random(void)
{
	int64_t before = 0, after = 0;
	for (int round = 0; round < 10000; round++) {
		pim_arena *a = pim_arena_new();
		draw_state = (uint64_t)round * 77 + 5;
		pim_stream s = {0};
		add_part(&s);
		pim_stream flat = unroll(&s);
		before += s.n_commands;
		pim_stream_reroll(&s, 0, a);
		after += s.n_commands;
		pim_stream again = unroll(&s);
		CHECK(equal(&flat, &again));
		CHECK(s.n_commands <= flat.n_commands);
		pim_stream_reroll(&s, 0, a); /* of a stream with repeats */
		pim_stream third = unroll(&s);
		CHECK(equal(&flat, &third));
		drop(&s);
		drop(&flat);
		drop(&again);
		drop(&third);
		pim_arena_free(a);
	}
	CHECK(after < before); /* something folds */
}

static void add_all(pim_stream *s, const pim_stream *more)
{
	for (int64_t i = 0; i < more->n_commands; i++) {
		const pim_command *c = &more->command[i];
		add_copy(s, c, c->n_refs, c->n_refs ? more->ref + c->first : NULL);
	}
}

/* Adds commands to a stream and folds those; what was there before stays as it was. */
static void add_folded(pim_stream *s, const pim_stream *part, pim_arena *a)
{
	int64_t commands = s->n_commands;
	pim_stream before = {0};
	add_all(&before, s);
	add_all(s, part);
	pim_stream_reroll(s, commands, a);
	pim_stream first = *s;
	first.n_commands = before.n_commands;
	first.n_refs = before.n_refs;
	CHECK(s->n_commands >= commands && equal(&before, &first));
	drop(&before);
}

/* A stream in two halves, each folded when it is there; every other one has two equal ones. */
static void test_halves(void)
{
	int64_t flat_commands = 0, commands = 0;
	for (int round = 0; round < 3000; round++) {
		pim_arena *a = pim_arena_new();
		pim_stream s = {0}, flat = {0};
		for (int half = 0; half < 2; half++) {
			pim_stream part = {0};
			draw_state = (uint64_t)round * 91 + 7 + (uint64_t)(round % 2 ? 0 : half);
			add_part(&part);
			add_all(&flat, &part);
			add_folded(&s, &part, a);
			drop(&part);
		}
		pim_stream again = unroll(&s);
		CHECK(equal(&flat, &again));
		flat_commands += flat.n_commands;
		commands += s.n_commands;
		drop(&s);
		drop(&flat);
		drop(&again);
		pim_arena_free(a);
	}
	CHECK(commands < flat_commands / 2);
}

/* for a { for b 8 { for k 16 { load load matrix } store } }: what the lowering writes. */
static void add_tiles(pim_stream *s, int64_t a_rounds, int64_t b_rounds, int64_t k_rounds)
{
	for (int64_t a = 0; a < a_rounds; a++)
		for (int64_t b = 0; b < b_rounds; b++) {
			for (int64_t k = 0; k < k_rounds; k++) {
				int64_t slot = k % 2 * 4096;
				pim_ref x[2] = {
					{.space = 2, .address = slot}, {.space = 1, .address = a * 1000 + k * 64}};
				pim_ref y[2] = {{.space = 2, .address = 512 + slot},
					{.space = 1, .address = 90000 + b * 100 + k * 640}};
				pim_ref z[3] = {{.space = 2, .address = 20000}, x[0], y[0]};
				pim_command load = {
					.code = PIM_COMMAND_load, .index = 1, .after = {k > 1 ? 4u : 0u}};
				pim_command run = {
					.code = PIM_COMMAND_matrix, .index = 2, .accumulate = k > 0, .after = {1, 2}};
				add_copy(s, &load, 2, x);
				add_copy(s, &load, 2, y);
				add_copy(s, &run, 3, z);
			}
			pim_ref out[2] = {{.space = 1, .address = 500000 + a * 8000 + b * 100},
				{.space = 2, .address = 20000}};
			pim_command store = {.code = PIM_COMMAND_store, .index = 3, .after = {1}};
			add_copy(s, &store, 2, out);
		}
}

static void test_tiles(void)
{
	pim_arena *a = pim_arena_new();
	pim_stream s = {0};
	add_tiles(&s, 50, 8, 16);
	pim_stream flat = unroll(&s);
	pim_stream_reroll(&s, 0, a);
	pim_stream again = unroll(&s);
	CHECK(equal(&flat, &again));
	CHECK(flat.n_commands == 50 * 8 * 49);
	CHECK(s.n_commands < 25); /* a nest of three */
	drop(&s);
	drop(&flat);
	drop(&again);
	pim_arena_free(a);
}

int main(void)
{
	draw_state = 1;
	test_random();
	test_halves();
	test_tiles();
	return check_failures != 0;
}
