/* SPDX-License-Identifier: Apache-2.0 */
/* program_verify.c - what holds of every command program, checked from the program alone.
 *
 * A program may come from a file, so nothing in it is trusted: numbers are inside their tables,
 * every byte a command touches in any round is inside its memory, repeats are closed, and what a
 * command waits for has run before. Whether streams wait for each other forever, or race, is seen
 * by running them. */
#include <string.h>

#include "targets/program.h"

/* Bytes that a reference reaches around its address. */
typedef struct span {
	int64_t lo, hi;
} span;

typedef struct checker {
	const pim_program *program;
	bool good;
	uint32_t operands[PIM_COMMAND_COUNT]; /* letters of each command, bit 0 for A */
	span *to, *from;					  /* per pattern */
	int unit;							  /* the stream looked at */
	int64_t at;							  /* and its command */
	int depth;
	int64_t count[PIM_MAX_REPEAT],
		opened[PIM_MAX_REPEAT]; /* rounds; commands run before the block */
	int64_t run;				/* commands that run before this one, in first rounds */
	int64_t all_runs;			/* of the streams before this one, all rounds */
	int64_t *buffer, *memory;	/* highest byte used + 1, per unit */
} checker;

static void report(checker *k, const char *format, ...) PIM_PRINTF(2, 3);
static void report(checker *k, const char *format, ...)
{
	pim_text message = {0};
	if (k->unit >= 0 && k->at < 0)
		pim_text_printf(&message, "unit %d: ", k->unit);
	if (k->unit >= 0 && k->at >= 0) {
		const pim_command *c = &k->program->stream[k->unit].command[k->at];
		const char *name = c->code < PIM_COMMAND_COUNT ? pim_command_at(c->code)->name : "?";
		pim_text_printf(&message, "unit %d, command %lld (%s): ", k->unit, (long long)k->at, name);
	}
	va_list ap;
	va_start(ap, format);
	pim_text_vprintf(&message, format, ap);
	va_end(ap);
	pim_file_error(k->program->context, NULL, "%s", message.s);
	pim_text_free(&message);
	k->good = false;
}

/* ---- tables ---- */

static void check_patterns(checker *k, pim_arena *a)
{
	const pim_program *p = k->program;
	k->to = PIM_NEW(a, span, p->n_patterns + 1);
	k->from = PIM_NEW(a, span, p->n_patterns + 1);
	for (int i = 0; i < p->n_patterns; i++) {
		const pim_pattern *q = &p->pattern[i];
		if (!pim_pattern_span(q, q->to, &k->to[i].lo, &k->to[i].hi) ||
			!pim_pattern_span(q, q->from, &k->from[i].lo, &k->from[i].hi))
			report(
				k, "pattern %d has no valid extents and strides (every extent is at least 1)", i);
	}
}

static void check_groups(checker *k)
{
	for (int i = 0; i < k->program->n_groups; i++) {
		const pim_group *g = &k->program->group[i];
		bool good = g->n > 0 && g->unit[0] >= 0 && g->unit[g->n - 1] < k->program->n_streams;
		for (int u = 1; u < g->n; u++)
			good = good && g->unit[u - 1] < g->unit[u];
		if (!good)
			report(k, "group %d is no list of units from 0 to %d, ascending", i,
				k->program->n_streams - 1);
	}
}

static void check_homes_tensor(checker *k, int64_t i, const pim_home *h)
{
	const pim_program *p = k->program;
	const int count[] = {p->n_constants, p->n_inputs, p->n_results};
	const pim_program_tensor *const table[] = {p->constant, p->input, p->result};
	static const char *const kind[] = {"constant", "input", "result"};
	if (h->kind > PIM_HOME_result || h->tensor >= (uint32_t)count[h->kind]) {
		report(k, "home %lld names no tensor of the program", (long long)i);
		return;
	}
	const pim_program_tensor *t = &table[h->kind][h->tensor];
	bool fits = h->box.n == t->type->rank;
	int64_t bytes = (int64_t)pim_dtype_bytes(t->type->dtype), end = 0;
	for (int d = 0; fits && d < h->box.n; d++) {
		fits = 0 <= h->box.lo[d] && h->box.lo[d] < h->box.hi[d] && h->box.hi[d] <= t->type->dims[d];
		bytes *= fits ? h->box.hi[d] - h->box.lo[d] : 1;
	}
	if (!fits) {
		report(k, "home %lld: the box is not inside %s %s", (long long)i, kind[h->kind], t->name);
		return;
	}
	if (h->address < 0 || !pim_add(h->address, bytes, &end) || end > p->target->memory.bytes) {
		report(k, "home %lld: %s %s needs bytes %lld to %lld, but unit %u has %lld bytes of memory",
			(long long)i, kind[h->kind], t->name, (long long)h->address, (long long)end, h->unit,
			(long long)p->target->memory.bytes);
		return;
	}
	if (end > k->memory[h->unit])
		k->memory[h->unit] = end;
}

