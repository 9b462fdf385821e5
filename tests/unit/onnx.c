/* SPDX-License-Identifier: Apache-2.0 */
/* The reader of ONNX files on models that are built here byte by byte: what it makes of a good one,
 * and that no damaged one is accepted, crashes or reads beyond its end (run under the sanitizers).
 */
#include <string.h>
#include <unistd.h>

#include "frontends/frontend.h"
#include "tests/unit/check.h"

/* ---- a writer of protobuf messages ---- */

static void put_varint(pim_text *t, uint64_t v)
{
	char b;
	for (; v >= 0x80; v >>= 7) {
		b = (char)(v | 0x80);
		pim_text_add(t, &b, 1);
	}
	b = (char)v;
	pim_text_add(t, &b, 1);
}

static void put_int(pim_text *t, int field, uint64_t v)
{
	put_varint(t, (uint64_t)field << 3);
	put_varint(t, v);
}

static void put_bytes(pim_text *t, int field, const void *bytes, size_t n)
{
	put_varint(t, (uint64_t)field << 3 | 2);
	put_varint(t, n);
	pim_text_add(t, bytes, n);
}

static void put_string(pim_text *t, int field, const char *s)
{
	put_bytes(t, field, s, strlen(s));
}

/* Puts `inner` as a message and empties it. */
static void put_message(pim_text *t, int field, pim_text *inner)
{
	put_bytes(t, field, inner->n ? inner->s : "", inner->n);
	pim_text_free(inner);
	*inner = (pim_text){0};
}

enum { WEIGHTS = 100 };

static void put_tensor(pim_text *graph, const float *w, int64_t dim, size_t bytes)
{
	pim_text t = {0};
	put_int(&t, 1, (uint64_t)dim);
	put_int(&t, 2, 1);
	put_string(&t, 8, "w");
	put_bytes(&t, 9, w, bytes);
	put_message(graph, 5, &t);
}

static void put_value(pim_text *graph, int field, const char *name, int64_t dim)
{
	pim_text d = {0}, shape = {0}, tensor = {0}, type = {0}, value = {0};
	put_int(&d, 1, (uint64_t)dim);
	put_message(&shape, 1, &d);
	put_int(&tensor, 1, 1);
	put_message(&tensor, 2, &shape);
	put_message(&type, 1, &tensor);
	put_string(&value, 1, name);
	put_message(&value, 2, &type);
	put_message(graph, field, &value);
}

/* y = x + w, f32[dim], w with `bytes` bytes. */
static pim_text make_model(int64_t dim, size_t bytes)
{
	static float w[WEIGHTS];
	pim_text node = {0}, graph = {0}, opset = {0}, model = {0};
	for (int i = 0; i < WEIGHTS; i++)
		w[i] = (float)i / 2;
	put_string(&node, 1, "x");
	put_string(&node, 1, "w");
	put_string(&node, 2, "y");
	put_string(&node, 3, "plus");
	put_string(&node, 4, "Add");
	put_message(&graph, 1, &node);
	put_string(&graph, 2, "g");
	put_tensor(&graph, w, dim, bytes);
	put_value(&graph, 11, "x", dim);
	put_value(&graph, 12, "y", dim);
	put_int(&opset, 2, 13);
	put_int(&model, 1, 8);
	put_message(&model, 7, &graph);
	put_message(&model, 8, &opset);
	return model;
}

/* ---- reading ---- */

typedef struct heard {
	int errors;
	char last[512];
} heard;

static void hear(void *user, const pim_diag *d)
{
	heard *h = user;
	h->errors += d->severity == PIM_ERROR;
	snprintf(h->last, sizeof h->last, "%s", d->message);
}

/* Reads a copy of just these bytes, so that the sanitizer sees a read beyond them. */
static bool accepts(const char *bytes, size_t n, heard *h)
{
	static const pim_read_options none = {0};
	pim_context *c = pim_context_new();
	char *copy = malloc(n ? n : 1);
	pim_module *m;
	*h = (heard){0};
	memcpy(copy, bytes, n);
	pim_context_on_diag(c, hear, h);
	m = pim_read_onnx(c, "damaged.onnx", copy, n, &none);
	CHECK((m == NULL) == (h->errors > 0));
	pim_context_free(c);
	free(copy);
	return m != NULL;
}

