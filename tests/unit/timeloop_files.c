/* SPDX-License-Identifier: Apache-2.0 */
/* Bad files of Timeloop: one change to good ones each, and the message it must give. */
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
	{PROBLEM, "A: 8", "A: many",
		"10:18 A is \"many\", expected a whole number from 1 to 2147483647"},
	{PROBLEM, "A: 8", "A: [8]", "10:18 A is a list, expected a plain value"},
	{PROBLEM, "A: 8", "? [8]\n : 8", "expected a plain key, as in \"name: value\""},
	{PROBLEM, "A: 8", "A: *eight", "aliases are not read; write the value out"},
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
	{ARCH, "depth: 100, vector-access-energy: 1", "depth: 100",
		"11:15 Small has no vector-access-energy; there is no table of energies here"},
	{ARCH, "{ energy: 1 }", "{ }", "14:15 Mac has no energy; there is no table of energies here"},
	{ARCH, "{ energy: 1 }", "{ energy: -1 }",
		"16:31 energy is \"-1\", expected a number that is not negative"},
	{ARCH, "{ depth", "{ colour: 7, depth: -1, x", "13:23 the attribute \"colour\" is not used"},
	{ARCH, "    - name: PE[0..3]\n", "    - name: Other\n    - name: PE[0..3]\n",
		"9:5 2 subtrees side by side, expected one: a chain of memories"},
	{ARCH, "{ energy: 1 }", "{ energy: 1, instances: 2 }",
		"14:9 2 x 1 of Mac cannot be shared out to 4 x 1 of Small"},
	{ARCH, "class: intmac", "class: SRAM", "14:15 Mac has no vector-access-energy"},
	{ARCH, "      - name: Mac\n        class: intmac\n        attributes: { energy: 1 }\n", "",
		"2:3 expected one memory at least, and a compute unit (a class such as intmac) last"},
	{ARCH, "class: DRAM\n      attributes: { vector-access-energy: 1 }",
		"class: mac\n      attributes: { energy: 1 }", "5:7 Big computes, but memories follow it"},
	{ARCH, "name: System", "name: System[0..1]", "5:7 2 of the outermost memory Big, expected one"},
	{ARCH, "name: Small", "name: Big", "11:15 the name Big stands twice"},
	{ARCH, "{ depth: 100", "{ depth: 100, min-utilization: 0.9",
		"2:3 the tiles at Small use 26 words, expected at least 0.9 of its 100"},
	{MAPPING, "A=2", "A=x", "4:14 expected a number behind A, as in A=4 or A=5,1"},
	{MAPPING, "A=2", "A=2,3", "4:16 the last round of A has 3, expected at most 2"},
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
	const char *path = "/tmp/pim_timeloop_large.yaml";
	write_file(path, text, NULL);
	pim_context *context = pim_context_new();
	pim_context_on_diag(context, keep_message, message);
	CHECK(!pim_timeloop_read(context, 1, &path, true, &in));
	CHECK(strstr(message, "the file has 2097151 bytes, expected at most 1048576"));
	pim_context_free(context);
	remove(path);
}

int main(void)
{
	test_changes();
	test_too_much();
	return check_failures != 0;
}
