/* SPDX-License-Identifier: Apache-2.0 */
/* yaml_keys.c - the keys of a machine file and how they fill a machine.
 *
 * One row per key; every key of the machine's command set, but `base`, is required, in the file or
 * in what it starts from, and may stand once. All that is wrong is reported, in the order of the
 * file, then what is missing. */
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
	const char *set;	 /* the command set whose machines have it; NULL: all */
	bool optional;
} machine_key;

#define FIELD(field) offsetof(pim_target, field)
#define TEXT(section, name, field)                                                                 \
	{                                                                                              \
		section, name, STORE_text, QUANTITY_count, false, FIELD(field), NULL, SET, false           \
	}
#define WHOLE(section, name, kind, zero, field)                                                    \
	{                                                                                              \
		section, name, STORE_int64, QUANTITY_##kind, zero, FIELD(field), NULL, SET, false          \
	}
#define COUNT(section, name, field)                                                                \
	{                                                                                              \
		section, name, STORE_int, QUANTITY_count, false, FIELD(field), NULL, SET, false            \
	}
#define REAL(section, name, kind, zero, field)                                                     \
	{                                                                                              \
		section, name, STORE_double, QUANTITY_##kind, zero, FIELD(field), NULL, SET, false         \
	}
#define MEMORY(name)                                                                               \
	WHOLE(#name, "size", bytes, false, name.bytes),                                                \
		REAL(#name, "bandwidth", rate, false, name.bytes_per_cycle),                               \
		WHOLE(#name, "latency", cycles, true, name.latency),                                       \
		REAL(#name, "read_energy", data_energy, true, name.read_pj),                               \
		REAL(#name, "write_energy", data_energy, true, name.write_pj)

/* The set of the rows that follow. */
#define SET NULL
static const machine_key keys[] = {
	TEXT("", "name", name),
	{"", "base", STORE_text, QUANTITY_count, false, FIELD(base), NULL, NULL, true},
	{"", "command_set", STORE_text, QUANTITY_count, false, FIELD(command_set), "tile bank none",
		NULL, false},
	TEXT("", "pipeline", pipeline),
	REAL("", "clock", clock, false, clock_hz),
	{"network", "topology", STORE_choice, QUANTITY_count, false, FIELD(network.topology),
		"mesh torus bus", NULL, false},
	{"network", "size", STORE_counts, QUANTITY_count, false, FIELD(network.size), NULL, NULL,
		false},
	REAL("network", "link", rate, false, network.link_bytes_per_cycle),
	WHOLE("network", "hop_time", cycles, true, network.hop_cycles),
	REAL("network", "hop_energy", data_energy, true, network.hop_pj),
#undef SET
#define SET "tile"
	MEMORY(memory),
	MEMORY(buffer),
	COUNT("matrix", "rows", matrix.rows),
	COUNT("matrix", "columns", matrix.columns),
	WHOLE("matrix", "fill", cycles, true, matrix.fill_cycles),
	REAL("matrix", "mac_energy", energy, true, matrix.mac_pj),
	COUNT("vector", "lanes", vector.lanes),
	WHOLE("vector", "start", cycles, true, vector.start_cycles),
	REAL("vector", "step_energy", energy, true, vector.step_pj),
#undef SET
#define SET "bank"
	COUNT("bank", "rows", bank.rows),
	COUNT("bank", "columns", bank.columns),
	COUNT("bank", "compute_rows", bank.compute_rows),
	COUNT("bank", "staging_rows", bank.staging_rows),
	WHOLE("bank", "burst", bytes, false, bank.burst_bytes),
	WHOLE("bank", "tRCD", cycles, false, bank.trcd),
	WHOLE("bank", "tRP", cycles, false, bank.trp),
	WHOLE("bank", "tRAS", cycles, false, bank.tras),
	WHOLE("bank", "tRRD", cycles, false, bank.trrd),
	WHOLE("bank", "tFAW", cycles, false, bank.tfaw),
	WHOLE("bank", "tCCD", cycles, false, bank.tccd),
	WHOLE("bank", "tWR", cycles, false, bank.twr),
	WHOLE("bank", "tWTR", cycles, false, bank.twtr),
	WHOLE("bank", "tRTP", cycles, false, bank.trtp),
	WHOLE("bank", "write_latency", cycles, true, bank.write_latency),
	WHOLE("bank", "tREFI", cycles, false, bank.trefi),
	WHOLE("bank", "tRFC", cycles, false, bank.trfc),
	WHOLE("bank", "second_activation", cycles, true, bank.second_activation),
	COUNT("bank", "all_bank_groups", bank.all_bank_groups),
	WHOLE("bank", "all_bank_tFAW", cycles, false, bank.all_bank_tfaw),
	WHOLE("bank", "mode_switch", cycles, false, bank.mode_switch),
	REAL("bank", "activation_energy", energy, true, bank.activation_pj),
	REAL("bank", "extra_row_energy", energy, true, bank.extra_row_pj),
	REAL("bank", "column_energy", data_energy, true, bank.column_pj),
#undef SET
#define SET NULL
	WHOLE("", "command_time", cycles, true, command_cycles),
	REAL("", "static_power", power, true, static_w),
};
enum { KEYS = sizeof keys / sizeof keys[0] };

static const char *find_label(machine_file *f, const char *section, const char *key)
{
	return pim_arena_printf(f->arena, "%s%s%s", section, *section ? "." : "", key);
}

/* Do machines of the file's command set have this key? */
static bool has_key(const machine_file *f, const machine_key *k)
{
	bool bank = f->command_set && !strcmp(f->command_set, "bank");
	return !k->set || !strcmp(k->set, bank ? "bank" : "tile");
}

static const machine_key *find_key(const machine_file *f, const char *section, const char *name)
{
	for (int i = 0; i < KEYS; i++)
		if (has_key(f, &keys[i]) && !strcmp(keys[i].section, section) &&
			!strcmp(keys[i].name, name))
			return &keys[i];
	return NULL;
}

static const machine_key *find_section(const char *name)
{
	for (int i = 0; i < KEYS; i++)
		if (*keys[i].section && !strcmp(keys[i].section, name))
			return &keys[i];
	return NULL;
}

static bool is_section(const machine_file *f, const char *name)
{
	const machine_key *k = find_section(name);
	return k && has_key(f, k);
}

/* Names that may stand in a section: its keys, and at the top the sections too. */
static int list_names(const machine_file *f, const char *section, const char **names)
{
	int n = 0;
	for (int i = 0; i < KEYS; i++) {
		if (!has_key(f, &keys[i]))
			continue;
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
	int n = list_names(f, section, names);
	for (int i = 0; i < n; i++)
		all = pim_arena_printf(f->arena, "%s%s%s", all, i ? ", " : "", names[i]);
	return all;
}

static bool report_unknown(machine_file *f, const machine_entry *e)
{
	const char *names[KEYS];
	int n = list_names(f, e->section, names);
	const machine_key *other = *e->section ? NULL : find_section(e->key);
	if (other && !has_key(f, other))
		return pim_error(f->context, e->key_at,
			"the section \"%s\" belongs to machines of the command set %s", e->key, other->set);
	const char *near = pim_nearest(e->key, n, names), *label = find_label(f, e->section, e->key);
	if (near)
		return pim_error(
			f->context, e->key_at, "unknown key \"%s\"; did you mean \"%s\"?", label, near);
	for (int i = 0; i < KEYS; i++)
		if (has_key(f, &keys[i]) && !strcmp(keys[i].name, e->key))
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
	if (*e->section && !is_section(f, e->section))
		return false; /* the section itself was reported */
	const machine_entry *twin = find_twin(f, e);
	if (twin) {
		pim_error(f->context, e->key_at, "the key \"%s\" stands twice",
			find_label(f, e->section, e->key));
		pim_report(f->context, PIM_NOTE, twin->key_at, "the first is here");
		return false;
	}
	const machine_key *k = find_key(f, e->section, e->key);
	if (!k && !*e->section && is_section(f, e->key))
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
		if (!has_key(f, k))
			continue;
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

/* Times and rates need the clock, and the other keys the command set, wherever those stand. */
static bool goes_first(const machine_entry *e)
{
	return !*e->section && (!strcmp(e->key, "clock") || !strcmp(e->key, "command_set"));
}

bool pim_machine_fill(machine_file *f, pim_target *t)
{
	bool good = true;
	for (int i = 0; i < f->n; i++)
		if (goes_first(&f->entry[i]))
			good &= fill_entry(f, &f->entry[i], t);
	f->command_set = t->command_set;
	for (int i = 0; i < f->n; i++)
		if (!goes_first(&f->entry[i]))
			good &= fill_entry(f, &f->entry[i], t);
	if (!report_missing(f) || !good)
		return false;
	if (strcmp(t->command_set, "bank") != 0)
		return true;
	const machine_entry *bank = pim_machine_entry(f, "", "bank");
	return pim_bank_complete(f, bank ? bank->key_at : f->start, t);
}
