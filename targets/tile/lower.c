/* SPDX-License-Identifier: Apache-2.0 */
/* lower.c - from decisions to command programs of the tile set (docs/design.md, 10.4).
 *
 * All streams are written in one global order: nodes by start time, what only rides on an op by its
 * end; of a node first what it needs from elsewhere (transfer.c, which also says why no program can
 * deadlock), then its slices in their order. Nodes that run at the same time are written kernel by
 * kernel (interleave.c). Homes are given back when the last reader is lowered; the trackers keep
 * reused addresses safe. */
#include <stdlib.h>

#include "targets/tile/tile.h"

static int64_t home_bytes(const pim_node *n, const pim_held *h)
{
	return pim_box_elements(&h->box) * (int64_t)pim_dtype_bytes(n->type->dtype);
}

void pim_homes_take(pim_lowering *l, const pim_node *n)
{
	int64_t slices = l->stored[n->id] ? pim_layout_slices(n->plan->layout) : 0;
	l->home[n->id] = PIM_NEW(l->arena, pim_held, slices);
	for (int64_t s = 0; s < slices; s++) {
		pim_held *h = &l->home[n->id][s];
		h->box = pim_layout_box(n->plan->layout, n->type, s, NULL);
		h->address = pim_room_take(&l->unit[pim_slice_unit(n, s)].room, home_bytes(n, h));
		pim_stream_join(l, n, pim_slice_unit(n, s), h);
	}
}

/* The owners of a constant are given its pieces before the program starts. */
static void give_pieces(pim_lowering *l, const pim_node *n)
{
	int64_t slices = pim_layout_slices(n->plan->layout);
	l->home[n->id] = PIM_NEW(l->arena, pim_held, slices);
	for (int64_t s = 0; s < slices; s++) {
		pim_box piece = pim_layout_box(n->plan->layout, n->type, s, NULL);
		pim_give_constant(l, n, pim_slice_unit(n, s), &piece, true, &l->home[n->id][s]);
	}
}

void pim_homes_give(pim_lowering *l, const pim_node *n)
{
	int64_t slices = l->stored[n->id] ? pim_layout_slices(n->plan->layout) : 0;
	for (int64_t s = 0; s < slices; s++) {
		const pim_held *h = &l->home[n->id][s];
		pim_stream_join(l, n, pim_slice_unit(n, s), h);
		pim_room_give(&l->unit[pim_slice_unit(n, s)].room, h->address, home_bytes(n, h));
	}
}

/* A node that runs, with those that share its tiles, and where it stands in the graph. */
typedef struct turn {
	pim_node *node;
	int position;
	int64_t time;
} turn;

static int by_time(const void *a, const void *b)
{
	const turn *x = a, *y = b;
	if (x->time != y->time)
		return x->time < y->time ? -1 : 1;
	return x->position < y->position ? -1 : x->position > y->position;
}

pim_node **pim_nodes_in_order(const pim_graph *g, pim_arena *a, int *count)
{
	pim_node **node = PIM_NEW(a, pim_node *, g->n_ids);
	turn *order = PIM_NEW(a, turn, g->n_ids);
	bool overlaps = pim_graph_overlaps(g);
	*count = 0;
	for (pim_node *n = g->first; n; n = n->next) {
		if (n->op != PIM_OP_input && n->op != PIM_OP_constant && pim_fusion_first(n) == n) {
			int64_t late = !overlaps && pim_node_ridden(n) ? n->plan->cycles : 0;
			order[*count] = (turn){n, *count, n->plan->start + late};
			++*count;
		}
	}
	qsort(order, (size_t)*count, sizeof *order, by_time);
	for (int i = 0; i < *count; i++)
		node[i] = order[i].node;
	return node;
}

/* Readers of each value that are not lowered yet; results keep one for ever. */
static int *count_readers(pim_lowering *l)
{
	int *readers = PIM_NEW(l->arena, int, l->graph->n_ids);
	PIM_EACH_NODE(n, l->graph)
	{
		for (uint32_t i = 0; i < n->n_in; i++)
			if (n->in[i])
				readers[n->in[i]->id]++;
	}
	for (int i = 0; i < l->graph->n_results; i++)
		readers[l->graph->results[i]->id]++;
	return readers;
}

/* Until all is written, `cycles` is when the task is complete. */
static void name_task(pim_lowering *l, const pim_node *n)
{
	pim_task task = {
		.name = pim_node_label(n, l->arena), .op = pim_op_at(n->op)->name, .start = INT64_MAX};
	l->task = pim_program_task(l->program, &task);
}

