/* SPDX-License-Identifier: Apache-2.0 */
/* sim_turns.c - which command has a bank next.
 *
 * Engines of all banks ask for their banks, each for one command at a time, from when the command
 * could start. Requests are granted in order of time, so that a message is known before anything
 * that begins after it was sent. Loads, stores and messages take turns; what comes while one has
 * the bank waits for the slot behind it. A kernel gives way: row operations are complete by
 * themselves, so accesses come between them, and it ends so many slots later.
 *
 * An all-bank kernel begins when all banks of its channel are there, and mode_switch behind the
 * last command to a single one. An access stops it behind the slot it is in; the channel is in the
 * mode of single banks then, for accesses of all of its banks, until mode_switch behind the last.
 */
#include <stdlib.h>

#include "ir/array.h"
#include "ir/heap.h"
#include "targets/sim_turns.h"

static inline bool goes_before(const pim_sim_turns *q, pim_sim_turn a, pim_sim_turn b)
{
	(void)q;
	if (a.time != b.time)
		return a.time < b.time;
	if (a.kind != b.kind)
		return a.kind < b.kind;
	return a.unit != b.unit ? a.unit < b.unit : a.engine < b.engine;
}

PIM_HEAP(turn, const pim_sim_turns *, pim_sim_turn, goes_before, PIM_HEAP_PUT)

static void push(pim_sim_turns *q, pim_sim_turn x)
{
	turn_lift(q, q->heap, q->n++, x);
}

void pim_sim_turns_new(pim_sim *s, pim_sim_turns *q)
{
	*q = (pim_sim_turns){.grid = s->t->bank.grid, .mode_switch = s->t->bank.mode_switch};
	q->all = s->t->bank.lockstep ? s->t->bank.lockstep->bank.grid : NULL;
	q->parts = s->o->trace ? s->arena : NULL;
	q->lockstep = PIM_NEW(s->arena, pim_sim_lockstep, s->n_units / (int)q->grid->banks);
	s->lockstep = q->lockstep;
	q->heap = PIM_NEW(s->arena, pim_sim_turn, 2 * s->n_units * PIM_ENGINE_COUNT + 1);
	q->bank = PIM_NEW(s->arena, pim_sim_bank, s->n_units);
	for (int i = 0; i < s->n_units; i++)
		q->bank[i].kernel_end = -1;
}

static int64_t slot_start(const pim_sim_turns *q, uint32_t unit, int64_t slot)
{
	return pim_slot_start(q->grid, unit % q->grid->banks, slot);
}

static int64_t slot_behind(const pim_sim_turns *q, uint32_t unit, int64_t time)
{
	return pim_slot_behind(q->grid, unit % q->grid->banks, time);
}

/* ---- all-bank kernels ---- */

static pim_sim_lockstep *lockstep_of(const pim_sim_turns *q, uint32_t unit)
{
	return q->lockstep + unit / q->grid->banks;
}

/* A bank is at an all-bank kernel. */
static void meet(pim_sim_turns *q, pim_sim_turn x)
{
	pim_sim_lockstep *c = lockstep_of(q, x.unit);
	c->time = c->there ? pim_max(c->time, x.time) : x.time;
	c->slots = c->there ? pim_max(c->slots, x.slots) : x.slots;
	c->commands = c->there ? pim_max(c->commands, x.commands) : x.commands;
	if (++c->there < q->grid->banks)
		return;
	x.unit -= x.unit % (uint32_t)q->grid->banks;
	x.time = c->time;
	x.slots = c->slots;
	push(q, x);
}

/* To all banks of a channel at once. */
static void push_all(pim_sim_turns *q, const pim_sim_turn *x, pim_sim_turn_kind kind)
{
	for (uint32_t i = 0; i < q->grid->banks; i++)
		push(q, (pim_sim_turn){x->time, 0, x->unit + i, x->engine, (uint8_t)kind, 0});
}

static void begin_all(pim_sim_turns *q, pim_sim_turn *x)
{
	pim_sim_lockstep *c = lockstep_of(q, x->unit);
	int64_t singles = c->single_end ? c->single_end + q->mode_switch : 0;
	int64_t from = pim_slot_behind(q->all, 0, pim_max(x->time, singles));
	int64_t start = pim_slot_start(q->all, 0, from);
	if (start > x->time) {
		x->time = start;
		push(q, *x);
		return;
	}
	c->runs = true;
	c->there = 0;
	q->bus_commands += (double)c->commands * (double)q->all->banks;
	c->from = from;
	c->left = x->slots;
	push_all(q, x, PIM_SIM_begins);
	x->kind = PIM_SIM_parts;
	x->time = pim_slot_end_of_groups(q->all, from + c->left - 1);
	push(q, *x);
}

