#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
#
#   path-loss.sh [SECONDS]      of path loss for each frontend; default 10
#
# A path is closed by the target every second, in turns, while fio writes and
# verifies: no error, every path back at the end, and no request that waits
# 250 ms longer than the slowest of a run without faults in the same minute.
# shellcheck source=tests/system/functions.sh
. "$(dirname "$0")/functions.sh"
requires fio jq
lasts=${1:-10}
limit_ms=250
cd "$T"
tgt_simple 256M

# load NAME SECONDS TARGET-OPTIONS…: fio's verdict; its figures in $T/NAME.json
load() {
	local name=$1 seconds=$2
	shift 2
	fio --name="$name" "$@" --rw=randrw --iodepth=32 --size=256m \
		--bssplit=4k/50:16k/20:64k/15:256k/10:1m/5 \
		--time_based --runtime="$seconds" --serialize_overlap=1 \
		--verify=crc32c --verify_fatal=1 --verify_backlog=512 \
		--verify_state_save=0 --output-format=json \
		--output="$T/$name.json" >"$T/$name.log" 2>&1
}
slowest_ms() { # NAME
	sed -n '/^{/,$p' "$T/$1.json" |
		jq '[.jobs[0] | .read, .write | .lat_ns.max] | max / 1e6 | ceil'
}
# The oldest connection each time, and only while all paths are there: a path
# that has flapped takes longer to come back.
lose_paths() { # PID
	while kill -0 "$1" 2>/dev/null; do
		if has_active 2 && [ "$(tgt_connections t | wc -l)" -eq 2 ]; then
			tgt_kill_connection t &&
				lost=$((lost + 1))
		fi
		sleep 1
	done
}
both_lost() {
	[ "$(json '[.devices[0].sessions[].logins] | min' stats)" -gt 1 ]
}

# measure NAME TARGET-OPTIONS…: true when no request stalled
measure() {
	local name=$1 calm slow fio failovers
	shift
	step "$name, without faults"
	load "$name-calm" $(((lasts + 1) / 2)) "$@" || fail "fio"
	step "$name, a path lost every second for $lasts s"
	load "$name-loss" "$lasts" "$@" &
	fio=$!
	PIDS+=("$fio")
	lost=0
	sleep 0.5
	lose_paths "$fio"
	wait "$fio" || fail "fio"
	calm=$(slowest_ms "$name-calm") slow=$(slowest_ms "$name-loss")
	failovers=$(json '.devices[0].failovers' stats)
	echo "$name: $lost paths lost, $failovers failovers, slowest request" \
		"$slow ms, without faults $calm ms"
	[ "$lost" -ge $((lasts / 5)) ] || fail "only $lost paths were lost"
	[ "$failovers" -gt 0 ] || fail "stats show no failover"
	both_lost || fail "only one of the paths was ever lost"
	ctl wait disk0 --paths 2 --timeout 10 || fail "a path is not back"
	sanitized || [ "$slow" -le $((calm + limit_ms)) ]
}

# A machine with other guests stalls by itself now and then: twice in a row it
# is ours.
run() {
	measure "$@" || measure "$@" ||
		fail "stalled for more than $limit_ms ms, twice"
}

frontends=(--nbd "unix:$NBD_SOCKET")
[ ! -w /dev/fuse ] || frontends+=(--fuse "$T/disk.img")
# Paths that are lost so often would be held down.
umpiod_start -o hold-down=no "${frontends[@]}" "$URL1" "$URL2"
ctl wait disk0 --paths 2 --timeout 10
run nbd --ioengine=nbd --uri="$NBD_URI"
if [ -w /dev/fuse ]; then
	run fuse --ioengine=libaio --direct=1 --filename="$T/disk.img"
else
	step "FUSE left out: /dev/fuse is not there or not ours"
fi

state_is up || fail "the device is not up"
quiet_log "$LOSS"
umpiod_stop