static void write_file(const char *path, const pim_text *t)
{
	FILE *f = fopen(path, "wb");
	CHECK(f && fwrite(t->s, 1, t->n, f) == t->n);
	if (f)
		fclose(f);
}

static void check_constant(const pim_graph *g, const pim_text *model)
{
	for (const pim_node *n = g->first; n; n = n->next) {
		const pim_data *d = n->op == PIM_OP_constant ? pim_constant_data(n) : NULL;
		if (!d)
			continue;
		CHECK(!strcmp(n->name, "w") && n->type->elements == WEIGHTS);
		CHECK(d->file && !strcmp(d->file, "test_onnx_unit.onnx"));
		CHECK(d->offset + WEIGHTS * sizeof(float) <= model->n);
		CHECK(!memcmp(d->bytes, model->s + d->offset, WEIGHTS * sizeof(float)));
	}
}

static void test_good(void)
{
	const char *path = "/tmp/test_onnx_unit.onnx";
	pim_text model = make_model(WEIGHTS, WEIGHTS * sizeof(float));
	pim_context *c = pim_context_new();
	pim_arena *a = pim_arena_new();
	float x[WEIGHTS] = {1};
	pim_tensor in, out;
	write_file(path, &model);
	pim_module *m = pim_module_read(c, path);
	CHECK(m && m->n_graphs == 1);
	if (m) {
		pim_graph *g = m->graphs[0];
		CHECK(pim_graph_verify(g));
		CHECK(g->n_inputs == 1 && g->n_results == 1 && !strcmp(g->result_names[0], "y"));
		CHECK(!strcmp(pim_loc_text(c, g->results[0]->loc, a), "\"plus\""));
		check_constant(g, &model);
		in = (pim_tensor){g->inputs[0]->type, x};
		CHECK(pim_graph_eval(g, &in, &out, a));
		CHECK(((float *)out.data)[0] == 1.0F && ((float *)out.data)[99] == 49.5F);
	}
	pim_arena_free(a);
	pim_context_free(c);
	pim_text_free(&model);
	unlink(path);
}

static void test_truncated(void)
{
	pim_text model = make_model(WEIGHTS, WEIGHTS * sizeof(float));
	heard h;
	CHECK(accepts(model.s, model.n, &h));
	for (size_t n = 0; n < model.n; n++)
		CHECK(!accepts(model.s, n, &h));
	pim_text_free(&model);
}

/* Any byte may be anything: the model is read or refused. */
static void test_damaged(void)
{
	static const unsigned char values[] = {0x00, 0x01, 0x7f, 0x80, 0xff};
	pim_text model = make_model(4, 4 * sizeof(float));
	heard h;
	for (size_t at = 0; at < model.n; at++) {
		char kept = model.s[at];
		for (size_t v = 0; v < sizeof values; v++) {
			model.s[at] = (char)values[v];
			accepts(model.s, model.n, &h);
		}
		for (int bit = 0; bit < 8; bit++) {
			model.s[at] = (char)(kept ^ 1 << bit);
			accepts(model.s, model.n, &h);
		}
		model.s[at] = kept;
	}
	pim_text_free(&model);
}

static void test_sizes(void)
{
	heard h;
	pim_text model = make_model(5, 4 * sizeof(float));
	CHECK(!accepts(model.s, model.n, &h));
	CHECK(strstr(h.last, "tensor 'w' of type f32[5] needs 20 bytes, but the model has 16"));
	pim_text_free(&model);
	model = make_model(INT64_MAX / 2, 4 * sizeof(float));
	CHECK(!accepts(model.s, model.n, &h));
	CHECK(strstr(h.last, "dim 0"));
	pim_text_free(&model);
}

/* Graphs in attributes of nodes in graphs ... */
static void test_depth(void)
{
	heard h;
	pim_text graph = {0}, model = {0};
	for (int i = 0; i < 3000; i++) {
		pim_text attribute = {0}, node = {0};
		put_message(&attribute, 6, &graph);
		put_message(&node, 5, &attribute);
		put_message(&graph, 1, &node);
	}
	put_int(&model, 1, 8);
	put_message(&model, 7, &graph);
	CHECK(!accepts(model.s, model.n, &h));
	CHECK(strstr(h.last, "nested more than 256 deep"));
	pim_text_free(&model);
}

int main(void)
{
	test_good();
	test_truncated();
	test_damaged();
	test_sizes();
	test_depth();
	return check_failures != 0;
}
