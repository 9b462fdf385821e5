/* SPDX-License-Identifier: Apache-2.0 */
/* targets/bank/bank.h - kernels of the bank command set: bit-serial arithmetic by row operations.
 *
 * A column of the compute rows is a lane. A register is a word of every lane: n rows for n bits,
 * lowest bit first. A kernel is a micro-program: it gathers operands from the storage or staging
 * rows into registers (transposed, one element for each lane), calls routines on registers, turns
 * lanes, and scatters results. A routine is a list of row operations in the manner of Ambit and
 * SIMDRAM: row copies, in which raising three rows first gives their majority, and complement by
 * dual-contact rows. Routines are made once per op and format, and are all the arithmetic there is.
 */
#ifndef PIM_TARGETS_BANK_BANK_H
#define PIM_TARGETS_BANK_BANK_H

#include "targets/target.h"

/* ---- gates.c: row operations ---- */

/* The rows that every bank has: six to raise together, two dual-contact ones (a copy to the
 * complement side stores the complement), constants. Others: an area and the number in it. */
enum {
	PIM_ROW_T0,
	PIM_ROW_D0 = 6,
	PIM_ROW_D1,
	PIM_ROW_zero,
	PIM_ROW_one,
	PIM_ROW_first, /* of scratch */
	PIM_ROW_NONE = 0x7fff,
	PIM_ROW_NOT = 0x8000, /* flag: the complement */
	PIM_AREA_SHIFT = 12,
	PIM_AREA_MASK = 0x7000,
};
typedef enum pim_area {
	PIM_AREA_scratch,
	PIM_AREA_to,
	PIM_AREA_a,
	PIM_AREA_b,
	PIM_AREA_c,
	PIM_AREAS
} pim_area;
/* A row; with PIM_ROW_NOT, its complement. */
typedef uint16_t pim_bit;

/* ACT of one or three rows, ACT of up to three others, PRE: the first ones' value (their majority,
 * which they keep) is written to the others. to[0] PIM_ROW_NONE: no second ACT. */
typedef struct pim_row_op {
	pim_bit from[3], to[3];
} pim_row_op;

typedef enum pim_row_op_kind {
#define ROW_OP(name, help) PIM_ROW_OP_##name,
#include "targets/bank/steps.def"
} pim_row_op_kind;
pim_row_op_kind pim_row_op_kind_of(const pim_row_op *op); /* listing.c */

/* A routine while it is written. */
typedef struct pim_bank_rows {
	int64_t n, room, activations, extra; /* extra: rows raised beyond one per ACT */
	pim_row_op *op;						 /* from malloc */
	int next, highest;					 /* scratch rows in use, and most at once */
} pim_bank_rows;

/* A word: bit i stands in row[i]. */
enum { PIM_MOST_BITS = 96 };
typedef struct pim_word {
	int n;
	pim_bit bit[PIM_MOST_BITS];
} pim_word;

pim_bit pim_bank_row_take(pim_bank_rows *r); /* a scratch row */
void pim_bank_row_copy(pim_bank_rows *r, pim_bit to, pim_bit from);
pim_bit pim_bit_not(pim_bit a);
pim_bit pim_bit_and(pim_bank_rows *r, pim_bit a, pim_bit b);
pim_bit pim_bit_or(pim_bank_rows *r, pim_bit a, pim_bit b);
pim_bit pim_bit_xor(pim_bank_rows *r, pim_bit a, pim_bit b);
pim_bit pim_bit_choose(pim_bank_rows *r, pim_bit s, pim_bit a, pim_bit b); /* s ? a : b */
void pim_bank_row_and(pim_bank_rows *r, pim_bit to, pim_bit a, pim_bit b);
/* Into given rows; as many bits as `to` has. */
void pim_bank_row_add(
	pim_bank_rows *r, const pim_word *to, const pim_word *a, const pim_word *b, pim_bit carry);
/* The carry out of a + b + carry alone. */
pim_bit pim_bank_row_carry(pim_bank_rows *r, const pim_word *a, const pim_word *b, pim_bit carry);
/* to += (a where bit is set) + carry, from bit `low` of to on; the carry out goes to the bit
 * behind, which must be zero before. */
