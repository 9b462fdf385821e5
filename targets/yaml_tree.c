/* SPDX-License-Identifier: Apache-2.0 */
/* yaml_tree.c - a YAML document as a tree of nodes with places. */
#include <string.h>

#include "targets/yaml_tree.h"

enum { DEEPEST = 64, MOST_KEYS = 1024 };

/* A value that aliases may stand for, once it is read in full. */
typedef struct anchor anchor;
struct anchor {
	const char *name;
	const pim_yaml_node *value;
	const anchor *before;
};

typedef struct reader {
	pim_context *context;
	pim_arena *arena;
	pim_yaml *yaml;
	int depth;
	const anchor *anchors; /* the last one first: it hides earlier ones of its name */
} reader;

static pim_yaml_node *read_node(reader *r, const pim_yaml_event *e);

bool pim_yaml_same_key(const char *a, const char *b)
{
	for (; *a && *b; a++, b++)
		if ((*a == '-' ? '_' : *a) != (*b == '-' ? '_' : *b))
			return false;
	return *a == *b;
}

const pim_yaml_node *pim_yaml_get(const pim_yaml_node *mapping, const char *key)
{
	for (const pim_yaml_node *n = mapping->first; n; n = n->next)
		if (n->key && pim_yaml_same_key(n->key, key))
			return n;
	return NULL;
}

static bool refuse_twin(reader *r, const pim_yaml_node *twin, pim_loc at)
{
	pim_error(r->context, at, "the key \"%s\" stands twice", twin->key);
	pim_report(r->context, PIM_NOTE, twin->key_at, "the first is here");
	return false;
}

static bool read_list(reader *r, pim_yaml_node *list)
{
	for (pim_yaml_node **end = &list->first;; end = &(*end)->next) {
		pim_yaml_event e;
		if (!pim_yaml_next(r->yaml, &e))
			return false;
		if (e.kind == PIM_YAML_list_end)
			return true;
		if (!(*end = read_node(r, &e)))
			return false;
		list->n++;
	}
}

static bool read_mapping(reader *r, pim_yaml_node *mapping)
{
	for (pim_yaml_node **end = &mapping->first;; end = &(*end)->next) {
		pim_yaml_event e;
		if (!pim_yaml_next(r->yaml, &e))
			return false;
		if (e.kind == PIM_YAML_mapping_end)
			return true;
		if (e.kind != PIM_YAML_scalar)
			return pim_error(r->context, e.at, "expected a plain key, as in \"name: value\"");
		const char *key = pim_arena_copy(r->arena, e.text, e.length);
		pim_loc key_at = e.at;
		const pim_yaml_node *twin = pim_yaml_get(mapping, key);
		if (twin)
			return refuse_twin(r, twin, key_at);
		if (mapping->n == MOST_KEYS)
			return pim_error(r->context, key_at, "more than %d keys", (int)MOST_KEYS);
		if (!pim_yaml_next(r->yaml, &e) || !(*end = read_node(r, &e)))
			return false;
		(*end)->key = key;
		(*end)->key_at = key_at;
		mapping->n++;
	}
}

static void add_anchor(reader *r, const char *name, const pim_yaml_node *value)
{
	anchor *a = PIM_NEW(r->arena, anchor, 1);
	*a = (anchor){name, value, r->anchors};
	r->anchors = a;
}

/* The value again, as another child: what is below it stands in the tree once. */
static pim_yaml_node *copy_anchored(reader *r, const pim_yaml_event *e)
{
	for (const anchor *a = r->anchors; a; a = a->before)
		if (!strcmp(a->name, e->anchor)) {
			pim_yaml_node *n = PIM_NEW(r->arena, pim_yaml_node, 1);
			*n = *a->value;
			n->next = NULL;
			return n;
		}
	pim_error(r->context, e->at, "nothing before it is named &%s", e->anchor);
	return NULL;
}

static bool read_value(reader *r, const pim_yaml_event *e, pim_yaml_node *n)
{
	if (e->kind == PIM_YAML_scalar) {
		n->text = pim_arena_copy(r->arena, e->text, e->length);
		return true;
	}
	if (r->depth == DEEPEST)
		return pim_error(r->context, e->at, "nested deeper than %d levels", (int)DEEPEST);
	r->depth++;
	bool good = e->kind == PIM_YAML_list ? read_list(r, n) : read_mapping(r, n);
	r->depth--;
	return good;
}

static pim_yaml_node *read_node(reader *r, const pim_yaml_event *e)
{
	if (e->kind == PIM_YAML_alias)
		return copy_anchored(r, e);
	const char *name = e->anchor ? pim_arena_copy(r->arena, e->anchor, strlen(e->anchor)) : NULL;
	pim_yaml_node *n = PIM_NEW(r->arena, pim_yaml_node, 1);
	*n = (pim_yaml_node){.kind = e->kind, .at = e->value_at};
	if (!read_value(r, e, n))
		return NULL;
	if (name)
		add_anchor(r, name, n);
	return n;
}

static bool want_event(reader *r, pim_yaml_kind kind, pim_yaml_event *e, const char *message)
{
	if (!pim_yaml_next(r->yaml, e))
		return false;
	return e->kind == kind || pim_error(r->context, e->at, "%s", message);
}

static pim_yaml_node *read_document(reader *r)
{
	pim_yaml_event e;
	if (!want_event(r, PIM_YAML_stream, &e, "expected YAML text") ||
		!want_event(r, PIM_YAML_document, &e, "the file holds no keys") ||
		!want_event(r, PIM_YAML_mapping, &e, "expected keys and values at the top of the file"))
		return NULL;
	pim_yaml_node *n = read_node(r, &e);
	bool good = n && want_event(r, PIM_YAML_document_end, &e, "expected the end of the document") &&
				want_event(r, PIM_YAML_stream_end, &e, "the file holds more than one document");
	return good ? n : NULL;
}

pim_yaml_node *pim_yaml_tree(
	pim_context *c, pim_arena *a, uint32_t source, const char *text, size_t bytes)
{
	reader r = {.context = c, .arena = a, .yaml = pim_yaml_open(c, a, source, text, bytes)};
	pim_yaml_node *n = read_document(&r);
	pim_yaml_close(r.yaml);
	return n;
}
