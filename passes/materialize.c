/* SPDX-License-Identifier: Apache-2.0 */
/* materialize - write the slices that the decisions mean as plain ops.
 *
 * Needs: laid_out.
 * Idea:  a node whose value is cut becomes one op per piece, on the parts of its inputs that the
 * op's axes say the piece needs; partial sums become adds. Who needs a part that one piece holds
 * takes it there; who needs more takes it from the concat of all pieces, which is made when first
 *        asked for. Ops that cannot be written on boxes (concat, pad, gather ...) stay whole, and
 * so does a relayout: its pieces are parts of its input. Copies are written once. Cost:  linear in
 * slices and their inputs. Source: ours; what a slice means is docs/design.md, 10.3. */
#include <string.h>

#include "passes/pass.h"

/* What stands for a value: the whole, or pieces in row-major order of the layout's parts. */
typedef struct value {
	pim_node *whole;
	int64_t n_pieces;
	pim_node **piece;
	pim_box *box;
} value;

typedef struct writer {
	pim_graph *graph;
	pim_arena *arena;
	value *value; /* by id */
	pim_node *at; /* the node being written: new ones go before it */
	int64_t slices;
} writer;

static pim_attr make_ints(const pim_node *like, const char *name, int n, const int64_t *v)
{
	pim_context *c = pim_context_of(like);
	int64_t *copy = PIM_NEW(like->graph->module->arena, int64_t, n + 1);
	memcpy(copy, v, sizeof *v * (size_t)n);
	return (pim_attr){.name = pim_intern(c, name, strlen(name)),
		.kind = PIM_ATTR_ints,
		.n = (uint32_t)n,
		.is = copy};
}

static pim_attr make_int(const pim_node *like, const char *name, int64_t v)
{
	return (pim_attr){
		.name = pim_intern(pim_context_of(like), name, strlen(name)), .kind = PIM_ATTR_int, .i = v};
}

/* ---- parts of values ---- */

static bool is_inside(const pim_box *b, const pim_box *of)
{
	for (int d = 0; d < b->n; d++)
		if (b->lo[d] < of->lo[d] || b->hi[d] > of->hi[d])
			return false;
	return true;
}

static bool has_extents(const pim_type *t, const pim_box *b)
{
	for (int d = 0; d < b->n; d++)
		if (t->dims[d] != b->hi[d] - b->lo[d])
			return false;
	return t->rank == b->n;
}

/* Box `b` of a value, of which `from` holds box `held`. */
static pim_node *write_slice(writer *w, pim_node *from, const pim_box *held, const pim_box *b)
{
	int64_t starts[PIM_MAX_RANK], sizes[PIM_MAX_RANK];
	if (has_extents(from->type, b))
		return from;
	for (int d = 0; d < b->n; d++) {
		starts[d] = b->lo[d] - held->lo[d];
		sizes[d] = b->hi[d] - b->lo[d];
	}
	pim_attr attrs[] = {
		make_ints(w->at, "starts", b->n, starts), make_ints(w->at, "sizes", b->n, sizes)};
	return pim_node_make_like(w->at, PIM_OP_slice, 1, &from, 2, attrs);
}

/* Joins runs of `count` neighbours along dimension d; how many nodes are left, 0 after a
 * diagnostic. */
static int64_t join_along(writer *w, int d, int64_t count, int64_t n, pim_node **piece)
{
	pim_attr axis = make_int(w->at, "axis", d);
	if (count == 1)
		return n;
	for (int64_t i = 0; i < n / count; i++) {
		piece[i] =
			pim_node_make_like(w->at, PIM_OP_concat, (int)count, piece + i * count, 1, &axis);
		if (!piece[i])
			return 0;
	}
	return n / count;
}

static pim_node *write_whole(writer *w, const pim_node *n)
{
	value *v = &w->value[n->id];
	if (v->whole)
		return v->whole;
	pim_node **piece = PIM_NEW(w->arena, pim_node *, v->n_pieces);
	memcpy(piece, v->piece, sizeof *piece * (size_t)v->n_pieces);
	int64_t left = v->n_pieces;
	for (int d = n->type->rank - 1; d >= 0 && left; d--)
		left = join_along(w, d, n->plan->layout->parts[d], left, piece);
	return v->whole = left ? piece[0] : NULL;
}

