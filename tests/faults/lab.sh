# SPDX-License-Identifier: BSD-2-Clause
# shellcheck shell=bash disable=SC2034,SC2120
#
# A network of the row's own: we are in one network namespace, the targets in
# another, and a veth pair each lies between for path a and path b.
#
#   us  10.77.1.1 -- 10.77.1.2 tgtd a, $IQN.a      two controllers: two tgtd on
#   us  10.77.2.1 -- 10.77.2.2 tgtd b, $IQN.b      one backing file
#
# With `proxied` the paths lead through a proxy at 10.77.9.1 and 10.77.9.2.
A=10.77.1.2 B=10.77.2.2
SIZE=${FAULTS_SIZE:-96}
FIFO=$T/faults.fifo
OUT=$T/verify.json

network() {
	ip link set lo up
	unshare -n sleep 3600 &
	THERE=$!
	PIDS+=("$THERE")
	eventually 5 elsewhere || fail "no second network namespace"
	cable a 1
	cable b 2
	ip addr add 10.77.9.1/32 dev lo
	ip addr add 10.77.9.2/32 dev lo
	nft -f - <<-'EOF'
		table inet f {
			chain in { type filter hook input priority 0; }
			chain out { type filter hook output priority 0; }
		}
	EOF
	TGT_RUN=(nsenter -t "$THERE" -n --)
	there ip link set lo up
}
elsewhere() {
	[ "$(readlink "/proc/$THERE/ns/net")" != "$(readlink /proc/self/ns/net)" ]
}
there() { nsenter -t "$THERE" -n -- "$@"; }
cable() { # NAME N
	ip link add "v$1" type veth peer name "w$1" netns "$THERE"
	ip addr add "10.77.$2.1/24" dev "v$1"
	ip link set "v$1" up
	there ip addr add "10.77.$2.2/24" dev "w$1"
	there ip link set "w$1" up
}

# filter in|out RULE…; heal takes all away
filter() { nft add rule inet f "$1" "${@:2}"; }
heal() { nft flush chain inet f in && nft flush chain inet f out; }
silence() { # ADDRESS
	filter in ip saddr "$1" drop
	filter out ip daddr "$1" drop
}
refuse_all() { # ADDRESS: the next packet is answered with RST, both ways
	filter out ip daddr "$1" meta l4proto tcp reject with tcp reset
}

controller() { # a|b [FILE]: starts it, or starts it again
	local address=$A
	[ "$1" = a ] || address=$B
	tgt_start "$1" "$address:3260"
	tgt_target "$1" 1 "$IQN.$1"
	tgt_lun "$1" 1 1 "${2:-$T/disk}" rdwr "${3:-}"
	[ -z "${DIGEST:-}" ] || for key in HeaderDigest DataDigest; do
		tgt "$1" --op update --mode target --tid 1 --name $key \
			--value "$DIGEST"
	done
}

# lab [UMPIOD-OPTIONS…]: network, controllers and umpiod with both paths
lab() {
	controllers
	device "$@"
}
controllers() {
	network
	truncate -s "${SIZE}M" "$T/disk"
	controller a
	controller b
	URLA=iscsi://$A/$IQN.a/1 URLB=iscsi://$B/$IQN.b/1
}
device() {
	umpiod_start --nbd "unix:$NBD_SOCKET" "$@" "$URLA" "$URLB"
	ctl wait disk0 --paths 2 --timeout 10 || fail "$(ctl status)"
}
# umpiod from a file with these paths, which configure and a reload change
configure() { # URL…
	printf '[daemon]\ninitiator-name = %s\n' "$INITIATOR" >"$T/conf"
	printf '[device disk0]\nnbd = unix:%s\n' "$NBD_SOCKET" >>"$T/conf"
	printf 'url = %s\n' "$@" >>"$T/conf"
}
configured() { # URL…
	configure "$@"
	: >"$T/umpiod.out"
	umpiod -c "$T/conf" --control "$CONTROL" >"$T/umpiod.out" \
		2>"$T/umpiod.log" </dev/null &
	UMPIOD=$!
	PIDS+=($!)
	eventually 15 umpiod_settled
	grep -q ready "$T/umpiod.out" || fail "umpiod is not ready"
}
proxied() { # UMPIOD-OPTIONS…
	controllers
	proxy_start proxy "10.77.9.1:3260=$A:3260" "10.77.9.2:3260=$B:3260"
	URLA=iscsi://10.77.9.1/$IQN.a/1 URLB=iscsi://10.77.9.2/$IQN.b/1
	device "$@"
}
tell() { proxy_tell proxy "$@" >/dev/null || fail "the proxy: $*"; }

# --- load --------------------------------------------------------------------

# load [VERIFY-OPTIONS…]: starts the verifier, and gives it a calm second
load() {
	background verify timeout 900 verify --json="$OUT" --faults "$FIFO" \
		--connections 2 --depth 4 --rate 150 --max-io 64KiB \
		--hot 0 --walk --allow-errors --hang 90s "$@" "$NBD_URI"
	VERIFY=${PIDS[-1]}
	eventually 60 test -p "$FIFO" || fail "verify does not begin"
	sleep 1
}
hit() { echo "fault $ROW" >"$FIFO"; }
over() { echo end >"$FIFO"; }
back() { # [SECONDS]: both paths carry requests again
	eventually "${1:-40}" all_back || fail "a path is not back"
	sleep 0.2
}
# Standing by is as good: a path that flaps is held down.
all_back() {
	[ "$(json '[.devices[0].paths[] | select(.state == "active" or
		.state == "standby")] | length' status)" = 2 ]
}
# unload: its end; SLOW, CALM (ms), ERRORS, TIMES of the row
unload() {
	local got=0
	echo stop >"$FIFO"
	wait "$VERIFY" || got=$?
	[ $got -le 1 ] || fail "verify ended with $got"
	figures
	FOUND=$(figure '[.found[]] | add')
	[ "$got" -eq 0 ] || [ -n "${WRONG_IS_RIGHT:-}" ] ||
		fail "wrong: $(figure '.found | tojson')"
}
figure() { jq -r "$1" "$OUT"; }
of() { figure "([.faults[] | select(.fault == \"$1\") | $2] | add) // 0"; }
figures() {
	SLOW=$(of "$ROW" .longest_ms) CALM=$(of none .longest_ms)
	ERRORS=$(figure .errors) TIMES=$(of "$ROW" .times)
}
failovers() { json '.devices[0].failovers' stats; }
path_of() { # ADDRESS FILTER: of the path with that portal
	json ".devices[0].paths[] | select(.portal | startswith(\"$1:\")) | $2" \
		status
}
path_is() { [ "$(path_of "$1" .state)" = "$2" ]; }

# strikes MAKE MEND: the fault as often as COUNT says, under load, in a device
# that is whole again after each
strikes() {
	local i
	load
	for ((i = 0; i < COUNT; i++)); do
		hit
		"$1"
		sleep "${LASTS:-1}"
		"$2"
		back
		over
		sleep "${PAUSE:-0.5}"
	done
	unload
}
nothing() { :; }
