/* SPDX-License-Identifier: Apache-2.0 */
/* timeloop_part.c - the attributes of one memory or compute unit in Timeloop's architecture files.
 *
 * A memory of `depth` vectors has block words of word-bits in each. Where only `width` is given, a
 * vector is as wide as it: width = word-bits * block-size * cluster-size, and what is missing of
 * the last two follows, the cluster as 1 where both are. Energies that the file does not give come
 * from a table: a straight line through 1 pJ at 0.5 KB and 6 pJ at 100 KB for 16 bits of SRAM, 200
 * pJ for 16 bits of DRAM, 1 pJ for a product of two 16-bit words.
 * Source: attributes and table of Timeloop v3. */
#include <math.h>
#include <string.h>

#include "targets/timeloop_file.h"

enum { DEFAULT_WORD_BITS = 16 };

static const char *const attributes[] = {"depth", "entries", "memory_depth", "data_storage_depth",
	"sizeKB", "width", "memory_width", "data_storage_width", "word-bits", "word_width", "datawidth",
	"block-size", "n_words", "cluster-size", "read_bandwidth", "write_bandwidth",
	"shared_bandwidth", "bandwidth", "multiple-buffering", "min-utilization",
	"vector-access-energy", "energy", "instances", "meshX", "meshY", "technology", "n_banks",
	"num-banks", "n_ports", "num-ports", "network_read", "network_fill", "network_drain",
	"network_update", "network_operand", "network_result", "network-type", "network_fill_latency",
	"network_drain_latency", "addr-gen-energy", "cluster-area", "latency", "type",
	"network-word-bits", "wire-energy", "router-energy", "energy-per-hop", "tile-width", "area",
	"reduction_supported", "name", "class"};
enum { ATTRIBUTES = sizeof attributes / sizeof attributes[0] };

typedef struct part {
	timeloop_file *file;
	const pim_yaml_node *values; /* NULL: none */
	pim_loc at;
	timeloop_level *level;
	bool dram;
} part;

/* ---- values: the first of some keys that is there ---- */

static const pim_yaml_node *get_any(const part *p, int names, const char *const *name)
{
	for (int i = 0; p->values && i < names; i++) {
		const pim_yaml_node *found = pim_yaml_get(p->values, name[i]);
		if (found)
			return found;
	}
	return NULL;
}

typedef struct range {
	int64_t least, most;
} range;

static const range any = {0, INT32_MAX}, some = {1, INT32_MAX}, bits_of_word = {1, 1 << 16},
				   words_of_vector = {1, 1 << 20};

static bool get_int(part *p, int names, const char *const *name, range in, int64_t *v)
{
	const pim_yaml_node *found = get_any(p, names, name);
	return !found || pim_timeloop_int(p->file, found, found->key, in.least, in.most, v);
}

static const pim_yaml_node *get_one(const part *p, const char *name)
{
	return get_any(p, 1, &name);
}

static bool get_real(part *p, const char *name, double *v)
{
	const pim_yaml_node *found = get_one(p, name);
	return !found || pim_timeloop_real(p->file, found, name, v);
}

/* Not there: v stays; there: more than 0. */
static bool get_bandwidth(part *p, const char *name, double *v)
{
	const pim_yaml_node *found = get_one(p, name);
	return !found ||
		   (pim_timeloop_real(p->file, found, name, v) &&
			   (*v > 0 || pim_error(p->file->context, found->at, "%s is 0, expected more", name)));
}

/* ---- a memory ---- */

static bool read_mesh(part *p)
{
	timeloop_level *l = p->level;
	static const char *const instances = "instances", *const x = "meshX", *const y = "meshY";
	if (!get_int(p, 1, &instances, some, &l->instances) || !get_int(p, 1, &x, some, &l->mesh_x) ||
		!get_int(p, 1, &y, some, &l->mesh_y))
		return false;
	if (!l->mesh_x)
		l->mesh_x = l->mesh_y ? l->instances / l->mesh_y : l->instances;
	if (!l->mesh_y)
		l->mesh_y = l->mesh_x ? l->instances / l->mesh_x : 1;
	if (l->instances <= TIMELOOP_MOST_INSTANCES && l->mesh_x * l->mesh_y == l->instances)
		return true;
	return pim_error(p->file->context, p->at,
		"%lld instances of %s do not make a mesh of %lld x %lld", (long long)l->instances, l->name,
		(long long)l->mesh_x, (long long)l->mesh_y);
}

