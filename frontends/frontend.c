/* SPDX-License-Identifier: Apache-2.0 */
/* frontend - which frontend reads a file.
 *
 * Each is asked whether it knows the first bytes; when several or none do, the file's ending
 * decides. Standard input ("-") is read into memory, a file is mapped. */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "frontends/frontend.h"

static const pim_frontend frontends[] = {
#define FRONTEND(name, endings, help) {#name, endings, help, pim_knows_##name, pim_read_##name},
#include "frontends/frontends.def"
};

int pim_frontend_count(void)
{
	return (int)(sizeof frontends / sizeof *frontends);
}

const pim_frontend *pim_frontend_at(int i)
{
	return &frontends[i];
}

/* Everything that standard input gives; NULL after a diagnostic. */
static const void *read_stdin(pim_context *c, size_t *n)
{
	pim_text all = {0};
	char piece[1 << 16];
	size_t got;
	char *copy;
	while ((got = fread(piece, 1, sizeof piece, stdin)) > 0)
		pim_text_add(&all, piece, got);
	*n = all.n;
	copy = all.n ? pim_arena_copy(c->arena, all.s, all.n) : NULL;
	pim_text_free(&all);
	if (!copy)
		pim_file_error(c, "<stdin>", "no input: expected the text form or an ONNX model");
	return copy;
}

/* Is the ending of the path one of the space separated `endings`? */
static bool has_ending(const char *path, const char *endings)
{
	const char *dot = strrchr(path, '.');
	size_t n;
	if (!dot || strchr(dot, '/'))
		return false;
	for (const char *e = endings; *e; e += n + (e[n] == ' ')) {
		n = strcspn(e, " ");
		if (n == strlen(dot + 1) && !strncasecmp(e, dot + 1, n))
			return true;
	}
	return false;
}

/* The frontend for a file; NULL when none fits. */
static const pim_frontend *choose(const char *path, const void *bytes, size_t n)
{
	const pim_frontend *known = NULL, *named = NULL;
	int n_known = 0;
	for (int i = 0; i < pim_frontend_count(); i++) {
		const pim_frontend *f = &frontends[i];
		bool ending = has_ending(path, f->endings);
		if (f->knows(path, bytes, n)) {
			if (ending)
				return f;
			known = f;
			n_known++;
		}
		if (ending)
			named = f;
	}
	return n_known == 1 ? known : named;
}

static pim_module *refuse(pim_context *c, const char *path)
{
	pim_text list = {0};
	for (int i = 0; i < pim_frontend_count(); i++)
		pim_text_printf(&list, "%s%s", i ? ", " : "", frontends[i].help);
	pim_file_error(
		c, path, "no frontend knows this kind of file; there are: %s", list.s ? list.s : "none");
	pim_text_free(&list);
	return NULL;
}

pim_module *pim_frontend_read(pim_context *c, const char *path, const pim_read_options *o)
{
	static const pim_read_options none = {0};
	bool is_stdin = !strcmp(path, "-");
	const char *name = is_stdin ? "<stdin>" : pim_intern(c, path, strlen(path));
	const pim_frontend *f;
	size_t n = 0;
	const void *bytes = is_stdin ? read_stdin(c, &n) : pim_file_map(c, (pim_loc){0, 0}, name, &n);
	if (!bytes)
		return NULL;
	f = choose(path, bytes, n);
	return f ? f->read(c, name, bytes, n, o ? o : &none) : refuse(c, name);
}

pim_module *pim_module_read(pim_context *c, const char *path)
{
	return pim_frontend_read(c, path, NULL);
}
