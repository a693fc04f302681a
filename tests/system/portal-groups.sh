#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
#
# Sessions of several connections take the portals of one portal group: one
# that turns out to be in another group becomes a path of its own, and those
# that discovery finds later join the session of their group, whose connections
# then spread over them. No request notices.
# shellcheck source=tests/system/functions.sh
. "$(dirname "$0")/functions.sh"
requires jq qemu-io

background target target "$IQN" 2 4 67108864 "$A1:3260,1" "$A2:3260,1" \
	"$A3:3260,2" "$A4:3260,2"
TARGET=$!
eventually 5 grep -q ready "$T/target.log" || fail "the model target"

# paths: `TPGT PORTAL,… CONNECTIONS` of each
paths() {
	json '.devices[0].paths | sort_by(.tpgt)[] |
		"\(.tpgt) \(.portals | sort | join(",")) \(.connections)"' status
}
paths_are() { [ "$(paths)" = "$1" ]; }
# connected ADDRESS N: so many connections of ours are there
connected() {
	[ "$(ss -Htn state established dst "$1" dport = :3260 | wc -l)" -eq "$2" ]
}
io() {
	qemu-io -f raw -c 'write -P 7 0 1M' -c 'read -P 7 0 1M' "$NBD_URI" \
		>"$T/io.log" || fail "I/O"
	! grep -q failed "$T/io.log" || fail "I/O"
}

step "a portal that is in another group"
umpiod_start --nbd "unix:$NBD_SOCKET" -o max-connections=4 \
	"iscsi://$A1/$IQN/0" "iscsi://$A2/$IQN/0" "iscsi://$A3/$IQN/0"
want="1 $A1:3260,$A2:3260 4
2 $A3:3260 4"
eventually 20 paths_are "$want" || fail "$(paths)"
grep -q "portal-elsewhere: $A3:3260" "$T/umpiod.log" ||
	fail "no event tells it"
io
equal "failovers" "$(json '.devices[0].failovers' stats)" 0
umpiod_stop

step "discovery finds the others of both groups"
umpiod_start --nbd "unix:$NBD_SOCKET" -o max-connections=4 --discover \
	"iscsi://$A1/$IQN/0"
want="1 $A1:3260,$A2:3260 4
2 $A3:3260,$A4:3260 4"
eventually 20 paths_are "$want" || fail "$(paths)"
for at in "$A1" "$A2" "$A3" "$A4"; do
	eventually 20 connected "$at" 2 || fail "$(ss -Htn dport = :3260)"
done
io
equal "failovers" "$(json '.devices[0].failovers' stats)" 0
equal "session recoveries" \
	"$(json '[.devices[0].sessions[].session_recoveries] | add' stats)" 0
umpiod_stop
quiet_log '^$'
kill -TERM "$TARGET"
got=0
wait "$TARGET" || got=$?
equal "the model target's status" "$got ($(tail -n 1 "$T/target.log"))" "0 ()"
echo "passed"
