#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# The recipes of umpio-frontends(7), as they stand there, each with verified
# data: a recipe's tool that is missing leaves it out and says so.
# shellcheck source=tests/system/functions.sh
. "$(dirname "$0")/functions.sh"

requires umpiod tgtd nbdinfo nbdcopy fallocate
requires_root
requires_fuse
set -o pipefail

tgt_simple 384M
head -c 96M /dev/urandom >"$T/ref"
truncate -s 384M "$T/ref"
cp "$T/ref" "$T/disk"
left_out=()
have() { # TOOL…
	local tool
	for tool in "$@"; do
		command -v "$tool" >/dev/null && continue
		left_out+=("$recipe: no $tool")
		return 1
	done
}
begin() { recipe=$1; step "$1"; }

begin "nbdcopy backup"
umpiod_start --nbd "unix:$NBD_SOCKET" "$URL1" "$URL2"
ctl wait disk0 --paths 2 --timeout 10
nbdcopy "$NBD_URI" "$T/backup.img"
cmp "$T/ref" "$T/backup.img" || fail "the backup differs"
printf 'changed' | dd of="$T/disk" conv=notrunc status=none
nbdcopy --flush "$T/backup.img" "$NBD_URI"
cmp "$T/ref" "$T/disk" || fail "what was restored differs"

begin "QEMU disk"
if have qemu-system-x86_64; then
	{
		echo '{"execute":"qmp_capabilities"}'
		for io in 'write -P 0x5a 1M 64k' 'read -P 0x5a 1M 64k' flush; do
			printf '{"execute":"human-monitor-command","arguments":{"command-line":"qemu-io d0 \\"%s\\""}}\n' \
				"$io"
			sleep 0.3
		done
		echo '{"execute":"quit"}'
	} | timeout 60 qemu-system-x86_64 -machine none -nodefaults \
		-display none -qmp stdio \
		-blockdev "driver=nbd,node-name=d0,server.type=unix,server.path=$NBD_SOCKET,export=disk0,reconnect-delay=30" \
		>"$T/qemu.log" 2>&1 || fail "qemu: $(cat "$T/qemu.log")"
	grep -qiE 'error|fail|verification' "$T/qemu.log" &&
		fail "qemu: $(cat "$T/qemu.log")"
	zeros=$(dd if="$T/disk" bs=64k skip=16 count=1 status=none |
		tr -d '\132' | wc -c)
	equal "bytes that QEMU did not write" "$zeros" 0
fi

begin "two roots that share a unix socket"
mkdir -p "$T/a" "$T/b" "$T/shared"
umpiod_stop
background first unshare -m --propagation private bash -c "
	mount -t tmpfs none '$T/b' && exec umpiod \
		--control '$T/a/control.sock' --initiator-name '$INITIATOR' \
		--nbd 'unix:$T/shared/nbd.sock' '$URL1'"
FIRST=$!
eventually 15 grep -q ready "$T/first.log" || fail "umpiod in the first root"
unshare -mn --propagation private bash -c "
	mount -t tmpfs none '$T/a' &&
	nbdcopy 'nbd+unix:///disk0?socket=$T/shared/nbd.sock' '$T/b/copy.img'" ||
	fail "the second root"
cmp "$T/disk" "$T/b/copy.img" || fail "the second root's copy differs"
kill -TERM "$FIRST"
wait "$FIRST" || fail "umpiod in the first root ended with $?"

