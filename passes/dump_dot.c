/* SPDX-License-Identifier: Apache-2.0 */
/* dump_dot - write a picture of the program, its schedule, its placement or its overlap.
 *
 * Needs: shaped.  Gives: nothing; changes nothing.
 * Idea:  the pictures are in picture_*.c; this opens the file and picks one by name.
 * Cost:  of the picture; program pictures are folded to a few hundred shapes. */
#include <string.h>

#include "passes/drawing.h"
#include "passes/pass.h"

static const char *const names[] = {"program", "schedule", "placement", "overlap"};

static bool write_and_free(pim_drawing *d, const char *format, FILE *out)
{
	if (!d)
		return false;
	bool ok = pim_drawing_write(d, format, out);
	pim_drawing_free(d);
	return ok;
}

bool pim_picture_write_around(const pim_node *middle, int depth, const char *format, FILE *out)
{
	return write_and_free(pim_picture_around(middle, depth), format, out);
}

bool pim_picture_write_fronts(const pim_node *n, const pim_target *t, const char *format, FILE *out)
{
	return write_and_free(pim_picture_of_fronts(n, t), format, out);
}

int pim_picture_find(const char *name)
{
	int n = sizeof names / sizeof *names;
	for (int i = 0; i < n; i++)
		if (!strcmp(names[i], name))
			return i;
	return -1;
}

bool pim_picture_write(
	pim_graph *g, pim_picture what, const pim_target *t, const char *format, FILE *out)
{
	pim_drawing *d = NULL;
	switch (what) {
	case PIM_PICTURE_program:
		d = pim_picture_of_program(g);
		break;
	case PIM_PICTURE_schedule:
		d = pim_picture_of_schedule(g, t);
		break;
	case PIM_PICTURE_placement:
		d = pim_picture_of_placement(g, t);
		break;
	case PIM_PICTURE_overlap:
		d = pim_picture_of_overlap(g, t);
		break;
	}
	return write_and_free(d, format, out);
}

static const char *format_of(const char *path)
{
	const char *dot = strrchr(path, '.');
	return dot && !strchr(dot, '/') ? dot + 1 : "svg";
}

bool pim_pass_dump_dot(pim_graph *g, pim_job *j)
{
	pim_context *c = g->module->context;
	const char *what = pim_job_string(j, "what"), *path = pim_job_string(j, "file");
	int i = pim_picture_find(what);
	if (i < 0)
		return pim_file_error(
			c, NULL, "no picture is called '%s': program, schedule, placement or overlap", what);
	pim_output *out = pim_output_open(c, path);
	if (!out)
		return false;
	if (pim_picture_write(g, (pim_picture)i, j->target, format_of(path), pim_output_file(out)))
		return pim_output_commit(out);
	pim_output_abandon(out);
	return false;
}
