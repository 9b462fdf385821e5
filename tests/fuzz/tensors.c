/* SPDX-License-Identifier: Apache-2.0 */
/* tensors.c - tensors in files; the first byte says of which kind. */
#include <string.h>
#include <sys/stat.h>

#include "frontends/frontend.h"
#include "tests/fuzz/file.h"

static void read_npz(pim_context *c, pim_arena *a, const uint8_t *data, size_t n)
{
	char folder[64], path[128];
	pim_named_tensor t[2];
	snprintf(folder, sizeof folder, "/dev/shm/pim-fuzz-%d.d", (int)getpid());
	mkdir(folder, 0700);
	snprintf(path, sizeof path, "%s/inputs.npz", folder);
	FILE *f = fopen(path, "wb");
	if (!f || fwrite(data, 1, n, f) != n || fclose(f))
		abort();
	pim_tensors_read_dir(c, folder, "input", 2, NULL, a, t);
	unlink(path);
	rmdir(folder);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	char path[64];
	pim_named_tensor t;
	if (n == 0)
		return 0;
	pim_context *c = pim_context_new();
	pim_arena *a = pim_arena_new();
	bool good = true;
	put_file(path, *data == 'p' ? ".pb" : ".npy", data + 1, n - 1);
	if (*data == 'z')
		read_npz(c, a, data + 1, n - 1);
	else if (*data == 'p')
		good = pim_tensor_read_pb(c, path, a, &t);
	else
		good = pim_tensor_read_npy(c, path, a, &t);
	if (!good && !pim_context_errors(c))
		abort();
	unlink(path);
	pim_arena_free(a);
	pim_context_free(c);
	return 0;
}
