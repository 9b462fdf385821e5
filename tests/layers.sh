#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Holds the table of who may include whom (docs/design.md, section 2): arrows go down only, and a
# third-party header is included by the files named here and by no other.
cd "${1:-.}" || exit 2
bad=0

# folder: what of ours it may include
check() {
	folder=$1 allowed=$2
	for line in $(grep -rnoE '^#include "[^"]+"' "$folder" --include='*.c' --include='*.h' | tr ' ' '~'); do
		file=${line%%:*}
		path=$(echo "$line" | sed 's/.*"\(.*\)"/\1/')
		echo "$path" | grep -qE "^($allowed)" && continue
		echo "$file includes $path, but $folder/ may include only: $allowed"
		bad=1
	done
}
check include '^$'
check ir 'pim/pim\.h|ir/'
check frontends 'pim/pim\.h|ir/|frontends/|onnx-ml\.pb-c\.h'
check targets 'pim/pim\.h|ir/|targets/'
check passes 'pim/pim\.h|ir/|passes/|targets/target\.h'
check driver 'pim/pim\.h|ir/|passes/|targets/|frontends/|driver/'
check examples 'pim/pim\.h'

# header: the only files that may include it
only() {
	header=$1 files=$2
	for file in $(grep -rlE "^#include [<\"]$header" ir frontends targets passes driver); do
		echo "$file" | grep -qE "^($files)$" && continue
		echo "$file includes $header, which only $files may"
		bad=1
	done
}
only uthash.h 'ir/map\.c'
only 'lpsolve/' 'passes/ilp\.c'
only 'graphviz/|^cgraph\.h|gvc\.h' 'passes/graphviz\.c'
only yaml.h 'targets/yaml[a-z_]*\.c'
only onnx-ml.pb-c.h 'frontends/(onnx[a-z_]*\.[ch]|tensor_pb\.c)'
only jansson.h 'ir/safetensors\.c|driver/emit_json\.c'
only minizip/ 'frontends/npz\.c'

# no file names one machine except that machine's own
for name in $(sed -n 's/^TARGET(\([a-z0-9_]*\),.*/\1/p' targets/targets.def); do
	[ "$name" = null ] && continue
	for file in $(grep -rlwE "$name|$(echo "$name" | tr _ -)" ir frontends targets passes driver --include='*.c' --include='*.h'); do
		echo "$file names the machine $name"
		bad=1
	done
done
exit $bad
