/* SPDX-License-Identifier: Apache-2.0 */
/* picture_program.c - a graph as boxes and arrows, small enough to read.
 *
 * Constants are written into their users; equal rounds (blocks of a network) are drawn once in a
 * frame "x 12"; ops of one branch set share a frame. What is left out is said in an ellipsis, never
 * silently. */
#include <stdlib.h>
#include <string.h>

#include "passes/drawing.h"
#include "passes/picture_fold.h"

enum { MOST_SHOWN = 220 };

typedef struct view {
	pim_graph *graph;
	pim_drawing *drawing;
	pim_arena *arena;
	pim_fold *fold;
	pim_group **round, **set; /* frames, made when first needed */
	int *set_round;			  /* of a set's frame, -1 none */
	const pim_node *middle;	  /* of a neighbourhood; NULL: the whole program */
	int depth;
	pim_shape **shape; /* by fold index */
	pim_shape *ellipsis;
} view;

static void add_attributes(pim_text *t, const pim_node *n)
{
	int shown = 0;
	for (int i = 0; i < n->n_attrs; i++) {
		const pim_attr *a = &n->attrs[i];
		if (a->kind == PIM_ATTR_int)
			pim_text_printf(t, "%s%s %lld", shown++ ? ", " : "\n", a->name, (long long)a->i);
		else if (a->kind == PIM_ATTR_ints && a->n <= 4 && strcmp(a->name, "shape")) {
			pim_text_printf(t, "%s%s ", shown++ ? ", " : "\n", a->name);
			for (uint32_t k = 0; k < a->n; k++)
				pim_text_printf(t, "%s%lld", k ? "," : "", (long long)a->is[k]);
		}
	}
}

static void add_constants(pim_text *t, const view *v, const pim_node *n)
{
	for (uint32_t i = 0; i < n->n_in; i++)
		if (n->in[i] && n->in[i]->op == PIM_OP_constant)
			pim_text_printf(t, "\n+ %s", pim_type_text(n->in[i]->type, v->arena));
}

static void add_decisions(pim_text *t, const pim_node *n)
{
	const pim_plan *p = n->plan;
	if (!p)
		return;
	if (p->layout) {
		pim_text_str(t, "\ncut ");
		for (int d = 0; d < p->layout->rank; d++)
			pim_text_printf(t, "%s%d", d ? "x" : "", p->layout->parts[d]);
		if (p->layout->sums > 1)
			pim_text_printf(t, ", %d sums", p->layout->sums);
		if (p->layout->copies > 1)
			pim_text_printf(t, ", %d copies", p->layout->copies);
	}
	if (p->fused) {
		pim_text_str(t, "\nin the tiles of ");
		pim_label_print(t, p->fused);
	} else if (p->cycles > 0)
		pim_text_printf(t, "\n@%lld + %lld cycles on %d units", (long long)p->start,
			(long long)p->cycles, p->n_units);
}

static const char *label_of(const view *v, const pim_node *n)
{
	pim_text t = {0};
	pim_text_printf(&t, "%s  %s", pim_node_label(n, v->arena), pim_op_at(n->op)->name);
	add_attributes(&t, n);
	pim_text_printf(&t, "\n%s", pim_type_text(n->type, v->arena));
	add_constants(&t, v, n);
	add_decisions(&t, n);
	return pim_text_keep(&t, v->arena);
}

static pim_group *round_frame(view *v, int round)
{
	if (round < 0)
		return NULL;
	if (!v->round[round])
		v->round[round] = pim_drawing_group(v->drawing, NULL,
			pim_arena_printf(v->arena, "x %d", v->fold->rounds[round].count), "#fbfbfb");
	return v->round[round];
}

static const char *set_title(const view *v, const pim_branch_set *s)
{
	pim_text t = {0};
	pim_text_printf(&t, "%s:", s->name);
	for (int i = 0; i < s->n_axes; i++)
		pim_text_printf(&t, " %s %lld", s->axis[i].name, (long long)s->axis[i].count);
	if (s->degree > 1)
		pim_text_printf(&t, ", %d units each", s->degree);
	return pim_text_keep(&t, v->arena);
}

/* The frame of a node: its branch set's inside its round's. A set that reaches into another round
 * keeps the frame of the round it was first seen in; nodes elsewhere stand without. */
static pim_group *frame_of(view *v, int i)
{
	const pim_node *n = v->fold->node[i];
	pim_group *outer = round_frame(v, v->fold->round[i]);
	int set = n->plan ? n->plan->set : -1;
	if (set < 0 || set >= v->graph->n_sets || n->op == PIM_OP_input)
		return outer;
	if (!v->set[set]) {
		v->set[set] = pim_drawing_group(
			v->drawing, outer, set_title(v, &v->graph->sets[set]), pim_colour_of_set(set));
		v->set_round[set] = v->fold->round[i];
	}
	return v->set_round[set] == v->fold->round[i] ? v->set[set] : outer;
}

static void draw_node(view *v, int i)
{
	const pim_node *n = v->fold->node[i];
	char *place = pim_loc_text(pim_context_of(n), n->loc, v->arena);
	pim_look look = {.label = label_of(v, n), .tooltip = place, .fill = pim_colour_of_op(n->op)};
	if (n->op == PIM_OP_input)
		look.shape = "ellipse";
	v->shape[i] = pim_drawing_shape(v->drawing, frame_of(v, i), &look);
}

