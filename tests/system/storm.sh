#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
#
# A hundred devices, a session each, at one portal: the target dies, and when it
# is there again all of them are back within 10 s, the first within 1.5 s.
# shellcheck source=tests/system/functions.sh
. "$(dirname "$0")/functions.sh"
requires jq
cd "$T"
many=100
truncate -s 1M "$T/disk"

# The portal is opened when all units are there: a target that comes up says no
# before that.
serve() {
	tgt_start t "$A2:3260"
	tgt_target t 1 "$IQN"
	for n in $(seq $many); do
		tgt_lun t 1 "$n" "$T/disk"
	done
	tgt t --op new --mode portal --param "portal=$A1:3260"
}
serve
{
	echo "[target t]"
	echo "target = $IQN"
	echo "portal = $A1"
	for n in $(seq $many); do
		printf '[device d%s]\ntarget = t\nlun = %s\n' "$n" "$n"
	done
} >umpio.conf
up() { json '[.devices[] | select(.state == "up")] | length' status; }
has_up() { [ "$(up)" -ge "$1" ]; }
none_up() { [ "$(up)" -eq 0 ]; }
ms() { echo $((${EPOCHREALTIME/./} / 1000)); }

umpiod_spawn --config "$T/umpio.conf"
eventually 20 has_up $many || fail "only $(up) of $many devices are up"
for round in 1 2; do
	tgt_crash t
	eventually 5 none_up || fail "$(up) devices are up without a target"
	sleep 4
	serve
	begin=$(ms)
	eventually 10 has_up 1 || fail "none is back"
	first=$(($(ms) - begin))
	eventually 20 has_up $many || fail "only $(up) of $many are back"
	all=$(($(ms) - begin))
	echo "round $round: the first back after $first ms, all $many after" \
		"$all ms"
	sanitized || [ $first -le 1500 ] || fail "the first took $first ms"
	sanitized || [ $all -le 10000 ] || fail "all took $all ms"
done
umpiod_stop
