/* SPDX-License-Identifier: Apache-2.0 */
/* targets/program.h - command programs: what passes end in and pimsim runs.
 *
 * One stream of commands per unit; streams synchronise by messages only. Repeated structure is kept
 * as `repeat` blocks with affine addresses. Text and binary form read back to the same program. */
#ifndef PIM_TARGETS_PROGRAM_H
#define PIM_TARGETS_PROGRAM_H

#include "targets/target.h"

typedef enum pim_engine { PIM_ENGINE_dma, PIM_ENGINE_out, PIM_ENGINE_in, PIM_ENGINE_matrix, PIM_ENGINE_vector, PIM_ENGINE_rows, PIM_ENGINE_COUNT } pim_engine;

typedef enum pim_command_code {
#define COMMAND(name, engine, operands, help) PIM_COMMAND_##name,
#include "targets/tile/commands.def"
	PIM_COMMAND_repeat, /* opens a block of `count` rounds ... */
	PIM_COMMAND_end,    /* ... and closes it */
	PIM_COMMAND_COUNT
} pim_command_code;

typedef struct pim_command_info {
	const char *name;
	pim_engine engine;
	const char *operands, *help;
} pim_command_info;
const pim_command_info *pim_command_at(int code);
const char *pim_engine_name(int engine);
bool pim_command_is_kernel(int code);
bool pim_command_is_rows(int code); /* a kernel that a bank runs */
/* The command that runs kernels of an op on the target. */
pim_command_code pim_kernel_command(const pim_target *t, const pim_node *op);
bool pim_command_writes(int code); /* its first operand is a destination */
/* command_cost.c: does it send a message, or take one? */
bool pim_command_posts(int code);
bool pim_command_receives(int code);

/* Elements that a copy moves: extents with byte strides on both sides (a send uses the source
 * side, a recv the destination side; on the wire elements are packed in row-major order). */
typedef struct pim_pattern {
	pim_dtype dtype;
	int rank;
	int64_t extent[PIM_MAX_RANK], to[PIM_MAX_RANK], from[PIM_MAX_RANK];
	double fill; /* of fill */
} pim_pattern;
int64_t pim_pattern_bytes(const pim_pattern *p);

/* A place in a unit's memories: a byte address, plus step[d] for every round of the d-th enclosing
 * repeat (outermost first). References of a stream have steps, those that are made for it may leave them NULL. */
#define PIM_MAX_REPEAT 4
typedef enum pim_space { PIM_SPACE_none, PIM_SPACE_memory, PIM_SPACE_buffer } pim_space;
typedef struct pim_ref {
	uint8_t space;
	int64_t address;
	const int64_t *step; /* [PIM_MAX_REPEAT] */
} pim_ref;
/* Steps for references, kept in the arena; where all are 0 the ones that are shared. */
const int64_t *pim_steps_keep(pim_arena *a, const int64_t step[PIM_MAX_REPEAT]);

/* after: commands that must be complete first, as distances back in the stream as it runs (1 = the
 * command before this one, repeats unrolled; repeat and end are not counted); 0 = none. */
#define PIM_MAX_AFTER 4
typedef struct pim_command {
	uint8_t code, n_refs, accumulate;
	uint32_t index;  /* pattern or kernel number; of repeat: unused */
	uint32_t unit;   /* partner of send, recv, signal, wait; of multicast: number of a group */
	uint32_t task;   /* index into tasks: whom this works for */
	uint32_t first;  /* first reference in the stream's refs: destination before sources */
	uint32_t after[PIM_MAX_AFTER];
	int64_t count;   /* rounds of a repeat */
} pim_command;

/* Units that a multicast goes to, ascending. */
typedef struct pim_group {
	int n;
	const int *unit;
} pim_group;

typedef struct pim_stream {
	int64_t n_commands, room_commands, n_refs, room_refs;
	pim_command *command; /* from malloc, as ref is */
	pim_ref *ref;
	int64_t buffer_bytes, memory_bytes; /* highest address used + 1 */
} pim_stream;

