/* SPDX-License-Identifier: Apache-2.0 */
/* mapper.c - valid mappings evaluated a second, and how good the best is after so many.
 *
 * mapper ARCH.yaml PROBLEM.yaml [SEED]: the architecture and the problem of Timeloop's files.
 * Random: climbs from random starts. A start: the prime factors of each dimension go to levels by
 * chance, the units' first, orders and bypasses by chance. A climb changes a few of these at a
 * time. Only valid mappings count: they cover the problem and fit. Better: fewer cycles, then less
 * energy. Exhaustive: all mappings with perfect factors and any bypass below the outermost memory,
 * less what is proved to be equal or invalid:
 * - a level's tile only grows outwards, so a level that is too small ends all its outer choices;
 * - loops of one round have no order;
 * - loops at the innermost memory have one order when it feeds one unit: all of them lie inside
 *   every tile that is counted, and the unit takes each word anew in any order;
 * - loops over units side by side have one order when every index has one dimension and each
 *   compute unit a memory of its own: which deliveries are equal does not depend on where a unit
 *   stands, and none comes from a neighbour.
 * It stops after a million and says so. The bound: multiply-accumulates over the most units that
 * perfect factors can use; a mapping that reaches it is optimal in cycles. The reference: Timeloop
 * v3.0.3 on its own files, one thread, user seconds on two shared AMD EPYC cores. */
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "targets/timeloop.h"

enum { MOST_PRIMES = 64, MOST_MAPPINGS = 1000000, SLOTS = 2 * TIMELOOP_LEVELS };

/* Slot 2 * level: units below the level; 2 * level + 1: its rounds. */
typedef struct candidate {
	int8_t slot[MOST_PRIMES];
	int8_t order[TIMELOOP_LEVELS][TIMELOOP_DIMS]; /* of the rounds, innermost first */
	bool keep[TIMELOOP_LEVELS][TIMELOOP_TENSORS];
} candidate;

typedef struct bench {
	timeloop_input in;
	int primes;
	int prime[MOST_PRIMES], dim[MOST_PRIMES];
	int64_t most_units, ideal;
	uint64_t random;
	candidate now, at, best;
	timeloop_result result, best_result;
	long valid, tried;
	bool exhaustive_open; /* the enumeration was not finished */
} bench;

typedef struct reference {
	const char *problem;
	double rate;	  /* best of three searches; 0: not measured */
	double cycles[3]; /* best of four searches over the ideal after 100, 1000, 10000 */
	double energy;	  /* uJ: least at the ideal cycles after 10000 */
} reference;

static const reference references[] = {
	{"bert_qkv", 3943, {1, 1, 1}, 2502},
	{"bert_ffn1", 0, {1, 1, 1}, 9263},
	{"rn18_conv1", 3372, {2.31, 1.14, 1}, 923},
	{"rn18_l1", 0, {1, 1, 1}, 721},
	{"rn18_l2ds", 0, {2, 1, 1}, 454},
	{"rn18_l2", 0, {1, 1, 1}, 804},
	{"rn18_l3", 3331, {4, 1, 1}, 575},
	{"rn18_l4", 0, {1.33, 1.19, 1}, 923},
};

