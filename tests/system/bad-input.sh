#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
#
# What people get wrong: each is refused with the exit status of the manual
# and one line that names the thing and the cause, and nothing half-started is
# left: no socket, no mount, no file of ours.
# shellcheck source=tests/system/functions.sh
. "$(dirname "$0")/functions.sh"
requires jq qemu-io setpriv
chmod 755 "$T"
tgt_simple 16M
nbd=(--nbd "unix:$NBD_SOCKET")

step "== targets"
refuses 1 "$A3:3260" "${nbd[@]}" "iscsi://$A3/$IQN/1"
refuses 1 "$IQN.none" "${nbd[@]}" "iscsi://$A1/$IQN.none/1"
refuses 1 "no such LUN" "${nbd[@]}" "iscsi://$A1/$IQN/7"
refuses 1 "not a disk" "${nbd[@]}" "iscsi://$A1/$IQN/0"
truncate -s 1M "$T/cd"
tgt t --op new --mode logicalunit --tid 1 --lun 2 -b "$T/cd" --device-type cd
refuses 1 "not a disk" "${nbd[@]}" "iscsi://$A1/$IQN/2"
truncate -s 16M "$T/odd"
for size in 1024 2048; do # 520 is none that this target can have
	tgt_lun t 1 $size "$T/odd" rdwr $size
	refuses 1 "block size of $size" "${nbd[@]}" "iscsi://$A1/$IQN/$size"
done
refuses 1 "nowhere.invalid" "${nbd[@]}" "iscsi://nowhere.invalid/$IQN/1"

step "== two LUNs that are not one"
truncate -s 32M "$T/other"
tgt_lun t 1 5 "$T/other"
refuses 1 "another LUN" "${nbd[@]}" "$URL1" "iscsi://$A2/$IQN/5"

step "== secrets"
tgt t --op new --mode account --user alice --password correct-horse-1
tgt_target t 2 "$IQN.chap"
tgt_lun t 2 1 "$T/disk"
tgt t --op bind --mode account --tid 2 --user alice
locked=iscsi://$A1/$IQN.chap/1
secret() { # NAME TEXT [MODE]
	echo "$2" >"$T/$1"
	chmod "${3:-600}" "$T/$1"
}
chap() { printf '%s\n' --chap-user alice --chap-secret-file "$T/$1"; }
secret wrong battery-staple-2
secret open correct-horse-1 644
secret short short
ln -s wrong "$T/link"
mkfifo -m 600 "$T/fifo"
secret other correct-horse-1
chown 65534 "$T/other"
mapfile -t args < <(chap wrong)
refuses 1 "uthentication" "${nbd[@]}" "${args[@]}" "$locked"
refuses 1 "uthentication" "${nbd[@]}" "$locked"
for c in open:0644 short:12 link:symlink fifo:regular other:uid missing:No; do
	mapfile -t args < <(chap "${c%:*}")
	refuses 2 "${c#*:}" "${nbd[@]}" "${args[@]}" "$locked"
done
refuses 2 "chap-secret-file" "${nbd[@]}" --chap-user alice "$locked"
refuses 2 "chap-secret-file" "${nbd[@]}" "iscsi://alice:pw@$A1/$IQN/1"
refused 2 "" umpiod "${nbd[@]}" "iscsi://alice:hush-hush-hush@$A1/$IQN/1"
! umpiod "${nbd[@]}" "iscsi://alice:hush-hush-hush@$A1/$IQN/1" 2>&1 |
	grep -q hush || fail "a password is repeated"
refuses 2 "chap-secret-file" "${nbd[@]}" "iscsi://alice%25pw@$A1/$IQN/1"

step "== URLs and options"
refuses 2 "frontend" "$URL1"
: >"$T/empty.conf"
refuses 2 "exclude" "${nbd[@]}" -c "$T/empty.conf" "$URL1"
rm "$T/empty.conf"
refuses 2 "iscsi://" "${nbd[@]}" "http://$A1/$IQN/1"
refuses 2 "LUN" "${nbd[@]}" "iscsi://$A1/$IQN"
refuses 2 "LUN" "${nbd[@]}" "iscsi://$A1/$IQN/x"
refuses 2 "disk.1" "${nbd[@]}" "iscsi://$A1/disk.1/1"
refuses 2 "HOST" "${nbd[@]}" "iscsi://$A1:99999/$IQN/1"
refuses 2 "twice" "${nbd[@]}" "$URL1" "$URL1"
refuses 2 "name" "${nbd[@]}" --name a/b "$URL1"
refuses 2 "policy" "${nbd[@]}" --policy fastest "$URL1"
refuses 2 "colour" "${nbd[@]}" -o colour=red "$URL1"
refuses 2 "no-path-timeout" "${nbd[@]}" -o no-path-timeout=soon "$URL1"
refuses 2 "max-burst-length" "${nbd[@]}" -o max-burst-length=12 "$URL1"
refuses 2 "KEY=VALUE" "${nbd[@]}" -o policy "$URL1"
refuses 2 "ftp" --nbd "ftp:$A1:1" "$URL1"
refuses 2 "path" --nbd "unix:/$(printf '%0200d' 0)" "$URL1"
refuses 2 "" "${nbd[@]}" --no-such-option "$URL1"

step "== places for NBD"
echo text >"$T/plain"
refuses 1 "$T/plain" --nbd "unix:$T/plain" "$URL1"
equal "a file in the socket's place" "$(cat "$T/plain")" text
refuses 1 "$T/none/nbd.sock" --nbd "unix:$T/none/nbd.sock" "$URL1"
umpiod_start "${nbd[@]}" "$URL1"
CONTROL=$T/second.sock
refuses 1 "$NBD_SOCKET" "${nbd[@]}" "$URL1"
CONTROL=$T/control.sock
refuses 2 "$CONTROL" --nbd "unix:$T/third.sock" "$URL1"
qemu-io -f raw -c "read 0 4k" "$NBD_URI" >/dev/null ||
	fail "the living server was disturbed"
