#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
#
# umpiod on the target that most people have: LIO, in the lab. Both portal
# groups of an ALUA pair, CHAP both ways, digests, verified data, and what a
# target does to its initiators: reset connections, groups that go away, pulled
# cables.
# shellcheck source=tests/system/functions.sh
. "$(dirname "$0")/functions.sh"
requires jq nbdcopy fio qemu-io qemu-system-x86_64

LAB=$(cd "$(dirname "$0")/../lab" && pwd)/lio
export LIO_RUN=$T/lio LIO_A=$NET.15 LIO_B=$NET.143
NAME=iqn.2026-01.org.example.lio
NEAR=$LIO_A:3261 FAR=$LIO_B:3264
guest() { "$LAB" ctl "$@"; }
log_line() { grep -qE -- "$1" "$T/umpiod.log"; }
connections_are() {
	[ "$(json '[.devices[0].paths[].connections] | add' status)" = "$1" ]
}

step "the lab"
got=0
"$LAB" start >"$T/lab.log" 2>&1 || got=$?
[ -s "$LIO_RUN/pid" ] && PIDS+=("$(cat "$LIO_RUN/pid")")
[ "$got" -ne 77 ] || skip "$(tail -n 1 "$T/lab.log")"
[ "$got" -eq 0 ] || fail "the lab did not start"

# secret TEXT: a file with it
secret() {
	local file=$T/secret-$1
	printf '%s\n' "$1" >"$file"
	chmod 600 "$file"
	echo "$file"
}

step "discovery: both groups on both fabrics, LUNs, the ALUA pair's WWID"
umpio discover "$NEAR" --initiator-name "$INITIATOR" --json >"$T/json"
jq -e --arg t "$NAME:main" --arg a "$LIO_A" --arg b "$LIO_B" '
	[.targets[] | select(.target == $t)][0] |
	([.portals[] | "\(.portal),\(.tpgt)"] | sort) ==
		([$a + ":3261,1", $b + ":3262,1", $a + ":3263,2",
			$b + ":3264,2"] | sort) and
	[.luns[].lun] == [0, 1, 2] and
	.luns[0].size == 134217728 and
	(.luns[0].wwid | startswith("naa.6001405"))
' "$T/json" >/dev/null || fail "$(cat "$T/json")"

step "CHAP"
chap() { # TARGET PORT OPTIONS…
	local url=iscsi://$LIO_A:$2/$NAME:$1/0
	shift 2
	umpiod_start --nbd "unix:$NBD_SOCKET" "$@" "$url"
	umpiod_stop
}
USER=(--chap-user lio-user)
one=$(secret lio-secret-12) wrong=$(secret wrong-secret-12)
mutual=$(secret lio-mutual-34)
chap chap 3265 "${USER[@]}" --chap-secret-file "$one"
chap mutual 3266 "${USER[@]}" --chap-secret-file "$one" \
	-o mutual-chap-secret-file="$mutual" -o mutual-chap-user=lio-target
nbd=(--nbd "unix:$NBD_SOCKET")
refuses 1 "authentication failed" "${nbd[@]}" "${USER[@]}" \
	--chap-secret-file "$wrong" "iscsi://$LIO_A:3265/$NAME:chap/0"
refuses 1 "does not know the mutual secret" "${nbd[@]}" "${USER[@]}" \
	--chap-secret-file "$one" -o mutual-chap-secret-file="$wrong" \
	"iscsi://$LIO_A:3266/$NAME:mutual/0"
refuses 1 "it may want CHAP" "${nbd[@]}" "iscsi://$LIO_A:3265/$NAME:chap/0"
refuses 1 "$LIO_A:3267" "${nbd[@]}" "iscsi://$LIO_A:3267/$NAME:acl/0"

