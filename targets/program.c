/* SPDX-License-Identifier: Apache-2.0 */
/* program.c - building and walking command programs.
 *
 * Tables grow in the program's arena by doubling; streams, which are long, are from malloc.
 * Patterns and kernels are kept once: a key of their bytes leads to their number. */
#include <stdlib.h>
#include <string.h>

#include "ir/array.h"
#include "targets/program.h"

static const pim_command_info infos[PIM_COMMAND_COUNT] = {
#define COMMAND(name, engine, operands, help) {#name, PIM_ENGINE_##engine, operands, help},
#include "targets/tile/commands.def"
	[PIM_COMMAND_repeat] = {"repeat", PIM_ENGINE_COUNT, "", "runs a block of commands some rounds"},
	[PIM_COMMAND_end] = {"end", PIM_ENGINE_COUNT, "", "closes the block"},
};

const pim_command_info *pim_command_at(int code)
{
	return &infos[code];
}

bool pim_command_writes(int code)
{
	const char *operand = infos[code].operands;
	while (*operand && *operand != 'D')
		operand++;
	return *operand;
}

const char *pim_engine_name(int engine)
{
	static const char *const names[PIM_ENGINE_COUNT] = {
		[PIM_ENGINE_dma] = "dma",
		[PIM_ENGINE_out] = "out",
		[PIM_ENGINE_in] = "in",
		[PIM_ENGINE_matrix] = "matrix",
		[PIM_ENGINE_vector] = "vector",
		[PIM_ENGINE_rows] = "rows",
	};
	return names[engine];
}

bool pim_command_is_kernel(int code)
{
	return code == PIM_COMMAND_matrix || code == PIM_COMMAND_vector || pim_command_is_rows(code);
}

bool pim_command_is_rows(int code)
{
	return code == PIM_COMMAND_rows || code == PIM_COMMAND_all_rows;
}

pim_command_code pim_kernel_command(const pim_target *t, const pim_node *op)
{
	if (t->command_set && !strcmp(t->command_set, "bank"))
		return PIM_COMMAND_rows;
	bool product = pim_op_at((pim_op)op->op)->flags & PIM_OPF_matrix;
	return product ? PIM_COMMAND_matrix : PIM_COMMAND_vector;
}

/* ---- tables ---- */

static const void *copy_array(pim_arena *a, const void *items, size_t bytes)
{
	void *copy = pim_arena_alloc(a, bytes ? bytes : 1);
	if (bytes)
		memcpy(copy, items, bytes);
	return copy;
}

static uint32_t find_number(const pim_map *m, const void *key, size_t n, bool *found)
{
	void *value = pim_map_get(m, key, n);
	*found = value != NULL;
	return (uint32_t)((uintptr_t)value - 1);
}

static void keep_number(pim_map *m, const void *key, size_t n, uint32_t number)
{
	pim_map_put(m, key, n, (void *)((uintptr_t)number + 1));
}

pim_program *pim_program_new(pim_context *c, const pim_target *t, const char *name)
{
	pim_arena *a = pim_arena_new();
	pim_program *p = PIM_NEW(a, pim_program, 1);
	p->arena = a;
	p->context = c;
	p->target = t;
	p->name = pim_intern(c, name, strlen(name));
	p->kernel_module = pim_module_new(c);
	p->n_streams = t->units;
	p->stream = PIM_NEW(a, pim_stream, t->units);
	p->pattern_numbers = pim_map_new(a);
	p->kernel_numbers = pim_map_new(a);
	p->group_numbers = pim_map_new(a);
	return p;
}

void pim_program_free(pim_program *p)
{
	if (!p)
		return;
	for (int i = 0; i < p->n_streams; i++) {
		free(p->stream[i].command);
		free(p->stream[i].ref);
	}
	pim_arena_free(p->arena);
}

static const char *keep_string(const pim_program *p, const char *s)
{
	return s ? pim_intern(p->context, s, strlen(s)) : "";
}

