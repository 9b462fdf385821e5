/* SPDX-License-Identifier: Apache-2.0 */
/* plan_parse - decisions from the text form; ir/plan.c shows what they look like. */
#include <stdlib.h>
#include <string.h>

#include "ir/fusion.h"
#include "ir/plan.h"

#define MAX_UNITS (1 << 20)
#define MAX_LOOPS 64

static bool parse_count(pim_cursor *c, int64_t lo, int64_t hi, int64_t *v)
{
	pim_cursor_space(c);
	const char *start = c->p;
	if (!pim_cursor_int(c, v))
		return false;
	if (*v >= lo && *v <= hi)
		return true;
	c->p = start;
	return pim_cursor_error(c, "%lld is out of range, expected %lld to %lld", (long long)*v,
		(long long)lo, (long long)hi);
}

static bool parse_count32(pim_cursor *c, int32_t lo, int32_t *out)
{
	int64_t v = 0;
	bool ok = parse_count(c, lo, INT32_MAX, &v);
	*out = (int32_t)v;
	return ok;
}

static bool is_name_char(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
		   c == '.' || c == '/' || c == '-' || c == ':';
}

/* A name as pim_text_name prints it; interned. */
static const char *parse_any_name(pim_cursor *c)
{
	pim_cursor_space(c);
	const char *s = c->p;
	if (s < c->end && *s == '"')
		return pim_cursor_string(c);
	while (c->p < c->end && is_name_char(*c->p))
		c->p++;
	if (c->p == s) {
		pim_cursor_expected(c, "a name");
		return NULL;
	}
	return pim_intern(c->context, s, (size_t)(c->p - s));
}

static bool parse_set(pim_cursor *c, pim_node *n)
{
	pim_graph *g = n->graph;
	if (!pim_cursor_want(c, "@"))
		return false;
	const char *start = c->p - 1, *name = parse_any_name(c);
	if (!name)
		return false;
	for (int i = 0; i < g->n_sets; i++)
		if (!strcmp(g->sets[i].name, name)) {
			pim_node_plan(n)->set = i;
			return true;
		}
	const char **names = PIM_NEW(g->module->arena, const char *, g->n_sets);
	for (int i = 0; i < g->n_sets; i++)
		names[i] = g->sets[i].name;
	const char *nearest = pim_nearest(name, g->n_sets, names);
	c->p = start;
	return pim_cursor_error(c, "there is no branch set @%s%s%s%s", name,
		nearest ? "; did you mean @" : "", nearest ? nearest : "", nearest ? "?" : "");
}

/* The layout to read into; NULL after an error: an order counts the slices of the whole layout. */
static pim_layout *layout_of(pim_cursor *c, pim_node *n)
{
	pim_plan *p = pim_node_plan(n);
	if (p->order) {
		pim_cursor_error(c, "expected parts=, sums= and copies= before order=");
		return NULL;
	}
	if (!p->layout) {
		p->layout = PIM_NEW(n->graph->module->arena, pim_layout, 1);
		p->layout->sums = p->layout->copies = 1;
	}
	return p->layout;
}

static bool take_times(pim_cursor *c)
{
	bool is = c->p < c->end && *c->p == 'x';
	c->p += is;
	return is;
}

static bool parse_parts(pim_cursor *c, pim_node *n)
{
	pim_layout *l = layout_of(c, n);
	if (!l || pim_cursor_take(c, "-"))
		return l != NULL;
	do {
		if (l->rank == PIM_MAX_RANK)
			return pim_cursor_error(c, "parts has more than %d dimensions", PIM_MAX_RANK);
		if (!parse_count32(c, 1, &l->parts[l->rank++]))
			return false;
	} while (take_times(c));
	return true;
}

static bool parse_sums(pim_cursor *c, pim_node *n)
{
	pim_layout *l = layout_of(c, n);
	return l && parse_count32(c, 1, &l->sums);
}

