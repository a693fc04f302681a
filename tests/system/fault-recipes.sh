#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
#
# The recipes of umpio-fault(7), as they stand there, under verified I/O: what
# `umpio events` tells, that the path comes back, and that the client sees no
# error.
# shellcheck source=tests/system/functions.sh
. "$(dirname "$0")/functions.sh"
requires fio jq
cd "$T"
tgt_simple 64M
for key in HeaderDigest DataDigest; do
	tgt t --op update --mode target --tid 1 --name $key --value CRC32C,None
done
umpiod_start --name db0 --nbd "unix:$T/db0.sock" \
	-o hold-down=no -o marginal=no \
	-o header-digest=CRC32C -o data-digest=CRC32C "$URL1" "$URL2"
ctl wait db0 --paths 2 --timeout 10
path=$A1:3260 other=$A2:3260
id=$(json ".devices[0].paths[] | select(.portal == \"$path\") | .id" \
	status db0)

background events umpio --control "$CONTROL" events -n 0 --json db0
fio --name=v --ioengine=nbd --uri="nbd+unix:///db0?socket=$T/db0.sock" \
	--rw=randrw --iodepth=8 --bs=16k --size=64m --time_based --runtime=300 \
	--verify=crc32c --verify_fatal=1 --verify_backlog=256 \
	--serialize_overlap=1 --verify_state_save=0 >"$T/fio.log" 2>&1 &
FIO=$!
PIDS+=("$FIO")

# mark: what told() and await() look at begins here
mark() { seen=$(wc -l <"$T/events.log"); }
# told EVENT [PATH-ID]
told() {
	tail -n +$((seen + 1)) "$T/events.log" | jq -e -s --arg e "$1" \
		--argjson p "${2:-null}" \
		'any(.[]; .event == $e and ($p == null or .path == $p))'
}
await() { # SECONDS EVENT [PATH-ID]
	eventually "$1" told "${@:2}" || fail "no event ${*:2}: $(
		tail -n +$((seen + 1)) "$T/events.log")"
}
whole() {
	ctl wait db0 --paths 2 --timeout 20 || fail "a path is not back"
	kill -0 "$FIO" || fail "fio ended: $(tail -5 "$T/fio.log")"
	equal "no fault is left" "$(json '[.devices[0].paths[].fault] |
		map(values) | length' status db0)" 0
}
moved() { # the number of I/Os that the device has done goes up
	local before
	before=$(done_ios)
	sleep 0.3
	[ "$(done_ios)" -gt "$before" ]
}
done_ios() { json '[.devices[0].paths[] | .reads + .writes] | add' status db0; }
fault_is() { # TEXT
	equal "fault in the status" \
		"$(json ".devices[0].paths[] | select(.id == $id) | .fault" \
			status db0)" "$1"
}

loaded() {
	[ "$(json ".devices[0].paths[] | select(.id == $id) | .inflight" \
		status db0)" -gt 0 ] && moved
}
eventually 30 loaded || fail "fio does not begin"
step "kill a path"
mark
# By chance nothing is on its way over the path: then once more.
drop() {
	ctl fault drop db0 "$path"
	eventually 1 told tasks-resumed "$id" ||
		{ ctl wait db0 --paths 2 --timeout 5 && return 1; }
}
eventually 20 drop || fail "no tasks moved"
for event in path-fault path-failed tasks-moved tasks-resumed path-up; do
	await 5 $event "$id"
done
await 5 device-up
whole
tail -n +$((seen + 1)) "$T/events.log" | jq -e -s 'any(.[];
	.event == "tasks-resumed" and (.timeline | has("last_byte") and
	has("declared") and has("tasks_moved") and has("first_completion")))' \
	>/dev/null || fail "no timeline"

for way in "" --in --out; do
	step "blackhole a path ${way:-both ways}"
	mark
	# shellcheck disable=SC2086
	ctl fault blackhole $way db0 "$path"
	fault_is "blackhole${way:+ $way}"
	await 25 path-failed "$id"
	await 5 tasks-resumed "$id"
	tail -n +$((seen + 1)) "$T/events.log" | jq -e -s 'any(.[];
		.event == "tasks-resumed" and (.timeline | has("suspected") and
		has("declared") and has("first_completion")))' >/dev/null ||
		fail "no timeline"
	moved || fail "nothing moves over the other path"
	sleep 1.5
	told path-up "$id" >/dev/null && fail "it came up through a black hole"
	fault_is "blackhole${way:+ $way}"
	ctl fault off db0 "$path"
	await 20 path-up "$id"
	whole
done

step "slow drain"
mark
ctl fault rate 256KiB --out db0 "$path"
fault_is "rate 262144 --out"
sleep 2
moved || fail "nothing moves"
ctl fault off db0 "$path"
whole

step "delay"
mark
before=$(json ".devices[0].sessions[] | select(.path == $id) |
	.read_latency_us.max" stats db0)
ctl fault delay 200 db0 "$path"
fault_is "delay 200"
sleep 1
ctl fault off db0 "$path"
whole
after=$(json ".devices[0].sessions[] | select(.path == $id) |
	.read_latency_us.max" stats db0)
[ "$after" -ge 400000 ] || fail "slowest read: $before us, then $after us"

digest_errors() {
	json ".devices[0].sessions[] | select(.path == $id) | .digest_errors" \
		stats db0
}
step "corrupt a digest"
for what in data header; do
	mark
	before=$(digest_errors)
	ctl fault corrupt $what --in db0 "$path"
	await 3 path-fault "$id"
	eventually 5 test "$(digest_errors)" -gt "$before" || :
	[ "$(digest_errors)" -gt "$before" ] || fail "no digest error counted"
	whole
	mark
	ctl fault corrupt $what --out db0 "$path"
	await 3 path-fault "$id"
	sleep 1
	whole
done

step "all paths down"
mark
ctl fault drop db0 "$path"
ctl fault blackhole db0 "$path"
ctl fault blackhole db0 "$other"
await 25 device-queueing
sleep 1
kill -0 "$FIO" || fail "fio saw the paths go"
ctl fault off db0 "$path"
await 5 path-up "$id"
moved || fail "nothing moves over the path that is back"
ctl fault off db0 "$other"
await 20 device-up
whole

step "what is refused"
refused 2 "no such kind" ctl fault break db0 "$path"
refused 2 "wants MS" ctl fault delay db0 "$path"
refused 2 "wants MS" ctl fault delay 5s db0 "$path"
refused 2 "wants BYTES/S" ctl fault rate 0 db0 "$path"
refused 2 "header or data" ctl fault corrupt all db0 "$path"
refused 2 "no value" ctl fault blackhole 5 db0 "$path"
refused 2 "without --in" ctl fault drop --in db0 "$path"
refused 1 "no device" ctl fault drop nosuch "$path"
refused 1 "no path 77" ctl fault drop db0 77
refused 2 "usage" ctl fault drop
kill -INT "$FIO"
wait "$FIO" || : # it was told to end early
grep -q 'err= 0' "$T/fio.log" || fail "fio: $(tail -5 "$T/fio.log")"
umpiod_stop
umpiod_start --name db0 --nbd "unix:$T/db0.sock" -o data-digest=None "$URL1"
refused 1 "not negotiated" ctl fault corrupt data db0 "$path"
ctl fault blackhole db0 "$path"
kill -TERM "$UMPIOD"
umpiod_ends 12 0
