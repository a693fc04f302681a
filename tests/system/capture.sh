#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
#
# Sessions as somebody else reads them: all that passes on the loopback device
# is captured, and tshark must know each PDU and find none malformed. To tgt,
# with CHAP and without digests; to the model target with four connections at
# level 2 and with digests, one connection being cut and data spoilt, so that
# there are SNACKs, Rejects, TASK REASSIGN and logouts for recovery as well.
# shellcheck source=tests/system/functions.sh
. "$(dirname "$0")/functions.sh"
requires jq qemu-io tshark dumpcap

# capture NAME: from now on, into $T/NAME.pcap
capture() {
	background "$1" dumpcap -q -i lo -B 16 -w "$T/$1.pcap" \
		-f "tcp port 3260 and (net $NET.0/24)"
	DUMPCAP=$!
	eventually 5 grep -qs . "$T/$1.pcap" ||
		skip "nothing can be captured here: $(tail -n 1 "$T/$1.log")"
	sleep 0.5
}
captured() {
	sleep 0.5
	kill -INT "$DUMPCAP"
	eventually 5 gone "$DUMPCAP" || fail "dumpcap does not end"
}

# read_back NAME ARGUMENTS…: what looks bogus is to be told, not passed over;
# two processors may capture a stream in another order than it was sent in
read_back() {
	tshark -r "$T/$1.pcap" -d tcp.port==3260,iscsi \
		-o tcp.reassemble_out_of_order:TRUE \
		-o iscsi.bogus_pdu_filter:FALSE -o iscsi.demand_good_f_bit:TRUE \
		"${@:2}" 2>"$T/tshark.log"
}
# opcodes NAME: how many PDUs of each, `OPCODE COUNT`
opcodes() {
	read_back "$1" -Y iscsi -T fields -E aggregator=' ' -e iscsi.opcode |
		tr -s ' \t' '\n' | sort | uniq -c | awk '{ print $2, $1 }'
}
well_formed() { # NAME OPCODE…
	local name=$1 opcode wrong
	shift
	wrong=$(read_back "$name" -Y '_ws.malformed ||
		(iscsi && _ws.expert.severity == error)')
	[ -z "$wrong" ] || fail "malformed: $(head -n 5 <<<"$wrong")"
	opcodes "$name" >"$T/opcodes"
	for opcode in "$@"; do
		grep -q "^$opcode " "$T/opcodes" ||
			fail "no PDU of opcode $opcode: $(cat "$T/opcodes")"
	done
	echo "$(awk '{ n += $2 } END { print n }' "$T/opcodes") PDUs of" \
		"$(wc -l <"$T/opcodes") kinds"
}
io() {
	qemu-io -f raw -c 'write -P 7 0 1M' -c 'write -P 8 1M 4k' -c flush \
		-c 'read -P 7 0 1M' -c 'read -P 8 1M 4k' -c 'discard 2M 1M' \
		"$NBD_URI" >"$T/io.log" || fail "I/O"
	! grep -q failed "$T/io.log" || fail "I/O"
}

step "tgt: discovery, CHAP, reads, writes, pings, logout"
tgt_simple 64M
tgt t --op new --mode account --user host1 --password secret-secret
tgt t --op bind --mode account --tid 1 --user host1
printf 'secret-secret\n' >"$T/secret" && chmod 600 "$T/secret"
capture tgt
umpio discover "$A1" --initiator-name "$INITIATOR" >/dev/null
umpiod_start --nbd "unix:$NBD_SOCKET" --chap-user host1 \
	--chap-secret-file "$T/secret" "$URL1" "$URL2"
io
sleep 6 # for a ping
umpiod_stop
captured
rest=$(read_back tgt -2 -Y 'tcp.len > 0 && !iscsi && !tcp.reassembled_in &&
	!tcp.analysis.retransmission')
[ -z "$rest" ] || fail "not iSCSI: $(head -n 5 <<<"$rest")"
well_formed tgt 0x00 0x01 0x03 0x04 0x05 0x06 0x20 0x21 0x23 0x24 0x25 0x26 \
	0x31

step "the model target: four connections, level 2, digests, faults"
background target target "$IQN:model" 2 4 67108864 "$A3:3260"
eventually 5 grep -q ready "$T/target.log" || fail "the model target"
proxy_start path "$A4:3260=$A3:3260"
capture model
umpiod_start --nbd "unix:$NBD_SOCKET" -o max-connections=4 \
	-o data-digest=CRC32C -o header-digest=CRC32C \
	-o max-recv-data-segment-length=16KiB "iscsi://$A4/$IQN:model/0"
for fault in 'flip all data-in 9' 'flip all data-out 3' 'flip all command' \
	'reset all data-in 5' 'reset all data-out 3'; do
	# shellcheck disable=SC2086
	proxy_tell path $fault >/dev/null
	io
done
umpiod_stop
captured
well_formed model 0x01 0x02 0x03 0x05 0x06 0x10 0x21 0x22 0x23 0x25 0x26 0x31 \
	0x3f
echo "passed"