typedef struct shape {
	int64_t bits, block, cluster; /* 0: not given */
	int64_t words;				  /* -1: not given */
} shape;

static bool fit_width(part *p, shape *s, int64_t width)
{
	int64_t known = s->bits * (s->block ? s->block : 1);
	known *= s->cluster ? s->cluster : 1;
	if (width % known || (s->block && s->cluster && width != known))
		return pim_error(p->file->context, p->at,
			"%s is %lld bits wide, expected a multiple of its %lld words of %lld bits",
			p->level->name, (long long)width, (long long)(known / s->bits), (long long)s->bits);
	if (!s->block)
		s->block = width / known;
	else if (!s->cluster)
		s->cluster = width / known;
	return true;
}

static bool read_width(part *p, shape *s)
{
	static const char *const bits[] = {"word-bits", "word_width", "datawidth"};
	static const char *const block[] = {"block-size", "n_words"}, *const cluster = "cluster-size";
	static const char *const widths[] = {"width", "memory_width", "data_storage_width"};
	int64_t width = 0;
	if (!get_int(p, 3, bits, bits_of_word, &s->bits) ||
		!get_int(p, 2, block, words_of_vector, &s->block) ||
		!get_int(p, 1, &cluster, words_of_vector, &s->cluster) ||
		!get_int(p, 3, widths, some, &width) || (width && !fit_width(p, s, width)))
		return false;
	s->block += !s->block;
	s->cluster += !s->cluster;
	if (s->cluster > p->level->instances)
		return pim_error(p->file->context, p->at,
			"%s has a cluster of %lld, expected at most its %lld instances", p->level->name,
			(long long)s->cluster, (long long)p->level->instances);
	p->level->block = s->block;
	p->level->clusters = p->level->instances / s->cluster;
	return true;
}

static bool read_words(part *p, shape *s)
{
	static const char *const depth[] = {"depth", "memory_depth", "data_storage_depth"};
	static const char *const entries = "entries", *const kilobytes = "sizeKB";
	s->words = -1;
	if (get_one(p, entries))
		return get_int(p, 1, &entries, any, &s->words);
	if (get_any(p, 3, depth)) {
		bool good = get_int(p, 3, depth, any, &s->words);
		s->words *= s->block;
		return good;
	}
	if (!get_one(p, kilobytes))
		return true;
	bool good = get_int(p, 1, &kilobytes, any, &s->words);
	s->words = s->words * 1024 * 8 / s->bits;
	return good;
}

static bool read_capacity(part *p, const shape *s)
{
	timeloop_level *l = p->level;
	double parts = 1;
	if (!get_real(p, "multiple-buffering", &parts) ||
		!get_real(p, "min-utilization", &l->least_used))
		return false;
	if (parts < 1 || l->least_used > 1)
		return pim_error(p->file->context, p->at,
			"%s: expected multiple-buffering of at least 1, min-utilization of at most 1", l->name);
	l->capacity = s->words < 0 ? -1 : (int64_t)floor((double)s->words / parts);
	return true;
}

static bool read_bandwidths(part *p)
{
	timeloop_level *l = p->level;
	double both = 0;
	if (!get_bandwidth(p, "bandwidth", &both))
		return false;
	l->read_bandwidth = l->write_bandwidth = both / 2;
	return get_bandwidth(p, "read_bandwidth", &l->read_bandwidth) &&
		   get_bandwidth(p, "write_bandwidth", &l->write_bandwidth) &&
		   get_bandwidth(p, "shared_bandwidth", &l->shared_bandwidth);
}

/* ---- energies ---- */

static double sram_energy(const shape *s)
{
	const double small_size = 0.5, small = 1, large_size = 100, large = 6; /* KB; pJ for 16 bits */
	const double slope = (large - small) / (large_size - small_size);
	int64_t width = s->bits * s->block * s->cluster;
	int64_t height = s->words / s->block + (s->words % s->block != 0);
	double size = (double)width * (double)height / (8 * 1024);
	double word = slope * (size - small_size) + small;
	return word * (double)width / 16 / (double)s->cluster;
}

