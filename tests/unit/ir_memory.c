/* SPDX-License-Identifier: Apache-2.0 */
/* Arena, map, text, types, users, replacing: what the rest is built on. */
#include <pthread.h>
#include <string.h>

#include "ir/ir.h"
#include "tests/unit/check.h"

static void count_call(void *data)
{
	++*(int *)data;
}

static void test_arena(void)
{
	pim_arena *a = pim_arena_new();
	int calls = 0;
	pim_arena_defer(a, count_call, &calls);
	for (size_t n = 0; n < 5000; n += 37) {
		unsigned char *p = pim_arena_alloc(a, n);
		CHECK((uintptr_t)p % 16 == 0);
		for (size_t i = 0; i < n; i++)
			CHECK(p[i] == 0);
		memset(p, 255, n);
	}
	CHECK(pim_arena_alloc(a, (size_t)3 << 20) != NULL);
	CHECK(pim_arena_bytes(a) >= (size_t)3 << 20);
	CHECK(!strcmp(pim_arena_printf(a, "%d-%s", 7, "x"), "7-x"));
	CHECK(!strcmp(pim_arena_copy(a, "abc", 2), "ab"));
	pim_arena_free(a);
	CHECK(calls == 1);
}

static void test_map(void)
{
	static char values[5000];
	pim_arena *a = pim_arena_new();
	pim_map *m = pim_map_new(a);
	char key[32];
	CHECK(!pim_map_get(m, "none", 4) && !pim_map_get(NULL, "none", 4));
	for (int i = 0; i < 5000; i++) {
		int n = snprintf(key, sizeof key, "key/%d", i * 7919);
		CHECK(!pim_map_put(m, key, (size_t)n, &values[i]));
		CHECK(pim_map_put(m, key, (size_t)n, &values[i]) == &values[i]);
	}
	CHECK(pim_map_count(m) == 5000);
	for (int i = 0; i < 5000; i++) {
		int n = snprintf(key, sizeof key, "key/%d", i * 7919);
		CHECK(pim_map_get(m, key, (size_t)n) == &values[i]);
		CHECK(!pim_map_get(m, key, (size_t)n - 1) || i > 0);
	}
	void **value;
	const char *own = pim_map_key(m, "a\0b", 3, &value);
	CHECK(!memcmp(own, "a\0b", 4) && !*value && !pim_map_get(m, "a\0c", 3));
	pim_arena_free(a);
}

static void test_text(void)
{
	FILE *f = tmpfile();
	pim_text t = {.sink = f};
	for (int i = 0; f && i < 400000; i++)
		pim_text_printf(&t, "%06d\n", i);
	CHECK(f && t.room < (size_t)4 << 20 && pim_text_flush(&t));
	CHECK(f && ftell(f) == 400000 * 7);
	pim_text_free(&t);
	if (f)
		fclose(f);
	pim_text_quoted(&t, "a\"\\\n\t\x01\x7f\xc3\xa9");
	CHECK(!strcmp(t.s, "\"a\\\"\\\\\\n\\t\\x01\\x7f\xc3\xa9\""));
	pim_text_free(&t);
}

static void test_types(void)
{
	pim_context *c = pim_context_new();
	pim_arena *a = pim_arena_new();
	int64_t dims[] = {2, 0, 3}, huge[] = {INT64_MAX, 2}, strides[PIM_MAX_RANK], negative[] = {-1};
	const pim_type *t = pim_type_tensor(c, PIM_DTYPE_f16, 3, dims),
				   *s = pim_type_tensor(c, PIM_DTYPE_f16, 0, NULL);
	const pim_type *parts[] = {t, s}, *tuple = pim_type_tuple(c, 2, parts);
	CHECK(t == pim_type_tensor(c, PIM_DTYPE_f16, 3, dims) && t != s && t->elements == 0 &&
		  s->elements == 1);
	CHECK(
		tuple == pim_type_tuple(c, 2, parts) && tuple->n_parts == 2 && pim_type_bytes(tuple) == 2);
	CHECK(!strcmp(pim_type_text(tuple, a), "(f16[2,0,3], f16[])"));
	pim_type_strides(t, strides);
	CHECK(strides[0] == 0 && strides[1] == 3 && strides[2] == 1);
	CHECK(!pim_type_tensor(c, PIM_DTYPE_i8, 2, huge) &&
		  !pim_type_tensor(c, PIM_DTYPE_i8, 1, negative));
	CHECK(!pim_type_tuple(c, 0, NULL) && pim_context_errors(c) == 3);
	for (int i = 0; i < PIM_DTYPE_COUNT; i++)
		CHECK(pim_dtype_find(pim_dtype_name((pim_dtype)i)) == (pim_dtype)i);
	CHECK(pim_dtype_find("f12") == PIM_DTYPE_COUNT);
	pim_arena_free(a);
	pim_context_free(c);
}

