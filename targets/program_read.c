/* SPDX-License-Identifier: Apache-2.0 */
/* program_read.c - the text form of command programs (program_text.c shows it), and files of both
 * forms.
 *
 * Every item and every command is a line of its own: after an error the reader goes on behind the
 * line (of a kernel: behind its graph), so that all that is wrong is reported. Commands are scanned
 * without going through the cursor's words: there may be millions. */
#include <stdlib.h>
#include <string.h>

#include "targets/program_form.h"

typedef struct reader {
	pim_cursor *c;
	pim_program *p;
	bool good;
	int depth;		/* of repeats */
	int64_t copied; /* commands, for ranges of units */
} reader;

/* A short file may not fill the memory: commands that ranges of units stand for. */
enum { MOST_COPIED = 1 << 24 };

/* ---- words ---- */

static void skip_line(pim_cursor *c)
{
	const char *stop = memchr(c->p, '\n', (size_t)(c->end - c->p));
	c->p = stop ? stop : c->end;
	c->failed = false;
}

static bool is_digit(const pim_cursor *c, const char *p)
{
	return p < c->end && *p >= '0' && *p <= '9';
}

static bool take_u32(pim_cursor *c, uint32_t *v)
{
	uint64_t n = 0;
	if (!is_digit(c, c->p))
		return pim_cursor_error(c, "expected a number");
	for (; is_digit(c, c->p); c->p++)
		if ((n = 10 * n + (uint64_t)(*c->p - '0')) > UINT32_MAX)
			return pim_cursor_error(c, "the number does not fit in 32 bits");
	*v = (uint32_t)n;
	return true;
}

/* `p12`: a letter and a number. */
static bool take_numbered(pim_cursor *c, char letter, uint32_t *v)
{
	pim_cursor_space(c);
	if (c->p >= c->end || *c->p != letter || !is_digit(c, c->p + 1))
		return pim_cursor_error(c, "expected '%c' and a number", letter);
	c->p++;
	return take_u32(c, v);
}

static bool take_unit(pim_cursor *c, uint32_t *unit)
{
	if (!pim_cursor_want(c, "unit"))
		return false;
	pim_cursor_space(c);
	return take_u32(c, unit);
}

static int hex_digit(char ch)
{
	if (ch >= '0' && ch <= '9')
		return ch - '0';
	return ch >= 'a' && ch <= 'f' ? ch - 'a' + 10 : -1;
}

/* 0x1000 or 4096, with a minus sign or without. */
static bool take_address(pim_cursor *c, int64_t *v)
{
	const char *p = c->p;
	bool minus = p < c->end && *p == '-';
	p += minus;
	if (c->end - p < 3 || p[0] != '0' || p[1] != 'x')
		return pim_cursor_int(c, v);
	const char *start = p += 2;
	int64_t n = 0;
	for (; p < c->end && hex_digit(*p) >= 0; p++)
		n = (int64_t)((uint64_t)n << 4 | (uint64_t)hex_digit(*p));
	if (p == start || p - start > 15)
		return pim_cursor_error(c, "expected one to 15 hexadecimal digits");
	c->p = p;
	*v = minus ? -n : n;
	return true;
}

/* `[1, 2]`, at most `room`; -1 after a diagnostic. */
static int read_list(pim_cursor *c, int room, int64_t *v)
{
	int n = 0;
	if (!pim_cursor_want(c, "["))
		return -1;
	while (!pim_cursor_take(c, "]")) {
		if (n && !pim_cursor_want(c, ","))
			return -1;
		if (n == room)
			return pim_cursor_error(c, "more than %d numbers", room), -1;
		if (!pim_cursor_int(c, &v[n++]))
			return -1;
	}
	return n;
}

/* Items of a table stand in order: the next one has the number n. Behind a mistake items may be
 * missing. */
static bool want_number(reader *r, char letter, int n)
{
	pim_cursor *c = r->c;
	uint32_t v = 0;
	pim_cursor_space(c);
	pim_cursor at = *c;
	if (!take_numbered(c, letter, &v))
		return false;
	if (v == (uint32_t)n || !r->good)
		return true;
	*c = at;
	return pim_cursor_error(c, "expected %c%d: items are numbered in order", letter, n);
}

/* ---- tables ---- */

