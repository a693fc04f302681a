#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
#
# Links of our own host that go: TCP would say nothing for minutes, the kernel
# says it at once. Requests wait for half a second at most, and what happens to
# links that no path uses harms nobody.
# shellcheck source=tests/system/cables.sh
. "$(dirname "$0")/cables.sh"

# Everything is as it was.
recover() {
	ip link set near1 up
	far ip link set far1 up
	ip link set near2 up
	ip route del blackhole 10.77.1.2/32 2>/dev/null || :
	ip address add 10.77.1.1/24 dev near1 2>/dev/null || :
	ctl wait disk0 --paths 2 --timeout 20 || fail "no second path again"
}
said() { grep -q "path-failed: $1" umpiod.log || fail "nobody said: $1"; }

start
stall 500 3 own-end ip link set near1 down
said 'the link to it is down (near1)'
: >umpiod.log
stall 500 3 far-end far ip link set far1 down
said 'the link to it is down (near1)'
stall 500 3 no-route ip route add blackhole 10.77.1.2/32
said 'there is no route from 10.77.1.1 to 10.77.1.2'
: >umpiod.log
stall 500 3 no-address ip address del 10.77.1.1/24 dev near1
said 'there is no route from 10.77.1.1 to 10.77.1.2'

step "links that no path uses flap"
before=$(failovers)
ip link add other0 type veth peer name other1
ip address add 10.99.0.1/24 dev other0
ip link set other0 up
load unrelated 3 &
fio=$!
PIDS+=("$fio")
for _ in $(seq 20); do
	ip link set other1 up
	ip route add 10.98.0.0/24 via 10.99.0.2 2>/dev/null || :
	sleep 0.05
	ip link set other1 down
	sleep 0.05
done
wait "$fio" || fail "fio"
equal failovers "$(failovers)" "$before"
state_is up || fail "not up"

step "both links for 3 s: the last paths are kept, and nothing fails"
: >umpiod.log
load none 8 &
fio=$!
PIDS+=("$fio")
sleep 1
ip link set near1 down
ip link set near2 down
sleep 3
grep -q 'path-suspected: the link to it is down' umpiod.log ||
	fail "nobody was suspected"
ip link set near2 up
ip link set near1 up
wait "$fio" || fail "fio"
recover
umpiod_stop

step "a path without its address: it is bound to a device"
start -o interface=10.77.1.2:3260=near1 -o interface=10.77.2.2:3260=near2
: >umpiod.log
stall 500 3 bound ip link set near1 down
said 'the link to it is down (near1)'
umpiod_stop
