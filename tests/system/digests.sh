#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
#
# What is negotiated is what is used: digests required or refused, InitialR2T
# and ImmediateData in all combinations, on LUNs of 512 and 4096 byte blocks,
# each with verified data.
# shellcheck source=tests/system/functions.sh
. "$(dirname "$0")/functions.sh"
requires nbdcopy qemu-io jq
tgt_simple 16M
truncate -s 16M "$T/disk4k"
tgt_lun t 1 2 "$T/disk4k" rdwr 4096
head -c 16M /dev/urandom >"$T/ref"

# target_key KEY VALUE: what the target agrees to
target_key() {
	tgt t --op update --mode target --tid 1 --name "$1" --value "$2"
}
# data LUN OPTION…: the LUN's content goes out and comes back,
# in odd sizes too
data() {
	local lun=$1 back
	shift
	umpiod_start --nbd "unix:$NBD_SOCKET" "$@" "iscsi://$A1/$IQN/$lun"
	nbdcopy --flush "$T/ref" "$NBD_URI"
	nbdcopy "$NBD_URI" "$T/back"
	cmp "$T/ref" "$T/back"
	back=$T/disk
	[ "$lun" = 1 ] || back=$T/disk4k
	cmp "$T/ref" "$back"
	qemu-io -f raw -c "write -P 9 511 4098" -c "read -P 9 511 4098" \
		-c "write -P 8 1M 3M" -c "read -P 8 1M 3M" "$NBD_URI" \
		>"$T/qemu-io.log" || fail "qemu-io"
	! grep -qi failed "$T/qemu-io.log" || fail "qemu-io"
	quiet_log
	umpiod_stop
}
step "digests that the target does not do"
for key in header data; do
	refuses 1 "${key^}Digest" --nbd "unix:$NBD_SOCKET" \
		-o $key-digest=CRC32C "iscsi://$A1/$IQN/1"
done
for key in HeaderDigest DataDigest; do target_key $key CRC32C,None; done
for header in CRC32C None; do
	for data in CRC32C None; do
		step "header digest $header, data digest $data"
		for lun in 1 2; do
			data $lun -o header-digest=$header -o data-digest=$data
		done
	done
done
for r2t in yes no; do
	for immediate in yes no; do
		step "initial-r2t=$r2t immediate-data=$immediate"
		data 1 -o initial-r2t=$r2t -o immediate-data=$immediate
	done
done
step "unsolicited data, where the target lets us"
target_key InitialR2T No
for immediate in yes no; do
	data 2 -o initial-r2t=no -o immediate-data=$immediate
done
step "short bursts and segments"
data 1 -o max-burst-length=4096 -o first-burst-length=512 \
	-o max-recv-data-segment-length=512 -o immediate-data=yes
step "4096 byte blocks"
umpiod_start --nbd "unix:$NBD_SOCKET" "iscsi://$A1/$IQN/2"
equal "block size" "$(json '.devices[0].block_size' status)" 4096
umpiod_stop
