/* SPDX-License-Identifier: Apache-2.0 */
/* sim_check.c - what the lowering promised: no race, no wait for ever, nothing read unwritten.
 *
 * Race: of two commands of one unit that touch the same bytes, one of them writing, the later one
 * in the stream starts before the earlier one has ended. (Values move in stream order; so without
 * races they are what the machine would compute.) A command occupies its bytes from its start to
 * its end. Deadlock: no unit can go on and some wait for messages. Each command is reported once.
 */
#include <stdarg.h>
#include <string.h>

#include "targets/sim.h"

const char *pim_sim_command_name(const pim_sim *s, uint32_t unit, uint32_t command)
{
	return pim_command_at(s->p->stream[unit].command[command].code)->name;
}

bool pim_sim_error(pim_sim *s, const pim_sim_unit *u, uint32_t command, const char *format, ...)
{
	pim_text t = {0};
	pim_text_printf(&t, "unit %u, command %u (%s", u->number, command,
		pim_sim_command_name(s, u->number, command));
	const char *between = "; round ";
	for (int d = 0; d < u->depth && command == u->pc; d++, between = ", ")
		pim_text_printf(&t, "%s%lld", between, (long long)u->round[d]);
	pim_text_str(&t, "): ");
	va_list ap;
	va_start(ap, format);
	pim_text_vprintf(&t, format, ap);
	va_end(ap);
	pim_file_error(s->context, s->o->path, "%s", t.s);
	pim_text_free(&t);
	return false;
}

/* ---- accesses of a command ---- */

/* Visits rows [lo, hi) of one side of a pattern, or one run of bytes. */
typedef struct rows {
	const pim_sim_walk *walk;
	pim_sim_shadow *shadow;
	const pim_sim_access *access;
	bool note;
	pim_sim_fault fault; /* the first, when testing */
} rows;

static void visit_rows(rows *r, int level, int64_t at)
{
	if (r->fault.kind != PIM_SIM_clean)
		return;
	if (level == r->walk->n) {
		if (r->note)
			pim_sim_shadow_note(r->shadow, at, at + r->walk->run, r->access);
		else
			r->fault = pim_sim_shadow_test(r->shadow, at, at + r->walk->run, r->access);
		return;
	}
	for (int64_t i = 0; i < r->walk->extent[level]; i++)
		visit_rows(r, level + 1, at + i * r->walk->to[level]);
}

static pim_sim_walk ref_walk(const pim_sim *s, const pim_command *c, int ref)
{
	if (pim_command_is_kernel(c->code)) {
		const pim_sim_kernel *k = s->kernel + c->index;
		return (pim_sim_walk){.run = ref == 0 ? k->result_bytes : k->bytes[ref - 1]};
	}
	const pim_sim_pattern *q = s->pattern + c->index;
	return ref == 0 && pim_command_writes(c->code) ? q->to : q->from;
}

static const char *space_name(int space)
{
	return space == PIM_SPACE_memory ? "memory" : "buffer";
}

static void report_fault(pim_sim *s, pim_sim_unit *u, int space, const rows *r)
{
	const pim_sim_fault *f = &r->fault;
	s->faulty = true;
	if (s->raced[u->number][u->pc])
		return;
	s->raced[u->number][u->pc] = 1;
	const char *does = r->access->writes ? "writes" : "reads";
	long long lo = (long long)f->lo, hi = (long long)f->hi - 1;
	if (f->kind == PIM_SIM_unwritten)
		pim_sim_error(s, u, u->pc, "reads %s bytes 0x%llx..0x%llx that nothing has written",
			space_name(space), lo, hi);
	else
		pim_sim_error(s, u, u->pc,
			"%s %s bytes 0x%llx..0x%llx from cycle %lld while command %u (%s) still %s them until "
			"cycle %lld",
			does, space_name(space), lo, hi, (long long)r->access->start, f->command,
			pim_sim_command_name(s, u->number, f->command), f->wrote ? "writes" : "reads",
			(long long)f->until);
}

/* Tests or notes reference i of a command, as a read or a write. */
static void access_ref(pim_sim *s, pim_sim_unit *u, int i, const pim_sim_access *a, bool note)
{
	const pim_stream *stream = s->p->stream + u->number;
	const pim_command *c = stream->command + u->pc;
	const pim_ref *ref = stream->ref + c->first + i;
	pim_sim_walk walk = ref_walk(s, c, i);
	rows r = {.walk = &walk, .shadow = u->shadow[ref->space], .access = a, .note = note};
	if (walk.run)
		visit_rows(&r, 0, pim_sim_address(u, ref));
	if (r.fault.kind != PIM_SIM_clean)
		report_fault(s, u, ref->space, &r);
}

