/* SPDX-License-Identifier: Apache-2.0 */
/* passes/numerics.c - does a pass keep the values? The program is evaluated before and after,
 * unless it is the same program.
 *
 * Nodes get classes: two nodes are in one class exactly when they are the same op with the same
 * attributes on inputs of the same classes, so equal classes of results are a proof of equal
 * values. Decisions are no part of that, and a relayout is in the class of its input: most passes
 * are proved and only those that rewrite are evaluated. Classes are kept as keys in a map, not as
 * hashes: there is nothing to collide. Constants are told apart by where their elements are.
 *
 * Results are kept whole and compared whole. Of every other value a sample is kept, under the
 * number that the node keeps through all passes: when a result differs, the first node whose sample
 * differs is where it went wrong. When no node of the old program has a counterpart, the result is
 * named. Tolerance for an element b: |a - b| <= rtol |b| + 1e-5 max|b|, rtol = 1e-4, and 4 units of
 * the last place for f16 and bf16; integers and bools must be equal. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "ir/array.h"
#include "passes/pass.h"

enum { SAMPLE_MOST = 1024, SAMPLE_LEAST = 4, SAMPLE_BUDGET = 1 << 20 };

typedef struct sample {
	const pim_type *type;
	double scale; /* largest finite magnitude in it */
	int n;
	double *at;
} sample;

typedef struct values {
	pim_arena *arena;
	uint32_t n_samples;
	sample *sample; /* by number */
	int n_results;
	pim_tensor *result;
} values;

struct pim_numerics {
	const pim_run_options *o;
	int room; /* elements in a sample */
	values was;
	pim_arena *arena;
	pim_map *classes; /* class by key */
	int n_results;
	uintptr_t *result; /* classes of the program whose values `was` are */
};

typedef struct collector {
	values *v;
	int room;
	pim_arena *arena;
} collector;

/* ---- classes ---- */

static void key_constant(pim_text *key, const pim_node *n)
{
	const pim_data *d = pim_constant_data(n);
	int kind = d ? (int)d->kind : -1;
	char digits[16];
	pim_text_add(key, (const char *)&n->type, sizeof n->type);
	pim_text_add(key, (const char *)&kind, sizeof kind);
	if (!d)
		return;
	if (d->kind == PIM_DATA_dense)
		pim_text_add(key, (const char *)&d->bytes, sizeof d->bytes);
	else if (d->kind == PIM_DATA_splat)
		pim_text_add(key, d->bytes, pim_dtype_bytes(n->type->dtype));
	else
		pim_text_str(key, pim_constant_name(n, digits, sizeof digits));
}

static void key_op(pim_text *key, const pim_node *n, const uintptr_t *class)
{
	pim_op_key(key, n);
	for (uint32_t i = 0; i < n->n_in; i++)
		pim_text_add(
			key, (const char *)&class[n->in[i] ? n->in[i]->id : 0], n -> in[i] ? sizeof *class : 0);
}

/* Classes count from 1. */
static uintptr_t find_class(pim_numerics *k, const pim_text *key)
{
	void **value;
	pim_map_key(k->classes, key->s, key->n, &value);
	if (!*value)
		*value = (void *)(uintptr_t)pim_map_count(k->classes);
	return (uintptr_t)*value;
}

/* The class of each node by id; inputs are told apart by their place in the signature. */
static uintptr_t *classify(pim_numerics *k, const pim_graph *g, pim_arena *scratch)
{
	uintptr_t *class = PIM_NEW(scratch, uintptr_t, g->n_ids + 1);
	pim_text key = {0};
	for (int i = 0; i < g->n_inputs; i++) {
		key.n = 0;
		pim_text_printf(&key, "input %d ", i);
		pim_text_add(&key, (const char *)&g->inputs[i]->type, sizeof g->inputs[i]->type);
		class[g->inputs[i]->id] = find_class(k, &key);
	}
	PIM_EACH_NODE(n, g)
	{
		key.n = 0;
		if (n->op == PIM_OP_input)
			continue;
		if (n->op == PIM_OP_relayout) {
			class[n->id] = class[n->in[0]->id];
			continue;
		}
		pim_text_add(&key, (const char *)&n->op, sizeof n->op);
		if (n->op == PIM_OP_constant)
			key_constant(&key, n);
		else
			key_op(&key, n, class);
		class[n->id] = find_class(k, &key);
	}
	pim_text_free(&key);
	return class;
}

