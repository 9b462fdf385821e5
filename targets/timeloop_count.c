/* SPDX-License-Identifier: Apache-2.0 */
/* timeloop_count.c - accesses, energy and cycles of a mapping.
 *
 * Per tensor: what moves below each level (timeloop_closed.c, timeloop_walk.c); a level that does
 * not keep the tensor hands its demand to the next one outside; then reads, fills and updates. An
 * output's first visit needs no old value: an instance saves as many reads and fills as it ever
 * holds words. A level takes as many cycles as the compute units or its slowest port needs, the
 * mapping as many as its slowest level and the networks' constant latencies.
 * Source: counting rules of Timeloop v3 as its runs show them. */
#include <math.h>
#include <string.h>

#include "targets/timeloop_flow.h"

__extension__ typedef __int128 wide;

typedef struct tally {
	const timeloop_problem *problem;
	const timeloop_arch *arch;
	const timeloop_mapping *mapping;
	timeloop_row row;
	int64_t instances[TIMELOOP_LEVELS];
	int64_t tile[TIMELOOP_LEVELS][TIMELOOP_TENSORS];   /* words of a level's tile */
	int64_t spread[TIMELOOP_LEVELS][TIMELOOP_TENSORS]; /* ... of its units below together */
} tally;

/* Extents of what the loops inside `end` span, at the largest. */
static void find_extents(const timeloop_row *row, int dims, int end, int64_t *extent)
{
	bool full[TIMELOOP_DIMS] = {0};
	for (int i = end; i < row->n; i++)
		full[row->loop[i].dim] |= row->loop[i].last > 1;
	for (int d = 0; d < dims; d++)
		extent[d] = 1;
	for (int i = 0; i < end; i++) {
		const timeloop_loop *l = &row->loop[i];
		extent[l->dim] += row->stride[i] * ((full[l->dim] ? l->count : l->last) - 1);
	}
}

static void size_tiles(tally *s)
{
	const timeloop_problem *p = s->problem;
	int64_t extent[TIMELOOP_DIMS];
	for (int level = 0; level < s->arch->levels; level++) {
		find_extents(&s->row, p->dims, s->row.time[level], extent);
		for (int t = 0; t < p->tensors; t++)
			s->spread[level][t] = pim_timeloop_words(&p->tensor[t], p->dims, extent);
		find_extents(&s->row, p->dims, s->row.space[level + 1], extent);
		for (int t = 0; t < p->tensors; t++)
			s->tile[level][t] = pim_timeloop_words(&p->tensor[t], p->dims, extent);
	}
}

static void start_tally(
	tally *s, const timeloop_problem *p, const timeloop_arch *a, const timeloop_mapping *m)
{
	s->problem = p;
	s->arch = a;
	s->mapping = m;
	pim_timeloop_row(p, m, a->levels, &s->row);
	s->instances[a->levels - 1] = 1;
	for (int level = a->levels - 1; level > 0; level--)
		s->instances[level - 1] = s->instances[level] * pim_timeloop_fanout(&s->row, level);
	size_tiles(s);
}

/* Everything an instance ever holds of a tensor. */
static void find_partitions(const tally *s, int t, int64_t *partition)
{
	int top = s->arch->levels - 1;
	partition[top] = s->tile[top][t];
	for (int level = top - 1; level >= 0; level--) {
		bool spatial = s->row.time[level + 1] > s->row.space[level + 1];
		int64_t below = spatial ? s->spread[level + 1][t] : s->tile[level][t];
		partition[level] = (int64_t)((wide)partition[level + 1] * s->tile[level][t] / below);
	}
}

static void find_flows(const tally *s, int tensor, timeloop_flow *flow)
{
	const timeloop_tensor *t = &s->problem->tensor[tensor];
	for (int level = 0; level < s->arch->levels; level++) {
		timeloop_place at = {
			level, pim_timeloop_mesh(s->arch, level), s->mapping->limits[level][tensor]};
		if (s->row.imperfect)
			pim_timeloop_walk(s->problem, &s->row, &at, t, &flow[level]);
		else
			pim_timeloop_closed(s->problem, &s->row, &at, t, &flow[level]);
	}
}

/* A level that does not keep the tensor: its demand goes to the next one outside. */
static void hand_over(const timeloop_flow *from, timeloop_flow *to)
{
	double factor = from->words * (double)to->fanout / to->delivered;
	to->words *= factor;
	to->delivered *= factor;
	to->links = 0;
}

static void set_network(timeloop_count *c, const timeloop_flow *f, bool output)
{
	c->fanout = f->fanout;
	c->multicast = f->words > 0 ? f->delivered / f->words : 1;
	c->link_transfers = (int64_t)f->links;
	c->spatial_reductions = output ? f->delivered - f->words : 0;
	c->ingresses = f->words;
}

