/* SPDX-License-Identifier: Apache-2.0 */
/* targets/links.h - messages whole on the buses of a network, in the order in which they are given.
 * On meshes and tori: targets/flows.h. */
#ifndef PIM_TARGETS_LINKS_H
#define PIM_TARGETS_LINKS_H

#include "targets/target.h"

typedef struct pim_links pim_links;
pim_links *pim_links_new(const pim_target *t);
void pim_links_free(pim_links *l);

/* A message to n units along the tree of their routes. start: of its send; cycles: that its unit's
 * port or bus works for it; link: that it takes each bus; since: before that, no later send
 * starts. */
typedef struct pim_trip {
	const pim_tree *tree;
	int n;
	const int *to;
	int64_t start, cycles, link, since;
} pim_trip;
/* Gives when it has left its unit and, by destination, when it is there. */
int64_t pim_links_travel(pim_links *l, const pim_trip *m, int64_t *arrival);

#endif
