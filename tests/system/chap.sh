#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
#
# CHAP against tgt, one-way and mutual: it works, wrong secrets of either side
# are refused, and a secret never shows in the log, the status or the command
# line.
# shellcheck source=tests/system/functions.sh
. "$(dirname "$0")/functions.sh"
requires jq qemu-io
tgt_simple 16M
ours=correct-horse-battery theirs=staple-of-the-target
tgt t --op new --mode account --user alice --password "$ours"
tgt t --op new --mode account --user array --password "$theirs"
tgt t --op bind --mode account --tid 1 --user alice
umask 077
echo "$ours" >"$T/ours"
echo "$theirs" >"$T/theirs"
echo "something-quite-different" >"$T/wrong"
nbd=(--nbd "unix:$NBD_SOCKET")
one=(--chap-user alice --chap-secret-file "$T/ours")
mutual=(-o mutual-chap-user=array -o "mutual-chap-secret-file=$T/theirs")
works() {
	qemu-io -f raw -c "write -P 5 0 64k" -c "read -P 5 0 64k" "$NBD_URI" \
		>/dev/null || fail "no I/O"
}
hidden() { # in what people and other processes can see
	{
		ctl --json status
		ctl --json stats
		tr '\0' '\n' <"/proc/$UMPIOD/cmdline"
		cat "$T/umpiod.log" "$T/umpiod.out"
	} >"$T/seen"
	! grep -e "$ours" -e "$theirs" "$T/seen" || fail "a secret shows"
}

step "one-way"
umpiod_start "${nbd[@]}" "${one[@]}" "$URL1" "$URL2"
ctl wait disk0 --paths 2 --timeout 10
works
grep -q 'algorithm 7' "$T/umpiod.log" ||
	step "this tgt answers algorithm 7 rightly"
step "and again after a path loss"
tgt_kill_connection t
tgt_kill_connection t || :
ctl wait disk0 --paths 2 --timeout 10 || fail "no path after a loss"
works
hidden
umpiod_stop

step "the user in the URL"
umpiod_start "${nbd[@]}" --chap-secret-file "$T/ours" \
	"iscsi://alice@$A1/$IQN/1"
works
umpiod_stop

step "wrong ones"
refuses 1 "uthentication" "${nbd[@]}" "$URL1"
refuses 1 "uthentication" "${nbd[@]}" --chap-user alice \
	--chap-secret-file "$T/wrong" "$URL1"
refuses 1 "uthentication" "${nbd[@]}" --chap-user bob \
	--chap-secret-file "$T/ours" "$URL1"

step "mutual"
tgt t --op bind --mode account --tid 1 --user array --outgoing
umpiod_start "${nbd[@]}" "${one[@]}" "${mutual[@]}" "$URL1" "$URL2"
ctl wait disk0 --paths 2 --timeout 10
works
hidden
umpiod_stop

step "a target that cannot prove itself"
refuses 1 "" "${nbd[@]}" "${one[@]}" -o mutual-chap-user=array \
	-o "mutual-chap-secret-file=$T/wrong" "$URL1"
refuses 1 "" "${nbd[@]}" "${one[@]}" -o mutual-chap-user=mallory \
	-o "mutual-chap-secret-file=$T/theirs" "$URL1"
refuses 2 "differ" "${nbd[@]}" "${one[@]}" -o mutual-chap-user=array \
	-o "mutual-chap-secret-file=$T/ours" "$URL1"

step "a target that does not ask"
tgt_target t 2 "$IQN.free"
tgt_lun t 2 1 "$T/disk"
refuses 1 "CHAP" "${nbd[@]}" "${one[@]}" "iscsi://$A1/$IQN.free/1"
refuses 1 "CHAP" "${nbd[@]}" "${one[@]}" "${mutual[@]}" \
	"iscsi://$A1/$IQN.free/1"

step "over umpio attach"
umpiod_spawn
eventually 5 ctl status
ctl attach disk0 "$URL1" --nbd "unix:$NBD_SOCKET" -o chap-user=alice \
	-o "chap-secret-file=$T/ours"
works
hidden
umpiod_stop
