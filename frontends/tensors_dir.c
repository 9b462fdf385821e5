/* SPDX-License-Identifier: Apache-2.0 */
/* tensors_dir - the tensors of a data folder.
 *
 * An ONNX test-data folder has input_0.pb, input_1.pb, ...; numpy users write input_0.npy, a file
 * by the value's name, or one archive inputs.npz with the names, or arr_0, arr_1, ... in order. The
 * first form that is there is taken, for each tensor. */
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "frontends/npy.h"

typedef struct data_folder {
	pim_context *context;
	pim_arena *arena;
	const char *dir, *what;
	int n_archived; /* tensors of WHATs.npz */
	pim_named_tensor *archived;
} data_folder;

static const char *path_in(const data_folder *f, const char *name, const char *ending)
{
	return pim_arena_printf(f->arena, "%s/%s%s", f->dir, name, ending);
}

static bool exists(const char *path)
{
	return access(path, F_OK) == 0;
}

/* A name may not lead out of the folder. */
static bool is_file_name(const char *name)
{
	return *name && *name != '.' && !strchr(name, '/');
}

static const pim_named_tensor *find_archived(const data_folder *f, int i, const char *name)
{
	const char *numbered[2] = {
		pim_arena_printf(f->arena, "%s_%d", f->what, i), pim_arena_printf(f->arena, "arr_%d", i)};
	for (int k = 0; k < f->n_archived; k++)
		if (!strcmp(f->archived[k].name, name) || !strcmp(f->archived[k].name, numbered[0]) ||
			!strcmp(f->archived[k].name, numbered[1]))
			return &f->archived[k];
	return i < f->n_archived ? &f->archived[i] : NULL;
}

static bool read_one(const data_folder *f, int i, const char *name, pim_named_tensor *out)
{
	const char *numbered = pim_arena_printf(f->arena, "%s_%d", f->what, i);
	const char *stems[2] = {numbered, is_file_name(name) ? name : numbered};
	const pim_named_tensor *archived;
	for (int s = 0; s < 2; s++) {
		const char *pb = path_in(f, stems[s], ".pb"), *npy = path_in(f, stems[s], ".npy");
		if (exists(pb))
			return pim_tensor_read_pb(f->context, pb, f->arena, out);
		if (exists(npy))
			return pim_tensor_read_npy(f->context, npy, f->arena, out);
	}
	archived = find_archived(f, i, name);
	if (archived)
		*out = *archived;
	return true;
}

static bool open_archive(data_folder *f)
{
	const char *path = pim_arena_printf(f->arena, "%s/%ss.npz", f->dir, f->what);
	return !exists(path) || npz_read(f->context, path, f->arena, &f->n_archived, &f->archived);
}

bool pim_tensors_read_dir(pim_context *c, const char *dir, const char *what, int n,
	const char *const *names, pim_arena *a, pim_named_tensor *out)
{
	data_folder f = {c, a, dir, what, 0, NULL};
	struct stat st;
	bool ok = true;
	memset(out, 0, sizeof *out * (size_t)n);
	if (stat(dir, &st) != 0 || !S_ISDIR(st.st_mode))
		return pim_file_error(c, dir,
			"no such folder: expected one with %s_0.pb, %s_0.npy or %ss.npz", what, what, what);
	if (!open_archive(&f))
		return false;
	for (int i = 0; i < n; i++)
		ok = read_one(&f, i, names && names[i] ? names[i] : "", &out[i]) && ok;
	return ok;
}
