/* SPDX-License-Identifier: Apache-2.0 */
/* picture_overlap.c - who waits for whom: a line of time for each op, as tiles become ready.
 *
 * Each op has units of its own here (overlap_graph.c). Its bar reaches from its first tile to its
 * last, with the pauses of the unit that ends last: red while what a tile reads is not complete
 * (the tooltip says which op's), blue while messages bring it. A thin line below shows as long as
 * the op it waited for last still runs: that is the overlap. An arrow comes from that op. The row
 * behind the last one shows what it would be without overlap. */
#include <string.h>

#include "passes/drawing.h"
#include "passes/overlap.h"

enum {
	MOST_ROWS = 90,
	WIDTH = 900,
	ROW = 15,
	LABEL = 190,
	TICKS = 8,
	MOST_PAUSES = 150,
	MOST_TILES = 20000
};

static const char overlap_colour[] = "#e0a800", alone_colour[] = "#d9d9d9";
static const char data_colour[] = "#d03030", message_colour[] = "#3060d0";

typedef struct chart {
	pim_drawing *drawing;
	pim_arena *arena;
	const pim_overlap *overlap;
	double end;
	int rows, left_out;
	pim_shape **bar; /* by node id */
} chart;

static double x_of(const chart *c, double cycle)
{
	return cycle / c->end * WIDTH;
}

/* A part of a row: from `top` down, `height` of its own. */
static pim_shape *draw_part(chart *c, const char *tooltip, const char *fill, double from, double to,
	double row, double height, double top)
{
	double left = x_of(c, from), width = x_of(c, to) - left;
	pim_look look = {.fill = fill, .line = fill, .tooltip = tooltip, .font = 7};
	look.size[0] = width < 1 ? 1 : width;
	look.size[1] = ROW * height;
	look.at[0] = left + look.size[0] / 2;
	look.at[1] = -(row + top) * ROW;
	return pim_drawing_shape(c->drawing, NULL, &look);
}

static pim_shape *draw_span(
	chart *c, const char *tooltip, const char *fill, double from, double to, double row)
{
	return draw_part(c, tooltip, fill, from, to, row, 0.7, 0);
}

/* The unit whose last tile ends last. */
static int last_unit(const chart *c, const pim_node *n, int64_t slices, int64_t each)
{
	int units = pim_overlap_at(c->overlap, n)->units, best = 0;
	double latest = -1;
	for (int64_t i = slices > units ? slices - units : 0; i < slices; i++) {
		pim_overlap_tile t;
		pim_overlap_tile_at(c->overlap, n, (pim_slice_at(n, i) + 1) * each - 1, &t);
		if (t.end > latest) {
			latest = t.end;
			best = t.unit;
		}
	}
	return best;
}

static int draw_pause(chart *c, const pim_node *n, int64_t tile, const pim_overlap_tile *t)
{
	double ready = t->when.time > t->free ? t->when.time : t->free;
	const char *of = t->when.of ? pim_node_label(t->when.of, c->arena) : "messages";
	ready = ready < t->begin ? ready : t->begin;
	const char *tooltip = pim_arena_printf(c->arena,
		"%s: tile %lld waits from %.0f to %.0f for %s, then to %.0f for messages",
		pim_node_label(n, c->arena), (long long)tile, t->free, ready, of, t->begin);
	int drawn = 0;
	if (x_of(c, ready - t->free) >= 0.7)
		drawn += draw_span(c, tooltip, data_colour, t->free, ready, c->rows) != NULL;
	if (x_of(c, t->begin - ready) >= 0.7)
		drawn += draw_span(c, tooltip, message_colour, ready, t->begin, c->rows) != NULL;
	return drawn;
}

/* Pauses of one unit, from the first tile of the op on, that are wide enough to be seen. */
static void draw_pauses(chart *c, const pim_node *n)
{
	const pim_overlap_run *r = pim_overlap_at(c->overlap, n);
	int64_t tiles = pim_overlap_tiles(c->overlap, n);
	if (!tiles)
		return;
	int64_t each = r->steps, slices = tiles / each, looked = 0;
	int drawn = 0;
	for (int64_t i = last_unit(c, n, slices, each); i < slices; i += r->units)
		for (int64_t step = 0; step < each && drawn < MOST_PAUSES && looked < MOST_TILES; step++) {
			pim_overlap_tile t;
			int64_t tile = pim_slice_at(n, i) * each + step;
			pim_overlap_tile_at(c->overlap, n, tile, &t);
			looked++;
			t.free = t.free > r->begin ? t.free : r->begin;
			if (t.any && t.begin > t.free)
				drawn += draw_pause(c, n, tile, &t);
		}
}

static void draw_text(chart *c, const char *text, double x, double row, double width)
{
	pim_look look = {
		.label = text, .shape = "plaintext", .fill = "#ffffff", .line = "#ffffff", .font = 8};
	look.at[0] = x;
	look.at[1] = -row * ROW;
	look.size[0] = width;
	look.size[1] = ROW * 0.8;
	pim_drawing_shape(c->drawing, NULL, &look);
}

