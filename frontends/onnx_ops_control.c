/* SPDX-License-Identifier: Apache-2.0 */
/* onnx_ops_control - If, Loop and Scan.
 *
 * Programs have no regions, so bodies are written out. The number of turns of a Loop must be known
 * at import: its trip count, and whether it goes on. An If whose condition is not known becomes
 * both bodies and a choice between their results, which must then be of one type. Forms: ONNX
 * operator specification, Scan 8 (with batches) and 9. */
#include <string.h>

#include "frontends/onnx.h"

/* A Loop of more turns is refused. */
enum { TURN_LIMIT = 1000000 };

static const Onnx__GraphProto *body_of(const onnx_call *k, const char *name)
{
	const Onnx__AttributeProto *a = onnx_attribute(k, name);
	if (!a || !a->g)
		onnx_fail(k, "the body %s is missing", name);
	return a ? a->g : NULL;
}

static bool run_branch(onnx_call *k, const char *name, pim_node **out)
{
	const Onnx__GraphProto *g = body_of(k, name);
	onnx_scope s;
	if (!g)
		return false;
	if ((int)g->n_output < k->n_out || g->n_input)
		return onnx_fail(k, "%s has %zu inputs and %zu results, expected none and %d", name,
			g->n_input, g->n_output, k->n_out);
	return onnx_body_open(k, g, &s) && onnx_body_run(k, &s, g, NULL, out);
}

static pim_node **room_for(onnx_call *k, const char *name)
{
	const Onnx__AttributeProto *a = onnx_attribute(k, name);
	size_t n = a && a->g ? a->g->n_output : 0;
	return PIM_NEW(k->import->scratch, pim_node *, n + (size_t)k->n_out + 1);
}

static bool choose(onnx_call *k)
{
	pim_node **yes = room_for(k, "then_branch"), **no = room_for(k, "else_branch");
	pim_node *c = onnx_reshape(k, k->in[0], 0, NULL);
	if (!c || !run_branch(k, "then_branch", yes) || !run_branch(k, "else_branch", no))
		return false;
	for (int i = 0; i < k->n_out; i++) {
		if (yes[i]->type != no[i]->type)
			return onnx_fail(k,
				"the condition is not known when the model is read, and result %d is %s or %s", i,
				pim_type_text(yes[i]->type, k->import->scratch),
				pim_type_text(no[i]->type, k->import->scratch));
		k->out[i] = onnx_where(k, c, yes[i], no[i]);
		if (!k->out[i])
			return false;
	}
	return true;
}

bool onnx_convert_if(onnx_call *k)
{
	pim_tensor t;
	pim_node **out;
	const char *name;
	if (k->in[0]->type->elements != 1 || k->in[0]->type->dtype != PIM_DTYPE_bool)
		return onnx_fail(k, "the condition is %s, expected one bool",
			pim_type_text(k->in[0]->type, k->import->scratch));
	if (!onnx_known(k, k->in[0], &t))
		return choose(k);
	name = *(const uint8_t *)t.data ? "then_branch" : "else_branch";
	out = room_for(k, name);
	if (!run_branch(k, name, out))
		return false;
	memcpy(k->out, out, sizeof *out * (size_t)k->n_out);
	return true;
}

/* Values of one result, turn by turn, that are put together at the end. */
typedef struct pile {
	pim_node **v;
	int n, room;
} pile;

static void push(onnx_call *k, pile *p, pim_node *n)
{
	p->v = pim_arena_grow(k->import->scratch, p->v, p->n, &p->room, sizeof *p->v);
	p->v[p->n++] = n;
}

static pim_node *with_dim(onnx_call *k, pim_node *x, int64_t at)
{
	int64_t dims[PIM_MAX_RANK];
	if (x->type->rank == PIM_MAX_RANK) {
		onnx_fail(k, "a value that is piled up has %d dims already", PIM_MAX_RANK);
		return NULL;
	}
	for (int d = 0; d <= x->type->rank; d++)
		dims[d] = d == at ? 1 : x->type->dims[d - (d > at)];
	return onnx_reshape(k, x, x->type->rank + 1, dims);
}

