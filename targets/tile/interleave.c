/* SPDX-License-Identifier: Apache-2.0 */
/* interleave.c - nodes that run at the same time, tile by tile in the order in which they can.
 *
 * A node is a job. All slices of one turn go together, kernel by kernel: what the next kernels read
 * and is not there yet is sent, then they run; a result is stored as soon as a reader asks for it.
 * Of all jobs the one goes on whose next kernels can start first, by a count of cycles that is kept
 * on the way: when it is done with the one before, when the jobs that had its units before have
 * ended, and when the tiles that it reads are complete. So each engine of a unit, which takes its
 * commands in order, has them in the order of the time at which they can run: the messages to
 * several readers take turns, and nothing waits behind what comes later. Ops that only move
 * elements have no turn: what a reader needs of one is copied when it is needed.
 *
 * No deadlock: a kernel is written when all tiles it reads are, which is one global order again
 * (transfer.c). There always is a job that can go on, since jobs wait for earlier ones only.
 * Cost: kernels times jobs. Source: list scheduling (Graham 1966) of tiles; the rest is ours. */
#include <math.h>
#include <string.h>

#include "targets/tile/tile.h"

typedef enum job_kind {
	JOB_walk, /* kernels, tile by tile */
	JOB_move, /* copies, on demand */
	JOB_whole /* all at once */
} job_kind;

typedef struct job job;

/* A tile of another job that must be complete. */
typedef struct wait {
	job *from;
	int64_t tile;
} wait;

