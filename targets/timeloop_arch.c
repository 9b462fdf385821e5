/* SPDX-License-Identifier: Apache-2.0 */
/* timeloop_arch.c - the part `architecture` of Timeloop's files: a chain of memories.
 *
 * A tree of subtrees with local parts; `name[0..15]` makes 16 of a part. The first is the outermost
 * memory, the last is the compute unit. Classes that are networks are passed over: they take no
 * time and no energy here. */
#include <limits.h>
#include <math.h>
#include <string.h>
#include <strings.h>

#include "targets/timeloop_file.h"

enum { MOST_INSTANCES = 1 << 16, DEFAULT_WORD_BITS = 16 };

typedef struct reader {
	timeloop_file *file;
	int n; /* parts so far, outermost first */
	timeloop_level level[TIMELOOP_LEVELS + 1];
	bool computes[TIMELOOP_LEVELS + 1];
} reader;

static const char *const keys[] = {"name", "class", "attributes", "local", "subtree", "version"};
enum { NAME_AND_CLASS = 3, KEYS = sizeof keys / sizeof keys[0] };

static const char *const attributes[] = {"depth", "entries", "memory_depth", "sizeKB", "width",
	"memory_width", "word-bits", "word_width", "datawidth", "block-size", "n_words", "cluster-size",
	"read_bandwidth", "write_bandwidth", "shared_bandwidth", "bandwidth", "multiple-buffering",
	"min-utilization", "vector-access-energy", "energy", "instances", "meshX", "meshY",
	"technology", "n_banks", "num-banks", "n_ports", "num-ports", "n_rdwr_ports", "network_read",
	"network_fill", "network_drain", "network_update", "addr-gen-energy", "cluster-area", "latency",
	"type", "network-word-bits", "wire-energy", "router-energy", "area"};
enum { ATTRIBUTES = sizeof attributes / sizeof attributes[0] };

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
				used > 0 && !open[used] && low >= 0 && high >= low && high < MOST_INSTANCES;
	if (!good)
		return pim_error(r->file->context, n->at,
			"\"%s\": expected a range such as [0..15], up to %d", n->text, MOST_INSTANCES - 1);
	*copies = high - low + 1;
	return true;
}

static bool multiply(reader *r, pim_loc at, int64_t *a, int64_t b)
{
	*a *= b;
	return *a <= MOST_INSTANCES ||
		   pim_error(r->file->context, at, "%lld instances, expected at most %d", (long long)*a,
			   (int)MOST_INSTANCES);
}

/* The first of some keys that is there. */
static const pim_yaml_node *get_any(const pim_yaml_node *n, int names, const char *const *name)
{
	for (int i = 0; n && i < names; i++) {
		const pim_yaml_node *found = pim_yaml_get(n, name[i]);
		if (found)
			return found;
	}
	return NULL;
}

static bool get_int(
	reader *r, const pim_yaml_node *n, int names, const char *const *name, int64_t *v, bool *there)
{
	const pim_yaml_node *found = get_any(n, names, name);
	*there = found != NULL;
	return !found || pim_timeloop_int(r->file, found, found->key, 1, INT32_MAX, v);
}

static bool get_real(reader *r, const pim_yaml_node *n, const char *name, double *v)
{
	const pim_yaml_node *found = get_any(n, 1, &name);
	return !found || pim_timeloop_real(r->file, found, name, v);
}

static bool read_mesh(reader *r, const pim_yaml_node *n, pim_loc at, timeloop_level *l)
{
	static const char *const instances = "instances", *const x = "meshX", *const y = "meshY";
	bool there, has_x, has_y;
	if (!get_int(r, n, 1, &instances, &l->instances, &there) ||
		!get_int(r, n, 1, &x, &l->mesh_x, &has_x) || !get_int(r, n, 1, &y, &l->mesh_y, &has_y))
		return false;
	if (!has_x && !has_y)
		l->mesh_x = l->instances;
	else if (!has_x)
		l->mesh_x = l->instances / l->mesh_y;
	if (!has_y)
		l->mesh_y = l->instances / l->mesh_x;
	if (l->instances <= MOST_INSTANCES && l->mesh_x * l->mesh_y == l->instances)
		return true;
	return pim_error(r->file->context, at, "%lld instances of %s do not make a mesh of %lld x %lld",
		(long long)l->instances, l->name, (long long)l->mesh_x, (long long)l->mesh_y);
}

