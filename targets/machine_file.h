/* SPDX-License-Identifier: Apache-2.0 */
/* targets/machine_file.h - between the parts of the machine reader.
 *
 * yaml.c turns a YAML file into entries, machine_base.c adds those of the machine it starts from,
 * yaml_keys.c turns entries into a machine, and yaml_quantity.c one value with its unit into a
 * number. targets.c finds the text of a machine. */
#ifndef PIM_TARGETS_MACHINE_FILE_H
#define PIM_TARGETS_MACHINE_FILE_H

#include "targets/target.h"

typedef enum machine_form { MACHINE_scalar, MACHINE_list, MACHINE_section } machine_form;

/* `key: value` as it stands in the file. Values are one scalar, the items of a list, or none. */
typedef struct machine_entry {
	const char *section, *key; /* section: "" at the top */
	machine_form form;
	pim_loc key_at, value_at;
	int n, room;
	const char **value;
	pim_loc *at; /* of each value: its first character */
} machine_entry;

typedef struct machine_file {
	pim_context *context;
	pim_arena *arena;
	pim_loc start;
	const char *command_set; /* of the file; NULL: not known */
	int n, room;
	machine_entry *entry;
} machine_file;

/* The text of a machine. One machine has one text: its address tells machines apart. */
typedef struct machine_text {
	const char *name;			/* for messages */
	const char *path, *summary; /* path: NULL when built in */
	const char *text;
	size_t bytes;
} machine_text;

/* The machine of a built-in name or a .yaml path, which stands at `at` (nowhere: a command line).
 * False after a diagnostic. */
bool pim_machine_find(pim_context *c, pim_loc at, const char *name, machine_text *m);
/* The entries of YAML text in file order; false after diagnostics. */
bool pim_machine_entries(machine_file *f, uint32_t source, const char *text, size_t bytes);
/* Adds what the machine named by the key `base`, and its base in turn, has and the file has not;
 * names are not inherited. False after diagnostics. */
bool pim_machine_inherit(machine_file *f, const machine_text *m);
/* The value that a file gives a key; NULL for none. */
const machine_entry *pim_machine_entry(const machine_file *f, const char *section, const char *key);
/* Makes room for one more entry. */
machine_entry *pim_machine_entry_new(machine_file *f);
/* Fills the machine from the entries; reports everything that is wrong. */
bool pim_machine_fill(machine_file *f, pim_target *t);

/* bank/machine.c: what follows from the rows and timing of a bank (memory, buffer); false after a
 * diagnostic at `at`. */
bool pim_bank_complete(machine_file *f, pim_loc at, pim_target *t);

/* What kind of quantity a value is. Comment: unit of the result; what a unit may be. */
typedef enum quantity_kind {
	QUANTITY_count,		  /* plain number; no unit */
	QUANTITY_clock,		  /* Hz */
	QUANTITY_bytes,		  /* bytes */
	QUANTITY_cycles,	  /* cycles; cycles or seconds, rounded up to whole cycles */
	QUANTITY_rate,		  /* bytes per cycle; data per cycle or second */
	QUANTITY_data_energy, /* picojoules per byte; energy per bit or byte */
	QUANTITY_energy,	  /* picojoules */
	QUANTITY_power		  /* watts */
} quantity_kind;
/* Reads `text`, which stands at `at`; clock_hz turns times into cycles (0: unknown, the value is
 * checked only). False after a diagnostic that starts with `what`. */
bool pim_quantity_read(machine_file *f, pim_loc at, const char *what, const char *text,
	quantity_kind kind, double clock_hz, double *out);
/* A word for the kind and an example: `a size such as "32 MiB"`. */
const char *pim_quantity_example(quantity_kind kind);

#endif
