/* SPDX-License-Identifier: Apache-2.0 */
/* Bad files of Timeloop: one change to good ones each, and the message it must give. */
#include <math.h>
#include <string.h>
#include <unistd.h>

#include "targets/timeloop.h"
#include "tests/unit/check.h"

enum { PROBLEM, ARCH, MAPPING, PARTS };

static const char *const good[PARTS] = {
	"problem:\n"
	"  shape:\n"
	"    dimensions: [ A, B ]\n"
	"    data-spaces:\n"
	"    - name: X\n"
	"      projection: [ [ [A, 3] ], [ [B] ] ]\n"
	"    - name: Y\n"
	"      projection: [ [ [A] ] ]\n"
	"      read-write: True\n"
	"  instance: { A: 8, B: 6 }\n",
	"architecture:\n"
	"  subtree:\n"
	"  - name: System\n"
	"    local:\n"
	"    - name: Big\n"
	"      class: DRAM\n"
	"      attributes: { vector-access-energy: 1 }\n"
	"    subtree:\n"
	"    - name: PE[0..3]\n"
	"      local:\n"
	"      - name: Small\n"
	"        class: SRAM\n"
	"        attributes: { depth: 100, vector-access-energy: 1 }\n"
	"      - name: Mac\n"
	"        class: intmac\n"
	"        attributes: { energy: 1 }\n",
	"mapping:\n"
	"- target: Small\n"
	"  type: temporal\n"
	"  factors: A=2 B=6\n"
	"  permutation: AB\n"
	"- target: Big\n"
	"  type: spatial\n"
	"  factors: A=4\n",
};

typedef struct change {
	int part;
	const char *from, *to, *message;
} change;

