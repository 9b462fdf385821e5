/* SPDX-License-Identifier: Apache-2.0 */
/* eval - the meaning of programs: runs a graph on the host, one node after the other.
 *
 * Values lie where storage.c planned them, and constants in memory are used where they are, so the
 * peak is what the network itself needs. */
#include "ir/op_rules.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

/* Values of one run, by node id, and the block that holds them. */
typedef struct eval_run {
	pim_tensor *value;
	const pim_storage *storage;
	char *block;
	pim_arena *arena; /* the tables above */
} eval_run;

/* Memory that the caller frees; never NULL. Pages that are never touched take no room. */
static void *take_memory(int64_t bytes)
{
	enum { PAGE = 4096, HUGE_PAGE = 1 << 21 };
	size_t page = bytes < 4 * HUGE_PAGE ? PAGE : HUGE_PAGE;
	size_t room = ((size_t)bytes + page) / page * page;
	void *p = aligned_alloc(page, room);
	if (!p)
		PIM_BUG("no memory for values of %lld bytes", (long long)bytes);
	if (page == HUGE_PAGE)
		madvise(p, room, MADV_HUGEPAGE);
	return p;
}

static bool is_tuple(const pim_type *t)
{
	return t->n_parts > 0;
}

/* Gives t its place at `at`, and what stands behind it. A tuple's data is an array of tensors. */
static char *put_at(pim_tensor *t, const pim_type *type, char *at, pim_arena *tables)
{
	t->type = type;
	t->data = at;
	if (!is_tuple(type))
		return at + pim_storage_room(type);
	pim_tensor *parts = PIM_NEW(tables, pim_tensor, type->n_parts);
	t->data = parts;
	for (int i = 0; i < type->n_parts; i++)
		at = put_at(&parts[i], type->parts[i], at, tables);
	return at;
}

bool pim_node_eval(const pim_node *n, const pim_tensor *in, pim_tensor *out, pim_eval *e)
{
	return pim_op_at((pim_op)n->op)->eval(n, in, out, e);
}

static eval_run *start_run(const pim_graph *g, pim_arena *a)
{
	eval_run *r = PIM_NEW(a, eval_run, 1);
	r->arena = a;
	r->value = PIM_NEW(a, pim_tensor, g->n_ids);
	r->storage = pim_storage_plan(g, a);
	r->block = take_memory(r->storage->bytes);
	return r;
}

static bool have_type_of(const pim_node *n, const pim_tensor *t)
{
	const pim_type *want = n->type, *got = t->type;
	bool same = got && t->data && got->dtype == want->dtype && got->rank == want->rank &&
				got->n_parts == want->n_parts;
	for (int d = 0; same && d < want->rank; d++)
		same = got->dims[d] == want->dims[d];
	if (same)
		return true;
	return pim_node_error(n, "value given is %s, expected %s",
		got && t->data ? pim_rule_text(n, got) : "absent", pim_rule_text(n, want));
}

static bool put_inputs(const pim_graph *g, eval_run *r, const pim_tensor *in)
{
	bool good = true;
	for (int i = 0; i < g->n_inputs; i++) {
		uint32_t id = g->inputs[i]->id;
		good = have_type_of(g->inputs[i], &in[i]) && good;
		r->value[id] = (pim_tensor){.type = g->inputs[i]->type, .data = in[i].data};
	}
	return good;
}

/* Inputs of n as tensors; scratch holds the array. */
static pim_tensor *collect_inputs(const pim_node *n, const eval_run *r, pim_arena *scratch)
{
	pim_tensor *in = PIM_NEW(scratch, pim_tensor, n->n_in + 1);
	for (uint32_t i = 0; i < n->n_in; i++)
		if (n->in[i])
			in[i] = r->value[n->in[i]->id];
	return in;
}

static bool make_value(const pim_node *n, eval_run *r, const pim_eval_options *o)
{
	const pim_storage *s = r->storage;
	pim_tensor *out = &r->value[n->id];
	if (s->fixed[n->id]) {
		out->type = n->type;
		memcpy(&out->data, &s->fixed[n->id], sizeof out->data);
		return true;
	}
	if (s->owner[n->id] != n->id) {
		*out = (pim_tensor){.type = n->type, .data = r->value[n->in[0]->id].data};
		return true;
	}
	pim_eval e = {.context = pim_context_of(n),
		.scratch = pim_arena_new(),
		.threads = o->threads > 1 ? o->threads : 1,
		.plain = o->plain,
		.imagine = o->imagine};
	put_at(out, n->type, r->block + s->at[n->id], r->arena);
	bool good = pim_node_eval(n, collect_inputs(n, r, e.scratch), out, &e);
	pim_arena_free(e.scratch);
	return good;
}

