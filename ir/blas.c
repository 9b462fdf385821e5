/* SPDX-License-Identifier: Apache-2.0 */
/* blas - matrix products: OpenBLAS when the machine has it, blocked loops when not, plain loops on
 * request.
 *
 * The library is looked up at the first product, so that programs that only compile never load it.
 * It accumulates float32 in float32; the plain loops accumulate in float64. */
#include "ir/op_rules.h"

#include <dlfcn.h>
#include <pthread.h>
#include <string.h>

/* The C interface of BLAS, as netlib's cblas.h fixes it. */
enum { ROW_MAJOR = 101, AS_IS = 111, TRANSPOSED = 112 };
typedef void sgemm_function(int order, int ta, int tb, int m, int n, int k, float alpha,
	const void *a, int lda, const void *b, int ldb, float beta, float *c, int ldc);
typedef void sgemv_function(int order, int ta, int m, int n, float alpha, const void *a, int lda,
	const void *x, int step_x, float beta, float *y, int step_y);
typedef void dgemm_function(int order, int ta, int tb, int m, int n, int k, double alpha,
	const double *a, int lda, const double *b, int ldb, double beta, double *c, int ldc);

static struct {
	pthread_once_t once;
	sgemm_function *sgemm;
	sgemv_function *sgemv;
	dgemm_function *dgemm;
	void (*set_threads)(int n);
	int (*get_threads)(void);
} blas = {.once = PTHREAD_ONCE_INIT};

static void *find_symbol(void *library, const char *name)
{
	return dlsym(library, name);
}

/* Written once, before any reader passes pthread_once; the library stays loaded. */
static void load_blas(void)
{
	void *library = dlopen("libopenblas.so.0", RTLD_NOW | RTLD_LOCAL);
	if (!library)
		return;
	*(void **)&blas.sgemv = find_symbol(library, "cblas_sgemv");
	*(void **)&blas.sgemm = find_symbol(library, "cblas_sgemm");
	*(void **)&blas.dgemm = find_symbol(library, "cblas_dgemm");
	*(void **)&blas.set_threads = find_symbol(library, "openblas_set_num_threads");
	*(void **)&blas.get_threads = find_symbol(library, "openblas_get_num_threads");
}

static void want_threads(int threads)
{
	threads = threads > 1 ? threads : 1;
	if (blas.set_threads && blas.get_threads && blas.get_threads() != threads)
		blas.set_threads(threads);
}

static bool does_fit_int(const pim_gemm *g)
{
	return g->m <= INT32_MAX && g->n <= INT32_MAX && g->k <= INT32_MAX && g->lda <= INT32_MAX &&
		   g->ldb <= INT32_MAX && g->ldc <= INT32_MAX;
}

/* What multiplies: the first that may. */
static bool use_blas(const pim_eval *e, const pim_gemm *g)
{
	if (e->plain || g->k == 0 || !does_fit_int(g))
		return false;
	pthread_once(&blas.once, load_blas);
	if (!blas.sgemm || !blas.dgemm)
		return false;
	want_threads(e->threads);
	return true;
}

/* Distances between neighbours along m, n and k. */
typedef struct gemm_steps {
	int64_t am, ak, bk, bn;
} gemm_steps;

static gemm_steps find_steps(const pim_gemm *g)
{
	return (gemm_steps){.am = g->ta ? 1 : g->lda,
		.ak = g->ta ? g->lda : 1,
		.bk = g->tb ? 1 : g->ldb,
		.bn = g->tb ? g->ldb : 1};
}

static void multiply_plain(const pim_gemm *g, const float *a, const float *b, float beta, float *c)
{
	gemm_steps s = find_steps(g);
	for (int64_t i = 0; i < g->m; i++)
		for (int64_t j = 0; j < g->n; j++) {
			double sum = beta == 0 ? 0 : (double)beta * (double)c[i * g->ldc + j];
			for (int64_t k = 0; k < g->k; k++)
				sum += (double)a[i * s.am + k * s.ak] * (double)b[k * s.bk + j * s.bn];
			c[i * g->ldc + j] = (float)sum;
		}
}

/* One row of a block: c += a b over k. */
static void add_row(
	const float *a, int64_t ak, const float *b, int64_t ldb, int64_t k, int64_t n, float *c)
{
	for (int64_t p = 0; p < k; p++) {
		float v = a[p * ak];
		const float *row = b + p * ldb;
		for (int64_t j = 0; j < n; j++)
			c[j] += v * row[j];
	}
}

