/* SPDX-License-Identifier: Apache-2.0 */
/* Command programs: built, verified, written and read back in both forms, damaged, and edited
 * wrongly. */
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "targets/program.h"
#include "tests/unit/check.h"

typedef struct heard {
	int n;
	char all[8192];
} heard;

static void hear(void *user, const pim_diag *d)
{
	heard *h = user;
	h->n++;
	size_t n = strlen(h->all);
	snprintf(h->all + n, sizeof h->all - n, "%d:%d: %s\n", d->line, d->column, d->message);
}

static char folder[64];

static const char *path_of(const char *name)
{
	static char path[4][128];
	static int next;
	char *p = path[next++ % 4];
	snprintf(p, 128, "%s/%s", folder, name);
	return p;
}

static void write_file(const char *path, const void *bytes, size_t n)
{
	FILE *f = fopen(path, "wb");
	CHECK(f && fwrite(bytes, 1, n, f) == n);
	fclose(f);
}

static pim_ref ref_at(pim_space space, int64_t address)
{
	return (pim_ref){.space = (uint8_t)space, .address = address};
}

static pim_ref step_at(pim_space space, int64_t address, const int64_t *step)
{
	return (pim_ref){.space = (uint8_t)space, .address = address, .step = step};
}

static void add_tensors(pim_program *p)
{
	static const float small[] = {1, -0.5f, 0.1f, 3e38f, 1e-40f, 7};
	static float large[64];
	static const float one = 0.25f;
	static const uint16_t nan_of_its_own[] = {0x7e01, 0x3c00};
	for (int i = 0; i < 64; i++)
		large[i] = (float)i / 3;
	pim_context *c = p->context;
	const pim_type *row = pim_type_tensor(c, PIM_DTYPE_f32, 2, (int64_t[]){2, 3});
	const pim_type *block = pim_type_tensor(c, PIM_DTYPE_f32, 2, (int64_t[]){8, 8});
	const pim_type *half = pim_type_tensor(c, PIM_DTYPE_f16, 1, (int64_t[]){2});
	const pim_program_tensor constants[] = {
		{"small", row, {.kind = PIM_DATA_dense, .bytes = small}},
		{"large \"one\"", block, {.kind = PIM_DATA_dense, .bytes = large}},
		{"large \"one\"", block, {.kind = PIM_DATA_dense, .bytes = large}},
		{"splat", block, {.kind = PIM_DATA_splat, .bytes = &one}},
		{"nan", half, {.kind = PIM_DATA_dense, .bytes = nan_of_its_own}},
		{"gone", block, {.kind = PIM_DATA_absent}},
		{"filed", block,
			{.kind = PIM_DATA_dense,
				.bytes = large,
				.file = pim_intern(c, path_of("net.onnx"), strlen(path_of("net.onnx"))),
				.offset = 64}},
	};
	for (size_t i = 0; i < sizeof constants / sizeof constants[0]; i++)
		pim_program_constant(p, &constants[i]);
	char file[64 + sizeof large] = {0};
	memcpy(file + 64, large, sizeof large);
	write_file(path_of("net.onnx"), file, sizeof file);
	pim_program_input(p, &(pim_program_tensor){.name = "x", .type = block});
	pim_program_result(p, &(pim_program_tensor){.name = "y", .type = block});
	pim_home h = {.kind = PIM_HOME_constant, .tensor = 1, .unit = 5, .address = 0x1000};
	h.box = (pim_box){.n = 2, .lo = {0, 4}, .hi = {8, 8}};
	pim_program_home(p, &h);
	h = (pim_home){.kind = PIM_HOME_result, .unit = 63, .address = 64, .box = pim_box_of(block)};
	pim_program_home(p, &h);
}

