/* SPDX-License-Identifier: Apache-2.0 */
/* sim_twin.c - an independent, slow simulator against the real one, on random programs.
 *
 * The twin unrolls every stream and relaxes start and end times until nothing changes; messages
 * take their links one at a time, the earliest first. Values move in order of time (read at the
 * start, written at the end), not in program order. Races are found by comparing all pairs of
 * commands. */
#include "tests/unit/sim_machine.h"

enum {
	MOST = 400,
	UNITS = 12,
	MEMORY = 2048,
	BUFFER = 1024,
	WORDS = (MEMORY + BUFFER) / 64 + 2,
	ROW = 256
};

static uint64_t random_state;

static int64_t draw(int64_t n)
{
	random_state += 0x9e3779b97f4a7c15u;
	uint64_t z = random_state;
	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
	return (int64_t)((z ^ (z >> 31)) % (uint64_t)n);
}

/* ---- random programs ---- */

typedef struct bits {
	uint64_t w[WORDS];
} bits;

static void set_bit(bits *b, int64_t i)
{
	b->w[i / 64] |= 1ull << (i % 64);
}

static bool meets(const bits *a, const bits *b)
{
	for (int i = 0; i < WORDS; i++)
		if (a->w[i] & b->w[i])
			return true;
	return false;
}

/* One command as it runs. */
typedef struct step {
	const pim_command *c;
	const pim_stream *stream;
	int64_t number, pc, address[4];
	bits reads, writes;
	bool known, sent;
	int64_t start, begin, end, arrival[UNITS]; /* arrival: of the message it sent */
	struct step *partner;					   /* of a recv: its send */
	uint8_t got[4][ROW * 4];				   /* operand bytes; of a send: the message */
} step;

typedef struct twin {
	const pim_program *p;
	int n[UNITS];
	step *step[UNITS];
	int64_t link_bytes[UNITS * 6];
	int n_taken[UNITS * 7]; /* links, then ports into units */
	int64_t taken[UNITS * 7][MOST][2];
	uint8_t memory[UNITS][3][MEMORY + 8];
} twin;

static bool is_sending(const pim_command *c)
{
	return c->code == PIM_COMMAND_send || c->code == PIM_COMMAND_multicast;
}

static int64_t operand_bytes(const twin *t, const step *s, int ref)
{
	const pim_command *c = s->c;
	if (c->code != PIM_COMMAND_matrix && c->code != PIM_COMMAND_vector)
		return pim_pattern_bytes(t->p->pattern + c->index);
	const pim_kernel *k = t->p->kernel + c->index;
	return pim_type_bytes(ref ? k->graph->inputs[ref - 1]->type : k->op->type);
}

/* Address of byte i of an operand, elements in row-major order. */
static int64_t byte_place(const twin *t, const step *s, int ref, int64_t i)
{
	const pim_command *c = s->c;
	if (c->code == PIM_COMMAND_matrix || c->code == PIM_COMMAND_vector)
		return s->address[ref] + i;
	const pim_pattern *p = t->p->pattern + c->index;
	bool to = ref == 0 && !is_sending(c);
	int64_t size = (int64_t)pim_dtype_bytes(p->dtype), rest = i / size,
			at = s->address[ref] + i % size;
	for (int d = p->rank - 1; d >= 0; rest /= p->extent[d--])
		at += rest % p->extent[d] * (to ? p->to[d] : p->from[d]);
	return at;
}

static int space_of(const step *s, int ref)
{
	return s->stream->ref[s->c->first + (uint32_t)ref].space;
}

static bool reads_ref(const step *s, int ref)
{
	return ref > 0 || is_sending(s->c) || s->c->accumulate;
}

static bool writes_ref(const step *s, int ref)
{
	return ref == 0 && !is_sending(s->c);
}

static void mark_bytes(const twin *t, step *s)
{
	for (int r = 0; r < s->c->n_refs; r++)
		for (int64_t i = 0; i < operand_bytes(t, s, r); i++) {
			int64_t bit =
				byte_place(t, s, r, i) + (space_of(s, r) == PIM_SPACE_buffer ? MEMORY + 8 : 0);
			if (reads_ref(s, r))
				set_bit(&s->reads, bit);
			if (writes_ref(s, r))
				set_bit(&s->writes, bit);
		}
}

