/* SPDX-License-Identifier: Apache-2.0 */
/* tests/unit/random_streams.h - random command streams whose messages pair up, with the dependences
 * that their operands need, or without some of them. */
#ifndef PIM_TESTS_UNIT_RANDOM_STREAMS_H
#define PIM_TESTS_UNIT_RANDOM_STREAMS_H

#include "tests/unit/draw.h"
#include "tests/unit/slow_sim.h"

typedef struct maker {
	pim_program *p;
	twin *t;							/* for byte marks of commands outside repeats */
	int64_t offset;						/* of all addresses: operands need not be aligned */
	int64_t run[UNITS], barrier[UNITS]; /* commands run; all up to here are complete at it */
	int owed[UNITS][UNITS][8], n_owed[UNITS][UNITS]; /* patterns of messages not yet received */
	uint32_t kernel[3];
	bool in_block;
	int64_t drop; /* of 100 dependences, how many are forgotten */
} maker;

static inline pim_ref random_place(const maker *k, int space, int64_t bytes)
{
	int64_t room = (space == PIM_SPACE_buffer ? BUFFER : MEMORY) - 64 - bytes;
	pim_ref r = {.space = (uint8_t)space};
	r.address = k->offset + draw(room / 16) * 16;
	if (k->in_block)
		r.step = pim_steps_keep(k->p->arena, (const int64_t[PIM_MAX_REPEAT]){draw(2) * 16});
	return r;
}

static inline int random_pattern(maker *k)
{
	pim_pattern p = {.dtype = PIM_DTYPE_f32, .rank = (int)draw(3), .fill = (double)(draw(5) - 2)};
	int64_t to = 4, from = 4;
	for (int d = p.rank - 1; d >= 0; d--) {
		p.extent[d] = 1 + draw(4);
		p.to[d] = to;
		p.from[d] = from;
		to *= p.extent[d] + draw(2);
		from *= p.extent[d] + draw(2);
	}
	return (int)pim_program_pattern(k->p, &p);
}

enum { REACH = 4 * 6 * 6 }; /* bytes a random pattern spans at most */

/* Makes the command wait for all earlier ones it conflicts with: the last one of each engine. */
static inline void add_after(maker *k, int unit, pim_command *c)
{
	twin *t = k->t;
	step *mine = t->step[unit] + k->run[unit];
	int64_t last[PIM_ENGINE_COUNT] = {0}, n = 0;
	for (int64_t i = 0; i < k->run[unit]; i++) {
		const step *s = t->step[unit] + i;
		bool waits = i <= k->barrier[unit] || meets(&s->writes, &mine->reads) ||
					 meets(&s->writes, &mine->writes) || meets(&s->reads, &mine->writes);
		int64_t at = i < k->barrier[unit] ? k->barrier[unit] : i;
		if (waits)
			last[pim_command_at(t->step[unit][at].c->code)->engine] = k->run[unit] - at;
	}
	for (int e = 0; e < PIM_ENGINE_COUNT; e++)
		if (last[e] && e != (int)pim_command_at(c->code)->engine && draw(100) >= k->drop)
			c->after[n++] = (uint32_t)last[e];
}

/* Gives the twin's list the command, so that later ones see its bytes. */
static inline void note_step(maker *k, int unit)
{
	const pim_stream *stream = k->p->stream + unit;
	k->t->n[unit] = (int)k->run[unit];
	int64_t none[1] = {0};
	unroll(k->t, unit, stream->n_commands - 1, stream->n_commands, 0, none);
}

static inline void finish_command(maker *k, int unit, pim_command *c)
{
	if (k->in_block) {
		c->after[0] = 1;
		return;
	}
	note_step(k, unit);
	add_after(k, unit, c);
	k->run[unit]++;
}

