/* SPDX-License-Identifier: Apache-2.0 */
/* qap.c - a quadratic assignment problem in QAPLIB's form: qap FILE.dat [--limit=S] [--seed=N]
 * [--steps=N] [--verbose]
 *
 * The file holds n, matrix A and matrix B; the cost of a permutation p is the sum of
 * A[i][j] * B[p(i)][p(j)]. Prints `cost= bound= status= time=` and the permutation, from 1. The
 * cost is computed anew from the matrices of the file. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/assignment_main.h"

typedef struct instance {
	int n;
	int64_t *a, *b;
} instance;

static bool read_matrix(FILE *f, int n, int64_t *m)
{
	for (int k = 0; k < n * n; k++) {
		double v;
		if (fscanf(f, "%lf", &v) != 1 || v != (double)(int64_t)v || v < 0)
			return false;
		m[k] = (int64_t)v;
	}
	return true;
}

static bool read_instance(const char *path, instance *q)
{
	FILE *f = fopen(path, "r");
	if (!f)
		return false;
	bool good = fscanf(f, "%d", &q->n) == 1 && q->n > 0 && q->n <= 2000;
	if (good) {
		size_t bytes = sizeof(int64_t) * (size_t)q->n * (size_t)q->n;
		q->a = malloc(bytes);
		q->b = malloc(bytes);
		good = q->a && q->b && read_matrix(f, q->n, q->a) && read_matrix(f, q->n, q->b);
	}
	fclose(f);
	return good;
}

static int64_t cost_of(const instance *q, const int *p)
{
	int64_t cost = 0;
	for (int i = 0; i < q->n; i++)
		for (int j = 0; j < q->n; j++)
			cost += q->a[i * q->n + j] * q->b[p[i] * q->n + p[j]];
	return cost;
}

static bool say(void *user, const pim_assignment_answer *now)
{
	(void)user;
	fprintf(stderr, "%8.3f s: cost=%lld bound=%lld steps=%lld\n", now->seconds,
		(long long)now->cost, (long long)now->bound, (long long)now->steps);
	return true;
}

static bool solve(const instance *q, const pim_assignment_options *o)
{
	pim_assignment *p = pim_assignment_new_matrix(q->n, q->b);
	for (int i = 0; i < q->n; i++)
		pim_assignment_add_item(p, 1);
	for (int i = 0; i < q->n; i++)
		for (int j = 0; j < q->n; j++)
			if (q->a[i * q->n + j])
				pim_assignment_add_traffic(p, i, j, q->a[i * q->n + j]);
	pim_assignment_answer a = pim_assignment_solve(p, o);
	bool good = a.unit && cost_of(q, a.unit) == a.cost;
	if (good) {
		printf("cost=%lld bound=%lld status=%s time=%.2f steps=%lld\n", (long long)a.cost,
			(long long)a.bound, a.status == PIM_ASSIGNMENT_optimal ? "optimal" : "feasible",
			a.seconds, (long long)a.steps);
		for (int i = 0; i < q->n; i++)
			printf("%d%c", a.unit[i] + 1, i + 1 < q->n ? ' ' : '\n');
	}
	pim_assignment_free(p);
	return good;
}

int main(int argc, char **argv)
{
	pim_assignment_options o = {.seconds = 10, .seed = 1};
	const char *path = NULL;
	for (int i = 1; i < argc; i++) {
		if (assignment_option(&o, argv[i]))
			continue;
		if (!strcmp(argv[i], "--verbose"))
			o.on_progress = say;
		else
			path = argv[i];
	}
	instance q = {0};
	if (!path || !read_instance(path, &q)) {
		fprintf(stderr, "usage: qap FILE.dat [--limit=S] [--seed=N] [--steps=N] [--verbose]\n");
		return 2;
	}
	bool good = solve(&q, &o);
	free(q.a);
	free(q.b);
	if (!good)
		fprintf(stderr, "%s: no assignment\n", path);
	return !good;
}
