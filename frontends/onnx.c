/* SPDX-License-Identifier: Apache-2.0 */
/* onnx - ONNX models, as a frontend.
 *
 * Steps: skeleton without payloads, protobuf-c, versions, operators that are missing, graph. What
 * the message needs is in a scratch arena that ends with the import; what the program keeps is in
 * the module's, or still in the mapped file. */
#include <string.h>

#include "frontends/onnx.h"

/* The newest version of the file format whose changes were looked at (onnx 1.20). */
enum { NEWEST_IR = 13, OLDEST_OPSET = 1 };

/* Does the file begin with a field of ModelProto? */
bool pim_knows_onnx(const char *path, const void *bytes, size_t n)
{
	static const uint8_t tags[] = {0x08, 0x12, 0x1a, 0x22, 0x28, 0x32, 0x3a, 0x42, 0x72};
	(void)path;
	return n >= 2 && memchr(tags, *(const uint8_t *)bytes, sizeof tags) != NULL;
}

static const char *base_name(const char *path)
{
	const char *slash = strrchr(path, '/');
	return slash ? slash + 1 : path;
}

/* The message, in the arena; NULL after a diagnostic. */
static Onnx__ModelProto *unpack(const onnx_file *f, pim_arena *scratch)
{
	pim_text skeleton = {0};
	ProtobufCAllocator allocator = onnx_arena_allocator(scratch);
	Onnx__ModelProto *model = NULL;
	if (onnx_payload_skeleton(f, ONNX_MESSAGE_model, &skeleton)) {
		model = onnx__model_proto__unpack(
			&allocator, skeleton.n, (const uint8_t *)(skeleton.s ? skeleton.s : ""));
		if (!model)
			pim_file_error(f->context, f->path,
				"not a valid ONNX file: its fields do not have the types of ONNX's messages");
	}
	pim_text_free(&skeleton);
	return model;
}

static bool check_versions(const onnx_file *f, const Onnx__ModelProto *m, const onnx_scope *s)
{
	int64_t opset = onnx_opset(s, "");
	if (!m->graph)
		return pim_file_error(
			f->context, f->path, "the model has no graph (is the file truncated?)");
	if (!m->has_ir_version || m->ir_version < 1 || m->ir_version > NEWEST_IR)
		return pim_file_error(f->context, f->path, "IR version %lld is not supported, 1 to %d are",
			(long long)m->ir_version, NEWEST_IR);
	if (opset == 0)
		return pim_file_error(f->context, f->path, "the model does not say which opset it uses");
	if (opset < OLDEST_OPSET || opset > ONNX_NEWEST_OPSET)
		return pim_file_error(f->context, f->path, "opset %lld is not supported, %d to %d are",
			(long long)opset, OLDEST_OPSET, ONNX_NEWEST_OPSET);
	return true;
}

static pim_module *import(const onnx_file *f, const pim_read_options *o, pim_arena *scratch)
{
	onnx_import x = {.context = f->context, .scratch = scratch, .file = f, .options = o};
	onnx_scope versions = {0};
	Onnx__ModelProto *model = unpack(f, scratch);
	if (!model)
		return NULL;
	versions.n_opsets = model->n_opset_import;
	versions.opsets = model->opset_import;
	x.model = model;
	onnx_table_open(&x);
	if (!check_versions(f, model, &versions))
		return NULL;
	bool supported = onnx_check_supported(&x, &versions);
	if (!supported && !x.elsewhere)
		return NULL;
	x.module = pim_module_new(f->context);
	x.module->path = f->path;
	return onnx_graph_import(&x) && supported ? x.module : NULL;
}

pim_module *pim_read_onnx(
	pim_context *c, const char *path, const void *bytes, size_t n, const pim_read_options *o)
{
	const char *base = base_name(path);
	bool in_file = strcmp(path, "<stdin>") != 0;
	onnx_file f = {c, path, in_file ? pim_intern(c, base, strlen(base)) : NULL, bytes, n};
	pim_arena *scratch = pim_arena_new();
	pim_module *m = import(&f, o, scratch);
	pim_arena_free(scratch);
	return m;
}
