/* SPDX-License-Identifier: Apache-2.0 */
/* Convolutions of 8-bit integers go through float32: exact against the straight loops, also where
 * sums need many channels, wrap, and take the largest products there are. */
#include <string.h>

#include "check.h"
#include "ir/ir.h"
#include "ir/random.h"

static pim_node *make_leaf(pim_graph *g, pim_dtype t, int64_t a, int64_t b, int64_t h, int64_t w)
{
	int64_t dims[] = {a, b, h, w};
	return pim_input_new(g, "x", pim_type_tensor(pim_graph_context(g), t, 4, dims));
}

static pim_tensor fill(const pim_type *t, uint64_t *seed, bool extreme, pim_arena *a)
{
	pim_tensor x = {t, pim_arena_alloc(a, (size_t)pim_type_bytes(t) + 1)};
	unsigned char *bytes = x.data;
	unsigned char most = t->dtype == PIM_DTYPE_u8 ? 255 : 128;
	for (int64_t i = 0; i < pim_type_bytes(t); i++)
		bytes[i] = extreme ? most : (unsigned char)pim_random(seed);
	return x;
}

/* groups * ci channels in, kernels of k by k. */
static void check_conv(pim_dtype t, int64_t ci, int64_t k, int64_t groups, bool bias, bool extreme)
{
	pim_context *c = pim_context_new();
	pim_arena *a = pim_arena_new();
	pim_graph *g = pim_graph_new(pim_module_new(c), "main");
	int64_t channels = 3 * groups, pads[] = {1, 0, 0, 1}, strides[] = {2, 1};
	uint64_t seed = (uint64_t)(ci * 31 + k);
	pim_node *in[3] = {make_leaf(g, t, 2, groups * ci, 9, 8), make_leaf(g, t, channels, ci, k, k),
		bias ? pim_input_new(g, "b", pim_type_tensor(c, t, 1, &channels)) : NULL};
	pim_node *n = pim_node_new(g, "conv", bias ? 3 : 2, in, NULL);
	pim_node_set_ints(n, "pads", 4, pads);
	pim_node_set_ints(n, "strides", 2, strides);
	pim_node_set_int(n, "groups", groups);
	CHECK(pim_node_infer(n));
	pim_tensor x[3] = {fill(in[0]->type, &seed, extreme, a), fill(in[1]->type, &seed, extreme, a),
		bias ? fill(in[2]->type, &seed, extreme, a) : (pim_tensor){0}};
	pim_tensor got[2];
	for (int plain = 0; plain < 2; plain++) {
		pim_eval e = {.context = c, .scratch = a, .threads = 1, .plain = plain};
		got[plain] = (pim_tensor){n->type, pim_arena_alloc(a, (size_t)pim_type_bytes(n->type) + 1)};
		CHECK(pim_node_eval(n, x, &got[plain], &e));
	}
	CHECK(!memcmp(got[0].data, got[1].data, (size_t)pim_type_bytes(n->type)));
	pim_arena_free(a);
	pim_context_free(c);
}

int main(void)
{
	static const pim_dtype types[] = {PIM_DTYPE_i8, PIM_DTYPE_u8};
	static const int64_t channels[] = {1, 3, 28, 29, 64, 257, 600};
	for (size_t t = 0; t < sizeof types / sizeof *types; t++)
		for (size_t i = 0; i < sizeof channels / sizeof *channels; i++)
			for (int how = 0; how < 8; how++)
				check_conv(
					types[t], channels[i], how & 1 ? 3 : 1, how & 2 ? 2 : 1, how & 1, how & 4);
	return check_failures != 0;
}
