/* SPDX-License-Identifier: Apache-2.0 */
/* npz - archives of .npy files, by minizip.
 *
 * Sizes are what the archive's directory states, so they are bounded by the file's own and by what
 * deflate can do (about 1032 to 1) before memory is taken. */
#include <minizip/unzip.h>
#include <minizip/zip.h>
#include <string.h>
#include <sys/stat.h>

#include "frontends/npy.h"

enum { DEFLATE_RATIO = 1100, ENTRY_LIMIT = 4096, LONGEST_NAME = 1024, PART = 1 << 30 };

typedef struct archive {
	pim_context *context;
	const char *path;
	unzFile file;
	uint64_t bytes;
} archive;

typedef struct entry {
	char name[LONGEST_NAME];
	size_t n;
	char *bytes;
} entry;

/* Reads what an entry holds; an error of the archive, or 0. */
static int inflate_entry(unzFile z, entry *e)
{
	size_t at = 0;
	int got = unzOpenCurrentFile(z);
	if (got != UNZ_OK)
		return got;
	do {
		size_t rest = e->n - at;
		got = unzReadCurrentFile(z, e->bytes + at, rest < PART ? (unsigned)rest : PART);
		at += got > 0 ? (size_t)got : 0;
	} while (got > 0 && at < e->n);
	int closed = unzCloseCurrentFile(z); /* compares the check sum */
	return got < 0 ? got : at < e->n ? UNZ_EOF : closed;
}

/* The current entry, its bytes in the arena; false after a diagnostic. */
static bool read_entry(const archive *z, int i, pim_arena *a, entry *e)
{
	pim_context *c = z->context;
	const char *path = z->path;
	unz_file_info64 info;
	if (unzGetCurrentFileInfo64(z->file, &info, e->name, sizeof e->name, NULL, 0, NULL, 0) !=
		UNZ_OK)
		return pim_file_error(c, path, "entry %d of the archive cannot be read", i);
	if (info.size_filename >= sizeof e->name)
		return pim_file_error(
			c, path, "entry %d of the archive has a name of over %d bytes", i, LONGEST_NAME - 1);
	if (info.compressed_size > z->bytes ||
		info.uncompressed_size / DEFLATE_RATIO > info.compressed_size)
		return pim_file_error(
			c, path, "entry '%s' of the archive states an impossible size", e->name);
	e->n = (size_t)info.uncompressed_size;
	e->bytes = pim_arena_raw(a, e->n + 1);
	int code = inflate_entry(z->file, e);
	if (code == UNZ_OK)
		return true;
	return pim_file_error(c, path, "entry '%s' of %zu bytes %s", e->name, e->n,
		code == UNZ_CRCERROR ? "has a wrong check sum" : "is cut short or damaged");
}

/* numpy adds .npy to the names that were given to it. */
static const char *entry_name(const char *name, pim_arena *a)
{
	size_t n = strlen(name);
	if (n > 4 && !strcmp(name + n - 4, ".npy"))
		n -= 4;
	return pim_arena_copy(a, name, n);
}

static bool read_entries(const archive *z, pim_arena *a, int n, pim_named_tensor *out)
{
	pim_arena *scratch = pim_arena_new();
	entry *e = PIM_NEW(scratch, entry, 1);
	bool ok = true;
	for (int i = 0; i < n && ok; i++) {
		if (i && unzGoToNextFile(z->file) != UNZ_OK)
			ok = pim_file_error(
				z->context, z->path, "the archive has %d entries, but states %d", i, n);
		ok = ok && read_entry(z, i, scratch, e) &&
			 npy_decode(z->context, pim_arena_printf(scratch, "%s:%s", z->path, e->name), e->bytes,
				 e->n, a, &out[i].tensor);
		if (ok)
			out[i].name = entry_name(e->name, a);
	}
	pim_arena_free(scratch);
	return ok;
}

bool npz_read(pim_context *c, const char *path, pim_arena *a, int *n, pim_named_tensor **out)
{
	struct stat st;
	unz_global_info64 info;
	archive z = {.context = c, .path = path, .file = unzOpen64(path)};
	if (!z.file || stat(path, &st) || unzGetGlobalInfo64(z.file, &info) != UNZ_OK) {
		unzClose(z.file);
		return pim_file_error(c, path, "cannot read the archive: it is missing or no zip file");
	}
	z.bytes = (uint64_t)st.st_size;
	*n = info.number_entry > ENTRY_LIMIT ? ENTRY_LIMIT : (int)info.number_entry;
	*out = PIM_NEW(a, pim_named_tensor, *n + 1);
	bool ok = info.number_entry <= ENTRY_LIMIT
				  ? read_entries(&z, a, *n, *out)
				  : pim_file_error(c, path, "the archive has %llu entries, the most is %d",
						(unsigned long long)info.number_entry, ENTRY_LIMIT);
	unzClose(z.file);
	return ok;
}

static bool write_entry(
	pim_context *c, const char *path, zipFile z, const char *name, const pim_tensor *t)
{
	pim_text header = {0};
	const char *p = t->data;
	int64_t left = pim_type_bytes(t->type);
	bool ok = npy_header(c, path, t->type, &header);
	if (!ok)
		return false;
	ok = zipOpenNewFileInZip64(z, name, NULL, NULL, 0, NULL, 0, NULL, Z_DEFLATED, 1,
			 left >= INT64_C(0xffff0000)) == ZIP_OK &&
		 zipWriteInFileInZip(z, header.s, (unsigned)header.n) == ZIP_OK;
	for (; ok && left > 0;) {
		unsigned piece = left > 1 << 26 ? 1 << 26 : (unsigned)left;
		ok = zipWriteInFileInZip(z, p, piece) == ZIP_OK;
		p += piece;
		left -= piece;
	}
	pim_text_free(&header);
	return zipCloseFileInZip(z) == ZIP_OK && ok;
}

bool pim_tensors_write_npz(
	pim_context *c, const char *path, int n, const char *const *names, const pim_tensor *t)
{
	char *partial = pim_arena_printf(c->arena, "%s.partial", path);
	zipFile z = zipOpen64(partial, APPEND_STATUS_CREATE);
	bool ok = z != NULL;
	for (int i = 0; i < n && ok; i++)
		ok = write_entry(c, path, z, pim_arena_printf(c->arena, "%s.npy", names[i]), &t[i]);
	ok = (!z || zipClose(z, NULL) == ZIP_OK) && ok && rename(partial, path) == 0;
	if (ok)
		return true;
	remove(partial);
	return pim_file_error(c, path, "cannot write this archive");
}