step "data under each choice of digests, R2T and immediate data"
head -c 6M /dev/urandom >"$T/random"
truncate -s 32M "$T/random"
while read -r -a options; do
	step "  ${options[*]}"
	umpiod_start --nbd "unix:$NBD_SOCKET" "${options[@]/#/--option=}" \
		"iscsi://$LIO_B:3262/$NAME:main/2"
	nbdcopy --flush "$T/random" "$NBD_URI"
	nbdcopy "$NBD_URI" "$T/back"
	cmp "$T/random" "$T/back" || fail "the data differs"
	umpiod_stop
	quiet_log '^$'
done <<-END
	header-digest=CRC32C data-digest=CRC32C
	header-digest=None data-digest=CRC32C
	header-digest=None data-digest=None initial-r2t=yes
	immediate-data=no max-burst-length=64KiB first-burst-length=64KiB
END

step "both portal groups: an ALUA pair"
umpiod_start --nbd "unix:$NBD_SOCKET" -o group-by=none -o hold-down=no \
	"iscsi://$NEAR/$NAME:main/0" "iscsi://$FAR/$NAME:main/0"
eventually 10 has_active 2 || fail "not both paths are active"
alua() { json '[.devices[0].paths | sort_by(.tpgt)[] | "\(.tpgt) \(.alua)"] |
	join(",")' status; }
equal "ALUA" "$(alua)" "1 optimized,2 non-optimized"

step "a write through both, read back"
truncate -s 128M "$T/random"
nbdcopy --flush "$T/random" "$NBD_URI"
nbdcopy "$NBD_URI" "$T/back"
cmp "$T/random" "$T/back" || fail "the data differs"

step "fio verifies while connections are reset and a group goes and comes"
fio --name=verify --ioengine=nbd --uri="$NBD_URI" --rw=randrw --bs=4k \
	--iodepth=16 --size=24m --time_based --runtime=14 --verify=crc32c \
	--verify_fatal=1 --verify_backlog=256 --serialize_overlap=1 \
	--verify_state_save=0 >"$T/fio.log" 2>&1 </dev/null &
FIO=$!
PIDS+=("$FIO")
sleep 2
guest kill_connection "${NEAR##*:}" >/dev/null
eventually 5 log_line "path 0: path-failed" || fail "the reset was not seen"
eventually 10 has_active 2 || fail "the path does not come back"
guest kill_connection "${FAR##*:}" >/dev/null
eventually 5 log_line "path 1: path-failed" || fail "the reset was not seen"
eventually 10 has_active 2 || fail "the path does not come back"
guest disable main 1
eventually 10 has_active 1 || fail "a group without portals is still active"
guest enable main 1
eventually 20 has_active 2 || fail "the group does not come back"
got=0
wait "$FIO" || got=$?
equal "fio's status" "$got" 0

step "the groups change sides, which a new login sees"
guest "alua near 1 && alua far 0"
guest "kill_connection ${NEAR##*:}; kill_connection ${FAR##*:}" >/dev/null
changed() { [ "$(alua)" = "1 non-optimized,2 optimized" ] && has_active 2; }
eventually 15 changed || fail "ALUA: $(alua)"

step "a cable is pulled, and plugged again"
"$LAB" link B off
touch_device() { qemu-io -f raw -c 'write 0 4k' -c 'read 0 4k' "$NBD_URI"; }
one_left() { touch_device & has_active 1; }
eventually 30 one_left || fail "a dead path is still active"
"$LAB" link B on
eventually 30 has_active 2 || fail "the path does not come back"

step "discovered paths: all four portals"
umpiod_stop
umpiod_start --nbd "unix:$NBD_SOCKET" -o group-by=none --discover \
	"iscsi://$NEAR/$NAME:main/0"
eventually 10 has_active 4 || fail "$(ctl status)"
umpiod_stop
step "nobody is left logged in, and the kernel has nothing to complain of"
nobody() { [ -z "$(guest connections)" ]; }
eventually 5 nobody || fail "$(guest connections)"
"$LAB" status >"$T/kernel.log" || fail "$(cat "$T/kernel.log")"
echo "passed"
