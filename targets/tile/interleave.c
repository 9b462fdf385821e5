/* SPDX-License-Identifier: Apache-2.0 */
/* interleave.c - nodes that run at the same time, tile by tile in the order in which they can.
 *
 * A node is a job, and its slices on one unit are a course of it, which goes kernel by kernel: what
 * the next one reads and is not there yet is sent, then it runs; a result is stored as soon as a
 * reader asks for it. The course goes on, with those of its job that can start about then, whose
 * next kernel can start first by a count of cycles that is kept on the way: when the one before is
 * done, when the jobs that had its units before have ended, and when all tiles that it reads are
 * complete. So each engine of a unit, which takes its commands in order, has them in the order of
 * the time at which they can run: the messages to several readers take turns, and nothing waits
 * behind what comes later. Ops that only move elements have no turn: what a reader needs of one is
 * copied when it is needed.
 *
 * No deadlock: a kernel is written when all tiles it reads are, which is one global order again
 * (transfer.c). There always is a job that can go on, since jobs wait for earlier ones only.
 * Cost: for each kernel, a look at all jobs, their courses, and those that had their units last.
 * Source: list scheduling (Graham 1966) of tiles; the rest is ours. */
#include <math.h>
#include <string.h>

#include "targets/tile/tile.h"

typedef enum job_kind {
	JOB_walk, /* kernels, tile by tile */
	JOB_move, /* copies, on demand */
	JOB_whole /* all at once */
} job_kind;

typedef struct job job;

/* The slices of a job on one unit, one after the other. */
typedef struct course {
	int64_t turn, slice;
	pim_tile_walk *walk; /* of the slice; NULL: not begun, or ended */
	pim_arena *arena;	 /* of the walk */
	double time;		 /* when its last kernel ends */
	double start;		 /* when the next one can start; INFINITY: not known */
	const job *from;	 /* whose tile it waits for; NULL: not asked yet, or start is known */
	int64_t from_slice, from_tile;
	bool goes; /* now */
} course;

struct job {
	pim_node *node; /* the first of its group */
	const pim_fusion *f;
	const pim_node *last; /* of the group: its loops are the walk */
	job_kind kind;
	bool begun, ended;
	uint32_t task;
	int64_t slices, most;		/* tiles of a slice */
	int64_t *complete, *stored; /* by slice: tiles that are made; that are home */
	double *done;				/* by slice and tile: when */
	double time;				/* when the last kernel so far ends */
	pim_map *cycles;			/* of kernels, by member and extents */
	int n_courses, open;		/* open: with slices to come */
	course *course;
	int n_before; /* jobs that had its units last before it */
	job **before;
	const job *follower; /* the last that has this one among them */
	pim_region *made;	 /* JOB_move: by slice, what was copied */
};

typedef struct interleaving {
	pim_lowering *l;
	int n;
	job *job;
	job **of; /* by node id; NULL: a leaf */
	int *readers;
} interleaving;

/* ---- jobs ---- */

bool pim_graph_overlaps(const pim_graph *g)
{
	PIM_EACH_NODE(n, g)
	{
		for (uint32_t i = 0; i < n->n_in; i++) {
			const pim_node *in = n->in[i];
			if (!in || !in->plan || pim_op_at((pim_op)in->op)->flags & PIM_OPF_leaf)
				continue;
			if (n->plan->start < in->plan->start + in->plan->cycles &&
				!pim_node_ridden(pim_fusion_first(n)) &&
				pim_fusion_first(n) != pim_fusion_first(in))
				return true;
		}
	}
	return false;
}

static int64_t count_tiles(const pim_nest *nest)
{
	int64_t tiles = 1;
	for (int i = 0; i < nest->n; i++)
		tiles *= nest->loop[i].spatial ? 1 : nest->loop[i].count;
	return tiles;
}

