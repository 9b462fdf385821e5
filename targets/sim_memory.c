/* SPDX-License-Identifier: Apache-2.0 */
/* sim_memory.c - the bytes of a simulated machine: memories, copies, messages, homes.
 *
 * Every unit has its memories only up to the highest address that its stream uses; the host gives
 * pages when they are first written. A pattern is turned into rows of consecutive bytes once, so
 * that a copy of packed data is one memcpy. */
#include <stdlib.h>
#include <string.h>

#include "ir/array.h"
#include "targets/sim.h"

/* ---- patterns as rows ---- */

/* Strides of packed elements in row-major order. */
static void pack_strides(const pim_pattern *p, int64_t *stride)
{
	int64_t bytes = (int64_t)pim_dtype_bytes(p->dtype);
	for (int d = p->rank - 1; d >= 0; d--) {
		stride[d] = bytes;
		bytes *= p->extent[d];
	}
}

/* Joins dims that are consecutive on both sides; the innermost become the row. */
static pim_sim_walk make_walk(const pim_pattern *p, const int64_t *to, const int64_t *from)
{
	pim_sim_walk w = {.run = pim_pattern_bytes(p) ? (int64_t)pim_dtype_bytes(p->dtype) : 0};
	for (int d = 0; d < p->rank; d++) {
		if (p->extent[d] == 1)
			continue;
		int last = w.n - 1;
		if (w.n && w.to[last] == to[d] * p->extent[d] && w.from[last] == from[d] * p->extent[d]) {
			w.extent[last] *= p->extent[d];
		} else {
			last = w.n++;
			w.extent[last] = p->extent[d];
		}
		w.to[last] = to[d];
		w.from[last] = from[d];
	}
	if (w.n && w.to[w.n - 1] == w.run && w.from[w.n - 1] == w.run)
		w.run *= w.extent[--w.n];
	return w;
}

void pim_sim_patterns(pim_sim *s)
{
	s->pattern = PIM_NEW(s->arena, pim_sim_pattern, s->p->n_patterns + 1);
	for (int i = 0; i < s->p->n_patterns; i++) {
		const pim_pattern *p = s->p->pattern + i;
		pim_sim_pattern *q = s->pattern + i;
		int64_t packed[PIM_MAX_RANK];
		pack_strides(p, packed);
		q->bytes = pim_pattern_bytes(p);
		q->copy = make_walk(p, p->to, p->from);
		q->pack = make_walk(p, packed, p->from);
		q->unpack = make_walk(p, p->to, packed);
		q->to = make_walk(p, p->to, p->to);
		q->from = make_walk(p, p->from, p->from);
		pim_element_set(p->dtype, q->fill, 0, p->fill);
	}
}

/* ---- moving rows ---- */

static void move_row(uint8_t *to, const uint8_t *from, int64_t run)
{
	switch (run) {
	case 1:
		*to = *from;
		break;
	case 2:
		memcpy(to, from, 2);
		break;
	case 4:
		memcpy(to, from, 4);
		break;
	case 8:
		memcpy(to, from, 8);
		break;
	default:
		memmove(to, from, (size_t)run);
	}
}

static void move_rows(const pim_sim_walk *w, int level, uint8_t *to, const uint8_t *from)
{
	if (level == w->n) {
		move_row(to, from, w->run);
		return;
	}
	for (int64_t i = 0; i < w->extent[level]; i++) {
		if (level + 1 == w->n)
			move_row(to, from, w->run);
		else
			move_rows(w, level + 1, to, from);
		to += w->to[level];
		from += w->from[level];
	}
}

static void copy_rows(const pim_sim_walk *w, uint8_t *to, const uint8_t *from)
{
	if (w->run)
		move_rows(w, 0, to, from);
}

static void fill_rows(
	const pim_sim_walk *w, int level, uint8_t *to, const uint8_t *element, int size)
{
	for (int64_t i = 0; level < w->n && i < w->extent[level]; i++)
		fill_rows(w, level + 1, to + i * w->to[level], element, size);
	for (int64_t i = 0; level == w->n && i < w->run; i += size)
		memcpy(to + i, element, (size_t)size);
}