static const change changes[] = {
	{PROBLEM, "[ A, B ]\n", "[ ]\n", "3:17 0 dimensions, expected 1 to 16"},
	{PROBLEM, "[ A, B ]\n", "[ A, A ]\n", "3:22 the dimension A stands twice"},
	{PROBLEM, "[A, 3]", "[A, 3, 4]",
		"6:23 3 values, expected [dimension] or [dimension, coefficient]"},
	{PROBLEM, "[A, 3]", "[A, 0]",
		"6:27 a coefficient is \"0\", expected a whole number from 1 to 2147483647"},
	{PROBLEM, "[ [ [A] ] ]", "[ ]", "8:19 Y has 0 ranks, expected 1 to 8"},
	{PROBLEM, "[ [ [A] ] ]", "[ [ ] ]", "8:21 a rank of Y has no terms"},
	{PROBLEM, "name: Y", "name: X", "7:13 the data space X stands twice"},
	{PROBLEM,
		"    - name: X\n      projection: [ [ [A, 3] ], [ [B] ] ]\n    - name: Y\n      "
		"projection: [ [ [A] ] ]\n      read-write: True\n",
		"      []\n", "5:7 0 data spaces, expected 1 to 8"},
	{PROBLEM, "A: 8, B: 6", "A: 2000000000, B: 2000000000",
		"10:33 more multiply-accumulates than 9007199254740992"},
	{PROBLEM, "[A, 3] ], [ [B]", "[A, 2000000000] ], [ [B, 2000000000]",
		"10:13 X has more words than 9007199254740992"},
	{PROBLEM, "A: 8, ", "", "10:13 the key \"A\" is missing, expected a plain value"},
	{PROBLEM, "read-write: True", "read-write: 1",
		"9:19 read-write is \"1\", expected True or False"},
	{PROBLEM, "  shape:\n", "  shape: gem\n  form:\n",
		"2:10 unknown shape \"gem\"; expected one of cnn-layer, gemm-ABZ"},
	{PROBLEM, "  shape:\n", "  form:\n",
		"10:15 \"A\" is neither a dimension nor a coefficient, and not used"},
	{PROBLEM, "A: 8", "A: many",
		"10:18 A is \"many\", expected a whole number from 1 to 2147483647"},
	{PROBLEM, "A: 8", "A: [8]", "10:18 A is a list, expected a plain value"},
	{PROBLEM, "A: 8", "? [8]\n : 8", "expected a plain key, as in \"name: value\""},
	{PROBLEM, "A: 8", "A: *eight", "10:18 nothing before it is named &eight"},
	{PROBLEM, "{ A: 8", "{ A: 8: 8", "not YAML: "},
	{PROBLEM, "A: 8", "A: \xff", "not UTF-8 text: "},
	{ARCH, "PE[0..3]", "PE[3]", "9:13 \"PE[3]\": expected a range such as [0..15], up to 65535"},
	{ARCH, "name: Small", "name: Small[0..32767]",
		"11:15 131072 instances, expected at most 65536"},
	{ARCH, "{ depth", "{ meshX: 3, depth",
		"11:15 4 instances of Small do not make a mesh of 3 x 1"},
	{ARCH, "{ depth", "{ cluster-size: 8, depth",
		"11:15 Small has a cluster of 8, expected at most its 4 instances"},
	{ARCH, "{ depth", "{ multiple-buffering: 0.5, depth",
		"11:15 Small: expected multiple-buffering of at least 1, min-utilization of at most 1"},
	{ARCH, "depth: 100, vector-access-energy: 1", "width: 16",
		"11:15 Small has neither a vector-access-energy nor a depth that gives one"},
	{ARCH, "{ depth", "{ wire-energy: 2, depth",
		"13:36 wire-energy is 2, expected 0: the energy of networks is not counted"},
	{ARCH, "{ depth", "{ network-type: \"M:N\", depth",
		"13:38 network-type is \"M:N\", expected 1:1 or 1:N"},
	{ARCH, "{ depth", "{ read_bandwidth: 0, depth", "13:39 read_bandwidth is 0, expected more"},
	{ARCH, "{ depth", "{ reduction_supported: 7, depth",
		"13:44 reduction_supported is \"7\", expected True or False"},
	{ARCH, "{ depth", "{ width: 24, block-size: 2, depth",
		"11:15 Small is 24 bits wide, expected a multiple of its 2 words of 16 bits"},
	{ARCH, "{ depth", "{ width: 64, block-size: 2, cluster-size: 1, depth",
		"11:15 Small is 64 bits wide, expected a multiple of its 2 words of 16 bits"},
	{ARCH, "class: intmac", "class: adder", "\" is none of a memory, compute unit or network"},
	{ARCH, "class: intmac", "colour: red\n        class: adder",
		"15:9 the key \"colour\" of a local part is not used"},
	{ARCH, "{ energy: 1 }", "{ energy: -1 }",
		"16:31 energy is \"-1\", expected a number that is not negative"},
	{ARCH, "{ depth", "{ colour: 7, depth: -1, x", "13:23 the attribute \"colour\" is not used"},
	{ARCH, "    - name: PE[0..3]\n", "    - name: Other\n    - name: PE[0..3]\n",
		"9:5 2 subtrees side by side, expected one: a chain of memories"},
	{ARCH, "{ energy: 1 }", "{ energy: 1, instances: 2 }",
		"14:15 2 x 1 of Mac cannot be shared out to 4 x 1 of Small"},
	{ARCH, "class: intmac", "class: SRAM",
		"14:15 Mac has neither a vector-access-energy nor a depth that gives one"},
	{ARCH, "      - name: Mac\n        class: intmac\n        attributes: { energy: 1 }\n", "",
		"2:3 expected one memory at least, and a compute unit (a class such as intmac)"},
	{ARCH, "class: DRAM\n      attributes: { vector-access-energy: 1 }",
		"class: mac\n      attributes: { energy: 1 }", "14:15 a second compute unit Mac"},
	{ARCH, "name: System", "name: System[0..1]",
		"5:13 2 of the outermost memory Big, expected one"},
	{ARCH, "architecture:\n", "architecture:\n  version: 0.4\n",
		"2:12 architectures of version 0.4 are not read, expected 0.2 or 0.3"},
	{ARCH, "architecture:\n", "arch:\n  storage: []\n",
		"2:3 the key \"arithmetic\" is missing, expected keys"},
	{ARCH, "architecture:\n", "arch:\n  storage: [ { name: A } ]\n  arithmetic: { }\n",
		"2:14 the key \"instances\" is missing, expected a plain value"},
	{ARCH, "name: Small", "name: Big", "11:15 the name Big stands twice"},
	{ARCH, "{ depth: 100", "{ depth: 100, min-utilization: 0.9",
		"2:3 the tiles at Small use 26 words, expected at least 0.9 of its 100"},
	{MAPPING, "A=2", "A=x", "4:14 expected a number behind A, as in A=4 or A=5,1"},
	{MAPPING, "A=2", "A=2,3", "4:16 the last round of A has 3, expected 1 to 2"},
	{MAPPING, "A=2", "A=2,0", "4:16 the last round of A has 0, expected 1 to 2"},
	{MAPPING, "A=2", "A = 9", "4:16 the factor of A is 9, expected 0 to its size 8"},
	{MAPPING, "A=2", "A=3000000000", "4:14 the factor of A is larger than 2147483647"},
	{MAPPING, "mapping:\n", "sparse_optimizations: 1\nmapping:\n",
		"1:1 sparse tensors are not counted; leave sparse_optimizations out to count all words"},
	{MAPPING, "mapping:\n", "layout: []\nmapping:\n",
		"1:1 layouts and their bank conflicts are not counted"},
	{MAPPING, "mapping:\n", "maping:\n", "1:1 the key \"maping\" is not used"},
	{MAPPING, "mapping:\n", "ERT: 1\nmapping:\n",
		"1:1 tables of energies are not read; give vector-access-energy and energy instead"},
	{MAPPING, "A=2", "A=2x", "4:15 expected a space behind this factor"},
	{MAPPING, "A=2", "A=2 A=4", "4:16 the factor of A stands twice"},
	{MAPPING, ": AB", ": ABA", "5:18 A stands twice in this permutation"},
	{MAPPING, ": AB", ": AC", "5:17 unknown dimension \"C\"; expected one of A, B"},
	{MAPPING, "- target: Big\n",
		"- target: Small\n  type: bypass\n  keep: [ X ]\n  bypass: [ X ]\n- target: Big\n",
		"9:13 X stands twice in this entry"},
	{MAPPING, "- target: Big\n  type: spatial\n", "- target: Small\n  type: temporal\n",
		"6:3 a second temporal entry of Small"},
};

