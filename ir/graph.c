/* SPDX-License-Identifier: Apache-2.0 */
/* graph - modules, graphs and nodes: making them, taking them apart, names and numbers.
 *
 * A node gets its number when it is made, unless it has a name from the start; a node that loses
 * its name gets a number then. */
#include <assert.h>
#include <string.h>

#include "ir/ir.h"

pim_module *pim_module_new(pim_context *c)
{
	pim_arena *a = pim_arena_new();
	pim_module *m = PIM_NEW(a, pim_module, 1);
	m->context = c;
	m->arena = a;
	if (c->n_modules == c->room_modules) {
		int room = c->room_modules ? c->room_modules * 2 : 4;
		pim_module **more = PIM_NEW(c->arena, pim_module *, room);
		if (c->n_modules)
			memcpy(more, c->modules, sizeof *more * (size_t)c->n_modules);
		c->modules = more;
		c->room_modules = room;
	}
	c->modules[c->n_modules++] = m;
	return m;
}

void pim_module_discard(pim_module *m)
{
	pim_context *c = m->context;
	assert(c->n_modules && c->modules[c->n_modules - 1] == m);
	c->n_modules--;
	pim_arena_free(m->arena);
}

int pim_module_graph_count(const pim_module *m)
{
	return m->n_graphs;
}
pim_graph *pim_module_graph(const pim_module *m, int i)
{
	return m->graphs[i];
}

/* Room for one more in a list of pointers that lives in the module's arena. */
static void *make_room(pim_module *m, void *list, int n, int *room)
{
	return pim_arena_grow(m->arena, list, n, room, sizeof(void *));
}

pim_graph *pim_graph_new(pim_module *m, const char *name)
{
	pim_graph *g = PIM_NEW(m->arena, pim_graph, 1);
	g->module = m;
	g->name = pim_intern(m->context, name, strlen(name));
	m->graphs = make_room(m, m->graphs, m->n_graphs, &m->room_graphs);
	m->graphs[m->n_graphs++] = g;
	return g;
}

const char *pim_graph_name(const pim_graph *g)
{
	return g->name;
}
pim_context *pim_graph_context(const pim_graph *g)
{
	return g->module->context;
}
pim_node *pim_graph_first(const pim_graph *g)
{
	return g->first;
}
pim_node *pim_node_next(const pim_node *n)
{
	return n->next;
}
pim_node *pim_node_prev(const pim_node *n)
{
	return n->prev;
}
int pim_graph_result_count(const pim_graph *g)
{
	return g->n_results;
}
pim_node *pim_graph_result(const pim_graph *g, int i)
{
	return g->results[i];
}
int pim_graph_id_limit(const pim_graph *g)
{
	return (int)g->n_ids;
}
void pim_graph_add_result(pim_graph *g, pim_node *n)
{
	pim_graph_add_named_result(g, n, NULL);
}

void pim_graph_add_named_result(pim_graph *g, pim_node *n, const char *name)
{
	pim_module *m = g->module;
	int room = g->room_results;
	g->results = make_room(m, g->results, g->n_results, &room);
	g->result_names = make_room(m, g->result_names, g->n_results, &g->room_results);
	g->results[g->n_results] = n;
	g->result_names[g->n_results++] = name ? pim_intern(m->context, name, strlen(name)) : NULL;
}

int pim_node_id(const pim_node *n)
{
	return (int)n->id;
}
const char *pim_node_op(const pim_node *n)
{
	return pim_op_at((pim_op)n->op)->name;
}
bool pim_node_is(const pim_node *n, const char *op)
{
	return !strcmp(pim_node_op(n), op);
}
const pim_type *pim_node_type(const pim_node *n)
{
	return n->type;
}
int pim_node_input_count(const pim_node *n)
{
	return (int)n->n_in;
}
pim_node *pim_node_input(const pim_node *n, int i)
{
	return n->in[i];
}

