/* SPDX-License-Identifier: Apache-2.0 */
/* graphviz_none.c - stands in for graphviz.c in a build without Graphviz: no drawing can be made.
 */
#include "passes/drawing.h"

pim_drawing *pim_drawing_new(pim_context *c, const char *title, pim_arrange how)
{
	(void)how;
	pim_file_error(c, NULL, "cannot draw '%s': this program was built without Graphviz", title);
	return NULL;
}

void pim_drawing_free(pim_drawing *d)
{
	(void)d;
}

pim_group *pim_drawing_group(pim_drawing *d, pim_group *inside, const char *label, const char *fill)
{
	(void)d, (void)label, (void)fill;
	return inside;
}

pim_shape *pim_drawing_shape(pim_drawing *d, pim_group *inside, const pim_look *look)
{
	(void)d, (void)inside, (void)look;
	return NULL;
}

void pim_drawing_line(pim_drawing *d, pim_shape *from, pim_shape *to, const pim_line *line)
{
	(void)d, (void)from, (void)to, (void)line;
}

void pim_drawing_legend(pim_drawing *d, const char *fill, const char *meaning)
{
	(void)d, (void)fill, (void)meaning;
}

bool pim_drawing_write(pim_drawing *d, const char *format, FILE *out)
{
	(void)d, (void)format, (void)out;
	return false;
}
