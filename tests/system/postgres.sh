#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
#
#   postgres.sh [SECONDS]      of load; default 20
#
# PostgreSQL, with page checksums, on ext4 over the block file, on LUNs of 512
# and of 4096 byte blocks, while one of four paths is killed every 500 ms: no
# transaction fails, the balances add up, every page and index is whole, also
# after the server was killed and has recovered.
# shellcheck source=tests/system/functions.sh
. "$(dirname "$0")/functions.sh"
lasts=${1:-20}
for dir in /usr/lib/postgresql/*/bin; do PATH=$dir:$PATH; done
requires jq losetup mkfs.ext4 e2fsck setpriv initdb pg_ctl pgbench psql \
	pg_amcheck pg_checksums
requires_root
requires_fuse
id -u postgres >/dev/null 2>&1 || skip "there is no user postgres"
chmod 711 "$T"
install -d -o postgres "$T/pg" "$T/mnt"
export PGHOST=$T/pg PGUSER=postgres PGDATABASE=postgres
DATA=$T/mnt/data

as_postgres() {
	timeout 120 setpriv --reuid=postgres --regid=postgres --clear-groups \
		"$@" >"$T/said.log" 2>&1 </dev/null || fail "$*"
}
postgres_start() {
	as_postgres pg_ctl -D "$DATA" -w -t 60 -l "$T/pg/postgres.log" start
	PIDS+=("$(head -n 1 "$DATA/postmaster.pid")")
}
sql() { psql -XAtc "$1"; }
# Each table knows the sum of all transactions.
balanced() {
	local sums
	sums=$(sql "select (select sum(abalance) from pgbench_accounts),
		(select sum(tbalance) from pgbench_tellers),
		(select sum(bbalance) from pgbench_branches),
		(select sum(delta) from pgbench_history)" | tr '|' '\n' |
		sort -u | wc -l)
	equal "different balances $1" "$sums" 1
	as_postgres pg_amcheck --heapallindexed --parent-check -j 2 \
		--install-missing postgres
}

database() { # BLOCKSIZE
	local loop killed log=$T/pg/postgres.log
	tgt_paths 320M "$1"
	umpiod_start "${HARASSED[@]}" --fuse "$T/disk.img" "${URLS[@]}"
	ctl wait disk0 --paths 4 --timeout 10
	loop=$(losetup --show -f --direct-io=on --sector-size "$1" \
		"$T/disk.img") || fail losetup
	LOOPS+=("$loop")
	mkfs.ext4 -q -F "$loop"
	mount "$loop" "$T/mnt"
	install -d -o postgres -m 700 "$DATA"
	tgt_harass t 0.5

	step "$1: initdb, pgbench for $lasts s"
	as_postgres initdb -D "$DATA" --data-checksums -E UTF8 --locale=C
	cat >>"$DATA/postgresql.conf" <<-END
		listen_addresses = ''
		unix_socket_directories = '$T/pg'
		shared_buffers = 8MB
		checkpoint_timeout = 30s
		max_wal_size = 64MB
		min_wal_size = 32MB
	END
	: >"$log"
	chown postgres "$log"
	postgres_start
	as_postgres pgbench -q -i -s 4
	as_postgres pgbench -n -c 8 -j 2 -T "$lasts"
	grep -E 'tps|failed' "$T/said.log"
	grep -q 'failed transactions: 0 ' "$T/said.log" || fail "transactions"
	balanced "after the load"

	step "$1: the server is killed under load, and recovers"
	background bench setpriv --reuid=postgres --regid=postgres \
		--clear-groups pgbench -n -c 4 -T 60
	sleep 3
	as_postgres pg_ctl -D "$DATA" -m immediate stop
	postgres_start
	grep -q 'redo done' "$log" || fail "it had nothing to recover"
	balanced "after recovery"
	as_postgres pg_ctl -D "$DATA" -w -m fast stop
	as_postgres pg_checksums --check -D "$DATA"
	grep -q 'Bad checksums:  *0$' "$T/said.log" || fail "checksums"
	! grep -qE 'PANIC|could not (read|write|fsync)|invalid page' "$log" ||
		fail "$(grep -E 'PANIC|could not|invalid page' "$log")"
	tgt_harassed
	killed=$KILLED

	step "$1: the file system"
	umount "$T/mnt"
	e2fsck -fn "$loop" >"$T/said.log" 2>&1 || fail "e2fsck"
	losetup -d "$loop"
	ctl wait disk0 --paths 4 --timeout 15 || fail "a path is not back"
	echo "$1: $killed paths killed"
	[ "$killed" -ge "$lasts" ] || fail "only $killed paths were killed"
	umpiod_stop
	tgt_crash t
	unset 'TGT_PID[t]'
	rm "$T/disk"
}

database 512
database 4096
