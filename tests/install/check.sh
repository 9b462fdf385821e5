#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# check.sh BUILD SOURCE FOLDER CC FLAGS: what is installed is enough to write a pass and a program with,
# by CMake's find_package and by pkg-config, and the installed programs need nothing of the build.
set -eu
build=$1 source=$2 folder=$3 cc=$4 flags=$5
rm -rf "$folder"
mkdir -p "$folder/use"
prefix=$folder/prefix
cmake --install "$build" --prefix "$prefix" >"$folder/log" || { cat "$folder/log"; exit 1; }
libdir=$(dirname "$(find "$prefix" -name 'libpim.so')")
export LD_LIBRARY_PATH="$libdir"
cp "$source/examples/passes/count_elements.c" "$source/examples/programs/build_and_run.c" "$source/tests/install/CMakeLists.txt" "$folder/use"
cd "$folder/use"

fail() {
	echo "install: $*"
	exit 1
}

# Files: every one in its place, nothing of the source but the header.
for file in bin/pimopt bin/pimsim include/pim/pim.h share/man/man1/pimopt.1 share/man/man1/pimsim.1; do
	[ -f "$prefix/$file" ] || fail "$file is not there"
done
headers=$(find "$prefix/include" -type f | wc -l)
[ "$headers" -eq 1 ] || fail "$headers headers instead of one"
for page in pimopt pimsim; do
	if command -v man >/dev/null; then
		warned=$(MANWIDTH=80 man --warnings -l "$prefix/share/man/man1/$page.1" 2>&1 >page.txt | head -3)
		[ -z "$warned" ] || fail "$page.1: $warned"
	fi
done

# check FOLDER: the program runs, the installed pimopt loads the plugin.
check() {
	"$1/build_and_run" >run.txt || fail "$1/build_and_run returned $?"
	grep -q 'y\[2\] = 14' run.txt || fail "$1/build_and_run printed something else"
	printf 'module { graph @main(%%x: f32[2,3]) {\n  %%y = relu %%x : f32[2,3]\n  return %%y\n} }\n' >t.pim
	"$prefix/bin/pimopt" t.pim --load-pass="$1/count_elements.so" --pass-pipeline='count-elements{least=6}' \
		>out.txt 2>said.txt || fail "the installed pimopt returned $?: $(cat said.txt)"
	grep -q 'relu makes 6 elements' said.txt || fail "the pass of $1 did not run: $(cat said.txt)"
}

cmake -G Ninja -S . -B cmake -DCMAKE_PREFIX_PATH="$prefix" -DCMAKE_C_COMPILER="$cc" -DCMAKE_C_FLAGS="$flags" >log 2>&1 || { cat log; exit 1; }
cmake --build cmake >log 2>&1 || { cat log; exit 1; }
check ./cmake

mkdir pkg
PKG_CONFIG_PATH=$libdir/pkgconfig
export PKG_CONFIG_PATH
# shellcheck disable=SC2046,SC2086 # lists of words
"$cc" $flags build_and_run.c $(pkg-config --cflags --libs pimopt) -o pkg/build_and_run
# shellcheck disable=SC2046,SC2086
"$cc" $flags -shared -fPIC count_elements.c $(pkg-config --cflags pimopt) -o pkg/count_elements.so
check ./pkg

# The installed programs know no path of the build, and compile and run by themselves.
if grep -qa "$build/" "$prefix/bin/pimopt" && readelf -d "$prefix/bin/pimopt" | grep -q "$build"; then
	fail "pimopt has a run path into the build"
fi
printf 'module { graph @main(%%x: f32[8,8]) {\n  %%y = matmul %%x, %%x : f32[8,8]\n  return %%y\n} }\n' >m.pim
"$prefix/bin/pimopt" m.pim --target=stack3d --pipeline=default -o m.pimc
"$prefix/bin/pimsim" m.pimc --seed=1 >sim.txt
grep -qi cycles sim.txt || fail "the installed pimsim printed something else"
echo "install: both ways, plugin and programs"
