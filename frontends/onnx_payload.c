/* SPDX-License-Identifier: Apache-2.0 */
/* onnx_payload - an ONNX file without its weights.
 *
 * protobuf-c copies every `bytes` field and every packed array it unpacks, so weights read by it
 * would be in memory twice and could not stay in the mapped file. This small reader of the wire
 * format therefore runs first: it writes a skeleton of the file in which each tensor's raw_data,
 * and float_data and double_data of more than 64 bytes, is a reference of 16 bytes to where the
 * elements stand; protobuf-c unpacks the skeleton. On the way it checks every length, bounds the
 * depth of messages in messages (protobuf-c recurses without a limit), and leaves out texts and
 * training data, which nobody here reads. What it knows of ONNX is the table of messages in
 * messages below. */
#include <string.h>

#include "frontends/onnx.h"

enum {
	DEPTH_LIMIT = 256,
	INLINE_BYTES = 64,
	REFERENCE_BYTES = 16,
	WIRE_VARINT = 0,
	WIRE_64 = 1,
	WIRE_BYTES = 2,
	WIRE_32 = 5,
	FLOAT_DATA = 4,
	RAW_DATA = 9,
	DOUBLE_DATA = 10,
};

/* Fields that hold messages with payloads, or of unbounded depth, or that are left out. */
static const struct nested {
	onnx_message outer;
	int field;
	onnx_message inner;
} nested[] = {
	{ONNX_MESSAGE_model, 6, ONNX_MESSAGE_dropped},
	{ONNX_MESSAGE_model, 7, ONNX_MESSAGE_graph},
	{ONNX_MESSAGE_model, 14, ONNX_MESSAGE_dropped},
	{ONNX_MESSAGE_model, 20, ONNX_MESSAGE_dropped},
	{ONNX_MESSAGE_model, 25, ONNX_MESSAGE_function},
	{ONNX_MESSAGE_graph, 1, ONNX_MESSAGE_node},
	{ONNX_MESSAGE_graph, 5, ONNX_MESSAGE_tensor},
	{ONNX_MESSAGE_graph, 10, ONNX_MESSAGE_dropped},
	{ONNX_MESSAGE_graph, 11, ONNX_MESSAGE_value_info},
	{ONNX_MESSAGE_graph, 12, ONNX_MESSAGE_value_info},
	{ONNX_MESSAGE_graph, 13, ONNX_MESSAGE_value_info},
	{ONNX_MESSAGE_graph, 14, ONNX_MESSAGE_dropped},
	{ONNX_MESSAGE_graph, 15, ONNX_MESSAGE_sparse},
	{ONNX_MESSAGE_graph, 16, ONNX_MESSAGE_dropped},
	{ONNX_MESSAGE_function, 7, ONNX_MESSAGE_node},
	{ONNX_MESSAGE_function, 8, ONNX_MESSAGE_dropped},
	{ONNX_MESSAGE_function, 11, ONNX_MESSAGE_dropped},
	{ONNX_MESSAGE_function, 12, ONNX_MESSAGE_dropped},
	{ONNX_MESSAGE_node, 5, ONNX_MESSAGE_attribute},
	{ONNX_MESSAGE_node, 6, ONNX_MESSAGE_dropped},
	{ONNX_MESSAGE_node, 9, ONNX_MESSAGE_dropped},
	{ONNX_MESSAGE_attribute, 5, ONNX_MESSAGE_tensor},
	{ONNX_MESSAGE_attribute, 6, ONNX_MESSAGE_graph},
	{ONNX_MESSAGE_attribute, 10, ONNX_MESSAGE_tensor},
	{ONNX_MESSAGE_attribute, 11, ONNX_MESSAGE_graph},
	{ONNX_MESSAGE_attribute, 13, ONNX_MESSAGE_dropped},
	{ONNX_MESSAGE_attribute, 14, ONNX_MESSAGE_dropped},
	{ONNX_MESSAGE_attribute, 15, ONNX_MESSAGE_dropped},
	{ONNX_MESSAGE_attribute, 22, ONNX_MESSAGE_sparse},
	{ONNX_MESSAGE_attribute, 23, ONNX_MESSAGE_sparse},
	{ONNX_MESSAGE_sparse, 1, ONNX_MESSAGE_tensor},
	{ONNX_MESSAGE_sparse, 2, ONNX_MESSAGE_tensor},
	{ONNX_MESSAGE_tensor, 12, ONNX_MESSAGE_dropped},
	{ONNX_MESSAGE_value_info, 2, ONNX_MESSAGE_type},
	{ONNX_MESSAGE_value_info, 3, ONNX_MESSAGE_dropped},
	{ONNX_MESSAGE_type, 4, ONNX_MESSAGE_nested_type},
	{ONNX_MESSAGE_type, 9, ONNX_MESSAGE_nested_type},
	{ONNX_MESSAGE_type, 5, ONNX_MESSAGE_nested_type},
	{ONNX_MESSAGE_nested_type, 1, ONNX_MESSAGE_type},
	{ONNX_MESSAGE_nested_type, 2, ONNX_MESSAGE_type},
};

