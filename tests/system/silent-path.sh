#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
#
# Paths that fall silent without a word, in a network of the test's own: every
# address has a virtual cable, and a packet filter loses what it carries, both
# ways or one. Stalls are measured against the slowest request of a run without
# faults.
# shellcheck source=tests/system/cables.sh
. "$(dirname "$0")/cables.sh"
nft -f - <<-END
	table inet t {
		chain in { type filter hook input priority 0; }
		chain out { type filter hook output priority 0; }
	}
END

# lose N in|out|both, heal
lose() {
	[ "$2" = out ] || nft add rule inet t in ip saddr "10.77.$1.2" drop
	[ "$2" = in ] || nft add rule inet t out ip daddr "10.77.$1.2" drop
}
heal() { nft flush table inet t; }

recover() {
	heal
	tgt_continue a
	tgt_continue b
	tgt a --op update --mode target --tid 1 --name state --value ready \
		2>/dev/null || tgt a --op update --mode target --tid 1 \
		--name state --value running 2>/dev/null || :
	ctl wait disk0 --paths 2 --timeout 20 || fail "no second path again"
}

start
stall 3000 6 silent-both lose 1 both
stall 3000 6 silent-in lose 1 in
stall 3000 6 silent-out lose 1 out
stall 3000 6 stopped-target tgt_stop a
grep -q 'path-suspected: last byte' umpiod.log || fail "nobody was suspected"
grep -q 'path-failed: silent for' umpiod.log || fail "nobody was silent"

step "a path that falls silent while nothing is asked"
before=$(failovers)
lose 1 both
eventually 5 state_is degraded || fail "not found within 5 s"
base=$(calm)
[ "$base" -le 1000 ] || sanitized || fail "a request waited $base ms"
recover

step "a pause of the target of 1 s, and of ourselves of 10 s: no failover"
before=$(failovers)
load pause 6 &
fio=$!
PIDS+=("$fio")
sleep 1
tgt_stop a
sleep 1
tgt_continue a
wait "$fio" || fail "fio"
load ours 14 &
fio=$!
PIDS+=("$fio")
sleep 1
kill -STOP "$UMPIOD"
sleep 10
kill -CONT "$UMPIOD"
wait "$fio" || fail "fio"
equal failovers "$(failovers)" "$before"
state_is up || fail "not up"

has_some() {
	[ "$(json '[.devices[0].paths[] | select(.state == "active")] | length' \
		status disk0)" -gt 0 ]
}
step "no path left for 15 s: nothing fails, and it goes on at once"
load none 24 &
fio=$!
PIDS+=("$fio")
sleep 1
lose 1 both
lose 2 both
sleep 5
grep -c 'path-failed' umpiod.log >"$T/failed"
sleep 10
state_is queueing || fail "not queueing"
heal
begin=${EPOCHREALTIME/./}
eventually 5 has_some || fail "no path is back"
took=$(((${EPOCHREALTIME/./} - begin) / 1000))
echo "a path was active $took ms after the return"
sanitized || [ "$took" -le 1500 ] || fail "a path took $took ms"
wait "$fio" || fail "fio"
recover

step "pings are answered, commands are not"
stall 8000 12 dead-unit tgt a --op update --mode target --tid 1 \
	--name state --value offline
umpiod_stop

step "failover-time = 1s"
start -o failover-time=1s
stall 1000 4 quick-both lose 1 both
stall 1000 4 quick-in lose 1 in
stall 1000 4 quick-out lose 1 out
umpiod_stop
