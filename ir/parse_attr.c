/* SPDX-License-Identifier: Apache-2.0 */
/* parse_attr - attributes in braces: {strides = [2, 2], epsilon = 1e-05}. The op's rows say which
 * there are. */
#include <stdlib.h>
#include <string.h>

#include "ir/array.h"
#include "ir/parser.h"

#define MAX_ATTRS 32

static const char *const kind_names[] = {"an integer", "a number", "a string", "a list of integers",
	"a list of numbers", "a list of strings", "elements"};

static bool report_unknown(parser *p, const pim_op_info *op, const char *name)
{
	const char *names[MAX_ATTRS];
	for (int i = 0; i < op->n_attrs; i++)
		names[i] = op->attrs[i].name;
	const char *nearest = pim_nearest(name, op->n_attrs, names);
	return pim_cursor_error(p->c, "%s has no attribute %s%s%s%s", op->name, name,
		nearest ? "; did you mean " : "", nearest ? nearest : "", nearest ? "?" : "");
}

static const pim_op_attr *parse_name(parser *p, const pim_op_info *op)
{
	const char *s;
	size_t n;
	char name[48];
	pim_cursor_space(p->c);
	const char *start = p->c->p;
	if (!pim_cursor_name(p->c, &s, &n)) {
		pim_cursor_expected(p->c, "the name of an attribute");
		return NULL;
	}
	snprintf(name, sizeof name, "%.*s", (int)(n < 47 ? n : 47), s);
	const pim_op_attr *row = pim_op_attr_find(op, name);
	if (!row) {
		p->c->p = start;
		report_unknown(p, op, name);
	}
	return row;
}

/* What kind of value stands at the cursor; PIM_ATTR_ints for any list, PIM_ATTR_data for none. */
static pim_attr_kind look_ahead(const pim_cursor *c)
{
	double v;
	if (c->p >= c->end)
		return PIM_ATTR_data;
	if (*c->p == '"')
		return PIM_ATTR_string;
	if (*c->p == '[')
		return PIM_ATTR_ints;
	const char *end = pim_read_float(c->p, c->end, &v);
	if (end == c->p)
		return PIM_ATTR_data;
	for (const char *s = c->p; s < end; s++)
		if (*s != '-' && (*s < '0' || *s > '9'))
			return PIM_ATTR_float;
	return PIM_ATTR_int;
}

static bool agrees(pim_attr_kind found, pim_attr_kind wanted)
{
	if (wanted == PIM_ATTR_float)
		return found == PIM_ATTR_float || found == PIM_ATTR_int;
	return found == wanted || (found == PIM_ATTR_ints && wanted > PIM_ATTR_ints);
}

static bool parse_cell(pim_cursor *c, pim_attr_kind kind, parser_cell *cell)
{
	if (kind == PIM_ATTR_int || kind == PIM_ATTR_ints)
		return pim_cursor_int(c, &cell->i);
	if (kind == PIM_ATTR_float || kind == PIM_ATTR_floats)
		return pim_cursor_float(c, &cell->f);
	cell->s = pim_cursor_string(c);
	return cell->s != NULL;
}

static void add_cell(parser *p, size_t n, parser_cell cell)
{
	p->cells = pim_array_grow(p->cells, (int64_t)n, &p->room_cells, sizeof *p->cells);
	p->cells[n] = cell;
}

static bool parse_list(parser *p, pim_attr *a)
{
	size_t n = 0;
	parser_cell cell;
	while (!pim_cursor_take(p->c, "]")) {
		if ((n && !pim_cursor_want(p->c, ",")) || !parse_cell(p->c, (pim_attr_kind)a->kind, &cell))
			return false;
		add_cell(p, n++, cell);
	}
	parser_cell *copy = PIM_NEW(p->m->arena, parser_cell, n + 1);
	if (n)
		memcpy(copy, p->cells, n * sizeof *copy);
	a->n = (uint32_t)n;
	a->is = &copy->i;
	return true;
}

static bool parse_attr(parser *p, const pim_op_info *op, pim_attr *a)
{
	pim_cursor *c = p->c;
	parser_cell cell;
	const pim_op_attr *row = parse_name(p, op);
	if (!row || !pim_cursor_want(c, "="))
		return false;
	pim_cursor_space(c);
	pim_attr_kind found = look_ahead(c);
	if (!agrees(found, row->kind))
		return pim_cursor_error(c, "attribute %s of %s is %s, expected %s", row->name, op->name,
			found == PIM_ATTR_data	 ? "nothing known"
			: found == PIM_ATTR_ints ? "a list"
									 : kind_names[found],
			kind_names[row->kind]);
	*a = (pim_attr){.name = row->name, .kind = row->kind};
	if (pim_cursor_take(c, "["))
		return parse_list(p, a);
	if (!parse_cell(c, row->kind, &cell))
		return false;
	a->i = cell.i;
	if (row->kind == PIM_ATTR_float)
		a->f = cell.f;
	else if (row->kind == PIM_ATTR_string)
		a->s = cell.s;
	return true;
}

bool parse_attrs(parser *p, pim_node *n)
{
	const pim_op_info *op = pim_op_at((pim_op)n->op);
	pim_attr attrs[MAX_ATTRS];
	int count = 0;
	while (!pim_cursor_take(p->c, "}")) {
		if (count && !pim_cursor_want(p->c, ","))
			return false;
		const char *start = p->c->p;
		if (count == MAX_ATTRS || !parse_attr(p, op, &attrs[count]))
			return count < MAX_ATTRS ? false
									 : pim_cursor_error(p->c, "more than %d attributes", MAX_ATTRS);
		for (int i = 0; i < count; i++)
			if (attrs[i].name == attrs[count].name) {
				p->c->p = start;
				pim_cursor_space(p->c);
				return pim_cursor_error(p->c, "attribute %s is given twice", attrs[i].name);
			}
		count++;
	}
	pim_attr *copy = PIM_NEW(p->m->arena, pim_attr, count);
	if (count)
		memcpy(copy, attrs, sizeof *copy * (size_t)count);
	n->attrs = count ? copy : NULL;
	n->n_attrs = (uint16_t)count;
	return true;
}

bool check_required_attrs(parser *p, const pim_node *n)
{
	const pim_op_info *op = pim_op_at((pim_op)n->op);
	for (int i = 0; i < op->n_attrs; i++)
		if (!op->attrs[i].init && !pim_attr_find(n, op->attrs[i].name)) {
			p->c->failed = true;
			return pim_error(p->c->context, n->loc, "%s needs the attribute %s (%s)", op->name,
				op->attrs[i].name, op->attrs[i].help);
		}
	return true;
}
