/* SPDX-License-Identifier: Apache-2.0 */
/* ops_recurrent - lstm, gru and rnn against ONNX's equations, one sequence and unit at a time in
 * f64; and what wrong activations and lengths are told. */
#include "tests/unit/twin.h"

#include <math.h>

enum { MOST_UNITS = 4 };

/* One sequence of one direction. */
typedef struct sequence {
	const pim_node *n;
	const pim_tensor *in;
	int64_t d, b, units, gates;
	double h[MOST_UNITS], c[MOST_UNITS];
} sequence;

static double at2(const pim_tensor *t, int64_t i, int64_t j)
{
	return at(t, (int64_t[]){i, j});
}

static double at3(const pim_tensor *t, int64_t i, int64_t j, int64_t k)
{
	return at(t, (int64_t[]){i, j, k});
}

static bool has(const sequence *s, int i)
{
	return (int)s->n->n_in > i;
}

/* Activation number k of the direction of a value. */
static double activate(const sequence *s, int k, double x)
{
	static const char *const usual[3][3] = {
		{"tanh"}, {"sigmoid", "tanh"}, {"sigmoid", "tanh", "tanh"}};
	static const double alphas[] = {1, 0.01, 1, 0.2, 1}, betas[] = {0, 0, 1, 0.5, 0};
	static const char *const named[] = {
		"affine", "leaky_relu", "scaled_tanh", "hard_sigmoid", "elu"};
	int each = s->gates == 4 ? 3 : s->gates == 3 ? 2 : 1, number = (int)s->d * each + k;
	const char *list = pim_node_string(s->n, "activations");
	char name[30];
	snprintf(name, sizeof name, "%s", usual[each - 1][k]);
	for (int i = 0; *list && i <= number; i++, list += strcspn(list, ",") + 1)
		snprintf(name, sizeof name, "%.*s", (int)strcspn(list, ","), list);
	double clip = pim_node_float(s->n, "clip"), a = 0, b = 0;
	for (int i = 0; i < 5; i++)
		if (!strcmp(name, named[i])) {
			a = alphas[i];
			b = betas[i];
		}
	const pim_attr *given = pim_attr_find(s->n, "alpha");
	a = given ? given->fs[number] : a;
	x = fmin(fmax(x, -clip), clip);
	switch (name[0] == 's' ? name[1] : name[0]) {
	case 'r':
		return fmax(x, 0);
	case 't':
		return tanh(x);
	case 'i':
		return 1 / (1 + exp(-x));
	case 'a':
		return a * x + b;
	case 'l':
		return x < 0 ? a * x : x;
	case 'c':
		return a * tanh(b * x);
	case 'h':
		return fmax(0, fmin(1, a * x + b));
	case 'e':
		return x < 0 ? a * (exp(x) - 1) : x;
	default:
		return strcmp(name, "softsign") ? log(1 + exp(x)) : x / (1 + fabs(x));
	}
}

/* What the input adds to row g * units + u of the gates, with its bias. */
static double from_input(const sequence *s, int64_t t, int64_t g, int64_t u)
{
	int64_t row = g * s->units + u;
	double sum = has(s, 3) ? at2(&s->in[3], s->d, row) : 0;
	for (int64_t i = 0; i < s->in[0].type->dims[2]; i++)
		sum += at3(&s->in[0], t, s->b, i) * at3(&s->in[1], s->d, row, i);
	return sum;
}

/* What a state adds, with its bias. */
static double from_state(const sequence *s, const double *h, int64_t g, int64_t u)
{
	int64_t row = g * s->units + u;
	double sum = has(s, 3) ? at2(&s->in[3], s->d, (s->gates + g) * s->units + u) : 0;
	for (int64_t i = 0; i < s->units; i++)
		sum += h[i] * at3(&s->in[2], s->d, row, i);
	return sum;
}

static double peep(const sequence *s, int64_t g, int64_t u, double c)
{
	return has(s, 7) ? at2(&s->in[7], s->d, g * s->units + u) * c : 0;
}

static void step_lstm(sequence *s, int64_t t)
{
	double before[MOST_UNITS];
	memcpy(before, s->h, sizeof before);
	for (int64_t u = 0; u < s->units; u++) {
		double v[4];
		for (int64_t g = 0; g < 4; g++)
			v[g] = from_input(s, t, g, u) + from_state(s, before, g, u);
		double i = activate(s, 0, v[0] + peep(s, 0, u, s->c[u]));
		double f = pim_node_int(s->n, "input_forget")
					   ? 1 - i
					   : activate(s, 0, v[2] + peep(s, 2, u, s->c[u]));
		s->c[u] = f * s->c[u] + i * activate(s, 1, v[3]);
		s->h[u] = activate(s, 0, v[1] + peep(s, 1, u, s->c[u])) * activate(s, 2, s->c[u]);
	}
}

