/* SPDX-License-Identifier: Apache-2.0 */
/* onnx_ops_recurrent - LSTM, GRU and RNN.
 *
 * The ops take weights as ONNX has them. Batches in front (layout 1) are moved behind the steps.
 * The last rows of the op's result are the last states. Forms: ONNX operator specification, 7
 * to 22.
 */
#include <ctype.h>
#include <string.h>

#include "frontends/onnx.h"
#include "frontends/onnx_write.h"

enum { MOST = 6 }; /* activations */

typedef struct activations {
	int n;
	char names[256];
	double alpha[MOST], beta[MOST];
	bool has_alpha, has_beta;
} activations;

/* LeakyRelu -> leaky_relu, at the end of names. */
static bool add_name(activations *a, const uint8_t *s, size_t n)
{
	size_t at = strlen(a->names);
	if (at && at + 1 < sizeof a->names)
		a->names[at++] = ',';
	for (size_t i = 0; i < n; i++) {
		if (at + 3 > sizeof a->names)
			return false;
		if (i && isupper(s[i]))
			a->names[at++] = '_';
		a->names[at++] = (char)tolower(s[i]);
	}
	a->names[at] = '\0';
	return true;
}

/* Names differ in case between exporters only where they are one word. */
static double usual_alpha(const char *name, size_t n)
{
	static const struct {
		const char *name;
		double alpha;
	} table[] = {{"affine", 1}, {"leaky_relu", 0.01}, {"thresholded_relu", 1}, {"scaled_tanh", 1},
		{"hard_sigmoid", 0.2}, {"elu", 1}};
	for (size_t i = 0; i < sizeof table / sizeof *table; i++)
		if (strlen(table[i].name) == n && !strncmp(table[i].name, name, n))
			return table[i].alpha;
	return -1;
}

static bool has_beta(const char *name, size_t n)
{
	return (n == 6 && !strncmp(name, "affine", n)) ||
		   (n == 11 && !strncmp(name, "scaled_tanh", n)) ||
		   (n == 12 && !strncmp(name, "hard_sigmoid", n));
}

bool onnx_activation_takes(const char *name, size_t n, int i)
{
	return i ? has_beta(name, n) : usual_alpha(name, n) >= 0;
}

/* Parameters stand in order, for the activations that have them. */
static void spread_parameters(const onnx_call *k, activations *a)
{
	const Onnx__AttributeProto *alpha = onnx_attribute(k, "activation_alpha");
	const Onnx__AttributeProto *beta = onnx_attribute(k, "activation_beta");
	size_t at_alpha = 0, at_beta = 0, n;
	int i = 0;
	for (const char *s = a->names; i < a->n; s += n + (s[n] == ','), i++) {
		double usual;
		n = strcspn(s, ",");
		usual = usual_alpha(s, n);
		a->alpha[i] = usual < 0 ? 0 : usual;
		a->beta[i] = n == 11 ? 1 : n == 12 ? 0.5 : 0;
		if (usual >= 0 && alpha && at_alpha < alpha->n_floats)
			a->alpha[i] = (double)alpha->floats[at_alpha++];
		if (has_beta(s, n) && beta && at_beta < beta->n_floats)
			a->beta[i] = (double)beta->floats[at_beta++];
	}
	a->has_alpha = at_alpha > 0;
	a->has_beta = at_beta > 0;
}

static bool read_activations(const onnx_call *k, activations *a)
{
	const Onnx__AttributeProto *given = onnx_attribute(k, "activations");
	if (!given)
		return true;
	if (given->n_strings > MOST)
		return onnx_fail(k, "%zu activations are given, the most is %d", given->n_strings, MOST);
	for (size_t i = 0; i < given->n_strings; i++)
		if (!add_name(a, given->strings[i].data, given->strings[i].len))
			return onnx_fail(k, "the names of the activations are too long");
	a->n = (int)given->n_strings;
	spread_parameters(k, a);
	return true;
}

/* The first two dims change places. */
static pim_node *swap_first(onnx_call *k, pim_node *x)
{
	int64_t perm[PIM_MAX_RANK] = {1, 0};
	if (!x)
		return NULL;
	for (int d = 2; d < x->type->rank; d++)
		perm[d] = d;
	return onnx_transpose(k, x, perm);
}

/* [steps, directions, batch, hidden] as the node gives it. */
static pim_node *all_states(onnx_call *k, pim_node *y, int64_t steps, bool batch_first)
{
	y = onnx_part(k, y, 0, 0, steps);
	return batch_first && y ? onnx_transpose(k, y, (int64_t[]){2, 0, 1, 3}) : y;
}

static pim_node *last_state(onnx_call *k, pim_node *y, int64_t row, bool batch_first)
{
	y = onnx_part(k, y, 0, row, 1);
	y = y ? onnx_reshape(k, y, 3, y->type->dims + 1) : NULL;
	return batch_first ? swap_first(k, y) : y;
}

bool onnx_convert_recurrent(onnx_call *k)
{
	activations a = {.n = 0};
	bool batch_first = onnx_int(k, "layout", 0) != 0;
	pim_node *in[8] = {NULL}, *y;
	int64_t steps;
	pim_attr attrs[7];
	int n = 0;
	pim_op op = k->row->op;
	if (!read_activations(k, &a))
		return false;
	for (int i = 0; i < k->n_in; i++)
		in[i] = batch_first && (i == 0 || i == 5 || i == 6) ? swap_first(k, k->in[i]) : k->in[i];
	if (!in[0] || in[0]->type->rank != 3)
		return onnx_fail(k, "the input is %s, expected three dims",
			pim_type_text(k->in[0]->type, k->import->scratch));
	if (in[4])
		in[4] = onnx_cast(k, in[4], PIM_DTYPE_i64);
	attrs[n++] = onnx_attr_string("direction", onnx_string(k, "direction", "forward"));
	if (a.n)
		attrs[n++] = onnx_attr_string(
			"activations", pim_intern(k->import->context, a.names, strlen(a.names)));
	if (a.has_alpha)
		attrs[n++] = onnx_attr_floats("alpha", a.n, a.alpha);
	if (a.has_beta)
		attrs[n++] = onnx_attr_floats("beta", a.n, a.beta);
	if (onnx_attribute(k, "clip"))
		attrs[n++] = onnx_attr_float("clip", onnx_float(k, "clip", 0));
	if (op == PIM_OP_lstm && onnx_int(k, "input_forget", 0))
		attrs[n++] = onnx_attr_int("input_forget", 1);
	if (op == PIM_OP_gru && onnx_int(k, "linear_before_reset", 0))
		attrs[n++] = onnx_attr_int("linear_before_reset", 1);
	steps = in[0]->type->dims[0];
	y = onnx_make(k, op, k->n_in, in, n, attrs);
	k->out[0] = all_states(k, y, steps, batch_first);
	for (int i = 1; i < k->n_out; i++)
		k->out[i] = last_state(k, y, steps + i - 1, batch_first);
	return y && k->out[0];
}
