/* SPDX-License-Identifier: Apache-2.0 */
/* interleave_layout.c - chooses a layout for every value, so that the graph runs in the least time.
 *
 * Needs: split. Gives: laid_out.
 * Idea: layout_search.c finds, exactly unless the graph is very wide, the states of all values with
 * the least sum of compute, memory and transport cycles, where every member of a branch set is cut
 * along the set's axes (and further, by its degree). Where a value is seen in another state than it
 * is made in, a relayout stands between. When the constants of the fullest unit and the live values
 * do not fit its main memory, units hold constants together, or layouts that need fewer bytes are
 * taken, whichever costs less: layout_memory.c. Cost: the search, once where memory is enough; up
 * to 60 times where it is short. Source: Allspark's interleaving as shortest path, generalised to
 * graphs and axes (ours). */
#include <string.h>

#include "passes/pass.h"

static bool is_value(const pim_node *n)
{
	return n->op != PIM_OP_constant;
}

/* ---- memory ---- */

static int64_t find_need(pim_graph *g, const pim_target *t, const pim_layout_plan *p)
{
	pim_layout_memory m = pim_layout_memory_of(g, t, p);
	return m.weights + m.values;
}

/* Units that come to be fuller than others do not matter where slots can be placed apart. The
 * search looks for plans that then fit for sure; what fits on the average is left to place. */
static bool fits_apart(pim_graph *g, const pim_target *t, const pim_layout_plan *p)
{
	pim_layout_memory m = pim_layout_memory_of(g, t, p);
	return m.mean + m.values <= pim_target_usable_bytes(t);
}

static bool report_too_large(pim_graph *g, const pim_target *t, const pim_layout_plan *p)
{
	pim_layout_memory m = pim_layout_memory_of(g, t, p);
	long long need = m.weights + m.values, have = t->memory.bytes;
	return pim_error(g->module->context, g->loc,
		"the network is too large for %s: the fullest unit needs %lld bytes of main memory "
		"(%lld for constants, %lld for values), it has %lld; memory of %lld MiB per unit would do",
		t->name, need, (long long)m.weights, (long long)m.values, have,
		(need + (1 << 20) - 1) >> 20);
}

/* ---- choosing ---- */

static pim_layout_plan *find_best(pim_layout_search *s, pim_graph *g, pim_job *j, double started)
{
	pim_layout_plan *p = pim_layout_search_fit(s);
	if (find_need(g, j->target, p) > j->target->memory.bytes) {
		pim_layout_search_spread(s);
		pim_layout_plan *apart = pim_layout_search_fit(s);
		if (!fits_apart(g, j->target, apart)) {
			report_too_large(g, j->target, p);
			return NULL;
		}
		p = apart;
	}
	pim_outcome o = {.bound = p->bound, .nodes = p->steps};
	o.value = p->optimal ? p->value : p->cycles;
	o.status = p->optimal ? "optimal" : "feasible";
	o.seconds = pim_seconds_now() - started;
	pim_job_report(j, &o);
	return p;
}

/* The uniform layout that takes the fewest cycles. */
static pim_layout_plan *find_best_uniform(pim_layout_search *s)
{
	static const pim_layout_kind kinds[] = {PIM_LAYOUT_rows, PIM_LAYOUT_columns, PIM_LAYOUT_full};
	pim_layout_plan *best = NULL;
	for (int k = 0; k < 3; k++) {
		pim_layout_plan *p = pim_layout_search_uniform(s, kinds[k]);
		if (!best || p->cycles < best->cycles)
			best = p;
	}
	return best;
}

/* How the layouts are chosen. */
typedef enum choice {
	CHOICE_best,
	CHOICE_each,
	CHOICE_rows,
	CHOICE_columns,
	CHOICE_full,
	CHOICE_COUNT
} choice;
static const char *const choice_name[CHOICE_COUNT] = {"best", "each", "rows", "columns", "full"};

static choice find_choice(const char *name)
{
	for (int k = 0; k < CHOICE_COUNT; k++)
		if (!strcmp(name, choice_name[k]))
			return (choice)k;
	return CHOICE_COUNT;
}

static pim_layout_kind kind_of(choice k)
{
	return k == CHOICE_rows		 ? PIM_LAYOUT_rows
		   : k == CHOICE_columns ? PIM_LAYOUT_columns
								 : PIM_LAYOUT_full;
}

/* A layout that is forced on all values cuts no set as it was meant: there are none then. */
static void dissolve_sets(pim_graph *g)
{
	PIM_EACH_NODE(n, g)
	{
		if (n->plan)
			n->plan->set = -1;
	}
	g->n_sets = 0;
}

static bool fits(pim_graph *g, const pim_target *t, const pim_layout_plan *p)
{
	return find_need(g, t, p) <= t->memory.bytes;
}

/* Op by op; where that takes too much memory, with a price on constants that doubles until it fits
 * or nothing changes any more. */
static pim_layout_plan *choose_each(pim_layout_search *s, pim_graph *g, const pim_target *t)
{
	pim_layout_plan *p = pim_layout_search_each(s, 0);
	for (double price = 1e-6; !fits(g, t, p) && price < 1e6; price *= 2)
		p = pim_layout_search_each(s, price);
	return p;
}