static void step_gru(sequence *s, int64_t t)
{
	double before[MOST_UNITS], z[MOST_UNITS], r[MOST_UNITS], reset[MOST_UNITS];
	memcpy(before, s->h, sizeof before);
	for (int64_t u = 0; u < s->units; u++) {
		z[u] = activate(s, 0, from_input(s, t, 0, u) + from_state(s, before, 0, u));
		r[u] = activate(s, 0, from_input(s, t, 1, u) + from_state(s, before, 1, u));
		reset[u] = r[u] * before[u];
	}
	for (int64_t u = 0; u < s->units; u++) {
		double v = pim_node_int(s->n, "linear_before_reset") ? r[u] * from_state(s, before, 2, u)
															 : from_state(s, reset, 2, u);
		s->h[u] = (1 - z[u]) * activate(s, 1, from_input(s, t, 2, u) + v) + z[u] * before[u];
	}
}

static void step_rnn(sequence *s, int64_t t)
{
	double before[MOST_UNITS];
	memcpy(before, s->h, sizeof before);
	for (int64_t u = 0; u < s->units; u++)
		s->h[u] = activate(s, 0, from_input(s, t, 0, u) + from_state(s, before, 0, u));
}

static double define_layer(const pim_node *n, const pim_tensor *in, const int64_t *o)
{
	int64_t steps = in[0].type->dims[0];
	sequence s = {.n = n, .in = in, .d = o[1], .b = o[2], .units = n->type->dims[3]};
	s.gates = in[1].type->dims[1] / s.units;
	bool back = s.d == 1 || !strcmp(pim_node_string(n, "direction"), "reverse");
	int64_t length = has(&s, 4) ? (int64_t)at(&in[4], &o[2]) : steps;
	for (int64_t u = 0; u < s.units; u++) {
		s.h[u] = has(&s, 5) ? at3(&in[5], s.d, s.b, u) : 0;
		s.c[u] = has(&s, 6) ? at3(&in[6], s.d, s.b, u) : 0;
	}
	if (o[0] >= length && o[0] < steps)
		return 0;
	for (int64_t k = 0; k < length; k++) {
		int64_t t = back ? length - 1 - k : k;
		(s.gates == 4 ? step_lstm : s.gates == 3 ? step_gru : step_rnn)(&s, t);
		if (t == o[0])
			return s.h[o[3]];
	}
	return o[0] == steps ? s.h[o[3]] : s.c[o[3]];
}

static const char *const errors[][2] = {
	{"%x = constant {value = 1.0} : f32[2,1,1]\n%w = constant {value = 1.0} : f32[1,1,1]\n"
	 "%y = rnn %x, %w, %w {activations = \"sine\"} : f32[3,1,1,1]\nreturn %y",
		"activation \"sine\" of rnn is not known"},
	{"%x = constant {value = 1.0} : f32[2,1,1]\n%w = constant {value = 1.0} : f32[1,1,1]\n"
	 "%y = rnn %x, %w, %w {activations = \"tanh,relu\"} : f32[3,1,1,1]\nreturn %y",
		"more activations than 1"},
	{"%x = constant {value = 1.0} : f32[2,1,1]\n%w = constant {value = 1.0} : f32[1,1,1]\n"
	 "%l = constant {value = [3]} : i32[1]\n"
	 "%y = rnn %x, %w, %w, _, %l : f32[3,1,1,1]\nreturn %y",
		"sequence 0 of rnn has length 3, expected 0 to 2"},
	{"%x = constant {value = 1.0} : f32[2,1,1]\n%w = constant {value = 1.0} : f32[1,3,1]\n"
	 "%y = lstm %x, %w, %w : f32[4,1,1,1]\nreturn %y",
		"input 1 of lstm is f32[1,3,1], expected f32[1,4,1]"},
};

int main(void)
{
	random_source r = {.state = 31};
	check_case("%x = constant {value = [0.5, 2.0, -1.5]} : f32[3,1,1]\n"
			   "%w = constant {value = 1.0} : f32[1,1,1]\n"
			   "%y = rnn %x, %w, %w {activations = \"thresholded_relu\"} : f32[4,1,1,1]\n"
			   "%z = constant {value = [0.0, 2.0, 0.0, 0.0]} : f32[4,1,1,1]\nreturn %y, %z");
	for (size_t i = 0; i < sizeof errors / sizeof *errors; i++)
		check_error(errors[i][0], errors[i][1]);
	check_floats(PIM_OP_lstm, define_layer, 30, &r);
	check_floats(PIM_OP_gru, define_layer, 30, &r);
	check_floats(PIM_OP_rnn, define_layer, 30, &r);
	return check_failures != 0;
}
