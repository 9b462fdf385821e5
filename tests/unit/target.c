/* SPDX-License-Identifier: Apache-2.0 */
/* The machine reader: the built-in files, units, and a table of wrong files with their messages. */
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "targets/bank/bank.h"
#include "targets/target.h"
#include "tests/unit/check.h"

static const char good[] = "name: m\n"
						   "command_set: tile\n"
						   "pipeline: default\n"
						   "clock: 500 MHz\n"
						   "network:\n"
						   "  topology: torus\n"
						   "  size: [4, 3, 2]\n"
						   "  link: 128 bit/cycle\n"
						   "  hop_time: 2 cycles\n"
						   "  hop_energy: 0.2 pJ/bit\n"
						   "memory:\n"
						   "  size: 32 MiB\n"
						   "  bandwidth: 16 GB/s\n"
						   "  latency: 40 ns\n"
						   "  read_energy: 0.9 pJ/bit\n"
						   "  write_energy: 8 fJ/B\n"
						   "buffer:\n"
						   "  size: 1.5 KiB\n"
						   "  bandwidth: 1 Gbit/s\n"
						   "  latency: 0 cycles\n"
						   "  read_energy: 0 pJ/bit\n"
						   "  write_energy: 0 pJ/bit\n"
						   "matrix:\n"
						   "  rows: 16\n"
						   "  columns: 8\n"
						   "  fill: 3 ns\n"
						   "  mac_energy: 600 fJ\n"
						   "vector:\n"
						   "  lanes: 4\n"
						   "  start: 8 cycles\n"
						   "  step_energy: 0.4 pJ\n"
						   "command_time: 1 cycles\n"
						   "static_power: 500 mW\n";

typedef struct heard {
	int n, line, column;
	char first[512], all[8192];
} heard;

static void hear(void *user, const pim_diag *d)
{
	heard *h = user;
	if (h->n++ == 0) {
		h->line = d->line;
		h->column = d->column;
		snprintf(h->first, sizeof h->first, "%s", d->message);
	}
	size_t n = strlen(h->all);
	snprintf(h->all + n, sizeof h->all - n, "%d:%d: %s\n", d->line, d->column, d->message);
}

/* Reads text through a file. */
static const pim_target *read_text(pim_context *c, const char *text, size_t n, heard *h)
{
	char path[64];
	static int number;
	snprintf(path, sizeof path, "/tmp/pim_target_%d_%d.yaml", (int)getpid(), number++);
	FILE *f = fopen(path, "wb");
	CHECK(f && fwrite(text, 1, n, f) == n);
	fclose(f);
	memset(h, 0, sizeof *h);
	pim_context_on_diag(c, hear, h);
	const pim_target *t = pim_target_find(c, path);
	unlink(path);
	return t;
}

static void test_good(void)
{
	pim_context *c = pim_context_new();
	heard h;
	const pim_target *t = read_text(c, good, sizeof good - 1, &h);
	CHECK(t && h.n == 0);
	CHECK(!strcmp(t->name, "m") && !strcmp(t->command_set, "tile") && t->path);
	CHECK(t->clock_hz == 5e8 && t->units == 24 && t->network.size[2] == 2);
	CHECK(t->network.topology == PIM_TOPOLOGY_torus && t->network.link_bytes_per_cycle == 16);
	CHECK(t->network.hop_cycles == 2 && t->network.hop_pj > 1.599 && t->network.hop_pj < 1.601);
	CHECK(
		t->memory.bytes == 32 << 20 && t->memory.bytes_per_cycle == 32 && t->memory.latency == 20);
	CHECK(t->memory.read_pj > 7.199 && t->memory.read_pj < 7.201);
	CHECK(t->memory.write_pj > 0.00799 && t->memory.write_pj < 0.00801);
	CHECK(t->buffer.bytes == 1536 && t->buffer.bytes_per_cycle == 0.25 && t->buffer.latency == 0);
	CHECK(t->matrix.rows == 16 && t->matrix.columns == 8 && t->matrix.fill_cycles == 2);
	CHECK(t->matrix.mac_pj > 0.599 && t->matrix.mac_pj < 0.601 && t->vector.lanes == 4);
	CHECK(t->vector.start_cycles == 8 && t->command_cycles == 1 && t->static_w == 0.5);
	pim_context_free(c);
}

