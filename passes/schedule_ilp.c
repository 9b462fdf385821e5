/* SPDX-License-Identifier: Apache-2.0 */
/* schedule_ilp - the schedule of one region by integer programming.
 *
 * Tasks i with modes m of k[i,m] units and d[i,m] cycles; i < j: i is before j in the graph; i ||
 * j: neither is before the other. H: cycles of the list schedule, which is the start value; head
 * and tail: longest paths with fastest modes. Units flow from task to task (Artigues, Michelon,
 * Reusser 2003), so no time steps are needed. Times are in thousandths of H. x[i,m] in {0,1}   i
 * runs in mode m              s[i] in head[i] .. H - tail[i] - d[i,0] z[i,j] in {0,1}   i ends
 * before j starts, for i || j; a constant 1 for i < j f[i,j] >= 0       units that j takes over
 * from i; f[0,j] from the idle machine C >= bound        cycles of the region minimise C (1) sum_m
 * x[i,m] = 1                                            every i (2) s[j] >= s[i] + sum_m d[i,m]
 * x[i,m]                          i < j (3) s[j] >= s[i] + sum_m d[i,m] x[i,m] - M (1 - z[i,j]) i
 * || j,  M = H - tail[i] - head[j] (4) z[i,j] + z[j,i] <= 1 i || j (5) f[0,j] + sum_i f[i,j]  =
 * sum_m k[j,m] x[j,m]                every j (6) sum_j f[i,j]          <= sum_m k[i,m] x[i,m] every
 * i (7) sum_j f[0,j]          <= units (8) f[i,j] <= min(most units of i, of j) z[i,j] i || j (9) C
 * >= s[i] + sum_m d[i,m] x[i,m] + tail[i]                   every i (10) units * C >= sum_i sum_m
 * k[i,m] d[i,m] x[i,m]               work Rows (4) and (10) and the ranges of s only help the
 * solver. Cost: exponential at worst, so a region of more than MOST_TASKS tasks goes to the
 * scheduling engine. */
#include "passes/ilp.h"
#include "passes/schedule.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_TASKS = 16 };

typedef struct model {
	pim_region *r;
	pim_ilp *ilp;
	double scale; /* cycles of one unit of time */
	double horizon;
	int64_t *head, *tail, bound;
	int *x[MOST_TASKS], s[MOST_TASKS], z[MOST_TASKS][MOST_TASKS], f[MOST_TASKS + 1][MOST_TASKS],
		end;
	bool before[MOST_TASKS][MOST_TASKS];	 /* closed: also through other tasks */
	int n, var[2 * MOST_TASKS * MOST_TASKS]; /* the row being written */
	double coef[2 * MOST_TASKS * MOST_TASKS];
} model;

enum { IDLE = MOST_TASKS, NO_VAR = -1 };

static void add_term(model *m, int var, double coef)
{
	m->var[m->n] = var;
	m->coef[m->n++] = coef;
}

static void end_row(model *m, pim_ilp_sense sense, double right)
{
	pim_ilp_row(m->ilp, m->n, m->var, m->coef, sense, right);
	m->n = 0;
}

static double scaled(const model *m, int64_t cycles)
{
	return (double)cycles / m->scale;
}

static bool parallel(const model *m, int i, int j)
{
	return i != j && !m->before[i][j] && !m->before[j][i];
}

static void close_precedence(model *m)
{
	for (int j = 0; j < m->r->n; j++)
		for (int k = 0; k < m->r->task[j].n_before; k++) {
			int b = m->r->task[j].before[k];
			m->before[b][j] = true;
			for (int i = 0; i < b; i++)
				m->before[i][j] = m->before[i][j] || m->before[i][b];
		}
}

static int most_units(const model *m, int i, int j)
{
	int a = m->r->task[i].mode[0].units, b = m->r->task[j].mode[0].units;
	return a < b ? a : b;
}

static void add_variables(model *m, pim_arena *scratch)
{
	int n = m->r->n;
	for (int i = 0; i < n; i++) {
		const pim_task *t = &m->r->task[i];
		m->x[i] = PIM_NEW(scratch, int, t->n_modes);
		for (int k = 0; k < t->n_modes; k++)
			m->x[i][k] = pim_ilp_var(m->ilp, 0, 1, 0, true);
		double first = scaled(m, m->head[i]),
			   last = m->horizon - scaled(m, m->tail[i] + t->mode[0].cycles);
		m->s[i] = pim_ilp_var(m->ilp, first, fmax(first, last), 0, false);
		m->f[IDLE][i] = pim_ilp_var(m->ilp, 0, t->mode[0].units, 0, false);
	}
	for (int i = 0; i < n; i++)
		for (int j = 0; j < n; j++) {
			m->z[i][j] = parallel(m, i, j) ? pim_ilp_var(m->ilp, 0, 1, 0, true) : NO_VAR;
			bool flows = parallel(m, i, j) || m->before[i][j];
			m->f[i][j] = flows ? pim_ilp_var(m->ilp, 0, most_units(m, i, j), 0, false) : NO_VAR;
		}
	m->end = pim_ilp_var(m->ilp, scaled(m, m->bound), m->horizon, 1, false);
}

