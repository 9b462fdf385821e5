/* SPDX-License-Identifier: Apache-2.0 */
/* ops_recurrent - lstm, gru and rnn: layers that go through a sequence with a state.
 *
 * The input's products with all gates are one matrix product per direction; the state's are one per
 * step. The last rows of the result are the state while it runs, and hold the last state in the
 * end. float32 (f16 and bf16 are rounded once, at the end) or float64. */
#include "ir/recurrent.h"

#include <math.h>
#include <string.h>
#include <tgmath.h>

static const struct {
	const char *name;
	double alpha, beta;
} known[] = {
#define KNOWN(name, alpha, beta, formula) {#name, alpha, beta},
	ACTIVATIONS(KNOWN)
#undef KNOWN
};

/* ---- attributes ---- */

static bool read_direction(const pim_node *n, pim_layer *l)
{
	const char *name = pim_node_string(n, "direction");
	bool both = name && !strcmp(name, "bidirectional"), back = name && !strcmp(name, "reverse");
	if (!both && !back && (!name || strcmp(name, "forward")))
		return pim_node_error(n,
			"direction of %s is \"%s\", expected forward, reverse or bidirectional", pim_node_op(n),
			name ? name : "");
	l->directions = both ? 2 : 1;
	l->back[0] = back;
	l->back[1] = true;
	return true;
}

/* Entry i of a list of floats with an entry per activation, or `init` when there is no list; *good
 * is false after a diagnostic. */
static double read_parameter(
	const pim_node *n, const char *name, int count, int i, double init, bool *good)
{
	const pim_attr *a = pim_attr_find(n, name);
	int got = a && a->kind == PIM_ATTR_floats ? (int)a->n : 0;
	if (got && got != count) {
		*good = pim_node_error(
			n, "%s of %s has %d entries, expected %d or none", name, pim_node_op(n), got, count);
		return init;
	}
	return got ? a->fs[i] : init;
}

/* The activation that the next word of *s names. */
static bool read_activation(const pim_node *n, const char **s, pim_activation *to)
{
	size_t length = strcspn(*s, ",");
	for (int k = 0; k < ACTIVATION_COUNT; k++)
		if (strlen(known[k].name) == length && !memcmp(known[k].name, *s, length)) {
			*to = (pim_activation){(activation_kind)k, known[k].alpha, known[k].beta};
			*s += length + ((*s)[length] == ',');
			return true;
		}
	return pim_node_error(
		n, "activation \"%.*s\" of %s is not known", (int)length, *s, pim_node_op(n));
}

static bool read_activations(const pim_node *n, pim_layer *l)
{
	static const char *const usual[] = {"", "tanh", "sigmoid,tanh", "sigmoid,tanh,tanh"};
	const char *given = pim_node_string(n, "activations"), *s = given ? given : "";
	int count = l->n_activations * (int)l->directions;
	bool good = true;
	for (int i = 0; i < count; i++) {
		pim_activation *a = &l->act[i / l->n_activations][i % l->n_activations];
		if ((!given || !*given) && i % l->n_activations == 0)
			s = usual[l->n_activations];
		if (!read_activation(n, &s, a))
			return false;
		a->alpha = read_parameter(n, "alpha", count, i, a->alpha, &good);
		a->beta = read_parameter(n, "beta", count, i, a->beta, &good);
	}
	if (good && *s)
		return pim_node_error(
			n, "%s has more activations than %d: \"%s\"", pim_node_op(n), count, given);
	return good;
}

static bool has_attribute(const pim_node *n, const char *name)
{
	return pim_op_attr_find(pim_op_at((pim_op)n->op), name) && pim_node_int(n, name) != 0;
}

bool pim_layer_read(const pim_node *n, pim_layer *l)
{
	const pim_type *x = n->in[IN_x]->type, *r = n->in[IN_r]->type;
	bool is_lstm = n->op == PIM_OP_lstm, is_gru = n->op == PIM_OP_gru;
	*l = (pim_layer){.gates = is_lstm  ? 4
							  : is_gru ? 3
									   : 1,
		.n_activations = is_lstm  ? 3
						 : is_gru ? 2
								  : 1,
		.states = is_lstm ? 2 : 1,
		.steps = x->dims[0],
		.batch = x->dims[1],
		.inputs = x->dims[2],
		.units = r->dims[2],
		.clip = pim_node_float(n, "clip"),
		.input_forget = has_attribute(n, "input_forget"),
		.linear_before_reset = has_attribute(n, "linear_before_reset")};
	if (!(l->clip > 0))
		return pim_node_error(n, "clip of %s is %g, expected more than 0", pim_node_op(n), l->clip);
	return read_direction(n, l) && read_activations(n, l);
}

