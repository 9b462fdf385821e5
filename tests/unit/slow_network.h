/* SPDX-License-Identifier: Apache-2.0 */
/* tests/unit/slow_network.h - what targets/flows.h promises, cycle by cycle, on meshes and tori of
 * two dimensions: nothing is kept that can be counted, and every link is looked at in every cycle.
 *
 * A message stands on outputs: six to a router, of which the last two are not there, and the port
 * into the unit. The first output of a flow stands for it. */
#ifndef PIM_TESTS_UNIT_SLOW_NETWORK_H
#define PIM_TESTS_UNIT_SLOW_NETWORK_H

#include <stdbool.h>
#include <string.h>

#include "targets/target.h"

enum { SLOW_UNITS = 16, OUTS = SLOW_UNITS * 7, INSIDE = OUTS, SLOW_COPIES = 16, CYCLE = 360 };

/* tag: for who posts it. left, arrival: -1 before they are known. Times and numbers of what waits
 * are 0 where nothing does. */
typedef struct slow_message {
	int tag, from, n, to[SLOW_UNITS], outs, out[OUTS]; /* out: ascending */
	int64_t flits, first, left, arrival[SLOW_UNITS];
	bool entered, on[OUTS], past[OUTS], lane[OUTS], works[OUTS], through[OUTS], waits[OUTS];
	int before[OUTS], hops[OUTS], flow[OUTS], copy[OUTS]; /* copy: -1: from an input port */
	int begun[OUTS], ended[OUTS];
	int64_t wants_lane[OUTS], wants_copy[OUTS], since[OUTS], parts[OUTS];
} slow_message;

typedef struct slow_network {
	const pim_target *t;
	int lanes, n;
	int64_t depth, now, stamp;
	slow_message *all;
} slow_network;

static inline void slow_burst(slow_network *w, slow_message *m, int flow);
static inline void slow_head(slow_network *w, slow_message *m, int at);

/* Which way round from a to b: 1, -1, or 0 when there; on a ring the shorter, upwards when equal.
 */
static inline int slow_way(const pim_target *t, int a, int b, int size)
{
	int up = (b - a + size) % size;
	if (t->network.topology == PIM_TOPOLOGY_torus)
		return up == 0 ? 0 : up <= size - up ? 1 : -1;
	return (b > a) - (b < a);
}

/* The output that a message takes from a unit on, along x, then y, then into the unit. */
static inline int slow_output(const pim_target *t, int *at, int to)
{
	int width = t->network.size[0], height = t->network.size[1], here = *at;
	int dx = slow_way(t, here % width, to % width, width);
	int dy = dx ? 0 : slow_way(t, here / width, to / width, height);
	*at = (here / width + dy + height) % height * width + (here % width + dx + width) % width;
	return here * 7 + (here == to ? 6 : dx > 0 ? 0 : dx < 0 ? 1 : dy > 0 ? 2 : 3);
}

static inline int slow_children(const slow_message *m, int at, int *child)
{
	int n = 0;
	for (int i = 0; i < m->outs; i++)
		if (m->before[m->out[i]] == at)
			child[n++] = m->out[i];
	return n;
}

static inline bool slow_forks(const slow_message *m, int at)
{
	int child[OUTS];
	return slow_children(m, at, child) > 1;
}

/* The outputs of a flow, in order. */
static inline int slow_flow(const slow_message *m, int flow, int *out)
{
	int n = 0, child[OUTS];
	for (int o = flow; m->flow[o] == flow;) {
		out[n++] = o;
		if (slow_children(m, o, child) != 1)
			break;
		o = child[0];
	}
	return n;
}

/* Is the end of the ring behind the route when it has taken this output? */
static inline bool slow_past(const slow_network *w, int at, int port, bool before)
{
	const int *size = w->t->network.size;
	int d = port / 2, place = d ? at / size[0] : at % size[0];
	return w->t->network.topology == PIM_TOPOLOGY_torus && port != 6 &&
		   (before || place == (port % 2 ? 0 : size[d] - 1));
}

static inline void slow_route(slow_network *w, slow_message *m, int to)
{
	int at = m->from, last = INSIDE, out = 0, hops = 0;
	bool past[3] = {false};
	do {
		int here = at;
		out = slow_output(w->t, &at, to);
		past[out % 7 / 2 % 3] = slow_past(w, here, out % 7, out % 7 != 6 && past[out % 7 / 2]);
		hops += out % 7 != 6;
		m->on[out] = true;
		m->before[out] = last;
		m->hops[out] = hops;
		m->past[out] = out % 7 != 6 && past[out % 7 / 2];
		last = out;
	} while (out % 7 != 6);
}

