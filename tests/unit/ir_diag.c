/* SPDX-License-Identifier: Apache-2.0 */
/* Messages: places, carets under tabs, windows of long lines, JSON, the limit, nearest names. */
#include <string.h>

#include "ir/ir.h"
#include "tests/unit/check.h"

typedef void writer(const pim_diag *d, FILE *out);
static void write_plain(const pim_diag *d, FILE *out)
{
	pim_diag_print(d, out, false);
}

typedef struct heard {
	writer *write;
	char *text;
	size_t n;
	FILE *out;
} heard;

static void hear(void *user, const pim_diag *d)
{
	heard *h = user;
	h->write(d, h->out);
}

static pim_context *listen(heard *h, writer *w)
{
	pim_context *c = pim_context_new();
	*h = (heard){.write = w};
	h->out = open_memstream(&h->text, &h->n);
	if (!h->out)
		exit(1);
	pim_context_on_diag(c, hear, h);
	return c;
}

static void expect(pim_context *c, heard *h, const char *wanted)
{
	pim_context_free(c);
	fclose(h->out);
	CHECK(!strcmp(h->text, wanted));
	if (strcmp(h->text, wanted))
		fprintf(stderr, "wanted:\n%sgot:\n%s", wanted, h->text);
	free(h->text);
}

static pim_loc place(pim_context *c, const char *text, size_t offset)
{
	return (pim_loc){pim_source_text(c, "f.pim", text, strlen(text)), (uint32_t)offset};
}

static void test_caret(void)
{
	heard h;
	pim_context *c = listen(&h, write_plain);
	pim_error(c, place(c, "one\n\ttwo three\r\n", 9), "bad %d", 3);
	pim_report(c, PIM_NOTE, place(c, "\xc3\xa9 x", 3), "here");
	pim_report(c, PIM_WARNING, place(c, "ab", 2), "end");
	pim_file_error(c, "g.pim", "is empty");
	pim_error(c, pim_loc_name(c, "conv1"), "too large");
	pim_error(c, (pim_loc){0}, "nowhere");
	expect(c, &h,
		"f.pim:2:6: error: bad 3\n  \ttwo three\n  \t    ^\n"
		"f.pim:1:4: note: here\n  \xc3\xa9 x\n    ^\n"
		"f.pim:1:3: warning: end\n  ab\n    ^\n"
		"g.pim: error: is empty\n"
		"error: \"conv1\": too large\n"
		"error: nowhere\n");
}

static void test_window(void)
{
	char line[1001], *out = NULL;
	size_t n = 0, offsets[] = {0, 500, 999};
	memset(line, 'a', 1000);
	line[1000] = '\0';
	for (int i = 0; i < 3; i++) {
		pim_diag d = {
			.file = "f", .line = 1, .column = (int)offsets[i] + 1, .source = line, .message = "m"};
		line[offsets[i]] = 'X';
		FILE *f = open_memstream(&out, &n);
		pim_diag_print(&d, f, false);
		fclose(f);
		char *shown = strchr(out, '\n') + 1, *below = strchr(shown, '\n') + 1;
		CHECK(below - shown < 112);
		CHECK(strcspn(shown, "X") == strcspn(below, "^"));
		line[offsets[i]] = 'a';
		free(out);
	}
}

static void test_json(void)
{
	heard h;
	pim_context *c = listen(&h, pim_diag_json);
	pim_error(c, place(c, "a\t\"b\"", 2), "quote \" and \\ and \x01 and \xff");
	pim_error(c, (pim_loc){0}, "plain");
	expect(c, &h,
		"{\"severity\": \"error\", \"file\": \"f.pim\", \"line\": 1, \"column\": 3, \"message\": "
		"\"quote \\\" and \\\\ and "
		"\\u0001 and \\ufffd\", \"source\": \"a\\u0009\\\"b\\\"\"}\n"
		"{\"severity\": \"error\", \"message\": \"plain\"}\n");
}

static void test_limit(void)
{
	heard h;
	pim_context *c = listen(&h, write_plain);
	c->error_limit = 2;
	for (int i = 0; i < 5; i++) {
		pim_error(c, (pim_loc){0}, "e%d", i);
		pim_report(c, PIM_NOTE, (pim_loc){0}, "n%d", i);
	}
	CHECK(pim_context_errors(c) == 5);
	expect(c, &h,
		"error: e0\nnote: n0\nerror: e1\nnote: n1\nerror: too many errors, the rest is not "
		"shown\n");
}

static void test_places(void)
{
	pim_context *c = pim_context_new();
	pim_arena *a = pim_arena_new();
	pim_loc x = pim_loc_name(c, "x"), y = pim_loc_name(c, "y"), t = place(c, "abc", 1);
	pim_loc xy = pim_loc_merge(c, x, y), all = pim_loc_merge(c, xy, t);
	CHECK(pim_loc_name(c, "x").source == x.source);
	CHECK(!strcmp(pim_loc_text(c, xy, a), "\"x\", \"y\""));
	CHECK(!strcmp(pim_loc_text(c, all, a), "f.pim:1:2"));
	CHECK(!strcmp(pim_loc_text(c, (pim_loc){0}, a), "?"));
	CHECK(pim_loc_merge(c, xy, x).source == xy.source);
	CHECK(c->sources[all.source].n_parts == 3 &&
		  c->sources[pim_loc_merge(c, all, xy).source].n_parts == 3);
	pim_arena_free(a);
	pim_context_free(c);
}

static void test_nearest(void)
{
	const char *names[] = {"matmul", "softmax", "add", "max_pool", "neg"};
	CHECK(pim_nearest("matmull", 5, names) == names[0]);
	CHECK(pim_nearest("mtamul", 5, names) == names[0]);
	CHECK(pim_nearest("sofmax", 5, names) == names[1]);
	CHECK(pim_nearest("ad", 5, names) == names[2]);
	CHECK(!pim_nearest("convolution", 5, names) && !pim_nearest("x", 5, names) &&
		  !pim_nearest("", 5, names));
}

int main(void)
{
	test_caret();
	test_window();
	test_json();
	test_limit();
	test_places();
	test_nearest();
	return check_failures != 0;
}
