/* SPDX-License-Identifier: Apache-2.0 */
/* Evaluates ONNX cases and says how each went: the half of tests/conformance/conformance.py that
 * must be fast.
 *
 * Reads lines `rtol atol folder` from standard input. A folder has model.onnx and
 * test_data_set_K/input_N.pb, output_N.pb. Writes one line for each: `ok`, `wrong` (values or types
 * differ) or `refused`, then the folder, what was said, and whether the program
 * could be written as ONNX with the same values, separated by tabs. A model is read again
 * for each data set, because inputs that settle shapes are taken from it. Floats are compared with
 * |a - b| <= atol + rtol |b|, both at least 1e-2 where there are 16-bit floats; everything else
 * exactly. */
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "frontends/frontend.h"

typedef struct run {
	pim_context *context;
	pim_arena *arena;
	pim_text said;
	double rtol, atol;
	const char *rewritten; /* what came of writing it as ONNX */
} run;

static bool is_there(const char *path)
{
	struct stat st;
	return stat(path, &st) == 0;
}

static void note(void *user, const pim_diag *d)
{
	run *r = user;
	if (d->severity == PIM_ERROR)
		pim_text_printf(
			&r->said, "%s%s: %s", r->said.n ? " | " : "", d->file ? d->file : "?", d->message);
}

static bool compare(run *r, int i, const pim_tensor *got, const pim_tensor *want)
{
	bool real = pim_dtype_is_float(got->type->dtype);
	pim_difference d;
	if (!want->type)
		return pim_text_printf(&r->said, "no expected output %d", i), false;
	if (got->type != want->type) {
		pim_text_printf(&r->said, "result %d is %s, expected %s", i,
			pim_type_text(got->type, r->arena), pim_type_text(want->type, r->arena));
		return false;
	}
	d = pim_tensor_compare(got, want, real ? r->rtol : 0, real ? r->atol : 0);
	if (d.beyond)
		pim_text_printf(&r->said,
			"result %d: %lld of %lld beyond, element %lld is %.9g, expected %.9g", i,
			(long long)d.beyond, (long long)got->type->elements, (long long)d.index, d.a, d.b);
	return d.beyond == 0;
}

/* Values that are rounded to 16 bits on the way differ by a step between orders of summation. */
static void allow_for_short_floats(run *r, const pim_graph *g)
{
	for (const pim_node *n = g->first; n; n = n->next)
		if (!n->type->n_parts && pim_dtype_is_float(n->type->dtype) &&
			pim_dtype_bytes(n->type->dtype) == 2 && r->rtol > 0) {
			r->rtol = r->rtol < 1e-2 ? 1e-2 : r->rtol;
			r->atol = r->atol < 1e-2 ? 1e-2 : r->atol;
		}
}

static bool evaluate(run *r, pim_graph *g, const char *data)
{
	int n = g->n_inputs, m = g->n_results;
	pim_named_tensor *in = PIM_NEW(r->arena, pim_named_tensor, n + 1);
	pim_named_tensor *want = PIM_NEW(r->arena, pim_named_tensor, m + 1);
	pim_tensor *given = PIM_NEW(r->arena, pim_tensor, n + 1);
	pim_tensor *got = PIM_NEW(r->arena, pim_tensor, m + 1);
	bool ok = true;
	allow_for_short_floats(r, g);
	if (!pim_tensors_read_dir(r->context, data, "input", n, NULL, r->arena, in) ||
		!pim_tensors_read_dir(r->context, data, "output", m, NULL, r->arena, want))
		return false;
	for (int i = 0; i < n; i++) {
		given[i] = in[i].tensor;
		if (given[i].type != g->inputs[i]->type)
			return pim_text_printf(&r->said, "input %d is %s, its data %s", i,
					   pim_type_text(g->inputs[i]->type, r->arena),
					   given[i].type ? pim_type_text(given[i].type, r->arena) : "missing"),
				   false;
	}
	if (!pim_graph_eval(g, given, got, r->arena))
		return false;
	for (int i = 0; i < m; i++)
		ok = compare(r, i, &got[i], &want[i].tensor) && ok;
	return ok;
}

/* Writes the program as ONNX, reads that and evaluates it too: what came of it, in words. */
static const char *rewrite(run *r, const pim_graph *g, const char *data)
{
	char path[] = "/tmp/rewrittenXXXXXX.onnx";
	int handle = mkstemps(path, 5);
	FILE *f = handle < 0 ? NULL : fdopen(handle, "wb");
	const char *how = "not written";
	pim_read_options o = {.data_dir = data};
	pim_context *before = r->context;
	bool written = f && pim_onnx_write(g, f);
	if (f)
		written = !fclose(f) && written;
	if (written) {
		pim_module *m;
		r->context = pim_context_new();
		pim_context_on_diag(r->context, note, r);
		m = pim_frontend_read(r->context, path, &o);
		how = m && evaluate(r, m->graphs[0], data) ? "written" : "written wrongly";
		pim_context_free(r->context);
		r->context = before;
	}
	remove(path);
	return how;
}

/* "ok", "wrong" or "refused". */
static const char *run_set(run *r, const char *model, const char *data)
{
	pim_read_options o = {.data_dir = is_there(data) ? data : NULL};
	pim_module *m = pim_frontend_read(r->context, model, &o);
	if (!m)
		return "refused";
	if (!pim_graph_verify(m->graphs[0]))
		return "wrong";
	if (o.data_dir && !evaluate(r, m->graphs[0], data))
		return "wrong";
	r->rewritten = o.data_dir ? rewrite(r, m->graphs[0], data) : "";
	return "ok";
}

static void run_case(double rtol, double atol, const char *folder)
{
	const char *how = "ok";
	run r = {.rtol = rtol, .atol = atol, .arena = pim_arena_new()};
	bool is_file = strlen(folder) > 5 && !strcmp(folder + strlen(folder) - 5, ".onnx");
	const char *model = is_file ? folder : pim_arena_printf(r.arena, "%s/model.onnx", folder);
	for (int k = 0; !strcmp(how, "ok"); k++) {
		const char *data = pim_arena_printf(r.arena, "%s/test_data_set_%d", folder, k);
		if (k && !is_there(data))
			break;
		r.context = pim_context_new();
		pim_context_on_diag(r.context, note, &r);
		how = run_set(&r, model, data);
		pim_context_free(r.context);
	}
	for (size_t i = 0; i < r.said.n; i++)
		if (r.said.s[i] == '\n' || r.said.s[i] == '\t')
			r.said.s[i] = ' ';
	printf(
		"%s\t%s\t%s\t%s\n", how, folder, r.said.n ? r.said.s : "", r.rewritten ? r.rewritten : "");
	fflush(stdout);
	pim_text_free(&r.said);
	pim_arena_free(r.arena);
}

int main(void)
{
	char line[8192], folder[8192];
	double rtol, atol;
	while (fgets(line, sizeof line, stdin))
		if (sscanf(line, "%lf %lf %8191[^\n]", &rtol, &atol, folder) == 3)
			run_case(rtol, atol, folder);
	return 0;
}
