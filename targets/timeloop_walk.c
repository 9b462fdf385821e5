/* SPDX-License-Identifier: Apache-2.0 */
/* timeloop_walk.c - what moves below a level, by walking rounds; any factors.
 *
 * Each loop plays the rounds that Timeloop plays: with perfect factors the first, and the second
 * for all that are left; with imperfect ones anywhere the first, the second for the middle, the
 * last but one, and the last, which alone may be shorter. At each round the tile below is a box;
 * what it lacks of the box before is delivered, or all of it when the move differs from the last
 * one. Units side by side have the first one's delivery, shifted.
 * Cost: (2 or 4)^loops * units * log(units): for single mappings, and as the closed form's twin. */
#include <math.h>
#include <string.h>

#include "targets/timeloop_flow.h"

enum { MOST_PIECES = 2 * TIMELOOP_RANKS };

typedef struct box {
	int64_t low[TIMELOOP_RANKS], high[TIMELOOP_RANKS];
} box;

typedef struct pieces {
	int n;
	box box[MOST_PIECES];
} pieces;

typedef struct walker {
	const timeloop_row *row;
	const timeloop_tensor *tensor;
	int level, dims, n; /* n: temporal loops above the tile */
	int loop[TIMELOOP_LOOPS];
	int64_t index[TIMELOOP_LOOPS];
	bool any, moved; /* a round was played; its move is known */
	box last_box;
	int64_t move[TIMELOOP_RANKS];
	int64_t mesh_x, mesh_y, fanout;
	pieces delivery, last_delivery; /* of unit 0 */
	timeloop_limits limits;
	int64_t units, last_units;
	int64_t *offset, *last_offset; /* [unit][rank] */
	int64_t *key;
	bool *fed;
	timeloop_flow *flow;
} walker;

/* Every loop of this dimension from `from` outwards is in its last round. */
static bool is_last(const walker *w, int from, int dim)
{
	for (int i = from; i < w->row->n; i++)
		if (w->row->loop[i].dim == dim && w->index[i] + 1 < w->row->loop[i].last)
			return false;
	return true;
}

static int64_t find_rounds(const walker *w, int loop)
{
	const timeloop_loop *l = &w->row->loop[loop];
	return is_last(w, loop + 1, l->dim) ? l->last : l->count;
}

/* The box that the loops inside `end` span now. */
static box find_box(const walker *w, int end)
{
	int64_t low[TIMELOOP_DIMS] = {0}, extent[TIMELOOP_DIMS];
	const timeloop_row *row = w->row;
	for (int d = 0; d < w->dims; d++) {
		bool last = is_last(w, end, d);
		extent[d] = 1;
		for (int i = 0; i < end; i++)
			if (row->loop[i].dim == d)
				extent[d] += row->stride[i] * ((last ? row->loop[i].last : row->loop[i].count) - 1);
	}
	for (int i = end; i < row->n; i++)
		low[row->loop[i].dim] += row->stride[i] * w->index[i];
	box b = {{0}, {0}};
	for (int r = 0; r < w->tensor->ranks; r++) {
		b.high[r] = 1;
		for (int d = 0; d < w->dims; d++) {
			b.low[r] += w->tensor->coefficient[r][d] * low[d];
			b.high[r] += w->tensor->coefficient[r][d] * (low[d] + extent[d] - 1);
		}
	}
	return b;
}

static int64_t find_words(const walker *w, const pieces *p)
{
	int64_t sum = 0;
	for (int i = 0; i < p->n; i++) {
		int64_t words = 1;
		for (int r = 0; r < w->tensor->ranks; r++)
			words *= p->box[i].high[r] - p->box[i].low[r];
		sum += words;
	}
	return sum;
}

static bool are_apart(const box *a, const box *b, int ranks)
{
	for (int r = 0; r < ranks; r++)
		if (a->high[r] <= b->low[r] || b->high[r] <= a->low[r])
			return true;
	return false;
}