/* Appends the commands of [from, to) as they run. */
static void unroll(twin *t, int unit, int64_t from, int64_t to, int depth, const int64_t *round)
{
	const pim_stream *stream = t->p->stream + unit;
	int64_t rounds[PIM_MAX_REPEAT + 1] = {0};
	if (depth > PIM_MAX_REPEAT)
		PIM_BUG("repeats are nested %d deep", depth);
	for (int d = 0; d < depth; d++)
		rounds[d] = round[d];
	for (int64_t i = from; i < to; i++) {
		const pim_command *c = stream->command + i;
		if (c->code == PIM_COMMAND_repeat) {
			int64_t end = i, open = 0;
			do {
				open += (stream->command[end].code == PIM_COMMAND_repeat) -
						(stream->command[end].code == PIM_COMMAND_end);
			} while (open && ++end);
			for (rounds[depth] = 0; rounds[depth] < c->count; rounds[depth]++)
				unroll(t, unit, i + 1, end, depth + 1, rounds);
			i = end;
			continue;
		}
		step *s = t->step[unit] + t->n[unit];
		*s = (step){.c = c, .stream = stream, .number = t->n[unit]++, .pc = i};
		for (int r = 0; r < c->n_refs; r++) {
			const pim_ref *ref = stream->ref + c->first + r;
			s->address[r] = ref->address;
			for (int d = 0; d < depth; d++)
				s->address[r] += ref->step[d] * rounds[d];
		}
		mark_bytes(t, s);
	}
}

static bool posts(const step *s)
{
	return is_sending(s->c) || s->c->code == PIM_COMMAND_signal;
}

static bool takes(const step *s)
{
	return s->c->code == PIM_COMMAND_recv || s->c->code == PIM_COMMAND_wait;
}

static bool goes_to(const twin *t, const step *s, int unit)
{
	if (s->c->code != PIM_COMMAND_multicast)
		return posts(s) && s->c->unit == (uint32_t)unit;
	const pim_group *g = t->p->group + s->c->unit;
	for (int i = 0; i < g->n; i++)
		if (g->unit[i] == unit)
			return true;
	return false;
}

/* The k-th send of a pair of units belongs to the k-th recv. */
static void match(twin *t)
{
	for (int u = 0; u < t->p->n_streams; u++) {
		int next[UNITS] = {0}; /* by sender: its first step that is not matched */
		for (int i = 0; i < t->n[u]; i++) {
			step *s = t->step[u] + i;
			if (!takes(s))
				continue;
			int from = (int)s->c->unit, *j = &next[from];
			while (*j < t->n[from] && !goes_to(t, t->step[from] + *j, u))
				++*j;
			if (*j < t->n[from])
				s->partner = t->step[from] + (*j)++;
		}
	}
}

/* ---- times ---- */

static int64_t up(double x)
{
	int64_t i = (int64_t)x;
	return i + (x > (double)i);
}

static int64_t cost(const twin *t, const step *s)
{
	const pim_target *m = t->p->target;
	if (s->c->n_refs == 0)
		return s->c->code == PIM_COMMAND_signal;
	int64_t in_memory = 0;
	bool memory = false;
	for (int r = 0; r < s->c->n_refs; r++)
		if (space_of(s, r) == PIM_SPACE_memory) {
			memory = true;
			in_memory += operand_bytes(t, s, r) * (reads_ref(s, r) + writes_ref(s, r));
		}
	if (s->c->code == PIM_COMMAND_matrix || s->c->code == PIM_COMMAND_vector)
		return t->p->kernel[s->c->index].cycles + up((double)in_memory / m->memory.bytes_per_cycle);
	const pim_memory *port = memory ? &m->memory : &m->buffer;
	int64_t bytes = operand_bytes(t, s, 0);
	int64_t cycles = port->latency + up((double)bytes / port->bytes_per_cycle);
	int64_t link = up((double)bytes / m->network.link_bytes_per_cycle);
	return is_sending(s->c) && link > cycles ? link : cycles;
}

