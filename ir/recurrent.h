/* SPDX-License-Identifier: Apache-2.0 */
/* ir/recurrent.h - what the ops lstm, gru and rnn are: their inputs, activations and sizes. */
#ifndef PIM_IR_RECURRENT_H
#define PIM_IR_RECURRENT_H

#include "ir/op_rules.h"

/* Inputs: x w r bias lengths first_hidden, lstm: first_cell peepholes. */
enum { IN_x, IN_w, IN_r, IN_bias, IN_lengths, IN_hidden, IN_cell, IN_peepholes, IN_COUNT };
enum { MOST_GATES = 4, MOST_ACTIVATIONS = 3 };

/* name, default alpha, default beta; x is what enters, a alpha, b beta */
#define ACTIVATIONS(X)                                                                             \
	X(relu, 0, 0, x > 0 ? x : 0)                                                                   \
	X(tanh, 0, 0, tanh(x))                                                                         \
	X(sigmoid, 0, 0, 1 / (1 + exp(-x)))                                                            \
	X(affine, 1, 0, a *x + b)                                                                      \
	X(leaky_relu, 0.01, 0, x >= 0 ? x : a * x)                                                     \
	X(thresholded_relu, 1, 0, x > a ? x : 0)                                                       \
	X(scaled_tanh, 1, 1, a *tanh(b *x))                                                            \
	X(hard_sigmoid, 0.2, 0.5, a *x + b < 0 ? 0 : a * x + b > 1 ? 1 : a * x + b)                    \
	X(elu, 1, 0, x >= 0 ? x : a * expm1(x))                                                        \
	X(softsign, 0, 0, x / (1 + fabs(x)))                                                           \
	X(softplus, 0, 0, x > 0 ? x + log1p(exp(-x)) : log1p(exp(x)))

typedef enum activation_kind {
#define KIND(name, alpha, beta, formula) ACTIVATION_##name,
	ACTIVATIONS(KIND)
#undef KIND
		ACTIVATION_COUNT
} activation_kind;

typedef struct pim_activation {
	activation_kind kind;
	double alpha, beta;
} pim_activation;

/* What the op of a node is, and how large. */
typedef struct pim_layer {
	int gates, n_activations, states; /* states: last rows of the result */
	int64_t directions, steps, batch, inputs, units;
	bool back[2];
	pim_activation act[2][MOST_ACTIVATIONS];
	double clip;
	bool input_forget, linear_before_reset;
	const int64_t *lengths; /* NULL: all have `steps` */
} pim_layer;

/* Attributes and sizes, from x and r, which must be there; false after a diagnostic. */
bool pim_layer_read(const pim_node *n, pim_layer *l);

#endif
