/* SPDX-License-Identifier: Apache-2.0 */
/* picture_schedule.c - units by time: a bar for each op on the units it holds.
 *
 * Time runs to the right, unit 0 is at the top. Without a placement an op's units are the lowest
 * free ones. Neighbouring units share one bar. Where there are more bars than anybody could tell
 * apart, time is cut into slots instead, and each slot of a unit has the colour of what it does
 * longest there. Names like stages.0.1/attn/MatMul give the sections above the chart: runs of ops
 * whose names begin alike. */
#include <stdlib.h>
#include <string.h>

#include "ir/fusion.h"
#include "passes/drawing.h"
#include "targets/target.h"

enum { MOST_BARS = 4000, MOST_SECTIONS = 40, WIDTH = 1100, HEIGHT = 520, TICKS = 10, SLOTS = 1100 };

typedef struct bar {
	const pim_node *node;
	int first, count; /* units */
} bar;

typedef struct chart {
	pim_graph *graph;
	pim_drawing *drawing;
	pim_arena *arena;
	int units, bars, room;
	bar *bar;
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

static void draw_bar(chart *c, const bar *b)
{
	const pim_node *n = b->node;
	const pim_plan *p = n->plan;
	double left = x_of(c, p->start), right = x_of(c, p->start + p->cycles);
	double top = y_of(c, b->first), bottom = y_of(c, b->first + b->count);
	const char *name = pim_node_label(n, c->arena);
	double width = right - left < 0.6 ? 0.6 : right - left;
	bool fits = width > 5.2 * (double)strlen(name) && top - bottom > 9;
	pim_look look = {.label = fits ? name : "",
		.fill = pim_colour_of_op(n->op),
		.line = width > 4 ? "#909090" : pim_colour_of_op(n->op),
		.font = 8,
		.at = {left + width / 2, (top + bottom) / 2},
		.size = {width, top - bottom - 0.4}};
	int others = 0;
	for (const pim_node *m = n; (m = pim_fusion_next(m));)
		others++;
	const char *more = others ? pim_arena_printf(c->arena, " and %d ops with it", others) : "";
	look.tooltip = pim_arena_printf(c->arena, "%s %s%s, cycles %lld to %lld, units %d to %d", name,
		pim_op_at(n->op)->name, more, (long long)p->start, (long long)(p->start + p->cycles),
		b->first, b->first + b->count - 1);
	pim_drawing_shape(c->drawing, NULL, &look);
}

/* ---- slots ---- */

/* The cycles of a slot that a unit spends on its longest class of ops so far. */
typedef struct slot {
	const char *colour;
	int64_t cycles;
} slot;

static int64_t slot_start(const chart *c, int i)
{
	return c->end / SLOTS * i + c->end % SLOTS * i / SLOTS;
}

/* Ops of one class follow each other in a slot without much between: their cycles are added while
 * the colour stays, else the longer one wins. */
static void fill_slot(slot *s, const char *colour, int64_t cycles)
{
	if (s->colour == colour) {
		s->cycles += cycles;
	} else if (cycles > s->cycles) {
		s->colour = colour;
		s->cycles = cycles;
	}
}

static void fill_slots(const chart *c, const bar *b, slot *grid)
{
	const pim_plan *p = b->node->plan;
	int first = (int)((double)p->start / (double)c->end * SLOTS);
	for (int i = first > 0 ? first - 1 : 0; i < SLOTS && slot_start(c, i) < p->start + p->cycles;
		 i++) {
		int64_t lo = slot_start(c, i), hi = slot_start(c, i + 1);
		lo = lo > p->start ? lo : p->start;
		hi = hi < p->start + p->cycles ? hi : p->start + p->cycles;
		for (int u = b->first; u < b->first + b->count && lo < hi; u++)
			fill_slot(grid + (size_t)u * SLOTS + i, pim_colour_of_op(b->node->op), hi - lo);
	}
}

/* Slots of a unit from `from` on that have one colour. */
static int run_of(const slot *row, int from)
{
	int to = from + 1;
	while (to < SLOTS && row[to].colour == row[from].colour)
		to++;
	return to - from;
}

/* Units below this one that have the same colour in the same slots, and no more of it. */
static int same_below(const chart *c, const slot *grid, int unit, int from, int wide)
{
	int to = unit + 1;
	for (; to < c->units; to++) {
		const slot *row = grid + (size_t)to * SLOTS, *top = grid + (size_t)unit * SLOTS;
		if (row[from].colour != top[from].colour || run_of(row, from) != wide ||
			(from > 0 && row[from - 1].colour == row[from].colour))
			break;
	}
	return to - unit;
}

static void draw_run(chart *c, const char *colour, int unit, int units, int from, int wide)
{
	double scale = (double)WIDTH / SLOTS, top = y_of(c, unit), bottom = y_of(c, unit + units);
	pim_look look = {.label = "",
		.fill = colour,
		.line = colour,
		.at = {(from + wide / 2.0) * scale, (top + bottom) / 2},
		.size = {wide * scale, top - bottom - 0.1}};
	look.tooltip = pim_arena_printf(c->arena, "cycles %lld to %lld, units %d to %d",
		(long long)slot_start(c, from), (long long)slot_start(c, from + wide), unit,
		unit + units - 1);
	pim_drawing_shape(c->drawing, NULL, &look);
}

static void draw_slots(chart *c)
{
	slot *grid = PIM_NEW(c->arena, slot, (size_t)c->units * SLOTS);
	for (int i = 0; i < c->bars; i++)
		fill_slots(c, &c->bar[i], grid);
	for (int u = 0; u < c->units; u++)
		for (int i = 0, wide; i < SLOTS; i += wide) {
			slot *s = grid + (size_t)u * SLOTS + i;
			wide = run_of(grid + (size_t)u * SLOTS, i);
			if (!s->colour || (u > 0 && same_below(c, grid, u - 1, i, wide) > 1 &&
								  (i == 0 || s[-SLOTS - 1].colour != s[-SLOTS].colour)))
				continue;
			draw_run(c, s->colour, u, same_below(c, grid, u, i, wide), i, wide);
		}
}

/* ---- sections ---- */

/* What a name begins with, up to its first '/'; "" when it has none. */
static size_t section_length(const pim_node *n)
{
	const char *slash = n->name ? strchr(n->name, '/') : NULL;
	return slash ? (size_t)(slash - n->name) : 0;
}

typedef struct section {
	const char *name;
	size_t length;
	int64_t start, end;
} section;

/* Runs of ops, in the order of their start, whose names begin alike; 0 when there are too many. */
static int find_sections(const chart *c, section out[MOST_SECTIONS])
{
	int n = 0;
	for (int i = 0; i < c->bars; i++) {
		const pim_node *node = c->bar[i].node;
		size_t length = section_length(node);
		int64_t end = node->plan->start + node->plan->cycles;
		section *last = n ? &out[n - 1] : NULL;
		if (!length)
			continue;
		if (last && last->length == length && !memcmp(last->name, node->name, length)) {
			last->end = end > last->end ? end : last->end;
			continue;
		}
		if (n == MOST_SECTIONS)
			return 0;
		out[n++] = (section){node->name, length, node->plan->start, end};
	}
	return n;
}

static void draw_sections(chart *c)
{
	section s[MOST_SECTIONS];
	int n = find_sections(c, s);
	for (int i = 0; i < n; i++) {
		double left = x_of(c, s[i].start), right = x_of(c, s[i].end);
		bool fits = right - left > 3.7 * (double)s[i].length;
		pim_look look = {
			.label = fits ? pim_arena_printf(c->arena, "%.*s", (int)s[i].length, s[i].name) : "",
			.fill = i % 2 ? "#f2f2f2" : "#e2e2e2",
			.line = "#c0c0c0",
			.font = 7,
			.tooltip = pim_arena_printf(c->arena, "%.*s", (int)s[i].length, s[i].name),
			.at = {(left + right) / 2, HEIGHT + 8},
			.size = {right - left, 12}};
		pim_drawing_shape(c->drawing, NULL, &look);
	}
}

/* ---- bars ---- */

static int by_start(const void *a, const void *b)
{
	const pim_node *p = *(const pim_node *const *)a, *q = *(const pim_node *const *)b;
	int64_t s = p->plan->start, t = q->plan->start;
	if (s != t)
		return s < t ? -1 : 1;
	return p->id < q->id ? -1 : p->id > q->id;
}

static void add_bar(chart *c, const pim_node *n, int first, int count)
{
	c->bar = pim_arena_grow(c->arena, c->bar, c->bars, &c->room, sizeof *c->bar);
	c->bar[c->bars++] = (bar){n, first, count};
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

static void add_bars(chart *c, const pim_node *n)
{
	const int *unit = units_of(c, n);
	for (int i = 0, first = 0; i < n->plan->n_units; i++) {
		if (i + 1 < n->plan->n_units && unit[i + 1] == unit[i] + 1)
			continue;
		add_bar(c, n, unit[first], i + 1 - first);
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

static void draw_chart(chart *c)
{
	const pim_node **node = PIM_NEW(c->arena, const pim_node *, c->graph->n_ids);
	int count = 0;
	PIM_EACH_NODE(n, c->graph)
	{
		if (n->plan && !n->plan->fused && n->plan->cycles > 0 && n->plan->n_units > 0)
			node[count++] = n;
	}
	qsort(node, (size_t)count, sizeof *node, by_start);
	for (int i = 0; i < count; i++)
		add_bars(c, node[i]);
	for (int i = 0; i < c->bars && c->bars <= MOST_BARS; i++)
		draw_bar(c, &c->bar[i]);
	if (c->bars > MOST_BARS) {
		draw_slots(c);
		pim_drawing_legend(c->drawing, "#ffffff",
			pim_arena_printf(c->arena,
				"%d bars in %d slots of time: each shows what takes longest in it", c->bars,
				SLOTS));
	}
	draw_sections(c);
	draw_axis(c);
	pim_legend_of_ops(c->drawing);
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
	if (c.drawing)
		draw_chart(&c);
	pim_arena_free(arena);
	return c.drawing;
}