static bool read_energy(part *p, const shape *s)
{
	timeloop_level *l = p->level;
	double address = 0;
	const pim_yaml_node *addressing = get_one(p, "addr-gen-energy");
	if (addressing && addressing->kind == PIM_YAML_scalar && *addressing->text == '-')
		addressing = NULL; /* below 0: the table's, which is 0 */
	if (addressing && !pim_timeloop_real(p->file, addressing, "addr-gen-energy", &address))
		return false;
	l->address_energy = address;
	if (get_one(p, "vector-access-energy"))
		return get_real(p, "vector-access-energy", &l->energy);
	if (p->dram)
		l->energy = 200.0 * (double)(s->bits * s->block) / 16;
	else if (s->words > 0)
		l->energy = sram_energy(s);
	else if (s->words < 0)
		return pim_error(p->file->context, p->at,
			"%s has neither a vector-access-energy nor a depth that gives one", l->name);
	return true;
}

/* Networks are free and exact copies of words are all that they carry. */
static bool check_network(part *p)
{
	static const char *const figures[] = {"wire-energy", "router-energy", "energy-per-hop"};
	for (int i = 0; i < 3; i++) {
		double v = 0;
		const pim_yaml_node *n = get_one(p, figures[i]);
		if (n && !pim_timeloop_real(p->file, n, figures[i], &v))
			return false;
		if (v > 0)
			return pim_error(p->file->context, n->at,
				"%s is %g, expected 0: the energy of networks is not counted", figures[i], v);
	}
	const pim_yaml_node *type = get_one(p, "network-type");
	if (!type || (pim_timeloop_kind(p->file, type, PIM_YAML_scalar, "network-type") &&
					 (!strcmp(type->text, "1:1") || !strcmp(type->text, "1:N"))))
		return true;
	return type->kind == PIM_YAML_scalar &&
		   pim_error(p->file->context, type->at, "network-type is \"%s\", expected 1:1 or 1:N",
			   type->text);
}

static bool read_latency(part *p)
{
	static const char *const fill = "network_fill_latency", *const drain = "network_drain_latency";
	int64_t in = 0, out = 0;
	if (!get_int(p, 1, &fill, any, &in) || !get_int(p, 1, &drain, any, &out))
		return false;
	p->level->latency = in + out;
	return true;
}

/* DRAM cannot add to what it holds, unless the file says so. */
static bool read_technology(part *p, const char *class)
{
	const pim_yaml_node *technology = get_one(p, "technology");
	const pim_yaml_node *reduction = get_one(p, "reduction_supported");
	p->dram = strstr(class, "DRAM") || (technology && technology->kind == PIM_YAML_scalar &&
										   !strcmp(technology->text, "DRAM"));
	p->level->adds = !p->dram;
	return !reduction ||
		   pim_timeloop_bool(p->file, reduction, "reduction_supported", &p->level->adds);
}

static void warn_unknown(const part *p)
{
	for (const pim_yaml_node *c = p->values ? p->values->first : NULL; c; c = c->next) {
		bool known = false;
		for (int i = 0; i < ATTRIBUTES; i++)
			known |= pim_yaml_same_key(c->key, attributes[i]);
		if (!known)
			pim_report(p->file->context, PIM_WARNING, c->key_at, "the attribute \"%s\" is not used",
				c->key);
	}
}

bool pim_timeloop_read_memory(
	timeloop_file *f, const pim_yaml_node *values, pim_loc at, const char *class, timeloop_level *l)
{
	part p = {.file = f, .values = values, .at = at, .level = l};
	shape s = {.bits = DEFAULT_WORD_BITS};
	warn_unknown(&p);
	return read_mesh(&p) && read_technology(&p, class) && read_width(&p, &s) &&
		   read_words(&p, &s) && read_capacity(&p, &s) && read_bandwidths(&p) &&
		   read_energy(&p, &s) && check_network(&p) && read_latency(&p);
}

bool pim_timeloop_read_compute(
	timeloop_file *f, const pim_yaml_node *values, pim_loc at, timeloop_level *l)
{
	static const char *const bits[] = {"word-bits", "word_width", "datawidth"};
	part p = {.file = f, .values = values, .at = at, .level = l};
	int64_t word = DEFAULT_WORD_BITS;
	warn_unknown(&p);
	if (!read_mesh(&p) || !get_int(&p, 3, bits, bits_of_word, &word))
		return false;
	l->energy = (double)word / 16 * ((double)word / 16);
	return get_real(&p, "energy", &l->energy);
}