static pim_program_tensor keep_tensor(const pim_program *p, const pim_program_tensor *t)
{
	pim_program_tensor kept = *t;
	kept.name = keep_string(p, t->name);
	return kept;
}

uint32_t pim_program_task(pim_program *p, const pim_task *t)
{
	p->task = pim_arena_grow(p->arena, p->task, p->n_tasks, &p->room_tasks, sizeof *p->task);
	p->task[p->n_tasks] = *t;
	p->task[p->n_tasks].name = keep_string(p, t->name);
	p->task[p->n_tasks].op = keep_string(p, t->op);
	return (uint32_t)p->n_tasks++;
}

uint32_t pim_program_constant(pim_program *p, const pim_program_tensor *t)
{
	p->constant = pim_arena_grow(
		p->arena, p->constant, p->n_constants, &p->room_constants, sizeof *p->constant);
	p->constant[p->n_constants] = keep_tensor(p, t);
	return (uint32_t)p->n_constants++;
}

uint32_t pim_program_input(pim_program *p, const pim_program_tensor *t)
{
	p->input = pim_arena_grow(p->arena, p->input, p->n_inputs, &p->room_inputs, sizeof *p->input);
	p->input[p->n_inputs] = keep_tensor(p, t);
	return (uint32_t)p->n_inputs++;
}

uint32_t pim_program_result(pim_program *p, const pim_program_tensor *t)
{
	p->result =
		pim_arena_grow(p->arena, p->result, p->n_results, &p->room_results, sizeof *p->result);
	p->result[p->n_results] = keep_tensor(p, t);
	return (uint32_t)p->n_results++;
}

void pim_program_home(pim_program *p, const pim_home *h)
{
	p->home = pim_arena_grow(p->arena, p->home, p->n_homes, &p->room_homes, sizeof *p->home);
	p->home[p->n_homes++] = *h;
}

/* ---- patterns ---- */

int64_t pim_pattern_bytes(const pim_pattern *p)
{
	int64_t bytes = (int64_t)pim_dtype_bytes(p->dtype);
	for (int d = 0; d < p->rank; d++)
		bytes *= p->extent[d];
	return bytes;
}

bool pim_pattern_span(const pim_pattern *p, const int64_t *strides, int64_t *lo, int64_t *hi)
{
	if (p->dtype >= PIM_DTYPE_COUNT || p->rank < 0 || p->rank > PIM_MAX_RANK)
		return false;
	int64_t elements = (int64_t)pim_dtype_bytes(p->dtype), reach;
	*lo = 0;
	*hi = elements;
	for (int d = 0; d < p->rank; d++)
		if (p->extent[d] < 1 || !pim_mul(elements, p->extent[d], &elements) ||
			!pim_mul(p->extent[d] - 1, strides[d], &reach) ||
			!pim_add(reach < 0 ? *lo : *hi, reach, reach < 0 ? lo : hi))
			return false;
	return true;
}

/* What tells patterns apart: only the dims that are there. */
static size_t make_pattern_key(const pim_pattern *p, int64_t key[3 + 3 * PIM_MAX_RANK])
{
	size_t n = 3;
	key[0] = (int64_t)p->dtype;
	key[1] = p->rank;
	memcpy(&key[2], &p->fill, sizeof p->fill);
	for (int d = 0; d < p->rank; d++) {
		key[n++] = p->extent[d];
		key[n++] = p->to[d];
		key[n++] = p->from[d];
	}
	return n * sizeof *key;
}

uint32_t pim_program_pattern(pim_program *p, const pim_pattern *pattern)
{
	int64_t key[3 + 3 * PIM_MAX_RANK];
	size_t bytes = make_pattern_key(pattern, key);
	bool found;
	uint32_t number = find_number(p->pattern_numbers, key, bytes, &found);
	if (found)
		return number;
	p->pattern =
		pim_arena_grow(p->arena, p->pattern, p->n_patterns, &p->room_patterns, sizeof *p->pattern);
	pim_pattern *q = &p->pattern[p->n_patterns];
	memset(q, 0, sizeof *q);
	q->dtype = pattern->dtype;
	q->rank = pattern->rank;
	q->fill = pattern->fill;
	for (int d = 0; d < pattern->rank; d++) {
		q->extent[d] = pattern->extent[d];
		q->to[d] = pattern->to[d];
		q->from[d] = pattern->from[d];
	}
	keep_number(p->pattern_numbers, key, bytes, (uint32_t)p->n_patterns);
	return (uint32_t)p->n_patterns++;
}

