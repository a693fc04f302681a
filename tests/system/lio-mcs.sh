#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
#
#   lio-mcs.sh [SECONDS]      of connections being reset; default 25
#
# Four connections and error recovery level 2 against LIO, in the lab: fio
# writes and verifies with 64 requests in flight while one of the connections is
# reset every 5 s. The session stays, no request fails, tasks are retried and
# reassigned, and none waits longer than Time2Wait and 500 ms more than the
# slowest without faults.
# shellcheck source=tests/system/functions.sh
. "$(dirname "$0")/functions.sh"
requires jq fio qemu-system-x86_64
lasts=${1:-25}
limit_ms=500

LAB=$(cd "$(dirname "$0")/../lab" && pwd)/lio
export LIO_RUN=$T/lio LIO_A=$NET.15 LIO_B=$NET.143
TARGET=iqn.2026-01.org.example.lio:main
guest() { "$LAB" ctl "$@"; }

step "the lab"
got=0
"$LAB" start >"$T/lab.log" 2>&1 || got=$?
[ -s "$LIO_RUN/pid" ] && PIDS+=("$(cat "$LIO_RUN/pid")")
[ "$got" -ne 77 ] || skip "$(tail -n 1 "$T/lab.log")"
[ "$got" -eq 0 ] || fail "the lab did not start"

connections() { json '.devices[0].paths[0].connections' status; }
connections_are() { [ "$(connections)" = "$1" ]; }
counter() { json ".devices[0].sessions[0].$1" stats; }

step "two portals of one group, four connections, one session"
umpiod_start --nbd "unix:$NBD_SOCKET" -o max-connections=4 \
	"iscsi://$LIO_A:3261/$TARGET/0" "iscsi://$LIO_B:3262/$TARGET/0"
eventually 10 connections_are 4 || fail "$(ctl status)"
equal "paths" "$(json '.devices[0].paths | length' status)" 1
equal "portals" "$(json '.devices[0].paths[0].portals | join(",")' status)" \
	"$LIO_A:3261,$LIO_B:3262"
equal "sessions" "$(guest sessions | grep -c "$INITIATOR")" 1

# load NAME SECONDS
load() {
	fio --name="$1" --ioengine=nbd --uri="$NBD_URI" --rw=randrw \
		--iodepth=64 --size=64m --bssplit=4k/60:16k/30:64k/10 \
		--time_based --runtime="$2" --serialize_overlap=1 \
		--verify=crc32c --verify_fatal=1 --verify_backlog=512 \
		--verify_state_save=0 --output-format=json \
		--output="$T/$1.json" >"$T/$1.log" 2>&1 </dev/null
}
slowest_ms() { # NAME
	sed -n '/^{/,$p' "$T/$1.json" |
		jq '[.jobs[0] | .read, .write | .lat_ns.max] | max / 1e6 | ceil'
}
# reset_one: the guest resets one of the connections, in turns
resets=0
reset_one() {
	local line
	line=$(guest connections | tail -n $((resets % 4 + 1)) | head -n 1)
	read -r local_end peer_end < <(awk '{ print $(NF - 1), $NF }' <<<"$line")
	guest kill_connection "${local_end##*:}" "${peer_end##*:}" >/dev/null
	resets=$((resets + 1))
}

step "without faults"
load calm 6 || fail "fio"

step "a connection reset every 5 s for $lasts s"
load resets "$lasts" &
FIO=$!
PIDS+=("$FIO")
sleep 1
while kill -0 "$FIO" 2>/dev/null; do
	! connections_are 4 || reset_one
	sleep 5
done
got=0
wait "$FIO" || got=$?
equal "fio's status" "$got" 0

calm=$(slowest_ms calm) slow=$(slowest_ms resets)
echo "$resets resets: $(counter connection_recoveries) recoveries," \
	"$(counter tasks_reassigned) tasks reassigned," \
	"$(counter tasks_retried) retried, slowest request $slow ms," \
	"without faults $calm ms"
equal "session recoveries" "$(counter session_recoveries)" 0
equal "logins" "$(counter logins)" 1
equal "errors" "$(counter errors)" 0
equal "failovers" "$(json '.devices[0].failovers' stats)" 0
[ "$resets" -ge $((lasts / 10)) ] || fail "only $resets resets"
[ "$(counter connection_recoveries)" -ge $((resets - 1)) ] ||
	fail "not every reset was recovered from"
[ "$(($(counter tasks_reassigned) + $(counter tasks_retried)))" -gt 0 ] ||
	fail "no task was carried on"
# LIO agrees to a Time2Wait of 2 s.
sanitized || [ "$slow" -le $((2000 + calm + limit_ms)) ] ||
	fail "stalled for more than Time2Wait and $limit_ms ms"
eventually 10 connections_are 4 || fail "a connection is not back"

step "all connections at once"
for port in 3261 3262; do guest kill_connection $port >/dev/null; done
qemu-io -f raw -c 'write 0 4k' -c 'read 0 4k' "$NBD_URI" >/dev/null ||
	fail "the device is gone"
eventually 20 connections_are 4 || fail "$(ctl status)"
umpiod_stop

step "nobody is left logged in, and the kernel has nothing to complain of"
nobody() { [ -z "$(guest connections)" ]; }
eventually 5 nobody || fail "$(guest connections)"
"$LAB" status >"$T/kernel.log" || fail "$(cat "$T/kernel.log")"
echo "passed"
