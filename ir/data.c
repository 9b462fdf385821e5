/* SPDX-License-Identifier: Apache-2.0 */
/* data - files as memory, paths beside a file, and what constants hold.
 *
 * A file is mapped once in a session and stays mapped until the session ends: elements of
 * constants point into it and are never copied. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ir/ir.h"

static void unmap(void *data)
{
	pim_file *f = data;
	munmap((void *)(uintptr_t)f->bytes, f->n);
}

/* A place when there is one, else the file's own name. */
static bool complain(pim_context *c, pim_loc at, const char *path, const char *what)
{
	if (at.source)
		return pim_error(c, at, "file \"%s\": %s", path, what);
	return pim_file_error(c, path, "%s", what);
}

static bool map_descriptor(pim_context *c, pim_loc at, int fd, pim_file *f)
{
	struct stat st;
	if (fstat(fd, &st))
		return complain(c, at, f->path, strerror(errno));
	if (S_ISDIR(st.st_mode))
		return complain(c, at, f->path, "is a directory, expected a file");
	if (!S_ISREG(st.st_mode))
		return complain(c, at, f->path, "is not a regular file");
	if (!st.st_size)
		return complain(c, at, f->path, "is empty");
	f->n = (size_t)st.st_size;
	void *p = mmap(NULL, f->n, PROT_READ, MAP_PRIVATE, fd, 0);
	if (p == MAP_FAILED)
		return complain(c, at, f->path, strerror(errno));
	f->bytes = p;
	return true;
}

pim_file *pim_file_open(pim_context *c, pim_loc at, const char *path)
{
	size_t n = strlen(path);
	pim_file *f = pim_map_get(c->files, path, n);
	if (f)
		return f;
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0) {
		complain(c, at, path, errno == ENOENT ? "does not exist" : strerror(errno));
		return NULL;
	}
	f = PIM_NEW(c->arena, pim_file, 1);
	f->path = pim_intern(c, path, n);
	bool ok = map_descriptor(c, at, fd, f);
	close(fd);
	if (!ok)
		return NULL;
	if (!c->files)
		c->files = pim_map_new(c->arena);
	pim_map_put(c->files, path, n, f);
	f->next = c->mapped;
	c->mapped = f;
	pim_arena_defer(c->arena, unmap, f);
	return f;
}

const void *pim_file_map(pim_context *c, pim_loc at, const char *path, size_t *bytes)
{
	pim_file *f = pim_file_open(c, at, path);
	if (!f)
		return NULL;
	*bytes = f->n;
	return f->bytes;
}

void pim_file_drop(pim_context *c, const void *lo, const void *hi)
{
	uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
	uintptr_t first = ((uintptr_t)lo + page - 1) / page * page, last = (uintptr_t)hi / page * page;
	for (const pim_file *f = c->mapped; f && first < last; f = f->next) {
		uintptr_t start = (uintptr_t)f->bytes;
		if (first >= start && last <= start + f->n)
			madvise((void *)first, last - first, MADV_DONTNEED);
	}
}

const void *pim_bytes_align(pim_arena *a, const void *bytes, const pim_type *t)
{
	if ((uintptr_t)bytes % pim_dtype_bytes(t->dtype) == 0)
		return bytes;
	size_t n = (size_t)pim_type_bytes(t);
	return memcpy(pim_arena_raw(a, n), bytes, n);
}

const char *pim_path_beside(pim_context *c, pim_loc at, const char *base, const char *name)
{
	bool anywhere = base && !strcmp(base, "<stdin>");
	if (anywhere && *name)
		return pim_intern(c, name, strlen(name));
	if (!*name || *name == '/') {
		pim_error(c, at, "file \"%s\": expected a path relative to the folder of \"%s\"", name,
			base ? base : "");
		return NULL;
	}
	for (const char *part = name; part; part = strchr(part, '/')) {
		part += *part == '/';
		if (!strncmp(part, "..", 2) && (part[2] == '/' || !part[2])) {
			pim_error(c, at, "file \"%s\": leaves the folder of \"%s\"", name, base ? base : "");
			return NULL;
		}
	}
	const char *slash = base ? strrchr(base, '/') : NULL;
	int folder = slash ? (int)(slash - base) + 1 : 0;
	return pim_arena_printf(c->arena, "%.*s%s", folder, folder ? base : "", name);
}
