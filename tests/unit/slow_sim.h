/* SPDX-License-Identifier: Apache-2.0 */
/* tests/unit/slow_sim.h - a simulator that shares nothing with the real one, and is as plain as can
 * be.
 *
 * It unrolls every stream, and cycle by cycle relaxes start and end times until nothing changes,
 * then lets the network of slow_network.h go on. Values move in order of time (read at the start,
 * written at the end), not in program order. */
#ifndef PIM_TESTS_UNIT_SLOW_SIM_H
#define PIM_TESTS_UNIT_SLOW_SIM_H

#include "tests/unit/sim_machine.h"
#include "tests/unit/slow_network.h"

enum {
	MOST = 400,
	UNITS = 12,
	MEMORY = 2048,
	BUFFER = 1024,
	WORDS = (MEMORY + BUFFER) / 64 + 2,
	ROW = 256,
	UNDER_WAY = 16 * UNITS
};

typedef struct bits {
	uint64_t w[WORDS];
} bits;

static inline void set_bit(bits *b, int64_t i)
{
	b->w[i / 64] |= 1ull << (i % 64);
}

static inline bool meets(const bits *a, const bits *b)
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
	bool known, posted, sent;
	int64_t start, begin, end, arrival[UNITS]; /* arrival: of the message it sent, -1: not known */
	struct step *partner;					   /* of a recv: its send */
	uint8_t got[4][ROW * 4];				   /* operand bytes; of a send: the message */
} step;

typedef struct twin {
	const pim_program *p;
	int n[UNITS];
	step *step[UNITS];
	int64_t link_bytes[UNITS * 6];
	slow_network network; /* messages under way */
	uint8_t memory[UNITS][3][MEMORY + 8];
} twin;

static inline bool is_sending(const pim_command *c)
{
	return c->code == PIM_COMMAND_send || c->code == PIM_COMMAND_multicast;
}

static inline int64_t operand_bytes(const twin *t, const step *s, int ref)
{
	const pim_command *c = s->c;
	if (c->code != PIM_COMMAND_matrix && c->code != PIM_COMMAND_vector)
		return pim_pattern_bytes(t->p->pattern + c->index);
	const pim_kernel *k = t->p->kernel + c->index;
	return pim_type_bytes(ref ? k->graph->inputs[ref - 1]->type : k->op->type);
}

/* Address of byte i of an operand, elements in row-major order. */
static inline int64_t byte_place(const twin *t, const step *s, int ref, int64_t i)
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

static inline int space_of(const step *s, int ref)
{
	return s->stream->ref[s->c->first + (uint32_t)ref].space;
}

static inline bool reads_ref(const step *s, int ref)
{
	return ref > 0 || is_sending(s->c) || s->c->accumulate;
}

static inline bool writes_ref(const step *s, int ref)
{
	return ref == 0 && !is_sending(s->c);
}

static inline void mark_bytes(const twin *t, step *s)
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
static inline void unroll(
	twin *t, int unit, int64_t from, int64_t to, int depth, const int64_t *round)
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
		memset(s->arrival, -1, sizeof s->arrival);
		for (int r = 0; r < c->n_refs; r++) {
			const pim_ref *ref = stream->ref + c->first + r;
			s->address[r] = ref->address;
			for (int d = 0; d < depth; d++)
				s->address[r] += ref->step[d] * rounds[d];
		}
		mark_bytes(t, s);
	}
}

static inline bool posts(const step *s)
{
	return is_sending(s->c) || s->c->code == PIM_COMMAND_signal;
}

static inline bool takes(const step *s)
{
	return s->c->code == PIM_COMMAND_recv || s->c->code == PIM_COMMAND_wait;
}

static inline bool goes_to(const twin *t, const step *s, int unit)
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
static inline void match(twin *t)
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

static inline int64_t up(double x)
{
	int64_t i = (int64_t)x;
	return i + (x > (double)i);
}

static inline int64_t cost(const twin *t, const step *s)
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
static inline int64_t find_start(const twin *t, int unit, int i)
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

static inline bool relax_step(twin *t, int unit, int i)
{
	step *s = t->step[unit] + i;
	int64_t start = find_start(t, unit, i);
	if (s->known || start < 0)
		return false;
	s->start = s->begin = start;
	if (posts(s) && !s->sent)
		return false;
	if (takes(s)) {
		if (!s->partner || s->partner->arrival[unit] < 0)
			return false;
		if (s->partner->arrival[unit] > start)
			s->begin = s->partner->arrival[unit];
	}
	if (!posts(s))
		s->end = s->begin + cost(t, s);
	return s->known = true;
}

