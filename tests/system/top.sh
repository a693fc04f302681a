#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
#
# umpio top on a terminal of its own: what it shows, and that it leaves the
# terminal as it was, however it ends. umpio stats beside it.
# shellcheck source=tests/system/functions.sh
. "$(dirname "$0")/functions.sh"
requires python3 qemu-io jq
cd "$T"
tgt_simple 16M
umpiod_start --name db0 --nbd "unix:$T/db0.sock" "$URL1" "$URL2"
ctl wait db0 --paths 2 --timeout 10
ctl fault delay 5 db0 0
qemu-io -f raw -c "write -P 7 0 1M" -c "read -P 7 0 1M" \
	"nbd+unix:///db0?socket=$T/db0.sock" >/dev/null

cat >"$T/top.py" <<'END'
"""top.py HOW COMMAND...: runs it in a terminal, ends it by `q`, a signal's name
or the death of whom it asks, prints its screen; checks terminal and status."""
import os, pty, select, signal, sys, termios, time
how, command = sys.argv[1], sys.argv[2:]
pid, fd = pty.fork()
if pid == 0:
    os.execvp(command[0], command)
before = termios.tcgetattr(fd)
seen, end = b"", time.monotonic() + 20
def read(until):
    global seen
    while not until() and time.monotonic() < end:
        if select.select([fd], [], [], 0.1)[0]:
            try:
                data = os.read(fd, 65536)
            except OSError:
                return
            if not data:
                return
            seen += data
read(lambda: seen.count(b"\033[H") >= 3)
assert termios.tcgetattr(fd)[3] != before[3], "echo is on"
if how == "q":
    os.write(fd, b"xq")
elif how.startswith("SIG"):
    os.kill(pid, getattr(signal, how))
else:
    os.kill(int(how), signal.SIGTERM)
read(lambda: b"\033[?1049l" in seen)
after = termios.tcgetattr(fd)
read(lambda: False if how.isdigit() else True)
status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
assert seen.endswith(b"\033[?1049l") or how.isdigit(), seen[-80:]
assert b"\033[?25h" in seen and b"\033[?7h" in seen, "cursor or wrapping is off"
assert after[3] == before[3], "the terminal is not as it was"
assert status == (1 if how.isdigit() else 0), status
sys.stdout.buffer.write(seen)
END
top() { timeout 30 python3 "$T/top.py" "$@" umpio --control "$CONTROL" top; }

for how in q SIGINT SIGTERM; do
	step "ended by $how"
	top $how >"$T/screen" || fail "top"
	grep -q "db0" "$T/screen" && grep -q "$A1:3260" "$T/screen" &&
		grep -q "WRITE P50" "$T/screen" &&
		grep -q "delay 5" "$T/screen" || fail "$(cat "$T/screen")"
done
step "without a terminal"
refused 2 "needs a terminal" ctl top
refused 2 "stats --json" ctl --json top
refused 1 "no device" ctl top nosuch

step "stats"
ctl stats db0 | grep -q 'WRITE P50' || fail "no table"
equal "stable keys" "$(json '.devices[0].sessions[0] | keys |
	map(select(IN("path", "logins", "session_recoveries",
	"connection_recoveries", "tasks_reassigned", "tasks_retried",
	"snacks_sent", "digest_errors", "fences", "sibling_fences",
	"read_latency_us", "write_latency_us"))) | length' stats db0)" 12
equal "latencies" "$(json '.devices[0].sessions[0].read_latency_us | keys |
	join(" ")' stats)" "max p50 p99"

step "the daemon ends"
top "$UMPIOD" >"$T/screen" || fail "top"
umpiod_ends 12 0
