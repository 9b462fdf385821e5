/* SPDX-License-Identifier: Apache-2.0 */
/* Real networks with known outputs: each is imported, verified and evaluated on its data.
 *
 * They are in the folder that the environment variable PIM_DATA names, else ../shared/data, and are
 * left out with a message where there is none. Tolerance: |a - b| <= 1e-4 + 1e-3 |b| for floats
 * (atol 5e-3 for f16); integers, and networks whose floats hold integers (int8_*), exactly. A model
 * without data must import; one with operators that nobody has must be refused. */
#include <dirent.h>
#include <string.h>
#include <sys/stat.h>

#include "frontends/frontend.h"
#include "tests/unit/check.h"

/* Networks that need operators which are not there: refused, with the operators named. */
static const char *const refused[] = {""};

typedef struct run {
	pim_context *context;
	pim_arena *arena;
	const char *name, *data; /* data: its folder, NULL without */
	pim_graph *graph;
} run;

static bool is_folder(const char *path)
{
	struct stat st;
	return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

static bool is_refused(const char *name)
{
	for (size_t i = 0; i < sizeof refused / sizeof *refused; i++)
		if (!strcmp(name, refused[i]))
			return true;
	return false;
}

static void show(void *user, const pim_diag *d)
{
	(void)user;
	if (d->severity == PIM_ERROR)
		pim_diag_print(d, stderr, false);
}

static bool compare(const run *r, int i, const pim_tensor *got, const pim_tensor *want)
{
	bool is_exact = !pim_dtype_is_float(got->type->dtype) || !strncmp(r->name, "int8_", 5);
	double atol = got->type->dtype == PIM_DTYPE_f16 ? 5e-3 : 1e-4;
	pim_difference d;
	if (got->type != want->type)
		return false;
	d = pim_tensor_compare(got, want, is_exact ? 0 : 1e-3, is_exact ? 0 : atol);
	if (d.beyond)
		fprintf(stderr, "%s: result %d: %lld elements beyond, element %lld is %g, expected %g\n",
			r->name, i, (long long)d.beyond, (long long)d.index, d.a, d.b);
	return d.beyond == 0;
}

static bool evaluate(const run *r)
{
	pim_graph *g = r->graph;
	int n = g->n_inputs, m = g->n_results;
	pim_named_tensor *in = PIM_NEW(r->arena, pim_named_tensor, n + 1);
	pim_named_tensor *want = PIM_NEW(r->arena, pim_named_tensor, m + 1);
	pim_tensor *given = PIM_NEW(r->arena, pim_tensor, n + 1),
			   *got = PIM_NEW(r->arena, pim_tensor, m + 1);
	bool ok = true;
	if (!pim_tensors_read_dir(r->context, r->data, "input", n, NULL, r->arena, in) ||
		!pim_tensors_read_dir(r->context, r->data, "output", m, NULL, r->arena, want))
		return false;
	for (int i = 0; i < n; i++)
		given[i] = in[i].tensor;
	if (!pim_graph_eval(g, given, got, r->arena))
		return false;
	for (int i = 0; i < m; i++)
		ok = compare(r, i, &got[i], &want[i].tensor) && ok;
	return ok;
}

/* True when the model behaves as it should. */
static bool check_model(run *r, const char *path)
{
	pim_read_options o = {.data_dir = r->data};
	pim_module *m = pim_frontend_read(r->context, path, &o);
	if (is_refused(r->name))
		return !m && pim_context_errors(r->context) > 0;
	if (!m)
		return false;
	r->graph = m->graphs[0];
	return pim_graph_verify(r->graph) && (!r->data || evaluate(r));
}

static void test_model(const char *folder, const char *name)
{
	run r = {pim_context_new(), pim_arena_new(), name, NULL, NULL};
	const char *data = pim_arena_printf(r.arena, "%s/%s/test_data_set_0", folder, name);
	bool ok;
	r.data = is_folder(data) ? data : NULL;
	if (!is_refused(name))
		pim_context_on_diag(r.context, show, NULL);
	ok = check_model(&r, pim_arena_printf(r.arena, "%s/%s/model.onnx", folder, name));
	printf("%s %s%s\n", ok ? "ok  " : "FAIL", name, r.data ? "" : " (import only)");
	CHECK(ok);
	pim_arena_free(r.arena);
	pim_context_free(r.context);
}

static int test_folder(const char *root, const char *sub)
{
	char folder[4096];
	struct dirent **entries;
	int n, tested = 0;
	snprintf(folder, sizeof folder, "%s/%s", root, sub);
	n = scandir(folder, &entries, NULL, alphasort);
	for (int i = 0; i < n; i++) {
		char path[8192];
		snprintf(path, sizeof path, "%s/%s/model.onnx", folder, entries[i]->d_name);
		FILE *f = fopen(path, "rb");
		if (f) {
			fclose(f);
			test_model(folder, entries[i]->d_name);
			tested++;
		}
		free(entries[i]);
	}
	if (n >= 0)
		free(entries);
	return tested;
}

int main(void)
{
	const char *root = getenv("PIM_DATA");
	int n;
	if (!root || !*root)
		root = "../shared/data";
	n = test_folder(root, "networks") + test_folder(root, "graphs");
	if (n == 0)
		printf("skipped: there are no networks in %s (set PIM_DATA)\n", root);
	return check_failures != 0;
}
