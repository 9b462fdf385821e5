#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# header.sh CC CXX INCLUDE FOLDER: pim.h alone is C11, C17 and C++17 without a warning.
set -eu
cc=$1 cxx=$2 include=$3 folder=$4
here=$(dirname "$0")
strict="-Wall -Wextra -Wpedantic -Werror -Wshadow -Wconversion -Wundef -Wcast-qual -Wwrite-strings"
mkdir -p "$folder"
for standard in c11 c17; do
	# shellcheck disable=SC2086 # a list of words
	"$cc" -std=$standard $strict -Wstrict-prototypes -Wmissing-prototypes -I "$include" -c "$here/header.c" -o "$folder/$standard.o"
done
cp "$here/header.c" "$folder/header.cpp"
for standard in c++11 c++17 c++20; do
	# shellcheck disable=SC2086
	"$cxx" -std=$standard $strict -Wold-style-cast -I "$include" -c "$folder/header.cpp" -o "$folder/$standard.o"
done
# It needs libc only.
foreign=$(sed -n 's/^#include //p' "$include/pim/pim.h" | grep -vxE '<std(bool|def|int)\.h>' || true)
[ -z "$foreign" ] || { echo "pim.h includes $foreign"; exit 1; }