static void check_homes(checker *k)
{
	for (int64_t i = 0; i < k->program->n_homes; i++) {
		const pim_home *h = &k->program->home[i];
		if (h->unit >= (uint32_t)k->program->n_streams)
			report(k, "home %lld is on unit %u, but there are %d units", (long long)i, h->unit,
				k->program->n_streams);
		else
			check_homes_tensor(k, i, h);
	}
}

/* ---- commands ---- */

/* Is there an operand of that letter (commands.def)? */
static bool takes(const checker *k, const pim_command *c, char operand)
{
	return k->operands[c->code] >> (operand - 'A') & 1;
}

static void note_operands(checker *k)
{
	for (int code = 0; code < PIM_COMMAND_COUNT; code++)
		for (const char *o = pim_command_at(code)->operands; *o; o++)
			k->operands[code] |= (uint32_t)1 << (*o - 'A');
}

static bool check_numbers(checker *k, const pim_command *c)
{
	const pim_program *p = k->program;
	if (takes(k, c, 'P') && c->index >= (uint32_t)p->n_patterns)
		return report(k, "pattern %u, but there are %d", c->index, p->n_patterns), false;
	if (takes(k, c, 'K') && c->index >= (uint32_t)p->n_kernels)
		return report(k, "kernel %u, but there are %d", c->index, p->n_kernels), false;
	if (takes(k, c, 'G') && c->unit >= (uint32_t)p->n_groups)
		return report(k, "group %u, but there are %d", c->unit, p->n_groups), false;
	if (takes(k, c, 'U') && c->unit >= (uint32_t)p->n_streams)
		return report(k, "unit %u, but there are %d", c->unit, p->n_streams), false;
	if (c->task != 0 && c->task >= (uint32_t)p->n_tasks)
		return report(k, "task %u, but there are %d", c->task, p->n_tasks), false;
	return true;
}

static int count_refs(const checker *k, const pim_command *c)
{
	if (takes(k, c, 'K'))
		return 1 + k->program->kernel[c->index].graph->n_inputs;
	return takes(k, c, 'D') + takes(k, c, 'S');
}

/* The bytes that reference r of a command reaches around its address. */
static span find_span(const checker *k, const pim_command *c, int r)
{
	const pim_program *p = k->program;
	if (takes(k, c, 'P'))
		return r == 0 && takes(k, c, 'D') ? k->to[c->index] : k->from[c->index];
	const pim_kernel *kernel = &p->kernel[c->index];
	const pim_type *t = r == 0 ? kernel->op->type : kernel->graph->inputs[r - 1]->type;
	return (span){0, pim_type_bytes(t)};
}

static bool check_space(checker *k, const pim_command *c, int r, const pim_ref *ref)
{
	static const char *const names[] = {"nothing", "memory", "the buffer"};
	pim_space wanted = PIM_SPACE_none;
	if (c->code == PIM_COMMAND_load)
		wanted = r == 0 ? PIM_SPACE_buffer : PIM_SPACE_memory;
	if (c->code == PIM_COMMAND_store)
		wanted = r == 0 ? PIM_SPACE_memory : PIM_SPACE_buffer;
	if (ref->space != PIM_SPACE_memory && ref->space != PIM_SPACE_buffer)
		return report(k, "operand %d is in no memory", r), false;
	if (wanted != PIM_SPACE_none && ref->space != wanted)
		return report(k, "operand %d is in %s, expected %s", r, names[ref->space], names[wanted]),
			   false;
	return true;
}

/* Lowest and highest address over all rounds; false when it overflows. */
static bool find_range(const checker *k, const pim_ref *ref, span *range)
{
	range->lo = range->hi = ref->address;
	for (int d = 0; d < k->depth; d++) {
		int64_t reach;
		if (!pim_mul(ref->step[d], k->count[d] - 1, &reach))
			return false;
		int64_t *end = reach < 0 ? &range->lo : &range->hi;
		if (!pim_add(*end, reach, end))
			return false;
	}
	return true;
}

