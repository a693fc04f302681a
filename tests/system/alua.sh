#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
#
# Rows 39 and 40 of the fault table on the target that has ALUA: LIO, in the
# lab. Two portal groups in two access states, changed while fio verifies: no
# error, I/O follows, status tells. Then a target that is told what to do.
# shellcheck source=tests/system/functions.sh
. "$(dirname "$0")/functions.sh"
requires jq fio qemu-io qemu-system-x86_64

LAB=$(cd "$(dirname "$0")/../lab" && pwd)/lio
export LIO_RUN=$T/lio LIO_A=$NET.15 LIO_B=$NET.143
NAME=iqn.2026-01.org.example.lio
NEAR=iscsi://$LIO_A:3261/$NAME:main/0 FAR=iscsi://$LIO_B:3264/$NAME:main/0
guest() { "$LAB" ctl "$@"; }

# Of the paths of group 1 and of group 2: "active optimized,standby standby"
states() {
	json '[.devices[0].paths | sort_by(.tpgt)[] | "\(.state) \(.alua)"] |
		join(",")' status
}
states_are() { [ "$(states)" = "$1" ]; }
expect() { # SECONDS STATES
	eventually "$1" states_are "$2" || fail "$(states), and should be $2"
}
written() { json ".devices[0].paths[] | select(.tpgt == $1) | .writes" status; }
heard() { grep -q "$1" "$T/umpiod.log"; }

step "the lab"
got=0
"$LAB" start >"$T/lab.log" 2>&1 || got=$?
[ -s "$LIO_RUN/pid" ] && PIDS+=("$(cat "$LIO_RUN/pid")")
[ "$got" -ne 77 ] || skip "$(tail -n 1 "$T/lab.log")"
[ "$got" -eq 0 ] || fail "the lab did not start"

step "an optimized group and one that stands by"
guest alua far 2
umpiod_start --nbd "unix:$NBD_SOCKET" "$NEAR" "$FAR"
grep -q "2/2 paths" "$T/umpiod.out" || eventually 10 states_are \
	"active optimized,standby standby" || fail "$(cat "$T/umpiod.out")"
expect 10 "active optimized,standby standby"
equal "groups" "$(json '[.devices[0].groups[] |
	"\(.id) \(.priority) \(.state) \(.paths | length)"] | join(",")' status)" \
	"0 50 active 1,1 1 standby 1"
equal "state" "$(json '.devices[0].state' status)" up

step "the states change while fio verifies"
fio --name=verify --ioengine=nbd --uri="$NBD_URI" --rw=randrw --bs=4k \
	--iodepth=16 --size=24m --time_based --runtime=40 --verify=crc32c \
	--verify_fatal=1 --verify_backlog=256 --serialize_overlap=1 \
	--verify_state_save=0 >"$T/fio.log" 2>&1 </dev/null &
FIO=$!
PIDS+=("$FIO")
sleep 2
step "  near stands by, far is optimized"
guest "alua far 0 && alua near 2"
expect 10 "standby standby,active optimized"
before=$(written 2)
sleep 2
[ "$(written 2)" -gt "$before" ] || fail "no I/O goes to the other group"
step "  both optimized: one group"
guest alua near 0
expect 15 "active optimized,active optimized"
step "  far is not optimized any more"
guest alua far 1
expect 15 "active optimized,standby non-optimized"
step "  near is not available"
guest alua near 3
expect 10 "standby unavailable,active non-optimized"
step "  and back"
guest "alua near 0 && alua far 2"
expect 15 "active optimized,standby standby"
got=0
wait "$FIO" || got=$?
equal "fio's status" "$got" 0
! heard path-failed || fail "a path has failed"
! heard quarantined || fail "a path was quarantined"
heard alua-changed || fail "no event tells of the change"
heard group-changed || fail "no event tells of the group"

step "no group is left that takes I/O: the target is told to make one optimized"
guest "alua near 2 && alua far 2"
qemu-io -f raw -c 'write 0 4k' "$NBD_URI" >"$T/qemu-io.log" 2>&1 ||
	fail "$(cat "$T/qemu-io.log")"
heard "is told to make" || fail "the target was not told"
guest alua_show >"$T/groups.log"
grep -q "state=0" "$T/groups.log" || fail "$(cat "$T/groups.log")"

step "manual failback, by command"
guest "alua near 0 && alua far 1"
expect 15 "active optimized,standby non-optimized"
ctl set disk0 failback=manual
ctl path restore disk0 "$LIO_B:3264"
expect 2 "standby optimized,active non-optimized"
ctl path restore disk0 "$LIO_A:3261"
expect 2 "active optimized,standby non-optimized"
umpiod_stop
"$LAB" status >"$T/kernel.log" || fail "$(cat "$T/kernel.log")"
echo "passed"
