/* SPDX-License-Identifier: Apache-2.0 */
/* plan - decisions of nodes and graphs: making and forgetting them, and how they print.
 *
 * [set=@b0, parts=1x64x1, sums=2, copies=3, nest=(@m 64, n 6:32, k :96 = 1234),
 * fused=%2, order=(0..56:8*8:1), start=100, cycles=1300, units=64, on=0..63]: what is not decided
 * is left out, sums and copies of 1 too. A rank-0 value has parts=-. nest: @axis count is a spatial
 * loop, `axis count:tile` the innermost temporal loop of its axis with the tile's extent, outer
 * ones have no tile; `axis :tile` states a tile where no temporal loop does and it is not simply
 * the axis divided by its spatial loops. An axis whose name does not tell is #number. */
#include <string.h>

#include "ir/plan.h"

pim_plan *pim_node_plan(pim_node *n)
{
	if (!n->plan) {
		n->plan = PIM_NEW(n->graph->module->arena, pim_plan, 1);
		n->plan->set = -1;
	}
	return n->plan;
}

static bool rides(const pim_node *n, const pim_node *on)
{
	const pim_plan *p = n->plan, *q = on->plan;
	return q && q->cycles > 0 && q->n_units == p->n_units && p->start >= q->start &&
		   p->start < q->start + q->cycles && p->start + p->cycles == q->start + q->cycles;
}

const pim_node *pim_node_ridden(const pim_node *n)
{
	const unsigned may = PIM_OPF_move | PIM_OPF_elementwise;
	if (n->plan && n->plan->fused)
		return pim_node_ridden(n->plan->fused) ? pim_node_ridden(n->plan->fused) : n->plan->fused;
	if (!n->plan || n->plan->cycles <= 0 || !(pim_op_at((pim_op)n->op)->flags & may))
		return NULL;
	for (uint32_t i = 0; i < n->n_in; i++)
		if (n->in[i] && rides(n, n->in[i])) {
			const pim_node *on = pim_node_ridden(n->in[i]);
			return on ? on : n->in[i];
		}
	return NULL;
}

void pim_graph_forget(pim_graph *g, unsigned facts)
{
	for (pim_node *n = g->first; n; n = n->next) {
		pim_plan *p = n->plan;
		if (!p)
			continue;
		if (facts & PIM_FACT_split)
			p->set = -1;
		if (facts & PIM_FACT_laid_out)
			p->layout = NULL;
		if (facts & PIM_FACT_mapped) {
			p->nest = NULL;
			p->order = NULL;
			p->fused = NULL;
		}
		if (facts & PIM_FACT_scheduled)
			p->start = p->cycles = p->n_units = 0;
		if (facts & (PIM_FACT_scheduled | PIM_FACT_placed))
			p->unit = NULL;
	}
	if (facts & PIM_FACT_split)
		g->n_sets = 0;
	if (facts & PIM_FACT_lowered)
		g->code = NULL;
	g->facts &= ~facts;
}

const char *pim_fact_name(int bit)
{
	static const char *const names[] = {
#define PIM_FACT_NAME(name, what) #name,
		PIM_FACTS(PIM_FACT_NAME)
#undef PIM_FACT_NAME
	};
	return names[bit];
}

