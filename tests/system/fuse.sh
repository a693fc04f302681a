#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
#
# The block file over a real target with two paths: the same data as through
# NBD, fio's verification, a file system on a loop device, and a clean unmount
# at SIGTERM.
# shellcheck source=tests/system/functions.sh
. "$(dirname "$0")/functions.sh"
requires nbdcopy fio losetup mkfs.ext4 e2fsck
requires_root
requires_fuse
cd "$T"
tgt_simple 256M
file=$T/disk.img

umpiod_start --nbd "unix:$NBD_SOCKET" --fuse "$file" "$URL1" "$URL2"
grep -qF ", $NBD_URI, $file" "$T/umpiod.out" ||
	fail "ready line: $(cat "$T/umpiod.out")"
ctl wait disk0 --paths 2 --timeout 10
equal size "$(stat -c %s "$file")" 268435456
equal "fuse in status" "$(json '.devices[0].fuse[0]' status)" "$file"

step "one device through both"
head -c 32M /dev/urandom >"$T/ref"
truncate -s 256M "$T/ref"
want=$(sha256sum <"$T/ref")
nbdcopy --flush "$T/ref" "$NBD_URI"
equal "checksum by FUSE" "$(sha256sum <"$file")" "$want"
head -c 8M /dev/urandom >"$T/part"
dd if="$T/part" of="$file" bs=1M seek=100 conv=notrunc,fsync status=none
dd if="$T/part" of="$T/ref" bs=1M seek=100 conv=notrunc status=none
nbdcopy "$NBD_URI" "$T/back"
cmp "$T/ref" "$T/back"
rm "$T/ref" "$T/back"

step "fio verify"
fio --name=v --filename="$file" --ioengine=libaio --direct=1 --rw=randrw \
	--bssplit=4k/50:64k/25:256k/15:1m/10 --iodepth=32 --size=256m \
	--time_based --runtime=5 --verify=crc32c --verify_fatal=1 \
	--verify_backlog=256 --serialize_overlap=1 --verify_state_save=0 \
	>"$T/fio.log" 2>&1 || fail "fio"

step "ext4 on a loop device"
loop=$(losetup --show -f --direct-io=on "$file")
LOOPS+=("$loop")
mkfs.ext4 -q -F "$loop"
mkdir "$T/mnt"
mount "$loop" "$T/mnt"
for i in $(seq 40); do head -c $((i * 20011)) /dev/urandom >"$T/mnt/f$i"; done
(cd "$T/mnt" && sha256sum f*) >"$T/sums"
umount "$T/mnt"
e2fsck -fn "$loop" >"$T/e2fsck.log" 2>&1 || fail "e2fsck"
mount -o ro "$loop" "$T/mnt"
(cd "$T/mnt" && sha256sum --quiet -c "$T/sums")
umount "$T/mnt"
losetup -d "$loop"
LOOPS=()

step "the end"
quiet_log
umpiod_stop
! grep -q " $file " /proc/self/mountinfo || fail "still mounted"
[ ! -e "$file" ] || fail "the file that was made is still there"

step "a file that was there stays"
: >"$file"
umpiod_start --fuse "$file" "$URL1"
equal "ready line" "$(cat "$T/umpiod.out")" \
	"disk0 ready: 268435456 bytes, 1/1 paths, $file"
umpiod_stop
[ -e "$file" ] || fail "the file that was there is gone"
equal "its size" "$(stat -c %s "$file")" 0