static void add_duration(model *m, int i, double coef)
{
	for (int k = 0; k < m->r->task[i].n_modes; k++)
		add_term(m, m->x[i][k], coef * scaled(m, m->r->task[i].mode[k].cycles));
}

static void add_units(model *m, int i, double coef)
{
	for (int k = 0; k < m->r->task[i].n_modes; k++)
		add_term(m, m->x[i][k], coef * m->r->task[i].mode[k].units);
}

/* (1) */
static void add_one_mode(model *m, int i)
{
	for (int k = 0; k < m->r->task[i].n_modes; k++)
		add_term(m, m->x[i][k], 1);
	end_row(m, PIM_ILP_eq, 1);
}

/* (2) */
static void add_precedence(model *m, int i, int j)
{
	add_term(m, m->s[j], 1);
	add_term(m, m->s[i], -1);
	add_duration(m, i, -1);
	end_row(m, PIM_ILP_ge, 0);
}

/* (3) */
static void add_disjunction(model *m, int i, int j)
{
	double big = m->horizon - scaled(m, m->tail[i]) - scaled(m, m->head[j]);
	add_term(m, m->s[j], 1);
	add_term(m, m->s[i], -1);
	add_duration(m, i, -1);
	add_term(m, m->z[i][j], -big);
	end_row(m, PIM_ILP_ge, -big);
}

/* (4) */
static void add_one_order(model *m, int i, int j)
{
	add_term(m, m->z[i][j], 1);
	add_term(m, m->z[j][i], 1);
	end_row(m, PIM_ILP_le, 1);
}

/* (5) */
static void add_flow_in(model *m, int j)
{
	add_term(m, m->f[IDLE][j], 1);
	for (int i = 0; i < m->r->n; i++)
		if (m->f[i][j] != NO_VAR)
			add_term(m, m->f[i][j], 1);
	add_units(m, j, -1);
	end_row(m, PIM_ILP_eq, 0);
}

/* (6) */
static void add_flow_out(model *m, int i)
{
	for (int j = 0; j < m->r->n; j++)
		if (m->f[i][j] != NO_VAR)
			add_term(m, m->f[i][j], 1);
	add_units(m, i, -1);
	end_row(m, PIM_ILP_le, 0);
}

/* (7) */
static void add_machine(model *m)
{
	for (int j = 0; j < m->r->n; j++)
		add_term(m, m->f[IDLE][j], 1);
	end_row(m, PIM_ILP_le, m->r->units);
}

/* (8) */
static void add_flow_needs_order(model *m, int i, int j)
{
	add_term(m, m->f[i][j], 1);
	add_term(m, m->z[i][j], -most_units(m, i, j));
	end_row(m, PIM_ILP_le, 0);
}

/* (9) */
static void add_end(model *m, int i)
{
	add_term(m, m->end, 1);
	add_term(m, m->s[i], -1);
	add_duration(m, i, -1);
	end_row(m, PIM_ILP_ge, scaled(m, m->tail[i]));
}

/* (10) */
static void add_work(model *m)
{
	add_term(m, m->end, m->r->units);
	for (int i = 0; i < m->r->n; i++)
		for (int k = 0; k < m->r->task[i].n_modes; k++) {
			const pim_mode *mode = &m->r->task[i].mode[k];
			add_term(m, m->x[i][k], -scaled(m, mode->cycles) * mode->units);
		}
	end_row(m, PIM_ILP_ge, 0);
}

static void add_rows(model *m)
{
	for (int i = 0; i < m->r->n; i++) {
		add_one_mode(m, i);
		add_flow_in(m, i);
		add_flow_out(m, i);
		add_end(m, i);
		for (int k = 0; k < m->r->task[i].n_before; k++)
			add_precedence(m, m->r->task[i].before[k], i);
		for (int j = 0; j < m->r->n; j++) {
			if (!parallel(m, i, j))
				continue;
			add_disjunction(m, i, j);
			add_flow_needs_order(m, i, j);
			if (i < j)
				add_one_order(m, i, j);
		}
	}
	add_machine(m);
	add_work(m);
}

