/* SPDX-License-Identifier: Apache-2.0 */
/* picture_placement.c - the machine's network: how busy each unit is and how many bytes each link
 * carries.
 *
 * Bytes follow the dimension-ordered routes of all messages that the decisions imply; what several
 * units read goes along a tree. The title says what the busiest link carries, and what it would in
 * any placement with so many bytes times links. The layers of a three-dimensional network stand
 * side by side; links between layers are not drawn but counted. */
#include <string.h>

#include "passes/drawing.h"
#include "passes/place.h"
#include "targets/target.h"

enum { PITCH = 84, SIDE = 56 };

typedef struct map {
	const pim_target *target;
	pim_drawing *drawing;
	pim_arena *arena;
	double *busy;  /* by unit: cycles */
	int *ops;	   /* by unit */
	double *bytes; /* by link */
	double sum;	   /* of `bytes` */
} map;

static void count_node(map *m, const pim_node *n)
{
	const pim_plan *p = n->plan;
	if (!p || !p->unit)
		return;
	for (int i = 0; i < p->n_units; i++) {
		m->busy[p->unit[i]] += p->fused ? 0 : (double)p->cycles;
		m->ops[p->unit[i]] += n->op != PIM_OP_input;
	}
	for (uint32_t i = 0; i < n->n_in; i++) {
		if (!n->in[i] || !n->in[i]->plan || !n->in[i]->plan->unit)
			continue;
		if (n->in[i]->plan->layout)
			m->sum += pim_traffic_links(m->target, n, (int)i, m->bytes);
	}
}

static double largest(const double *v, int n)
{
	double most = 0;
	for (int i = 0; i < n; i++)
		most = v[i] > most ? v[i] : most;
	return most;
}

static void place_unit(const map *m, int unit, double at[2])
{
	const int *size = m->target->network.size;
	int x = unit % size[0], y = unit / size[0] % size[1], z = unit / size[0] / size[1];
	at[0] = (x + z * (size[0] + 1)) * PITCH;
	at[1] = -y * PITCH;
}

static pim_shape **draw_units(map *m, double most)
{
	pim_shape **shape = PIM_NEW(m->arena, pim_shape *, m->target->units);
	for (int u = 0; u < m->target->units; u++) {
		char heat[8];
		pim_look look = {.label = pim_arena_printf(m->arena, "%d\n%d ops", u, m->ops[u]),
			.font = 9,
			.fill = pim_colour_of_heat(most > 0 ? m->busy[u] / most * 0.6 : 0, heat),
			.size = {SIDE, SIDE}};
		look.tooltip = pim_arena_printf(
			m->arena, "unit %d: busy %.0f cycles with %d ops", u, m->busy[u], m->ops[u]);
		place_unit(m, u, look.at);
		shape[u] = pim_drawing_shape(m->drawing, NULL, &look);
	}
	return shape;
}

static void draw_links(map *m, pim_shape **shape, double most)
{
	static const int step[4][2] = {{1, 0}, {-1, 0}, {0, 1}, {0, -1}};
	const int *size = m->target->network.size;
	for (int u = 0; u < m->target->units; u++) {
		int x = u % size[0], y = u / size[0] % size[1];
		for (int way = 0; way < 4; way++) {
			int nx = x + step[way][0], ny = y + step[way][1];
			double bytes = m->bytes[u * 6 + way];
			if (nx < 0 || ny < 0 || nx >= size[0] || ny >= size[1] || bytes <= 0)
				continue;
			char heat[8];
			pim_line line = {.colour = pim_colour_of_heat(0.15 + 0.85 * bytes / most, heat),
				.width = 1 + 5 * bytes / most};
			pim_drawing_line(
				m->drawing, shape[u], shape[u + step[way][0] + step[way][1] * size[0]], &line);
		}
	}
}

static void explain(map *m, double busiest, double longest)
{
	char heat[8];
	for (int i = 0; i <= 3; i++)
		pim_drawing_legend(m->drawing, pim_colour_of_heat(0.15 + 0.85 * i / 3, heat),
			pim_arena_printf(m->arena, "link: %.3g bytes", busiest * i / 3));
	for (int i = 0; i <= 2; i++)
		pim_drawing_legend(m->drawing, pim_colour_of_heat(0.3 * i, heat),
			pim_arena_printf(m->arena, "unit: %.3g busy cycles", longest * i / 2));
}

/* Decisions may be for another machine than the one that is drawn. */
static bool fits(const pim_graph *g, const pim_target *t)
{
	PIM_EACH_NODE(n, g)
	for (int i = 0; n->plan && n->plan->unit && i < n->plan->n_units; i++)
		if (n->plan->unit[i] >= t->units)
			return pim_node_error(
				n, "is placed on unit %d, %s has %d", n->plan->unit[i], t->name, t->units);
	return true;
}

pim_drawing *pim_picture_of_placement(pim_graph *g, const pim_target *t)
{
	if (!t || !(g->facts & PIM_FACT_placed)) {
		pim_file_error(g->module->context, NULL,
			"graph @%s has no placement to draw: run place first", g->name);
		return NULL;
	}
	if (!fits(g, t))
		return NULL;
	pim_arena *arena = pim_arena_new();
	int links = pim_network_links(t);
	map m = {.target = t,
		.arena = arena,
		.busy = PIM_NEW(arena, double, t->units),
		.ops = PIM_NEW(arena, int, t->units),
		.bytes = PIM_NEW(arena, double, links)};
	PIM_EACH_NODE(n, g)
	{
		count_node(&m, n);
	}
	double busiest = largest(m.bytes, links), longest = largest(m.busy, t->units);
	double bound = pim_placement_load_bound(pim_placement_of(g, t, arena), m.sum, arena);
	const char *title =
		pim_arena_printf(arena, "@%s on %s: bytes over links, busiest %.4g, at least %.4g", g->name,
			t->name, busiest, bound);
	m.drawing = pim_drawing_new(g->module->context, title, PIM_ARRANGE_fixed);
	if (m.drawing) {
		draw_links(&m, draw_units(&m, longest), busiest);
		explain(&m, busiest, longest);
	}
	pim_arena_free(arena);
	return m.drawing;
}
