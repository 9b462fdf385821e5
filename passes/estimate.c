/* SPDX-License-Identifier: Apache-2.0 */
/* estimate - what one node costs when it may use so many units.
 *
 * Compute is the nest's figure for one slice, once per wave; ops that only move elements have no
 * kernel and take what copies within the unit take. A box that lies whole in one home on the unit
 * is read in place. Incoming is what a wave waits for its inputs: every piece from another unit is
 * one message, paid at the port of the sender and again at that of the receiver. Messages go in
 * rounds in which every unit sends to another one, so both ports work side by side: a wave waits
 * for its first message and then for the longest of what its own port takes, what the senders take
 * (bytes that several slices read are sent once), and what the busiest link carries when a slice
 * and those that send to it exchange all with all, lying in lines of the network. Three slices
 * (first, middle in every dimension, last) stand for all. Which units is not known yet: slice s of
 * any node is taken to be on the unit of its order's turn, or, where it has none and that makes the
 * wait shorter, on the unit that holds most of what it reads of the input that moves most, as
 * placement would put it. While a wave computes, the next one's inputs arrive: with c and q cycles
 * of both, w waves take q + w*c + (w-1)*max(0, q-c). Needs a layout, and a nest but for moves.
 * Source: ours; the charges are those of the simulator. Of a shared constant every reader holds one
 * of the pieces itself. */
#include "passes/pass.h"

typedef struct crew {
	int units, from; /* of the node; of each of its producers, at most */
	const int *on;	 /* by slice: its unit; NULL: as its order says */
	pim_crews crews; /* apart: no slice is on a unit of its producers; placed: as they are */
} crew;

/* What one slice needs of all inputs: bytes and messages from other units, and the cycles they take
 * at the receiver's port, at the senders' ports and in copies within the unit. */
typedef struct arrivals {
	int64_t bytes, messages, receive, send, copy;
	double shared;	/* send, a message to several slices counted once */
	double carried; /* bytes, likewise */
} arrivals;

static bool has_layout(const pim_node *n)
{
	return n && n->plan && n->plan->layout;
}

static bool only_moves(const pim_node *n)
{
	return pim_op_at((pim_op)n->op)->flags & PIM_OPF_move;
}

/* Is the slice, or a copy of it, on the unit `to`? */
static bool is_home(const pim_node *from, int64_t slice, int64_t units, int64_t to, pim_crews crews)
{
	const pim_layout *l = from->plan->layout;
	int64_t each = pim_layout_slices(l) / l->copies;
	if (crews == PIM_CREWS_apart)
		return false;
	for (int64_t c = 0; c < l->copies; c++) {
		int64_t candidate = slice % each + c * each;
		if (to == (crews == PIM_CREWS_placed ? pim_slice_unit(from, candidate)
											 : pim_slice_slot(from, candidate, units)))
			return true;
	}
	return false;
}

static int64_t unit_of(const crew *c, const pim_node *n, int64_t slice)
{
	if (c->crews == PIM_CREWS_placed)
		return pim_slice_unit(n, slice);
	return c->on ? c->on[pim_slice_position(n, slice)] : pim_slice_slot(n, slice, c->units);
}

/* Slices that read the same box of an input: those that differ only in dimensions of the result
 * whose axes the input has not, and in copies. Copies of the input share them. */
static int64_t count_readers(const pim_node *n, const pim_axes *x, int input)
{
	bool used[PIM_MAX_AXES] = {false};
	const pim_layout *l = n->plan->layout;
	int64_t readers = l->copies;
	for (int d = 0; d < n->in[input]->type->rank; d++)
		for (int k = 0; k < x->map[input][d].n; k++)
			used[x->map[input][d].term[k].axis] = true;
	for (int d = 0; d < l->rank; d++) {
		bool told = false;
		const pim_index *index = &x->map[x->n_inputs][d];
		for (int k = 0; k < index->n; k++)
			told = told || used[index->term[k].axis];
		readers *= told ? 1 : l->parts[d];
	}
	return pim_max(1, readers / n->in[input]->plan->layout->copies);
}

