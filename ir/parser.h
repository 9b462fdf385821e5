/* SPDX-License-Identifier: Apache-2.0 */
/* parser.h - the parts of the parser of graphs. */
#ifndef PIM_IR_PARSER_H
#define PIM_IR_PARSER_H

#include "ir/text_form.h"

#define PARSER_TYPES 32
#define PARSER_TYPE_BYTES 40
#define PARSER_OPS 128

/* One element of a list attribute. */
typedef union parser_cell {
	int64_t i;
	double f;
	const char *s;
} parser_cell;

typedef struct parser {
	pim_cursor *c;
	pim_module *m;
	pim_graph *g;
	pim_arena *scratch;
	pim_node *bad;		/* stands for values whose definition is wrong */
	pim_node **numbers; /* values by number */
	int64_t room_numbers;
	pim_map *far_numbers; /* those far beyond what the length of the text suggests */
	pim_node **in;		  /* operands of the statement */
	uint32_t n_in;
	int64_t room_in;
	parser_cell *cells; /* elements of the list attribute */
	int64_t room_cells;
	const char *start, *dropped;
	bool returned;
	struct {
		const pim_type *type;
		uint32_t n;
		char s[PARSER_TYPE_BYTES];
	} types[PARSER_TYPES];
	uint8_t ops[PARSER_OPS]; /* op + 1 */
	pim_memo memo;
} parser;

/* %name, %"any name" or %12 as it stands in the text. */
typedef struct value_name {
	bool numbered;
	uint32_t number;
	const char *s;
	size_t n;
	pim_loc at;
} value_name;

/* parse_value.c. All report and return false or NULL when something is wrong. */
bool parse_value_name(parser *p, value_name *name);
/* A value that was defined, or p->bad. */
pim_node *parse_operand(parser *p);
bool define_value(parser *p, const value_name *name, pim_node *n);
/* Marks the value as defined wrongly, unless it is defined. */
void define_bad(parser *p, const value_name *name);
const char *parse_symbol(pim_cursor *c); /* @name or @"any name", interned */

/* parse_statement.c */
bool parse_statement(parser *p);
const pim_type *parse_type(parser *p);
bool parse_tail(parser *p, pim_node *n); /* decisions and places */

/* parse_attr.c: stands behind the `{`, reads to the `}`; and what is missing. */
bool parse_attrs(parser *p, pim_node *n);
bool check_required_attrs(parser *p, const pim_node *n);

#endif
