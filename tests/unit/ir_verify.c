/* SPDX-License-Identifier: Apache-2.0 */
/* Verifiers: each rule, broken one at a time, is found and named. */
#include <string.h>

#include "ir/ir.h"
#include "tests/unit/check.h"

static const char program[] =
	"module {\n"
	"  graph @m(%x: f32[8,4] [parts=4x1, start=0, cycles=0, units=4, on=0..3]) {\n"
	"    facts split, laid_out, mapped, scheduled, placed on \"stack3d\"\n"
	"    set @b0 [row 4] degree 1\n"
	"    %w = constant {value = 0.5} : f32[4,4]\n"
	"    %0 = matmul %x, %w : f32[8,4] [set=@b0, parts=4x1, nest=(@m 4 = 10), start=0, cycles=10, "
	"units=4, on=0..3]\n"
	"    %1 = relu %0 : f32[8,4] [set=@b0, parts=4x1, nest=(@#0 4 = 5), start=10, cycles=5, "
	"units=4, on=0..3]\n"
	"    %2 = softmax %1 {axis = 1} : f32[8,4] [parts=4x1, nest=(@#0 4 = 5), start=15, cycles=5, "
	"units=4, on=0..3]\n"
	"    return %2\n"
	"  }\n"
	"  graph @other(%x: f32[8,4]) {\n"
	"    return %x\n"
	"  }\n"
	"}\n";

typedef struct fixture {
	pim_context *context;
	pim_graph *g, *other;
	pim_node *x, *w, *mm, *relu, *softmax;
	pim_text said;
} fixture;

static void hear(void *user, const pim_diag *d)
{
	pim_text *said = user;
	pim_text_str(said, d->message);
	pim_text_str(said, "\n");
}

static fixture start(void)
{
	fixture f = {.context = pim_context_new()};
	pim_module *m = pim_module_parse(f.context, "test", program, sizeof program - 1);
	CHECK(m != NULL);
	if (!m)
		exit(1);
	f.g = pim_module_graph(m, 0);
	f.other = pim_module_graph(m, 1);
	f.x = f.g->first;
	f.w = f.x->next;
	f.mm = f.w->next;
	f.relu = f.mm->next;
	f.softmax = f.relu->next;
	f.g->limits = (pim_limits){.units = 4, .buffer_bytes = 1 << 20, .memory_bytes = 1 << 20};
	return f;
}

typedef bool verifier(pim_graph *g);

static void finish(fixture *f, verifier *verify, const char *wanted)
{
	pim_context_on_diag(f->context, hear, &f->said);
	bool ok = verify(f->g);
	CHECK(!ok);
	CHECK(f->said.s && strstr(f->said.s, wanted));
	if (!f->said.s || !strstr(f->said.s, wanted))
		fprintf(stderr, "wanted: %s\ngot: %s\n", wanted, f->said.s ? f->said.s : "");
	pim_text_free(&f->said);
	pim_context_free(f->context);
}

#define BROKEN(verify, change, wanted)                                                             \
	do {                                                                                           \
		fixture f = start();                                                                       \
		change;                                                                                    \
		finish(&f, verify, wanted);                                                                \
	} while (0)

static void test_good(void)
{
	fixture f = start();
	CHECK(pim_verify_shaped(f.g) && pim_verify_split(f.g) && pim_verify_laid_out(f.g));
	CHECK(pim_verify_mapped(f.g) && pim_verify_scheduled(f.g) && pim_verify_placed(f.g));
	CHECK(pim_verify_shaped(f.other));
	pim_context_free(f.context);
}

