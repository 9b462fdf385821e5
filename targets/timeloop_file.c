/* SPDX-License-Identifier: Apache-2.0 */
/* timeloop_file.c - Timeloop's YAML files: which part stands in which file, and plain values. */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "targets/timeloop_file.h"

enum { LARGEST_FILE = 1 << 20 };

/* ---- values ---- */

static const char *name_kind(pim_yaml_kind kind)
{
	return kind == PIM_YAML_list ? "a list" : kind == PIM_YAML_mapping ? "keys" : "a plain value";
}

bool pim_timeloop_kind(
	timeloop_file *f, const pim_yaml_node *n, pim_yaml_kind kind, const char *what)
{
	return n->kind == kind || pim_error(f->context, n->at, "%s is %s, expected %s", what,
								  name_kind(n->kind), name_kind(kind));
}

const pim_yaml_node *pim_timeloop_want(
	timeloop_file *f, const pim_yaml_node *mapping, const char *key, pim_yaml_kind kind)
{
	const pim_yaml_node *n = pim_yaml_get(mapping, key);
	if (!n) {
		pim_error(f->context, mapping->at, "the key \"%s\" is missing, expected %s", key,
			name_kind(kind));
		return NULL;
	}
	return pim_timeloop_kind(f, n, kind, key) ? n : NULL;
}

bool pim_timeloop_int(timeloop_file *f, const pim_yaml_node *n, const char *what, int64_t least,
	int64_t most, int64_t *v)
{
	if (!pim_timeloop_kind(f, n, PIM_YAML_scalar, what))
		return false;
	char *end;
	errno = 0;
	*v = strtoll(n->text, &end, 10);
	if (end != n->text && !*end && !errno && *v >= least && *v <= most)
		return true;
	return pim_error(f->context, n->at, "%s is \"%s\", expected a whole number from %lld to %lld",
		what, n->text, (long long)least, (long long)most);
}

bool pim_timeloop_real(timeloop_file *f, const pim_yaml_node *n, const char *what, double *v)
{
	if (!pim_timeloop_kind(f, n, PIM_YAML_scalar, what))
		return false;
	const char *end = n->text + strlen(n->text), *rest = pim_read_float(n->text, end, v);
	if (rest != n->text && rest == end && *v >= 0 && *v < 1e300)
		return true;
	return pim_error(
		f->context, n->at, "%s is \"%s\", expected a number that is not negative", what, n->text);
}

bool pim_timeloop_bool(timeloop_file *f, const pim_yaml_node *n, const char *what, bool *v)
{
	static const char *const words[] = {"true", "yes", "on", "y", "false", "no", "off", "n"};
	if (!pim_timeloop_kind(f, n, PIM_YAML_scalar, what))
		return false;
	for (int i = 0; i < 8; i++)
		if (!strcasecmp(n->text, words[i])) {
			*v = i < 4;
			return true;
		}
	return pim_error(f->context, n->at, "%s is \"%s\", expected True or False", what, n->text);
}

const char *pim_timeloop_name(timeloop_file *f, const char *name, size_t length)
{
	return pim_intern(f->context, name, length);
}

int pim_timeloop_find(timeloop_file *f, pim_loc at, const char *what, const char *name,
	size_t length, int n, const char *const *names)
{
	for (int i = 0; i < n; i++)
		if (strlen(names[i]) == length && !memcmp(names[i], name, length))
			return i;
	const char *wanted = pim_arena_copy(f->arena, name, length), *all = "";
	const char *near = pim_nearest(wanted, n, names);
	for (int i = 0; i < n; i++)
		all = pim_arena_printf(f->arena, "%s%s%s", all, i ? ", " : "", names[i]);
	if (near)
		pim_error(f->context, at, "unknown %s \"%s\"; did you mean \"%s\"?", what, wanted, near);
	else
		pim_error(f->context, at, "unknown %s \"%s\"; expected %s%s", what, wanted,
			n ? "one of " : "none here", all);
	return -1;
}