void pim_bank_row_add_masked(
	pim_bank_rows *r, const pim_word *to, int low, const pim_word *a, pim_bit bit, pim_bit carry);

/* ---- word.c: words of bits ---- */

pim_word pim_word_new(pim_bank_rows *r, int n); /* of scratch rows */
pim_word pim_word_of(pim_area area, int n);
pim_word pim_word_part(const pim_word *w, int low, int n); /* behind the top: zeros */
pim_word pim_word_constant(uint64_t v, int n);
pim_word pim_word_extend(const pim_word *w, int n, bool sign);
pim_word pim_word_shifted(const pim_word *w, int up, int n); /* zeros from below */
pim_word pim_word_not(const pim_word *w);
pim_word pim_word_sum(pim_bank_rows *r, const pim_word *a, const pim_word *b, pim_bit carry);
pim_word pim_word_difference(pim_bank_rows *r, const pim_word *a, const pim_word *b);
pim_word pim_word_choose(pim_bank_rows *r, pim_bit s, const pim_word *a, const pim_word *b);
pim_word pim_word_masked(pim_bank_rows *r, const pim_word *a, pim_bit s); /* a where s */
pim_bit pim_word_any(pim_bank_rows *r, const pim_word *a);
pim_bit pim_word_all(pim_bank_rows *r, const pim_word *a);
pim_bit pim_word_less(pim_bank_rows *r, const pim_word *a, const pim_word *b); /* unsigned */
void pim_word_store(pim_bank_rows *r, const pim_word *to, const pim_word *from);

/* ---- routine.c: the routines ---- */

/* Exponent bits 0: an integer. A float has a sign, exponent bits and bits - 1 - exponent of
 * fraction. */
typedef struct pim_format {
	uint8_t bits, exponent;
	bool sign;
} pim_format;
bool pim_format_of(pim_dtype t, pim_format *f); /* false: no lanes for it (64 bits, 4 bits) */
static inline bool pim_format_equal(pim_format a, pim_format b)
{
	return a.bits == b.bits && a.exponent == b.exponent && a.sign == b.sign;
}
uint64_t pim_format_encode(pim_format f, double value); /* the bits of a value */
static inline int pim_format_fraction(pim_format f)
{
	return f.bits - 1 - f.exponent;
}

typedef enum pim_routine {
#define ROUTINE(name, operands, help) PIM_ROUTINE_##name,
#include "targets/bank/routines.def"
	PIM_ROUTINE_COUNT
} pim_routine;
const char *pim_routine_name(int i);

/* What a routine is made for: operands of format `from` (choose: its first is one bit; scale: its
 * second has the exponent to add in its low bits), the result of format `to` (of comparisons one
 * bit). */
typedef struct pim_routine_key {
	uint8_t routine;
	pim_format from, to;
} pim_routine_key;
/* Row operations, ACTs in them, rows raised beyond one per ACT, and most scratch rows. */
typedef struct pim_routine_cost {
	int64_t operations, activations, raised;
	int scratch;
} pim_routine_cost;
/* Writes the routine; the caller frees r->op. False when there is none for these formats. */
bool pim_routine_write(const pim_routine_key *key, pim_bank_rows *r);
bool pim_routine_exists(const pim_routine_key *key);
/* The parts: of integers and bits (integer.c), of floats (float.c). */
void pim_integer_write(const pim_routine_key *key, pim_bank_rows *r);
void pim_float_write(const pim_routine_key *key, pim_bank_rows *r);
pim_word pim_integer_product(pim_bank_rows *r, const pim_word *a, const pim_word *b, int bits);

/* ---- run.c: rows of a bank, 64 lanes to a word ---- */

/* Runs a routine bit by bit. base: the first row of each area; the rows that every bank has stand
 * first in that of scratch. A row is `words` words. */
void pim_routine_run(const pim_bank_rows *r, uint64_t *const base[PIM_AREAS], int64_t words);
/* Known rows (all zeros, all ones) of a scratch area. */
void pim_rows_start(uint64_t *scratch, int64_t words);
/* 64 words of n bits each as n rows of one word, `step` words apart; and back. */
void pim_lanes_write(uint64_t *rows, int64_t step, int n, const uint64_t value[64]);
void pim_lanes_read(const uint64_t *rows, int64_t step, int n, uint64_t value[64]);

