#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
#
# umpiod as a user without any capability: NBD as it is, FUSE in a user
# namespace. The control socket and the initiator name are at the places of an
# unprivileged user.
# shellcheck source=tests/system/functions.sh
. "$(dirname "$0")/functions.sh"
requires fio jq nbdcopy setpriv unshare
tgt_simple 64M
chmod 755 "$T"
install -d -m 700 -o 65534 -g 65534 "$T/user" "$T/user/run" "$T/user/state"
install -m 755 "$(command -v umpiod)" "$(command -v umpio)" "$T"
nobody=(env "XDG_RUNTIME_DIR=$T/user/run" "XDG_STATE_HOME=$T/user/state"
	"HOME=$T/user" "T=$T" "PATH=$T:$PATH" setpriv --reuid=65534
	--regid=65534 --clear-groups --bounding-set=-all --inh-caps=-all
	--no-new-privs)
nbd=$T/user/nbd.sock
uri="nbd+unix:///disk0?socket=$nbd"
control=$T/user/run/umpio/control.sock

start() { # UNSHARE… OPTIONS…
	: >"$T/umpiod.out"
	"${nobody[@]}" "$@" >"$T/umpiod.out" 2>"$T/umpiod.log" </dev/null &
	UMPIOD=$!
	PIDS+=($!)
	eventually 15 umpiod_settled
	grep -q ready "$T/umpiod.out" || fail "umpiod is not ready"
}

step "NBD without capabilities"
start umpiod --nbd "unix:$nbd" "$URL1" "$URL2"
[ -S "$control" ] || fail "no control socket at $control"
equal "its mode" "$(stat -c '%a %u' "$control")" "600 65534"
equal "its directory" "$(stat -c '%a %u' "${control%/*}")" "700 65534"
name=$T/user/state/umpio/initiatorname
if [ ! -e /etc/iscsi/initiatorname.iscsi ]; then
	grep -q '^\(InitiatorName=\)\?iqn\.' "$name" ||
		fail "no initiator name at $name"
fi
equal capabilities "$(awk '/^CapEff/ { print $2 }' "/proc/$UMPIOD/status")" \
	0000000000000000
"${nobody[@]}" umpio wait disk0 --paths 2 --timeout 10
[ "$("${nobody[@]}" umpio --json status | jq -r '.devices[0].state')" = up ] ||
	fail "status as the user"
umpio --control "$control" status >/dev/null || fail "status as root"
refused 1 "" setpriv --reuid=65533 --clear-groups "$T/umpio" \
	--control "$control" status
head -c 64M /dev/urandom >"$T/ref"
nbdcopy --flush "$T/ref" "$uri"
nbdcopy "$uri" "$T/back"
cmp "$T/ref" "$T/back"
umpiod_stop
[ ! -e "$control" ] || fail "the control socket is left"

step "the same initiator name again"
before=$(cat "$name" 2>/dev/null || :)
start umpiod --nbd "unix:$nbd" "$URL1"
equal "initiator name" "$(cat "$name" 2>/dev/null || :)" "$before"
umpiod_stop

nobody=(env "XDG_RUNTIME_DIR=$T/user/run" "XDG_STATE_HOME=$T/user/state"
	"HOME=$T/user" "T=$T" "PATH=$T:$PATH" setpriv --reuid=65534
	--regid=65534 --clear-groups)
"${nobody[@]}" unshare -Urm true 2>/dev/null ||
	skip "FUSE: 65534 gets no user namespace here"
grep -qw fuse /proc/filesystems || skip "FUSE: not in this kernel"
mknod "$T/fuse" c 10 229 && chmod 666 "$T/fuse" ||
	skip "FUSE: no node of our own"

step "FUSE in unshare -Urm"
# The mount is seen only inside, so all of it runs there.
cat >"$T/inside" <<'END'
set -eu
mount --bind "$T/fuse" /dev/fuse
cd "$T/user"
umpiod --nbd unix:nbd.sock --fuse disk.img "$@" \
	>out 2>log </dev/null &
pid=$!
trap 'cat out log; kill $pid' EXIT
for _ in $(seq 100); do
	grep -q ready out && break
	kill -0 $pid
	sleep 0.1
done
grep -q ready out
sha256sum <disk.img
fio --name=v --filename=disk.img --ioengine=libaio --direct=1 --rw=randwrite \
	--bssplit=4k/50:64k/50 --iodepth=32 --size=32m --verify=crc32c \
	--verify_fatal=1 --do_verify=1 --verify_state_save=0
if type fuse2fs mkfs.ext4; then
	mkfs.ext4 -q -F disk.img
	mkdir mnt
	fuse2fs -o fakeroot disk.img mnt
	echo hello >mnt/file
	grep -q hello mnt/file
	fusermount3 -u mnt || umount mnt
	e2fsck -fn disk.img
else
	echo "fuse2fs left out: not installed"
fi
umpio status
test -S "$XDG_RUNTIME_DIR/umpio/control.sock"
trap - EXIT
kill $pid
wait $pid
! grep -q disk.img /proc/self/mountinfo
test ! -e disk.img
END
chmod 644 "$T/inside"
timeout 60 "${nobody[@]}" unshare -Urm bash "$T/inside" "$URL1" "$URL2" \
	>"$T/inside.log" 2>&1 || fail "in the namespace"
grep -qF "$(sha256sum <"$T/ref")" "$T/inside.log" || fail "other data by FUSE"
grep 'fuse2fs left out' "$T/inside.log" || :
