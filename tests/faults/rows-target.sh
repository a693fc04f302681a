# SPDX-License-Identifier: BSD-2-Clause
# shellcheck shell=bash disable=SC2034
# Rows 38 to 55: what targets answer, and what becomes of it on the way.

lun_a() { tgt a --op update --mode logicalunit --tid 1 --lun 1 "$@"; }
row_38() { lab; LASTS=3 strikes unready_a ready_a; }
unready_a() { lun_a --params online=0; }
ready_a() { lun_a --params online=1; }

# Nothing but reads may succeed; the writes fail.
row_44() {
	lab
	load
	hit
	for t in a b; do
		tgt $t --op update --mode logicalunit --tid 1 --lun 1 \
			--params readonly=1
	done
	sleep 2
	for t in a b; do
		tgt $t --op update --mode logicalunit --tid 1 --lun 1 \
			--params readonly=0
	done
	over
	sleep 1
	unload
	[ "$ERRORS" -gt 0 ] || fail "no write was refused"
	equal "failed reads" "$(figure '.failed.read // 0')" 0
	has_active 2 || fail "a path was lost over it"
	ALLOWED=$ERRORS
}

# tgt refuses while the LUN has commands.
unmap_a() { eventually 10 delete_a || fail "the LUN is always busy"; }
delete_a() { tgt a --op delete --mode logicalunit --tid 1 --lun 1; }
row_46() {
	lab
	load
	hit
	unmap_a
	eventually 5 has_active 1 || fail "a path without its LUN is active"
	sleep 1
	over
	tgt_lun a 1 1 "$T/disk"
	back 10
	unload
}

# Another disk of the same size there; nobody may write to it.
another_lun() { # SIZE
	lab
	load
	hit
	unmap_a
	# tgt does not say that it is another one, so that must have been seen.
	eventually 5 has_active 1 || fail "a path without its LUN is active"
	truncate -s "$1" "$T/other"
	tgt_lun a 1 1 "$T/other"
	lun_a --params "scsi_sn=other,scsi_id=IET 00990099"
	tgt_kill_connection a || :
	sleep 2
	over
	eventually 40 path_is $A quarantined || fail "$(ctl status)"
	sleep 1
	unload
	[ -z "$(tr -d '\0' <"$T/other" | head -c 1)" ] ||
		fail "the other disk was written to"
}
row_47() { another_lun "${SIZE}M"; }
row_48() {
	another_lun "$((SIZE / 2))M"
	equal "the size" "$(json '.devices[0].size' status)" $((SIZE << 20))
}

# mismatch BLOCKSIZE SIZE: controller b has another disk from the beginning
mismatch() {
	network
	truncate -s "${SIZE}M" "$T/disk"
	truncate -s "$2" "$T/other"
	controller a
	controller b "$T/other" "$1"
	configured "iscsi://$A/$IQN.a/1"
	load
	hit
	configure "iscsi://$A/$IQN.a/1" "iscsi://$B/$IQN.b/1"
	ctl reload
	eventually 10 path_is $B quarantined || fail "$(ctl status)"
	sleep 1
	over
	unload
	has_active 1 || fail "not one path alone"
}
row_50() { mismatch 4096 "${SIZE}M"; }
row_51() { mismatch 512 "$((SIZE * 2))M"; }

digests() {
	DIGEST=CRC32C
	proxied -o header-digest=CRC32C -o data-digest=CRC32C
}
row_52() { digests; LASTS=0.5 strikes flip_header nothing; }
flip_header() { tell flip-header r1 response; }
row_53() { digests; LASTS=0.5 strikes flip_read nothing; }
flip_read() { tell flip r1 data-in; }
row_54() { digests; LASTS=0.5 strikes flip_write nothing; }
flip_write() { tell flip r1 data-out; }

# What nobody can see but the verifier: it must, or it is no witness.
row_55() {
	proxied -o header-digest=None -o data-digest=None
	load
	hit
	tell flip r1 data-in 5 every
	sleep 2
	tell clear
	WRONG_IS_RIGHT=yes
	unload
	[ "$FOUND" -gt 0 ] || fail "verify is blind"
}
