/* SPDX-License-Identifier: Apache-2.0 */
/* driver/evaluate.c - --eval: the program on tensors from files or seeded ones, its results against
 * the expected.
 *
 * An element is beyond the tolerance when |got - expected| > atol + rtol |expected|; integers and
 * bools must be equal. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "driver/driver.h"

typedef struct evaluation {
	session *s;
	pim_graph *g;
	pim_arena *arena;
	pim_named_tensor *in, *expected;
	pim_tensor *out;
	const char **in_names, **out_names;
} evaluation;

static const char *name_result(const pim_graph *g, int i, pim_arena *a)
{
	if (g->result_names && g->result_names[i])
		return g->result_names[i];
	return pim_node_label(g->results[i], a) + 1;
}

static void collect_names(evaluation *e)
{
	const pim_graph *g = e->g;
	e->in_names = PIM_NEW(e->arena, const char *, g->n_inputs + 1);
	e->out_names = PIM_NEW(e->arena, const char *, g->n_results + 1);
	for (int i = 0; i < g->n_inputs; i++)
		e->in_names[i] = pim_node_label(g->inputs[i], e->arena) + 1;
	for (int i = 0; i < g->n_results; i++)
		e->out_names[i] = name_result(g, i, e->arena);
	e->in = PIM_NEW(e->arena, pim_named_tensor, g->n_inputs + 1);
	e->expected = PIM_NEW(e->arena, pim_named_tensor, g->n_results + 1);
	e->out = PIM_NEW(e->arena, pim_tensor, g->n_results + 1);
}

static void make_inputs(evaluation *e)
{
	const char *v = e->s->o->value[OPT_seed];
	uint64_t seed = v ? strtoull(v, NULL, 10) : 0;
	for (int i = 0; i < e->g->n_inputs; i++) {
		pim_tensor *t = &e->in[i].tensor;
		t->type = e->g->inputs[i]->type;
		t->data = pim_arena_raw(e->arena, (size_t)pim_type_bytes(t->type) + 1);
		pim_tensor_random(t, seed + (uint64_t)i);
	}
}

static bool check_inputs(evaluation *e)
{
	const char *dir = e->s->o->value[OPT_data];
	bool good = true;
	for (int i = 0; i < e->g->n_inputs; i++) {
		const pim_type *want = e->g->inputs[i]->type, *have = e->in[i].tensor.type;
		if (!have)
			good = pim_node_error(
				e->g->inputs[i], "%s has no data for input %d '%s'", dir, i, e->in_names[i]);
		else if (have != want)
			good = pim_node_error(e->g->inputs[i], "input %d '%s' is %s, but its data in %s is %s",
				i, e->in_names[i], pim_type_text(want, e->arena), dir,
				pim_type_text(have, e->arena));
	}
	return good;
}

static bool check_folder(pim_context *c, const char *dir)
{
	struct stat st;
	if (stat(dir, &st))
		return pim_file_error(c, dir, "cannot open: %s", strerror(errno));
	if (!S_ISDIR(st.st_mode))
		return pim_file_error(
			c, dir, "is not a folder; --data takes one with input_0.pb or input_0.npy and so on");
	return true;
}

static bool read_inputs(evaluation *e)
{
	const char *dir = e->s->o->value[OPT_data];
	pim_context *c = e->s->context;
	if (dir)
		return check_folder(c, dir) &&
			   pim_tensors_read_dir(
				   c, dir, "input", e->g->n_inputs, e->in_names, e->arena, e->in) &&
			   check_inputs(e);
	make_inputs(e);
	return true;
}

static bool read_expected(evaluation *e)
{
	const char *dir = e->s->o->value[OPT_data];
	return !dir || pim_tensors_read_dir(e->s->context, dir, "output", e->g->n_results, e->out_names,
					   e->arena, e->expected);
}

static pim_tensor *list_inputs(const evaluation *e)
{
	pim_tensor *in = PIM_NEW(e->arena, pim_tensor, e->g->n_inputs + 1);
	for (int i = 0; i < e->g->n_inputs; i++)
		in[i] = e->in[i].tensor;
	return in;
}

pim_tensor *evaluate_read_inputs(session *s, pim_graph *g, pim_arena *a)
{
	evaluation e = {.s = s, .g = g, .arena = a};
	collect_names(&e);
	return read_inputs(&e) ? list_inputs(&e) : NULL;
}

static bool run(evaluation *e)
{
	pim_eval_options o = {.threads = e->s->o->threads, .imagine = true};
	pim_constants_warn_absent(e->g);
	return pim_graph_eval_with(e->g, list_inputs(e), e->out, e->arena, &o);
}

/* ---- what came out ---- */

