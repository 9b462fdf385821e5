/* SPDX-License-Identifier: Apache-2.0 */
/* picture_fronts.c - the overlap of an op with the one it waits for: which part of the tiles has
 * come how far, by time.
 *
 * Three fronts: tiles of the producer that are complete, tiles of the consumer whose inputs are
 * complete, tiles of the consumer that are complete. Where the second lies close to the first,
 * orders agree; between the second and the third tiles wait for units and messages. */
#include <stdlib.h>

#include "passes/drawing.h"
#include "passes/overlap.h"

enum { WIDTH = 900, HEIGHT = 300, COLUMNS = 180, MOST_TILES = 20000, TICKS = 8 };

static const char *const front_colour[] = {"#4e8a3a", "#e0a800", "#3060d0"};

/* Times at which the tiles of an op have come so far, ascending. */
typedef struct front {
	int64_t n;
	double *time;
} front;

static int compare_times(const void *a, const void *b)
{
	const double *x = a, *y = b;
	return (*x > *y) - (*x < *y);
}

typedef enum milestone { MILESTONE_ready, MILESTONE_end } milestone;

/* Every tile, or as many at equal distances as are enough for a picture. */
static front find_front(const pim_overlap *s, const pim_node *n, milestone which, pim_arena *a)
{
	int64_t tiles = pim_overlap_tiles(s, n), by = tiles / MOST_TILES + 1;
	front f = {.time = PIM_NEW(a, double, tiles / by + 1)};
	for (int64_t i = 0; i < tiles; i += by) {
		pim_overlap_tile t;
		if (pim_overlap_tile_at(s, n, i, &t) && t.any)
			f.time[f.n++] = which == MILESTONE_end ? t.end : t.when.time;
	}
	qsort(f.time, (size_t)f.n, sizeof *f.time, compare_times);
	return f;
}

static void draw_box(pim_drawing *d, const char *fill, const char *tooltip, double x, double y,
	double width, double height)
{
	pim_look look = {.fill = fill, .line = fill, .tooltip = tooltip, .font = 7};
	look.at[0] = x;
	look.at[1] = y;
	look.size[0] = width;
	look.size[1] = height;
	pim_drawing_shape(d, NULL, &look);
}

static void draw_text(pim_drawing *d, const char *text, double x, double y)
{
	pim_look look = {
		.label = text, .shape = "plaintext", .fill = "#ffffff", .line = "#ffffff", .font = 8};
	look.at[0] = x;
	look.at[1] = y;
	look.size[0] = 60;
	look.size[1] = 12;
	pim_drawing_shape(d, NULL, &look);
}

/* A step for each column: from the height before to the height there; fronts drawn later are
 * thinner, so that equal ones are seen. */
static void draw_front(
	pim_drawing *d, const front *f, double end, int which, const char *what, pim_arena *a)
{
	const char *fill = front_colour[which];
	int64_t k = 0;
	double before = 0, width = (double)WIDTH / COLUMNS;
	for (int i = 0; i < COLUMNS; i++) {
		double until = end * (i + 1) / COLUMNS;
		while (k < f->n && f->time[k] <= until)
			k++;
		double part = f->n ? (double)k / (double)f->n : 0;
		double least = 9 - 3 * which, height = (part - before) * HEIGHT;
		height = height > least ? height : least;
		const char *tooltip =
			pim_arena_printf(a, "cycle %.0f: %s, %.1f %% of the tiles", until, what, 100 * part);
		draw_box(d, fill, tooltip, width * (i + 0.5), part * HEIGHT - height / 2, width, height);
		before = part;
	}
}

static void draw_frame(pim_drawing *d, double end, pim_arena *a)
{
	for (int i = 0; i <= TICKS; i++) {
		draw_text(d, pim_arena_printf(a, "%.0f", end * i / TICKS), (double)WIDTH * i / TICKS, -14);
		draw_text(
			d, pim_arena_printf(a, "%d %%", 100 * i / TICKS), -40, (double)HEIGHT * i / TICKS);
	}
}

/* The op that makes the input its last tile waited for; NULL when it waits for none. */
static const pim_node *find_producer(const pim_overlap *s, const pim_node *n)
{
	pim_overlap_tile t;
	const pim_node *found = NULL;
	double latest = -1;
	int64_t tiles = pim_overlap_tiles(s, n), by = tiles / MOST_TILES + 1;
	for (int64_t i = 0; i < tiles; i += by) {
		if (!pim_overlap_tile_at(s, n, i, &t) || !t.when.of || t.when.time <= latest)
			continue;
		latest = t.when.time;
		found = t.when.of;
	}
	return found;
}

static void draw_fronts(
	pim_drawing *d, const pim_overlap *s, const pim_node *n, const pim_node *from, pim_arena *a)
{
	double end = pim_overlap_at(s, n)->end;
	const char *name = pim_node_label(n, a), *maker = from ? pim_node_label(from, a) : "";
	const char *what[] = {pim_arena_printf(a, "%s complete", maker),
		pim_arena_printf(a, "%s has its inputs", name), pim_arena_printf(a, "%s complete", name)};
	front made = {0}, ready = find_front(s, n, MILESTONE_ready, a),
		  done = find_front(s, n, MILESTONE_end, a);
	if (from)
		made = find_front(s, from, MILESTONE_end, a);
	draw_frame(d, end, a);
	const front *all[] = {&made, &ready, &done};
	for (int i = 0; i < 3; i++) {
		if (!all[i]->n)
			continue;
		draw_front(d, all[i], end, i, what[i], a);
		pim_drawing_legend(d, front_colour[i], what[i]);
	}
}

pim_drawing *pim_picture_of_fronts(const pim_node *n, const pim_target *t)
{
	pim_graph *g = n->graph;
	if (!t || !(g->facts & PIM_FACT_mapped)) {
		pim_file_error(g->module->context, NULL,
			"graph @%s has no loop nests to analyse: run map first", g->name);
		return NULL;
	}
	pim_arena *a = pim_arena_new();
	const pim_overlap *s = pim_overlap_new(g, t, a);
	pim_drawing *d = NULL;
	if (!pim_overlap_tiles(s, n)) {
		pim_node_error(n, "has no tiles to draw, or too many to follow each of them");
	} else {
		const pim_node *from = find_producer(s, n);
		const char *title = pim_arena_printf(a, "tiles of %s and of %s, which it waits for",
			pim_node_label(n, a), from ? pim_node_label(from, a) : "nothing");
		d = pim_drawing_new(g->module->context, title, PIM_ARRANGE_fixed);
		if (d)
			draw_fronts(d, s, n, from, a);
	}
	pim_arena_free(a);
	return d;
}
