/* SPDX-License-Identifier: Apache-2.0 */
/* sim_prepare.c - what is known of a command program before it runs.
 *
 * Durations, sizes, channels and routes of commands do not change from round to round, so they are
 * worked out once per written command. So are all totals (commands, busy cycles, bytes, energy,
 * traffic of links): a command inside repeats runs the product of their rounds. A program that
 * would run too long is refused here. */
#include <stdlib.h>
#include <string.h>

#include "targets/sim.h"

#define MOST_COMMANDS 1000000000000 /* executed, of all units */
/* of all commands, one after the other: no time overflows, in parts of a cycle either (flows.c) */
#define MOST_CYCLES (INT64_MAX / 4096)

static int64_t at_most(int64_t cycles)
{
	return cycles < MOST_CYCLES ? cycles : MOST_CYCLES;
}

/* ---- casts: what leaves a unit, to one unit or to a group ---- */

static int compare_casts(const void *a, const void *b)
{
	const pim_sim_cast *x = a, *y = b;
	if (x->from != y->from)
		return x->from < y->from ? -1 : 1;
	if (x->group != y->group)
		return x->group < y->group ? -1 : 1;
	return (x->to > y->to) - (x->to < y->to);
}

static pim_sim_cast cast_of(uint32_t unit, const pim_command *c)
{
	bool many = c->code == PIM_COMMAND_multicast;
	return (pim_sim_cast){.from = unit, .group = many ? c->unit + 1 : 0, .to = many ? 0 : c->unit};
}

/* Each once, ascending. seen: per partner and per group, the last unit + 1 that posts to it. */
static void list_casts(pim_sim *s)
{
	uint32_t room = 64, n = 0;
	size_t partners = (size_t)s->n_units + (size_t)s->p->n_groups;
	uint32_t *seen = PIM_NEW(s->arena, uint32_t, partners);
	pim_sim_cast *list = pim_arena_raw(s->arena, room * sizeof *list);
	for (int u = 0; u < s->n_units; u++)
		for (int64_t i = 0; i < s->p->stream[u].n_commands; i++) {
			const pim_command *c = s->p->stream[u].command + i;
			if (!pim_command_posts(c->code))
				continue;
			pim_sim_cast k = cast_of((uint32_t)u, c);
			uint32_t *last = seen + (k.group ? (uint32_t)s->n_units + k.group - 1 : k.to);
			if (*last == (uint32_t)u + 1)
				continue;
			*last = (uint32_t)u + 1;
			if (n == room) {
				pim_sim_cast *more = pim_arena_raw(s->arena, 2 * room * sizeof *list);
				list = memcpy(more, list, room * sizeof *list);
				room *= 2;
			}
			list[n++] = k;
		}
	qsort(list, n, sizeof *list, compare_casts);
	s->cast = list;
	s->n_casts = n;
}

/* The destinations of a cast. */
static const int *targets_of(const pim_sim *s, const pim_sim_cast *k, int *one)
{
	*one = (int)k->to;
	return k->group ? s->p->group[k->group - 1].unit : one;
}

static uint32_t find_cast(const pim_sim *s, const pim_sim_cast *wanted)
{
	const pim_sim_cast *k = bsearch(wanted, s->cast, s->n_casts, sizeof *s->cast, compare_casts);
	return (uint32_t)(k - s->cast);
}

/* ---- channels ---- */

static int compare_keys(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
	return (x > y) - (x < y);
}

/* The pairs of units that exchange messages, with repetitions: those of casts, and those that only
 * a receiver names. */