begin "loop device"
umpiod_start --fuse "$T/disk.img" "$URL1" "$URL2"
if have losetup mkfs.ext4 mkfs.xfs; then
	mkdir -p "$T/mnt"
	for fs in ext4 xfs; do
		loop=$(losetup --show -f --direct-io=on "$T/disk.img") ||
			fail losetup
		LOOPS+=("$loop")
		case $fs in
		ext4) mkfs.ext4 -q -F "$loop" ;;
		xfs) mkfs.xfs -q -f "$loop" 2>/dev/null ||
			{ left_out+=("xfs: 96 MiB are too small for it");
			losetup -d "$loop"; continue; } ;;
		esac
		if ! mount -t $fs "$loop" "$T/mnt" 2>/dev/null; then
			left_out+=("$fs: this kernel does not mount it")
			losetup -d "$loop"
			continue
		fi
		head -c 20M "$T/ref" >"$T/mnt/file"
		sync -f "$T/mnt"
		fstrim "$T/mnt" || fail "fstrim on $fs"
		umount "$T/mnt"
		mount -t $fs -o ro "$loop" "$T/mnt"
		cmp -n $((20 << 20)) "$T/ref" "$T/mnt/file" || fail "$fs"
		umount "$T/mnt"
		losetup -d "$loop"
	done
	sleep 0.3
fi
mkfs.ext4 -q -F "$T/disk.img"
umpiod_stop

begin "a file system without root"
if have fuse2fs setpriv; then
	mkdir -p "$T/user"
	chmod 711 "$T"
	cp "$(command -v umpiod)" "$T/umpiod"
	mknod "$T/fuse" c 10 229
	chmod 666 "$T/fuse"
	chown 65534:65534 "$T/user"
	# shellcheck disable=SC2016
	unshare -m bash -c '
		mount --bind "$1" /dev/fuse
		exec setpriv --reuid=65534 --regid=65534 --clear-groups \
			unshare -Urm bash -euc "$2" user "$3" "$4" "$5" "$6"
	' rootless "$T/fuse" '
		cd "$1"
		umpiod=$2 initiator=$3 url=$4
		export XDG_STATE_HOME=$1 XDG_RUNTIME_DIR=$1
		"$umpiod" --control c.sock --initiator-name "$initiator" \
			--fuse disk.img "$url" >out 2>log &
		for _ in $(seq 100); do grep -q ready out && break; sleep 0.1; done
		mkdir -p mnt
		fuse2fs -o fakeroot disk.img mnt
		head -c 10000000 /dev/urandom >file
		cp file mnt/file && sync
		fusermount3 -u mnt 2>/dev/null || umount mnt
		sleep 0.5
		fuse2fs -o fakeroot,ro disk.img mnt
		cmp file mnt/file
		fusermount3 -u mnt 2>/dev/null || umount mnt
		sleep 0.5
		kill %1 && wait %1
		echo whole
	' "$T/user" "$T/umpiod" "$INITIATOR" "$URL1" >"$T/rootless.log" 2>&1 ||
		fail "without root: $(cat "$T/rootless.log" "$T/user/log")"
	grep -q whole "$T/rootless.log" || fail "$(cat "$T/rootless.log")"
	e2fsck -fn "$T/disk" >"$T/e2fsck.log" 2>&1 || fail "e2fsck"
fi

begin "iSCSI through stunnel"
if have stunnel openssl; then
	openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj "/CN=array" \
		-keyout "$T/key.pem" -out "$T/cert.pem" 2>/dev/null
	cat "$T/key.pem" "$T/cert.pem" >"$T/array.pem"
	chmod 600 "$T/array.pem"
	cat >"$T/array.conf" <<-END
		foreground = yes
		pid =
		[array]
		accept = $A3:3261
		connect = $A1:3260
		cert = $T/array.pem
	END
	cat >"$T/host.conf" <<-END
		foreground = yes
		pid =
		[host]
		client = yes
		accept = $A4:3260
		connect = $A3:3261
		CAfile = $T/cert.pem
		verifyPeer = yes
	END
	background array stunnel "$T/array.conf"
	background host stunnel "$T/host.conf"
	eventually 10 bash -c "echo >/dev/tcp/$A4/3260" || fail "stunnel"
	cp "$T/ref" "$T/disk"
	umpiod_start --nbd "unix:$NBD_SOCKET" "iscsi://$A4/$IQN/1"
	nbdcopy "$NBD_URI" "$T/backup.img"
	cmp "$T/ref" "$T/backup.img" || fail "what came through the tunnel"
	umpiod_stop
fi

for one in "${left_out[@]}"; do echo "left out: $one"; done
