# SPDX-License-Identifier: Apache-2.0
# OnnxProto - the reader of ONNX's protobuf messages, made by protoc-c from the .proto file that
# Debian's python3-onnx installs. Gives the target onnx_proto; #include "onnx-ml.pb-c.h".
# Dependencies.cmake has found protobuf-c.

find_file(ONNX_PROTO_FILE onnx-ml.proto
	PATHS /usr/lib/python3/dist-packages/onnx
	DOC "ONNX's message definitions (Debian: python3-onnx)" REQUIRED)
find_program(PROTOC_C protoc-c DOC "protobuf-c compiler (Debian: protobuf-c-compiler)" REQUIRED)

set(ONNX_PROTO_DIR ${CMAKE_BINARY_DIR}/onnx_proto)
get_filename_component(ONNX_PROTO_FOLDER ${ONNX_PROTO_FILE} DIRECTORY)
file(MAKE_DIRECTORY ${ONNX_PROTO_DIR})
add_custom_command(
	OUTPUT ${ONNX_PROTO_DIR}/onnx-ml.pb-c.c ${ONNX_PROTO_DIR}/onnx-ml.pb-c.h
	COMMAND ${PROTOC_C} --c_out=${ONNX_PROTO_DIR} --proto_path=${ONNX_PROTO_FOLDER} ${ONNX_PROTO_FILE}
	DEPENDS ${ONNX_PROTO_FILE}
	COMMENT "ONNX messages by protoc-c"
	VERBATIM)

add_library(onnx_proto STATIC ${ONNX_PROTO_DIR}/onnx-ml.pb-c.c ${ONNX_PROTO_DIR}/onnx-ml.pb-c.h)
target_include_directories(onnx_proto SYSTEM PUBLIC ${ONNX_PROTO_DIR})
target_link_libraries(onnx_proto PUBLIC PkgConfig::PROTOBUF_C)
target_compile_options(onnx_proto PRIVATE -w)