static uint32_t add_kernels(pim_program *p, uint32_t *vector)
{
	pim_graph *g = pim_graph_new(pim_module_new(p->context), "net");
	const pim_type *t = pim_type_tensor(p->context, PIM_DTYPE_f32, 2, (int64_t[]){8, 8});
	pim_node *x = pim_input_new(g, "x", t);
	pim_node *product = pim_node_new(g, "matmul", 2, (pim_node *[]){x, x}, NULL);
	pim_node_set_int(product, "transpose_b", 1);
	pim_node *clip = pim_node_new(g, "clip", 1, &product, NULL);
	pim_node_set_float(clip, "min", 0.5);
	CHECK(pim_node_infer(product) && pim_node_infer(clip));
	const pim_type *in[2] = {t, t};
	uint32_t k = pim_program_kernel(p, product, 2, in, t, NULL, 0);
	CHECK(pim_program_kernel(p, product, 2, in, t, NULL, 0) == k);
	*vector = pim_program_kernel(p, clip, 1, in, t, NULL, 0);
	CHECK(*vector != k && p->n_kernels == 2);
	CHECK(pim_node_int(p->kernel[k].op, "transpose_b") == 1);
	CHECK(pim_node_float(p->kernel[*vector].op, "min") == 0.5);
	CHECK(p->kernel[k].cycles == 8 + p->target->matrix.fill_cycles);
	return k;
}

static void add_stream(
	pim_stream *s, uint32_t matrix, uint32_t vector, uint32_t pattern, uint32_t group)
{
	static const int64_t up[PIM_MAX_REPEAT] = {256}, down[PIM_MAX_REPEAT] = {-256},
						 outer[PIM_MAX_REPEAT] = {512, 0};
	pim_ref r[3] = {ref_at(PIM_SPACE_buffer, 0), ref_at(PIM_SPACE_memory, 0x2000)};
	pim_command *c = pim_stream_add(s, PIM_COMMAND_load, 2, r);
	c->index = pattern;
	pim_stream_add(s, PIM_COMMAND_repeat, 0, NULL)->count = 3;
	r[0] = ref_at(PIM_SPACE_buffer, 0x400);
	r[1] = step_at(PIM_SPACE_buffer, 0, up);
	r[2] = step_at(PIM_SPACE_buffer, 0x300, down);
	c = pim_stream_add(s, PIM_COMMAND_matrix, 3, r);
	c->index = matrix;
	c->accumulate = 1;
	c->after[0] = 1;
	pim_stream_add(s, PIM_COMMAND_repeat, 0, NULL)->count = 2;
	r[1] = ref_at(PIM_SPACE_buffer, 0x400);
	r[0] = step_at(PIM_SPACE_buffer, 0x600, outer);
	c = pim_stream_add(s, PIM_COMMAND_vector, 2, r);
	c->index = vector;
	c->task = 1;
	c->after[0] = 1;
	c->after[1] = 2;
	pim_stream_add(s, PIM_COMMAND_end, 0, NULL);
	pim_stream_add(s, PIM_COMMAND_end, 0, NULL);
	r[0] = ref_at(PIM_SPACE_memory, 0x2000);
	c = pim_stream_add(s, PIM_COMMAND_send, 1, r);
	c->index = pattern;
	c->unit = 2;
	c = pim_stream_add(s, PIM_COMMAND_multicast, 1, r);
	c->index = pattern;
	c->unit = group;
	pim_stream_add(s, PIM_COMMAND_wait, 0, NULL)->unit = 63;
}

static pim_program *make_program(pim_context *c)
{
	pim_program *p = pim_program_new(c, pim_target_find(c, "stack3d"), "small \"net\"");
	add_tensors(p);
	uint32_t vector, matrix = add_kernels(p, &vector);
	pim_program_task(p, &(pim_task){"first/MatMul", "matmul", 0, 40});
	pim_program_task(p, &(pim_task){"clip", "clip", 40, 0});
	pim_pattern a = {
		.dtype = PIM_DTYPE_f32, .rank = 2, .extent = {4, 8}, .to = {32, 4}, .from = {64, 4}};
	pim_pattern b = {.dtype = PIM_DTYPE_i8, .rank = 0, .fill = -1.5};
	uint32_t pattern = pim_program_pattern(p, &a);
	CHECK(pim_program_pattern(p, &b) == 1 && pim_program_pattern(p, &a) == pattern);
	uint32_t group = pim_program_group(p, 3, (int[]){4, 5, 63});
	CHECK(pim_program_group(p, 2, (int[]){4, 5}) == group + 1);
	CHECK(pim_program_group(p, 3, (int[]){4, 5, 63}) == group && p->n_groups == 2);
	for (int unit = 0; unit < 3; unit++)
		add_stream(&p->stream[unit], matrix, vector, pattern, group);
	pim_ref r = ref_at(PIM_SPACE_buffer, 9);
	pim_stream_add(&p->stream[40], PIM_COMMAND_fill, 1, &r)->index = 1;
	return p;
}