bool pim_axis_name_tells(const pim_axes *x, int axis)
{
	const char *name = axis < x->n_axes ? x->axis[axis].name : NULL;
	if (!name || !((*name >= 'a' && *name <= 'z') || (*name >= 'A' && *name <= 'Z')))
		return false;
	if (name[strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_")])
		return false;
	for (int i = 0; i < x->n_axes; i++)
		if (i != axis && x->axis[i].name && !strcmp(x->axis[i].name, name))
			return false;
	return true;
}

int64_t pim_nest_usual_tile(const pim_nest *nest, const pim_axes *x, int axis)
{
	int64_t size = axis < x->n_axes ? x->axis[axis].size : 1, pieces = 1;
	for (int i = 0; i < nest->n; i++)
		if (nest->loop[i].spatial && nest->loop[i].axis == axis &&
			!pim_mul(pieces, nest->loop[i].count, &pieces))
			return 1;
	return pieces < 1 ? size : size / pieces + (size % pieces != 0);
}

static void print_axis(const pim_axes *x, int axis, pim_text *out)
{
	if (pim_axis_name_tells(x, axis))
		pim_text_str(out, x->axis[axis].name);
	else
		pim_text_printf(out, "#%d", axis);
}

static bool is_innermost(const pim_nest *nest, int i)
{
	for (int k = i + 1; k < nest->n; k++)
		if (!nest->loop[k].spatial && nest->loop[k].axis == nest->loop[i].axis)
			return false;
	return !nest->loop[i].spatial;
}

static bool has_temporal(const pim_nest *nest, int axis)
{
	for (int i = 0; i < nest->n; i++)
		if (!nest->loop[i].spatial && nest->loop[i].axis == axis)
			return true;
	return false;
}

static void print_nest(const pim_node *n, pim_text *out)
{
	const pim_nest *nest = n->plan->nest;
	pim_arena *scratch = pim_arena_new();
	const pim_axes *x = pim_axes_new(n, scratch);
	const char *separator = "";
	pim_text_str(out, "nest=(");
	for (int i = 0; i < nest->n; i++, separator = ", ") {
		const pim_loop *l = &nest->loop[i];
		pim_text_str(out, separator);
		if (l->spatial)
			pim_text_add(out, "@", 1);
		print_axis(x, l->axis, out);
		pim_text_printf(out, " %d", (int)l->count);
		if (is_innermost(nest, i) && l->axis < nest->n_axes)
			pim_text_printf(out, ":%lld", (long long)nest->tile[l->axis]);
	}
	for (int a = 0; a < nest->n_axes; a++) {
		if (has_temporal(nest, a) || nest->tile[a] == pim_nest_usual_tile(nest, x, a))
			continue;
		pim_text_str(out, separator);
		separator = ", ";
		print_axis(x, a, out);
		pim_text_printf(out, " :%lld", (long long)nest->tile[a]);
	}
	pim_text_printf(out, "%s= %lld)", *separator ? " " : "", (long long)nest->cycles);
	pim_arena_free(scratch);
}

static void print_layout(const pim_layout *l, pim_text *out)
{
	pim_text_str(out, "parts=");
	for (int d = 0; d < l->rank; d++)
		pim_text_printf(out, d ? "x%d" : "%d", (int)l->parts[d]);
	if (!l->rank)
		pim_text_str(out, "-");
	if (l->sums != 1)
		pim_text_printf(out, ", sums=%d", (int)l->sums);
	if (l->copies != 1)
		pim_text_printf(out, ", copies=%d", (int)l->copies);
}

static void print_run(int first, int last, pim_text *out)
{
	pim_text_int(out, first);
	if (last > first)
		pim_text_printf(out, "..%d", last);
}

static int run_end(const pim_plan *p, int i)
{
	while (i + 1 < p->n_units && p->unit[i + 1] == p->unit[i] + 1)
		i++;
	return i;
}

static void print_units(const pim_plan *p, pim_text *out)
{
	bool one = run_end(p, 0) == p->n_units - 1;
	pim_text_str(out, one ? "on=" : "on=(");
	for (int i = 0; i < p->n_units; i++) {
		int end = run_end(p, i);
		if (i)
			pim_text_str(out, ", ");
		print_run(p->unit[i], p->unit[end], out);
		i = end;
	}
	pim_text_str(out, one ? "" : ")");
}

void pim_plan_print(const pim_node *n, pim_text *out)
{
	const pim_plan *p = n->plan;
	pim_text t = {0};
	if (!p)
		return;
	if (p->set >= 0 && p->set < n->graph->n_sets) {
		pim_text_str(&t, ", set=@");
		pim_text_name(&t, n->graph->sets[p->set].name);
	}
	if (p->layout) {
		pim_text_str(&t, ", ");
		print_layout(p->layout, &t);
	}
	if (p->nest) {
		pim_text_str(&t, ", ");
		print_nest(n, &t);
	}
	if (p->fused) {
		pim_text_str(&t, ", fused=");
		pim_label_print(&t, p->fused);
	}
	if (p->order) {
		pim_text_str(&t, ", ");
		pim_order_print(p->order, &t);
	}
	if (p->start || p->cycles || p->n_units)
		pim_text_printf(&t, ", start=%lld, cycles=%lld", (long long)p->start, (long long)p->cycles);
	if (p->n_units)
		pim_text_printf(&t, ", units=%d", p->n_units);
	if (p->unit && p->n_units > 0) {
		pim_text_str(&t, ", ");
		print_units(p, &t);
	}
	if (t.n) {
		pim_text_str(out, " [");
		pim_text_add(out, t.s + 2, t.n - 2);
		pim_text_str(out, "]");
	}
	pim_text_free(&t);
}

static void print_facts(const pim_graph *g, pim_text *out)
{
	unsigned facts = g->facts & ~(unsigned)(PIM_FACT_shaped | PIM_FACT_lowered);
	const char *separator = " ";
	if (!facts && !g->target)
		return;
	pim_text_str(out, "    facts");
	for (int bit = 0; bit < PIM_FACT_COUNT; bit++)
		if (facts & 1u << bit) {
			pim_text_printf(out, "%s%s", separator, pim_fact_name(bit));
			separator = ", ";
		}
	if (g->target) {
		pim_text_str(out, " on ");
		pim_text_quoted(out, g->target);
	}
	pim_text_str(out, "\n");
}

void pim_sets_print(const pim_graph *g, pim_text *out)
{
	print_facts(g, out);
	for (int i = 0; i < g->n_sets; i++) {
		const pim_branch_set *s = &g->sets[i];
		pim_text_str(out, "    set @");
		pim_text_name(out, s->name);
		pim_text_str(out, " [");
		for (int a = 0; a < s->n_axes; a++) {
			pim_text_str(out, a ? ", " : "");
			pim_text_name(out, s->axis[a].name);
			pim_text_printf(out, " %lld", (long long)s->axis[a].count);
		}
		pim_text_printf(out, "] degree %d\n", (int)s->degree);
	}
}
