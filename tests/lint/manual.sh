#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# Every test that umpio-frontends(7) names is there, and the pages are well
# formed.
set -euo pipefail
cd "$(dirname "$0")/../.."

bad=0
complain() { echo "$*"; bad=1; }

named() { sed -n 's/^\.Pq //p' "$1" | grep -o '"[^"]*"' | tr -d '"' | sort -u; }
sources=(tests/unit tests/scenario)

# there NAME: SUITE::TEST of Criterion, also SUITE::BEGINNING*, FILE.sh,
# FILE.sh:STEP, FILE.py:FUNCTION, faults/run ROW
there() {
	local file=${1%%:*} rest=${1#*:}
	case $1 in
	*::*\*)
		rest=${1##*::}
		grep -rqE "^Test\(${1%%::*}, ${rest%\*}" "${sources[@]}"
		;;
	*::*)
		grep -rqE "^Test\(${1%%::*}, ${1##*::}[,)]" "${sources[@]}"
		;;
	faults/run\ *) grep -q "^row_${1#* }() {" tests/faults/rows-*.sh ;;
	*.py:*) grep -q "^def ${rest}_" "tests/system/$file" ;;
	*.sh:*) grep -qF "\"$rest\"" "tests/system/$file" ;;
	*) [ -x "tests/system/$1" ] ;;
	esac
}

count=0
while read -r name; do
	count=$((count + 1))
	there "$name" || complain "umpio-frontends(7) names no test: $name"
done < <(named etc/man/umpio-frontends.7)
[ "$count" -gt 60 ] || complain "umpio-frontends(7) names only $count tests"

failures=etc/man/umpio-failures.7
while read -r name; do
	there "$name" || complain "umpio-failures(7) names no test: $name"
done < <(named $failures)
tests/faults/manual | cmp -s - $failures ||
	complain "umpio-failures(7) is not what tests/faults/manual makes"

# The test itself can fail.
! there "client::is_not_there" || complain "a test that is not there is found"

if command -v mandoc >/dev/null; then
	for page in etc/man/*.[0-9]; do
		mandoc -T lint -W warning "$page" || bad=1
	done
fi
exit $bad