struct job {
	pim_node *node; /* the first of its group */
	const pim_fusion *f;
	const pim_node *last; /* of the group: its loops are the walk */
	job_kind kind;
	bool begun, ended;
	uint32_t task;
	int64_t slices, turn;	  /* slices at positions turn * n_units .. are under way */
	int64_t most;			  /* tiles of a slice */
	int64_t complete, stored; /* tiles, over all turns, that all slices have made; that are home */
	double *done;			  /* by tile: when */
	double time;			  /* when its last kernel ends */
	double *cycles;			  /* by member, of a kernel */
	int n_walks;
	pim_tile_walk **walk; /* by unit */
	pim_arena *arena;	  /* of the walks */
	bool asked;			  /* wait[] is that of the next kernels */
	int n_waits, room_waits;
	wait *wait;
	int n_before; /* jobs that had its units before */
	job **before;
	pim_region *made; /* JOB_move: by slice, what was copied */
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
			if (n->plan->start < in->plan->start + in->plan->cycles && !pim_node_ridden(n) &&
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
	int64_t turns = (j->slices + j->last->plan->n_units - 1) / j->last->plan->n_units;
	j->done = PIM_NEW(l->arena, double, j->kind == JOB_walk ? turns * j->most : 1);
	j->made = PIM_NEW(l->arena, pim_region, j->kind == JOB_move ? j->slices : 0);
	j->walk = PIM_NEW(l->arena, pim_tile_walk *, j->last->plan->n_units);
	j->cycles = PIM_NEW(l->arena, double, j->f->n);
	for (int m = 0; m < j->f->n && j->kind == JOB_walk; m++) {
		const pim_member *p = &j->f->member[m];
		j->cycles[m] = (double)pim_target_kernel_cycles(
			l->target, p->node, p->axes, p->node->plan->nest->tile);
	}
}

static bool shares_units(const interleaving *s, const job *a, const job *b, bool *mark)
{
	const pim_plan *p = a->last->plan, *q = b->last->plan;
	bool shares = false;
	memset(mark, 0, sizeof *mark * (size_t)s->l->target->units);
	for (int i = 0; i < p->n_units; i++)
		mark[p->unit[i]] = true;
	for (int i = 0; i < q->n_units; i++)
		shares = shares || mark[q->unit[i]];
	return shares;
}

/* The jobs before j whose units it has when they have ended. */
static void find_before(interleaving *s, job *j)
{
	bool *mark = PIM_NEW(s->l->arena, bool, s->l->target->units);
	const pim_plan *p = j->last->plan;
	j->before = PIM_NEW(s->l->arena, job *, j - s->job);
	for (job *b = s->job; b < j && j->kind != JOB_move; b++) {
		const pim_plan *q = b->last->plan;
		if (b->kind != JOB_move && q->start + q->cycles <= p->start && shares_units(s, j, b, mark))
			j->before[j->n_before++] = b;
	}
}

static interleaving start(pim_lowering *l, pim_node *const *node, int n, int *readers)
{
	interleaving s = {.l = l, .n = n, .readers = readers};
	s.job = PIM_NEW(l->arena, job, n);
	s.of = PIM_NEW(l->arena, job *, l->graph->n_ids);
	for (int i = 0; i < n; i++) {
		fill_job(&s, &s.job[i], node[i]);
		for (int m = 0; m < s.job[i].f->n; m++)
			s.of[s.job[i].f->member[m].node->id] = &s.job[i];
	}
	for (int i = 0; i < n; i++)
		find_before(&s, &s.job[i]);
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
	l->turn = j->turn;
}

/* ---- what a job waits for ---- */

static void add_wait(interleaving *s, job *j, job *from, int64_t tile)
{
	for (int i = 0; i < j->n_waits; i++)
		if (j->wait[i].from == from) {
			j->wait[i].tile = tile > j->wait[i].tile ? tile : j->wait[i].tile;
			return;
		}
	if (j->n_waits == j->room_waits) {
		wait *more = PIM_NEW(s->l->arena, wait, j->room_waits = 2 * j->room_waits + 4);
		if (j->n_waits)
			memcpy(more, j->wait, sizeof *more * (size_t)j->n_waits);
		j->wait = more;
	}
	j->wait[j->n_waits++] = (wait){from, tile};
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

/* Job j is to wait for a box of a value. */
static void need(interleaving *s, job *j, const pim_node *value, const pim_box *box)
{
	job *from = s->of[value->id];
	if (!from || from->ended)
		return;
	if (from->kind == JOB_whole) {
		add_wait(s, j, from, 0);
		return;
	}
	int64_t slice, copies = value->plan->layout->copies;
	pim_box part, axes, read;
	for (int64_t copy = 0; copy < copies; copy++) {
		pim_pieces p = pim_pieces_of(value, box, copy);
		while (pim_pieces_next(&p, &slice, &part)) {
			if (from->kind == JOB_walk) {
				int64_t turn = pim_slice_position(value, slice) / from->last->plan->n_units;
				int64_t tile = find_tile(from, member_of(from, value), slice, &part);
				add_wait(s, j, from, turn * from->most + tile);
				continue;
			}
			const pim_axes *x = from->f->member[0].axes;
			pim_region lacks = {.n = 0};
			pim_region_lacks(&from->made[slice], &part, &lacks);
			for (int k = 0; k < lacks.n; k++) {
				pim_axes_cover(x, &lacks.box[k], &axes);
				for (uint32_t i = 0; i < value->n_in; i++) {
					pim_axes_demand(x, value, (int)i, &axes, &read, NULL, NULL);
					if (value->in[i] && !pim_box_empty(&read))
						need(s, j, value->in[i], &read);
				}
			}
			pim_region_free(&lacks);
		}
	}
}

static void start_walks(interleaving *s, job *j)
{
	int64_t units = j->last->plan->n_units, first = j->turn * units;
	j->arena = pim_arena_new();
	j->n_walks = (int)(j->slices - first < units ? j->slices - first : units);
	for (int i = 0; i < j->n_walks; i++)
		j->walk[i] = pim_tile_walk_new(s->l, j->f, pim_slice_at(j->last, first + i), j->arena);
}

/* Lists what the next kernels wait for. */
static void ask(interleaving *s, job *j)
{
	pim_read read[PIM_MOST_READS];
	j->asked = true;
	j->n_waits = 0;
	if (j->kind == JOB_whole) {
		for (uint32_t i = 0; i < j->node->n_in; i++) {
			pim_box all = pim_box_of(j->node->in[i]->type);
			need(s, j, j->node->in[i], &all);
		}
		return;
	}
	if (!j->arena)
		start_walks(s, j);
	for (int i = 0; i < j->n_walks; i++) {
		int n = pim_tile_walk_ended(j->walk[i]) ? 0 : pim_tile_walk_reads(j->walk[i], read);
		for (int k = 0; k < n; k++)
			need(s, j, read[k].value, &read[k].box);
	}
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

/* When the next kernels can start; INFINITY: not yet known. */
static double find_time(interleaving *s, job *j)
{
	double time = j->time;
	if (!j->asked && (!may_begin(j) || !has_source(s, j)))
		return INFINITY;
	if (!j->asked)
		ask(s, j);
	for (int i = 0; i < j->n_before; i++)
		time = fmax(time, j->before[i]->time);
	for (int i = 0; i < j->n_waits; i++) {
		const job *from = j->wait[i].from;
		if (from->complete <= j->wait[i].tile)
			return INFINITY;
		time = fmax(time, from->done[j->wait[i].tile]);
	}
	return time;
}

/* ---- what a job writes ---- */

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

/* What j waits for is complete; now it goes home. */
static void store_sources(interleaving *s, const job *j)
{
	for (int i = 0; i < j->n_waits; i++) {
		job *from = j->wait[i].from;
		if (from->stored > j->wait[i].tile)
			continue;
		enter(s, from);
		for (int k = 0; k < from->n_walks; k++)
			pim_tile_walk_store(from->walk[k]);
		from->stored = from->complete;
	}
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

/* Counts the tiles that all slices have made. */
static void count_complete(job *j)
{
	int64_t least = j->most;
	for (int i = 0; i < j->n_walks; i++)
		if (!pim_tile_walk_ended(j->walk[i]) && pim_tile_walk_tiles(j->walk[i]) < least)
			least = pim_tile_walk_tiles(j->walk[i]);
	for (; j->complete < j->turn * j->most + least; j->complete++)
		j->done[j->complete] = j->time;
}

/* Does a tile's first kernel store what the tile before has made? */
static bool stores_soon(const pim_fusion *f)
{
	for (int m = 0; m < f->n; m++)
		if (f->member[m].crosses)
			return false;
	return true;
}

static bool run_kernels(interleaving *s, job *j)
{
	pim_read read[PIM_MOST_READS];
	double longest = 0;
	bool good = true, soon = stores_soon(j->f);
	int64_t before = j->complete;
	store_sources(s, j);
	for (int i = 0; i < j->n_walks && good; i++) {
		int n = pim_tile_walk_ended(j->walk[i]) ? 0 : pim_tile_walk_reads(j->walk[i], read);
		for (int k = 0; k < n && good; k++)
			good = make(s, read[k].value, &read[k].box);
	}
	enter(s, j);
	for (int i = 0; i < j->n_walks; i++)
		if (!pim_tile_walk_ended(j->walk[i]))
			pim_tile_walk_fetch(j->walk[i]);
	pim_transfers_emit(s->l);
	for (int i = 0; i < j->n_walks && good; i++) {
		if (pim_tile_walk_ended(j->walk[i]))
			continue;
		longest = fmax(longest, j->cycles[pim_tile_walk_member(j->walk[i])]);
		good = pim_tile_walk_step(j->walk[i]);
		if (pim_tile_walk_ended(j->walk[i]))
			pim_tile_walk_store(j->walk[i]);
	}
	j->stored = soon && before > j->stored ? before : j->stored;
	j->time += longest;
	count_complete(j);
	return good;
}

/* The slices of a turn are done. */
static void end_turn(interleaving *s, job *j)
{
	j->stored = j->complete;
	pim_arena_free(j->arena);
	j->arena = NULL;
	j->n_walks = 0;
	if (++j->turn * j->last->plan->n_units >= j->slices)
		end_job(s, j);
}

static bool step(interleaving *s, job *j, double time)
{
	bool good;
	j->time = time;
	j->asked = false;
	if (j->kind == JOB_whole) {
		store_sources(s, j);
		for (uint32_t i = 0; i < j->node->n_in; i++) {
			pim_box all = pim_box_of(j->node->in[i]->type);
			if (!make(s, j->node->in[i], &all))
				return false;
		}
		enter(s, j);
		good = pim_node_lower(s->l, j->f);
		j->time += (double)j->node->plan->cycles;
		j->done[0] = j->time;
		j->complete = j->stored = 1;
		end_job(s, j);
		return good;
	}
	if (!j->begun && !pim_kernels_check(s->l, j->f))
		return false;
	good = run_kernels(s, j);
	bool ended = good;
	for (int i = 0; i < j->n_walks; i++)
		ended = ended && pim_tile_walk_ended(j->walk[i]);
	if (ended)
		end_turn(s, j);
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

bool pim_lower_interleaved(pim_lowering *l, pim_node *const *node, int n, int *readers)
{
	interleaving s = start(l, node, n, readers);
	for (;;) {
		job *best = NULL;
		double least = INFINITY;
		bool open = false;
		for (job *j = s.job; j < s.job + n; j++) {
			if (j->ended || j->kind == JOB_move)
				continue;
			open = true;
			double time = find_time(&s, j);
			if (time < least) {
				least = time;
				best = j;
			}
		}
		if (!open)
			return make_results(&s);
		if (!best)
			PIM_BUG("ops of @%s wait for each other", l->graph->name);
		if (!step(&s, best, least))
			return false;
	}
}
