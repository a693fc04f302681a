#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
#
# The control socket serves its own user and root; who else can reach the file
# is refused by the credentials of the accepted connection.
. "$(dirname "$0")/functions.sh"
requires setpriv
requires_root

umpiod_spawn
eventually 5 ctl status || fail "the daemon does not answer"
chmod 755 "$T"
chmod 666 "$CONTROL"

step "root is served, another user is not"
ctl status --json | grep -q '"devices"'
refused 1 "own user and root" \
	setpriv --reuid 12345 --regid 12345 --clear-groups \
	"$(command -v umpio)" --control "$CONTROL" status
ctl status >/dev/null
umpiod_stop
