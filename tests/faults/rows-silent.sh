# SPDX-License-Identifier: BSD-2-Clause
# shellcheck shell=bash disable=SC2034
# Rows 14 to 32: silence, and less than all of the data.

row_14() { lab; LASTS=4 strikes silence_a heal; }
silence_a() { silence $A; }

row_15() { lab; LASTS=4 strikes deaf_a heal; }
deaf_a() { filter in ip saddr $A drop; }

row_16() { lab; LASTS=4 strikes mute_a heal; }
mute_a() { filter out ip daddr $A drop; }

row_17() {
	lab
	load
	unload
	silence $A
	eventually 7 has_active 1 || fail "a silent path of an idle device"
	load --no-fill
	hit
	sleep 2
	heal
	back
	over
	unload
}

row_18() { lab; LASTS=4 strikes unreachable_a heal; }
unreachable_a() {
	filter out ip daddr $A reject with icmp type host-unreachable
}

# The connection is lost first, and that is not counted.
down_a() {
	refuse_all $A
	eventually 5 has_active 1 || fail "a path that was reset is active"
}
row_19() {
	lab
	load
	down_a
	hit
	heal
	silence $A
	sleep 6
	heal
	back
	over
	unload
}

row_20() {
	lab
	load
	down_a
	tgt_stop a
	hit
	heal
	sleep 6
	tgt_continue a
	back
	over
	unload
}

row_21() { lab; LASTS=4 strikes stop_a continue_a; }
stop_a() { tgt_stop a; }
continue_a() { tgt_continue a; }

# Commands are swallowed; pings, and the login, pass. (A tgt that is set offline
# closes its connections instead.)
row_22() { proxied; LASTS=10 strikes swallow_a clear; }
swallow_a() { tell drop r1 command 1 every; }
clear() { tell clear; }

row_23() { proxied; LASTS=8 strikes lose_command nothing; }
lose_command() { tell drop r1 command; }

row_24() { lab; LASTS=4 strikes reboot_a heal; }
reboot_a() {
	silence $A
	tgt_crash a
	controller a
}

row_25() {
	local before
	lab
	load
	before=$(failovers)
	hit
	filter in ip saddr $A numgen random mod 100 '< 1' drop
	sleep $((5 * COUNT))
	heal
	over
	unload
	equal "failovers at 1 % loss" "$(failovers)" "$before"
}

row_26() { lab; LASTS=10 strikes lossy heal; }
lossy() { filter in ip saddr $A numgen random mod 100 '< 30' drop; }

row_27() {
	local i before
	lab
	load
	before=$(failovers)
	hit
	for ((i = 0; i < 10 * COUNT; i++)); do
		refuse_all $A
		sleep 1
		heal
		sleep 1
	done
	before=$(($(failovers) - before))
	over
	unload
	[ "$before" -le $((4 + COUNT)) ] ||
		fail "moved away $before times: not held down"
}

shape() { tc qdisc add dev va root tbf rate "$1" burst 16k latency 400ms; }
row_28() { lab; LASTS=6 strikes slow_a fast_a; }
slow_a() { shape 8mbit; }
fast_a() { tc qdisc del dev va root; }
row_31() { lab; LASTS=6 strikes narrow_a fast_a; }
narrow_a() { shape 1mbit; }

row_29() {
	lab
	load --mix write=100 --rate 60
	hit
	tgt_stop a
	sleep 5
	tgt_continue a
	back
	over
	unload
}

# Requests whose data go with the command: one that has to ask for them comes
# late twice.
row_30() {
	local policy
	proxied
	load --max-io 8KiB
	for policy in service-time latency; do
		ctl set disk0 "policy=$policy" >/dev/null || fail "no $policy"
		sleep 1
		late_path $policy
	done
	unload
}
late_path() { # POLICY
	local far near
	hit
	tell delay r1 in 200
	sleep 2
	far=$(requests_of 10.77.9.1) near=$(requests_of 10.77.9.2)
	sleep 4
	far=$(($(requests_of 10.77.9.1) - far))
	near=$(($(requests_of 10.77.9.2) - near))
	tell delay r1 in 0
	back
	over
	echo "$1: $far of $((far + near)) requests went the long way"
	[ $((far * 20)) -le $((far + near)) ] ||
		fail "$1: $far of $((far + near)) requests went the long way"
}
requests_of() { path_of "$1" '.reads + .writes'; }

# A tunnel instead of the cable, whose far end shuffles and repeats packets.
row_32() {
	requires python3
	lab
	load
	hit
	background shuffle python3 "$HERE/shuffle.py" "$THERE" $A
	eventually 5 grep -q ready "$T/shuffle.log" || fail "no tunnel"
	sleep $((5 * COUNT))
	end_pid_now "${PIDS[-1]}"
	back
	over
	unload
}
end_pid_now() { kill -TERM "$1" && wait "$1" || :; }
