/* SPDX-License-Identifier: Apache-2.0 */
/* passes/diff.c - a unified diff of two texts, line by line.
 *
 * Idea:   lines become numbers, equal lines the same one. Equal lines at both ends are skipped; a
 * line that the other side does not have can match nothing and is set aside. What remains is
 *         divided at the middle of a shortest edit path, found from both ends at once in linear
 *         space, until nothing is left.
 * Cost:   (N + M) D for D differences, at most EFFORT steps deep for one division: beyond that the
 *         furthest point reached divides, and the diff may be longer than the shortest.
 * Source: E. W. Myers, An O(ND) difference algorithm and its variations, Algorithmica 1, 1986, part
 * 4b. */
#include <stdlib.h>
#include <string.h>

#include "passes/pass.h"

enum { EFFORT = 2000 };

typedef struct line {
	const char *s;
	size_t n;
} line;

typedef struct side {
	int n;		   /* lines */
	line *at;	   /* text of each */
	int *id;	   /* number of each */
	bool *changed; /* not matched by the other side */
	int n_kept;	   /* lines that the other side also has somewhere */
	int *kept;	   /* their numbers */
	int *where;	   /* their places */
} side;

typedef struct differ {
	pim_arena *arena;
	side a, b;
	int n_ids;
	int *forward, *backward; /* furthest reaching points per diagonal, from -(b) to +(a) */
} differ;

/* ---- lines and their numbers ---- */

static void split_lines(differ *d, side *s, const char *text, size_t n)
{
	int lines = 0;
	for (size_t i = 0; i < n; i++)
		lines += text[i] == '\n' || i + 1 == n;
	s->at = PIM_NEW(d->arena, line, lines + 1);
	s->id = PIM_NEW(d->arena, int, lines + 1);
	s->changed = PIM_NEW(d->arena, bool, lines + 1);
	s->kept = PIM_NEW(d->arena, int, lines + 1);
	s->where = PIM_NEW(d->arena, int, lines + 1);
	for (const char *p = text, *end = text + n; p < end;) {
		const char *stop = memchr(p, '\n', (size_t)(end - p));
		size_t length = (size_t)((stop ? stop : end) - p);
		s->at[s->n++] = (line){p, length};
		p += length + 1;
	}
}

static uint64_t hash_line(const line *l)
{
	uint64_t h = 0xcbf29ce484222325u;
	for (size_t i = 0; i < l->n; i++)
		h = (h ^ (unsigned char)l->s[i]) * 0x100000001b3u;
	return h ^ h >> 29;
}

typedef struct slot {
	const line *l;
	int id;
} slot;

static int find_id(differ *d, slot *table, size_t mask, const line *l)
{
	size_t i = hash_line(l) & mask;
	while (table[i].l && (table[i].l->n != l->n || memcmp(table[i].l->s, l->s, l->n)))
		i = (i + 1) & mask;
	if (!table[i].l)
		table[i] = (slot){l, d->n_ids++};
	return table[i].id;
}

static void number_lines(differ *d)
{
	size_t room = 64;
	while (room < 2 * (size_t)(d->a.n + d->b.n))
		room *= 2;
	slot *table = PIM_NEW(d->arena, slot, room);
	for (int i = 0; i < d->a.n; i++)
		d->a.id[i] = find_id(d, table, room - 1, &d->a.at[i]);
	for (int i = 0; i < d->b.n; i++)
		d->b.id[i] = find_id(d, table, room - 1, &d->b.at[i]);
}

static void keep_shared(differ *d, side *s, const side *other, int skip, int skip_end)
{
	bool *there = PIM_NEW(d->arena, bool, d->n_ids + 1);
	for (int i = skip; i < other->n - skip_end; i++)
		there[other->id[i]] = true;
	for (int i = skip; i < s->n - skip_end; i++) {
		if (!there[s->id[i]]) {
			s->changed[i] = true;
			continue;
		}
		s->kept[s->n_kept] = s->id[i];
		s->where[s->n_kept++] = i;
	}
}

/* ---- the shortest edit path ---- */