static bool parse_copies(pim_cursor *c, pim_node *n)
{
	pim_layout *l = layout_of(c, n);
	return l && parse_count32(c, 1, &l->copies);
}

typedef struct nest_text {
	pim_cursor *c;
	const pim_axes *axes;
	pim_loop loop[MAX_LOOPS];
	int n;
	int64_t tile[PIM_MAX_AXES]; /* 0: not stated */
} nest_text;

static bool parse_axis(nest_text *t, int *axis)
{
	pim_cursor *c = t->c;
	int64_t v = 0;
	const char *s, *names[PIM_MAX_AXES];
	size_t n;
	int n_axes = t->axes->n_axes;
	if (pim_cursor_take(c, "#")) {
		if (!parse_count(c, 0, n_axes - 1, &v))
			return false;
		*axis = (int)v;
		return true;
	}
	pim_cursor_space(c);
	const char *start = c->p;
	if (!pim_cursor_name(c, &s, &n))
		return pim_cursor_expected(c, "an axis");
	char name[48];
	snprintf(name, sizeof name, "%.*s", (int)(n < 47 ? n : 47), s);
	for (*axis = 0; *axis < n_axes; ++*axis) {
		names[*axis] = t->axes->axis[*axis].name;
		if (pim_axis_name_tells(t->axes, *axis) && !strcmp(names[*axis], name))
			return true;
	}
	const char *nearest = pim_nearest(name, n_axes, names);
	c->p = start;
	return pim_cursor_error(c, "the op has no axis %s%s%s%s", name,
		nearest ? "; did you mean " : "", nearest ? nearest : "", nearest ? "?" : "");
}

static bool parse_tile(nest_text *t, int axis)
{
	int64_t tile;
	if (!pim_cursor_take(t->c, ":"))
		return true;
	if (t->tile[axis])
		return pim_cursor_error(t->c, "the tile of this axis is stated twice");
	if (!parse_count(t->c, 1, INT64_MAX, &tile))
		return false;
	t->tile[axis] = tile;
	return true;
}

static bool parse_loop(nest_text *t)
{
	pim_loop l = {.spatial = pim_cursor_take(t->c, "@")};
	if (!parse_axis(t, &l.axis))
		return false;
	if (!l.spatial && pim_cursor_next_is(t->c, ":"))
		return parse_tile(t, l.axis);
	if (t->n == MAX_LOOPS)
		return pim_cursor_error(t->c, "a nest has more than %d loops", MAX_LOOPS);
	if (!parse_count32(t->c, 1, &l.count))
		return false;
	t->loop[t->n++] = l;
	return l.spatial || parse_tile(t, l.axis);
}

static void keep_nest(const nest_text *t, pim_node *n, int64_t cycles)
{
	pim_arena *a = n->graph->module->arena;
	pim_nest *nest = PIM_NEW(a, pim_nest, 1);
	nest->n = t->n;
	nest->loop = PIM_NEW(a, pim_loop, t->n);
	if (t->n)
		memcpy(nest->loop, t->loop, sizeof *nest->loop * (size_t)t->n);
	nest->n_axes = t->axes->n_axes;
	nest->tile = PIM_NEW(a, int64_t, nest->n_axes);
	nest->cycles = cycles;
	for (int i = 0; i < nest->n_axes; i++)
		nest->tile[i] = t->tile[i] ? t->tile[i] : pim_nest_usual_tile(nest, t->axes, i);
	pim_node_plan(n)->nest = nest;
}

static bool parse_loops(nest_text *t, int64_t *cycles)
{
	if (!pim_cursor_want(t->c, "("))
		return false;
	if (!pim_cursor_next_is(t->c, "="))
		do {
			if (!parse_loop(t))
				return false;
		} while (pim_cursor_take(t->c, ","));
	return pim_cursor_want(t->c, "=") && pim_cursor_int(t->c, cycles) && pim_cursor_want(t->c, ")");
}

