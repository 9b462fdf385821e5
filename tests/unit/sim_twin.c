/* SPDX-License-Identifier: Apache-2.0 */
/* sim_twin.c - an independent, slow simulator against the real one, on random programs: times,
 * values, and races, which are found here by comparing all pairs of commands. */
#include "tests/unit/random_streams.h"

typedef struct seen {
	twin *t;
	int n[UNITS];
	bool same;
} seen;

static void compare_event(void *user, const pim_sim_event *e)
{
	seen *x = user;
	const step *s = x->t->step[e->unit] + x->n[e->unit]++;
	x->same = x->same && s->pc == e->command && s->start == e->start && s->begin == e->begin &&
			  s->end == e->end;
}

static void note_event(void *user, const pim_sim_event *e)
{
	seen *x = user;
	step *s = x->t->step[e->unit] + x->n[e->unit]++;
	s->start = e->start;
	s->begin = e->begin;
	s->end = e->end;
}

/* Is every message of a send there no earlier than its last byte can be? */
static bool reaches(const twin *t, const step *s, int unit, int to)
{
	int64_t way = pim_network_hops(t->p->target, unit, to) * t->p->target->network.hop_cycles;
	bool good = true;
	for (int i = 0; i < t->n[to]; i++)
		if (takes(t->step[to] + i) && t->step[to][i].partner == s)
			good = good && t->step[to][i].begin >= s->end + way;
	return good;
}

/* Flit by flit: every command starts when what it waits for is done, and works as long as it costs;
 * a message is not there before its last byte has left and come all the way. */
static void check_flits(twin *t, pim_sim_options o, pim_arena *a)
{
	seen noted = {.t = t};
	o.network = PIM_SIM_flits;
	o.watch = note_event;
	o.user = &noted;
	CHECK(pim_sim_run(t->p, &o, a) != NULL);
	for (int u = 0; u < t->p->n_streams; u++)
		for (int i = 0; i < t->n[u]; i++) {
			const step *s = t->step[u] + i;
			CHECK(find_start(t, u, i) == s->start);
			CHECK(s->begin == s->start || takes(s));
			CHECK(s->end == s->begin + cost(t, s) || (posts(s) && s->end > s->begin + cost(t, s)));
			for (int to = 0; to < t->p->n_streams; to++)
				CHECK(!posts(s) || !goes_to(t, s, to) || reaches(t, s, u, to));
		}
}

/* Does a command race with an earlier one, or read what nobody wrote? */
static bool is_faulty(const twin *t, int unit, int j, int64_t home_lo, int64_t home_hi)
{
	const step *s = t->step[unit] + j;
	bits unwritten = s->reads;
	for (int64_t i = home_lo; i < home_hi; i++)
		unwritten.w[i / 64] &= ~(1ull << (i % 64));
	for (int i = 0; i < j; i++) {
		const step *e = t->step[unit] + i;
		for (int w = 0; w < WORDS; w++)
			unwritten.w[w] &= ~e->writes.w[w];
		if (s->start < e->end && (meets(&e->writes, &s->reads) || meets(&e->writes, &s->writes) ||
									 meets(&e->reads, &s->writes)))
			return true;
	}
	return meets(&unwritten, &s->reads);
}

/* The command places that messages name must be the faulty ones, all of them. */
static bool same_faults(const twin *t, const messages *m, int64_t lo, int64_t hi, int *count)
{
	static bool named[UNITS][MOST], wrong[UNITS][MOST];
	memset(named, 0, sizeof named);
	memset(wrong, 0, sizeof wrong);
	for (int i = 0; i < m->n; i++) {
		int unit = 0, at = 0;
		if (sscanf(m->text[i], "unit %d, command %d", &unit, &at) == 2)
			named[unit][at] = true;
	}
	for (int u = 0; u < t->p->n_streams; u++)
		for (int i = 0; i < t->n[u]; i++)
			if (is_faulty(t, u, i, lo, hi))
				wrong[u][t->step[u][i].pc] = true;
	for (int u = 0; u < UNITS; u++)
		for (int i = 0; i < MOST; i++)
			*count += wrong[u][i];
	return memcmp(named, wrong, sizeof named) == 0;
}

