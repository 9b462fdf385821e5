/* SPDX-License-Identifier: Apache-2.0 */
/* sim_trace.c - every command that the banks were given, in order of time.
 *
 * What ran on each bank is noted with the slot in which it began. A kernel's slots are those from
 * its beginning on that no access has taken; that its last one is where the run had it end is
 * checked for every kernel. */
#include <stdlib.h>

#include "targets/sim.h"

#define MOST_COMMANDS 4000000

/* One command of a stream that ran. */
typedef struct note {
	int64_t slot, slots, end;
	uint32_t command;
	pim_row_place *place; /* of references; of a kernel the result first */
} note;

typedef struct pim_sim_noted {
	int n, room;
	note *note;
} pim_sim_noted;

/* Commands in writing. kernel: being listed; next: the slot to look at; taken: accesses behind. */
typedef struct writing {
	pim_sim *s;
	const pim_sim_noted *all;
	const note *at;
	int unit, taken;
	int64_t next;
	int64_t n, room;
	pim_dram_command *command;
} writing;

static pim_row_place find_place(
	const pim_sim *s, const pim_sim_unit *u, const pim_ref *r, int64_t bytes)
{
	const pim_target *t = s->t;
	int64_t row = pim_sim_address(u, r) / (t->bank.columns / 8);
	if (r->space == PIM_SPACE_buffer)
		row += t->bank.rows - t->bank.compute_rows - t->bank.staging_rows;
	return (pim_row_place){row, bytes};
}

static void find_places(const pim_sim *s, const pim_sim_unit *u, const pim_command *c, note *n)
{
	const pim_ref *ref = pim_command_refs(&s->p->stream[u->number], c);
	n->place = PIM_NEW(s->arena, pim_row_place, c->n_refs + 1);
	for (int i = 0; i < c->n_refs; i++) {
		int64_t bytes = 0;
		if (!pim_command_is_kernel(c->code))
			bytes = s->pattern[c->index].bytes;
		else
			bytes = i ? s->kernel[c->index].bytes[i - 1] : s->kernel[c->index].result_bytes;
		n->place[i] = find_place(s, u, ref + i, bytes);
	}
}

void pim_sim_trace_note(pim_sim *s, const pim_sim_unit *u, int64_t begin, int64_t end)
{
	const pim_bank_grid *g = s->t->bank.grid;
	if (!s->noted)
		s->noted = PIM_NEW(s->arena, pim_sim_noted, s->n_units);
	pim_sim_noted *all = s->noted + u->number;
	if (all->n == all->room) {
		note *more = pim_arena_raw(s->arena, sizeof *more * (size_t)(2 * all->room + 16));
		for (int i = 0; i < all->n; i++)
			more[i] = all->note[i];
		all->room = 2 * all->room + 16;
		all->note = more;
	}
	note *n = &all->note[all->n++];
	*n = (note){.slot = pim_slot_behind(g, u->number % g->banks, begin),
		.slots = u->op[u->pc].slots,
		.end = end,
		.command = u->pc};
	find_places(s, u, s->p->stream[u->number].command + u->pc, n);
}

/* ---- writing ---- */

static void keep(void *user, const pim_dram_command *c)
{
	writing *w = user;
	if (w->n == w->room) {
		w->room = w->room ? 2 * w->room : 4096;
		w->command = realloc(w->command, (size_t)w->room * sizeof *w->command);
		if (!w->command)
			PIM_BUG("no memory for %lld commands of a trace", (long long)w->room);
	}
	w->command[w->n++] = *c;
}

/* The next slot of a kernel: what accesses take is passed over. */
static int64_t take_slot(writing *w)
{
	const note *n = w->all->note;
	while (w->taken < w->all->n && n[w->taken].slot <= w->next) {
		const note *x = n + w->taken++;
		if (x != w->at && x->slot + x->slots > w->next)
			w->next = x->slot + x->slots;
	}
	return w->next++;
}

static void list_slot(void *user, const pim_slot_work *work)
{
	writing *w = user;
	pim_slot_commands(w->s->t, w->unit, take_slot(w), work, keep, w);
}

/* Elements that a kernel only moves, lanes by lanes. */
static void list_moved(writing *w, const pim_micro *m, const pim_row_place *operand)
{
	const pim_target *t = w->s->t;
	int64_t bytes = m->lanes * (int64_t)pim_dtype_bytes(m->op->type->dtype);
	for (int64_t wave = 0; wave < m->waves; wave++)
		for (int64_t r = 0; r < m->rounds; r++) {
			pim_element_visit(t, PIM_ACCESS_read, operand[0], bytes, list_slot, w);
			pim_element_visit(t, PIM_ACCESS_write, operand[m->op->n_in], bytes, list_slot, w);
		}
}