/* All accesses are tested before any is noted: a command does not race with itself. */
void pim_sim_check_command(pim_sim *s, pim_sim_unit *u, int64_t start, int64_t end)
{
	const pim_command *c = s->p->stream[u->number].command + u->pc;
	pim_sim_access read = {start, end, u->pc, false}, write = {start, end, u->pc, true};
	bool sends = !pim_command_writes(c->code);
	for (int note = 0; note < 2; note++)
		for (int i = c->n_refs - 1; i >= 0; i--) {
			if (i > 0 || sends || c->accumulate)
				access_ref(s, u, i, &read, note);
			if (i == 0 && !sends)
				access_ref(s, u, i, &write, note);
		}
}

void pim_sim_check_start(pim_sim *s)
{
	s->raced = PIM_NEW(s->arena, uint8_t *, s->n_units);
	for (int i = 0; i < s->n_units; i++) {
		const pim_stream *stream = s->p->stream + i;
		s->raced[i] = PIM_NEW(s->arena, uint8_t, stream->n_commands + 1);
		s->unit[i].shadow[PIM_SPACE_memory] = pim_sim_shadow_new(stream->memory_bytes);
		s->unit[i].shadow[PIM_SPACE_buffer] = pim_sim_shadow_new(stream->buffer_bytes);
	}
	pim_sim_access a = {0, 0, PIM_SIM_HOST, true};
	for (int64_t i = 0; i < s->p->n_homes; i++) {
		const pim_home *h = s->p->home + i;
		const pim_program_tensor *t = h->kind == PIM_HOME_constant ? s->p->constant : s->p->input;
		if (h->kind == PIM_HOME_result)
			continue;
		int64_t size = (int64_t)pim_dtype_bytes(t[h->tensor].type->dtype);
		pim_sim_shadow_note(s->unit[h->unit].shadow[PIM_SPACE_memory], h->address,
			h->address + pim_box_elements(&h->box) * size, &a);
	}
}

/* Homes of results must have been written. */
void pim_sim_check_results(pim_sim *s)
{
	pim_sim_access a = {INT64_MAX, INT64_MAX, PIM_SIM_HOST, false};
	for (int64_t i = 0; i < s->p->n_homes; i++) {
		const pim_home *h = s->p->home + i;
		if (h->kind != PIM_HOME_result)
			continue;
		const pim_program_tensor *t = s->p->result + h->tensor;
		int64_t bytes = pim_box_elements(&h->box) * (int64_t)pim_dtype_bytes(t->type->dtype);
		pim_sim_fault f = pim_sim_shadow_test(
			s->unit[h->unit].shadow[PIM_SPACE_memory], h->address, h->address + bytes, &a);
		if (f.kind == PIM_SIM_clean)
			continue;
		s->faulty = true;
		pim_file_error(s->context, s->o->path,
			"unit %u: memory bytes 0x%llx..0x%llx of result %s were never written", h->unit,
			(long long)f.lo, (long long)f.hi - 1, t->name);
	}
}

/* ---- the end ---- */

/* Whom a sleeping unit waits for. */
static uint32_t awaited(const pim_sim *s, uint32_t unit)
{
	const pim_sim_unit *u = s->unit + unit;
	return s->channel[u->op[u->pc].other].from;
}

/* The units that wait for each other, when following the waits from `unit` leads back to it and
 * `unit` is the lowest of them. */
static void report_cycle(pim_sim *s, uint32_t unit)
{
	uint32_t at = unit;
	int length = 0;
	do {
		if (s->unit[at].state != PIM_SIM_asleep || at < unit || length++ > s->n_units)
			return;
		at = awaited(s, at);
	} while (at != unit);
	pim_text t = {0};
	for (int i = 0; i < length; i++, at = awaited(s, at))
		pim_text_printf(&t, "%u -> ", at);
	pim_file_error(
		s->context, s->o->path, "units wait for each other in a circle: %s%u", t.s, unit);
	pim_text_free(&t);
}

static const char *state_text(const pim_sim *s, uint32_t unit)
{
	return s->unit[unit].state == PIM_SIM_done ? "has ended" : "waits itself";
}

static void report_sleeper(pim_sim *s, uint32_t unit)
{
	const pim_sim_unit *u = s->unit + unit;
	uint32_t from = awaited(s, unit);
	s->failed = true;
	pim_sim_error(s, u, u->pc, "deadlock: waits for a message of unit %u, which %s", from,
		state_text(s, from));
}

static void report_left(pim_sim *s, const pim_sim_channel *c)
{
	int64_t n = 0;
	for (uint32_t m = c->head; m; m = s->message[m].next)
		n++;
	s->failed = true;
	pim_sim_error(s, s->unit + c->from, s->message[c->head].command,
		"its message is never received by unit %u (%lld such messages)", c->to, (long long)n);
}

void pim_sim_check_end(pim_sim *s)
{
	for (uint32_t i = 0; i < (uint32_t)s->n_units; i++)
		if (s->unit[i].state == PIM_SIM_asleep)
			report_sleeper(s, i);
	for (uint32_t i = 0; i < (uint32_t)s->n_units && s->failed; i++)
		report_cycle(s, i);
	bool stuck = s->failed;
	for (uint32_t i = 0; i < s->n_channels && !stuck; i++)
		if (s->channel[i].head)
			report_left(s, s->channel + i);
}