static bool parse_nest(pim_cursor *c, pim_node *n)
{
	pim_arena *scratch = pim_arena_new();
	nest_text t = {.c = c, .axes = pim_axes_new(n, scratch)};
	int64_t cycles;
	bool ok = parse_loops(&t, &cycles);
	if (ok)
		keep_nest(&t, n, cycles);
	pim_arena_free(scratch);
	return ok;
}

/* A piece of an order, first..last:step*times:shift, as `length` numbers and their repeats. */
typedef struct piece {
	int64_t first, length, step, times, shift;
} piece;

static bool parse_piece(pim_cursor *c, piece *p)
{
	int64_t last;
	*p = (piece){.length = 1, .step = 1, .times = 1};
	if (!parse_count(c, 0, INT32_MAX - 1, &p->first))
		return false;
	if (pim_cursor_take(c, "..")) {
		if (!parse_count(c, 0, INT32_MAX - 1, &last))
			return false;
		if (pim_cursor_take(c, ":") && !pim_cursor_int(c, &p->step))
			return false;
		if (p->step == 0 || p->step < -INT32_MAX || p->step > INT32_MAX ||
			(last - p->first) % p->step || (last - p->first) / p->step < 1)
			return pim_cursor_error(c, "%lld is not a whole number of steps of %lld behind %lld",
				(long long)last, (long long)p->step, (long long)p->first);
		p->length = (last - p->first) / p->step + 1;
	}
	return !pim_cursor_take(c, "*") || (parse_count(c, 2, INT32_MAX, &p->times) &&
										   pim_cursor_want(c, ":") && pim_cursor_int(c, &p->shift));
}

static bool add_piece(pim_cursor *c, const piece *p, int64_t slices, int32_t *slice, int64_t *count)
{
	if (p->times > (slices - *count) / p->length)
		return pim_cursor_error(
			c, "the order names more slices than the %lld of parts=...", (long long)slices);
	if (p->shift < -INT32_MAX || p->shift > INT32_MAX)
		return pim_cursor_error(c, "a shift of %lld slices", (long long)p->shift);
	for (int64_t t = 0; t < p->times; t++)
		for (int64_t i = 0; i < p->length; i++) {
			int64_t s = p->first + i * p->step + t * p->shift;
			slice[(*count)++] = s >= 0 && s < INT32_MAX ? (int32_t)s : INT32_MAX - 1;
		}
	return true;
}

static bool parse_order(pim_cursor *c, pim_node *n)
{
	pim_plan *p = pim_node_plan(n);
	if (!p->layout)
		return pim_cursor_error(c, "expected parts=... before order=...");
	int64_t slices = pim_layout_slices(p->layout), count = 0;
	if (slices < 1 || slices > MAX_UNITS)
		return pim_cursor_error(
			c, "no order for %lld slices, at most %d have one", (long long)slices, MAX_UNITS);
	int32_t *slice = PIM_NEW(n->graph->module->arena, int32_t, slices);
	if (!pim_cursor_want(c, "("))
		return false;
	do {
		piece one;
		if (!parse_piece(c, &one) || !add_piece(c, &one, slices, slice, &count))
			return false;
	} while (pim_cursor_take(c, ","));
	if (!pim_cursor_want(c, ")"))
		return false;
	if (count < slices)
		return pim_cursor_error(c, "the order names %lld slices, parts=... makes %lld",
			(long long)count, (long long)slices);
	p->order = pim_order_new(count, slice, n->graph->module->arena);
	return true;
}

/* The first node of the group that the node in front is in: the only one that n can be fused with,
 * since groups stand together. */
static pim_node *find_group(const pim_node *n)
{
	const pim_node *p = n->prev;
	while (p && pim_op_at((pim_op)p->op)->flags & PIM_OPF_leaf)
		p = p->prev;
	return p ? pim_fusion_first(p) : NULL;
}