static char *print_text(const pim_program *p, const char *weights)
{
	pim_text t = {0};
	CHECK(pim_program_write_text(p, &t, weights));
	return t.s;
}

/* Written to a file in one form, read, and printed again: the same text. */
static void check_round(pim_context *c, const char *name, const char *text)
{
	pim_program *p = pim_program_read(c, path_of(name));
	CHECK(p);
	if (!p)
		return;
	CHECK(p->stream[0].memory_bytes == 0x2000 + 3 * 64 + 32);
	CHECK(p->stream[0].buffer_bytes == 0x600 + 2 * 512 + 256 &&
		  p->stream[63].memory_bytes == 64 + 256);
	CHECK(((const float *)p->constant[1].data.bytes)[2] == 2.0f / 3);
	CHECK(((const float *)p->constant[6].data.bytes)[2] == 2.0f / 3);
	CHECK(((const uint16_t *)p->constant[4].data.bytes)[0] == 0x7e01);
	char *again = print_text(p, path_of("w.safetensors"));
	if (strcmp(text, again))
		fprintf(stderr, "%s\n---\n%s\n", text, again);
	CHECK(!strcmp(text, again));
	free(again);
	pim_program_free(p);
}

static void test_round(void)
{
	pim_context *c = pim_context_new();
	heard h = {0};
	pim_context_on_diag(c, hear, &h);
	pim_program *p = make_program(c);
	CHECK(pim_program_verify(p));
	pim_program_measure(p);
	char *text = print_text(p, path_of("w.safetensors"));
	CHECK(strstr(text, "{file = \"net.onnx\", offset = 64}"));
	CHECK(strstr(text, "{file = \"w.safetensors\", key = \"large \\\"one\\\"_2\"}"));
	CHECK(strstr(text, "unit 0..2 {"));
	CHECK(strstr(text, "  group g0 [4, 5, 63]\n  group g1 [4, 5]\n"));
	CHECK(strstr(text, "multicast p0 g0 <- m:0x2000 t0\n"));
	CHECK(strstr(text, "matrix k0 b:0x400 += b:0x0+256, b:0x300-256 t0 after 1\n"));
	CHECK(strstr(text, "vector k1 b:0x600+512+0 <- b:0x400 t1 after 1, 2\n"));
	write_file(path_of("a.pimc"), text, strlen(text));
	FILE *f = fopen(path_of("b.pimc"), "wb");
	CHECK(f && pim_program_write_binary(p, f, path_of("w.safetensors")));
	fclose(f);
	check_round(c, "a.pimc", text);
	check_round(c, "b.pimc", text);
	char *hex = print_text(p, NULL);
	CHECK(!strstr(hex, "safetensors") && strstr(hex, "{hex = \"00000000"));
	if (h.n)
		fprintf(stderr, "%s", h.all);
	CHECK(h.n == 0);
	free(hex);
	free(text);
	pim_program_free(p);
	pim_context_free(c);
}

static char *read_bytes(const char *path, size_t *n)
{
	static char bytes[1 << 16];
	FILE *f = fopen(path, "rb");
	CHECK(f);
	*n = fread(bytes, 1, sizeof bytes, f);
	fclose(f);
	return bytes;
}