static void keep_part(pim_sim_turns *q, pim_sim_lockstep *c, int64_t slots)
{
	if (!q->parts || !slots)
		return;
	c->part = pim_arena_grow(q->parts, c->part, c->n_parts, &c->room_parts, sizeof *c->part);
	c->part[c->n_parts++] = (pim_sim_part){c->from, slots};
}

static void end_all(pim_sim_turns *q, pim_sim_turn *x)
{
	pim_sim_lockstep *c = lockstep_of(q, x->unit);
	int64_t end = pim_slot_end_of_groups(q->all, c->from + c->left - 1);
	if (end > x->time) {
		x->time = end;
		push(q, *x);
		return;
	}
	keep_part(q, c, c->left);
	c->runs = false;
	c->singles = end + q->mode_switch;
	push_all(q, x, PIM_SIM_ends);
}

/* Stops a channel's kernel behind the slots that begin before a time; false: it has no more. */
static bool stop_all(pim_sim_turns *q, pim_sim_lockstep *c, int64_t time)
{
	int64_t done = pim_slot_behind(q->all, 0, time) - c->from;
	if (done <= 0)
		return true;
	done = done < c->left ? done : c->left;
	c->singles = pim_slot_end_of_groups(q->all, c->from + done - 1) + q->mode_switch;
	if (done == c->left)
		return false;
	keep_part(q, c, done);
	c->left -= done;
	c->from += done;
	return true;
}

/* May an access or a kernel of one bank begin? Else it is put back. */
static bool begin_single(pim_sim_turns *q, pim_sim_turn *x)
{
	pim_sim_lockstep *c = lockstep_of(q, x->unit);
	bool goes_on = c->runs && stop_all(q, c, x->time);
	int64_t slot = slot_behind(q, x->unit, pim_max(x->time, c->singles));
	int64_t start = slot_start(q, x->unit, slot);
	int64_t end = slot_start(q, x->unit, slot + x->slots - 1) + q->grid->slot;
	if (goes_on)
		c->from = pim_max(c->from, pim_slot_behind(q->all, 0, end + q->mode_switch));
	if (start > x->time) {
		x->time = start;
		push(q, *x);
		return false;
	}
	c->single_end = pim_max(c->single_end, end);
	return true;
}

/* ---- requests ---- */

void pim_sim_turns_ask(pim_sim_turns *q, pim_sim_turn x)
{
	if (x.kind == PIM_SIM_meets) {
		meet(q, x);
		return;
	}
	if (x.slots)
		x.time = slot_start(q, x.unit, slot_behind(q, x.unit, x.time));
	push(q, x);
}

/* False: the bank is not free yet; x is put back. */
static bool begin(pim_sim_turns *q, pim_sim_turn *x)
{
	pim_sim_bank *b = q->bank + x->unit;
	if (!x->slots)
		return true;
	int64_t slot = slot_behind(q, x->unit, x->time);
	if (slot < b->free) {
		x->time = slot_start(q, x->unit, b->free);
		push(q, *x);
		return false;
	}
	if (q->all && !begin_single(q, x))
		return false;
	if (x->engine != PIM_ENGINE_rows) {
		b->free = slot + x->slots;
		b->kernel_end += b->kernel_end >= 0 ? x->slots : 0;
		return true;
	}
	b->kernel_end = slot + x->slots;
	push(q, (pim_sim_turn){slot_start(q, x->unit, b->kernel_end - 1) + q->grid->slot, 0, x->unit,
				x->engine, PIM_SIM_ends, 0});
	return true;
}

static bool end(pim_sim_turns *q, pim_sim_turn *x)
{
	pim_sim_bank *b = q->bank + x->unit;
	if (b->kernel_end < 0) /* an all-bank one */
		return true;
	int64_t time = slot_start(q, x->unit, b->kernel_end - 1) + q->grid->slot;
	if (time > x->time) {
		x->time = time;
		push(q, *x);
		return false;
	}
	b->free = b->free > b->kernel_end ? b->free : b->kernel_end;
	b->kernel_end = -1;
	if (q->all)
		lockstep_of(q, x->unit)->single_end = pim_max(lockstep_of(q, x->unit)->single_end, time);
	return true;
}

static bool take(pim_sim_turns *q, pim_sim_turn *x)
{
	switch ((pim_sim_turn_kind)x->kind) {
	case PIM_SIM_begins:
		return begin(q, x);
	case PIM_SIM_ends:
		return end(q, x);
	case PIM_SIM_meets:
		begin_all(q, x);
		break;
	case PIM_SIM_parts:
		end_all(q, x);
	}
	return false;
}

bool pim_sim_turns_next(pim_sim_turns *q, pim_sim_turn *next)
{
	while (q->n) {
		*next = turn_pop(q, q->heap, q->n--);
		if (take(q, next))
			return true;
	}
	return false;
}

pim_sim_span *pim_sim_turns_span(pim_sim_unit *u, int64_t command)
{
	u->span = pim_array_reserve(u->span, command + 1, &u->room_span, sizeof *u->span);
	return u->span + command;
}
