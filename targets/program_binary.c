/* SPDX-License-Identifier: Apache-2.0 */
/* program_binary.c - command programs in few bytes.
 *
 *   "PIMC" version   n, then n bytes: the tables as text (program_text.c)   n, then n homes
 *   runs of equal streams until all units have one: units, n, then n commands
 *
 * Numbers are little-endian groups of seven bits. What changes little is a difference, its sign
 * in the lowest bit: to the home before, and to the last command with the same code, operand by
 * operand. A command starts with one byte: code, and bits for what follows. Every read checks
 * the end; an error names the byte. */
#include <string.h>

#include "targets/program_form.h"

static const char magic[4] = {'P', 'I', 'M', 'C'};
enum { VERSION = 2 };
enum { CODE = 15, ACCUMULATES = 16, HAS_AFTER = 32, SAME = 64, HAS_STEPS = 128 };
_Static_assert(PIM_COMMAND_COUNT <= CODE + 1, "a code takes four bits");
enum { MOST_REFS = PIM_MAX_RANK + 2 };

/* What the next command of a code is compared with. */
typedef struct last_command {
	int64_t index, task, unit, address[MOST_REFS];
} last_command;

/* ---- writing ---- */

static void put(pim_text *t, uint64_t v)
{
	char bytes[10];
	size_t n = 0;
	for (; v > 127; v >>= 7)
		bytes[n++] = (char)(v | 128);
	bytes[n++] = (char)v;
	pim_text_add(t, bytes, n);
}

static void put_signed(pim_text *t, int64_t v)
{
	put(t, (uint64_t)v << 1 ^ (v < 0 ? UINT64_MAX : 0));
}

/* Differences wrap round, so that any two numbers have one. */
static void put_change(pim_text *t, int64_t *last, int64_t v)
{
	put_signed(t, (int64_t)((uint64_t)v - (uint64_t)*last));
	*last = v;
}

static void write_home(pim_text *t, pim_home *last, const pim_home *h)
{
	int64_t tensor = last->tensor, unit = last->unit;
	put(t, h->kind);
	put_change(t, &tensor, h->tensor);
	put_change(t, &unit, h->unit);
	put_change(t, &last->address, h->address);
	put(t, (uint64_t)h->box.n);
	for (int d = 0; d < h->box.n; d++) {
		put_change(t, &last->box.lo[d], h->box.lo[d]);
		put_change(t, &last->box.hi[d], h->box.hi[d]);
	}
	last->tensor = h->tensor;
	last->unit = h->unit;
}

static void write_after(pim_text *t, const pim_command *c)
{
	uint64_t n = 0;
	for (int i = 0; i < PIM_MAX_AFTER; i++)
		n += c->after[i] != 0;
	put(t, n);
	for (int i = 0; i < PIM_MAX_AFTER; i++)
		if (c->after[i])
			put(t, c->after[i]);
}

static bool has_steps(const pim_stream *s, const pim_command *c)
{
	static const int64_t none[PIM_MAX_REPEAT];
	for (int r = 0; r < c->n_refs; r++)
		if (memcmp(s->ref[c->first + (uint32_t)r].step, none, sizeof none))
			return true;
	return false;
}

static void write_refs(
	pim_text *t, const pim_stream *s, const pim_command *c, int depth, last_command *last)
{
	bool steps = has_steps(s, c);
	if (pim_command_at(c->code)->operands[0] == 'K')
		put(t, c->n_refs);
	for (int r = 0; r < c->n_refs; r++) {
		const pim_ref *ref = &s->ref[c->first + (uint32_t)r];
		put(t, ref->space);
		put_change(t, &last->address[r], ref->address);
		for (int d = 0; steps && d < depth; d++)
			put_signed(t, ref->step[d]);
	}
}

static void write_command(
	pim_text *t, const pim_stream *s, const pim_command *c, int depth, last_command *last)
{
	static const uint32_t none[PIM_MAX_AFTER];
	bool after = memcmp(c->after, none, sizeof none) != 0;
	bool same = last->index == c->index && last->task == c->task && last->unit == c->unit;
	int first = c->code | (c->accumulate ? ACCUMULATES : 0) | (after ? HAS_AFTER : 0) |
				(same ? SAME : 0) | (has_steps(s, c) ? HAS_STEPS : 0);
	pim_text_add(t, (char[]){(char)first}, 1);
	if (!same) {
		put_change(t, &last->index, c->index);
		put_change(t, &last->task, c->task);
		put_change(t, &last->unit, c->unit);
	}
	if (after)
		write_after(t, c);
	write_refs(t, s, c, depth, last);
}