uint32_t pim_program_group(pim_program *p, int n, const int *unit)
{
	bool found;
	size_t bytes = (size_t)n * sizeof *unit;
	uint32_t number = find_number(p->group_numbers, unit, bytes, &found);
	if (found)
		return number;
	p->group = pim_arena_grow(p->arena, p->group, p->n_groups, &p->room_groups, sizeof *p->group);
	p->group[p->n_groups] = (pim_group){n, copy_array(p->arena, unit, bytes)};
	keep_number(p->group_numbers, unit, bytes, (uint32_t)p->n_groups);
	return (uint32_t)p->n_groups++;
}

/* ---- kernels ---- */

/* What of the attribute list `pads` (counted_pads) is for op `like` on tiles: a border that counts
 * as elements counts in a tile as far as the tile reaches over it. */
static void override_pads(
	const pim_node *like, const char *name, const int64_t *pads, int n, int64_t *out)
{
	const int64_t *counted = NULL;
	int n_counted = strcmp(name, "counted_pads") ? 0 : pim_node_ints(like, name, &counted);
	for (int i = 0; i < n; i++)
		out[i] = i < n_counted && counted[i] < pads[i] ? counted[i] : pads[i];
}

static int count_pads(const pim_node *like)
{
	int rank = like->in[0]->type->rank;
	return like->op == PIM_OP_pad ? 2 * rank : 2 * (rank - 2);
}

/* The attribute with its arrays in the arena. */
static pim_attr copy_attr(pim_arena *a, const pim_attr *attr)
{
	pim_attr copy = *attr;
	if (attr->kind == PIM_ATTR_ints)
		copy.is = copy_array(a, attr->is, attr->n * sizeof *attr->is);
	else if (attr->kind == PIM_ATTR_floats)
		copy.fs = copy_array(a, attr->fs, attr->n * sizeof *attr->fs);
	else if (attr->kind == PIM_ATTR_strings)
		copy.ss = copy_array(a, attr->ss, attr->n * sizeof *attr->ss);
	return copy;
}

/* Gives op the attributes of like, with the overrides. */
static void copy_attrs(pim_node *op, const pim_node *like, const int64_t *pads, int64_t groups)
{
	pim_arena *a = op->graph->module->arena;
	for (int i = 0; i < like->n_attrs; i++) {
		pim_attr attr = copy_attr(a, &like->attrs[i]);
		pim_attr_set(op, &attr);
	}
	int n = pads ? count_pads(like) : 0;
	int64_t values[2 * PIM_MAX_RANK];
	if (pads) {
		override_pads(like, "pads", pads, n, values);
		pim_node_set_ints(op, "pads", n, values);
	}
	if (pads && like->op == PIM_OP_average_pool) {
		override_pads(like, "counted_pads", pads, n, values);
		const int64_t *counted;
		if (pim_node_ints(like, "counted_pads", &counted) > 0)
			pim_node_set_ints(op, "counted_pads", n, values);
	}
	if (groups)
		pim_node_set_int(op, "groups", groups);
}

static void add_attr_key(pim_text *key, const pim_attr *a)
{
	pim_text_add(key, (const char *)&a->name, sizeof a->name);
	pim_text_add(key, (const char *)&a->n, sizeof a->n);
	if (a->kind == PIM_ATTR_ints)
		pim_text_add(key, (const char *)a->is, a->n * sizeof *a->is);
	else if (a->kind == PIM_ATTR_floats)
		pim_text_add(key, (const char *)a->fs, a->n * sizeof *a->fs);
	else if (a->kind == PIM_ATTR_strings)
		pim_text_add(key, (const char *)a->ss, a->n * sizeof *a->ss);
	else
		pim_text_add(key, (const char *)&a->i, sizeof a->i);
}

