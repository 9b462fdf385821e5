/* SPDX-License-Identifier: Apache-2.0 */
/* The turns of banks against the rules of DRAM: on random machines, banks that do random things in
 * every slot; every rule is held between all pairs of commands that it is about. A scheduler that
 * issues row operations as early as the rules allow, command by command and without turns, takes at
 * most as long, and on hbm2-pim as long. Closed forms are those of the list of slots. All of it for
 * commands to groups of banks too. */
#include <stdlib.h>
#include <string.h>

#include "targets/bank/bank.h"
#include "tests/unit/draw.h"

enum { MOST = 20000 };
static pim_dram_command list[MOST];
static int n_list;

static void keep(void *user, const pim_dram_command *c)
{
	(void)user;
	CHECK(n_list < MOST);
	list[n_list++] = *c;
}

static void draw_machine(pim_target *t, pim_bank_grid *g)
{
	memset(t, 0, sizeof *t);
	t->network.size[0] = (int)draw_in(1, 16);
	t->bank.columns = 64 << draw_in(0, 6);
	t->bank.burst_bytes = 8 << draw_in(0, 2);
	t->bank.trcd = draw_in(4, 20);
	t->bank.trp = draw_in(4, 20);
	t->bank.tras = t->bank.trcd + draw_in(4, 20);
	t->bank.trrd = draw_in(1, 6);
	t->bank.tfaw = draw_in(1, 40);
	t->bank.tccd = draw_in(1, 4);
	t->bank.twr = draw_in(4, 16);
	t->bank.twtr = draw_in(1, 8);
	t->bank.trtp = draw_in(1, 60);
	t->bank.write_latency = draw_in(0, 8);
	t->bank.second_activation = draw_in(0, 20);
	t->bank.trfc = draw_in(50, 300);
	t->bank.trefi = draw_in(3000, 5000);
	t->bank.grid = g;
	pim_bank_grid_make(t, t->network.size[0], t->bank.tfaw, g);
	CHECK(g->slots > 0 && g->period <= t->bank.trefi);
}

/* The machine as commands to groups of its banks find it: with groups for banks and their rule for
 * four activations. False: no slot fits between refreshes. */
static bool draw_groups(const pim_target *t, pim_target *all, pim_bank_grid *g)
{
	pim_target drawn = *t;
	do
		drawn.bank.all_bank = (int)draw_in(1, t->network.size[0]);
	while (t->network.size[0] % drawn.bank.all_bank);
	drawn.bank.all_bank_tfaw = draw_in(1, 300);
	pim_bank_grid_make_groups(&drawn, g);
	CHECK(g->period == t->bank.grid->period);
	*all = drawn;
	all->network.size[0] /= drawn.bank.all_bank;
	all->bank.tfaw = drawn.bank.all_bank_tfaw;
	all->bank.grid = g;
	return g->slots > 0;
}

static pim_slot_work draw_work(const pim_target *t)
{
	pim_slot_work w = {.operation = draw_in(0, 1), .from = {7, -1, -1}, .to = {-1, -1, -1}};
	if (w.operation) {
		w.to[0] = draw_in(0, 3) ? 9 : -1;
		return w;
	}
	w.access = draw_in(0, 1) ? PIM_ACCESS_read : PIM_ACCESS_write;
	int64_t most = pim_access_most(t, w.access), row = t->bank.columns / 8;
	w.bytes = draw_in(1, most < row ? most : row);
	w.n = (int)draw_in(1, pim_access_each(t, w.access, w.bytes));
	w.from[1] = w.from[2] = 8;
	return w;
}

static bool opens(const pim_dram_command *c)
{
	return c->kind == PIM_DRAM_ACT;
}

static bool is_of_rows(const pim_dram_command *c)
{
	return c->kind == PIM_DRAM_ACT || c->kind == PIM_DRAM_PRE;
}

