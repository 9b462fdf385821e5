/* SPDX-License-Identifier: Apache-2.0 */
/* timeline.c - what ran when, in the Chrome trace event format, which Perfetto opens.
 *
 * A unit is a process, an engine a thread, a span the work of one task on one engine. One cycle is
 * written as one microsecond, so the viewer's numbers are cycles. Spans of one task on one engine
 * that follow each other within `gap` cycles are one span; when there are more than the limit, the
 * gap grows and all are joined again; what still does not fit is dropped and counted. */
#include <stdlib.h>
#include <string.h>

#include "ir/array.h"
#include "targets/sim.h"

enum { NONE = -1 };

typedef struct span {
	int64_t start, end;
	uint32_t task;
	uint32_t commands;
	uint32_t lane; /* unit * engines + engine */
} span;

struct pim_timeline {
	const pim_program *program;
	int64_t n, limit, gap, dropped;
	span *span;
	int64_t *last; /* per lane: its latest span, NONE */
	int n_lanes;
};

pim_timeline *pim_timeline_new(const pim_program *p, int64_t limit)
{
	pim_timeline *t = pim_array_new(1, sizeof *t);
	t->program = p;
	t->limit = limit;
	t->n_lanes = p->n_streams * PIM_ENGINE_COUNT;
	t->span = pim_array_raw(limit, sizeof *t->span);
	t->last = pim_array_raw(t->n_lanes, sizeof *t->last);
	for (int i = 0; i < t->n_lanes; i++)
		t->last[i] = NONE;
	return t;
}

void pim_timeline_free(pim_timeline *t)
{
	free(t->span);
	free(t->last);
	free(t);
}

int64_t pim_timeline_dropped(const pim_timeline *t)
{
	return t->dropped;
}

/* Joins a span to the last one of its lane, or appends it; false when there is no room. */
static bool put_span(pim_timeline *t, const span *s)
{
	int64_t last = t->last[s->lane];
	if (last != NONE && t->span[last].task == s->task && s->start - t->span[last].end <= t->gap) {
		t->span[last].end = s->end > t->span[last].end ? s->end : t->span[last].end;
		t->span[last].commands += s->commands;
		return true;
	}
	if (t->n == t->limit)
		return false;
	t->span[t->n] = *s;
	t->last[s->lane] = t->n++;
	return true;
}

/* Joins again with a wider gap. Spans stand in the order of their lane, so one walk is enough. */
static void join_spans(pim_timeline *t)
{
	int64_t n = t->n;
	t->gap = t->gap * 8 + 8;
	t->n = 0;
	for (int i = 0; i < t->n_lanes; i++)
		t->last[i] = NONE;
	for (int64_t i = 0; i < n; i++) {
		span s = t->span[i];
		put_span(t, &s);
	}
}

void pim_timeline_add(void *timeline, const pim_sim_event *e)
{
	pim_timeline *t = timeline;
	span s = {
		e->begin, e->end, e->task, 1, (uint32_t)(e->unit * PIM_ENGINE_COUNT + (int)e->engine)};
	while (!put_span(t, &s)) {
		if (t->gap > INT64_MAX / 16) {
			t->dropped++;
			return;
		}
		join_spans(t);
	}
}

static void write_unit_name(int unit, pim_text *out)
{
	pim_text_printf(out,
		",\n{\"ph\":\"M\",\"pid\":%d,\"name\":\"process_name\",\"args\":{\"name\":\"unit %d\"}}",
		unit, unit);
	pim_text_printf(out,
		",\n{\"ph\":\"M\",\"pid\":%d,\"name\":\"process_sort_index\",\"args\":{\"sort_index\":%d}}",
		unit, unit);
}

static void write_names(const pim_timeline *t, pim_text *out)
{
	int named = NONE;
	pim_text_str(out, "{\"ph\":\"M\",\"pid\":0,\"name\":\"process_labels\",\"args\":{\"labels\":");
	pim_text_quoted(out, t->program->name ? t->program->name : "");
	pim_text_str(out, "}}");
	for (int i = 0; i < t->n_lanes; i++) {
		int unit = i / PIM_ENGINE_COUNT, engine = i % PIM_ENGINE_COUNT;
		if (t->last[i] == NONE)
			continue;
		if (named != unit)
			write_unit_name(named = unit, out);
		pim_text_printf(out,
			",\n{\"ph\":\"M\",\"pid\":%d,\"tid\":%d,\"name\":\"thread_name\",\"args\":{\"name\":\"%"
			"s\"}}",
			unit, engine, pim_engine_name(engine));
	}
}

static void write_span(const pim_timeline *t, const span *s, pim_text *out)
{
	static const pim_task nobody = {.name = "?", .op = "?"};
	bool known = s->task < (uint32_t)t->program->n_tasks;
	const pim_task *task = known ? t->program->task + s->task : &nobody;
	pim_text_str(out, ",\n{\"name\":");
	pim_text_quoted(out, task->name ? task->name : "?");
	pim_text_str(out, ",\"cat\":");
	pim_text_quoted(out, task->op ? task->op : "?");
	pim_text_printf(out,
		",\"ph\":\"X\",\"pid\":%u,\"tid\":%u,\"ts\":%lld,\"dur\":%lld,\"args\":{\"commands\":%u}}",
		s->lane / PIM_ENGINE_COUNT, s->lane % PIM_ENGINE_COUNT, (long long)s->start,
		(long long)(s->end - s->start), s->commands);
}

void pim_timeline_write(const pim_timeline *t, pim_text *out)
{
	pim_text_str(out, "{\"displayTimeUnit\":\"ns\",\"otherData\":{\"cycles_per_us\":1");
	pim_text_printf(out, ",\"joined_over\":%lld,\"dropped_commands\":%lld},\n\"traceEvents\":[\n",
		(long long)t->gap, (long long)t->dropped);
	write_names(t, out);
	for (int64_t i = 0; i < t->n; i++)
		write_span(t, t->span + i, out);
	pim_text_str(out, "\n]}\n");
}
