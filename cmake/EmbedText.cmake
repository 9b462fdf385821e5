# SPDX-License-Identifier: Apache-2.0
# EmbedText.cmake - text files as C strings.
#
#   include(cmake/EmbedText.cmake)
#   embed_text(${CMAKE_CURRENT_BINARY_DIR}/targets_yaml.c pim_target_yaml_ targets/null.yaml ...)
#
# makes a rule for the output: for each file NAME.ext it defines
# `const char *const <prefix>NAME` (dashes as underscores), NUL-terminated. Add the output to a target's sources.

if(NOT CMAKE_SCRIPT_MODE_FILE)
	set(EMBED_TEXT_SCRIPT ${CMAKE_CURRENT_LIST_FILE})

	function(embed_text output prefix)
		set(files)
		foreach(file IN LISTS ARGN)
			get_filename_component(path ${file} ABSOLUTE BASE_DIR ${CMAKE_CURRENT_SOURCE_DIR})
			list(APPEND files ${path})
		endforeach()
		add_custom_command(OUTPUT ${output}
			COMMAND ${CMAKE_COMMAND} -DOUTPUT=${output} -DPREFIX=${prefix} "-DFILES=${files}"
				-P ${EMBED_TEXT_SCRIPT}
			DEPENDS ${files} ${EMBED_TEXT_SCRIPT}
			COMMENT "Embedding ${output}"
			VERBATIM)
	endfunction()
	return()
endif()

# Bytes as character constants: a string literal may be too long for ISO C.
set(text "")
foreach(file IN LISTS FILES)
	get_filename_component(name ${file} NAME_WE)
	string(REPLACE "-" "_" name ${name})
	file(READ ${file} bytes HEX)
	string(REGEX REPLACE "([0-9a-f][0-9a-f])" "'\\\\x\\1'," bytes "${bytes}")
	string(APPEND text "static const char text_${name}[] = {${bytes}0};\n")
	string(APPEND text "extern const char *const ${PREFIX}${name};\n")
	string(APPEND text "const char *const ${PREFIX}${name} = text_${name};\n")
endforeach()
file(WRITE ${OUTPUT} "${text}")
