# SPDX-License-Identifier: Apache-2.0
# Warnings and sanitizers, as one interface target that everything of ours links.
add_library(pim_flags INTERFACE)
target_compile_options(pim_flags INTERFACE -Wall -Wextra -Wpedantic -Wshadow -Wstrict-prototypes -Wmissing-prototypes)
target_compile_definitions(pim_flags INTERFACE _GNU_SOURCE)
if(PIM_WERROR)
	target_compile_options(pim_flags INTERFACE -Werror)
endif()
if(PIM_SANITIZE)
	# gcc takes the sanitizer's null checks for null formats
	target_compile_options(pim_flags INTERFACE $<$<C_COMPILER_ID:GNU>:-Wno-format-truncation>)
	target_compile_options(pim_flags INTERFACE -fsanitize=address,undefined -fno-sanitize-recover=undefined -fno-omit-frame-pointer)
	target_link_options(pim_flags INTERFACE -fsanitize=address,undefined)
endif()
if(PIM_FUZZ)
	target_compile_options(pim_flags INTERFACE -fsanitize=fuzzer-no-link)
	target_link_options(pim_flags INTERFACE -fsanitize=fuzzer-no-link)
endif()