static pim_node *write_part(writer *w, const pim_node *n, const pim_box *b)
{
	value *v = &w->value[n->id];
	for (int64_t i = 0; i < v->n_pieces; i++)
		if (is_inside(b, &v->box[i]))
			return write_slice(w, v->piece[i], &v->box[i], b);
	pim_box all = pim_box_of(n->type);
	pim_node *whole = write_whole(w, n);
	return whole ? write_slice(w, whole, &all, b) : NULL;
}

/* ---- one op on boxes ---- */

enum { MOST_INPUTS = 5 }; /* of the ops that are written on boxes: batch_norm */

/* What a slice reads; of windowed ops, what fell off input 0 is padding of the slice. */
typedef struct reads {
	pim_box need[MOST_INPUTS];
	int64_t lo_pad[PIM_MAX_RANK], hi_pad[PIM_MAX_RANK]; /* of input 0 */
} reads;

static bool is_windowed(const pim_node *n)
{
	return n->op == PIM_OP_conv || n->op == PIM_OP_max_pool || n->op == PIM_OP_average_pool;
}

static bool is_writable(const pim_node *n)
{
	if (n->n_in > MOST_INPUTS)
		return false;
	switch ((pim_op)n->op) {
	case PIM_OP_matmul:
	case PIM_OP_reduce_sum:
	case PIM_OP_reduce_mean:
	case PIM_OP_reduce_max:
	case PIM_OP_reduce_min:
	case PIM_OP_reduce_prod:
	case PIM_OP_softmax:
	case PIM_OP_log_softmax:
	case PIM_OP_layer_norm:
	case PIM_OP_batch_norm:
	case PIM_OP_reshape:
	case PIM_OP_transpose:
	case PIM_OP_expand:
		return true;
	default:
		return is_windowed(n) || (pim_op_at(n->op)->flags & PIM_OPF_elementwise);
	}
}

/* Sums of parts can be added for these; others are written on summed values. */
static int64_t count_sums(const pim_node *n)
{
	bool adds = n->op == PIM_OP_matmul || n->op == PIM_OP_reduce_sum ||
				(n->op == PIM_OP_conv && pim_node_int(n, "groups") == 1);
	return adds ? n->plan->layout->sums : 1;
}

static int64_t pad_at(const pim_node *n, const char *name, int i)
{
	const int64_t *v;
	return pim_node_ints(n, name, &v) ? v[i] : 0;
}

/* What of the slice's padding counts in a mean: all but the part of the padding that never counts.
 */
static int64_t counted_at(const pim_node *n, int i, int64_t pad)
{
	int64_t silent = pad_at(n, "pads", i) - pad_at(n, "counted_pads", i);
	return pad > silent ? pad - silent : 0;
}

/* An attribute that `like` leaves at its default of zeros stays there when it may. */
static void set_padding(
	pim_node *n, const pim_node *like, const char *name, int count, const int64_t *v)
{
	bool zero = true;
	for (int i = 0; i < count; i++)
		zero &= v[i] == 0;
	if (!zero || pim_attr_find(like, name))
		pim_node_set_ints(n, name, count, v);
}

static void set_pads(pim_node *n, const pim_node *like, const reads *r)
{
	int spatial = like->type->rank - 2;
	int64_t pads[2 * PIM_MAX_RANK], counted[2 * PIM_MAX_RANK];
	for (int d = 0; d < spatial; d++) {
		pads[d] = r->lo_pad[d + 2];
		pads[spatial + d] = r->hi_pad[d + 2];
	}
	set_padding(n, like, "pads", 2 * spatial, pads);
	if (like->op != PIM_OP_average_pool)
		return;
	for (int i = 0; i < 2 * spatial; i++)
		counted[i] = counted_at(like, i, pads[i]);
	set_padding(n, like, "counted_pads", 2 * spatial, counted);
}

static void set_shape(pim_node *n, const pim_box *result)
{
	int64_t shape[PIM_MAX_RANK];
	for (int d = 0; d < result->n; d++)
		shape[d] = result->hi[d] - result->lo[d];
	pim_node_set_ints(n, "shape", result->n, shape);
}

