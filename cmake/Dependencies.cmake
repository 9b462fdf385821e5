# SPDX-License-Identifier: Apache-2.0
# Libraries from Debian, each used by the files that docs/design.md names and by no other.
find_package(PkgConfig REQUIRED)
find_package(Threads REQUIRED)
pkg_check_modules(YAML REQUIRED IMPORTED_TARGET yaml-0.1)
pkg_check_modules(PROTOBUF_C REQUIRED IMPORTED_TARGET libprotobuf-c)
pkg_check_modules(JANSSON REQUIRED IMPORTED_TARGET jansson)
pkg_check_modules(MINIZIP REQUIRED IMPORTED_TARGET minizip)
if(PIM_SOLVER)
	find_package(LpSolve REQUIRED)
endif()
if(PIM_PICTURES)
	pkg_check_modules(GVC REQUIRED IMPORTED_TARGET libgvc libcgraph)
endif()