/* What a has and b has not, cut rank by rank. */
static pieces cut_box(const box *a, const box *b, int ranks)
{
	pieces p = {0};
	if (are_apart(a, b, ranks)) {
		p.box[p.n++] = *a;
		return p;
	}
	box middle = *a;
	for (int r = 0; r < ranks; r++) {
		if (middle.low[r] < b->low[r]) {
			p.box[p.n] = middle;
			p.box[p.n++].high[r] = middle.low[r] = b->low[r];
		}
		if (b->high[r] < middle.high[r]) {
			p.box[p.n] = middle;
			p.box[p.n++].low[r] = middle.high[r] = b->high[r];
		}
	}
	return p;
}

/* How far the middle of b is from the middle of a, in whole words. */
static void find_move(const walker *w, const box *a, const box *b, int64_t *move)
{
	for (int r = 0; r < w->tensor->ranks; r++)
		move[r] = llround((double)(b->low[r] + b->high[r] - a->low[r] - a->high[r]) / 2);
}

static pieces take_delivery(walker *w, const box *now)
{
	int ranks = w->tensor->ranks;
	size_t bytes = (size_t)ranks * sizeof w->move[0];
	int64_t move[TIMELOOP_RANKS] = {0};
	pieces whole = {.n = 1, .box = {*now}};
	if (w->any)
		find_move(w, &w->last_box, now, move);
	bool same = w->moved && !memcmp(move, w->move, bytes);
	bool cut = w->any && (same || !w->moved) && !w->limits.no_reuse;
	pieces p = cut ? cut_box(now, &w->last_box, ranks) : whole;
	w->moved = cut;
	memcpy(w->move, move, bytes);
	w->any = true;
	w->last_box = *now;
	return p;
}

/* Places of the units that work in this round. */
static void place_units(walker *w)
{
	int ranks = w->tensor->ranks;
	int64_t done = 1;
	memset(w->offset, 0, (size_t)ranks * sizeof *w->offset);
	for (int i = w->row->space[w->level]; i < w->row->time[w->level]; i++) {
		int64_t rounds = find_rounds(w, i);
		for (int64_t k = done; k < done * rounds; k++)
			for (int r = 0; r < ranks; r++)
				w->offset[k * ranks + r] =
					w->offset[(k - done) * ranks + r] +
					w->tensor->coefficient[r][w->row->loop[i].dim] * w->row->stride[i];
		done *= rounds;
	}
	w->units = done;
}

static bool same_box(
	const walker *w, const box *a, const int64_t *da, const box *b, const int64_t *db)
{
	for (int r = 0; r < w->tensor->ranks; r++)
		if (a->low[r] + da[r] != b->low[r] + db[r] || a->high[r] + da[r] != b->high[r] + db[r])
			return false;
	return true;
}

static bool same_pieces(
	const walker *w, const pieces *a, const int64_t *da, const pieces *b, const int64_t *db)
{
	for (int i = 0; i < a->n; i++) {
		bool found = false;
		for (int j = 0; j < b->n && !found; j++)
			found = same_box(w, &a->box[i], da, &b->box[j], db);
		if (!found)
			return false;
	}
	return a->n == b->n;
}

static bool had_it(const walker *w, int64_t unit, int64_t from)
{
	int ranks = w->tensor->ranks;
	return from >= 0 && from < w->last_units &&
		   same_pieces(w, &w->delivery, w->offset + unit * ranks, &w->last_delivery,
			   w->last_offset + from * ranks);
}

static int64_t feed_units(walker *w)
{
	int64_t fed = 0;
	for (int64_t k = 0; !w->limits.no_links && k < w->units; k++) {
		int64_t x = k % w->mesh_x, y = k / w->mesh_x;
		w->fed[k] = (x > 0 && had_it(w, k, k - 1)) || (x + 1 < w->mesh_x && had_it(w, k, k + 1)) ||
					(y > 0 && had_it(w, k, k - w->mesh_x)) ||
					(y + 1 < w->mesh_y && had_it(w, k, k + w->mesh_x));
		fed += w->fed[k];
	}
	return fed;
}

/* One number for each rank's offset: the numbers of all ranks together are different for different
 * offsets. They fit, as the tensor's words do. */
static void find_weights(const walker *w, int64_t *weight)
{
	int ranks = w->tensor->ranks;
	int64_t product = 1;
	for (int r = 0; r < ranks; r++) {
		int64_t most = 0;
		for (int64_t k = 0; k < w->units; k++)
			most = pim_max(most, w->offset[k * ranks + r]);
		weight[r] = product;
		product *= most + 1;
	}
}