static bool read_tensor(reader *r, char letter, int number, pim_program_tensor *t)
{
	pim_cursor *c = r->c;
	return want_number(r, letter, number) && (t->name = pim_cursor_string(c)) &&
		   pim_cursor_want(c, ":") && (t->type = pim_cursor_type(c)) &&
		   (t->type->n_parts == 0 || pim_cursor_error(c, "a tensor cannot be a tuple"));
}

static bool read_constant(reader *r)
{
	pim_program_tensor t = {0};
	bool good = read_tensor(r, 'c', r->p->n_constants, &t) && pim_constant_read(r->c, r->p, &t);
	if (t.type)
		pim_program_constant(r->p, &t);
	return good;
}

static bool read_input(reader *r)
{
	pim_program_tensor t = {0};
	bool good = read_tensor(r, 'i', r->p->n_inputs, &t);
	if (good)
		pim_program_input(r->p, &t);
	return good;
}

static bool read_result(reader *r)
{
	pim_program_tensor t = {0};
	bool good = read_tensor(r, 'r', r->p->n_results, &t);
	if (good)
		pim_program_result(r->p, &t);
	return good;
}

static bool read_task(reader *r)
{
	pim_cursor *c = r->c;
	pim_task t = {0};
	const char *op;
	size_t n;
	if (!want_number(r, 't', r->p->n_tasks) || !(t.name = pim_cursor_string(c)))
		return false;
	if (!pim_cursor_name(c, &op, &n))
		return pim_cursor_error(c, "expected the name of an op");
	t.op = pim_intern(c->context, op, n);
	if (!pim_cursor_want(c, "start") || !pim_cursor_int(c, &t.start) ||
		!pim_cursor_want(c, "cycles") || !pim_cursor_int(c, &t.cycles))
		return false;
	pim_program_task(r->p, &t);
	return true;
}

static bool read_dtype(pim_cursor *c, pim_dtype *t)
{
	const char *word;
	size_t n;
	if (!pim_cursor_name(c, &word, &n))
		return pim_cursor_error(c, "expected an element type");
	*t = pim_dtype_find(pim_intern(c->context, word, n));
	return *t != PIM_DTYPE_COUNT || pim_cursor_error(c, "unknown element type %.*s", (int)n, word);
}

/* Units of the machine, ascending: so no group is longer than the machine has units. */
static bool read_group(reader *r)
{
	pim_cursor *c = r->c;
	pim_arena *scratch = pim_arena_new();
	int room = r->p->n_streams, *unit = PIM_NEW(scratch, int, room);
	int64_t *list = PIM_NEW(scratch, int64_t, room);
	int n = want_number(r, 'g', r->p->n_groups) ? read_list(c, room, list) : -1;
	bool good = n >= 0;
	for (int i = 0; i < n && good; i++) {
		unit[i] = (int)list[i];
		if (list[i] < 0 || list[i] >= room || (i && list[i] <= list[i - 1]))
			good = pim_cursor_error(c, "a group is ascending units from 0 to %d", room - 1);
	}
	if (good && n < 1)
		good = pim_cursor_error(c, "a group has at least one unit");
	uint32_t number = (uint32_t)r->p->n_groups;
	if (good) {
		uint32_t same = pim_program_group(r->p, n, unit);
		good = same == number || !r->good || pim_cursor_error(c, "the group equals g%u", same);
	}
	pim_arena_free(scratch);
	return good;
}

static bool read_pattern(reader *r)
{
	pim_cursor *c = r->c;
	pim_pattern p = {0};
	int to, from;
	if (!want_number(r, 'p', r->p->n_patterns) || !read_dtype(c, &p.dtype))
		return false;
	if ((p.rank = read_list(c, PIM_MAX_RANK, p.extent)) < 0 || !pim_cursor_want(c, "to") ||
		(to = read_list(c, PIM_MAX_RANK, p.to)) < 0 || !pim_cursor_want(c, "from") ||
		(from = read_list(c, PIM_MAX_RANK, p.from)) < 0)
		return false;
	if (to != p.rank || from != p.rank)
		return pim_cursor_error(c, "%d extents, but %d and %d strides", p.rank, to, from);
	if (pim_cursor_take(c, "fill") && !pim_cursor_float(c, &p.fill))
		return false;
	uint32_t number = (uint32_t)r->p->n_patterns, same = pim_program_pattern(r->p, &p);
	return same == number || !r->good || pim_cursor_error(c, "the pattern equals p%u", same);
}

