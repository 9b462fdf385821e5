#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# format.sh CLANG_FORMAT SOURCE: every .c and .h stands as .clang-format says. The headers that are
# contracts are laid out by hand, in columns.
set -eu
cd "$2"
by_hand='ir/(ir|fusion)|passes/(pass|ilp)|targets/(program|target)'
find ir frontends targets passes driver examples bench tests -name '*.[ch]' | grep -vE "^($by_hand)\.h$" | sort | xargs "$1" --dry-run -Werror