static inline void add_copy(maker *k, int unit)
{
	static const pim_command_code code[] = {
		PIM_COMMAND_load, PIM_COMMAND_store, PIM_COMMAND_copy, PIM_COMMAND_fill};
	int which = (int)draw(4), memory = PIM_SPACE_memory, buffer = PIM_SPACE_buffer;
	int to = which == 0 ? buffer : which == 1 ? memory : 1 + (int)draw(2);
	int from = which == 0 ? memory : which == 1 ? buffer : 1 + (int)draw(2);
	pim_ref ref[] = {random_place(k, to, REACH), random_place(k, from, REACH)};
	if (which == 2) { /* source and destination apart */
		ref[0] = random_place(k, memory, REACH);
		ref[1] = random_place(k, buffer, REACH);
	}
	uint32_t pattern = (uint32_t)random_pattern(k);
	finish_command(
		k, unit, add_command(k->p, unit, code[which], pattern, which == 3 ? 1 : 2, ref, 0));
}

static inline void add_kernel(maker *k, int unit)
{
	int which = (int)draw(3);
	pim_ref ref[3];
	for (int i = 0; i < 3; i++)
		ref[i] = random_place(k, draw(4) ? PIM_SPACE_buffer : PIM_SPACE_memory, 64);
	pim_command *c = add_command(k->p, unit, which == 2 ? PIM_COMMAND_matrix : PIM_COMMAND_vector,
		k->kernel[which], which == 0 ? 2 : 3, ref, 0);
	c->accumulate = draw(3) == 0;
	finish_command(k, unit, c);
}

static inline void add_send(maker *k, int from)
{
	int to = (int)draw(k->p->n_streams), *n = &k->n_owed[from][to];
	if (*n == 8)
		return;
	bool empty = draw(5) == 0;
	pim_ref ref = random_place(k, 1 + (int)draw(2), REACH);
	int pattern = empty ? -1 : random_pattern(k);
	k->owed[from][to][(*n)++] = pattern;
	finish_command(k, from,
		add_message(k->p, from, empty ? PIM_COMMAND_signal : PIM_COMMAND_send,
			empty ? 0 : (uint32_t)pattern, empty ? 0 : 1, &ref, to));
}

static inline void add_multicast(maker *k, int from)
{
	int unit[UNITS], n = 0, pattern = random_pattern(k);
	for (int to = 0; to < k->p->n_streams; to++)
		if (draw(2) && k->n_owed[from][to] < 8)
			unit[n++] = to;
	if (n == 0)
		return;
	for (int i = 0; i < n; i++)
		k->owed[from][unit[i]][k->n_owed[from][unit[i]]++] = pattern;
	pim_ref ref = random_place(k, 1 + (int)draw(2), REACH);
	finish_command(k, from,
		add_message(k->p, from, PIM_COMMAND_multicast, (uint32_t)pattern, 1, &ref,
			(int)pim_program_group(k->p, n, unit)));
}

static inline void add_receive(maker *k, int to, int from)
{
	if (!k->n_owed[from][to])
		return;
	int pattern = k->owed[from][to][0];
	memmove(k->owed[from][to], k->owed[from][to] + 1, 7 * sizeof(int));
	k->n_owed[from][to]--;
	pim_ref ref = random_place(k, 1 + (int)draw(2), REACH);
	finish_command(k, to,
		add_message(k->p, to, pattern < 0 ? PIM_COMMAND_wait : PIM_COMMAND_recv,
			pattern < 0 ? 0 : (uint32_t)pattern, pattern < 0 ? 0 : 1, &ref, from));
}

/* A copy that waits for everything before it: the last command of each other engine. */
static inline void add_barrier(maker *k, int unit)
{
	uint32_t row = pim_program_pattern(k->p, &(pim_pattern){.dtype = PIM_DTYPE_f32});
	pim_ref ref[] = {random_place(k, PIM_SPACE_memory, 4), random_place(k, PIM_SPACE_buffer, 4)};
	pim_command *c = add_command(k->p, unit, PIM_COMMAND_copy, row, 2, ref, 0);
	note_step(k, unit);
	bool seen[PIM_ENGINE_COUNT] = {[PIM_ENGINE_dma] = true};
	int used = 0;
	for (int64_t i = k->run[unit] - 1; i >= 0; i--) {
		int engine = (int)pim_command_at(k->t->step[unit][i].c->code)->engine;
		if (!seen[engine])
			c->after[used++] = (uint32_t)(k->run[unit] - i);
		seen[engine] = true;
	}
	k->barrier[unit] = k->run[unit]++;
}

