/* SPDX-License-Identifier: Apache-2.0 */
/* pipeline: what is printed reads back to the same, mistakes are all reported at their place. */
#include <stdlib.h>
#include <string.h>

#include "passes/pass.h"
#include "tests/unit/check.h"

typedef struct seen {
	int n, column[16];
	char message[16][256];
} seen;

static void take(void *user, const pim_diag *d)
{
	seen *s = user;
	if (s->n == 16)
		return;
	s->column[s->n] = d->column;
	snprintf(s->message[s->n++], 256, "%s", d->message);
}

static void check_prints(const char *text, const char *expected)
{
	pim_context *c = pim_context_new();
	pim_arena *a = pim_arena_new();
	pim_text out = {0}, again = {0};
	pim_pipeline *p = pim_pipeline_parse(c, text, a);
	CHECK(p);
	pim_pipeline_print(p, &out);
	CHECK(!strcmp(out.s ? out.s : "", expected));
	p = pim_pipeline_parse(c, out.s ? out.s : "", a);
	CHECK(p);
	pim_pipeline_print(p, &again);
	CHECK(!strcmp(again.s ? again.s : "", expected));
	pim_text_free(&out);
	pim_text_free(&again);
	pim_arena_free(a);
	pim_context_free(c);
}

static void check_fails(const char *text, int errors, int column, const char *part)
{
	pim_context *c = pim_context_new();
	pim_arena *a = pim_arena_new();
	seen s = {0};
	pim_context_on_diag(c, take, &s);
	CHECK(!pim_pipeline_parse(c, text, a));
	CHECK(s.n == errors);
	CHECK(s.column[0] == column);
	CHECK(strstr(s.message[0], part));
	pim_arena_free(a);
	pim_context_free(c);
}

static void check_good(void)
{
	check_prints("", "");
	check_prints("dce", "dce");
	check_prints(" dce , cse ,", "dce,cse");
	check_prints("canonicalize", "canonicalize{rounds=10}");
	check_prints("canonicalize{rounds=3}", "canonicalize{rounds=3}");
	check_prints("dce # one\n, cse // two\n", "dce,cse");
	check_prints("decompose{ops=\"\"}", "decompose{ops=\"\" refused=0}");
	check_prints(
		"schedule{solver=ilp,limit=500ms}", "schedule{solver=ilp limit=500ms gap=0.0001 rounds=9}");
	check_prints(
		"schedule{ limit=2s  solver=list }", "schedule{solver=list limit=2s gap=0.0001 rounds=9}");
	check_prints("dump-dot{file=\"a b,c.svg\"}", "dump-dot{file=\"a b,c.svg\" what=program}");
	check_prints("simplify,dce",
		"canonicalize{rounds=10},fold{limit=16777216},cse,canonicalize{rounds=10},dce");
}

static void check_bad(void)
{
	check_fails("dce,cze", 1, 5, "did you mean 'cse'");
	check_fails("dxe,cxe", 2, 1, "no pass is called 'dxe'");
	check_fails("canonicalize{round=3}", 1, 14, "did you mean 'rounds'; its options: rounds (int)");
	check_fails("canonicalize{rounds=many}", 1, 21, "takes a whole number, not 'many'");
	check_fails("canonicalize{rounds=3", 1, 13, "never closed");
	check_fails("canonicalize{rounds}", 1, 20, "expected '='");
	check_fails("dce{x=1}", 1, 5, "its options: none");
	check_fails("schedule{limit=soon}", 1, 16, "a time such as");
	check_fails("schedule{limit=-1}", 1, 16, "a time such as");
	check_fails("dce cse", 1, 5, "expected ','");
	check_fails("dce,,cse", 1, 5, "expected the name of a pass");
	check_fails("decompose{ops=\"a}", 1, 15, "no closing quote");
	check_fails("@/nowhere/at/all", 1, 0, "does not exist");
}

int main(void)
{
	check_good();
	check_bad();
	return check_failures != 0;
}