static void keep_message(void *user, const pim_diag *d)
{
	char *text = user;
	if (!*text)
		snprintf(text, 256, "%d:%d %s", d->line, d->column, d->message);
}

static void write_file(const char *path, const char *text, const change *c)
{
	FILE *out = fopen(path, "w");
	const char *at = c ? strstr(text, c->from) : NULL;
	CHECK(out && (!c || at));
	if (!out)
		exit(1);
	if (at)
		fprintf(out, "%.*s%s%s", (int)(at - text), text, c->to, at + strlen(c->from));
	else
		fputs(text, out);
	fclose(out);
}

/* Reads the files with one change or two to different files, or none. */
static bool read_files(const change *c, const change *d, char message[256], timeloop_input *in)
{
	char path[PARTS][64];
	const char *paths[PARTS];
	for (int i = 0; i < PARTS; i++) {
		snprintf(path[i], sizeof path[i], "/tmp/pim_timeloop_%d_%d.yaml", (int)getpid(), i);
		write_file(path[i], good[i], c && c->part == i ? c : d && d->part == i ? d : NULL);
		paths[i] = path[i];
	}
	pim_context *context = pim_context_new();
	*message = 0;
	pim_context_on_diag(context, keep_message, message);
	bool read = pim_timeloop_read(context, PARTS, paths, true, in);
	pim_context_free(context);
	for (int i = 0; i < PARTS; i++)
		remove(path[i]);
	return read;
}