ctl status >/dev/null || fail "the living server's control was disturbed"

step "stale sockets are cleaned"
umpiod_crash
[ -S "$NBD_SOCKET" ] && [ -S "$CONTROL" ] || fail "no stale sockets to test"
umpiod_start "${nbd[@]}" "$URL1"
qemu-io -f raw -c "read 0 4k" "$NBD_URI" >/dev/null || fail "no server"
umpiod_stop

step "a TCP port in use"
umpiod_start --nbd "tcp:$A4:$PORT" "$URL1"
CONTROL=$T/second.sock
refuses 1 "tcp:$A4:$PORT" --nbd "tcp:$A4:$PORT" "$URL1"
refuses 1 "tcp:$A4:$PORT" --nbd "unix:$T/half.sock" --nbd "tcp:$A4:$PORT" \
	"$URL1"
CONTROL=$T/control.sock
umpiod_stop

step "== places for the control socket"
control() { # STATUS TEXT PATH
	refused "$1" "$2" umpiod --control "$3" "${nbd[@]}" "$URL1"
}
control 2 "$T/none/deep/c.sock" "$T/none/deep/c.sock"
control 2 "$T/plain" "$T/plain"
control 2 "/proc/c.sock" /proc/c.sock
equal "a file in the socket's place" "$(cat "$T/plain")" text
cp "$(command -v umpiod)" "$T/umpiod-copy"
refused 2 "no place for the control socket" env -u XDG_RUNTIME_DIR setpriv \
	--reuid=65534 --regid=65534 --clear-groups "$T/umpiod-copy" \
	--nbd "unix:$T/x.sock" "$URL1"
rm "$T/umpiod-copy"

step "== configuration files"
conf() { # STATUS TEXT: with the file on stdin
	cat >"$T/umpio.conf"
	refuses "$1" "$2" -c "$T/umpio.conf"
}
conf 2 "umpio.conf:2: " <<<$'[daemon]\ncolour = red'
conf 2 "umpio.conf:3: " <<<$'[daemon]\n# comment\nshutdown-timeout = 5 parsecs'
conf 2 "umpio.conf:1: " <<<$'[damon]'
conf 2 "umpio.conf:1: " <<<$'policy = failover'
conf 2 "umpio.conf:2: " <<<$'[device a]\ntext without equals'
conf 2 "umpio.conf:3: " <<<$'[daemon]\n\n[device db0]\ntarget = nowhere\nlun = 1'
conf 2 "nowhere" <<<$'[device db0]\ntarget = nowhere\nlun = 1'
conf 2 "umpio.conf:1: " <<<$'[target t]\nportal = 127.0.0.1'
conf 2 "umpio.conf:3: " <<<$'[device a]\npolicy = failover\npolicy = failover'
conf 2 "umpio.conf:2: " <<<$'[device a]\nurl = iscsi://a:secret@h/iqn.2026-01.x:y/1'
rm "$T/umpio.conf"
refuses 2 "$T/umpio.conf" -c "$T/umpio.conf"
refuses 2 "$T" -c "$T"

if [ -w /dev/fuse ]; then
	step "== places for FUSE"
	file=$T/disk.img
	refuses 1 "$T/none/disk.img" --fuse "$T/none/disk.img" "$URL1"
	refuses 1 "$T/plain: not empty" --fuse "$T/plain" "$URL1"
	equal "a file in the way" "$(cat "$T/plain")" text
	mkdir "$T/dir"
	refuses 1 "$T/dir: not a regular file" --fuse "$T/dir" "$URL1"
	refuses 1 "$T/plain" --nbd "unix:$T/half.sock" --fuse "$file" \
		--fuse "$T/plain" "$URL1"
	umpiod_start --fuse "$file" "$URL1"
	CONTROL=$T/second.sock
	refuses 1 "$file: in use" --fuse "$file" "$URL1"
	CONTROL=$T/control.sock
	step "a stale mount is cleaned"
	umpiod_crash
	! cat "$file" >/dev/null 2>&1 || fail "no stale mount to test"
	umpiod_start --fuse "$file" "$URL1"
	equal size "$(stat -c %s "$file")" 16777216
	umpiod_stop
	step "no permission for /dev/fuse"
	install -d -m 700 -o 65534 "$T/user"
	cp "$(command -v umpiod)" "$T/umpiod-copy"
	if ! setpriv --reuid=65534 --regid=65534 --clear-groups \
		test -w /dev/fuse; then
		refused 1 "/dev/fuse" env "XDG_RUNTIME_DIR=$T/user" \
			"XDG_STATE_HOME=$T/user" setpriv --reuid=65534 \
			--regid=65534 --clear-groups "$T/umpiod-copy" \
			--control "$T/user/c.sock" --fuse "$T/user/disk.img" \
			"$URL1"
		[ ! -e "$T/user/disk.img" ] || fail "a file is left behind"
	fi
fi

step "== one of two portals is not there yet"
umpiod_start "${nbd[@]}" "$URL1" "iscsi://$A3/$IQN.late/1"
grep -q ' 1/2 paths' "$T/umpiod.out" || fail "$(cat "$T/umpiod.out")"
state_is degraded || fail "not degraded"
tgt_start late "$A3:3260"
tgt_target late 1 "$IQN.late"
tgt_lun late 1 1 "$T/disk"
ctl wait disk0 --paths 2 --timeout 12 || fail "the path does not join"
umpiod_stop
