/* SPDX-License-Identifier: Apache-2.0 */
/* threads.c - sessions do not know of each other: as many threads as wished build, compile, print
 * and evaluate the same program at once, each in a context of its own, and all get the same text
 * and values as a thread alone. Run plainly, and in a build with the thread sanitizer, which sees
 * shared state that values do not show. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pim/pim.h"

enum { THREADS = 6, ROUNDS = 4, SIZE = 16 };

static const char pipeline[] =
	"canonicalize,fold,cse,split-branches,interleave-layout,map,schedule,place,lower";

typedef struct outcome {
	char *text;
	float values[SIZE * SIZE];
	int errors, messages;
	bool good;
} outcome;

static void count_message(void *user, const pim_diag *d)
{
	(void)d;
	++*(int *)user;
}

static pim_node *add(pim_graph *g, const char *op, int n, pim_node *const *in)
{
	pim_node *node = pim_node_new(g, op, n, in, NULL);
	return node && pim_node_infer(node) ? node : NULL;
}

/* y = softmax(relu(x * w + x) * w) */
static pim_graph *build(pim_context *c, pim_module *m)
{
	const int64_t dims[] = {SIZE, SIZE};
	const pim_type *t = pim_type_tensor(c, PIM_DTYPE_f32, 2, dims);
	float weights[SIZE * SIZE];
	for (int i = 0; i < SIZE * SIZE; i++)
		weights[i] = (float)(i % 7 - 3) / 8;
	pim_graph *g = pim_graph_new(m, "main");
	pim_node *x = pim_input_new(g, "x", t), *w = pim_constant_new(g, t, weights, NULL);
	pim_node *product = add(g, "matmul", 2, (pim_node *[]){x, w});
	pim_node *sum = add(g, "add", 2, (pim_node *[]){product, x});
	pim_node *positive = add(g, "relu", 1, &sum);
	pim_node *again = add(g, "matmul", 2, (pim_node *[]){positive, w});
	pim_node *y = pim_node_new(g, "softmax", 1, &again, NULL);
	pim_node_set_int(y, "axis", 1);
	if (!pim_node_infer(y))
		return NULL;
	pim_graph_add_result(g, y);
	return g;
}

static bool evaluate(pim_graph *g, float *values)
{
	float x[SIZE * SIZE];
	for (int i = 0; i < SIZE * SIZE; i++)
		x[i] = (float)(i % 11) / 4;
	pim_arena *a = pim_arena_new();
	pim_tensor in = {pim_node_type(pim_graph_first(g)), x}, out;
	bool good = pim_graph_eval(g, &in, &out, a);
	if (good)
		memcpy(values, out.data, sizeof x);
	pim_arena_free(a);
	return good;
}

static void work(outcome *o)
{
	pim_context *c = pim_context_new();
	pim_context_on_diag(c, count_message, &o->messages);
	pim_module *m = pim_module_new(c);
	pim_graph *g = build(c, m);
	o->good = evaluate(g, o->values) && pim_run(m, pipeline, "stack3d");
	o->text = pim_module_print(m);
	pim_module_parse(c, "wrong", "graph", 5);
	o->errors = pim_context_errors(c);
	pim_context_free(c);
}

static void *repeat(void *data)
{
	outcome *o = data;
	for (int i = 0; i < ROUNDS; i++) {
		free(o->text);
		*o = (outcome){0};
		work(o);
	}
	return NULL;
}

int main(void)
{
	static outcome alone, done[THREADS];
	pthread_t thread[THREADS];
	int wrong = 0;
	work(&alone);
	for (int i = 0; i < THREADS; i++)
		if (pthread_create(&thread[i], NULL, repeat, &done[i]))
			return 2;
	for (int i = 0; i < THREADS; i++)
		pthread_join(thread[i], NULL);
	for (int i = 0; i < THREADS; i++) {
		bool same = done[i].good && !strcmp(done[i].text, alone.text) &&
					!memcmp(done[i].values, alone.values, sizeof alone.values) &&
					done[i].errors == alone.errors && done[i].messages == alone.messages;
		wrong += !same;
		free(done[i].text);
	}
	if (!alone.good || alone.errors == 0)
		wrong++;
	free(alone.text);
	printf("%d threads, %d differ from one alone\n", THREADS, wrong);
	return wrong != 0;
}