/* Blocks of b of 64 x 256 floats, packed when b is transposed. */
static void multiply_blocked(
	const pim_gemm *g, const float *a, const float *b, float beta, float *c)
{
	enum { BLOCK_K = 64, BLOCK_N = 256 };
	float pack[BLOCK_K * BLOCK_N];
	gemm_steps s = find_steps(g);
	for (int64_t i = 0; i < g->m; i++)
		for (int64_t j = 0; j < g->n; j++)
			c[i * g->ldc + j] = beta == 0 ? 0 : beta * c[i * g->ldc + j];
	for (int64_t k0 = 0; k0 < g->k; k0 += BLOCK_K)
		for (int64_t j0 = 0; j0 < g->n; j0 += BLOCK_N) {
			int64_t k = g->k - k0 < BLOCK_K ? g->k - k0 : BLOCK_K;
			int64_t n = g->n - j0 < BLOCK_N ? g->n - j0 : BLOCK_N;
			for (int64_t p = 0; p < k; p++)
				for (int64_t j = 0; j < n; j++)
					pack[p * BLOCK_N + j] = b[(k0 + p) * s.bk + (j0 + j) * s.bn];
			for (int64_t i = 0; i < g->m; i++)
				add_row(a + i * s.am + k0 * s.ak, s.ak, pack, BLOCK_N, k, n, c + i * g->ldc + j0);
		}
}

bool pim_gemm_takes_any_address(const pim_eval *e)
{
#if defined(__x86_64__) || defined(__aarch64__)
	return use_blas(e, &(pim_gemm){.k = 1});
#else
	(void)e;
	return false;
#endif
}

/* One row of results, or one column: a matrix times a vector, which packs nothing. */
static void multiply_vector(const pim_gemm *g, const void *a, const void *b, float beta, float *c)
{
	bool row = g->m == 1, t = row ? !g->tb : g->ta;
	int64_t results = row ? g->n : g->m, ld = row ? g->ldb : g->lda;
	int64_t step = row ? (g->ta ? g->lda : 1) : g->tb ? 1 : g->ldb;
	blas.sgemv(ROW_MAJOR, t ? TRANSPOSED : AS_IS, (int)(t ? g->k : results),
		(int)(t ? results : g->k), 1, row ? b : a, (int)ld, row ? a : b, (int)step, beta, c,
		(int)(row ? 1 : g->ldc));
}

void pim_gemm_f32(
	const pim_eval *e, const pim_gemm *g, const void *a, const void *b, float beta, float *c)
{
	if (use_blas(e, g) && blas.sgemv && (g->m == 1 || g->n == 1))
		multiply_vector(g, a, b, beta, c);
	else if (use_blas(e, g))
		blas.sgemm(ROW_MAJOR, g->ta ? TRANSPOSED : AS_IS, g->tb ? TRANSPOSED : AS_IS, (int)g->m,
			(int)g->n, (int)g->k, 1, a, (int)g->lda, b, (int)g->ldb, beta, c, (int)g->ldc);
	else if (e->plain)
		multiply_plain(g, a, b, beta, c);
	else
		multiply_blocked(g, a, b, beta, c);
}

void pim_gemm_f64(
	const pim_eval *e, const pim_gemm *g, const double *a, const double *b, double beta, double *c)
{
	gemm_steps s = find_steps(g);
	if (use_blas(e, g)) {
		blas.dgemm(ROW_MAJOR, g->ta ? TRANSPOSED : AS_IS, g->tb ? TRANSPOSED : AS_IS, (int)g->m,
			(int)g->n, (int)g->k, 1, a, (int)g->lda, b, (int)g->ldb, beta, c, (int)g->ldc);
		return;
	}
	for (int64_t i = 0; i < g->m; i++)
		for (int64_t j = 0; j < g->n; j++) {
			double sum = beta == 0 ? 0 : beta * c[i * g->ldc + j];
			for (int64_t k = 0; k < g->k; k++)
				sum += a[i * s.am + k * s.ak] * b[k * s.bk + j * s.bn];
			c[i * g->ldc + j] = sum;
		}
}

void pim_gemm_u64(const pim_gemm *g, const uint64_t *a, const uint64_t *b, uint64_t *c)
{
	gemm_steps s = find_steps(g);
	for (int64_t i = 0; i < g->m; i++)
		for (int64_t j = 0; j < g->n; j++) {
			uint64_t sum = 0;
			for (int64_t k = 0; k < g->k; k++)
				sum += a[i * s.am + k * s.ak] * b[k * s.bk + j * s.bn];
			c[i * g->ldc + j] = sum;
		}
}
