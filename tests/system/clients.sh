#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
#
#   clients.sh [ramdisk]
#
# Every client of the frontends that others wrote, with verified data, on LUNs
# of 512 and of 4096 byte blocks, while one of four paths is killed every
# 500 ms. With `ramdisk`: over memory, which shows whose fault it is. A client
# that is not installed is left out, and said so.
# shellcheck source=tests/system/functions.sh
. "$(dirname "$0")/functions.sh"
here=$(cd "$(dirname "$0")" && pwd)
requires jq nbdinfo nbdcopy openssl python3
requires_root
requires_fuse
cd "$T" # fio leaves files

over=${1:-target}
TCP_PORT=10809
NAME=disk0
[ "$over" = target ] || NAME=ram
U="nbd+unix:///$NAME?socket=$NBD_SOCKET"
FILE=$T/disk.img
SIZE_MIB=330 # the least that mkfs.xfs takes is 300
REF_MIB=48   # of it random, the rest zeroes
LEFT_OUT=()
chmod 711 "$T"
mkdir -p "$T/mnt" "$T/pki"

# client NAME TOOL… : begins a step; false when a tool is missing
client() {
	local name=$1 tool
	shift
	for tool in "$@"; do
		command -v "$tool" >/dev/null && continue
		LEFT_OUT+=("$BLOCK: $name: no $tool")
		return 1
	done
	step "$BLOCK: $name"
}
# quietly COMMAND…: what it says matters when it fails
quietly() {
	"$@" >"$T/said.log" 2>&1 || fail "$*"
}
# bounds what hangs, too
within() { timeout 150 "$@"; }

serve() { # OPTIONS…: of umpiod, or what is the same of ramdisk
	if [ "$over" = target ]; then
		umpiod_start "${HARASSED[@]}" "${ADDRESSES[@]}" "$@" "${URLS[@]}"
		ctl wait disk0 --paths 4 --timeout 10
		return
	fi
	local options=(--size "${SIZE_MIB}MiB" --block-size "$BLOCK") o
	for o in "$@"; do
		case $o in
		tls-certificates=*) options+=("--${o%%=*}" "${o#*=}") ;;
		esac
	done
	background ramdisk ramdisk "${ADDRESSES[@]}" "${options[@]}"
	RAMDISK=$!
	eventually 5 grep -q ready "$T/ramdisk.log" || fail "ramdisk"
}
stop() {
	if [ "$over" = target ]; then
		umpiod_stop
	else
		kill -TERM "$RAMDISK"
		wait "$RAMDISK" || fail "ramdisk ended with $?"
	fi
}

loop_on_file() {
	loop=$(losetup --show -f --direct-io=on --sector-size "$BLOCK" \
		"$FILE") || fail losetup
	LOOPS+=("$loop")
}
loop_off() {
	losetup -d "$loop"
	# It is gone when the last one that looked at it is.
	eventually 5 bash -c "! losetup -j '$FILE' | grep -q ." || :
}

# file_system TYPE: made, filled, emptied in part, and read again
file_system() {
	loop_on_file
	case $1 in
	ext4) quietly mkfs.ext4 -q -F "$loop" ;;
	xfs) quietly mkfs.xfs -q -f "$loop" ;;
	esac
	if ! mount -t "$1" "$loop" "$T/mnt" 2>/dev/null; then
		LEFT_OUT+=("$BLOCK: $1: this kernel does not mount it")
		loop_off
		return
	fi
	cp "$T/ref48" "$T/mnt/a"
	cp "$T/ref48" "$T/mnt/b"
	sync -f "$T/mnt"
	rm "$T/mnt/a"
	quietly fstrim "$T/mnt"
	umount "$T/mnt"
	quietly mount -t "$1" -o ro "$loop" "$T/mnt"
	cmp "$T/ref48" "$T/mnt/b" || fail "$1: what was written differs"
	umount "$T/mnt"
	case $1 in
	ext4) quietly e2fsck -fn "$loop" ;;
	xfs) quietly xfs_repair -n "$loop" ;;
	esac
	loop_off
}

# The requests of one who has chosen: 1 MiB in 64 KiB parts, then the end.
cat >"$T/talk.py" <<'PY'
import struct, sys
export, mode = sys.argv[1].encode(), sys.argv[2]
if mode == "ask":
    out = sys.stdout.buffer
    out.write(struct.pack(">QIII", 0x49484156454F5054, 7, len(export) + 6,
                          len(export)) + export + b"\0\0")
    for n in range(16):
        out.write(struct.pack(">IHHQQI", 0x25609513, 0, 0, n, n << 16, 65536))
    out.write(struct.pack(">IHHQQI", 0x25609513, 0, 2, 99, 0, 0))
