/* SPDX-License-Identifier: Apache-2.0 */
/* timeloop_row.c - a mapping's loops in one row, and the units that stand below a level. */
#include <stdlib.h>
#include <string.h>

#include "targets/timeloop_flow.h"

static void append_nest(timeloop_row *row, const timeloop_nest *nest, int64_t *stride)
{
	for (int i = 0; i < nest->n; i++) {
		const timeloop_loop *loop = &nest->loop[i];
		row->loop[row->n] = *loop;
		row->stride[row->n++] = stride[loop->dim];
		row->imperfect |= loop->last != loop->count;
		stride[loop->dim] *= loop->count;
	}
}

void pim_timeloop_row(
	const timeloop_problem *p, const timeloop_mapping *m, int levels, timeloop_row *row)
{
	int64_t stride[TIMELOOP_DIMS];
	for (int d = 0; d < p->dims; d++)
		stride[d] = 1;
	row->n = 0;
	row->imperfect = false;
	for (int level = 0; level < levels; level++) {
		row->space[level] = row->n;
		row->along_x[level] = m->space[level].along_x;
		append_nest(row, &m->space[level], stride);
		row->time[level] = row->n;
		append_nest(row, &m->time[level], stride);
	}
	row->levels = levels;
	row->space[levels] = row->n;
}

timeloop_mesh pim_timeloop_mesh(const timeloop_arch *a, int level)
{
	const timeloop_level *below = level ? &a->level[level - 1] : &a->compute;
	return (timeloop_mesh){
		below->mesh_x / a->level[level].mesh_x, below->mesh_y / a->level[level].mesh_y};
}

int64_t pim_timeloop_fanout(const timeloop_row *row, int level)
{
	int64_t n = 1;
	for (int i = row->space[level]; i < row->time[level]; i++)
		n *= row->loop[i].count;
	return n;
}

int64_t pim_timeloop_words(const timeloop_tensor *t, int dims, const int64_t *extent)
{
	int64_t words = 1;
	for (int r = 0; r < t->ranks; r++) {
		int64_t length = 1;
		for (int d = 0; d < dims; d++)
			length += t->coefficient[r][d] * (extent[d] - 1);
		words *= length;
	}
	return words;
}

static void set_mesh(const timeloop_row *row, int level, timeloop_mesh mesh, timeloop_units *u)
{
	int64_t x = 1, y = 1;
	for (int i = row->space[level]; i < row->time[level]; i++)
		if (i - row->space[level] < row->along_x[level])
			x *= row->loop[i].count;
		else
			y *= row->loop[i].count;
	u->n = x * y;
	u->mesh_x = pim_max(mesh.x, x);
	u->mesh_y = pim_max(mesh.y, y);
}

/* A difference of two offsets is one number too: every rank has room for both signs. */
static void set_weights(
	const timeloop_row *row, int level, const timeloop_tensor *t, timeloop_units *u)
{
	int64_t weight = 1;
	for (int r = 0; r < t->ranks; r++) {
		u->span[r] = 0;
		for (int i = row->space[level]; i < row->time[level]; i++)
			u->span[r] +=
				t->coefficient[r][row->loop[i].dim] * row->stride[i] * (row->loop[i].count - 1);
		u->weight[r] = weight;
		weight *= 2 * u->span[r] + 1;
	}
}

static int compare_keys(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
	return (x > y) - (x < y);
}

int64_t pim_timeloop_classes(int64_t *keys, int64_t n)
{
	qsort(keys, (size_t)n, sizeof *keys, compare_keys);
	int64_t classes = n > 0;
	for (int64_t i = 1; i < n; i++)
		classes += keys[i] != keys[i - 1];
	return classes;
}

void pim_timeloop_units(const timeloop_row *row, int level, timeloop_mesh mesh,
	const timeloop_tensor *t, int64_t *memory, timeloop_units *u)
{
	set_mesh(row, level, mesh, u);
	set_weights(row, level, t, u);
	u->key = memory;
	u->sorted = memory + u->n;
	u->key[0] = 0;
	int64_t done = 1;
	for (int i = row->space[level]; i < row->time[level]; i++) {
		int64_t step = 0;
		for (int r = 0; r < t->ranks; r++)
			step += t->coefficient[r][row->loop[i].dim] * row->stride[i] * u->weight[r];
		for (int64_t k = done; k < done * row->loop[i].count; k++)
			u->key[k] = u->key[k - done] + step;
		done *= row->loop[i].count;
	}
	memcpy(u->sorted, u->key, (size_t)u->n * sizeof *u->key);
	u->classes = pim_timeloop_classes(u->sorted, u->n);
}

typedef struct stop {
	int64_t key, x;
} stop;

static int compare_stops(const void *a, const void *b)
{
	const stop *p = a, *q = b;
	return (p->key > q->key) - (p->key < q->key);
}

/* A word goes along X to the farthest unit that takes it, then along Y to each one. */
static double find_hops(const timeloop_units *u, bool multicast, stop *stops)
{
	double sum = 0, middle = (double)(u->mesh_y - 1) / 2;
	for (int64_t k = 0; k < u->n; k++) {
		double down = (double)(k / u->mesh_x) - middle;
		sum += down < 0 ? -down : down;
		stops[k] = (stop){multicast ? u->key[k] : k, k % u->mesh_x};
	}
	qsort(stops, (size_t)u->n, sizeof *stops, compare_stops);
	for (int64_t k = 0; k < u->n;) {
		int64_t first = k, farthest = 0;
		for (; k < u->n && stops[k].key == stops[first].key; k++)
			farthest = pim_max(farthest, stops[k].x);
		sum += (double)farthest;
	}
	return sum / (double)(multicast ? u->classes : u->n);
}

double pim_timeloop_hops(const timeloop_problem *p, const timeloop_arch *a,
	const timeloop_mapping *m, int level, int tensor)
{
	pim_arena *scratch = pim_arena_new();
	timeloop_row *row = PIM_NEW(scratch, timeloop_row, 1);
	timeloop_units u;
	pim_timeloop_row(p, m, a->levels, row);
	int64_t n = pim_timeloop_fanout(row, level), *memory = PIM_NEW(scratch, int64_t, 2 * n);
	pim_timeloop_units(row, level, pim_timeloop_mesh(a, level), &p->tensor[tensor], memory, &u);
	double hops = find_hops(&u, !m->limits[level][tensor].no_multicast, PIM_NEW(scratch, stop, n));
	pim_arena_free(scratch);
	return hops;
}
