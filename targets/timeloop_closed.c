/* SPDX-License-Identifier: Apache-2.0 */
/* timeloop_closed.c - what moves below a level, in closed form; perfect factors.
 *
 * Idea: a tile below moves when a temporal loop above it steps. Timeloop plays each loop as two
 * rounds, the second standing for all n - 1 that are left, so the rounds are the states of a binary
 * counter: loop l steps (n_l - 1) * (product of n_j, j outer) times, and then every loop inside
 * falls back from its second round to its first. The tile's move is therefore one vector per loop,
 *     t_l = u_l - (sum of u_j, j inner),  u: what one step adds to the tile's place.
 * Only a move equal to the last one re-uses what overlaps, else the whole tile comes anew; after
 * any other move the next step of the innermost loop may re-use again. So loop 0 always brings
 * |B| - |B n (B + t_0)|, loop l > 0 the same if t_l = t_0, else |B|.
 * Units side by side have the same delivery, shifted: as many different ones as there are different
 * offsets are read, the rest is multicast. A unit whose delivery a neighbour had one round before
 * has it from there, where this saves a read. The compute units take single words and keep nothing:
 * there alone a word that stays where it is (t = 0) comes from the neighbours, and this is what
 * looks like a latch when lanes share a value.
 * Cost: loops * ranks, and units * log(units) where windows or lanes need the offsets.
 * Source: behaviour of Timeloop v3; the closed form is ours. */
#include <string.h>

#include "targets/timeloop_flow.h"

enum { FEW_UNITS = 256 };

typedef struct counter {
	const timeloop_row *row;
	const timeloop_tensor *tensor;
	int level, dims;
	timeloop_units units;
	bool linked; /* neighbours may pass words on */
	const timeloop_place *at;
	int64_t length[TIMELOOP_RANKS];
	timeloop_flow *flow;
} counter;

/* A tensor whose ranks have one dimension each: its tiles are equal or apart. */
static bool is_plain(const timeloop_tensor *t, int dims)
{
	for (int r = 0; r < t->ranks; r++) {
		int used = 0;
		for (int d = 0; d < dims; d++)
			used += t->coefficient[r][d] != 0;
		if (used > 1)
			return false;
	}
	return true;
}

static bool uses(const timeloop_tensor *t, int dim)
{
	for (int r = 0; r < t->ranks; r++)
		if (t->coefficient[r][dim])
			return true;
	return false;
}

/* Plain tensors or one unit: an offset is a place along the loops that the tensor uses. */
static void set_plain_units(counter *c)
{
	c->units.n = c->units.classes = 1;
	for (int i = c->row->space[c->level]; i < c->row->time[c->level]; i++) {
		c->units.n *= c->row->loop[i].count;
		if (uses(c->tensor, c->row->loop[i].dim))
			c->units.classes *= c->row->loop[i].count;
	}
}

static bool has_from(const timeloop_units *u, int64_t unit, int64_t from, int64_t move)
{
	return from >= 0 && from < u->n && u->key[from] - u->key[unit] == move;
}

/* Whether a neighbour's tile of the round before is this unit's now. */
static bool is_fed(const timeloop_units *u, int64_t k, int64_t move)
{
	int64_t x = k % u->mesh_x, wide = u->mesh_x;
	return (x > 0 && has_from(u, k, k - 1, move)) ||
		   (x + 1 < wide && has_from(u, k, k + 1, move)) || has_from(u, k, k - wide, move) ||
		   has_from(u, k, k + wide, move);
}

/* `times` deliveries of `words` each to every unit, no unit helped. */
static void deliver(counter *c, double times, int64_t words)
{
	c->flow->words += times * (double)words * (double)c->units.classes;
	c->flow->delivered += times * (double)words * (double)c->units.n;
}

/* The same after a move, with the neighbours' help. */
static void deliver_linked(counter *c, double times, int64_t words, const int64_t *move)
{
	timeloop_units *u = &c->units;
	bool near = c->linked;
	int64_t key = 0, left = 0;
	for (int r = 0; near && r < c->tensor->ranks; r++) {
		near = move[r] <= u->span[r] && move[r] >= -u->span[r];
		key += near ? move[r] * u->weight[r] : 0;
	}
	for (int64_t k = 0; near && k < u->n; k++)
		if (!is_fed(u, k, key))
			u->sorted[left++] = u->key[k];
	int64_t classes = u->classes;
	if (near)
		classes = c->at->limits.no_multicast ? left : pim_timeloop_classes(u->sorted, left);
	if (classes >= u->classes) {
		deliver(c, times, words);
		return;
	}
	c->flow->words += times * (double)words * (double)classes;
	c->flow->delivered += times * (double)words * (double)left;
	c->flow->links += times * (double)words * (double)(u->n - left);
}

