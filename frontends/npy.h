/* SPDX-License-Identifier: Apache-2.0 */
/* frontends/npy.h - numpy's formats, for the readers of this folder. */
#ifndef PIM_FRONTENDS_NPY_H
#define PIM_FRONTENDS_NPY_H

#include "frontends/frontend.h"

/* The tensor in the bytes of a .npy file, copied into the arena; name is for messages. */
bool npy_decode(
	pim_context *c, const char *name, const void *bytes, size_t n, pim_arena *a, pim_tensor *out);
/* Every tensor of a .npz archive, in its order; false after a diagnostic. */
bool npz_read(pim_context *c, const char *path, pim_arena *a, int *n, pim_named_tensor **out);

/* What stands before the elements of a .npy file; path is for messages. */
bool npy_header(pim_context *c, const char *path, const pim_type *t, pim_text *out);

#endif
