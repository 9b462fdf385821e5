/* SPDX-License-Identifier: Apache-2.0 */
/* driver/process.h - what both commands do about signals and about long runs. */
#ifndef PIM_DRIVER_PROCESS_H
#define PIM_DRIVER_PROCESS_H

#include "ir/ir.h"

/* program: "pimopt"; it must outlive the process. Finds out from the command line how messages
 * look. */
void process_begin(const char *program, int argc, char **argv);
/* How many threads OpenBLAS starts with, unless the environment says it: it starts one for each
 * core of the machine otherwise, and they wait busily. To be called before the first product. */
void process_threads(int n);
/* A message about the command itself, in the form of messages that was asked for; always false. */
bool process_complain(const char *format, ...) PIM_PRINTF(1, 2);
/* Handlers of diagnostics. */
pim_diag_handler process_print_text, process_print_json;

/* From now on SIGINT, SIGTERM and SIGHUP remove unfinished files before they end the process, and a
 * line on a terminal says every second what is going on. */
void process_watch(void);
/* What is going on; a string that lives until the next note, NULL for nothing. part in 0..1, or -1.
 * May be called from anywhere often. */
void process_note(void *user, const char *text, double part);
/* No more lines; wipes the last one. Signals are still watched. */
void process_quiet(void);
/* The same from a signal handler, with the unfinished files. */
void process_clean_up(void);
/* Unfinished files of this context are removed when a signal ends the process. */
void process_guard(pim_context *c);

#endif