/* The start of a step, -1 when it depends on something unknown. */
static int64_t find_start(const twin *t, int unit, int i)
{
	const step *all = t->step[unit], *s = all + i;
	int64_t start = i * t->p->target->command_cycles;
	for (int j = i - 1; j >= 0; j--) {
		bool before = pim_command_at(all[j].c->code)->engine == pim_command_at(s->c->code)->engine;
		for (int a = 0; a < PIM_MAX_AFTER; a++)
			before = before || s->c->after[a] == (uint32_t)(i - j);
		if (before && !all[j].known)
			return -1;
		if (before && all[j].end > start)
			start = all[j].end;
	}
	return start;
}

static bool relax_step(twin *t, int unit, int i)
{
	step *s = t->step[unit] + i;
	int64_t start = find_start(t, unit, i);
	if (s->known || start < 0)
		return false;
	s->start = s->begin = start;
	if (posts(s) && !s->sent)
		return false;
	if (takes(s)) {
		if (!s->partner || !s->partner->sent)
			return false;
		if (s->partner->arrival[unit] > start)
			s->begin = s->partner->arrival[unit];
	}
	if (!posts(s))
		s->end = s->begin + cost(t, s);
	return s->known = true;
}

static void relax(twin *t)
{
	for (bool changed = true; changed;) {
		changed = false;
		for (int u = 0; u < t->p->n_streams; u++)
			for (int i = 0; i < t->n[u]; i++)
				changed = relax_step(t, u, i) || changed;
	}
}

/* The send that goes next: all that it waits for is known, and it starts first. */
static step *next_send(twin *t, int *unit)
{
	step *best = NULL;
	for (int u = 0; u < t->p->n_streams; u++) {
		int i = 0;
		while (i < t->n[u] && (t->step[u][i].known || !posts(t->step[u] + i)))
			i++;
		step *s = t->step[u] + i;
		if (i == t->n[u] || (s->start = find_start(t, u, i)) < 0)
			continue;
		if (!best || s->start < best->start) {
			best = s;
			*unit = u;
		}
	}
	return best;
}

/* Which way round from a to b: 1, -1, or 0 when there; on a ring the shorter, upwards when equal.
 */
static int way(const pim_target *m, int a, int b, int size)
{
	int up = (b - a + size) % size;
	if (m->network.topology == PIM_TOPOLOGY_torus)
		return up == 0 ? 0 : up <= size - up ? 1 : -1;
	return (b > a) - (b < a);
}

/* The first time from `head` on at which the link is free for so long. */
static int64_t take_link(twin *t, int link, int64_t head, int64_t cycles)
{
	for (int i = 0; i < t->n_taken[link]; i++) {
		int64_t lo = t->taken[link][i][0], hi = t->taken[link][i][1];
		if (lo >= head + cycles || hi <= head)
			continue;
		head = hi;
		i = -1;
	}
	int n = t->n_taken[link]++;
	t->taken[link][n][0] = head;
	t->taken[link][n][1] = head + cycles;
	return head;
}

/* Step by step along x, then y, then into the unit. head, waits: by link, of this message, where
 * its head is behind it; head -1: it does not come there. */
static void travel_to(twin *t, step *s, int unit, int to, int64_t *heads, int64_t *waited)
{
	const pim_target *m = t->p->target;
	int64_t bytes = s->c->n_refs ? operand_bytes(t, s, 0) : 0;
	int64_t tail = up((double)bytes / m->network.link_bytes_per_cycle), hop = m->network.hop_cycles;
	tail = tail ? tail : 1;
	int64_t head = s->start + cost(t, s) - tail, waits = 0,
			depth = hop == 0  ? 8
					: hop > 7 ? hop + 1
							  : 8;
	int at = unit, width = m->network.size[0], height = m->network.size[1];
	for (int hops = 1, link = 0; link < UNITS * 6; hops++) {
		int dx = way(m, at % width, to % width, width);
		int dy = dx ? 0 : way(m, at / width, to / width, height);
		link = at == to ? UNITS * 6 + to : at * 6 + (dx > 0 ? 0 : dx < 0 ? 1 : dy > 0 ? 2 : 3);
		at = (at / width + dy + height) % height * width + (at % width + dx + width) % width;
		if (heads[link] >= 0) { /* it is on the way to another destination, too */
			head = heads[link];
			waits = waited[link];
			continue;
		}
		int64_t when = take_link(t, link, head, tail);
		waits += when - head;
		if (when + waits / 2 + tail - hops * depth > s->end)
			s->end = when + waits / 2 + tail - hops * depth;
		if (link < UNITS * 6)
			t->link_bytes[link] += bytes;
		heads[link] = head = when + hop;
		waited[link] = waits;
	}
	s->arrival[to] = head - hop + waits / 2 + tail;
	s->sent = true;
}