static uint64_t *list_keys(pim_sim *s, size_t *count)
{
	size_t n = 0, room = 1;
	for (uint32_t i = 0; i < s->n_casts; i++)
		room += s->cast[i].n = s->cast[i].group ? (uint32_t)s->p->group[s->cast[i].group - 1].n : 1;
	for (int u = 0; u < s->n_units; u++) {
		int64_t has = s->p->stream[u].n_commands;
		room += (size_t)(has < s->n_units ? has : s->n_units);
	}
	uint64_t *key = PIM_NEW(s->arena, uint64_t, room);
	uint32_t *seen = PIM_NEW(s->arena, uint32_t, s->n_units);
	for (uint32_t i = 0; i < s->n_casts; i++) {
		int one;
		const int *to = targets_of(s, &s->cast[i], &one);
		for (uint32_t k = 0; k < s->cast[i].n; k++)
			key[n++] = (uint64_t)s->cast[i].from << 32 | (uint32_t)to[k];
	}
	for (int u = 0; u < s->n_units; u++)
		for (int64_t i = 0; i < s->p->stream[u].n_commands; i++) {
			const pim_command *c = s->p->stream[u].command + i;
			if (!pim_command_receives(c->code) || seen[c->unit] == (uint32_t)u + 1)
				continue;
			seen[c->unit] = (uint32_t)u + 1;
			key[n++] = (uint64_t)c->unit << 32 | (uint32_t)u;
		}
	*count = n;
	return key;
}

static void make_channels(pim_sim *s)
{
	size_t n, unique = 0;
	uint64_t *key = list_keys(s, &n);
	qsort(key, n, sizeof *key, compare_keys);
	for (size_t i = 0; i < n; i++)
		if (unique == 0 || key[unique - 1] != key[i])
			key[unique++] = key[i];
	s->n_channels = (uint32_t)unique;
	s->channel = PIM_NEW(s->arena, pim_sim_channel, unique + 1);
	for (size_t i = 0; i < unique; i++) {
		s->channel[i].from = (uint32_t)(key[i] >> 32);
		s->channel[i].to = (uint32_t)key[i];
	}
}

static uint32_t find_channel(const pim_sim *s, uint32_t from, uint32_t to)
{
	uint64_t key = (uint64_t)from << 32 | to;
	uint32_t lo = 0, hi = s->n_channels;
	while (hi - lo > 1) {
		uint32_t middle = lo + (hi - lo) / 2;
		const pim_sim_channel *c = s->channel + middle;
		if (((uint64_t)c->from << 32 | c->to) <= key)
			lo = middle;
		else
			hi = middle;
	}
	return lo;
}

static void make_casts(pim_sim *s)
{
	for (uint32_t i = 0; i < s->n_casts; i++) {
		pim_sim_cast *k = s->cast + i;
		int one;
		const int *to = targets_of(s, k, &one);
		k->tree = pim_network_tree(s->t, (int)k->from, (int)k->n, to, s->arena);
		k->channel = PIM_NEW(s->arena, uint32_t, k->n);
		for (uint32_t d = 0; d < k->n; d++)
			k->channel[d] = find_channel(s, k->from, (uint32_t)to[d]);
	}
	if (s->t->network.topology == PIM_TOPOLOGY_bus || pim_sim_has_banks(s))
		s->links = pim_links_new(s->t);
}

/* ---- streams ---- */

/* On banks: slots. */
static void take_bank(const pim_sim *s, const pim_command *c, pim_sim_op *op)
{
	op->slots = c->n_refs ? pim_sim_bank_slots(s, c) : 0;
	op->lockstep = pim_command_is_lockstep(c->code);
	const pim_target *t = op->lockstep ? s->t->bank.lockstep : s->t;
	op->cycles = at_most(pim_slots_cycles(t->bank.grid, op->slots));
}

static pim_sim_op decode(const pim_sim *s, uint32_t unit, const pim_command *c)
{
	pim_sim_op op = {.task = c->task, .engine = (uint8_t)pim_command_at(c->code)->engine};
	for (int i = 0; i < PIM_MAX_AFTER; i++)
		if (c->after[i])
			op.after[op.n_after++] = c->after[i];
	op.kind = PIM_SIM_run;
	if (s->bank)
		take_bank(s, c, &op);
	else
		op.cycles = at_most(pim_command_cycles(s->p, c, pim_command_refs(&s->p->stream[unit], c)));
	if (!pim_command_posts(c->code) && !pim_command_receives(c->code))
		return op;
	op.kind = pim_command_posts(c->code) ? PIM_SIM_send : PIM_SIM_recv;
	op.bytes = c->n_refs ? s->pattern[c->index].bytes : 0;
	op.link = at_most(pim_target_link_cycles(s->t, op.bytes));
	if (op.kind == PIM_SIM_send && op.cycles < op.link)
		op.cycles = op.link;
	pim_sim_cast cast = cast_of(unit, c);
	op.other = pim_command_posts(c->code) ? find_cast(s, &cast) : find_channel(s, c->unit, unit);
	return op;
}