static void fill_job(const interleaving *s, job *j, pim_node *n)
{
	pim_lowering *l = s->l;
	*j = (job){.node = n, .f = pim_fusion_of(n, l->stored, l->arena)};
	j->last = j->f->member[j->f->n - 1].node;
	j->slices = pim_layout_slices(j->last->plan->layout);
	j->kind = pim_adds_sums(n)							? JOB_whole
			  : pim_only_moves(n, j->f->member[0].axes) ? JOB_move
														: JOB_walk;
	j->most = j->kind == JOB_walk ? count_tiles(j->last->plan->nest) : 1;
	j->made = PIM_NEW(l->arena, pim_region, j->kind == JOB_move ? j->slices : 0);
	j->complete = PIM_NEW(l->arena, int64_t, j->slices);
	j->stored = PIM_NEW(l->arena, int64_t, j->slices);
	j->done = PIM_NEW(l->arena, double, j->kind == JOB_walk ? j->slices * j->most : 1);
	int64_t units = j->last->plan->n_units;
	j->n_courses = j->kind == JOB_move ? 0 : (int)(j->slices < units ? j->slices : units);
	j->n_courses = j->kind == JOB_whole ? 1 : j->n_courses;
	j->open = j->n_courses;
	j->course = PIM_NEW(l->arena, course, j->n_courses);
	j->cycles = pim_map_new(l->arena);
}

/* The jobs that had units of j last before it: their tiles are in the buffer until they have ended.
 * Those that had the units before them have ended then too. last: by unit. */
static void find_before(interleaving *s, job *j, job **last)
{
	const pim_plan *p = j->last->plan;
	if (j->kind == JOB_move)
		return;
	j->before = PIM_NEW(s->l->arena, job *, p->n_units);
	for (int i = 0; i < p->n_units; i++) {
		job *b = last[p->unit[i]];
		last[p->unit[i]] = j;
		if (!b || b == j || b->follower == j)
			continue;
		b->follower = j;
		j->before[j->n_before++] = b;
	}
}

static interleaving start(pim_lowering *l, pim_node *const *node, int n, int *readers)
{
	interleaving s = {.l = l, .n = n, .readers = readers};
	s.job = PIM_NEW(l->arena, job, n);
	s.of = PIM_NEW(l->arena, job *, l->graph->n_ids);
	job **last = PIM_NEW(l->arena, job *, l->target->units);
	for (int i = 0; i < n; i++) {
		fill_job(&s, &s.job[i], node[i]);
		for (int m = 0; m < s.job[i].f->n; m++)
			s.of[s.job[i].f->member[m].node->id] = &s.job[i];
	}
	for (int i = 0; i < n; i++)
		find_before(&s, &s.job[i], last);
	return s;
}

/* What is written from here on belongs to the job. */
static void enter(interleaving *s, job *j)
{
	pim_lowering *l = s->l;
	if (!j->begun) {
		j->begun = true;
		pim_node_begin(l, j->f);
		j->task = l->task;
	}
	l->task = j->task;
	l->start = j->node->plan->start;
	l->since = 0;
}

/* ---- what a kernel waits for ---- */

/* A walk through all tiles that a kernel reads: are they complete, and since when? Or, at home? */
typedef struct visit {
	interleaving *s;
	bool stores; /* what is complete goes home */
	double time;
	const job *from; /* that one tile is not complete of; NULL: all are */
	int64_t slice, tile;
} visit;

static void store_slice(interleaving *s, job *j, int64_t slice)
{
	course *c = &j->course[pim_slice_position(j->last, slice) % j->last->plan->n_units];
	if (j->kind == JOB_walk && c->walk && c->slice == slice) {
		enter(s, j);
		pim_tile_walk_store(c->walk);
	}
	j->stored[slice] = j->complete[slice];
}

static void meet_tile(visit *v, job *from, int64_t slice, int64_t tile)
{
	if (v->stores) {
		if (from->stored[slice] <= tile)
			store_slice(v->s, from, slice);
	} else if (from->complete[slice] > tile) {
		v->time = fmax(v->time, from->done[slice * from->most + tile]);
	} else if (!v->from || tile > v->tile) {
		v->from = from;
		v->slice = slice;
		v->tile = tile;
	}
}