static void write_stream(pim_text *t, const pim_stream *s)
{
	last_command last[PIM_COMMAND_COUNT] = {0};
	int depth = 0;
	put(t, (uint64_t)s->n_commands);
	for (int64_t i = 0; i < s->n_commands; i++) {
		const pim_command *c = &s->command[i];
		if (c->code < PIM_COMMAND_repeat) {
			write_command(t, s, c, depth, &last[c->code]);
			continue;
		}
		pim_text_add(t, (char[]){(char)c->code}, 1);
		if (c->code == PIM_COMMAND_repeat)
			put(t, (uint64_t)c->count);
		depth += c->code == PIM_COMMAND_repeat ? 1 : -1;
	}
}

bool pim_program_write_binary(const pim_program *p, FILE *out, const char *weights)
{
	pim_text tables = {0}, t = {.sink = out};
	bool good = pim_program_write_tables(p, &tables, weights);
	pim_text_str(&tables, "}\n");
	pim_text_add(&t, magic, sizeof magic);
	put(&t, VERSION);
	put(&t, tables.n);
	pim_text_add(&t, tables.s, tables.n);
	put(&t, (uint64_t)p->n_homes);
	pim_home last = {0};
	for (int64_t i = 0; i < p->n_homes; i++)
		write_home(&t, &last, &p->home[i]);
	for (int i = 0, n; i < p->n_streams; i += n) {
		n = pim_program_equal_streams(p, i);
		put(&t, (uint64_t)n);
		write_stream(&t, &p->stream[i]);
	}
	good = pim_text_flush(&t) && good;
	pim_text_free(&t);
	pim_text_free(&tables);
	return good;
}

/* ---- reading ---- */

typedef struct decoder {
	pim_context *context;
	pim_arena *arena; /* of the program */
	const char *path;
	const unsigned char *s, *p, *end;
	bool failed;
} decoder;

static bool fail(decoder *d, const char *what)
{
	if (!d->failed)
		pim_file_error(d->context, d->path, "byte %lld: %s", (long long)(d->p - d->s), what);
	d->failed = true;
	return false;
}

/* 0 after a diagnostic. */
static uint64_t get(decoder *d)
{
	uint64_t v = 0;
	for (int shift = 0; shift < 64; shift += 7) {
		if (d->p == d->end)
			return fail(d, "the program ends in the middle of a number");
		unsigned char b = *d->p++;
		v |= (uint64_t)(b & 127) << shift;
		if (b < 128)
			return shift == 63 && b > 1 ? fail(d, "the number does not fit in 64 bits") : v;
	}
	return fail(d, "the number does not fit in 64 bits");
}

/* A number up to `most`. */
static int64_t get_up_to(decoder *d, int64_t most, const char *what)
{
	uint64_t v = get(d);
	return v <= (uint64_t)most ? (int64_t)v : fail(d, what);
}

static int64_t get_signed(decoder *d)
{
	uint64_t v = get(d);
	return (int64_t)(v >> 1 ^ (v & 1 ? UINT64_MAX : 0));
}

static int64_t get_change(decoder *d, int64_t *last)
{
	return *last = (int64_t)((uint64_t)*last + (uint64_t)get_signed(d));
}

static uint32_t get_u32_change(decoder *d, int64_t *last)
{
	int64_t v = get_change(d, last);
	return v >= 0 && v <= UINT32_MAX ? (uint32_t)v : fail(d, "the number does not fit in 32 bits");
}

static void read_home(decoder *d, pim_home *h)
{
	int64_t tensor = h->tensor, unit = h->unit;
	h->kind = (pim_home_kind)get_up_to(d, PIM_HOME_result, "unknown kind of home");
	h->tensor = get_u32_change(d, &tensor);
	h->unit = get_u32_change(d, &unit);
	get_change(d, &h->address);
	h->box.n = (int)get_up_to(d, PIM_MAX_RANK, "the box has too many dimensions");
	for (int i = 0; i < h->box.n; i++) {
		get_change(d, &h->box.lo[i]);
		get_change(d, &h->box.hi[i]);
	}
}

static void read_homes(decoder *d, pim_program *p)
{
	pim_home h = {0};
	int64_t n = get_up_to(d, d->end - d->p, "more homes than bytes");
	for (int64_t i = 0; i < n && !d->failed; i++) {
		read_home(d, &h);
		if (!d->failed)
			pim_program_home(p, &h);
	}
}

static void read_after(decoder *d, pim_command *c)
{
	int64_t n = get_up_to(d, PIM_MAX_AFTER, "too many commands to wait for");
	for (int64_t i = 0; i < n; i++)
		c->after[i] = (uint32_t)get_up_to(d, UINT32_MAX, "the number does not fit in 32 bits");
}

static int count_refs(decoder *d, const char *operands)
{
	if (operands[0] == 'K')
		return (int)get_up_to(d, MOST_REFS, "too many operands");
	return (strchr(operands, 'D') != NULL) + (strchr(operands, 'S') != NULL);
}

