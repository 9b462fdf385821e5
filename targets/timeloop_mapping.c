/* SPDX-License-Identifier: Apache-2.0 */
/* timeloop_mapping.c - the part `mapping` of Timeloop's files: loops and bypasses, level by level.
 *
 * Entries name a memory and a type: `temporal` (the rounds at it), `spatial` (the units below it),
 * `bypass`. Factors that are missing are 1; a factor 5,1 runs 5 rounds, the last time 1; 0 stands
 * for the whole dimension. A permutation names dimensions innermost first; what it leaves out comes
 * outside, in the problem's order. */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "targets/timeloop_file.h"

typedef struct reader {
	timeloop_file *file;
	const timeloop_problem *problem;
	const timeloop_arch *arch;
	timeloop_mapping *mapping;
	bool seen_space[TIMELOOP_LEVELS], seen_time[TIMELOOP_LEVELS], seen_bypass[TIMELOOP_LEVELS];
} reader;

/* A place inside a value that stands on one line. */
static pim_loc point_at(const pim_yaml_node *n, const char *p)
{
	return (pim_loc){n->at.source, n->at.offset + (uint32_t)(p - n->text)};
}

static bool is_gap(char c)
{
	return isspace((unsigned char)c) || c == ',';
}

/* One number of a factor; moves p behind it. */
static bool read_number(
	reader *r, const pim_yaml_node *n, const char **p, int d, int64_t least, int64_t *v)
{
	char *end;
	const char *name = r->problem->dim[d];
	if (!isdigit((unsigned char)**p))
		return pim_error(r->file->context, point_at(n, *p),
			"expected a number behind %s, as in %s=4 or %s=5,1", name, name, name);
	*v = strtoll(*p, &end, 10);
	if (*v < least || *v > r->problem->size[d])
		return pim_error(r->file->context, point_at(n, *p),
			"the factor of %s is %lld, expected %lld to its size %lld", name, (long long)*v,
			(long long)least, (long long)r->problem->size[d]);
	*p = end;
	return true;
}

/* `M=4`, `M4` or `M=5,1`; moves p behind it. */
static bool read_factor(
	reader *r, const pim_yaml_node *n, const char **p, timeloop_loop *loop, bool *seen)
{
	const char *name = *p, *equals = name + strcspn(name, "= \t\n,");
	size_t length = *equals == '=' ? (size_t)(equals - name) : strcspn(name, "0123456789= \t\n,");
	int d = pim_timeloop_find(
		r->file, point_at(n, name), "dimension", name, length, r->problem->dims, r->problem->dim);
	if (d < 0)
		return false;
	if (seen[d])
		return pim_error(r->file->context, point_at(n, name), "the factor of %s stands twice",
			r->problem->dim[d]);
	seen[d] = true;
	*p = name + length;
	*p += **p == '=';
	if (!read_number(r, n, p, d, 0, &loop[d].count))
		return false;
	if (!loop[d].count)
		loop[d].count = r->problem->size[d];
	loop[d].last = loop[d].count;
	if (**p == ',' && isdigit((unsigned char)(*p)[1])) {
		++*p;
		const char *at = *p;
		if (!read_number(r, n, p, d, 1, &loop[d].last))
			return false;
		if (loop[d].last > loop[d].count)
			return pim_error(r->file->context, point_at(n, at),
				"the last round of %s has %lld, expected at most %lld", r->problem->dim[d],
				(long long)loop[d].last, (long long)loop[d].count);
	}
	return !**p || is_gap(**p) ||
		   pim_error(r->file->context, point_at(n, *p), "expected a space behind this factor");
}

static bool read_factors(reader *r, const pim_yaml_node *n, timeloop_loop *loop, bool *seen)
{
	for (const char *p = n->text;;) {
		while (is_gap(*p))
			p++;
		if (!*p)
			return true;
		if (!read_factor(r, n, &p, loop, seen))
			return false;
	}
}

static bool add_dimension(
	reader *r, const pim_yaml_node *n, const char *name, size_t length, int *order, int *count)
{
	int d = pim_timeloop_find(
		r->file, point_at(n, name), "dimension", name, length, r->problem->dims, r->problem->dim);
	if (d < 0)
		return false;
	for (int i = 0; i < *count; i++)
		if (order[i] == d)
			return pim_error(r->file->context, point_at(n, name),
				"%s stands twice in this permutation", r->problem->dim[d]);
	order[(*count)++] = d;
	return true;
}

