/* SPDX-License-Identifier: Apache-2.0 */
/* build_and_run - builds y = relu(x * w + x) through the library, simplifies it and evaluates it.
 *
 *   cc build_and_run.c $(pkg-config --cflags --libs pimopt) && ./a.out */
#include <stdio.h>
#include <stdlib.h>

#include "pim/pim.h"

static void print_message(void *user, const pim_diag *d)
{
	(void)user;
	fprintf(stderr, "%s\n", d->message);
}

static pim_graph *build(pim_context *c, pim_module *m)
{
	const int64_t dims[] = {2, 2};
	const pim_type *t = pim_type_tensor(c, PIM_DTYPE_f32, 2, dims);
	const float weights[] = {1, -1, 2, 0.5f};
	pim_graph *g = pim_graph_new(m, "main");
	pim_node *x = pim_input_new(g, "x", t);
	pim_node *w = pim_constant_new(g, t, weights, NULL);
	pim_node *product = pim_node_new(g, "matmul", 2, (pim_node *[]){x, w}, NULL);
	if (!product || !pim_node_infer(product))
		return NULL;
	pim_node *sum = pim_node_new(g, "add", 2, (pim_node *[]){product, x}, NULL);
	if (!sum || !pim_node_infer(sum))
		return NULL;
	pim_node *y = pim_node_new(g, "relu", 1, &sum, NULL);
	if (!y || !pim_node_infer(y))
		return NULL;
	pim_graph_add_result(g, y);
	return g;
}

int main(void)
{
	pim_context *c = pim_context_new();
	pim_context_on_diag(c, print_message, NULL);
	pim_module *m = pim_module_new(c);
	pim_graph *g = build(c, m);
	if (!g || !pim_run(m, "canonicalize,cse", NULL))
		return 1;
	char *text = pim_module_print(m);
	printf("%s", text);
	free(text);

	float x[] = {1, 2, 3, 4};
	pim_tensor in = {pim_node_type(pim_graph_first(g)), x}, out;
	pim_arena *arena = pim_arena_new();
	if (!pim_graph_eval(g, &in, &out, arena))
		return 1;
	const float *y = out.data, want[] = {6, 2, 14, 3};
	int wrong = 0;
	for (int i = 0; i < 4; i++) {
		printf("y[%d] = %g\n", i, y[i]);
		wrong += y[i] != want[i];
	}
	pim_arena_free(arena);
	pim_context_free(c);
	return wrong != 0;
}