/* Everything in one file; names go to the context. */
static bool read_text(pim_context *context, const char *text, char message[256], timeloop_input *in)
{
	char path[64];
	const char *paths[1] = {path};
	snprintf(path, sizeof path, "/tmp/pim_timeloop_%d.yaml", (int)getpid());
	write_file(path, text, NULL);
	*message = 0;
	pim_context_on_diag(context, keep_message, message);
	bool read = pim_timeloop_read(context, 1, paths, true, in);
	remove(path);
	return read;
}

static void test_changes(void)
{
	static timeloop_input in;
	char message[256];
	CHECK(read_files(NULL, NULL, message, &in) && !*message);
	CHECK(in.problem.macs == 48 && in.arch.levels == 2 && in.arch.level[0].capacity == 100);
	for (size_t i = 0; i < sizeof changes / sizeof changes[0]; i++) {
		bool read = read_files(&changes[i], NULL, message, &in);
		bool said = strstr(message, changes[i].message) != NULL;
		if (read || !said)
			fprintf(stderr, "%s: %s\n", changes[i].message, message);
		CHECK(!read && said);
	}
}

/* Other ways to write the good files: nothing that is counted changes. */
static const change forms[] = {
	{PROBLEM, "[ [ [A] ] ]", "[A]", ""},
	{PROBLEM, "read-write: True", "read-write: yes", ""},
	{PROBLEM, "  instance: { A: 8, B: 6 }\n", "  A: 8\n  B: 6\n", ""},
	{PROBLEM,
		"  shape:\n    dimensions: [ A, B ]\n    data-spaces:\n    - name: X\n      projection: [ "
		"[ [A, 3] ]",
		"  shape:\n    coefficients: [{name: f, default: 3}]\n    dimensions: [ A, B ]\n    "
		"data_spaces:\n    - name: X\n      projection: [ [ [A, f] ]",
		""},
	{PROBLEM, "A: 8, B: 6", "A: &eight 8, B: 6, C: *eight", "10:34 \"C\" is neither a dimension"},
	{ARCH, "    - name: PE[0..3]\n", "    - name: PE[1..4]\n      attributes: {technology: 40nm}\n",
		""},
	{ARCH, "architecture:\n", "mapper: {algorithm: random}\narchitecture:\n",
		"1:1 the key \"mapper\" is not used"},
	{ARCH, "      - name: Mac\n",
		"      - {name: Bus, class: Legacy}\n      - name: Mac\n        subclass: fast\n", ""},
	{ARCH, "{ depth: 100, vector-access-energy: 1 }",
		"{ depth: 50, width: 32, vector-access-energy: 2, network_drain_latency: 0 }", ""},
	{ARCH, "{ depth: 100, vector-access-energy: 1 }",
		"{ entries: 100, width: 64, cluster-size: 4, word-bits: 16, vector-access-energy: 4 }", ""},
	{MAPPING, "A=2 B=6", "A = 2, B6 # inside", ""},
	{MAPPING, "A=2 B=6", "[A=2, B=0]", ""},
	{MAPPING, ": AB", ": [A]", ""},
	{MAPPING, ": AB", ": A B", ""},
	{ARCH, "architecture:\n", "arch:\n", ""},
	{MAPPING, "A=4\n", "A=4\n  no_link_transfer: [ X ]\n", ""},
	{MAPPING, "A=4\n", "A=4\n- target: Big\n  type: datatype\n  keep: [ X, Y ]\n", ""},
};

static bool same_counts(const timeloop_result *a, const timeloop_result *b)
{
	bool same = a->cycles == b->cycles;
	for (int level = 0; level < 2; level++)
		for (int t = 0; t < 2; t++) {
			const timeloop_count *c = &a->count[level][t], *d = &b->count[level][t];
			same &= c->reads == d->reads && c->fills == d->fills && c->updates == d->updates &&
					c->instances == d->instances && c->tile == d->tile;
		}
	return same;
}