/* Input i has these dims, and is a float of x's type unless it is the lengths. */
static bool check_input(const pim_node *n, int i, int rank, const int64_t *dims)
{
	if (i > IN_r && pim_rule_is_absent(n, i))
		return true;
	const pim_type *t = i == IN_lengths ? pim_rule_index_operand(n, i) : pim_rule_operand(n, i);
	if (!t || (i != IN_lengths && !pim_rule_same_dtype(n, i)))
		return false;
	const pim_type *want = pim_rule_result(n, t->dtype, rank, dims);
	if (!want || t->rank != rank || memcmp(t->dims, dims, sizeof *dims * (size_t)rank))
		return pim_node_error(n, "input %d of %s is %s, expected %s", i, pim_node_op(n),
			pim_rule_text(n, t), want ? pim_rule_text(n, want) : "less");
	return true;
}

static const pim_type *infer_layer(const pim_node *n)
{
	const pim_type *x = pim_rule_float_operand(n, IN_x), *r = pim_rule_operand(n, IN_r);
	pim_layer l;
	if (!x || !r)
		return NULL;
	if (x->rank != 3 || r->rank != 3 || r->dims[2] > INT32_MAX) {
		pim_node_error(n, "%s of %s with %s, expected [steps,batch,inputs] and three dims",
			pim_node_op(n), pim_rule_text(n, x), pim_rule_text(n, r));
		return NULL;
	}
	if (!pim_layer_read(n, &l))
		return NULL;
	int64_t d = l.directions, g = l.gates, h = l.units;
	if (!check_input(n, IN_w, 3, (int64_t[]){d, g * h, l.inputs}) ||
		!check_input(n, IN_r, 3, (int64_t[]){d, g * h, h}) ||
		!check_input(n, IN_bias, 2, (int64_t[]){d, 2 * g * h}) ||
		!check_input(n, IN_lengths, 1, (int64_t[]){l.batch}) ||
		!check_input(n, IN_hidden, 3, (int64_t[]){d, l.batch, h}) ||
		!check_input(n, IN_cell, 3, (int64_t[]){d, l.batch, h}) ||
		!check_input(n, IN_peepholes, 2, (int64_t[]){d, 3 * h}))
		return NULL;
	return pim_rule_result(n, x->dtype, 4, (int64_t[]){l.steps + l.states, d, l.batch, h});
}

/* Axes: step, direction, batch, unit of the result, and the inputs' features. Only the batch is
 * free; weights are needed in full. */
static void axes_of_layer(const pim_node *n, pim_axes *x)
{
	static const char *const names[] = {"step", "direction", "batch", "unit"};
	for (int d = 0; d < 4; d++) {
		pim_axis_kind kind = d == 2 ? PIM_AXIS_free : PIM_AXIS_coupled;
		pim_axes_term(x, x->n_inputs, d, pim_axes_axis(x, n->type->dims[d], kind, names[d]), 1);
	}
	int feature = pim_axes_axis(x, n->in[IN_x]->type->dims[2], PIM_AXIS_coupled, "feature");
	pim_axes_term(x, IN_x, 0, 0, 1);
	pim_axes_term(x, IN_x, 1, 2, 1);
	pim_axes_term(x, IN_x, 2, feature, 1);
	for (int i = 1; i < (int)n->n_in; i++) {
		if (pim_rule_is_absent(n, i))
			continue;
		bool state = i == IN_hidden || i == IN_cell;
		x->whole[i] = !state && i != IN_lengths;
		if (i == IN_lengths)
			pim_axes_term(x, i, 0, 2, 1);
		for (int d = 0; state && d < 3; d++)
			pim_axes_term(x, i, d, d + 1, 1);
	}
}

/* ---- evaluation ---- */

