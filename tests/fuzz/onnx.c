/* SPDX-License-Identifier: Apache-2.0 */
/* onnx.c - ONNX models: a program that verifies, or messages. */
#include "frontends/frontend.h"
#include "tests/fuzz/file.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	char path[64];
	pim_context *c = pim_context_new();
	pim_read_options o = {0};
	put_file(path, ".onnx", data, n);
	pim_module *m = pim_frontend_read(c, path, &o);
	if (!m && !pim_context_errors(c))
		abort();
	for (int i = 0; m && i < m->n_graphs; i++)
		if (!pim_graph_verify(m->graphs[i]))
			abort();
	pim_context_free(c);
	unlink(path);
	return 0;
}