typedef struct split {
	int x, y;
} split;

/* One more difference from the front: how far each diagonal gets. True when it meets the back. */
static bool extend_forward(
	differ *d, int x0, int x1, int y0, int y1, int cost, bool odd, split *out)
{
	int *v = d->forward, *w = d->backward, middle = x1 - x0 - (y1 - y0);
	for (int k = -cost; k <= cost; k += 2) {
		bool down = k == -cost || (k != cost && v[k - 1] < v[k + 1]);
		int x = down ? v[k + 1] : v[k - 1] + 1, y = x - k;
		while (x < x1 - x0 && y < y1 - y0 && x >= 0 && y >= 0 &&
			   d->a.kept[x0 + x] == d->b.kept[y0 + y])
			x++, y++;
		v[k] = x;
		int reverse = middle - k;
		if (!odd || reverse < -(cost - 1) || reverse > cost - 1)
			continue;
		if (x + w[reverse] >= x1 - x0 && x <= x1 - x0 && y <= y1 - y0 && y >= 0) {
			*out = (split){x0 + x, y0 + y};
			return true;
		}
	}
	return false;
}

/* The same from the back; w counts from there. */
static bool extend_backward(
	differ *d, int x0, int x1, int y0, int y1, int cost, bool odd, split *out)
{
	int *v = d->forward, *w = d->backward, middle = x1 - x0 - (y1 - y0);
	for (int k = -cost; k <= cost; k += 2) {
		bool down = k == -cost || (k != cost && w[k - 1] < w[k + 1]);
		int x = down ? w[k + 1] : w[k - 1] + 1, y = x - k;
		while (x < x1 - x0 && y < y1 - y0 && x >= 0 && y >= 0 &&
			   d->a.kept[x1 - x - 1] == d->b.kept[y1 - y - 1])
			x++, y++;
		w[k] = x;
		int reverse = middle - k;
		if (odd || reverse < -cost || reverse > cost)
			continue;
		if (x + v[reverse] >= x1 - x0 && x <= x1 - x0 && y <= y1 - y0 && y >= 0) {
			*out = (split){x1 - x, y1 - y};
			return true;
		}
	}
	return false;
}

/* The point of the forward paths that has come furthest: where to divide when it gets dear. */
static split find_furthest(const differ *d, int x0, int x1, int y0, int y1, int cost)
{
	split best = {x0, y0};
	for (int k = -cost; k <= cost; k += 2) {
		int x = d->forward[k], y = x - k;
		bool inside = x >= 0 && y >= 0 && x <= x1 - x0 && y <= y1 - y0;
		if (inside && x + y > best.x - x0 + best.y - y0)
			best = (split){x0 + x, y0 + y};
	}
	return best;
}

static split divide(differ *d, int x0, int x1, int y0, int y1)
{
	bool odd = (x1 - x0 - (y1 - y0)) % 2 != 0;
	split s;
	d->forward[1] = d->backward[1] = 0;
	for (int cost = 0;; cost++) {
		if (extend_forward(d, x0, x1, y0, y1, cost, odd, &s))
			return s;
		if (extend_backward(d, x0, x1, y0, y1, cost, odd, &s))
			return s;
		if (cost >= EFFORT)
			return find_furthest(d, x0, x1, y0, y1, cost);
	}
}

static void mark_all(side *s, int lo, int hi)
{
	for (int i = lo; i < hi; i++)
		s->changed[s->where[i]] = true;
}

/* Marks what has no match between kept lines x0..x1 and y0..y1. */
static void compare(differ *d, int x0, int x1, int y0, int y1)
{
	for (;;) {
		while (x0 < x1 && y0 < y1 && d->a.kept[x0] == d->b.kept[y0])
			x0++, y0++;
		while (x0 < x1 && y0 < y1 && d->a.kept[x1 - 1] == d->b.kept[y1 - 1])
			x1--, y1--;
		if (x0 == x1 || y0 == y1)
			break;
		split s = divide(d, x0, x1, y0, y1);
		compare(d, x0, s.x, y0, s.y);
		x0 = s.x;
		y0 = s.y;
	}
	mark_all(&d->a, x0, x1);
	mark_all(&d->b, y0, y1);
}