static int64_t most_waiting(const twin *t, int unit)
{
	int64_t most = 0;
	for (int i = 0; i < t->n[unit]; i++) {
		int64_t bytes = 0, now = t->step[unit][i].end; /* just before */
		for (int j = 0; j < t->n[unit]; j++) {
			const step *s = t->step[unit] + j;
			if (takes(s) && s->partner->arrival[unit] < now && s->end >= now && s->c->n_refs)
				bytes += operand_bytes(t, s, 0);
			if (j == i && takes(s) && s->partner->arrival[unit] == now && s->c->n_refs)
				bytes += operand_bytes(t, s, 0);
		}
		most = bytes > most && takes(t->step[unit] + i) ? bytes : most;
	}
	return most;
}

static void compare_report(const twin *t, const pim_sim_report *r)
{
	int64_t cycles = 0;
	for (int u = 0; u < t->p->n_streams; u++) {
		int64_t busy[PIM_ENGINE_COUNT] = {0};
		for (int i = 0; i < t->n[u]; i++) {
			busy[pim_command_at(t->step[u][i].c->code)->engine] += cost(t, t->step[u] + i);
			cycles = t->step[u][i].end > cycles ? t->step[u][i].end : cycles;
		}
		CHECK(r->unit[u].commands == t->n[u]);
		CHECK(memcmp(r->unit[u].busy, busy, sizeof busy) == 0);
		CHECK(r->unit[u].arrived_bytes == most_waiting(t, u));
	}
	CHECK(r->cycles == cycles);
	for (int i = 0; i < r->n_links; i++)
		CHECK(r->link_bytes[i] == t->link_bytes[i]);
}

/* All memory of every unit from the first to the last byte, as results. */
static void add_results(pim_program *p, int64_t offset)
{
	int64_t dims[2] = {p->n_streams, MEMORY / 4};
	pim_program_tensor t = {.name = "y"};
	t.type = pim_type_tensor(p->context, PIM_DTYPE_f32, 2, dims);
	pim_program_result(p, &t);
	for (int i = 0; i < p->n_streams; i++) {
		pim_home h = {.kind = PIM_HOME_result, .unit = (uint32_t)i, .address = offset};
		h.box = (pim_box){2, {i, 0}, {i + 1, MEMORY / 4}};
		pim_program_home(p, &h);
	}
}

static pim_target random_machine(void)
{
	pim_target t = make_machine(1 + (int)draw(4), 1 + (int)draw(3));
	t.network.topology = draw(3) ? PIM_TOPOLOGY_mesh : PIM_TOPOLOGY_torus;
	t.command_cycles = draw(4);
	t.network.hop_cycles = draw(5);
	t.network.link_bytes_per_cycle = (double)(1 + draw(32)) / 2;
	t.memory.latency = 1 + draw(20);
	t.memory.bytes_per_cycle = (double)(1 + draw(64)) / 3;
	t.buffer.latency = 1 + draw(3);
	t.buffer.bytes = BUFFER + 8;
	return t;
}

static void fill_inputs(twin *t, pim_tensor *in, int64_t offset)
{
	float *f = in->data;
	for (int64_t i = 0; i < in->type->elements; i++)
		f[i] = (float)(draw(3) - 1);
	for (int u = 0; u < t->p->n_streams; u++)
		memcpy(t->memory[u][PIM_SPACE_memory] + offset, f + u * (MEMORY / 4), MEMORY);
}

/* Bit by bit; sums past 2^20 need not be exact, as products add in any order. */
static bool is_same(const uint8_t *a, const uint8_t *b)
{
	float x = number_at(a, 0), y = number_at(b, 0), size = y < 0 ? -y : y;
	float difference = x < y ? y - x : x - y;
	return memcmp(a, b, 4) == 0 || (size > 1048576.0f && difference < size * 1e-4f);
}

