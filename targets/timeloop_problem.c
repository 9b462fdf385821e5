/* SPDX-License-Identifier: Apache-2.0 */
/* timeloop_problem.c - the part `problem` of Timeloop's files: dimensions, tensors, sizes. */
#include <string.h>

#include "targets/timeloop_file.h"

enum { MOST_COEFFICIENTS = 32 };

typedef struct coefficients {
	int n;
	const char *name[MOST_COEFFICIENTS];
	int64_t value[MOST_COEFFICIENTS];
} coefficients;

typedef struct reader {
	timeloop_file *file;
	timeloop_problem *problem;
	const pim_yaml_node *instance;
	coefficients coefficients;
} reader;

static bool is_yes(const char *s)
{
	return !strcmp(s, "True") || !strcmp(s, "true") || !strcmp(s, "TRUE") || !strcmp(s, "yes") ||
		   !strcmp(s, "1");
}

static bool read_dimensions(reader *r, const pim_yaml_node *list)
{
	timeloop_problem *p = r->problem;
	if (list->n < 1 || list->n > TIMELOOP_DIMS)
		return pim_error(r->file->context, list->at, "%d dimensions, expected 1 to %d", list->n,
			(int)TIMELOOP_DIMS);
	for (const pim_yaml_node *n = list->first; n; n = n->next) {
		if (!pim_timeloop_kind(r->file, n, PIM_YAML_scalar, "a dimension"))
			return false;
		for (int i = 0; i < p->dims; i++)
			if (!strcmp(p->dim[i], n->text))
				return pim_error(r->file->context, n->at, "the dimension %s stands twice", n->text);
		p->dim[p->dims++] = pim_timeloop_name(r->file, n->text, strlen(n->text));
	}
	return true;
}

static bool read_coefficient(reader *r, const pim_yaml_node *n)
{
	static const char *const keys[] = {"name", "default"};
	coefficients *c = &r->coefficients;
	if (!pim_timeloop_kind(r->file, n, PIM_YAML_mapping, "a coefficient") ||
		!pim_timeloop_keys(r->file, n, 2, keys))
		return false;
	const pim_yaml_node *name = pim_timeloop_want(r->file, n, "name", PIM_YAML_scalar);
	if (!name)
		return false;
	if (c->n == MOST_COEFFICIENTS)
		return pim_error(r->file->context, n->at, "more than %d coefficients", c->n);
	const pim_yaml_node *value = pim_yaml_get(r->instance, name->text);
	if (!value)
		value = pim_yaml_get(n, "default");
	c->name[c->n] = pim_timeloop_name(r->file, name->text, strlen(name->text));
	c->value[c->n] = 1;
	return (!value ||
			   pim_timeloop_int(r->file, value, name->text, 1, INT32_MAX, &c->value[c->n])) &&
		   ++c->n;
}

/* [dimension] or [dimension, coefficient], the coefficient by name or as a number. */
static bool read_term(reader *r, const pim_yaml_node *n, int64_t *rank)
{
	if (!pim_timeloop_kind(r->file, n, PIM_YAML_list, "a term of a projection"))
		return false;
	if (n->n < 1 || n->n > 2)
		return pim_error(r->file->context, n->at,
			"%d values, expected [dimension] or [dimension, coefficient]", n->n);
	const pim_yaml_node *dim = n->first, *factor = dim->next;
	if (!pim_timeloop_kind(r->file, dim, PIM_YAML_scalar, "a dimension"))
		return false;
	int d = pim_timeloop_find(r->file, dim->at, "dimension", dim->text, strlen(dim->text),
		r->problem->dims, r->problem->dim);
	int64_t value = 1;
	if (d >= 0 && factor) {
		if (!pim_timeloop_kind(r->file, factor, PIM_YAML_scalar, "a coefficient"))
			return false;
		if (factor->text[0] >= '0' && factor->text[0] <= '9') {
			if (!pim_timeloop_int(r->file, factor, "a coefficient", 1, INT32_MAX, &value))
				return false;
		} else {
			int c = pim_timeloop_find(r->file, factor->at, "coefficient", factor->text,
				strlen(factor->text), r->coefficients.n, r->coefficients.name);
			if (c < 0)
				return false;
			value = r->coefficients.value[c];
		}
	}
	if (d >= 0)
		rank[d] += value;
	return d >= 0;
}

static bool read_projection(reader *r, const pim_yaml_node *list, timeloop_tensor *t)
{
	if (list->n < 1 || list->n > TIMELOOP_RANKS)
		return pim_error(r->file->context, list->at, "%s has %d ranks, expected 1 to %d", t->name,
			list->n, (int)TIMELOOP_RANKS);
	for (const pim_yaml_node *rank = list->first; rank; rank = rank->next, t->ranks++) {
		if (!pim_timeloop_kind(r->file, rank, PIM_YAML_list, "a rank of a projection"))
			return false;
		if (!rank->n)
			return pim_error(r->file->context, rank->at, "a rank of %s has no terms", t->name);
		for (const pim_yaml_node *term = rank->first; term; term = term->next)
			if (!read_term(r, term, t->coefficient[t->ranks]))
				return false;
	}
	return true;
}