/* A block whose commands wait for everything before them, one after the other. */
static inline void add_block(maker *k, int unit)
{
	add_barrier(k, unit);
	pim_stream *stream = k->p->stream + unit;
	int64_t first = stream->n_commands, n = 1 + draw(3);
	bool nested = draw(2);
	pim_stream_add(stream, PIM_COMMAND_repeat, 0, NULL)->count = 1 + draw(3);
	if (nested)
		pim_stream_add(stream, PIM_COMMAND_repeat, 0, NULL)->count = 1 + draw(3);
	k->in_block = true;
	for (int64_t i = 0; i < n; i++)
		if (draw(2))
			add_copy(k, unit);
		else
			add_kernel(k, unit);
	k->in_block = false;
	pim_stream_add(stream, PIM_COMMAND_end, 0, NULL);
	if (nested)
		pim_stream_add(stream, PIM_COMMAND_end, 0, NULL);
	int64_t none[1] = {0};
	k->t->n[unit] = (int)k->run[unit];
	unroll(k->t, unit, first, stream->n_commands, 0, none);
	k->run[unit] = k->t->n[unit];
	k->barrier[unit] = k->run[unit] - 1;
}

static inline void add_one(maker *k, int unit)
{
	int what = (int)draw(14);
	if (what > 11)
		draw(3) ? add_receive(k, unit, (int)draw(k->p->n_streams)) : add_multicast(k, unit);
	else if (what < 4)
		add_copy(k, unit);
	else if (what < 7)
		add_kernel(k, unit);
	else if (what < 9)
		add_send(k, unit);
	else if (what < 11)
		add_receive(k, unit, (int)draw(k->p->n_streams));
	else
		add_block(k, unit);
}

static inline void make_kernels(maker *k, pim_graph *g)
{
	pim_context *c = k->p->context;
	const pim_type *row = pim_type_tensor(c, PIM_DTYPE_f32, 1, (int64_t[]){16});
	const pim_type *square = pim_type_tensor(c, PIM_DTYPE_f32, 2, (int64_t[]){4, 4});
	pim_node *a = pim_input_new(g, "a", row), *b = pim_input_new(g, "b", row);
	pim_node *x = pim_input_new(g, "x", square), *y = pim_input_new(g, "y", square);
	pim_node *node[] = {pim_node_new(g, "neg", 1, &a, NULL),
		pim_node_new(g, "add", 2, (pim_node *[]){a, b}, NULL),
		pim_node_new(g, "matmul", 2, (pim_node *[]){x, y}, NULL)};
	for (int i = 0; i < 3; i++) {
		CHECK(pim_node_infer(node[i]));
		const pim_type *in[2] = {i == 2 ? square : row, i == 2 ? square : row};
		k->kernel[i] = pim_program_kernel(k->p, node[i], i ? 2 : 1, in, node[i]->type, NULL, 0);
	}
}

/* Room for all, so that commands stay where they are: the twin points at them. */
static inline void reserve(pim_stream *s)
{
	s->room_commands = s->room_refs = 4 * MOST;
	s->command = malloc((size_t)s->room_commands * sizeof *s->command);
	s->ref = malloc((size_t)s->room_refs * sizeof *s->ref);
}

static inline void make_program(maker *k, int commands)
{
	for (int u = 0; u < k->p->n_streams; u++)
		reserve(k->p->stream + u);
	for (int u = 0; u < k->p->n_streams; u++) { /* the buffer starts as a copy of memory */
		pim_pattern all = make_row(BUFFER / 4 - 2);
		pim_ref ref[] = {at_buffer(k->offset), at_memory(k->offset)};
		if (k->drop && draw(20) == 0)
			continue;
		add_command(k->p, u, PIM_COMMAND_load, pim_program_pattern(k->p, &all), 2, ref, 0);
		note_step(k, u);
		k->run[u]++;
	}
	for (int i = 0; i < commands; i++) {
		int unit = (int)draw(k->p->n_streams);
		if (k->run[unit] < MOST - 60)
			add_one(k, unit);
	}
	for (int from = 0; from < k->p->n_streams; from++)
		for (int to = 0; to < k->p->n_streams; to++)
			while (k->n_owed[from][to])
				add_receive(k, to, from);
}

#endif
