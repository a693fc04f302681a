# SPDX-License-Identifier: BSD-2-Clause
# shellcheck shell=bash disable=SC2034
# Rows 1 to 13: connections that end, and say so.

row_1() { lab; LASTS=0.3 strikes kill_a start_a; }
kill_a() { tgt_crash a; }
start_a() { controller a; }

row_2() { lab; LASTS=0.3 strikes reset_a heal; }
reset_a() { refuse_all $A; }

row_3() { lab; LASTS=0.1 strikes drop_a nothing; }
drop_a() { tgt_kill_connection a || fail "no connection to drop"; }

row_4() { proxied; LASTS=0.1 strikes end_a nothing; }
end_a() { tell end r1; }

row_5() { lab; LASTS=0.1 strikes kill_socket nothing; }
kill_socket() { ss -K -t dst $A dport = :3260 >/dev/null; }

# In the middle of headers and of data, in both directions.
row_6() {
	local n way ends=(1 17 47 48 49 50 53 96 111 512 560 600)
	proxied -o hold-down=no
	load
	[ "$COUNT" -gt 1 ] || ends=(1 47 49 560)
	for way in in out; do
		for n in "${ends[@]}"; do
			hit
			tell after r1 $way "$n"
			sleep 0.2
			back
			over
		done
	done
	unload
}

# A second umpiod that takes itself for the first one.
row_11() {
	lab -o "instance=twin"
	load
	hit
	(
		umpiod --control "$T/twin.sock" -o instance=twin \
			--initiator-name "$INITIATOR" \
			--nbd "unix:$T/twin-nbd.sock" "$URLA" \
			>"$T/twin.out" 2>"$T/twin.log" </dev/null &
		echo $! >"$T/twin.pid"
		wait
	) &
	eventually 10 test -s "$T/twin.pid"
	PIDS+=("$(cat "$T/twin.pid")")
	eventually 10 grep -q ready "$T/twin.out" || fail "no twin"
	sleep 10
	wars=$(json '[.devices[0].sessions[].logins] | max' stats)
	kill -TERM "$(cat "$T/twin.pid")"
	[ "$wars" -lt 30 ] || fail "$wars logins: a war"
	back
	over
	unload
}

row_12() { lab; LASTS=4 strikes link_down link_up; }
link_down() { ip link set va down; }
link_up() { ip link set va up; }

row_13() { lab; LASTS=4 strikes unroute route; }
unroute() { ip route add blackhole $A/32; }
route() { ip route del blackhole $A/32; }