static void check_ref(checker *k, const pim_command *c, int r)
{
	const pim_target *t = k->program->target;
	const pim_ref *ref = &k->program->stream[k->unit].ref[c->first + (uint32_t)r];
	if (!check_space(k, c, r, ref))
		return;
	for (int d = k->depth; d < PIM_MAX_REPEAT; d++)
		if (ref->step[d]) {
			report(k, "operand %d has a step for repeat %d, but %d are open", r, d + 1, k->depth);
			return;
		}
	bool memory = ref->space == PIM_SPACE_memory;
	int64_t room = memory ? t->memory.bytes : t->buffer.bytes;
	span range, reach = find_span(k, c, r);
	if (!find_range(k, ref, &range) || !pim_add(range.lo, reach.lo, &range.lo) ||
		!pim_add(range.hi, reach.hi, &range.hi) || range.lo < 0 || range.hi > room) {
		report(k, "operand %d at 0x%llx reaches outside the %lld bytes of the unit's %s", r,
			(unsigned long long)ref->address, (long long)room, memory ? "memory" : "buffer");
		return;
	}
	int64_t *highest = memory ? &k->memory[k->unit] : &k->buffer[k->unit];
	if (range.hi > *highest)
		*highest = range.hi;
}

static void check_after(checker *k, const pim_command *c)
{
	for (int i = 0; i < PIM_MAX_AFTER; i++)
		if ((int64_t)c->after[i] > k->run)
			report(k, "waits for the command %u before it, but only %lld run before it",
				c->after[i], (long long)k->run);
}

static void check_command(checker *k, const pim_command *c)
{
	const pim_stream *s = &k->program->stream[k->unit];
	check_after(k, c);
	if (!check_numbers(k, c))
		return;
	if (c->first > s->n_refs || c->n_refs > s->n_refs - c->first) {
		report(k, "its operands are not in the stream");
		return;
	}
	bool kernel = takes(k, c, 'K');
	if (c->accumulate > kernel)
		report(k, "only kernels can add to their result");
	if (kernel) {
		const pim_program *p = k->program;
		pim_command_code wanted_code = pim_kernel_command(p->target, p->kernel[c->index].op);
		bool all = c->code == PIM_COMMAND_all_rows && wanted_code == PIM_COMMAND_rows;
		if (wanted_code != c->code && !all)
			report(k, "kernel %u is for the %s engine", c->index,
				pim_command_at((int)wanted_code)->name);
	}
	int wanted = count_refs(k, c);
	if (c->n_refs != wanted) {
		report(k, "has %d operands, expected %d", c->n_refs, wanted);
		return;
	}
	for (int r = 0; r < wanted; r++)
		check_ref(k, c, r);
}

/* False when the rest of the stream makes no sense without it. */
static bool open_block(checker *k, const pim_command *c)
{
	if (k->depth == PIM_MAX_REPEAT)
		return report(k, "repeats are nested deeper than %d", PIM_MAX_REPEAT), false;
	if (c->count < 1)
		return report(k, "%lld rounds, expected at least 1", (long long)c->count), false;
	k->opened[k->depth] = k->run;
	k->count[k->depth++] = c->count;
	return true;
}

static bool close_block(checker *k)
{
	if (k->depth == 0)
		return report(k, "closes no repeat"), false;
	k->depth--;
	int64_t body = k->run - k->opened[k->depth], more;
	if (body < 1)
		return report(k, "the block holds no command"), false;
	if (!pim_mul(body, k->count[k->depth] - 1, &more) || !pim_add(k->run, more, &k->run))
		return report(k, "the stream runs more commands than can be counted"), false;
	return true;
}

static void check_stream(checker *k)
{
	const pim_stream *s = &k->program->stream[k->unit];
	k->depth = 0;
	k->run = 0;
	for (k->at = 0; k->at < s->n_commands; k->at++) {
		const pim_command *c = &s->command[k->at];
		if (c->code >= PIM_COMMAND_COUNT) {
			report(k, "unknown command %d", c->code);
			return;
		}
		bool goes_on = true;
		if (c->code == PIM_COMMAND_repeat)
			goes_on = open_block(k, c);
		else if (c->code == PIM_COMMAND_end)
			goes_on = close_block(k);
		else
			check_command(k, c);
		if (!goes_on)
			return;
		k->run += c->code < PIM_COMMAND_repeat;
	}
	k->at = s->n_commands - 1;
	if (!pim_add(k->all_runs, k->run, &k->all_runs))
		k->all_runs = INT64_MAX;
	if (k->depth)
		report(k, "%d repeats are not closed at the end of the stream", k->depth);
}

/* The next all-bank kernel of a stream, or what stands for it; NULL behind the last. */
static const pim_command *next_lockstep(checker *k, pim_walk *w)
{
	const pim_command *c = pim_walk_next(w);
	while (c && !pim_command_is_lockstep(c->code))
		c = pim_walk_next(w);
	k->at = c ? c - w->stream->command : w->stream->n_commands - 1;
	return c;
}