static void test_built_in(void)
{
	pim_context *c = pim_context_new();
	heard h = {0};
	pim_context_on_diag(c, hear, &h);
	for (int i = 0; i < pim_target_count(); i++) {
		const pim_target *t = pim_target_find(c, pim_target_name(c, i));
		CHECK(t && !strcmp(t->name, pim_target_name(c, i)) && !t->path);
		CHECK(*pim_target_summary(i));
		CHECK(pim_target_limits(t).units == t->units);
	}
	CHECK(h.n == 0);
	CHECK(!pim_target_find(c, "stack2d") && strstr(h.first, "did you mean \"stack3d\"?"));
	memset(&h, 0, sizeof h);
	CHECK(!pim_target_find(c, "/tmp/no/such/file.yaml") && h.n == 1);
	CHECK(!pim_target_find(c, "/tmp.yaml") && h.n == 2);
	pim_context_free(c);
}

/* The good file with one text replaced; the first message and its place. */
typedef struct wrong {
	const char *old, *new;
	int line, column;
	const char *message;
} wrong;

static const wrong wrongs[] = {
	{"clock: 500 MHz", "clok: 500 MHz", 4, 1, "unknown key \"clok\"; did you mean \"clock\"?"},
	{"clock: 500 MHz\n", "", 1, 1,
		"missing key \"clock\"; expected a frequency such as \"500 MHz\""},
	{"clock: 500 MHz", "clock: 500 MB", 4, 12, "clock has the unit \"MB\"; expected a frequency"},
	{"clock: 500 MHz", "clock: 500", 4, 8, "clock has no unit"},
	{"clock: 500 MHz", "clock: fast", 4, 8, "clock is \"fast\"; expected a frequency"},
	{"clock: 500 MHz", "clock: 0 MHz", 4, 8, "clock is \"0 MHz\"; expected more than zero"},
	{"clock: 500 MHz", "clock:", 4, 7, "clock has no value"},
	{"clock: 500 MHz", "clock: [1, 2]", 4, 8, "clock is a list; expected a frequency"},
	{"clock: 500 MHz", "clock: {a: b}", 4, 8, "clock is a section; expected a frequency"},
	{"clock: 500 MHz", "clock: 500 MHz\nclock: 1 GHz", 5, 1, "the key \"clock\" stands twice"},
	{"  size: 32 MiB", "  size: 32 GB/s", 12, 12,
		"memory.size has the unit \"GB/s\"; expected a size"},
	{"  size: 32 MiB", "  size: -1 MiB", 12, 9,
		"memory.size is \"-1 MiB\"; expected more than zero"},
	{"  size: 32 MiB", "  size: 0.3 B", 12, 9, "expected a whole number of bytes"},
	{"  size: 32 MiB", "  size: 1e30 B", 12, 9, "which is too large"},
	{"  hop_time: 2 cycles", "  hop_time: 1e13 cycles", 9, 13,
		"hop_time is \"1e13 cycles\", which is too large (1099511627776 at most)"},
	{"  size: 32 MiB\n", "", 11, 1,
		"missing key \"memory.size\"; expected a size such as \"32 MiB\""},
	{"  bandwidth: 16 GB/s", "  bandwidth: 1 B/s", 13, 14,
		"bandwidth is \"1 B/s\", which is too small (a byte in 1048576 cycles at least)"},
	{"  bandwidth: 16 GB/s", "  bandwith: 16 GB/s", 13, 3, "did you mean \"bandwidth\"?"},
	{"  bandwidth: 16 GB/s", "  bandwidth: 16 GB", 13, 17,
		"memory.bandwidth has the unit \"GB\"; expected a rate"},
	{"  latency: 40 ns", "  latency: 1.5 cycles", 14, 12, "expected a whole number of cycles"},
	{"  latency: 40 ns", "  latency: -40 ns", 14, 12, "expected at least zero"},
	{"topology: torus", "topology: tree", 6, 13,
		"network.topology is \"tree\"; expected one of: mesh torus bus"},
	{"[4, 3, 2]", "[]", 7, 9, "network.size has 0 counts; expected one to three"},
	{"[4, 3, 2]", "[4, 3, 2, 1]", 7, 9, "network.size has 4 counts"},
	{"[4, 3, 2]", "[4, 0]", 7, 13, "network.size is \"0\"; expected more than zero"},
	{"[4, 3, 2]", "[60000, 60000]", 7, 9, "expected at most 65536"},
	{"[4, 3, 2]", "[4, [3]]", 7, 13, "expected a plain value in this list"},
	{"[4, 3, 2]", "24", 7, 9, "network.size is one value; expected a list such as [8, 8]"},
	{"rows: 16", "rows: 16.5", 24, 9, "expected a whole number"},
	{"rows: 16", "rows: 16 MB", 24, 12,
		"matrix.rows has the trailing text \"MB\"; expected a whole number"},
	{"  lanes: 4", "  lanes: 4\n  rows: 3", 30, 3, "\"rows\" belongs in the section matrix"},
	{"command_set: tile", "command_set: bnk", 2, 14,
		"command_set is \"bnk\"; expected one of: tile bank none"},
	{"command_set: tile", "command_set: bank", 11, 1,
		"the section \"memory\" belongs to machines of the command set tile"},
	{"name: m", "bank: {rows: 3}\nname: m", 1, 1,
		"the section \"bank\" belongs to machines of the command set bank"},
	{"name: m\n", "name: m\n\tx: 1\n", 2, 1, "not YAML"},
	{"name: m", "name: &a m\npipe: *a", 2, 7, "a machine file has no aliases"},
	{"  lanes: 4", "  lanes: {a: {b: 4}}", 29, 10, "a section inside a section"},
	{"static_power: 500 mW\n", "static_power: 500 mW\n---\nx: 1\n", 34, 1, "one document only"},
	{"static_power: 500 mW", "memory: 3", 33, 1, "the key \"memory\" stands twice"},
	{"name: m", "memory: 3\nname: m", 1, 9, "memory is one value; expected a section with size"},
	{"name: m", "name: \"\xff\"", 1, 8, "not UTF-8 text"},
};

