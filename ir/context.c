/* SPDX-License-Identifier: Apache-2.0 */
/* context - a session: interned strings, sources and places, the modules it owns.
 *
 * Tables are made when first used, so that a session that reads a small program touches little
 * memory. */
#include <string.h>

#include "ir/ir.h"

#define ERROR_LIMIT 20
#define MERGED_LIMIT 256

pim_context *pim_context_new(void)
{
	pim_arena *a = pim_arena_new();
	pim_context *c = PIM_NEW(a, pim_context, 1);
	c->arena = a;
	c->error_limit = ERROR_LIMIT;
	return c;
}

void pim_context_free(pim_context *c)
{
	if (!c)
		return;
	for (int i = 0; i < c->n_modules; i++)
		pim_arena_free(c->modules[i]->arena);
	pim_arena_free(c->arena);
}

void pim_context_on_diag(pim_context *c, pim_diag_handler *f, void *user)
{
	c->on_diag = f;
	c->on_diag_user = user;
}

int pim_context_errors(const pim_context *c)
{
	return c->errors;
}

const char *pim_version(void)
{
	return PIM_VERSION;
}

const char *pim_intern(pim_context *c, const char *s, size_t n)
{
	if (!c->strings)
		c->strings = pim_map_new(c->arena);
	void **value;
	return pim_map_key(c->strings, s, n, &value);
}

static uint32_t add_source(pim_context *c, const pim_source *s)
{
	if (c->n_sources == c->room_sources) {
		int room = c->room_sources ? c->room_sources * 2 : 8;
		pim_source *more = PIM_NEW(c->arena, pim_source, room);
		if (c->n_sources)
			memcpy(more, c->sources, sizeof *more * (size_t)c->n_sources);
		c->sources = more;
		c->room_sources = room;
	}
	if (!c->n_sources)
		c->n_sources = 1;
	c->sources[c->n_sources] = *s;
	return (uint32_t)c->n_sources++;
}

uint32_t pim_source_text(pim_context *c, const char *name, const char *text, size_t bytes)
{
	pim_source s = {.kind = PIM_SOURCE_text, .text = text, .bytes = bytes};
	s.name = pim_intern(c, name, strlen(name));
	return add_source(c, &s);
}

pim_loc pim_loc_name(pim_context *c, const char *name)
{
	if (!c->names)
		c->names = pim_map_new(c->arena);
	void **value;
	const char *key = pim_map_key(c->names, name, strlen(name), &value);
	if (!*value) {
		pim_source s = {.kind = PIM_SOURCE_name, .name = key};
		*value = (void *)(uintptr_t)add_source(c, &s);
	}
	return (pim_loc){.source = (uint32_t)(uintptr_t)*value};
}

static bool same_place(pim_loc a, pim_loc b)
{
	return a.source == b.source && a.offset == b.offset;
}

static int add_places(const pim_context *c, pim_loc at, pim_loc *parts, int n)
{
	const pim_source *s = &c->sources[at.source];
	bool merged = s->kind == PIM_SOURCE_merged;
	const pim_loc *from = merged ? s->parts : &at;
	int count = merged ? s->n_parts : 1;
	for (int i = 0; i < count && n < MERGED_LIMIT; i++) {
		int k = 0;
		while (k < n && !same_place(parts[k], from[i]))
			k++;
		if (k == n)
			parts[n++] = from[i];
	}
	return n;
}

pim_loc pim_loc_merge(pim_context *c, pim_loc a, pim_loc b)
{
	if (!a.source || same_place(a, b))
		return b;
	if (!b.source)
		return a;
	pim_loc parts[MERGED_LIMIT];
	int n_a = add_places(c, a, parts, 0);
	int n = add_places(c, b, parts, n_a);
	if (n == n_a)
		return a;
	pim_source s = {.kind = PIM_SOURCE_merged, .n_parts = n};
	s.parts = PIM_NEW(c->arena, pim_loc, n);
	memcpy(s.parts, parts, sizeof *parts * (size_t)n);
	return (pim_loc){.source = add_source(c, &s)};
}
