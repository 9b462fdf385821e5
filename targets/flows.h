/* SPDX-License-Identifier: Apache-2.0 */
/* targets/flows.h - the network message by message: what flit.h models, worked out for whole
 * messages, in time that goes from event to event. Messages and what becomes of them are those of
 * flit.h; every message brings its tree, and what is told may lie ahead of the time reached. Cost:
 * for each link of a message a few events, each a few steps of a calendar (targets/calendar.h). */
#ifndef PIM_TARGETS_FLOWS_H
#define PIM_TARGETS_FLOWS_H

#include "targets/flit.h"

typedef struct pim_flows pim_flows;
/* Not for buses. */
pim_flows *pim_flows_new(const pim_target *t, pim_flit_shape shape);
void pim_flows_free(pim_flows *p);
/* As pim_flit_post; first is not before the time reached. */
uint32_t pim_flows_post(pim_flows *p, const pim_flit_message *m);
/* When something happens next; INT64_MAX: never. */
int64_t pim_flows_next(pim_flows *p);
/* Goes to that time. Messages may be posted for the same time after that. */
void pim_flows_step(pim_flows *p);
/* What became known in the last step. */
int pim_flows_events(const pim_flows *p, const pim_flit_event **event);

#endif