static inline void slow_add(slow_network *w, slow_message *m)
{
	m->left = -1;
	m->entered = false;
	m->outs = 0;
	for (int o = 0; o < OUTS; o++)
		m->copy[o] = m->flow[o] = m->before[o] = -1;
	for (int i = 0; i < m->n; i++) {
		m->arrival[i] = -1;
		slow_route(w, m, m->to[i]);
	}
	for (int o = 0; o < OUTS; o++)
		if (m->on[o])
			m->out[m->outs++] = o;
	for (int round = 0; round < SLOW_UNITS; round++) /* behind what is before it */
		for (int i = 0; i < m->outs; i++) {
			int o = m->out[i], before = m->before[o];
			bool starts = before == INSIDE || m->flits <= w->depth || slow_forks(m, before);
			m->flow[o] = starts ? o : m->flow[before];
		}
}

/* ---- what goes on ---- */

static inline int64_t slow_bursts(const slow_network *w, const slow_message *m)
{
	return m->flits > w->depth ? 2 : 1;
}

static inline bool slow_leaves_at_once(const slow_network *w, const slow_message *m)
{
	return m->flits <= w->depth || slow_forks(m, INSIDE);
}

static inline void slow_take_lane(slow_network *w, slow_message *m, int o)
{
	int out[OUTS], n = slow_flow(m, m->flow[o], out);
	m->lane[o] = true;
	m->wants_lane[o] = 0;
	slow_head(w, m, o);
	if (out[n - 1] != o)
		return;
	m->through[m->flow[o]] = true;
	slow_burst(w, m, m->flow[o]);
}

static inline int slow_lanes(const slow_network *w, int o, bool past)
{
	if (w->t->network.topology != PIM_TOPOLOGY_torus || o % 7 == 6)
		return w->lanes;
	return past ? w->lanes - w->lanes / 2 : w->lanes / 2;
}

/* Gives lanes of an output to those who came first. */
static inline void slow_give_lanes(slow_network *w, int o, bool past)
{
	for (;;) {
		int taken = 0;
		slow_message *best = NULL;
		for (slow_message *m = w->all; m < w->all + w->n; m++) {
			taken += m->lane[o] && m->past[o] == past;
			if (m->wants_lane[o] && m->past[o] == past &&
				(!best || m->wants_lane[o] < best->wants_lane[o]))
				best = m;
		}
		if (!best || taken >= slow_lanes(w, o, past))
			return;
		slow_take_lane(w, best, o);
	}
}

static inline void slow_want_lane(slow_network *w, slow_message *m, int o)
{
	m->wants_lane[o] = ++w->stamp;
	slow_give_lanes(w, o, m->past[o]);
}

static inline void slow_give_copies(slow_network *w, int router)
{
	for (;;) {
		uint32_t taken = 0;
		slow_message *best = NULL;
		int at = 0;
		for (slow_message *m = w->all; m < w->all + w->n; m++)
			for (int o = router * 7; o < router * 7 + 7; o++) {
				taken |= m->copy[o] < 0 ? 0 : 1u << m->copy[o];
				if (m->wants_copy[o] && (!best || m->wants_copy[o] < best->wants_copy[at])) {
					best = m;
					at = o;
				}
			}
		if (!best || taken == (1u << SLOW_COPIES) - 1)
			return;
		best->wants_copy[at] = 0;
		best->copy[at] = 0;
		while (taken >> best->copy[at] & 1)
			best->copy[at]++;
		slow_want_lane(w, best, at);
	}
}

/* The head of a message is behind an output. */
static inline void slow_head(slow_network *w, slow_message *m, int at)
{
	int child[OUTS], n = slow_children(m, at, child);
	if (n == 1)
		slow_want_lane(w, m, child[0]);
	if (n < 2)
		return;
	for (int i = 0; i < n; i++)
		m->wants_copy[child[i]] = ++w->stamp;
	slow_give_copies(w, child[0] / 7);
}

static inline bool slow_is_open(const slow_message *m, int flow)
{
	int out[OUTS], n = slow_flow(m, flow, out);
	bool works = m->waits[flow];
	for (int i = 0; i < n; i++)
		works = works || m->works[out[i]];
	return works;
}

static inline void slow_burst(slow_network *w, slow_message *m, int flow)
{
	int out[OUTS], child[OUTS], n = slow_flow(m, flow, out);
	int feeder = m->before[flow] == INSIDE ? INSIDE : m->flow[m->before[flow]];
	if (!m->through[flow] || m->begun[flow] > m->ended[flow] || m->begun[flow] == slow_bursts(w, m))
		return;
	if (feeder != INSIDE && m->begun[feeder] == m->begun[flow])
		return;
	int64_t flits = slow_bursts(w, m) == 1 ? m->flits : (m->flits + !m->begun[flow]) / 2;
	m->begun[flow]++;
	m->waits[flow] = feeder != INSIDE && m->ended[feeder] < m->begun[flow];
	for (int i = 0; i < n; i++) {
		m->works[out[i]] = true;
		m->parts[out[i]] = flits * CYCLE;
		m->since[out[i]] = ++w->stamp;
	}
	n = slow_children(m, out[n - 1], child);
	for (int i = 0; i < n; i++)
		slow_burst(w, m, child[i]);
}

