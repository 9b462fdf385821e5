/* SPDX-License-Identifier: Apache-2.0 */
/* pipeline.c - valid random programs: the bytes decide what is drawn. On the machine stack3d with
 * six units instead of many, so that a round takes little time. Each goes through the default
 * pipeline, which verifies after every pass; its text reads back to itself; its command code is
 * simulated with all checks, and computes what the evaluator does on the program as it was drawn.
 */
#include <math.h>
#include <string.h>

#include "passes/pass.h"
#include "targets/sim.h"
#include "tests/fuzz/file.h"
#include "tests/unit/random_programs.h"

enum { MOST_NODES = 12 };

extern const char *const pim_target_yaml_stack3d;

static const char pipeline[] = "canonicalize,fold,cse,canonicalize,split-branches,"
							   "interleave-layout,map,schedule,place,lower";

static void print_message(void *user, const pim_diag *d)
{
	(void)user;
	fprintf(stderr, "%s\n", d->message);
}

/* The built-in machine with a smaller mesh, as a file. */
static void write_machine(char path[64])
{
	static const char size[] = "size: [8, 8]", small[] = "size: [3, 2]";
	const char *text = pim_target_yaml_stack3d, *at = strstr(text, size);
	if (!at)
		abort();
	char *changed = strdup(text);
	memcpy(changed + (at - text), small, sizeof small - 1);
	put_file(path, ".yaml", (const uint8_t *)changed, strlen(changed));
	free(changed);
}

static void stop(const pim_module *m, const char *why)
{
	fprintf(stderr, "%s\n%s\n", why, pim_module_print(m));
	abort();
}

static void check_text(const pim_module *m)
{
	pim_context *c = pim_context_new();
	char *printed = pim_module_print(m);
	pim_context_on_diag(c, print_message, NULL);
	pim_module *back = pim_module_parse(c, "printed", printed, strlen(printed));
	char *again = back ? pim_module_print(back) : NULL;
	if (!again || strcmp(printed, again))
		stop(m, "the text does not read back to itself");
	free(printed);
	free(again);
	pim_context_free(c);
}

/* Sums of large numbers round in another order: what is small beside the largest may differ by its
 * last bits. */
static double largest_of(const pim_tensor *t)
{
	double largest = 1;
	for (int64_t i = 0; i < t->type->elements; i++)
		largest = fmax(largest, fabs(pim_element_get(t->type->dtype, t->data, i)));
	return largest;
}

static void check_values(
	const pim_module *m, pim_graph *g, const pim_tensor *in, const pim_tensor *want, pim_arena *a)
{
	pim_sim_options o = {.values = true, .check = true, .input = in};
	pim_sim_report *r = pim_sim_run(g->code, &o, a);
	if (!r)
		stop(m, "the simulator found a fault");
	for (int i = 0; i < g->n_results; i++)
		if (pim_tensor_compare(&r->result[i], &want[i], 1e-3, 1e-3 + 1e-6 * largest_of(&want[i]))
				.beyond)
			stop(m, "values differ");
}

static void check_program(pim_module *m, pim_graph *g, pim_arena *a)
{
	char path[64];
	pim_tensor in = {
		g->inputs[0]->type, pim_arena_alloc(a, (size_t)pim_type_bytes(g->inputs[0]->type))};
	pim_tensor *want = PIM_NEW(a, pim_tensor, g->n_results);
	pim_tensor_random(&in, 3);
	if (!pim_graph_eval(g, &in, want, a))
		stop(m, "the program cannot be evaluated");
	check_text(m);
	write_machine(path);
	if (!pim_run(m, pipeline, path))
		stop(m, "the pipeline failed");
	check_text(m);
	check_values(m, g, &in, want, a);
	unlink(path);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	seed = n;
	draw_bytes = data;
	draw_left = n;
	pim_context *c = pim_context_new();
	pim_arena *a = pim_arena_new();
	pim_context_on_diag(c, print_message, NULL);
	pim_module *m = pim_module_new(c);
	pim_graph *g = pim_graph_new(m, "main");
	draw_program(g, c, MOST_NODES);
	check_program(m, g, a);
	pim_arena_free(a);
	pim_context_free(c);
	return check_failures != 0;
}