/* ---- commands ---- */

static uint8_t *place(const pim_sim_unit *u, const pim_ref *r)
{
	return u->memory[r->space] + pim_sim_address(u, r);
}

static void post_bytes(pim_sim_message *m, const pim_sim_pattern *q, const uint8_t *from)
{
	m->payload = pim_array_raw(q->bytes, 1);
	copy_rows(&q->pack, m->payload, from);
}

/* Does to bytes what the command at which u stands says. m: the message of a send or recv. */
void pim_sim_move(pim_sim *s, pim_sim_unit *u, pim_sim_message *m)
{
	const pim_stream *stream = s->p->stream + u->number;
	const pim_command *c = stream->command + u->pc;
	const pim_ref *ref = pim_command_refs(stream, c);
	const pim_sim_pattern *q = s->pattern + c->index;
	switch (c->code) {
	case PIM_COMMAND_load:
	case PIM_COMMAND_store:
	case PIM_COMMAND_copy:
		copy_rows(&q->copy, place(u, ref), place(u, ref + 1));
		break;
	case PIM_COMMAND_fill:
		fill_rows(
			&q->to, 0, place(u, ref), q->fill, (int)pim_dtype_bytes(s->p->pattern[c->index].dtype));
		break;
	case PIM_COMMAND_send:
	case PIM_COMMAND_multicast:
		post_bytes(m, q, place(u, ref));
		break;
	case PIM_COMMAND_recv:
		copy_rows(&q->unpack, place(u, ref), m->payload);
		free(m->payload);
		m->payload = NULL;
		break;
	default:
		break;
	}
}

/* ---- homes ---- */

/* The box of a tensor as a pattern: the tensor's side in `from`, packed in `to`. */
static pim_sim_walk box_walk(const pim_type *t, const pim_box *b, int64_t *offset)
{
	pim_pattern p = {.dtype = t->dtype, .rank = t->rank};
	int64_t stride[PIM_MAX_RANK], bytes = (int64_t)pim_dtype_bytes(t->dtype);
	pim_type_strides(t, stride);
	*offset = 0;
	for (int d = 0; d < t->rank; d++) {
		p.extent[d] = b->hi[d] - b->lo[d];
		p.from[d] = stride[d] * bytes;
		*offset += b->lo[d] * p.from[d];
	}
	pack_strides(&p, p.to);
	return make_walk(&p, p.to, p.from);
}

static bool fill_constant(pim_sim *s, const pim_home *h, uint8_t *to)
{
	const pim_program_tensor *c = s->p->constant + h->tensor;
	int64_t offset, size = (int64_t)pim_dtype_bytes(c->type->dtype);
	pim_sim_walk w = box_walk(c->type, &h->box, &offset);
	if (c->data.kind == PIM_DATA_absent)
		return pim_file_error(s->context, s->o->path,
			"constant %s has no data: only timing can be simulated", c->name);
	if (c->data.kind == PIM_DATA_dense)
		copy_rows(&w, to, (const uint8_t *)c->data.bytes + offset);
	for (int64_t i = 0; c->data.kind == PIM_DATA_splat && i < pim_box_elements(&h->box); i++)
		memcpy(to + i * size, c->data.bytes, (size_t)size);
	return true;
}

static bool fill_home(pim_sim *s, const pim_home *h)
{
	uint8_t *to = s->unit[h->unit].memory[PIM_SPACE_memory] + h->address;
	if (h->kind == PIM_HOME_constant)
		return fill_constant(s, h, to);
	int64_t offset;
	const pim_tensor *t = s->o->input + h->tensor;
	pim_sim_walk w = box_walk(t->type, &h->box, &offset);
	copy_rows(&w, to, (const uint8_t *)t->data + offset);
	return true;
}

static bool make_memory(pim_sim *s, pim_sim_unit *u, int space, int64_t bytes)
{
	u->memory[space] = calloc((size_t)bytes + 1, 1);
	return u->memory[space] || pim_file_error(s->context, s->o->path,
								   "this computer has no %lld bytes for the memory of unit %u",
								   (long long)bytes, u->number);
}