static inline void relax(twin *t)
{
	for (bool changed = true; changed;) {
		changed = false;
		for (int u = 0; u < t->p->n_streams; u++)
			for (int i = 0; i < t->n[u]; i++)
				changed = relax_step(t, u, i) || changed;
	}
}

/* The message of a send whose start is known. */
static inline void post(twin *t, int unit, step *s)
{
	const pim_target *m = t->p->target;
	int64_t bytes = s->c->n_refs ? operand_bytes(t, s, 0) : 0;
	if (t->network.n == UNDER_WAY)
		PIM_BUG("%d messages under way", t->network.n);
	slow_message *x = t->network.all + t->network.n++;
	memset(x, 0, sizeof *x);
	x->tag = unit * MOST + (int)s->number;
	x->from = unit;
	x->flits = up((double)bytes / m->network.link_bytes_per_cycle);
	x->flits = x->flits ? x->flits : 1;
	x->first = s->start + cost(t, s) - x->flits;
	for (int to = 0; to < t->p->n_streams; to++)
		if (goes_to(t, s, to))
			x->to[x->n++] = to;
	slow_add(&t->network, x);
	for (int o = 0; o < OUTS; o++)
		if (x->on[o] && o % 7 < 6)
			t->link_bytes[o / 7 * 6 + o % 7] += bytes;
	s->posted = true;
}

/* Posts what can be posted; is there a message that begins now? */
static inline bool post_all(twin *t, int64_t now)
{
	bool any = false;
	for (int u = 0; u < t->p->n_streams; u++) {
		int i = 0;
		while (i < t->n[u] && (t->step[u][i].known || !posts(t->step[u] + i)))
			i++;
		step *s = t->step[u] + i;
		if (i < t->n[u] && !s->posted && (s->start = find_start(t, u, i)) >= 0)
			post(t, u, s);
	}
	for (int i = 0; i < t->network.n; i++)
		any = any || (!t->network.all[i].entered && t->network.all[i].first == now);
	return any;
}

/* Did anything become known of messages? Those that are everywhere are under way no more. */
static inline bool hear(twin *t)
{
	int kept = 0;
	bool any = false;
	for (int i = 0; i < t->network.n; i++) {
		const slow_message *x = t->network.all + i;
		step *s = t->step[x->tag / MOST] + x->tag % MOST;
		bool open = x->left < 0;
		any = any || s->sent == open;
		s->sent = s->sent || !open;
		s->end = open ? 0 : x->left;
		for (int k = 0; k < x->n; k++) {
			any = any || s->arrival[x->to[k]] != x->arrival[k];
			s->arrival[x->to[k]] = x->arrival[k];
			open = open || x->arrival[k] < 0;
		}
		if (open)
			t->network.all[kept++] = *x;
	}
	t->network.n = kept;
	return any;
}

static inline void find_times(twin *t)
{
	static slow_message all[UNDER_WAY];
	int64_t hop = t->p->target->network.hop_cycles;
	t->network = (slow_network){.t = t->p->target, .lanes = 4, .depth = hop > 7 ? hop + 1 : 8};
	t->network.all = all;
	relax(t);
	post_all(t, 0);
	for (int64_t now = 0; t->network.n; now++) {
		for (bool begins = true; begins;) {
			slow_look(&t->network, now);
			begins = hear(t);
			if (begins)
				relax(t);
			begins = begins && post_all(t, now);
		}
		slow_pass(&t->network);
	}
}

/* ---- values, in order of time ---- */

static inline void read_operands(twin *t, int unit, step *s)
{
	for (int r = 0; r < s->c->n_refs; r++)
		for (int64_t i = 0; reads_ref(s, r) && i < operand_bytes(t, s, r); i++)
			s->got[r][i] = t->memory[unit][space_of(s, r)][byte_place(t, s, r, i)];
}

static inline float number_at(const uint8_t *bytes, int64_t i)
{
	float f;
	memcpy(&f, bytes + 4 * i, 4);
	return f;
}

static inline float kernel_value(const pim_kernel *k, const step *s, int64_t i)
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

static inline void write_result(twin *t, int unit, step *s)
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

static inline int compare_moments(const void *a, const void *b)
{
	const moment *x = a, *y = b;
	if (x->time != y->time)
		return x->time < y->time ? -1 : 1;
	return x->reads - y->reads;
}

static inline void move_values(twin *t)
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

#endif
