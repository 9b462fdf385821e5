/* SPDX-License-Identifier: Apache-2.0 */
/* targets/program_form.h - between the parts that write and read command programs. */
#ifndef PIM_TARGETS_PROGRAM_FORM_H
#define PIM_TARGETS_PROGRAM_FORM_H

#include "targets/program.h"

/* ---- program_text.c ---- */
/* `program ... {` and the tables, without homes, streams and the closing brace. */
bool pim_program_write_tables(const pim_program *p, pim_text *out, const char *weights);
/* How many streams from `first` on are equal. */
int pim_program_equal_streams(const pim_program *p, int first);

/* ---- program_constant.c ---- */
/* Where elements are to be found: a path, or nowhere (NULL). */
typedef struct constant_writer {
	const pim_program *program;
	pim_arena *arena;
	const char *folder; /* absolute, of the program that is written */
	const char *weights;
	int n, room; /* what goes to the weights file */
	const char **key;
	const pim_type **type;
	const void **data;
	pim_map *taken; /* keys */
} constant_writer;
constant_writer pim_constant_writer(const pim_program *p, const char *weights, pim_arena *a);
/* ` {file = ...}` and so on. */
void pim_constant_write(constant_writer *w, const pim_program_tensor *t, pim_text *out);
bool pim_constant_finish(constant_writer *w); /* writes the weights file */
/* The path as seen from the folder. */
const char *pim_constant_relative(const constant_writer *w, const char *path);
/* Joins a name in a program to the program's folder. */
const char *pim_program_path(pim_context *c, const char *base, const char *name);
/* Reads `{...}` of t, whose type is known; copies what it cannot map. */
bool pim_constant_read(pim_cursor *c, const pim_program *p, pim_program_tensor *t);

/* ---- program_read.c ---- */
/* Reads the text form up to the end of the text; not verified. NULL after diagnostics. */
pim_program *pim_program_read_text(pim_cursor *c, const char *path);

/* ---- program_binary.c ---- */
bool pim_program_is_binary(const void *bytes, size_t n);
pim_program *pim_program_read_binary(pim_context *c, const char *path, const void *bytes, size_t n);

#endif
