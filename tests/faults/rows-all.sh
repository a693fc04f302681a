# SPDX-License-Identifier: BSD-2-Clause
# shellcheck shell=bash disable=SC2034
# Rows 57 to 73: all paths, the host, the process.

row_57() {
	network
	truncate -s "${SIZE}M" "$T/disk"
	controller a
	umpiod_start --nbd "unix:$NBD_SOCKET" "iscsi://$A/$IQN.a/1"
	load
	hit
	silence $A
	sleep 6
	heal
	eventually 20 has_active 1 || fail "the path is not back"
	sleep 1
	over
	unload
}

kill_both() { tgt_crash a && tgt_crash b; }
start_both() { controller a && controller b; }
row_58() { lab; LASTS=5 strikes kill_both start_both; }

row_59() {
	local early
	lab -o no-path-timeout=4s
	load
	hit
	kill_both
	sleep 6
	early=$(date +%s%N)
	! timeout 5 qemu-io -f raw -c 'read 0 4096' "$NBD_URI" \
		>"$T/io.log" 2>&1 || ! grep -q 'failed\|error' "$T/io.log" &&
		: >"$T/refused"
	early=$((($(date +%s%N) - early) / 1000000))
	start_both
	back
	over
	sleep 1
	unload
	[ "$ERRORS" -gt 0 ] || fail "nothing failed"
	[ "$early" -lt 1500 ] || fail "a new request waited $early ms"
	[ "$(jq -n "$SLOW > 3500 and $SLOW < 5500 + $CALM")" = true ] ||
		fail "held for $SLOW ms instead of 4 s"
	equal "errors without a fault" "$(of none .errors)" 0
	ALLOWED=$ERRORS
}

peak_mib() { awk '/VmHWM/ { print int($2 / 1024) }' "/proc/$UMPIOD/status"; }
completed() { json '[.devices[0].paths[] | .reads + .writes] | add' status; }
goes_on() { [ "$(completed)" -gt "$1" ]; }

# How long the last of ten thousand waits is a matter of the targets; that they
# go on is ours. The memory is 64 MiB of data, and what the requests, their
# tasks and the connections need beside them.
row_60() {
	local before idle wait
	lab
	idle=$(peak_mib)
	load --connections 10 --depth 1000 --rate 0 --max-io 64KiB
	hit
	kill_both
	sleep 5
	before=$(completed)
	controller a
	wait=$(date +%s%N)
	eventually 20 goes_on "$before" || fail "nothing goes on"
	wait=$((($(date +%s%N) - wait) / 1000000))
	controller b
	back
	over
	unload
	idle=$(($(peak_mib) - idle))
	echo "10 000 requests: on after $wait ms; $idle MiB for them at most"
	sanitized || [ "$idle" -le 160 ] || fail "$idle MiB for one device"
	sanitized || [ "$(jq -n "$wait <= 1500 + $CALM")" = true ] ||
		fail "held for $wait ms more"
}

row_61() {
	local i n=100 begun away
	network
	truncate -s "${SIZE}M" "$T/disk"
	controller a
	for ((i = 2; i <= n; i++)); do
		truncate -s 1M "$T/disk$i"
		tgt_lun a 1 "$i" "$T/disk$i"
	done
	{
		printf '[daemon]\ninitiator-name = %s\n' "$INITIATOR"
		for ((i = 1; i <= n; i++)); do
			printf '[device d%d]\nurl = iscsi://%s/%s.a/%d\n' \
				"$i" $A "$IQN" "$i"
			printf 'nbd = unix:%s/n%d.sock\n' "$T" "$i"
		done
	} >"$T/conf"
	: >"$T/umpiod.out"
	umpiod -c "$T/conf" --control "$CONTROL" >"$T/umpiod.out" \
		2>"$T/umpiod.log" </dev/null &
	UMPIOD=$!
	PIDS+=($!)
	eventually 30 all_up $n || fail "$(ctl status | tail -n 5)"
	NBD_URI="nbd+unix:///d1?socket=$T/n1.sock"
	load
	hit
	away=$(($(date +%s%N) / 1000000))
	tgt_crash a
	refuse_all $A # until it has all its LUNs again
	controller a
	for ((i = 2; i <= n; i++)); do tgt_lun a 1 "$i" "$T/disk$i"; done
	heal
	away=$(($(date +%s%N) / 1000000 - away)) begun=$SECONDS
	eventually 15 all_up $n || fail "not all are back"
	echo "all $n sessions are back after $((SECONDS - begun)) s"
	over
	unload
	SLOW=$(jq -n "[$SLOW - $away, 0] | max") # since it is back
}
all_up() {
	[ "$(json '[.devices[] | select(.state == "up")] | length' status)" \
		-eq "$1" ]
}

row_64() {
	local before
	lab
	load
	before=$(failovers)
	hit
	kill -STOP "$UMPIOD"
	sleep 5
	kill -CONT "$UMPIOD"
	sleep 4
	over
	unload
	equal "failovers after a pause" "$(failovers)" "$before"
	[ "$(jq -n "$SLOW < 7000 + $CALM")" = true ] || fail "$SLOW ms"
}

row_65() {
	local shim=$BUILD/tests/faults/libclockstep.so
	[ -e "$shim" ] || skip "no $shim"
	controllers
	echo 0 >"$T/step"
	sanitized && skip "the shim and sanitizers do not go together"
	UMPIO_CLOCK_STEP=$T/step LD_PRELOAD=$shim \
		umpiod_start --nbd "unix:$NBD_SOCKET" "$URLA" "$URLB"
	ctl wait disk0 --paths 2 --timeout 10
	load
	for by in 3600 -3600; do
		hit
		echo $by >"$T/step"
		sleep 4
		has_active 2 || fail "a path was lost over it"
		over
	done
	unload
}