/* Cycles that b must be behind a, both of one bank, a the last of its kind before b. */
static int64_t least_of_bank(const pim_target *t, int a, int b)
{
	int64_t written = t->bank.write_latency + t->bank.tccd;
	if (a == PIM_DRAM_PRE)
		return t->bank.trp;
	if (a == PIM_DRAM_ACT)
		return b == PIM_DRAM_PRE ? t->bank.tras : b == PIM_DRAM_ACT ? 0 : t->bank.trcd;
	if (b == PIM_DRAM_PRE)
		return a == PIM_DRAM_RD ? t->bank.trtp : written + t->bank.twr;
	if (b == PIM_DRAM_ACT)
		return 0;
	return a == PIM_DRAM_WR && b == PIM_DRAM_RD ? written + t->bank.twtr : t->bank.tccd;
}

/* Every pair of one bank; PRE stands between what opens and what opens next. */
static void check_bank(const pim_target *t, int unit)
{
	int64_t last[PIM_DRAM_KINDS], opened = 0;
	for (int k = 0; k < PIM_DRAM_KINDS; k++)
		last[k] = -1000000;
	for (int i = 0; i < n_list; i++) {
		const pim_dram_command *c = list + i;
		if (c->unit != unit)
			continue;
		for (int k = 0; k < PIM_DRAM_KINDS; k++)
			if (k != PIM_DRAM_REF)
				CHECK(c->cycle - last[k] >= least_of_bank(t, k, c->kind));
		if (opens(c) && opened)
			CHECK(c->cycle - last[PIM_DRAM_ACT] >= t->bank.second_activation);
		opened = c->kind == PIM_DRAM_PRE ? 0 : opened + opens(c);
		CHECK(opened <= 2 && (c->kind == PIM_DRAM_PRE || opened));
		last[c->kind] = c->cycle;
	}
	CHECK(!opened);
}

static void check_channel(const pim_target *t)
{
	int64_t four[4] = {-1000, -1000, -1000, -1000}, bus = -1;
	const pim_bank_grid *g = t->bank.grid;
	for (int i = 0; i < n_list; i++) {
		const pim_dram_command *c = list + i;
		int64_t behind = c->cycle % g->period;
		CHECK(behind >= t->bank.trfc); /* refreshed before */
		if (c->kind == PIM_DRAM_PRE)
			CHECK(g->period - behind >= t->bank.trp);
		if (!is_of_rows(c))
			continue;
		CHECK(c->cycle > bus);
		bus = c->cycle;
		if (!opens(c))
			continue;
		CHECK(c->cycle - four[3] >= t->bank.trrd && c->cycle - four[0] >= t->bank.tfaw);
		memmove(four, four + 1, 3 * sizeof *four);
		four[3] = c->cycle;
	}
}

static int compare(const void *a, const void *b)
{
	const pim_dram_command *x = a, *y = b;
	return x->cycle != y->cycle ? (x->cycle < y->cycle ? -1 : 1) : x->unit - y->unit;
}

static void test_rules(const pim_target *t)
{
	const pim_bank_grid *g = t->bank.grid;
	int64_t first = draw_in(0, 2) * g->slots + draw_in(0, g->slots - 1), n = g->slots + 3;
	n_list = 0;
	for (int unit = 0; unit < g->banks; unit++)
		for (int64_t k = 0; k < (n < 60 ? n : 60); k++) {
			pim_slot_work w = draw_work(t);
			pim_slot_commands(t, unit, first + k, &w, keep, NULL);
		}
	qsort(list, (size_t)n_list, sizeof *list, compare);
	check_channel(t);
	for (int unit = 0; unit < g->banks; unit++)
		check_bank(t, unit);
}

/* ---- closed forms ---- */

static void count_slot(void *user, const pim_slot_work *w)
{
	CHECK(w->operation || (w->n > 0 && w->bytes > 0));
	++*(int64_t *)user;
}

