/* SPDX-License-Identifier: Apache-2.0 */
/* branch_paths.c - structural branches: parallel ways between a fork and its join.
 *
 * A fork is a value with several users; its join is the first node that all ways to the results
 * pass (the immediate post-dominator). Nodes that are reached from one user of the fork only, and
 * come before the join, are a way of their own: the arms of an Inception block, the q, k
 * and v projections, the body of a residual. An edge from fork to join is a way without nodes.
 * Cost: the nodes between every fork and its join, looked at once per fork. */
#include "passes/pass.h"

enum { SINK = 0, NOT_REACHED = -1, SEVERAL = -2 };

typedef struct paths {
	pim_graph *graph;
	pim_users *users;
	int count;
	int *place;	   /* by id: position in the graph, from 1; 0 is the sink behind all results */
	int *above;	   /* by position: immediate post-dominator */
	int *depth;	   /* by position: in the tree of post-dominators */
	int *reached;  /* by position: the one user of the fork that reaches it */
	pim_node **at; /* by position */
	bool *result;  /* by position */
	int *forks;	   /* by way, from 1: the id of its fork; NULL when nobody asks */
} paths;

static int common_above(const paths *p, int a, int b)
{
	while (a != b) {
		if (p->depth[a] >= p->depth[b])
			a = p->above[a];
		else
			b = p->above[b];
	}
	return a;
}

static void find_joins(paths *p)
{
	for (int at = p->count; at > 0; at--) {
		int join = p->result[at] ? SINK : -1, users = pim_users_count(p->users, p->at[at]);
		for (int u = 0; u < users; u++) {
			int user = p->place[pim_users_at(p->users, p->at[at], u)->id];
			join = join < 0 ? user : common_above(p, join, user);
		}
		p->above[at] = join < 0 ? SINK : join;
		p->depth[at] = p->depth[p->above[at]] + 1;
	}
}

static void reach(paths *p, int at, int from)
{
	int *r = &p->reached[at];
	*r = *r == NOT_REACHED || *r == from ? from : SEVERAL;
}

/* Starts a way at each user of the fork other than the join; the number of ways. */
static int start_paths(paths *p, int fork, int join)
{
	int ways = 0, users = pim_users_count(p->users, p->at[fork]);
	bool direct = false;
	for (int u = 0; u < users; u++) {
		int user = p->place[pim_users_at(p->users, p->at[fork], u)->id];
		if (user == join) {
			direct = true;
		} else if (p->reached[user] == NOT_REACHED) {
			reach(p, user, user);
			ways++;
		}
	}
	return ways + direct;
}

/* Gives each node between fork and join that one user reaches the number of that way. */
static void follow_paths(paths *p, int fork, int join, int first, int *path)
{
	int next = first;
	for (int at = fork + 1; at < join; at++) {
		if (p->reached[at] == NOT_REACHED)
			continue;
		for (int u = 0; u < pim_users_count(p->users, p->at[at]); u++)
			reach(p, p->place[pim_users_at(p->users, p->at[at], u)->id], p->reached[at]);
		int from = p->reached[at];
		if (from == at)
			path[p->at[at]->id] = next++;
		else if (from != SEVERAL)
			path[p->at[at]->id] = path[p->at[from]->id];
	}
	for (int at = fork + 1; at <= join; at++)
		p->reached[at] = NOT_REACHED;
}

/* Ways that leave `fork`; 0 when they never meet again. */
static int find_paths(paths *p, int fork, int found, int *path)
{
	int join = p->above[fork];
	if (join == SINK || pim_users_count(p->users, p->at[fork]) < 2 ||
		p->at[fork]->op == PIM_OP_constant)
		return 0;
	int ways = start_paths(p, fork, join);
	if (ways < 2) {
		for (int at = fork + 1; at <= join; at++)
			p->reached[at] = NOT_REACHED;
		return 0;
	}
	follow_paths(p, fork, join, found + 1, path);
	for (int way = found + 1; p->forks && way <= found + ways; way++)
		p->forks[way] = (int)p->at[fork]->id;
	return ways;
}

/* Every way starts with an edge, so there are no more ways than edges. */
static int *make_forks(pim_graph *g, pim_arena *a)
{
	size_t edges = 1;
	PIM_EACH_NODE(n, g)
	edges += n->n_in;
	return PIM_NEW(a, int, edges);
}

int pim_branch_forks(pim_graph *g, int *path, int **forks, pim_arena *a)
{
	size_t room = (size_t)g->n_ids + 2;
	paths p = {.graph = g, .users = pim_users_new(g, a)};
	p.forks = forks ? *forks = make_forks(g, a) : NULL;
	p.place = PIM_NEW(a, int, room);
	p.above = PIM_NEW(a, int, room);
	p.depth = PIM_NEW(a, int, room);
	p.reached = PIM_NEW(a, int, room);
	p.at = PIM_NEW(a, pim_node *, room);
	p.result = PIM_NEW(a, bool, room);
	PIM_EACH_NODE(n, g)
	{
		p.at[++p.count] = n;
		p.place[n->id] = p.count;
		path[n->id] = 0;
	}
	for (size_t k = 0; k < room; k++)
		p.reached[k] = NOT_REACHED;
	for (int r = 0; r < g->n_results; r++)
		p.result[p.place[g->results[r]->id]] = true;
	find_joins(&p);
	int found = 0;
	for (int fork = 1; fork <= p.count; fork++)
		found += find_paths(&p, fork, found, path);
	return found;
}
