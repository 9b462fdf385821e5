/* SPDX-License-Identifier: Apache-2.0 */
/* targets/yaml_tree.h - a YAML document as a tree of nodes with places. */
#ifndef PIM_TARGETS_YAML_TREE_H
#define PIM_TARGETS_YAML_TREE_H

#include "targets/yaml_event.h"

typedef struct pim_yaml_node pim_yaml_node;
struct pim_yaml_node {
	pim_yaml_kind kind; /* scalar, list or mapping */
	pim_loc at;			/* the value's first character */
	const char *text;	/* of a scalar */
	const char *key;	/* in a mapping */
	pim_loc key_at;
	int n; /* children */
	pim_yaml_node *first, *next;
};

/* The one document of a text; NULL after diagnostics. An alias is the value that it stands for, at
 * that value's place. Keys that are not plain values, keys that stand twice and nesting beyond 64
 * are refused. */
pim_yaml_node *pim_yaml_tree(
	pim_context *c, pim_arena *a, uint32_t source, const char *text, size_t bytes);
/* The child with this key (- and _ are one), NULL when there is none. */
const pim_yaml_node *pim_yaml_get(const pim_yaml_node *mapping, const char *key);
bool pim_yaml_same_key(const char *a, const char *b);

#endif