/* `KNM`, or names with spaces or commas between. */
static bool read_permutation(reader *r, const pim_yaml_node *n, int *order, int *count)
{
	bool separated = strpbrk(n->text, ", \t") != NULL;
	for (int d = 0; d < r->problem->dims && !separated; d++)
		separated = !strcmp(n->text, r->problem->dim[d]);
	for (const char *p = n->text; *p;) {
		size_t length = separated ? strcspn(p, ", \t") : 1;
		if (length && !add_dimension(r, n, p, length, order, count))
			return false;
		p += length ? length : 1;
	}
	return true;
}

/* Calls `read` for a value, or for each value of a list. */
static bool read_factor_values(reader *r, const pim_yaml_node *n, timeloop_loop *loop)
{
	bool seen[TIMELOOP_DIMS] = {0};
	if (n->kind == PIM_YAML_scalar)
		return read_factors(r, n, loop, seen);
	if (!pim_timeloop_kind(r->file, n, PIM_YAML_list, "factors"))
		return false;
	for (const pim_yaml_node *c = n->first; c; c = c->next)
		if (!pim_timeloop_kind(r->file, c, PIM_YAML_scalar, "a factor") ||
			!read_factors(r, c, loop, seen))
			return false;
	return true;
}

static bool read_order(reader *r, const pim_yaml_node *n, int *order)
{
	int count = 0;
	if (n && n->kind == PIM_YAML_list) {
		for (const pim_yaml_node *c = n->first; c; c = c->next)
			if (!pim_timeloop_kind(r->file, c, PIM_YAML_scalar, "a dimension") ||
				!add_dimension(r, c, c->text, strlen(c->text), order, &count))
				return false;
	} else if (n && (!pim_timeloop_kind(r->file, n, PIM_YAML_scalar, "permutation") ||
						!read_permutation(r, n, order, &count)))
		return false;
	for (int d = 0; d < r->problem->dims; d++) {
		bool there = false;
		for (int i = 0; i < count; i++)
			there |= order[i] == d;
		if (!there)
			order[count++] = d;
	}
	return true;
}

static bool read_nest(reader *r, const pim_yaml_node *n, bool spatial, timeloop_nest *nest)
{
	static const char *const keys[] = {"target", "type", "factors", "permutation", "split"};
	timeloop_loop loop[TIMELOOP_DIMS];
	int order[TIMELOOP_DIMS], dims = r->problem->dims;
	int64_t split = dims;
	for (int d = 0; d < dims; d++)
		loop[d] = (timeloop_loop){d, 1, 1};
	const pim_yaml_node *factors = pim_yaml_get(n, "factors"), *cut = pim_yaml_get(n, "split");
	if (!pim_timeloop_keys(r->file, n, spatial ? 5 : 4, keys) ||
		(factors && !read_factor_values(r, factors, loop)) ||
		!read_order(r, pim_yaml_get(n, "permutation"), order) ||
		(cut && !pim_timeloop_int(r->file, cut, "split", 0, TIMELOOP_DIMS, &split)))
		return false;
	nest->at = n->at;
	for (int i = 0; i < dims; i++) {
		if (loop[order[i]].count == 1)
			continue;
		nest->along_x += i < split;
		nest->loop[nest->n++] = loop[order[i]];
	}
	return true;
}

static bool read_names(
	reader *r, const pim_yaml_node *n, const char *key, int level, bool keep, bool *seen)
{
	const pim_yaml_node *list = pim_yaml_get(n, key);
	const char *names[TIMELOOP_TENSORS];
	for (int t = 0; t < r->problem->tensors; t++)
		names[t] = r->problem->tensor[t].name;
	if (list && !pim_timeloop_kind(r->file, list, PIM_YAML_list, key))
		return false;
	for (const pim_yaml_node *c = list ? list->first : NULL; c; c = c->next) {
		if (!pim_timeloop_kind(r->file, c, PIM_YAML_scalar, "a data space"))
			return false;
		int t = pim_timeloop_find(
			r->file, c->at, "data space", c->text, strlen(c->text), r->problem->tensors, names);
		if (t < 0)
			return false;
		if (seen[t])
			return pim_error(r->file->context, c->at, "%s stands twice in this entry", names[t]);
		seen[t] = true;
		r->mapping->keep[level][t] = keep;
	}
	return true;
}

static bool read_bypass(reader *r, const pim_yaml_node *n, int level)
{
	static const char *const keys[] = {"target", "type", "keep", "bypass"};
	bool seen[TIMELOOP_TENSORS] = {0};
	return pim_timeloop_keys(r->file, n, 4, keys) && read_names(r, n, "keep", level, true, seen) &&
		   read_names(r, n, "bypass", level, false, seen);
}

