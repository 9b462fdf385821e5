/* SPDX-License-Identifier: Apache-2.0 */
/* users - which nodes use a node: one array for the whole graph, made in two walks.
 *
 * A node that uses another twice is listed once. Users stand in graph order. */
#include "ir/ir.h"

struct pim_users {
	uint32_t *first; /* of node id: users are user[first[id]] up to user[first[id + 1]] */
	pim_node **user;
};

pim_users *pim_users_new(pim_graph *g, pim_arena *scratch)
{
	pim_users *u = PIM_NEW(scratch, pim_users, 1);
	uint32_t *last = PIM_NEW(scratch, uint32_t, (size_t)g->n_ids + 1), total = 0;
	u->first = PIM_NEW(scratch, uint32_t, (size_t)g->n_ids + 2);
	uint32_t *count = u->first + 2, *next = u->first + 1;
	PIM_EACH_NODE(n, g)
	for (uint32_t i = 0; i < n->n_in; i++)
		if (n->in[i] && last[n->in[i]->id] != n->id + 1) {
			last[n->in[i]->id] = n->id + 1;
			count[n->in[i]->id]++;
			total++;
		}
	for (uint32_t id = 2; id <= g->n_ids; id++)
		u->first[id] += u->first[id - 1];
	u->user = PIM_NEW(scratch, pim_node *, (size_t)total + 1);
	PIM_EACH_NODE(n, g)
	for (uint32_t i = 0; i < n->n_in; i++)
		if (n->in[i] && last[n->in[i]->id] != UINT32_MAX - n->id) {
			last[n->in[i]->id] = UINT32_MAX - n->id;
			u->user[next[n->in[i]->id]++] = n;
		}
	return u;
}

int pim_users_count(const pim_users *u, const pim_node *n)
{
	return (int)(u->first[n->id + 1] - u->first[n->id]);
}

pim_node *pim_users_at(const pim_users *u, const pim_node *n, int i)
{
	return u->user[u->first[n->id] + (uint32_t)i];
}
