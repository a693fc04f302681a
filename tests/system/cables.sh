# SPDX-License-Identifier: BSD-2-Clause
# shellcheck shell=bash
#
# A network of the test's own, instead of functions.sh, which it includes: two
# virtual cables, nearN (10.77.N.1) here and farN (10.77.N.2) in a namespace of
# the targets'; a disk behind both; and a load whose slowest request is measured
# against that of a run without faults. The test says what recover() does.
# shellcheck source=tests/system/functions.sh
if [ -z "${UMPIO_TEST_NET:-}" ]; then
	command -v unshare nft ip >/dev/null ||
		{ echo "skipped: needs unshare, nft and ip"; exit 77; }
	[ "$(id -u)" -eq 0 ] || { echo "skipped: needs root"; exit 77; }
	UMPIO_TEST_NET=1 exec unshare --net -- "$0" "$@"
fi
. "$(dirname "$0")/functions.sh"
requires fio jq ip nft
cd "$T"

# cables: the target's side in a namespace of its own, held by a process
ip link set lo up
unshare --net sleep 3600 &
HOLDER=$!
PIDS+=("$HOLDER")
apart() {
	[ "$(readlink /proc/self/ns/net)" != \
		"$(readlink "/proc/$HOLDER/ns/net")" ]
}
far() { nsenter --net="/proc/$HOLDER/ns/net" -- "$@"; }
eventually 3 apart || fail "no namespace"
far ip link set lo up
for n in 1 2; do
	ip link add "near$n" type veth peer name "far$n" netns "$HOLDER"
	ip address add "10.77.$n.1/24" dev "near$n"
	ip link set "near$n" up
	far ip address add "10.77.$n.2/24" dev "far$n"
	far ip link set "far$n" up
done
# One disk, two servers, one behind each cable.
truncate -s 2G "$T/disk"
TGT_RUN=(nsenter --net="/proc/$HOLDER/ns/net" --)
tgt_twin a 10.77.1.2
tgt_twin b 10.77.2.2

# load NAME SECONDS: fio's verdict; its figures in NAME.json. One pass over the
# disk: a write over one that was moved waits until that is fenced, however long
# it takes, which is not what this is about.
load() {
	fio --name="$1" --ioengine=nbd --uri="$NBD_URI" --rw=rw --bs=4k \
		--iodepth=16 --rate_iops=2000,2000 --size=2g --time_based \
		--runtime="$2" \
		--output-format=json --output="$T/$1.json" >"$T/$1.log" 2>&1
}
slowest_ms() {
	sed -n '/^{/,$p' "$T/$1.json" |
		jq '[.jobs[0] | .read, .write | .lat_ns.max] | max / 1e6 | ceil'
}
failovers() { json '.devices[0].failovers' stats; }
calm() {
	load calm 3 || fail "fio without faults"
	slowest_ms calm
}
# A path that was lost too often is held down, which is not what this is about.
start() {
	umpiod_start -o hold-down=no -o marginal=no "$@" \
		--nbd "unix:$NBD_SOCKET" "iscsi://10.77.1.2/$IQN.a/1" \
		"iscsi://10.77.2.2/$IQN.b/1"
	ctl wait disk0 --paths 2 --timeout 10 || fail "two paths"
}

# stall LIMIT-MS SECONDS NAME COMMAND…: under load, COMMAND after 1 s and recover
# at the end; the slowest request must keep to the limit
measure() {
	local limit=$1 seconds=$2 name=$3 before slow base fio
	shift 3
	step "$name"
	base=$(calm) before=$(failovers)
	load "$name" "$seconds" &
	fio=$!
	PIDS+=("$fio")
	sleep 1
	"$@"
	wait "$fio" || fail "fio: $name"
	slow=$(slowest_ms "$name")
	echo "$name: slowest request $slow ms (limit $limit), without faults" \
		"$base ms, $(($(failovers) - before)) failovers"
	recover
	sanitized || [ "$slow" -le $((limit + base)) ]
}
stall() {
	measure "$@" || { [ -z "${noisy:-}" ] && measure "$@"; } ||
		fail "$3: stalled for longer than $1 ms, twice"
}