/* A task that reads what is there takes no time. */
static void time_tasks(pim_lowering *l)
{
	pim_clock_settle(l);
	for (int i = 0; i < l->program->n_tasks; i++) {
		pim_task *t = &l->program->task[i];
		t->start = t->start < t->cycles ? t->start : t->cycles;
		t->cycles -= t->start;
	}
}

bool pim_only_moves(const pim_node *n, const pim_axes *x)
{
	if (!(pim_op_at(n->op)->flags & PIM_OPF_move))
		return false;
	for (uint32_t i = 0; i < n->n_in; i++)
		if (x->whole[i])
			return false;
	return true;
}

bool pim_adds_sums(const pim_node *n)
{
	const pim_node *from = n->op == PIM_OP_relayout ? n->in[0] : NULL;
	return from && from->plan && from->plan->layout && from->plan->layout->sums > 1;
}

static bool fetch_slice(pim_lowering *l, const pim_fusion *f, int64_t position)
{
	const pim_node *n = f->member[f->n - 1].node;
	int64_t slice = pim_slice_at(n, position);
	l->turn = position / n->plan->n_units;
	if (pim_only_moves(n, f->member[f->n - 1].axes) && !pim_adds_sums(n))
		return pim_fetch_move(l, n, f->member[f->n - 1].axes, slice, &l->home[n->id][slice].box);
	if (!pim_adds_sums(n))
		return pim_fetch_kernels(l, f, slice);
	pim_fetch_sums(l, n, slice);
	return true;
}

static bool lower_slice(pim_lowering *l, const pim_fusion *f, int64_t position)
{
	const pim_node *n = f->member[f->n - 1].node;
	int64_t slice = pim_slice_at(n, position);
	if (pim_adds_sums(n))
		pim_lower_sums(l, n, slice);
	else if (!pim_only_moves(n, f->member[f->n - 1].axes))
		return pim_lower_kernels(l, f, slice);
	return true;
}

/* When the input that is complete last was begun: what is ready before that waits for nothing. */
static int64_t critical_start(const pim_fusion *f)
{
	int64_t start = 0, end = 0;
	for (int m = 0; m < f->n; m++)
		for (uint32_t i = 0; i < f->member[m].node->n_in; i++) {
			const pim_node *in = f->member[m].node->in[i];
			if (!in || f->member[m].from[i] >= 0 || pim_op_at(in->op)->flags & PIM_OPF_leaf)
				continue;
			if (in->plan->start + in->plan->cycles > end) {
				start = in->plan->start;
				end = start + in->plan->cycles;
			}
		}
	return start;
}

void pim_node_begin(pim_lowering *l, const pim_fusion *f)
{
	name_task(l, f->member[0].node);
	for (int m = 0; m < f->n; m++) {
		const pim_node *node = f->member[m].node;
		if (f->member[m].stored && !pim_adds_sums(node) && !pim_only_moves(node, f->member[m].axes))
			l->stream[node->id] = pim_stream_find(l, node, f->member[m].axes);
		pim_homes_take(l, node);
	}
	l->start = f->member[0].node->plan->start;
}

bool pim_node_lower(pim_lowering *l, const pim_fusion *f)
{
	const pim_node *n = f->member[0].node;
	int64_t slices = pim_layout_slices(n->plan->layout);
	bool ok = true;
	l->since = critical_start(f);
	if (pim_adds_sums(n)) {
		pim_sums shape = pim_sums_best(l->target, n, (pim_crew_sizes){1, 1});
		if (shape != PIM_SUMS_straight) {
			pim_lower_sum_trees(l, n, shape);
			return true;
		}
	}
	l->addend = PIM_NEW(l->arena, pim_held *, pim_adds_sums(n) ? slices : 0);
	for (int64_t i = 0; ok && i < slices; i++)
		ok = fetch_slice(l, f, i);
	pim_transfers_emit(l);
	for (int64_t i = 0; ok && i < slices; i++)
		ok = lower_slice(l, f, i);
	pim_kernels_store(l);
	pim_fetch_end(l);
	return ok;
}

/* Homes of which the last reader was lowered are given back. */
static void give_inputs(pim_lowering *l, pim_node *first, int *readers)
{
	for (const pim_node *n = first; n; n = pim_fusion_next(n))
		for (uint32_t k = 0; k < n->n_in; k++) {
			const pim_node *in = n->in[k];
			if (in && --readers[in->id] == 0 && in->op != PIM_OP_constant && in->op != PIM_OP_input)
				pim_homes_give(l, in);
		}
}

/* What works on the units of an op, tile by tile behind it, goes with that. */
static bool wants_barrier(pim_barriers barriers, const pim_node *n, const pim_node *next)
{
	if (barriers == PIM_BARRIERS_set)
		return next && n->plan->set != next->plan->set;
	return barriers == PIM_BARRIERS_op && next && !pim_node_ridden(next);
}

