/* SPDX-License-Identifier: Apache-2.0 */
/* timeloop_arch.c - the part `architecture` of Timeloop's files: a chain of memories.
 *
 * A tree of subtrees with local parts; `name[0..15]` makes 16 of a part. The first is the outermost
 * memory; the compute unit may stand anywhere. Networks are passed over: they take no time and no
 * energy here. So are parts of other classes, with a warning. Older files have a list of memories
 * and the arithmetic instead of a tree. */
#include <string.h>

#include "targets/timeloop_file.h"

typedef struct reader {
	timeloop_file *file;
	int n; /* memories so far, outermost first */
	timeloop_level level[TIMELOOP_LEVELS], compute;
	bool computes; /* the compute unit was there */
} reader;

static const char *const keys[] = {"name", "class", "attributes", "local", "subtree", "version"};
enum { KEYS = sizeof keys / sizeof keys[0] };

/* `PE[0..15]` is 16 of PE. */
static bool read_name(reader *r, const pim_yaml_node *n, const char **name, int64_t *copies)
{
	const char *open = strchr(n->text, '[');
	long long low = 0, high = 0;
	int used = 0;
	size_t length = open ? (size_t)(open - n->text) : strlen(n->text);
	*name = pim_timeloop_name(r->file, n->text, length);
	*copies = 1;
	if (!open)
		return true;
	bool good = strlen(open) < 32 && sscanf(open, "[%lld..%lld]%n", &low, &high, &used) == 2 &&
				used > 0 && !open[used] && low >= 0 && high >= low &&
				high < TIMELOOP_MOST_INSTANCES;
	if (!good)
		return pim_error(r->file->context, n->at,
			"\"%s\": expected a range such as [0..15], up to %d", n->text,
			TIMELOOP_MOST_INSTANCES - 1);
	*copies = high - low + 1;
	return true;
}

static bool multiply(reader *r, pim_loc at, int64_t *a, int64_t b)
{
	*a *= b;
	return *a <= TIMELOOP_MOST_INSTANCES ||
		   pim_error(r->file->context, at, "%lld instances, expected at most %d", (long long)*a,
			   (int)TIMELOOP_MOST_INSTANCES);
}

/* ---- parts: what a class is follows from words in its name ---- */

typedef enum part_kind { MEMORY, COMPUTE, NETWORK, OTHER } part_kind;

static bool has_word(const char *class, int n, const char *const *words)
{
	for (int i = 0; i < n; i++)
		if (strstr(class, words[i]))
			return true;
	return false;
}

static part_kind find_part_kind(const char *class)
{
	static const char *const memories[] = {"DRAM", "SRAM", "regfile", "smartbuffer", "storage"};
	static const char *const computes[] = {"mac", "compute"};
	static const char *const networks[] = {"XY_NoC", "Legacy", "ReductionTree", "SimpleMulticast"};
	if (has_word(class, 5, memories))
		return MEMORY;
	if (has_word(class, 2, computes))
		return COMPUTE;
	return has_word(class, 4, networks) ? NETWORK : OTHER;
}

static bool check_name(reader *r, const char *name, pim_loc at)
{
	bool twice = r->computes && !strcmp(r->compute.name, name);
	for (int i = 0; i < r->n; i++)
		twice |= !strcmp(r->level[i].name, name);
	return !twice || pim_error(r->file->context, at, "the name %s stands twice", name);
}

static bool take_compute(reader *r, const pim_yaml_node *values, timeloop_level *l)
{
	if (r->computes) {
		pim_error(r->file->context, l->at, "a second compute unit %s", l->name);
		pim_report(r->file->context, PIM_NOTE, r->compute.at, "the first is here");
		return false;
	}
	bool good = pim_timeloop_read_compute(r->file, values, l->at, l);
	r->compute = *l;
	r->computes = true;
	return good;
}

