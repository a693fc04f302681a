# SPDX-License-Identifier: BSD-2-Clause
# shellcheck shell=bash disable=SC2034
#
# What every system test begins with: `. "$(dirname "$0")/functions.sh"`.
#
#   $T         a directory of the test's own, removed at the end
#   $A1 … $A4  loopback addresses of the test's own
#   $PORT      a TCP port of the test's own, for addresses that are shared
#   umpiod, umpio, ramdisk   the programs of the build under test
#
# Every server is started by a function that notes its pid; whatever happens,
# the exit handler ends them (by pid), unmounts what is under $T and removes $T.
set -euo pipefail

BUILD=${UMPIO_BUILD:-$(cd "$(dirname "${BASH_SOURCE[0]}")/../../build/release" && pwd)}
PATH=$BUILD/daemon:$BUILD/daemon/cli:$BUILD/tests/lib:$BUILD/tests/verify:$PATH:/usr/sbin:/sbin
T=$(mktemp -d "${TMPDIR:-/tmp}/umpio-test.XXXXXX")
export XDG_RUNTIME_DIR=$T/run XDG_STATE_HOME=$T/state
mkdir -m 700 "$XDG_RUNTIME_DIR" "$XDG_STATE_HOME"

# /24 of 127/8 by our pid: tests that run side by side do not meet.
NET=127.$(($$ / 250 % 200 + 20)).$(($$ % 250 + 2))
A1=$NET.1 A2=$NET.2 A3=$NET.3 A4=$NET.4
PORT=$((20000 + $$ % 12000))
IQN=iqn.2026-01.org.example:test$$
INITIATOR=iqn.2026-01.org.example:host$$
CONTROL=$T/control.sock

PIDS=()
LOOPS=()
declare -A TGT_PID=() TGT_CONTROL=()
TGT_RUN=() # what runs tgtd, where it is to be in another namespace

