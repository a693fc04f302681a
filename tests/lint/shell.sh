#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
#
# The scripts are clean to shellcheck.
set -euo pipefail
cd "$(dirname "$0")/../.."
command -v shellcheck >/dev/null || {
	echo "skipped: shellcheck is not installed"
	exit 77
}
grep -rlE '^#!.*\bbash' .ci etc tests | sort |
	xargs shellcheck -x -S warning tests/system/functions.sh
