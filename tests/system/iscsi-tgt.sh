#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
#
# A path to a real target: tgt. Login, CHAP, data of all sizes under all
# combinations of keys, a lost connection, discovery, and what people are told.
# shellcheck source=tests/system/functions.sh
. "$(dirname "$0")/functions.sh"

tgt_simple 128M
drive() { pathdrive "$A1:3260" "$IQN" 1 "$@"; }
says() { # TEXT COMMAND…
	local text=$1 out
	shift
	out=$("$@") || fail "$*: $out"
	grep -qF -- "$text" <<<"$out" || fail "no \"$text\" in: $out"
}

# target_key KEY VALUE: what the target is ready to agree to
target_key() {
	tgt t --op update --mode target --tid 1 --name "$1" --value "$2"
}

for digest in no yes; do
	[ $digest = no ] || for key in HeaderDigest DataDigest; do
		target_key $key CRC32C,None
	done
	for r2t in no yes; do
		for immediate in no yes; do
			step "digests $digest, InitialR2T $r2t, ImmediateData $immediate"
			target_key InitialR2T "${r2t^}"
			says "io ok" drive io digest=$digest \
				initial-r2t=$r2t immediate-data=$immediate
		done
	done
done

step "small PDUs"
says "io ok" drive io recv=512 first=512

step "keep-alive"
says "idle ok" drive idle ping=100

step "the connection is cut"
export -f tgt tgt_connections tgt_kill_connection
says "cut ok" drive cut -- bash -c \
	"declare -A TGT_CONTROL=([t]=${TGT_CONTROL[t]}); tgt_kill_connection t"

step "discovery"
# tgt reports the portal that is asked.
says "$IQN $A1:3260,1" drive discover

step "reasons"
says "fatal: $A1:3260: login refused (0203)" \
	pathdrive "$A1:3260" "$IQN:other" 1 down
says "retry: $A1:1: cannot connect: Connection refused" \
	pathdrive "$A1:1" "$IQN" 1 down
says "retry: no.such.host.invalid:3260: cannot find its address" \
	pathdrive no.such.host.invalid "$IQN" 1 down

step "CHAP"
tgt t --op new --mode account --user host1 --password secretsecret1
tgt t --op bind --mode account --tid 1 --user host1
says "slow: $A1:3260: login refused (0201)" drive down
says "slow: $A1:3260: login refused (0201)" \
	drive down user=host1 secret=wrongwrongwrong
says "io ok" drive io user=host1 secret=secretsecret1
tgt t --op new --mode account --user array --password arrayarray12
tgt t --op bind --mode account --tid 1 --user array --outgoing
says "io ok" drive io user=host1 secret=secretsecret1 mutual=arrayarray12
says "slow: $A1:3260: CHAP: " \
	drive down user=host1 secret=secretsecret1 mutual=otherotherother
echo "passed"