static void travel(twin *t, step *s, int unit)
{
	int64_t heads[UNITS * 7], waited[UNITS * 7];
	for (int i = 0; i < UNITS * 7; i++)
		heads[i] = -1;
	s->end = s->start + cost(t, s);
	for (int to = 0; to < t->p->n_streams; to++)
		if (goes_to(t, s, to))
			travel_to(t, s, unit, to, heads, waited);
}

static void find_times(twin *t)
{
	int unit = 0;
	relax(t);
	for (step *s; (s = next_send(t, &unit)) != NULL; relax(t))
		travel(t, s, unit);
}

/* ---- values, in order of time ---- */

static void read_operands(twin *t, int unit, step *s)
{
	for (int r = 0; r < s->c->n_refs; r++)
		for (int64_t i = 0; reads_ref(s, r) && i < operand_bytes(t, s, r); i++)
			s->got[r][i] = t->memory[unit][space_of(s, r)][byte_place(t, s, r, i)];
}

static float number_at(const uint8_t *bytes, int64_t i)
{
	float f;
	memcpy(&f, bytes + 4 * i, 4);
	return f;
}

static float kernel_value(const pim_kernel *k, const step *s, int64_t i)
{
	float sum = 0;
	if (pim_node_is(k->op, "neg"))
		return -number_at(s->got[1], i);
	if (pim_node_is(k->op, "add"))
		return number_at(s->got[1], i) + number_at(s->got[2], i);
	for (int64_t j = 0; j < 4; j++)
		sum += number_at(s->got[1], i / 4 * 4 + j) * number_at(s->got[2], j * 4 + i % 4);
	return sum;
}

static void write_result(twin *t, int unit, step *s)
{
	bool kernel = s->c->code == PIM_COMMAND_matrix || s->c->code == PIM_COMMAND_vector;
	if (s->c->n_refs == 0 || !writes_ref(s, 0))
		return;
	for (int64_t i = 0; i < operand_bytes(t, s, 0); i++) {
		uint8_t byte = 0;
		float f = 0;
		if (kernel)
			f = kernel_value(t->p->kernel + s->c->index, s, i / 4);
		if (s->c->accumulate)
			f = number_at(s->got[0], i / 4) + f;
		if (s->c->code == PIM_COMMAND_fill)
			f = (float)t->p->pattern[s->c->index].fill;
		memcpy(&byte, (const uint8_t *)&f + i % 4, 1);
		if (s->c->code == PIM_COMMAND_recv)
			byte = s->partner->got[0][i];
		else if (!kernel && s->c->code != PIM_COMMAND_fill)
			byte = s->got[1][i];
		t->memory[unit][space_of(s, 0)][byte_place(t, s, 0, i)] = byte;
	}
}

typedef struct moment {
	int64_t time;
	bool reads;
	int unit;
	step *s;
} moment;

static int compare_moments(const void *a, const void *b)
{
	const moment *x = a, *y = b;
	if (x->time != y->time)
		return x->time < y->time ? -1 : 1;
	return x->reads - y->reads;
}

static void move_values(twin *t)
{
	static moment all[UNITS * MOST * 2];
	size_t n = 0;
	for (int u = 0; u < t->p->n_streams; u++)
		for (int i = 0; i < t->n[u]; i++) {
			all[n++] = (moment){t->step[u][i].start, true, u, t->step[u] + i};
			all[n++] = (moment){t->step[u][i].end, false, u, t->step[u] + i};
		}
	qsort(all, n, sizeof *all, compare_moments);
	for (size_t i = 0; i < n; i++)
		if (all[i].reads)
			read_operands(t, all[i].unit, all[i].s);
		else
			write_result(t, all[i].unit, all[i].s);
}

/* ---- a random program ---- */

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

static pim_ref random_place(const maker *k, int space, int64_t bytes)
{
	int64_t room = (space == PIM_SPACE_buffer ? BUFFER : MEMORY) - 64 - bytes;
	pim_ref r = {.space = (uint8_t)space};
	r.address = k->offset + draw(room / 16) * 16;
	if (k->in_block)
		r.step[0] = draw(2) * 16;
	return r;
}

