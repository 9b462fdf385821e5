/* SPDX-License-Identifier: Apache-2.0 */
/* machine_base.c - a machine described by what differs from another one.
 *
 * `base: NAME` takes every key that the file leaves out from the machine NAME, single keys of
 * sections too. A base may have a base; units and times are read with the clock that results. */
#include <string.h>

#include "targets/machine_file.h"

enum { MOST_BASES = 8 };

/* What was read so far: the file, its base, that one's base ... */
typedef struct chain {
	int n;
	machine_text machine[MOST_BASES + 1];
	pim_loc at[MOST_BASES + 1]; /* where the base of each is named */
} chain;

static bool is_inherited(const machine_file *f, const machine_entry *e)
{
	bool own = !*e->section && (!strcmp(e->key, "name") || !strcmp(e->key, "base"));
	return !own && !pim_machine_entry(f, e->section, e->key);
}

/* Entries of `from` that f lacks. A key twice in `from` stays twice, to be reported. */
static void inherit_entries(machine_file *f, const machine_file *from)
{
	machine_file before = *f;
	for (int i = 0; i < from->n; i++)
		if (is_inherited(&before, &from->entry[i]))
			*pim_machine_entry_new(f) = from->entry[i];
}

static void report_chain(machine_file *f, const chain *c, int first)
{
	for (int i = first; i < c->n; i++)
		pim_report(f->context, PIM_NOTE, c->at[i], "the base of %s", c->machine[i].name);
}

/* The machine that e names, as the next of the chain. */
static bool open_base(machine_file *f, chain *c, const machine_entry *e)
{
	const char *name = e->value[0];
	pim_loc at = c->at[c->n - 1] = e->value_at;
	machine_text m;
	if (strchr(name, '.')) /* a file lies beside the one that names it */
		name = pim_path_beside(f->context, at, c->machine[c->n - 1].path, name);
	if (!name || !pim_machine_find(f->context, at, name, &m))
		return false;
	for (int i = 0; i < c->n; i++) {
		if (c->machine[i].text != m.text)
			continue;
		pim_error(f->context, at, "%s is a base of itself", m.name);
		report_chain(f, c, i);
		return false;
	}
	if (c->n > MOST_BASES)
		return pim_error(f->context, at, "more than %d bases, one on another", (int)MOST_BASES);
	c->machine[c->n++] = m;
	return true;
}

static bool check_base(machine_file *f, const machine_entry *e)
{
	if (e->form == MACHINE_scalar && *e->value[0])
		return true;
	static const char *const form[] = {"empty", "a list", "a section"};
	return pim_error(f->context, e->value_at,
		"base is %s; expected the name of a machine or of a .yaml file", form[e->form]);
}

bool pim_machine_inherit(machine_file *f, const machine_text *m)
{
	chain c = {.n = 1, .machine = {*m}};
	machine_file last = *f;
	for (const machine_entry *e; (e = pim_machine_entry(&last, "", "base"));) {
		if (!check_base(f, e) || !open_base(f, &c, e))
			return false;
		const machine_text *base = &c.machine[c.n - 1];
		uint32_t source = pim_source_text(f->context, base->name, base->text, base->bytes);
		last = (machine_file){.context = f->context, .arena = f->arena, .start = {source, 0}};
		if (!pim_machine_entries(&last, source, base->text, base->bytes)) {
			report_chain(f, &c, c.n - 2);
			return false;
		}
		inherit_entries(f, &last);
	}
	return true;
}
