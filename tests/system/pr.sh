#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
#
# umpio pr against tgt, with a second daemon as the other host: a key on every
# path, reservations that hold the other host off, kept over a lost path and a
# restarted target, preemption by the other host, paths that come later.
# shellcheck source=tests/system/functions.sh
. "$(dirname "$0")/functions.sh"
requires jq qemu-io
cd "$T"
tgt_simple 16M
umpiod_start --name db0 --nbd "unix:$T/db0.sock" -o hold-down=no "$URL1" "$URL2"
ours=$UMPIOD
ctl wait db0 --paths 2 --timeout 10
background other umpiod --control "$T/other.control" \
	--initiator-name "$INITIATOR.other" --name db0 \
	--nbd "unix:$T/other.sock" "iscsi://$A1/$IQN/1"
eventually 10 grep -q ready "$T/other.log" || fail "no other host"
other() { umpio --control "$T/other.control" "$@"; }
writes() { # SOCKET
	qemu-io -f raw -c "write -P 7 0 64k" "nbd+unix:///db0?socket=$T/$1.sock" \
		>"$T/qemu-io.log" 2>&1 && ! grep -q failed "$T/qemu-io.log"
}
# tgt knows a nexus by its session: a lost one leaves its key behind.
keys() { ctl --json pr read-keys db0 | jq -r '.keys | unique | join(" ")'; }
nkeys() { ctl --json pr read-keys db0 | jq '.keys | length'; }
reservation() {
	ctl --json pr read-reservation db0 |
		jq -r '.reservation | if . then .key + " " + .type else "none" end'
}
back() { ctl wait db0 --paths 2 --timeout 15 || fail "no path"; }

step "usage"
refused 2 "wants register" ctl pr steal db0
refused 2 "a number" ctl pr register db0 key
refused 2 "a number" ctl pr register db0 0x10000000000000000
refused 2 "wants a type" ctl pr reserve db0
refused 2 "wero" ctl pr reserve db0 mine
refused 2 "too many" ctl pr clear db0 5
refused 2 "preempt only" ctl pr clear --abort db0
refused 1 "no device" ctl pr read-keys nosuch
refused 2 "umpio pr register" ctl pr reserve db0 wero

step "a key on every path"
equal "no keys" "$(keys)" ""
ctl pr register db0 0xabc
equal keys "$(keys)" "0xabc"
equal "of every path" "$(nkeys)" 2
equal "in the status" "$(json '.devices[0].reservation_key' status db0)" 0xabc
writes other || fail "nothing is reserved yet"

step "a reservation"
refused 2 "wero or earo" ctl pr reserve db0 we
ctl pr reserve db0 wero
equal reservation "$(reservation)" "0xabc write-exclusive-registrants-only"
ctl pr read-reservation db0 | grep -q '^0xabc  write-ex' || fail "text"
writes db0 || fail "the holder cannot write"
for _ in 1 2 3 4; do writes db0 || fail "a path of the holder cannot"; done
! writes other || fail "the other host can write"
other pr register db0 0x9
refused 1 "RESERVATION CONFLICT" umpio --control "$T/other.control" \
	pr reserve db0 wear
other pr register db0 0

step "kept over a lost path"
ctl fault drop db0 0
back
equal keys "$(keys)" "0xabc"
writes db0 && writes db0 || fail "the holder cannot write"
! writes other || fail "the other host can write"

step "a path that comes later"
ctl set db0 portal="$A1"
sleep 0.5
ctl set db0 portal="$A1" portal="$A2"
back
for _ in 1 2 3 4; do writes db0 || fail "a new path cannot write"; done

step "another host takes over"
other pr register db0 0xdef
other pr preempt db0 0xabc wero
writes other || fail "the new holder cannot write"
! writes db0 || fail "the old holder can write"
told() { ctl events --no-follow | grep -q reservation-lost; }
eventually 5 told || fail "no event"
ctl fault drop db0 0
back
! writes db0 || fail "a reconnect has undone it"
equal keys "$(keys)" 0xdef
equal "in the status" "$(json '.devices[0].reservation_key' status db0)" null

step "clear"
other pr clear db0
equal keys "$(keys)" ""
equal reservation "$(reservation)" none
writes db0 || fail "we cannot write"
writes other || fail "the other host cannot write"

step "a target that forgets"
ctl pr register db0 0x77
ctl pr reserve db0 earo
kill -TERM "${PIDS[1]}"
eventually 12 gone "${PIDS[1]}"
tgt_crash t
tgt_start t "$A1:3260,$A2:3260"
tgt_target t 1 "$IQN"
tgt_lun t 1 1 "$T/disk"
back
equal reservation "$(reservation)" "0x77 exclusive-access-registrants-only"
equal keys "$(keys)" "0x77"
equal "of every path" "$(nkeys)" 2
writes db0 || fail "we cannot write"

step "release"
ctl pr release db0
equal reservation "$(reservation)" none
ctl pr register db0 0
equal keys "$(keys)" ""
UMPIOD=$ours
umpiod_stop
