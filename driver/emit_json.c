/* SPDX-License-Identifier: Apache-2.0 */
/* driver/emit_json.c - a module, its decisions and the statistics of passes as JSON.
 *
 * {"graphs": [{"name", "target", "facts", "sets", "results", "nodes": [{"id", "name", "op", "type",
 * "inputs", "attributes", "plan"}]}], "passes": [{"pass", "graph", "seconds", "statistics",
 * "outcome"}]}. Inputs are ids, null where one is absent; elements of constants are not repeated
 * here. */
#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "driver/driver.h"
#include "ir/array.h"

/* JSON has no inf and nan: they become text. */
static json_t *make_real(double v)
{
	if (isfinite(v))
		return json_real(v);
	return json_string(isnan(v) ? "nan" : v > 0 ? "inf" : "-inf");
}

/* Names come from files and may hold any bytes: those that are no UTF-8 become '?'. */
static json_t *make_text(const char *s)
{
	json_t *v = s ? json_string(s) : json_null();
	if (v)
		return v;
	size_t n = strlen(s);
	char *plain = pim_array_raw((int64_t)n + 1, 1);
	for (size_t i = 0; i <= n; i++)
		plain[i] = (char)((unsigned char)s[i] < 0x80 ? s[i] : '?');
	v = json_string(plain);
	free(plain);
	return v;
}

static json_t *make_ints(int n, const int64_t *v)
{
	json_t *list = json_array();
	for (int i = 0; i < n; i++)
		json_array_append_new(list, json_integer(v[i]));
	return list;
}

static json_t *make_list(const pim_attr *a)
{
	json_t *list = json_array();
	for (uint32_t i = 0; i < a->n; i++)
		json_array_append_new(list, a->kind == PIM_ATTR_ints	 ? json_integer(a->is[i])
									: a->kind == PIM_ATTR_floats ? make_real(a->fs[i])
																 : make_text(a->ss[i]));
	return list;
}

static json_t *make_data(const pim_data *d)
{
	json_t *o = json_object();
	const char *kind = d->kind == PIM_DATA_dense   ? "dense"
					   : d->kind == PIM_DATA_splat ? "splat"
												   : "absent";
	json_object_set_new(o, "kind", json_string(kind));
	if (d->file)
		json_object_set_new(o, "file", make_text(d->file));
	if (d->key)
		json_object_set_new(o, "key", make_text(d->key));
	return o;
}

static json_t *make_attribute(const pim_attr *a)
{
	switch ((pim_attr_kind)a->kind) {
	case PIM_ATTR_int:
		return json_integer(a->i);
	case PIM_ATTR_float:
		return make_real(a->f);
	case PIM_ATTR_string:
		return make_text(a->s);
	case PIM_ATTR_data:
		return make_data(a->data);
	default:
		return make_list(a);
	}
}

static json_t *make_type(const pim_type *t)
{
	json_t *o = json_object();
	if (!t->n_parts) {
		json_object_set_new(o, "dtype", json_string(pim_dtype_name(t->dtype)));
		json_object_set_new(o, "shape", make_ints(t->rank, t->dims));
		return o;
	}
	json_t *parts = json_array();
	for (int i = 0; i < t->n_parts; i++)
		json_array_append_new(parts, make_type(t->parts[i]));
	json_object_set_new(o, "parts", parts);
	return o;
}

/* ---- decisions ---- */

static json_t *make_layout(const pim_layout *l)
{
	json_t *parts = json_array();
	for (int d = 0; d < l->rank; d++)
		json_array_append_new(parts, json_integer(l->parts[d]));
	return json_pack(
		"{s:o, s:i, s:i}", "parts", parts, "sums", (int)l->sums, "copies", (int)l->copies);
}

static json_t *make_nest(const pim_nest *n)
{
	json_t *loops = json_array();
	for (int i = 0; i < n->n; i++)
		json_array_append_new(loops, json_pack("{s:i, s:i, s:b}", "axis", n->loop[i].axis, "count",
										 (int)n->loop[i].count, "spatial", n->loop[i].spatial));
	return json_pack("{s:o, s:o, s:I}", "loops", loops, "tile", make_ints(n->n_axes, n->tile),
		"cycles", (json_int_t)n->cycles);
}

static json_t *make_plan(const pim_plan *p, const pim_graph *g)
{
	json_t *o = json_object();
	if ((g->facts & PIM_FACT_split) && p->set >= 0 && p->set < g->n_sets)
		json_object_set_new(o, "set", make_text(g->sets[p->set].name));
	if (p->layout)
		json_object_set_new(o, "layout", make_layout(p->layout));
	if (p->nest)
		json_object_set_new(o, "nest", make_nest(p->nest));
	if (p->fused)
		json_object_set_new(o, "fused", json_integer(p->fused->id));
	if (g->facts & PIM_FACT_scheduled) {
		json_object_set_new(o, "start", json_integer(p->start));
		json_object_set_new(o, "cycles", json_integer(p->cycles));
		json_object_set_new(o, "units", json_integer(p->n_units));
	}
	if (!p->unit)
		return o;
	json_t *on = json_array();
	for (int i = 0; i < p->n_units; i++)
		json_array_append_new(on, json_integer(p->unit[i]));
	json_object_set_new(o, "on", on);
	return o;
}

/* ---- nodes and graphs ---- */

