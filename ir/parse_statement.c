/* SPDX-License-Identifier: Apache-2.0 */
/* parse_statement - one line of a graph: %value = op %in, ... {attributes} : type [decisions]
 * loc("place").
 *
 * Few types and ops occur, very often: their text is looked up in small tables first. */
#include <stdlib.h>
#include <string.h>

#include "ir/array.h"
#include "ir/parser.h"

static bool is_word(char c)
{
	return (c >= 'a' && c <= 'z') || c == '_' || (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z');
}

const pim_type *parse_type(parser *p)
{
	pim_cursor *c = p->c;
	const char *s = c->p;
	size_t left = (size_t)(c->end - s), n = 0;
	while (n < left && n < PARSER_TYPE_BYTES && s[n] != ']' && s[n] != '(' && s[n] != '\n')
		n++;
	if (n < 4 || n == left || n == PARSER_TYPE_BYTES || s[n++] != ']')
		return pim_cursor_type(c);
	uint32_t last;
	memcpy(&last, s + n - sizeof last, sizeof last);
	size_t slot = (last * 2654435761u >> 20 ^ n ^ (size_t)s[n / 2] * 7) % PARSER_TYPES;
	if (p->types[slot].n == n && !memcmp(p->types[slot].s, s, n)) {
		c->p += n;
		return p->types[slot].type;
	}
	const pim_type *t = pim_cursor_type(c);
	if (t && n <= PARSER_TYPE_BYTES && c->p == s + n) {
		memcpy(p->types[slot].s, s, n);
		p->types[slot].n = (uint32_t)n;
		p->types[slot].type = t;
	}
	return t;
}

static bool report_unknown_op(parser *p, const char *s, size_t n)
{
	const char *names[PIM_OP_COUNT];
	char wanted[64];
	for (int i = 0; i < PIM_OP_COUNT; i++)
		names[i] = pim_op_at((pim_op)i)->name;
	snprintf(wanted, sizeof wanted, "%.*s", (int)(n < 63 ? n : 63), s);
	const char *nearest = pim_nearest(wanted, PIM_OP_COUNT, names);
	return pim_cursor_error(p->c, "there is no op %s%s%s%s", wanted,
		nearest ? "; did you mean " : "", nearest ? nearest : "", nearest ? "?" : "");
}

static bool parse_op(parser *p, pim_op *op)
{
	pim_cursor *c = p->c;
	pim_cursor_space(c);
	const char *s = c->p, *e = s;
	while (e < c->end && is_word(*e))
		e++;
	size_t n = (size_t)(e - s);
	if (!n)
		return pim_cursor_expected(c, "an op");
	size_t slot =
		((size_t)s[0] * 5 + (size_t)s[n - 1] * 31 + (size_t)s[n / 2] * 3 + n * 17) % PARSER_OPS;
	const char *known = p->ops[slot] ? pim_op_at((pim_op)(p->ops[slot] - 1))->name : "";
	if (!strncmp(known, s, n) && !known[n]) {
		*op = (pim_op)(p->ops[slot] - 1);
	} else {
		*op = pim_op_find(s, n);
		if (*op == PIM_OP_COUNT)
			return report_unknown_op(p, s, n);
		p->ops[slot] = (uint8_t)(*op + 1);
	}
	if (*op == PIM_OP_input)
		return pim_cursor_error(c, "an input stands in the graph's signature, not here");
	c->p = e;
	return true;
}

static void add_operand(parser *p, pim_node *n)
{
	p->in = pim_array_grow(p->in, p->n_in, &p->room_in, sizeof *p->in);
	p->in[p->n_in++] = n;
}

/* *bad: one of them was defined wrongly, which has been reported. */
static bool parse_operands(parser *p, bool *bad)
{
	pim_cursor *c = p->c;
	bool ok = true;
	p->n_in = 0;
	pim_cursor_space(c);
	if (c->p >= c->end || (*c->p != '%' && *c->p != '_'))
		return true;
	do {
		if (pim_cursor_take(c, "_")) {
			add_operand(p, NULL);
			continue;
		}
		const char *before = c->p;
		pim_node *n = parse_operand(p);
		ok &= n != NULL;
		if (!n && c->p <= before + 1)
			return false;
		*bad |= n == p->bad;
		add_operand(p, n);
	} while (pim_cursor_take(c, ","));
	return ok;
}

static bool check_operand_count(parser *p, pim_op op, pim_loc at)
{
	const pim_op_info *info = pim_op_at(op);
	int n = (int)p->n_in, min = info->min_inputs, max = info->max_inputs;
	if (n >= min && (max < 0 || n <= max))
		return true;
	p->c->failed = true;
	if (min == max)
		return pim_error(p->c->context, at, "%s has %d inputs, expected %d", info->name, n, min);
	if (max < 0)
		return pim_error(
			p->c->context, at, "%s has %d inputs, expected %d or more", info->name, n, min);
	return pim_error(
		p->c->context, at, "%s has %d inputs, expected %d to %d", info->name, n, min, max);
}

/* Behind the brace that closes the one at the cursor, which is left where it is; only a list goes
 * on over the end of a line. */
static const char *find_brace_end(const pim_cursor *c)
{
	bool quoted = false, list = false;
	for (const char *s = c->p; s < c->end; s++) {
		if (quoted && *s == '\\')
			s++;
		else if (*s == '"')
			quoted = !quoted;
		else if (*s == '}' && !quoted)
			return s + 1;
		else if (*s == '\n' && (quoted || !list))
			return NULL;
		else if ((*s == '[' || *s == ']') && !quoted)
			list = *s == '[';
	}
	return NULL;
}

/* The elements of a constant are read when its type, which stands behind them, is known. */
static bool parse_constant(parser *p, pim_node *n, const char *brace)
{
	pim_cursor *c = p->c;
	const char *behind = c->p;
	if (!brace) {
		c->failed = true;
		return pim_node_error(
			n, "expected {value = ...}, {key = ...}, {file = ...}, {hex = ...} or {absent = 1}");
	}
	c->p = brace;
	bool ok = pim_cursor_want(c, "{") && pim_elements_parse(c, n);
	c->p = behind;
	return ok;
}

static bool check_type(parser *p, pim_node *n, const char *written)
{
	pim_context *c = p->c->context;
	if (n->op == PIM_OP_constant)
		return true;
	const pim_type *t = pim_memo_infer(&p->memo, n);
	if (t == n->type)
		return true;
	p->c->failed = true;
	if (t)
		pim_error(c, (pim_loc){p->c->source, (uint32_t)(written - p->c->s)},
			"the type is %s, but %s gives %s", pim_type_text(n->type, p->scratch),
			pim_op_at((pim_op)n->op)->name, pim_type_text(t, p->scratch));
	return false;
}

static bool parse_places(parser *p, pim_node *n)
{
	pim_cursor *c = p->c;
	pim_loc at = {0};
	if (!pim_cursor_want(c, "("))
		return false;
	do {
		const char *name = pim_cursor_string(c);
		if (!name)
			return false;
		at = pim_loc_merge(c->context, at, pim_loc_name(c->context, name));
	} while (pim_cursor_take(c, ","));
	n->loc = at;
	return pim_cursor_want(c, ")");
}

bool parse_tail(parser *p, pim_node *n)
{
	pim_cursor *c = p->c;
	while (c->p < c->end && *c->p == ' ')
		c->p++;
	if (c->p < c->end && *c->p == '\n')
		return true;
	if (pim_cursor_take(c, "[") && !pim_plan_parse(c, n))
		return false;
	return !pim_cursor_take(c, "loc") || parse_places(p, n);
}

static pim_node *make_node(parser *p, pim_op op, const value_name *name)
{
	pim_node *n = pim_node_make_numbered(
		p->g, op, (int)p->n_in, name->numbered ? name->number : PIM_NO_NUMBER);
	n->loc = name->at;
	for (uint32_t i = 0; i < p->n_in; i++)
		n->in[i] = p->in[i];
	pim_node_link(n, NULL);
	return n;
}

static bool parse_node(parser *p, const value_name *name)
{
	pim_cursor *c = p->c;
	pim_op op = PIM_OP_COUNT;
	bool bad = false;
	const char *brace = NULL, *written;
	if (!pim_cursor_want(c, "="))
		return false;
	pim_cursor_space(c);
	pim_loc at = pim_cursor_loc(c);
	if (!parse_op(p, &op) || !parse_operands(p, &bad) || !check_operand_count(p, op, at))
		return false;
	pim_node *n = make_node(p, op, name);
	pim_cursor_space(c);
	if (c->p < c->end && *c->p == '{' && op == PIM_OP_constant) {
		const char *behind = find_brace_end(c);
		if (!behind)
			return pim_cursor_error(c, "this '{' is not closed");
		brace = c->p;
		c->p = behind;
	} else if (pim_cursor_take(c, "{") && !parse_attrs(p, n)) {
		return false;
	}
	if (!pim_cursor_want(c, ":"))
		return false;
	pim_cursor_space(c);
	written = c->p;
	n->type = parse_type(p);
	if (!n->type || (op == PIM_OP_constant && !parse_constant(p, n, brace)))
		return false;
	if (bad || !check_required_attrs(p, n) || !check_type(p, n, written))
		return false;
	return define_value(p, name, n) && parse_tail(p, n);
}

bool parse_statement(parser *p)
{
	value_name name;
	if (!parse_value_name(p, &name))
		return false;
	if (parse_node(p, &name))
		return true;
	define_bad(p, &name);
	return false;
}