static int member_of(const job *j, const pim_node *value)
{
	int m = j->f->n - 1;
	while (j->f->member[m].node != value)
		m--;
	return m;
}

/* The dimension of member m's result that an axis of the walk runs along; -1 for none. */
static int dim_of(const job *j, int m, int walk_axis)
{
	const pim_member *p = &j->f->member[m];
	const pim_axes *x = p->axes;
	for (int d = 0; d < p->node->type->rank; d++) {
		const pim_index *index = &x->map[x->n_inputs][d];
		if (index->n == 1 && index->term[0].coef == 1 && index->offset == 0 &&
			p->follows[index->term[0].axis] == walk_axis)
			return d;
	}
	return -1;
}

/* The last tile of a slice's walk that writes into a box of what member m makes. */
static int64_t find_tile(const job *j, int m, int64_t slice, const pim_box *box)
{
	const pim_nest *nest = j->last->plan->nest;
	pim_box axes;
	if (pim_fusion_slice(j->f, m, slice) != slice)
		return j->most - 1;
	pim_slice_axes(j->last, j->f->member[j->f->n - 1].axes, slice, &axes);
	int64_t tile = 0;
	for (int i = 0; i < nest->n; i++) {
		int a = nest->loop[i].axis, d = nest->loop[i].spatial ? -1 : dim_of(j, m, a);
		if (nest->loop[i].spatial)
			continue;
		int64_t count = (axes.hi[a] - axes.lo[a] + nest->tile[a] - 1) / nest->tile[a];
		int64_t at = d < 0 ? count - 1 : (box->hi[d] - 1 - axes.lo[a]) / nest->tile[a];
		tile = tile * count + at;
	}
	return tile;
}

static void meet_box(visit *v, const pim_node *value, const pim_box *box);

/* What is still to be copied of a box that an op makes which only moves elements. */
static void meet_move(visit *v, job *j, int64_t slice, const pim_box *part)
{
	const pim_axes *x = j->f->member[0].axes;
	pim_region lacks = {.n = 0};
	pim_box axes, read;
	pim_region_lacks(&j->made[slice], part, &lacks);
	for (int k = 0; k < lacks.n; k++) {
		pim_axes_cover(x, &lacks.box[k], &axes);
		for (uint32_t i = 0; i < j->node->n_in; i++) {
			pim_axes_demand(x, j->node, (int)i, &axes, &read, NULL, NULL);
			if (j->node->in[i] && !pim_box_empty(&read))
				meet_box(v, j->node->in[i], &read);
		}
	}
	pim_region_free(&lacks);
}

static void meet_box(visit *v, const pim_node *value, const pim_box *box)
{
	job *from = v->s->of[value->id];
	if (!from || from->ended)
		return;
	if (from->kind == JOB_whole) {
		meet_tile(v, from, 0, 0);
		return;
	}
	int64_t slice;
	pim_box part;
	for (int64_t copy = 0; copy < value->plan->layout->copies; copy++) {
		pim_pieces p = pim_pieces_of(value, box, copy);
		while (pim_pieces_next(&p, &slice, &part)) {
			if (from->kind == JOB_move)
				meet_move(v, from, slice, &part);
			else
				meet_tile(v, from, slice, find_tile(from, member_of(from, value), slice, &part));
		}
	}
}

/* All that the next kernel of a course reads. */
static void meet_reads(visit *v, const job *j, const course *c)
{
	pim_read read[PIM_MOST_READS];
	if (j->kind == JOB_whole) {
		for (uint32_t i = 0; i < j->node->n_in; i++) {
			pim_box all = pim_box_of(j->node->in[i]->type);
			meet_box(v, j->node->in[i], &all);
		}
		return;
	}
	int n = pim_tile_walk_reads(c->walk, read);
	for (int k = 0; k < n; k++)
		meet_box(v, read[k].value, &read[k].box);
}

/* The slice whose turn it is. */
static void start_slice(interleaving *s, job *j, course *c)
{
	int64_t position = c->turn * j->last->plan->n_units + (c - j->course);
	c->slice = pim_slice_at(j->last, position);
	c->arena = pim_arena_new();
	c->walk = pim_tile_walk_new(s->l, j->f, c->slice, c->arena);
}

