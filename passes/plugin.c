/* SPDX-License-Identifier: Apache-2.0 */
/* passes/plugin.c - passes from shared objects.
 *
 * A plugin states the binary interface it was built for; rows are checked when it is
 * registered, so that a broken one is refused with a reason and not when it first runs. */
#include <dlfcn.h>
#include <string.h>

#include "passes/pass.h"

static bool refuse(pim_context *c, const pim_plugin *p, const char *what, const char *which)
{
	return pim_error(c, (pim_loc){0, 0}, "plugin '%s': %s%s%s%s", p->name ? p->name : "?", what,
		which ? " '" : "", which ? which : "", which ? "'" : "");
}

static bool is_pass_name(const char *s)
{
	if (!*s)
		return false;
	return s[strspn(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-")] == 0;
}

static bool has_known_kinds(const pim_pass *p)
{
	static const char *const kinds[] = {"int", "float", "string", "time", "count"};
	for (const pim_pass_field *f = p->fields; f && f->name; f++) {
		bool known = false;
		for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++)
			known |= f->kind && !strcmp(f->kind, kinds[i]);
		if (!known)
			return false;
	}
	return true;
}

static bool check_row(pim_context *c, const pim_plugin *p, const pim_pass *row)
{
	if (!is_pass_name(row->name))
		return refuse(c, p, "a pass name is letters, digits, '-', '_' and '.', not", row->name);
	if (!row->run)
		return refuse(c, p, "no function for pass", row->name);
	if (!has_known_kinds(row))
		return refuse(
			c, p, "an option kind is int, float, string, time or count in pass", row->name);
	if (pim_pass_find(c, row->name))
		return refuse(c, p, "there is already a pass called", row->name);
	return true;
}

static void remember(pim_context *c, const pim_plugin *p)
{
	c->plugins =
		pim_arena_grow(c->arena, c->plugins, c->n_plugins, &c->room_plugins, sizeof *c->plugins);
	c->plugins[c->n_plugins++] = p;
}

bool pim_context_add_plugin(pim_context *c, const pim_plugin *p)
{
	if (p->abi != PIM_ABI)
		return pim_error(c, (pim_loc){0, 0},
			"plugin was built for interface version %d, this pimopt has version %d; build it again",
			p->abi, PIM_ABI);
	bool good = true;
	for (const pim_pass *row = p->passes; row && row->name; row++)
		good &= check_row(c, p, row);
	if (good)
		remember(c, p);
	return good;
}

static void close_plugin(void *handle)
{
	dlclose(handle);
}

bool pim_plugin_load(pim_context *c, const char *path)
{
	const char *where = path;
	if (!strchr(path, '/'))
		where = pim_arena_printf(c->arena, "./%s", path);
	void *handle = dlopen(where, RTLD_NOW | RTLD_LOCAL);
	if (!handle)
		return pim_file_error(c, NULL, "cannot load plugin: %s", dlerror());
	pim_arena_defer(c->arena, close_plugin, handle);
	const pim_plugin *(*get)(void);
	void *symbol = dlsym(handle, "pim_plugin_get");
	if (!symbol)
		return pim_file_error(c, path, "not a plugin: it defines no function pim_plugin_get");
	memcpy(&get, &symbol, sizeof get);
	const pim_plugin *p = get();
	if (!p)
		return pim_file_error(c, path, "pim_plugin_get gave no plugin");
	return pim_context_add_plugin(c, p);
}