static void list_kernel(writing *w, const pim_command *c)
{
	const pim_sim_kernel *k = w->s->kernel + c->index;
	const pim_node *op = w->s->p->kernel[c->index].op;
	pim_row_place *operand = PIM_NEW(w->s->arena, pim_row_place, op->n_in + 1);
	pim_micro m = {.adds = c->accumulate};
	for (uint32_t i = 0; i < op->n_in; i++)
		if (k->source[i] >= 0)
			operand[i] = w->at->place[1 + k->source[i]];
	operand[op->n_in] = w->at->place[0];
	pim_micro_write(&m, w->s->t, op, k->axes, k->extent);
	if (m.by_columns)
		list_moved(w, &m, operand);
	else
		pim_micro_slots(w->s->t, &m, operand, list_slot, w);
}

static void list_access(writing *w, const pim_command *c)
{
	const pim_row_place *p = w->at->place;
	if (c->code == PIM_COMMAND_send || c->code == PIM_COMMAND_multicast)
		pim_element_visit(w->s->t, PIM_ACCESS_read, p[0], p[0].bytes, list_slot, w);
	else if (c->code == PIM_COMMAND_recv)
		pim_element_visit(w->s->t, PIM_ACCESS_write, p[0], p[0].bytes, list_slot, w);
	else
		pim_copy_slots(w->s->t, p[c->n_refs - 1], p[0], list_slot, w);
}

/* The commands of one command of a stream. */
static void list_note(writing *w, int at)
{
	const pim_command *c = w->s->p->stream[w->unit].command + w->all->note[at].command;
	w->at = w->all->note + at;
	w->next = w->at->slot;
	w->taken = c->code == PIM_COMMAND_rows ? 0 : w->all->n;
	if (c->code == PIM_COMMAND_rows)
		list_kernel(w, c);
	else
		list_access(w, c);
	const pim_bank_grid *g = w->s->t->bank.grid;
	int64_t end = pim_slot_start(g, w->unit % g->banks, w->next - 1) + g->slot;
	if (c->code == PIM_COMMAND_rows && end != w->at->end)
		PIM_BUG("a kernel of bank %d ends at %lld by its commands, at %lld by its cost", w->unit,
			(long long)end, (long long)w->at->end);
}

/* By slot; what begins together in the order of the stream. */
static int compare_notes(const void *a, const void *b)
{
	const note *x = a, *y = b;
	if (x->slot != y->slot)
		return x->slot < y->slot ? -1 : 1;
	return (x->command > y->command) - (x->command < y->command);
}

static void list_refreshes(writing *w)
{
	const pim_bank_grid *g = w->s->t->bank.grid;
	int64_t last = 0;
	for (int64_t i = 0; i < w->n; i++)
		last = w->command[i].cycle > last ? w->command[i].cycle : last;
	for (int unit = 0; unit < w->s->n_units; unit += (int)g->banks)
		for (int64_t time = 0; time <= last; time += g->period)
			keep(w, &(pim_dram_command){.cycle = time, .unit = unit, .kind = PIM_DRAM_REF});
}

static int compare_commands(const void *a, const void *b)
{
	const pim_dram_command *x = a, *y = b;
	if (x->cycle != y->cycle)
		return x->cycle < y->cycle ? -1 : 1;
	if (x->unit != y->unit)
		return x->unit < y->unit ? -1 : 1;
	return (x->kind > y->kind) - (x->kind < y->kind);
}

static void print_command(const pim_sim *s, const pim_dram_command *c, pim_text *out)
{
	int banks = (int)s->t->bank.grid->banks;
	pim_text_printf(out, "%lld,%d,", (long long)c->cycle, c->unit / banks);
	if (c->kind != PIM_DRAM_REF)
		pim_text_printf(out, "%d", c->unit % banks);
	pim_text_printf(out, ",%s,", pim_dram_name(c->kind));
	for (int i = 0; i < c->n; i++)
		pim_text_printf(out, "%s%s%d", i ? "+" : "", c->row[i] & PIM_DRAM_NOT ? "~" : "",
			c->row[i] & ~PIM_DRAM_NOT);
	pim_text_printf(out, "\n");
}

/* Commands at least: three for each slot. */
static bool check_size(const pim_sim *s)
{
	double slots = 0;
	for (int u = 0; u < s->n_units; u++)
		for (int i = 0; i < s->noted[u].n; i++)
			slots += (double)s->noted[u].note[i].slots;
	return 3 * slots <= MOST_COMMANDS ||
		   pim_file_error(s->context, s->o->path,
			   "the banks are given some %.0f commands; a trace has at most %d: take a smaller "
			   "program",
			   3 * slots, MOST_COMMANDS);
}

bool pim_sim_trace_write(pim_sim *s)
{
	writing w = {.s = s};
	pim_text_printf(s->o->trace, "cycle,channel,bank,command,row\n");
	if (!s->noted)
		return true;
	if (!check_size(s))
		return false;
	for (; w.unit < s->n_units; w.unit++) {
		w.all = s->noted + w.unit;
		if (w.all->n)
			qsort(w.all->note, (size_t)w.all->n, sizeof *w.all->note, compare_notes);
		for (int i = 0; i < w.all->n; i++)
			list_note(&w, i);
	}
	list_refreshes(&w);
	qsort(w.command, (size_t)w.n, sizeof *w.command, compare_commands);
	for (int64_t i = 0; i < w.n; i++)
		print_command(s, w.command + i, s->o->trace);
	free(w.command);
	return true;
}
