/* SPDX-License-Identifier: Apache-2.0 */
/* classes - follows axes through a graph: dims, or factors of dims, that are one thing.
 *
 * Idea: every dim of every value and every axis of every op starts as one cell. A cell can be
 * joined with another of its size, or split in an outer and an inner cell; both hold for all that
 * it was joined with. An op's index maps say which dims consist of which axes; writing both sides
 * as lists of unsplit cells and matching them from the inner end splits and joins until the lists
 * are equal. What does not divide stays apart. Cells that are left are the classes. Cost: near
 * linear in nodes times axes; each split makes two smaller cells, so a dim has at most 62. Source:
 * factor propagation as in sharding (GSPMD, Shardy), reduced to union-find; ours. */
#include "ir/op_rules.h"

enum { MOST_FACTORS = 64 };

/* parent: towards the cell it was joined with, itself when it stands for its class. inner < 0: not
 * split. */
typedef struct cell {
	int64_t size;
	int parent, outer, inner;
} cell;

/* Factors of one dim or axis, outer first. */
typedef struct factor_list {
	int n;
	pim_factor *factor;
} factor_list;

/* Of one node: its op's axes; then the lists of its dims and of its axes. */
typedef struct node_entry {
	pim_axes *axes;
	int first_dim, first_axis; /* cells before, the lists after numbering */
	factor_list *dim, *axis;
} node_entry;

struct pim_classes {
	pim_arena *arena;
	int n_cells, room_cells, n_classes;
	cell *cells;
	node_entry *entry; /* by node id */
};

static int add_cell(pim_classes *c, int64_t size)
{
	c->cells = pim_arena_grow(c->arena, c->cells, c->n_cells, &c->room_cells, sizeof *c->cells);
	c->cells[c->n_cells] = (cell){.size = size, .parent = c->n_cells, .outer = -1, .inner = -1};
	return c->n_cells++;
}

static int find_root(pim_classes *c, int i)
{
	while (c->cells[i].parent != i) {
		c->cells[i].parent = c->cells[c->cells[i].parent].parent;
		i = c->cells[i].parent;
	}
	return i;
}

/* Unsplit cells of a list of cells, outer first; those of size 1 are left out. */
typedef struct cell_list {
	int n;
	int cell[MOST_FACTORS];
} cell_list;

static void expand_cell(pim_classes *c, int i, cell_list *to)
{
	i = find_root(c, i);
	if (c->cells[i].inner >= 0) {
		expand_cell(c, c->cells[i].outer, to);
		expand_cell(c, c->cells[i].inner, to);
	} else if (c->cells[i].size > 1 && to->n < MOST_FACTORS) {
		to->cell[to->n++] = i;
	}
}

static cell_list expand_list(pim_classes *c, const cell_list *from)
{
	cell_list to = {0};
	for (int i = 0; i < from->n; i++)
		expand_cell(c, from->cell[i], &to);
	return to;
}

static void split_cell(pim_classes *c, int i, int64_t inner)
{
	int64_t outer = c->cells[i].size / inner;
	int o = add_cell(c, outer), n = add_cell(c, inner);
	c->cells[i].outer = o;
	c->cells[i].inner = n;
}

/* One step from the inner end: joins or splits the first pair that differs; false when there is
 * nothing left to do. */
static bool match_once(pim_classes *c, const cell_list *a, const cell_list *b)
{
	cell_list x = expand_list(c, a), y = expand_list(c, b);
	for (int i = 1; i <= x.n && i <= y.n; i++) {
		int p = x.cell[x.n - i], q = y.cell[y.n - i];
		int64_t ps = c->cells[p].size, qs = c->cells[q].size;
		if (p == q)
			continue;
		if (ps == qs)
			c->cells[p > q ? p : q].parent = p > q ? q : p;
		else if (ps % qs == 0)
			split_cell(c, p, qs);
		else if (qs % ps == 0)
			split_cell(c, q, ps);
		else
			return false;
		return true;
	}
	return false;
}

static void match_lists(pim_classes *c, const cell_list *a, const cell_list *b)
{
	while (match_once(c, a, b))
		;
}

/* The axes that make up a dim, outer first: each one's coefficient is the product of the sizes
 * inside it, and together they fill the dim. False when the index is no such mixed-radix number. */
static bool read_digits(
	const pim_axes *x, const pim_index *i, int64_t size, int first_axis, cell_list *to)
{
	int64_t inner = 1;
	for (int t = i->n - 1; t >= 0; t--) {
		if (i->term[t].coef != inner && x->axis[i->term[t].axis].size != 1)
			return false;
		inner *= x->axis[i->term[t].axis].size;
	}
	for (int t = 0; t < i->n; t++)
		to->cell[to->n++] = first_axis + i->term[t].axis;
	return i->offset == 0 && inner == size;
}

/* A windowed axis whose stride times its size is the dim: the dim is the axis and, inside it, the
 * stride. */