/* Different deliveries among the units, without those that neighbours feed. */
static int64_t find_classes(walker *w, bool without_fed)
{
	int64_t weight[TIMELOOP_RANKS], n = 0;
	int ranks = w->tensor->ranks;
	find_weights(w, weight);
	for (int64_t k = 0; k < w->units; k++) {
		if (without_fed && w->fed[k])
			continue;
		w->key[n] = 0;
		for (int r = 0; r < ranks; r++)
			w->key[n] += w->offset[k * ranks + r] * weight[r];
		n++;
	}
	return w->limits.no_multicast ? n : pim_timeloop_classes(w->key, n);
}

static void deliver(walker *w, double times)
{
	int64_t words = find_words(w, &w->delivery);
	int64_t fed = words ? feed_units(w) : 0;
	int64_t all = find_classes(w, false), left = fed ? find_classes(w, true) : all;
	bool linked = fed && left < all;
	w->flow->words += times * (double)(words * (linked ? left : all));
	w->flow->delivered += times * (double)(words * (w->units - (linked ? fed : 0)));
	w->flow->links += linked ? times * (double)(words * fed) : 0;
}

static void play_round(walker *w, double times)
{
	int base = w->row->space[w->level];
	box now = find_box(w, base);
	w->delivery = w->level ? take_delivery(w, &now) : (pieces){.n = 1, .box = {now}};
	place_units(w);
	deliver(w, times);
	w->last_delivery = w->delivery;
	w->last_units = w->units;
	int64_t *offset = w->last_offset;
	w->last_offset = w->offset;
	w->offset = offset;
}

static void play_loop(walker *w, int depth, double times);

static void play_at(walker *w, int depth, int64_t index, double times)
{
	w->index[w->loop[depth]] = index;
	play_loop(w, depth - 1, times);
}

/* Loops outside come first. A temporal loop right above the tile counts what its second round
 * brought for the last but one, too. */
static void play_loop(walker *w, int depth, double times)
{
	if (depth < 0) {
		play_round(w, times);
		return;
	}
	int loop = w->loop[depth];
	int64_t n = find_rounds(w, loop);
	bool level_has_space = w->row->time[w->level] > w->row->space[w->level];
	bool innermost = loop == w->row->time[w->level] && !level_has_space && w->level > 0;
	play_at(w, depth, 0, times);
	if (!w->row->imperfect) {
		if (n > 1)
			play_at(w, depth, 1, times * (double)(n - 1));
		return;
	}
	if (n > 3)
		play_at(w, depth, 1, times * (double)(innermost ? n - 2 : n - 3));
	if (n > 2)
		play_at(w, depth, n - 2, n > 3 && innermost ? 0 : times);
	if (n > 1)
		play_at(w, depth, n - 1, times);
}

void pim_timeloop_walk(const timeloop_problem *p, const timeloop_row *row, const timeloop_place *at,
	const timeloop_tensor *t, timeloop_flow *f)
{
	int level = at->level;
	pim_arena *a = pim_arena_new();
	walker *w = PIM_NEW(a, walker, 1);
	*w = (walker){.row = row, .tensor = t, .level = level, .dims = p->dims, .flow = f};
	w->limits = at->limits;
	w->fanout = pim_timeloop_fanout(row, level);
	*f = (timeloop_flow){.fanout = w->fanout};
	int64_t x = 1;
	for (int i = row->space[level]; i < row->time[level]; i++)
		x *= i - row->space[level] < row->along_x[level] ? row->loop[i].count : 1;
	w->mesh_x = pim_max(at->mesh.x, x);
	w->mesh_y = pim_max(at->mesh.y, w->fanout / x);
	w->offset = PIM_NEW(a, int64_t, w->fanout * TIMELOOP_RANKS);
	w->last_offset = PIM_NEW(a, int64_t, w->fanout * TIMELOOP_RANKS);
	w->key = PIM_NEW(a, int64_t, w->fanout);
	w->fed = PIM_NEW(a, bool, w->fanout);
	for (int l = level; l < row->levels; l++)
		for (int i = row->time[l]; i < row->space[l + 1]; i++)
			w->loop[w->n++] = i;
	play_loop(w, w->n - 1, 1);
	pim_arena_free(a);
}
