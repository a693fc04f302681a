#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
#
# umpio set on live devices, from a file and attached: knobs, portals and
# credentials, all or nothing, shown, and taken back by a reload; umpio abort.
# shellcheck source=tests/system/functions.sh
. "$(dirname "$0")/functions.sh"
requires jq qemu-io
cd "$T"
truncate -s 16M "$T/disk"
tgt_start t "$A1:3260,$A2:3260,$A3:3260"
tgt_target t 1 "$IQN"
tgt_lun t 1 1 "$T/disk"
for user in old new; do
	tgt t --op new --mode account --user $user --password $user-123456789
	printf '%s-123456789' $user >"$T/$user.secret"
	chmod 600 "$T/$user.secret"
done
tgt t --op bind --mode account --tid 1 --user old
cat >"$T/umpio.conf" <<END
[target array1]
target = $IQN
portal = $A1:3260
portal = $A2:3260
chap-user = old
chap-secret-file = $T/old.secret
[device db0]
target = array1
lun = 1
policy = round-robin
nbd = unix:$T/db0.sock
END
umpiod_spawn -c "$T/umpio.conf"
eventually 10 grep -q '^db0 ready' "$T/umpiod.out" || fail "no db0"
ctl wait db0 --paths 2 --timeout 10
changed() { json ".devices[0].set$1" status db0; }
works() { # NAME
	qemu-io -f raw -c "write -P 7 0 64k" -c "read -P 7 0 64k" \
		"nbd+unix:///$1?socket=$T/$1.sock" >/dev/null
}
portals() {
	json '[.devices[0].paths[].portal] | sort | join(" ")' status "${1:-db0}"
}
portals_are() { [ "$(portals "$1")" = "$2" ]; }

step "knobs"
equal "nothing is changed" "$(changed '')" null
ctl set db0 policy=failover no-path-timeout=7s hold-down=no
equal policy "$(json '.devices[0].policy' status db0)" failover
equal "what was changed" "$(changed '|[.policy, ."no-path-timeout",
	."hold-down"] | join(" ")')" "failover 7s no"
ctl set db0 policy=round-robin
equal policy "$(json '.devices[0].policy' status db0)" round-robin
equal "the others stay" "$(changed '."no-path-timeout"')" 7s

step "all or nothing"
before=$(changed '|tostring')
refused 2 "colour: there is no such key" ctl set db0 policy=failover colour=red
refused 2 "read-only: cannot change in a live device" \
	ctl set db0 policy=failover read-only=yes
refused 2 "policy" ctl set db0 no-path-timeout=9s policy=best
refused 2 "no-path-timeout" ctl set db0 policy=failover no-path-timeout=abc
refused 2 "probe-after" ctl set db0 policy=failover probe-after=5s fail-after=4s
refused 2 "given twice" ctl set db0 policy=failover policy=failover
refused 2 "portal" ctl set db0 policy=failover portal=:
refused 2 "given twice" ctl set db0 portal="$A1" portal="$A1:3260"
refused 2 "$T/none" ctl set db0 policy=failover chap-secret-file="$T/none"
chmod 644 "$T/new.secret"
refused 2 "new.secret" ctl set db0 chap-user=new chap-secret-file="$T/new.secret"
chmod 600 "$T/new.secret"
refused 2 "KEY=VALUE" ctl set db0 policy
refused 2 "usage" ctl set db0
refused 1 "no device" ctl set nosuch policy=failover
equal "nothing has changed" "$(changed '|tostring')" "$before"
equal policy "$(json '.devices[0].policy' status db0)" round-robin
portals_are db0 "$A1:3260 $A2:3260" || fail "portals: $(portals)"

step "portals"
ctl set db0 portal="$A2" portal="$A3"
eventually 5 portals_are db0 "$A2:3260 $A3:3260" || fail "$(portals)"
ctl wait db0 --paths 2 --timeout 10
works db0 || fail "no I/O"
equal "the path that stays" "$(json '.devices[0].paths[] |
	select(.portal | startswith("'"$A2"'")) | .id' status db0)" 1

step "credentials"
ctl set db0 chap-user=new chap-secret-file="$T/new.secret"
has_active 2 db0 || fail "a path went for its credentials"
! ctl status --json | grep -q '123456789' || fail "a secret in the status"
tgt t --op unbind --mode account --tid 1 --user old
tgt t --op bind --mode account --tid 1 --user new
logins() { json '[.devices[0].sessions[].logins] | add' stats db0; }
before=$(logins)
ctl fault drop db0 "$A2"
ctl fault drop db0 "$A3"
eventually 5 test "$(logins)" -gt "$before" || :
ctl wait db0 --paths 2 --timeout 5 || fail "the new name is not used"
works db0 || fail "no I/O"

step "an attached device"
refused 2 "policy: given twice" ctl attach tmp "iscsi://new@$A1/$IQN/1" \
	-o policy=failover -o policy=weighted
ctl attach tmp "iscsi://new@$A1/$IQN/1" -o chap-secret-file="$T/new.secret" \
	-o path-priority="$A1:3260=3" -o path-priority="$A2:3260=4" \
	--nbd "unix:$T/tmp.sock"
ctl set tmp policy=failover portal="$A1" portal="$A2"
equal policy "$(json '.devices[0].policy' status tmp)" failover
ctl wait tmp --paths 2 --timeout 5
works tmp || fail "no I/O"
ctl detach tmp

step "a reload takes it back"
tgt t --op bind --mode account --tid 1 --user old
ctl reload
equal "nothing is changed" "$(changed '')" null
eventually 5 portals_are db0 "$A1:3260 $A2:3260" || fail "$(portals)"
ctl wait db0 --paths 2 --timeout 10
works db0 || fail "no I/O"

step "a reload with what cannot change in a live device"
sed -i 's/^lun = 1/&\nshared = yes\nfailback = manual/' "$T/umpio.conf"
: >"$T/umpiod.out"
ctl reload
eventually 10 grep -q '^db0 ready' "$T/umpiod.out" || fail "not served anew"
ctl wait db0 --paths 2 --timeout 10
ctl set db0 policy=failover
equal policy "$(json '.devices[0].policy' status db0)" failover
ctl set db0 policy=round-robin
works db0 || fail "no I/O"

step "abort"
refused 1 "a path is active" ctl abort db0
for p in "$A1" "$A2"; do
	ctl fault drop db0 "$p"
	ctl fault blackhole db0 "$p"
done
eventually 15 state_is queueing db0 || fail "not queueing"
works db0 &
io=$!
held() { [ "$(json '.devices[0].queued' status db0)" -gt 0 ]; }
eventually 10 held || fail "nothing is held"
ctl abort db0
eventually 3 gone "$io" || fail "it is held still"
wait "$io" && fail "it succeeded without a path"
state_is failed db0 || fail "not failed"
for p in "$A1" "$A2"; do ctl fault off db0 "$p"; done
ctl wait db0 --paths 2 --timeout 15
works db0 || fail "no I/O"
refused 1 "no device" ctl abort nosuch
umpiod_stop