/* ---- kernel.c, recipe.c: micro-programs ---- */

typedef enum pim_step_code {
#define STEP(name, help) PIM_STEP_##name,
#include "targets/bank/steps.def"
} pim_step_code;

typedef struct pim_step {
	uint8_t code;
	int8_t operand, dim;
	int16_t to, a, b, c; /* registers */
	int32_t offset;		 /* of gather, in dim: elements beside the lane's own */
	pim_routine_key key; /* of call; of the others to: the register's format */
	uint64_t value;		 /* bits of set, and what gather fills in; lanes of turn */
} pim_step;

/* What known knows. */
enum { PIM_KNOWN_count, PIM_KNOWN_here, PIM_KNOWN_point }; /* point: its number */

enum { PIM_MOST_STEPS = 200, PIM_MOST_REGISTERS = 40, PIM_MOST_CONSTANTS = 6 };
/* Lanes: the results, and `groups` of them side by side where the points that make one result are
 * shared out: lane = group * results + result (groups 1: in waves of all columns). Round t of group
 * g works on point t * groups + g; groups are an odd number up to 15 times a power of two, and
 * joined by turns. */
typedef struct pim_micro {
	const pim_node *op;
	const pim_axes *axes;
	const int64_t *extent;
	bool inner[PIM_MAX_AXES];							   /* points, not results */
	int64_t results, points, groups, rounds, waves, lanes; /* lanes of the widest wave */
	bool alone;				  /* one group: rounds depend on each other */
	bool backwards;			  /* the last point comes first */
	bool adds;				  /* given: results are added to what is there */
	bool couples;			  /* points make results of their own: each lane has one */
	bool refused;			  /* no routines for the op or its element types */
	bool by_columns;		  /* elements move over the column path, nothing is computed */
	int n, n_registers, rows; /* rows: of all registers */
	int n_constants;
	int16_t constant[PIM_MOST_CONSTANTS]; /* registers of values, one for a format */
	int scratch;						  /* rows before those of registers */
	pim_format format[PIM_MOST_REGISTERS];
	int first_row[PIM_MOST_REGISTERS];
	pim_step step[PIM_MOST_STEPS];
} pim_micro;

/* The micro-program of an op on a tile; extent[a] of each axis. */
void pim_micro_write(pim_micro *m, const pim_target *t, const pim_node *op, const pim_axes *x,
	const int64_t *extent);
/* Can banks that run them be given the same commands? */
bool pim_micro_same(const pim_micro *a, const pim_micro *b);
/* For recipes: steps at the end of m; registers by number. */
int pim_micro_register(pim_micro *m, pim_format f);
void pim_micro_call(pim_micro *m, pim_routine routine, int to, int a, int b, int c);
void pim_micro_set(pim_micro *m, int to, double value);
void pim_micro_gather(pim_micro *m, int to, int operand, double fill);
/* The element so many places further in a dim of the operand. */
void pim_micro_gather_beside(
	pim_micro *m, int to, int operand, double fill, int dim, int64_t offset);
void pim_micro_add(pim_micro *m, pim_step_code code, int to, int a, int64_t value);
/* Joins groups: every lane gets the result of all. */
void pim_micro_join(pim_micro *m, pim_routine routine, int reg);
void pim_micro_recipe(pim_micro *m); /* recipe.c */
/* function.c: in place, f32 */
void pim_micro_exp(pim_micro *m, int reg);
void pim_micro_log(pim_micro *m, int reg);
void pim_micro_sigmoid(pim_micro *m, int reg);
void pim_micro_tanh(pim_micro *m, int reg);
void pim_micro_erf(pim_micro *m, int reg);
void pim_micro_sin(pim_micro *m, int reg);
void pim_micro_cos(pim_micro *m, int reg);
void pim_micro_pow(pim_micro *m, int reg, int exponent); /* exponent is overwritten */

/* ---- lanes.c: a bank that computes ---- */

