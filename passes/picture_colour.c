/* SPDX-License-Identifier: Apache-2.0 */
/* picture_colour.c - colours with a meaning, the same in every picture. */
#include <stdio.h>

#include "passes/drawing.h"

static const struct meaning {
	const char *colour, *words;
	unsigned flags;
} classes[] = {
	{"#f4b183", "matrix unit", PIM_OPF_matrix},
	{"#a9d18e", "vector lanes", PIM_OPF_vector},
	{"#9dc3e6", "moves elements", PIM_OPF_move},
	{"#e2e2e2", "input or constant", PIM_OPF_leaf},
};

const char *pim_colour_of_op(pim_op op)
{
	unsigned flags = pim_op_at(op)->flags;
	for (size_t i = 0; i < sizeof classes / sizeof *classes; i++)
		if (flags & classes[i].flags)
			return classes[i].colour;
	return "#ffffff";
}

void pim_legend_of_ops(pim_drawing *d)
{
	for (size_t i = 0; i < sizeof classes / sizeof *classes; i++)
		pim_drawing_legend(d, classes[i].colour, classes[i].words);
}

const char *pim_colour_of_set(int set)
{
	static const char *const soft[] = {
		"#fff4e5", "#eaf6ea", "#e8f1fb", "#f6ecf8", "#fdf0f0", "#f3f3e4"};
	return soft[(unsigned)set % (sizeof soft / sizeof *soft)];
}

const char *pim_colour_of_heat(double part, char text[8])
{
	static const int stop[4][3] = {
		{0xf2, 0xf2, 0xf2}, {0xff, 0xe0, 0x8a}, {0xf4, 0x8c, 0x42}, {0xb5, 0x18, 0x2b}};
	double x = part <= 0 ? 0 : part >= 1 ? 3 : part * 3;
	int at = x >= 3 ? 2 : (int)x, c[3];
	for (int i = 0; i < 3; i++)
		c[i] = (int)(stop[at][i] + (x - at) * (stop[at + 1][i] - stop[at][i]));
	snprintf(text, 8, "#%02x%02x%02x", c[0] & 255, c[1] & 255, c[2] & 255);
	return text;
}