static pim_graph *make_graph(pim_context *c, pim_node **x, pim_node **a, pim_node **b)
{
	int64_t dims[] = {4};
	pim_graph *g = pim_graph_new(pim_module_new(c), "g");
	*x = pim_input_new(g, "x", pim_type_tensor(c, PIM_DTYPE_f32, 1, dims));
	*a = pim_node_new(g, "neg", 1, x, NULL);
	CHECK(pim_node_infer(*a));
	*b = pim_node_new(g, "add", 2, (pim_node *[]){*a, *a}, NULL);
	CHECK(pim_node_infer(*b));
	pim_graph_add_result(g, *b);
	return g;
}

static void test_users(void)
{
	pim_context *c = pim_context_new();
	pim_arena *scratch = pim_arena_new();
	pim_node *x, *a, *b;
	pim_graph *g = make_graph(c, &x, &a, &b);
	pim_users *u = pim_users_new(g, scratch);
	CHECK(pim_users_count(u, x) == 1 && pim_users_at(u, x, 0) == a);
	CHECK(pim_users_count(u, a) == 1 && pim_users_at(u, a, 0) == b);
	CHECK(pim_users_count(u, b) == 0);
	CHECK(!pim_node_new(g, "nothing", 0, NULL, NULL) && !pim_node_new(g, "add", 1, &x, NULL));
	CHECK(pim_context_errors(c) == 2 && pim_verify_shaped(g));
	pim_arena_free(scratch);
	pim_context_free(c);
}

static void test_replace(void)
{
	pim_context *c = pim_context_new();
	pim_arena *scratch = pim_arena_new();
	pim_node *x, *a, *b;
	pim_graph *g = make_graph(c, &x, &a, &b);
	pim_node_rename(a, "x");
	CHECK(!strcmp(a->name, "x_2"));
	a->loc = pim_loc_name(c, "first");
	pim_node *r = pim_node_make_like(b, PIM_OP_relu, 1, &a, 0, NULL);
	pim_node_replace(a, r);
	CHECK(b->in[0] == r && b->in[1] == r && r->in[0] == a && !a->name && !strcmp(r->name, "x_2"));
	CHECK(!strcmp(pim_loc_text(c, r->loc, scratch), "\"first\""));
	pim_replacer *many = pim_replacer_new(g, scratch);
	pim_replacer_note(many, r, a);
	pim_replacer_note(many, a, x);
	CHECK(pim_replacer_find(many, r) == x);
	pim_replacer_apply(many);
	CHECK(b->in[0] == x && b->in[1] == x);
	pim_node_remove(r);
	pim_node_remove(a);
	CHECK(pim_verify_shaped(g) && x->next == b);
	pim_arena_free(scratch);
	pim_context_free(c);
}

static void *parse_often(void *text)
{
	long bad = 0;
	for (int i = 0; i < 200; i++) {
		pim_context *c = pim_context_new();
		pim_module *m = pim_module_parse(c, "t", text, strlen(text));
		char *out = m ? pim_module_print(m) : NULL;
		bad += !out || strcmp(out, text);
		free(out);
		pim_context_free(c);
	}
	return (void *)bad;
}

static void test_threads(void)
{
	static char text[] = "module {\n  graph @m(%x: f32[4]) {\n    %0 = gelu %x : f32[4] "
						 "loc(\"a\")\n    return %0\n  }\n}\n";
	pthread_t thread[4];
	void *bad;
	for (int i = 0; i < 4; i++)
		CHECK(!pthread_create(&thread[i], NULL, parse_often, text));
	for (int i = 0; i < 4; i++)
		CHECK(!pthread_join(thread[i], &bad) && !bad);
}

int main(void)
{
	test_arena();
	test_map();
	test_text();
	test_types();
	test_users();
	test_replace();
	test_threads();
	return check_failures != 0;
}
