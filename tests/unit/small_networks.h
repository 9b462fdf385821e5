/* SPDX-License-Identifier: Apache-2.0 */
/* tests/unit/small_networks.h - random small networks with choices for every group, on random small
 * machines. */
#ifndef PIM_TESTS_SMALL_NETWORKS_H
#define PIM_TESTS_SMALL_NETWORKS_H

#include "passes/mapper.h"

#include "tests/unit/check.h"
#include "tests/unit/draw.h"

static const pim_target *random_machine(pim_arena *a)
{
	pim_target *t = PIM_NEW(a, pim_target, 1);
	t->name = "small";
	t->clock_hz = 1e9;
	t->network.size[0] = draw_in(2, 4);
	t->network.size[1] = draw_in(1, 2);
	t->network.size[2] = 1;
	t->units = t->network.size[0] * t->network.size[1];
	t->network.link_bytes_per_cycle = draw_in(4, 64);
	t->network.hop_cycles = 1;
	t->network.hop_pj = 1;
	t->memory = (pim_memory){1 << 26, draw_in(16, 256), draw_in(0, 4), 1, 1};
	t->buffer = (pim_memory){draw_in(0, 1) ? 1024 : 1 << 20, 128, 1, 0.1, 0.1};
	t->matrix.rows = t->matrix.columns = draw_in(1, 4);
	t->matrix.mac_pj = 1;
	t->vector.lanes = draw_in(1, 4);
	t->vector.step_pj = 0.5;
	t->command_cycles = 1;
	t->static_w = 0.01;
	return t;
}

/* Convolutions with what may stand between two of them, a pooling behind. */
static pim_module *make_images(pim_context *c)
{
	static const char *const between[] = {"relu %a : f32[1,4,6,6]", "add %a, %x : f32[1,4,6,6]",
		"transpose %a {perm = [0, 1, 3, 2]} : f32[1,4,6,6]"};
	static const char *const second[] = {
		"conv %m, %v {pads = [1, 1, 1, 1]} : f32[1,4,6,6]", "conv %m, %w1 : f32[1,4,6,6]"};
	pim_text text = {.n = 0};
	pim_text_printf(&text,
		"module {\n  graph @main(%%x: f32[1,4,6,6]) {\n    %%w = constant {absent = 1} : "
		"f32[4,4,3,3]\n"
		"    %%v = constant {absent = 1} : f32[4,4,3,3]\n    %%w1 = constant {absent = 1} : "
		"f32[4,4,1,1]\n    %%a = conv %%x, %%w {pads = [1, 1, 1, 1]} : f32[1,4,6,6]\n    %%m = "
		"%s\n    "
		"%%b = %s\n",
		between[draw_in(0, 2)], second[draw_in(0, 1)]);
	if (draw_in(0, 1))
		pim_text_str(&text, "    %r = add %b, %a : f32[1,4,6,6]\n");
	else
		pim_text_str(
			&text, "    %r = max_pool %b {kernel = [2, 2], strides = [2, 2]} : f32[1,4,3,3]\n");
	pim_text_str(&text, "    return %r\n  }\n}\n");
	pim_module *m = pim_module_parse(c, "images", pim_arena_copy(c->arena, text.s, text.n), text.n);
	CHECK(m);
	pim_text_free(&text);
	return m;
}

/* Attention: the keys transposed, heads split off. */
static pim_module *make_tokens(pim_context *c)
{
	static const char text[] =
		"module {\n  graph @main(%x: f32[1,6,8]) {\n    %w = constant {absent = 1} : f32[8,8]\n"
		"    %q = matmul %x, %w : f32[1,6,8]\n"
		"    %h = reshape %q {shape = [1, 6, 2, 4]} : f32[1,6,2,4]\n"
		"    %t = transpose %h {perm = [0, 2, 1, 3]} : f32[1,2,6,4]\n"
		"    %k = transpose %h {perm = [0, 2, 3, 1]} : f32[1,2,4,6]\n"
		"    %s = matmul %t, %k : f32[1,2,6,6]\n"
		"    %p = softmax %s {axis = 3} : f32[1,2,6,6]\n"
		"    return %p\n  }\n}\n";
	pim_module *m = pim_module_parse(c, "tokens", text, sizeof text - 1);
	CHECK(m);
	return m;
}

typedef struct net {
	pim_context *c;
	pim_mapper *m;
} net;

/* The choices of every group for a random number of units. */
static inline net make_net(int budget, pim_mapper_followers f, pim_mapper_mode mode)
{
	net n = {.c = pim_context_new()};
	pim_module *module = draw_in(0, 3) ? make_images(n.c) : make_tokens(n.c);
	pim_graph *g = module->graphs[0];
	n.m = pim_mapper_new(g, random_machine(module->arena), f, module->arena);
	for (int i = 0; i < n.m->n; i++) {
		int units = draw_in(1, n.m->units);
		pim_mapper_offer o = {.n_units = 1,
			.units = &units,
			.budget = budget,
			.most = INT64_MAX,
			.most_constants = INT64_MAX,
			.seed = (uint64_t)draw_in(0, 99),
			.mode = mode};
		CHECK(pim_mapper_choose(n.m, i, &o) > 0 && n.m->group[i].n_choices > 0);
		n.m->group[i].work = pim_mapper_work(n.m, i);
	}
	pim_mapper_find_tails(n.m);
	return n;
}

#endif
