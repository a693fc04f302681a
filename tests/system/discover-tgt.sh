#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# umpio discover against tgt: targets, portals, LUNs, CHAP, and what it says
# when it cannot.
. "$(dirname "$0")/functions.sh"
requires jq

truncate -s 64M "$T/disk"
truncate -s 20M "$T/small"
tgt_start t "$A1:3260,$A2:3260"
tgt_target t 1 "$IQN"
tgt_lun t 1 1 "$T/disk"
tgt_lun t 1 7 "$T/small" rdwr 4096
tgt_target t 2 "$IQN.empty"
WHO=(--initiator-name iqn.2026-01.org.example:host)

step "targets, portals and LUNs"
umpio discover "$A1" "${WHO[@]}" >"$T/text"
grep -q "^$IQN\$" "$T/text" || fail "no target in: $(cat "$T/text")"
grep -q "portal $A1:3260  group 1" "$T/text" || fail "$(cat "$T/text")"
umpio discover "$A1:3260" "${WHO[@]}" --json >"$T/json"
jq -e --arg iqn "$IQN" --arg a1 "$A1" '
	[.targets[] | select(.target == $iqn)][0] |
	.portals[0] == {"portal": ($a1 + ":3260"), "tpgt": 1} and
	([.luns[] | select(.lun == 1)][0] |
		.size == 67108864 and .block_size == 512 and (.wwid | length) > 4) and
	([.luns[] | select(.lun == 7)][0] |
		.size == 20971520 and .block_size == 4096)
' "$T/json" >/dev/null || fail "$(cat "$T/json")"

step "its own initiator name is made once"
name=$XDG_STATE_HOME/umpio/initiatorname
if [ "$(id -u)" -ne 0 ]; then
	umpio discover "$A1" >/dev/null
	cp "$name" "$T/name"
	umpio discover "$A1" >/dev/null
	cmp "$name" "$T/name" || fail "another name"
fi

step "a target that wants CHAP shows up, its LUNs only with the secret"
tgt t --op new --mode account --user host1 --password twelve-bytes-1
tgt t --op bind --mode account --tid 1 --user host1
umpio --json discover "$A1" "${WHO[@]}" >"$T/json"
jq -e --arg iqn "$IQN" '.targets[] | select(.target == $iqn) |
	(.error | length) > 0 and (.luns | length) == 0' "$T/json" >/dev/null ||
	fail "$(cat "$T/json")"
echo twelve-bytes-1 >"$T/secret"
chmod 644 "$T/secret"
refused 2 "chmod 600" umpio discover "$A1" "${WHO[@]}" \
	--chap-user host1 --chap-secret-file "$T/secret"
chmod 600 "$T/secret"
umpio discover "$A1" "${WHO[@]}" --json \
	--chap-user host1 --chap-secret-file "$T/secret" >"$T/json"
jq -e '[.targets[].luns[] | select(.lun == 1)][0].size == 67108864' \
	"$T/json" >/dev/null || fail "$(cat "$T/json")"

step "errors"
refused 2 "belong together" umpio discover "$A1" "${WHO[@]}" --chap-user host1
refused 2 "not HOST[:PORT]" umpio discover "[::1" "${WHO[@]}"
refused 2 "not an iSCSI name" umpio discover "$A1" --initiator-name host1
refused 1 "$A3" umpio discover "$A3" "${WHO[@]}"
refused 1 '"code":1' umpio discover "$A3" "${WHO[@]}" --json
