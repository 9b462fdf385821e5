/* SPDX-License-Identifier: Apache-2.0 */
/* targets/sim.h - the simulator of command programs: values, cycles, traffic, energy, mistakes.
 *
 * Time. A unit issues its commands in order, one every command_cycles; a command starts when it is
 * issued, its engine is free and the commands in `after` are complete. A bank does one thing at a
 * time, in slots of its own (bank/timing.c): accesses come between the row
 * operations of a kernel (sim_turns.c). A send holds the out engine
 * for the slower of link and memory port, and until the network has taken the message. The head of
 * its message takes the links of the route one after the other, hop_cycles each, and the port into
 * the unit; flows.c says how messages share them, on buses links.c. A recv is complete when the
 * message has arrived and was written to memory.
 *
 * Order. Units run ahead on their own up to their next send, or a recv whose message is not yet
 * posted. Of all units that stand before a send, the one whose send starts first (then the lowest
 * unit) goes on: so links are taken in order of simulated time. What happens does not depend on the
 * host. Values move in program order of each unit; the race check proves that timing agrees. */
#ifndef PIM_TARGETS_SIM_H
#define PIM_TARGETS_SIM_H

#include "targets/bank/bank.h"
#include "targets/links.h"
#include "targets/program.h"

#define PIM_SIM_ENERGIES(X)                                                                        \
	X(matrix) X(vector) X(rows) X(columns) X(buffer) X(memory) X(network) X(static)
typedef enum pim_sim_energy {
#define PIM_SIM_ENERGY_ENUM(name) PIM_SIM_ENERGY_##name,
	PIM_SIM_ENERGIES(PIM_SIM_ENERGY_ENUM)
#undef PIM_SIM_ENERGY_ENUM
		PIM_SIM_ENERGY_COUNT
} pim_sim_energy;
const char *pim_sim_energy_name(int i);

/* One command that ran. begin: when it had what it waited for (recv: its message); else start. */
typedef struct pim_sim_event {
	int unit;
	int64_t command; /* index in the unit's stream */
	pim_engine engine;
	uint32_t task;
	int64_t start, begin, end;
} pim_sim_event;
typedef void pim_sim_watch(void *user, const pim_sim_event *e);

/* How messages cross the network: as flows that share links (flows.h; on buses one at a time), or
 * flit by flit (flit.h), which is slower and tells how good the first is. */
typedef enum pim_sim_network { PIM_SIM_messages, PIM_SIM_flits } pim_sim_network;

typedef struct pim_sim_path pim_sim_path;

typedef struct pim_sim_options {
	const char *path; /* the program's file, for messages; may be NULL */
	pim_sim_network network;
	bool values;			 /* move and compute real bytes */
	bool host;				 /* of banks: inputs are brought and results taken away in the run */
	bool check;				 /* races and reads of bytes nobody wrote */
	const pim_tensor *input; /* with values: one for each input of the program */
	pim_text *trace;		 /* of banks: all commands to them, as CSV; NULL: not asked for */
	pim_sim_watch *watch;	 /* may be NULL; per unit in program order */
	void *user;
	pim_sim_path *path_of; /* where to keep what waited for what; may be NULL */
} pim_sim_options;

typedef struct pim_sim_unit_report {
	int64_t commands, end;				/* end: completion of its last command */
	int64_t busy[PIM_ENGINE_COUNT];		/* cycles */
	int64_t waited;						/* cycles in which recv and wait had no message */
	int64_t memory_bytes, buffer_bytes; /* highest address used + 1 */
	int64_t arrived_bytes;				/* most bytes of messages that waited to be received */
} pim_sim_unit_report;

typedef struct pim_sim_task_report {
	int64_t start, end; /* first begin and last end of its commands; start > end: none ran */
} pim_sim_task_report;