/* From the start of a graph to the brace that closes it: the end of its line when there is none. */
static void skip_graph(pim_cursor *c, const char *start)
{
	int depth = 0;
	c->failed = false;
	for (const char *p = start; p < c->end; p++) {
		if (*p == '"')
			for (p++; p < c->end && *p != '"' && *p != '\n';)
				p += *p == '\\' && c->end - p > 1 ? 2 : 1;
		if (p >= c->end)
			break;
		depth += (*p == '{') - (*p == '}');
		if (*p == '}' && depth <= 0) {
			c->p = depth ? p : p + 1;
			return;
		}
	}
	c->p = start;
	skip_line(c);
}

static bool read_kernel(reader *r)
{
	pim_loc at = pim_cursor_loc(r->c);
	const char *start = r->c->p;
	bool good = want_number(r, 'k', r->p->n_kernels);
	pim_cursor_space(r->c);
	pim_graph *g = good ? pim_cursor_graph(r->c, r->p->kernel_module) : NULL;
	if (g && pim_program_take_kernel(r->p, g, at))
		return true;
	skip_graph(r->c, start);
	return false;
}

static bool read_box(pim_cursor *c, pim_box *box)
{
	if (!pim_cursor_want(c, "["))
		return false;
	while (!pim_cursor_take(c, "]")) {
		if (box->n && !pim_cursor_want(c, ","))
			return false;
		if (box->n == PIM_MAX_RANK)
			return pim_cursor_error(c, "more than %d dimensions", PIM_MAX_RANK);
		if (!pim_cursor_int(c, &box->lo[box->n]) || !pim_cursor_want(c, ":") ||
			!pim_cursor_int(c, &box->hi[box->n++]))
			return false;
	}
	return true;
}

static bool read_home(reader *r)
{
	pim_cursor *c = r->c;
	pim_home h = {0};
	pim_cursor_space(c);
	char letter = c->p < c->end ? *c->p : 0;
	if (letter != 'c' && letter != 'i' && letter != 'r')
		return pim_cursor_error(c, "expected c, i or r and the number of a tensor");
	h.kind = letter == 'c' ? PIM_HOME_constant : letter == 'i' ? PIM_HOME_input : PIM_HOME_result;
	if (!take_numbered(c, letter, &h.tensor) || !take_unit(c, &h.unit) || !pim_cursor_want(c, "at"))
		return false;
	pim_cursor_space(c);
	if (!take_address(c, &h.address) || !read_box(c, &h.box))
		return false;
	pim_program_home(r->p, &h);
	return true;
}

/* ---- streams ---- */

/* `b:0x800+4096+256` */
static bool read_ref(reader *r, pim_ref *ref)
{
	pim_cursor *c = r->c;
	pim_cursor_space(c);
	bool buffer = c->end - c->p > 2 && c->p[0] == 'b' && c->p[1] == ':';
	if (!buffer && (c->end - c->p <= 2 || c->p[0] != 'm' || c->p[1] != ':'))
		return pim_cursor_error(c, "expected an address such as b:0x100 or m:0x100");
	c->p += 2;
	*ref = (pim_ref){.space = buffer ? PIM_SPACE_buffer : PIM_SPACE_memory};
	if (!take_address(c, &ref->address))
		return false;
	int64_t step[PIM_MAX_REPEAT], steps[PIM_MAX_REPEAT] = {0};
	int n = 0;
	while (c->p < c->end && (*c->p == '+' || *c->p == '-') && is_digit(c, c->p + 1)) {
		if (n == r->depth)
			return pim_cursor_error(c, "more steps than the %d repeats that are open", r->depth);
		c->p += *c->p == '+';
		if (!pim_cursor_int(c, &step[n++]))
			return false;
	}
	for (int i = 0; i < n; i++)
		steps[r->depth - n + i] = step[i];
	ref->step = pim_steps_keep(r->p->arena, steps);
	return true;
}

static bool read_sources(reader *r, pim_command *head, pim_ref *refs)
{
	pim_cursor *c = r->c;
	if (pim_cursor_take(c, "+="))
		head->accumulate = 1;
	else if (!pim_cursor_want(c, "<-"))
		return false;
	do {
		if (head->n_refs == PIM_MAX_RANK + 1)
			return pim_cursor_error(c, "more than %d sources", PIM_MAX_RANK);
		if (!read_ref(r, &refs[head->n_refs++]))
			return false;
	} while (pim_cursor_take(c, ","));
	return true;
}

