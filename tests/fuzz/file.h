/* SPDX-License-Identifier: Apache-2.0 */
/* tests/fuzz/file.h - readers of files are given the fuzzer's bytes as a file in memory. */
#ifndef PIM_TESTS_FUZZ_FILE_H
#define PIM_TESTS_FUZZ_FILE_H

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "ir/ir.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

/* A file with these bytes, whose name ends so; the reader of it forgets the path with its context.
 */
static inline void put_file(char path[64], const char *ending, const uint8_t *data, size_t n)
{
	snprintf(path, 64, "/dev/shm/pim-fuzz-%d%s", (int)getpid(), ending);
	FILE *f = fopen(path, "wb");
	if (!f || fwrite(data, 1, n, f) != n || fclose(f))
		abort();
}

#endif
