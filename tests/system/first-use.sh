#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
#
# What a user does first: two URLs become one NBD export. The ready line, the
# size and flags, data in and out by judges that are not ours (nbdinfo,
# nbdcopy, qemu-img, qemu-io), the keys of `status` and `stats`, and an end that
# leaves nothing behind.
# shellcheck source=tests/system/functions.sh
. "$(dirname "$0")/functions.sh"
requires nbdinfo nbdcopy qemu-img qemu-io jq
tgt_simple 64M
tgt t --op update --mode logicalunit --tid 1 --lun 1 \
	--params thin_provisioning=1

step "the ready line"
umpiod_start --nbd "unix:$NBD_SOCKET" "$URL1" "$URL2"
line=$(cat "$T/umpiod.out")
[[ $line =~ ^"disk0 ready: 67108864 bytes, "[12]"/2 paths, $NBD_URI"$ ]] ||
	fail "ready line: $line"
ctl wait disk0 --paths 2 --timeout 10
equal "mode of the control socket" "$(stat -c %a "$CONTROL")" 600
equal "mode of the NBD socket" "$(stat -c %a "$NBD_SOCKET")" 600

step "nbdinfo"
nbdinfo --json "$NBD_URI" >"$T/info"
info() { jq -r ".exports[0] | $1" "$T/info"; }
equal size "$(info '."export-size"')" 67108864
minimum=$(info .block_size_minimum)
[ "$minimum" = 1 ] || equal "minimum block size" "$minimum" 512
for flag in can_df can_flush can_fua can_zero can_multi_conn \
	can_trim; do
	equal "$flag" "$(info ".$flag")" true
done
equal "read-only" "$(info .is_read_only)" false
preferred=$(info .block_size_preferred)
[ "$preferred" -ge 4096 ] || fail "preferred block size: $preferred"
nbdinfo --list "nbd+unix://?socket=$NBD_SOCKET" | grep -q 'export="disk0"' ||
	fail "the export is not listed"
nbdinfo "nbd+unix:///?socket=$NBD_SOCKET" >/dev/null ||
	fail "the empty name is not the only device"
refused 1 "" nbdinfo "nbd+unix:///other?socket=$NBD_SOCKET"

step "nbdcopy in and out"
head -c 67108864 /dev/urandom >"$T/ref"
nbdcopy --flush "$T/ref" "$NBD_URI"
nbdcopy "$NBD_URI" "$T/back"
cmp "$T/ref" "$T/back"
cmp "$T/ref" "$T/disk" || fail "the target does not have what was written"
qemu-img compare -f raw -F raw "$T/ref" "$NBD_URI"

step "qemu-io patterns"
qio() {
	qemu-io -f raw "${@/#/-c}" "$NBD_URI" >"$T/qemu-io.log" 2>&1 ||
		fail "qemu-io: $*"
	! grep -qi 'failed\|error' "$T/qemu-io.log" || fail "qemu-io: $*"
}
qio "write -P 0xa5 0 1M" "write -f -P 0x5a 1M 64k" "flush" \
	"read -P 0xa5 0 1M" "read -P 0x5a 1M 64k"
qio "write -P 0x11 33000 1000" "read -P 0x11 33000 1000" \
	"read -P 0xa5 32768 232"
qio "write -P 0x77 4M 2M" "write -z 4M 1M" "read -P 0 4M 1M" \
	"read -P 0x77 5M 1M" "write -z -u 5M 1M" "read -P 0 5M 1M"
qio "write -P 0x33 8M 1M" "discard 8M 1M" "read 8M 1M"
qio "aio_write -P 0x44 10M 4M" "aio_write -P 0x45 16M 4M" "aio_flush" \
	"read -P 0x44 10M 4M" "read -P 0x45 16M 4M"
qio "write -P 0x66 67108352 512" "read -P 0x66 67108352 512"

step "status and stats"
ctl --json status >"$T/status"
ctl --json stats >"$T/stats"
# has FILE FILTER KEY…: the object has at least these keys
has() {
	local file=$1 filter=$2 key
	shift 2
	for key in "$@"; do
		jq -e "$filter | has(\"$key\")" "$file" >/dev/null ||
			fail "$filter lacks \"$key\": $(cat "$file")"
	done
}
has "$T/status" '.devices[0]' name wwid size block_size state policy nbd fuse \
	paths
has "$T/status" '.devices[0].paths[0]' id portal portals target tpgt lun state \
	alua connections inflight reads writes read_bytes write_bytes errors \
	failovers
has "$T/stats" '.devices[0]' name failovers queued clients \
	sessions
has "$T/stats" '.devices[0].sessions[0]' path logins session_recoveries \
	connection_recoveries tasks_reassigned tasks_retried snacks_sent \
	digest_errors fences sibling_fences read_latency_us write_latency_us
has "$T/stats" '.devices[0].sessions[0].read_latency_us' p50 p99 max
status() { jq -r ".devices[0] | $1" "$T/status"; }
equal name "$(status .name)" disk0
equal size "$(status .size)" 67108864
equal "block size" "$(status .block_size)" 512
equal state "$(status .state)" up
equal policy "$(status .policy)" round-robin
equal nbd "$(status '.nbd | join(" ")')" "unix:$NBD_SOCKET"
equal fuse "$(status '.fuse | length')" 0
equal portals "$(status '[.paths[].portal] | sort | join(" ")')" \
	"$A1:3260 $A2:3260"
equal "path states" "$(status '[.paths[].state] | join(" ")')" "active active"
equal alua "$(status '.paths[0].alua')" none
equal target "$(status '.paths[0].target')" "$IQN"
equal tpgt "$(status '.paths[0].tpgt')" 1
equal lun "$(status '.paths[0].lun')" 1
equal connections "$(status '[.paths[].connections] | add')" 2
equal "in flight" "$(status '[.paths[].inflight] | add')" 0
equal errors "$(status '[.paths[].errors] | add')" 0
[[ $(status .wwid) =~ ^(naa|eui|name|t10|serial)\. ]] ||
	fail "wwid: $(status .wwid)"
for key in reads writes read_bytes write_bytes; do
	[ "$(status "[.paths[].$key] | min")" -gt 0 ] ||
		fail "a path of round-robin has no $key"
done
equal logins "$(jq -r '[.devices[0].sessions[].logins] | join(" ")' \
	"$T/stats")" "1 1"
jq -e '.devices[0].sessions[0].read_latency_us | .max >= .p99 and
	.p99 >= .p50 and .max > 0' "$T/stats" >/dev/null || fail "latencies"
ctl status >"$T/human"
for word in disk0 up 64 "$A1:3260" "$A2:3260" active round-robin; do
	grep -qF "$word" "$T/human" || fail "no $word in: $(cat "$T/human")"
done
[ "$(wc -L <"$T/human")" -le 250 ] || fail "status is too wide to read"
! grep -q $'\e' "$T/human" || fail "colours in a pipe"
ctl stats | grep -q disk0 || fail "stats for people"

step "the end"
quiet_log 'no export is named "other"'
umpiod_stop
[ ! -e "$CONTROL" ] || fail "the control socket is still there"
[ ! -e "$NBD_SOCKET" ] || fail "the NBD socket is still there"
equal "sessions left at the target" "$(tgt_connections t | wc -l)" 0

step "read-only"
umpiod_start --read-only --name ro0 --nbd "unix:$NBD_SOCKET" "$URL1"
nbdinfo --is read-only "nbd+unix:///ro0?socket=$NBD_SOCKET" ||
	fail "not read-only"
umpiod_stop
