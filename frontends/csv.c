/* SPDX-License-Identifier: Apache-2.0 */
/* csv - tables of layers, as a frontend: for studies that need sizes only.
 *
 * The first line names the columns; network, source, name, kind (conv or gemm), N, C, M, P, Q, R,
 * S, stride_h, stride_w and groups are read, others are skipped. conv: M channels of P x Q from C
 * by R x S without padding, so the input has (P - 1) * stride + R rows. gemm: N P x C by C x M.
 * Every layer has an input of its own and weights without elements; each network of a source is a
 * graph. */
#include <string.h>

#include "frontends/frontend.h"

enum { COL_network, COL_source, COL_name, COL_kind, COL_TEXTS };
enum {
	COL_N = COL_TEXTS,
	COL_C,
	COL_M,
	COL_P,
	COL_Q,
	COL_R,
	COL_S,
	COL_stride_h,
	COL_stride_w,
	COL_groups,
	COL_COUNT
};

static const char *const columns[COL_COUNT] = {"network", "source", "name", "kind", "N", "C", "M",
	"P", "Q", "R", "S", "stride_h", "stride_w", "groups"};

enum { FIELD_LIMIT = 64, LARGEST = 1 << 30 };

typedef struct field {
	const char *s;
	size_t n;
} field;

typedef struct table {
	pim_context *context;
	pim_module *module;
	pim_graph *graph;
	uint32_t source;
	const char *text, *p, *end;
	int at[COL_COUNT]; /* field of a column, -1 when it is not there */
	field cell[FIELD_LIMIT];
	int n_cells;
} table;

/* A first line with a comma that is nothing of the text form. */
bool pim_knows_csv(const char *path, const void *bytes, size_t n)
{
	const char *s = bytes, *line = memchr(s, '\n', n);
	size_t first = line ? (size_t)(line - s) : n;
	bool comment = first >= 2 && s[0] == '/' && s[1] == '/';
	(void)path;
	return first < 4096 && !comment && memchr(s, ',', first) && !memchr(s, '{', first) &&
		   !memchr(s, '\0', first);
}

static pim_loc here(const table *t, const char *p)
{
	return (pim_loc){t->source, (uint32_t)(p - t->text)};
}

/* The fields of the next line; false at the end, or after a diagnostic. */
static bool read_line(table *t)
{
	t->n_cells = 0;
	if (t->p >= t->end)
		return false;
	for (;;) {
		field f = {t->p, 0};
		while (t->p < t->end && *t->p != ',' && *t->p != '\n')
			t->p++;
		f.n = (size_t)(t->p - f.s);
		if (f.n && f.s[f.n - 1] == '\r')
			f.n--;
		if (t->n_cells == FIELD_LIMIT)
			return pim_error(
				t->context, here(t, f.s), "the line has more than %d fields", FIELD_LIMIT);
		t->cell[t->n_cells++] = f;
		if (t->p >= t->end || *t->p++ == '\n')
			return true;
	}
}

static bool read_header(table *t)
{
	if (!read_line(t))
		return pim_error(t->context, here(t, t->text), "the table is empty");
	for (int c = 0; c < COL_COUNT; c++) {
		t->at[c] = -1;
		for (int i = 0; i < t->n_cells; i++)
			if (t->cell[i].n == strlen(columns[c]) &&
				!memcmp(t->cell[i].s, columns[c], t->cell[i].n))
				t->at[c] = i;
		if (t->at[c] < 0 && c >= COL_kind && c <= COL_S)
			return pim_error(
				t->context, here(t, t->text), "the table has no column '%s'", columns[c]);
	}
	return true;
}

static field text_of(const table *t, int column)
{
	int i = t->at[column];
	return i >= 0 && i < t->n_cells ? t->cell[i] : (field){"", 0};
}

/* A column that is not there is 1. */
static bool read_size(const table *t, int column, int64_t *v)
{
	field f = text_of(t, column);
	*v = 0;
	if (t->at[column] < 0)
		return *v = 1, true;
	for (size_t i = 0; i < f.n && *v <= LARGEST; i++)
		*v = f.s[i] >= '0' && f.s[i] <= '9' ? *v * 10 + (f.s[i] - '0') : (int64_t)LARGEST + 1;
	if (f.n && *v >= 1 && *v <= LARGEST)
		return true;
	return pim_error(t->context, here(t, f.s), "%s is '%.*s', expected a number from 1 to %d",
		columns[column], (int)f.n, f.s, LARGEST);
}

static pim_node *absent(table *t, int rank, const int64_t *dims, pim_loc at)
{
	pim_data *d = PIM_NEW(t->module->arena, pim_data, 1);
	pim_node *n;
	d->kind = PIM_DATA_absent;
	n = pim_constant_make(
		t->graph, pim_type_tensor(t->context, PIM_DTYPE_f32, rank, dims), d, NULL);
	n->loc = at;
	return n;
}