static void count_input(const pim_target *t, const pim_node *n, const pim_axes *x, int input,
	const pim_box *axes, int64_t slice, crew c, arrivals *a)
{
	const pim_node *from = n->in[input];
	const pim_layout *l = from->plan->layout;
	int64_t units = pim_min(c.from, pim_layout_slices(l)), pieces = 0, copy = 0;
	pim_box need, part;
	pim_axes_demand(x, n, input, axes, &need, NULL, NULL);
	bool shared = from->op == PIM_OP_constant;
	pim_pieces p = pim_pieces_of(from, &need, slice % l->copies);
	double readers = (double)count_readers(n, x, input);
	for (int64_t s; pim_pieces_next(&p, &s, &part); pieces++) {
		if (shared && pieces == 0)
			continue;
		int64_t bytes = pim_box_elements(&part) * (int64_t)pim_dtype_bytes(from->type->dtype);
		int64_t port = pim_plus(pim_target_memory_cycles(t, bytes), t->command_cycles);
		if (!shared && is_home(from, s, units, unit_of(&c, n, slice), c.crews)) {
			copy = pim_plus(copy, port);
			continue;
		}
		a->bytes += bytes;
		a->messages++;
		a->receive = pim_plus(a->receive, port);
		int64_t send =
			pim_max(port, pim_plus(pim_target_send_cycles(t, bytes, 0), t->command_cycles));
		a->send = pim_plus(a->send, send);
		a->shared += (double)send / readers;
		a->carried += (double)bytes / readers;
	}
	a->copy += pieces > 1 || only_moves(n) ? copy : 0;
}

/* Does input i of the member come from outside of its group, from where slices are? */
static bool comes_in(const pim_member *p, int i)
{
	return p->from[i] < 0 && has_layout(p->node->in[i]);
}

/* The slice of a member that runs with slice s of the last one, and its axis ranges. */
static int64_t find_ranges(const pim_fusion *f, int m, int64_t s, pim_box *axes)
{
	int64_t own = pim_fusion_slice(f, m, s);
	own = own < 0 ? s : own;
	pim_slice_axes(f->member[m].node, f->member[m].axes, own, axes);
	return own;
}

static arrivals count_arrivals(const pim_target *t, const pim_fusion *f, int64_t slice, crew c)
{
	arrivals a = {0};
	for (int m = 0; m < f->n; m++) {
		const pim_member *p = &f->member[m];
		pim_box axes;
		int64_t own = find_ranges(f, m, slice, &axes);
		for (int i = 0; i < (int)p->node->n_in; i++)
			if (comes_in(p, i))
				count_input(t, p->node, p->axes, i, &axes, own, c, &a);
	}
	return a;
}

/* Units that hold the inputs: those over which what is sent is spread. */
static int64_t count_senders(const pim_fusion *f, int units)
{
	int64_t senders = 1;
	for (int m = 0; m < f->n; m++) {
		const pim_node *n = f->member[m].node;
		for (int i = 0; i < (int)n->n_in; i++)
			if (comes_in(&f->member[m], i))
				senders =
					pim_max(senders, pim_min(units, pim_layout_slices(n->in[i]->plan->layout)));
	}
	return senders;
}

/* A line or ring of w units: hops between all pairs, a unit and itself among them, on average; and
 * what its busiest link carries of that. In a line the link in the middle carries what w/2 units
 * send to each of the other w/2; in a ring all links carry the same. */
static double mean_hops(int64_t w, bool ring)
{
	return ring ? (double)(w * w / 4) / (double)w : (double)(w * w - 1) / (3.0 * (double)w);
}

static double busiest_load(int64_t w, bool ring)
{
	int64_t pairs = w / 2 * (w - w / 2);
	return (double)pairs / (double)w / (ring ? 2 : 1);
}

/* On buses: what units of one bus send over it, and what they get from others. */
static pim_exchange bus_exchange(const pim_target *t, int64_t partners)
{
	pim_exchange r = {.units = 1};
	int64_t left = partners + 1, reach[4] = {1};
	for (int d = 0; d < 3; d++) {
		int64_t side = pim_min(t->network.size[d], left);
		reach[d + 1] = r.units *= side;
		left = pim_divide_up(left, side);
	}
	for (int d = 0; d < 3 && r.units > 1; d++) {
		double below = (double)reach[d], on = (double)reach[d + 1], all = (double)r.units;
		if (reach[d] == reach[d + 1])
			continue;
		double load = on * (all - below + all - on) / (all - 1);
		r.hops += (2 * d + 1) * (on - below) / (all - 1);
		r.load = load > r.load ? load : r.load;
	}
	return r;
}

pim_exchange pim_exchange_of(const pim_target *t, int64_t partners)
{
	if (t->network.topology == PIM_TOPOLOGY_bus)
		return bus_exchange(t, partners);
	pim_exchange r = {.units = 1};
	int64_t left = partners + 1;
	for (int d = 0; d < 3; d++) {
		int64_t side = pim_min(t->network.size[d], left);
		bool ring = t->network.topology == PIM_TOPOLOGY_torus && side == t->network.size[d];
		double load = busiest_load(side, ring);
		r.hops += mean_hops(side, ring);
		r.load = load > r.load ? load : r.load;
		r.units *= side;
		left = pim_divide_up(left, side);
	}
	double others = r.units > 1 ? (double)r.units / (double)(r.units - 1) : 0;
	r.hops *= others;
	r.load *= others;
	return r;
}