static pim_layout_plan *choose_forced(
	pim_layout_search *s, pim_graph *g, const pim_target *t, choice how)
{
	pim_layout_plan *p =
		how == CHOICE_each ? choose_each(s, g, t) : pim_layout_search_uniform(s, kind_of(how));
	pim_layout_search_fit_shares(s, p);
	if (fits(g, t, p))
		return p;
	pim_layout_search_spread(s);
	pim_layout_plan *apart = how == CHOICE_each ? pim_layout_search_each(s, 0)
												: pim_layout_search_uniform(s, kind_of(how));
	pim_layout_search_fit_shares(s, apart);
	if (fits_apart(g, t, apart))
		return apart;
	report_too_large(g, t, p);
	return NULL;
}

/* By node: as many slices as its set has branches, times its degree. Of the branches only those
 * count that fill the machine: a slice holds the others. */
static const int64_t *find_most_slices(pim_graph *g, const pim_target *t, pim_arena *a)
{
	int64_t *most = PIM_NEW(a, int64_t, g->n_ids + 1);
	PIM_EACH_NODE(n, g)
	{
		int set = n->plan ? n->plan->set : -1;
		if (set < 0)
			continue;
		most[n->id] = 1;
		for (int k = 0; k < g->sets[set].n_axes && most[n->id] < t->units; k++)
			most[n->id] *= g->sets[set].axis[k].count;
		most[n->id] *= g->sets[set].degree;
	}
	return most;
}

static pim_layout_plan *choose_plan(pim_graph *g, pim_job *j)
{
	double started = pim_seconds_now();
	pim_arena *a = pim_job_arena(j);
	choice how = find_choice(pim_job_string(j, "choose"));
	if (how == CHOICE_COUNT) {
		pim_error(g->module->context, g->loc,
			"interleave-layout has no choice '%s'; expected best, each, rows, columns or full",
			pim_job_string(j, "choose"));
		return NULL;
	}
	pim_layout_search *free_search = pim_layout_search_new(g, j->target, NULL, a);
	pim_job_count(j, "uniform_bytes", (double)find_best_uniform(free_search)->bytes);
	if (how != CHOICE_best) {
		dissolve_sets(g);
		return choose_forced(free_search, g, j->target, how);
	}
	pim_classes *c = pim_classes_new(g, a);
	int32_t(*base)[PIM_MAX_RANK] =
		pim_cuts_of_sets(g, c, pim_roles_new(g, c, a), j->target->units, a);
	const int64_t *most = find_most_slices(g, j->target, a);
	return find_best(pim_layout_search_within(g, j->target, base, most, a), g, j, started);
}

/* ---- writing it down ---- */

static void set_layout(pim_node *n, const pim_layout *l)
{
	pim_plan *p = pim_node_plan(n);
	p->layout = PIM_NEW(n->graph->module->arena, pim_layout, 1);
	*p->layout = *l;
}

/* The value in the layout its users see; it belongs to the set of the op that made it. */
static pim_node *make_relayout(pim_node *n, const pim_layout *l)
{
	pim_node *r = pim_node_make_like(n, PIM_OP_relayout, 1, &n, 0, NULL);
	if (!r)
		return NULL;
	pim_node_unlink(r);
	pim_node_link(r, n->next);
	set_layout(r, l);
	r->plan->set = n->plan->set;
	return r;
}

/* Lets every user of a value read its relayout; names stay with the ops that make the values. */
static void redirect_users(pim_graph *g, pim_node *const *made, int n_ids)
{
	PIM_EACH_NODE(n, g)
	{
		for (int i = 0; i < (int)n->n_in; i++) {
			pim_node *by = n->in[i] && (int)n->in[i]->id < n_ids ? made[n->in[i]->id] : NULL;
			if (by && by != n)
				n->in[i] = by;
		}
	}
	for (int r = 0; r < g->n_results; r++)
		if ((int)g->results[r]->id < n_ids && made[g->results[r]->id])
			g->results[r] = made[g->results[r]->id];
}

/* Layouts of constants that units hold together. */
static void share_constants(pim_graph *g, const pim_layout_plan *p, pim_job *j)
{
	int shared = 0;
	double bytes = 0, moved = 0;
	PIM_EACH_NODE(n, g)
	{
		const pim_share *share = n->op == PIM_OP_constant ? p->share[n->id] : NULL;
		if (!share)
			continue;
		set_layout(n, &share->layout);
		shared++;
		bytes += (double)share->bytes;
		moved += (double)share->moved;
	}
	pim_job_count(j, "shared", shared);
	pim_job_count(j, "shared_bytes", bytes);
	pim_job_count(j, "fetched_bytes", moved);
}

static bool apply_plan(pim_graph *g, const pim_layout_plan *p, pim_job *j)
{
	int relayouts = 0;
	pim_node **made = PIM_NEW(pim_job_arena(j), pim_node *, p->n_ids + 1);
	for (pim_node *n = g->first, *next; n; n = next) {
		next = n->next;
		if (!is_value(n))
			continue;
		const pim_states *s = p->states[n->id];
		set_layout(n, &s->state[p->own[n->id]].layout);
		if (p->own[n->id] == p->seen[n->id])
			continue;
		made[n->id] = make_relayout(n, &s->state[p->seen[n->id]].layout);
		if (!made[n->id])
			return false;
		relayouts++;
	}
	redirect_users(g, made, p->n_ids);
	share_constants(g, p, j);
	pim_job_count(j, "relayouts", relayouts);
	pim_job_count(j, "bytes", (double)p->bytes);
	return true;
}

bool pim_pass_interleave_layout(pim_graph *g, pim_job *j)
{
	const pim_layout_plan *p = choose_plan(g, j);
	return p && apply_plan(g, p, j);
}