static bool find_level(reader *r, const pim_yaml_node *n, int *level)
{
	const char *names[TIMELOOP_LEVELS];
	const pim_yaml_node *target = pim_timeloop_want(r->file, n, "target", PIM_YAML_scalar);
	if (!target)
		return false;
	for (int i = 0; i < r->arch->levels; i++)
		names[i] = r->arch->level[i].name;
	*level = pim_timeloop_find(r->file, target->at, "memory", target->text,
		strcspn(target->text, "["), r->arch->levels, names);
	return *level >= 0;
}

static bool take_once(reader *r, const pim_yaml_node *n, bool *seen, int level, const char *what)
{
	if (seen[level])
		return pim_error(
			r->file->context, n->at, "a second %s entry of %s", what, r->arch->level[level].name);
	return seen[level] = true;
}

static bool read_entry(reader *r, const pim_yaml_node *n)
{
	static const char *const types[] = {"temporal", "spatial", "bypass", "datatype"};
	int level;
	if (!pim_timeloop_kind(r->file, n, PIM_YAML_mapping, "an entry of the mapping"))
		return false;
	const pim_yaml_node *type = pim_timeloop_want(r->file, n, "type", PIM_YAML_scalar);
	if (!type || !find_level(r, n, &level))
		return false;
	timeloop_mapping *m = r->mapping;
	switch (
		pim_timeloop_find(r->file, type->at, "type", type->text, strlen(type->text), 4, types)) {
	case 0:
		return take_once(r, n, r->seen_time, level, "temporal") &&
			   read_nest(r, n, false, &m->time[level]);
	case 1:
		return take_once(r, n, r->seen_space, level, "spatial") &&
			   read_nest(r, n, true, &m->space[level]);
	case 2:
	case 3:
		return take_once(r, n, r->seen_bypass, level, "bypass") && read_bypass(r, n, level);
	default:
		return false;
	}
}

static bool check_kept(reader *r, pim_loc at)
{
	for (int t = 0; t < r->problem->tensors; t++) {
		bool kept = false;
		for (int level = 0; level < r->arch->levels; level++)
			kept |= r->mapping->keep[level][t];
		if (!kept)
			return pim_error(
				r->file->context, at, "no memory keeps %s", r->problem->tensor[t].name);
	}
	return true;
}

static double multiply_counts(const timeloop_nest *nest, double *extent)
{
	double all = 1;
	for (int i = 0; i < nest->n; i++) {
		extent[nest->loop[i].dim] *= (double)nest->loop[i].count;
		all *= (double)nest->loop[i].count;
	}
	return all;
}

/* Wrong factors can multiply to anything; what is counted later fits its numbers. */
static bool check_sizes(reader *r, pim_loc at)
{
	const timeloop_problem *p = r->problem;
	double extent[TIMELOOP_DIMS], all = 1;
	for (int d = 0; d < p->dims; d++)
		extent[d] = 1;
	for (int level = 0; level < r->arch->levels; level++) {
		all *= multiply_counts(&r->mapping->space[level], extent);
		all *= multiply_counts(&r->mapping->time[level], extent);
	}
	for (int t = 0; t < p->tensors; t++) {
		double words = 1;
		for (int k = 0; k < p->tensor[t].ranks; k++) {
			double length = 1;
			for (int d = 0; d < p->dims; d++)
				length += (double)p->tensor[t].coefficient[k][d] * (extent[d] - 1);
			words *= length;
		}
		all = words > all ? words : all;
	}
	return all <= (double)TIMELOOP_MOST ||
		   pim_error(r->file->context, at, "the factors multiply to more than %lld",
			   (long long)TIMELOOP_MOST);
}

bool pim_timeloop_read_mapping(timeloop_file *f, const pim_yaml_node *n, const timeloop_problem *p,
	const timeloop_arch *a, timeloop_mapping *m)
{
	reader r = {.file = f, .problem = p, .arch = a, .mapping = m};
	if (!pim_timeloop_kind(f, n, PIM_YAML_list, "mapping"))
		return false;
	m->at = n->key_at;
	for (int level = 0; level < a->levels; level++) {
		m->space[level].at = m->time[level].at = n->key_at;
		for (int t = 0; t < p->tensors; t++)
			m->keep[level][t] = true;
	}
	for (const pim_yaml_node *entry = n->first; entry; entry = entry->next)
		if (!read_entry(&r, entry))
			return false;
	return check_kept(&r, n->key_at) && check_sizes(&r, n->key_at);
}
