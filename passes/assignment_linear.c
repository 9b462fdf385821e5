/* SPDX-License-Identifier: Apache-2.0 */
/* assignment_linear - the linear assignment problem, exactly, with prices that prove it.
 *
 * Idea:   every row takes off its least cost, then every column; rows take free columns of reduced
 *         cost 0 where they can. Each row left over grows a tree of shortest alternating paths
 *         until it meets a free column; prices move with it, so that reduced costs stay >= 0.
 * Cost:   O(n^3), much less when the first step serves most rows.
 * Source: shortest augmenting paths after Jonker and Volgenant (Computing 38, 1987). */
#include <string.h>

#include "passes/assignment_core.h"

typedef struct linear {
	int n;
	const int64_t *cost;
	int64_t *row, *col;
	int *column, *owner; /* of row, of column; -1 */
	int64_t *least;		 /* [column]: length of the shortest path to it */
	int *from, *queue;	 /* [column]: row before it; columns, those done first */
} linear;

static int64_t reduced(const linear *l, int i, int j)
{
	return l->cost[(size_t)i * (size_t)l->n + (size_t)j] - l->row[i] - l->col[j];
}

static void reduce_costs(linear *l)
{
	size_t n = (size_t)l->n;
	for (size_t i = 0; i < n; i++) {
		l->row[i] = l->cost[i * n];
		for (size_t j = 1; j < n; j++)
			l->row[i] = l->cost[i * n + j] < l->row[i] ? l->cost[i * n + j] : l->row[i];
	}
	for (size_t j = 0; j < n; j++)
		l->col[j] = l->cost[j] - l->row[0];
	for (size_t i = 1; i < n; i++)
		for (size_t j = 0; j < n; j++) {
			int64_t rest = l->cost[i * n + j] - l->row[i];
			l->col[j] = rest < l->col[j] ? rest : l->col[j];
		}
}

static void take_free_columns(linear *l)
{
	memset(l->column, -1, sizeof *l->column * (size_t)l->n);
	memset(l->owner, -1, sizeof *l->owner * (size_t)l->n);
	for (int i = 0; i < l->n; i++)
		for (int j = 0; j < l->n && l->column[i] < 0; j++)
			if (l->owner[j] < 0 && !reduced(l, i, j)) {
				l->column[i] = j;
				l->owner[j] = i;
			}
}

/* Moves the columns of least path length among queue[begin..] to its front; their end. */
static int gather_nearest(linear *l, int begin)
{
	int end = begin;
	int64_t nearest = INT64_MAX;
	for (int k = begin; k < l->n; k++) {
		int j = l->queue[k];
		if (l->least[j] > nearest)
			continue;
		if (l->least[j] < nearest) {
			nearest = l->least[j];
			end = begin;
		}
		l->queue[k] = l->queue[end];
		l->queue[end++] = j;
	}
	return end;
}

/* Paths through row i, whose own path is `length` long; a free column that they reach at no more
 * than that, or -1. */
static int extend_paths(linear *l, int i, int64_t length, int64_t at, int *end)
{
	for (int k = *end; k < l->n; k++) {
		int j = l->queue[k];
		int64_t through = length + reduced(l, i, j) - at;
		if (through >= l->least[j])
			continue;
		l->least[j] = through;
		l->from[j] = i;
		if (through > length)
			continue;
		if (l->owner[j] < 0)
			return j;
		l->queue[k] = l->queue[*end];
		l->queue[(*end)++] = j;
	}
	return -1;
}

/* A free column at the end of the shortest path from row `start`; prices are moved so that the
 * path has reduced cost 0. */
static int find_path(linear *l, int start)
{
	int begin = 0, end = 0, done = 0, found = -1;
	int64_t length = 0;
	for (int j = 0; j < l->n; j++) {
		l->queue[j] = j;
		l->least[j] = reduced(l, start, j);
		l->from[j] = start;
	}
	while (found < 0) {
		if (begin == end) {
			done = begin;
			end = gather_nearest(l, begin);
			length = l->least[l->queue[begin]];
			for (int k = begin; k < end && found < 0; k++)
				if (l->owner[l->queue[k]] < 0)
					found = l->queue[k];
		}
		for (; begin < end && found < 0; begin++) {
			int j = l->queue[begin];
			found = extend_paths(l, l->owner[j], length, reduced(l, l->owner[j], j), &end);
		}
	}
	for (int k = 0; k < done; k++) {
		int j = l->queue[k];
		l->col[j] += l->least[j] - length;
		l->row[l->owner[j]] += length - l->least[j];
	}
	l->row[start] += length;
	return found;
}

static void augment(linear *l, int start)
{
	int j = find_path(l, start), i;
	do {
		int next;
		i = l->from[j];
		l->owner[j] = i;
		next = l->column[i];
		l->column[i] = j;
		j = next;
	} while (i != start);
}

int64_t assignment_linear(
	int n, const int64_t *cost, int *column, int64_t *row, int64_t *col, void *scratch)
{
	int64_t *least = scratch, sum = 0;
	int *rest = (int *)(least + n);
	linear l = {n, cost, row, col, column, rest, least, rest + n, rest + 2 * n};
	reduce_costs(&l);
	take_free_columns(&l);
	for (int i = 0; i < n; i++)
		if (column[i] < 0)
			augment(&l, i);
	for (int i = 0; i < n; i++)
		sum += row[i] + col[i];
	return sum;
}

int64_t pim_linear_assignment(int n, const int64_t *cost, int *column, int64_t *row, int64_t *col)
{
	pim_arena *a = pim_arena_new();
	int64_t sum = assignment_linear(n, cost, column, row, col, pim_arena_raw(a, 24 * (size_t)n));
	pim_arena_free(a);
	return sum;
}