static size_t replace(char *out, const wrong *w)
{
	const char *at = strstr(good, w->old);
	if (!at)
		return 0;
	return (size_t)sprintf(out, "%.*s%s%s", (int)(at - good), good, w->new, at + strlen(w->old));
}

static void test_wrong(void)
{
	char text[4096];
	for (size_t i = 0; i < sizeof wrongs / sizeof wrongs[0]; i++) {
		pim_context *c = pim_context_new();
		heard h;
		size_t n = replace(text, &wrongs[i]);
		CHECK(n > 0);
		const pim_target *t = read_text(c, text, n, &h);
		bool right = !t && h.line == wrongs[i].line && h.column == wrongs[i].column &&
					 strstr(h.first, wrongs[i].message);
		if (!right)
			fprintf(stderr, "%s -> %d:%d: %s\n", wrongs[i].new, h.line, h.column, h.first);
		CHECK(right);
		pim_context_free(c);
	}
}

/* A machine of banks: what follows from its rows and timing, and what cannot be. */
static const char bank[] =
	"name: b\ncommand_set: bank\npipeline: default\nclock: 1 GHz\n"
	"network: {topology: bus, size: [4, 2], link: 32 B/cycle, hop_time: 1 ns, hop_energy: 1 pJ/B}\n"
	"bank: {rows: 2048, columns: 1024, compute_rows: 512, staging_rows: 256, burst: 32 B,\n"
	"  tRCD: 10 ns, tRP: 10 ns, tRAS: 30 ns, tRRD: 2 ns, tFAW: 16 ns, tCCD: 2 ns, tREFI: 4000 ns,\n"
	"  tWR: 8 ns, tWTR: 4 ns, tRTP: 3 ns, write_latency: 2 ns,\n"
	"  tRFC: 400 ns, second_activation: 4 ns, all_bank_groups: 2,\n"
	"  all_bank_tFAW: 16 ns, mode_switch: 16 ns, activation_energy: 100 pJ, extra_row_energy: 10 "
	"pJ,\n"
	"  column_energy: 1 pJ/B}\n"
	"command_time: 1 cycles\nstatic_power: 1 W\n";