static int64_t not_below_zero(int64_t v)
{
	return v > 0 ? v : 0;
}

/* share: words that come from outside; peers: from neighbours; held: the partition. */
static void count_accesses(
	timeloop_count *c, bool output, double words, double share, int64_t peers, int64_t held)
{
	if (!output) {
		c->reads = llround(words) + peers;
		c->fills = (int64_t)(share + (double)peers);
		return;
	}
	c->updates = llround(words);
	c->reads = c->reductions = not_below_zero(llround(words) + peers - held);
	double fills = share + (double)peers;
	c->fills = fills > 0 ? not_below_zero(llround(fills - (double)held)) : 0;
}

static double find_energy(const timeloop_level *l, const timeloop_count *c)
{
	int64_t b = l->block;
	double vectors =
		(double)((c->reads + b - 1) / b + (c->fills + b - 1) / b + (c->updates + b - 1) / b);
	return vectors * l->energy * (double)pim_min(c->instances, l->clusters);
}

/* Reading, filling and updating need addresses; reading to add to what is held does not. */
static double find_address_energy(const timeloop_level *l, const timeloop_count *c)
{
	int64_t addresses = c->fills + (c->updates ? c->updates : c->reads);
	return l->address_energy * (double)addresses * (double)pim_min(c->instances, l->clusters);
}

static void count_tensor(const tally *s, int t, timeloop_result *r)
{
	int levels = s->arch->levels, outermost = levels - 1;
	const timeloop_tensor *tensor = &s->problem->tensor[t];
	timeloop_flow flow[TIMELOOP_LEVELS];
	double share[TIMELOOP_LEVELS] = {0};
	int64_t partition[TIMELOOP_LEVELS];
	find_flows(s, t, flow);
	find_partitions(s, t, partition);
	for (int level = 1; level < levels; level++)
		share[level - 1] = flow[level].delivered / (double)flow[level].fanout;
	for (int level = 0; level < outermost; level++)
		if (!s->mapping->keep[level][t])
			hand_over(&flow[level], &flow[level + 1]);
	while (!s->mapping->keep[outermost][t])
		outermost--;
	share[outermost] = 0;
	for (int level = 0; level < levels; level++) {
		timeloop_count *c = &r->count[level][t];
		*c = (timeloop_count){.instances = s->instances[level]};
		set_network(c, &flow[level], tensor->output);
		if (!s->mapping->keep[level][t])
			continue;
		int64_t peers =
			level < outermost ? (int64_t)flow[level + 1].links / s->instances[level] : 0;
		c->tile = s->tile[level][t];
		count_accesses(c, tensor->output, flow[level].words, share[level], peers, partition[level]);
		if (tensor->output && !s->arch->level[level].adds)
			c->ingresses += (double)c->reads;
		c->energy = find_energy(&s->arch->level[level], c);
	}
}

/* Words a cycle that are wanted against those that there are; in the order in which Timeloop
 * rounds. */
static double find_slowdown(double wanted, double bandwidth, double slow)
{
	return bandwidth > 0 && bandwidth < wanted ? fmin(slow, bandwidth / wanted) : slow;
}

static void time_level(
	const timeloop_level *l, const timeloop_count *c, int tensors, int level, timeloop_result *r)
{
	double reads = 0, writes = 0, compute = (double)r->compute_cycles, slow = 1;
	for (int t = 0; t < tensors; t++) {
		reads += (double)c[t].reads / compute;
		writes += (double)(c[t].fills + c[t].updates) / compute;
	}
	slow = find_slowdown(reads, l->read_bandwidth, slow);
	slow = find_slowdown(writes, l->write_bandwidth, slow);
	slow = find_slowdown(reads + writes, l->shared_bandwidth, slow);
	r->level_cycles[level] = (int64_t)ceil(compute / slow);
	r->throttle[level] = slow;
	r->cycles = pim_max(r->cycles, r->level_cycles[level]);
}

void pim_timeloop_count(const timeloop_problem *p, const timeloop_arch *a,
	const timeloop_mapping *m, timeloop_result *r)
{
	tally s;
	start_tally(&s, p, a, m);
	r->compute_instances = s.instances[0] * pim_timeloop_fanout(&s.row, 0);
	r->compute_cycles = 1;
	for (int level = 0; level < a->levels; level++)
		for (int i = s.row.time[level]; i < s.row.space[level + 1]; i++)
			r->compute_cycles *= s.row.loop[i].count;
	r->compute_energy = (double)p->macs * a->compute.energy;
	r->energy = r->compute_energy;
	r->cycles = r->compute_cycles;
	for (int t = 0; t < p->tensors; t++)
		count_tensor(&s, t, r);
	for (int level = 0; level < a->levels; level++) {
		time_level(&a->level[level], r->count[level], p->tensors, level, r);
		for (int t = 0; t < p->tensors; t++)
			r->energy += r->count[level][t].energy +
						 find_address_energy(&a->level[level], &r->count[level][t]);
	}
	r->cycles += a->latency;
	r->utilization = (double)p->macs / ((double)r->cycles * (double)a->compute.instances);
}

