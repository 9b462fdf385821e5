/* SPDX-License-Identifier: Apache-2.0 */
/* frontends/onnx_attention.h - what the attention operators of ai.onnx and com.microsoft share. */
#ifndef PIM_FRONTENDS_ONNX_ATTENTION_H
#define PIM_FRONTENDS_ONNX_ATTENTION_H

#include "frontends/onnx.h"

/* One attention: 4-dim operands and what is done between the products. */
typedef struct onnx_attention {
	pim_node *q, *k, *v;
	pim_node *bias;				   /* added to the scores; NULL for none */
	double scale, softcap, hidden; /* hidden: the score of a token that is not seen */
	int64_t past;				   /* tokens of k before the first of q */
	bool causal, hides_rows;	   /* a query may see no key at all: it gets 0 */
	pim_dtype precision;		   /* of the softmax */
	pim_node *sink;		 /* [heads], a score that takes part in the softmax only; NULL for none */
	pim_node *scores[4]; /* the raw product, after softcap, with the mask, after softmax */
} onnx_attention;

/* Pairs of elements turned by the angle of their token. */
typedef struct onnx_rotation {
	pim_node *cos, *sin, *positions; /* tables [positions, size / 2]; positions [batch, tokens] */
	int64_t size;					 /* elements of a head that turn; 0: all */
	bool interleaved;				 /* pairs are neighbours, else element i and i + size / 2 */
} onnx_rotation;

/* [batch, tokens, heads * size] to [batch, heads, tokens, size], and the way back. */
pim_node *onnx_heads_split(onnx_call *k, pim_node *x, int64_t heads);
pim_node *onnx_heads_join(onnx_call *k, pim_node *x);
/* The result as [batch, heads, tokens, size]; NULL after a diagnostic. */
pim_node *onnx_attend(onnx_call *k, onnx_attention *a);
/* Keys from the valid number on are hidden, for each batch. */
pim_node *onnx_valid_scores(
	onnx_call *k, pim_node *valid, int64_t keys, pim_dtype t, double hidden);
/* x[batch, heads, tokens, size] */
pim_node *onnx_rotate(onnx_call *k, pim_node *x, const onnx_rotation *r);

#endif