static const wrong bank_wrongs[] = {
	{"columns: 1024", "columns: 1000", 6, 1, "bank.columns is 1000; expected a multiple of 64"},
	{"compute_rows: 512", "compute_rows: 300", 6, 1,
		"bank.compute_rows is 300; expected at least 512"},
	{"rows: 2048", "rows: 768", 6, 1,
		"bank.rows is 768; expected more than the 512 that compute and the 256 that stage "
		"operands"},
	{"tRFC: 400 ns", "tRFC: 4 us", 6, 1,
		"bank.tREFI is 4000 cycles; expected at least 4076"
		": a refresh, and a row operation of each bank of a channel"},
	{"all_bank_groups: 2", "all_bank_groups: 3", 6, 1,
		"bank.all_bank_groups is 3; expected a divisor of the 4 banks of a channel"},
	{"mode_switch: 16 ns", "mode_switch: 12 ns", 6, 1,
		"bank.mode_switch is 12 cycles; expected tFAW, 16, or more: all-bank activations follow "
		"those "
		"of single banks"},
	{"tRAS: 30 ns, ", "", 6, 1, "missing key \"bank.tRAS\"; expected a time"},
};

static void test_bank(void)
{
	pim_context *c = pim_context_new();
	heard h;
	const pim_target *t = read_text(c, bank, sizeof bank - 1, &h);
	CHECK(t && h.n == 0);
	CHECK(t->units == 8 && t->network.topology == PIM_TOPOLOGY_bus);
	CHECK(t->buffer.bytes == 256 * 128 && t->memory.bytes == (2048 - 512 - 256) * 128);
	/* a bank's turn comes every 16 cycles; four of them are a slot, 56 slots fit between refreshes
	 */
	const pim_bank_grid *g = t->bank.grid;
	CHECK(g->turn == 16 && g->slot == 64 && g->slots == 56 && g->period == 400 + 12 + 56 * 64);
	/* two groups of two: a turn every 8 cycles, 7 of them are a slot, 64 fit into the same period
	 */
	const pim_bank_grid *all = t->bank.lockstep->bank.grid;
	CHECK(all->banks == 2 && all->turn == 8 && all->slot == 56 && all->slots == 64);
	CHECK(all->period == g->period);
	CHECK(pim_target_memory_cycles(t, 128) == 72 && pim_target_memory_cycles(t, 129) == 143);
	pim_context_free(c);
	for (size_t i = 0; i < sizeof bank_wrongs / sizeof bank_wrongs[0]; i++) {
		const wrong *w = &bank_wrongs[i];
		const char *at = strstr(bank, w->old);
		char text[2048];
		int n = sprintf(text, "%.*s%s%s", (int)(at - bank), bank, w->new, at + strlen(w->old));
		c = pim_context_new();
		CHECK(!read_text(c, text, (size_t)n, &h));
		CHECK(h.line == w->line && h.column == w->column && strstr(h.first, w->message));
		pim_context_free(c);
	}
}