static void test_forms(void)
{
	static timeloop_input in;
	static timeloop_result plain, r;
	char message[256];
	CHECK(read_files(NULL, NULL, message, &in));
	pim_timeloop_count(&in.problem, &in.arch, &in.mapping, &plain);
	for (size_t i = 0; i < sizeof forms / sizeof forms[0]; i++) {
		bool read = read_files(&forms[i], NULL, message, &in);
		bool said = *forms[i].message ? strstr(message, forms[i].message) != NULL : !*message;
		if (!read || !said)
			fprintf(stderr, "%s: %s\n", forms[i].to, message);
		CHECK(read && said);
		r = (timeloop_result){0};
		if (read)
			pim_timeloop_count(&in.problem, &in.arch, &in.mapping, &r);
		CHECK(same_counts(&plain, &r));
	}
}

/* Vectors, tables of energies, latencies and addresses, worked out by hand. */
static void test_figures(void)
{
	static const change table = {ARCH, "{ depth: 100, vector-access-energy: 1 }",
		"{ depth: 128, width: 64, word-bits: 16, addr-gen-energy: 0.5, network_fill_latency: 3 }",
		""};
	static timeloop_input in;
	static timeloop_result r;
	char message[256];
	CHECK(read_files(&table, NULL, message, &in) && !*message);
	const timeloop_level *l = &in.arch.level[0];
	CHECK(l->block == 4 && l->clusters == 4 && l->capacity == 512 && in.arch.latency == 3);
	/* 128 vectors of 64 bits are 1 KB: 1 + 0.5 * 5 / 99.5 for 16 bits, and four times that. */
	CHECK(fabs(l->energy - 4 * (1 + 0.5 * 5 / 99.5)) < 1e-12 && l->address_energy == 0.5);
	pim_timeloop_count(&in.problem, &in.arch, &in.mapping, &r);
	CHECK(r.cycles == 12 + 3 && r.compute_cycles == 12);
	/* Each of 4 units: 12 reads and 24 fills of X, 12 updates and 10 reads of Y. */
	const timeloop_count *x = &r.count[0][0], *y = &r.count[0][1];
	CHECK(x->reads == 12 && x->fills == 24 && y->updates == 12 && y->reads == 10);
	CHECK(fabs(x->energy - 4 * (3 + 6) * l->energy) < 1e-9);
	double energy = r.compute_energy + 4 * 0.5 * (12 + 24 + 12);
	for (int level = 0; level < 2; level++)
		energy += r.count[level][0].energy + r.count[level][1].energy;
	CHECK(fabs(r.energy - energy) < 1e-9);
}

/* No energy in the file: DRAM and products from the table; a convolution by its name. */
static void test_named_shape(void)
{
	static const change dram = {
		ARCH, "{ vector-access-energy: 1 }", "{ word-bits: 8, n_words: 4 }", ""};
	static const change product = {ARCH, "{ energy: 1 }", "{ datawidth: 8 }", ""};
	static timeloop_input in;
	char message[256];
	CHECK(read_files(&dram, NULL, message, &in) && in.arch.level[1].energy == 400);
	CHECK(read_files(&product, NULL, message, &in) && in.arch.compute.energy == 0.25);
	const char *sizes = "R: 3, S: 1, P: 4, Q: 1, C: 2, K: 2, N: 1";
	char text[1024];
	snprintf(text, sizeof text,
		"problem: {%s, Wstride: 2, shape: cnn_layer.yaml}\n%smapping:\n- {target: Big, type: "
		"temporal, factors: R3 P4 C2 K2, permutation: RPCKNSQ}\n",
		sizes, good[ARCH]);
	pim_context *context = pim_context_new();
	CHECK(read_text(context, text, message, &in) && !*message);
	CHECK(in.problem.dims == 7 && in.problem.tensors == 3 && in.problem.macs == 48);
	const int64_t whole[7] = {3, 1, 4, 1, 2, 2, 1};
	CHECK(pim_timeloop_words(&in.problem.tensor[0], 7, whole) == 12);
	CHECK(pim_timeloop_words(&in.problem.tensor[1], 7, whole) == 2 * (1 + 2 + 3 * 2));
	CHECK(pim_timeloop_words(&in.problem.tensor[2], 7, whole) == 8);
	CHECK(in.problem.tensor[2].output && !in.problem.tensor[1].output);
	pim_context_free(context);
}