/* Finds when the next kernel of a course can start, unless what it waits for is as it was. */
static void ask(interleaving *s, job *j, course *c)
{
	if (c->from && !c->from->ended && c->from->complete[c->from_slice] <= c->from_tile)
		return;
	if (j->kind == JOB_walk && !c->walk)
		start_slice(s, j, c);
	visit v = {.s = s, .time = c->time};
	meet_reads(&v, j, c);
	c->from = v.from;
	c->from_slice = v.slice;
	c->from_tile = v.tile;
	c->start = v.from ? INFINITY : v.time;
}

/* Of the next kernel: tiles at the end of a dimension may be smaller. */
static double kernel_cycles(const interleaving *s, const job *j, const course *c)
{
	int m = pim_tile_walk_member(c->walk);
	const pim_member *p = &j->f->member[m];
	const pim_box *part = pim_tile_walk_part(c->walk);
	int64_t key[PIM_MAX_AXES + 1] = {m};
	for (int a = 0; a < part->n; a++)
		key[a + 1] = part->hi[a] - part->lo[a];
	double *cycles = pim_map_get(j->cycles, key, sizeof key);
	if (!cycles) {
		cycles = PIM_NEW(s->l->arena, double, 1);
		*cycles = (double)pim_target_kernel_cycles(s->l->target, p->node, p->axes, key + 1);
		pim_map_put(j->cycles, key, sizeof key, cycles);
	}
	return *cycles;
}

/* Have those that had its units before ended? */
static bool may_begin(const job *j)
{
	for (int i = 0; i < j->n_before; i++)
		if (!j->before[i]->ended)
			return false;
	return true;
}

/* Has all that j reads begun? Only then its first kernels can be near. */
static bool has_source(const interleaving *s, const job *j)
{
	for (int m = 0; m < j->f->n; m++)
		for (uint32_t i = 0; i < j->f->member[m].node->n_in; i++) {
			const pim_node *in = j->f->member[m].node->in[i];
			const job *from = in ? s->of[in->id] : NULL;
			if (from && from != j && from->kind != JOB_move && !from->begun)
				return false;
		}
	return true;
}

static bool is_open(const job *j, const course *c)
{
	return j->kind == JOB_whole || c->turn * j->last->plan->n_units + (c - j->course) < j->slices;
}

/* When the next kernel of any course can start; INFINITY: not yet known. */
static double find_time(interleaving *s, job *j)
{
	double first = INFINITY, free = 0;
	if (!j->begun && (!may_begin(j) || !has_source(s, j)))
		return INFINITY;
	for (int i = 0; i < j->n_before; i++)
		free = fmax(free, j->before[i]->time);
	for (course *c = j->course; c < j->course + j->n_courses; c++) {
		if (!is_open(j, c))
			continue;
		c->time = fmax(c->time, free);
		if (c->from || c->start < c->time || !c->arena)
			ask(s, j, c);
		first = fmin(first, c->start);
	}
	return first;
}

/* ---- what a job writes ---- */

/* A slice of what only moves elements is copied at once when all that it reads is complete: fewer
 * messages, and nobody waits for what does not come yet. */
static void grow_to_slice(interleaving *s, job *j, int64_t slice, pim_box *part)
{
	visit asks = {.s = s}, stores = {.s = s, .stores = true};
	pim_box all = pim_layout_box(j->node->plan->layout, j->node->type, slice, NULL);
	meet_move(&asks, j, slice, &all);
	if (asks.from)
		return;
	meet_move(&stores, j, slice, &all);
	*part = all;
}

