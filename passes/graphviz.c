/* SPDX-License-Identifier: Apache-2.0 */
/* graphviz.c - pictures through Graphviz: cgraph builds them, gvc lays them out and renders them,
 * in memory. The only file that includes their headers; graphviz_none.c stands in when they are
 * absent. */
#include <graphviz/gvc.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "passes/drawing.h"

struct pim_drawing {
	pim_context *context;
	pim_arena *arena;
	pim_arrange how;
	Agraph_t *graph;
	int n_shapes, n_groups, n_legend;
	double left, bottom; /* of the shapes of a fixed picture */
	struct legend {
		const char *fill, *meaning;
	} legend[24];
};

/* cgraph takes names and values without const but copies them. */
static char *text(const char *s)
{
	return (char *)(uintptr_t)s;
}

static void set(void *object, const char *name, const char *value)
{
	agsafeset(object, text(name), text(value), text(""));
}

static void set_number(pim_drawing *d, void *object, const char *name, double v)
{
	set(object, name, pim_arena_printf(d->arena, "%.6g", v));
}

/* Graphviz reads backslash escapes in labels: only line breaks are meant. */
static const char *label_of(pim_drawing *d, const char *s)
{
	size_t n = strlen(s);
	char *out = pim_arena_alloc(d->arena, 2 * n + 1), *p = out;
	for (size_t i = 0; i < n; i++) {
		if (s[i] == '\n' || s[i] == '\\')
			*p++ = '\\';
		*p++ = s[i] == '\n' ? 'n' : s[i];
	}
	*p = 0;
	return out;
}

static void set_defaults(Agraph_t *g, pim_arrange how)
{
	agattr(g, AGRAPH, text("fontname"), text("Helvetica"));
	agattr(g, AGRAPH, text("fontsize"), text("11"));
	agattr(g, AGRAPH, text("labelloc"), text("t"));
	agattr(g, AGRAPH, text("style"), text("rounded,filled"));
	agattr(g, AGRAPH, text("bgcolor"), text("white"));
	agattr(g, AGNODE, text("fontname"), text("Helvetica"));
	agattr(g, AGNODE, text("fontsize"), text("10"));
	agattr(g, AGNODE, text("style"), text("filled"));
	agattr(g, AGNODE, text("shape"), text("box"));
	agattr(g, AGNODE, text("fillcolor"), text("white"));
	agattr(g, AGNODE, text("color"), text("#707070"));
	agattr(g, AGNODE, text("margin"), text("0.08,0.04"));
	agattr(g, AGNODE, text("height"), text("0.2"));
	agattr(g, AGEDGE, text("fontname"), text("Helvetica"));
	agattr(g, AGEDGE, text("fontsize"), text("8"));
	agattr(g, AGEDGE, text("color"), text("#707070"));
	agattr(g, AGEDGE, text("arrowsize"), text("0.6"));
	if (how == PIM_ARRANGE_layers) {
		agattr(g, AGRAPH, text("ranksep"), text("0.25"));
		agattr(g, AGRAPH, text("nodesep"), text("0.2"));
		agattr(g, AGRAPH, text("nslimit"), text("2"));
		agattr(g, AGRAPH, text("mclimit"), text("0.5"));
	} else {
		agattr(g, AGRAPH, text("splines"), text("line"));
		agattr(g, AGNODE, text("fixedsize"), text("true"));
	}
}

/* Graphviz is not made for threads, and its text plugin keeps a font name of the last picture and
 * reads it in the next: so one drawing exists at a time, and the context that owns the plugin lives
 * as long as the process. */
static struct {
	pthread_mutex_t one_drawing;
	GVC_t *gvc; /* made with the first rendering */
} graphviz = {.one_drawing = PTHREAD_MUTEX_INITIALIZER};

/* Waits until no other thread has a drawing; a thread has one at most. */
pim_drawing *pim_drawing_new(pim_context *c, const char *title, pim_arrange how)
{
	pthread_mutex_lock(&graphviz.one_drawing);
	pim_arena *arena = pim_arena_new();
	pim_drawing *d = PIM_NEW(arena, pim_drawing, 1);
	*d = (pim_drawing){.context = c, .arena = arena, .how = how};
	agseterr(AGERR); /* warnings of Graphviz are not for our users */
	d->graph = agopen(text("picture"), Agdirected, NULL);
	set_defaults(d->graph, how);
	set(d->graph, "label", label_of(d, title));
	return d;
}

void pim_drawing_free(pim_drawing *d)
{
	agclose(d->graph);
	pim_arena_free(d->arena);
	pthread_mutex_unlock(&graphviz.one_drawing);
}

pim_group *pim_drawing_group(pim_drawing *d, pim_group *inside, const char *label, const char *fill)
{
	Agraph_t *parent = inside ? (Agraph_t *)inside : d->graph;
	Agraph_t *g = agsubg(parent, pim_arena_printf(d->arena, "cluster_%d", d->n_groups++), 1);
	set(g, "label", label_of(d, label));
	set(g, "fillcolor", fill ? fill : "#f7f7f7");
	set(g, "color", "#c0c0c0");
	return (pim_group *)g;
}

