# SPDX-License-Identifier: Apache-2.0
# The library, built from the folders, and the two programs. Rows of the tables name files: a row without
# its file stops here, a row without its function stops at the link. Machine files have dashes in their names
# where rows have underscores, as users write them.

function(require_files folder table macro dash suffix)
	set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${folder}/${table})
	file(STRINGS ${folder}/${table} rows REGEX "^${macro}\\(")
	foreach(row ${rows})
		string(REGEX REPLACE "^${macro}\\(([a-z0-9_]+).*" "\\1" name "${row}")
		string(REPLACE "_" ${dash} name ${name})
		if(NOT EXISTS ${CMAKE_SOURCE_DIR}/${folder}/${name}${suffix})
			message(FATAL_ERROR "${folder}/${table} has the row ${name}, but ${folder}/${name}${suffix} does not exist")
		endif()
	endforeach()
endfunction()
require_files(passes passes.def PASS _ .c)
require_files(targets targets.def TARGET - .yaml)
require_files(frontends frontends.def FRONTEND _ .c)

file(GLOB sources CONFIGURE_DEPENDS ir/*.c frontends/*.c targets/*.c targets/*/*.c passes/*.c)
# A library that is left out has a file that stands in for the one that uses it.
function(choose file wanted)
	set(left_out ${CMAKE_SOURCE_DIR}/passes/${file}_none.c)
	if(NOT wanted)
		set(left_out ${CMAKE_SOURCE_DIR}/passes/${file}.c)
	endif()
	list(REMOVE_ITEM sources ${left_out})
	set(sources ${sources} PARENT_SCOPE)
endfunction()
choose(ilp ${PIM_SOLVER})
choose(graphviz ${PIM_PICTURES})

file(GLOB machines CONFIGURE_DEPENDS targets/*.yaml)
embed_text(${CMAKE_BINARY_DIR}/targets_yaml.c pim_target_yaml_ ${machines})

add_library(pim_needs INTERFACE)
target_include_directories(pim_needs INTERFACE ${CMAKE_SOURCE_DIR} ${CMAKE_SOURCE_DIR}/include)
target_link_libraries(pim_needs INTERFACE pim_flags onnx_proto PkgConfig::YAML PkgConfig::PROTOBUF_C PkgConfig::JANSSON
	PkgConfig::MINIZIP Threads::Threads ${CMAKE_DL_LIBS} m)
if(PIM_SOLVER)
	target_link_libraries(pim_needs INTERFACE LpSolve::LpSolve)
endif()
if(PIM_PICTURES)
	target_link_libraries(pim_needs INTERFACE PkgConfig::GVC)
endif()

add_library(pim_objects OBJECT ${sources} ${CMAKE_BINARY_DIR}/targets_yaml.c)
target_compile_definitions(pim_objects PRIVATE PIM_VERSION="${PROJECT_VERSION}")
target_link_libraries(pim_objects PUBLIC pim_needs)

add_library(pim SHARED)
target_link_libraries(pim PRIVATE pim_objects)
target_link_options(pim PRIVATE LINKER:--exclude-libs,ALL) # static libraries of others stay inside
set_target_properties(pim PROPERTIES VERSION ${PROJECT_VERSION} SOVERSION 0 LINKER_LANGUAGE C)

# What programs, tests and measuring programs link: every function, also those that pim.h does not name.
# With sanitizers one program with a copy of its own takes 35 MB, and there are a hundred: they share the
# library, which then exports everything.
add_library(pim_internal INTERFACE)
if(PIM_SANITIZE)
	set_target_properties(pim_objects PROPERTIES C_VISIBILITY_PRESET default)
	target_link_libraries(pim_internal INTERFACE pim pim_needs)
else()
	target_sources(pim_internal INTERFACE $<TARGET_OBJECTS:pim_objects>)
	target_link_libraries(pim_internal INTERFACE pim_needs)
endif()

file(GLOB driver_sources CONFIGURE_DEPENDS driver/*.c)
list(FILTER driver_sources EXCLUDE REGEX "/pimsim\\.c$")
add_executable(pimopt ${driver_sources})
add_executable(pimsim driver/pimsim.c driver/process.c)
foreach(program pimopt pimsim)
	target_link_libraries(${program} PRIVATE pim_internal)
endforeach()
set_target_properties(pimopt PROPERTIES ENABLE_EXPORTS ON) # plugins find pim.h's functions in the program
if(PIM_SANITIZE)
	set_target_properties(pimopt pimsim PROPERTIES INSTALL_RPATH "$ORIGIN/../${CMAKE_INSTALL_LIBDIR}")
endif()
