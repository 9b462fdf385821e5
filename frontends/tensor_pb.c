/* SPDX-License-Identifier: Apache-2.0 */
/* tensor_pb - a file that is one TensorProto, as in ONNX test-data folders. */
#include <string.h>

#include "frontends/onnx.h"

static Onnx__TensorProto *unpack(const onnx_file *f, pim_arena *scratch)
{
	pim_text skeleton = {0};
	ProtobufCAllocator allocator = onnx_arena_allocator(scratch);
	Onnx__TensorProto *t = NULL;
	if (onnx_payload_skeleton(f, ONNX_MESSAGE_tensor, &skeleton)) {
		t = onnx__tensor_proto__unpack(
			&allocator, skeleton.n, (const uint8_t *)(skeleton.s ? skeleton.s : ""));
		if (!t)
			pim_file_error(f->context, f->path, "not a valid tensor: its fields have wrong types");
	}
	pim_text_free(&skeleton);
	return t;
}

/* Elements in the arena, aligned. */
static void *copy_elements(const pim_type *t, const void *bytes, pim_arena *a)
{
	size_t n = (size_t)pim_type_bytes(t);
	void *copy = pim_arena_raw(a, n + 1);
	memcpy(copy, bytes, n);
	return copy;
}

static bool read(const onnx_file *f, pim_arena *scratch, pim_arena *a, pim_named_tensor *out)
{
	const Onnx__TensorProto *t = unpack(f, scratch);
	pim_data data;
	if (!t)
		return false;
	out->name = t->name ? pim_arena_copy(a, t->name, strlen(t->name)) : "";
	if (!onnx_tensor_decode(
			f, t, pim_loc_name(f->context, f->path), scratch, &out->tensor.type, &data))
		return false;
	if (data.kind == PIM_DATA_absent)
		return pim_file_error(f->context, f->path, "tensor '%s' has no elements", out->name);
	out->tensor.data = copy_elements(out->tensor.type, data.bytes, a);
	return true;
}

bool pim_tensor_read_pb(pim_context *c, const char *path, pim_arena *a, pim_named_tensor *out)
{
	onnx_file f = {.context = c, .path = path};
	pim_arena *scratch;
	bool ok;
	f.bytes = pim_file_map(c, (pim_loc){0, 0}, path, &f.size);
	if (!f.bytes)
		return false;
	scratch = pim_arena_new();
	ok = read(&f, scratch, a, out);
	pim_arena_free(scratch);
	return ok;
}