static bool check_node(const pim_node *n)
{
	return !n->type->n_parts ||
		   pim_node_error(
			   n, "%s makes a tuple, which the tile command set cannot hold", pim_node_op(n));
}

/* Commands of different tasks are never alike, so nothing is lost when those of a node are folded
 * as soon as all are there, and the memory for them serves the next one. */
static void fold_streams(pim_lowering *l)
{
	for (int i = 0; i < l->target->units; i++) {
		pim_stream *s = &l->program->stream[i];
		pim_stream_reroll(s, l->unit[i].folded, l->program->arena);
		l->unit[i].folded = s->n_commands;
	}
}

/* One node behind the other. */
static bool lower_in_turn(
	pim_lowering *l, pim_node *const *node, int n, pim_barriers barriers, int *readers)
{
	for (int i = 0; i < n; i++) {
		const pim_fusion *f = pim_fusion_of(node[i], l->stored, l->arena);
		pim_node_begin(l, f);
		if (!pim_node_lower(l, f))
			return false;
		pim_emit_masked(l);
		give_inputs(l, node[i], readers);
		if (wants_barrier(barriers, node[i], i + 1 < n ? node[i + 1] : NULL))
			pim_emit_barrier(l);
		if (!l->target->bank.lockstep) /* pim_lockstep_find takes no repeats */
			fold_streams(l);
	}
	return true;
}

static bool lower_nodes(pim_lowering *l, pim_barriers barriers)
{
	int count;
	pim_node **node = pim_nodes_in_order(l->graph, l->arena, &count);
	int *readers = count_readers(l);
	l->home = PIM_NEW(l->arena, pim_held *, l->graph->n_ids);
	l->stream = PIM_NEW(l->arena, pim_stream_of, l->graph->n_ids);
	for (uint32_t i = 0; i < l->graph->n_ids; i++)
		l->stream[i].dim = -1;
	l->stored = pim_graph_stored(l->graph, l->arena);
	for (int i = 0; i < l->graph->n_inputs; i++)
		pim_homes_take(l, l->graph->inputs[i]);
	PIM_EACH_NODE(n, l->graph)
	{
		if (n->op == PIM_OP_constant && !pim_is_given(n))
			give_pieces(l, n);
	}
	for (int i = 0; i < count; i++)
		if (!check_node(node[i]))
			return false;
	if (barriers == PIM_BARRIERS_none && pim_graph_overlaps(l->graph)) {
		l->interleaved = true;
		return pim_lower_interleaved(l, node, count, readers);
	}
	return lower_in_turn(l, node, count, barriers, readers);
}

/* ---- tensors and homes of the program ---- */

static void add_homes(pim_lowering *l, const pim_node *n, pim_home_kind kind, uint32_t tensor)
{
	int64_t slices = pim_layout_slices(n->plan->layout);
	for (int64_t s = 0; s < slices; s++) {
		const pim_held *h = &l->home[n->id][s];
		pim_home home = {kind, tensor, (uint32_t)pim_slice_unit(n, s), h->address, h->box};
		pim_program_home(l->program, &home);
	}
}

/* A result known before the program runs: unit 0 is given it. */
static void add_constant_home(pim_lowering *l, const pim_node *n, uint32_t result)
{
	pim_box whole = pim_box_of(n->type);
	pim_held held;
	pim_give_constant(l, n, 0, &whole, true, &held);
	pim_home home = {PIM_HOME_result, result, 0, l->unit[0].room.peak + held.address, whole};
	pim_program_home(l->program, &home);
}

static const char *tensor_name(pim_lowering *l, const pim_node *n)
{
	return n->name ? n->name : pim_arena_printf(l->program->arena, "%u", n->number);
}

static void add_inputs_and_results(pim_lowering *l)
{
	const pim_graph *g = l->graph;
	for (int i = 0; i < g->n_inputs; i++) {
		pim_program_tensor t = {.name = tensor_name(l, g->inputs[i]), .type = g->inputs[i]->type};
		add_homes(l, g->inputs[i], PIM_HOME_input, pim_program_input(l->program, &t));
	}
	for (int i = 0; i < g->n_results; i++) {
		pim_node *n = g->results[i];
		const char *name =
			g->result_names && g->result_names[i] ? g->result_names[i] : tensor_name(l, n);
		pim_program_tensor t = {.name = name, .type = n->type};
		uint32_t result = pim_program_result(l->program, &t);
		if (n->op == PIM_OP_constant)
			add_constant_home(l, n, result);
		else
			add_homes(l, n, PIM_HOME_result, result);
	}
}

