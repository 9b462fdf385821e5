/* SPDX-License-Identifier: Apache-2.0 */
/* text.c - the text form: what is read is verified, and prints to a text that reads back to itself.
 */
#include <string.h>

#include "tests/fuzz/file.h"

static char *read_and_print(const char *text, size_t n, bool must)
{
	pim_context *c = pim_context_new();
	pim_module *m = pim_module_parse(c, "fuzz", text, n);
	char *printed = m ? pim_module_print(m) : NULL;
	if (!m && (must || !pim_context_errors(c)))
		abort();
	pim_context_free(c);
	return printed;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	char *first = read_and_print((const char *)data, n, false);
	if (first) {
		char *second = read_and_print(first, strlen(first), true);
		if (strcmp(first, second))
			abort();
		free(second);
	}
	free(first);
	return 0;
}