/* The ring holds the completions of as many commands as the farthest `after` reaches back. */
static void make_ring(pim_sim *s, pim_sim_unit *u, int64_t n)
{
	uint64_t farthest = 1, room = 1;
	for (int64_t i = 0; i < n; i++)
		for (int k = 0; k < u->op[i].n_after; k++)
			if (u->op[i].after[k] > farthest)
				farthest = u->op[i].after[k];
	while (room <= farthest)
		room *= 2;
	u->ring = PIM_NEW(s->arena, int64_t, room);
	u->mask = room - 1;
}

static void decode_stream(pim_sim *s, uint32_t unit)
{
	const pim_stream *stream = s->p->stream + unit;
	pim_sim_op *op = pim_arena_raw(s->arena, sizeof *op * (size_t)(stream->n_commands + 1));
	int64_t open[PIM_MAX_REPEAT];
	int depth = 0;
	for (int64_t i = 0; i < stream->n_commands; i++) {
		const pim_command *c = stream->command + i;
		if (c->code == PIM_COMMAND_repeat) {
			op[i] = (pim_sim_op){.kind = PIM_SIM_repeat, .link = c->count};
			open[depth++] = i;
		} else if (c->code == PIM_COMMAND_end) {
			int64_t first = open[--depth];
			op[i] =
				(pim_sim_op){.kind = PIM_SIM_end, .link = op[first].link, .other = (uint32_t)first};
			op[first].other = (uint32_t)i;
		} else {
			op[i] = decode(s, unit, c);
		}
	}
	op[stream->n_commands] = (pim_sim_op){.kind = PIM_SIM_stop};
	s->unit[unit].op = op;
	make_ring(s, s->unit + unit, stream->n_commands);
}

/* ---- totals ---- */

typedef struct pim_sim_totals {
	int64_t commands, work; /* work: all cycles, as if nothing ran side by side */
	bool overflow;
} pim_sim_totals;

static void add_times(int64_t *sum, int64_t amount, int64_t times, pim_sim_totals *t)
{
	int64_t product;
	if (!pim_mul(amount, times, &product) || !pim_add(*sum, product, sum) || *sum > MOST_CYCLES)
		t->overflow = true;
}

static void account_energy(pim_sim *s, const pim_command *c, int64_t runs)
{
	double pj = s->p->kernel[c->index].pj * (double)runs;
	s->report->pj[c->code == PIM_COMMAND_matrix ? PIM_SIM_ENERGY_matrix : PIM_SIM_ENERGY_vector] +=
		pj;
}

static void account_refs(
	pim_sim *s, const pim_command *c, const pim_ref *ref, int64_t runs, pim_sim_totals *t)
{
	bool kernel = pim_command_is_kernel(c->code);
	pim_sim_report *r = s->report;
	if (pim_command_is_rows(c->code)) {
		pim_sim_bank_account(s, c, runs);
		return;
	}
	for (int i = 0; i < c->n_refs; i++) {
		bool writes = i == 0 && pim_command_writes(c->code);
		add_times(
			(writes ? r->written : r->read) + ref[i].space, pim_command_bytes(s->p, c, i), runs, t);
		if (writes && kernel && c->accumulate)
			add_times(r->read + ref[i].space, pim_command_bytes(s->p, c, i), runs, t);
	}
	if (kernel)
		account_energy(s, c, runs);
}

static void account_message(pim_sim *s, const pim_sim_op *op, int64_t runs, pim_sim_totals *t)
{
	pim_sim_cast *c = s->cast + op->other;
	pim_sim_report *r = s->report;
	add_times(&c->posted, 1, runs, t);
	add_times(&c->bytes, op->bytes, runs, t);
	add_times(&r->messages, 1, runs, t);
	add_times(&r->message_bytes, op->bytes, runs, t);
	for (int i = 0; i <= c->tree.n; i++) {
		add_times(&t->work, op->link, runs, t);
		add_times(&t->work, s->t->network.hop_cycles, runs, t);
	}
}