static pim_shape *shape_of(view *v, int i)
{
	int shown = v->fold->shown[i];
	if (shown >= 0)
		return v->shape[shown];
	if (!v->ellipsis) {
		pim_look look = {.shape = "plaintext",
			.fill = "#ffffff",
			.label = pim_arena_printf(v->arena, "... %d ops left out ...", v->fold->n_left_out)};
		v->ellipsis = pim_drawing_shape(v->drawing, NULL, &look);
	}
	return v->ellipsis;
}

/* Drawn are edges into shown nodes; in the second round of a fold those that come from the first
 * one, as the way round; and those that leave the last round. */
static void draw_edges(view *v)
{
	const pim_fold *f = v->fold;
	for (int i = 0; i < f->n; i++) {
		int shown = f->shown[i];
		if (shown < 0)
			continue;
		const pim_round *r = f->round[shown] >= 0 ? &f->rounds[f->round[shown]] : NULL;
		bool second = r && i >= r->first + r->period && i < r->first + 2 * r->period;
		if (shown != i && !second)
			continue;
		for (uint32_t k = 0; k < f->node[i]->n_in; k++) {
			const pim_node *in = f->node[i]->in[k];
			int from = in ? f->position[in->id] : -1;
			if (from < 0 || (second && (f->shown[from] == from + r->period ||
										   from >= r->first + r->period || from < r->first)))
				continue;
			pim_line line = {.style = second ? "dashed" : NULL, .loose = second};
			pim_drawing_line(v->drawing, shape_of(v, from), shape_of(v, i), &line);
		}
	}
}

static void draw_results(view *v)
{
	for (int i = 0; i < v->graph->n_results; i++) {
		const pim_node *n = v->graph->results[i];
		int at = v->fold->position[n->id];
		const char *name = v->graph->result_names ? v->graph->result_names[i] : NULL;
		pim_look look = {.shape = "ellipse", .fill = "#e2e2e2", .label = name ? name : "result"};
		if (v->middle && at < 0)
			continue;
		pim_shape *s = pim_drawing_shape(v->drawing, NULL, &look);
		pim_line line = {0};
		if (at >= 0)
			pim_drawing_line(v->drawing, shape_of(v, at), s, &line);
	}
}

static const char *title_of(const view *v)
{
	const pim_fold *f = v->fold;
	if (v->middle)
		return pim_arena_printf(v->arena, "@%s: %d ops within %d steps of %s", v->graph->name, f->n,
			v->depth, pim_node_label(v->middle, v->arena));
	const char *said = f->n_shown == f->n ? ""
										  : pim_arena_printf(v->arena,
												"; %d shown, equal rounds once", f->n_shown);
	return pim_arena_printf(v->arena, "@%s: %d ops%s", v->graph->name, f->n, said);
}

/* Everything within `depth` steps of a node, by id; a step goes to an input or to a user. Constants
 * are no way from one user to another. */
static bool *find_neighbours(pim_graph *g, const pim_node *middle, int depth, pim_arena *a)
{
	bool *near = PIM_NEW(a, bool, g->n_ids), *next = PIM_NEW(a, bool, g->n_ids);
	near[middle->id] = true;
	for (int step = 0; step < depth; step++) {
		PIM_EACH_NODE(n, g)
		for (uint32_t i = 0; i < n->n_in; i++) {
			if (!n->in[i] || n->in[i]->op == PIM_OP_constant)
				continue;
			next[n->id] |= near[n->in[i]->id];
			next[n->in[i]->id] |= near[n->id];
		}
		for (uint32_t i = 0; i < g->n_ids; i++)
			near[i] |= next[i];
	}
	return near;
}

static pim_drawing *draw(pim_graph *g, const pim_node *middle, int depth)
{
	pim_arena *arena = pim_arena_new();
	bool *only = middle ? find_neighbours(g, middle, depth, arena) : NULL;
	view v = {.graph = g,
		.arena = arena,
		.fold = pim_fold_new(g, only, MOST_SHOWN, arena),
		.middle = middle,
		.depth = depth};
	v.round = PIM_NEW(arena, pim_group *, v.fold->n_rounds);
	v.set = PIM_NEW(arena, pim_group *, g->n_sets);
	v.set_round = PIM_NEW(arena, int, g->n_sets);
	v.shape = PIM_NEW(arena, pim_shape *, v.fold->n);
	v.drawing = pim_drawing_new(g->module->context, title_of(&v), PIM_ARRANGE_layers);
	if (v.drawing) {
		for (int i = 0; i < v.fold->n; i++)
			if (v.fold->shown[i] == i)
				draw_node(&v, i);
		draw_edges(&v);
		draw_results(&v);
		pim_legend_of_ops(v.drawing);
		if (v.fold->n_rounds)
			pim_drawing_legend(v.drawing, "#ffffff", "dashed: into the next round of a frame");
	}
	pim_arena_free(arena);
	return v.drawing;
}

pim_drawing *pim_picture_of_program(pim_graph *g)
{
	return draw(g, NULL, 0);
}

pim_drawing *pim_picture_around(const pim_node *middle, int depth)
{
	return draw(middle->graph, middle, depth);
}
