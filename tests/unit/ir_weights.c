/* SPDX-License-Identifier: Apache-2.0 */
/* Files: constants in safetensors and other files, damaged ones, outputs that appear whole or not
 * at all. */
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ir/ir.h"
#include "tests/unit/check.h"

static char folder[] = "/tmp/pim-weights-XXXXXX";

static void hear(void *user, const pim_diag *d)
{
	pim_text *said = user;
	pim_text_str(said, d->message);
}

static const char *path_of(pim_context *c, const char *name)
{
	return pim_arena_printf(c->arena, "%s/%s", folder, name);
}

static void write_bytes(const char *path, const void *bytes, size_t n)
{
	FILE *f = fopen(path, "wb");
	CHECK(f && fwrite(bytes, 1, n, f) == n);
	if (f)
		fclose(f);
}

static pim_module *read_text(pim_context *c, const char *name, const char *text)
{
	const char *path = path_of(c, name);
	return pim_module_parse(c, path, text, strlen(text));
}

static void test_round_trip(void)
{
	static const char text[] = "module {\n  graph @m() {\n"
							   "    %w = constant {hex = \"0001020304\"} : i8[5]\n"
							   "    %0 = constant {value = [1.0, 2.0, 3.0]} : f64[3]\n"
							   "    %1 = constant {value = 4.0} : f32[9]\n"
							   "    return %w, %0, %1\n  }\n}\n";
	static const char want[] = "module {\n  weights \"w.safetensors\"\n  graph @m() {\n"
							   "    %w = constant {key = \"w\"} : i8[5]\n"
							   "    %0 = constant {key = \"0\"} : f64[3]\n"
							   "    %1 = constant {value = 4.0} : f32[9]\n"
							   "    return %w, %0, %1\n  }\n}\n";
	pim_context *c = pim_context_new();
	pim_text out = {0}, said = {0};
	pim_context_on_diag(c, hear, &said);
	pim_module *m = read_text(c, "a.pim", text);
	pim_print_options o = {.inline_elements = 2, .weights = path_of(c, "w.safetensors")};
	CHECK(m && pim_module_write(m, &o, &out) && !strcmp(out.s, want));
	pim_module *again = read_text(c, "b.pim", want);
	CHECK(again != NULL);
	if (again) {
		pim_node *w = again->graphs[0]->first, *d = w->next;
		const double *v = pim_constant_data(d)->bytes;
		CHECK(!memcmp(pim_constant_data(w)->bytes, "\0\1\2\3\4", 5));
		CHECK((uintptr_t)v % 8 == 0 && v[0] == 1.0 && v[2] == 3.0);
		char *printed = pim_module_print(again);
		CHECK(!strcmp(printed, want));
		free(printed);
	}
	CHECK(!read_text(c, "c.pim",
		"module { weights \"w.safetensors\" graph @m() { %0 = constant {key = \"0\"} : f32[3]\n "
		"return }}"));
	CHECK(said.s && strstr(said.s, "is F64[3], but the type is f32[3]"));
	CHECK(!read_text(c, "c.pim",
		"module { weights \"w.safetensors\" graph @m() { %0 = constant {key = \"z\"} : f32[3]\n "
		"return }}"));
	CHECK(strstr(said.s, "has no tensor \"z\""));
	pim_text_free(&out);
	pim_text_free(&said);
	pim_context_free(c);
}

static const struct {
	const char *header;
	int data, claimed; /* bytes of data; length of the header as stated, -1: as it is */
	const char *message;
} damaged[] = {
	{"{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]}}", 8, -1, NULL},
	{"{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]}}", 7, -1,
		"not inside the file"},
	{"{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,4]}}", 8, -1, "do not agree"},
	{"{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[8,0]}}", 8, -1,
		"not inside the file"},
	{"{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[-8,0]}}", 8, -1,
		"not inside the file"},
	{"{\"a\":{\"dtype\":\"F32\",\"shape\":[4294967296,4294967296],\"data_offsets\":[0,8]}}", 8, -1,
		"no valid shape"},
	{"{\"a\":{\"dtype\":\"F32\",\"shape\":[2305843009213693952],\"data_offsets\":[0,8]}}", 8, -1,
		"do not agree"},
	{"{\"a\":{\"shape\":[2],\"data_offsets\":[0,8]}}", 8, -1, "has no dtype"},
	{"{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]},\"b\":{\"dtype\":\"F32\","
	 "\"shape\":[1],\"data_offsets\":[2,6]}}",
		8, -1, "overlap"},
	{"{\"a\":3}", 8, -1, "has no dtype"},
	{"[1]", 8, -1, "not a JSON object"},
	{"{\"a\":", 8, -1, "not a JSON object"},
	{"{}", 8, 1000000, "does not fit"},
};

