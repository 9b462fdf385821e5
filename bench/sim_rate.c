/* SPDX-License-Identifier: Apache-2.0 */
/* sim_rate.c - how many commands a second the simulator runs.
 *
 * The program: 64 units on an 8 x 8 mesh; each runs rounds of load, load, kernel, store, send to a
 * neighbour, receive from another, ten million commands in all. The reference is a plain loop in
 * the same run: an interpreter of six op codes whose ops wait for each other, without engines,
 * memory or network. Rates: timing only; the same without repeats (10^6 commands
 * that stand in memory); with values and checks (tiles of 16 x 16 f32). */
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "targets/sim.h"

enum { SIDE = 8, UNITS = SIDE * SIDE, BODY = 6, TILE = 1024 };

static double seconds(void)
{
	struct timespec t;
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static pim_target make_machine(void)
{
	pim_target t = {.name = "bench", .command_set = "tile", .clock_hz = 5e8, .units = UNITS};
	t.network.size[0] = t.network.size[1] = SIDE;
	t.network.size[2] = 1;
	t.network.link_bytes_per_cycle = 16;
	t.network.hop_cycles = 2;
	t.memory = (pim_memory){1 << 20, 64, 20, 7, 7};
	t.buffer = (pim_memory){1 << 16, 128, 1, 0.6, 0.6};
	t.matrix.rows = t.matrix.columns = 16;
	t.matrix.fill_cycles = 32;
	t.vector.lanes = 16;
	t.command_cycles = 1;
	return t;
}

static void add(pim_stream *s, pim_command_code code, uint32_t index, int n, const pim_ref *ref,
	uint32_t unit, uint32_t after, uint32_t after_too)
{
	pim_command *c = pim_stream_add(s, code, n, ref);
	c->index = index;
	c->unit = unit;
	c->after[0] = after;
	c->after[1] = after_too;
}

/* Distances in `after` reach back one round (6) where a buffer is used again. */
static void make_stream(
	pim_program *p, int unit, uint32_t tile, uint32_t kernel, int64_t rounds, bool unrolled)
{
	pim_stream *s = p->stream + unit;
	uint32_t next = (uint32_t)(unit / SIDE * SIDE + (unit + 3) % SIDE);
	uint32_t last = (uint32_t)(unit / SIDE * SIDE + (unit + SIDE - 3) % SIDE);
	pim_ref a = {.space = PIM_SPACE_memory}, b = a, c = a, d = a, at[3];
	b.address = TILE;
	c.address = 2 * TILE;
	d.address = 3 * TILE;
	for (int i = 0; i < 3; i++)
		at[i] = (pim_ref){.space = PIM_SPACE_buffer, .address = i * TILE};
	pim_ref first[] = {at[0], a}, second[] = {at[1], b}, sum[] = {at[2], at[0], at[1]};
	pim_ref result[] = {c, at[2]};
	int64_t written = unrolled ? rounds : 2; /* the first stands alone: nothing to wait for */
	for (int64_t round = 0; round < written; round++) {
		bool more = round > 0;
		if (more && !unrolled)
			pim_stream_add(s, PIM_COMMAND_repeat, 0, NULL)->count = rounds - 1;
		add(s, PIM_COMMAND_load, tile, 2, first, 0, more ? 4 : 0, 0);
		add(s, PIM_COMMAND_load, tile, 2, second, 0, more ? 5 : 0, 0);
		add(s, PIM_COMMAND_vector, kernel, 3, sum, 0, 1, more ? 5 : 0);
		add(s, PIM_COMMAND_store, tile, 2, result, 0, 1, more ? 5 : 0);
		add(s, PIM_COMMAND_send, tile, 1, &c, next, 1, 0);
		add(s, PIM_COMMAND_recv, tile, 1, &d, last, 0, 0);
		if (more && !unrolled)
			pim_stream_add(s, PIM_COMMAND_end, 0, NULL);
	}
}

static pim_program *make_program(
	pim_context *c, const pim_target *t, int64_t commands, bool unrolled)
{
	pim_program *p = pim_program_new(c, t, "rate");
	pim_module *m = pim_module_new(c);
	pim_graph *g = pim_graph_new(m, "ops");
	const pim_type *type = pim_type_tensor(c, PIM_DTYPE_f32, 2, (int64_t[]){16, 16});
	pim_node *in[] = {pim_input_new(g, "a", type), pim_input_new(g, "b", type)};
	pim_node *op = pim_node_new(g, "add", 2, in, NULL);
	if (!pim_node_infer(op))
		exit(1);
	uint32_t kernel = pim_program_kernel(p, op, 2, (const pim_type *[]){type, type}, type, NULL, 0);
	pim_pattern tile = {
		.dtype = PIM_DTYPE_f32, .rank = 2, .extent = {16, 16}, .to = {64, 4}, .from = {64, 4}};
	uint32_t pattern = pim_program_pattern(p, &tile);
	pim_program_tensor x = {.name = "x"};
	x.type = pim_type_tensor(c, PIM_DTYPE_f32, 2, (int64_t[]){UNITS, 2 * TILE / 4});
	pim_program_input(p, &x);
	for (int u = 0; u < UNITS; u++) {
		pim_home h = {.kind = PIM_HOME_input, .unit = (uint32_t)u};
		h.box = (pim_box){2, {u, 0}, {u + 1, 2 * TILE / 4}};
		pim_program_home(p, &h);
		make_stream(p, u, pattern, kernel, commands / (UNITS * BODY), unrolled);
	}
	if (!pim_program_measure(p))
		exit(1);
	return p;
}

/* Nanoseconds of one command. */
static double measure(pim_program *p, const pim_sim_options *o, const char *what)
{
	pim_arena *a = pim_arena_new();
	double start = seconds();
	const pim_sim_report *r = pim_sim_run(p, o, a);
	double time = seconds() - start;
	if (!r) {
		fprintf(stderr, "the program does not run\n");
		exit(1);
	}
	double each = time / (double)r->commands * 1e9;
	printf("%-24s %10lld commands %8.3f s %8.1f ns each %12.0f per second\n", what,
		(long long)r->commands, time, each, 1e9 / each);
	pim_arena_free(a);
	return each;
}

/* One pass over a small program with registers; its ops depend on each other as ours do. */
static double measure_reference(int64_t n)
{
	static const unsigned char code[BODY] = {0, 1, 2, 3, 4, 5};
	volatile unsigned char *hidden = malloc(BODY);
	int64_t r[8] = {1, 2, 3, 4, 5, 6, 7, 8};
	if (!hidden)
		exit(1);
	memcpy((void *)hidden, code, BODY);
	double start = seconds();
	for (int64_t i = 0, at = 0; i < n; i++, at = at + 1 == BODY ? 0 : at + 1) {
		switch (hidden[at]) {
		case 0:
			r[0] = r[1] + 3;
			break;
		case 1:
			r[1] = r[0] > r[2] ? r[0] : r[2];
			break;
		case 2:
			r[2] += r[1];
			break;
		case 3:
			r[3] = r[2] ^ r[0];
			break;
		case 4:
			r[4] = r[3] + 7;
			break;
		default:
			r[5] = r[4] > r[1] ? r[4] : r[1];
		}
	}
	double each = (seconds() - start) / (double)n * 1e9;
	printf("%-24s %10lld iterations %6.3f s %8.1f ns each (sum %lld)\n", "reference interpreter",
		(long long)n, each * (double)n * 1e-9, each, (long long)(r[5] & 1));
	free((void *)hidden);
	return each;
}

static void print_message(void *user, const pim_diag *d)
{
	pim_diag_print(d, user, false);
}

int main(void)
{
	pim_context *c = pim_context_new();
	pim_context_on_diag(c, print_message, stderr);
	pim_target t = make_machine();
	pim_program *p = make_program(c, &t, 10000000, false);
	pim_program *flat = make_program(c, &t, 1000000, true);
	pim_tensor in = {p->input[0].type, calloc((size_t)pim_type_bytes(p->input[0].type), 1)};
	if (!in.data)
		return 1;
	double reference = measure_reference(100000000);
	double timing = measure(p, &(pim_sim_options){0}, "timing only");
	double unrolled = measure(flat, &(pim_sim_options){0}, "timing only, unrolled");
	pim_sim_options values = {.values = true, .input = &in}, checked = values;
	checked.check = true;
	double moved = measure(p, &values, "values");
	double all = measure(p, &checked, "values and checks");
	printf("iterations of the reference that a command takes: %.1f timing, %.1f unrolled, %.1f "
		   "values, "
		   "%.1f values and checks\n",
		timing / reference, unrolled / reference, moved / reference, all / reference);
	free(in.data);
	pim_program_free(flat);
	pim_program_free(p);
	pim_context_free(c);
	return 0;
}
