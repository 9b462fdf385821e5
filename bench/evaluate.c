/* SPDX-License-Identifier: Apache-2.0 */
/* bench/evaluate.c - CPU time of one evaluation of a network, on one thread: `evaluate NET.onnx
 * [RUNS]`.
 *
 * Prints the least of RUNS runs (5) and the peak memory. The reference is bench/onnxruntime.js on
 * the same file; or, without it, a plain matrix product of as many multiply-accumulates
 * (`reference`). */
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <time.h>

#include "frontends/frontend.h"
#include "targets/target.h"

static double cpu_seconds(void)
{
	struct timespec t;
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static void print_message(void *user, const pim_diag *d)
{
	(void)user;
	pim_diag_print(d, stderr, false);
}

static pim_tensor *make_inputs(const pim_graph *g, pim_arena *a)
{
	pim_tensor *in = PIM_NEW(a, pim_tensor, g->n_inputs + 1);
	for (int i = 0; i < g->n_inputs; i++) {
		in[i].type = g->inputs[i]->type;
		in[i].data = pim_arena_raw(a, (size_t)pim_type_bytes(in[i].type) + 1);
		pim_tensor_random(&in[i], (uint64_t)i + 1);
	}
	return in;
}

/* A product of square matrices by straight loops, as many operations as the network has. */
static double reference_seconds(double macs)
{
	enum { SIDE = 256 };
	static float a[SIDE][SIDE], b[SIDE][SIDE], c[SIDE][SIDE];
	for (int i = 0; i < SIDE * SIDE; i++)
		(&a[0][0])[i] = (&b[0][0])[i] = (float)(i % 7);
	double start = cpu_seconds();
	for (int i = 0; i < SIDE; i++)
		for (int k = 0; k < SIDE; k++)
			for (int j = 0; j < SIDE; j++)
				c[i][j] += a[i][k] * b[k][j];
	double seconds = cpu_seconds() - start;
	return seconds * macs / ((double)SIDE * SIDE * SIDE) + 0 * (double)c[3][5];
}

int main(int argc, char **argv)
{
	int runs = argc > 2 ? atoi(argv[2]) : 5;
	setenv("OPENBLAS_NUM_THREADS", "1", 0);
	pim_context *c = pim_context_new();
	pim_context_on_diag(c, print_message, NULL);
	pim_module *m = argc > 1 ? pim_module_read(c, argv[1]) : NULL;
	if (!m)
		return 1;
	pim_graph *g = pim_module_graph(m, 0);
	double best = 1e9, macs = 0;
	PIM_EACH_NODE(n, g)
	{
		macs += (double)pim_node_macs(n);
	}
	for (int i = 0; i < runs; i++) {
		pim_arena *a = pim_arena_new();
		pim_tensor *in = make_inputs(g, a), *out = PIM_NEW(a, pim_tensor, g->n_results + 1);
		double start = cpu_seconds();
		if (!pim_graph_eval(g, in, out, a))
			return 1;
		double seconds = cpu_seconds() - start;
		best = seconds < best ? seconds : best;
		pim_arena_free(a);
	}
	struct rusage usage;
	getrusage(RUSAGE_SELF, &usage);
	double reference = reference_seconds(macs);
	printf("evaluate: %.1f ms CPU, %.1f GMAC, peak %.0f MiB; straight loops would take %.1f ms "
		   "(%.1f x)\n",
		best * 1e3, macs * 1e-9, (double)usage.ru_maxrss / 1024, reference * 1e3, reference / best);
	pim_context_free(c);
	return 0;
}