/* What the host brings (constants, inputs) or takes away (results). */
typedef struct pim_sim_host {
	double bytes;
	int64_t cycles;
} pim_sim_host;
enum { PIM_SIM_PHASES = PIM_HOME_result + 1 };

/* Of machines with banks; cycles are sums over all banks. */
typedef struct pim_sim_bank_report {
	double row_operations, activations;
	double bus_commands;							   /* ACT and PRE of kernels, all channels */
	double slot_cycles, column_cycles, refresh_cycles; /* of kernels, by cause */
	pim_sim_host host[PIM_SIM_PHASES];				   /* by pim_home_kind */
	bool with_host; /* inputs and results are part of the run's cycles */
} pim_sim_bank_report;

typedef struct pim_sim_report {
	const pim_program *program;
	int64_t cycles, commands, messages;
	int64_t message_bytes, byte_hops;
	int64_t read[PIM_SPACE_buffer + 1], written[PIM_SPACE_buffer + 1]; /* bytes, by memory */
	double pj[PIM_SIM_ENERGY_COUNT];
	pim_sim_bank_report bank;
	int n_units, n_links;
	pim_sim_unit_report *unit;
	int64_t *link_bytes;
	pim_sim_task_report *task;
	pim_tensor *result; /* with values: one for each result of the program */
} pim_sim_report;

/* Runs a program that is verified and measured, as pim_program_read gives it, to its end; the
 * report is in `a`. NULL after diagnostics. */
pim_sim_report *pim_sim_run(const pim_program *p, const pim_sim_options *o, pim_arena *a);

/* ---- sim_report.c ---- */

/* What passes estimated against what was counted, over tasks that have an estimate. */
typedef struct pim_sim_estimate {
	int64_t estimated, simulated; /* end of the last task */
	double percent; /* (simulated - estimated) / estimated * 100; 0 when nothing is estimated */
	int n_worst, worst[10]; /* tasks whose cycles differ most */
} pim_sim_estimate;
pim_sim_estimate pim_sim_estimate_of(const pim_sim_report *r);
void pim_sim_report_text(
	const pim_sim_report *r, int links, pim_text *out); /* links: how many of the busiest */
/* The members of a JSON object, without its braces. */
void pim_sim_report_json(const pim_sim_report *r, pim_text *out);

/* ---- timeline.c: what ran when, as a Chrome trace (opens in Perfetto) ---- */

typedef struct pim_timeline pim_timeline;
/* Keeps at most `limit` spans: neighbours of one task on one engine are joined, over wider and
 * wider gaps when there are too many. */
pim_timeline *pim_timeline_new(const pim_program *p, int64_t limit);
void pim_timeline_free(pim_timeline *t);
void pim_timeline_add(void *timeline, const pim_sim_event *e); /* a pim_sim_watch */
int64_t pim_timeline_dropped(const pim_timeline *t);
void pim_timeline_write(const pim_timeline *t, pim_text *out);

/* ---- sim_path.c: the critical path of a run ---- */

#define PIM_SIM_CAUSES(X)                                                                          \
	X(kernels)                                                                                     \
	X(memory) X(sending) X(hops) X(links) X(receiving) X(barriers) X(issue) X(bank) X(lockstep)
typedef enum pim_sim_cause {
#define PIM_SIM_CAUSE_ENUM(name) PIM_SIM_CAUSE_##name,
	PIM_SIM_CAUSES(PIM_SIM_CAUSE_ENUM)
#undef PIM_SIM_CAUSE_ENUM
		PIM_SIM_CAUSE_COUNT
} pim_sim_cause;

/* Of one task: what it adds to the estimate, and cycles of the critical path, in all and by cause.
 * Sums over all tasks are the estimate and the cycles of the run. */
typedef struct pim_sim_share {
	int64_t estimated, path, cause[PIM_SIM_CAUSE_COUNT];
} pim_sim_share;

