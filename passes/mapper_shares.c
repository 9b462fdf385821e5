/* SPDX-License-Identifier: Apache-2.0 */
/* mapper_shares.c - units of groups that run at the same time: water is filled in where it is
 * lowest, so the group that takes longest for its share gets the next unit, beyond the units that
 * its constants need. That is least for the largest work / share, by exchange: a unit given
 * elsewhere leaves the longest group as long. */
#include "passes/mapper.h"

#include <math.h>

void pim_mapper_fill_shares(const pim_mapper *m, int first, int last, int *shares)
{
	int left = m->units;
	for (int i = first; i < last; i++)
		left -= shares[i] = m->group[i].least_units;
	for (; left > 0; left--) {
		int longest = first;
		for (int i = first + 1; i < last; i++)
			if (m->group[i].work * shares[longest] > m->group[longest].work * shares[i])
				longest = i;
		shares[longest]++;
	}
}

void pim_mapper_segment(const pim_mapper *m, int n, int *first)
{
	double all = 0, sum = 0;
	for (int i = 0; i < m->n; i++)
		all += m->group[i].work;
	int k = 0;
	first[k++] = 0;
	for (int i = 0; i < m->n && k < n; i++) {
		int rest = m->n - (i + 1);
		sum += m->group[i].work;
		if (rest > 0 && (sum >= all * k / n || rest <= n - k))
			first[k++] = i + 1;
	}
	while (k <= n)
		first[k++] = m->n;
}

void pim_mapper_round_shares(const pim_mapper *m, const double *weight, int *shares)
{
	double sum = 0;
	int left = m->units;
	for (int i = 0; i < m->n; i++)
		sum += weight[i];
	for (int i = 0; i < m->n; i++) {
		shares[i] = (int)(weight[i] / sum * m->units);
		shares[i] = shares[i] < m->group[i].least_units ? m->group[i].least_units : shares[i];
		left -= shares[i];
	}
	while (left != 0) {
		int best = -1, way = left > 0 ? 1 : -1;
		double most = -INFINITY;
		for (int i = 0; i < m->n; i++) {
			double lacks = way * (weight[i] / sum * m->units - shares[i]);
			if (lacks > most && (way > 0 || shares[i] > m->group[i].least_units)) {
				most = lacks;
				best = i;
			}
		}
		if (best < 0)
			return;
		shares[best] += way;
		left -= way;
	}
}

void pim_mapper_move_shares(const pim_mapper *m, const pim_mapper_plan *p, int *shares)
{
	pim_arena *a = pim_arena_new();
	double *wait = PIM_NEW(a, double, m->n), *weight = PIM_NEW(a, double, m->n);
	for (int i = 0; i < m->n; i++)
		wait[i] = p->end[i] - p->begin[i];
	for (int i = 0; i < m->n; i++)
		for (int k = 0; k < m->group[i].n_edges; k++) {
			int from = m->group[i].edge[k].from;
			wait[from] = fmin(wait[from], fmax(0, p->begin[i] - p->begin[from]));
		}
	for (int i = 0; i < m->n; i++)
		weight[i] = sqrt(shares[i] * sqrt(wait[i] * shares[i]));
	pim_mapper_round_shares(m, weight, shares);
	pim_arena_free(a);
}