static void test_shaped(void)
{
	verifier *v = pim_verify_shaped;
	BROKEN(v, f.mm->in[0] = f.other->first, "input 0 belongs to graph @other");
	BROKEN(v, f.mm->in[0] = f.softmax, "input 0, %2, does not stand before it");
	BROKEN(v, f.mm->in[0] = f.mm, "does not stand before it");
	BROKEN(v, f.mm->in[1] = NULL, "input 1 is absent");
	BROKEN(v, f.relu->id = f.mm->id, "another node has the same id");
	BROKEN(v, f.relu->id = 1000, "id 1000 is not below");
	BROKEN(v, f.relu->type = f.w->type, "has the type f32[4,4], but its rule gives f32[8,4]");
	BROKEN(v, f.relu->type = NULL, "has no type");
	BROKEN(v, f.w->n_attrs = 0, "has no elements");
	BROKEN(v, f.softmax->n_attrs = 0, "lacks the attribute axis");
	BROKEN(v, pim_node_set_int(f.relu, "axis", 1), "has the attribute axis, which relu has not");
	BROKEN(v, pim_node_set_string(f.softmax, "axis", "1"),
		"attribute axis is a string, expected an integer");
	BROKEN(v, f.relu->prev = NULL, "its link to the node before it is wrong");
	BROKEN(v, f.softmax->next = f.relu, "stands twice in the list");
	BROKEN(v, f.g->last = f.relu, "the last node is not the end");
	BROKEN(v, f.relu->number = f.mm->number, "another node has the same number");
	BROKEN(v, f.relu->number = 77, "number 77 is not below");
	BROKEN(v, f.relu->name = "x", "another node has the same name");
	BROKEN(v, f.relu->name = "new", "its name is not in the graph's table");
	BROKEN(v, f.g->results[0] = f.other->first, "a result is no node of the graph");
	BROKEN(v, f.g->inputs[0] = f.w, "an entry of the signature is no input");
	BROKEN(v, f.g->n_inputs = 0, "the signature does not list every input");
	BROKEN(v, f.relu->op = PIM_OP_COUNT, "not in the table");
	BROKEN(v, f.relu->n_in = 0, "has 0 inputs, expected 1 to 1");
	BROKEN(v, pim_node_unlink(f.mm), "input 0, %0, does not stand before it");
}

static pim_order *short_order(const pim_graph *g)
{
	static const int32_t slice[] = {1, 0};
	return pim_order_new(2, slice, g->module->arena);
}

static void test_decisions(void)
{
	BROKEN(pim_verify_split, f.mm->plan->set = 3, "is in branch set 3 of 1");
	BROKEN(pim_verify_split, f.g->sets[0].axis[0].count = 64,
		"of 64 branches, but its free axes allow 32");
	BROKEN(pim_verify_split, f.g->sets[0].degree = 0, "has degree 0");
	BROKEN(pim_verify_split, f.mm->plan->set = f.relu->plan->set = -1, "@b0 has no members");
	BROKEN(pim_verify_laid_out, f.mm->plan->layout = NULL, "has no layout");
	BROKEN(pim_verify_laid_out, f.mm->plan->layout->rank = 1,
		"its layout has 1 dimensions, its type 2");
	BROKEN(pim_verify_laid_out, f.mm->plan->layout->parts[1] = 5,
		"dimension 1 of size 4 is cut into 5 parts");
	BROKEN(pim_verify_laid_out, f.mm->plan->layout->sums = 2,
		"is in 2 partial sums, which only relayout adds up");
	BROKEN(pim_verify_laid_out, f.mm->plan->layout->sums = 5,
		"has 5 partial sums, but its largest summed axis has size 4");
	BROKEN(pim_verify_laid_out, f.softmax->plan->layout->sums = 2, "is a result in 2 partial sums");
	BROKEN(pim_verify_mapped, f.mm->plan->nest = NULL, "has no loop nest");
	BROKEN(pim_verify_mapped, f.mm->plan->nest->tile[0] = 1, "a slice has 2");
	BROKEN(pim_verify_mapped, f.mm->plan->nest->loop[0].axis = 9, "over axis 9");
	BROKEN(pim_verify_mapped, f.mm->plan->nest->n_axes = 1, "its nest has 1 axes");
	BROKEN(pim_verify_mapped, f.mm->plan->order = short_order(f.g),
		"its order has 2 positions for 4 slices");
	BROKEN(pim_verify_scheduled, f.mm->plan->n_units = 0, "is not scheduled");
	BROKEN(pim_verify_scheduled, f.mm->plan->start = -1, "starts at -1");
	BROKEN(pim_verify_scheduled, f.mm->plan->cycles = 20, "its input 0 from 0 to 20");
	BROKEN(pim_verify_scheduled, f.mm->plan->n_units = 5, "needs 5 units, the machine has 4");
	BROKEN(
		pim_verify_scheduled, f.relu->plan->start = 8, "at cycle 8 8 units run, the machine has 4");
	BROKEN(pim_verify_placed, f.mm->plan->unit = NULL, "is not placed");
	BROKEN(pim_verify_placed, f.mm->plan->unit[3] = 4, "is placed on unit 4, the machine has 4");
	BROKEN(pim_verify_placed, f.relu->plan->start = 8, "runs on unit 0 at cycle 8, as %0 does");
	BROKEN(pim_verify_placed, f.mm->plan->unit[1] = 0, "another slice of it");
}

int main(void)
{
	test_good();
	test_shaped();
	test_decisions();
	return check_failures != 0;
}