/* Takes over the classes of the results; true when they are what they were. */
static bool is_same_program(pim_numerics *k, const pim_graph *g)
{
	pim_arena *scratch = pim_arena_new();
	uintptr_t *class = classify(k, g, scratch),
			  *result = PIM_NEW(k->arena, uintptr_t, g->n_results + 1);
	bool same = k->result && k->n_results == g->n_results;
	for (int i = 0; i < g->n_results; i++) {
		result[i] = class[g->results[i]->id];
		same = same && result[i] == k->result[i];
	}
	k->result = result;
	k->n_results = g->n_results;
	pim_arena_free(scratch);
	return same;
}

/* ---- taking values ---- */

static double find_scale(const pim_tensor *t)
{
	double most = 0;
	for (int64_t i = 0; i < t->type->elements; i++) {
		double x = fabs(pim_element_get(t->type->dtype, t->data, i));
		if (isfinite(x) && x > most)
			most = x;
	}
	return most;
}

/* The i-th of n places spread over a tensor, first and last among them. */
static int64_t spread(int64_t elements, int n, int i)
{
	return n < 2 ? 0 : (int64_t)((double)i * (double)(elements - 1) / (n - 1));
}

static void take_sample(void *user, const pim_node *n, const pim_tensor *t)
{
	collector *c = user;
	if (n->type->n_parts || n->number >= c->v->n_samples)
		return;
	sample *s = &c->v->sample[n->number];
	s->type = n->type;
	s->n = n->type->elements < c->room ? (int)n->type->elements : c->room;
	s->at = pim_arena_raw(c->arena, sizeof(double) * (size_t)(s->n + 1));
	for (int i = 0; i < s->n; i++) {
		double x = pim_element_get(t->type->dtype, t->data, spread(t->type->elements, s->n, i));
		s->at[i] = x;
		if (isfinite(x) && fabs(x) > s->scale)
			s->scale = fabs(x);
	}
}

/* Seeded ones, where the caller has none. */
static const pim_tensor *make_inputs(const pim_graph *g, uint64_t seed, pim_arena *a)
{
	pim_tensor *in = PIM_NEW(a, pim_tensor, g->n_inputs + 1);
	for (int i = 0; i < g->n_inputs; i++) {
		in[i].type = g->inputs[i]->type;
		in[i].data = pim_arena_raw(a, (size_t)pim_type_bytes(in[i].type) + 1);
		pim_tensor_random(&in[i], seed + (uint64_t)i);
	}
	return in;
}

static bool evaluate(const pim_numerics *k, pim_graph *g, values *v)
{
	pim_arena *scratch = pim_arena_new();
	v->arena = pim_arena_new();
	v->n_samples = g->n_numbers;
	v->sample = PIM_NEW(v->arena, sample, v->n_samples + 1);
	v->n_results = g->n_results;
	v->result = PIM_NEW(v->arena, pim_tensor, g->n_results + 1);
	collector c = {v, k->room, v->arena};
	pim_eval_options o = {
		.threads = k->o->threads, .imagine = true, .on_value = take_sample, .user = &c};
	const pim_tensor *in = k->o->inputs ? k->o->inputs : make_inputs(g, k->o->seed, scratch);
	bool good = pim_graph_eval_with(g, in, v->result, v->arena, &o);
	pim_arena_free(scratch);
	return good;
}

static int choose_room(const pim_graph *g)
{
	int64_t room = SAMPLE_BUDGET / ((int64_t)g->n_numbers + 1);
	if (room > SAMPLE_MOST)
		return SAMPLE_MOST;
	return room < SAMPLE_LEAST ? SAMPLE_LEAST : (int)room;
}

pim_numerics *pim_numerics_new(pim_graph *g, const pim_run_options *o)
{
	pim_numerics *k = pim_array_new(1, sizeof *k);
	*k = (pim_numerics){.o = o, .room = choose_room(g), .arena = pim_arena_new()};
	k->classes = pim_map_new(k->arena);
	pim_constants_warn_absent(g);
	is_same_program(k, g);
	if (evaluate(k, g, &k->was))
		return k;
	pim_error(g->module->context, g->loc, "cannot evaluate @%s, which checking its values needs",
		g->name);
	pim_numerics_free(k);
	return NULL;
}

void pim_numerics_free(pim_numerics *k)
{
	if (!k)
		return;
	if (k->was.arena)
		pim_arena_free(k->was.arena);
	pim_arena_free(k->arena);
	free(k);
}