typedef struct pim_bank pim_bank;
pim_bank *pim_bank_new(const pim_target *t, pim_arena *a);
typedef struct pim_bank_operand {
	const pim_type *type;
	void *data; /* packed; of the result: written, and read where micro-programs do */
} pim_bank_operand;
int64_t pim_bank_operations(const pim_bank *b); /* row operations that have run */
/* Runs a micro-program that is not refused and not by_columns; operands as the op has them, then
 * the result. */
void pim_bank_run(pim_bank *b, const pim_micro *m, const pim_bank_operand *operand);

/* ---- timing.c: when commands of banks are issued ---- */

/* The turns of the banks of a channel, and the slots made of them; times in cycles. */
typedef struct pim_bank_grid {
	int64_t banks, quarters; /* of a channel; quarters of cycles from a bank's turn to the next's */
	int64_t turn, turns,
		slot;		/* from a turn of a bank to its next; of a row operation; their cycles */
	int64_t second; /* turns from the first ACT of a row operation to its second */
	int64_t before, closed; /* a PRE is so many banks' turns, and cycles, before its own */
	int64_t first, slots,
		period; /* where slots begin behind a refresh, how many, to the next one */
} pim_bank_grid;
/* Of so many banks that take turns, any four of which activate within tfaw or more. */
void pim_bank_grid_make(const pim_target *t, int64_t banks, int64_t tfaw, pim_bank_grid *g);
/* The grid of all-bank commands: groups of banks take turns as banks do, refreshed when banks are.
 * No slots: the time between refreshes is too short for one. */
void pim_bank_grid_make_groups(const pim_target *t, pim_bank_grid *g);
/* When all groups have done slot k. */
int64_t pim_slot_end_of_groups(const pim_bank_grid *g, int64_t k);
/* Where a bank's turns are behind those of the channel's first. */
int64_t pim_bank_offset(const pim_bank_grid *g, int64_t bank);
/* The PRE of a bank that opened a row in one turn and opens the next so many turns later, in cycles
 * behind that turn. */
int64_t pim_bank_close(const pim_bank_grid *g, int64_t bank, int64_t turns);

typedef enum pim_access { PIM_ACCESS_read, PIM_ACCESS_write } pim_access;
/* One row of which bytes are accessed: turns until the next may be opened. */
int64_t pim_access_turns(const pim_target *t, pim_access access, int64_t bytes);
int64_t pim_access_most(const pim_target *t, pim_access access); /* bytes of a row in one slot */
enum { PIM_SLOT_ROWS = 3 };
int64_t pim_access_each(const pim_target *t, pim_access access, int64_t bytes); /* rows in a slot */
int64_t pim_access_activations(const pim_target *t, pim_access access, int64_t rows, int64_t bytes);
/* Rows of which bytes each are accessed; elements that lie together. */
int64_t pim_access_slots(const pim_target *t, pim_access access, int64_t rows, int64_t bytes);
int64_t pim_element_slots(const pim_target *t, pim_access access, int64_t bytes);

/* Slot k of a bank begins here; the first slot that begins at a time or behind it. */
int64_t pim_slot_start(const pim_bank_grid *g, int64_t bank, int64_t k);
int64_t pim_slot_behind(const pim_bank_grid *g, int64_t bank, int64_t time);
/* What so many slots take on average, refresh included, rounded up. */
int64_t pim_slots_cycles(const pim_bank_grid *g, int64_t slots);

/* ---- commands.c: what a bank does, command by command ---- */

typedef enum pim_dram_kind {
#define DRAM(name, help) PIM_DRAM_##name,
#include "targets/bank/dram.def"
	PIM_DRAM_KINDS
} pim_dram_kind;
const char *pim_dram_name(int kind);

/* A command to a bank; a row with PIM_DRAM_NOT is raised at its complement side. */
typedef struct pim_dram_command {
	int64_t cycle;
	int32_t unit; /* the first bank that it is for */
	uint8_t kind, n;
	int16_t banks;	/* that it is for, one behind the other */
	int32_t row[3]; /* n of them, of the bank; storage rows first, then staging, then compute */
} pim_dram_command;
enum { PIM_DRAM_NOT = 1 << 30, PIM_DRAM_OWN = 1 << 29 }; /* OWN: each bank knows which */

