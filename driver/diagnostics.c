/* SPDX-License-Identifier: Apache-2.0 */
/* driver/diagnostics.c - messages on stderr, for people or for tools. */
#include <unistd.h>

#include "driver/driver.h"

void diagnostics_print_text(void *user, const pim_diag *d)
{
	(void)user;
	pim_diag_print(d, stderr, isatty(STDERR_FILENO));
}

void diagnostics_print_json(void *user, const pim_diag *d)
{
	(void)user;
	pim_diag_json(d, stderr);
}