/* All independent mistakes are reported; characters before a place may have several bytes. */
static void test_several(void)
{
	static const char text[] =
		"name: \"\xc3\xa9\xc3\xa9\"\nclock: 1 lightyear\nfoo: 1\n"
		"matrix: {rows: \"\xc3\xa9\", columns: zero, fill: 1 cycles, mac_energy: 1 pJ}\n";
	pim_context *c = pim_context_new();
	heard h;
	CHECK(!read_text(c, text, sizeof text - 1, &h));
	CHECK(strstr(h.all, "2:10: clock has the unit \"lightyear\""));
	CHECK(strstr(h.all, "3:1: unknown key \"foo\""));
	CHECK(strstr(h.all, "matrix.rows is"));
	CHECK(strstr(h.all, "matrix.columns is \"zero\""));
	CHECK(strstr(
		h.all, "missing section \"network\" with topology, size, link, hop_time, hop_energy"));
	CHECK(strstr(h.all, "missing key \"pipeline\""));
	pim_context_free(c);
}

/* No prefix of a file, and no changed byte, does more than give a message. */
static void test_damage(void)
{
	for (size_t n = 1; n < sizeof good - 1; n++) {
		pim_context *c = pim_context_new();
		heard h;
		char text[sizeof good];
		memcpy(text, good, sizeof good);
		text[n] = (char)(text[n] ^ (1 << n % 8));
		const pim_target *t = read_text(c, text, n % 3 ? sizeof good - 1 : n, &h);
		CHECK((t == NULL) == (h.n > 0));
		pim_context_free(c);
	}
}

/* ---- machines that start from another one ---- */

/* Files of one folder, each with its text; reads the first. */
typedef struct file_text {
	const char *name, *text;
} file_text;

static const pim_target *read_files(pim_context *c, int n, const file_text *file, heard *h)
{
	char folder[64], path[4][96];
	snprintf(folder, sizeof folder, "/tmp/pim_bases_%d", (int)getpid());
	mkdir(folder, 0700);
	for (int i = 0; i < n; i++) {
		snprintf(path[i], sizeof path[i], "%s/%s", folder, file[i].name);
		FILE *f = fopen(path[i], "wb");
		CHECK(f && fputs(file[i].text, f) >= 0);
		fclose(f);
	}
	memset(h, 0, sizeof *h);
	pim_context_on_diag(c, hear, h);
	const pim_target *t = pim_target_find(c, path[0]);
	for (int i = 0; i < n; i++)
		unlink(path[i]);
	rmdir(folder);
	return t;
}

/* Single keys override, at the top and in sections; what depends on the clock follows it. */
static void test_base(void)
{
	static const file_text files[] = {
		{"a.yaml", "base: b.yaml\nname: a\nclock: 1 GHz\nnetwork: {size: [2, 2]}\n"},
		{"b.yaml", "name: b\nbase: c.yaml\nmemory: {size: 1 MiB}\nnetwork: {size: [9]}\n"},
		{"c.yaml", good}};
	pim_context *c = pim_context_new();
	heard h;
	const pim_target *t = read_files(c, 3, files, &h);
	CHECK(t && h.n == 0);
	CHECK(!strcmp(t->name, "a") && !strcmp(t->base, "b.yaml"));
	CHECK(t->clock_hz == 1e9 && t->units == 4 && t->network.size[0] == 2);
	CHECK(t->network.topology == PIM_TOPOLOGY_torus && t->network.link_bytes_per_cycle == 16);
	CHECK(t->memory.bytes == 1 << 20);
	CHECK(t->memory.bytes_per_cycle == 16 && t->memory.latency == 40); /* 16 GB/s, 40 ns */
	CHECK(t->matrix.rows == 16 && t->static_w == 0.5);
	pim_context_free(c);
}

