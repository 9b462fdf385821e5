/* SPDX-License-Identifier: Apache-2.0 */
/* mapper_shares.c - units of groups that run at the same time: water is filled in where it is
 * lowest, so the group that takes longest for its share gets the next unit. That is least for the
 * largest work / share, by exchange: a unit given elsewhere leaves the longest group as long. */
#include "passes/mapper.h"

void pim_mapper_fill_shares(const pim_mapper *m, int first, int last, int *shares)
{
	for (int i = first; i < last; i++)
		shares[i] = 1;
	for (int left = m->units - (last - first); left > 0; left--) {
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