/* The step that is `s`-th for sequence b; -1 when it has ended. */
static int64_t find_step(const pim_layer *l, int d, int64_t s, int64_t b)
{
	int64_t length = l->lengths ? l->lengths[b] : l->steps;
	return s >= length ? -1 : l->back[d] ? length - 1 - s : s;
}

#define RUN_TYPES(X) X(f32, float) X(f64, double)

/* parts of one direction: pre [steps*batch, gates*units] what the input adds to the gates, with
 * biases; rec [batch, gates*units] what the state adds; extra: gru's bias or product behind the
 * reset gate; h and c: the state [batch, units]. */
#define RUN(name, T)                                                                               \
	typedef struct parts_##name {                                                                  \
		const T *r, *bias, *peepholes;                                                             \
		T *pre, *rec, *extra, *h, *c, *y;                                                          \
	} parts_##name;                                                                                \
	static T activate_##name(const pim_layer *l, const pim_activation *f, T x)                     \
	{                                                                                              \
		T a = (T)f->alpha, b = (T)f->beta, most = (T)l->clip;                                      \
		x = x > most ? most : x < -most ? -most : x;                                               \
		switch (f->kind) {                                                                         \
			ACTIVATIONS(ACTIVATE)                                                                  \
		default:                                                                                   \
			return x;                                                                              \
		}                                                                                          \
	}                                                                                              \
	static void step_lstm_##name(const pim_layer *l, const pim_activation *f,                      \
		const parts_##name *p, const T *pre, const T *rec, T *h, T *c)                             \
	{                                                                                              \
		int64_t n = l->units;                                                                      \
		const T *peep = p->peepholes;                                                              \
		for (int64_t u = 0; u < n; u++) {                                                          \
			T i = pre[u] + rec[u], o = pre[n + u] + rec[n + u];                                    \
			T g = pre[2 * n + u] + rec[2 * n + u], v = pre[3 * n + u] + rec[3 * n + u];            \
			i = activate_##name(l, &f[0], i + (peep ? peep[u] * c[u] : 0));                        \
			g = l->input_forget                                                                    \
					? 1 - i                                                                        \
					: activate_##name(l, &f[0], g + (peep ? peep[2 * n + u] * c[u] : 0));          \
			c[u] = g * c[u] + i * activate_##name(l, &f[1], v);                                    \
			o = activate_##name(l, &f[0], o + (peep ? peep[n + u] * c[u] : 0));                    \
			h[u] = o * activate_##name(l, &f[2], c[u]);                                            \
		}                                                                                          \
	}                                                                                              \
	/* The gates z and r replace what the state adds to them; extra becomes r * h. */              \
	static void open_gates_##name(                                                                 \
		const pim_layer *l, const pim_activation *f, const T *pre, T *rec, const T *h, T *extra)   \
	{                                                                                              \
		int64_t n = l->units;                                                                      \
		for (int64_t u = 0; u < 2 * n; u++)                                                        \
			rec[u] = activate_##name(l, &f[0], pre[u] + rec[u]);                                   \
		for (int64_t u = 0; u < n; u++)                                                            \
			extra[u] = rec[n + u] * h[u];                                                          \
	}                                                                                              \
	static void step_gru_##name(                                                                   \
		const pim_layer *l, const pim_activation *f, const T *pre, const T *rec, T *h)             \
	{                                                                                              \
		int64_t n = l->units;                                                                      \
		for (int64_t u = 0; u < n; u++) {                                                          \
			T v = activate_##name(l, &f[1], pre[2 * n + u] + rec[2 * n + u]);                      \
			h[u] = (1 - rec[u]) * v + rec[u] * h[u];                                               \
		}                                                                                          \
	}                                                                                              \
	/* What the state adds to gru's third gate, once the first two are known. */                   \
	static void finish_rec_##name(                                                                 \
		const pim_layer *l, int d, int64_t s, const parts_##name *p, const pim_eval *e)            \
	{                                                                                              \
		int64_t n = l->units, all = 3 * n;                                                         \
		pim_gemm g = {.tb = true, .m = l->batch, .n = n, .k = n, .lda = n, .ldb = n, .ldc = all};  \
		for (int64_t b = 0; b < l->batch; b++) {                                                   \
			int64_t t = find_step(l, d, s, b);                                                     \
			T *rec = p->rec + b * all, *extra = p->extra + b * n;                                  \
			memset(extra, 0, sizeof *extra *(size_t)n);                                            \
			if (t >= 0)                                                                            \
				open_gates_##name(                                                                 \
					l, l->act[d], p->pre + (t * l->batch + b) * all, rec, p->h + b * n, extra);    \
			for (int64_t u = 0; l->linear_before_reset && u < n; u++)                              \
				rec[2 * n + u] =                                                                   \
					rec[n + u] * (rec[2 * n + u] + (p->bias ? p->bias[5 * n + u] : 0));            \
		}                                                                                          \
		if (!l->linear_before_reset)                                                               \
			pim_gemm_##name(e, &g, p->extra, p->r + 2 * n * n, 0, p->rec + 2 * n);                 \
	}                                                                                              \
	static void run_step_##name(                                                                   \
		const pim_layer *l, int d, int64_t s, const parts_##name *p, const pim_eval *e)            \
	{                                                                                              \
		int64_t n = l->units, all = l->gates * n;                                                  \
		pim_gemm g = {                                                                             \
			.tb = true, .m = l->batch, .n = all, .k = n, .lda = n, .ldb = n, .ldc = all};          \
		pim_gemm_##name(e, &g, p->h, p->r, 0, p->rec);                                             \
		if (l->gates == 3)                                                                         \
			finish_rec_##name(l, d, s, p, e);                                                      \
		for (int64_t b = 0; b < l->batch; b++) {                                                   \
			int64_t t = find_step(l, d, s, b);                                                     \
			if (t < 0)                                                                             \
				continue;                                                                          \
			const T *pre = p->pre + (t * l->batch + b) * all, *rec = p->rec + b * all;             \
			T *h = p->h + b * n;                                                                   \
			if (l->gates == 4)                                                                     \
				step_lstm_##name(l, l->act[d], p, pre, rec, h, p->c + b * n);                      \
			else if (l->gates == 3)                                                                \
				step_gru_##name(l, l->act[d], pre, rec, h);                                        \
			for (int64_t u = 0; l->gates == 1 && u < n; u++)                                       \
				h[u] = activate_##name(l, &l->act[d][0], pre[u] + rec[u]);                         \
			memcpy(p->y + ((t * l->directions + d) * l->batch + b) * n, h, sizeof *h * (size_t)n); \
		}                                                                                          \
	}                                                                                              \
	/* The input's part of the gates; gru's third recurrent bias may have to wait. */              \
	static void start_gates_##name(                                                                \
		const pim_layer *l, const T *x, const T *w, const parts_##name *p, const pim_eval *e)      \
	{                                                                                              \
		int64_t all = l->gates * l->units, rows = l->steps * l->batch;                             \
		int64_t waiting = l->linear_before_reset ? l->units : 0;                                   \
		pim_gemm g = {.tb = true,                                                                  \
			.m = rows,                                                                             \
			.n = all,                                                                              \
			.k = l->inputs,                                                                        \
			.lda = l->inputs,                                                                      \
			.ldb = l->inputs,                                                                      \
			.ldc = all};                                                                           \
		pim_gemm_##name(e, &g, x, w, 0, p->pre);                                                   \
		for (int64_t i = 0; p->bias && i < rows * all; i++) {                                      \
			int64_t u = i % all;                                                                   \
			p->pre[i] += p->bias[u] + (u < all - waiting ? p->bias[all + u] : 0);                  \
		}                                                                                          \
	}                                                                                              \
	static void run_layer_##name(                                                                  \
		const pim_layer *l, const void *const in[IN_COUNT], void *to, pim_eval *e)                 \
	{                                                                                              \
		int64_t n = l->units, all = l->gates * n, state = l->batch * n;                            \
		T *pre = pim_arena_raw(e->scratch, sizeof(T) * (size_t)(l->steps * l->batch * all) + 1);   \
		T *rec = pim_arena_raw(e->scratch, sizeof(T) * (size_t)(l->batch * all) + 1);              \
		T *extra = pim_arena_raw(e->scratch, sizeof(T) * (size_t)state + 1), *y = to;              \
		memset(y, 0, sizeof(T) * (size_t)((l->steps + l->states) * l->directions * state));        \
		for (int d = 0; d < l->directions; d++) {                                                  \
			const T *first_h = in[IN_hidden], *first_c = in[IN_cell];                              \
			const T *bias = in[IN_bias], *peepholes = in[IN_peepholes];                            \
			parts_##name p = {.r = (const T *)in[IN_r] + d * all * n,                              \
				.bias = bias ? bias + d * 2 * all : NULL,                                          \
				.peepholes = peepholes ? peepholes + d * 3 * n : NULL,                             \
				.pre = pre,                                                                        \
				.rec = rec,                                                                        \
				.extra = extra,                                                                    \
				.h = y + (l->steps * l->directions + d) * state,                                   \
				.c = y + ((l->steps + l->states - 1) * l->directions + d) * state,                 \
				.y = y};                                                                           \
			if (first_c)                                                                           \
				memcpy(p.c, first_c + d * state, sizeof(T) * (size_t)state);                       \
			if (first_h)                                                                           \
				memcpy(p.h, first_h + d * state, sizeof(T) * (size_t)state);                       \
			start_gates_##name(l, in[IN_x], (const T *)in[IN_w] + d * all * l->inputs, &p, e);     \
			for (int64_t s = 0; s < l->steps; s++)                                                 \
				run_step_##name(l, d, s, &p, e);                                                   \
		}                                                                                          \
	}
