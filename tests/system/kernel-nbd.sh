#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
#
# Linux's own NBD client, in the lab's guest, on umpiod with four paths of which
# one is killed every 500 ms: what the block layer makes of the flags, two
# connections, mkfs, verified files, fstrim, fsck; then the same bytes seen from
# the target's side.
# shellcheck source=tests/system/functions.sh
. "$(dirname "$0")/functions.sh"
requires jq ss qemu-system-x86_64 nbd-client mkfs.ext4 e2fsck

LAB=$(cd "$(dirname "$0")/../lab" && pwd)/lio
export LIO_RUN=$T/lio LIO_A=$NET.15 LIO_B=$NET.143 LIO_CTL_TIMEOUT=100
HOST=$NET.2 # what the guest takes for the host's 127.0.0.1
guest() { "$LAB" ctl "$@" || fail "in the guest: $*" >&2; }
limit() { guest "cat /sys/block/nbd0/queue/$1"; }
# Where a request was, should the guest say that one was not answered: commands
# in flight on each path, and what stands in the queues of both ends of the
# connections (the other one is the emulator's).
samples() {
	set +e
	while sleep 5; do
		date +%T
		json '.devices[0].paths | map(.inflight) | tostring' status
		ss -Htnom "( sport = :$PORT or dport = :$PORT )"
	done
}

step "the lab"
got=0
"$LAB" start >"$T/lab.log" 2>&1 || got=$?
[ -s "$LIO_RUN/pid" ] && PIDS+=("$(cat "$LIO_RUN/pid")")
[ "$got" -ne 77 ] || skip "$(tail -n 1 "$T/lab.log")"
[ "$got" -eq 0 ] || fail "the lab did not start"
guest "command -v nbd-client && command -v mkfs.ext4 && command -v e2fsck" \
	>"$T/tools.log"
guest "load nbd"

disk() { # BLOCKSIZE
	tgt_paths 192M "$1"
	umpiod_start "${HARASSED[@]}" --nbd "tcp:127.0.0.1:$PORT" "${URLS[@]}"
	ctl wait disk0 --paths 4 --timeout 10
	tgt_harass t 0.5
	background samples samples
	SAMPLER=${PIDS[-1]}

	step "$1: nbd-client, two connections"
	guest "nbd-client -l $HOST $PORT" >"$T/list.log"
	grep -q disk0 "$T/list.log" || fail "list: $(cat "$T/list.log")"
	guest "nbd-client $HOST $PORT /dev/nbd0 -N disk0 -C 2 -b $1 \
		-timeout 90" >"$T/client.log"
	equal "size in sectors" "$(guest "cat /sys/block/nbd0/size")" 393216
	equal "block size" "$(limit logical_block_size)" "$1"
	equal "cache" "$(limit write_cache)" "write back"
	equal "FUA" "$(limit fua)" 1
	[ "$(limit discard_max_bytes)" -gt 0 ] || fail "no discard"

	step "$1: ext4"
	guest "mkfs.ext4 -q /dev/nbd0 && mkdir -p /mnt &&
		mount -t ext4 /dev/nbd0 /mnt" >"$T/mkfs.log"
	guest "cd /mnt && for i in 1 2 3 4 5 6 7 8; do
		dd if=/dev/urandom of=f\$i bs=100001 count=40 2>/dev/null ||
			exit 1; done; sync; md5sum f* >/sums.$1"
	guest "rm /mnt/f1 && sed -i '/f1\$/d' /sums.$1 && fstrim /mnt &&
		umount /mnt && echo 3 >/proc/sys/vm/drop_caches &&
		mount -t ext4 -o ro /dev/nbd0 /mnt && cd /mnt &&
		md5sum -c /sums.$1" >"$T/sums.log"
	equal "files that are whole" "$(grep -c ': OK' "$T/sums.log")" 7
	guest "umount /mnt && e2fsck -fn /dev/nbd0" >"$T/e2fsck.log" 2>&1
	guest dmesg >"$T/dmesg.log"
	if grep -iE 'nbd.*(error|timed)|I/O error' "$T/dmesg.log"; then
		cat "$T/samples.log"
		fail "the guest's block layer complains"
	fi

	step "$1: it lets go"
	guest "nbd-client -d /dev/nbd0" >/dev/null
	tgt_harassed
	echo "$1: $KILLED paths killed"
	[ "$KILLED" -ge 5 ] || fail "only $KILLED paths were killed"
	kill "$SAMPLER"
	wait "$SAMPLER" || :
	umpiod_stop
	e2fsck -fn "$T/disk" >"$T/e2fsck.log" 2>&1 || fail "e2fsck here"
	tgt_crash t
	unset 'TGT_PID[t]'
	rm "$T/disk"
}

disk 512
disk 4096
