/* SPDX-License-Identifier: Apache-2.0 */
/* onnx_table - the rows of onnx_ops.def: finding one, naming what has none, reading attributes.
 *
 * Before anything is converted every node of the model is looked up, those in bodies of control
 * flow and in local functions too, so that a user learns of all that is missing at once. */
#include <stdarg.h>
#include <string.h>

#include "frontends/onnx.h"

static const onnx_row rows[] = {
#define ONNX_IN(domain, op_type, first, last, fewest, most, outs, converter, op)                   \
	{#op_type, domain, first, last, fewest, most, outs, onnx_convert_##converter, PIM_OP_##op},
#include "frontends/onnx_ops.def"
};

enum { N_ROWS = sizeof rows / sizeof *rows, NAMES_SHOWN = 3 };

/* The default domain has two spellings. */
static const char *plain_domain(const char *domain)
{
	return !domain || !strcmp(domain, "ai.onnx") ? "" : domain;
}

/* Rows and functions of one operator, in a chain. */
typedef struct definition {
	struct definition *next;
	const onnx_row *row;
	const Onnx__FunctionProto *function;
} definition;

static definition *find_definitions(const onnx_import *x, const char *op_type, const char *domain)
{
	char key[256];
	int n = snprintf(key, sizeof key, "%s:%s", plain_domain(domain), op_type ? op_type : "");
	return n < (int)sizeof key ? pim_map_get(x->definitions, key, (size_t)n) : NULL;
}

static void add_definition(onnx_import *x, const char *op_type, const char *domain, definition d)
{
	char key[256];
	int n = snprintf(key, sizeof key, "%s:%s", plain_domain(domain), op_type ? op_type : "");
	definition *kept = PIM_NEW(x->scratch, definition, 1);
	if (n >= (int)sizeof key)
		return;
	*kept = d;
	kept->next = pim_map_put(x->definitions, key, (size_t)n, kept);
}

void onnx_table_open(onnx_import *x)
{
	x->definitions = pim_map_new(x->scratch);
	for (int i = 0; i < N_ROWS; i++)
		add_definition(x, rows[i].op_type, rows[i].domain, (definition){.row = &rows[i]});
	for (size_t i = x->model->n_functions; i-- > 0;) {
		const Onnx__FunctionProto *f = x->model->functions[i];
		add_definition(x, f->name, f->domain, (definition){.function = f});
	}
}

/* Of another opset, else of another domain. */
static const onnx_row *find_elsewhere(const onnx_import *x, const char *op_type, const char *domain)
{
	for (definition *d = find_definitions(x, op_type, domain); d; d = d->next)
		if (d->row)
			return d->row;
	for (int i = 0; i < N_ROWS; i++)
		if (!strcmp(rows[i].op_type, op_type ? op_type : ""))
			return &rows[i];
	return NULL;
}

const onnx_row *onnx_row_find(
	const onnx_import *x, const char *op_type, const char *domain, int64_t opset)
{
	for (definition *d = find_definitions(x, op_type, domain); d; d = d->next)
		if (d->row && opset >= d->row->first && opset <= d->row->last)
			return d->row;
	return x->elsewhere ? find_elsewhere(x, op_type, domain) : NULL;
}

const Onnx__FunctionProto *onnx_function_find(const onnx_import *x, const Onnx__NodeProto *n)
{
	for (definition *d = find_definitions(x, n->op_type, n->domain); d; d = d->next)
		if (d->function)
			return d->function;
	return NULL;
}

int64_t onnx_opset(const onnx_scope *s, const char *domain)
{
	for (size_t i = 0; i < s->n_opsets; i++)
		if (!strcmp(plain_domain(s->opsets[i]->domain), plain_domain(domain)))
			return s->opsets[i]->version;
	return 0;
}

pim_loc onnx_node_loc(pim_context *c, const Onnx__NodeProto *n, int index)
{
	char text[128];
	if (n->name && *n->name)
		return pim_loc_name(c, n->name);
	snprintf(text, sizeof text, "%s#%d", n->op_type ? n->op_type : "?", index);
	return pim_loc_name(c, text);
}

/* An operator without a row: how often, and its first nodes. */
typedef struct missing {
	struct missing *next;
	const char *op_type, *domain;
	int64_t opset;
	int count;
	pim_loc at;
	pim_text names;
} missing;

typedef struct survey {
	const onnx_import *import;
	missing *first, **last;
	int index;
} survey;

static void note_missing(survey *s, const Onnx__NodeProto *n, int64_t opset)
{
	const char *op_type = n->op_type ? n->op_type : "", *domain = plain_domain(n->domain);
	pim_loc at = onnx_node_loc(s->import->context, n, s->index);
	missing *m = s->first;
	while (m && (strcmp(m->op_type, op_type) || strcmp(m->domain, domain) || m->opset != opset))
		m = m->next;
	if (!m) {
		m = PIM_NEW(s->import->scratch, missing, 1);
		*m = (missing){.op_type = op_type, .domain = domain, .opset = opset, .at = at};
		*s->last = m;
		s->last = &m->next;
	}
	if (m->count++ < NAMES_SHOWN)
		pim_text_printf(&m->names, "%s%s", m->count > 1 ? ", " : "",
			pim_loc_text(s->import->context, at, s->import->scratch));
}

static void survey_nodes(survey *s, const onnx_scope *scope, size_t n, Onnx__NodeProto **nodes)
{
	for (size_t i = 0; i < n; i++, s->index++) {
		const Onnx__NodeProto *node = nodes[i];
		int64_t opset = onnx_opset(scope, node->domain);
		if (!onnx_row_find(s->import, node->op_type, node->domain, opset) &&
			!onnx_function_find(s->import, node))
			note_missing(s, node, opset);
		for (size_t a = 0; a < node->n_attribute; a++) {
			const Onnx__AttributeProto *attr = node->attribute[a];
			if (attr->g)
				survey_nodes(s, scope, attr->g->n_node, attr->g->node);
			for (size_t g = 0; g < attr->n_graphs; g++)
				survey_nodes(s, scope, attr->graphs[g]->n_node, attr->graphs[g]->node);
		}
	}
}

/* Why the operator will never be there; NULL when there is no such reason. */
static const char *refusal(const char *op_type, const char *domain)
{
	static const struct {
		const char *op_type, *reason;
	} table[] = {
#define REFUSED(op_type, reason) {#op_type, reason},
#include "frontends/onnx_refused.def"
	};
	if (!strncmp(domain, "ai.onnx.preview.training", 24))
		return "training";
	if (!strcmp(domain, "ai.onnx.ml"))
		return "classical machine learning";
	for (size_t i = 0; i < sizeof table / sizeof *table; i++)
		if (!*domain && !strcmp(table[i].op_type, op_type))
			return table[i].reason;
	return NULL;
}

/* What is known of the operator in other opsets, as words to add to the message. */
static const char *other_opsets(const missing *m, pim_arena *a)
{
	int first = 0, last = 0;
	const char *elsewhere = NULL;
	for (int i = 0; i < N_ROWS; i++)
		if (!strcmp(rows[i].op_type, m->op_type) && strcmp(rows[i].domain, m->domain))
			elsewhere = *rows[i].domain ? rows[i].domain : "ai.onnx";
	for (int i = 0; i < N_ROWS; i++)
		if (!strcmp(rows[i].op_type, m->op_type) && !strcmp(rows[i].domain, m->domain)) {
			first = first && first < rows[i].first ? first : rows[i].first;
			last = last > rows[i].last ? last : rows[i].last;
		}
	if (refusal(m->op_type, m->domain))
		return pim_arena_printf(a, " (programs have no %s)", refusal(m->op_type, m->domain));
	if (first)
		return pim_arena_printf(a, " (it is in opset %d to %d)", first, last);
	return elsewhere ? pim_arena_printf(a, " (domain %s has one)", elsewhere) : "";
}

bool onnx_check_supported(onnx_import *x, const onnx_scope *scope)
{
	survey s = {.import = x, .last = NULL};
	s.last = &s.first;
	survey_nodes(&s, scope, x->model->graph->n_node, x->model->graph->node);
	for (size_t i = 0; i < x->model->n_functions; i++) {
		const Onnx__FunctionProto *f = x->model->functions[i];
		onnx_scope body = {.n_opsets = f->n_opset_import, .opsets = f->opset_import};
		survey_nodes(&s, &body, f->n_node, f->node);
	}
	x->elsewhere = true;
	for (missing *m = s.first; m; m = m->next)
		x->elsewhere = x->elsewhere && !refusal(m->op_type, m->domain) &&
					   find_elsewhere(x, m->op_type, m->domain);
	for (missing *m = s.first; m; m = m->next) {
		pim_error(x->context, m->at,
			"operator %s of domain %s, opset %lld, is not supported%s: %d node%s (%s%s)",
			m->op_type, *m->domain ? m->domain : "ai.onnx", (long long)m->opset,
			other_opsets(m, x->scratch), m->count, m->count > 1 ? "s" : "", m->names.s,
			m->count > NAMES_SHOWN ? ", ..." : "");
		pim_text_free(&m->names);
	}
	return !s.first;
}

static const Onnx__AttributeProto *attribute_of(const Onnx__NodeProto *n, const char *name)
{
	for (size_t i = 0; i < n->n_attribute; i++)
		if (n->attribute[i]->name && !strcmp(n->attribute[i]->name, name))
			return n->attribute[i];
	return NULL;
}

/* In a function body an attribute may stand for one of the call. */
static const Onnx__AttributeProto *resolve(const onnx_scope *s, const Onnx__AttributeProto *a)
{
	while (a && a->ref_attr_name && *a->ref_attr_name && s && s->caller) {
		a = attribute_of(s->caller, a->ref_attr_name);
		s = s->outer;
	}
	return a;
}

const Onnx__AttributeProto *onnx_attribute(const onnx_call *k, const char *name)
{
	return resolve(k->scope, attribute_of(k->node, name));
}

int64_t onnx_int(const onnx_call *k, const char *name, int64_t init)
{
	const Onnx__AttributeProto *a = onnx_attribute(k, name);
	return a ? a->i : init;
}

/* The author's number: the shortest decimal that is this float, so that 0.1f becomes 0.1. */
static double widen(float f)
{
	char text[32];
	double v = (double)f;
	for (int digits = 6; digits <= 9; digits++) {
		int n = snprintf(text, sizeof text, "%.*g", digits, (double)f);
		if (pim_read_float(text, text + n, &v) == text + n && (float)v == f)
			return v;
	}
	return (double)f;
}

double onnx_float(const onnx_call *k, const char *name, double init)
{
	const Onnx__AttributeProto *a = onnx_attribute(k, name);
	return a ? widen(a->f) : init;
}

const char *onnx_string(const onnx_call *k, const char *name, const char *init)
{
	const Onnx__AttributeProto *a = onnx_attribute(k, name);
	return a && a->s.len ? pim_intern(k->import->context, (const char *)a->s.data, a->s.len)
		   : a			 ? ""
						 : init;
}

int onnx_ints(const onnx_call *k, const char *name, const int64_t **v)
{
	const Onnx__AttributeProto *a = onnx_attribute(k, name);
	*v = a ? a->ints : NULL;
	return a ? (int)a->n_ints : -1;
}

void onnx_check_attributes(const onnx_call *k)
{
	/* Of any operator of ai.onnx in any opset, in order. */
	static const char *const names[] = {"activation", "activation_alpha", "activation_beta",
		"activations", "align_corners", "allowzero", "alpha", "antialias", "approximate",
		"auto_pad", "axes", "axis", "batch_axis", "batch_dims", "beta", "bias", "block_size",
		"blocksize", "body", "bitwidth", "case_change_action", "ceil_mode", "center_point_box",
		"chunk_size", "clip", "consumed_inputs", "coordinate_transformation_mode",
		"count_include_pad", "cubic_coeff_a", "detect_negative", "detect_positive", "dilations",
		"direction", "directions", "dtype", "else_branch", "end", "ends", "epsilon", "equation",
		"exclude_outside", "exclusive", "extrapolation_value", "fmod", "gamma", "group",
		"height_scale", "hidden_size", "high", "ignore_index", "input_forget", "interleaved",
		"inverse", "is_case_sensitive", "is_causal", "is_test", "k", "keep_aspect_ratio_policy",
		"keepdims", "kernel_shape", "kv_num_heads", "lambd", "largest", "layout",
		"linear_before_reset", "locale", "low", "max", "max_gram_length", "max_skip_count", "mean",
		"min", "min_gram_length", "mode", "momentum", "nearest_mode", "new_axis", "ngram_counts",
		"ngram_indexes", "noop_with_empty_axes", "num_groups", "num_heads", "num_outputs",
		"num_scan_inputs", "offset_group", "onesided", "output_datatype", "output_dtype",
		"output_height", "output_padding", "output_sequence", "output_shape", "output_width", "p",
		"padding_mode", "paddings", "pads", "periodic", "perm", "pool_int64s", "pool_strings",
		"pooled_shape", "precision", "q_num_heads", "qk_matmul_output_mode", "ratio", "reduction",
		"reverse", "rotary_embedding_dim", "round_mode", "sample_size", "sampling_ratio",
		"saturate", "scale", "scales", "scan_input_axes", "scan_input_directions",
		"scan_output_axes", "scan_output_directions", "seed", "select_last_index", "shape", "size",
		"softcap", "softmax_precision", "sorted", "sparse_value", "spatial", "spatial_scale",
		"split", "start", "starts", "stash_type", "steps", "stopwords", "storage_order", "strides",
		"then_branch", "time_axis", "to", "training_mode", "transA", "transB", "type",
		"update_rule", "upper", "value", "value_float", "value_floats", "value_int", "value_ints",
		"value_string", "value_strings", "weights", "width_scale"};
	for (size_t i = 0; i < k->node->n_attribute && !*plain_domain(k->node->domain); i++) {
		const char *name = k->node->attribute[i]->name ? k->node->attribute[i]->name : "";
		bool known = k->opset < 7 && !strcmp(name, "broadcast");
		for (size_t j = 0; j < sizeof names / sizeof *names && !known; j++)
			known = !strcmp(name, names[j]);
		if (!known)
			pim_report(k->import->context, PIM_WARNING, k->at,
				"%s: attribute '%s' is unknown in opset %lld, it is ignored", k->row->op_type, name,
				(long long)k->opset);
	}
}

bool onnx_is_wanted(const onnx_call *k, int i)
{
	return i < k->n_out && k->node->output[i] && *k->node->output[i];
}

bool onnx_fail(const onnx_call *k, const char *format, ...)
{
	va_list ap;
	const char *text;
	va_start(ap, format);
	text = pim_arena_vprintf(k->import->scratch, format, ap);
	va_end(ap);
	return pim_error(k->import->context, k->at, "%s: %s", k->row->op_type, text);
}
