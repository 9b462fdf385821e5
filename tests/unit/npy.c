/* SPDX-License-Identifier: Apache-2.0 */
/* numpy's files: what is written reads back, other orders are turned, damaged ones are refused. */
#include <minizip/zip.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "frontends/npy.h"
#include "tests/unit/check.h"

static const char folder[] = "/tmp/test_npy_unit";

static void test_round_trip(
	pim_context *c, pim_arena *a, pim_dtype dtype, int rank, const int64_t *dims)
{
	const char *path = pim_arena_printf(a, "%s/input_0.npy", folder);
	const pim_type *t = pim_type_tensor(c, dtype, rank, dims);
	pim_tensor in = {t, pim_arena_alloc(a, (size_t)pim_type_bytes(t) + 1)};
	pim_named_tensor out, from_dir[2];
	pim_tensor_random(&in, 7);
	CHECK(pim_tensor_write_npy(c, path, &in));
	CHECK(pim_tensor_read_npy(c, path, a, &out));
	pim_dtype read_as = dtype == PIM_DTYPE_i4	? PIM_DTYPE_i8
						: dtype == PIM_DTYPE_u4 ? PIM_DTYPE_u8
												: dtype;
	t = pim_type_tensor(c, read_as, rank, dims);
	CHECK(out.tensor.type == t && !memcmp(out.tensor.data, in.data, (size_t)pim_type_bytes(t)));
	CHECK(pim_tensors_read_dir(c, folder, "input", 2, NULL, a, from_dir));
	CHECK(from_dir[0].tensor.type == t && from_dir[1].tensor.type == NULL);
	unlink(path);
}

static void test_types(void)
{
	static const int64_t dims[3] = {3, 1, 5};
	for (int t = 0; t < PIM_DTYPE_COUNT; t++)
		for (int rank = 0; rank <= 3; rank++) {
			pim_context *c = pim_context_new();
			pim_arena *a = pim_arena_new();
			test_round_trip(c, a, (pim_dtype)t, rank, dims);
			pim_arena_free(a);
			pim_context_free(c);
		}
}

/* A file with this dictionary and elements; false when it is refused. */
static bool decode(const char *dictionary, const void *elements, size_t n, pim_context *c,
	pim_arena *a, pim_tensor *out)
{
	pim_text t = {0};
	char prefix[10] = {(char)0x93, 'N', 'U', 'M', 'P', 'Y', 1, 0, (char)strlen(dictionary), 0};
	bool ok;
	pim_text_add(&t, prefix, sizeof prefix);
	pim_text_str(&t, dictionary);
	pim_text_add(&t, elements, n);
	ok = npy_decode(c, "test.npy", t.s, t.n, a, out);
	pim_text_free(&t);
	return ok;
}

static void test_orders(void)
{
	pim_context *c = pim_context_new();
	pim_arena *a = pim_arena_new();
	pim_tensor t;
	static const unsigned char big[] = {0, 1, 0, 2, 1, 0};
	static const int8_t columns[] = {1, 4, 2, 5, 3, 6};
	CHECK(decode("{'descr': '>i2', 'fortran_order': False, 'shape': (3,), }\n", big, 6, c, a, &t));
	CHECK(((int16_t *)t.data)[0] == 1 && ((int16_t *)t.data)[2] == 256);
	CHECK(decode("{'descr': '|i1', 'fortran_order': True, 'shape': (2, 3)}", columns, 6, c, a, &t));
	for (int i = 0; i < 6; i++)
		CHECK(((int8_t *)t.data)[i] == i + 1);
	pim_arena_free(a);
	pim_context_free(c);
}