/* What a bank does in one slot: a row operation, or a few rows that are accessed. */
typedef struct pim_slot_work {
	bool operation;
	pim_access access;
	int n;		   /* rows accessed */
	int64_t bytes; /* of each */
	int32_t from[PIM_SLOT_ROWS],
		to[PIM_SLOT_ROWS]; /* of an operation, -1: none; from: rows accessed */
} pim_slot_work;
typedef void pim_slot_visit(void *user, const pim_slot_work *w);
typedef void pim_dram_visit(void *user, const pim_dram_command *c);
/* The commands of slot k of a bank. */
void pim_slot_commands(const pim_target *t, int unit, int64_t k, const pim_slot_work *w,
	pim_dram_visit *visit, void *user);

/* Rows that a command names: where operands start, as the bank numbers its rows, and their bytes.
 */
typedef struct pim_row_place {
	int64_t row, bytes;
} pim_row_place;
/* Every slot of a micro-program, in order; operands of the op, the result last. */
void pim_micro_slots(const pim_target *t, const pim_micro *m, const pim_row_place *operand,
	pim_slot_visit *visit, void *user);
/* The slots of a load, store, copy or fill; of a message that is read or written. */
void pim_copy_slots(
	const pim_target *t, pim_row_place from, pim_row_place to, pim_slot_visit *visit, void *user);
void pim_element_visit(const pim_target *t, pim_access access, pim_row_place at, int64_t bytes,
	pim_slot_visit *visit, void *user);

/* ---- cost.c ---- */

/* What a micro-program takes, step by step. */
typedef struct pim_bank_work {
	int64_t operations;			 /* row operations of routines and set */
	int64_t activations, raised; /* rows raised: first ones, and further ones at the same time */
	int64_t commands;			 /* ACT and PRE */
	int64_t column_slots, column_bytes; /* gather, scatter, known, turn */
} pim_bank_work;
/* What a step moves over the column path: rows of lanes with the bytes of each, and bytes of packed
 * elements. */
typedef struct pim_column_step {
	int64_t row_bytes, rows_read, rows_written, read, written;
} pim_column_step;
pim_column_step pim_step_columns(const pim_micro *m, const pim_step *s);
int64_t pim_column_slots(const pim_target *t, const pim_column_step *c);
/* Does a kernel write its result or add to it? */
typedef enum pim_bank_use { PIM_BANK_writes, PIM_BANK_adds } pim_bank_use;
pim_bank_work pim_bank_kernel_work(const pim_target *t, const pim_node *op, const pim_axes *x,
	const int64_t *extent, pim_bank_use use);
/* Why a kernel cannot run, NULL when it can. */
const char *pim_bank_refusal(
	const pim_target *t, const pim_node *op, const pim_axes *x, const int64_t *extent);
bool pim_bank_only_moves(const pim_node *op);
pim_bank_work pim_micro_work(const pim_target *t, const pim_micro *m);
int64_t pim_bank_slots(const pim_bank_work *w); /* one for each row operation */
int64_t pim_bank_cycles(const pim_target *t, const pim_bank_work *w);
double pim_bank_pj(const pim_target *t, const pim_bank_work *w);
/* Costs of routines, made once for a machine. */
typedef struct pim_bank_costs pim_bank_costs;
const pim_bank_costs *pim_bank_costs_new(pim_arena *a);
pim_routine_cost pim_bank_cost_of(const pim_bank_costs *c, const pim_routine_key *key);

/* The rules that cost.c of targets asks for machines of this command set. */
int64_t pim_bank_kernel_cycles(
	const pim_target *t, const pim_node *op, const pim_axes *x, const int64_t *extent);
double pim_bank_kernel_pj(
	const pim_target *t, const pim_node *op, const pim_axes *x, const int64_t *extent);
int64_t pim_bank_memory_slots(const pim_target *t, int64_t bytes);
int64_t pim_bank_memory_cycles(const pim_target *t, int64_t bytes);
int64_t pim_bank_add_cycles(const pim_target *t, pim_dtype type, int64_t elements);

#endif