pim_sim_path *pim_sim_path_new(const pim_program *p);
void pim_sim_path_free(pim_sim_path *p);
/* By task, after the run. */
pim_sim_share *pim_sim_path_shares(const pim_sim_path *p, pim_arena *a);
void pim_sim_path_text(const pim_sim_report *r, const pim_sim_share *share, pim_text *out);
/* The members of a JSON object, with a comma in front. */
void pim_sim_path_json(const pim_sim_report *r, const pim_sim_share *share, pim_text *out);

/* ==== inside the simulator ==== */

typedef enum pim_sim_kind {
	PIM_SIM_run,
	PIM_SIM_send,
	PIM_SIM_recv,
	PIM_SIM_repeat,
	PIM_SIM_end,
	PIM_SIM_stop
} pim_sim_kind;

/* One command as the event loop wants it: all that does not change from round to round. */
typedef struct pim_sim_op {
	int64_t cycles; /* that its engine works */
	int64_t link;	/* send: cycles a link is taken; repeat, end: rounds */
	int64_t bytes;	/* of the message */
	int64_t slots;	/* of its bank that it takes; cycles are their average then; 0: on no bank */
	uint32_t other; /* send: cast; recv: channel; repeat, end: index of the partner */
	uint32_t task;
	uint32_t after[PIM_MAX_AFTER];
	uint8_t kind, engine, n_after;
	bool lockstep; /* with all banks of its channel */
} pim_sim_op;

typedef struct pim_sim_message {
	int64_t arrival, bytes;
	uint32_t next;	  /* in its channel, or the free list; 0: none */
	uint32_t command; /* index of the send */
	uint32_t from;	  /* unit */
	int64_t number;	  /* of the send, among all that its unit ran */
	void *payload;	  /* packed elements, from malloc; NULL without values */
} pim_sim_message;

/* Messages from one unit to another. */
typedef struct pim_sim_channel {
	uint32_t from, to;
	uint32_t head, tail; /* messages; 0: none */
	bool asleep;		 /* `to` waits for its next message */
	int64_t posted;		 /* total, known before the run */
	int64_t sent;		 /* index of its next message in sim->arrival */
} pim_sim_channel;

/* What goes from one unit to one or, as a multicast, several. */
typedef struct pim_sim_cast {
	uint32_t from, group; /* group: number + 1, or 0 for one unit, which is `to` */
	uint32_t to, n;
	pim_tree tree;
	uint32_t *channel;	   /* by destination */
	int64_t posted, bytes; /* totals, known before the run */
	int64_t sent;		   /* index of its next message in sim->left */
} pim_sim_cast;

typedef enum pim_sim_state { PIM_SIM_ready, PIM_SIM_asleep, PIM_SIM_done } pim_sim_state;

#define PIM_SIM_ARRIVALS 256 /* power of two */
/* The last receptions of a unit: when each was complete, and the bytes that had arrived by then. */
typedef struct pim_sim_arrivals {
	uint64_t n;
	int64_t peak, end[PIM_SIM_ARRIVALS], bytes[PIM_SIM_ARRIVALS];
} pim_sim_arrivals;

typedef struct pim_sim_span {
	int64_t begin, end;
	int64_t met; /* at an all-bank kernel: when all banks of the channel were there */
} pim_sim_span;

typedef struct pim_sim_unit {
	const pim_sim_op *op;
	int64_t *ring; /* completion of the last mask + 1 commands */
	uint64_t mask, n;
	int64_t issue, free[PIM_ENGINE_COUNT];
	int64_t round[PIM_MAX_REPEAT];
	int64_t start;		/* of the send it stands before */
	pim_sim_span *span; /* on banks: of each command that runs, in their order; malloc */
	int64_t room_span;
	int64_t waited;
	uint32_t pc, number;
	int depth;
	pim_sim_state state;
	pim_sim_arrivals *arrivals;
	uint8_t *memory[PIM_SPACE_buffer + 1];				 /* with values */
	struct pim_sim_shadow *shadow[PIM_SPACE_buffer + 1]; /* with check */
} pim_sim_unit;