/* What makes two kernels one: op, types and attributes (types and strings are one pointer each). */
static pim_text make_key(const pim_node *like, int n, const pim_type *const *in,
	const pim_type *out, const int64_t *pads, int64_t groups)
{
	pim_text key = {0};
	pim_text_add(&key, (const char *)&like->op, sizeof like->op);
	pim_text_add(&key, (const char *)in, (size_t)n * sizeof(const pim_type *));
	pim_text_add(&key, (const char *)&out, sizeof(const pim_type *));
	for (int i = 0; i < like->n_attrs; i++)
		add_attr_key(&key, &like->attrs[i]);
	pim_text_add(&key, "|", 1);
	if (pads)
		pim_text_add(&key, (const char *)pads, (size_t)count_pads(like) * sizeof *pads);
	pim_text_add(&key, (const char *)&groups, sizeof groups);
	return key;
}

static pim_node *make_op(pim_program *p, const pim_node *like, int n, const pim_type *const *in,
	const int64_t *pads, int64_t groups)
{
	char name[32];
	snprintf(name, sizeof name, "k%d", p->n_kernels);
	pim_graph *g = pim_graph_new(p->kernel_module, name);
	pim_node **inputs = PIM_NEW(p->arena, pim_node *, n ? n : 1);
	for (int i = 0; i < n; i++) {
		snprintf(name, sizeof name, "x%d", i);
		inputs[i] = in[i] ? pim_input_make(g, name, in[i], (pim_loc){0}) : NULL;
	}
	pim_node *op = pim_node_make(g, (pim_op)like->op, n, inputs, NULL);
	copy_attrs(op, like, pads, groups);
	return op;
}

/* The kernel's cost: its whole iteration space is one tile. */
static void add_kernel(pim_program *p, pim_node *op)
{
	pim_arena *scratch = pim_arena_new();
	const pim_axes *x = pim_axes_new(op, scratch);
	int64_t extent[PIM_MAX_AXES];
	for (int a = 0; a < x->n_axes; a++)
		extent[a] = x->axis[a].size;
	p->kernel =
		pim_arena_grow(p->arena, p->kernel, p->n_kernels, &p->room_kernels, sizeof *p->kernel);
	const pim_target *all = p->target->bank.lockstep;
	p->kernel[p->n_kernels++] = (pim_kernel){.graph = op->graph,
		.op = op,
		.cycles = pim_target_kernel_cycles(p->target, op, x, extent),
		.lockstep_cycles = all ? pim_target_kernel_cycles(all, op, x, extent) : 0,
		.pj = pim_target_kernel_pj(p->target, op, x, extent)};
	pim_arena_free(scratch);
}

uint32_t pim_program_kernel(pim_program *p, const pim_node *like, int n, const pim_type *const *in,
	const pim_type *out, const int64_t *pads, int64_t groups)
{
	pim_text key = make_key(like, n, in, out, pads, groups);
	bool found;
	uint32_t number = find_number(p->kernel_numbers, key.s, key.n, &found);
	if (!found) {
		number = (uint32_t)p->n_kernels;
		pim_node *op = make_op(p, like, n, in, pads, groups);
		if (!pim_node_infer(op) || op->type != out)
			PIM_BUG("a kernel of %s does not give the type it was made for",
				pim_op_at((pim_op)like->op)->name);
		pim_graph_add_result(op->graph, op);
		add_kernel(p, op);
		keep_number(p->kernel_numbers, key.s, key.n, number);
	}
	pim_text_free(&key);
	return number;
}