static bool read_window(pim_classes *c, const pim_axes *x, const pim_index *i, int64_t size,
	int first_axis, cell_list *to)
{
	if (i->n == 0)
		return false;
	const pim_axis *a = &x->axis[i->term[0].axis];
	int64_t stride = i->term[0].coef;
	if (a->kind != PIM_AXIS_windowed || stride < 1 || a->size * stride != size)
		return false;
	to->n = 0;
	to->cell[to->n++] = first_axis + i->term[0].axis;
	if (stride > 1)
		to->cell[to->n++] = add_cell(c, stride);
	return true;
}

/* Matches the dims of one value with the axes of one op. */
static void match_value(pim_classes *c, const node_entry *user, int row, const pim_node *value)
{
	for (int d = 0; d < value->type->rank; d++) {
		const pim_index *i = &user->axes->map[row][d];
		int64_t size = value->type->dims[d];
		cell_list dim = {.n = 1, .cell = {c->entry[value->id].first_dim + d}}, axes = {0};
		if (read_digits(user->axes, i, size, user->first_axis, &axes) ||
			read_window(c, user->axes, i, size, user->first_axis, &axes))
			match_lists(c, &dim, &axes);
	}
}

static bool is_tensor(const pim_node *n)
{
	return n && n->type && n->type->n_parts == 0;
}

static void add_node(pim_classes *c, const pim_node *n)
{
	node_entry *e = &c->entry[n->id];
	e->axes = pim_axes_new(n, c->arena);
	e->first_dim = c->n_cells;
	for (int d = 0; d < n->type->rank; d++)
		add_cell(c, n->type->dims[d]);
	e->first_axis = c->n_cells;
	for (int a = 0; a < e->axes->n_axes; a++)
		add_cell(c, e->axes->axis[a].size);
	match_value(c, e, e->axes->n_inputs, n);
	for (uint32_t i = 0; i < n->n_in; i++)
		if (is_tensor(n->in[i]) && !e->axes->whole[i])
			match_value(c, e, (int)i, n->in[i]);
}

/* Numbers classes in order of appearance; `number` is by cell, -1 before. */
static factor_list number_cell(pim_classes *c, int i, int *number)
{
	cell_list from = {0};
	factor_list to;
	expand_cell(c, i, &from);
	to.n = from.n;
	to.factor = PIM_NEW(c->arena, pim_factor, from.n);
	for (int f = 0; f < from.n; f++) {
		int root = from.cell[f];
		if (number[root] < 0)
			number[root] = c->n_classes++;
		to.factor[f] = (pim_factor){.size = c->cells[root].size, .class = number[root]};
	}
	return to;
}

static void number_node(pim_classes *c, const pim_node *n, int *number)
{
	node_entry *e = &c->entry[n->id];
	e->dim = PIM_NEW(c->arena, factor_list, n->type->rank);
	e->axis = PIM_NEW(c->arena, factor_list, e->axes->n_axes);
	for (int d = 0; d < n->type->rank; d++)
		e->dim[d] = number_cell(c, e->first_dim + d, number);
	for (int a = 0; a < e->axes->n_axes; a++)
		e->axis[a] = number_cell(c, e->first_axis + a, number);
}

pim_classes *pim_classes_new(pim_graph *g, pim_arena *a)
{
	pim_classes *c = PIM_NEW(a, pim_classes, 1);
	c->arena = a;
	c->entry = PIM_NEW(a, node_entry, g->n_ids);
	for (const pim_node *n = g->first; n; n = n->next)
		if (is_tensor(n))
			add_node(c, n);
	int *number = pim_arena_raw(a, sizeof *number * (size_t)(c->n_cells + 1));
	for (int i = 0; i < c->n_cells; i++)
		number[i] = -1;
	for (const pim_node *n = g->first; n; n = n->next)
		if (is_tensor(n))
			number_node(c, n, number);
	return c;
}

int pim_classes_count(const pim_classes *c)
{
	return c->n_classes;
}

int pim_classes_dim(const pim_classes *c, const pim_node *n, int d, const pim_factor **f)
{
	const factor_list *l = &c->entry[n->id].dim[d];
	*f = l->factor;
	return l->n;
}

int pim_classes_axis(const pim_classes *c, const pim_node *n, int axis, const pim_factor **f)
{
	const factor_list *l = &c->entry[n->id].axis[axis];
	*f = l->factor;
	return l->n;
}

pim_axis_kind pim_classes_kind(const pim_classes *c, const pim_node *n, int class)
{
	const node_entry *e = &c->entry[n->id];
	pim_axis_kind kind = PIM_AXIS_coupled;
	int seen = 0;
	for (int a = 0; e->axes && a < e->axes->n_axes; a++)
		for (int f = 0; f < e->axis[a].n; f++) {
			if (e->axis[a].factor[f].class != class)
				continue;
			kind = e->axes->axis[a].kind;
			if (kind == PIM_AXIS_windowed && f > 0)
				kind = PIM_AXIS_coupled;
			seen++;
		}
	return seen == 1 ? kind : PIM_AXIS_coupled;
}