static bool read_after(pim_cursor *c, pim_command *head)
{
	int n = 0;
	do {
		if (n == PIM_MAX_AFTER)
			return pim_cursor_error(c, "more than %d commands to wait for", PIM_MAX_AFTER);
		pim_cursor_space(c);
		if (!take_u32(c, &head->after[n++]))
			return false;
	} while (pim_cursor_take(c, ","));
	return true;
}

static bool read_operands(reader *r, pim_command *head, pim_ref *refs)
{
	pim_cursor *c = r->c;
	for (const char *o = pim_command_at(head->code)->operands; *o; o++) {
		bool good = *o == 'P'	? take_numbered(c, 'p', &head->index)
					: *o == 'K' ? take_numbered(c, 'k', &head->index)
					: *o == 'U' ? take_unit(c, &head->unit)
					: *o == 'G' ? take_numbered(c, 'g', &head->unit)
					: *o == 'D' ? read_ref(r, &refs[head->n_refs++])
								: read_sources(r, head, refs);
		if (!good)
			return false;
	}
	if (!take_numbered(c, 't', &head->task))
		return false;
	return !pim_cursor_take(c, "after") || read_after(c, head);
}

static pim_command_code find_code(const char *word, size_t n)
{
	int code = 0;
	while (code < PIM_COMMAND_repeat &&
		   (strlen(pim_command_at(code)->name) != n || memcmp(pim_command_at(code)->name, word, n)))
		code++;
	return (pim_command_code)code;
}

static bool report_command(pim_cursor *c, const char *word, size_t n)
{
	const char *names[PIM_COMMAND_repeat + 1];
	for (int i = 0; i <= PIM_COMMAND_repeat; i++)
		names[i] = pim_command_at(i)->name;
	const char *name = pim_intern(c->context, word, n);
	const char *near = pim_nearest(name, PIM_COMMAND_repeat + 1, names);
	c->p = word;
	return pim_cursor_error(c, "unknown command \"%s\"%s%s%s", name,
		near ? "; did you mean \"" : "", near ? near : "", near ? "\"?" : "");
}

static bool open_block(reader *r, pim_stream *s)
{
	int64_t count;
	if (r->depth == PIM_MAX_REPEAT)
		return pim_cursor_error(r->c, "repeats are nested deeper than %d", PIM_MAX_REPEAT);
	if (!pim_cursor_int(r->c, &count) || !pim_cursor_want(r->c, "{"))
		return false;
	pim_stream_add(s, PIM_COMMAND_repeat, 0, NULL)->count = count;
	r->depth++;
	return true;
}

static bool read_command(reader *r, pim_stream *s)
{
	const char *word;
	size_t n;
	if (!pim_cursor_name(r->c, &word, &n))
		return pim_cursor_error(r->c, "expected a command");
	if (n == 6 && !memcmp(word, "repeat", n))
		return open_block(r, s);
	pim_command head = {.code = (uint8_t)find_code(word, n)};
	if (head.code == PIM_COMMAND_repeat)
		return report_command(r->c, word, n);
	pim_ref refs[PIM_MAX_RANK + 2];
	if (!read_operands(r, &head, refs))
		return false;
	pim_command *c = pim_stream_add(s, (pim_command_code)head.code, head.n_refs, refs);
	head.first = c->first;
	*c = head;
	return true;
}

/* The commands of a block `unit ... {` and its closing brace. */
static void read_commands(reader *r, pim_stream *s)
{
	pim_cursor *c = r->c;
	r->depth = 0;
	for (;;) {
		pim_cursor_space(c);
		if (c->p == c->end) {
			r->good = pim_cursor_error(c, "the block of the unit is not closed");
			return;
		}
		if (pim_cursor_take(c, "}")) {
			if (r->depth-- == 0)
				return;
			pim_stream_add(s, PIM_COMMAND_end, 0, NULL);
		} else if (!read_command(r, s)) {
			r->good = false;
			skip_line(c);
		}
	}
}

static void copy_stream(pim_stream *to, const pim_stream *from)
{
	for (int64_t i = 0; i < from->n_commands; i++) {
		pim_command head = from->command[i];
		pim_command *c = pim_stream_add(
			to, (pim_command_code)head.code, head.n_refs, pim_command_refs(from, &head));
		head.first = c->first;
		*c = head;
	}
}