/* Makes the memories of all units and fills the homes of constants and inputs. */
bool pim_sim_memory_fill(pim_sim *s)
{
	for (int i = 0; i < s->n_units; i++)
		if (!make_memory(s, s->unit + i, PIM_SPACE_memory, s->p->stream[i].memory_bytes) ||
			!make_memory(s, s->unit + i, PIM_SPACE_buffer, s->p->stream[i].buffer_bytes))
			return false;
	bool good = true;
	for (int64_t i = 0; i < s->p->n_homes; i++)
		if (s->p->home[i].kind != PIM_HOME_result)
			good = fill_home(s, s->p->home + i) && good;
	return good;
}

void pim_sim_memory_free(pim_sim *s)
{
	for (int i = 0; i < s->n_units && s->unit; i++) {
		free(s->unit[i].memory[PIM_SPACE_memory]);
		free(s->unit[i].memory[PIM_SPACE_buffer]);
	}
}

/* ---- results ---- */

/* A result while it is gathered: who gave each element (unit + 1; 0: nobody yet). */
typedef struct gather {
	const pim_home *home;
	uint8_t *data;
	uint32_t *giver;
	int64_t size;
	int64_t differs; /* first element where copies differ, -1 */
} gather;

static void gather_row(gather *g, int64_t element, const uint8_t *from, int64_t n)
{
	for (int64_t i = 0; i < n; i++) {
		uint8_t *to = g->data + (element + i) * g->size;
		const uint8_t *value = from + i * g->size;
		uint32_t *giver = g->giver + element + i;
		if (*giver && memcmp(to, value, (size_t)g->size) != 0 && g->differs < 0)
			g->differs = element + i;
		if (!*giver) {
			memcpy(to, value, (size_t)g->size);
			*giver = g->home->unit + 1;
		}
	}
}

static void gather_rows(
	gather *g, const pim_sim_walk *w, int level, int64_t to, const uint8_t *from)
{
	if (level == w->n) {
		gather_row(g, to / g->size, from, w->run / g->size);
		return;
	}
	for (int64_t i = 0; i < w->extent[level]; i++)
		gather_rows(g, w, level + 1, to + i * w->from[level], from + i * w->to[level]);
}

static bool gather_home(pim_sim *s, gather *g, const pim_home *h, const char *name)
{
	int64_t offset;
	pim_sim_walk w = box_walk(s->p->result[h->tensor].type, &h->box, &offset);
	g->home = h;
	if (w.run)
		gather_rows(g, &w, 0, offset, s->unit[h->unit].memory[PIM_SPACE_memory] + h->address);
	if (g->differs < 0)
		return true;
	return pim_file_error(s->context, s->o->path,
		"element %lld of result %s is not the same in its copies on units %u and %u",
		(long long)g->differs, name, g->giver[g->differs] - 1, h->unit);
}

static bool gather_result(pim_sim *s, uint32_t i)
{
	const pim_program_tensor *t = s->p->result + i;
	pim_arena *scratch = pim_arena_new();
	gather g = {.data = s->report->result[i].data, .differs = -1};
	g.size = (int64_t)pim_dtype_bytes(t->type->dtype);
	g.giver = PIM_NEW(scratch, uint32_t, t->type->elements + 1);
	bool good = true;
	for (int64_t h = 0; h < s->p->n_homes && good; h++)
		if (s->p->home[h].kind == PIM_HOME_result && s->p->home[h].tensor == i)
			good = gather_home(s, &g, s->p->home + h, t->name);
	for (int64_t e = 0; e < t->type->elements && good; e++)
		if (!g.giver[e])
			good = pim_file_error(s->context, s->o->path,
				"element %lld of result %s is at home on no unit", (long long)e, t->name);
	pim_arena_free(scratch);
	return good;
}

/* Puts the results together from their homes; copies must be equal, byte by byte. */
bool pim_sim_memory_gather(pim_sim *s)
{
	bool good = true;
	for (int i = 0; i < s->p->n_results; i++)
		good = gather_result(s, (uint32_t)i) && good;
	return good;
}