static void account(pim_sim *s, uint32_t unit, uint32_t at, int64_t runs, pim_sim_totals *t)
{
	const pim_stream *stream = s->p->stream + unit;
	const pim_command *c = stream->command + at;
	const pim_sim_op *op = s->unit[unit].op + at;
	pim_sim_unit_report *u = s->report->unit + unit;
	add_times(&u->commands, 1, runs, t);
	add_times(&t->commands, 1, runs, t);
	add_times(u->busy + op->engine, op->cycles, runs, t);
	add_times(&t->work, op->cycles, runs, t);
	add_times(&t->work, s->t->command_cycles, runs, t);
	account_refs(s, c, pim_command_refs(stream, c), runs, t);
	if (op->kind == PIM_SIM_send)
		account_message(s, op, runs, t);
}

static void account_stream(pim_sim *s, uint32_t unit, pim_sim_totals *t)
{
	const pim_stream *stream = s->p->stream + unit;
	int64_t runs[PIM_MAX_REPEAT + 1] = {1};
	int depth = 0;
	for (int64_t i = 0; i < stream->n_commands && !t->overflow; i++) {
		const pim_command *c = stream->command + i;
		if (c->code == PIM_COMMAND_repeat) {
			t->overflow = !pim_mul(runs[depth], c->count > 0 ? c->count : 0, &runs[depth + 1]) ||
						  runs[depth + 1] > MOST_COMMANDS;
			depth++;
		} else if (c->code == PIM_COMMAND_end) {
			depth--;
		} else {
			account(s, unit, (uint32_t)i, runs[depth], t);
		}
		t->overflow = t->overflow || t->commands > MOST_COMMANDS;
	}
	s->report->unit[unit].memory_bytes = stream->memory_bytes;
	s->report->unit[unit].buffer_bytes = stream->buffer_bytes;
}

static void account_links(pim_sim *s)
{
	pim_sim_report *r = s->report;
	for (uint32_t i = 0; i < s->n_casts; i++) {
		const pim_sim_cast *c = s->cast + i;
		for (uint32_t d = 0; d < c->n; d++)
			s->channel[c->channel[d]].posted += c->posted;
		r->byte_hops += c->bytes * c->tree.n;
		for (int h = 0; h < c->tree.n; h++)
			r->link_bytes[c->tree.link[h]] += c->bytes;
	}
}

static void account_memories(pim_sim *s)
{
	pim_sim_report *r = s->report;
	const pim_memory *memory[] = {
		[PIM_SPACE_memory] = &s->t->memory, [PIM_SPACE_buffer] = &s->t->buffer};
	const int energy[] = {
		[PIM_SPACE_memory] = PIM_SIM_ENERGY_memory, [PIM_SPACE_buffer] = PIM_SIM_ENERGY_buffer};
	for (int i = PIM_SPACE_memory; i <= PIM_SPACE_buffer; i++)
		r->pj[energy[i]] =
			(double)r->read[i] * memory[i]->read_pj + (double)r->written[i] * memory[i]->write_pj;
	r->pj[PIM_SIM_ENERGY_network] = (double)r->byte_hops * s->t->network.hop_pj;
}

static bool account_all(pim_sim *s)
{
	pim_sim_totals t = {0};
	for (int u = 0; u < s->n_units && !t.overflow; u++)
		account_stream(s, (uint32_t)u, &t);
	if (t.overflow)
		return pim_file_error(s->context, s->o->path,
			"the program runs too long: at most %lld commands and %lld cycles of work are "
			"simulated",
			(long long)MOST_COMMANDS, (long long)MOST_CYCLES);
	s->report->commands = t.commands;
	account_links(s);
	account_memories(s);
	return true;
}

bool pim_sim_prepare(pim_sim *s)
{
	pim_sim_patterns(s);
	pim_sim_kernels(s);
	if (pim_sim_has_banks(s) && !pim_sim_bank_kernels(s))
		return false;
	list_casts(s);
	make_channels(s);
	make_casts(s);
	s->unit = PIM_NEW(s->arena, pim_sim_unit, s->n_units);
	s->heap = PIM_NEW(s->arena, uint32_t, s->n_units + 1);
	for (int u = 0; u < s->n_units; u++) {
		s->unit[u].number = (uint32_t)u;
		s->unit[u].arrivals = PIM_NEW(s->arena, pim_sim_arrivals, 1);
		decode_stream(s, (uint32_t)u);
	}
	return account_all(s);
}
