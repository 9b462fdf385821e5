/* SPDX-License-Identifier: Apache-2.0 */
/* targets/tile/work.h - one op with a slice of it (kernel.c), and what a walk over the tiles of a
 * group (walk.c) asks of it. */
#ifndef PIM_TARGETS_TILE_WORK_H
#define PIM_TARGETS_TILE_WORK_H

#include "targets/tile/tile.h"

enum { PIM_MOST_OPERANDS = PIM_MAX_RANK + 1 }; /* inputs and the result of one kernel */

typedef struct pim_operand {
	const pim_type *type; /* of the whole value; NULL: absent */
	pim_held held;		  /* where its box for the slice lies */
	uint8_t space;
	bool from_memory;				/* the kernel reads or writes it in place */
	const struct pim_operand *made; /* the result of another op of the group that this is */
	bool stored;					/* a result that main memory has too */
	int64_t slot[2];				/* buffer addresses */
	int at;							/* slot in use */
	pim_box box[2];					/* what is there; n < 0: nothing */
	bool waits[2];					/* a result that is not stored yet */
	pim_staged *staged;				/* where it arrives part by part; NULL: it is there */
	const pim_type *tile;			/* of the last box that a kernel was made for */
} pim_operand;

/* One op with its slice. */
typedef struct pim_work {
	pim_lowering *l;
	const pim_node *n;
	const pim_axes *x;
	int unit;
	bool alone;		/* in no group */
	bool first_sum; /* this slice holds the first of the partial sums */
	pim_box slice;	/* axis ranges of the slice */
	pim_box range;	/* of these, what it is at; n < 0: nothing yet */
	int n_operands; /* the result is the last */
	pim_operand *operand;
	bool placed;							  /* it is known where its operands lie */
	bool partial;							  /* the result in the slot is a sum that goes on */
	uint32_t kernel;						  /* the last one without padding, + 1; 0: none yet */
	const pim_type *types[PIM_MOST_OPERANDS]; /* that it was made for, the result first */
	int64_t groups;							  /* likewise */
	pim_tile_walk *walk; /* its finished results are stored before the next kernel; or NULL */
} pim_work;

/* parts: operands arrive part by part, by pim_tile_walk_fetch. */
typedef enum pim_fetching { PIM_FETCH_all, PIM_FETCH_parts } pim_fetching;

/* Asks for what the slice reads. */
void pim_work_fetch(pim_work *w, pim_fetching how);
/* One tile of w->range; false after a diagnostic. */
bool pim_work_run(pim_work *w, const pim_box *tile);
/* Stores the finished results that are still in the buffer, the older one first. */
void pim_work_store(pim_work *w);
pim_box pim_work_first_tile(const pim_work *w);
/* Moves to the next tile, the innermost temporal loop first; false after the last. */
bool pim_work_next_tile(const pim_work *w, pim_box *tile);

#endif
