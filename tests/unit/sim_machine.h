/* SPDX-License-Identifier: Apache-2.0 */
/* tests/unit/sim_machine.h - small machines and programs made by hand, for tests of the simulator.
 */
#ifndef PIM_TESTS_UNIT_SIM_MACHINE_H
#define PIM_TESTS_UNIT_SIM_MACHINE_H

#include <string.h>

#include "targets/sim.h"
#include "tests/unit/check.h"

/* Messages of a run, one behind the other. */
typedef struct messages {
	int n;
	char text[512][240];
} messages;

static inline void keep_message(void *user, const pim_diag *d)
{
	messages *m = user;
	if (m->n < 512)
		snprintf(m->text[m->n++], sizeof m->text[0], "%s", d->message);
}

static inline bool says(const messages *m, const char *what)
{
	for (int i = 0; i < m->n; i++)
		if (strstr(m->text[i], what))
			return true;
	for (int i = 0; i < m->n; i++)
		fprintf(stderr, "said: %s\n", m->text[i]);
	return false;
}

static inline pim_target make_machine(int x, int y)
{
	pim_target t = {.name = "small", .command_set = "tile", .clock_hz = 1e9, .units = x * y};
	t.network.size[0] = x;
	t.network.size[1] = y;
	t.network.size[2] = 1;
	t.network.link_bytes_per_cycle = 4;
	t.network.hop_cycles = 3;
	t.network.hop_pj = 0.5;
	t.memory = (pim_memory){4096, 8, 10, 1.0, 1.5};
	t.buffer = (pim_memory){1024, 32, 1, 0.1, 0.2};
	t.matrix.rows = t.matrix.columns = 4;
	t.matrix.fill_cycles = 6;
	t.matrix.mac_pj = 0.5;
	t.vector.lanes = 4;
	t.vector.start_cycles = 2;
	t.vector.step_pj = 0.25;
	t.command_cycles = 1;
	t.static_w = 1;
	return t;
}

/* n consecutive f32. */
static inline pim_pattern make_row(int64_t n)
{
	return (pim_pattern){.dtype = PIM_DTYPE_f32, .rank = 1, .extent = {n}, .to = {4}, .from = {4}};
}

static inline pim_ref at_memory(int64_t address)
{
	return (pim_ref){.space = PIM_SPACE_memory, .address = address};
}

static inline pim_ref at_buffer(int64_t address)
{
	return (pim_ref){.space = PIM_SPACE_buffer, .address = address};
}

static inline pim_command *add_command(pim_program *p, int unit, pim_command_code code,
	uint32_t index, int n, const pim_ref *ref, uint32_t after)
{
	pim_command *c = pim_stream_add(p->stream + unit, code, n, ref);
	c->index = index;
	c->after[0] = after;
	return c;
}

static inline pim_command *add_message(pim_program *p, int unit, pim_command_code code,
	uint32_t index, int n, const pim_ref *ref, int partner)
{
	pim_command *c = add_command(p, unit, code, index, n, ref, 0);
	c->unit = (uint32_t)partner;
	return c;
}

/* An input f32[units, n] of which each unit has its row at `address`. */
static inline void add_input(pim_program *p, int64_t n, int64_t address)
{
	int64_t dims[2] = {p->n_streams, n};
	pim_program_tensor t = {.name = "x"};
	t.type = pim_type_tensor(p->context, PIM_DTYPE_f32, 2, dims);
	pim_program_input(p, &t);
	for (int i = 0; i < p->n_streams; i++) {
		pim_home h = {.kind = PIM_HOME_input, .unit = (uint32_t)i, .address = address};
		h.box = (pim_box){2, {i, 0}, {i + 1, n}};
		pim_program_home(p, &h);
	}
}

/* As a program from a file: verified, measured, run. */
static inline pim_sim_report *run_program(pim_program *p, const pim_sim_options *o, pim_arena *a)
{
	if (!pim_program_measure(p))
		return NULL;
	return pim_sim_run(p, o, a);
}

#endif