static bool take_memory(
	reader *r, const pim_yaml_node *values, const char *class, timeloop_level *l)
{
	if (r->n == TIMELOOP_LEVELS)
		return pim_error(r->file->context, l->at, "more than %d memories", (int)TIMELOOP_LEVELS);
	bool good = pim_timeloop_read_memory(r->file, values, l->at, class, l);
	r->level[r->n++] = *l;
	return good;
}

static void warn_keys(reader *r, const pim_yaml_node *n, const char *what)
{
	for (const pim_yaml_node *c = n->first; c; c = c->next) {
		bool known = pim_yaml_same_key(c->key, "subclass");
		for (int i = 0; i < KEYS; i++)
			known |= pim_yaml_same_key(c->key, keys[i]);
		if (!known)
			pim_report(r->file->context, PIM_WARNING, c->key_at, "the key \"%s\" of %s is not used",
				c->key, what);
	}
}

/* Before its attributes are read; they may change the number of instances. */
static bool add_level(reader *r, const pim_yaml_node *name, part_kind kind, const char *class,
	const pim_yaml_node *values, int64_t copies)
{
	timeloop_level l = {.at = name->at, .block = 1, .clusters = 1, .capacity = -1};
	if (!read_name(r, name, &l.name, &l.instances) ||
		!multiply(r, name->at, &l.instances, copies) || !check_name(r, l.name, name->at))
		return false;
	return kind == COMPUTE ? take_compute(r, values, &l) : take_memory(r, values, class, &l);
}

static bool read_part(reader *r, const pim_yaml_node *n, int64_t copies)
{
	if (!pim_timeloop_kind(r->file, n, PIM_YAML_mapping, "a local part"))
		return false;
	const pim_yaml_node *name = pim_timeloop_want(r->file, n, "name", PIM_YAML_scalar);
	const pim_yaml_node *class = pim_timeloop_want(r->file, n, "class", PIM_YAML_scalar);
	const pim_yaml_node *values = pim_yaml_get(n, "attributes");
	if (!name || !class ||
		(values && !pim_timeloop_kind(r->file, values, PIM_YAML_mapping, "attributes")))
		return false;
	warn_keys(r, n, "a local part");
	part_kind kind = find_part_kind(class->text);
	if (kind == OTHER)
		pim_report(r->file->context, PIM_WARNING, class->at,
			"%s is passed over: its class \"%s\" is none of a memory, compute unit or network",
			name->text, class->text);
	if (kind == OTHER || kind == NETWORK)
		return true;
	return add_level(r, name, kind, class->text, values, copies);
}

/* ---- the flat form: memories innermost first, every part with its number of instances ---- */

static bool read_flat_part(reader *r, const pim_yaml_node *n, part_kind kind)
{
	if (!pim_timeloop_kind(r->file, n, PIM_YAML_mapping, "a memory or the arithmetic"))
		return false;
	const pim_yaml_node *name = pim_yaml_get(n, "name");
	const pim_yaml_node unnamed = {.kind = PIM_YAML_scalar, .at = n->at, .text = "arithmetic"};
	if (!name && kind == COMPUTE)
		name = &unnamed;
	else if (!name || name->kind != PIM_YAML_scalar)
		name = pim_timeloop_want(r->file, n, "name", PIM_YAML_scalar);
	return name && pim_timeloop_want(r->file, n, "instances", PIM_YAML_scalar) &&
		   add_level(r, name, kind, "", n, 1);
}

static bool read_flat(reader *r, const pim_yaml_node *n)
{
	const pim_yaml_node *storage = pim_timeloop_want(r->file, n, "storage", PIM_YAML_list);
	const pim_yaml_node *arithmetic = pim_timeloop_want(r->file, n, "arithmetic", PIM_YAML_mapping);
	const pim_yaml_node *memory[TIMELOOP_LEVELS];
	if (!storage || !arithmetic)
		return false;
	if (storage->n > TIMELOOP_LEVELS)
		return pim_error(
			r->file->context, storage->at, "more than %d memories", (int)TIMELOOP_LEVELS);
	int count = 0;
	for (const pim_yaml_node *c = storage->first; c; c = c->next)
		memory[count++] = c;
	while (count)
		if (!read_flat_part(r, memory[--count], MEMORY))
			return false;
	return read_flat_part(r, arithmetic, COMPUTE);
}