/* Every byte changed in two ways, and every length: an error or a program that verifies, never a
 * crash. */
static void test_damage(const char *name)
{
	size_t n;
	char *bytes = read_bytes(path_of(name), &n);
	for (size_t i = 0; i < 3 * n; i++) {
		size_t at = i / 3;
		char old = bytes[at];
		if (i % 3)
			bytes[at] = (char)(i % 3 == 1 ? old ^ 1 << at % 8 : 0xff);
		write_file(path_of("bad.pimc"), bytes, i % 3 ? n : at);
		bytes[at] = old;
		pim_context *c = pim_context_new();
		heard h = {0};
		pim_context_on_diag(c, hear, &h);
		pim_program *p = pim_program_read(c, path_of("bad.pimc"));
		if ((p == NULL) != (h.n > 0))
			fprintf(stderr, "%s, case %zu: %s\n", name, i, h.all);
		CHECK((p == NULL) == (h.n > 0));
		pim_program_free(p);
		pim_context_free(c);
	}
}

typedef struct wrong {
	const char *old, *new, *message;
} wrong;

static const wrong wrongs[] = {
	{"load p0", "loda p0", "unknown command \"loda\"; did you mean \"load\"?"},
	{"load p0", "load p9", "unit 0, command 0 (load): pattern 9, but there are 2"},
	{"matrix k0", "matrix k1", "kernel 1 is for the vector engine"},
	{"b:0x0 <- m:0x2000", "b:0x40000 <- m:0x2000",
		"reaches outside the 262144 bytes of the unit's buffer"},
	{"b:0x0 <- m:0x2000", "m:0x0 <- m:0x2000", "operand 0 is in memory, expected the buffer"},
	{"b:0x0+256", "b:0x0+256000", "reaches outside the 262144 bytes"},
	{"b:0x0+256", "b:0x0+256+1", "more steps than the 1 repeats that are open"},
	{"after 1, 2", "after 1, 7", "waits for the command 7 before it, but only 2 run before it"},
	{"after 1, 2", "after 1, 2, 3, 4, 5", "more than 4 commands to wait for"},
	{"repeat 3", "repeat 0", "0 rounds, expected at least 1"},
	{"send p0 unit 2", "send p0 unit 64", "unit 64, but there are 64"},
	{"multicast p0 g0", "multicast p0 g2", "group 2, but there are 2"},
	{"multicast p0 g0", "multicast p0 unit 4", "expected 'g' and a number"},
	{"[4, 5, 63]", "[4, 5, 64]", "a group is ascending units from 0 to 63"},
	{"[4, 5, 63]", "[4, 63, 5]", "a group is ascending units from 0 to 63"},
	{"[4, 5, 63]", "[4, 5, 5]", "a group is ascending units from 0 to 63"},
	{"[4, 5, 63]", "[]", "a group has at least one unit"},
	{"[4, 5, 63]", "[4, 5]", "the group equals g0"},
	{", b:0x300-256", "", "has 2 operands, expected 3"},
	{"unit 0..2 {", "unit 0..64 {", "stack3d has the units 0 to 63"},
	{"unit 40 {", "unit 2 {", "unit 2 has a block already"},
	{"home c1 unit 5 at 0x1000", "home c1 unit 5 at 0x4000000", "home 0: constant"},
	{"[0:8, 4:8]", "[0:8, 4:9]", "the box is not inside constant"},
	{"home c1 unit 5", "home c7 unit 5", "names no tensor"},
	{"pattern p1", "pattern p2", "expected p1: items are numbered in order"},
	{"[4, 8] to [32, 4]", "[4, 8] to [32]", "2 extents, but 1 and 2 strides"},
	{"[4, 8] to [32, 4]", "[0, 8] to [32, 4]", "pattern 0 has no valid extents"},
	{"offset = 64", "offset = 65", "has 320 bytes, but the constant needs 256 from byte 65 on"},
	{"on \"stack3d\"", "on \"stack2d\"", "did you mean \"stack3d\"?"},
	{"  task t1 \"clip\" clip start 40 cycles 0\n", "", "task 1, but there are 1"},
};

