#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
#
# Faults on the way to a tgt, made by the proxy: what it is told happens, to
# that PDU or connection and no other one, and a device over two paths does not
# show any of it.
# shellcheck source=tests/system/functions.sh
. "$(dirname "$0")/functions.sh"
requires jq qemu-io
tgt_simple 64M
for key in HeaderDigest DataDigest; do
	tgt t --op update --mode target --tid 1 --name $key --value CRC32C
done
proxy_start proxy "$A3:3260=$A1:3260" "$A4:3260=$A2:3260"
tell() { proxy_tell proxy "$@"; }
said() { tell "$@" >/dev/null || fail "the proxy: $*"; }
faults() { tell show | sed 's/.*faults=\([0-9]*\).*/\1/'; }
failures() { json '.devices[0].failovers' stats; }
log_line() { grep -qE -- "$1" "$T/umpiod.log"; }

step "what it does not know it says"
for wrong in "flip all" "flip all nonsense" "flip all data-in x" \
	"hold r9 in" "delay all in" "drop x9 r2t" "hold all up" nonsense; do
	# shellcheck disable=SC2086
	! tell $wrong >/dev/null || fail "taken: $wrong"
done

umpiod_start --nbd "unix:$NBD_SOCKET" -o hold-down=no -o marginal=no \
	-o max-recv-data-segment-length=16KiB \
	-o data-digest=CRC32C \
	-o header-digest=CRC32C \
	"iscsi://$A3:3260/$IQN/1" "iscsi://$A4:3260/$IQN/1"
eventually 10 has_active 2 || fail "$(ctl status)"
# Two requests, so that each path has one under round-robin.
io() {
	qemu-io -f raw -c 'write -P 7 0 256k' -c 'write -P 8 256k 256k' \
		-c 'read -P 7 0 256k' -c 'read -P 8 256k 256k' "$NBD_URI" \
		>"$T/io.log" || fail "I/O under: $*"
	! grep -q 'failed\|error' "$T/io.log" || fail "I/O under: $*"
}
# strikes COMMAND…: it comes true under I/O, and nobody sees it
strikes() {
	local before
	step "$*"
	before=$(faults)
	said "$@"
	io "$@"
	[ "$(faults)" -gt "$before" ] || fail "did not come true: $*"
	eventually 20 has_active 2 || fail "not back after: $*"
}
io nothing
strikes flip all data-in
strikes flip-header all data-in 2
strikes tear all data-out 2
strikes reset all response
strikes drop all data-in 5
strikes swap all data-in 3
strikes twice all data-in 2

step "a connection cut, ended, and cut in the middle of a PDU"
equal "cut" "$(tell cut r1)" "ok 1"
eventually 10 has_active 2 && io cut
equal "end" "$(tell end r2)" "ok 1"
eventually 10 has_active 2 && io end
said after r1 in 5000
io after
eventually 20 has_active 2 || fail "not back"

step "a direction that is held, and is found dead"
said hold r1 in
io hold
eventually 20 has_active 1 || fail "a silent path is active"
said release r1 in
eventually 20 has_active 2 || fail "not back"

step "slow, and slower"
said delay all in 20
start=$(date +%s%N)
io delay
[ $(($(date +%s%N) - start)) -gt 80000000 ] || fail "no delay"
said delay all in 0
said rate all out 1000000
start=$(date +%s%N)
io rate
[ $(($(date +%s%N) - start)) -gt 200000000 ] || fail "no rate"
said clear

step "a route that refuses"
said refuse r2
said cut r2
eventually 5 has_active 1 || fail "still active"
io refuse
said accept r2
eventually 20 has_active 2 || fail "not back"

step "a ping that comes twice, seconds later"
said keep all nop-in
eventually 20 tell replay all in || fail "no ping"
io replay
eventually 20 has_active 2 || fail "not back"
umpiod_stop
echo "passed"