static int64_t extent(const pim_box *b, int d)
{
	return b->hi[d] - b->lo[d];
}

static void adapt_attributes(
	pim_node *n, const pim_node *like, const reads *r, const pim_box *result)
{
	for (int i = 0; i < like->n_attrs; i++)
		pim_attr_set(n, &like->attrs[i]);
	if (is_windowed(like))
		set_pads(n, like, r);
	if (like->op == PIM_OP_conv && pim_attr_find(like, "groups"))
		pim_node_set_int(n, "groups", extent(&r->need[0], 1) / extent(&r->need[1], 1));
	if (like->op == PIM_OP_reshape || like->op == PIM_OP_expand)
		set_shape(n, result);
}

/* Whether boxes of the inputs make exactly the box of the result: a reshape or a grouped
 * convolution that is cut across its factors needs more. */
static bool is_exact(const pim_node *n, const reads *r, const pim_box *result)
{
	if (n->op == PIM_OP_reshape)
		return pim_box_elements(&r->need[0]) == pim_box_elements(result);
	if (n->op != PIM_OP_conv)
		return true;
	int64_t of_group = n->in[1]->type->dims[1], channels = extent(&r->need[0], 1);
	bool one = channels == extent(&r->need[1], 1);
	return extent(&r->need[1], 0) == extent(result, 1) &&
		   (one || (extent(&r->need[1], 1) == of_group && channels % of_group == 0 &&
					   extent(result, 1) % (channels / of_group) == 0));
}

static void find_reads(const pim_node *n, const pim_axes *x, int64_t slice, bool summed, reads *r)
{
	pim_box axes, result = pim_layout_box(n->plan->layout, n->type, slice, NULL);
	if (summed)
		pim_slice_axes(n, x, slice, &axes);
	else
		pim_axes_cover(x, &result, &axes);
	for (uint32_t i = 0; i < n->n_in; i++)
		if (n->in[i])
			pim_axes_demand(
				x, n, (int)i, &axes, &r->need[i], i ? NULL : r->lo_pad, i ? NULL : r->hi_pad);
}

/* Slice `slice` of n; of a convolution the first partial sum has the bias. NULL after a diagnostic.
 */
static pim_node *write_op(
	writer *w, const pim_node *n, const reads *r, const pim_box *result, bool first)
{
	pim_node *in[MOST_INPUTS];
	uint32_t n_in = n->op == PIM_OP_conv && !first ? 2 : n->n_in;
	for (uint32_t i = 0; i < n_in; i++) {
		in[i] = n->in[i] ? write_part(w, n->in[i], &r->need[i]) : NULL;
		if (n->in[i] && !in[i])
			return NULL;
	}
	pim_node *by = pim_node_make(w->graph, (pim_op)n->op, (int)n_in, in, w->at);
	by->loc = n->loc;
	adapt_attributes(by, n, r, result);
	w->slices++;
	return pim_node_infer(by) ? by : NULL;
}

static pim_node *write_sum(writer *w, pim_node *a, pim_node *b)
{
	pim_node *in[] = {a, b};
	return a && b ? pim_node_make_like(w->at, PIM_OP_add, 2, in, 0, NULL) : NULL;
}

/* The i-th piece of n, all its partial sums added. */
static pim_node *write_piece(
	writer *w, const pim_node *n, const pim_axes *x, int64_t i, int64_t n_pieces)
{
	int64_t sums = count_sums(n);
	pim_box result = pim_layout_box(n->plan->layout, n->type, i, NULL);
	pim_node *total = NULL;
	for (int64_t s = 0; s < sums; s++) {
		reads r = {0};
		find_reads(n, x, s * n_pieces + i, sums > 1, &r);
		pim_node *part = write_op(w, n, &r, &result, s == 0);
		total = s ? write_sum(w, total, part) : part;
		if (!total)
			return NULL;
	}
	return total;
}

/* ---- one node ---- */

static int64_t count_pieces(const pim_layout *l)
{
	int64_t n = 1;
	for (int d = 0; d < l->rank; d++)
		n *= l->parts[d];
	return n;
}