/* ---- the tree ---- */

static bool read_tree(reader *r, const pim_yaml_node *n, int64_t copies)
{
	if (!pim_timeloop_kind(r->file, n, PIM_YAML_mapping, "a subtree"))
		return false;
	warn_keys(r, n, "a subtree");
	const pim_yaml_node *name = pim_yaml_get(n, "name"), *local = pim_yaml_get(n, "local");
	const pim_yaml_node *subtree = pim_yaml_get(n, "subtree");
	const char *text;
	int64_t here = 1;
	if (name && (!pim_timeloop_kind(r->file, name, PIM_YAML_scalar, "a name") ||
					!read_name(r, name, &text, &here) || !multiply(r, name->at, &copies, here)))
		return false;
	if (local && !pim_timeloop_kind(r->file, local, PIM_YAML_list, "local"))
		return false;
	for (const pim_yaml_node *c = local ? local->first : NULL; c; c = c->next)
		if (!read_part(r, c, copies))
			return false;
	if (!subtree)
		return true;
	if (!pim_timeloop_kind(r->file, subtree, PIM_YAML_list, "subtree"))
		return false;
	if (subtree->n != 1)
		return pim_error(r->file->context, subtree->at,
			"%d subtrees side by side, expected one: a chain of memories", subtree->n);
	return read_tree(r, subtree->first, copies);
}

static bool check_fan_out(reader *r, const timeloop_level *outer, const timeloop_level *inner)
{
	if (inner->mesh_x % outer->mesh_x == 0 && inner->mesh_y % outer->mesh_y == 0)
		return true;
	return pim_error(r->file->context, inner->at,
		"%lld x %lld of %s cannot be shared out to %lld x %lld of %s", (long long)inner->mesh_x,
		(long long)inner->mesh_y, inner->name, (long long)outer->mesh_x, (long long)outer->mesh_y,
		outer->name);
}

/* Innermost first, as timeloop_arch has them. */
static bool take_chain(reader *r, timeloop_arch *a)
{
	a->levels = r->n;
	a->compute = r->compute;
	for (int i = 0; i < r->n; i++) {
		const timeloop_level *below = i + 1 < r->n ? &r->level[i + 1] : &r->compute;
		if (!check_fan_out(r, &r->level[i], below))
			return false;
		a->level[r->n - 1 - i] = r->level[i];
		a->latency += r->level[i].latency;
	}
	return true;
}

static bool check_version(reader *r, const pim_yaml_node *n)
{
	const pim_yaml_node *version = pim_yaml_get(n, "version");
	return !version || version->kind != PIM_YAML_scalar || strncmp(version->text, "0.4", 3) ||
		   pim_error(r->file->context, version->at,
			   "architectures of version %s are not read, expected 0.2 or 0.3", version->text);
}

bool pim_timeloop_read_arch(timeloop_file *f, const pim_yaml_node *n, timeloop_arch *a)
{
	reader r = {.file = f};
	if (!pim_timeloop_kind(f, n, PIM_YAML_mapping, "architecture") || !check_version(&r, n) ||
		!(pim_yaml_get(n, "storage") ? read_flat(&r, n) : read_tree(&r, n, 1)))
		return false;
	if (!r.n || !r.computes)
		return pim_error(f->context, n->at,
			"expected one memory at least, and a compute unit (a class such as intmac)");
	if (r.level[0].instances != 1)
		return pim_error(f->context, r.level[0].at, "%lld of the outermost memory %s, expected one",
			(long long)r.level[0].instances, r.level[0].name);
	return take_chain(&r, a);
}