static int random_pattern(maker *k)
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
static void add_after(maker *k, int unit, pim_command *c)
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
static void note_step(maker *k, int unit)
{
	const pim_stream *stream = k->p->stream + unit;
	k->t->n[unit] = (int)k->run[unit];
	int64_t none[1] = {0};
	unroll(k->t, unit, stream->n_commands - 1, stream->n_commands, 0, none);
}

static void finish_command(maker *k, int unit, pim_command *c)
{
	if (k->in_block) {
		c->after[0] = 1;
		return;
	}
	note_step(k, unit);
	add_after(k, unit, c);
	k->run[unit]++;
}

static void add_copy(maker *k, int unit)
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

static void add_kernel(maker *k, int unit)
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

static void add_send(maker *k, int from)
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

static void add_multicast(maker *k, int from)
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

static void add_receive(maker *k, int to, int from)
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
static void add_barrier(maker *k, int unit)
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
static void add_block(maker *k, int unit)
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

static void add_one(maker *k, int unit)
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

static void make_kernels(maker *k, pim_graph *g)
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
static void reserve(pim_stream *s)
{
	s->room_commands = s->room_refs = 4 * MOST;
	s->command = malloc((size_t)s->room_commands * sizeof *s->command);
	s->ref = malloc((size_t)s->room_refs * sizeof *s->ref);
}

static void make_program(maker *k, int commands)
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

/* ---- comparing ---- */

typedef struct seen {
	twin *t;
	int n[UNITS];
	bool same;
} seen;

static void compare_event(void *user, const pim_sim_event *e)
{
	seen *x = user;
	const step *s = x->t->step[e->unit] + x->n[e->unit]++;
	x->same = x->same && s->pc == e->command && s->start == e->start && s->begin == e->begin &&
			  s->end == e->end;
}

static void note_event(void *user, const pim_sim_event *e)
{
	seen *x = user;
	step *s = x->t->step[e->unit] + x->n[e->unit]++;
	s->start = e->start;
	s->begin = e->begin;
	s->end = e->end;
}

/* Is every message of a send there no earlier than its last byte can be? */
static bool reaches(const twin *t, const step *s, int unit, int to)
{
	int64_t way = pim_network_hops(t->p->target, unit, to) * t->p->target->network.hop_cycles;
	bool good = true;
	for (int i = 0; i < t->n[to]; i++)
		if (takes(t->step[to] + i) && t->step[to][i].partner == s)
			good = good && t->step[to][i].begin >= s->end + way;
	return good;
}

/* Flit by flit: every command starts when what it waits for is done, and works as long as it costs;
 * a message is not there before its last byte has left and come all the way. */
static void check_flits(twin *t, pim_sim_options o, pim_arena *a)
{
	seen noted = {.t = t};
	o.network = PIM_SIM_flits;
	o.watch = note_event;
	o.user = &noted;
	CHECK(pim_sim_run(t->p, &o, a) != NULL);
	for (int u = 0; u < t->p->n_streams; u++)
		for (int i = 0; i < t->n[u]; i++) {
			const step *s = t->step[u] + i;
			CHECK(find_start(t, u, i) == s->start);
			CHECK(s->begin == s->start || takes(s));
			CHECK(s->end == s->begin + cost(t, s) || (posts(s) && s->end > s->begin + cost(t, s)));
			for (int to = 0; to < t->p->n_streams; to++)
				CHECK(!posts(s) || !goes_to(t, s, to) || reaches(t, s, u, to));
		}
}

/* Does a command race with an earlier one, or read what nobody wrote? */
static bool is_faulty(const twin *t, int unit, int j, int64_t home_lo, int64_t home_hi)
{
	const step *s = t->step[unit] + j;
	bits unwritten = s->reads;
	for (int64_t i = home_lo; i < home_hi; i++)
		unwritten.w[i / 64] &= ~(1ull << (i % 64));
	for (int i = 0; i < j; i++) {
		const step *e = t->step[unit] + i;
		for (int w = 0; w < WORDS; w++)
			unwritten.w[w] &= ~e->writes.w[w];
		if (s->start < e->end && (meets(&e->writes, &s->reads) || meets(&e->writes, &s->writes) ||
									 meets(&e->reads, &s->writes)))
			return true;
	}
	return meets(&unwritten, &s->reads);
}