static const char *const message_names[] = {
	[ONNX_MESSAGE_model] = "ModelProto",
	[ONNX_MESSAGE_graph] = "GraphProto",
	[ONNX_MESSAGE_node] = "NodeProto",
	[ONNX_MESSAGE_attribute] = "AttributeProto",
	[ONNX_MESSAGE_tensor] = "TensorProto",
	[ONNX_MESSAGE_sparse] = "SparseTensorProto",
	[ONNX_MESSAGE_value_info] = "ValueInfoProto",
	[ONNX_MESSAGE_type] = "TypeProto",
	[ONNX_MESSAGE_nested_type] = "TypeProto",
	[ONNX_MESSAGE_function] = "FunctionProto",
};

/* One field of a message: where its tag, its contents and its end are. */
typedef struct field {
	int number, wire;
	size_t tag, start, end;
} field;

static onnx_message message_in(onnx_message outer, int number)
{
	for (size_t i = 0; i < sizeof nested / sizeof *nested; i++)
		if (nested[i].outer == outer && nested[i].field == number)
			return nested[i].inner;
	return ONNX_MESSAGE_none;
}

static bool read_varint(const onnx_file *f, size_t *at, size_t end, uint64_t *v)
{
	*v = 0;
	for (int shift = 0; shift < 64 && *at < end; shift += 7) {
		uint8_t b = f->bytes[(*at)++];
		*v |= (uint64_t)(b & 0x7f) << shift;
		if (!(b & 0x80))
			return true;
	}
	return false;
}

static bool fail_at(const onnx_file *f, size_t at, onnx_message m, const char *what)
{
	return pim_file_error(f->context, f->path, "not a valid ONNX file: byte %zu, in a %s: %s", at,
		message_names[m], what);
}

static bool fail_long(
	const onnx_file *f, onnx_message m, const field *d, uint64_t bytes, size_t room)
{
	return pim_file_error(f->context, f->path,
		"not a valid ONNX file: byte %zu, in a %s: field %d takes %llu bytes, but %zu are left "
		"(is the file truncated?)",
		d->tag, message_names[m], d->number, (unsigned long long)bytes, room);
}

/* Reads tag and length of the field at `at`; false after a diagnostic. */
static bool read_field(const onnx_file *f, onnx_message m, size_t at, size_t end, field *d)
{
	uint64_t tag, bytes = 0, skipped;
	d->tag = at;
	if (!read_varint(f, &at, end, &tag))
		return fail_at(f, d->tag, m, "a field's tag is cut off");
	if (tag >> 3 == 0 || tag >> 3 > 0x1fffffff)
		return fail_at(f, d->tag, m, "no field has this number");
	d->number = (int)(tag >> 3);
	d->wire = (int)(tag & 7);
	d->start = at;
	switch (d->wire) {
	case WIRE_VARINT:
		if (!read_varint(f, &at, end, &skipped))
			return fail_at(f, d->start, m, "a number is cut off or longer than 10 bytes");
		d->end = at;
		return true;
	case WIRE_64:
		bytes = 8;
		break;
	case WIRE_32:
		bytes = 4;
		break;
	case WIRE_BYTES:
		if (!read_varint(f, &at, end, &bytes))
			return fail_at(f, d->start, m, "a length is cut off");
		d->start = at;
		break;
	default:
		return fail_at(f, d->tag, m, "unknown wire type");
	}
	if (bytes > end - d->start)
		return fail_long(f, m, d, bytes, end - d->start);
	d->end = d->start + (size_t)bytes;
	return true;
}