/* Block, cluster and capacity: all in words. */
static bool read_shape(reader *r, const pim_yaml_node *n, pim_loc at, timeloop_level *l)
{
	static const char *const bits_names[] = {"word-bits", "word_width", "datawidth"};
	static const char *const block_names[] = {"block-size", "n_words"};
	static const char *const cluster_names[] = {"cluster-size"};
	static const char *const width_names[] = {"width", "memory_width"};
	static const char *const depth_names[] = {"depth", "memory_depth"};
	static const char *const entries_names[] = {"entries"}, *const size_names[] = {"sizeKB"};
	int64_t bits = DEFAULT_WORD_BITS, cluster = 1, width = 0, v = 0;
	bool there, clustered, wide;
	if (!get_int(r, n, 3, bits_names, &bits, &there) ||
		!get_int(r, n, 2, block_names, &l->block, &there) ||
		!get_int(r, n, 1, cluster_names, &cluster, &clustered) ||
		!get_int(r, n, 2, width_names, &width, &wide))
		return false;
	if (!clustered && wide) {
		if (width % (bits * l->block))
			return pim_error(r->file->context, at,
				"%s is %lld bits wide, expected a multiple of its %lld words of %lld bits", l->name,
				(long long)width, (long long)l->block, (long long)bits);
		cluster = width / (bits * l->block);
	}
	if (cluster > l->instances)
		return pim_error(r->file->context, at,
			"%s has a cluster of %lld, expected at most its %lld instances", l->name,
			(long long)cluster, (long long)l->instances);
	l->clusters = l->instances / cluster;
	double parts = 1;
	bool entries, depth, size;
	if (!get_real(r, n, "multiple-buffering", &parts) ||
		!get_real(r, n, "min-utilization", &l->least_used) ||
		!get_int(r, n, 1, entries_names, &v, &entries))
		return false;
	if (parts < 1 || l->least_used > 1)
		return pim_error(r->file->context, at,
			"%s: expected multiple-buffering of at least 1, min-utilization of at most 1", l->name);
	l->capacity = v;
	if (!entries) {
		if (!get_int(r, n, 2, depth_names, &v, &depth))
			return false;
		l->capacity = v * l->block;
		if (!depth) {
			if (!get_int(r, n, 1, size_names, &v, &size))
				return false;
			l->capacity = size ? v * 1024 * 8 / bits : -1;
		}
	}
	if (l->capacity >= 0)
		l->capacity = (int64_t)floor((double)l->capacity / parts);
	return true;
}

static bool read_figures(reader *r, const pim_yaml_node *n, pim_loc at, timeloop_level *l)
{
	double both = 0;
	if (!get_real(r, n, "read_bandwidth", &l->read_bandwidth) ||
		!get_real(r, n, "write_bandwidth", &l->write_bandwidth) ||
		!get_real(r, n, "shared_bandwidth", &l->shared_bandwidth) ||
		!get_real(r, n, "bandwidth", &both))
		return false;
	if (both > 0 && l->read_bandwidth <= 0)
		l->read_bandwidth = both / 2;
	if (both > 0 && l->write_bandwidth <= 0)
		l->write_bandwidth = both / 2;
	const char *key = "vector-access-energy";
	if (!get_any(n, 1, &key))
		return pim_error(r->file->context, at,
			"%s has no vector-access-energy; there is no table of energies here", l->name);
	return get_real(r, n, key, &l->energy);
}

static bool read_compute(reader *r, const pim_yaml_node *n, pim_loc at, timeloop_level *l)
{
	static const char *const energies[] = {"energy", "vector-access-energy"};
	const pim_yaml_node *energy = get_any(n, 2, energies);
	if (energy)
		return pim_timeloop_real(r->file, energy, energy->key, &l->energy);
	return pim_error(
		r->file->context, at, "%s has no energy; there is no table of energies here", l->name);
}

static bool has_word(const char *text, const char *word)
{
	size_t n = strlen(word);
	for (; *text; text++)
		if (!strncasecmp(text, word, n))
			return true;
	return false;
}

