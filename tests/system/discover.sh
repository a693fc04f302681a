#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
#
# Portals by other ways than a numeric address of IPv4: those that the target
# reports (--discover), an IPv6 address, a name. tgt reports only the portal it
# is asked at, so a portal of the test's own answers discovery in front of it.
# shellcheck source=tests/system/functions.sh
. "$(dirname "$0")/functions.sh"
here=$(cd "$(dirname "$0")" && pwd)
requires jq qemu-io python3
truncate -s 16M "$T/disk"
portals=$A1:3260,$A2:3260,127.0.0.1:$PORT
ipv6=no
if grep -q '^0*1 ' /proc/net/if_inet6 2>/dev/null; then
	ipv6=yes
	portals+=",[::1]:$PORT"
fi
tgt_start t "$portals"
tgt_target t 1 "$IQN"
tgt_lun t 1 1 "$T/disk"
paths() {
	json '[.devices[0].paths[] | select(.state == "active") | .portal] |
		sort | join(" ")' status
}
works() {
	qemu-io -f raw -c "write -P 5 0 1M" -c "read -P 5 0 1M" "$NBD_URI" \
		>/dev/null || fail "no I/O"
}

step "--discover adds the portals of the target, and of no other"
background portal "$here/portal.py" "$A3:3260" "$A1:3260" \
	"$IQN.other=$A4:3260,1" "$IQN=$A3:3260,1" "$IQN=$A1:3260,1" \
	"$IQN=$A2:3260,1"
eventually 5 grep -q ready "$T/portal.log" || fail "portal.py"
umpiod_start --discover --nbd "unix:$NBD_SOCKET" "iscsi://$A3/$IQN/1"
ctl wait disk0 --paths 3 --timeout 10 || fail "paths: $(paths)"
equal paths "$(paths)" "$A1:3260 $A2:3260 $A3:3260"
works
quiet_log
umpiod_stop
equal "sessions left" "$(tgt_connections t | wc -l)" 0

step "--discover by a configuration file, and reload keeps what was found"
cat >"$T/umpio.conf" <<END
[target array1]
target = $IQN
portal = $A3
discover = yes
[device disk0]
target = array1
lun = 1
nbd = unix:$NBD_SOCKET
END
umpiod_start -c "$T/umpio.conf"
ctl wait disk0 --paths 3 --timeout 10 || fail "paths: $(paths)"
ctl reload
sleep 0.5
equal paths "$(paths)" "$A1:3260 $A2:3260 $A3:3260"
sed -i '/discover/d' "$T/umpio.conf"
ctl reload
only() { [ "$(paths)" = "$A3:3260" ]; }
eventually 5 only || fail "paths that were discovered stay: $(paths)"
works
umpiod_stop

step "a target that reports only itself"
umpiod_start --discover --nbd "unix:$NBD_SOCKET" "iscsi://$A1/$IQN/1"
works
sleep 0.3
equal paths "$(paths)" "$A1:3260"
umpiod_stop

step "a name"
umpiod_start --nbd "unix:$NBD_SOCKET" "iscsi://localhost:$PORT/$IQN/1" \
	"iscsi://$A1/$IQN/1"
ctl wait disk0 --paths 2 --timeout 10
paths | grep -qF "localhost:$PORT" || fail "the name is lost: $(paths)"
ctl path fail disk0 "localhost:$PORT"
equal paths "$(paths)" "$A1:3260"
works
umpiod_stop

if [ $ipv6 = no ]; then
	step "IPv6 left out: this host has no ::1"
	exit 0
fi
step "IPv6"
umpiod_start --nbd "unix:$NBD_SOCKET" --nbd "tcp:[::1]:$((PORT + 1))" \
	"iscsi://[::1]:$PORT/$IQN/1" "iscsi://$A2/$IQN/1"
grep -qF "nbd://[::1]:$((PORT + 1))/disk0" "$T/umpiod.out" ||
	fail "$(cat "$T/umpiod.out")"
ctl wait disk0 --paths 2 --timeout 10
equal paths "$(paths)" "$A2:3260 [::1]:$PORT"
works
nbdinfo --size "nbd://[::1]:$((PORT + 1))/disk0" >/dev/null || fail "nbdinfo"
ctl path fail disk0 "[::1]:$PORT"
equal paths "$(paths)" "$A2:3260"
ctl path restore disk0 "[::1]:$PORT"
ctl wait disk0 --paths 2 --timeout 5
umpiod_stop
umpio --json discover "[::1]:$PORT" | jq -e '.targets[0].luns[] |
	select(.lun == 1)' >/dev/null || fail "discover"