static void compare_values(const twin *t, const pim_sim_report *r, int64_t offset)
{
	for (int u = 0; u < t->p->n_streams; u++)
		for (int64_t i = 0; i < MEMORY; i += 4)
			CHECK(is_same((uint8_t *)r->result[0].data + u * MEMORY + i,
				t->memory[u][PIM_SPACE_memory] + offset + i));
}

typedef struct tally {
	int64_t programs, commands, messages, faulty, faults;
} tally;

static void run_one(twin *t, uint64_t seed, bool forget, tally *sum)
{
	draw_state = seed;
	pim_context *c = pim_context_new();
	pim_arena *a = pim_arena_new();
	messages said = {0};
	pim_context_on_diag(c, keep_message, &said);
	c->error_limit = 1000;
	pim_target machine = random_machine();
	pim_module *m = pim_module_new(c);
	step *const *lists = t->step;
	twin fresh = {.p = pim_program_new(c, &machine, "random")};
	for (int u = 0; u < UNITS; u++)
		fresh.step[u] = lists[u];
	*t = fresh;
	maker k = {.p = (pim_program *)t->p, .t = t, .offset = draw(4), .drop = forget ? 3 : 0};
	for (int u = 0; u < UNITS; u++)
		k.barrier[u] = -1;
	add_input(k.p, MEMORY / 4, k.offset);
	add_results(k.p, k.offset);
	make_kernels(&k, pim_graph_new(m, "ops"));
	make_program(&k, 20 + (int)draw(140));
	match(t);
	pim_tensor in = {
		k.p->input[0].type, pim_arena_alloc(a, (size_t)pim_type_bytes(k.p->input[0].type))};
	fill_inputs(t, &in, k.offset);
	find_times(t);
	move_values(t);
	seen watched = {.t = t, .same = true};
	pim_sim_options o = {
		.values = true, .check = true, .input = &in, .watch = compare_event, .user = &watched};
	pim_sim_report *r = run_program(k.p, &o, a);
	int faults = 0;
	CHECK(watched.same);
	CHECK(same_faults(t, &said, k.offset, k.offset + MEMORY, &faults));
	CHECK((r != NULL) == (faults == 0));
	CHECK(forget || faults == 0);
	for (int i = 0; i < said.n && !forget; i++)
		fprintf(stderr, "seed %llu: %s\n", (unsigned long long)seed, said.text[i]);
	if (r)
		compare_values(t, r, k.offset);
	pim_sim_options timing = {0};
	r = run_program(k.p, &timing, a);
	CHECK(r != NULL);
	if (r) {
		compare_report(t, r);
		sum->commands += r->commands;
		sum->messages += r->messages;
	}
	o.check = !forget;
	check_flits(t, o, a);
	sum->programs++;
	sum->faults += faults;
	sum->faulty += faults > 0;
	pim_program_free(k.p);
	pim_arena_free(a);
	pim_context_free(c);
}

int main(void)
{
	static twin t;
	for (int u = 0; u < UNITS; u++)
		t.step[u] = calloc(MOST, sizeof(step));
	tally clean = {0}, racing = {0};
	for (uint64_t seed = 1; seed <= 1000; seed++)
		run_one(&t, seed, seed % 2, seed % 2 ? &racing : &clean);
	printf("%lld clean programs: %lld commands, %lld messages\n", (long long)clean.programs,
		(long long)clean.commands, (long long)clean.messages);
	printf("%lld programs with forgotten dependences: %lld commands, %lld of them faulty in %lld "
		   "programs\n",
		(long long)racing.programs, (long long)racing.commands, (long long)racing.faults,
		(long long)racing.faulty);
	CHECK(clean.messages > 1000 && racing.faults > 100);
	for (int u = 0; u < UNITS; u++)
		free(t.step[u]);
	return check_failures != 0;
}