static void write_varint(pim_text *out, uint64_t v)
{
	char b[10];
	size_t n = 0;
	for (; v >= 0x80; v >>= 7)
		b[n++] = (char)(v | 0x80);
	b[n++] = (char)v;
	pim_text_add(out, b, n);
}

static void write_reference(pim_text *out, const field *d)
{
	uint64_t words[2] = {d->start, (uint64_t)d->number << 56 | (d->end - d->start)};
	write_varint(out, RAW_DATA << 3 | WIRE_BYTES);
	write_varint(out, REFERENCE_BYTES);
	pim_text_add(out, (const char *)words, sizeof words);
}

static bool is_payload(onnx_message m, const field *d)
{
	if (m != ONNX_MESSAGE_tensor || d->wire != WIRE_BYTES)
		return false;
	return d->number == RAW_DATA || ((d->number == FLOAT_DATA || d->number == DOUBLE_DATA) &&
										d->end - d->start > INLINE_BYTES);
}

static bool copy_message(
	const onnx_file *f, onnx_message m, size_t at, size_t end, int depth, pim_text *out);

/* The contents of a nested message are written behind `out`, then moved behind their length. */
static bool copy_nested(
	const onnx_file *f, onnx_message inner, const field *d, int depth, pim_text *out)
{
	pim_text body = {0};
	bool ok = copy_message(f, inner, d->start, d->end, depth + 1, &body);
	if (ok) {
		write_varint(out, (uint64_t)d->number << 3 | WIRE_BYTES);
		write_varint(out, body.n);
		pim_text_add(out, body.n ? body.s : "", body.n);
	}
	pim_text_free(&body);
	return ok;
}

static bool copy_field(
	const onnx_file *f, onnx_message m, const field *d, int depth, int *payloads, pim_text *out)
{
	onnx_message inner = message_in(m, d->number);
	if (inner == ONNX_MESSAGE_dropped)
		return true;
	if (is_payload(m, d)) {
		if (++*payloads > 1)
			return fail_at(f, d->tag, m, "the tensor's elements are given twice");
		write_reference(out, d);
		return true;
	}
	if (inner == ONNX_MESSAGE_none) {
		pim_text_add(out, (const char *)f->bytes + d->tag, d->end - d->tag);
		return true;
	}
	if (d->wire != WIRE_BYTES)
		return fail_at(f, d->tag, m, "a number where a message is expected");
	return copy_nested(f, inner, d, depth, out);
}

static bool copy_message(
	const onnx_file *f, onnx_message m, size_t at, size_t end, int depth, pim_text *out)
{
	int payloads = 0;
	if (depth > DEPTH_LIMIT)
		return fail_at(f, at, m, "messages are nested more than 256 deep");
	while (at < end) {
		field d = {0};
		if (!read_field(f, m, at, end, &d) || !copy_field(f, m, &d, depth, &payloads, out))
			return false;
		at = d.end;
	}
	return true;
}

bool onnx_payload_skeleton(const onnx_file *f, onnx_message root, pim_text *out)
{
	return copy_message(f, root, 0, f->size, 0, out);
}

bool onnx_payload_get(const Onnx__TensorProto *t, onnx_payload *p)
{
	uint64_t words[2];
	if (!t->has_raw_data || t->raw_data.len != REFERENCE_BYTES)
		return false;
	memcpy(words, t->raw_data.data, sizeof words);
	p->offset = words[0];
	p->bytes = words[1] & ((UINT64_C(1) << 56) - 1);
	p->field = (int)(words[1] >> 56);
	return true;
}