/* Cycles until the inputs of a wave of `wide` slices, each like this one, have arrived. */
static int64_t wait_for(const pim_target *t, const arrivals *a, int64_t wide, int64_t senders)
{
	if (!a->messages)
		return 0;
	pim_exchange r = pim_exchange_of(t, a->messages);
	int64_t first = a->send / a->messages + (int64_t)(r.hops * (double)t->network.hop_cycles);
	int64_t carried = (int64_t)((double)a->carried * r.load / t->network.link_bytes_per_cycle);
	int64_t sent = (int64_t)(a->shared * (double)wide / (double)senders);
	int64_t entered = (int64_t)((double)a->bytes / t->network.link_bytes_per_cycle);
	return first +
		   pim_max(pim_max(carried, entered), pim_max(a->receive, sent - a->send / a->messages));
}

/* ---- slices beside what they read ---- */

/* The unit with room that holds most of a box of `from`, when that is at least half of it; -1 for
 * none. */
static int find_holder(
	const pim_node *from, const pim_box *need, int64_t slice, int64_t units, const int *room)
{
	int64_t most = 0, whole = pim_box_elements(need);
	int best = -1;
	pim_box part;
	pim_pieces p = pim_pieces_of(from, need, slice % from->plan->layout->copies);
	for (int64_t s; pim_pieces_next(&p, &s, &part);) {
		int64_t elements = pim_box_elements(&part);
		int slot = (int)pim_slice_slot(from, s, units);
		if (elements > most && room[slot] > 0) {
			most = elements;
			best = slot;
		}
	}
	return 2 * most >= whole ? best : -1;
}

/* An input of a member. */
typedef struct intake {
	int member, input;
} intake;

static int64_t count_bytes(
	const pim_target *t, const pim_fusion *f, intake k, const int64_t sample[3], crew c)
{
	const pim_member *p = &f->member[k.member];
	arrivals a = {0};
	for (int i = 0; i < 3; i++) {
		pim_box axes;
		int64_t own = find_ranges(f, k.member, sample[i], &axes);
		count_input(t, p->node, p->axes, k.input, &axes, own, c, &a);
	}
	return a.bytes;
}

/* The input of which these slices fetch the most bytes; member -1 when they fetch none. */
static intake find_moving_input(
	const pim_target *t, const pim_fusion *f, const int64_t sample[3], crew c)
{
	intake best = {-1, -1};
	int64_t most = 0;
	for (int m = 0; m < f->n; m++)
		for (int i = 0; i < (int)f->member[m].node->n_in; i++) {
			intake k = {m, i};
			const pim_node *from = f->member[m].node->in[i];
			bool computed = comes_in(&f->member[m], i) && from->op != PIM_OP_constant;
			int64_t bytes = computed ? count_bytes(t, f, k, sample, c) : 0;
			if (bytes > most) {
				most = bytes;
				best = k;
			}
		}
	return best;
}

/* A unit for every slice, by what it reads of one input; NULL when some slice finds none. */
static const int *bind_slices(
	const pim_fusion *f, intake k, int64_t slices, int64_t waves, crew c, pim_arena *a)
{
	const pim_member *p = &f->member[k.member];
	const pim_node *from = p->node->in[k.input];
	int64_t units = pim_min(c.from, pim_layout_slices(from->plan->layout));
	int *on = PIM_NEW(a, int, slices), *room = PIM_NEW(a, int, units);
	for (int64_t u = 0; u < units; u++)
		room[u] = (int)waves;
	for (int64_t s = 0; s < slices; s++) {
		pim_box axes, need;
		find_ranges(f, k.member, s, &axes);
		pim_axes_demand(p->axes, p->node, k.input, &axes, &need, NULL, NULL);
		on[s] = find_holder(from, &need, s, units, room);
		if (on[s] < 0)
			return NULL;
		room[on[s]]--;
	}
	return on;
}

/* What the slices wait for and copy. */
typedef struct supply {
	int64_t waits, copied;
	double bytes;
} supply;

static supply find_supply(
	const pim_target *t, const pim_fusion *f, const int64_t sample[3], int64_t slices, crew c)
{
	supply r = {0};
	int64_t senders = count_senders(f, c.from);
	for (int i = 0; i < 3; i++) {
		arrivals a = count_arrivals(t, f, sample[i], c);
		r.copied = pim_max(r.copied, a.copy);
		r.waits = pim_max(r.waits, wait_for(t, &a, c.units, senders));
		r.bytes += (double)a.bytes * (double)slices / 3;
	}
	return r;
}