static void find_changes(differ *d)
{
	int skip = 0, skip_end = 0, least = d->a.n < d->b.n ? d->a.n : d->b.n;
	while (skip < least && d->a.id[skip] == d->b.id[skip])
		skip++;
	while (
		skip_end < least - skip && d->a.id[d->a.n - 1 - skip_end] == d->b.id[d->b.n - 1 - skip_end])
		skip_end++;
	keep_shared(d, &d->a, &d->b, skip, skip_end);
	keep_shared(d, &d->b, &d->a, skip, skip_end);
	int most = d->a.n_kept + d->b.n_kept + 2;
	if (most > EFFORT + 2)
		most = EFFORT + 2;
	d->forward = PIM_NEW(d->arena, int, 2 * most + 1) + most;
	d->backward = PIM_NEW(d->arena, int, 2 * most + 1) + most;
	compare(d, 0, d->a.n_kept, 0, d->b.n_kept);
}

/* ---- printing ---- */

static void print_line(const line *l, const char *mark, pim_text *out)
{
	pim_text_str(out, mark);
	pim_text_add(out, l->s, l->n);
	pim_text_str(out, "\n");
}

/* Lines lo_a..hi_a of the old and lo_b..hi_b of the new, which begin and end with equal lines. */
static void print_hunk(const differ *d, int lo_a, int hi_a, int lo_b, int hi_b, pim_text *out)
{
	pim_text_printf(out, "@@ -%d,%d +%d,%d @@\n", hi_a > lo_a ? lo_a + 1 : lo_a, hi_a - lo_a,
		hi_b > lo_b ? lo_b + 1 : lo_b, hi_b - lo_b);
	for (int i = lo_a, k = lo_b; i < hi_a || k < hi_b;) {
		if (i < hi_a && d->a.changed[i])
			print_line(&d->a.at[i++], "-", out);
		else if (k < hi_b && d->b.changed[k])
			print_line(&d->b.at[k++], "+", out);
		else
			print_line(&d->a.at[i++], " ", out), k++;
	}
}

static bool is_change(const differ *d, int i, int k)
{
	return (i < d->a.n && d->a.changed[i]) || (k < d->b.n && d->b.changed[k]);
}

static void skip_change(const differ *d, int *i, int *k)
{
	while (*i < d->a.n && d->a.changed[*i])
		(*i)++;
	while (*k < d->b.n && d->b.changed[*k])
		(*k)++;
}

/* Moves behind the last change of a hunk; returns how many equal lines follow it. */
static int find_hunk_end(const differ *d, int context, int *i, int *k)
{
	for (;;) {
		int quiet = 0;
		skip_change(d, i, k);
		while (*i + quiet < d->a.n && !is_change(d, *i + quiet, *k + quiet))
			quiet++;
		if (quiet > 2 * context || !is_change(d, *i + quiet, *k + quiet))
			return quiet;
		*i += quiet;
		*k += quiet;
	}
}

static void print_hunks(const differ *d, int context, pim_text *out)
{
	int i = 0, k = 0, quiet = 0;
	while (i < d->a.n || k < d->b.n) {
		if (!is_change(d, i, k)) {
			i++, k++, quiet++;
			continue;
		}
		int before = quiet < context ? quiet : context, lo_a = i - before, lo_b = k - before;
		quiet = find_hunk_end(d, context, &i, &k);
		int after = quiet < context ? quiet : context;
		print_hunk(d, lo_a, i + after, lo_b, k + after, out);
		i += quiet;
		k += quiet;
	}
}

void pim_diff_print(const char *a, size_t na, const char *b, size_t nb, int context, pim_text *out)
{
	differ d = {.arena = pim_arena_new()};
	split_lines(&d, &d.a, a, na);
	split_lines(&d, &d.b, b, nb);
	number_lines(&d);
	find_changes(&d);
	print_hunks(&d, context, out);
	pim_arena_free(d.arena);
}