static bool read_units(reader *r)
{
	pim_cursor *c = r->c;
	uint32_t first = 0, last;
	pim_cursor_space(c);
	if (!take_u32(c, &first))
		return false;
	last = first;
	if (c->end - c->p > 2 && c->p[0] == '.' && c->p[1] == '.') {
		c->p += 2;
		if (!take_u32(c, &last))
			return false;
	}
	if (first > last || last >= (uint32_t)r->p->n_streams)
		return pim_cursor_error(
			c, "%s has the units 0 to %d", r->p->target->name, r->p->n_streams - 1);
	for (uint32_t u = first; u <= last; u++)
		if (r->p->stream[u].n_commands)
			return pim_cursor_error(c, "unit %u has a block already", u);
	if (!pim_cursor_want(c, "{"))
		return false;
	read_commands(r, &r->p->stream[first]);
	r->copied += (int64_t)(last - first) * r->p->stream[first].n_commands;
	if (r->copied > MOST_COPIED)
		return pim_cursor_error(c, "ranges of units stand for %lld commands, at most %d are taken",
			(long long)r->copied, MOST_COPIED);
	for (uint32_t u = first + 1; u <= last; u++)
		copy_stream(&r->p->stream[u], &r->p->stream[first]);
	return true;
}

/* ---- programs ---- */

typedef struct item {
	const char *word;
	bool (*read)(reader *r);
} item;

static const item items[] = {{"constant", read_constant}, {"input", read_input},
	{"result", read_result}, {"task", read_task}, {"group", read_group}, {"pattern", read_pattern},
	{"kernel", read_kernel}, {"home", read_home}, {"unit", read_units}};

static bool read_item(reader *r)
{
	for (size_t i = 0; i < sizeof items / sizeof items[0]; i++)
		if (pim_cursor_take(r->c, items[i].word))
			return items[i].read(r);
	return pim_cursor_error(r->c, "expected constant, input, result, task, group, pattern, kernel, "
								  "home, unit or the closing brace");
}

static pim_program *read_head(pim_cursor *c, const char *path)
{
	const char *name, *machine;
	if (!pim_cursor_want(c, "program") || !(name = pim_cursor_string(c)) ||
		!pim_cursor_want(c, "on") || !(machine = pim_cursor_string(c)))
		return NULL;
	size_t n = strlen(machine);
	if (n > 5 && !strcmp(machine + n - 5, ".yaml"))
		machine = pim_program_path(c->context, path, machine);
	const pim_target *t = pim_target_find(c->context, machine);
	if (!t || !pim_cursor_want(c, "{"))
		return NULL;
	pim_program *p = pim_program_new(c->context, t, name);
	p->base = pim_intern(c->context, path, strlen(path));
	return p;
}

static bool read_items(reader *r)
{
	pim_cursor *c = r->c;
	while (!pim_cursor_take(c, "}")) {
		if (c->p == c->end)
			return pim_cursor_error(c, "the program is not closed");
		if (read_item(r))
			continue;
		r->good = false;
		skip_line(c);
	}
	pim_cursor_space(c);
	return c->p == c->end || pim_cursor_error(c, "nothing may follow the program");
}

pim_program *pim_program_read_text(pim_cursor *c, const char *path)
{
	pim_program *p = read_head(c, path);
	if (!p)
		return NULL;
	reader r = {.c = c, .p = p, .good = true};
	if (read_items(&r) && r.good)
		return p;
	pim_program_free(p);
	return NULL;
}

pim_program *pim_program_read(pim_context *c, const char *path)
{
	size_t n;
	const char *bytes = pim_file_map(c, (pim_loc){0}, path, &n);
	if (!bytes)
		return NULL;
	pim_program *p;
	if (pim_program_is_binary(bytes, n)) {
		p = pim_program_read_binary(c, path, bytes, n);
	} else {
		uint32_t source = pim_source_text(c, path, bytes, n);
		pim_cursor cursor = {
			.context = c, .source = source, .s = bytes, .p = bytes, .end = bytes + n};
		p = pim_program_read_text(&cursor, path);
	}
	if (p && !pim_program_measure(p)) {
		pim_program_free(p);
		return NULL;
	}
	return p;
}
