/* SPDX-License-Identifier: Apache-2.0 */
/* yaml_keys.c - the keys of a machine file and how they fill a machine.
 *
 * One row per key; every key but `base` is required, in the file or in what it starts from, and may
 * stand once. All that is wrong is reported, in the order of the file, then what is missing. */
#include <string.h>

#include "targets/machine_file.h"

enum { MOST_UNITS = 1 << 16 };

typedef enum store_kind {
	STORE_text,
	STORE_choice,
	STORE_counts,
	STORE_int,
	STORE_int64,
	STORE_double
} store_kind;

typedef struct machine_key {
	const char *section, *name;
	store_kind store;
	quantity_kind kind;
	bool zero; /* may be zero */
	size_t offset;
	const char *choices; /* "mesh torus": the value is its number, or kept as text */
	bool optional;
} machine_key;

#define FIELD(field) offsetof(pim_target, field)
#define TEXT(section, name, field)                                                                 \
	{                                                                                              \
		section, name, STORE_text, QUANTITY_count, false, FIELD(field), NULL, false                \
	}
#define WHOLE(section, name, kind, zero, field)                                                    \
	{                                                                                              \
		section, name, STORE_int64, QUANTITY_##kind, zero, FIELD(field), NULL, false               \
	}
#define COUNT(section, name, field)                                                                \
	{                                                                                              \
		section, name, STORE_int, QUANTITY_count, false, FIELD(field), NULL, false                 \
	}
#define REAL(section, name, kind, zero, field)                                                     \
	{                                                                                              \
		section, name, STORE_double, QUANTITY_##kind, zero, FIELD(field), NULL, false              \
	}
