/* SPDX-License-Identifier: Apache-2.0 */
/* Values of one block against values that have memory of their own: random programs, node by node,
 * and that the block is no larger than all values and no smaller than the largest. */
#include <string.h>

#include "random_programs.h"

typedef struct twin {
	pim_tensor *value; /* by node id */
	pim_arena *arena;
	int compared;
} twin;

/* Every node from what the twin knows of its inputs. */
static void compare_value(void *user, const pim_node *n, const pim_tensor *got)
{
	twin *t = user;
	pim_tensor in[8] = {{0}}, *own = t->value + n->id;
	CHECK(n->n_in <= 8);
	for (uint32_t i = 0; i < n->n_in; i++)
		if (n->in[i])
			in[i] = t->value[n->in[i]->id];
	own->type = n->type;
	own->data = pim_arena_alloc(t->arena, (size_t)pim_type_bytes(n->type) + 1);
	pim_eval e = {.context = pim_context_of(n), .scratch = t->arena, .threads = 1};
	if (n->op == PIM_OP_input)
		memcpy(own->data, got->data, (size_t)pim_type_bytes(n->type));
	else
		CHECK(pim_node_eval(n, in, own, &e));
	CHECK(!memcmp(own->data, got->data, (size_t)pim_type_bytes(n->type)));
	t->compared++;
}

static void check_size(const pim_graph *g, pim_arena *a)
{
	const pim_storage *s = pim_storage_plan(g, a);
	int64_t total = 0, most = 0;
	for (const pim_node *n = g->first; n; n = n->next) {
		int64_t room = n->op == PIM_OP_input || s->fixed[n->id] || s->owner[n->id] != n->id
						   ? 0
						   : pim_storage_room(n->type);
		total += room;
		most = room > most ? room : most;
		CHECK(room == 0 || s->at[n->id] + room <= s->bytes);
	}
	CHECK(s->bytes <= total && s->bytes >= most);
}

static void check_program(uint64_t from)
{
	pim_context *c = pim_context_new();
	pim_graph *g = pim_graph_new(pim_module_new(c), "main");
	pim_arena *a = pim_arena_new();
	seed = from;
	draw_program(g, c, 24);
	twin t = {.value = PIM_NEW(a, pim_tensor, g->n_ids), .arena = a};
	pim_tensor *in = PIM_NEW(a, pim_tensor, g->n_inputs + 1),
			   *out = PIM_NEW(a, pim_tensor, g->n_results + 1);
	for (int i = 0; i < g->n_inputs; i++) {
		in[i] = (pim_tensor){
			g->inputs[i]->type, pim_arena_alloc(a, (size_t)pim_type_bytes(g->inputs[i]->type) + 1)};
		pim_tensor_random(&in[i], from + (uint64_t)i);
	}
	CHECK(pim_graph_eval_with(
		g, in, out, a, &(pim_eval_options){.threads = 1, .on_value = compare_value, .user = &t}));
	for (int i = 0; i < g->n_results; i++)
		CHECK(!memcmp(
			out[i].data, t.value[g->results[i]->id].data, (size_t)pim_type_bytes(out[i].type)));
	CHECK(t.compared > 0);
	check_size(g, a);
	pim_arena_free(a);
	pim_context_free(c);
}

int main(void)
{
	for (uint64_t i = 1; i <= 300; i++)
		check_program(i);
	return check_failures != 0;
}