/* A built-in machine and one that says the same in full are the same. */
static void test_base_in_full(void)
{
	pim_context *c = pim_context_new();
	heard h;
	const pim_target *large = pim_target_find(c, "stack3d-16"), *t = pim_target_find(c, "stack3d");
	static const file_text file = {"d.yaml", "name: d\nbase: stack3d-16\nstatic_power: 2 W\n"
											 "network: {size: [8, 8], link: 16 B/cycle}\n"};
	const pim_target *same = read_files(c, 1, &file, &h);
	CHECK(large && t && same && h.n == 0);
	CHECK(large->units == 4 * t->units && large->memory.bytes == t->memory.bytes);
	pim_target copy = *same;
	copy.name = t->name;
	copy.base = t->base;
	copy.summary = t->summary;
	copy.path = t->path;
	CHECK(!memcmp(&copy.clock_hz, &t->clock_hz, sizeof copy - offsetof(pim_target, clock_hz)));
	CHECK(!strcmp(copy.command_set, t->command_set) && !strcmp(copy.pipeline, t->pipeline));
	pim_context_free(c);
}

typedef struct wrong_base {
	const char *text, *other; /* of a.yaml, b.yaml */
	const char *message;	  /* of all, with places */
} wrong_base;

static const wrong_base wrong_bases[] = {
	{"name: a\nbase: stak3d\n", "", "2:7: unknown target \"stak3d\"; did you mean \"stack3d\"?\n"},
	{"name: a\nbase: c.yaml\n", "", "2:7: "},
	{"name: a\nbase: ../b.yaml\n", "", "2:7: file \"../b.yaml\": leaves the folder of"},
	{"name: a\nbase: a.yaml\n", "", "a.yaml is a base of itself\n2:7: the base of "},
	{"name: a\nbase: b.yaml\n", "name: b\n\nbase: a.yaml\n",
		"a.yaml is a base of itself\n2:7: the base of "},
	{"name: a\nbase: b.yaml\n", "name: b\nbase: ./b.yaml\n",
		"2:7: more than 8 bases, one on another\n"},
	{"name: a\nbase: b.yaml\n", "name: [\n", "2:7: the base of "},
	{"name: a\nbase: b.yaml\n", "name: b\nclock: 1 GHz\nclock: 2 GHz\n",
		"3:1: the key \"clock\" stands twice\n2:1: the first is here\n"},
	{"name: a\nbase: b.yaml\n", "name: b\n", "1:1: missing key \"command_set\""},
	{"name: a\nbase: [stack3d]\n", "",
		"2:7: base is a list; expected the name of a machine or of a .yaml file\n"},
	{"name: a\nbase:\n", "", "2:6: base is empty; expected the name of a machine"},
	{"name: a\nbase: {x: 1}\n", "", "2:7: base is a section; expected the name of a machine"},
	{"name: a\nbase: stack3d\nbase: null\n", "", "3:1: the key \"base\" stands twice\n"},
	{"base: stack3d\n", "", "1:1: missing key \"name\"; expected a name\n"},
	{"name: a\nbase: stack3d\nnetwork: 5\n", "",
		"3:10: network is one value; expected a section with topology, size"},
	{"name: a\nbase: stack3d\nnetwork: {sise: [4]}\n", "",
		"3:11: unknown key \"network.sise\"; did you mean \"size\"?\n"},
	{"name: a\nbase: stack3d\nnetwork: {network: {size: [4]}}\n", "",
		"3:20: a section inside a section; expected a value\n"},
	{"name: a\nbase: stack3d\nsize: [4]\n", "",
		"3:1: unknown key \"size\"; \"size\" belongs in the section network\n"},
};

static void test_wrong_base(void)
{
	for (size_t i = 0; i < sizeof wrong_bases / sizeof wrong_bases[0]; i++) {
		const wrong_base *w = &wrong_bases[i];
		const file_text files[] = {{"a.yaml", w->text}, {"b.yaml", w->other}};
		pim_context *c = pim_context_new();
		heard h;
		const pim_target *t = read_files(c, 2, files, &h);
		bool right = !t && strstr(h.all, w->message);
		if (!right)
			fprintf(stderr, "%s -> %s\n", w->text, h.all);
		CHECK(right);
		pim_context_free(c);
	}
}

int main(void)
{
	test_base();
	test_base_in_full();
	test_wrong_base();
	test_good();
	test_built_in();
	test_wrong();
	test_several();
	test_bank();
	test_damage();
	return check_failures != 0;
}
