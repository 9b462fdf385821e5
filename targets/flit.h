/* SPDX-License-Identifier: Apache-2.0 */
/* targets/flit.h - the network flit by flit: routers, virtual channels, credits.
 *
 * What is modelled. A message is one packet of flits; a flit is what a link takes in a cycle. Each
 * unit has a router with an input buffer per port and lane (a lane is a virtual channel), ports in
 * six directions and to the unit. Routes are those of network.c. A message takes an output lane
 * when its first flit is at the front of a buffer and gives it back behind its last one; flits of
 * other messages may stand behind it in the same buffer. A flit leaves a router in one cycle and
 * is in the next buffer hop_cycles later, if there is credit for it; a credit is back a cycle after
 * the place was left. In a cycle each input port sends one flit and each output port takes one: an
 * input port chooses among its lanes, then an output port among input ports, both round robin. On
 * a ring, lanes are in two halves: a message moves to the second half where it passes the end of
 * the ring, so that no circle of messages can wait for each other. The unit takes what
 * comes to it, a flit a cycle, without limit, and puts in a flit a cycle as long as the
 * buffer has room.
 *
 * A message to several units forks in routers, where the tree of its routes does: the router keeps
 * the flits that come until every branch has taken them, in a place of its own for each branch
 * (there are 16; further branches wait), so branches do not hold up each other, nor what comes.
 *
 * What is left out: heads without payload (routes are taken to travel beside the data), packets of
 * limited length, adaptive routes, links that fail. A hop of no time is taken as one cycle. */
#ifndef PIM_TARGETS_FLIT_H
#define PIM_TARGETS_FLIT_H

#include "targets/target.h"

/* Virtual channels of a port, and flits of one buffer; a buffer also holds what is under way when
 * a lone message streams (hop_cycles + 1). On a torus there are at least two lanes. */
typedef struct pim_flit_shape {
	int lanes, depth;
} pim_flit_shape;
enum { PIM_FLIT_LANES = 4, PIM_FLIT_DEPTH = 8, PIM_FLIT_MOST_LANES = 6 };

/* What became of a message: its last flit has left the sending unit, or is at the receiving one. */
typedef enum pim_flit_kind { PIM_FLIT_left, PIM_FLIT_arrived } pim_flit_kind;
typedef struct pim_flit_event {
	pim_flit_kind kind;
	uint32_t message;
	int destination; /* of arrived: its index */
	int64_t time;	 /* from then on */
} pim_flit_event;

/* Flits of a buffer that is asked to hold `depth`. */
int pim_flit_depth(const pim_target *t, int depth);

typedef struct pim_flit pim_flit;
pim_flit *pim_flit_new(const pim_target *t, pim_flit_shape shape);
void pim_flit_free(pim_flit *f);
/* flits: at least one; flit k is there to be sent from cycle first + k on, and first is no cycle
 * that was run. to: ascending. tree: of the routes (pim_network_tree), where there are several
 * (flows.h: always); kept until the message has arrived everywhere. */
typedef struct pim_flit_message {
	int from, n;
	const int *to;
	const pim_tree *tree;
	int64_t flits, first;
} pim_flit_message;
/* A unit posts its next message when the last one has left. Returns a number, used again when the
 * message has arrived everywhere. */
uint32_t pim_flit_post(pim_flit *f, const pim_flit_message *m);
/* The next cycle in which anything may happen; INT64_MAX: never. */
int64_t pim_flit_next(const pim_flit *f);
/* Runs cycle `now`, which is the next one or, when all is still, a later one. */
void pim_flit_cycle(pim_flit *f, int64_t now);
/* What happened since the last call. */
int pim_flit_events(const pim_flit *f, const pim_flit_event **event);
/* Totals: flits put in by units, moved over links, and taken out by units. */
typedef struct pim_flit_totals {
	int64_t in, hops, out, cycles; /* cycles: that were run */
} pim_flit_totals;
pim_flit_totals pim_flit_totals_of(const pim_flit *f);

#endif
