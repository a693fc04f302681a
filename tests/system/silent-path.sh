#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
#
# Paths that fall silent without a word, in a network of the test's own: every
# address has a virtual cable, and a packet filter loses what it carries, both
# ways or one. Stalls are measured against the slowest request of a run without
# faults.
# shellcheck source=tests/system/functions.sh
if [ -z "${UMPIO_TEST_NET:-}" ]; then
	command -v unshare nft ip >/dev/null ||
		{ echo "skipped: needs unshare, nft and ip"; exit 77; }
	[ "$(id -u)" -eq 0 ] || { echo "skipped: needs root"; exit 77; }
	UMPIO_TEST_NET=1 exec unshare --net -- "$0" "$@"
fi
. "$(dirname "$0")/functions.sh"
requires fio jq nft ip
cd "$T"

# cables: the target's side in a namespace of its own, held by a process
ip link set lo up
unshare --net sleep 3600 &
HOLDER=$!
PIDS+=("$HOLDER")
apart() {
	[ "$(readlink /proc/self/ns/net)" != \
		"$(readlink "/proc/$HOLDER/ns/net")" ]
}
far() { nsenter --net="/proc/$HOLDER/ns/net" -- "$@"; }
eventually 3 apart || fail "no namespace"
far ip link set lo up
for n in 1 2; do
	ip link add "near$n" type veth peer name "far$n" netns "$HOLDER"
	ip address add "10.77.$n.1/24" dev "near$n"
	ip link set "near$n" up
	far ip address add "10.77.$n.2/24" dev "far$n"
	far ip link set "far$n" up
done
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

# One disk, two servers, one behind each cable.
truncate -s 2G "$T/disk"
serve() { # NAME N
	local pid
	requires tgtd tgtadm
	mkdir -p /var/run/tgtd
	: "${TGT_CONTROL[$1]:=$((1000 + ($$ * 7 + ${#TGT_PID[@]}) % 31000))}"
	nsenter --net="/proc/$HOLDER/ns/net" -- tgtd -f --iscsi \
		"portal=10.77.$2.2:3260" -C "${TGT_CONTROL[$1]}" \
		>"$T/tgtd-$1.log" 2>&1 </dev/null &
	pid=$!
	TGT_PID[$1]=$pid
	eventually 5 tgt "$1" --op show --mode sys || fail "tgtd $1"
	tgt_target "$1" 1 "$IQN.$1"
	tgt_lun "$1" 1 1 "$T/disk"
	tgt "$1" --op update --mode logicalunit --tid 1 --lun 1 \
		--params "scsi_id=one-lun-of-two-targets,scsi_sn=one$$"
}
serve a 1
serve b 2

# load NAME SECONDS: fio's verdict; its figures in NAME.json. One pass over the
# disk: a write over one that was moved waits until that is fenced, however long
# it takes, which is not what this is about.
load() {
	fio --name="$1" --ioengine=nbd --uri="$NBD_URI" --rw=rw --bs=4k \
		--iodepth=16 --rate_iops=2000,2000 --size=2g --time_based \
		--runtime="$2" \
		--output-format=json --output="$T/$1.json" >"$T/$1.log" 2>&1
}
slowest_ms() {
	sed -n '/^{/,$p' "$T/$1.json" |
		jq '[.jobs[0] | .read, .write | .lat_ns.max] | max / 1e6 | ceil'
}
failovers() { json '.devices[0].failovers' stats; }
calm() {
	load calm 3 || fail "fio without faults"
	slowest_ms calm
}
# A path that was lost too often is held down, which is not what this is about.
start() {
	umpiod_start -o hold-down=no -o marginal=no "$@" \
		--nbd "unix:$NBD_SOCKET" "iscsi://10.77.1.2/$IQN.a/1" \
		"iscsi://10.77.2.2/$IQN.b/1"
	ctl wait disk0 --paths 2 --timeout 10 || fail "two paths"
}

# stall LIMIT-MS SECONDS NAME COMMAND…: under load, COMMAND after 1 s and heal at
# the end; the slowest request must keep to the limit, and a path must fail
measure() {
	local limit=$1 seconds=$2 name=$3 before slow base fio
	shift 3
	step "$name"
	base=$(calm) before=$(failovers)
	load "$name" "$seconds" &
	fio=$!
	PIDS+=("$fio")
	sleep 1
	"$@"
	wait "$fio" || fail "fio: $name"
	slow=$(slowest_ms "$name")
	echo "$name: slowest request $slow ms (limit $limit), without faults" \
		"$base ms, $(($(failovers) - before)) failovers"
	recover
	sanitized || [ "$slow" -le $((limit + base)) ]
}
stall() {
	measure "$@" || { [ -z "${noisy:-}" ] && measure "$@"; } ||
		fail "$3: stalled for longer than $1 ms, twice"
}
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
