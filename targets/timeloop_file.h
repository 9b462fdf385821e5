/* SPDX-License-Identifier: Apache-2.0 */
/* targets/timeloop_file.h - between the parts of the reader of Timeloop's files. */
#ifndef PIM_TARGETS_TIMELOOP_FILE_H
#define PIM_TARGETS_TIMELOOP_FILE_H

#include "targets/timeloop.h"
#include "targets/yaml_tree.h"

/* Larger numbers than this do not count exactly. */
#define TIMELOOP_MOST (INT64_C(1) << 53)

enum { TIMELOOP_MOST_INSTANCES = 1 << 16 };

typedef struct timeloop_file {
	pim_context *context;
	pim_arena *arena; /* of what the nodes hold; names go to the context */
} timeloop_file;

/* Each reads one part; false after diagnostics. */
bool pim_timeloop_read_problem(timeloop_file *f, const pim_yaml_node *n, timeloop_problem *p);
bool pim_timeloop_read_arch(timeloop_file *f, const pim_yaml_node *n, timeloop_arch *a);
bool pim_timeloop_read_mapping(timeloop_file *f, const pim_yaml_node *n, const timeloop_problem *p,
	const timeloop_arch *a, timeloop_mapping *m);

/* A memory or the compute unit. values: its attributes, or NULL. The level has its name, place and
 * number of instances; the rest is filled in. */
bool pim_timeloop_read_memory(timeloop_file *f, const pim_yaml_node *values, pim_loc at,
	const char *class, timeloop_level *l);
bool pim_timeloop_read_compute(
	timeloop_file *f, const pim_yaml_node *values, pim_loc at, timeloop_level *l);

/* ---- values; all return false after a diagnostic ---- */

/* A child that must be there and have this kind. */
const pim_yaml_node *pim_timeloop_want(
	timeloop_file *f, const pim_yaml_node *mapping, const char *key, pim_yaml_kind kind);
bool pim_timeloop_kind(
	timeloop_file *f, const pim_yaml_node *n, pim_yaml_kind kind, const char *what);
bool pim_timeloop_int(timeloop_file *f, const pim_yaml_node *n, const char *what, int64_t least,
	int64_t most, int64_t *v);
/* Not negative. */
bool pim_timeloop_real(timeloop_file *f, const pim_yaml_node *n, const char *what, double *v);
/* True, Yes, On, y or False, No, Off, n. */
bool pim_timeloop_bool(timeloop_file *f, const pim_yaml_node *n, const char *what, bool *v);
/* The index of a name among n; -1 after a diagnostic at `at`. what: "dimension". */
int pim_timeloop_find(timeloop_file *f, pim_loc at, const char *what, const char *name,
	size_t length, int n, const char *const *names);
/* Refuses keys of a mapping that are not in the list. */
bool pim_timeloop_keys(
	timeloop_file *f, const pim_yaml_node *mapping, int n, const char *const *keys);
const char *pim_timeloop_name(timeloop_file *f, const char *name, size_t length);

#endif