bool pim_program_take_kernel(pim_program *p, pim_graph *g, pim_loc at)
{
	pim_node *op = g->last;
	int inputs = 0, others = 0, present = 0;
	PIM_EACH_NODE(n, g)
	{
		inputs += n->op == PIM_OP_input;
		others += n->op != PIM_OP_input;
	}
	if (others != 1 || g->n_results != 1 || g->results[0] != op)
		return pim_error(p->context, at,
			"kernel \"%s\" is no single op: it has %d ops and %d results, expected 1 and 1",
			g->name, others, g->n_results);
	const pim_op_info *info = pim_op_at((pim_op)op->op);
	if (info->flags & PIM_OPF_leaf)
		return pim_error(
			p->context, at, "no engine runs the op %s of kernel \"%s\"", info->name, g->name);
	for (uint32_t i = 0; i < op->n_in; i++)
		if (op->in[i] && (present >= g->n_inputs || op->in[i] != g->inputs[present++]))
			return pim_error(p->context, at,
				"kernel \"%s\" must use its inputs once each, in their order", g->name);
	if (present != inputs)
		return pim_error(p->context, at, "kernel \"%s\" has %d inputs, but its op uses %d", g->name,
			inputs, present);
	add_kernel(p, op);
	return true;
}

/* ---- streams ---- */

static const int64_t no_steps[PIM_MAX_REPEAT];

const int64_t *pim_steps_keep(pim_arena *a, const int64_t step[PIM_MAX_REPEAT])
{
	return memcmp(step, no_steps, sizeof no_steps) ? copy_array(a, step, sizeof no_steps)
												   : no_steps;
}

pim_command *pim_stream_add(pim_stream *s, pim_command_code code, int n_refs, const pim_ref *refs)
{
	s->command = pim_array_grow(s->command, s->n_commands, &s->room_commands, sizeof *s->command);
	s->ref = pim_array_reserve(s->ref, s->n_refs + n_refs, &s->room_refs, sizeof *s->ref);
	pim_command *c = &s->command[s->n_commands++];
	*c = (pim_command){
		.code = (uint8_t)code, .n_refs = (uint8_t)n_refs, .first = (uint32_t)s->n_refs};
	for (int r = 0; r < n_refs; r++) {
		pim_ref *ref = &s->ref[s->n_refs++];
		*ref = refs[r];
		ref->step = ref->step ? ref->step : no_steps;
	}
	return c;
}

void pim_stream_reserve(pim_stream *s, int64_t commands)
{
	s->command = pim_array_reserve(s->command, commands, &s->room_commands, sizeof *s->command);
}

bool pim_command_is_like(
	const pim_stream *s, const pim_command *c, const pim_stream *t, const pim_command *d)
{
	if (c->code != d->code || c->accumulate != d->accumulate || c->n_refs != d->n_refs ||
		c->index != d->index || c->unit != d->unit || c->task != d->task || c->count != d->count ||
		memcmp(c->after, d->after, sizeof c->after))
		return false;
	for (uint32_t r = 0; r < c->n_refs; r++) {
		const pim_ref *x = &s->ref[c->first + r], *y = &t->ref[d->first + r];
		if (x->space != y->space || memcmp(x->step, y->step, sizeof no_steps))
			return false;
	}
	return true;
}

const pim_command *pim_walk_next(pim_walk *w)
{
	while (w->at < w->stream->n_commands) {
		const pim_command *c = &w->stream->command[w->at++];
		if (c->code == PIM_COMMAND_repeat) {
			w->level[w->depth].body = w->at;
			w->level[w->depth].count = c->count;
			w->level[w->depth++].round = 0;
		} else if (c->code == PIM_COMMAND_end) {
			if (++w->level[w->depth - 1].round < w->level[w->depth - 1].count)
				w->at = w->level[w->depth - 1].body;
			else
				w->depth--;
		} else {
			return c;
		}
	}
	return NULL;
}

int64_t pim_walk_address(const pim_walk *w, const pim_ref *r)
{
	int64_t address = r->address;
	for (int d = 0; d < w->depth; d++)
		address += r->step[d] * w->level[d].round;
	return address;
}