static pim_node *make(table *t, pim_op op, pim_node *x, pim_node *w, pim_loc at)
{
	pim_node *in[2] = {x, w}, *n = pim_node_make(t->graph, op, 2, in, NULL);
	n->loc = at;
	return n;
}

/* Extent of an input dim under windows of r every `stride`; false after a diagnostic. */
static bool extent(
	const table *t, int64_t out, int64_t stride, int64_t r, int64_t *size, pim_loc at)
{
	*size = (out - 1) * stride + r;
	return *size <= LARGEST ||
		   pim_error(t->context, at, "an input dim would have %lld elements", (long long)*size);
}

static bool add_layer(table *t)
{
	int64_t v[COL_COUNT], in[4];
	field name = text_of(t, COL_name), kind = text_of(t, COL_kind);
	pim_loc at = here(t, t->cell[0].s);
	const char *label = pim_arena_copy(t->module->arena, name.s, name.n);
	bool conv = kind.n == 4 && !memcmp(kind.s, "conv", 4),
		 gemm = kind.n == 4 && !memcmp(kind.s, "gemm", 4);
	pim_node *x, *y;
	for (int c = COL_TEXTS; c < COL_COUNT; c++)
		if (!read_size(t, c, &v[c]))
			return false;
	if (!conv && !gemm)
		return pim_error(t->context, here(t, kind.s), "kind is '%.*s', expected conv or gemm",
			(int)kind.n, kind.s);
	if (v[COL_C] % v[COL_groups] || v[COL_M] % v[COL_groups])
		return pim_error(t->context, at, "%lld groups do not divide %lld and %lld channels",
			(long long)v[COL_groups], (long long)v[COL_C], (long long)v[COL_M]);
	in[0] = conv ? v[COL_N] : v[COL_N] * v[COL_P];
	in[1] = v[COL_C];
	if (conv && (!extent(t, v[COL_P], v[COL_stride_h], v[COL_R], &in[2], at) ||
					!extent(t, v[COL_Q], v[COL_stride_w], v[COL_S], &in[3], at)))
		return false;
	x = pim_input_make(t->graph,
		pim_arena_printf(t->module->arena, "%s.x", *label ? label : "layer"),
		pim_type_tensor(t->context, PIM_DTYPE_f32, conv ? 4 : 2, in), at);
	if (conv) {
		y = make(t, PIM_OP_conv, x,
			absent(t, 4, (int64_t[]){v[COL_M], v[COL_C] / v[COL_groups], v[COL_R], v[COL_S]}, at),
			at);
		if (v[COL_stride_h] != 1 || v[COL_stride_w] != 1)
			pim_node_set_ints(y, "strides", 2, (int64_t[]){v[COL_stride_h], v[COL_stride_w]});
		if (v[COL_groups] != 1)
			pim_node_set_int(y, "groups", v[COL_groups]);
	} else {
		y = make(t, PIM_OP_matmul, x, absent(t, 2, (int64_t[]){v[COL_C], v[COL_M]}, at), at);
	}
	if (!pim_node_infer(y))
		return false;
	if (*label)
		pim_node_rename(y, label);
	pim_graph_add_result(t->graph, y);
	return true;
}

/* Layers of another network or source begin another graph. */
static void choose_graph(table *t)
{
	field network = text_of(t, COL_network), source = text_of(t, COL_source);
	char *name = pim_arena_printf(t->module->arena, "%.*s%s%.*s", (int)network.n, network.s,
		network.n && source.n ? "." : "", (int)source.n, source.s);
	if (!*name)
		name = pim_arena_printf(t->module->arena, "layers");
	if (t->graph && !strcmp(t->graph->name, name))
		return;
	if (t->graph)
		t->graph->facts |= PIM_FACT_shaped;
	t->graph = pim_graph_new(t->module, name);
}

pim_module *pim_read_csv(
	pim_context *c, const char *path, const void *bytes, size_t n, const pim_read_options *o)
{
	table t = {.context = c, .text = bytes, .p = bytes, .end = (const char *)bytes + n};
	int errors = c->errors;
	(void)o;
	t.source = pim_source_text(c, path, bytes, n);
	t.module = pim_module_new(c);
	t.module->path = path;
	if (!read_header(&t))
		return NULL;
	while (read_line(&t)) {
		if (t.n_cells == 1 && t.cell[0].n == 0)
			continue;
		choose_graph(&t);
		if (!add_layer(&t) && c->errors - errors >= c->error_limit)
			break;
	}
	if (!t.graph || c->errors > errors)
		return t.graph ? NULL : (pim_error(c, here(&t, t.text), "the table has no layers"), NULL);
	t.graph->facts |= PIM_FACT_shaped;
	return t.module;
}