/* A copy as rows of `run` bytes under n loops, outer first. */
typedef struct pim_sim_walk {
	int n;
	int64_t run, extent[PIM_MAX_RANK], to[PIM_MAX_RANK], from[PIM_MAX_RANK];
} pim_sim_walk;
typedef struct pim_sim_pattern {
	int64_t bytes;
	pim_sim_walk copy, pack, unpack, to, from;
	uint8_t fill[8]; /* one element */
} pim_sim_pattern;

typedef struct pim_sim_kernel {
	int n_operands;
	int *source;	/* per operand: number of the source, -1: absent */
	int64_t *bytes; /* per source */
	int64_t result_bytes;
	/* of banks: */
	const pim_axes *axes;
	int64_t *extent;
	bool by_columns;
	/* of a result that is written, that is added to; then both by all-bank commands */
	pim_bank_work work[4];
} pim_sim_kernel;

typedef struct pim_sim {
	const pim_program *p;
	const pim_target *t;
	pim_context *context;
	const pim_sim_options *o;
	pim_arena *arena; /* of the run */
	pim_sim_report *report;
	bool failed; /* stop */
	bool faulty; /* a race or so was reported: go on, but there is no report */
	bool observed;
	int n_units;
	uint32_t n_channels, n_casts;
	pim_sim_unit *unit;
	pim_sim_channel *channel;
	pim_sim_cast *cast;		 /* ascending by from, group, to */
	pim_links *links;		 /* of buses; NULL elsewhere */
	int64_t *left, *arrival; /* of messages, by cast and by channel, in order */
	pim_sim_task_report *task;
	uint32_t n_messages, free_message;
	int64_t room_messages;
	pim_sim_message *message;
	int n_heap;
	uint32_t *heap; /* units that stand before a send; earliest first */
	pim_sim_pattern *pattern;
	pim_sim_kernel *kernel;
	pim_arena *scratch;				   /* of kernels */
	pim_bank *bank;					   /* NULL on other machines */
	struct pim_sim_noted *noted;	   /* by unit: what a trace is written from */
	struct pim_sim_lockstep *lockstep; /* by channel; NULL on machines without banks */
	uint8_t **raced;				   /* per unit and command: already reported */
} pim_sim;

/* sim_prepare.c: false after diagnostics. */
bool pim_sim_prepare(pim_sim *s);
void pim_sim_kernels(pim_sim *s);  /* sim_kernel.c */
void pim_sim_patterns(pim_sim *s); /* sim_memory.c */

static inline int64_t pim_sim_address(const pim_sim_unit *u, const pim_ref *r)
{
	int64_t a = r->address;
	for (int d = 0; d < u->depth; d++)
		a += r->step[d] * u->round[d];
	return a;
}

/* When a command that begins at a time and is not held up is done; on banks: with its last slot, a
 * message not before its last byte can be on the link. */
static inline int64_t pim_sim_end(
	const pim_sim *s, uint32_t unit, const pim_sim_op *op, int64_t begin)
{
	const pim_bank_grid *g = s->t->bank.grid;
	if (!op->slots)
		return begin + op->cycles;
	int64_t bank = unit % g->banks, k = pim_slot_behind(g, bank, begin) + op->slots - 1;
	int64_t end = pim_slot_start(g, bank, k) + g->slot;
	return op->kind == PIM_SIM_send && end < begin + op->link ? begin + op->link : end;
}

/* sim.c: the heap of units that stand before a send. */
void pim_sim_push(pim_sim *s, uint32_t unit);
uint32_t pim_sim_pop(pim_sim *s);

/* sim_units.c: finds left and arrival of all messages; false after a diagnostic. */
bool pim_sim_trips(pim_sim *s);