/* The class of an all-bank kernel; -1: none, or one that the bank takes no part in. */
static int find_class(const pim_command *c, const int *class_of)
{
	bool rows = c && c->code == PIM_COMMAND_all_rows;
	return rows ? class_of[2 * c->index + c->accumulate] : -1;
}

/* The next all-bank kernels of the banks of a channel. False: there are no more, or it is reported
 * that they are not the same. */
static bool check_together(checker *k, pim_walk *walk, int first, int banks, const int *class_of)
{
	int wanted = -1, of = first;
	bool goes_on = false;
	for (k->unit = first; k->unit < first + banks; k->unit++) {
		const pim_command *c = next_lockstep(k, &walk[k->unit - first]);
		int class = find_class(c, class_of);
		if (k->unit == first)
			goes_on = c != NULL;
		if ((c != NULL) != goes_on) {
			report(k, "unit %d has %s all-bank kernels, and is of the same channel", first,
				c ? "fewer" : "more");
			return false;
		}
		if (class >= 0 && wanted >= 0 && class != wanted) {
			report(k,
				"the all-bank kernel is another one than at that time on unit %d, of the same "
				"channel",
				of);
			return false;
		}
		if (wanted < 0) {
			wanted = class;
			of = k->unit;
		}
	}
	k->unit = first;
	if (goes_on && wanted < 0)
		report(k, "no bank of the channel runs the all-bank kernel that it takes no part in");
	return goes_on && wanted >= 0;
}

static bool has_lockstep(const pim_program *p)
{
	for (int u = 0; u < p->n_streams; u++)
		for (int64_t i = 0; i < p->stream[u].n_commands; i++)
			if (pim_command_is_lockstep(p->stream[u].command[i].code))
				return true;
	return false;
}

/* Commands that run are compared one by one. */
static bool is_comparable(checker *k)
{
	enum { MOST_COMPARED = 1000000000 };
	if (k->all_runs <= MOST_COMPARED)
		return true;
	k->unit = -1;
	report(k, "the program runs %lld commands, and one with all-bank kernels at most %d",
		(long long)k->all_runs, MOST_COMPARED);
	return false;
}

/* All-bank kernels: of machines that have them, the same on all banks of a channel. */
static void check_channels(checker *k, pim_arena *a)
{
	const pim_target *t = k->program->target;
	if (!has_lockstep(k->program))
		return;
	if (!t->bank.lockstep) {
		k->unit = -1;
		report(k,
			"the program has all-bank kernels, but %s has no all-bank commands that are "
			"faster than those of single banks",
			t->name);
		return;
	}
	if (!is_comparable(k))
		return;
	const int *class_of = pim_lockstep_classes(k->program, a);
	int banks = t->network.size[0];
	pim_walk *walk = PIM_NEW(a, pim_walk, banks);
	for (int first = 0; k->good && first < k->program->n_streams; first += banks) {
		for (int b = 0; b < banks; b++)
			walk[b] = (pim_walk){.stream = &k->program->stream[first + b]};
		while (check_together(k, walk, first, banks, class_of))
			;
	}
}

static bool check_program(const pim_program *p, pim_arena *a, int64_t *buffer, int64_t *memory)
{
	checker k = {.program = p, .good = true, .unit = -1, .buffer = buffer, .memory = memory};
	note_operands(&k);
	if (p->n_streams != p->target->units)
		report(&k, "the program has %d streams, but %s has %d units", p->n_streams, p->target->name,
			p->target->units);
	check_patterns(&k, a);
	check_groups(&k);
	bool tables = k.good; /* streams cannot be judged by broken patterns */
	check_homes(&k);
	for (int i = 0; tables && i < p->n_streams; i++) {
		k.unit = i;
		check_stream(&k);
	}
	if (k.good)
		check_channels(&k, a);
	return k.good;
}

bool pim_program_verify(const pim_program *p)
{
	pim_arena *a = pim_arena_new();
	int64_t *highest = PIM_NEW(a, int64_t, 2 * p->n_streams + 1);
	bool good = check_program(p, a, highest, highest + p->n_streams);
	pim_arena_free(a);
	return good;
}

bool pim_program_measure(pim_program *p)
{
	pim_arena *a = pim_arena_new();
	int64_t *highest = PIM_NEW(a, int64_t, 2 * p->n_streams + 1);
	bool good = check_program(p, a, highest, highest + p->n_streams);
	for (int i = 0; i < p->n_streams; i++) {
		p->stream[i].buffer_bytes = highest[i];
		p->stream[i].memory_bytes = highest[p->n_streams + i];
	}
	pim_arena_free(a);
	return good;
}

bool pim_verify_lowered(pim_graph *g)
{
	if (!g->code)
		return pim_error(g->module->context, g->loc, "graph @%s has no command code", g->name);
	return pim_program_verify(g->code);
}