static void test_wrong(void)
{
	size_t n;
	char *bytes = read_bytes(path_of("a.pimc"), &n), text[1 << 15];
	bytes[n] = 0;
	for (size_t i = 0; i < sizeof wrongs / sizeof wrongs[0]; i++) {
		const char *at = strstr(bytes, wrongs[i].old);
		CHECK(at);
		if (!at)
			continue;
		int length = snprintf(text, sizeof text, "%.*s%s%s", (int)(at - bytes), bytes,
			wrongs[i].new, at + strlen(wrongs[i].old));
		write_file(path_of("bad.pimc"), text, (size_t)length);
		pim_context *c = pim_context_new();
		heard h = {0};
		pim_context_on_diag(c, hear, &h);
		CHECK(!pim_program_read(c, path_of("bad.pimc")));
		if (!strstr(h.all, wrongs[i].message))
			fprintf(stderr, "%s: %s", wrongs[i].new, h.all);
		CHECK(strstr(h.all, wrongs[i].message));
		pim_context_free(c);
	}
}

/* A group made by a program, not read. */
static void test_groups(void)
{
	pim_context *c = pim_context_new();
	const int bad[][2] = {{4, 64}, {-1, 4}, {5, 4}};
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		heard h = {0};
		pim_context_on_diag(c, hear, &h);
		pim_program *p = pim_program_new(c, pim_target_find(c, "stack3d"), "groups");
		pim_program_group(p, 2, bad[i]);
		CHECK(!pim_program_verify(p));
		CHECK(strstr(h.all, "group 0 is no list of units from 0 to 63, ascending"));
		pim_program_free(p);
	}
	pim_context_free(c);
}

/* A border that counts in the mean counts in a tile as far as the tile reaches over it. */
static void test_pads(void)
{
	pim_context *c = pim_context_new();
	pim_program *p = pim_program_new(c, pim_target_find(c, "null"), "pads");
	pim_graph *g = pim_graph_new(pim_module_new(c), "net");
	pim_node *x =
		pim_input_new(g, "x", pim_type_tensor(c, PIM_DTYPE_f32, 4, (int64_t[]){1, 1, 6, 6}));
	pim_node *pool = pim_node_new(g, "average_pool", 1, &x, NULL);
	pim_node_set_ints(pool, "kernel", 2, (int64_t[]){3, 3});
	pim_node_set_ints(pool, "pads", 4, (int64_t[]){1, 1, 2, 2});
	pim_node_set_ints(pool, "counted_pads", 4, (int64_t[]){1, 1, 1, 1});
	CHECK(pim_node_infer(pool));
	const pim_type *in = pim_type_tensor(c, PIM_DTYPE_f32, 4, (int64_t[]){1, 1, 3, 3});
	const pim_type *out = pim_type_tensor(c, PIM_DTYPE_f32, 4, (int64_t[]){1, 1, 3, 2});
	uint32_t k = pim_program_kernel(p, pool, 1, &in, out, (int64_t[]){0, 0, 2, 1}, 0);
	const int64_t *v;
	CHECK(pim_node_ints(p->kernel[k].op, "counted_pads", &v) == 4);
	CHECK(v[0] == 0 && v[1] == 0 && v[2] == 1 && v[3] == 1);
	CHECK(pim_node_ints(p->kernel[k].op, "pads", &v) == 4 && v[2] == 2);
	pim_program_free(p);
	pim_context_free(c);
}

int main(void)
{
	strcpy(folder, "/tmp/pim_program_XXXXXX");
	CHECK(mkdtemp(folder));
	test_round();
	test_damage("b.pimc");
	test_damage("a.pimc");
	test_wrong();
	test_groups();
	test_pads();
	static const char *const names[] = {
		"a.pimc", "b.pimc", "bad.pimc", "net.onnx", "w.safetensors"};
	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
		unlink(path_of(names[i]));
	rmdir(folder);
	return check_failures != 0;
}
