#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
#
# One LUN behind two targets of different names, each a server of its own: one
# device. One server is killed under I/O, the other carries on; the path comes
# back by itself when its server does; then the other one dies.
# shellcheck source=tests/system/functions.sh
. "$(dirname "$0")/functions.sh"
requires fio jq qemu-io
cd "$T"
truncate -s 128M "$T/disk"

tgt_twin a "$A1"
tgt_twin b "$A2"
umpiod_start --nbd "unix:$NBD_SOCKET" "iscsi://$A1/$IQN.a/1" \
	"iscsi://$A2/$IQN.b/1"
ctl wait disk0 --paths 2 --timeout 10 || fail "the two did not join"
equal targets "$(json '[.devices[0].paths[].target] | unique | join(" ")' \
	status)" "$IQN.a $IQN.b"
json '.devices[0].wwid' status

fio --name=v --ioengine=nbd --uri="$NBD_URI" --rw=randrw --iodepth=32 \
	--bssplit=4k/60:64k/30:512k/10 --size=128m --time_based --runtime=10 \
	--verify=crc32c --verify_fatal=1 --verify_backlog=256 \
	--serialize_overlap=1 --verify_state_save=0 >"$T/fio.log" 2>&1 &
fio=$!
PIDS+=("$fio")
sleep 1.5

step "kill -9 of one server"
tgt_crash a
eventually 3 state_is degraded || fail "not degraded"
has_active 1 || fail "the other path is not active"
sleep 1
step "it is back"
tgt_twin a "$A1"
ctl wait disk0 --paths 2 --timeout 10 || fail "the path does not come back"
state_is up || fail "not up"
sleep 1
step "kill -9 of the other"
tgt_crash b
eventually 3 state_is degraded || fail "not degraded"
sleep 1
tgt_twin b "$A2"
ctl wait disk0 --paths 2 --timeout 10 || fail "the path does not come back"
wait "$fio" || fail "fio"

step "a server dies while nothing is asked"
tgt_crash a
eventually 3 state_is degraded || fail "not degraded"
qemu-io -f raw -c "write -P 3 0 1M" -c "read -P 3 0 1M" "$NBD_URI" >/dev/null ||
	fail "I/O over the path that is left"
quiet_log "$LOSS"
umpiod_stop
