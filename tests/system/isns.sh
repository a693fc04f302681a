#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
#
# iSNS, against the server that Debian has: what it lists, portals that come and
# go, a server that dies, is born again and knows nobody.
# shellcheck source=tests/system/functions.sh
. "$(dirname "$0")/functions.sh"
requires jq qemu-io isnsd isnsadm

cat >"$T/isnsd.conf" <<END
SourceName = iqn.2026-01.org.example:isns
BindAddress = $A4:3205
DefaultDiscoveryDomain = 1
RegistrationPeriod = 20
ESIMinInterval = 1
ESIMaxInterval = 2
ESIRetries = 2
Security = 0
SLPRegister = 0
PIDFile = $T/isnsd.pid
ControlSocket = $T/isnsd.control
END
cat >"$T/isnsadm.conf" <<END
SourceName = $IQN
ServerAddress = $A4:3205
Security = 0
Network.CallTimeout = 5
END
isns_start() {
	background isnsd isnsd -f -4 -c "$T/isnsd.conf"
	ISNSD=$!
	eventually 5 isns --list nodes || fail "isnsd does not start"
}
isns() { isnsadm -c "$T/isnsadm.conf" "$@"; }
# lists PORTAL,TAG…: the target with these portals, and with no others
lists() {
	local portal args=()
	for portal; do
		args+=("portal=${portal%,*}" "pg,pgt=${portal#*,}")
	done
	isns --replace --register "entity=$IQN" "target=$IQN" "${args[@]}" \
		>/dev/null
}
portals() {
	json '[.devices[0].paths[] | select(.state == "active") | .portal] |
		sort | join(" ")' status
}
has_portals() { [ "$(portals)" = "$*" ]; }
knows() { isns --list "$1" | grep -q "$2"; }

truncate -s 16M "$T/disk"
tgt_start t "$A1:3260,$A2:3260,$A3:3260"
tgt_target t 1 "$IQN"
tgt_lun t 1 1 "$T/disk"
isns_start

step "umpio discover --isns"
refused 0 "no target" umpio discover --isns "$A4" --initiator-name "$INITIATOR"
lists "$A1:3260,1" "$A2:3260,7"
umpio discover --isns "$A4" --initiator-name "$INITIATOR" --json >"$T/json"
jq -e --arg iqn "$IQN" --arg a1 "$A1" --arg a2 "$A2" '.targets ==
	[.targets[] | select(.target == $iqn)] and
	(.targets[0].portals | sort_by(.tpgt)) == [
		{"portal": ($a1 + ":3260"), "tpgt": 1},
		{"portal": ($a2 + ":3260"), "tpgt": 7}] and
	([.targets[0].luns[] | select(.lun == 1)][0].size == 16777216)
' "$T/json" >/dev/null || fail "$(cat "$T/json")"
! knows nodes "$INITIATOR" || fail "discover has left itself registered"

step "no server"
refused 1 "iSNS server $A3:3205" umpio discover --isns "$A3" \
	--initiator-name "$INITIATOR"
refused 1 "iSNS server $A1:3260" umpio discover --isns "$A1:3260" \
	--initiator-name "$INITIATOR"

step "its portals become paths"
umpiod_start --discover -o "isns-server=$A4" --nbd "unix:$NBD_SOCKET" \
	"iscsi://$A1/$IQN/1"
eventually 10 has_portals "$A1:3260 $A2:3260" || fail "paths: $(portals)"
knows nodes "$INITIATOR" || fail "umpiod is not registered"

step "one more comes, one goes"
lists "$A1:3260,1" "$A2:3260,7" "$A3:3260,8"
eventually 10 has_portals "$A1:3260 $A2:3260 $A3:3260" ||
	fail "paths: $(portals)"
lists "$A1:3260,1" "$A3:3260,8"
eventually 10 has_portals "$A1:3260 $A3:3260" || fail "paths: $(portals)"
two_connections() { [ "$(tgt_connections t | wc -l)" -eq 2 ]; }
eventually 5 two_connections || fail "the path that went is still logged in"

step "what was configured stays, and so does the rest of a target that is gone"
isns --deregister "iscsi-name=$IQN" >/dev/null
sleep 1
has_portals "$A1:3260 $A3:3260" || fail "paths: $(portals)"

step "status inquiries are answered: after many, we are still known"
sleep 8
knows portals 127.0.0.1 || fail "the server has given us up"

step "the server dies; another one knows nobody"
kill -KILL "$ISNSD"
eventually 5 grep -q "warn.*iSNS server $A4:3205" "$T/umpiod.log" ||
	fail "nothing in the log"
has_portals "$A1:3260 $A3:3260" || fail "paths: $(portals)"
isns_start
lists "$A1:3260,1" "$A2:3260,7" "$A3:3260,8"
eventually 20 has_portals "$A1:3260 $A2:3260 $A3:3260" ||
	fail "paths: $(portals)"
qemu-io -f raw -c 'write -P 3 0 1M' -c 'read -P 3 0 1M' "$NBD_URI" \
	>/dev/null || fail "no I/O"

step "at the end nothing of us is left"
umpiod_stop
gone_node() { ! knows nodes "$INITIATOR"; }
eventually 5 gone_node || fail "umpiod is still registered"
quiet_log 'iSNS server'
echo "passed"