/* No turns: the result has the sizes that the body's signature states, with 0 in front. */
static pim_node *empty_pile(onnx_call *k, const Onnx__ValueInfoProto *v)
{
	const Onnx__TypeProto__Tensor *t = v->type ? v->type->tensor_type : NULL;
	int64_t dims[PIM_MAX_RANK] = {0};
	pim_dtype dtype = t ? onnx_dtype(t->elem_type) : PIM_DTYPE_COUNT;
	int rank = 1;
	if (dtype == PIM_DTYPE_COUNT) {
		onnx_fail(k, "there are no turns, and the body does not state the type of '%s'",
			v->name ? v->name : "");
		return NULL;
	}
	for (size_t d = 0; t->shape && d < t->shape->n_dim && rank < PIM_MAX_RANK; d++)
		dims[rank++] = t->shape->dim[d]->dim_value > 0 ? t->shape->dim[d]->dim_value : 0;
	return onnx_splat(k, dtype, rank, dims, 0);
}

/* The pile along a new dim. */
static pim_node *join(
	onnx_call *k, pile *p, int64_t axis, bool reversed, const Onnx__ValueInfoProto *v)
{
	int64_t limit = p->n ? p->v[0]->type->rank + 1 : 1;
	if (p->n == 0)
		return empty_pile(k, v);
	if (!onnx_axis(k, &axis, (int)limit))
		return NULL;
	for (int i = 0; i < p->n; i++)
		if (!(p->v[i] = with_dim(k, p->v[i], axis)))
			return NULL;
	for (int i = 0, j = p->n - 1; reversed && i < j; i++, j--) {
		pim_node *swap = p->v[i];
		p->v[i] = p->v[j];
		p->v[j] = swap;
	}
	return onnx_concat(k, p->n, p->v, (int)axis);
}

/* ---- Loop ---- */

typedef struct loop {
	onnx_call *k;
	const Onnx__GraphProto *g;
	onnx_scope scope;
	int n_state;
	int64_t turns;		  /* at most */
	pim_node **in, **out; /* of the body: turn, goes on, state; goes on, state, piled */
	pile *piles;
} loop;

/* Whether the condition holds; false after a diagnostic when it is not known. */
static bool read_condition(onnx_call *k, const pim_node *n, bool *holds)
{
	pim_tensor t;
	*holds = true;
	if (!n)
		return true;
	if (!onnx_known(k, n, &t) || t.type->elements != 1)
		return onnx_fail(k, "whether it goes on is not known when the model is read");
	*holds = pim_element_get(t.type->dtype, t.data, 0) != 0;
	return true;
}

/* A scalar, or a list of one where the body states that. */
static pim_node *one_number(onnx_call *k, const Onnx__ValueInfoProto *v, pim_dtype t, double number)
{
	bool is_list = v->type && v->type->value_case == ONNX__TYPE_PROTO__VALUE_TENSOR_TYPE &&
				   v->type->tensor_type->shape && v->type->tensor_type->shape->n_dim == 1;
	return onnx_numbers(k, t, is_list, (int64_t[]){1}, &number);
}

static bool turn(loop *l, int64_t i)
{
	onnx_call *k = l->k;
	double at = (double)i;
	l->in[0] = one_number(k, l->g->input[0], PIM_DTYPE_i64, at);
	l->in[1] = one_number(k, l->g->input[1], PIM_DTYPE_bool, 1);
	if (!onnx_body_run(k, &l->scope, l->g, l->in, l->out))
		return false;
	for (int s = 0; s < l->n_state; s++)
		l->in[2 + s] = l->out[1 + s];
	for (size_t o = 1 + (size_t)l->n_state; o < l->g->n_output; o++)
		push(k, &l->piles[o], l->out[o]);
	return true;
}

static bool open_loop(loop *l)
{
	onnx_call *k = l->k;
	double count = TURN_LIMIT;
	if (k->n_in > 0 && k->in[0] && !onnx_input_number(k, 0, &count))
		return false;
	l->g = body_of(k, "body");
	l->n_state = k->n_in > 2 ? k->n_in - 2 : 0;
	if (!l->g || !onnx_body_open(k, l->g, &l->scope))
		return false;
	if (l->g->n_input != 2 + (size_t)l->n_state || l->g->n_output < 1 + (size_t)l->n_state ||
		(size_t)k->n_out + 1 > l->g->n_output)
		return onnx_fail(k, "the body has %zu inputs and %zu results for %d values and %d results",
			l->g->n_input, l->g->n_output, l->n_state, k->n_out);
	l->turns = count > TURN_LIMIT ? TURN_LIMIT : (int64_t)count;
	l->in = PIM_NEW(k->import->scratch, pim_node *, l->g->n_input + 1);
	l->out = PIM_NEW(k->import->scratch, pim_node *, l->g->n_output + 1);
	l->piles = PIM_NEW(k->import->scratch, pile, l->g->n_output + 1);
	for (int i = 0; i < l->n_state; i++) {
		l->in[2 + i] = k->in[2 + i];
		if (!k->in[2 + i])
			return onnx_fail(k, "input %d is missing", 2 + i);
	}
	return true;
}