void pim_node_link(pim_node *n, pim_node *before)
{
	pim_graph *g = n->graph;
	assert(!before || before->graph == g);
	n->next = before;
	n->prev = before ? before->prev : g->last;
	*(n->prev ? &n->prev->next : &g->first) = n;
	*(before ? &before->prev : &g->last) = n;
}

void pim_node_unlink(pim_node *n)
{
	pim_graph *g = n->graph;
	*(n->prev ? &n->prev->next : &g->first) = n->next;
	*(n->next ? &n->next->prev : &g->last) = n->prev;
	n->next = n->prev = NULL;
}

pim_node *pim_node_make_numbered(pim_graph *g, pim_op op, int n, uint32_t number)
{
	pim_node *node = pim_arena_raw(g->module->arena, sizeof *node + sizeof *node->in * (size_t)n);
	node->graph = g;
	node->op = (uint16_t)op;
	node->n_in = (uint32_t)n;
	node->id = g->n_ids++;
	node->number = number;
	return node;
}

pim_node *pim_node_make(pim_graph *g, pim_op op, int n, pim_node *const *in, pim_node *before)
{
	pim_node *node = pim_node_make_numbered(g, op, n, g->n_numbers++);
	if (n)
		memcpy(node->in, in, sizeof *in * (size_t)n);
	pim_node_link(node, before);
	return node;
}

static bool check_count(pim_graph *g, const pim_op_info *op, int n)
{
	if (n >= op->min_inputs && (op->max_inputs < 0 || n <= op->max_inputs))
		return true;
	return pim_error(g->module->context, g->loc, "%s has %d inputs, expected %d to %d", op->name, n,
		op->min_inputs, op->max_inputs);
}

pim_node *pim_node_new(pim_graph *g, const char *op, int n, pim_node *const *in, pim_node *before)
{
	pim_op number = pim_op_find(op, strlen(op));
	if (number == PIM_OP_COUNT) {
		pim_error(g->module->context, g->loc, "there is no op %s", op);
		return NULL;
	}
	return check_count(g, pim_op_at(number), n) ? pim_node_make(g, number, n, in, before) : NULL;
}

bool pim_node_infer(pim_node *n)
{
	n->type = pim_op_at((pim_op)n->op)->infer(n);
	return n->type != NULL;
}

pim_node *pim_node_make_like(
	pim_node *like, pim_op op, int n, pim_node *const *in, int n_attrs, const pim_attr *attrs)
{
	pim_node *node = pim_node_make(like->graph, op, n, in, like);
	node->loc = like->loc;
	for (int i = 0; i < n_attrs; i++)
		pim_attr_set(node, &attrs[i]);
	if (pim_node_infer(node))
		return node;
	pim_node_remove(node);
	return NULL;
}

void pim_graph_add_input(pim_graph *g, pim_node *n)
{
	g->inputs = make_room(g->module, g->inputs, g->n_inputs, &g->room_inputs);
	g->inputs[g->n_inputs++] = n;
}

pim_node *pim_input_make(pim_graph *g, const char *name, const pim_type *t, pim_loc at)
{
	pim_node *n = pim_node_make_numbered(g, PIM_OP_input, 0, name ? PIM_NO_NUMBER : g->n_numbers++);
	pim_node *before = g->n_inputs ? g->inputs[g->n_inputs - 1]->next : g->first;
	n->type = t;
	n->loc = at;
	pim_node_link(n, before);
	pim_graph_add_input(g, n);
	if (name)
		pim_node_rename(n, name);
	return n;
}

pim_node *pim_input_new(pim_graph *g, const char *name, const pim_type *t)
{
	return pim_input_make(g, name, t, (pim_loc){0});
}

void pim_node_remove(pim_node *n)
{
	pim_graph *g = n->graph;
	pim_node_unname(n);
	pim_node_unlink(n);
	for (int i = 0; i < g->n_inputs && n->op == PIM_OP_input; i++)
		if (g->inputs[i] == n) {
			g->n_inputs--;
			memmove(
				g->inputs + i, g->inputs + i + 1, sizeof *g->inputs * (size_t)(g->n_inputs - i));
		}
}
