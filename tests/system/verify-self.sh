#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
#
# verify sees what is wrong: a server that lies in each of the ways of
# tests/lib/t_lie.h is found out, and called what it is; one that is honest is
# not, also where it fails, hangs up, stalls or is slow; and a stall is put down
# to the fault that was announced.
# shellcheck source=tests/system/functions.sh
. "$(dirname "$0")/functions.sh"
requires jq
each=1 # seconds
! sanitized || each=3
URI="nbd+unix:///ram?socket=$T/ram.sock"

serve() { # OPTIONS…: a ramdisk; its pid into $server
	rm -f "$T/ram.sock"
	background ramdisk ramdisk --size 16MiB --nbd "unix:$T/ram.sock" "$@"
	server=${PIDS[-1]}
	eventually 5 test -S "$T/ram.sock" || fail "ramdisk does not start"
}
unserve() { kill -TERM "$server" && wait "$server" || :; }

# check STATUS OPTIONS…: verify ends so; its figures in $T/out.json
check() {
	local want=$1 got=0
	shift
	timeout 60 verify --json="$T/out.json" --connections 3 --depth 8 \
		--seconds $each --mix read=45,write=40,fua=8,flush=4,zero=3 "$@" \
		"$URI" >"$T/verify.log" 2>&1 || got=$?
	[ "$got" -eq "$want" ] || fail "verify ended with $got, not $want"
}
figure() { jq -r "$1" "$T/out.json"; }

# lie KIND FOUND [OPTIONS…]: is found, and named so
lie() {
	step "a server that lies: $1"
	serve --lie "$1:31"
	check 1 "${@:3}"
	[ "$(figure ".found[\"$2\"]")" -gt 0 ] || fail "not called $2"
	unserve
}

step "an honest server"
serve
check 0
[ "$(figure '[.requests[]] | min')" = 0 ] || fail "trims were not asked for"
[ "$(figure '.requests.read')" -gt 100 ] || fail "hardly any requests"
equal "errors" "$(figure .errors)" 0
check 0 --mix read=40,write=40,trim=10,zero=5,flush=5 --hot 80 --depth 32
unserve

step "one that answers late, and in another order"
serve --delay 20ms --reverse
check 0 --hot 60
[ "$(figure '.ms.p50 >= 20')" = true ] || fail "the delay is not seen"
unserve

lie lose lost --mix read=40,write=60
lie stale stale --hot 90
lie tear torn
lie cut torn
lie swap misplaced
lie misplace misplaced
lie flush false-ack
lie fua false-ack
lie flip torn

step "one that fails half done is no liar"
serve --lie fail:50
check 3
[ "$(figure .errors)" -gt 0 ] || fail "its errors are not counted"
[ "$(figure '[.found[]] | add')" = 0 ] || fail "taken for a liar"
check 0 --allow-errors
unserve

step "stalls are put down to the fault that made them"
serve
check 0 --seconds 5 --rate 200 --faults "$T/fifo" &
pid=$!
PIDS+=("$pid")
eventually 20 test -p "$T/fifo" || fail "verify does not begin"
sleep 0.5
echo "fault quiet" >"$T/fifo"
sleep 0.5
echo "end" >"$T/fifo"
sleep 0.2
echo "fault pause at $(date +%s.%N)" >"$T/fifo"
kill -STOP "$server"
sleep 1
kill -CONT "$server"
sleep 0.3
echo "end" >"$T/fifo"
sleep 0.7
wait "$pid" || fail "verify failed"
of() { figure ".faults[] | select(.fault == \"$1\") | $2"; }
equal "pauses" "$(of pause .times)" 1
[ "$(of pause '.longest_ms >= 900 and .longest_ms < 3000')" = true ] ||
	fail "the pause took $(of pause .longest_ms) ms"
[ "$(of quiet '.longest_ms < 900')" = true ] || fail "the wrong one is blamed"
[ "$(of none '.longest_ms < 900')" = true ] || fail "the calm is blamed"
equal "the longest" "$(figure '.longest[0].fault')" pause
unserve

step "a server that hangs up: outcomes are unknown, and it is no liar"
URI=nbd://$A1:$PORT/ram
serve --nbd "tcp:$A1:$PORT"
background verify timeout 60 verify --json="$T/out.json" --seconds 3 \
	--allow-errors --depth 16 --hot 60 --faults "$T/fifo" "$URI"
pid=${PIDS[-1]}
eventually 20 test -p "$T/fifo" || fail "verify does not begin"
for _ in 1 2 3; do
	sleep 0.5
	ss -K -t dst "$A1" dport = ":$PORT" >/dev/null 2>&1 || :
done
wait "$pid" || fail "verify ended with $?"
if [ "$(figure .disconnects)" -eq 0 ]; then
	step "left out: this kernel does not let us end connections"
else
	[ "$(figure .errors)" -gt 0 ] || fail "nothing was in flight"
fi

step "requests that never end are told of"
background verify timeout 60 verify --json="$T/out.json" --seconds 2 \
	--hang 1s --faults "$T/fifo" "$URI"
pid=${PIDS[-1]}
eventually 20 test -p "$T/fifo" || fail "verify does not begin"
kill -STOP "$server"
got=0
wait "$pid" || got=$?
kill -CONT "$server"
equal "verify's exit status" "$got" 1
[ "$(figure .found.hung)" -gt 0 ] || fail "nothing is said to hang"
