/* SPDX-License-Identifier: Apache-2.0 */
/* sim_trace.c - every command that the banks were given, in order of time.
 *
 * What ran on each bank is noted with the slot in which it began. A kernel's slots are those from
 * its beginning on that no access has taken; that its last one is where the run had it end is
 * checked for every kernel. All-bank kernels are listed with the first bank of each group, from the
 * parts in which the run had them. */
#include <stdlib.h>

#include "ir/array.h"
#include "targets/sim_turns.h"

#define MOST_COMMANDS 4000000

/* One command of a stream that ran. */
typedef struct note {
	int64_t slot, slots, end;
	bool all; /* with all banks of the channel: slot is the one behind its beginning, for its place
			   */
	uint32_t command;
	pim_row_place *place; /* of references; of a kernel the result first */
} note;

typedef struct pim_sim_noted {
	int n, room;
	note *note;
} pim_sim_noted;

/* Commands in writing. at: being listed; widest: with it, of the bank that takes most slots; next:
 * the slot to look at; taken: accesses behind. */
typedef struct writing {
	pim_sim *s;
	const pim_sim_noted *all;
	const note *at, *widest;
	int unit, taken;
	int64_t next;
	const pim_sim_part *part; /* of an all-bank kernel: the one it is in ... */
	int64_t in_part;		  /* ... and the slots of it that are listed */
	int group;
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
	all->note = pim_arena_grow(s->arena, all->note, all->n, &all->room, sizeof *all->note);
	note *n = &all->note[all->n++];
	*n = (note){.slot = pim_slot_behind(g, u->number % g->banks, begin),
		.slots = u->op[u->pc].slots,
		.all = u->op[u->pc].lockstep,
		.end = end,
		.command = u->pc};
	find_places(s, u, s->p->stream[u->number].command + u->pc, n);
}

/* ---- writing ---- */

static void keep(void *user, const pim_dram_command *c)
{
	writing *w = user;
	w->command = pim_array_grow(w->command, w->n, &w->room, sizeof *w->command);
	w->command[w->n++] = *c;
}

/* A command to a group of banks. */
static void keep_all(void *user, const pim_dram_command *c)
{
	writing *w = user;
	const pim_target *t = w->s->t;
	pim_dram_command all = *c;
	all.unit = w->unit + w->group * t->bank.all_bank;
	all.banks = (int16_t)t->bank.all_bank;
	keep(w, &all);
}

/* The next slot of a kernel: what accesses take is passed over. */
static int64_t take_slot(writing *w)
{
	const note *n = w->all->note;
	while (w->taken < w->all->n && n[w->taken].slot <= w->next) {
		const note *x = n + w->taken++;
		if (!x->all && x != w->at && x->slot + x->slots > w->next)
			w->next = x->slot + x->slots;
	}
	return w->next++;
}

static void list_all_slot(writing *w, const pim_slot_work *work)
{
	if (w->in_part == w->part->slots) {
		w->part++;
		w->in_part = 0;
	}
	w->next = w->part->first + w->in_part++;
	for (w->group = 0; w->group < w->s->t->bank.lockstep->bank.grid->banks; w->group++)
		pim_slot_commands(w->s->t->bank.lockstep, w->group, w->next, work, keep_all, w);
	w->next++;
}

static void list_slot(void *user, const pim_slot_work *work)
{
	writing *w = user;
	if (w->at->all) {
		list_all_slot(w, work);
		return;
	}
	pim_slot_commands(w->s->t, w->unit, take_slot(w), work, keep, w);
}

/* The machine as the commands of what is listed find it. */
static const pim_target *target_of(const writing *w)
{
	return w->at->all ? w->s->t->bank.lockstep : w->s->t;
}

/* Elements that a kernel only moves, lanes by lanes. */
static void list_moved(writing *w, const pim_micro *m, const pim_row_place *operand)
{
	const pim_target *t = target_of(w);
	int64_t bytes = m->lanes * (int64_t)pim_dtype_bytes(m->op->type->dtype);
	for (int64_t wave = 0; wave < m->waves; wave++)
		for (int64_t r = 0; r < m->rounds; r++) {
			pim_element_visit(t, PIM_ACCESS_read, operand[0], bytes, list_slot, w);
			pim_element_visit(t, PIM_ACCESS_write, operand[m->op->n_in], bytes, list_slot, w);
		}
}