static bool run_nodes(const pim_graph *g, eval_run *r, const pim_eval_options *o)
{
	for (const pim_node *n = g->first; n; n = n->next) {
		if (n->op != PIM_OP_input && !make_value(n, r, o))
			return false;
		if (o->on_value && !is_tuple(n->type))
			o->on_value(o->user, n, &r->value[n->id]);
	}
	return true;
}

static void copy_results(const pim_graph *g, const eval_run *r, pim_tensor *out, pim_arena *arena)
{
	for (int i = 0; i < g->n_results; i++) {
		const pim_tensor *v = &r->value[g->results[i]->id];
		size_t bytes = (size_t)pim_type_bytes(v->type);
		out[i] = (pim_tensor){.type = v->type, .data = pim_arena_raw(arena, bytes + 1)};
		memcpy(out[i].data, v->data, bytes);
	}
}

static bool can_be_results(const pim_graph *g)
{
	for (int i = 0; i < g->n_results; i++)
		if (is_tuple(g->results[i]->type))
			return pim_node_error(
				g->results[i], "a result is a tuple, expected a tensor (use get)");
	return true;
}

bool pim_graph_eval_with(pim_graph *g, const pim_tensor *in, pim_tensor *out, pim_arena *arena,
	const pim_eval_options *o)
{
	pim_arena *tables = pim_arena_new();
	eval_run *r = start_run(g, tables);
	bool good = can_be_results(g) && put_inputs(g, r, in) && run_nodes(g, r, o);
	if (good)
		copy_results(g, r, out, arena);
	free(r->block);
	pim_arena_free(tables);
	return good;
}

bool pim_graph_eval(pim_graph *g, const pim_tensor *in, pim_tensor *out, pim_arena *arena)
{
	return pim_graph_eval_with(g, in, out, arena, &(pim_eval_options){.threads = 1});
}

static bool are_inputs_known(const pim_node *n)
{
	for (uint32_t i = 0; i < n->n_in; i++) {
		const pim_data *d = NULL;
		if (n->in[i] && n->in[i]->op == PIM_OP_constant)
			d = pim_constant_data(n->in[i]);
		if (n->in[i] && (!d || d->kind == PIM_DATA_absent))
			return false;
	}
	return n->n_in > 0;
}

static bool is_one_element(const void *bytes, size_t element, int64_t n)
{
	size_t total = element * (size_t)n;
	return n > 1 && !memcmp(bytes, (const char *)bytes + element, total - element);
}

/* A constant with a value, made of `bytes`, which are copied: one element when all are the same. */
static pim_node *keep_value(pim_node *n, const void *bytes)
{
	pim_arena *a = n->graph->module->arena;
	size_t element = pim_dtype_bytes(n->type->dtype);
	bool splat = is_one_element(bytes, element, n->type->elements);
	size_t keep = splat ? element : (size_t)pim_type_bytes(n->type);
	void *own = pim_arena_raw(a, keep + 1);
	memcpy(own, bytes, keep);
	pim_data *d = PIM_NEW(a, pim_data, 1);
	*d = (pim_data){.kind = splat ? PIM_DATA_splat : PIM_DATA_dense, .bytes = own};
	return pim_constant_make(n->graph, n->type, d, n);
}

/* The values of n's constant inputs; elements that cannot be used where they are go to scratch. */
static bool load_inputs(const pim_node *n, pim_tensor *in, pim_eval *e)
{
	for (uint32_t i = 0; i < n->n_in; i++) {
		if (!n->in[i])
			continue;
		const void *elements = pim_constant_elements(n->in[i]);
		in[i].type = n->in[i]->type;
		if (elements) {
			memcpy(&in[i].data, &elements, sizeof elements);
			continue;
		}
		in[i].data = pim_arena_raw(e->scratch, (size_t)pim_type_bytes(in[i].type) + 1);
		if (!pim_node_eval(n->in[i], NULL, &in[i], e))
			return false;
	}
	return true;
}

pim_node *pim_node_to_constant(pim_node *n, int64_t limit)
{
	if (!n->type || is_tuple(n->type) || n->type->elements > limit || !are_inputs_known(n))
		return n;
	pim_eval e = {.context = pim_context_of(n), .scratch = pim_arena_new(), .threads = 1};
	pim_tensor *in = PIM_NEW(e.scratch, pim_tensor, n->n_in);
	pim_tensor out = {.type = n->type, .data = take_memory(pim_type_bytes(n->type))};
	bool good = load_inputs(n, in, &e) && pim_node_eval(n, in, &out, &e);
	pim_node *made = good ? keep_value(n, out.data) : NULL;
	free(out.data);
	pim_arena_free(e.scratch);
	return made;
}