bool onnx_convert_loop(onnx_call *k)
{
	loop l = {.k = k};
	bool goes_on;
	int64_t i = 0;
	if (!open_loop(&l) || !read_condition(k, k->n_in > 1 ? k->in[1] : NULL, &goes_on))
		return false;
	for (; i < l.turns && goes_on; i++)
		if (!turn(&l, i) || !read_condition(k, l.out[0], &goes_on))
			return false;
	if (i == TURN_LIMIT && goes_on)
		return onnx_fail(k, "it takes more than %d turns", (int)TURN_LIMIT);
	for (int o = 0; o < k->n_out; o++) {
		k->out[o] =
			o < l.n_state ? l.in[2 + o] : join(k, &l.piles[1 + o], 0, false, l.g->output[1 + o]);
		if (!k->out[o])
			return false;
	}
	return true;
}

/* ---- Scan ---- */

typedef struct scan {
	onnx_call *k;
	const Onnx__GraphProto *g;
	onnx_scope scope;
	int n_state, n_scanned, n_piled, first; /* first: input 0 of the body is this one of the node */
	int64_t length;
	pim_node **in, **out, **given, **state;
} scan;

/* Entry i of a list that may be absent. */
static int64_t entry(const onnx_call *k, const char *name, int i, int64_t init)
{
	const int64_t *v;
	return onnx_ints(k, name, &v) > i ? v[i] : init;
}

/* A list has a number for each of n values; directions are 0 or 1. */
static bool check_list(const onnx_call *k, const char *name, int n, bool is_direction)
{
	const int64_t *v;
	int count = onnx_ints(k, name, &v);
	if (count >= 0 && count != n)
		return onnx_fail(k, "%s has %d numbers, expected %d", name, count, n);
	for (int i = 0; i < count && is_direction; i++)
		if (v[i] != 0 && v[i] != 1)
			return onnx_fail(k, "%s[%d] is %lld, expected 0 or 1", name, i, (long long)v[i]);
	return true;
}

static bool check_lists(const scan *s)
{
	const onnx_call *k = s->k;
	return check_list(k, "scan_input_axes", s->n_scanned, false) &&
		   check_list(k, "scan_output_axes", s->n_piled, false) &&
		   check_list(k, "directions", s->n_scanned, true) &&
		   check_list(k, "scan_input_directions", s->n_scanned, true) &&
		   check_list(k, "scan_output_directions", s->n_piled, true);
}

static bool open_scan(scan *s)
{
	onnx_call *k = s->k;
	s->first = k->opset < 9;
	s->g = body_of(k, "body");
	s->n_scanned = (int)onnx_int(k, "num_scan_inputs", 0);
	s->n_state = k->n_in - s->first - s->n_scanned;
	if (!s->g || !onnx_body_open(k, s->g, &s->scope))
		return false;
	if (s->n_scanned < 1 || s->n_state < 0 || (int)s->g->n_input != k->n_in - s->first ||
		(int)s->g->n_output < k->n_out || (int)s->g->n_output < s->n_state)
		return onnx_fail(k, "the body has %zu inputs and %zu results for %d inputs and %d results",
			s->g->n_input, s->g->n_output, k->n_in - s->first, k->n_out);
	if (s->first && k->in[0])
		return onnx_fail(k, "sequence_lens is given, which is not supported");
	for (int i = s->first; i < k->n_in; i++)
		if (!k->in[i])
			return onnx_fail(k, "input %d is missing", i);
	s->n_piled = (int)s->g->n_output - s->n_state;
	s->in = PIM_NEW(k->import->scratch, pim_node *, s->g->n_input + 1);
	s->out = PIM_NEW(k->import->scratch, pim_node *, s->g->n_output + 1);
	s->given = PIM_NEW(k->import->scratch, pim_node *, s->g->n_input + 1);
	s->state = PIM_NEW(k->import->scratch, pim_node *, s->g->n_output + 1);
	return check_lists(s);
}

