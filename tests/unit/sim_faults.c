/* SPDX-License-Identifier: Apache-2.0 */
/* sim_faults.c - planted mistakes are found, and the message names the right command. */
#include "tests/unit/sim_machine.h"

/* What one planted program is made with. */
typedef struct plant {
	pim_target machine;
	pim_context *context;
	pim_arena *arena;
	pim_program *p;
	messages said;
	uint32_t row; /* 16 f32 */
	pim_sim_options options;
} plant;

static void open_plant(plant *k)
{
	*k = (plant){.machine = make_machine(2, 2), .arena = pim_arena_new()};
	k->context = pim_context_new();
	pim_context_on_diag(k->context, keep_message, &k->said);
	k->p = pim_program_new(k->context, &k->machine, "planted");
	pim_pattern row = make_row(16);
	k->row = pim_program_pattern(k->p, &row);
	add_input(k->p, 64, 0);
	k->options = (pim_sim_options){.values = true, .check = true};
}

static pim_sim_report *run_plant(plant *k)
{
	pim_tensor *in = PIM_NEW(k->arena, pim_tensor, 1);
	*in = (pim_tensor){k->p->input[0].type, pim_arena_alloc(k->arena, 4 * 64 * 4)};
	for (int64_t i = 0; i < in->type->elements; i++)
		((float *)in->data)[i] = (float)i;
	k->options.input = in;
	return run_program(k->p, &k->options, k->arena);
}

static void close_plant(plant *k)
{
	pim_program_free(k->p);
	pim_context_free(k->context);
	pim_arena_free(k->arena);
}

static void load(plant *k, int unit, int64_t to, int64_t from, uint32_t after)
{
	pim_ref ref[] = {at_buffer(to), at_memory(from)};
	add_command(k->p, unit, PIM_COMMAND_load, k->row, 2, ref, after);
}

static void message(plant *k, int unit, pim_command_code code, int64_t address, int partner)
{
	pim_ref ref = at_memory(address);
	bool empty = code == PIM_COMMAND_signal || code == PIM_COMMAND_wait;
	add_message(k->p, unit, code, empty ? 0 : k->row, !empty, &ref, partner);
}

static void test_race(void)
{
	plant k;
	open_plant(&k);
	load(&k, 3, 0, 0, 0);					 /* cycles 0 to 18 */
	message(&k, 3, PIM_COMMAND_send, 32, 0); /* reads memory 32..95 from 1 to 19 */
	message(&k, 0, PIM_COMMAND_recv, 512, 3);
	pim_ref ref[] = {at_memory(64), at_memory(128)};
	add_command(k.p, 3, PIM_COMMAND_copy, k.row, 2, ref, 0); /* starts at 18 */
	CHECK(!run_plant(&k));
	CHECK(says(&k.said,
		"unit 3, command 2 (copy): writes memory bytes 0x40..0x5f from cycle 18 while "
		"command 1 (send) still reads them until cycle 19"));
	CHECK(k.said.n == 1);
	close_plant(&k);
	open_plant(&k);
	load(&k, 3, 0, 0, 0);
	message(&k, 3, PIM_COMMAND_send, 32, 0);
	message(&k, 0, PIM_COMMAND_recv, 512, 3);
	add_command(k.p, 3, PIM_COMMAND_copy, k.row, 2, ref, 1); /* waits for the send */
	CHECK(run_plant(&k));
	CHECK(k.said.n == 0);
	close_plant(&k);
}

static void test_race_in_rounds(void)
{
	plant k;
	open_plant(&k);
	pim_stream_add(k.p->stream + 1, PIM_COMMAND_repeat, 0, NULL)->count = 5;
	pim_ref to = at_buffer(0);
	pim_ref ref[] = {at_buffer(0), at_memory(0)};
	add_command(k.p, 1, PIM_COMMAND_load, k.row, 2, ref, 0);
	static const int64_t step[PIM_MAX_REPEAT] = {64};
	to.step = step;
	add_message(k.p, 1, PIM_COMMAND_send, k.row, 1, &to, 1);
	pim_stream_add(k.p->stream + 1, PIM_COMMAND_end, 0, NULL);
	pim_stream_add(k.p->stream + 1, PIM_COMMAND_repeat, 0, NULL)->count = 5;
	message(&k, 1, PIM_COMMAND_recv, 1024, 1);
	pim_stream_add(k.p->stream + 1, PIM_COMMAND_end, 0, NULL);
	CHECK(!run_plant(&k));
	CHECK(says(&k.said, "unit 1, command 2 (send; round 0): reads buffer bytes 0x0..0x3f"));
	close_plant(&k);
}

static void test_unwritten(void)
{
	plant k;
	open_plant(&k);
	load(&k, 2, 0, 224, 0); /* the input's home ends at 256 */
	CHECK(!run_plant(&k));
	CHECK(says(&k.said,
		"unit 2, command 0 (load): reads memory bytes 0x100..0x11f that nothing has written"));
	close_plant(&k);
}

static void test_bounds(void)
{
	plant k;
	open_plant(&k);
	load(&k, 0, 0, 0, 0);
	load(&k, 0, 1024 - 60, 0, 0);
	CHECK(!run_plant(&k));
	CHECK(k.said.n == 1 && says(&k.said, "unit 0, command 1 (load)"));
	close_plant(&k);
	open_plant(&k);
	pim_stream_add(k.p->stream + 2, PIM_COMMAND_repeat, 0, NULL)->count = 64;
	pim_ref ref[] = {at_buffer(0), at_memory(0)};
	static const int64_t step[PIM_MAX_REPEAT] = {64};
	ref[1].step = step; /* the last round reads 4032..4095 */
	add_command(k.p, 2, PIM_COMMAND_load, k.row, 2, ref, 0);
	pim_stream_add(k.p->stream + 2, PIM_COMMAND_end, 0, NULL);
	k.options = (pim_sim_options){0};
	CHECK(run_plant(&k));
	k.p->stream[2].command[0].count = 65;
	CHECK(!run_plant(&k));
	CHECK(k.said.n == 1 && says(&k.said, "unit 2, command 1 (load)"));
	close_plant(&k);
}

