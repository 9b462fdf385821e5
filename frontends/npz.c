/* SPDX-License-Identifier: Apache-2.0 */
/* npz - archives of .npy files, by libzip.
 *
 * Sizes are what the archive's directory states, so they are bounded by what deflate can do (about
 * 1032 to 1) before memory is taken. */
#include <string.h>
#include <zip.h>

#include "frontends/npy.h"

enum { DEFLATE_RATIO = 1100, ENTRY_LIMIT = 4096 };

/* The bytes of entry i in the arena; NULL after a diagnostic. */
static void *read_entry(
	pim_context *c, const char *path, zip_t *z, int i, pim_arena *a, zip_stat_t *st)
{
	zip_file_t *f;
	void *bytes;
	zip_int64_t got;
	if (zip_stat_index(z, (zip_uint64_t)i, 0, st) || !(st->valid & ZIP_STAT_SIZE) ||
		!(st->valid & ZIP_STAT_COMP_SIZE) || st->size / DEFLATE_RATIO > st->comp_size) {
		pim_file_error(c, path, "entry %d of the archive states no or an impossible size", i);
		return NULL;
	}
	f = zip_fopen_index(z, (zip_uint64_t)i, 0);
	if (!f) {
		pim_file_error(c, path, "entry '%s': %s", st->name, zip_strerror(z));
		return NULL;
	}
	bytes = pim_arena_raw(a, (size_t)st->size + 1);
	got = zip_fread(f, bytes, st->size);
	zip_fclose(f);
	if (got == (zip_int64_t)st->size)
		return bytes;
	pim_file_error(c, path, "entry '%s' has %lld of %llu bytes", st->name, (long long)got,
		(unsigned long long)st->size);
	return NULL;
}

/* numpy adds .npy to the names that were given to it. */
static const char *entry_name(const char *name, pim_arena *a)
{
	size_t n = strlen(name);
	if (n > 4 && !strcmp(name + n - 4, ".npy"))
		n -= 4;
	return pim_arena_copy(a, name, n);
}

static bool read_entries(
	pim_context *c, const char *path, zip_t *z, pim_arena *a, int n, pim_named_tensor *out)
{
	pim_arena *scratch = pim_arena_new();
	bool ok = true;
	for (int i = 0; i < n && ok; i++) {
		zip_stat_t st;
		void *bytes = read_entry(c, path, z, i, scratch, &st);
		ok = bytes && npy_decode(c, pim_arena_printf(scratch, "%s:%s", path, st.name), bytes,
						  (size_t)st.size, a, &out[i].tensor);
		if (ok)
			out[i].name = entry_name(st.name, a);
	}
	pim_arena_free(scratch);
	return ok;
}

bool npz_read(pim_context *c, const char *path, pim_arena *a, int *n, pim_named_tensor **out)
{
	int code = 0;
	zip_int64_t count;
	zip_t *z = zip_open(path, ZIP_RDONLY, &code);
	bool ok;
	if (!z) {
		zip_error_t e;
		zip_error_init_with_code(&e, code);
		pim_file_error(c, path, "cannot read the archive: %s", zip_error_strerror(&e));
		zip_error_fini(&e);
		return false;
	}
	count = zip_get_num_entries(z, 0);
	*n = count > ENTRY_LIMIT ? ENTRY_LIMIT : (int)count;
	*out = PIM_NEW(a, pim_named_tensor, *n + 1);
	ok = count <= ENTRY_LIMIT
			 ? read_entries(c, path, z, a, *n, *out)
			 : pim_file_error(c, path, "the archive has %lld entries, the most is %d",
				   (long long)count, ENTRY_LIMIT);
	zip_discard(z);
	return ok;
}