static int64_t find_overlap(const counter *c, const int64_t *move)
{
	int64_t words = 1;
	for (int r = 0; r < c->tensor->ranks; r++) {
		int64_t left = c->length[r] - (move[r] < 0 ? -move[r] : move[r]);
		words *= left > 0 ? left : 0;
	}
	return words;
}

typedef struct step {
	double times;  /* how often the loop steps */
	double behind; /* ... of the innermost loop's steps, those that follow a step of this one */
	int64_t move[TIMELOOP_RANKS];
} step;

static bool same_move(const counter *c, const step *a, const step *b)
{
	return !memcmp(a->move, b->move, (size_t)c->tensor->ranks * sizeof a->move[0]);
}

/* The steps of all temporal loops above the tile. Returns their number. */
static int find_steps(const counter *c, step *s)
{
	const timeloop_row *row = c->row;
	int64_t inner[TIMELOOP_RANKS] = {0};
	double outer = 1, first = 0;
	int n = 0;
	for (int level = c->level; level < row->levels; level++)
		for (int i = row->time[level]; i < row->space[level + 1]; i++, n++) {
			s[n].times = (double)(row->loop[i].count - 1);
			for (int r = 0; r < c->tensor->ranks; r++) {
				int64_t u = c->tensor->coefficient[r][row->loop[i].dim] * row->stride[i];
				s[n].move[r] = u - inner[r];
				inner[r] += u;
			}
		}
	if (n)
		first = s[0].times;
	for (int l = n - 1; l >= 0; l--) {
		double count = s[l].times + 1;
		s[l].times *= outer;
		s[l].behind = s[l].times * first;
		outer *= count;
	}
	return n;
}

/* Tiles that overlap after a step of the innermost loop. */
static void count_windows(counter *c, const step *s, int n, int64_t tile, int64_t fresh)
{
	double helped = 0;
	for (int l = 1; l < n; l++)
		if (same_move(c, &s[l], &s[0])) {
			deliver_linked(c, s[l].times, fresh, s[0].move);
			helped += s[l].behind;
		} else
			deliver(c, s[l].times, tile);
	deliver(c, s[0].times - helped, fresh);
	if (helped > 0)
		deliver_linked(c, helped, fresh, s[0].move);
}

static void count_steps(counter *c)
{
	step s[TIMELOOP_LOOPS];
	int64_t tile = 1;
	for (int r = 0; r < c->tensor->ranks; r++)
		tile *= c->length[r];
	int n = find_steps(c, s);
	deliver(c, 1, tile);
	bool keeps = c->level && !c->at->limits.no_reuse;
	int64_t overlap = n && keeps ? find_overlap(c, s[0].move) : 0;
	if (overlap)
		count_windows(c, s, n, tile, tile - overlap);
	else
		for (int l = 0; l < n; l++)
			deliver_linked(c, s[l].times, tile, s[l].move);
}

static void set_length(counter *c)
{
	int64_t extent[TIMELOOP_DIMS];
	for (int d = 0; d < c->dims; d++)
		extent[d] = 1;
	for (int i = 0; i < c->row->space[c->level]; i++)
		extent[c->row->loop[i].dim] *= c->row->loop[i].count;
	for (int r = 0; r < c->tensor->ranks; r++) {
		c->length[r] = 1;
		for (int d = 0; d < c->dims; d++)
			c->length[r] += c->tensor->coefficient[r][d] * (extent[d] - 1);
	}
}

void pim_timeloop_closed(const timeloop_problem *p, const timeloop_row *row,
	const timeloop_place *at, const timeloop_tensor *t, timeloop_flow *f)
{
	int level = at->level;
	counter c = {.row = row, .tensor = t, .level = level, .dims = p->dims, .at = at, .flow = f};
	*f = (timeloop_flow){0};
	set_length(&c);
	int64_t few[2 * FEW_UNITS], n = pim_timeloop_fanout(row, level);
	pim_arena *many = NULL;
	f->fanout = n;
	bool plain = is_plain(t, p->dims);
	c.linked = n > 1 && !at->limits.no_links && (level == 0 || at->limits.no_reuse || !plain);
	if (n > 1 && (c.linked || !plain)) {
		if (n > FEW_UNITS)
			many = pim_arena_new();
		int64_t *memory = many ? PIM_NEW(many, int64_t, 2 * n) : few;
		pim_timeloop_units(row, level, at->mesh, t, memory, &c.units);
	} else
		set_plain_units(&c);
	if (at->limits.no_multicast)
		c.units.classes = c.units.n;
	count_steps(&c);
	if (many)
		pim_arena_free(many);
}
