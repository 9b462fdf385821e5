/* SPDX-License-Identifier: Apache-2.0 */
/* driver/emit.c - a module in the form that was asked for. */
#include <libgen.h>
#include <stdlib.h>
#include <string.h>

#include "driver/driver.h"
#include "targets/program.h"

/* "dir/net.pim" -> "net.safetensors"; NULL for standard output. */
static const char *name_weights(const session *s)
{
	const char *path = s->o->value[OPT_output];
	if (!path || !strcmp(path, "-"))
		return NULL;
	const char *slash = strrchr(path, '/'), *file = slash ? slash + 1 : path,
			   *dot = strrchr(path, '.');
	size_t n = dot && dot > file ? (size_t)(dot - path) : strlen(path);
	return pim_arena_printf(s->arena, "%.*s.safetensors", (int)n, path);
}

static char *find_folder(const char *path)
{
	char *copy = strdup(path), *real = copy ? realpath(dirname(copy), NULL) : NULL;
	free(copy);
	return real;
}

/* Files that a text names stand beside it: in another folder they would not be found. */
static bool leaves_folder(const session *s, const pim_module *m)
{
	char *from = find_folder(m->path ? m->path : "."), *to = find_folder(s->o->value[OPT_output]);
	bool leaves = !from || !to || strcmp(from, to);
	free(from);
	free(to);
	return leaves;
}

/* The folder of the input with its slash, for text that goes to the current one; NULL for none. */
static const char *name_folder(const session *s, const pim_module *m)
{
	const char *slash = m->path ? strrchr(m->path, '/') : NULL;
	return slash ? pim_arena_copy(s->arena, m->path, (size_t)(slash - m->path) + 1) : NULL;
}

static bool emit_text(session *s, const pim_module *m, FILE *out)
{
	pim_print_options o = pim_print_defaults;
	pim_text text = {.sink = out};
	o.weights = name_weights(s);
	o.folder = o.weights ? NULL : name_folder(s, m);
	o.gather = o.weights && leaves_folder(s, m);
	bool good = pim_module_write(m, &o, &text) && pim_text_flush(&text);
	pim_text_free(&text);
	return good;
}

/* The one graph that a command file can hold; NULL after a diagnostic. */
static const pim_graph *find_lowered(session *s, const pim_module *m)
{
	if (m->n_graphs != 1) {
		pim_error(s->context, (pim_loc){0, 0},
			"a command file holds the code of one graph, and this module has %d", m->n_graphs);
		return NULL;
	}
	const pim_graph *g = m->graphs[0];
	if (g->code)
		return g;
	pim_error(s->context, g->loc,
		"graph @%s has no command code; a pipeline that ends in 'lower' writes it", g->name);
	return NULL;
}

static bool emit_micro(session *s, const pim_module *m, FILE *out)
{
	const pim_graph *g = find_lowered(s, m);
	pim_text text = {.sink = out};
	bool good = g && pim_program_write_micro(g->code, &text) && pim_text_flush(&text);
	pim_text_free(&text);
	return good;
}

static bool emit_commands(session *s, const pim_module *m, FILE *out)
{
	const pim_graph *g = find_lowered(s, m);
	if (!g)
		return false;
	if (s->o->emit == EMIT_binary)
		return pim_program_write_binary(g->code, out, name_weights(s));
	pim_text text = {.sink = out};
	bool good = pim_program_write_text(g->code, &text, name_weights(s)) && pim_text_flush(&text);
	pim_text_free(&text);
	return good;
}

const pim_node *find_value(pim_graph *g, const char *name, pim_arena *a)
{
	const char **names = PIM_NEW(a, const char *, g->n_ids);
	int count = 0;
	PIM_EACH_NODE(n, g)
	{
		names[count] = n->name ? n->name : pim_arena_printf(a, "%u", n->number);
		if (!strcmp(names[count++], name))
			return n;
	}
	pim_error(g->module->context, g->loc, "graph @%s has no value %%%s%s", g->name, name,
		hint_nearest(name, count, names, a));
	return NULL;
}

static bool emit_picture(session *s, const pim_module *m, const char *format, FILE *out)
{
	if (m->n_graphs != 1)
		return pim_error(s->context, (pim_loc){0, 0},
			"a picture shows one graph, and this module has %d", m->n_graphs);
	pim_graph *g = m->graphs[0];
	if (!s->o->around)
		return pim_picture_write(g, s->o->picture, s->target, format, out);
	const pim_node *n = find_value(g, s->o->around, s->arena);
	if (n && s->o->picture == PIM_PICTURE_overlap)
		return pim_picture_write_fronts(n, s->target, format, out);
	return n && pim_picture_write_around(n, s->o->depth, format, out);
}

static bool emit_onnx(session *s, const pim_module *m, FILE *out)
{
	if (m->n_graphs != 1)
		return pim_error(s->context, (pim_loc){0, 0},
			"an ONNX file holds one graph, and this module has %d", m->n_graphs);
	return pim_onnx_write(m->graphs[0], out);
}

/* The points of all passes, a line each. */
static bool emit_csv(session *s, FILE *out)
{
	fprintf(out, "pass,graph,cycles,picojoules,how\n");
	for (int i = 0; i < s->report.n; i++) {
		const pim_pass_record *r = &s->report.record[i];
		for (int k = 0; k < r->n_points; k++)
			fprintf(out, "%s,%s,%.17g,%.17g,\"%s\"\n", r->pass->name, r->graph->name,
				r->point[k].cycles, r->point[k].pj, r->point[k].how);
	}
	return !ferror(out);
}

bool emit_module(session *s, const pim_module *m, FILE *out)
{
	switch (s->o->emit) {
	case EMIT_pim:
		return emit_text(s, m, out);
	case EMIT_commands:
	case EMIT_binary:
		return emit_commands(s, m, out);
	case EMIT_micro:
		return emit_micro(s, m, out);
	case EMIT_dot:
		return emit_picture(s, m, "dot", out);
	case EMIT_svg:
		return emit_picture(s, m, "svg", out);
	case EMIT_json:
		return emit_json(s, m, out);
	case EMIT_onnx:
		return emit_onnx(s, m, out);
	case EMIT_csv:
		return emit_csv(s, out);
	default:
		return true;
	}
}