static void test_refused(void)
{
	static const char *const bad[] = {
		"",
		"{}",
		"{'descr': '<f4'}",
		"{'descr': '<f4', 'fortran_order': False}",
		"{'descr': '<f4', 'fortran_order': False, 'shape': (2}",
		"{'descr': '<f4', 'fortran_order': False, 'shape': (3,)}",
		"{'descr': '<f4', 'fortran_order': False, 'shape': (-2,)}",
		"{'descr': '<f4', 'fortran_order': False, 'shape': (99999999999999999999,)}",
		"{'descr': '<f4', 'fortran_order': False, 'shape': (4294967296, 4294967296)}",
		"{'descr': '<f4', 'fortran_order': False, 'shape': (1,1,1,1,1,1,1,1,1,2)}",
		"{'descr': '<c8', 'fortran_order': False, 'shape': (1,)}",
		"{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (2,)}",
		"{'descr': '<f4', 'fortran_order': Maybe, 'shape': (2,)}",
	};
	pim_context *c = pim_context_new();
	pim_arena *a = pim_arena_new();
	pim_tensor t;
	CHECK(
		decode("{'descr': '<f4', 'fortran_order': False, 'shape': (2,)}", "12345678", 8, c, a, &t));
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		CHECK(!decode(bad[i], "12345678", 8, c, a, &t));
	CHECK(pim_context_errors(c) == (int)(sizeof bad / sizeof *bad));
	pim_arena_free(a);
	pim_context_free(c);
}

/* Every file cut short, in a buffer of just its size. */
static void test_truncated(void)
{
	static const char whole[] = "\x93NUMPY\x01\x00\x39\x00{'descr': '<f4', 'fortran_order': False, "
								"'shape': (2,), }12345678";
	size_t length = sizeof whole - 1;
	pim_context *c = pim_context_new();
	pim_arena *a = pim_arena_new();
	pim_tensor t;
	CHECK(npy_decode(c, "whole", whole, length, a, &t));
	for (size_t n = 0; n < length; n++) {
		char *copy = malloc(n ? n : 1);
		memcpy(copy, whole, n);
		CHECK(!npy_decode(c, "part", copy, n, a, &t));
		free(copy);
	}
	pim_arena_free(a);
	pim_context_free(c);
}

static void add_entry(zipFile z, const char *name, const char *bytes, unsigned n)
{
	CHECK(!zipOpenNewFileInZip64(z, name, NULL, NULL, 0, NULL, 0, NULL, Z_DEFLATED, 6, 0));
	CHECK(!zipWriteInFileInZip(z, bytes, n) && !zipCloseFileInZip(z));
}

/* Changes a byte a little behind the first `mark`. */
static void damage(const char *path, const char *mark)
{
	char bytes[4096];
	FILE *f = fopen(path, "r+");
	CHECK(f);
	size_t n = fread(bytes, 1, sizeof bytes, f);
	char *at = memmem(bytes, n, mark, strlen(mark));
	CHECK(at);
	fseek(f, at - bytes + (long)strlen(mark) + 20, SEEK_SET);
	fputc(at[strlen(mark) + 20] ^ 0x10, f);
	fclose(f);
}

static void test_archive(void)
{
	static const char one[] =
		"\x93NUMPY\x01\x00\x39\x00{'descr': '|i1', 'fortran_order': False, 'shape': (3,), }abc";
	const char *path = "/tmp/test_npy_unit/outputs.npz", *names[2] = {"second", "first"};
	pim_context *c = pim_context_new();
	pim_arena *a = pim_arena_new();
	pim_named_tensor out[2];
	zipFile z = zipOpen64(path, APPEND_STATUS_CREATE);
	CHECK(z);
	add_entry(z, "first.npy", one, sizeof one - 1);
	add_entry(z, "second.npy", one, sizeof one - 1);
	CHECK(!zipClose(z, NULL));
	CHECK(pim_tensors_read_dir(c, folder, "output", 2, names, a, out));
	CHECK(out[0].tensor.type && !strcmp(out[0].name, "second") && !strcmp(out[1].name, "first"));
	CHECK(out[1].tensor.type->dtype == PIM_DTYPE_i8 && ((char *)out[1].tensor.data)[2] == 'c');
	damage(path, "first.npy");
	CHECK(!pim_tensors_read_dir(c, folder, "output", 2, names, a, out));
	CHECK(!truncate(path, 60) && !pim_tensors_read_dir(c, folder, "output", 2, names, a, out));
	unlink(path);
	pim_arena_free(a);
	pim_context_free(c);
}

int main(void)
{
	mkdir(folder, 0700);
	test_types();
	test_orders();
	test_refused();
	test_truncated();
	test_archive();
	rmdir(folder);
	return check_failures != 0;
}