/* The command places that messages name must be the faulty ones, all of them. */
static bool same_faults(const twin *t, const messages *m, int64_t lo, int64_t hi, int *count)
{
	static bool named[UNITS][MOST], wrong[UNITS][MOST];
	memset(named, 0, sizeof named);
	memset(wrong, 0, sizeof wrong);
	for (int i = 0; i < m->n; i++) {
		int unit = 0, at = 0;
		if (sscanf(m->text[i], "unit %d, command %d", &unit, &at) == 2)
			named[unit][at] = true;
	}
	for (int u = 0; u < t->p->n_streams; u++)
		for (int i = 0; i < t->n[u]; i++)
			if (is_faulty(t, u, i, lo, hi))
				wrong[u][t->step[u][i].pc] = true;
	for (int u = 0; u < UNITS; u++)
		for (int i = 0; i < MOST; i++)
			*count += wrong[u][i];
	return memcmp(named, wrong, sizeof named) == 0;
}

static int64_t most_waiting(const twin *t, int unit)
{
	int64_t most = 0;
	for (int i = 0; i < t->n[unit]; i++) {
		int64_t bytes = 0, now = t->step[unit][i].end; /* just before */
		for (int j = 0; j < t->n[unit]; j++) {
			const step *s = t->step[unit] + j;
			if (takes(s) && s->partner->arrival[unit] < now && s->end >= now && s->c->n_refs)
				bytes += operand_bytes(t, s, 0);
			if (j == i && takes(s) && s->partner->arrival[unit] == now && s->c->n_refs)
				bytes += operand_bytes(t, s, 0);
		}
		most = bytes > most && takes(t->step[unit] + i) ? bytes : most;
	}
	return most;
}

static void compare_report(const twin *t, const pim_sim_report *r)
{
	int64_t cycles = 0;
	for (int u = 0; u < t->p->n_streams; u++) {
		int64_t busy[PIM_ENGINE_COUNT] = {0};
		for (int i = 0; i < t->n[u]; i++) {
			busy[pim_command_at(t->step[u][i].c->code)->engine] += cost(t, t->step[u] + i);
			cycles = t->step[u][i].end > cycles ? t->step[u][i].end : cycles;
		}
		CHECK(r->unit[u].commands == t->n[u]);
		CHECK(memcmp(r->unit[u].busy, busy, sizeof busy) == 0);
		CHECK(r->unit[u].arrived_bytes == most_waiting(t, u));
	}
	CHECK(r->cycles == cycles);
	for (int i = 0; i < r->n_links; i++)
		CHECK(r->link_bytes[i] == t->link_bytes[i]);
}

/* All memory of every unit from the first to the last byte, as results. */
static void add_results(pim_program *p, int64_t offset)
{
	int64_t dims[2] = {p->n_streams, MEMORY / 4};
	pim_program_tensor t = {.name = "y"};
	t.type = pim_type_tensor(p->context, PIM_DTYPE_f32, 2, dims);
	pim_program_result(p, &t);
	for (int i = 0; i < p->n_streams; i++) {
		pim_home h = {.kind = PIM_HOME_result, .unit = (uint32_t)i, .address = offset};
		h.box = (pim_box){2, {i, 0}, {i + 1, MEMORY / 4}};
		pim_program_home(p, &h);
	}
}

static pim_target random_machine(void)
{
	pim_target t = make_machine(1 + (int)draw(4), 1 + (int)draw(3));
	t.network.topology = draw(3) ? PIM_TOPOLOGY_mesh : PIM_TOPOLOGY_torus;
	t.command_cycles = draw(4);
	t.network.hop_cycles = draw(5);
	t.network.link_bytes_per_cycle = (double)(1 + draw(32)) / 2;
	t.memory.latency = 1 + draw(20);
	t.memory.bytes_per_cycle = (double)(1 + draw(64)) / 3;
	t.buffer.latency = 1 + draw(3);
	t.buffer.bytes = BUFFER + 8;
	return t;
}

static void fill_inputs(twin *t, pim_tensor *in, int64_t offset)
{
	float *f = in->data;
	for (int64_t i = 0; i < in->type->elements; i++)
		f[i] = (float)(draw(3) - 1);
	for (int u = 0; u < t->p->n_streams; u++)
		memcpy(t->memory[u][PIM_SPACE_memory] + offset, f + u * (MEMORY / 4), MEMORY);
}

