#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
#
#   queues.sh [SECONDS]      of load with lost paths; default 8
#
# A device with two queues on two threads: how its paths are shown and named,
# how NBD connections are spread, several of them that write and verify while
# paths of either queue are lost, what one wrote read by the others, flush,
# reservations, a block file, detach, reload, and what is refused.
# shellcheck source=tests/system/functions.sh
. "$(dirname "$0")/functions.sh"
requires fio jq qemu-io nbdcopy nbdinfo python3
lasts=${1:-8}
cd "$T"
tgt_simple 96M
truncate -s 96M "$T/other"
tgt_lun t 1 2 "$T/other"
uri="nbd+unix:///db0?socket=$T/db0"

config() { # QUEUES LINES…
	printf '[daemon]\nworkers = 2\nnbd-max-clients = 12\n[device db0]\n'
	printf 'url = %s\n' "$URL1" "$URL2"
	printf 'nbd = unix:%s\nhold-down = no\nmarginal = no\n' "$T/db0"
	printf 'queues = %s\n' "$1"
	printf '%s\n' "${@:2}"
}
paths() { json "[.devices[0].paths[] | $1] | sort | join(\" \")" status db0; }
back() { ctl wait db0 --paths 4 --timeout 20 || fail "not all paths"; }

step "more queues than workers"
config 3 >"$T/umpio.conf"
refused 2 "queues: more than" umpiod --control "$CONTROL" -c "$T/umpio.conf"

step "each queue has a session on every path"
config 2 >"$T/umpio.conf"
umpiod_start -c "$T/umpio.conf"
grep -q ' [1-4]/4 paths' "$T/umpiod.out" || fail "the ready line"
back
equal ids "$(paths '.id | tostring')" "0 1 2 3"
equal queues "$(paths '.queue | tostring')" "0 0 1 1"
equal size "$(json '.devices[0].size' status db0)" $((96 << 20))
equal state "$(json '.devices[0].state' status db0)" up
equal sessions "$(json '.devices[0].sessions | length' stats db0)" 4
equal "at the target" "$(tgt_connections t | wc -l)" 4

step "by its id a path of one queue, by its portal those of both"
ctl path fail db0 1
equal disabled "$(paths 'select(.state == "disabled") | .id | tostring')" 1
ctl path restore db0 1
back
ctl path fail db0 "$A2:3260"
equal disabled "$(paths 'select(.state == "disabled") | .id | tostring')" "2 3"
equal state "$(json '.devices[0].state' status db0)" degraded
ctl path restore db0 "$A2:3260"
back
ctl fault delay 2 db0 3
equal faulty "$(paths 'select(.fault) | .id | tostring')" 3
ctl fault off db0 "$A2:3260"
equal faulty "$(paths 'select(.fault) | .id | tostring')" ""

clients() { json '.devices[0].clients | map(tostring) | join(" ")' stats "$1"; }

step "connections are spread evenly, their limit is the device's"
/usr/bin/python3 - >"$T/spread.log" 2>&1 <<END || fail "$(tail -n 1 "$T/spread.log")"
import json, nbd, subprocess, time

def connected():
    h = nbd.NBD()
    h.connect_uri("$uri")
    return h

def spread():
    out = subprocess.check_output(
        ["umpio", "--control", "$CONTROL", "--json", "stats", "db0"])
    return json.loads(out)["devices"][0]["clients"]

def await_spread(wanted):
    for _ in range(100):
        if spread() == wanted:
            return
        time.sleep(0.1)
    raise SystemExit("%s instead of %s" % (spread(), wanted))

h = [connected() for _ in range(4)]
await_spread([2, 2])
h[0].shutdown()
h[2].shutdown()
await_spread([0, 2])
h += [connected(), connected()]
await_spread([2, 2])
h += [connected() for _ in range(8)]
await_spread([6, 6])
try:
    connected()
    raise SystemExit("more than nbd-max-clients")
except nbd.Error:
    pass
await_spread([6, 6])
for c in h[1:2] + h[3:]:
    c.shutdown()
await_spread([0, 0])
END

step "what one connection wrote is what the others read, and on the disk"
dd if=/dev/urandom of="$T/in" bs=1M count=96 status=none
nbdcopy --connections=4 --flush "$T/in" "$uri"
cmp "$T/in" "$T/disk" || fail "the disk differs"
nbdcopy --connections=4 "$uri" "$T/out"
cmp "$T/in" "$T/out" || fail "what is read differs"
nbdinfo "$uri" | grep -q 'can_multi_conn: true' || fail "multi-conn"
# Across stripes and blocks, cleared and mapped
qemu-io -f raw -c "write -P 3 1048001 2097999" -c "flush" \
	-c "write -z 3145001 1200300" -c "discard 8M 4M" "$uri" >"$T/qemu-io.log"
! grep -qi 'failed\|error' "$T/qemu-io.log" || fail "qemu-io"
qemu-io -f raw -c "read -P 3 1048001 2097000" -c "read -P 0 3145001 1200300" \
	"$uri" >"$T/qemu-io.log"
! grep -qi 'failed\|error' "$T/qemu-io.log" || fail "what was written"
nbdinfo --map "$uri" >"$T/map" || fail "block status"
equal "the map's end" "$(awk '{ at = $1 + $2 } END { print at }' "$T/map")" \
	$((96 << 20))

# verify NAME SECONDS: four connections, each with a part of its own
verify() {
	fio --name="$1" --ioengine=nbd --uri="$uri" --numjobs=4 --size=24m \
		--offset_increment=24m --rw=randrw --iodepth=16 \
		--bssplit=4k/50:16k/20:64k/15:256k/10:1m/5 --time_based \
		--runtime="$2" --serialize_overlap=1 --fsync=200 \
		--verify=crc32c --verify_fatal=1 --verify_backlog=512 \
		--verify_state_save=0 >"$T/$1.log" 2>&1 ||
		fail "fio: $(tail -n 5 "$T/$1.log")"
}