/* The note of the same all-bank kernel of another bank of the channel. */
static const note *find_note(const writing *w, int unit)
{
	int64_t number = 0;
	for (const note *n = w->all->note; n < w->at; n++)
		number += n->all;
	for (int i = 0; i < w->s->noted[unit].n; i++) {
		const note *n = &w->s->noted[unit].note[i];
		if (n->all && number-- == 0)
			return n;
	}
	PIM_BUG("bank %d runs fewer all-bank kernels than bank %d", unit, w->unit);
}

/* Operands that lie in other rows in other banks: each knows its own. */
static void own_places(writing *w, const pim_sim_kernel *k, int n, pim_row_place *operand)
{
	for (int b = 0; b < w->s->t->bank.grid->banks; b++) {
		const note *other = find_note(w, w->unit + b);
		for (int i = 0; i <= n && other->slots; i++) {
			int at = i == n ? 0 : k->source[i] + 1;
			if ((i == n || k->source[i] >= 0) && other->place[at].row != w->widest->place[at].row)
				operand[i].row = PIM_DRAM_OWN;
		}
	}
}

/* Of an all-bank kernel: that of the bank that takes most slots. */
static const pim_command *find_widest(writing *w, const pim_command *c)
{
	for (int b = 0; b < w->s->t->bank.grid->banks; b++) {
		const note *other = find_note(w, w->unit + b);
		if (other->slots <= w->widest->slots)
			continue;
		w->widest = other;
		c = w->s->p->stream[w->unit + b].command + other->command;
	}
	return c;
}

static void list_kernel(writing *w, const pim_command *c)
{
	w->widest = w->at;
	if (w->at->all)
		c = find_widest(w, c);
	const pim_sim_kernel *k = w->s->kernel + c->index;
	const pim_node *op = w->s->p->kernel[c->index].op;
	pim_row_place *operand = PIM_NEW(w->s->arena, pim_row_place, op->n_in + 1);
	pim_micro m = {.adds = c->accumulate};
	for (uint32_t i = 0; i < op->n_in; i++)
		if (k->source[i] >= 0)
			operand[i] = w->widest->place[1 + k->source[i]];
	operand[op->n_in] = w->widest->place[0];
	if (w->at->all)
		own_places(w, k, (int)op->n_in, operand);
	pim_micro_write(&m, w->s->t, op, k->axes, k->extent);
	if (m.by_columns)
		list_moved(w, &m, operand);
	else
		pim_micro_slots(target_of(w), &m, operand, list_slot, w);
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
	bool kernel = w->at->all || c->code == PIM_COMMAND_rows;
	if (w->at->all && w->unit % w->s->t->bank.grid->banks)
		return; /* listed with the first bank */
	w->next = w->at->slot;
	w->taken = kernel ? 0 : w->all->n;
	if (kernel)
		list_kernel(w, c);
	else
		list_access(w, c);
	const pim_bank_grid *g = w->s->t->bank.grid;
	int64_t end = w->at->all
					  ? pim_slot_end_of_groups(w->s->t->bank.lockstep->bank.grid, w->next - 1)
					  : pim_slot_start(g, w->unit % g->banks, w->next - 1) + g->slot;
	if (kernel && end != w->at->end)
		PIM_BUG("a kernel of bank %d ends at %lld by its commands, at %lld by its cost", w->unit,
			(long long)end, (long long)w->at->end);
}

/* By slot; what begins together in the order of the stream. */
static int compare_notes(const void *a, const void *b)
{
	const note *x = a, *y = b;
	if (x->all && y->all) /* one behind the other */
		return x->end < y->end ? -1 : 1;
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
	if (c->kind != PIM_DRAM_REF && c->banks > 1)
		pim_text_printf(out, "-%d", c->unit % banks + c->banks - 1);
	pim_text_printf(out, ",%s,", pim_dram_name(c->kind));
	for (int i = 0; i < c->n; i++)
		if (c->row[i] & PIM_DRAM_OWN)
			pim_text_str(out, "own");
		else
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
		w.part = s->lockstep[w.unit / s->t->bank.grid->banks].part;
		w.in_part = 0;
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