static void test_damaged(void)
{
	int64_t two[] = {2};
	for (size_t i = 0; i < sizeof damaged / sizeof *damaged; i++) {
		char bytes[512] = {0};
		pim_text said = {0};
		pim_context *c = pim_context_new();
		pim_context_on_diag(c, hear, &said);
		size_t n = strlen(damaged[i].header),
			   stated = damaged[i].claimed < 0 ? n : (size_t)damaged[i].claimed;
		for (int k = 0; k < 8; k++)
			bytes[k] = (char)(stated >> 8 * k);
		memcpy(bytes + 8, damaged[i].header, n);
		const char *path = path_of(c, "d.safetensors");
		write_bytes(path, bytes, 8 + n + (size_t)damaged[i].data);
		uint64_t offset;
		const void *found = pim_safetensors_find(
			c, (pim_loc){0}, path, "a", pim_type_tensor(c, PIM_DTYPE_f32, 1, two), &offset);
		CHECK((found != NULL) == (damaged[i].message == NULL));
		CHECK(!damaged[i].message || (said.s && strstr(said.s, damaged[i].message)));
		pim_text_free(&said);
		pim_context_free(c);
	}
}

static void test_maps(void)
{
	pim_context *c = pim_context_new();
	pim_text said = {0};
	size_t n;
	pim_context_on_diag(c, hear, &said);
	write_bytes(path_of(c, "empty"), "", 0);
	write_bytes(path_of(c, "one"), "\1\2\3\4\5\6\7\10\11", 9);
	CHECK(!pim_file_map(c, (pim_loc){0}, folder, &n) && strstr(said.s, "is a directory"));
	CHECK(
		!pim_file_map(c, (pim_loc){0}, path_of(c, "none"), &n) && strstr(said.s, "does not exist"));
	CHECK(!pim_file_map(c, (pim_loc){0}, path_of(c, "empty"), &n) && strstr(said.s, "is empty"));
	const void *p = pim_file_map(c, (pim_loc){0}, path_of(c, "one"), &n);
	CHECK(p && n == 9 && p == pim_file_map(c, (pim_loc){0}, path_of(c, "one"), &n));
	static const char text[] = "module {\n  graph @m() {\n    %0 = constant {file = \"one\", "
							   "offset = 1} : i32[2]\n    return %0\n  }\n}\n";
	pim_module *m = read_text(c, "f.pim", text);
	char *out = m ? pim_module_print(m) : NULL;
	CHECK(out && !strcmp(out, text));
	CHECK(m && *(const int32_t *)pim_constant_data(m->graphs[0]->first)->bytes == 0x05040302);
	CHECK(!read_text(c, "f.pim",
		"module { graph @m() { %0 = constant {file = \"one\", offset = 2} : i32[2]\n return }}"));
	CHECK(strstr(said.s, "has 9 bytes, the constant needs 8 at offset 2"));
	free(out);
	pim_text_free(&said);
	pim_context_free(c);
}

static bool is_file(const char *path)
{
	struct stat st;
	return !stat(path, &st);
}

static void test_outputs(void)
{
	pim_context *c = pim_context_new();
	const char *path = path_of(c, "out");
	size_t n;
	pim_output *o = pim_output_open(c, path);
	CHECK(o && fputs("half", pim_output_file(o)) >= 0 && !is_file(path));
	pim_output_abandon(o);
	CHECK(!is_file(path));
	o = pim_output_open(c, path);
	CHECK(o && fputs("whole", pim_output_file(o)) >= 0 && pim_output_commit(o) && is_file(path));
	const char *old = pim_file_map(c, (pim_loc){0}, path, &n);
	o = pim_output_open(c, path);
	CHECK(o && fputs("newer", pim_output_file(o)) >= 0);
	CHECK(n == 5 && !memcmp(old, "whole", 5));
	CHECK(pim_output_commit(o) && !memcmp(old, "whole", 5));
	CHECK(!pim_output_open(c, folder) && !pim_output_open(c, path_of(c, "none/out")));
	o = pim_output_open(c, "/dev/null");
	CHECK(o && pim_output_commit(o) && is_file("/dev/null"));
	CHECK(pim_context_errors(c) == 2);
	pim_context_free(c);
}

int main(void)
{
	static const char *const names[] = {"w.safetensors", "d.safetensors", "empty", "one", "out"};
	if (!mkdtemp(folder))
		return 1;
	test_round_trip();
	test_damaged();
	test_maps();
	test_outputs();
	for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
		char path[128];
		snprintf(path, sizeof path, "%s/%s", folder, names[i]);
		unlink(path);
	}
	CHECK(!rmdir(folder));
	return check_failures != 0;
}