bool pim_timeloop_keys(
	timeloop_file *f, const pim_yaml_node *mapping, int n, const char *const *keys)
{
	bool good = true;
	for (const pim_yaml_node *c = mapping->first; c; c = c->next) {
		bool known = false;
		for (int i = 0; i < n; i++)
			known |= pim_yaml_same_key(c->key, keys[i]);
		if (!known)
			good = pim_timeloop_find(f, c->key_at, "key", c->key, strlen(c->key), n, keys) >= 0;
	}
	return good;
}

/* ---- files ---- */

enum { PROBLEM, ARCHITECTURE, MAPPING, PARTS };
static const char *const part_names[PARTS] = {"problem", "architecture", "mapping"};

/* Parts that would change what is counted. */
static bool refuse_part(timeloop_file *f, const pim_yaml_node *n)
{
	if (pim_yaml_same_key(n->key, "sparse_optimizations"))
		return pim_error(f->context, n->key_at,
			"sparse tensors are not counted; leave %s out to count all words", n->key);
	if (pim_yaml_same_key(n->key, "ERT"))
		return pim_error(f->context, n->key_at,
			"tables of energies are not read; give vector-access-energy and energy instead");
	if (pim_yaml_same_key(n->key, "layout"))
		return pim_error(f->context, n->key_at, "layouts and their bank conflicts are not counted");
	return true;
}

/* What is none of the parts belongs to other programs, or only a search obeys it. */
static bool take_part(timeloop_file *f, const pim_yaml_node *n, const pim_yaml_node **part)
{
	if (!refuse_part(f, n))
		return false;
	const char *key = strcmp(n->key, "arch") ? n->key : part_names[ARCHITECTURE];
	int i = 0;
	while (i < PARTS && strcmp(key, part_names[i]))
		i++;
	if (i == PARTS) {
		pim_report(f->context, PIM_WARNING, n->key_at, "the key \"%s\" is not used", n->key);
		return true;
	}
	if (part[i]) {
		pim_error(f->context, n->key_at, "the key \"%s\" stands twice", n->key);
		pim_report(f->context, PIM_NOTE, part[i]->key_at, "the first is here");
		return false;
	}
	part[i] = n;
	return true;
}

static bool read_file(timeloop_file *f, const char *path, const pim_yaml_node **part)
{
	size_t bytes;
	const char *text = pim_file_map(f->context, (pim_loc){0}, path, &bytes);
	if (!text)
		return false;
	if (bytes > LARGEST_FILE)
		return pim_file_error(f->context, path, "the file has %zu bytes, expected at most %d",
			bytes, (int)LARGEST_FILE);
	const char *kept = pim_intern(f->context, path, strlen(path));
	uint32_t source = pim_source_text(f->context, kept, text, bytes);
	const pim_yaml_node *root = pim_yaml_tree(f->context, f->arena, source, text, bytes);
	bool good = root != NULL;
	for (const pim_yaml_node *n = root ? root->first : NULL; n; n = n->next)
		good &= take_part(f, n, part);
	return good;
}

static bool read_parts(timeloop_file *f, int n, const char *const *paths, bool want_mapping,
	const pim_yaml_node **part)
{
	bool good = true;
	for (int i = 0; i < n; i++)
		good &= read_file(f, paths[i], part);
	for (int i = 0; good && i < PARTS; i++)
		if (!part[i] && (want_mapping || i != MAPPING))
			good = pim_file_error(
				f->context, n ? paths[n - 1] : NULL, "no file has the key \"%s\"", part_names[i]);
	return good;
}

bool pim_timeloop_read(
	pim_context *c, int n, const char *const *paths, bool want_mapping, timeloop_input *out)
{
	timeloop_file f = {c, pim_arena_new()};
	const pim_yaml_node *part[PARTS] = {0};
	memset(out, 0, sizeof *out);
	bool good = read_parts(&f, n, paths, want_mapping, part);
	if (good) {
		bool problem = pim_timeloop_read_problem(&f, part[PROBLEM], &out->problem);
		bool arch = pim_timeloop_read_arch(&f, part[ARCHITECTURE], &out->arch);
		good = problem && arch;
	}
	if (good && want_mapping)
		good = pim_timeloop_read_mapping(
				   &f, part[MAPPING], &out->problem, &out->arch, &out->mapping) &&
			   pim_timeloop_check(c, &out->problem, &out->arch, &out->mapping);
	pim_arena_free(f.arena);
	return good;
}