/* The slice in the middle of every dimension: it has neighbours on all sides. */
static int64_t middle_slice(const pim_layout *l)
{
	int64_t slice = 0;
	for (int d = 0; d < l->rank; d++)
		slice = slice * l->parts[d] + l->parts[d] / 2;
	return slice * l->sums + l->sums / 2;
}

/* With slices where they are numbered, or beside what they read if that is sooner; a task on half
 * of the units or fewer runs beside others and cannot choose where its producers were. */
static supply find_best_supply(
	const pim_target *t, const pim_fusion *f, const pim_estimate *e, crew c, pim_arena *scratch)
{
	const pim_layout *layout = f->member[f->n - 1].node->plan->layout;
	int64_t sample[3] = {0, middle_slice(layout), e->slices - 1};
	supply plain = find_supply(t, f, sample, e->slices, c);
	intake k = {-1, -1};
	if (plain.waits > 0 && 2 * c.from > t->units)
		k = find_moving_input(t, f, sample, c);
	if (k.member < 0 || f->member[f->n - 1].node->plan->order || c.crews == PIM_CREWS_placed)
		return plain;
	c.on = bind_slices(f, k, e->slices, e->waves, c, scratch);
	supply bound = c.on ? find_supply(t, f, sample, e->slices, c) : plain;
	return bound.waits + bound.copied < plain.waits + plain.copied ? bound : plain;
}

/* Partial sums that are added up along a tree arrive when they are added. */
static pim_estimate estimate_sums(const pim_target *t, const pim_node *n, crew c, pim_estimate e)
{
	if (n->op != PIM_OP_relayout || !has_layout(n->in[0]) || n->in[0]->plan->layout->sums == 1)
		return e;
	pim_crew_sizes crews = {c.from, c.units};
	pim_sums shape = pim_sums_best(t, n, crews);
	if (shape == PIM_SUMS_straight)
		return e;
	e.cycles = pim_max(1, (int64_t)pim_sums_cycles(t, n, shape, crews));
	e.incoming = pim_max(0, e.cycles - e.compute);
	return e;
}

pim_estimate pim_node_estimate(
	const pim_target *t, const pim_node *n, int units, int from_units, pim_arena *scratch)
{
	pim_estimate e = {.slices = 1, .waves = 1, .cycles = 1};
	if (!has_layout(n))
		return e;
	e.slices = pim_layout_slices(n->plan->layout);
	crew c = {
		.units = (int)pim_min(pim_max(units, 1), e.slices), .from = (int)pim_max(from_units, 1)};
	if (n->graph->facts & PIM_FACT_placed)
		c.crews = PIM_CREWS_placed;
	e.waves = pim_divide_up(e.slices, c.units);
	if (pim_fusion_first(n) != n) {
		e.cycles = 0;
		return e;
	}
	const pim_fusion *f = pim_fusion_of((pim_node *)n, NULL, scratch);
	supply s = find_best_supply(t, f, &e, c, scratch);
	e.bytes = s.bytes;
	int64_t kernels = n->plan->nest && !only_moves(n) ? n->plan->nest->cycles : 0,
			compute = kernels + s.copied;
	e.compute = compute * e.waves;
	e.incoming = s.waits * e.waves;
	e.cycles = pim_max(1, s.waits + e.compute + (e.waves - 1) * pim_max(0, s.waits - compute));
	return estimate_sums(t, n, c, e);
}

/* Those that its plan says, else all. */
static int units_of(const pim_target *t, const pim_node *n)
{
	return n->plan->n_units > 0 ? n->plan->n_units : t->units;
}

pim_estimate pim_input_estimate(
	const pim_target *t, const pim_node *n, int input, pim_crews crews, pim_arena *scratch)
{
	pim_estimate e = {.slices = 1, .waves = 1};
	if (!has_layout(n) || !has_layout(n->in[input]))
		return e;
	e.slices = pim_layout_slices(n->plan->layout);
	crew c = {.units = (int)pim_min(units_of(t, n), e.slices), .from = t->units, .crews = crews};
	e.waves = pim_divide_up(e.slices, c.units);
	const pim_axes *x = pim_axes_new(n, scratch);
	const pim_node *from = n->in[input];
	int64_t sample[3] = {0, middle_slice(n->plan->layout), e.slices - 1},
			senders = pim_min(units_of(t, from), pim_layout_slices(from->plan->layout));
	for (int i = 0; i < 3; i++) {
		pim_box axes;
		arrivals a = {0};
		pim_slice_axes(n, x, sample[i], &axes);
		count_input(t, n, x, input, &axes, sample[i], c, &a);
		e.compute = pim_max(e.compute, a.copy);
		e.incoming = pim_max(e.incoming, wait_for(t, &a, c.units, senders));
		e.bytes += (double)a.bytes * (double)e.slices / 3;
	}
	e.cycles = e.incoming + e.compute;
	return e;
}