/* ---- whether a mapping fits ---- */

static bool check_cover(pim_context *c, const tally *s)
{
	int64_t extent[TIMELOOP_DIMS];
	const timeloop_problem *p = s->problem;
	find_extents(&s->row, p->dims, s->row.n, extent);
	for (int d = 0; d < p->dims; d++)
		if (extent[d] != p->size[d])
			return c && pim_error(c, s->mapping->at,
							"the factors of %s cover %lld, expected its size %lld", p->dim[d],
							(long long)extent[d], (long long)p->size[d]);
	return true;
}

static timeloop_mesh find_used(const timeloop_nest *nest)
{
	timeloop_mesh used = {1, 1};
	for (int i = 0; i < nest->n; i++)
		*(i < nest->along_x ? &used.x : &used.y) *= nest->loop[i].count;
	return used;
}

/* Timeloop only holds all units of a level against its whole mesh. */
static bool check_whole_mesh(pim_context *c, const tally *s, int level)
{
	const timeloop_level *below = level ? &s->arch->level[level - 1] : &s->arch->compute;
	timeloop_mesh all = {1, 1};
	for (int l = level; l < s->arch->levels; l++) {
		timeloop_mesh used = find_used(&s->mapping->space[l]);
		all.x *= used.x;
		all.y *= used.y;
	}
	if (all.x > below->mesh_x || all.y > below->mesh_y)
		return false;
	timeloop_mesh used = find_used(&s->mapping->space[level]);
	timeloop_mesh mesh = pim_timeloop_mesh(s->arch, level);
	pim_report(c, PIM_WARNING, s->mapping->space[level].at,
		"%lld x %lld units below each %s are more than its %lld x %lld, but not more than there "
		"are of %s",
		(long long)used.x, (long long)used.y, s->arch->level[level].name, (long long)mesh.x,
		(long long)mesh.y, below->name);
	return true;
}

static bool check_mesh(pim_context *c, const tally *s, int level)
{
	timeloop_mesh mesh = pim_timeloop_mesh(s->arch, level);
	timeloop_mesh used = find_used(&s->mapping->space[level]);
	if (used.x <= mesh.x && used.y <= mesh.y)
		return true;
	if (!c)
		return false;
	if (check_whole_mesh(c, s, level))
		return true;
	return pim_error(c, s->mapping->space[level].at,
		"the mapping needs %lld x %lld units below %s, the architecture has %lld x %lld",
		(long long)used.x, (long long)used.y, s->arch->level[level].name, (long long)mesh.x,
		(long long)mesh.y);
}

static bool check_room(pim_context *c, const tally *s, int level)
{
	const timeloop_level *l = &s->arch->level[level];
	int64_t words = 0;
	for (int t = 0; t < s->problem->tensors; t++)
		words += s->mapping->keep[level][t] ? s->tile[level][t] : 0;
	if (l->capacity < 0)
		return true;
	if (words > l->capacity)
		return c && pim_error(c, s->mapping->time[level].at,
						"the tiles at %s need %lld words, it has %lld", l->name, (long long)words,
						(long long)l->capacity);
	if ((double)words >= (double)l->capacity * l->least_used)
		return true;
	return c && pim_error(c, s->mapping->time[level].at,
					"the tiles at %s use %lld words, expected at least %g of its %lld", l->name,
					(long long)words, l->least_used, (long long)l->capacity);
}

static bool check_all(
	pim_context *c, const timeloop_problem *p, const timeloop_arch *a, const timeloop_mapping *m)
{
	tally s;
	start_tally(&s, p, a, m);
	bool good = check_cover(c, &s);
	for (int level = a->levels - 1; level >= 0 && (good || c); level--)
		good &= check_mesh(c, &s, level) && check_room(c, &s, level);
	return good;
}

bool pim_timeloop_check(
	pim_context *c, const timeloop_problem *p, const timeloop_arch *a, const timeloop_mapping *m)
{
	return check_all(c, p, a, m);
}

bool pim_timeloop_fits(const timeloop_problem *p, const timeloop_arch *a, const timeloop_mapping *m)
{
	return check_all(NULL, p, a, m);
}
