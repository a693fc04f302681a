#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
#
# The key `interface`: each path leaves from the address or device that it is
# told to, also where two cards are in one subnet.
# shellcheck source=tests/system/functions.sh
. "$(dirname "$0")/functions.sh"
requires jq ss
tgt_simple 64M

# source PORTAL-ADDRESS: from where the daemon is connected to it
source_of() { ss -Htn state established dst "$1" | awk '{ sub(/:.*/, "", $3); print $3 }'; }

step "one source address for all paths"
umpiod_start --nbd "unix:$NBD_SOCKET" -o interface="$NET.77" "$URL1" "$URL2"
ctl wait disk0 --paths 2 --timeout 10
equal "source of path 1" "$(source_of "$A1")" "$NET.77"
equal "source of path 2" "$(source_of "$A2")" "$NET.77"
umpiod_stop

step "one for each portal"
umpiod_start --nbd "unix:$NBD_SOCKET" -o interface="$NET.77" \
	-o interface="$A2:3260=$NET.78" "$URL1" "$URL2"
ctl wait disk0 --paths 2 --timeout 10
equal "source of path 1" "$(source_of "$A1")" "$NET.77"
equal "source of path 2" "$(source_of "$A2")" "$NET.78"
umpiod_stop
refuses 2 "interface" -o interface=nowhere:0x=lo "$URL1" --nbd "unix:$NBD_SOCKET"

step "two cards in one subnet, by device"
NS=umpio-if-$$
if ! ip netns add "$NS" 2>/dev/null; then
	echo "no network namespaces here: the devices are not tried"
	echo "passed"
	exit 0
fi
trap 'ip netns del "$NS"; ip netns del "$NS-t"; cleanup' EXIT
ip netns add "$NS-t"
ip -n "$NS" link set lo up
ip -n "$NS-t" link set lo up
for i in 1 2; do
	ip -n "$NS" link add "card$i" type veth peer name "port$i" netns "$NS-t"
	ip -n "$NS" addr add "198.18.7.$i/24" dev "card$i"
	ip -n "$NS" link set "card$i" up
	ip -n "$NS-t" link set "port$i" up
done
# The target's side is a switch with two portals behind it.
ip -n "$NS-t" link add switch type bridge
ip -n "$NS-t" link set port1 master switch
ip -n "$NS-t" link set port2 master switch
ip -n "$NS-t" addr add 198.18.7.11/24 dev switch
ip -n "$NS-t" addr add 198.18.7.12/24 dev switch
ip -n "$NS-t" link set switch up
# Each card answers for its own address alone.
ip netns exec "$NS" sysctl -qw net.ipv4.conf.all.arp_ignore=1 \
	net.ipv4.conf.all.arp_announce=2
TGT_RUN=(ip netns exec "$NS-t")
truncate -s 64M "$T/disk2"
tgt_start two 198.18.7.11:3260,198.18.7.12:3260
tgt_target two 1 "$IQN"
tgt_lun two 1 1 "$T/disk2"
umpiod() { exec ip netns exec "$NS" "$BUILD/daemon/umpiod" "$@"; }
ss() { ip netns exec "$NS" ss "$@"; }
umpiod_start --nbd "unix:$NBD_SOCKET" \
	-o interface=198.18.7.11:3260=card1 -o interface=198.18.7.12=card2 \
	"iscsi://198.18.7.11/$IQN/1" "iscsi://198.18.7.12/$IQN/1"
ctl wait disk0 --paths 2 --timeout 10
equal "source of path 1" "$(source_of 198.18.7.11)" "198.18.7.1%card1"
equal "source of path 2" "$(source_of 198.18.7.12)" "198.18.7.2%card2"
step "a card that goes down takes its path alone"
ip -n "$NS" link set card1 down
one_active() { has_active 1; }
eventually 30 one_active || fail "$(ctl status)"
ip -n "$NS" link set card1 up
ctl wait disk0 --paths 2 --timeout 30
umpiod_stop
echo "passed"