static json_t *make_node(const pim_node *n, pim_arena *a)
{
	json_t *inputs = json_array(), *attributes = json_object(), *o = json_object();
	for (uint32_t i = 0; i < n->n_in; i++)
		json_array_append_new(inputs, n->in[i] ? json_integer(n->in[i]->id) : json_null());
	for (int i = 0; i < n->n_attrs; i++)
		json_object_set_new(attributes, n->attrs[i].name, make_attribute(&n->attrs[i]));
	json_object_set_new(o, "id", json_integer(n->id));
	json_object_set_new(o, "name", make_text(pim_node_label(n, a)));
	json_object_set_new(o, "op", json_string(pim_op_at((pim_op)n->op)->name));
	json_object_set_new(o, "type", make_type(n->type));
	json_object_set_new(o, "inputs", inputs);
	json_object_set_new(o, "attributes", attributes);
	if (n->plan)
		json_object_set_new(o, "plan", make_plan(n->plan, n->graph));
	if (n->loc.source)
		json_object_set_new(o, "place", make_text(pim_loc_text(pim_context_of(n), n->loc, a)));
	return o;
}

static json_t *make_set(const pim_branch_set *s)
{
	json_t *axes = json_array();
	for (int i = 0; i < s->n_axes; i++)
		json_array_append_new(axes, json_pack("{s:s, s:I}", "name", s->axis[i].name, "count",
										(json_int_t)s->axis[i].count));
	return json_pack("{s:s, s:o, s:i}", "name", s->name, "axes", axes, "degree", (int)s->degree);
}

static json_t *make_graph(const pim_graph *g, pim_arena *a)
{
	json_t *facts = json_array(), *sets = json_array(), *results = json_array(),
		   *nodes = json_array();
	for (int bit = 0; bit < PIM_FACT_COUNT; bit++)
		if (g->facts & 1u << bit)
			json_array_append_new(facts, json_string(pim_fact_name(bit)));
	for (int i = 0; i < g->n_sets && (g->facts & PIM_FACT_split); i++)
		json_array_append_new(sets, make_set(&g->sets[i]));
	for (int i = 0; i < g->n_results; i++)
		json_array_append_new(results, json_integer(g->results[i]->id));
	PIM_EACH_NODE(n, g)
	json_array_append_new(nodes, make_node(n, a));
	json_t *o = json_object();
	json_object_set_new(o, "name", make_text(g->name));
	json_object_set_new(o, "target", make_text(g->target));
	json_object_set_new(o, "facts", facts);
	json_object_set_new(o, "sets", sets);
	json_object_set_new(o, "results", results);
	json_object_set_new(o, "nodes", nodes);
	return o;
}

/* ---- passes ---- */

static json_t *make_outcome(const pim_outcome *p)
{
	json_t *o = json_object();
	double gap = p->value != 0 ? (p->value - p->bound) / fabs(p->value) : 0;
	json_object_set_new(o, "value", make_real(p->value));
	json_object_set_new(o, "bound", make_real(p->bound));
	json_object_set_new(o, "gap", make_real(gap));
	json_object_set_new(o, "status", make_text(p->status));
	json_object_set_new(o, "nodes", json_integer(p->nodes));
	json_object_set_new(o, "seconds", make_real(p->seconds));
	return o;
}

/* What --verify-numerics found out; null when it was not asked. */
static json_t *make_values(pim_values v)
{
	static const char *const words[] = {NULL, "proved", "compared"};
	return make_text(words[v]);
}

static json_t *make_record(const pim_pass_record *r)
{
	json_t *o = json_object(), *statistics = json_object();
	const pim_pass_field *f = r->pass->fields;
	for (int i = 0; f && f[i].name; i++)
		if (!f[i].init)
			json_object_set_new(statistics, f[i].name, make_real(r->statistic[i]));
	json_object_set_new(o, "pass", make_text(r->pass->name));
	json_object_set_new(o, "graph", make_text(r->graph->name));
	json_object_set_new(o, "seconds", make_real(r->seconds));
	json_object_set_new(o, "verify_seconds", make_real(r->verify_seconds));
	json_object_set_new(o, "nodes_before", json_integer(r->nodes_before));
	json_object_set_new(o, "nodes_after", json_integer(r->nodes_after));
	json_object_set_new(o, "statistics", statistics);
	json_object_set_new(o, "values", make_values(r->values));
	json_object_set_new(o, "outcome", r->has_outcome ? make_outcome(&r->outcome) : json_null());
	return o;
}

static json_t *make_passes(const session *s)
{
	json_t *passes = json_array();
	for (int i = 0; i < s->report.n; i++)
		json_array_append_new(passes, make_record(&s->report.record[i]));
	return passes;
}

static json_t *make_times(const timing *t)
{
	return json_pack("{s:f, s:f, s:f}", "read", t->read, "run", t->run, "write", t->write);
}

static bool print_json(json_t *top, FILE *out)
{
	bool good = top && !json_dumpf(top, out, JSON_INDENT(1) | JSON_PRESERVE_ORDER) &&
				putc('\n', out) != EOF;
	json_decref(top);
	return good;
}

bool emit_json(session *s, const pim_module *m, FILE *out)
{
	pim_arena *a = pim_arena_new();
	json_t *top = json_object(), *graphs = json_array();
	for (int i = 0; i < m->n_graphs; i++)
		json_array_append_new(graphs, make_graph(m->graphs[i], a));
	json_object_set_new(top, "graphs", graphs);
	json_object_set_new(top, "passes", make_passes(s));
	pim_arena_free(a);
	return print_json(top, out) ||
		   pim_file_error(s->context, s->o->value[OPT_output], "cannot write JSON");
}

void report_statistics_json(const session *s, FILE *out)
{
	json_t *top = json_object();
	json_object_set_new(top, "passes", make_passes(s));
	json_object_set_new(top, "seconds", make_times(&s->time));
	print_json(top, out);
}