#define MEMORY(name)                                                                               \
	WHOLE(#name, "size", bytes, false, name.bytes),                                                \
		REAL(#name, "bandwidth", rate, false, name.bytes_per_cycle),                               \
		WHOLE(#name, "latency", cycles, true, name.latency),                                       \
		REAL(#name, "read_energy", data_energy, true, name.read_pj),                               \
		REAL(#name, "write_energy", data_energy, true, name.write_pj)

static const machine_key keys[] = {
	TEXT("", "name", name),
	{"", "base", STORE_text, QUANTITY_count, false, FIELD(base), NULL, true},
	{"", "command_set", STORE_text, QUANTITY_count, false, FIELD(command_set), "tile none", false},
	TEXT("", "pipeline", pipeline),
	REAL("", "clock", clock, false, clock_hz),
	{"network", "topology", STORE_choice, QUANTITY_count, false, FIELD(network.topology),
		"mesh torus", false},
	{"network", "size", STORE_counts, QUANTITY_count, false, FIELD(network.size), NULL, false},
	REAL("network", "link", rate, false, network.link_bytes_per_cycle),
	WHOLE("network", "hop_time", cycles, true, network.hop_cycles),
	REAL("network", "hop_energy", data_energy, true, network.hop_pj),
	MEMORY(memory),
	MEMORY(buffer),
	COUNT("matrix", "rows", matrix.rows),
	COUNT("matrix", "columns", matrix.columns),
	WHOLE("matrix", "fill", cycles, true, matrix.fill_cycles),
	REAL("matrix", "mac_energy", energy, true, matrix.mac_pj),
	COUNT("vector", "lanes", vector.lanes),
	WHOLE("vector", "start", cycles, true, vector.start_cycles),
	REAL("vector", "step_energy", energy, true, vector.step_pj),
	WHOLE("", "command_time", cycles, true, command_cycles),
	REAL("", "static_power", power, true, static_w),
};
enum { KEYS = sizeof keys / sizeof keys[0] };

static const char *find_label(machine_file *f, const char *section, const char *key)
{
	return pim_arena_printf(f->arena, "%s%s%s", section, *section ? "." : "", key);
}

static const machine_key *find_key(const char *section, const char *name)
{
	for (int i = 0; i < KEYS; i++)
		if (!strcmp(keys[i].section, section) && !strcmp(keys[i].name, name))
			return &keys[i];
	return NULL;
}

static bool is_section(const char *name)
{
	for (int i = 0; i < KEYS; i++)
		if (*keys[i].section && !strcmp(keys[i].section, name))
			return true;
	return false;
}

/* Names that may stand in a section: its keys, and at the top the sections too. */
static int list_names(const char *section, const char **names)
{
	int n = 0;
	for (int i = 0; i < KEYS; i++) {
		const char *name = strcmp(keys[i].section, section) ? keys[i].section : keys[i].name;
		bool fits = !strcmp(keys[i].section, section) || !*section;
		if (fits && (n == 0 || strcmp(names[n - 1], name)))
			names[n++] = name;
	}
	return n;
}

static const char *join_names(machine_file *f, const char *section)
{
	const char *names[KEYS], *all = "";
	int n = list_names(section, names);
	for (int i = 0; i < n; i++)
		all = pim_arena_printf(f->arena, "%s%s%s", all, i ? ", " : "", names[i]);
	return all;
}

static bool report_unknown(machine_file *f, const machine_entry *e)
{
	const char *names[KEYS];
	int n = list_names(e->section, names);
	const char *near = pim_nearest(e->key, n, names), *label = find_label(f, e->section, e->key);
	if (near)
		return pim_error(
			f->context, e->key_at, "unknown key \"%s\"; did you mean \"%s\"?", label, near);
	for (int i = 0; i < KEYS; i++)
		if (!strcmp(keys[i].name, e->key))
			return pim_error(f->context, e->key_at, "unknown key \"%s\"; \"%s\" belongs %s%s",
				label, e->key, *keys[i].section ? "in the section " : "at the top",
				keys[i].section);
	return pim_error(f->context, e->key_at, "unknown key \"%s\"; expected one of %s", label,
		join_names(f, e->section));
}

static bool read_choice(machine_file *f, const machine_key *k, const machine_entry *e, int *choice)
{
	const char *value = e->value[0];
	size_t n = strlen(value);
	*choice = 0;
	for (const char *p = k->choices; *p; (*choice)++) {
		size_t length = strcspn(p, " ");
		if (length == n && !memcmp(p, value, n))
			return true;
		p += length + (p[length] == ' ');
	}
	const char *label = find_label(f, e->section, e->key);
	return pim_error(
		f->context, e->value_at, "%s is \"%s\"; expected one of: %s", label, value, k->choices);
}

static bool read_text(
	machine_file *f, const machine_key *k, const machine_entry *e, const char **out)
{
	int choice;
	if (!*e->value[0])
		return pim_error(f->context, e->value_at, "%s has no value; expected a name",
			find_label(f, e->section, e->key));
	if (k->choices && !read_choice(f, k, e, &choice))
		return false;
	*out = pim_intern(f->context, e->value[0], strlen(e->value[0]));
	return true;
}

static bool read_number(machine_file *f, const machine_key *k, const machine_entry *e, int i,
	const pim_target *t, double *v)
{
	const char *label = find_label(f, e->section, e->key);
	if (!pim_quantity_read(f, e->at[i], label, e->value[i], k->kind, t->clock_hz, v))
		return false;
	if (*v < 0 || (*v == 0 && !k->zero))
		return pim_error(f->context, e->at[i], "%s is \"%s\"; expected %s zero", label, e->value[i],
			k->zero ? "at least" : "more than");
	return true;
}

static bool read_int(machine_file *f, const machine_key *k, const machine_entry *e, int i,
	const pim_target *t, int *out)
{
	double v;
	if (!read_number(f, k, e, i, t, &v))
		return false;
	if (v > MOST_UNITS)
		return pim_error(f->context, e->at[i], "%s is \"%s\"; expected at most %d",
			find_label(f, e->section, e->key), e->value[i], (int)MOST_UNITS);
	*out = (int)v;
	return true;
}

static bool read_size(machine_file *f, const machine_key *k, const machine_entry *e, pim_target *t)
{
	if (e->n < 1 || e->n > 3)
		return pim_error(f->context, e->value_at, "%s has %d counts; expected one to three",
			find_label(f, e->section, e->key), e->n);
	int64_t units = 1;
	bool good = true;
	for (int i = 0; i < 3; i++) {
		t->network.size[i] = 1;
		good &= i >= e->n || read_int(f, k, e, i, t, &t->network.size[i]);
		units *= t->network.size[i];
	}
	if (units > MOST_UNITS)
		return pim_error(f->context, e->value_at, "the network has %lld units; expected at most %d",
			(long long)units, (int)MOST_UNITS);
	t->units = (int)units;
	return good;
}

static bool store_value(
	machine_file *f, const machine_key *k, const machine_entry *e, pim_target *t)
{
	char *field = (char *)t + k->offset;
	double v;
	int choice;
	switch (k->store) {
	case STORE_text:
		return read_text(f, k, e, (const char **)(void *)field);
	case STORE_choice:
		return read_choice(f, k, e, &choice) && (t->network.topology = (pim_topology)choice, true);
	case STORE_counts:
		return read_size(f, k, e, t);
	case STORE_int:
		return read_int(f, k, e, 0, t, (int *)(void *)field);
	case STORE_int64:
		return read_number(f, k, e, 0, t, &v) && (*(int64_t *)(void *)field = (int64_t)v, true);
	case STORE_double:
		return read_number(f, k, e, 0, t, &v) && (*(double *)(void *)field = v, true);
	}
	return false;
}

static bool check_form(machine_file *f, const machine_key *k, const machine_entry *e)
{
	static const char *const form[] = {"one value", "a list", "a section"};
	machine_form wanted = k->store == STORE_counts ? MACHINE_list : MACHINE_scalar;
	if (e->form == wanted)
		return true;
	const char *example = wanted == MACHINE_list   ? "a list such as [8, 8]"
						  : k->choices			   ? k->choices
						  : k->store == STORE_text ? "a name"
												   : pim_quantity_example(k->kind);
	return pim_error(f->context, e->value_at, "%s is %s; expected %s",
		find_label(f, e->section, e->key), form[e->form], example);
}

/* The same key earlier in the file. */
static const machine_entry *find_twin(const machine_file *f, const machine_entry *e)
{
	for (const machine_entry *o = f->entry; o < e; o++)
		if (!strcmp(o->section, e->section) && !strcmp(o->key, e->key))
			return o;
	return NULL;
}

static bool fill_entry(machine_file *f, machine_entry *e, pim_target *t)
{
	if (*e->section && !is_section(e->section))
		return false; /* the section itself was reported */
	const machine_entry *twin = find_twin(f, e);
	if (twin) {
		pim_error(f->context, e->key_at, "the key \"%s\" stands twice",
			find_label(f, e->section, e->key));
		pim_report(f->context, PIM_NOTE, twin->key_at, "the first is here");
		return false;
	}
	const machine_key *k = find_key(e->section, e->key);
	if (!k && !*e->section && is_section(e->key))
		return e->form == MACHINE_section ||
			   pim_error(f->context, e->value_at, "%s is one value; expected a section with %s",
				   e->key, join_names(f, e->key));
	if (!k)
		return report_unknown(f, e);
	return check_form(f, k, e) && store_value(f, k, e, t);
}

const machine_entry *pim_machine_entry(const machine_file *f, const char *section, const char *key)
{
	for (int i = 0; i < f->n; i++)
		if (!strcmp(f->entry[i].section, section) && !strcmp(f->entry[i].key, key))
			return &f->entry[i];
	return NULL;
}

/* Keys that do not stand in the file; a missing section is one error, not one for each key. */
static bool report_missing(machine_file *f)
{
	bool good = true;
	const char *reported = "";
	for (int i = 0; i < KEYS; i++) {
		const machine_key *k = &keys[i];
		const machine_entry *section = *k->section ? pim_machine_entry(f, "", k->section) : NULL;
		if (k->optional || pim_machine_entry(f, k->section, k->name) ||
			(section && section->form != MACHINE_section))
			continue;
		good = false;
		if (*k->section && !section) {
			if (strcmp(reported, k->section))
				pim_error(f->context, f->start, "missing section \"%s\" with %s", k->section,
					join_names(f, k->section));
			reported = k->section;
			continue;
		}
		pim_error(f->context, section ? section->key_at : f->start,
			"missing key \"%s\"; expected %s", find_label(f, k->section, k->name),
			k->choices				   ? k->choices
			: k->store == STORE_counts ? "a list such as [8, 8]"
			: k->store == STORE_text   ? "a name"
									   : pim_quantity_example(k->kind));
	}
	return good;
}

bool pim_machine_fill(machine_file *f, pim_target *t)
{
	bool good = true;
	/* times and rates need the clock, wherever it stands */
	for (int i = 0; i < f->n; i++)
		if (!*f->entry[i].section && !strcmp(f->entry[i].key, "clock"))
			good &= fill_entry(f, &f->entry[i], t);
	for (int i = 0; i < f->n; i++)
		if (*f->entry[i].section || strcmp(f->entry[i].key, "clock"))
			good &= fill_entry(f, &f->entry[i], t);
	return report_missing(f) && good;
}
