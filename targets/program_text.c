/* SPDX-License-Identifier: Apache-2.0 */
/* program_text.c - command programs as text.
 *
 *   program "deit" on "machine" {
 *     constant c0 "patch.weight" : f32[192,768] {file = "deit.onnx", offset = 64}
 *     input i0 "image" : f32[1,3,224,224]
 *     result r0 "logits" : f32[1,1000]
 *     task t0 "patch/Conv" conv start 0 cycles 120
 *     group g0 [4, 5, 6, 12]
 *     pattern p0 f32 [7, 32] to [128, 4] from [768, 4]
 *     kernel k0
 *     graph @k0(%x0: f32[7,32], %x1: f32[32,64]) { ... }
 *     home c0 unit 5 at 0x1000 [0:192, 0:64]
 *     unit 0..3 {
 *       load p0 b:0x0 <- m:0x1000 t0 after 2
 *       repeat 14 {
 *         matrix k0 b:0x800 += b:0x0+256, b:0x400 t0 after 1, 3
 *       }
 *       send p0 unit 4 <- m:0x1000 t0
 *       multicast p0 g0 <- m:0x1000 t0
 *       recv p0 unit 4 m:0x1000 t0
 *     }
 *   }
 *
 * Everything with a number is numbered in order. b: is the buffer, m: the main memory; `+256` is
 * what the address grows by in every round of the innermost repeat (`+4096+256`: outer first).
 * `after` counts commands back. Units whose streams are equal share a block. pattern ... fill 0.5
 * is for `fill`. */
#include <string.h>

#include "targets/program_form.h"

static void write_list(pim_text *out, const char *word, int n, const int64_t *v)
{
	pim_text_str(out, word);
	for (int i = 0; i < n; i++) {
		pim_text_str(out, i ? ", " : "[");
		pim_text_int(out, v[i]);
	}
	pim_text_str(out, n ? "]" : "[]");
}

/* ---- tables ---- */

static void write_tensor(const pim_program_tensor *t, const char *kind, int number, pim_text *out)
{
	pim_text_printf(out, "  %s %c%d ", kind, *kind, number);
	pim_text_quoted(out, t->name);
	pim_text_str(out, " : ");
	pim_type_print(out, t->type);
}

static void write_task(const pim_task *t, int number, pim_text *out)
{
	pim_text_printf(out, "  task t%d ", number);
	pim_text_quoted(out, t->name);
	pim_text_printf(
		out, " %s start %lld cycles %lld\n", t->op, (long long)t->start, (long long)t->cycles);
}

static void write_group(const pim_group *g, int number, pim_text *out)
{
	pim_text_printf(out, "  group g%d ", number);
	for (int i = 0; i < g->n; i++)
		pim_text_printf(out, "%s%d", i ? ", " : "[", g->unit[i]);
	pim_text_str(out, "]\n");
}

static void write_pattern(const pim_pattern *p, int number, pim_text *out)
{
	pim_text_printf(out, "  pattern p%d %s ", number, pim_dtype_name(p->dtype));
	write_list(out, "", p->rank, p->extent);
	write_list(out, " to ", p->rank, p->to);
	write_list(out, " from ", p->rank, p->from);
	static const double nothing = 0;
	if (memcmp(&p->fill, &nothing, sizeof nothing)) {
		pim_text_str(out, " fill ");
		pim_text_float(out, p->fill);
	}
	pim_text_str(out, "\n");
}

static bool write_constants(const pim_program *p, constant_writer *w, pim_text *out)
{
	for (int i = 0; i < p->n_constants; i++) {
		write_tensor(&p->constant[i], "constant", i, out);
		pim_constant_write(w, &p->constant[i], out);
		pim_text_str(out, "\n");
	}
	return pim_constant_finish(w);
}

bool pim_program_write_tables(const pim_program *p, pim_text *out, const char *weights)
{
	pim_arena *scratch = pim_arena_new();
	constant_writer w = pim_constant_writer(p, weights, scratch);
	const char *machine =
		p->target->path ? pim_constant_relative(&w, p->target->path) : p->target->name;
	pim_text_str(out, "program ");
	pim_text_quoted(out, p->name);
	pim_text_str(out, " on ");
	pim_text_quoted(out, machine ? machine : p->target->path);
	pim_text_str(out, " {\n");
	bool good = write_constants(p, &w, out);
	pim_arena_free(scratch);
	for (int i = 0; i < p->n_inputs; i++) {
		write_tensor(&p->input[i], "input", i, out);
		pim_text_str(out, "\n");
	}
	for (int i = 0; i < p->n_results; i++) {
		write_tensor(&p->result[i], "result", i, out);
		pim_text_str(out, "\n");
	}
	for (int i = 0; i < p->n_tasks; i++)
		write_task(&p->task[i], i, out);
	for (int i = 0; i < p->n_groups; i++)
		write_group(&p->group[i], i, out);
	for (int i = 0; i < p->n_patterns; i++)
		write_pattern(&p->pattern[i], i, out);
	for (int i = 0; i < p->n_kernels; i++) {
		pim_text_printf(out, "  kernel k%d\n", i);
		pim_graph_print(p->kernel[i].graph, &pim_print_defaults, out);
	}
	return good;
}