static void test_closed_forms(const pim_target *t)
{
	const pim_bank_grid *g = t->bank.grid;
	int64_t bank = draw_in(0, g->banks - 1), slots = 0, bytes = draw_in(1, 9000);
	pim_access access = draw_in(0, 1) ? PIM_ACCESS_read : PIM_ACCESS_write;
	pim_element_visit(t, access, (pim_row_place){3, bytes}, bytes, count_slot, &slots);
	CHECK(slots == pim_element_slots(t, access, bytes));
	/* the slot behind a time is the first one that begins then or later */
	int64_t time = draw_in(0, 3 * g->period), k = pim_slot_behind(g, bank, time);
	CHECK(pim_slot_start(g, bank, k) >= time);
	CHECK(k == 0 || pim_slot_start(g, bank, k - 1) < time);
	/* any n slots take their average, give or take the time between the last slot and a refresh */
	int64_t n = draw_in(1, 5 * g->slots), from = draw_in(0, 3 * g->slots);
	int64_t took = pim_slot_start(g, bank, from + n) - pim_slot_start(g, bank, from);
	CHECK(llabs(took - pim_slots_cycles(g, n)) <= g->period - g->slots * g->slot);
	CHECK(pim_slots_cycles(g, n * g->slots) == n * g->period);
}

/* ---- the earliest schedule ---- */

/* Row operations of every bank, each command as early as the rules allow; of banks that could go,
 * the one that has waited longest does. Gives when the last has been precharged. */
static int64_t schedule_early(const pim_target *t, int64_t operations)
{
	int64_t ready[16] = {0}, done[16] = {0}, step[16] = {0}, start[16] = {0}, end = 0;
	int64_t four[4] = {-1000, -1000, -1000, -1000}, left = operations * t->network.size[0];
	for (int64_t now = 0; left; now++) {
		int best = -1;
		bool act = now - four[3] >= t->bank.trrd && now - four[0] >= t->bank.tfaw;
		for (int b = 0; b < t->network.size[0]; b++) {
			bool can = done[b] < operations && ready[b] <= now && (act || step[b] == 2);
			if (can && (best < 0 || ready[b] < ready[best]))
				best = b;
		}
		if (best < 0)
			continue;
		if (step[best] < 2) {
			memmove(four, four + 1, 3 * sizeof *four);
			four[3] = now;
		}
		if (step[best] == 0)
			start[best] = now;
		if (step[best] == 2) {
			left--;
			done[best]++;
			end = now + t->bank.trp;
		}
		ready[best] = now + (step[best] == 0	  ? t->bank.second_activation
								: step[best] == 1 ? t->bank.tras
												  : t->bank.trp);
		if (step[best] == 1 && ready[best] < start[best] + t->bank.tras)
			ready[best] = start[best] + t->bank.tras;
		step[best] = (step[best] + 1) % 3;
	}
	return end;
}

static int64_t turns_time(const pim_target *t, int64_t operations)
{
	return operations * t->bank.grid->slot + pim_bank_offset(t->bank.grid, t->network.size[0] - 1);
}

int main(void)
{
	for (int round = 0; round < 400; round++) {
		pim_target t;
		pim_bank_grid g;
		draw_machine(&t, &g);
		for (int i = 0; i < 8; i++)
			test_closed_forms(&t);
		if (round % 4 == 0) {
			test_rules(&t);
			pim_target all;
			pim_bank_grid groups;
			if (draw_groups(&t, &all, &groups)) {
				test_rules(&all);
				test_closed_forms(&all);
			}
			CHECK(schedule_early(&t, 20) <= turns_time(&t, 20) + g.slot); /* early is not best */
		}
	}
	pim_context *c = pim_context_new();
	const pim_target *t = pim_target_find(c, "hbm2-pim");
	test_rules(t);
	CHECK(schedule_early(t, 60) - schedule_early(t, 20) == 40 * t->bank.grid->slot);
	pim_context_free(c);
	return check_failures != 0;
}