static const char *short_name(const chart *c, const pim_node *n)
{
	const char *name = pim_node_label(n, c->arena);
	size_t length = strlen(name);
	if (length > 30)
		name = pim_arena_printf(c->arena, "...%s", name + length - 27);
	return pim_arena_printf(c->arena, "%s %s", name, pim_op_at((pim_op)n->op)->name);
}

static void draw_op(chart *c, const pim_node *n)
{
	const pim_overlap_run *r = pim_overlap_at(c->overlap, n);
	const pim_overlap_run *last = r->last ? pim_overlap_at(c->overlap, r->last) : NULL;
	double shared =
		last && last->end > r->begin ? (last->end < r->end ? last->end : r->end) : r->begin;
	const char *tooltip =
		pim_arena_printf(c->arena, "%s: %.0f to %.0f, %.0f cycles alone, longest wait %.0f%s%s",
			short_name(c, n), r->begin, r->end, r->cost, r->waits, last ? ", waits last for " : "",
			last ? pim_node_label(r->last, c->arena) : "");
	draw_text(c, short_name(c, n), -LABEL / 2.0, c->rows, LABEL);
	pim_shape *bar =
		draw_span(c, tooltip, pim_colour_of_op((pim_op)n->op), r->begin, r->end, c->rows);
	draw_pauses(c, n);
	if (shared > r->begin)
		draw_part(c, tooltip, overlap_colour, r->begin, shared, c->rows, 0.15, 0.42);
	c->bar[n->id] = bar;
	if (r->last && c->bar[r->last->id]) {
		pim_line line = {.colour = "#a04040", .width = 0.5};
		pim_drawing_line(c->drawing, c->bar[r->last->id], bar, &line);
	}
	c->rows++;
}

/* Rows are for the ops that take longest, in the order of the graph. */
static double shortest_shown(const chart *c, pim_graph *g)
{
	double least = 0;
	for (int shown = MOST_ROWS + 1; shown > MOST_ROWS;
		 least = least > 0 ? 1.3 * least : c->end * 1e-4) {
		shown = 0;
		PIM_EACH_NODE(n, g)
		{
			const pim_overlap_run *r = pim_overlap_at(c->overlap, n);
			shown += r->cost > least && r->end - r->begin > 0;
		}
		if (shown <= MOST_ROWS)
			break;
	}
	return least;
}

static void draw_frame(chart *c, const pim_overlap_total *t)
{
	for (int i = 0; i <= TICKS; i++) {
		double cycle = c->end * i / TICKS;
		draw_text(c, pim_arena_printf(c->arena, "%.0f", cycle), x_of(c, cycle), -1.2, 60);
	}
	draw_text(c, "one after the other", -LABEL / 2.0, c->rows + 0.5, LABEL);
	draw_span(c, "sum of all ops alone", alone_colour, 0, t->sequential, c->rows + 0.5);
	pim_legend_of_ops(c->drawing);
	pim_drawing_legend(
		c->drawing, overlap_colour, "line: runs while the op it waits for still does");
	pim_drawing_legend(c->drawing, data_colour, "pause: what a tile reads is not complete");
	pim_drawing_legend(c->drawing, message_colour, "pause: messages bring what it reads");
	pim_drawing_legend(c->drawing, alone_colour, "without any overlap");
	pim_drawing_legend(c->drawing, "#a04040", "arrow: from the op that it waited for last");
	if (c->left_out)
		pim_drawing_legend(c->drawing, "#ffffff",
			pim_arena_printf(c->arena, "%d shorter ops are not drawn", c->left_out));
}

static void draw_ops(chart *c, pim_graph *g)
{
	double least = shortest_shown(c, g);
	PIM_EACH_NODE(n, g)
	{
		const pim_overlap_run *r = pim_overlap_at(c->overlap, n);
		if (r->cost > least && r->end - r->begin > 0)
			draw_op(c, n);
		else
			c->left_out += r->cost > 0;
	}
}

pim_drawing *pim_picture_of_overlap(pim_graph *g, const pim_target *t)
{
	if (!t || !(g->facts & PIM_FACT_mapped)) {
		pim_file_error(g->module->context, NULL,
			"graph @%s has no loop nests to analyse: run map first", g->name);
		return NULL;
	}
	pim_arena *arena = pim_arena_new();
	chart c = {.arena = arena,
		.overlap = pim_overlap_new(g, t, arena),
		.bar = PIM_NEW(arena, pim_shape *, g->n_ids)};
	const pim_overlap_total *total = pim_overlap_totals(c.overlap);
	c.end = total->sequential > 1 ? total->sequential : 1;
	const char *title = pim_arena_printf(arena,
		"@%s: %.0f cycles with overlap, %.0f without; units of its own for each op", g->name,
		total->overlapped, total->sequential);
	c.drawing = pim_drawing_new(g->module->context, title, PIM_ARRANGE_fixed);
	if (c.drawing) {
		draw_ops(&c, g);
		draw_frame(&c, total);
	}
	pim_arena_free(arena);
	return c.drawing;
}