static int read_refs(
	decoder *d, const pim_command *c, bool steps, int depth, last_command *last, pim_ref *refs)
{
	int n = count_refs(d, pim_command_at(c->code)->operands);
	for (int r = 0; r < n; r++) {
		refs[r] = (pim_ref){.space = (uint8_t)get_up_to(d, PIM_SPACE_buffer, "unknown memory")};
		refs[r].address = get_change(d, &last->address[r]);
		int64_t step[PIM_MAX_REPEAT] = {0};
		for (int i = 0; steps && i < depth; i++)
			step[i] = get_signed(d);
		refs[r].step = pim_steps_keep(d->arena, step);
	}
	return n;
}

static void read_command(decoder *d, pim_stream *s, int first, int depth, last_command *last)
{
	pim_command head = {.code = first & CODE, .accumulate = (first & ACCUMULATES) != 0};
	pim_ref refs[MOST_REFS];
	if (!(first & SAME)) {
		get_u32_change(d, &last->index);
		get_u32_change(d, &last->task);
		get_u32_change(d, &last->unit);
	}
	head.index = (uint32_t)last->index;
	head.task = (uint32_t)last->task;
	head.unit = (uint32_t)last->unit;
	if (first & HAS_AFTER)
		read_after(d, &head);
	int n = read_refs(d, &head, first & HAS_STEPS, depth, last, refs);
	if (d->failed)
		return;
	pim_command *c = pim_stream_add(s, (pim_command_code)head.code, n, refs);
	head.first = c->first;
	head.n_refs = (uint8_t)n;
	*c = head;
}

/* `repeat` and `end`; gives the depth behind it. */
static int read_block(decoder *d, pim_stream *s, int code, int depth)
{
	int64_t count = 0;
	if (code == PIM_COMMAND_repeat) {
		count = get_up_to(d, INT64_MAX, "too many rounds");
		if (depth++ == PIM_MAX_REPEAT)
			return fail(d, "repeats are nested too deep");
	} else if (depth-- == 0) {
		return fail(d, "the end of a repeat that is not open");
	}
	pim_stream_add(s, (pim_command_code)code, 0, NULL)->count = count;
	return depth;
}

static void read_stream(decoder *d, pim_stream *s)
{
	last_command last[PIM_COMMAND_COUNT] = {0};
	int depth = 0;
	int64_t n = get_up_to(d, d->end - d->p, "more commands than bytes");
	pim_stream_reserve(s, n);
	for (int64_t i = 0; i < n && !d->failed; i++) {
		if (d->p == d->end) {
			fail(d, "the program ends in the middle of a stream");
			return;
		}
		int first = *d->p++, code = first & CODE;
		if (code >= PIM_COMMAND_COUNT)
			fail(d, "unknown command");
		else if (code >= PIM_COMMAND_repeat)
			depth = read_block(d, s, code, depth);
		else
			read_command(d, s, first, depth, &last[code]);
	}
}

static void read_streams(decoder *d, pim_program *p)
{
	for (int i = 0; i < p->n_streams && !d->failed;) {
		int64_t run = get_up_to(d, p->n_streams - i, "more streams than units");
		const unsigned char *start = d->p;
		if (run == 0)
			fail(d, "a run of no streams");
		for (; run > 0 && !d->failed; run--) {
			d->p = start;
			read_stream(d, &p->stream[i++]);
		}
	}
	if (!d->failed && d->p != d->end)
		fail(d, "bytes behind the end of the program");
}

bool pim_program_is_binary(const void *bytes, size_t n)
{
	return n >= sizeof magic && !memcmp(bytes, magic, sizeof magic);
}

static pim_program *read_tables(decoder *d)
{
	d->p += sizeof magic;
	if (get(d) != VERSION)
		return fail(d, "unknown version of the binary form; expected 2"), NULL;
	int64_t n = get_up_to(d, d->end - d->p, "the tables are longer than the file");
	if (d->failed)
		return NULL;
	const char *text = (const char *)d->p;
	uint32_t source = pim_source_text(d->context, d->path, text, (size_t)n);
	pim_cursor c = {.context = d->context, .source = source, .s = text, .p = text, .end = text + n};
	d->p += n;
	return pim_program_read_text(&c, d->path);
}

pim_program *pim_program_read_binary(pim_context *c, const char *path, const void *bytes, size_t n)
{
	decoder d = {.context = c, .path = path, .s = bytes, .p = bytes};
	d.end = d.p + n;
	pim_program *p = read_tables(&d);
	if (!p)
		return NULL;
	d.arena = p->arena;
	read_homes(&d, p);
	read_streams(&d, p);
	if (!d.failed)
		return p;
	pim_program_free(p);
	return NULL;
}