static bool compare_output(evaluation *e, int i, FILE *out)
{
	const options *o = e->s->o;
	const pim_tensor *got = &e->out[i], *want = &e->expected[i].tensor;
	fprintf(out, "%s %s: ", e->out_names[i], pim_type_text(got->type, e->arena));
	if (!want->type) {
		fprintf(out, "nothing to compare with\n");
		return true;
	}
	if (want->type != got->type) {
		fprintf(out, "expected %s\n", pim_type_text(want->type, e->arena));
		return false;
	}
	bool real = pim_dtype_is_float(got->type->dtype);
	double rtol = real ? o->rtol : 0, atol = real ? o->atol : 0;
	pim_difference d = pim_tensor_compare(got, want, rtol, atol);
	fprintf(out, "largest difference %.3g absolute, %.3g relative, %.0f ulp; ", d.absolute,
		d.relative, d.ulp);
	if (!d.beyond)
		fprintf(out, "within rtol=%g atol=%g\n", rtol, atol);
	else
		fprintf(out,
			"%lld of %lld elements beyond rtol=%g atol=%g, worst element %lld is %.9g, expected "
			"%.9g\n",
			(long long)d.beyond, (long long)got->type->elements, rtol, atol, (long long)d.index,
			d.a, d.b);
	return !d.beyond;
}

static bool save_tensors(evaluation *e, const char *what, int n, const pim_tensor *t)
{
	const char *dir = e->s->o->value[OPT_save_outputs];
	pim_context *c = e->s->context;
	for (int i = 0; i < n; i++)
		if (!pim_tensor_write_npy(
				c, pim_arena_printf(e->arena, "%s/%s_%d.npy", dir, what, i), &t[i]))
			return false;
	return true;
}

/* Results in an archive; or in a folder, with inputs that were made here, so that it can be --data.
 */
static bool save(evaluation *e)
{
	const char *dir = e->s->o->value[OPT_save_outputs];
	size_t length = strlen(dir);
	if (length > 4 && !strcmp(dir + length - 4, ".npz"))
		return pim_tensors_write_npz(e->s->context, dir, e->g->n_results, e->out_names, e->out);
	if (mkdir(dir, 0777) && errno != EEXIST)
		return pim_file_error(e->s->context, dir, "cannot make this folder: %s", strerror(errno));
	return save_tensors(
			   e, "input", e->s->o->value[OPT_data] ? 0 : e->g->n_inputs, list_inputs(e)) &&
		   save_tensors(e, "output", e->g->n_results, e->out);
}

static bool report_outputs(evaluation *e, FILE *out)
{
	bool good = true, compared = false;
	for (int i = 0; i < e->g->n_results; i++) {
		good &= compare_output(e, i, out);
		compared |= e->expected[i].tensor.type != NULL;
	}
	if (e->s->o->value[OPT_save_outputs])
		good &= save(e);
	if (e->s->o->value[OPT_data] && !compared && e->g->n_results)
		pim_report(e->s->context, PIM_WARNING, e->g->loc, "%s has no outputs to compare with",
			e->s->o->value[OPT_data]);
	return good;
}

bool evaluate_module(session *s, const pim_module *m, FILE *out)
{
	bool good = true;
	if (m->n_graphs != 1)
		return pim_error(s->context, (pim_loc){0, 0},
			"--eval needs one graph, and this module has %d", m->n_graphs);
	evaluation e = {.s = s, .g = m->graphs[0], .arena = pim_arena_new()};
	collect_names(&e);
	good = read_inputs(&e) && read_expected(&e) && run(&e) && report_outputs(&e, out);
	pim_arena_free(e.arena);
	return good;
}
