/* SPDX-License-Identifier: Apache-2.0 */
/* targets/yaml_event.h - YAML text as events with places; yaml_event.c alone knows libyaml. */
#ifndef PIM_TARGETS_YAML_EVENT_H
#define PIM_TARGETS_YAML_EVENT_H

#include "ir/ir.h"

typedef enum pim_yaml_kind {
	PIM_YAML_scalar,
	PIM_YAML_list,
	PIM_YAML_list_end,
	PIM_YAML_mapping,
	PIM_YAML_mapping_end,
	PIM_YAML_alias,
	PIM_YAML_document,
	PIM_YAML_document_end,
	PIM_YAML_stream,
	PIM_YAML_stream_end
} pim_yaml_kind;

typedef struct pim_yaml_event {
	pim_yaml_kind kind;
	pim_loc at;		  /* where it starts */
	pim_loc value_at; /* a scalar's first character, behind its quote */
	const char *text; /* of a scalar, until the next event; may hold zero bytes */
	size_t length;
	const char *anchor; /* an alias: what it stands for; a value: its name for aliases, or NULL */
} pim_yaml_event;

typedef struct pim_yaml pim_yaml;

/* Close it always. The text outlives the reader. */
pim_yaml *pim_yaml_open(
	pim_context *c, pim_arena *a, uint32_t source, const char *text, size_t bytes);
/* False after a diagnostic. */
bool pim_yaml_next(pim_yaml *y, pim_yaml_event *e);
void pim_yaml_close(pim_yaml *y);

#endif
