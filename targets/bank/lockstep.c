/* SPDX-License-Identifier: Apache-2.0 */
/* lockstep.c - kernels that all banks of a channel run together.
 *
 * One all-bank command reaches all banks of a group, so they must be in the same step of the same
 * micro-program: the same routines on the same registers, as many rounds and waves. Where an
 * operand's elements lie and which of a window are padding is what the address generator of each
 * bank knows, so tiles at the border of an image go with those inside; and a row operation works on
 * all columns, so a bank may have fewer lanes than another, and turn them less far. Its column
 * accesses then take as long as those of the bank with most. */
#include <string.h>

#include "targets/bank/bank.h"
#include "targets/program.h"

static bool same_step(const pim_step *a, const pim_step *b)
{
	return a->code == b->code && a->to == b->to && a->a == b->a && a->b == b->b && a->c == b->c &&
		   (a->code == PIM_STEP_turn || a->value == b->value) && a->key.routine == b->key.routine &&
		   pim_format_equal(a->key.from, b->key.from) && pim_format_equal(a->key.to, b->key.to);
}

bool pim_micro_same(const pim_micro *a, const pim_micro *b)
{
	bool same = a->by_columns == b->by_columns && a->waves == b->waves && a->rounds == b->rounds &&
				a->groups == b->groups && a->n == b->n && a->op->type->dtype == b->op->type->dtype;
	for (int i = 0; same && i < a->n; i++)
		same = same_step(&a->step[i], &b->step[i]);
	return same;
}

static void write_micro(pim_micro *m, const pim_program *p, int number, pim_arena *a)
{
	const pim_node *op = p->kernel[number / 2].op;
	const pim_axes *x = pim_axes_new(op, a);
	int64_t *extent = PIM_NEW(a, int64_t, PIM_MAX_AXES);
	for (int i = 0; i < x->n_axes; i++)
		extent[i] = x->axis[i].size;
	*m = (pim_micro){.adds = number % 2};
	pim_micro_write(m, p->target, op, x, extent);
}

int *pim_lockstep_classes(const pim_program *p, pim_arena *a)
{
	int n = 2 * p->n_kernels, classes = 0;
	int *class_of = PIM_NEW(a, int, n + 1);
	pim_arena *scratch = pim_arena_new();
	pim_micro **first = PIM_NEW(scratch, pim_micro *, n + 1);
	for (int i = 0; i < n; i++) {
		pim_micro *m = PIM_NEW(scratch, pim_micro, 1);
		write_micro(m, p, i, scratch);
		for (class_of[i] = 0; class_of[i] < classes; class_of[i]++)
			if (pim_micro_same(first[class_of[i]], m))
				break;
		if (class_of[i] == classes)
			first[classes++] = m;
	}
	pim_arena_free(scratch);
	return class_of;
}

bool pim_command_is_lockstep(int code)
{
	return code == PIM_COMMAND_all_rows || code == PIM_COMMAND_masked;
}

/* What a bank runs for a task, in its order. */
typedef struct run {
	int64_t n;
	uint64_t hash;
} run;

/* By task. */
static void read_stream(const pim_program *p, const pim_stream *s, const int *class_of, run *runs)
{
	memset(runs, 0, sizeof *runs * (size_t)p->n_tasks);
	for (int64_t i = 0; i < s->n_commands; i++) {
		const pim_command *c = &s->command[i];
		if (c->code != PIM_COMMAND_rows)
			continue;
		run *r = &runs[c->task];
		uint64_t kind = (uint64_t)class_of[2 * c->index + c->accumulate] + 1;
		r->n++;
		r->hash = (r->hash ^ kind) * UINT64_C(0x9e3779b97f4a7c15);
		r->hash ^= r->hash >> 29;
	}
}

/* What the first bank of a channel that runs any kernel of a task runs of it, and whether all
 * others that run any run the same. */
static void join_bank(run *channel, bool *same, const run *bank, int tasks)
{
	for (int t = 0; t < tasks; t++) {
		if (!channel[t].n) {
			channel[t] = bank[t];
			same[t] = bank[t].n > 0;
		} else if (bank[t].n) {
			same[t] = same[t] && channel[t].n == bank[t].n && channel[t].hash == bank[t].hash;
		}
	}
}

bool *pim_lockstep_find(const pim_program *p, pim_arena *a)
{
	int banks = p->target->network.size[0], channels = p->n_streams / banks;
	if (!p->target->bank.lockstep)
		return NULL;
	const int *class_of = pim_lockstep_classes(p, a);
	bool *lockstep = PIM_NEW(a, bool, (int64_t)p->n_tasks *channels + 1), any = false;
	bool *same = PIM_NEW(a, bool, p->n_tasks + 1);
	run *channel = PIM_NEW(a, run, p->n_tasks + 1), *bank = PIM_NEW(a, run, p->n_tasks + 1);
	for (int c = 0; c < channels; c++) {
		memset(channel, 0, sizeof *channel * (size_t)p->n_tasks);
		memset(same, 0, sizeof *same * (size_t)p->n_tasks);
		for (int b = 0; b < banks; b++) {
			read_stream(p, &p->stream[c * banks + b], class_of, bank);
			join_bank(channel, same, bank, p->n_tasks);
		}
		for (int t = 0; t < p->n_tasks; t++) {
			lockstep[t * channels + c] = same[t];
			any |= same[t];
		}
	}
	return any ? lockstep : NULL;
}
