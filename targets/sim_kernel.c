/* SPDX-License-Identifier: Apache-2.0 */
/* sim_kernel.c - running kernels: one op of the evaluator on bytes of a unit's memories.
 *
 * Operands are read and written in place. An operand at an address that its element type does not
 * allow, a result that overlaps an operand, or one that is added to (+=), goes through scratch. */
#include <string.h>

#include "targets/sim.h"

#define SCRATCH_BYTES (1 << 20) /* scratch is given back when it has grown past this */

/* The graph's inputs are the op's operands in order, without those that are absent. */
static void list_operands(pim_sim *s, const pim_kernel *k, pim_sim_kernel *q)
{
	int n = 0;
	q->n_operands = (int)k->op->n_in;
	q->source = PIM_NEW(s->arena, int, q->n_operands + 1);
	q->bytes = PIM_NEW(s->arena, int64_t, q->n_operands + 1);
	q->result_bytes = pim_type_bytes(k->op->type);
	for (int j = 0; j < q->n_operands; j++) {
		const pim_node *in = k->op->in[j];
		q->source[j] = in ? n : -1;
		if (in)
			q->bytes[n++] = pim_type_bytes(in->type);
	}
}

void pim_sim_kernels(pim_sim *s)
{
	s->kernel = PIM_NEW(s->arena, pim_sim_kernel, s->p->n_kernels + 1);
	s->scratch = pim_arena_new();
	for (int i = 0; i < s->p->n_kernels; i++)
		list_operands(s, s->p->kernel + i, s->kernel + i);
}

/* ---- += ---- */

static void add_i64(int64_t *to, const int64_t *by, int64_t n)
{
	for (int64_t i = 0; i < n; i++)
		to[i] = (int64_t)((uint64_t)to[i] + (uint64_t)by[i]);
}

/* By bytes: the destination may stand at any address. */
static void add_f32(uint8_t *to, const uint8_t *by, int64_t n)
{
	for (int64_t i = 0; i < n; i++) {
		float a, b;
		memcpy(&a, to + 4 * i, 4);
		memcpy(&b, by + 4 * i, 4);
		a += b;
		memcpy(to + 4 * i, &a, 4);
	}
}

/* Integers wrap, as sums of a whole kernel do: tiles of a sum give what the whole gives. */
static void add_integers(pim_dtype t, void *to, const void *by, int64_t n)
{
	size_t bytes = pim_dtype_bytes(t);
	for (int64_t i = 0; i < n; i++) {
		uint32_t a = 0, b = 0; /* little-endian, as everywhere here */
		memcpy(&a, (uint8_t *)to + (size_t)i * bytes, bytes);
		memcpy(&b, (const uint8_t *)by + (size_t)i * bytes, bytes);
		a += b;
		memcpy((uint8_t *)to + (size_t)i * bytes, &a, bytes);
	}
}

static void add_elements(pim_dtype t, void *to, const void *by, int64_t n)
{
	switch (t) {
	case PIM_DTYPE_i64:
	case PIM_DTYPE_u64:
		add_i64(to, by, n);
		break;
	case PIM_DTYPE_i8:
	case PIM_DTYPE_u8:
	case PIM_DTYPE_i16:
	case PIM_DTYPE_u16:
	case PIM_DTYPE_i32:
	case PIM_DTYPE_u32:
		add_integers(t, to, by, n);
		break;
	default:
		for (int64_t i = 0; i < n; i++)
			pim_element_set(t, to, i, pim_element_get(t, to, i) + pim_element_get(t, by, i));
	}
}

static void accumulate(pim_sim *s, const pim_type *t, uint8_t *to, const void *by)
{
	if (t->dtype == PIM_DTYPE_f32) {
		add_f32(to, by, t->elements);
		return;
	}
	size_t bytes = (size_t)pim_type_bytes(t);
	void *sum = pim_arena_raw(s->scratch, bytes + 1);
	memcpy(sum, to, bytes);
	add_elements(t->dtype, sum, by, t->elements);
	memcpy(to, sum, bytes);
}

/* ---- one kernel ---- */

static bool is_aligned(const void *p, pim_dtype t)
{
	return (uintptr_t)p % pim_dtype_bytes(t) == 0;
}

static void *aligned_bytes(pim_sim *s, uint8_t *p, const pim_type *t)
{
	if (is_aligned(p, t->dtype))
		return p;
	size_t bytes = (size_t)pim_type_bytes(t);
	return memcpy(pim_arena_raw(s->scratch, bytes + 1), p, bytes);
}

/* May the op write its result where it stands while it reads its operands? */
static bool is_apart(
	const pim_sim_kernel *k, const pim_tensor *in, const uint8_t *to, int64_t bytes)
{
	for (int j = 0; j < k->n_operands; j++) {
		const uint8_t *from = in[j].data;
		if (from && from < to + bytes && to < from + pim_type_bytes(in[j].type))
			return false;
	}
	return true;
}

static void reuse_scratch(pim_sim *s)
{
	if (pim_arena_bytes(s->scratch) < SCRATCH_BYTES)
		return;
	pim_arena_free(s->scratch);
	s->scratch = pim_arena_new();
}

/* As micro-programs have it, added to what stands there already. */
static bool run_rows(pim_sim *s, const pim_command *c, const pim_sim_kernel *k, const pim_node *op,
	const pim_tensor *in, const pim_tensor *out, uint8_t *to)
{
	if (c->accumulate)
		memcpy(out->data, to, (size_t)k->result_bytes);
	pim_sim_bank_run(s, k, op, in, out, c->accumulate);
	if (out->data != to)
		memcpy(to, out->data, (size_t)k->result_bytes);
	return true;
}

bool pim_sim_compute(pim_sim *s, pim_sim_unit *u)
{
	const pim_stream *stream = s->p->stream + u->number;
	const pim_command *c = stream->command + u->pc;
	const pim_ref *ref = pim_command_refs(stream, c);
	const pim_sim_kernel *k = s->kernel + c->index;
	const pim_node *op = s->p->kernel[c->index].op;
	reuse_scratch(s);
	pim_tensor *in = PIM_NEW(s->scratch, pim_tensor, k->n_operands + 1);
	for (int j = 0; j < k->n_operands; j++) {
		if (k->source[j] < 0)
			continue;
		const pim_ref *r = ref + 1 + k->source[j];
		in[j].type = op->in[j]->type;
		in[j].data = aligned_bytes(s, u->memory[r->space] + pim_sim_address(u, r), in[j].type);
	}
	uint8_t *to = u->memory[ref->space] + pim_sim_address(u, ref);
	bool direct =
		!c->accumulate && is_aligned(to, op->type->dtype) && is_apart(k, in, to, k->result_bytes);
	pim_tensor out = {
		op->type, direct ? to : pim_arena_raw(s->scratch, (size_t)k->result_bytes + 1)};
	if (pim_command_is_rows(c->code) && !k->by_columns)
		return run_rows(s, c, k, op, in, &out, to);
	pim_eval e = {.context = s->context, .scratch = s->scratch, .threads = 1};
	if (!pim_node_eval(op, in, &out, &e))
		return pim_sim_error(s, u, u->pc, "its kernel %u failed", c->index);
	if (c->accumulate)
		accumulate(s, op->type, to, out.data);
	else if (!direct)
		memcpy(to, out.data, (size_t)k->result_bytes);
	return true;
}
