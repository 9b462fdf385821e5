/* SPDX-License-Identifier: Apache-2.0 */
/* passes/drawing.h - what pictures are made of: a façade over Graphviz (graphviz.c).
 *
 * Shapes are either laid out by `dot` or stand where the picture puts them (`at` in points, y
 * upwards). Texts are plain; line breaks are '\n'. Colours are #rrggbb. */
#ifndef PIM_PASSES_DRAWING_H
#define PIM_PASSES_DRAWING_H

#include "ir/ir.h"

typedef struct pim_drawing pim_drawing;
typedef struct pim_shape pim_shape; /* a node of the picture */
typedef struct pim_group pim_group; /* a framed cluster of shapes */

typedef enum pim_arrange {
	PIM_ARRANGE_layers, /* by dot, top to bottom */
	PIM_ARRANGE_fixed	/* every shape has a place and a size */
} pim_arrange;

typedef struct pim_look {
	const char *label, *tooltip; /* tooltip may be NULL */
	const char *fill, *line;	 /* colours; NULL: white, grey */
	const char *shape;			 /* box, ellipse, plain ...; NULL: box */
	double at[2], size[2];		 /* of fixed pictures: centre and extent, in points */
	double font;				 /* points; 0: 10 */
} pim_look;

typedef struct pim_line {
	const char *label, *colour, *style; /* NULL: none, grey, solid */
	double width;						/* 0: 1 */
	bool plain;							/* no arrow head */
	bool loose;							/* does not pull on the layout */
} pim_line;

/* NULL after a diagnostic (built without Graphviz). */
/* One drawing exists at a time: another thread waits here until it is freed. */
pim_drawing *pim_drawing_new(pim_context *c, const char *title, pim_arrange how);
void pim_drawing_free(pim_drawing *d);
pim_group *pim_drawing_group(
	pim_drawing *d, pim_group *inside, const char *label, const char *fill);
pim_shape *pim_drawing_shape(pim_drawing *d, pim_group *inside, const pim_look *look);
void pim_drawing_line(pim_drawing *d, pim_shape *from, pim_shape *to, const pim_line *line);
/* A row of the legend: a swatch and what it means. */
void pim_drawing_legend(pim_drawing *d, const char *fill, const char *meaning);
/* format: dot, svg, json, ... as Graphviz knows; false after a diagnostic. */
bool pim_drawing_write(pim_drawing *d, const char *format, FILE *out);

/* ---- the pictures ---- */

/* Colours with a meaning, the same in every picture. */
const char *pim_colour_of_op(pim_op op); /* by class: matrix, vector, move, edge */
const char *pim_colour_of_set(int set);	 /* a soft colour per branch set */
const char *pim_colour_of_heat(double part, char text[8]); /* 0 cold .. 1 hot */
void pim_legend_of_ops(pim_drawing *d);

struct pim_target;
pim_drawing *pim_picture_of_program(pim_graph *g);
/* Only what is at most `depth` steps, along or against the arrows, from a node. */
pim_drawing *pim_picture_around(const pim_node *middle, int depth);
pim_drawing *pim_picture_of_schedule(pim_graph *g, const struct pim_target *t);
pim_drawing *pim_picture_of_placement(pim_graph *g, const struct pim_target *t);
pim_drawing *pim_picture_of_overlap(pim_graph *g, const struct pim_target *t);
/* One op and the one it waits for: tiles complete and ready by time. */
pim_drawing *pim_picture_of_fronts(const pim_node *n, const struct pim_target *t);

#endif
