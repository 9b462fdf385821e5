/* SPDX-License-Identifier: Apache-2.0 */
/* emit.c - writes commands with the dependences that the trackers find.
 *
 * A dependence is dropped when it already holds: engines take their commands in order, so waiting
 * for a command of one's own engine, or for one that this engine has waited for before, says
 * nothing new. */
#include <assert.h>
#include <string.h>

#include "targets/tile/tile.h"

static void add_after(
	pim_unit *u, int engine, const int64_t latest[PIM_ENGINE_COUNT], pim_command *c)
{
	int n = 0;
	for (int e = 0; e < PIM_ENGINE_COUNT; e++) {
		if (e == engine || latest[e] <= u->known[engine][e])
			continue;
		assert(n < PIM_MAX_AFTER);
		c->after[n++] = (uint32_t)(u->number - latest[e]);
		u->known[engine][e] = latest[e];
	}
}

/* Does the channel of a unit run the kernels of the node by all-bank commands? */
static bool goes_in_lockstep(const pim_lowering *l, int unit)
{
	int banks = l->target->network.size[0], channels = l->target->units / banks;
	return l->lockstep && l->lockstep[l->task * (uint32_t)channels + (uint32_t)(unit / banks)];
}

void pim_emit(pim_lowering *l, int unit, pim_command_code code, uint32_t index, uint32_t partner,
	bool accumulate, int n, const pim_touch *touch)
{
	pim_unit *u = &l->unit[unit];
	const pim_command_info *info = pim_command_at(code);
	bool has_destination = pim_command_writes(code);
	int64_t latest[PIM_ENGINE_COUNT] = {[PIM_ENGINE_in] = u->barrier};
	if (code == PIM_COMMAND_signal)
		memcpy(latest, u->last, sizeof latest);
	pim_ref ref[PIM_MAX_RANK + 1] = {{0}};
	u->number++;
	for (int i = 0; i < n; i++) {
		bool writes = i == 0 && has_destination;
		pim_tracker *t = touch[i].space == PIM_SPACE_buffer ? &u->buffer : &u->memory;
		ref[i] = (pim_ref){.space = touch[i].space, .address = touch[i].address};
		if (touch[i].space != PIM_SPACE_constant) /* nobody writes constants */
			pim_tracker_access(t, touch[i].address + touch[i].lo, touch[i].address + touch[i].hi,
				writes, info->engine, u->number, latest);
	}
	if (code == PIM_COMMAND_rows && goes_in_lockstep(l, unit))
		code = PIM_COMMAND_all_rows;
	pim_command *c = pim_stream_add(&l->program->stream[unit], code, n, ref);
	c->index = index;
	c->unit = partner;
	c->task = l->task;
	c->accumulate = accumulate;
	add_after(u, info->engine, latest, c);
	u->last[info->engine] = u->number;
	pim_clock_command(l, unit, c);
}

/* All-bank kernels at the end of a stream, of the node that was written last. */
static int64_t count_all_rows(const pim_lowering *l, int unit)
{
	const pim_stream *s = &l->program->stream[unit];
	int64_t n = 0;
	for (int64_t i = s->n_commands; i-- > 0 && s->command[i].task == l->task;)
		n += s->command[i].code == PIM_COMMAND_all_rows;
	return n;
}

void pim_emit_masked(pim_lowering *l)
{
	int banks = l->target->network.size[0];
	for (int first = 0; l->lockstep && first < l->target->units; first += banks) {
		int64_t most = 0;
		for (int b = 0; b < banks; b++) {
			int64_t n = count_all_rows(l, first + b);
			most = n > most ? n : most;
		}
		for (int b = 0; b < banks && most; b++)
			for (int64_t n = count_all_rows(l, first + b); n < most; n++)
				pim_emit(l, first + b, PIM_COMMAND_masked, 0, 0, false, 0, NULL);
	}
}

/* Rounds of doubling distance (dissemination, Hensgen, Finkel and Manber 1988): after round r a
 * unit has heard, directly or not, from the 2^(r+1) - 1 units before it. */
void pim_emit_barrier(pim_lowering *l)
{
	int n = l->target->units;
	for (int step = 1; step < n; step *= 2) {
		for (int i = 0; i < n; i++)
			pim_emit(l, i, PIM_COMMAND_signal, 0, (uint32_t)((i + step) % n), false, 0, NULL);
		for (int i = 0; i < n; i++)
			pim_emit(l, i, PIM_COMMAND_wait, 0, (uint32_t)((i - step + n) % n), false, 0, NULL);
	}
	for (int i = 0; i < n; i++)
		l->unit[i].barrier = l->unit[i].number;
}

void pim_touch_span(const pim_pattern *p, const int64_t *strides, pim_touch *t)
{
	if (t->lo == t->hi)
		pim_pattern_span(p, strides, &t->lo, &t->hi);
}

void pim_emit_transfer(
	pim_lowering *l, const pim_pattern *p, int from_unit, pim_touch from, int to_unit, pim_touch to)
{
	uint32_t number = pim_program_pattern(l->program, p);
	pim_touch_span(p, p->from, &from);
	pim_touch_span(p, p->to, &to);
	if (from_unit != to_unit) {
		pim_emit(l, from_unit, PIM_COMMAND_send, number, (uint32_t)to_unit, false, 1, &from);
		pim_emit(l, to_unit, PIM_COMMAND_recv, number, (uint32_t)from_unit, false, 1, &to);
		return;
	}
	pim_command_code code = PIM_COMMAND_copy;
	if (to.space == PIM_SPACE_buffer && from.space != PIM_SPACE_buffer)
		code = PIM_COMMAND_load;
	else if (to.space != PIM_SPACE_buffer && from.space == PIM_SPACE_buffer)
		code = PIM_COMMAND_store;
	pim_emit(l, to_unit, code, number, 0, false, 2, (pim_touch[]){to, from});
}
