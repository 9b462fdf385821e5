/* SPDX-License-Identifier: Apache-2.0 */
/* fusion.h - ops that share one walk over tiles: a group of nodes whose inner values stay in the
 * buffer. */
#ifndef PIM_IR_FUSION_H
#define PIM_IR_FUSION_H

#include "ir/ir.h"

/* A node of a fused group. An axis of it either follows one of the last member's (then it has that one's range in
 * every tile) or is whole in every tile; its own summed axes it walks by itself. */
typedef struct pim_member {
	pim_node *node;
	const pim_axes *axes;
	int operand;       /* number of its first operand among those of the group; its result stands behind its inputs */
	int *from;         /* by input: the member that makes it, -1 when it comes from outside */
	int *follows;      /* by axis: axis of the last member, -1 for none */
	bool *own;         /* by axis: loops of its own may cut it; summed, and of no input that a member makes */
	int last_reader;   /* member, -1 for none */
	bool linked;       /* what its axes follow is known */
	bool stored;       /* read outside of the group, or a result: goes to main memory too */
	bool crosses;      /* read by a member that runs on the other compute engine */
	int64_t *extent;   /* by axis, of the largest slice */
} pim_member;

/* A group: consecutive nodes, leaves aside, or one node alone. The last one's nest is the walk of all: in each of
 * its tiles every member whose box is another one than before runs once, in order. */
typedef struct pim_fusion {
	int n, n_operands;
	pim_member *member;
	/* Why the members cannot share a walk, as the second half of a sentence about `misfit`; NULL: they can. */
	const char *why;
	const pim_node *misfit;
} pim_fusion;

/* The first node of the group that n is in, n itself when it is in none; the next one of the group, or NULL. */
pim_node *pim_fusion_first(const pim_node *n);
pim_node *pim_fusion_next(const pim_node *n);
/* By node id: is the value ever in main memory? False for those that only their own group reads. */
bool *pim_graph_stored(const pim_graph *g, pim_arena *a);
/* The group of these nodes, in graph order, which all have layouts; stored as above, NULL: all are. */
pim_fusion *pim_fusion_new(int n, pim_node *const *node, const bool *stored, pim_arena *a);
/* The group of a first node. */
pim_fusion *pim_fusion_of(pim_node *first, const bool *stored, pim_arena *a);
/* The slice of member m that runs with slice s of the last member: the one whose axes have the ranges that they
 * follow; -1 when there is none. */
int64_t pim_fusion_slice(const pim_fusion *f, int m, int64_t s);
/* The axis ranges of member m in a tile of the walk; `slice`: its ranges in the slice. */
void pim_fusion_tile(const pim_fusion *f, int m, const pim_box *slice, const pim_box *walk, pim_box *axes);
/* Bytes of the buffer that the group's operands take when the members have the tiles of their nests. slot[k] (may
 * be NULL) gets two addresses for operand k, the same where one place is enough: for what never changes, and for
 * results that the engine that made them reads. Results that are read for the last time leave their place to
 * later ones. Results that another member makes have the places where they were made. */
int64_t pim_fusion_buffer_bytes(const pim_fusion *f, int64_t (*slot)[2]);

#endif