static bool read_tensor(reader *r, const pim_yaml_node *n)
{
	static const char *const keys[] = {"name", "projection", "read-write"};
	timeloop_problem *p = r->problem;
	timeloop_tensor *t = &p->tensor[p->tensors];
	if (!pim_timeloop_kind(r->file, n, PIM_YAML_mapping, "a data space") ||
		!pim_timeloop_keys(r->file, n, 3, keys))
		return false;
	const pim_yaml_node *name = pim_timeloop_want(r->file, n, "name", PIM_YAML_scalar);
	const pim_yaml_node *projection = pim_timeloop_want(r->file, n, "projection", PIM_YAML_list);
	const pim_yaml_node *written = pim_yaml_get(n, "read-write");
	if (!name || !projection ||
		(written && !pim_timeloop_kind(r->file, written, PIM_YAML_scalar, "read-write")))
		return false;
	for (int i = 0; i < p->tensors; i++)
		if (!strcmp(p->tensor[i].name, name->text))
			return pim_error(
				r->file->context, name->at, "the data space %s stands twice", name->text);
	t->name = pim_timeloop_name(r->file, name->text, strlen(name->text));
	t->output = written && is_yes(written->text);
	return read_projection(r, projection, t) && ++p->tensors;
}

static bool read_tensors(reader *r, const pim_yaml_node *list)
{
	if (list->n < 1 || list->n > TIMELOOP_TENSORS)
		return pim_error(r->file->context, list->at, "%d data spaces, expected 1 to %d", list->n,
			(int)TIMELOOP_TENSORS);
	for (const pim_yaml_node *n = list->first; n; n = n->next)
		if (!read_tensor(r, n))
			return false;
	return true;
}

static bool read_sizes(reader *r)
{
	timeloop_problem *p = r->problem;
	p->macs = 1;
	for (int d = 0; d < p->dims; d++) {
		const pim_yaml_node *n =
			pim_timeloop_want(r->file, r->instance, p->dim[d], PIM_YAML_scalar);
		if (!n || !pim_timeloop_int(r->file, n, p->dim[d], 1, INT32_MAX, &p->size[d]))
			return false;
		if (p->size[d] > TIMELOOP_MOST / p->macs)
			return pim_error(r->file->context, n->at, "more multiply-accumulates than %lld",
				(long long)TIMELOOP_MOST);
		p->macs *= p->size[d];
	}
	return true;
}

/* A tensor with gaps has more words than there are multiply-accumulates. */
static bool check_words(reader *r, const pim_yaml_node *at)
{
	const timeloop_problem *p = r->problem;
	for (int t = 0; t < p->tensors; t++) {
		double words = 1;
		for (int k = 0; k < p->tensor[t].ranks; k++) {
			double length = 1;
			for (int d = 0; d < p->dims; d++)
				length += (double)p->tensor[t].coefficient[k][d] * (double)(p->size[d] - 1);
			words *= length;
		}
		if (words > (double)TIMELOOP_MOST)
			return pim_error(r->file->context, at->at, "%s has more words than %lld",
				p->tensor[t].name, (long long)TIMELOOP_MOST);
	}
	return true;
}

static bool check_instance(reader *r)
{
	const char *names[TIMELOOP_DIMS + MOST_COEFFICIENTS + 1];
	int n = 0;
	for (int i = 0; i < r->problem->dims; i++)
		names[n++] = r->problem->dim[i];
	for (int i = 0; i < r->coefficients.n; i++)
		names[n++] = r->coefficients.name[i];
	names[n++] = "densities";
	return pim_timeloop_keys(r->file, r->instance, n, names);
}

bool pim_timeloop_read_problem(timeloop_file *f, const pim_yaml_node *n, timeloop_problem *p)
{
	static const char *const keys[] = {"version", "shape", "instance"};
	static const char *const shape_keys[] = {"name", "dimensions", "data-spaces", "coefficients"};
	reader r = {.file = f, .problem = p};
	if (!pim_timeloop_kind(f, n, PIM_YAML_mapping, "problem") || !pim_timeloop_keys(f, n, 3, keys))
		return false;
	const pim_yaml_node *shape = pim_timeloop_want(f, n, "shape", PIM_YAML_mapping);
	r.instance = pim_timeloop_want(f, n, "instance", PIM_YAML_mapping);
	if (!shape || !r.instance || !pim_timeloop_keys(f, shape, 4, shape_keys))
		return false;
	const pim_yaml_node *dims = pim_timeloop_want(f, shape, "dimensions", PIM_YAML_list);
	const pim_yaml_node *tensors = pim_timeloop_want(f, shape, "data-spaces", PIM_YAML_list);
	const pim_yaml_node *factors = pim_yaml_get(shape, "coefficients");
	if (!dims || !tensors || !read_dimensions(&r, dims))
		return false;
	if (factors && !pim_timeloop_kind(f, factors, PIM_YAML_list, "coefficients"))
		return false;
	for (const pim_yaml_node *c = factors ? factors->first : NULL; c; c = c->next)
		if (!read_coefficient(&r, c))
			return false;
	return read_tensors(&r, tensors) && check_instance(&r) && read_sizes(&r) &&
		   check_words(&r, r.instance);
}
