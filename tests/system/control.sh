#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
#
# The umpio command against a daemon with a configuration file: wait, attach,
# detach, paths by id and by HOST:PORT, reload by command and by SIGHUP under
# I/O, errors for people and as JSON, and exit statuses.
# shellcheck source=tests/system/functions.sh
. "$(dirname "$0")/functions.sh"
requires fio jq qemu-io
cd "$T"
tgt_simple 64M
truncate -s 32M "$T/disk2"
tgt_lun t 1 2 "$T/disk2"
truncate -s 16M "$T/disk3"
tgt_lun t 1 3 "$T/disk3"
conf=$T/umpio.conf

write_conf() { # PORTALS DEVICE…
	local portal
	{
		echo "[daemon]"
		echo "initiator-name = $INITIATOR.file"
		echo "instance = control-test"
		echo "[target array1]"
		echo "target = $IQN"
		for portal in $1; do echo "portal = $portal:3260"; done
		shift
		printf '%s\n' "$@"
	} >"$conf"
}
db0="[device db0]
target = array1
lun = 1
nbd = unix:$T/db0.sock"
db1="[device db1]
target = array1
lun = 2
policy = failover
nbd = unix:$T/db1.sock"
db0_uri="nbd+unix:///db0?socket=$T/db0.sock"
names() { json '[.devices[].name] | sort | join(" ")' status; }
works() { # NAME SOCKET
	qemu-io -f raw -c "write -P 7 0 64k" -c "read -P 7 0 64k" \
		"nbd+unix:///$1?socket=$T/$2.sock" >/dev/null
}

step "a configuration file with two devices"
write_conf "$A1 $A2" "$db0" "$db1"
umpiod_spawn -c "$conf"
for d in db0 db1; do
	eventually 10 grep -q "^$d ready: " "$T/umpiod.out" || fail "no $d"
	ctl wait "$d" --paths 2 --timeout 10
done
equal devices "$(names)" "db0 db1"
equal policy "$(json '.devices[0].policy' status db1)" failover
works db0 db0 && works db1 db1 || fail "a device does not work"
initiators() {
	tgt t --op show --mode target | sed -n 's/.*Initiator: \([^ ]*\).*/\1/p' |
		sort -u
}
equal "an option before the file" "$(initiators)" "$INITIATOR"

step "wait"
ctl wait db0
refused 1 "db0" ctl wait db0 --paths 3 --timeout 1
refused 1 "no device nosuch" ctl wait nosuch --timeout 1
refused 2 "paths" ctl wait db0 --paths none
refused 2 "usage" ctl wait

step "attach and detach"
at1=iscsi://$A1/$IQN/3 at2=iscsi://$A2/$IQN/3
ctl attach tmp "$at1" "$at2" --nbd "unix:$T/tmp.sock" --policy failover \
	-o no-path-timeout=5s
equal devices "$(names)" "db0 db1 tmp"
works tmp tmp || fail "an attached device does not work"
ctl attach tmp "$at1" "$at2" --nbd "unix:$T/tmp.sock" ||
	fail "the same again is not 0"
refused 1 "tmp" ctl attach tmp "$at1" --nbd "unix:$T/tmp.sock"
refused 1 "" ctl attach db0 "$at1" --nbd "unix:$T/tmp2.sock"
refused 1 "no such LUN" ctl attach gone "iscsi://$A1/$IQN/9" \
	--nbd "unix:$T/gone.sock"
refused 2 "iscsi://" ctl attach bad "http://x/y/1" --nbd "unix:$T/bad.sock"
refused 2 "colour" ctl attach bad "$at1" --nbd "unix:$T/bad.sock" \
	-o colour=red
refused 2 "usage" ctl attach bad
refused 2 "password" ctl attach bad "iscsi://u:p@$A1/$IQN/3" \
	--nbd "unix:$T/bad.sock"
equal devices "$(names)" "db0 db1 tmp"
[ ! -e "$T/gone.sock" ] && [ ! -e "$T/bad.sock" ] || fail "left behind"
ctl detach tmp
equal devices "$(names)" "db0 db1"
[ ! -e "$T/tmp.sock" ] || fail "the socket of a detached device is left"
refused 1 "no device tmp" ctl detach tmp
ctl attach tmp "$at1" --nbd "unix:$T/tmp.sock"
ctl detach tmp --now
[ ! -e "$T/tmp.sock" ] || fail "the socket of a detached device is left"
equal "sessions of db0 and db1" "$(tgt_connections t | wc -l)" 4

step "paths"
path_state() { # ID
	json ".devices[0].paths[] | select(.id == $1) | .state" status db0
}
first=$(json ".devices[0].paths[] | select(.portal == \"$A1:3260\") | .id" \
	status db0)
second=$(json ".devices[0].paths[] | select(.portal == \"$A2:3260\") | .id" \
	status db0)
