/* SPDX-License-Identifier: Apache-2.0 */
/* tests/unit/twin.h - random nodes of an op held against its definition, a function that gives one
 * result element from all inputs, in f64. */
#ifndef PIM_TESTS_UNIT_TWIN_H
#define PIM_TESTS_UNIT_TWIN_H

#include "tests/unit/check.h"

#include "tests/unit/random_nodes.h"

/* The result element at the indices o. */
typedef double definition(const pim_node *n, const pim_tensor *in, const int64_t *o);

static inline int64_t place_at(const pim_type *t, const int64_t *i)
{
	int64_t place = 0;
	for (int d = 0; d < t->rank; d++)
		place = place * t->dims[d] + i[d];
	return place;
}

static inline double at(const pim_tensor *t, const int64_t *i)
{
	return pim_element_get(t->type->dtype, t->data, place_at(t->type, i));
}

/* An index as numbers in a file are: negative ones from the end. */
static inline int64_t index_at(const pim_tensor *t, const int64_t *i, int64_t size)
{
	int64_t v = (int64_t)at(t, i);
	return v < 0 ? v + size : v;
}

/* The index that number `k` is in these dims. */
static inline void decode(int64_t k, int rank, const int64_t *dims, int64_t *i)
{
	for (int d = rank - 1; d >= 0; d--) {
		i[d] = k % dims[d];
		k /= dims[d];
	}
}

/* The element of a product of matrices whose zero points are subtracted first. */
static inline double product_at(
	const pim_node *n, const pim_tensor *in, const int64_t *o, double a_zero, double b_zero)
{
	double sum = 0;
	int rank = n->type->rank;
	bool swap[] = {pim_node_int(n, "transpose_a") != 0, pim_node_int(n, "transpose_b") != 0};
	int64_t k_size = in[0].type->dims[in[0].type->rank - (swap[0] ? 2 : 1)];
	for (int64_t k = 0; k < k_size; k++) {
		double v[2];
		for (int i = 0; i < 2; i++) {
			int64_t x[PIM_MAX_RANK], row = i ? k : o[rank - 2], column = i ? o[rank - 1] : k;
			int r = in[i].type->rank;
			for (int d = 0; d < r - 2; d++)
				x[d] = in[i].type->dims[d] == 1 ? 0 : o[d + rank - r];
			x[r - 2] = swap[i] ? column : row;
			x[r - 1] = swap[i] ? row : column;
			v[i] = at(&in[i], x) - (i ? b_zero : a_zero);
		}
		sum += v[0] * v[1];
	}
	return sum;
}

/* The op of n with inputs of type t where n's are f32. */
static inline pim_node *make_as(const pim_node *n, pim_dtype t)
{
	pim_node *in[8];
	for (uint32_t i = 0; i < n->n_in; i++) {
		const pim_type *own = n->in[i]->type;
		in[i] = give_input(
			n->graph, own->dtype == PIM_DTYPE_f32 ? t : own->dtype, own->rank, own->dims);
	}
	pim_node *made = pim_node_new(n->graph, pim_node_op(n), (int)n->n_in, in, NULL);
	for (int i = 0; i < n->n_attrs; i++)
		pim_attr_set(made, &n->attrs[i]);
	CHECK(pim_node_infer(made));
	return made;
}

/* Random nodes in element type t, fast and plain. */
static inline void check_twin(
	pim_op op, pim_dtype t, definition *define, double tolerance, random_source *r)
{
	pim_context *c = pim_context_new();
	pim_arena *a = pim_arena_new();
	pim_graph *g = pim_graph_new(pim_module_new(c), "main");
	pim_node *n = make_as(make_random_node(g, r, op), t);
	pim_tensor *in = give_random_inputs(n, r, a), want = give_tensor(n->type, a);
	for (int64_t k = 0; k < n->type->elements; k++) {
		int64_t o[PIM_MAX_RANK];
		decode(k, n->type->rank, n->type->dims, o);
		pim_element_set(n->type->dtype, want.data, k, define(n, in, o));
	}
	for (int plain = 0; plain < 2; plain++) {
		pim_tensor got = give_tensor(n->type, a);
		pim_eval e = {.context = c, .scratch = a, .threads = 1, .plain = plain};
		bool good = pim_node_eval(n, in, &got, &e);
		pim_difference d = pim_tensor_compare(&got, &want, tolerance, tolerance);
		CHECK(good && d.beyond == 0);
		if (!good || d.beyond)
			fprintf(stderr, "%s in %s, plain %d: element %lld is %g, expected %g\n", pim_node_op(n),
				pim_dtype_name(t), plain, (long long)d.index, d.a, d.b);
	}
	pim_arena_free(a);
	pim_context_free(c);
}

/* ---- cases in the text form ---- */

static inline void keep_message(void *user, const pim_diag *d)
{
	snprintf(user, 1000, "%s", d->message);
}

static inline bool eval_case(pim_context *c, const char *body, pim_tensor out[2], pim_arena *a)
{
	char text[4000];
	snprintf(text, sizeof text, "module {\ngraph @main() {\n%s\n}\n}\n", body);
	pim_module *m = pim_module_parse(c, "case", text, strlen(text));
	return m && pim_graph_eval(pim_module_graph(m, 0), NULL, out, a);
}

/* The two results are the same. */
static inline void check_case(const char *body)
{
	pim_context *c = pim_context_new();
	pim_arena *a = pim_arena_new();
	pim_tensor out[2];
	char message[1000] = "";
	pim_context_on_diag(c, keep_message, message);
	bool good = eval_case(c, body, out, a) && out[0].type == out[1].type &&
				pim_tensor_compare(&out[0], &out[1], 1e-6, 1e-7).beyond == 0;
	CHECK(good);
	if (!good)
		fprintf(stderr, "%s\n%s\n", body, message);
	pim_arena_free(a);
	pim_context_free(c);
}

/* It fails, and the last message has `part` in it. */
static inline void check_error(const char *body, const char *part)
{
	pim_context *c = pim_context_new();
	pim_arena *a = pim_arena_new();
	pim_tensor out[2];
	char message[1000] = "";
	pim_context_on_diag(c, keep_message, message);
	bool good = !eval_case(c, body, out, a) && strstr(message, part);
	CHECK(good);
	if (!good)
		fprintf(stderr, "%s\nsays: %s\n", body, message);
	pim_arena_free(a);
	pim_context_free(c);
}

/* As check_twin, `rounds` times in each float type. */
static inline void check_floats(pim_op op, definition *define, int rounds, random_source *r)
{
	for (int i = 0; i < rounds; i++) {
		check_twin(op, PIM_DTYPE_f32, define, 2e-5, r);
		check_twin(op, PIM_DTYPE_f64, define, 1e-11, r);
		check_twin(op, PIM_DTYPE_f16, define, 4e-3, r);
	}
}

#endif