else:
    got = sys.stdin.buffer.read()
    with open(sys.argv[3], "rb") as f:
        want = f.read(1 << 20)
    at = got.index(struct.pack(">QII", 0x3E889045565A9, 7, 1)) + 20
    for _ in range(16):
        magic, error, n = struct.unpack_from(">IIQ", got, at)
        assert magic == 0x67446698 and error == 0, (hex(magic), error)
        at += 16 + 65536
        assert got[at - 65536:at] == want[n << 16:n + 1 << 16], n
PY
talks() { # NAME COMMAND…: which speaks TLS with 127.0.0.1:$PORT
	local name=$1
	shift
	background relay python3 "$here/nbd-starttls.py" "$A1" "$TCP_PORT" \
		relay "$PORT"
	eventually 5 bash -c "ss -Hltn 'sport = :$PORT' | grep -q ." ||
		fail "relay"
	# What it asks is short: it must stay for the answers.
	{ python3 "$T/talk.py" "$NAME" ask; sleep 2; } |
		within "$@" >"$T/answers" 2>"$T/said.log" || :
	python3 "$T/talk.py" "$NAME" check "$T/ref" <"$T/answers" ||
		fail "$name: what it read differs"
	PORT=$((PORT + 1))
}

nbd_clients() {
	client "nbdinfo" nbdinfo
	equal size "$(nbdinfo --size "$U")" $((SIZE_MIB << 20))
	nbdinfo "$U" >"$T/info"
	grep -q "block_size_minimum: $BLOCK" "$T/info" || fail "$(cat "$T/info")"
	nbdinfo --can multi-conn "$U" || fail "one connection only"
	quietly nbdinfo --list "nbd://$A1:$TCP_PORT"

	client "nbdcopy, four connections" nbdcopy
	within nbdcopy --flush --connections=4 --requests=32 "$T/ref" "$U"
	within nbdcopy --connections=4 "nbd://$A1:$TCP_PORT/$NAME" "$T/back"
	cmp "$T/ref" "$T/back" || fail "nbdcopy"
	quietly nbdinfo --map "$U"

	if client "qemu-img" qemu-img; then
		quietly within qemu-img compare -f raw -F raw "$T/ref" "$U"
		quietly within qemu-img convert -n -f raw -O raw -W -m 8 \
			"$T/ref" "$U"
		quietly within qemu-img compare -f raw -F raw "$T/ref" "$U"
	fi

	if client "nbdkit's nbd plugin" nbdkit qemu-img; then
		# shellcheck disable=SC2016
		quietly within nbdkit -U - nbd uri="$U" --run \
			'qemu-img compare -f raw -F raw "$uri" '"'$T/ref'"
	fi

	if client "qemu-io" qemu-io; then
		within qemu-io -f raw -c 'write -P 0xa5 -f 100M 64k' \
			-c 'read -P 0xa5 100M 64k' -c 'write -P 0x5a 104858113 1' \
			-c 'read -P 0x5a 104858113 1' -c 'discard 100M 1M' \
			-c 'write -z -u 101M 1M' -c 'read -P 0 101M 1M' \
			-c 'aio_write -P 7 102M 1M' -c 'aio_write -P 8 103M 1M' \
			-c aio_flush -c flush -c 'read -P 7 102M 1M' \
			-c 'read -P 8 103M 1M' "$U" >"$T/said.log" 2>&1 ||
			fail qemu-io
		! grep -qiE 'fail|error' "$T/said.log" || fail qemu-io
	fi

	if client "nbdsh" nbdsh; then
		# Debian's, whichever python3 is first.
		quietly within env "PATH=/usr/bin:$PATH" nbdsh -u "$U" -c '
h.set_strict_mode(0)
for at, n in ((1, 511), (4095, 2), (70000, 70000), (512, 512)):
    data = bytearray((at * 7 + i) % 251 for i in range(n))
    h.pwrite(data, (120 << 20) + at, nbd.CMD_FLAG_FUA)
    assert h.pread(n, (120 << 20) + at) == data, at
h.zero(300000, (120 << 20) + 3)
assert h.pread(300000, (120 << 20) + 3) == bytes(300000)
h.flush()'
	fi

	if client "fio" fio; then
		quietly within fio --name=v --ioengine=nbd --uri="$U" \
			--offset=200m --size=64m --rw=randwrite --iodepth=32 \
			--bssplit=4k/50:64k/30:256k/15:1m/5 --verify=crc32c \
			--verify_fatal=1 --do_verify=1
	fi

	if client "nbdfuse" nbdfuse; then
		: >"$T/nbdfuse.img"
		background nbdfuse nbdfuse "$T/nbdfuse.img" "$U"
		eventually 5 grep -q " $T/nbdfuse.img " /proc/self/mountinfo ||
			fail "nbdfuse does not mount"
		cmp -n $((REF_MIB << 20)) "$T/ref" "$T/nbdfuse.img" ||
			fail "nbdfuse: read"
		within dd if="$T/ref48" of="$T/nbdfuse.img" bs=1M seek=150 \
			conv=notrunc,fsync status=none
		umount "$T/nbdfuse.img"
		cmp -n $((REF_MIB << 20)) -i 0:$((150 << 20)) "$T/ref48" \
			"$FILE" || fail "nbdfuse: what it wrote differs"
	fi
}