/* Element t of scanned input i, without its dim. */
static pim_node *element(scan *s, int i, int64_t t)
{
	onnx_call *k = s->k;
	pim_node *x = s->given[s->n_state + i];
	int64_t axis = entry(k, "scan_input_axes", i, 0), dims[PIM_MAX_RANK];
	bool reversed = entry(k, s->first ? "directions" : "scan_input_directions", i, 0) != 0;
	if (!onnx_axis(k, &axis, x->type->rank))
		return NULL;
	if (s->length < 0)
		s->length = x->type->dims[axis];
	if (x->type->dims[axis] != s->length) {
		onnx_fail(k, "scanned inputs have %lld and %lld elements", (long long)s->length,
			(long long)x->type->dims[axis]);
		return NULL;
	}
	if (s->length == 0)
		return x;
	for (int d = 0; d < x->type->rank - 1; d++)
		dims[d] = x->type->dims[d + (d >= axis)];
	x = onnx_part(k, x, (int)axis, reversed ? s->length - 1 - t : t, 1);
	return x ? onnx_reshape(k, x, x->type->rank - 1, dims) : NULL;
}

/* All turns on s->given; results in s->state. */
static bool run_scan(scan *s)
{
	onnx_call *k = s->k;
	pile *piles = PIM_NEW(k->import->scratch, pile, s->n_piled + 1);
	s->length = -1;
	for (int i = 0; i < s->n_state; i++)
		s->state[i] = s->given[i];
	for (int64_t t = 0; s->length < 0 || t < s->length; t++) {
		for (int i = 0; i < s->n_scanned; i++)
			if (!(s->in[s->n_state + i] = element(s, i, t)))
				return false;
		if (s->length == 0)
			break;
		for (int i = 0; i < s->n_state; i++)
			s->in[i] = s->state[i];
		if (!onnx_body_run(k, &s->scope, s->g, s->in, s->out))
			return false;
		for (int i = 0; i < s->n_state; i++)
			s->state[i] = s->out[i];
		for (int i = 0; i < s->n_piled; i++)
			push(k, &piles[i], s->out[s->n_state + i]);
	}
	for (int i = 0; i < s->n_piled; i++) {
		s->state[s->n_state + i] = join(k, &piles[i], entry(k, "scan_output_axes", i, 0),
			entry(k, "scan_output_directions", i, 0) != 0, s->g->output[s->n_state + i]);
		if (!s->state[s->n_state + i])
			return false;
	}
	return true;
}

/* Before opset 9: every input has a batch dim in front, and each batch is scanned by itself. */
static bool scan_batches(scan *s)
{
	onnx_call *k = s->k;
	int64_t batches = k->in[1]->type->rank ? k->in[1]->type->dims[0] : 0;
	pile *piles = PIM_NEW(k->import->scratch, pile, k->n_out + 1);
	for (int64_t b = 0; b < batches; b++) {
		for (int i = 1; i < k->n_in; i++) {
			pim_node *x = k->in[i];
			if (x->type->rank < 1 || x->type->dims[0] != batches)
				return onnx_fail(k, "input %d has another batch size", i);
			x = onnx_part(k, x, 0, b, 1);
			s->given[i - 1] = x ? onnx_reshape(k, x, x->type->rank - 1, x->type->dims + 1) : NULL;
			if (!s->given[i - 1])
				return false;
		}
		if (!run_scan(s))
			return false;
		for (int o = 0; o < k->n_out; o++)
			push(k, &piles[o], s->state[o]);
	}
	for (int o = 0; o < k->n_out; o++)
		if (!(k->out[o] = join(k, &piles[o], 0, false, s->g->output[o])))
			return false;
	return true;
}

bool onnx_convert_scan(onnx_call *k)
{
	scan s = {.k = k};
	if (!open_scan(&s))
		return false;
	if (s.first)
		return scan_batches(&s);
	memcpy(s.given, k->in, sizeof *k->in * (size_t)k->n_in);
	if (!run_scan(&s))
		return false;
	memcpy(k->out, s.state, sizeof *k->out * (size_t)k->n_out);
	return true;
}