#define ACTIVATE(name, alpha, beta, formula)                                                       \
	case ACTIVATION_##name:                                                                        \
		return formula;
RUN_TYPES(RUN)
#undef ACTIVATE
#undef RUN

static bool read_lengths(const pim_node *n, const pim_tensor *t, pim_layer *l, pim_arena *scratch)
{
	int64_t *lengths = PIM_NEW(scratch, int64_t, l->batch + 1);
	pim_stage_load(t->type->dtype, t->data, 0, l->batch, lengths);
	for (int64_t b = 0; b < l->batch; b++)
		if (lengths[b] < 0 || lengths[b] > l->steps)
			return pim_node_error(n, "sequence %lld of %s has length %lld, expected 0 to %lld",
				(long long)b, pim_node_op(n), (long long)lengths[b], (long long)l->steps);
	l->lengths = lengths;
	return true;
}

static bool run_layer(const pim_node *n, const pim_tensor *in, pim_tensor *out, pim_eval *e)
{
	const void *staged[IN_COUNT] = {0};
	pim_layer l;
	if (!pim_layer_read(n, &l))
		return false;
	for (int i = 0; i < (int)n->n_in; i++)
		if (!pim_rule_is_absent(n, i) && i != IN_lengths)
			staged[i] = pim_stage_whole(&in[i], e->scratch);
	if (!pim_rule_is_absent(n, IN_lengths) && !read_lengths(n, &in[IN_lengths], &l, e->scratch))
		return false;
	void *y = pim_stage_room(out, e->scratch);
	if (n->type->elements == 0)
		return true;
	if (pim_stage_of(n->type->dtype) == PIM_STAGE_f32)
		run_layer_f32(&l, staged, y, e);
	else
		run_layer_f64(&l, staged, y, e);
	pim_stage_finish(out, y);
	return true;
}

const pim_type *pim_infer_lstm(const pim_node *n)
{
	return infer_layer(n);
}

void pim_axes_lstm(const pim_node *n, pim_axes *x)
{
	axes_of_layer(n, x);
}

bool pim_eval_lstm(const pim_node *n, const pim_tensor *in, pim_tensor *out, pim_eval *e)
{
	return run_layer(n, in, out, e);
}

const pim_type *pim_infer_gru(const pim_node *n)
{
	return infer_layer(n);
}

void pim_axes_gru(const pim_node *n, pim_axes *x)
{
	axes_of_layer(n, x);
}

bool pim_eval_gru(const pim_node *n, const pim_tensor *in, pim_tensor *out, pim_eval *e)
{
	return run_layer(n, in, out, e);
}

const pim_type *pim_infer_rnn(const pim_node *n)
{
	return infer_layer(n);
}

void pim_axes_rnn(const pim_node *n, pim_axes *x)
{
	axes_of_layer(n, x);
}

bool pim_eval_rnn(const pim_node *n, const pim_tensor *in, pim_tensor *out, pim_eval *e)
{
	return run_layer(n, in, out, e);
}