ctl path fail db0 "$first"
equal "state of a failed path" "$(path_state "$first")" disabled
state_is degraded db0 || fail "not degraded"
works db0 db0 || fail "no I/O over the other path"
sleep 1
equal "it stays out" "$(path_state "$first")" disabled
ctl path restore db0 "$A1:3260"
ctl wait db0 --paths 2 --timeout 5 || fail "not restored"
ctl path fail db0 "$A2:3260"
equal "by HOST:PORT" "$(path_state "$second")" disabled
ctl path restore db0 "$second"
ctl wait db0 --paths 2 --timeout 5 || fail "not restored"
refused 1 "no path 77" ctl path fail db0 77
refused 1 "$A4:3260" ctl path fail db0 "$A4:3260"
refused 2 "" ctl path break db0 0
refused 1 "no device" ctl path fail nosuch 0
tgt_target t 2 "$IQN.twin"
tgt_lun t 2 1 "$T/disk3"
tgt t --op update --mode logicalunit --tid 2 --lun 1 \
	--params "scsi_id=twin,scsi_sn=twin"
tgt t --op update --mode logicalunit --tid 1 --lun 3 \
	--params "scsi_id=twin,scsi_sn=twin"
ctl attach twin "$at1" "iscsi://$A1/$IQN.twin/1" --nbd "unix:$T/twin.sock"
ctl wait twin --paths 2 --timeout 5
refused 1 "id" ctl path fail twin "$A1:3260"
has_active 2 twin || fail "an ambiguous name took a path out"
ctl detach twin

step "reload under I/O"
fio --name=v --ioengine=nbd --uri="$db0_uri" --rw=randrw --iodepth=16 \
	--bssplit=4k/60:64k/40 --size=64m --time_based --runtime=6 \
	--verify=crc32c --verify_fatal=1 --verify_backlog=256 \
	--serialize_overlap=1 --verify_state_save=0 >"$T/fio.log" 2>&1 &
fio=$!
PIDS+=("$fio")
sleep 1
paths() { json '[.devices[0].paths[].portal] | sort | join(" ")' status db0; }
one_path() { [ "$(paths)" = "$A1:3260" ]; }
two_paths() { [ "$(paths)" = "$A1:3260 $A2:3260" ]; }
no_db1() { [ "$(names)" = db0 ]; }
ctl attach tmp "$at1" --nbd "unix:$T/tmp.sock"
write_conf "$A1" "$db0" "$db1"
ctl reload
eventually 5 one_path || fail "the path that went is still there: $(paths)"
write_conf "$A1 $A2" "$db0"
ctl reload
eventually 5 two_paths || fail "the path that came is not there: $(paths)"
ctl wait db0 --paths 2 --timeout 5
equal "attached by hand stays" "$(names)" "db0 tmp"
[ ! -e "$T/db1.sock" ] || fail "the socket of a device that went is left"
ctl detach tmp
write_conf "$A2 $A1" "$db0" "$db1"
kill -HUP "$UMPIOD"
eventually 10 works db1 db1 || fail "SIGHUP did not bring db1"
equal devices "$(names)" "db0 db1"
equal "an option before the file" "$(initiators)" "$INITIATOR"

step "a bad file changes nothing"
before=$(names; paths)
write_conf "$A1" "$db0" "colour = red"
refused 2 "umpio.conf:11: " ctl reload
kill -HUP "$UMPIOD"
eventually 3 grep -q 'error.*umpio.conf:11' "$T/umpiod.log" ||
	fail "SIGHUP does not say what is wrong"
equal "devices and paths" "$(names; paths)" "$before"
rm "$conf"
refused 2 "$conf" ctl reload
equal "devices and paths" "$(names; paths)" "$before"
wait "$fio" || fail "fio"
equal errors "$(json '[.devices[0].paths[].errors] | add' status db0)" 0

step "errors as JSON"
out=$(ctl --json detach nosuch 2>"$T/err") && fail "not 1" || got=$?
equal status "$got" 1
equal code "$(jq .code <<<"$out")" 1
jq -e '.error | contains("nosuch")' <<<"$out" >/dev/null || fail "$out"
[ ! -s "$T/err" ] || fail "more than JSON: $(cat "$T/err")"
out=$(ctl --json attach bad 2>/dev/null) && fail "not 2" || got=$?
equal status "$got" 2
equal code "$(jq .code <<<"$out")" 2
refused 1 "$T/nobody.sock" umpio --control "$T/nobody.sock" status

step "usage"
refused 2 "unknown command" ctl statsu
refused 2 "" ctl
refused 2 "--colour" ctl status --colour
refused 1 "no device nosuch" ctl status nosuch
ctl --help | grep -q attach || fail "help"
ctl attach --help | grep -q URL || fail "help of a command"
umpio --version | grep -Eq '^umpio [0-9]' || fail "version"
umpiod --version | grep -Eq '^umpiod [0-9]' || fail "version"
umpiod --help | grep -q -- --nbd || fail "help of umpiod"
refused 2 "not part of this version" ctl upgrade

step "the end"
umpiod_stop
refused 1 "$CONTROL" ctl status

step "an empty daemon waits for attach"
if [ ! -e /etc/umpio/umpio.conf ]; then
	umpiod_spawn
	eventually 5 ctl status || fail "no control"
	equal devices "$(json '.devices | length' status)" 0
	ctl attach disk0 "$URL1" --nbd "unix:$NBD_SOCKET"
	grep -q '^disk0 ready: ' "$T/umpiod.out" || fail "no ready line"
	refused 1 "without a configuration file" ctl reload
	umpiod_stop
	[ ! -e "$NBD_SOCKET" ] || fail "the NBD socket is left"
fi
