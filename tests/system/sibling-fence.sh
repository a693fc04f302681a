#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
#
#   sibling-fence.sh            N=20 for more runs; default 3
#
# A portal is gone for good, and with it what was on its way: a write that a
# device in between still holds, on a connection that the server knows nothing
# bad of. It is retried over the other portal of the group and acknowledged. A
# newer write to the same block waits until our session is reinstated through
# that other portal, which takes no longer than a login; when the old write then
# comes out at the server, it finds its session gone. The newer data must be
# there, with ghost-guard = forever: nothing but the proof lets it go on.
# shellcheck source=tests/system/functions.sh
. "$(dirname "$0")/functions.sh"
requires jq qemu-io
runs=${N:-3}
cd "$T"

tgt_start a "$A1:3260,$A2:3260"
tgt_target a 1 "$IQN"
truncate -s 64M "$T/disk"
tgt_lun a 1 1 "$T/disk"
proxy_start between "$A3:3260=$A1:3260"
umpiod_start --policy failover -o hold-down=no -o marginal=no \
	-o ghost-guard=forever -o write-cache=nonvolatile \
	--nbd "unix:$NBD_SOCKET" \
	"iscsi://$A3/$IQN/1" "iscsi://$A2/$IQN/1"

write() { # PATTERN OFFSET BYTES
	timeout 30 qemu-io -f raw -t writeback -c "write -P $1 $2 $3" \
		"$NBD_URI" >>"$T/write.log" 2>&1
}
inflight() { [ "$(json '.devices[0].paths[0].inflight' status)" -gt 0 ]; }
counted() { json '.devices[0].sessions[0].sibling_fences' stats; }
fenced() { [ "$(counted)" -ge "$1" ]; }
in_file() { # PATTERN OFFSET BYTES
	cmp -s -n "$3" <(tail -c +$(($2 + 1)) "$T/disk") \
		<(head -c "$3" /dev/zero | tr '\0' "\\00$1")
}

for run in $(seq "$runs"); do
	ctl wait disk0 --paths 2 --timeout 20 >/dev/null || fail "no paths"
	at=$((run * 1048576)) len=$((4096 << (4 * (run % 2))))
	write 1 "$at" "$len" || fail "run $run: the first write"
	proxy_tell between hold r1 out >/dev/null
	write 2 "$at" "$len" & # goes over the first portal, and no further
	old=$!
	PIDS+=("$old")
	eventually 3 inflight || fail "run $run: nothing was sent"
	proxy_tell between refuse r1 >/dev/null
	ctl fault drop disk0 0 >/dev/null || fail "run $run: fault"
	wait "$old" || fail "run $run: the retried write"
	write 3 "$at" "$len" || fail "run $run: the newer write"
	eventually 3 fenced "$run" || fail "run $run: $(counted) fences counted"
	in_file 3 "$at" "$len" || fail "run $run: not the newer data"
	proxy_tell between release r1 out >/dev/null
	sleep 0.3
	in_file 3 "$at" "$len" || fail "run $run: the old data is back"
	proxy_tell between clear >/dev/null
done
grep "path 0: fenced:.*login at $A2:3260" "$T/umpiod.log" >"$T/fenced" ||
	fail "no event names the portal"
equal "fences by the sibling" "$(wc -l <"$T/fenced")" "$runs"
equal "the first portal is in use again" \
	"$(ctl wait disk0 --paths 2 --timeout 20 >/dev/null && echo yes)" yes
sed -n '1s/.*fenced: //p' "$T/fenced"
umpiod_stop