/* ---- comparing ---- */

static double choose_rtol(pim_dtype t)
{
	if (!pim_dtype_is_float(t))
		return 0;
	if (t == PIM_DTYPE_bf16)
		return 4.0 / 256;
	return t == PIM_DTYPE_f16 ? 4.0 / 2048 : 1e-4;
}

static double choose_atol(pim_dtype t, double scale)
{
	return pim_dtype_is_float(t) ? 1e-5 * scale : 0;
}

static bool is_near(double a, double b, double rtol, double atol)
{
	if (isnan(a) || isnan(b))
		return isnan(a) && isnan(b);
	return a == b || fabs(a - b) <= atol + rtol * fabs(b);
}

/* The first element of the sample that differs; -1 when none does. */
static int find_difference(const sample *now, const sample *was)
{
	double rtol = choose_rtol(was->type->dtype), atol = choose_atol(was->type->dtype, was->scale);
	for (int i = 0; i < was->n; i++)
		if (!is_near(now->at[i], was->at[i], rtol, atol))
			return i;
	return -1;
}

static void report_node(
	const pim_node *n, const char *pass, const sample *now, const sample *was, int i)
{
	pim_dtype t = was->type->dtype;
	pim_node_error(n,
		"pass '%s' changed this value: element %lld is %.9g, was %.9g (tolerance %g of the element "
		"+ "
		"%g)",
		pass, (long long)spread(was->type->elements, was->n, i), now->at[i], was->at[i],
		choose_rtol(t), choose_atol(t, was->scale));
}

static bool name_first_node(
	const pim_graph *g, const char *pass, const values *now, const values *was)
{
	PIM_EACH_NODE(n, g)
	{
		if (n->number >= was->n_samples || n->number >= now->n_samples)
			continue;
		const sample *x = &now->sample[n->number], *y = &was->sample[n->number];
		if (!x->type || x->type != y->type || x->n != y->n)
			continue;
		int i = find_difference(x, y);
		if (i < 0)
			continue;
		report_node(n, pass, x, y, i);
		return true;
	}
	return false;
}

static bool compare_result(const pim_graph *g, int i, const char *pass, const pim_tensor *now,
	const pim_tensor *was, pim_difference *d)
{
	if (now->type != was->type)
		return pim_node_error(g->results[i], "pass '%s' changed the type of result %d", pass, i);
	pim_dtype t = was->type->dtype;
	*d = pim_tensor_compare(now, was, choose_rtol(t), choose_atol(t, find_scale(was)));
	return d->beyond == 0;
}

static void report_result(const pim_graph *g, int i, const char *pass, const pim_difference *d,
	const pim_tensor *was, bool named)
{
	pim_dtype t = was->type->dtype;
	pim_node_note(g->results[i], named ? PIM_NOTE : PIM_ERROR,
		"pass '%s' changed result %d of @%s: %lld of %lld elements differ, worst element %lld is "
		"%.9g, was %.9g (tolerance %g of the element + %g)",
		pass, i, g->name, (long long)d->beyond, (long long)was->type->elements, (long long)d->index,
		d->a, d->b, choose_rtol(t), choose_atol(t, find_scale(was)));
}

static bool compare_all(const pim_graph *g, const char *pass, const values *now, const values *was)
{
	bool good = true, named = false;
	if (now->n_results != was->n_results)
		return pim_error(g->module->context, g->loc,
			"pass '%s' changed the number of results of @%s from %d to %d", pass, g->name,
			was->n_results, now->n_results);
	for (int i = 0; i < was->n_results; i++) {
		pim_difference d = {0};
		if (compare_result(g, i, pass, &now->result[i], &was->result[i], &d))
			continue;
		if (good)
			named = name_first_node(g, pass, now, was);
		good = false;
		if (d.beyond)
			report_result(g, i, pass, &d, &was->result[i], named);
	}
	return good;
}

bool pim_numerics_check(pim_numerics *k, pim_graph *g, const char *pass, bool *evaluated)
{
	values now;
	*evaluated = !is_same_program(k, g);
	if (!*evaluated)
		return true;
	bool good = evaluate(k, g, &now);
	if (!good)
		pim_error(g->module->context, g->loc, "cannot evaluate @%s after pass '%s'", g->name, pass);
	good = good && compare_all(g, pass, &now, &k->was);
	pim_arena_free(k->was.arena);
	k->was = now;
	return good;
}