/* A box of what an op that only moves elements makes, with those before it. */
static bool make(interleaving *s, const pim_node *value, const pim_box *box)
{
	job *j = s->of[value->id];
	if (!j || j->kind != JOB_move || j->ended)
		return true;
	const pim_axes *x = j->f->member[0].axes;
	pim_box part, axes, read;
	int64_t slice;
	bool good = true;
	for (int64_t copy = 0; copy < value->plan->layout->copies; copy++) {
		pim_pieces p = pim_pieces_of(value, box, copy);
		while (good && pim_pieces_next(&p, &slice, &part)) {
			pim_region lacks = {.n = 0};
			grow_to_slice(s, j, slice, &part);
			pim_region_lacks(&j->made[slice], &part, &lacks);
			for (int k = 0; k < lacks.n && good; k++) {
				pim_axes_cover(x, &lacks.box[k], &axes);
				for (uint32_t i = 0; i < value->n_in && good; i++) {
					pim_axes_demand(x, value, (int)i, &axes, &read, NULL, NULL);
					good = !value->in[i] || pim_box_empty(&read) || make(s, value->in[i], &read);
				}
				enter(s, j);
				good = good && pim_fetch_move(s->l, value, x, slice, &lacks.box[k]);
			}
			pim_region_add(&j->made[slice], &part);
			pim_region_free(&lacks);
		}
	}
	pim_transfers_emit(s->l);
	return good;
}

static void give(interleaving *s, const pim_node *value)
{
	job *j = s->of[value->id];
	if (--s->readers[value->id] > 0 || !j)
		return;
	if (j->begun)
		pim_homes_give(s->l, value);
	if (j->kind != JOB_move)
		return;
	j->ended = true;
	for (uint32_t i = 0; i < value->n_in; i++)
		if (value->in[i])
			give(s, value->in[i]);
	for (int64_t k = 0; k < j->slices; k++)
		pim_region_free(&j->made[k]);
}

static void end_job(interleaving *s, job *j)
{
	j->ended = true;
	pim_fetch_end(s->l);
	for (int m = 0; m < j->f->n; m++)
		for (uint32_t i = 0; i < j->f->member[m].node->n_in; i++)
			if (j->f->member[m].node->in[i])
				give(s, j->f->member[m].node->in[i]);
}

/* Does a tile's first kernel store what the tile before has made? */
static bool stores_soon(const pim_fusion *f)
{
	for (int m = 0; m < f->n; m++)
		if (f->member[m].crosses)
			return false;
	return true;
}

/* Inputs that only move elements have homes from here on, though the kernel may read nothing of
 * them yet: a tile of padding alone. */
static void begin_moves(interleaving *s, const job *j, const course *c)
{
	const pim_node *n =
		j->kind == JOB_whole ? j->node : j->f->member[pim_tile_walk_member(c->walk)].node;
	for (uint32_t i = 0; i < n->n_in; i++) {
		job *from = n->in[i] ? s->of[n->in[i]->id] : NULL;
		if (from && from->kind == JOB_move && !from->begun)
			enter(s, from);
	}
}

/* What the next kernel reads goes home, or is copied. */
static bool prepare(interleaving *s, job *j, course *c)
{
	pim_read read[PIM_MOST_READS];
	visit v = {.s = s, .stores = true};
	bool good = true;
	meet_reads(&v, j, c);
	begin_moves(s, j, c);
	int n = j->kind == JOB_whole ? (int)j->node->n_in : pim_tile_walk_reads(c->walk, read);
	for (int k = 0; k < n && good; k++) {
		if (j->kind == JOB_whole)
			read[0] = (pim_read){j->node->in[k], pim_box_of(j->node->in[k]->type)};
		const pim_read *r = &read[j->kind == JOB_whole ? 0 : k];
		good = make(s, r->value, &r->box);
	}
	return good;
}

static bool run_kernel(const interleaving *s, job *j, course *c)
{
	int64_t before = j->complete[c->slice];
	c->time = c->start + kernel_cycles(s, j, c);
	if (!pim_tile_walk_step(c->walk))
		return false;
	while (j->complete[c->slice] < pim_tile_walk_tiles(c->walk))
		j->done[c->slice * j->most + j->complete[c->slice]++] = c->time;
	if (stores_soon(j->f) && j->stored[c->slice] < before)
		j->stored[c->slice] = before;
	j->time = fmax(j->time, c->time);
	c->from = NULL;
	c->start = -1;
	return true;
}

