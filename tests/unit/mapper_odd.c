/* SPDX-License-Identifier: Apache-2.0 */
/* mapper_odd - map-network and place on networks of odd shapes: many operands, long ways of moves
 * from inputs and from ops, moves that start later than a reader could. */
#include "passes/pass.h"

#include <string.h>

#include "tests/unit/check.h"

static void run(const char *name, pim_text *body)
{
	pim_context *c = pim_context_new();
	pim_arena *a = pim_arena_new();
	pim_text text = {.n = 0};
	pim_text_printf(
		&text, "module {\n  graph @main(%%x: f32[8,64]) {\n%.*s  }\n}\n", (int)body->n, body->s);
	pim_module *m = pim_module_parse(c, name, text.s, text.n);
	const pim_target *t = pim_target_find(c, "stack3d");
	CHECK(m && t);
	for (int k = 0; k < 3; k++) {
		static const char *const passes[] = {"map-network{budget=2 width=2},place",
			"map-network{strategy=forward budget=2 shares=equal},place",
			"map-network{metric=transform run=transform budget=2 width=2 shares=macs},place"};
		pim_pipeline *p = pim_pipeline_parse(c, passes[k], a);
		pim_run_options o = {.no_verify = false};
		pim_run_report report = {0};
		bool good = m && p && pim_pipeline_run(m, p, t, &o, &report, a);
		if (!good)
			printf("%s: %s\n", name, passes[k]);
		CHECK(good);
	}
	pim_text_free(&text);
	pim_text_free(body);
	pim_arena_free(a);
	pim_context_free(c);
}

/* A concat of so many values, each computed, read by one op. */
static void join_many(int n)
{
	pim_text t = {.n = 0};
	for (int i = 0; i < n; i++)
		pim_text_printf(&t, "    %%r%d = %s %%x : f32[8,64]\n", i, i % 2 ? "relu" : "exp");
	pim_text_printf(&t, "    %%c = concat ");
	for (int i = 0; i < n; i++)
		pim_text_printf(&t, "%s%%r%d", i ? ", " : "", i);
	pim_text_printf(&t, " {axis = 1} : f32[8,%d]\n", 64 * n);
	pim_text_printf(&t, "    %%s = softmax %%c {axis = 1} : f32[8,%d]\n    return %%s\n", 64 * n);
	run("many operands", &t);
}

/* So many transposes of an input or of what an op has made. */
static void move_far(int n, bool computed)
{
	pim_text t = {.n = 0};
	if (computed)
		pim_text_str(&t, "    %w = constant {value = 0.5} : f32[64,64]\n"
						 "    %m = matmul %x, %w : f32[8,64]\n");
	for (int i = 0; i < n; i++) {
		pim_text_printf(&t, "    %%t%d = transpose %%", i);
		if (i)
			pim_text_printf(&t, "t%d", i - 1);
		else
			pim_text_str(&t, computed ? "m" : "x");
		pim_text_printf(&t, " {perm = [1, 0]} : f32[%s]\n", i % 2 ? "8,64" : "64,8");
	}
	pim_text_printf(&t, "    %%s = softmax %%t%d {axis = 1} : f32[%s]\n    return %%s\n", n - 1,
		n % 2 ? "64,8" : "8,64");
	run(computed ? "a long way from an op" : "a long way from an input", &t);
}

/* Concats of concats: what a reader's first step needs is there long before the last part is. */
static void nest_joins(int n)
{
	pim_text t = {.n = 0};
	pim_text_str(
		&t, "    %w = constant {value = 0.5} : f32[64,64]\n    %c0 = relu %x : f32[8,64]\n");
	for (int i = 1; i <= n; i++) {
		pim_text_printf(&t, "    %%s%d = softmax %%c%d {axis = 0} : f32[8,%d]\n", i, i - 1, 64 * i);
		pim_text_printf(
			&t, "    %%h%d = slice %%s%d {starts = [0, 0], sizes = [8, 64]} : f32[8,64]\n", i, i);
		pim_text_printf(&t, "    %%m%d = matmul %%h%d, %%w : f32[8,64]\n", i, i);
		pim_text_printf(&t, "    %%c%d = concat %%c%d, %%m%d {axis = 1} : f32[8,%d]\n", i, i - 1, i,
			64 * (i + 1));
	}
	pim_text_printf(
		&t, "    %%e = softmax %%c%d {axis = 0} : f32[8,%d]\n    return %%e\n", n, 64 * (n + 1));
	run("joins of joins", &t);
}

/* Each value joined with itself, halved again: ways double with each. */
static void double_ways(int n)
{
	pim_text t = {.n = 0};
	pim_text_str(&t, "    %h0 = relu %x : f32[8,64]\n");
	for (int i = 1; i <= n; i++) {
		pim_text_printf(
			&t, "    %%c%d = concat %%h%d, %%h%d {axis = 0} : f32[16,64]\n", i, i - 1, i - 1);
		pim_text_printf(
			&t, "    %%h%d = slice %%c%d {starts = [4, 0], sizes = [8, 64]} : f32[8,64]\n", i, i);
	}
	pim_text_printf(&t, "    %%e = softmax %%h%d {axis = 1} : f32[8,64]\n    return %%e\n", n);
	run("ways that double", &t);
}

int main(void)
{
	double_ways(3);
	double_ways(40);
	join_many(3);
	join_many(70);
	move_far(16, true);
	move_far(18, true);
	move_far(18, false);
	nest_joins(3);
	nest_joins(20);
	return check_failures != 0;
}