/* ---- homes and streams ---- */

static void write_home(const pim_home *h, pim_text *out)
{
	pim_text_printf(out, "  home %c%u unit %u at 0x%llx [", "cir"[h->kind], h -> tensor, h -> unit,
		(unsigned long long)h -> address);
	for (int d = 0; d < h->box.n; d++)
		pim_text_printf(
			out, "%s%lld:%lld", d ? ", " : "", (long long)h->box.lo[d], (long long)h->box.hi[d]);
	pim_text_str(out, "]\n");
}

static void write_hex(pim_text *out, int64_t v)
{
	char digits[20];
	int n = 0;
	uint64_t rest = v < 0 ? 0 - (uint64_t)v : (uint64_t)v;
	do
		digits[sizeof digits - 1 - n++] = "0123456789abcdef"[rest & 15];
	while (rest >>= 4);
	pim_text_str(out, v < 0 ? "-0x" : "0x");
	pim_text_add(out, digits + sizeof digits - n, (size_t)n);
}

static void write_ref(const pim_ref *r, int depth, pim_text *out)
{
	pim_text_add(out, r->space == PIM_SPACE_buffer ? " b:" : " m:", 3);
	write_hex(out, r->address);
	int d = 0;
	while (d < depth && r->step[d] == 0)
		d++;
	for (; d < depth; d++) {
		if (r->step[d] >= 0)
			pim_text_add(out, "+", 1);
		pim_text_int(out, r->step[d]);
	}
}

static void write_after(const pim_command *c, pim_text *out)
{
	const char *before = " after ";
	for (int i = 0; i < PIM_MAX_AFTER; i++)
		if (c->after[i]) {
			pim_text_str(out, before);
			pim_text_int(out, c->after[i]);
			before = ", ";
		}
}

static void write_numbered(pim_text *out, const char *word, uint32_t number)
{
	pim_text_str(out, word);
	pim_text_int(out, number);
}

static void write_command(const pim_stream *s, const pim_command *c, int depth, pim_text *out)
{
	const pim_command_info *info = pim_command_at(c->code);
	pim_text_str(out, info->name);
	int ref = 0;
	for (const char *o = info->operands; *o; o++) {
		if (*o == 'P' || *o == 'K')
			write_numbered(out, *o == 'P' ? " p" : " k", c->index);
		else if (*o == 'U')
			write_numbered(out, " unit ", c->unit);
		else if (*o == 'G')
			write_numbered(out, " g", c->unit);
		else if (*o == 'D' && ref < c->n_refs)
			write_ref(&s->ref[c->first + (uint32_t)ref++], depth, out);
		else if (*o == 'S')
			for (const char *sign = c->accumulate ? " +=" : " <-"; ref < c->n_refs; sign = ",") {
				pim_text_str(out, sign);
				write_ref(&s->ref[c->first + (uint32_t)ref++], depth, out);
			}
	}
	write_numbered(out, " t", c->task);
	write_after(c, out);
	pim_text_add(out, "\n", 1);
}

static void write_stream(const pim_stream *s, pim_text *out)
{
	int depth = 0;
	for (int64_t i = 0; i < s->n_commands; i++) {
		const pim_command *c = &s->command[i];
		bool end = c->code == PIM_COMMAND_end;
		pim_text_add(out, "            ", (size_t)(4 + 2 * (depth - end)));
		if (c->code == PIM_COMMAND_repeat)
			pim_text_printf(out, "repeat %lld {\n", (long long)c->count);
		else if (end)
			pim_text_str(out, "}\n");
		else
			write_command(s, c, depth, out);
		depth += (c->code == PIM_COMMAND_repeat) - end;
	}
}

static bool are_equal(const pim_stream *a, const pim_stream *b)
{
	if (a->n_commands != b->n_commands || a->n_refs != b->n_refs)
		return false;
	for (int64_t i = 0; i < a->n_commands; i++) {
		const pim_command *x = &a->command[i], *y = &b->command[i];
		if (!pim_command_is_like(a, x, b, y))
			return false;
		for (uint32_t r = 0; r < x->n_refs; r++)
			if (a->ref[x->first + r].address != b->ref[y->first + r].address)
				return false;
	}
	return true;
}

int pim_program_equal_streams(const pim_program *p, int first)
{
	int n = 1;
	while (first + n < p->n_streams && are_equal(&p->stream[first], &p->stream[first + n]))
		n++;
	return n;
}

bool pim_program_write_text(const pim_program *p, pim_text *out, const char *weights)
{
	bool good = pim_program_write_tables(p, out, weights);
	for (int64_t i = 0; i < p->n_homes; i++)
		write_home(&p->home[i], out);
	for (int i = 0, n; i < p->n_streams; i += n) {
		n = pim_program_equal_streams(p, i);
		if (p->stream[i].n_commands == 0)
			continue;
		pim_text_printf(out, n > 1 ? "  unit %d..%d {\n" : "  unit %d {\n", i, i + n - 1);
		write_stream(&p->stream[i], out);
		pim_text_str(out, "  }\n");
	}
	pim_text_str(out, "}\n");
	return good;
}