/* The slice is done. */
static void end_slice(job *j, course *c)
{
	pim_tile_walk_store(c->walk);
	while (j->complete[c->slice] < j->most) /* of ragged slices that have fewer */
		j->done[c->slice * j->most + j->complete[c->slice]++] = c->time;
	j->stored[c->slice] = j->most;
	pim_arena_free(c->arena);
	c->arena = NULL;
	c->walk = NULL;
	c->turn++;
	j->open -= !is_open(j, c);
}

static bool run_whole(interleaving *s, job *j)
{
	if (!prepare(s, j, j->course))
		return false;
	enter(s, j);
	if (!pim_node_lower(s->l, j->f))
		return false;
	j->time = j->done[0] = j->course->start + (double)j->node->plan->cycles;
	j->complete[0] = j->stored[0] = 1;
	end_job(s, j);
	return true;
}

/* Runs the kernels of a job that can start about now: so what several units read leaves as one
 * multicast. */
static bool run_kernels(interleaving *s, job *j, double now)
{
	bool good = true;
	for (course *c = j->course; c < j->course + j->n_courses; c++)
		c->goes = is_open(j, c) && c->start <= now + kernel_cycles(s, j, c) / 4;
	for (course *c = j->course; c < j->course + j->n_courses && good; c++)
		good = !c->goes || prepare(s, j, c);
	enter(s, j);
	for (course *c = j->course; c < j->course + j->n_courses && good; c++) {
		s->l->turn = c->turn;
		if (c->goes)
			pim_tile_walk_fetch(c->walk);
	}
	pim_transfers_emit(s->l);
	for (course *c = j->course; c < j->course + j->n_courses && good; c++) {
		if (!c->goes)
			continue;
		good = run_kernel(s, j, c);
		if (good && pim_tile_walk_ended(c->walk))
			end_slice(j, c);
	}
	if (good && !j->open)
		end_job(s, j);
	return good;
}

/* Results that only move elements: what nobody has asked for yet. */
static bool make_results(interleaving *s)
{
	const pim_graph *g = s->l->graph;
	for (int i = 0; i < g->n_results; i++) {
		pim_box all = pim_box_of(g->results[i]->type);
		if (!make(s, g->results[i], &all))
			return false;
	}
	return true;
}

/* The job whose next kernel can start first, and when; NULL: all have ended. */
static job *find_next(interleaving *s, double *time)
{
	job *best = NULL;
	bool open = false;
	*time = INFINITY;
	for (job *j = s->job; j < s->job + s->n; j++) {
		if (j->ended || j->kind == JOB_move)
			continue;
		open = true;
		double now = find_time(s, j);
		if (now < *time) {
			*time = now;
			best = j;
		}
	}
	if (open && !best)
		PIM_BUG("ops of @%s wait for each other", s->l->graph->name);
	return best;
}

static bool check_kernels(const interleaving *s)
{
	for (const job *j = s->job; j < s->job + s->n; j++)
		if (j->kind == JOB_walk && !pim_kernels_check(s->l, j->f))
			return false;
	return true;
}

static bool run_jobs(interleaving *s)
{
	double time;
	for (job *j; (j = find_next(s, &time));)
		if (!(j->kind == JOB_whole ? run_whole(s, j) : run_kernels(s, j, time)))
			return false;
	return make_results(s);
}

/* What is left of walks and regions: of results, and of everything after an error. */
static void finish(interleaving *s)
{
	pim_fetch_end(s->l);
	for (job *j = s->job; j < s->job + s->n; j++) {
		for (course *c = j->course; c < j->course + j->n_courses; c++)
			if (c->arena)
				pim_arena_free(c->arena);
		for (int64_t k = 0; k < (j->kind == JOB_move ? j->slices : 0); k++)
			pim_region_free(&j->made[k]);
	}
}

bool pim_lower_interleaved(pim_lowering *l, pim_node *const *node, int n, int *readers)
{
	interleaving s = start(l, node, n, readers);
	bool good = check_kernels(&s) && run_jobs(&s);
	finish(&s);
	return good;
}
