#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
#
#   random.sh [--seed S] [--seconds N] [--faults N] [--json FILE]
#
# Faults one after the other, chosen by the seed, on either of two controllers
# or on both, while verify writes and reads through NBD and FUSE. It ends after
# so many faults (default 200), or so long (default 600 s). Nothing may be lost,
# stale, torn or falsely acknowledged, and no request may fail: a path always
# lives, or comes back within no-path-timeout. The table says what each fault
# made requests wait. FILE gets the figures, FILE.log what umpiod logged, and the
# faults between.
GUARD=15000 # ms that writes to blocks of unknown outcome may wait: ghost-guard
SEED=1 LASTING=600 FAULTS=200 KEEP=''
ARGS=("$@")
while [ $# -gt 0 ]; do
	case $1 in
	--seed) SEED=$2 ;;
	--seconds) LASTING=$2 ;;
	--faults) FAULTS=$2 ;;
	--json) KEEP=$2 ;;
	*) echo "random.sh: $1?"; exit 2 ;;
	esac
	shift 2
done
[ -n "${FAULTS_NET:-}" ] || FAULTS_NET=1 exec unshare -n -- "$0" "${ARGS[@]}"
HERE=$(cd "$(dirname "$0")" && pwd)
# shellcheck source=tests/system/functions.sh
. "$HERE/../system/functions.sh"
requires jq nft ip tgtd
requires_root
# shellcheck source=tests/faults/lab.sh
. "$HERE/lab.sh"

# Each fault is two functions of a controller, a or b: make_… and mend_…, and a
# row of this list: NAME, how long it lasts in tenths of a second, from and to,
# and the longest wait in ms that is allowed. A path that loses a fifth of its
# packets lives; a command that TCP is long in sending again has 5 s to itself.
LIST="
	reset    1 5   250
	drop     1 5   250
	socket   1 5   250
	kill     1 10  250
	silence  1 40  3000
	deaf     1 40  3000
	mute     1 40  3000
	stop     1 40  3000
	link     1 40  3000
	lossy    5 20  5500
	both     1 20  6500
"
address_of() { [ "$1" = a ] && echo $A || echo $B; }
make_reset() { refuse_all "$(address_of "$1")"; }
mend_reset() { heal; }
make_drop() { tgt_kill_connection "$1" || :; }
mend_drop() { :; }
make_socket() { ss -K -t dst "$(address_of "$1")" dport = :3260 >/dev/null || :; }
mend_socket() { :; }
make_kill() { tgt_crash "$1"; }
mend_kill() { controller "$1"; }
make_silence() { silence "$(address_of "$1")"; }
mend_silence() { heal; }
make_deaf() { filter in ip saddr "$(address_of "$1")" drop; }
mend_deaf() { heal; }
make_mute() { filter out ip daddr "$(address_of "$1")" drop; }
mend_mute() { heal; }
make_stop() { tgt_stop "$1"; }
mend_stop() { tgt_continue "$1"; }
make_link() { ip link set "v$1" down; }
mend_link() { ip link set "v$1" up; }
make_lossy() {
	filter in ip saddr "$(address_of "$1")" numgen random mod 100 '< 20' drop
}
mend_lossy() { heal; }
make_both() { silence $A && refuse_all $B; }
mend_both() { heal; }

# TCP may still wait to send again what was dropped: that is this fault's doing.
resending() { # COMMAND…: in the network namespace that it enters
	"$@" ss -Htno state established '( dport = :3260 or sport = :3260 )' |
		grep -q 'timer:(\(on\|persist\),[^,]*,[1-9]'
}
all_sent() { ! resending env && ! resending there; }
counts() { json '.devices[0].paths[] | .reads + .writes' status; }
both_flow() {
	local now
	mapfile -t now < <(counts)
	[ "${now[0]}" -gt "${before[0]}" ] && [ "${now[1]}" -gt "${before[1]}" ]
}

targets=()
FUSE=()
[ ! -w /dev/fuse ] || FUSE=(--fuse "$T/disk.img")
# Paths that fail every few seconds would be held down, and not met again.
lab -o hold-down=no -o marginal=no "${FUSE[@]}"
[ ! -w /dev/fuse ] || targets=("$T/disk.img")
load --hot 20 --rate 40 --mix read=45,write=45,fua=4,flush=2,zero=4 --seed "$SEED" \
	"${targets[@]}"

RANDOM=$SEED
mapfile -t names < <(awk 'NF { print $1 }' <<<"$LIST")
end=$((SECONDS + LASTING)) done=0
while [ $done -lt "$FAULTS" ] && [ $SECONDS -lt $end ]; do
	name=${names[RANDOM % ${#names[@]}]}
	side=a
	[ $((RANDOM % 2)) -eq 0 ] || side=b
	read -r from to < <(awk -v n="$name" '$1 == n { print $2, $3 }' \
		<<<"$LIST")
	tenths=$((from + RANDOM % (to - from + 1)))
	date "+%F %T.%3N fault $name $side" >>"$T/faults.log"
	ROW=$name hit
	"make_$name" $side
	sleep $((tenths / 10)).$((tenths % 10))
	"mend_$name" $side
	back 60
	mapfile -t before < <(counts)
	eventually 20 both_flow || fail "a path is back and carries nothing"
	eventually 20 all_sent || fail "TCP does not get over $name"
	over
	done=$((done + 1))
	# What is in flight would wait for the next fault, and count for this one:
	# after so long it has ended, or waits for longer than any may.
	sleep 0.$((3 + RANDOM % 3))
done
got=0
echo stop >"$FIFO"
wait "$VERIFY" || got=$?
if [ -n "$KEEP" ]; then
	cp "$OUT" "$KEEP"
	sort "$T/faults.log" "$T/umpiod.log" >"$KEEP.log"
fi

printf '\nseed %d: %d faults in %d s\n\n' "$SEED" $done "$SECONDS"
printf '%-10s %6s %12s %8s %12s %8s  %s\n' fault times 'longest, ms' limit \
	overlapping errors verdict
bad=$got
while read -r name _ _ limit; do
	[ -n "$name" ] || continue
	verdict=ok
	[ "$(of "$name" .times)" -gt 0 ] || verdict="not met"
	sanitized || [ "$(jq -n "$(of "$name" .longest_ms) <= \
		$limit + $(of none .longest_ms)")" = true ] || verdict=slow
	sanitized || [ "$(jq -n "$(of "$name" .longest_hot_ms) <= \
		$limit + $GUARD")" = true ] || verdict="slow, overlapping"
	[ "$(of "$name" .errors)" -eq 0 ] || verdict=ERRORS
	[ "$(of "$name" .found)" -eq 0 ] || verdict="DATA ARE WRONG"
	case $verdict in ok | 'not met') ;; *) bad=1 ;; esac
	printf '%-10s %6d %12.1f %8d %12.1f %8d  %s\n' "$name" \
		"$(of "$name" .times)" "$(of "$name" .longest_ms)" "$limit" \
		"$(of "$name" .longest_hot_ms)" "$(of "$name" .errors)" \
		"$verdict"
done <<<"$LIST"
printf '%-10s %6s %12.1f %8s %12.1f %8d\n\n' none - \
	"$(of none .longest_ms)" - "$(of none .longest_hot_ms)" \
	"$(of none .errors)"
figure '"requests: \(.requests | tojson)", "found: \(.found | tojson)",
	"errors: \(.errors), disconnects: \(.disconnects)"'
[ "$(figure .errors)" -eq 0 ] || bad=1
[ "$bad" -eq 0 ] || fail "see above"