/* The flat form of the good architecture; permutations with blanks among letters. */
static void test_flat(void)
{
	static const change letters = {MAPPING, ": AB", ": A B", ""};
	static const char flat[] = "arch:\n"
							   "  arithmetic: {instances: 4, energy: 1, word_bits: 16}\n"
							   "  storage:\n"
							   "  - {name: Small, instances: 4, entries: 100, energy: 7}\n"
							   "  - {name: Big, instances: 1, technology: DRAM}\n";
	static timeloop_input tree, in;
	char message[256];
	CHECK(read_files(&letters, NULL, message, &tree) && !*message);
	char text[2048];
	snprintf(text, sizeof text, "%s%s%s", flat, good[PROBLEM], good[MAPPING]);
	pim_context *context = pim_context_new();
	CHECK(read_text(context, text, message, &in) && !*message);
	CHECK(!strcmp(in.arch.level[0].name, "Small") && !strcmp(in.arch.level[1].name, "Big"));
	CHECK(in.arch.level[0].instances == 4 && in.arch.level[0].capacity == 100);
	CHECK(in.arch.level[1].energy == 200 && !in.arch.level[1].adds && in.arch.level[0].adds);
	CHECK(in.arch.compute.instances == 4 && in.arch.compute.energy == 1);
	static timeloop_result a, b;
	pim_timeloop_count(&tree.problem, &tree.arch, &tree.mapping, &a);
	pim_timeloop_count(&in.problem, &in.arch, &in.mapping, &b);
	CHECK(same_counts(&a, &b));
	pim_context_free(context);
}

/* Rows and columns exchanged where the whole mesh has room: counted, with a warning. */
static void test_exchanged(void)
{
	static timeloop_input in;
	char message[256];
	static const char small[] =
		"architecture:\n  subtree:\n  - local:\n"
		"    - { name: Big, class: DRAM }\n"
		"    - { name: \"Small[0..1]\", class: SRAM, attributes: { depth: 99 } }\n"
		"    - { name: \"Mac[0..3]\", class: mac, attributes: { meshX: 2 } }\n";
	char text[2048];
	snprintf(text, sizeof text,
		"%s%smapping:\n- { target: Big, type: temporal, factors: A4 B6 }\n"
		"- { target: Small, type: spatial, factors: A2 }\n",
		small, good[PROBLEM]);
	pim_context *context = pim_context_new();
	CHECK(read_text(context, text, message, &in));
	CHECK(strstr(message, "1 x 2, but not more than there are of Mac"));
	CHECK(!pim_timeloop_fits(&in.problem, &in.arch, &in.mapping));
	pim_context_free(context);
}

static void test_too_much(void)
{
	static const change size = {PROBLEM, "A: 8", "A: 2000000000", ""};
	static const change factors = {MAPPING,
		"A=2 B=6\n  permutation: AB\n- target: Big\n"
		"  type: spatial\n  factors: A=4",
		"A=0\n- target: Big\n  type: spatial\n  factors: A=2000000000", ""};
	static char text[1 << 21];
	static timeloop_input in;
	memset(text, '#', sizeof text - 1);
	char message[256];
	CHECK(!read_files(&size, &factors, message, &in));
	CHECK(strstr(message, "1:1 the factors multiply to more than 9007199254740992"));
	*message = 0;
	pim_context *context = pim_context_new();
	CHECK(!read_text(context, text, message, &in));
	CHECK(strstr(message, "the file has 2097151 bytes, expected at most 1048576"));
	pim_context_free(context);
}

int main(void)
{
	test_changes();
	test_forms();
	test_figures();
	test_named_shape();
	test_flat();
	test_exchanged();
	test_too_much();
	return check_failures != 0;
}
