#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
#
#   ghost-write.sh              N=100 for more runs; default 5
#
# A write that a stopped server still has in its receive queue must not undo a
# newer one. Two servers, each with a target of its own name, share one backing
# file: one device. Server a is stopped, gets a write, and its connection is
# cut; the write is retried over b and acknowledged. A newer write to the same
# block is sent, and a is continued, within ghost-guard: it executes the old
# write, and then learns that its session is reinstated. The newer data must be
# there afterwards, whatever the order of events.
# shellcheck source=tests/system/functions.sh
. "$(dirname "$0")/functions.sh"
requires jq qemu-io
runs=${N:-5}
cd "$T"
truncate -s 64M "$T/disk"

tgt_twin a "$A1"
tgt_twin b "$A2"
umpiod_start --policy failover -o hold-down=no -o marginal=no \
	-o failover-time=30s --nbd "unix:$NBD_SOCKET" \
	"iscsi://$A1/$IQN.a/1" "iscsi://$A2/$IQN.b/1"

write() { # PATTERN OFFSET BYTES
	timeout 40 qemu-io -f raw -t writeback -c "write -P $1 $2 $3" \
		"$NBD_URI" >>"$T/write.$1.log" 2>&1
}
read_is() { # PATTERN OFFSET BYTES
	qemu-io -f raw -c "read -P $1 $2 $3" "$NBD_URI" >"$T/read.log" 2>&1 &&
		! grep -q 'verification failed' "$T/read.log"
}
inflight() { # PATH
	[ "$(json ".devices[0].paths[$1].inflight" status)" -gt 0 ]
}
a_failed() {
	[ "$(json '.devices[0].paths[0].state' status)" != active ]
}
events() { # WORD: of path 0
	grep -c "path 0: $1:" "$T/umpiod.log" || :
}
fenced_since() { [ "$(events fenced)" -gt "$1" ]; }

landed=0 fenced=0
for run in $(seq "$runs"); do
	ctl wait disk0 --paths 2 --timeout 20 >/dev/null || fail "no paths"
	at=$((run % 50 * 1048576 + 4096 * run)) blocks=$((run % 3))
	len=$((4096 << (4 * blocks))) # 4 KiB, 64 KiB, 1 MiB
	write 1 "$at" "$len" || fail "run $run: the first write"
	tgt_stop a
	write 2 "$at" "$len" & # goes to a, into its receive queue
	old=$!
	PIDS+=("$old")
	eventually 3 inflight 0 || fail "run $run: nothing went to a"
	ctl fault drop disk0 0 >/dev/null || fail "run $run: fault"
	wait "$old" || fail "run $run: the retried write"
	eventually 3 a_failed || fail "run $run: path a does not fail"
	write 3 "$at" "$len" & # must wait
	newer=$!
	PIDS+=("$newer")
	# Beside it nothing waits, and neither does a read.
	write 4 60M 4096 || fail "run $run: a write beside it"
	read_is 2 "$at" "$len" || fail "run $run: the retried data"
	sleep 0.$((RANDOM % 6))
	kill -0 "$newer" 2>/dev/null || fail "run $run: it did not wait"
	before=$(events fenced)
	tgt_continue a
	wait "$newer" || fail "run $run: the newer write"
	# The log has a writer of its own, who may be a moment behind.
	eventually 2 fenced_since "$before" && fenced=$((fenced + 1))
	read_is 3 "$at" "$len" || fail "run $run: the old data is back"
	sleep 0.2
	read_is 3 "$at" "$len" || fail "run $run: the old data is back"
	cmp -s -n "$len" <(tail -c +$((at + 1)) "$T/disk") \
		<(head -c "$len" /dev/zero | tr '\0' '\003') ||
		fail "run $run: the old data is in the file"
	landed=$((landed + 1))
done
echo "$landed of $runs runs: the newer data; fenced in $fenced"
equal "runs with a fence" "$fenced" "$runs"
umpiod_stop
