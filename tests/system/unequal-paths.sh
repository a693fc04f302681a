#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
#
# Two paths of unequal speed, limited by `umpio fault rate` so that it is not the
# machine that limits. Service-time delivers at least 95 % of what both could
# together; what each can is measured in the same run.
# shellcheck source=tests/system/functions.sh
. "$(dirname "$0")/functions.sh"
requires jq fio
tgt_simple 64M
umpiod_start --nbd "unix:$NBD_SOCKET" -o policy=service-time "$URL1" "$URL2"
ctl wait disk0 --paths 2 --timeout 10
SLOW=$A1:3260 FAST=$A2:3260

# rate SECONDS: MiB/s that fio reads
rate() {
	fio --name=r --ioengine=nbd --uri="$NBD_URI" --rw=randread --bs=64k \
		--iodepth=64 --size=64m --time_based --ramp_time=1 \
		--runtime="$1" --output-format=json >"$T/fio.json"
	# fio says a word before its JSON.
	sed -n '/^{/,$p' "$T/fio.json" |
		jq '.jobs[0].read.bw_bytes / 1048576 | floor'
}
alone() { # PORTAL OTHER
	ctl path fail disk0 "$2" >/dev/null
	rate 4
	ctl path restore disk0 "$2" >/dev/null
	ctl wait disk0 --paths 2 --timeout 10 >/dev/null
}

step "each alone"
ctl fault rate 50MiB --in disk0 "$SLOW"
ctl fault rate 100MiB --in disk0 "$FAST"
slow=$(alone "$SLOW" "$FAST")
fast=$(alone "$FAST" "$SLOW")
echo "slow $slow MiB/s, fast $fast MiB/s"

step "both by service-time"
# Other guests of the machine take time away; the best of three tries counts.
for try in 1 2 3; do
	both=$(rate 5)
	echo "$both MiB/s, $((both * 100 / (slow + fast))) % of the sum"
	[ $((both * 100)) -lt $(((slow + fast) * 95)) ] || break
	[ "$try" -lt 3 ] || fail "$both MiB/s of $((slow + fast))"
done
umpiod_stop
echo "passed"
