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
static bool read_number(reader *r, const pim_yaml_node *n, const char **p, int d, int64_t *v)
{
	char *end;
	const char *name = r->problem->dim[d];
	if (!isdigit((unsigned char)**p))
		return pim_error(r->file->context, point_at(n, *p),
			"expected a number behind %s, as in %s=4 or %s=5,1", name, name, name);
	*v = strtoll(*p, &end, 10);
	if (*v > INT32_MAX)
		return pim_error(r->file->context, point_at(n, *p), "the factor of %s is larger than %d",
			name, INT32_MAX);
	*p = end;
	return true;
}

/* A factor and the one of its last round; 0 stands for the whole dimension. */
static bool check_factor(
	reader *r, const pim_yaml_node *n, const char *at, int d, timeloop_loop *loop)
{
	const char *name = r->problem->dim[d];
	int64_t size = r->problem->size[d];
	if (!loop->count)
		loop->count = size;
	if (loop->last < 0)
		loop->last = loop->count;
	if (loop->last < 1 || loop->last > loop->count)
		return pim_error(r->file->context, point_at(n, at),
			"the last round of %s has %lld, expected 1 to %lld", name, (long long)loop->last,
			(long long)loop->count);
	return loop->last <= size || pim_error(r->file->context, point_at(n, at),
									 "the factor of %s is %lld, expected 0 to its size %lld", name,
									 (long long)loop->last, (long long)size);
}

static const char *skip_blanks(const char *p)
{
	return p + strspn(p, " \t\n");
}

/* `M=4`, `M = 4`, `M4` or `M=5,1`; moves p behind it. */
static bool read_factor(
	reader *r, const pim_yaml_node *n, const char **p, timeloop_loop *loop, bool *seen)
{
	const char *name = *p, *equals = name + strcspn(name, "= \t\n,");
	size_t length =
		*skip_blanks(equals) == '=' ? (size_t)(equals - name) : strcspn(name, "0123456789= \t\n,");
	int d = pim_timeloop_find(
		r->file, point_at(n, name), "dimension", name, length, r->problem->dims, r->problem->dim);
	if (d < 0)
		return false;
	if (seen[d])
		return pim_error(r->file->context, point_at(n, name), "the factor of %s stands twice",
			r->problem->dim[d]);
	seen[d] = true;
	*p = skip_blanks(name + length);
	if (**p == '=')
		*p = skip_blanks(*p + 1);
	const char *at = *p;
	if (!read_number(r, n, p, d, &loop[d].count))
		return false;
	loop[d].last = -1;
	if (**p == ',' && isdigit((unsigned char)(*p)[1])) {
		at = ++*p;
		if (!read_number(r, n, p, d, &loop[d].last))
			return false;
	}
	return check_factor(r, n, at, d, &loop[d]) &&
		   (!**p || is_gap(**p) ||
			   pim_error(r->file->context, point_at(n, *p), "expected a space behind this factor"));
}

static bool read_factors(reader *r, const pim_yaml_node *n, timeloop_loop *loop, bool *seen)
{
	for (const char *p = n->text;;) {
		while (is_gap(*p))
			p++;
		if (!*p || *p == '#')
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

/* `KNM`, with blanks anywhere; longer names with blanks or commas between. */
static bool read_permutation(reader *r, const pim_yaml_node *n, int *order, int *count)
{
	bool letters = true;
	for (int d = 0; d < r->problem->dims; d++)
		letters &= r->problem->dim[d][0] && !r->problem->dim[d][1];
	for (const char *p = n->text; *p;) {
		size_t length = strcspn(p, ", \t\n");
		if (letters && length)
			length = 1;
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

static bool read_nest(reader *r, const pim_yaml_node *n, timeloop_nest *nest)
{
	timeloop_loop loop[TIMELOOP_DIMS];
	int order[TIMELOOP_DIMS], dims = r->problem->dims;
	int64_t split = dims;
	for (int d = 0; d < dims; d++)
		loop[d] = (timeloop_loop){d, 1, 1};
	const pim_yaml_node *factors = pim_yaml_get(n, "factors"), *cut = pim_yaml_get(n, "split");
	if ((factors && !read_factor_values(r, factors, loop)) ||
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

/* Which tensors the list under a key names. seen: those that the entry named before. */
static bool read_names(reader *r, const pim_yaml_node *n, const char *key, bool *named, bool *seen)
{
	const pim_yaml_node *list = pim_yaml_get(n, key);
	const char *names[TIMELOOP_TENSORS];
	for (int t = 0; t < r->problem->tensors; t++) {
		names[t] = r->problem->tensor[t].name;
		named[t] = false;
	}
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
		seen[t] = named[t] = true;
	}
	return true;
}

static bool read_bypass(reader *r, const pim_yaml_node *n, int level)
{
	static const char *const keys[] = {"target", "type", "keep", "bypass"};
	bool seen[TIMELOOP_TENSORS] = {0}, kept[TIMELOOP_TENSORS], passed[TIMELOOP_TENSORS];
	if (!pim_timeloop_keys(r->file, n, 4, keys) || !read_names(r, n, "keep", kept, seen) ||
		!read_names(r, n, "bypass", passed, seen))
		return false;
	for (int t = 0; t < r->problem->tensors; t++)
		r->mapping->keep[level][t] = !passed[t];
	return true;
}

/* The units below a level are the fan-out of a spatial entry. */
static bool read_space(reader *r, const pim_yaml_node *n, int level)
{
	static const char *const keys[] = {"target", "type", "factors", "permutation", "split",
		"no_link_transfer", "no_multicast_no_reduction"};
	bool links[TIMELOOP_TENSORS], multicast[TIMELOOP_TENSORS];
	bool seen[TIMELOOP_TENSORS] = {0}, again[TIMELOOP_TENSORS] = {0};
	if (!pim_timeloop_keys(r->file, n, 7, keys) || !read_names(r, n, keys[5], links, seen) ||
		!read_names(r, n, keys[6], multicast, again))
		return false;
	for (int t = 0; t < r->problem->tensors; t++) {
		r->mapping->limits[level][t].no_links = links[t];
		r->mapping->limits[level][t].no_multicast = multicast[t];
	}
	return read_nest(r, n, &r->mapping->space[level]);
}

/* What a memory may not keep from round to round is what the one above it sends anew. */
static bool read_time(reader *r, const pim_yaml_node *n, int level)
{
	static const char *const keys[] = {
		"target", "type", "factors", "permutation", "no_temporal_reuse"};
	bool fresh[TIMELOOP_TENSORS], seen[TIMELOOP_TENSORS] = {0};
	if (!pim_timeloop_keys(r->file, n, 5, keys) || !read_names(r, n, keys[4], fresh, seen))
		return false;
	for (int t = 0; t < r->problem->tensors && level + 1 < r->arch->levels; t++)
		r->mapping->limits[level + 1][t].no_reuse = fresh[t];
	return read_nest(r, n, &r->mapping->time[level]);
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
	switch (
		pim_timeloop_find(r->file, type->at, "type", type->text, strlen(type->text), 4, types)) {
	case 0:
		return take_once(r, n, r->seen_time, level, "temporal") && read_time(r, n, level);
	case 1:
		return take_once(r, n, r->seen_space, level, "spatial") && read_space(r, n, level);
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