/* Bit by bit; sums past 2^20 need not be exact, as products add in any order. */
static bool is_same(const uint8_t *a, const uint8_t *b)
{
	float x = number_at(a, 0), y = number_at(b, 0), size = y < 0 ? -y : y;
	float difference = x < y ? y - x : x - y;
	return memcmp(a, b, 4) == 0 || (size > 1048576.0f && difference < size * 1e-4f);
}

static void compare_values(const twin *t, const pim_sim_report *r, int64_t offset)
{
	for (int u = 0; u < t->p->n_streams; u++)
		for (int64_t i = 0; i < MEMORY; i += 4)
			CHECK(is_same((uint8_t *)r->result[0].data + u * MEMORY + i,
				t->memory[u][PIM_SPACE_memory] + offset + i));
}

typedef struct tally {
	int64_t programs, commands, messages, faulty, faults;
} tally;

static void run_one(twin *t, uint64_t seed, bool forget, tally *sum)
{
	random_state = seed;
	pim_context *c = pim_context_new();
	pim_arena *a = pim_arena_new();
	messages said = {0};
	pim_context_on_diag(c, keep_message, &said);
	c->error_limit = 1000;
	pim_target machine = random_machine();
	pim_module *m = pim_module_new(c);
	step *const *lists = t->step;
	twin fresh = {.p = pim_program_new(c, &machine, "random")};
	for (int u = 0; u < UNITS; u++)
		fresh.step[u] = lists[u];
	*t = fresh;
	maker k = {.p = (pim_program *)t->p, .t = t, .offset = draw(4), .drop = forget ? 3 : 0};
	for (int u = 0; u < UNITS; u++)
		k.barrier[u] = -1;
	add_input(k.p, MEMORY / 4, k.offset);
	add_results(k.p, k.offset);
	make_kernels(&k, pim_graph_new(m, "ops"));
	make_program(&k, 20 + (int)draw(140));
	match(t);
	pim_tensor in = {
		k.p->input[0].type, pim_arena_alloc(a, (size_t)pim_type_bytes(k.p->input[0].type))};
	fill_inputs(t, &in, k.offset);
	find_times(t);
	move_values(t);
	seen watched = {.t = t, .same = true};
	pim_sim_options o = {
		.values = true, .check = true, .input = &in, .watch = compare_event, .user = &watched};
	pim_sim_report *r = run_program(k.p, &o, a);
	int faults = 0;
	CHECK(watched.same);
	CHECK(same_faults(t, &said, k.offset, k.offset + MEMORY, &faults));
	CHECK((r != NULL) == (faults == 0));
	CHECK(forget || faults == 0);
	for (int i = 0; i < said.n && !forget; i++)
		fprintf(stderr, "seed %llu: %s\n", (unsigned long long)seed, said.text[i]);
	if (r)
		compare_values(t, r, k.offset);
	pim_sim_options timing = {0};
	r = run_program(k.p, &timing, a);
	CHECK(r != NULL);
	if (r) {
		compare_report(t, r);
		sum->commands += r->commands;
		sum->messages += r->messages;
	}
	o.check = !forget;
	check_flits(t, o, a);
	sum->programs++;
	sum->faults += faults;
	sum->faulty += faults > 0;
	pim_program_free(k.p);
	pim_arena_free(a);
	pim_context_free(c);
}

int main(void)
{
	static twin t;
	for (int u = 0; u < UNITS; u++)
		t.step[u] = calloc(MOST, sizeof(step));
	tally clean = {0}, racing = {0};
	for (uint64_t seed = 1; seed <= 1000; seed++)
		run_one(&t, seed, seed % 2, seed % 2 ? &racing : &clean);
	printf("%lld clean programs: %lld commands, %lld messages\n", (long long)clean.programs,
		(long long)clean.commands, (long long)clean.messages);
	printf("%lld programs with forgotten dependences: %lld commands, %lld of them faulty in %lld "
		   "programs\n",
		(long long)racing.programs, (long long)racing.commands, (long long)racing.faults,
		(long long)racing.faulty);
	CHECK(clean.messages > 1000 && racing.faults > 100);
	for (int u = 0; u < UNITS; u++)
		free(t.step[u]);
	return check_failures != 0;
}