/* The references of a command, destination first; NULL when it has none. */
static inline const pim_ref *pim_command_refs(const pim_stream *s, const pim_command *c)
{
	return c->n_refs ? s->ref + c->first : NULL;
}

typedef enum pim_home_kind { PIM_HOME_constant, PIM_HOME_input, PIM_HOME_result } pim_home_kind;
/* A box of a tensor, packed row-major in a unit's main memory: constants and inputs are there
 * before the program starts, results after it has ended. */
typedef struct pim_home {
	pim_home_kind kind;
	uint32_t tensor; /* index into constants, inputs or results */
	uint32_t unit;
	int64_t address;
	pim_box box;
} pim_home;

typedef struct pim_program_tensor {
	const char *name;
	const pim_type *type;
	pim_data data; /* of constants */
} pim_program_tensor;

/* A piece of work that a person knows: one node of the program. Estimates of the passes stand
 * beside what the simulator counts. */
typedef struct pim_task {
	const char *name, *op;
	int64_t start, cycles; /* estimated; cycles 0: not estimated */
} pim_task;

/* A kernel is a graph of one op on tile-sized tensors, in its own module. */
typedef struct pim_kernel {
	pim_graph *graph;
	const pim_node *op;
	int64_t cycles; /* from the target's cost functions */
	int64_t lockstep_cycles; /* by all-bank commands; 0: the target has none that are faster */
	double pj;
} pim_kernel;

struct pim_program {
	pim_arena *arena;
	pim_context *context;
	const pim_target *target;
	const char *name; /* of the network */
	/* Files of constants are named from the folder of `base`: the module's or the program's own path; NULL: the
	 * current folder. Constants with a key and no file are in `weights`, beside base. */
	const char *base, *weights;
	pim_module *kernel_module;
	int n_kernels, room_kernels, n_groups, room_groups, n_patterns, room_patterns, n_tasks, room_tasks;
	int n_constants, room_constants, n_inputs, room_inputs, n_results, room_results;
	int n_homes, room_homes;
	pim_kernel *kernel;
	pim_pattern *pattern;
	pim_group *group;
	pim_task *task;
	pim_program_tensor *constant, *input, *result;
	pim_home *home;
	int n_streams; /* = target->units */
	pim_stream *stream;
	pim_map *pattern_numbers, *kernel_numbers, *group_numbers; /* of equal ones */
};

/* ---- program.c: building, checking ---- */
pim_program *pim_program_new(pim_context *c, const pim_target *t, const char *name);
void pim_program_free(pim_program *p);
uint32_t pim_program_pattern(pim_program *p, const pim_pattern *pattern); /* the number of an equal one, or a new */
uint32_t pim_program_group(pim_program *p, int n, const int *unit); /* likewise; unit is ascending and copied */
/* The kernel for op `like` with these input types, result type and, for windowed ops, pads and groups
 * (NULL / 0: as like has them); the number of an equal one, or a new. */
uint32_t pim_program_kernel(pim_program *p, const pim_node *like, int n, const pim_type *const *in, const pim_type *out, const int64_t *pads, int64_t groups);
uint32_t pim_program_task(pim_program *p, const pim_task *t);
void pim_program_home(pim_program *p, const pim_home *h);
/* A command of matrix or vector has the destination and one source for each input of its kernel's graph
 * (an optional input that is absent has none). Valid until the next one is added. */
pim_command *pim_stream_add(pim_stream *s, pim_command_code code, int n_refs, const pim_ref *refs);
/* Are two commands, each of its stream, equal but for the addresses of their references? */
bool pim_command_is_like(const pim_stream *s, const pim_command *c, const pim_stream *t, const pim_command *d);
/* Room for as many commands as will be added; no more than a hint. */
void pim_stream_reserve(pim_stream *s, int64_t commands);
uint32_t pim_program_constant(pim_program *p, const pim_program_tensor *t);
uint32_t pim_program_input(pim_program *p, const pim_program_tensor *t);
uint32_t pim_program_result(pim_program *p, const pim_program_tensor *t);
/* Takes a graph of the kernel module as the next kernel; its cost comes from the target. False after a
 * diagnostic at `at` when it is not one op on the graph's inputs. */