static void test_deadlock(void)
{
	plant k;
	open_plant(&k);
	for (int u = 0; u < 3; u++) { /* 0 waits for 2, 1 for 0, 2 for 1 */
		message(&k, u, PIM_COMMAND_recv, 512, (u + 2) % 3);
		message(&k, u, PIM_COMMAND_send, 0, (u + 1) % 3);
	}
	load(&k, 3, 0, 0, 0);
	message(&k, 3, PIM_COMMAND_wait, 0, 1);
	CHECK(!run_plant(&k));
	CHECK(says(&k.said,
		"unit 0, command 0 (recv): deadlock: waits for a message of unit 2, which waits itself"));
	CHECK(says(&k.said, "unit 3, command 1 (wait): deadlock: waits for a message of unit 1"));
	CHECK(says(&k.said, "in a circle: 0 -> 2 -> 1 -> 0"));
	CHECK(k.said.n == 5);
	close_plant(&k);
	open_plant(&k);
	message(&k, 1, PIM_COMMAND_wait, 0, 2);
	CHECK(!run_plant(&k));
	CHECK(k.said.n == 1 &&
		  says(&k.said, "unit 1, command 0 (wait): deadlock: waits for a message of unit 2, "
						"which has ended"));
	close_plant(&k);
}

static void test_messages(void)
{
	plant k;
	open_plant(&k);
	for (int i = 0; i < 3; i++)
		message(&k, 0, PIM_COMMAND_send, 0, 3);
	message(&k, 3, PIM_COMMAND_recv, 512, 0);
	CHECK(!run_plant(&k));
	CHECK(
		k.said.n == 1 &&
		says(&k.said, "unit 0, command 1 (send): its message is never received by unit 3 (2 such"));
	close_plant(&k);
	open_plant(&k);
	message(&k, 0, PIM_COMMAND_send, 0, 3);
	message(&k, 3, PIM_COMMAND_wait, 0, 0);
	CHECK(!run_plant(&k));
	CHECK(k.said.n == 1 &&
		  says(&k.said,
			  "unit 3, command 0 (wait): expects a message of 0 bytes, unit 0 command 0 sent 64"));
	close_plant(&k);
}

static void test_runaway(void)
{
	plant k;
	open_plant(&k);
	for (int i = 0; i < 3; i++)
		pim_stream_add(k.p->stream, PIM_COMMAND_repeat, 0, NULL)->count = 20000;
	load(&k, 0, 0, 0, 0);
	for (int i = 0; i < 3; i++)
		pim_stream_add(k.p->stream, PIM_COMMAND_end, 0, NULL);
	CHECK(!run_plant(&k));
	CHECK(k.said.n == 1 &&
		  says(&k.said, "the program runs too long: at most 1000000000000 commands"));
	close_plant(&k);
}

static void add_result_home(plant *k, int unit, int64_t address, int64_t lo, int64_t hi)
{
	pim_home h = {.kind = PIM_HOME_result, .unit = (uint32_t)unit, .address = address};
	h.box = (pim_box){1, {lo}, {hi}};
	pim_program_home(k->p, &h);
}

static void test_results(void)
{
	plant k;
	int64_t dims[] = {32};
	for (int wrong = 0; wrong < 4; wrong++) {
		open_plant(&k);
		pim_program_tensor t = {.name = "y"};
		t.type = pim_type_tensor(k.context, PIM_DTYPE_f32, 1, dims);
		pim_program_result(k.p, &t);
		add_result_home(&k, 0, 0, 0, wrong == 1 ? 16 : 32); /* the input: 0, 1, 2 ... */
		add_result_home(&k, 1, wrong == 3 ? 1024 : 512, 0, 16);
		message(&k, 0, PIM_COMMAND_send, wrong == 2 ? 4 : 0, 1);
		message(&k, 1, PIM_COMMAND_recv, 512, 0);
		const pim_sim_report *r = run_plant(&k);
		CHECK((r != NULL) == (wrong == 0));
		CHECK(!r || ((float *)r->result[0].data)[31] == 31);
		CHECK(wrong != 1 || says(&k.said, "element 16 of result y is at home on no unit"));
		CHECK(
			wrong != 2 ||
			says(&k.said, "element 0 of result y is not the same in its copies on units 0 and 1"));
		CHECK(wrong != 3 ||
			  says(&k.said, "unit 1: memory bytes 0x400..0x43f of result y were never written"));
		close_plant(&k);
	}
}

static void test_constants(void)
{
	plant k;
	open_plant(&k);
	pim_program_tensor t = {.name = "w", .data = {.kind = PIM_DATA_absent}};
	t.type = pim_type_tensor(k.context, PIM_DTYPE_f32, 1, (int64_t[]){16});
	pim_program_constant(k.p, &t);
	pim_home h = {.kind = PIM_HOME_constant, .address = 1024, .box = pim_box_of(t.type)};
	pim_program_home(k.p, &h);
	CHECK(!run_plant(&k));
	CHECK(says(&k.said, "constant w has no data: only timing can be simulated"));
	k.options = (pim_sim_options){0};
	CHECK(run_plant(&k));
	close_plant(&k);
}

int main(void)
{
	test_race();
	test_race_in_rounds();
	test_unwritten();
	test_bounds();
	test_deadlock();
	test_messages();
	test_runaway();
	test_results();
	test_constants();
	return check_failures != 0;
}
