/* SPDX-License-Identifier: Apache-2.0 */
/* targets/sim_turns.h - banks do one thing at a time: which command has a bank next. */
#ifndef PIM_TARGETS_SIM_TURNS_H
#define PIM_TARGETS_SIM_TURNS_H

#include "targets/sim.h"

/* meets, parts: of a kernel that all banks of a channel run together. */
typedef enum pim_sim_turn_kind {
	PIM_SIM_ends,
	PIM_SIM_parts,
	PIM_SIM_begins,
	PIM_SIM_meets
} pim_sim_turn_kind;

/* A command that could begin at a time and takes so many slots of its bank (0: none), or a kernel
 * that could be at its end. */
typedef struct pim_sim_turn {
	int64_t time, slots;
	uint32_t unit;
	uint8_t engine, kind;
	int64_t commands; /* of an all-bank kernel: on the command bus for each group of banks */
} pim_sim_turn;

/* A bank: the slot from which it is free for accesses, and the one in which its kernel is at its
 * end, -1: it runs none. */
typedef struct pim_sim_bank {
	int64_t free, kernel_end;
} pim_sim_bank;

/* All-bank slots in which a kernel of a channel went on. */
typedef struct pim_sim_part {
	int64_t first, slots;
} pim_sim_part;

/* A channel. Banks that are at an all-bank kernel, when the last of them was, and the slots and
 * commands of the one that takes most; then those that are left of it from a slot on. singles: from
 * when on the commands of single banks may come; single_end: until when they go on. */
typedef struct pim_sim_lockstep {
	int there, n_parts, room_parts;
	bool runs;
	int64_t time, slots, commands, from, left, singles, single_end;
	pim_sim_part *part; /* of all kernels, in order; kept where a trace is asked for */
} pim_sim_lockstep;

typedef struct pim_sim_turns {
	const pim_bank_grid *grid, *all; /* of single banks; of all-bank commands */
	int64_t mode_switch;
	double bus_commands; /* of all-bank kernels, which a channel's banks take once */
	int n;
	pim_sim_turn *heap;			/* two at most of each engine of each unit */
	pim_sim_bank *bank;			/* by unit */
	pim_sim_lockstep *lockstep; /* by channel */
	pim_arena *parts;			/* NULL: no trace is asked for */
} pim_sim_turns;

void pim_sim_turns_new(pim_sim *s, pim_sim_turns *q);
void pim_sim_turns_ask(pim_sim_turns *q, pim_sim_turn x);
/* What comes next: a command begins or a kernel ends, with its time; false: none asks. */
bool pim_sim_turns_next(pim_sim_turns *q, pim_sim_turn *next);
/* Keeps when a unit's command begins and ends; commands counted as they run. */
pim_sim_span *pim_sim_turns_span(pim_sim_unit *u, int64_t command);

#endif
