/* SPDX-License-Identifier: Apache-2.0 */
/* sim_turns.c - which command has a bank next.
 *
 * Engines of all banks ask for their banks, each for one command at a time, from when the command
 * could start. Requests are granted in order of time, so that a message is known before anything
 * that begins after it was sent. Loads, stores and messages take turns; what comes while one has
 * the bank waits for the slot behind it. A kernel gives way: row operations are complete by
 * themselves, so accesses come between them, and it ends so many slots later. */
#include <stdlib.h>

#include "targets/sim_turns.h"

static bool goes_before(const pim_sim_turn *a, const pim_sim_turn *b)
{
	if (a->time != b->time)
		return a->time < b->time;
	if (a->kind != b->kind)
		return a->kind < b->kind;
	return a->unit != b->unit ? a->unit < b->unit : a->engine < b->engine;
}

static void push(pim_sim_turns *q, pim_sim_turn x)
{
	int i = q->n++;
	for (; i > 0 && goes_before(&x, q->heap + (i - 1) / 2); i = (i - 1) / 2)
		q->heap[i] = q->heap[(i - 1) / 2];
	q->heap[i] = x;
}

static pim_sim_turn pop(pim_sim_turns *q)
{
	pim_sim_turn top = q->heap[0], last = q->heap[--q->n];
	int i = 0;
	for (int child = 1; child < q->n; child = 2 * i + 1) {
		if (child + 1 < q->n && goes_before(q->heap + child + 1, q->heap + child))
			child++;
		if (!goes_before(q->heap + child, &last))
			break;
		q->heap[i] = q->heap[child];
		i = child;
	}
	q->heap[i] = last;
	return top;
}

void pim_sim_turns_new(pim_sim *s, pim_sim_turns *q)
{
	*q = (pim_sim_turns){.grid = s->t->bank.grid};
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

void pim_sim_turns_ask(pim_sim_turns *q, pim_sim_turn x)
{
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
	if (x->engine != PIM_ENGINE_rows) {
		b->free = slot + x->slots;
		b->kernel_end += b->kernel_end >= 0 ? x->slots : 0;
		return true;
	}
	b->kernel_end = slot + x->slots;
	push(q, (pim_sim_turn){slot_start(q, x->unit, b->kernel_end - 1) + q->grid->slot, 0, x->unit,
				x->engine, PIM_SIM_ends});
	return true;
}

static bool end(pim_sim_turns *q, pim_sim_turn *x)
{
	pim_sim_bank *b = q->bank + x->unit;
	int64_t time = slot_start(q, x->unit, b->kernel_end - 1) + q->grid->slot;
	if (time > x->time) {
		x->time = time;
		push(q, *x);
		return false;
	}
	b->free = b->free > b->kernel_end ? b->free : b->kernel_end;
	b->kernel_end = -1;
	return true;
}

bool pim_sim_turns_next(pim_sim_turns *q, pim_sim_turn *next)
{
	while (q->n) {
		*next = pop(q);
		if (next->kind == PIM_SIM_begins ? begin(q, next) : end(q, next))
			return true;
	}
	return false;
}

pim_sim_span *pim_sim_turns_span(pim_sim_unit *u, int64_t command)
{
	if (command >= u->room_span) {
		int64_t room = 2 * command + 64;
		u->span = realloc(u->span, (size_t)room * sizeof *u->span);
		if (!u->span)
			PIM_BUG("no memory for %lld commands", (long long)room);
		u->room_span = room;
	}
	return u->span + command;
}