static double seconds(void)
{
	struct timespec t;
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static int draw(bench *b, int n)
{
	b->random ^= b->random << 13;
	b->random ^= b->random >> 7;
	b->random ^= b->random << 17;
	return (int)((b->random >> 16) % (uint64_t)n);
}

static void find_primes(bench *b)
{
	for (int d = 0; d < b->in.problem.dims; d++) {
		int64_t rest = b->in.problem.size[d];
		for (int64_t p = 2; rest > 1; p++) {
			if (p * p > rest)
				p = rest;
			for (; rest % p == 0; rest /= p) {
				if (b->primes == MOST_PRIMES)
					abort(); /* 2^64 multiply-accumulates are more than a problem may have */
				b->dim[b->primes] = d;
				b->prime[b->primes++] = (int)p;
			}
		}
	}
}

/* ---- candidates ---- */

static int64_t units_below(const bench *b, int level)
{
	const timeloop_arch *a = &b->in.arch;
	const timeloop_level *below = level ? &a->level[level - 1] : &a->compute;
	return below->instances / a->level[level].instances;
}

static int64_t units_used(const bench *b, const candidate *c, int level)
{
	int64_t n = 1;
	for (int i = 0; i < b->primes; i++)
		if (c->slot[i] == 2 * level)
			n *= b->prime[i];
	return n;
}

static void make_mapping(bench *b, const candidate *c)
{
	timeloop_mapping *m = &b->in.mapping;
	int levels = b->in.arch.levels, dims = b->in.problem.dims;
	int32_t count[SLOTS][TIMELOOP_DIMS];
	for (int s = 0; s < 2 * levels; s++)
		for (int d = 0; d < dims; d++)
			count[s][d] = 1;
	for (int i = 0; i < b->primes; i++)
		count[c->slot[i]][b->dim[i]] *= b->prime[i];
	for (int level = 0; level < levels; level++) {
		timeloop_nest *space = &m->space[level], *rounds = &m->time[level];
		space->n = rounds->n = 0;
		for (int k = 0; k < dims; k++) {
			int d = c->order[level][k];
			int64_t units = count[2 * level][k], n = count[2 * level + 1][d];
			if (units > 1)
				space->loop[space->n++] = (timeloop_loop){k, units, units};
			if (n > 1)
				rounds->loop[rounds->n++] = (timeloop_loop){d, n, n};
		}
		space->along_x = space->n;
		memcpy(m->keep[level], c->keep[level], sizeof c->keep[level]);
	}
}

static void draw_order(bench *b, int8_t *order)
{
	for (int i = 0; i < b->in.problem.dims; i++) {
		int j = draw(b, i + 1);
		order[i] = order[j];
		order[j] = (int8_t)i;
	}
}

/* Units first: the fan-outs are filled in a random order of the factors, as far as they go. */
static void draw_candidate(bench *b, candidate *c)
{
	int levels = b->in.arch.levels, order[MOST_PRIMES];
	for (int i = 0; i < b->primes; i++) {
		int j = draw(b, i + 1);
		order[i] = order[j];
		order[j] = i;
		c->slot[i] = (int8_t)(2 * draw(b, levels) + 1);
	}
	for (int level = 0; level < levels; level++) {
		int64_t left = draw(b, 8) ? units_below(b, level) : 1;
		for (int i = 0; i < b->primes && left > 1; i++)
			if (c->slot[order[i]] % 2 && left % b->prime[order[i]] == 0) {
				c->slot[order[i]] = (int8_t)(2 * level);
				left /= b->prime[order[i]];
			}
		draw_order(b, c->order[level]);
		for (int t = 0; t < b->in.problem.tensors; t++)
			c->keep[level][t] = level == levels - 1 || draw(b, 4) > 0;
	}
}

static void change_candidate(bench *b, candidate *c)
{
	int levels = b->in.arch.levels, dims = b->in.problem.dims;
	for (int n = 1 + draw(b, 3); n > 0; n--) {
		int level = draw(b, levels), i = draw(b, b->primes ? b->primes : 1);
		switch (draw(b, 8)) {
		case 0: {
			int x = draw(b, dims), y = draw(b, dims);
			int8_t kept = c->order[level][x];
			c->order[level][x] = c->order[level][y];
			c->order[level][y] = kept;
			break;
		}
		case 1:
			if (level < levels - 1) {
				int t = draw(b, b->in.problem.tensors);
				c->keep[level][t] = !c->keep[level][t];
			}
			break;
		case 2: {
			int j = draw(b, b->primes ? b->primes : 1);
			int8_t kept = c->slot[i];
			c->slot[i] = c->slot[j];
			c->slot[j] = kept;
			break;
		}
		default: {
			int slot = draw(b, 2 * levels);
			if (slot % 2 || units_below(b, slot / 2) > 1)
				c->slot[i] = (int8_t)slot;
		}
		}
	}
}

static bool is_better(const timeloop_result *a, const timeloop_result *b)
{
	return a->cycles < b->cycles || (a->cycles == b->cycles && a->energy < b->energy);
}

/* Counts the candidate when it is valid. */
static bool try_candidate(bench *b, const candidate *c)
{
	b->tried++;
	for (int level = 0; level < b->in.arch.levels; level++)
		if (units_used(b, c, level) > units_below(b, level))
			return false;
	make_mapping(b, c);
	if (!pim_timeloop_fits(&b->in.problem, &b->in.arch, &b->in.mapping))
		return false;
	pim_timeloop_count(&b->in.problem, &b->in.arch, &b->in.mapping, &b->result);
	if (b->valid++ && !is_better(&b->result, &b->best_result))
		return true;
	b->best = *c;
	b->best_result = b->result;
	return true;
}

static void start_search(bench *b, uint64_t seed)
{
	b->random = seed * 0x9e3779b97f4a7c15u + 1;
	b->valid = b->tried = 0;
}

/* One climb: the best of some random ones, then changes that make it better, or not much worse,
 * until none made it better for a while. */
static void climb(bench *b, long valid)
{
	enum { FRESH = 40, PATIENCE = 600 };
	timeloop_result lowest = {0};
	long first = b->valid, last_gain = b->valid;
	while (b->valid < valid && b->valid - last_gain < PATIENCE) {
		bool fresh = b->valid - first < FRESH;
		if (fresh)
			draw_candidate(b, &b->now);
		else {
			b->now = b->at;
			change_candidate(b, &b->now);
		}
		if (!try_candidate(b, &b->now))
			continue;
		bool gain = lowest.cycles == 0 || is_better(&b->result, &lowest);
		bool near =
			!fresh && b->result.cycles <= lowest.cycles && b->result.energy <= lowest.energy * 1.01;
		if (gain) {
			lowest = b->result;
			last_gain = b->valid;
		}
		if (gain || near)
			b->at = b->now;
	}
}

static void search_random(bench *b, long valid)
{
	while (b->valid < valid)
		climb(b, valid);
}

/* ---- every mapping ---- */

static bool is_plain(const bench *b)
{
	const timeloop_problem *p = &b->in.problem;
	for (int t = 0; t < p->tensors; t++)
		for (int r = 0; r < p->tensor[t].ranks; r++) {
			int used = 0;
			for (int d = 0; d < p->dims; d++)
				used += p->tensor[t].coefficient[r][d] != 0;
			if (used > 1)
				return false;
		}
	return true;
}

static bool is_inside(const bench *b, int slot, int *extent_of_slot)
{
	const timeloop_problem *p = &b->in.problem;
	const timeloop_level *l = &b->in.arch.level[slot / 2];
	int64_t extent[TIMELOOP_DIMS], words = 0;
	if (l->capacity < 0)
		return true;
	for (int d = 0; d < p->dims; d++)
		extent[d] = 1;
	for (int i = 0; i < b->primes; i++)
		if (b->now.slot[i] <= slot && extent_of_slot[i])
			extent[b->dim[i]] *= b->prime[i];
	for (int t = 0; t < p->tensors; t++)
		if (b->now.keep[slot / 2][t])
			words += pim_timeloop_words(&p->tensor[t], p->dims, extent);
	return words <= l->capacity;
}

static void order_level(bench *b, int level, int k, const bool *loops);

static void order_levels(bench *b, int level)
{
	bool loops[TIMELOOP_DIMS] = {0};
	if (b->valid >= MOST_MAPPINGS) {
		b->exhaustive_open = true;
		return;
	}
	if (level == b->in.arch.levels) {
		try_candidate(b, &b->now);
		return;
	}
	for (int i = 0; i < b->primes; i++)
		loops[b->dim[i]] |= b->now.slot[i] == 2 * level + 1;
	for (int d = 0; d < b->in.problem.dims; d++)
		b->now.order[level][d] = (int8_t)d;
	if (level == 0 && units_below(b, 0) == 1)
		order_levels(b, 1);
	else
		order_level(b, level, 0, loops);
}

/* Places k and on hold loops that may change places; those of one round stay. */
static void order_level(bench *b, int level, int k, const bool *loops)
{
	int dims = b->in.problem.dims;
	int8_t *order = b->now.order[level];
	if (k == dims) {
		order_levels(b, level + 1);
		return;
	}
	for (int i = k; i < dims; i++) {
		if (i > k && (!loops[order[k]] || !loops[order[i]]))
			continue;
		int8_t kept[TIMELOOP_DIMS];
		memcpy(kept, order, sizeof kept);
		order[k] = kept[i];
		order[i] = kept[k];
		order_level(b, level, k + 1, loops);
		memcpy(order, kept, sizeof kept);
	}
}

/* Equal primes of one dimension go to slots in ascending order: each product comes once. */
static void place_prime(bench *b, int i, int *placed)
{
	if (b->exhaustive_open)
		return;
	if (i == b->primes) {
		for (int level = 0; level < b->in.arch.levels; level++)
			if (units_used(b, &b->now, level) > units_below(b, level))
				return;
		order_levels(b, 0);
		return;
	}
	bool same = i && b->dim[i] == b->dim[i - 1] && b->prime[i] == b->prime[i - 1];
	placed[i] = 1;
	for (int s = same ? b->now.slot[i - 1] : 0; s < 2 * b->in.arch.levels; s++) {
		b->now.slot[i] = (int8_t)s;
		bool fits = s % 2 || units_below(b, s / 2) >= b->prime[i];
		for (int level = s / 2; fits && level < b->in.arch.levels; level++)
			fits = is_inside(b, 2 * level + 1, placed);
		if (fits)
			place_prime(b, i + 1, placed);
	}
	placed[i] = 0;
}

/* Bit by bit, which memories but the outermost keep nothing of which tensor. */
static void set_bypass(bench *b, uint32_t bypass)
{
	int tensors = b->in.problem.tensors, inner = b->in.arch.levels - 1;
	for (int t = 0; t < tensors; t++) {
		b->now.keep[inner][t] = true;
		for (int level = 0; level < inner; level++)
			b->now.keep[level][t] = !(bypass >> (level * tensors + t) & 1);
	}
}

static void search_all(bench *b)
{
	enum { MOST_BITS = 20 };
	int placed[MOST_PRIMES] = {0};
	int bits = b->in.problem.tensors * (b->in.arch.levels - 1);
	b->exhaustive_open = false;
	for (uint32_t bypass = 0; bypass >> pim_min(bits, MOST_BITS) == 0; bypass++) {
		set_bypass(b, bypass);
		place_prime(b, 0, placed);
	}
	b->exhaustive_open |= bits > MOST_BITS;
}

/* ---- the bound ---- */

static void find_most_units(bench *b, int i, int64_t *used)
{
	int levels = b->in.arch.levels;
	int64_t all = 1;
	for (int level = 0; level < levels; level++)
		all *= used[level];
	if (all > b->most_units)
		b->most_units = all;
	if (i == b->primes || b->most_units == b->in.arch.compute.instances)
		return;
	find_most_units(b, i + 1, used);
	for (int level = 0; level < levels; level++)
		if (used[level] * b->prime[i] <= units_below(b, level)) {
			used[level] *= b->prime[i];
			find_most_units(b, i + 1, used);
			used[level] /= b->prime[i];
		}
}

/* ---- figures ---- */

static const reference *find_reference(const char *arch, const char *path)
{
	const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
	for (size_t i = 0; i < sizeof references / sizeof references[0]; i++) {
		size_t n = strlen(references[i].problem);
		if (strstr(arch, "pe16") && !strncmp(name, references[i].problem, n) && name[n] == '.')
			return &references[i];
	}
	return NULL;
}

static void print_line(const bench *b, const char *what, double spent, double cycles, double energy)
{
	printf("%-22s %9ld %9ld %11.0f %13lld %7.3f %10.2f", what, b->valid, b->tried,
		(double)b->valid / spent, (long long)b->best_result.cycles,
		(double)b->best_result.cycles / (double)b->ideal, b->best_result.energy / 1e6);
	if (cycles > 0)
		printf(" %9.2f", cycles);
	if (energy > 0)
		printf(" %10.0f", energy);
	printf("\n");
}

static void print_search(bench *b, const reference *r, uint64_t seed)
{
	double began = seconds();
	long most = 100;
	start_search(b, seed);
	for (int i = 0; i < 4; i++, most *= 10) {
		search_random(b, most);
		print_line(b, "random", seconds() - began, r && i < 3 ? r->cycles[i] : 0,
			r && i == 2 ? r->energy : 0);
	}
	double rate = (double)b->valid / (seconds() - began);
	if (r && r->rate > 0)
		printf("rate: %.0f valid mappings a CPU second, reference %.0f: %.0f times\n", rate,
			r->rate, rate / r->rate);
	printf("%s\n", b->best_result.cycles == b->ideal
					   ? "cycles: proven optimal, the bound is reached"
					   : "cycles: above the bound, not proven");
}

static void print_all(bench *b)
{
	if (!is_plain(b) || units_below(b, 0) > 1) {
		printf("exhaustive: not run, its proofs do not cover windows and lanes\n");
		return;
	}
	double began = seconds();
	start_search(b, 1);
	search_all(b);
	print_line(b, "exhaustive", seconds() - began, 0, 0);
	printf("%s\n", b->exhaustive_open ? "exhaustive: stopped at the limit, nothing proven"
									  : "exhaustive: complete, the optimum is proven");
}

static void print_diag(void *user, const pim_diag *d)
{
	(void)user;
	fprintf(stderr, "%s:%d:%d: %s\n", d->file ? d->file : "mapper", d->line, d->column, d->message);
}

int main(int argc, char **argv)
{
	if (argc < 3) {
		fprintf(stderr, "usage: mapper ARCH.yaml PROBLEM.yaml [SEED]\n");
		return 2;
	}
	pim_context *c = pim_context_new();
	pim_context_on_diag(c, print_diag, NULL);
	static bench b;
	const char *paths[] = {argv[1], argv[2]};
	bool good = pim_timeloop_read(c, 2, paths, false, &b.in);
	if (good) {
		int64_t used[TIMELOOP_LEVELS];
		for (int level = 0; level < b.in.arch.levels; level++)
			used[level] = 1;
		find_primes(&b);
		find_most_units(&b, 0, used);
		b.ideal = b.in.problem.macs / b.most_units;
		printf("%s: %lld multiply-accumulates, at most %lld units, ideal %lld cycles\n", argv[2],
			(long long)b.in.problem.macs, (long long)b.most_units, (long long)b.ideal);
		printf("%-22s %9s %9s %11s %13s %7s %10s %9s %10s\n", "search", "valid", "tried",
			"valid a s", "best cycles", "/ideal", "uJ", "ref/ideal", "ref uJ");
		print_search(
			&b, find_reference(argv[1], argv[2]), argc > 3 ? strtoull(argv[3], NULL, 10) : 1);
		print_all(&b);
	}
	pim_context_free(c);
	return good ? 0 : 1;
}