step "four connections write and verify for $lasts s while paths are lost"
tgt_harass t 0.7
verify lost "$lasts"
tgt_harassed
[ "$KILLED" -ge 3 ] || fail "only $KILLED paths were lost"
back
equal "both queues have worked" "$(json '[.devices[0].paths[] |
	select(.writes > 0) | .queue] | unique | length' status db0)" 2

step "no path for a while"
tgt_stop t
fio --name=stop --ioengine=nbd --uri="$uri" --rw=randwrite --bs=64k \
	--size=16m --verify=crc32c --verify_state_save=0 >"$T/stop.log" 2>&1 &
fio=$!
sleep 2
tgt_continue t
wait "$fio" || fail "fio"
back

step "reservations hold for all queues"
ctl pr register db0 0xabc
equal "a key of every session" \
	"$(ctl --json pr read-keys db0 | jq '.keys | length >= 4')" true
refused 2 "wero or earo" ctl pr reserve db0 we
ctl pr reserve db0 wero
verify reserved 2
ctl pr release db0
equal released "$(ctl --json pr read-reservation db0 | jq .reservation)" null
ctl pr reserve db0 earo
ctl pr clear db0
equal "no keys" "$(ctl --json pr read-keys db0 | jq '.keys | length')" 0
ctl path fail db0 1
ctl path restore db0 1
back
equal "nor after a login" \
	"$(ctl --json pr read-keys db0 | jq '.keys | length')" 0

unserved() { ! mountpoint -q "$T/db1.img"; }
if [ -w /dev/fuse ]; then
	step "a block file beside"
	ctl attach db1 "iscsi://$A1/$IQN/2" "iscsi://$A2/$IQN/2" -o queues=2 \
		--fuse "$T/db1.img"
	dd if="$T/in" of="$T/db1.img" bs=3M conv=notrunc,fsync status=none
	cmp "$T/in" "$T/db1.img" || fail "the block file"
	cmp "$T/in" "$T/other" || fail "the disk of the block file"
	tgt_harass t 0.3
	fio --name=file --filename="$T/db1.img" --ioengine=psync --numjobs=4 \
		--size=24m --offset_increment=24m --rw=randrw --fsync=200 \
		--bssplit=4k/50:16k/20:64k/15:256k/10:1m/5 --time_based \
		--runtime="$lasts" --verify=crc32c --verify_fatal=1 \
		--verify_backlog=512 --verify_state_save=0 --fallocate=none \
		>"$T/file.log" 2>&1 || fail "fio: $(tail -n 5 "$T/file.log")"
	tgt_harassed
	[ "$KILLED" -ge 3 ] || fail "only $KILLED paths were lost"
	equal "both queues have worked" "$(json '[.devices[1].paths[] |
		select(.writes > 0) | .queue] | unique | length' status)" 2
	umount "$T/db1.img"
	eventually 10 unserved || fail "the block file is still there"
	ctl detach db1
fi

step "an address of its own"
refused 1 "for itself" ctl attach db1 "iscsi://$A1/$IQN/2" \
	--nbd "unix:$T/db0"
refused 1 "for itself" ctl attach db1 "iscsi://$A1/$IQN/2" -o queues=2 \
	--nbd "unix:$T/db0"

step "attach and detach under load"
verify beside 4 &
fio=$!
for _ in 1 2 3; do
	ctl attach db1 "iscsi://$A1/$IQN/2" -o queues=2 --nbd "unix:$T/db1"
	nbdcopy --connections=4 --flush "$T/in" "nbd+unix:///db1?socket=$T/db1"
	cmp "$T/in" "$T/other" || fail "db1 differs"
	ctl detach db1
done
wait "$fio" || fail "fio"

step "different LUNs are no device"
refused 1 "" ctl attach db1 "iscsi://$A1/$IQN/1" "iscsi://$A2/$IQN/2" \
	-o queues=2 --nbd "unix:$T/db1"

step "reload: another path, other queues"
config 2 "policy = queue-length" >"$T/umpio.conf"
ctl reload
back
equal policy "$(json '.devices[0].policy' status db0)" queue-length
config 2 | grep -v "$A2" >"$T/umpio.conf"
ctl reload
gone_path() { [ "$(paths '.id | tostring')" = "0 1" ]; }
eventually 10 gone_path || fail "the path stays"
verify alone 1
config 2 >"$T/umpio.conf"
ctl reload
back
equal ids "$(paths '.id | tostring')" "0 1 4 5"
config 1 >"$T/umpio.conf"
ctl reload
one() { ctl wait db0 --paths 2 --timeout 1 && has_active 2 db0; }
eventually 15 one || fail "not with one queue"
equal "no queue" "$(json '.devices[0].paths[0].queue' status db0)" null
config 2 >"$T/umpio.conf"
ctl reload
eventually 15 ctl wait db0 --paths 4 --timeout 1 || fail "not with two"
verify again 2

step "detach --now under load"
fio --name=cut --ioengine=nbd --uri="$uri" --numjobs=4 --rw=randwrite \
	--size=24m --time_based --runtime=20 --iodepth=16 >"$T/cut.log" 2>&1 &
fio=$!
sleep 1
ctl detach --now db0 || :
! wait "$fio" || fail "fio has noticed nothing"
kill -TERM "$UMPIOD"
umpiod_ends 12 1 # writes that were not flushed
