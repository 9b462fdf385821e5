/* SPDX-License-Identifier: Apache-2.0 */
/* timeloop_problem.c - the part `problem` of Timeloop's files: dimensions, tensors, sizes.
 *
 * A shape may be named: convolutions and matrix products are known; without one it is the
 * convolution. Sizes stand under `instance` or beside the shape. */
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

/* A dimension alone in its rank, without brackets. */
static bool read_short_rank(reader *r, const pim_yaml_node *n, int64_t *rank)
{
	int d = pim_timeloop_find(
		r->file, n->at, "dimension", n->text, strlen(n->text), r->problem->dims, r->problem->dim);
	if (d >= 0)
		rank[d] = 1;
	return d >= 0;
}

static bool read_rank(reader *r, const pim_yaml_node *rank, const char *name, int64_t *sum)
{
	if (rank->kind == PIM_YAML_scalar)
		return read_short_rank(r, rank, sum);
	if (!pim_timeloop_kind(r->file, rank, PIM_YAML_list, "a rank of a projection"))
		return false;
	if (!rank->n)
		return pim_error(r->file->context, rank->at, "a rank of %s has no terms", name);
	for (const pim_yaml_node *term = rank->first; term; term = term->next)
		if (!read_term(r, term, sum))
			return false;
	return true;
}

static bool read_projection(reader *r, const pim_yaml_node *list, timeloop_tensor *t)
{
	if (list->n < 1 || list->n > TIMELOOP_RANKS)
		return pim_error(r->file->context, list->at, "%s has %d ranks, expected 1 to %d", t->name,
			list->n, (int)TIMELOOP_RANKS);
	for (const pim_yaml_node *rank = list->first; rank; rank = rank->next, t->ranks++)
		if (!read_rank(r, rank, t->name, t->coefficient[t->ranks]))
			return false;
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
	t->output = false;
	if (!name || !projection ||
		(written && !pim_timeloop_bool(r->file, written, "read-write", &t->output)))
		return false;
	for (int i = 0; i < p->tensors; i++)
		if (!strcmp(p->tensor[i].name, name->text))
			return pim_error(
				r->file->context, name->at, "the data space %s stands twice", name->text);
	t->name = pim_timeloop_name(r->file, name->text, strlen(name->text));
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

static bool is_one_of(const char *key, int n, const char *const *names)
{
	for (int i = 0; i < n; i++)
		if (pim_yaml_same_key(key, names[i]))
			return true;
	return false;
}

/* Sizes, coefficients and what only sparse tensors need; the rest is told. */
static void warn_unknown(reader *r, const pim_yaml_node *problem)
{
	static const char *const others[] = {
		"version", "shape", "instance", "name", "densities", "data_densities", "commonDensity"};
	for (const pim_yaml_node *n = r->instance->first; n; n = n->next)
		if (!is_one_of(n->key, r->problem->dims, r->problem->dim) &&
			!is_one_of(n->key, r->coefficients.n, r->coefficients.name) &&
			!is_one_of(n->key, 7, others))
			pim_report(r->file->context, PIM_WARNING, n->key_at,
				"\"%s\" is neither a dimension nor a coefficient, and not used", n->key);
	for (const pim_yaml_node *n = problem->first; n && r->instance != problem; n = n->next)
		if (!is_one_of(n->key, 4, others))
			pim_report(
				r->file->context, PIM_WARNING, n->key_at, "the key \"%s\" is not used", n->key);
}

/* ---- shapes by name ---- */

typedef struct known_shape {
	const char *name, *text;
} known_shape;

static const char cnn_layer[] =
	"dimensions: [R, S, P, Q, C, K, N]\n"
	"coefficients: [{name: Wstride}, {name: Hstride}, {name: Wdilation}, {name: Hdilation}]\n"
	"data-spaces:\n"
	"- {name: Weights, projection: [C, K, R, S]}\n"
	"- {name: Inputs, projection: [N, C, [[R, Wdilation], [P, Wstride]], [[S, Hdilation], [Q, "
	"Hstride]]]}\n"
	"- {name: Outputs, projection: [N, K, Q, P], read-write: True}\n";

static const char gemm[] = "dimensions: [M, N, K]\n"
						   "data-spaces:\n"
						   "- {name: A, projection: [M, K]}\n"
						   "- {name: B, projection: [N, K]}\n"
						   "- {name: Z, projection: [M, N], read-write: True}\n";

static const known_shape shapes[] = {{"cnn-layer", cnn_layer}, {"gemm-ABZ", gemm}};

static const pim_yaml_node *find_shape(timeloop_file *f, pim_loc at, const char *name)
{
	enum { SHAPES = sizeof shapes / sizeof shapes[0] };
	const char *names[SHAPES];
	size_t length = strlen(name);
	if (length > 5 && !strcmp(name + length - 5, ".yaml"))
		length -= 5;
	const char *stem = pim_arena_copy(f->arena, name, length);
	for (int i = 0; i < SHAPES; i++) {
		names[i] = shapes[i].name;
		if (!pim_yaml_same_key(stem, names[i]))
			continue;
		size_t bytes = strlen(shapes[i].text);
		uint32_t source = pim_source_text(f->context, names[i], shapes[i].text, bytes);
		return pim_yaml_tree(f->context, f->arena, source, shapes[i].text, bytes);
	}
	pim_timeloop_find(f, at, "shape", stem, length, SHAPES, names);
	return NULL;
}

/* The keys of the shape; NULL after a diagnostic. */
static const pim_yaml_node *read_shape(timeloop_file *f, const pim_yaml_node *problem)
{
	const pim_yaml_node *shape = pim_yaml_get(problem, "shape");
	if (!shape)
		return find_shape(f, problem->at, shapes[0].name);
	if (shape->kind == PIM_YAML_scalar)
		return find_shape(f, shape->at, shape->text);
	return pim_timeloop_kind(f, shape, PIM_YAML_mapping, "shape") ? shape : NULL;
}

bool pim_timeloop_read_problem(timeloop_file *f, const pim_yaml_node *n, timeloop_problem *p)
{
	static const char *const shape_keys[] = {"name", "dimensions", "data-spaces", "coefficients"};
	reader r = {.file = f, .problem = p, .instance = n};
	if (!pim_timeloop_kind(f, n, PIM_YAML_mapping, "problem"))
		return false;
	const pim_yaml_node *shape = read_shape(f, n);
	if (pim_yaml_get(n, "instance"))
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
	if (!read_tensors(&r, tensors))
		return false;
	warn_unknown(&r, n);
	return read_sizes(&r) && check_words(&r, r.instance);
}
