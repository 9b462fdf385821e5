/* SPDX-License-Identifier: Apache-2.0 */
/* output - files that appear complete or not at all: written under a temporary name beside the
 * final one, renamed at the end. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ir/array.h"
#include "ir/ir.h"

struct pim_output {
	pim_context *context;
	char *path, *temporary; /* temporary: NULL for standard output and for devices and pipes */
	FILE *file;
};

#define TRIES 100

static void free_output(pim_output *o)
{
	free(o->path);
	free(o->temporary);
	free(o);
}

static void tell(const pim_output *o, bool unfinished)
{
	pim_context *c = o->context;
	if (o->temporary && c->on_unfinished)
		c->on_unfinished(c->on_unfinished_user, o->temporary, unfinished);
}

/* A new file beside the final one, with the final one's permissions when there is one. */
static FILE *open_temporary(pim_output *o, const struct stat *old)
{
	size_t n = strlen(o->path) + 64;
	int fd = -1;
	o->temporary = pim_array_new((int64_t)n, 1);
	for (int i = 0; fd < 0 && i < TRIES; i++) {
		snprintf(o->temporary, n, "%s.tmp-%ld-%d", o->path, (long)getpid(), i);
		tell(o, true);
		fd = open(o->temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
		int why = errno;
		if (fd < 0)
			tell(o, false);
		errno = why;
		if (fd < 0 && why != EEXIST)
			return NULL;
	}
	if (fd < 0)
		return NULL;
	FILE *f = old && fchmod(fd, old->st_mode & 0777) ? NULL : fdopen(fd, "wb");
	if (!f) {
		close(fd);
		unlink(o->temporary);
		tell(o, false);
	}
	return f;
}

static FILE *open_file(pim_output *o)
{
	struct stat st;
	bool exists = !stat(o->path, &st);
	if (!strcmp(o->path, "-"))
		return stdout;
	if (!exists)
		return open_temporary(o, NULL);
	if (S_ISDIR(st.st_mode)) {
		errno = EISDIR;
		return NULL;
	}
	if (!S_ISREG(st.st_mode))
		return fopen(o->path, "wb");
	char *real = realpath(o->path, NULL);
	if (real) {
		free(o->path);
		o->path = real;
	}
	return open_temporary(o, &st);
}

pim_output *pim_output_open(pim_context *c, const char *path)
{
	pim_output *o = pim_array_new(1, sizeof *o);
	o->path = memcpy(pim_array_raw((int64_t)strlen(path) + 1, 1), path, strlen(path) + 1);
	o->context = c;
	o->file = open_file(o);
	if (o->file)
		return o;
	pim_file_error(c, path, "cannot be written: %s", strerror(errno));
	free_output(o);
	return NULL;
}

FILE *pim_output_file(pim_output *o)
{
	return o->file;
}

static bool close_file(pim_output *o)
{
	return o->file == stdout || !fclose(o->file);
}

bool pim_output_commit(pim_output *o)
{
	bool ok = !fflush(o->file) && !ferror(o->file);
	ok = close_file(o) && ok;
	ok = ok && (!o->temporary || !rename(o->temporary, o->path));
	if (!ok) {
		pim_file_error(o->context, o->path, "cannot be written: %s", strerror(errno));
		if (o->temporary)
			unlink(o->temporary);
	}
	tell(o, false);
	free_output(o);
	return ok;
}

void pim_output_abandon(pim_output *o)
{
	close_file(o);
	if (o->temporary)
		unlink(o->temporary);
	tell(o, false);
	free_output(o);
}