static void fix(pim_drawing *d, Agnode_t *n, const pim_look *look)
{
	if (look->at[0] - look->size[0] / 2 < d->left)
		d->left = look->at[0] - look->size[0] / 2;
	if (look->at[1] - look->size[1] / 2 < d->bottom)
		d->bottom = look->at[1] - look->size[1] / 2;
	set(n, "pos", pim_arena_printf(d->arena, "%.2f,%.2f", look->at[0], look->at[1]));
	set_number(d, n, "width", look->size[0] / 72);
	set_number(d, n, "height", look->size[1] / 72);
}

pim_shape *pim_drawing_shape(pim_drawing *d, pim_group *inside, const pim_look *look)
{
	Agraph_t *parent = inside ? (Agraph_t *)inside : d->graph;
	Agnode_t *n = agnode(parent, pim_arena_printf(d->arena, "n%d", d->n_shapes++), 1);
	set(n, "label", label_of(d, look->label ? look->label : ""));
	if (look->tooltip)
		set(n, "tooltip", label_of(d, look->tooltip));
	if (look->fill)
		set(n, "fillcolor", look->fill);
	if (look->line)
		set(n, "color", look->line);
	if (look->shape)
		set(n, "shape", look->shape);
	if (look->font > 0)
		set_number(d, n, "fontsize", look->font);
	if (d->how == PIM_ARRANGE_fixed)
		fix(d, n, look);
	return (pim_shape *)n;
}

void pim_drawing_line(pim_drawing *d, pim_shape *from, pim_shape *to, const pim_line *line)
{
	Agedge_t *e = agedge(d->graph, (Agnode_t *)from, (Agnode_t *)to, NULL, 1);
	if (line->label)
		set(e, "label", label_of(d, line->label));
	if (line->colour)
		set(e, "color", line->colour);
	if (line->style)
		set(e, "style", line->style);
	if (line->width > 0)
		set_number(d, e, "penwidth", line->width);
	if (line->plain)
		set(e, "arrowhead", "none");
	if (line->loose)
		set(e, "constraint", "false");
}

void pim_drawing_legend(pim_drawing *d, const char *fill, const char *meaning)
{
	size_t room = sizeof d->legend / sizeof *d->legend;
	if ((size_t)d->n_legend < room)
		d->legend[d->n_legend++] = (struct legend){
			pim_arena_printf(d->arena, "%s", fill), pim_arena_printf(d->arena, "%s", meaning)};
}

/* One table of swatches, as an HTML-like label of a node of its own. */
static void add_legend(pim_drawing *d)
{
	if (!d->n_legend)
		return;
	pim_text t = {0};
	pim_text_str(&t, "<table border=\"0\" cellborder=\"0\" cellspacing=\"2\">");
	for (int i = 0; i < d->n_legend; i++)
		pim_text_printf(&t,
			"<tr><td bgcolor=\"%s\" width=\"18\">  </td><td align=\"left\">%s</td></tr>",
			d->legend[i].fill, d->legend[i].meaning);
	pim_text_str(&t, "</table>");
	Agnode_t *n = agnode(d->graph, text("legend"), 1);
	char *html = agstrdup_html(d->graph, t.s);
	agsafeset(n, text("label"), html, text(""));
	set(n, "shape", "plaintext");
	set(n, "style", "");
	if (d->how == PIM_ARRANGE_fixed) {
		pim_look look = {.size = {220, 16.0 * d->n_legend + 8}};
		set(n, "fixedsize", "false");
		look.at[0] = d->left + look.size[0] / 2;
		look.at[1] = d->bottom - look.size[1] / 2 - 12;
		fix(d, n, &look);
	}
	agstrfree(d->graph, html);
	pim_text_free(&t);
}

bool pim_drawing_write(pim_drawing *d, const char *format, FILE *out)
{
	add_legend(d);
	if (!strcmp(format, "dot"))
		return agwrite(d->graph, out) == 0;
	if (!graphviz.gvc)
		graphviz.gvc = gvContext();
	GVC_t *gvc = graphviz.gvc;
	const char *engine = d->how == PIM_ARRANGE_layers ? "dot" : "nop";
	char *data = NULL;
	unsigned bytes = 0;
	bool ok = gvLayout(gvc, d->graph, engine) == 0;
	if (!ok)
		pim_file_error(d->context, NULL, "Graphviz cannot lay out the picture with %s", engine);
	else if (gvRenderData(gvc, d->graph, format, &data, &bytes) != 0 || !data)
		ok = pim_file_error(d->context, NULL, "Graphviz cannot write the format '%s'", format);
	else
		ok = fwrite(data, 1, bytes, out) == bytes;
	if (data)
		gvFreeRenderData(data);
	gvFreeLayout(gvc, d->graph);
	return ok;
}