file_clients() {
	if client "fio on the block file" fio; then
		quietly within fio --name=f --filename="$FILE" \
			--ioengine=libaio --direct=1 --offset=264m --size=64m \
			--rw=randwrite --iodepth=32 --verify=crc32c \
			--bssplit=4k/50:64k/30:256k/15:1m/5 --verify_fatal=1 \
			--do_verify=1
	fi
	client "losetup, mkfs.ext4, e2fsck" losetup mkfs.ext4 e2fsck &&
		file_system ext4
	client "losetup, mkfs.xfs, xfs_repair" losetup mkfs.xfs xfs_repair &&
		file_system xfs
	if client "fuse2fs" fuse2fs mkfs.ext4 e2fsck; then
		quietly mkfs.ext4 -q -F "$FILE"
		for mode in rw ro; do
			quietly within fuse2fs -o "fakeroot,$mode" "$FILE" \
				"$T/mnt"
			[ $mode = ro ] || within cp "$T/ref48" "$T/mnt/file"
			cmp "$T/ref48" "$T/mnt/file" || fail "fuse2fs: $mode"
			umount "$T/mnt"
			# It goes on for a while after the unmount.
			eventually 10 e2fsck -fn "$FILE" || fail "e2fsck"
		done
	fi
}

tls_clients() {
	client "nbdcopy over TLS" nbdcopy
	local uri="nbds://$A1:$TCP_PORT/$NAME?tls-certificates=$T/pki"
	within nbdcopy --flush "$T/ref" "$uri"
	within nbdcopy "$uri" "$T/back"
	cmp "$T/ref" "$T/back" || fail "nbdcopy over TLS"
	client "openssl s_client" openssl &&
		talks s_client openssl s_client -quiet -ign_eof \
			-connect "127.0.0.1:$PORT" -CAfile "$T/pki/ca-cert.pem" \
			-verify_return_error
	client "gnutls-cli" gnutls-cli &&
		talks gnutls-cli gnutls-cli --logfile="$T/gnutls.log" \
			--x509cafile "$T/pki/ca-cert.pem" \
			--verify-hostname "$A1" -p "$PORT" 127.0.0.1
}

run() {
	ADDRESSES=(--nbd "unix:$NBD_SOCKET" --nbd "tcp:$A1:$TCP_PORT"
		--fuse "$FILE")
	serve
	[ "$over" != target ] || tgt_harass t 0.5
	nbd_clients
	file_clients
	if [ "$over" = target ]; then
		tgt_harassed
		killed=$KILLED
		ctl wait disk0 --paths 4 --timeout 15 || fail "a path is not back"
	fi
	stop
	ADDRESSES=(--nbd "tcp:$A1:$TCP_PORT")
	serve -o tls=required -o "tls-certificates=$T/pki"
	[ "$over" != target ] || tgt_harass t 0.5
	tls_clients
	if [ "$over" = target ]; then
		tgt_harassed
		echo "$BLOCK: $((killed + KILLED)) paths killed"
		[ "$killed" -ge 10 ] || fail "only $killed paths were killed"
	fi
	stop
}

openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 \
	-subj "/CN=server" -addext "subjectAltName=IP:$A1,DNS:$A1" \
	-keyout "$T/pki/server-key.pem" -out "$T/pki/server-cert.pem" \
	2>"$T/said.log" || fail "openssl req"
cp "$T/pki/server-cert.pem" "$T/pki/ca-cert.pem"
head -c ${REF_MIB}M /dev/urandom >"$T/ref48"
cp "$T/ref48" "$T/ref"
truncate -s ${SIZE_MIB}M "$T/ref"

for BLOCK in 512 4096; do
	if [ "$over" = target ]; then
		tgt_paths ${SIZE_MIB}M "$BLOCK"
		run
		tgt_crash t
		unset 'TGT_PID[t]'
		rm "$T/disk"
	else
		run
	fi
done
for one in "${LEFT_OUT[@]}"; do echo "left out: $one"; done