static bool is_network(const char *class)
{
	return has_word(class, "noc") || has_word(class, "network") || has_word(class, "multicast") ||
		   has_word(class, "reductiontree") || has_word(class, "legacy") || has_word(class, "wire");
}

static bool is_compute(const char *class)
{
	return has_word(class, "mac") || has_word(class, "compute") || has_word(class, "alu");
}

/* DRAM cannot add to what it holds. */
static bool is_dram(const char *class, const pim_yaml_node *n)
{
	const pim_yaml_node *technology = n ? pim_yaml_get(n, "technology") : NULL;
	return strstr(class, "DRAM") ||
		   (technology && technology->kind == PIM_YAML_scalar && !strcmp(technology->text, "DRAM"));
}

static void warn_unknown(reader *r, const pim_yaml_node *n)
{
	for (const pim_yaml_node *c = n->first; c; c = c->next) {
		bool known = false;
		for (int i = 0; i < ATTRIBUTES; i++)
			known |= pim_yaml_same_key(c->key, attributes[i]);
		if (!known)
			pim_report(r->file->context, PIM_WARNING, c->key_at, "the attribute \"%s\" is not used",
				c->key);
	}
}

static bool read_part(reader *r, const pim_yaml_node *n, int64_t copies)
{
	if (!pim_timeloop_kind(r->file, n, PIM_YAML_mapping, "a local part") ||
		!pim_timeloop_keys(r->file, n, NAME_AND_CLASS, keys))
		return false;
	const pim_yaml_node *name = pim_timeloop_want(r->file, n, "name", PIM_YAML_scalar);
	const pim_yaml_node *class = pim_timeloop_want(r->file, n, "class", PIM_YAML_scalar);
	const pim_yaml_node *values = pim_yaml_get(n, "attributes");
	if (!name || !class ||
		(values && !pim_timeloop_kind(r->file, values, PIM_YAML_mapping, "attributes")))
		return false;
	if (is_network(class->text))
		return true;
	if (r->n == TIMELOOP_LEVELS + 1)
		return pim_error(r->file->context, n->at, "more than %d memories", (int)TIMELOOP_LEVELS);
	timeloop_level *l = &r->level[r->n];
	*l = (timeloop_level){.at = n->at, .block = 1, .clusters = 1, .capacity = -1};
	if (!read_name(r, name, &l->name, &l->instances) ||
		!multiply(r, name->at, &l->instances, copies) || !read_mesh(r, values, name->at, l))
		return false;
	if (values)
		warn_unknown(r, values);
	for (int i = 0; i < r->n; i++)
		if (!strcmp(r->level[i].name, l->name))
			return pim_error(r->file->context, name->at, "the name %s stands twice", l->name);
	r->computes[r->n] = is_compute(class->text);
	l->reduces = !is_dram(class->text, values);
	if (r->computes[r->n++])
		return read_compute(r, values, name->at, l);
	return read_shape(r, values, name->at, l) && read_figures(r, values, name->at, l);
}

static bool read_tree(reader *r, const pim_yaml_node *n, int64_t copies)
{
	if (!pim_timeloop_kind(r->file, n, PIM_YAML_mapping, "a subtree") ||
		!pim_timeloop_keys(r->file, n, KEYS, keys))
		return false;
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

bool pim_timeloop_read_arch(timeloop_file *f, const pim_yaml_node *n, timeloop_arch *a)
{
	reader r = {.file = f};
	if (!pim_timeloop_kind(f, n, PIM_YAML_mapping, "architecture") || !read_tree(&r, n, 1))
		return false;
	a->levels = r.n - 1;
	if (a->levels < 1 || !r.computes[a->levels])
		return pim_error(f->context, n->at,
			"expected one memory at least, and a compute unit (a class such as intmac) last");
	for (int i = 0; i < a->levels; i++) {
		if (r.computes[i])
			return pim_error(
				f->context, r.level[i].at, "%s computes, but memories follow it", r.level[i].name);
		if (!check_fan_out(&r, &r.level[i], &r.level[i + 1]))
			return false;
		a->level[a->levels - 1 - i] = r.level[i];
	}
	a->compute = r.level[a->levels];
	if (r.level[0].instances != 1)
		return pim_error(f->context, r.level[0].at, "%lld of the outermost memory %s, expected one",
			(long long)r.level[0].instances, r.level[0].name);
	return true;
}
