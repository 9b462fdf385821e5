/* SPDX-License-Identifier: Apache-2.0 */
/* picture_schedule.c - units by time: a bar for each op on the units it holds.
 *
 * Time runs to the right, unit 0 is at the top. Without a placement an op's units are the lowest
 * free ones. Neighbouring units share one bar. */
#include <stdlib.h>
#include <string.h>

#include "passes/drawing.h"
#include "targets/target.h"

enum { MOST_BARS = 4000, WIDTH = 1100, HEIGHT = 520, TICKS = 10 };

typedef struct chart {
	pim_graph *graph;
	pim_drawing *drawing;
	pim_arena *arena;
	int units, bars;
	int64_t end;
	int64_t *free_at; /* by unit, for programs without a placement */
} chart;

static double x_of(const chart *c, int64_t cycle)
{
	return (double)cycle / (double)c->end * WIDTH;
}
static double y_of(const chart *c, double unit)
{
	return HEIGHT * (1 - unit / c->units);
}

static void draw_bar(chart *c, const pim_node *n, int first, int count)
{
	if (c->bars++ >= MOST_BARS)
		return;
	const pim_plan *p = n->plan;
	double left = x_of(c, p->start), right = x_of(c, p->start + p->cycles);
	double top = y_of(c, first), bottom = y_of(c, first + count);
	const char *name = pim_node_label(n, c->arena);
	double width = right - left < 0.6 ? 0.6 : right - left;
	bool fits = width > 5.2 * (double)strlen(name) && top - bottom > 9;
	pim_look look = {.label = fits ? name : "",
		.fill = pim_colour_of_op(n->op),
		.line = width > 4 ? "#909090" : pim_colour_of_op(n->op),
		.font = 8,
		.at = {left + width / 2, (top + bottom) / 2},
		.size = {width, top - bottom - 0.4}};
	look.tooltip = pim_arena_printf(c->arena, "%s %s, cycles %lld to %lld, units %d to %d", name,
		pim_op_at(n->op)->name, (long long)p->start, (long long)(p->start + p->cycles), first,
		first + count - 1);
	pim_drawing_shape(c->drawing, NULL, &look);
}

static int compare_ints(const void *a, const void *b)
{
	return *(const int *)a - *(const int *)b;
}

/* The op's units, ascending: those of its placement, else the first that are free. */
static int *units_of(chart *c, const pim_node *n)
{
	const pim_plan *p = n->plan;
	int *unit = PIM_NEW(c->arena, int, p->n_units), count = 0;
	if (p->unit) {
		memcpy(unit, p->unit, sizeof *unit * (size_t)p->n_units);
		qsort(unit, (size_t)p->n_units, sizeof *unit, compare_ints);
		return unit;
	}
	for (int u = 0; u < c->units && count < p->n_units; u++) {
		if (c->free_at[u] > p->start)
			continue;
		unit[count++] = u;
		c->free_at[u] = p->start + p->cycles;
	}
	return unit;
}

static void draw_op(chart *c, const pim_node *n)
{
	const int *unit = units_of(c, n);
	for (int i = 0, first = 0; i < n->plan->n_units; i++) {
		if (i + 1 < n->plan->n_units && unit[i + 1] == unit[i] + 1)
			continue;
		draw_bar(c, n, unit[first], i + 1 - first);
		first = i + 1;
	}
}

static void draw_axis(chart *c)
{
	for (int i = 0; i <= TICKS; i++) {
		int64_t cycle = c->end / TICKS * i + c->end % TICKS * i / TICKS;
		pim_look look = {.label = pim_arena_printf(c->arena, "%lld", (long long)cycle),
			.shape = "plaintext",
			.fill = "#ffffff",
			.font = 9,
			.at = {x_of(c, cycle), -10},
			.size = {60, 12}};
		pim_drawing_shape(c->drawing, NULL, &look);
	}
	for (int i = 0; i <= 4; i++) {
		int unit = (c->units - 1) * i / 4;
		pim_look look = {.label = pim_arena_printf(c->arena, "unit %d", unit),
			.shape = "plaintext",
			.fill = "#ffffff",
			.font = 9,
			.at = {-30, y_of(c, unit + 0.5)},
			.size = {50, 12}};
		pim_drawing_shape(c->drawing, NULL, &look);
	}
}

pim_drawing *pim_picture_of_schedule(pim_graph *g, const pim_target *t)
{
	if (!(g->facts & PIM_FACT_scheduled)) {
		pim_file_error(g->module->context, NULL,
			"graph @%s has no schedule to draw: run schedule first", g->name);
		return NULL;
	}
	pim_arena *arena = pim_arena_new();
	chart c = {.graph = g, .arena = arena, .units = t ? t->units : g->limits.units, .end = 1};
	c.free_at = PIM_NEW(arena, int64_t, c.units);
	PIM_EACH_NODE(n, g)
	{
		if (n->plan && n->plan->start + n->plan->cycles > c.end)
			c.end = n->plan->start + n->plan->cycles;
	}
	const char *title =
		pim_arena_printf(arena, "@%s: units by time, %lld cycles", g->name, (long long)c.end);
	c.drawing = pim_drawing_new(g->module->context, title, PIM_ARRANGE_fixed);
	if (c.drawing) {
		PIM_EACH_NODE(n, g)
		{
			if (n->plan && n->plan->cycles > 0 && n->plan->n_units > 0)
				draw_op(&c, n);
		}
		draw_axis(&c);
		pim_legend_of_ops(c.drawing);
		if (c.bars > MOST_BARS)
			pim_drawing_legend(c.drawing, "#ffffff",
				pim_arena_printf(arena, "%d of %d bars are drawn", MOST_BARS, c.bars));
	}
	pim_arena_free(arena);
	return c.drawing;
}
