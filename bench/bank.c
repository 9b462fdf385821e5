/* SPDX-License-Identifier: Apache-2.0 */
/* bank.c - row operations of a bank's routines, as the lowering emits them, beside published laws.
 *
 * The laws, 5n + 1 for a sum of n bits and 7n^2 + 1 for a product, are those that the latencies in
 * the public artefact of OptiPIM follow. Then the rate at which the simulator runs row operations
 * on 8192 columns, beside a plain loop of majorities over as many words in the same run. */
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "targets/bank/bank.h"

enum { WORDS = 128, ROWS = 512, ROUNDS = 20 };

static const struct {
	const char *name;
	pim_format format;
} formats[] = {{"i8", {8, 0, true}}, {"i16", {16, 0, true}}, {"i32", {32, 0, true}},
	{"f16", {16, 5, true}}, {"bf16", {16, 8, true}}, {"f32", {32, 8, true}}};
enum { FORMATS = sizeof formats / sizeof formats[0] };

static double seconds(void)
{
	struct timespec t;
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static pim_bank_rows write_routine(int routine, pim_format f)
{
	pim_routine_key key = {(uint8_t)routine, f, f};
	if (routine == PIM_ROUTINE_less || routine == PIM_ROUTINE_equal)
		key.to = (pim_format){1, 0, false};
	pim_bank_rows r = {0};
	pim_routine_write(&key, &r);
	return r;
}

static int64_t count(int routine, pim_format f)
{
	pim_bank_rows r = write_routine(routine, f);
	free(r.op);
	return r.n;
}

/* n bits by n bits, no signs, all 2n bits of the product. */
static int64_t count_wide(int n)
{
	pim_routine_key key = {PIM_ROUTINE_mul, {(uint8_t)n, 0, false}, {(uint8_t)(2 * n), 0, false}};
	pim_bank_rows r;
	pim_routine_write(&key, &r);
	free(r.op);
	return r.n;
}

static void print_counts(void)
{
	printf("row operations");
	for (int i = 0; i < FORMATS; i++)
		printf(" %8s", formats[i].name);
	printf("\n");
	for (int k = 0; k < PIM_ROUTINE_COUNT; k++) {
		printf("%-14s", pim_routine_name(k));
		for (int i = 0; i < FORMATS; i++)
			printf(" %8lld", (long long)count(k, formats[i].format));
		printf("\n");
	}
}

static void print_laws(void)
{
	printf("\n  n      sum   5n + 1  ratio    n bits   2n bits   7n^2 + 1  ratios of products\n");
	for (int i = 0; i < 3; i++) {
		int64_t n = formats[i].format.bits;
		int64_t sum = count(PIM_ROUTINE_add, formats[i].format), sum_law = 5 * n + 1;
		int64_t product = count(PIM_ROUTINE_mul, formats[i].format), wide = count_wide((int)n);
		int64_t law = 7 * n * n + 1;
		printf("%3lld %8lld %8lld %6.2f %9lld %9lld %10lld %6.2f %6.2f\n", (long long)n,
			(long long)sum, (long long)sum_law, (double)sum / (double)sum_law, (long long)product,
			(long long)wide, (long long)law, (double)product / (double)law,
			(double)wide / (double)law);
	}
}

static uint64_t bits[PIM_AREAS][ROWS * WORDS];

static double measure_routine(void)
{
	pim_bank_rows r = write_routine(PIM_ROUTINE_mul, formats[5].format);
	uint64_t *base[PIM_AREAS];
	for (int i = 0; i < PIM_AREAS; i++)
		base[i] = bits[i];
	pim_rows_start(base[PIM_AREA_scratch], WORDS);
	double start = seconds();
	for (int i = 0; i < ROUNDS; i++)
		pim_routine_run(&r, base, WORDS);
	double took = seconds() - start;
	free(r.op);
	return (double)r.n * ROUNDS / took;
}

/* Majorities of three rows into a fourth. */
static double measure_loop(void)
{
	enum { STEPS = 200000 };
	double start = seconds();
	for (int s = 0; s < STEPS; s++) {
		uint64_t *a = bits[0] + s % (ROWS - 4) * WORDS, *b = a + WORDS, *c = b + WORDS;
		for (int i = 0; i < WORDS; i++)
			c[WORDS + i] = (a[i] & b[i]) | (c[i] & (a[i] | b[i]));
	}
	return STEPS / (seconds() - start);
}

int main(void)
{
	print_counts();
	print_laws();
	double rate = measure_routine(), loop = measure_loop();
	printf("\n%.3g row operations a second on %d columns; a loop of majorities does %.3g: ratio "
		   "%.2f\n",
		rate, 64 * WORDS, loop, rate / loop);
	return 0;
}