row_67() {
	local i clients=()
	lab
	load
	i=$(find "/proc/$UMPIOD/fd" | wc -l)
	hit
	prlimit --pid "$UMPIOD" --nofile="$i:"
	for ((i = 0; i < 20; i++)); do
		timeout 3 qemu-io -f raw -c 'read 0 512' "$NBD_URI" \
			>/dev/null 2>&1 &
		clients+=($!)
	done
	sleep 3
	for i in "${clients[@]}"; do wait "$i" || :; done
	prlimit --pid "$UMPIOD" --nofile=1024:
	timeout 10 qemu-io -f raw -c 'read 0 512' "$NBD_URI" >/dev/null ||
		fail "no new clients afterwards"
	over
	unload
}

row_68() {
	controllers
	mkdir -p "$T/full"
	mount -t tmpfs -o size=4k tmpfs "$T/full"
	head -c 8192 /dev/zero >"$T/full/x" 2>/dev/null || :
	XDG_STATE_HOME=$T/full
	: >"$T/umpiod.out"
	umpiod --control "$CONTROL" --initiator-name "$INITIATOR" \
		--nbd "unix:$NBD_SOCKET" "$URLA" "$URLB" \
		>"$T/umpiod.out" 2>/dev/full </dev/null &
	UMPIOD=$!
	PIDS+=($!)
	eventually 15 umpiod_settled
	ctl wait disk0 --paths 2 --timeout 10
	ROW=$ROW LASTS=0.1 strikes drop_a nothing
}

open_files() { find "/proc/$UMPIOD/fd" | wc -l; }
as_before() { [ "$(open_files)" -le "$1" ]; }
row_70() {
	local before i
	lab
	load
	before=$(open_files)
	for ((i = 0; i < COUNT; i++)); do
		hit
		other_client
		sleep 0.5
		kill -KILL "$OTHER"
		wait "$OTHER" 2>/dev/null || :
		eventually 5 as_before "$before" || fail "it leaves files open"
		over
	done
	unload
}
# A client that reads, as fast as it can.
other_client() {
	qemu-img bench -f raw -c 10000000 -d 32 -s 65536 \
		"$NBD_URI" >/dev/null 2>&1 </dev/null &
	OTHER=$!
	PIDS+=("$OTHER")
}
row_71() {
	lab
	load
	other_client
	sleep 0.5
	hit
	kill -STOP "$OTHER"
	sleep 3
	over
	kill -KILL "$OTHER"
	unload
}

row_72() {
	controllers
	configured "$URLA" "$URLB"
	ctl wait disk0 --paths 2 --timeout 10
	strikes reload_less reload_all
}
reload_less() {
	configure "$URLB"
	ctl reload
	eventually 10 one_path || fail "the path is still there"
}
one_path() { [ "$(json '.devices[0].paths | length' status)" -eq 1 ]; }
reload_all() {
	configure "$URLA" "$URLB"
	ctl reload
}

row_73() { lab; LASTS=3 strikes both_one_by_one heal; }
both_one_by_one() {
	silence $A
	sleep 1
	refuse_all $B
}

# No more address space than it has now, while clients ask for more.
row_66() {
	lab
	load
	hit
	prlimit --pid "$UMPIOD" --as="$(($(vm_kib) * 1024 + 1048576)):"
	other_client
	sleep 3
	kill -KILL "$OTHER"
	prlimit --pid "$UMPIOD" --as=unlimited:
	sleep 0.5
	over
	sleep 1
	unload
	! gone "$UMPIOD" || fail "umpiod is gone"
	equal "errors afterwards" "$(of none .errors)" 0
	ALLOWED=$ERRORS
}
vm_kib() { awk '/VmSize/ { print $2 }' "/proc/$UMPIOD/status"; }

# A file system on the block file, written by somebody in the same cgroup of
# 64 MiB as umpiod: each 16 MiB get through.
row_69() {
	local group loop i begun took
	requires_fuse
	requires mkfs.ext4 losetup
	group=/sys/fs/cgroup/memory$(awk -F: '$2 == "memory" { print $3 }' \
		/proc/self/cgroup)/umpio-faults-$$
	mkdir "$group" 2>/dev/null || skip "no memory cgroups"
	echo 64M >"$group/memory.limit_in_bytes"
	lab --fuse "$T/disk.img"
	loop=$(losetup --show -f --direct-io=on "$T/disk.img")
	LOOPS+=("$loop")
	mkfs.ext4 -q -F "$loop"
	mkdir "$T/mnt"
	mount "$loop" "$T/mnt"
	echo "$UMPIOD" >"$group/cgroup.procs"
	for ((i = 0; i < 8 * COUNT; i++)); do
		begun=$(date +%s%N)
		(
			echo "$BASHPID" >"$group/cgroup.procs"
			exec timeout 60 dd if=/dev/zero of="$T/mnt/f$((i % 4))" \
				bs=1M count=16 conv=fsync
		) >"$T/dd.log" 2>&1 || fail "dd: $(tail -n 1 "$T/dd.log")"
		took=$((($(date +%s%N) - begun) / 1000000))
		[ "$took" -le "${SLOW%.*}" ] || SLOW=$took
	done
	TIMES=$i
	umount "$T/mnt"
	echo "$UMPIOD" >"${group%/*}/cgroup.procs"
	rmdir "$group"
}