static inline void slow_end_flow(slow_network *w, slow_message *m, int flow)
{
	int out[OUTS], n = slow_flow(m, flow, out), last = out[n - 1];
	for (int i = 0; i < m->n; i++)
		if (last == m->to[i] * 7 + 6)
			m->arrival[i] = w->now + m->hops[last] * w->t->network.hop_cycles;
	for (int i = 0; i < n; i++) {
		m->lane[out[i]] = false;
		slow_give_lanes(w, out[i], m->past[out[i]]);
	}
	if (m->copy[flow] < 0)
		return;
	m->copy[flow] = -1;
	slow_give_copies(w, flow / 7);
}

static inline void slow_end_burst(slow_network *w, slow_message *m, int flow)
{
	int out[OUTS], child[OUTS], length = slow_flow(m, flow, out);
	int n = slow_children(m, out[length - 1], child);
	int64_t all = slow_bursts(w, m), room = w->depth * length;
	m->ended[flow]++;
	if (m->before[flow] == INSIDE && m->left < 0 && (m->ended[flow] == all || m->flits / 2 <= room))
		m->left = m->first + m->flits > w->now ? m->first + m->flits : w->now;
	for (int i = 0; i < n; i++)
		if (m->waits[child[i]] && m->begun[child[i]] == m->ended[flow]) {
			m->waits[child[i]] = false;
			if (!slow_is_open(m, child[i]))
				slow_end_burst(w, m, child[i]);
		}
	if (m->ended[flow] == all)
		slow_end_flow(w, m, flow);
	else
		slow_burst(w, m, flow);
}

/* Jobs of an output that are done, in the order in which they began. */
static inline void slow_end_jobs(slow_network *w, int o)
{
	slow_message *done[SLOW_COPIES];
	int n = 0;
	for (slow_message *m = w->all; m < w->all + w->n; m++) {
		int at = n;
		if (!m->works[o] || m->parts[o] > 0)
			continue;
		for (; at > 0 && done[at - 1]->since[o] > m->since[o]; at--)
			done[at] = done[at - 1];
		done[at] = m;
		n++;
	}
	for (int i = 0; i < n; i++)
		done[i]->works[o] = false;
	for (int i = 0; i < n; i++)
		if (!slow_is_open(done[i], done[i]->flow[o]))
			slow_end_burst(w, done[i], done[i]->flow[o]);
}

/* Looks at a time: what is done then, and which messages begin. */
static inline void slow_look(slow_network *w, int64_t now)
{
	bool done[OUTS] = {false};
	w->now = now;
	for (const slow_message *m = w->all; m < w->all + w->n; m++)
		for (int i = 0; i < m->outs; i++)
			done[m->out[i]] |= m->works[m->out[i]] && m->parts[m->out[i]] <= 0;
	for (int o = 0; o < OUTS; o++)
		if (done[o])
			slow_end_jobs(w, o);
	for (int u = 0; u < w->t->units; u++)
		for (slow_message *m = w->all; m < w->all + w->n; m++)
			if (m->from == u && !m->entered && m->first == now) {
				m->entered = true;
				m->left = slow_leaves_at_once(w, m) ? now + m->flits : -1;
				slow_head(w, m, INSIDE);
			}
}

static inline int slow_input(const slow_message *m, int o)
{
	if (m->copy[o] >= 0)
		return 7 + m->copy[o];
	return m->before[o] == INSIDE ? 6 : m->before[o] % 7;
}

/* Lets a cycle go by. */
static inline void slow_pass(slow_network *w)
{
	int same[OUTS][7 + SLOW_COPIES], inputs[OUTS] = {0};
	for (const slow_message *m = w->all; m < w->all + w->n; m++)
		for (int i = 0; i < m->outs; i++)
			memset(same[m->out[i]], 0, sizeof same[0]);
	for (const slow_message *m = w->all; m < w->all + w->n; m++)
		for (int i = 0, o; i < m->outs; i++)
			if (m->works[o = m->out[i]])
				inputs[o] += !same[o][slow_input(m, o)]++;
	for (slow_message *m = w->all; m < w->all + w->n; m++)
		for (int i = 0, o; i < m->outs; i++)
			if (m->works[o = m->out[i]])
				m->parts[o] -= CYCLE / (inputs[o] * same[o][slow_input(m, o)]);
}

#endif