/* sim_memory.c */
bool pim_sim_memory_fill(pim_sim *s);
void pim_sim_move(pim_sim *s, pim_sim_unit *u, pim_sim_message *m);
bool pim_sim_memory_gather(pim_sim *s);
void pim_sim_memory_free(pim_sim *s);

/* sim_kernel.c: runs the kernel of the command at which u stands; false after a diagnostic. */
bool pim_sim_compute(pim_sim *s, pim_sim_unit *u);

/* sim_bank.c: kernels as row operations; false after a diagnostic. */
bool pim_sim_has_banks(const pim_sim *s);
bool pim_sim_bank_kernels(pim_sim *s);
int64_t pim_sim_bank_slots(const pim_sim *s, const pim_command *c);
/* That a kernel is on the command bus, for the bank or for each group of an all-bank one. */
int64_t pim_sim_bank_commands(const pim_sim *s, const pim_command *c);
void pim_sim_bank_account(pim_sim *s, const pim_command *c, int64_t runs);

/* sim_host.c: what the host has to bring and take away; of inputs and results: cycles, and energy
 * that is added to the report. */
void pim_sim_bank_host(pim_sim *s);
int64_t pim_sim_host_cycles(const pim_sim *s);
void pim_sim_host_energy(pim_sim *s);
/* Runs a kernel; with adds, on top of what out holds. */
void pim_sim_bank_run(pim_sim *s, const pim_sim_kernel *k, const pim_node *op, const pim_tensor *in,
	const pim_tensor *out, int adds);

/* sim_trace.c: commands to banks, one by one. Notes the command at which u stands; writes all. */
void pim_sim_trace_note(pim_sim *s, const pim_sim_unit *u, int64_t begin, int64_t end);
bool pim_sim_trace_write(pim_sim *s);

/* sim_path.c: the command at which u stands ran. m: the message of a send or recv. */
void pim_sim_path_add(pim_sim_path *p, const pim_sim_unit *u, int64_t start, int64_t begin,
	int64_t end, const pim_sim_message *m);

/* sim_check.c */
void pim_sim_check_start(pim_sim *s);
void pim_sim_check_command(pim_sim *s, pim_sim_unit *u, int64_t start, int64_t end);
void pim_sim_check_results(pim_sim *s);
void pim_sim_check_end(pim_sim *s); /* deadlock, messages nobody took */
bool pim_sim_error(pim_sim *s, const pim_sim_unit *u, uint32_t command, const char *format, ...)
	PIM_PRINTF(4, 5);
const char *pim_sim_command_name(const pim_sim *s, uint32_t unit, uint32_t command);

/* sim_shadow.c: who last wrote and read each byte of a memory. */
#define PIM_SIM_NOBODY UINT32_MAX
#define PIM_SIM_HOST (UINT32_MAX - 1) /* constants and inputs */
typedef struct pim_sim_access {
	int64_t start, end;
	uint32_t command;
	bool writes;
} pim_sim_access;
typedef enum pim_sim_fault_kind {
	PIM_SIM_clean,
	PIM_SIM_race,
	PIM_SIM_unwritten
} pim_sim_fault_kind;
typedef struct pim_sim_fault {
	pim_sim_fault_kind kind;
	int64_t lo, hi;	  /* bytes */
	uint32_t command; /* the earlier one */
	bool wrote;		  /* what the earlier one did */
	int64_t until;
} pim_sim_fault;
typedef struct pim_sim_shadow pim_sim_shadow;
pim_sim_shadow *pim_sim_shadow_new(int64_t bytes);
void pim_sim_shadow_free(pim_sim_shadow *s);
/* Does this access fit to the earlier ones? The first byte range where it does not. */
pim_sim_fault pim_sim_shadow_test(
	const pim_sim_shadow *s, int64_t lo, int64_t hi, const pim_sim_access *a);
void pim_sim_shadow_note(pim_sim_shadow *s, int64_t lo, int64_t hi, const pim_sim_access *a);

#endif
