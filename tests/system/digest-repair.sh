#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
#
#   digest-repair.sh [SECONDS]      of spoilt data, for each target; default 8
#
# Four connections at error recovery level 1, over a proxy that flips bits in
# the data of PDUs. All of it is asked for or sent again within its connection:
# none is lost, no request fails, and fio reads what it wrote. First the model
# target, with bits flipped in all that has data, either way; then LIO, in the
# lab, where it is what LIO sends.
#
# What LIO receives is left alone: its kernel (5.10) frees a command whose
# Data-Out or immediate data is spoilt while it still recovers it. It warns in
# target_release_cmd_kref() at the first one, and panics at one of the next.
# shellcheck source=tests/system/functions.sh
. "$(dirname "$0")/functions.sh"
requires jq fio
lasts=${1:-8}

spoil() { proxy_tell "$path" flip all "$@" every >/dev/null || fail "$*"; }
shown() { proxy_tell "$path" show | sed "s/.*$1=\([0-9]*\).*/\1/"; }
counter() { json ".devices[0].sessions[0].$1" stats; }
connections_are() {
	[ "$(json '.devices[0].paths[0].connections' status)" = "$1" ]
}

# device PROXY URL…
device() {
	path=$1
	shift
	umpiod_start --nbd "unix:$NBD_SOCKET" -o max-connections=4 \
		-o error-recovery-level=1 -o data-digest=CRC32C "$@"
	eventually 10 connections_are 4 || fail "$(ctl status)"
}

load() {
	fio --name=repair --ioengine=nbd --uri="$NBD_URI" --rw=randrw \
		--iodepth=64 --size=48m --bssplit=4k/60:16k/30:64k/10 \
		--time_based --runtime="$lasts" --serialize_overlap=1 \
		--verify=crc32c --verify_fatal=1 --verify_backlog=512 \
		--verify_state_save=0 >"$T/fio.log" 2>&1 </dev/null ||
		fail "fio"
}

# repaired: all of it, by each of the means
repaired() {
	local lost
	equal "spoilt ones to come" "$(proxy_tell "$path" clear)" ok
	echo "$(shown faults) spoilt: $(counter digest_errors) seen here," \
		"$(counter snacks_sent) SNACKs," \
		"$(counter tasks_retried) commands sent again"
	[ "$(shown faults)" -ge "$lasts" ] || fail "too few were spoilt"
	[ "$(counter digest_errors)" -gt 0 ] || fail "no Data-In was spoilt"
	[ "$(counter snacks_sent)" -gt 0 ] || fail "nothing was asked for"
	for lost in session_recoveries connection_recoveries errors; do
		equal "$lost" "$(counter $lost)" 0
	done
	equal "logins" "$(counter logins)" 1
	equal "connections made" "$(shown accepted)" 4
	equal "failovers" "$(json '.devices[0].failovers' stats)" 0
	connections_are 4 || fail "a connection was lost"
	quiet_log '^$'
}

step "the model target: reads, writes, and what goes along with commands"
background target target "$IQN" 1 4 67108864 "$A1:3260" "$A2:3260"
TARGET=$!
eventually 5 grep -q ready "$T/target.log" || fail "the model target"
proxy_start near "$A3:3260=$A1:3260" "$A4:3260=$A2:3260"
device near "iscsi://$A3:3260/$IQN/0" "iscsi://$A4:3260/$IQN/0"
spoil data-in 40
spoil data-out 40
spoil command 40
load
repaired
[ "$(counter tasks_retried)" -gt 0 ] || fail "nothing was sent again"
umpiod_stop
kill -TERM "$TARGET"
got=0
wait "$TARGET" || got=$?
tail -n 2 "$T/target.log"
equal "the model target's status" "$got" 0

step "LIO: what it sends"
LAB=$(cd "$(dirname "$0")/../lab" && pwd)/lio
export LIO_RUN=$T/lio LIO_A=$NET.15 LIO_B=$NET.143
LIO=iqn.2026-01.org.example.lio:main
got=0
"$LAB" start >"$T/lab.log" 2>&1 || got=$?
[ -s "$LIO_RUN/pid" ] && PIDS+=("$(cat "$LIO_RUN/pid")")
if [ "$got" -eq 77 ]; then
	echo "left out: $(tail -n 1 "$T/lab.log")"
	exit 0
fi
[ "$got" -eq 0 ] || fail "the lab did not start"
"$LAB" ctl level main 1 1 4
proxy_start far "$A1:3261=$LIO_A:3261" "$A1:3262=$LIO_B:3262"
device far "iscsi://$A1:3261/$LIO/0" "iscsi://$A1:3262/$LIO/0"
spoil data-in 25
load
repaired
umpiod_stop
"$LAB" status >"$T/kernel.log" || fail "$(cat "$T/kernel.log")"
echo "passed"