static bool parse_fused(pim_cursor *c, pim_node *n)
{
	pim_node *first = find_group(n);
	if (!first)
		return pim_cursor_error(c, "there is no node in front of this one to be fused with");
	pim_arena *scratch = pim_arena_new();
	const char *label = pim_node_label(first, scratch);
	pim_cursor_space(c);
	const char *end = c->p + strlen(label);
	bool is = end <= c->end && !strncmp(c->p, label, strlen(label)) &&
			  (end == c->end || !is_name_char(*end));
	if (is) {
		c->p = end;
		pim_node_plan(n)->fused = first;
	} else {
		pim_cursor_error(c, "expected %s, the group of the node in front", label);
	}
	pim_arena_free(scratch);
	return is;
}

static bool parse_start(pim_cursor *c, pim_node *n)
{
	return pim_cursor_int(c, &pim_node_plan(n)->start);
}
static bool parse_cycles(pim_cursor *c, pim_node *n)
{
	return pim_cursor_int(c, &pim_node_plan(n)->cycles);
}

static bool parse_unit_count(pim_cursor *c, pim_node *n)
{
	int64_t v = 0;
	bool ok = parse_count(c, 1, MAX_UNITS, &v);
	pim_node_plan(n)->n_units = (int)v;
	return ok;
}

static bool parse_run(pim_cursor *c, pim_plan *p, int *count)
{
	int64_t first, last;
	if (!parse_count(c, 0, MAX_UNITS - 1, &first))
		return false;
	last = first;
	if (pim_cursor_take(c, "..") && !parse_count(c, first, MAX_UNITS - 1, &last))
		return false;
	if (last - first >= p->n_units - *count)
		return pim_cursor_error(c, "more units than units=%d says", p->n_units);
	for (int64_t u = first; u <= last; u++)
		p->unit[(*count)++] = (int)u;
	return true;
}

static bool parse_on(pim_cursor *c, pim_node *n)
{
	pim_plan *p = pim_node_plan(n);
	int count = 0;
	if (!p->n_units)
		return pim_cursor_error(c, "expected units=... before on=...");
	p->unit = PIM_NEW(n->graph->module->arena, int, p->n_units);
	bool many = pim_cursor_take(c, "(");
	do {
		if (!parse_run(c, p, &count))
			return false;
	} while (many && pim_cursor_take(c, ","));
	if (many && !pim_cursor_want(c, ")"))
		return false;
	return count == p->n_units || pim_cursor_error(c, "%d units, but units=%d", count, p->n_units);
}

static const struct {
	const char *name;
	bool (*parse)(pim_cursor *c, pim_node *n);
} fields[] = {{"set", parse_set}, {"parts", parse_parts}, {"sums", parse_sums},
	{"copies", parse_copies}, {"nest", parse_nest}, {"fused", parse_fused}, {"order", parse_order},
	{"start", parse_start}, {"cycles", parse_cycles}, {"units", parse_unit_count},
	{"on", parse_on}};
#define FIELDS (sizeof fields / sizeof fields[0])

static bool parse_field(pim_cursor *c, pim_node *n, unsigned *seen)
{
	const char *s = "", *names[FIELDS];
	size_t bytes = 0;
	char wanted[32];
	pim_cursor_space(c);
	const char *start = c->p;
	if (!pim_cursor_name(c, &s, &bytes))
		return pim_cursor_expected(c, "a decision, such as parts=1x64");
	snprintf(wanted, sizeof wanted, "%.*s", (int)(bytes < 31 ? bytes : 31), s);
	for (size_t i = 0; i < FIELDS; i++) {
		names[i] = fields[i].name;
		if (strcmp(names[i], wanted))
			continue;
		if (*seen & 1u << i) {
			c->p = start;
			return pim_cursor_error(c, "%s is given twice", wanted);
		}
		*seen |= 1u << i;
		return pim_cursor_want(c, "=") && fields[i].parse(c, n);
	}
	const char *nearest = pim_nearest(wanted, FIELDS, names);
	c->p = start;
	return pim_cursor_error(c, "there is no decision %s%s%s%s", wanted,
		nearest ? "; did you mean " : "", nearest ? nearest : "", nearest ? "?" : "");
}