bool pim_program_take_kernel(pim_program *p, pim_graph *g, pim_loc at);
/* Sets buffer_bytes and memory_bytes of every stream from its references and homes. Verifies on the way. */
bool pim_program_measure(pim_program *p);

/* A stream as it runs, repeats unrolled. Start with {.stream = s}. */
typedef struct pim_walk {
	const pim_stream *stream;
	int64_t at; /* of the next command */
	int depth;
	struct {
		int64_t body, count, round;
	} level[PIM_MAX_REPEAT];
} pim_walk;
/* The next command that runs, NULL after the last. The stream must be verified. */
const pim_command *pim_walk_next(pim_walk *w);
/* Address of a reference of the command that pim_walk_next gave, in its round. */
int64_t pim_walk_address(const pim_walk *w, const pim_ref *r);

/* The lowest byte that a side of a pattern (its to or from strides) touches, and one past the highest, from the
 * address of a reference. False when that overflows or the pattern is malformed. */
bool pim_pattern_span(const pim_pattern *p, const int64_t *strides, int64_t *lo, int64_t *hi);

/* ---- program_verify.c ---- */
/* Addresses inside memories, patterns and kernels that fit their references, repeats closed, after-distances
 * that reach back inside the stream, every home inside memory: reports all that is wrong, with command places. */
bool pim_program_verify(const pim_program *p);

/* ---- program_text.c, program_binary.c ---- */
/* Elements that stand in a file already are referred to by its path from the folder of `weights`; the rest goes
 * inline when small, else into the safetensors file `weights`, beside the program (NULL: as hex into the
 * program, which then is taken to be in the current folder). */
bool pim_program_write_text(const pim_program *p, pim_text *out, const char *weights);
bool pim_program_write_binary(const pim_program *p, FILE *out, const char *weights);

/* ---- bank/lockstep.c: kernels that all banks of a channel run together ---- */
/* By kernel and whether it adds (2 * kernel + adds): a number that kernels have in common when their banks are given the same
 * commands. What their address generators do, which rows operands lie in and what is padding, may differ. */
int *pim_lockstep_classes(const pim_program *p, pim_arena *a);
bool pim_command_is_lockstep(int code); /* all_rows, or what stands for it */
/* By task and channel (task * channels + channel): do all banks of the channel that run kernels of the task run them with the
 * same commands in the same order? NULL when no task is so, or all-bank commands of the target are no faster. Streams have no repeats yet. */
bool *pim_lockstep_find(const pim_program *p, pim_arena *a);

/* ---- command_cost.c ---- */

/* Bytes that a reference of a command moves; of a table that a kernel looks up, what it reads. */
int64_t pim_command_bytes(const pim_program *p, const pim_command *c, int ref);
/* Cycles that its engine works, waiting apart, by the target's cost functions; INT64_MAX: more than fit. ref: its references; what is not in the buffer
 * is in main memory. (pimsim counts commands to banks in slots.) */
int64_t pim_command_cycles(const pim_program *p, const pim_command *c, const pim_ref *ref);

/* ---- bank/listing.c ---- */
/* The micro-programs of the kernels, on machines of banks: steps, registers, row operations of each kind. */
bool pim_program_write_micro(const pim_program *p, pim_text *out);

/* ---- program_read.c ---- */
/* Text or binary, told apart by the first bytes. NULL after diagnostics. Unlike a module, a program may
 * name any readable file: it is made where the model need not be. */
pim_program *pim_program_read(pim_context *c, const char *path);

/* ---- tile/lower.c ---- */
/* As pim_target_lower. ahead: by how many commands of each unit, on the average, the writing may be ahead of
 * the network that gives messages their times (tile/clock.c). */
bool pim_target_lower_ahead(
	const pim_target *t, pim_graph *g, pim_barriers barriers, int ahead, pim_arena *scratch);

/* ---- reroll.c ---- */
/* Folds runs of equal command sequences with affine addresses, from command `from` on, into repeat
 * blocks; it stands outside of all blocks. Steps are kept in the arena. */
void pim_stream_reroll(pim_stream *s, int64_t from, pim_arena *a);

#endif
