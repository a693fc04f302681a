#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# Devices on several threads: how they are spread, that those with an address in
# common stay together, and that all of them work at once while others come and
# go.
# shellcheck source=tests/system/functions.sh
. "$(dirname "$0")/functions.sh"

requires umpiod nbdinfo nbdcopy jq tgtd
for i in 1 2 3 4 5 6; do truncate -s 32M "$T/disk$i"; done
tgt_start t "$A1:3260,$A2:3260"
tgt_target t 1 "$IQN"
for i in 1 2 3 4 5 6; do tgt_lun t 1 $i "$T/disk$i"; done

# device NAME LUN SOCKET…: its section
device() {
	printf '[device %s]\ntarget = t\nlun = %s\n' "$1" "$2"
	printf "nbd = unix:$T/%s\n" "${@:3}"
}
worker_of() { json '.devices[0].worker' status "$1"; }
threads() { find "/proc/$UMPIOD/task" -mindepth 1 -maxdepth 1 | wc -l; }
all_ready() { [ "$(grep -c ready "$T/umpiod.out")" -ge "$1" ]; }

head='[daemon]
workers = 3
busy-poll = 20
[target t]
target = '$IQN"
portal = $A1:3260
portal = $A2:3260"

step "one device has one thread"
{ echo "$head"; device a 1 a; } >"$T/umpio.conf"
umpiod_start -c "$T/umpio.conf"
alone=$(threads)

step "the others go to threads of their own, or to who shares their address"
# e and c meet at c's address, c and d at the last one's
{
	echo "$head"
	device a 1 a
	device b 2 b
	device c 3 c last
	device d 4 last
	device e 5 e c
} >"$T/umpio.conf"
ctl reload
eventually 15 all_ready 5 || fail "not all are ready"
equal "b beside a" "$(worker_of b)" 1
equal "c" "$(worker_of c)" 2
equal "d with c" "$(worker_of d)" 2
equal "e with c" "$(worker_of e)" 2
[ "$(threads)" -le $((alone + 2)) ] || fail "$(threads) threads, was $alone"

step "I/O on all of them at once, while another one comes and goes"
dd if=/dev/urandom of="$T/in" bs=1M count=32 status=none
copy() { nbdcopy --flush "$T/in" "nbd+unix:///$1?socket=$T/$2"; }
copies=()
for way in "a a" "b b" "c last" "d last" "e c"; do
	# shellcheck disable=SC2086 # two words
	copy $way &
	copies+=($!)
done
for _ in 1 2 3; do
	ctl attach f "iscsi://$A1/$IQN/6" --nbd "unix:$T/f"
	equal "f" "$(nbdinfo --size "nbd+unix:///f?socket=$T/f")" $((32 << 20))
	ctl detach f
done
for pid in "${copies[@]}"; do wait "$pid" || fail "a copy"; done
for i in 1 2 3 4 5; do cmp "$T/in" "$T/disk$i" || fail "disk$i"; done

step "an address here and one there"
refused 1 "different workers" ctl attach f "iscsi://$A1/$IQN/6" \
	--nbd "unix:$T/a" --nbd "unix:$T/b"
ctl attach f "iscsi://$A1/$IQN/6" --nbd "unix:$T/b"
equal "f with b" "$(worker_of f)" "$(worker_of b)"
umpiod_stop
quiet_log

step "from the beginning they are put together"
{
	echo "$head"
	device a 1 a
	device b 2 b
	device f 6 a b
} >"$T/umpio.conf"
umpiod_spawn -c "$T/umpio.conf"
eventually 15 all_ready 3 || fail "not all are ready"
equal "a, b, f" "$(worker_of a) $(worker_of b) $(worker_of f)" "0 0 0"
umpiod_stop
quiet_log