static bool is_cut(const pim_node *n)
{
	if (!n->plan || !n->plan->layout || (pim_op_at(n->op)->flags & PIM_OPF_leaf))
		return false;
	return count_pieces(n->plan->layout) > 1 || n->plan->layout->sums > 1;
}

static bool all_exact(const pim_node *n, const pim_axes *x, int64_t n_pieces)
{
	for (int64_t i = 0; i < n_pieces; i++) {
		reads r = {0};
		pim_box result = pim_layout_box(n->plan->layout, n->type, i, NULL);
		find_reads(n, x, i, false, &r);
		if (!is_exact(n, &r, &result))
			return false;
	}
	return true;
}

static bool keep_whole(writer *w, pim_node *n)
{
	for (uint32_t i = 0; i < n->n_in; i++) {
		if (!n->in[i])
			continue;
		n->in[i] = write_whole(w, n->in[i]);
		if (!n->in[i])
			return false;
	}
	w->value[n->id].whole = n;
	return true;
}

static void name_piece(const pim_node *n, pim_node *piece, int64_t i, pim_arena *a)
{
	if (n->name && !piece->name)
		pim_node_rename(piece, pim_arena_printf(a, "%s.%lld", n->name, (long long)i));
}

static bool write_pieces(writer *w, pim_node *n, const pim_axes *x, int64_t n_pieces)
{
	value *v = &w->value[n->id];
	v->piece = PIM_NEW(w->arena, pim_node *, n_pieces);
	v->box = PIM_NEW(w->arena, pim_box, n_pieces);
	for (int64_t i = 0; i < n_pieces; i++) {
		v->box[i] = pim_layout_box(n->plan->layout, n->type, i, NULL);
		v->piece[i] = n->op == PIM_OP_relayout ? write_part(w, n->in[0], &v->box[i])
											   : write_piece(w, n, x, i, n_pieces);
		if (!v->piece[i])
			return false;
		if (n->op != PIM_OP_relayout)
			name_piece(n, v->piece[i], i, w->arena);
	}
	v->n_pieces = n_pieces;
	return true;
}

static bool write_node(writer *w, pim_node *n)
{
	w->at = n;
	if (n->op == PIM_OP_relayout && !is_cut(n))
		return (w->value[n->id].whole = write_whole(w, n->in[0])) != NULL;
	if (!is_cut(n) || (n->op != PIM_OP_relayout && !is_writable(n)))
		return keep_whole(w, n);
	int64_t n_pieces = count_pieces(n->plan->layout);
	const pim_axes *x = pim_axes_new(n, w->arena);
	if (n->op != PIM_OP_relayout && !all_exact(n, x, n_pieces))
		return keep_whole(w, n);
	return write_pieces(w, n, x, n_pieces);
}

/* Results are whole; a node that was written anew hands its name and places to its whole. */
static bool write_results(writer *w, pim_node *const *old, int n_old)
{
	pim_replacer *r = pim_replacer_new(w->graph, w->arena);
	for (int i = 0; i < w->graph->n_results; i++) {
		w->at = w->graph->results[i];
		if (!write_whole(w, w->graph->results[i]))
			return false;
	}
	for (int i = 0; i < n_old; i++) {
		pim_node *by = w->value[old[i]->id].whole;
		if (by && by != old[i])
			pim_replacer_note(r, old[i], by);
	}
	pim_replacer_apply(r);
	return true;
}

bool pim_pass_materialize(pim_graph *g, pim_job *j)
{
	writer w = {.graph = g, .arena = j->arena, .value = PIM_NEW(j->arena, value, g->n_ids + 1)};
	pim_node **old = PIM_NEW(j->arena, pim_node *, g->n_ids + 1);
	int n_old = 0;
	PIM_EACH_NODE(n, g)
	old[n_old++] = n;
	for (int i = 0; i < n_old; i++)
		if (!write_node(&w, old[i]))
			return false;
	if (!write_results(&w, old, n_old))
		return false;
	pim_graph_drop_unused(g, j->arena);
	pim_job_count(j, "slices", (double)w.slices);
	return true;
}