# Targets go last: whoever uses them may want to flush.
cleanup() {
	local status=$? pid m
	trap - EXIT INT TERM
	trap '' PIPE # a reader that is gone must not stop this
	set +e
	for m in "${LOOPS[@]}"; do losetup -d "$m" 2>/dev/null; done
	for ((i = ${#PIDS[@]} - 1; i >= 0; i--)); do
		pid=${PIDS[i]}
		kill -CONT "$pid" 2>/dev/null
		kill -TERM "$pid" 2>/dev/null
	done
	for ((i = ${#PIDS[@]} - 1; i >= 0; i--)); do end_pid "${PIDS[i]}"; done
	for pid in "${TGT_PID[@]}"; do
		kill -KILL "$pid" 2>/dev/null && wait "$pid" 2>/dev/null
	done
	for m in "${TGT_CONTROL[@]}"; do
		rm -f "/var/run/tgtd/socket.$m" "/var/run/tgtd/socket.$m.lock"
	done
	while read -r m; do umount -l "$m"; done \
		< <(awk -v t="$T/" 'index($5, t) == 1 { print $5 }' \
			/proc/self/mountinfo | sort -r)
	if [ $status -ne 0 ] && [ $status -ne 77 ]; then
		for log in "$T"/*.log; do
			[ -s "$log" ] && { echo "--- ${log##*/}"; tail -n 40 "$log"; }
		done
	fi
	rm -rf "$T"
	exit $status
}
trap cleanup EXIT
trap 'exit 130' INT TERM

# Waits up to 3 s for a process to end, then kills it.
end_pid() {
	local i
	for i in $(seq 30); do
		kill -0 "$1" 2>/dev/null || return 0
		sleep 0.1
	done
	kill -KILL "$1" 2>/dev/null
	wait "$1" 2>/dev/null
	return 0
}

skip() { echo "skipped: $*"; exit 77; }
fail() { echo "failed: $*"; exit 1; }
step() { echo "-- $*"; }

requires() {
	local tool
	for tool in "$@"; do
		command -v "$tool" >/dev/null || skip "$tool is not installed"
	done
}
requires_root() { [ "$(id -u)" -eq 0 ] || skip "needs root"; }
requires_fuse() { [ -w /dev/fuse ] || skip "/dev/fuse is not there or not ours"; }
sanitized() { [[ $BUILD == *san ]]; }

# eventually SECONDS COMMAND...: until it succeeds
eventually() {
	local end=$((SECONDS + $1))
	shift
	until "$@" >/dev/null 2>&1; do
		[ $SECONDS -lt $end ] || return 1
		sleep 0.05
	done
}

# background NAME COMMAND...: its pid into $!, its output into $T/NAME.log
background() {
	local name=$1
	shift
	: >"$T/$name.log" # now: what a former one of the name said is over
	"$@" >"$T/$name.log" 2>&1 </dev/null &
	PIDS+=($!)
}

# --- tgt -------------------------------------------------------------------

# tgt_start NAME PORTAL[,PORTAL…]: a tgtd of its own. It ends only by SIGKILL,
# since it ignores SIGTERM while targets exist.
tgt_start() {
	local name=$1 portals=portal=${2//,/,portal=}
	requires tgtd tgtadm
	requires_root
	mkdir -p /var/run/tgtd
	: "${TGT_CONTROL[$name]:=$((1000 + ($$ * 7 + ${#TGT_PID[@]}) % 31000))}"
	"${TGT_RUN[@]}" tgtd -f --iscsi "$portals" -C "${TGT_CONTROL[$name]}" \
		>"$T/tgtd-$name.log" 2>&1 </dev/null &
	TGT_PID[$name]=$!
	eventually 5 tgt "$name" --op show --mode sys ||
		fail "tgtd $name did not start"
}

# tgt NAME OPTIONS...: tgtadm on it
tgt() {
	local name=$1
	shift
	tgtadm -C "${TGT_CONTROL[$name]}" --lld iscsi "$@"
}

# tgt_target NAME TID IQN: a target that waits 0 s and lets everybody in
tgt_target() {
	tgt "$1" --op new --mode target --tid "$2" -T "$3"
	tgt "$1" --op update --mode target --tid "$2" \
		--name DefaultTime2Wait --value 0
	tgt "$1" --op bind --mode target --tid "$2" -I ALL
}

# tgt_lun NAME TID LUN FILE [BSTYPE] [BLOCKSIZE]
tgt_lun() {
	tgt "$1" --op new --mode logicalunit --tid "$2" --lun "$3" -b "$4" \
		--bstype "${5:-rdwr}" ${6:+--blocksize "$6"}
}

# tgt_twin NAME ADDRESS: one of the servers that call $T/disk one LUN, each a
# target of its own, $IQN.NAME; offline until it is whole, as tgt-admin has it
tgt_twin() {
	tgt_start "$1" "$2:3260"
	tgt "$1" --op update --mode sys --name State --value offline
	tgt_target "$1" 1 "$IQN.$1"
	tgt_lun "$1" 1 1 "$T/disk"
	tgt "$1" --op update --mode logicalunit --tid 1 --lun 1 \
		--params "scsi_id=one-lun-of-two-targets,scsi_sn=one$$"
	tgt "$1" --op update --mode sys --name State --value ready
}

# tgt_simple [SIZE]: one tgtd "t" on $A1 and $A2 with $IQN, LUN 1 of SIZE in
# $T/disk, and $URL1, $URL2 to it
tgt_simple() {
	truncate -s "${1:-64M}" "$T/disk"
	tgt_start t "$A1:3260,$A2:3260"
	tgt_target t 1 "$IQN"
	tgt_lun t 1 1 "$T/disk"
	URL1=iscsi://$A1/$IQN/1 URL2=iscsi://$A2/$IQN/1
}

# tgt_paths SIZE BLOCKSIZE: one on $A1 to $A4, thinly provisioned, and $URLS to
# all four
tgt_paths() {
	truncate -s "$1" "$T/disk"
	tgt_start t "$A1:3260,$A2:3260,$A3:3260,$A4:3260"
	tgt_target t 1 "$IQN"
	tgt_lun t 1 1 "$T/disk" rdwr "$2"
	tgt t --op update --mode logicalunit --tid 1 --lun 1 \
		--params thin_provisioning=1
	URLS=("iscsi://$A1/$IQN/1" "iscsi://$A2/$IQN/1"
		"iscsi://$A3/$IQN/1" "iscsi://$A4/$IQN/1")
}

# tgt_connections NAME: `TID SID CID ADDRESS` of each of its connections
tgt_connections() {
	tgt "$1" --op show --mode target | awk '
		/^Target/ { tid = $2 + 0 }
		/I_T nexus:/ { sid = $3 }
		/Connection:/ { cid = $2 }
		/IP Address:/ { print tid, sid, cid, $3 }'
}

# tgt_kill_connection NAME [N]: closes the Nth connection (default the first)
tgt_kill_connection() {
	local tid sid cid address
	read -r tid sid cid address < <(tgt_connections "$1" |
		sed -n "${2:-1}p") || return 1
	tgt "$1" --op delete --mode conn --tid "$tid" --sid "$sid" --cid "$cid"
}

# Options with which umpiod goes on using paths that fail again and again.
HARASSED=(-o hold-down=no -o marginal=no)

# tgt_harass NAME SECONDS: from now on kills a connection each so many seconds,
# those that are there in turns, while there are two; tgt_harassed ends that, and
# sets $KILLED to how many
tgt_harass() {
	: >"$T/killed"
	(
		set +e
		while sleep "$2"; do
			[ "$(tgt_connections "$1" | wc -l)" -ge 2 ] &&
				tgt_kill_connection "$1" && echo >>"$T/killed"
		done
	) >/dev/null 2>&1 &
	HARASSER=$!
	PIDS+=("$HARASSER")
}
tgt_harassed() {
	kill "$HARASSER"
	wait "$HARASSER" || :
	KILLED=$(wc -l <"$T/killed")
}

tgt_stop() { kill -STOP "${TGT_PID[$1]}"; }
tgt_continue() { kill -CONT "${TGT_PID[$1]}"; }
tgt_crash() {
	kill -KILL "${TGT_PID[$1]}"
	wait "${TGT_PID[$1]}" 2>/dev/null || :
}

# --- proxy -----------------------------------------------------------------

# proxy_start NAME LISTEN=TO…: a path that fails as proxy_tell NAME WORD… says;
# tests/lib/proxy.c lists the words
proxy_start() {
	background "$1" proxy "$T/$1.ctl" "${@:2}"
	eventually 5 grep -q ready "$T/$1.log" || fail "the proxy $1"
}
proxy_tell() { proxy tell "$T/$1.ctl" "${@:2}"; }

# --- umpiod ----------------------------------------------------------------

# umpiod_start OPTIONS…: starts it and waits for the ready line of its device;
# log in $T/umpiod.log, ready lines in $T/umpiod.out, pid in $UMPIOD
umpiod_start() {
	umpiod_spawn "$@"
	eventually 15 umpiod_settled
	grep -q ready "$T/umpiod.out" || fail "umpiod is not ready"
}
umpiod_settled() { grep -q ready "$T/umpiod.out" || gone "$UMPIOD"; }
umpiod_spawn() {
	: >"$T/umpiod.out"
	umpiod --control "$CONTROL" --initiator-name "$INITIATOR" "$@" \
		>"$T/umpiod.out" 2>"$T/umpiod.log" </dev/null &
	UMPIOD=$!
	PIDS+=($!)
}

# umpiod_ends SECONDS STATUS: it ends by then, with that
umpiod_ends() {
	local got=0
	eventually "$1" gone "$UMPIOD" || fail "umpiod does not end"
	wait "$UMPIOD" || got=$?
	[ "$got" -eq "$2" ] || fail "umpiod ended with $got instead of $2"
	! grep -q 'Sanitizer\|runtime error' "$T/umpiod.log" || fail "sanitizer"
}
gone() { ! kill -0 "$1"; }

# umpiod_stop: SIGTERM; it must end with 0
umpiod_stop() {
	kill -TERM "$UMPIOD"
	umpiod_ends 12 0
}

umpiod_crash() {
	disown "$UMPIOD" # or the shell reports its death
	kill -KILL "$UMPIOD"
	eventually 5 gone "$UMPIOD" || fail "umpiod survives SIGKILL"
}

# What it may say when a path is lost under writes, for quiet_log. With a flush
# on the way, what is kept is written again.
LOSS='path|degraded|cache-replayed|the answer to a flush is lost'

# quiet_log [PATTERN]: no warning or error in its log but those that match
quiet_log() {
	local lines
	lines=$(grep -E '^[0-9: .-]* (error|warn) ' "$T/umpiod.log" |
		grep -Ev -e "${1:-^$}") || return 0
	fail "in umpiod's log: $lines"
}

ctl() { umpio --control "$CONTROL" "$@"; }

# json FILTER COMMAND…: what jq makes of `umpio --json COMMAND…`
json() {
	local filter=$1
	shift
	ctl --json "$@" | jq -r "$filter"
}
# state_is STATE [DEVICE]
state_is() {
	[ "$(json '.devices[0].state' status "${2:-disk0}")" = "$1" ]
}
# has_active N [DEVICE]: that many paths, no more and no fewer
has_active() {
	[ "$(json '[.devices[0].paths[] | select(.state == "active")] | length' \
		status "${2:-disk0}")" = "$1" ]
}

# equal WHAT HAVE WANT
equal() { [ "$2" = "$3" ] || fail "$1: $2, and should be $3"; }

# refused STATUS TEXT COMMAND…: it must end with STATUS and one line of
# explanation that contains TEXT
refused() {
	local want=$1 text=$2 got=0 out lines
	shift 2
	[ "$1" != ctl ] || set -- umpio --control "$CONTROL" "${@:2}"
	out=$(timeout 30 "$@" 2>&1 </dev/null) || got=$?
	[ "$got" -eq "$want" ] || fail "exit $got instead of $want: $*: $out"
	grep -qF -- "$text" <<<"$out" || fail "no \"$text\" in: $out"
	! grep -qE 'Sanitizer|runtime error' <<<"$out" || fail "$out"
	lines=$(grep -cE "^(umpio|umpiod|[0-9: .-]* error)[: ]" <<<"$out" || :)
	[ "$lines" -le 1 ] || fail "$lines lines of error for: $*: $out"
}

# refuses STATUS TEXT OPTIONS…: so must umpiod, started with these; its error
# is one line, and it leaves no file, socket or mount behind
refuses() {
	local status=$1 text=$2 before after
	shift 2
	step "umpiod $*"
	before=$(left_behind)
	refused "$status" "$text" umpiod --control "$CONTROL" \
		--initiator-name "$INITIATOR" "$@"
	after=$(left_behind)
	[ "$before" = "$after" ] ||
		fail "left behind: $(diff <(echo "$before") <(echo "$after"))"
}
left_behind() {
	find "$T" -xdev ! -path "$T" ! -name '*.log' ! -path "$T/state/*" |
		sort
	grep -F " $T/" /proc/self/mountinfo | cut -d' ' -f5 || :
}

NBD_SOCKET=$T/nbd.sock
NBD_URI="nbd+unix:///disk0?socket=$NBD_SOCKET"
