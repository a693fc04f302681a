#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
#
# No function over 100 lines, no file over 600; and how close we are to 12 and
# 40 lines a function and 300 a file.
set -euo pipefail
cd "$(dirname "$0")/../.."
ctags --version 2>/dev/null | grep -q 'Universal Ctags' || {
	echo "skipped: Universal Ctags is not installed"
	exit 77
}

mapfile -t files < <(find daemon mpio frontends include tests -name '*.[ch]' \
	-o -path 'tests/*' \( -name '*.sh' -o -name '*.py' \))
functions=$(ctags -o - --languages=C --c-kinds=f --fields=+ne "${files[@]}" |
	sed -nE 's/^([^\t]*)\t([^\t]*)\t.*\tline:([0-9]+).*\tend:([0-9]+).*/\1 \2 \3 \4/p' |
	awk '{ print $4 - $3 + 1, $2 ":" $3 ": " $1 }' | sort -n)
[ "$(wc -l <<<"$functions")" -gt 500 ] || {
	echo "ctags found next to no functions"
	exit 1
}
awk '
	{ size[NR] = $1 }
	$1 > 100 { print $2, $3, "has", $1, "lines"; bad = 1 }
	END {
		print NR, "functions: median", size[int((NR + 1) / 2)],
			"lines, 90th percentile", size[int(NR * 0.9)],
			"longest", size[NR]
		exit bad
	}' <<<"$functions" && functions_ok=1 || functions_ok=0
wc -l "${files[@]}" | awk '
	$2 != "total" && $1 > 600 { print $2, "has", $1, "lines"; bad = 1 }
	END { exit bad }' && [ $functions_ok -eq 1 ]