/* Constants lie behind the activations of their unit: now that those are known, addresses are. */
static void add_constants(pim_lowering *l)
{
	uint32_t *number = PIM_NEW(l->arena, uint32_t, l->graph->n_ids);
	for (int i = 0; i < l->target->units; i++) {
		int64_t start = l->unit[i].room.peak;
		for (const pim_given *g = l->unit[i].given; g; g = g->next) {
			const pim_node *n = g->constant;
			pim_program_tensor t = {
				.name = tensor_name(l, n), .type = n->type, .data = *pim_constant_data(n)};
			if (!number[n->id])
				number[n->id] = pim_program_constant(l->program, &t) + 1;
			pim_home home = {PIM_HOME_constant, number[n->id] - 1, (uint32_t)i,
				start + g->held.address, g->held.box};
			pim_program_home(l->program, &home);
		}
		pim_stream *s = &l->program->stream[i];
		for (int64_t r = 0; r < s->n_refs; r++) {
			if (s->ref[r].space != PIM_SPACE_constant)
				continue;
			s->ref[r].space = PIM_SPACE_memory;
			s->ref[r].address += start;
		}
	}
}

static bool check_memory(pim_lowering *l)
{
	int worst = 0, over = 0;
	int64_t most = 0;
	for (int i = 0; i < l->target->units; i++) {
		int64_t needed = l->unit[i].room.peak + l->unit[i].constant_bytes;
		over += needed > l->target->memory.bytes;
		if (needed > most) {
			most = needed;
			worst = i;
		}
	}
	if (!over)
		return true;
	return pim_error(l->program->context, l->graph->loc,
		"graph @%s does not fit %s: unit %d needs %lld bytes of main memory (%lld of constants, "
		"%lld of values) and has "
		"%lld; %d of %d units are too small; a machine with %lld bytes per unit would do",
		l->graph->name, l->target->name, worst, (long long)most,
		(long long)l->unit[worst].constant_bytes, (long long)l->unit[worst].room.peak,
		(long long)l->target->memory.bytes, over, l->target->units, (long long)most);
}

static pim_lowering start_lowering(const pim_target *t, pim_graph *g, int ahead, pim_arena *arena)
{
	pim_lowering l = {.target = t, .graph = g, .ahead = ahead, .arena = arena};
	l.program = pim_program_new(g->module->context, t, g->name);
	l.program->base = g->module->path;
	l.program->weights = g->module->weights;
	l.unit = PIM_NEW(arena, pim_unit, t->units);
	l.clock = pim_clock_new(t, ahead);
	for (int i = 0; i < t->units; i++) {
		pim_room_start(&l.unit[i].room);
		l.unit[i].given_of = pim_map_new(arena);
	}
	return l;
}

static void end_lowering(pim_lowering *l)
{
	free(l->transfer);
	pim_clock_free(l->clock, l->target);
	for (int i = 0; i < l->target->units; i++) {
		pim_tracker_free(&l->unit[i].memory);
		pim_tracker_free(&l->unit[i].buffer);
		pim_room_free(&l->unit[i].room);
	}
}

static void free_program(void *p)
{
	pim_program_free(p);
}

/* All-bank commands need all banks of a channel to do the same in the same order, which is known
 * when all is written: nodes are written a second time then. Node behind node there is an order of
 * all kernels that every bank keeps, so banks that wait for each other cannot do so for ever; where
 * nodes run at the same time there need not be one. */
static bool lower_again(pim_lowering *l, pim_barriers barriers)
{
	bool *lockstep = l->interleaved ? NULL : pim_lockstep_find(l->program, l->arena);
	if (!lockstep)
		return true;
	const pim_target *t = l->target;
	pim_graph *g = l->graph;
	pim_arena *scratch = l->arena;
	pim_program_free(l->program);
	end_lowering(l);
	*l = start_lowering(t, g, l->ahead, scratch);
	l->lockstep = lockstep;
	return lower_nodes(l, barriers);
}

bool pim_target_lower_ahead(
	const pim_target *t, pim_graph *g, pim_barriers barriers, int ahead, pim_arena *scratch)
{
	pim_lowering l = start_lowering(t, g, ahead, scratch);
	bool ok = lower_nodes(&l, barriers) && check_memory(&l) && lower_again(&l, barriers);
	if (ok) {
		time_tasks(&l);
		add_inputs_and_results(&l);
		add_constants(&l);
		fold_streams(&l);
		pim_program_measure(l.program);
		g->code = l.program;
		pim_arena_defer(g->module->arena, free_program, l.program);
	} else {
		pim_program_free(l.program);
	}
	end_lowering(&l);
	return ok;
}

bool pim_target_lower(const pim_target *t, pim_graph *g, pim_barriers barriers, pim_arena *scratch)
{
	const int ahead = 4096;
	return pim_target_lower_ahead(t, g, barriers, ahead, scratch);
}