bool pim_plan_parse(pim_cursor *c, pim_node *n)
{
	unsigned seen = 0;
	do {
		if (!parse_field(c, n, &seen))
			return false;
	} while (pim_cursor_take(c, ","));
	return pim_cursor_want(c, "]");
}

static bool parse_fact(pim_cursor *c, pim_graph *g)
{
	const char *s = "", *names[PIM_FACT_COUNT];
	size_t n = 0;
	char wanted[32];
	pim_cursor_space(c);
	const char *start = c->p;
	if (!pim_cursor_name(c, &s, &n))
		return pim_cursor_expected(c, "a fact, such as split");
	snprintf(wanted, sizeof wanted, "%.*s", (int)(n < 31 ? n : 31), s);
	for (int bit = 0; bit < PIM_FACT_COUNT; bit++) {
		names[bit] = pim_fact_name(bit);
		if (!strcmp(names[bit], wanted) && bit != PIM_FACT_BIT_lowered) {
			g->facts |= 1u << bit;
			return true;
		}
	}
	const char *nearest = pim_nearest(wanted, PIM_FACT_COUNT, names);
	c->p = start;
	if (nearest && !strcmp(nearest, "lowered"))
		return pim_cursor_error(
			c, "the text form of a program cannot be lowered, command code is a file of its own");
	return pim_cursor_error(c, "there is no fact %s%s%s%s", wanted,
		nearest ? "; did you mean " : "", nearest ? nearest : "", nearest ? "?" : "");
}

static bool parse_facts(pim_cursor *c, pim_graph *g)
{
	if (!pim_cursor_next_is(c, "on"))
		do {
			if (!parse_fact(c, g))
				return false;
		} while (pim_cursor_take(c, ","));
	return !pim_cursor_take(c, "on") || (g->target = pim_cursor_string(c));
}

static bool parse_set_axes(pim_cursor *c, pim_branch_set *s)
{
	if (!pim_cursor_want(c, "["))
		return false;
	while (!pim_cursor_take(c, "]")) {
		if (s->n_axes && !pim_cursor_want(c, ","))
			return false;
		if (s->n_axes == PIM_MAX_BRANCH_AXES)
			return pim_cursor_error(c, "a branch set has more than %d axes", PIM_MAX_BRANCH_AXES);
		struct pim_branch_axis *a = &s->axis[s->n_axes];
		if (!(a->name = parse_any_name(c)) || !parse_count(c, 1, INT64_MAX, &a->count))
			return false;
		s->n_axes++;
	}
	return true;
}

static bool parse_branch_set(pim_cursor *c, pim_graph *g)
{
	pim_branch_set s = {0};
	if (!pim_cursor_want(c, "@"))
		return false;
	const char *start = c->p - 1;
	if (!(s.name = parse_any_name(c)))
		return false;
	for (int i = 0; i < g->n_sets; i++)
		if (g->sets[i].name == s.name) {
			c->p = start;
			return pim_cursor_error(c, "a second branch set @%s", s.name);
		}
	if (!parse_set_axes(c, &s) || !pim_cursor_want(c, "degree") || !parse_count32(c, 1, &s.degree))
		return false;
	if (!(g->n_sets & (g->n_sets - 1))) {
		pim_branch_set *more =
			PIM_NEW(g->module->arena, pim_branch_set, g->n_sets ? 2 * g->n_sets : 1);
		if (g->n_sets)
			memcpy(more, g->sets, sizeof *more * (size_t)g->n_sets);
		g->sets = more;
	}
	g->sets[g->n_sets++] = s;
	return true;
}

bool pim_sets_parse(pim_cursor *c, pim_graph *g)
{
	if (pim_cursor_take(c, "facts"))
		return parse_facts(c, g);
	return pim_cursor_take(c, "set") && parse_branch_set(c, g);
}
