/* SPDX-License-Identifier: Apache-2.0 */
/* listing.c - the micro-programs of a command program, for people. */
#include <stdlib.h>

#include "targets/bank/bank.h"
#include "targets/program.h"

static const char *const step_names[] = {
#define STEP(name, help) #name,
#include "targets/bank/steps.def"
};

static const char *const row_op_names[] = {
#define ROW_OP(name, help) #name,
#include "targets/bank/steps.def"
};
enum { ROW_OPS = sizeof row_op_names / sizeof row_op_names[0] };

pim_row_op_kind pim_row_op_kind_of(const pim_row_op *op)
{
	bool many = op->from[1] != PIM_ROW_NONE;
	int to = 0, flipped = 0;
	for (; to < 3 && op->to[to] != PIM_ROW_NONE; to++)
		flipped += (op->to[to] & PIM_ROW_NOT) != 0;
	if (many)
		return to ? PIM_ROW_OP_majority_copy : PIM_ROW_OP_majority;
	return flipped ? PIM_ROW_OP_complement : to > 1 ? PIM_ROW_OP_spread : PIM_ROW_OP_copy;
}

static void print_format(pim_format f, pim_text *out)
{
	if (f.exponent)
		pim_text_printf(out, "%s%d", f.bits == 16 && f.exponent == 8 ? "bf" : "f", f.bits);
	else
		pim_text_printf(out, "%c%d", f.sign ? 'i' : 'u', f.bits);
}

static void print_registers(const pim_micro *m, pim_text *out)
{
	for (int i = 0; i < m->n_registers; i++) {
		pim_text_printf(out, "%s r%d ", i ? "," : "  registers", i);
		print_format(m->format[i], out);
	}
	pim_text_str(out, m->n_registers ? "\n" : "");
}

static void print_row_ops(const pim_routine_key *key, pim_text *out)
{
	int64_t count[ROW_OPS] = {0};
	pim_bank_rows r;
	const char *between = "";
	if (!pim_routine_write(key, &r))
		return;
	for (int64_t i = 0; i < r.n; i++)
		count[pim_row_op_kind_of(&r.op[i])]++;
	free(r.op);
	for (int i = 0; i < ROW_OPS; i++) {
		if (!count[i])
			continue;
		pim_text_printf(out, "%s%lld %s", between, (long long)count[i], row_op_names[i]);
		between = ", ";
	}
}

static void print_call(const pim_step *s, pim_text *out)
{
	static const int operands[] = {
#define ROUTINE(name, operands, help) operands,
#include "targets/bank/routines.def"
	};
	const int16_t from[3] = {s->a, s->b, s->c};
	pim_text_printf(out, " r%d = %s", s->to, pim_routine_name(s->key.routine));
	for (int i = 0; i < operands[s->key.routine]; i++)
		pim_text_printf(out, "%s r%d", i ? "," : "", from[i]);
	pim_text_str(out, "; ");
	print_row_ops(&s->key, out);
}

static void print_columns(const pim_target *t, const pim_micro *m, const pim_step *s, pim_text *out)
{
	pim_column_step c = pim_step_columns(m, s);
	pim_text_printf(out, "; %lld rows read, %lld written, %lld B of elements, %lld slots",
		(long long)c.rows_read, (long long)c.rows_written, (long long)(c.read + c.written),
		(long long)pim_column_slots(t, &c));
}

static void print_step(const pim_target *t, const pim_micro *m, const pim_step *s, pim_text *out)
{
	pim_text_printf(out, "%s", step_names[s->code]);
	switch ((pim_step_code)s->code) {
	case PIM_STEP_repeat:
		pim_text_printf(out, " %lld", (long long)m->rounds);
		break;
	case PIM_STEP_gather:
		pim_text_printf(out, " r%d = operand %d", s->to, s->operand);
		break;
	case PIM_STEP_scatter:
		pim_text_printf(out, " r%d", s->a);
		break;
	case PIM_STEP_turn:
		pim_text_printf(out, " r%d = r%d of lane + %lld", s->to, s->a, (long long)s->value);
		break;
	case PIM_STEP_known:
		pim_text_printf(out, " r%d", s->to);
		break;
	case PIM_STEP_set:
		pim_text_printf(
			out, " r%d = bits %#llx; %d copy", s->to, (unsigned long long)s->value, s->key.to.bits);
		break;
	case PIM_STEP_call:
		print_call(s, out);
		break;
	default:
		break;
	}
	if (s->code >= PIM_STEP_gather && s->code != PIM_STEP_set && s->code != PIM_STEP_call)
		print_columns(t, m, s, out);
	pim_text_str(out, "\n");
}

static void print_kernel(const pim_program *p, int number, pim_arena *a, pim_text *out)
{
	const pim_node *op = p->kernel[number].op;
	const pim_axes *x = pim_axes_new(op, a);
	int64_t extent[PIM_MAX_AXES];
	pim_micro m = {.adds = false};
	for (int i = 0; i < x->n_axes; i++)
		extent[i] = x->axis[i].size;
	pim_micro_write(&m, p->target, op, x, extent);
	pim_bank_work w = pim_bank_kernel_work(p->target, op, x, extent, PIM_BANK_writes);
	pim_text_printf(out,
		"kernel %d: %s, %lld slots, %lld row operations; %lld lanes, %lld waves, "
		"%lld groups, %lld rounds\n",
		number, pim_node_op(op), (long long)pim_bank_slots(&w), (long long)w.operations,
		(long long)m.lanes, (long long)m.waves, (long long)m.groups, (long long)m.rounds);
	if (m.by_columns) {
		pim_text_str(out, "  elements move over the column path\n");
		return;
	}
	print_registers(&m, out);
	int depth = 1;
	for (int i = 0; i < m.n; i++) {
		depth -= m.step[i].code == PIM_STEP_end;
		pim_text_printf(out, "%*s", 2 * depth, "");
		print_step(p->target, &m, &m.step[i], out);
		depth += m.step[i].code == PIM_STEP_repeat;
	}
}

bool pim_program_write_micro(const pim_program *p, pim_text *out)
{
	if (!p->target->bank.rows)
		return pim_error(p->context, (pim_loc){0},
			"%s has no banks: there are no micro-programs of its kernels", p->target->name);
	pim_arena *a = pim_arena_new();
	for (int i = 0; i < p->n_kernels; i++)
		print_kernel(p, i, a, out);
	pim_arena_free(a);
	return true;
}
