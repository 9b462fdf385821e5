/* SPDX-License-Identifier: Apache-2.0 */
/* machine.c - target files: a machine, or messages. */
#include "targets/target.h"
#include "tests/fuzz/file.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	char path[64];
	pim_context *c = pim_context_new();
	put_file(path, ".yaml", data, n);
	if (!pim_target_find(c, path) && !pim_context_errors(c))
		abort();
	pim_context_free(c);
	unlink(path);
	return 0;
}
