#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
#
# No path is left: requests are held and all complete when the target is back
# in time; after no-path-timeout they fail with EIO, and the device works again
# when the target is back after all.
# shellcheck source=tests/system/functions.sh
. "$(dirname "$0")/functions.sh"
requires fio jq qemu-io
cd "$T"
truncate -s 256M "$T/disk"
serve() {
	tgt_start t "$A1:3260,$A2:3260"
	tgt_target t 1 "$IQN"
	tgt_lun t 1 1 "$T/disk"
}
serve
URL1=iscsi://$A1/$IQN/1 URL2=iscsi://$A2/$IQN/1
write() { # PATTERN OFFSET
	qemu-io -f raw -c "write -P $1 $2 64k" "$NBD_URI" >"$T/write.$1.log" 2>&1
}
queued() { [ "$(json '.devices[0].queued' stats)" -ge "$1" ]; }

step "held, and completed when the target is back"
umpiod_start --nbd "unix:$NBD_SOCKET" "$URL1" "$URL2"
ctl wait disk0 --paths 2 --timeout 10
fio --name=v --ioengine=nbd --uri="$NBD_URI" --rw=randrw --iodepth=16 \
	--bssplit=4k/60:64k/40 --size=32m --offset=32m --time_based \
	--runtime=8 --verify=crc32c --verify_fatal=1 --verify_backlog=256 \
	--serialize_overlap=1 --verify_state_save=0 >"$T/fio.log" 2>&1 &
fio=$!
PIDS+=("$fio")
sleep 1
tgt_crash t
eventually 3 state_is queueing || fail "not queueing"
writers=()
for i in 1 2 3 4; do
	write "$i" "${i}M" &
	writers+=($!)
	PIDS+=($!)
done
eventually 3 queued 4 || fail "nothing is queued"
sleep 2
for pid in "${writers[@]}"; do
	kill -0 "$pid" || fail "a write ended without a path"
done
serve
begin=$EPOCHREALTIME
for pid in "${writers[@]}"; do wait "$pid" || fail "a held write failed"; done
echo "held writes ended $(bc <<<"$EPOCHREALTIME - $begin") s after the return"
wait "$fio" || fail "fio"
for i in 1 2 3 4; do
	qemu-io -f raw -c "read -P $i ${i}M 64k" "$NBD_URI" >/dev/null ||
		fail "held write $i is not there"
done
ctl wait disk0 --paths 2 --timeout 10
equal queued "$(json '.devices[0].queued' stats)" 0
quiet_log 'path|degraded|queueing|cache'
umpiod_stop

step "what is held is bounded, over all connections"
umpiod_start --nbd "unix:$NBD_SOCKET" "$URL1" "$URL2"
ctl wait disk0 --paths 2 --timeout 10
tgt_crash t
eventually 3 state_is queueing || fail "not queueing"
fio --name=m --ioengine=nbd --uri="$NBD_URI" --rw=write --bs=256k \
	--iodepth=256 --numjobs=4 --size=64m --offset_increment=64m >"$T/fio-many.log" 2>&1 &
fio=$!
PIDS+=("$fio")
eventually 5 queued 250 || fail "too little is queued: $(ctl stats)"
sleep 2
rss=$(awk '/VmRSS/ { print int($2 / 1024) }' "/proc/$UMPIOD/status")
echo "$(json '.devices[0].queued' stats) requests of 256 KiB held, $rss MiB"
sanitized || [ "$rss" -le 100 ] || fail "umpiod has grown to $rss MiB"
serve
wait "$fio" || fail "fio"
umpiod_stop

step "EIO after no-path-timeout, and recovery"
umpiod_start -o no-path-timeout=2s --nbd "unix:$NBD_SOCKET" "$URL1" "$URL2"
ctl wait disk0 --paths 2 --timeout 10
tgt_crash t
eventually 3 state_is queueing || fail "not queueing"
begin=$EPOCHREALTIME
! write 9 0 || fail "a write without a target succeeded"
grep -qi 'input/output error' "$T/write.9.log" ||
	fail "not EIO: $(cat "$T/write.9.log")"
took=$(bc <<<"($EPOCHREALTIME - $begin) * 1000 / 1")
echo "EIO after $took ms"
[ "$took" -ge 1000 ] && [ "$took" -le 4000 ] || fail "EIO after $took ms"
eventually 2 state_is failed || fail "not failed"
begin=$EPOCHREALTIME
! write 9 0 || fail "a write without a target succeeded"
took=$(bc <<<"($EPOCHREALTIME - $begin) * 1000 / 1")
[ "$took" -le 1000 ] || fail "a failed device does not fail at once: $took ms"
serve
ctl wait disk0 --paths 2 --timeout 15 || fail "no recovery"
state_is up || fail "not up"
write 8 0 || fail "a write after recovery"
cmp -n 65536 "$T/disk" <(head -c 65536 /dev/zero | tr '\0' '\10') ||
	fail "the write is not at the target"
umpiod_stop