static int64_t end_of(const pim_region *r, int i)
{
	return r->task[i].start + r->task[i].mode[r->task[i].chosen].cycles;
}

/* Lets task j take over free units from tasks that ended; left[i]: units of i nobody took yet. */
static void start_flow(const model *m, int j, int *left, double *value)
{
	int need = m->r->task[j].mode[m->r->task[j].chosen].units;
	for (int i = 0; i < m->r->n; i++) {
		if (m->f[i][j] == NO_VAR || end_of(m->r, i) > m->r->task[j].start || m->before[j][i])
			continue;
		int taken = left[i] < need ? left[i] : need;
		value[m->f[i][j]] = taken;
		left[i] -= taken;
		need -= taken;
	}
	value[m->f[IDLE][j]] = need;
}

static void sort_by_start(const pim_region *r, int *order)
{
	for (int i = 0; i < r->n; i++) {
		int k = i;
		for (; k > 0 && r->task[order[k - 1]].start > r->task[i].start; k--)
			order[k] = order[k - 1];
		order[k] = i;
	}
}

/* The schedule the region has, as a solution of the model. */
static void give_start(model *m, pim_arena *scratch)
{
	int n = m->r->n, order[MOST_TASKS], left[MOST_TASKS];
	double *value = PIM_NEW(scratch, double, m->end + 1);
	for (int i = 0; i < n; i++) {
		const pim_task *t = &m->r->task[i];
		value[m->x[i][t->chosen]] = 1;
		value[m->s[i]] = scaled(m, t->start);
		left[i] = t->mode[t->chosen].units;
		for (int j = 0; j < n; j++)
			if (m->z[i][j] != NO_VAR)
				value[m->z[i][j]] = end_of(m->r, i) <= m->r->task[j].start;
	}
	sort_by_start(m->r, order);
	for (int i = 0; i < n; i++)
		start_flow(m, order[i], left, value);
	value[m->end] = scaled(m, pim_region_cycles(m->r));
	pim_ilp_start(m->ilp, value);
}

/* Modes and order from the solver; times by our own arithmetic; kept when no worse than before. */
static void take_answer(model *m, pim_arena *scratch)
{
	pim_region *r = m->r;
	int64_t before = pim_region_cycles(r);
	pim_task *old = PIM_NEW(scratch, pim_task, r->n);
	memcpy(old, r->task, sizeof *old * (size_t)r->n);
	for (int i = 0; i < r->n; i++) {
		for (int k = 0; k < r->task[i].n_modes; k++)
			if (pim_ilp_value(m->ilp, m->x[i][k]) > 0.5)
				r->task[i].chosen = k;
		r->task[i].start = (int64_t)(pim_ilp_value(m->ilp, m->s[i]) * m->scale + 0.5);
	}
	if (pim_region_settle(r, scratch) > before)
		memcpy(r->task, old, sizeof *old * (size_t)r->n);
}

static int64_t solve_model(
	model *m, double seconds, int64_t *nodes, bool *proved, pim_arena *scratch)
{
	add_variables(m, scratch);
	add_rows(m);
	give_start(m, scratch);
	pim_ilp_status status = pim_ilp_solve(m->ilp, seconds);
	*nodes += pim_ilp_nodes(m->ilp);
	*proved = status == PIM_ILP_optimal;
	if (status != PIM_ILP_optimal && status != PIM_ILP_feasible)
		return 0;
	take_answer(m, scratch);
	return (int64_t)(pim_ilp_bound(m->ilp) * m->scale);
}

int64_t pim_region_ilp(
	pim_region *r, pim_region_effort e, int64_t *nodes, bool *settled, pim_arena *scratch)
{
	if (r->n > MOST_TASKS)
		return pim_region_search(r, e, nodes, settled);
	int64_t value = pim_region_cycles(r), *head = PIM_NEW(scratch, int64_t, r->n),
			*tail = PIM_NEW(scratch, int64_t, r->n), bound = pim_region_bound(r, head, tail);
	*settled = (double)(value - bound) <= e.gap * (double)value;
	if (*settled)
		return bound;
	model *m = PIM_NEW(scratch, model, 1);
	*m = (model){.r = r, .ilp = pim_ilp_new(), .scale = (double)value / 1000, .horizon = 1000};
	m->head = head;
	m->tail = tail;
	m->bound = bound;
	close_precedence(m);
	int64_t solved = solve_model(m, e.seconds, nodes, settled, scratch);
	pim_ilp_free(m->ilp);
	bound = solved > bound ? solved : bound;
	value = pim_region_cycles(r);
	bound = bound < value ? bound : value;
	*settled = *settled || (double)(value - bound) <= e.gap * (double)value;
	return bound;
}
