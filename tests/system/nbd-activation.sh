#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# umpiod on sockets that somebody else opened: libnbd and systemd's protocol.
# shellcheck source=tests/system/functions.sh
. "$(dirname "$0")/functions.sh"

requires umpiod nbdinfo nbdcopy python3 tgtd
tgt_simple 16M

step "libnbd starts it, for one question"
for i in 1 2 3; do
	size=$(nbdinfo --size -- [ umpiod --control "$CONTROL" \
		--initiator-name "$INITIATOR" "$URL1" ] 2>"$T/umpiod.log")
	equal "size, time $i" "$size" $((16 << 20))
	eventually 10 bash -c "! test -S $CONTROL" || fail "it still runs"
done

step "a copy through it"
dd if=/dev/urandom of="$T/in" bs=1M count=16 status=none
nbdcopy --flush "$T/in" -- [ umpiod --control "$CONTROL" \
	--initiator-name "$INITIATOR" "$URL1" "$URL2" ] 2>"$T/umpiod.log"
eventually 10 bash -c "! test -S $CONTROL" || fail "it still runs"
cmp "$T/in" "$T/disk" || fail "the copy differs"
grep -q 'disk0 ready: 16777216 bytes, ./2 paths, nbd+unix' "$T/umpiod.log" ||
	fail "no ready line on stderr"

# activated ENVIRONMENT... -- COMMAND...: becomes COMMAND with two listening
# sockets as 3 and 4; for a subshell
activated() {
	exec /usr/bin/python3 - "$T" "$@" <<'PY'
import os, socket, sys

where, rest = sys.argv[1], sys.argv[2:]
split = rest.index("--")
unix = socket.socket(socket.AF_UNIX)
unix.bind(where + "/one.sock")
tcp = socket.socket()
tcp.bind(("127.0.0.1", 0))
for s in (unix, tcp):
    s.listen()
open(where + "/port", "w").write(str(tcp.getsockname()[1]))
a, b = os.dup(unix.fileno()) + 100, os.dup(tcp.fileno()) + 100
os.dup2(unix.fileno(), a), os.dup2(tcp.fileno(), b)
os.dup2(a, 3), os.dup2(b, 4)
for fd in (3, 4):
    os.set_inheritable(fd, True)
os.environ.update(v.split("=", 1) for v in rest[:split])
os.environ.setdefault("LISTEN_PID", str(os.getpid()))
os.execvp(rest[split + 1], rest[split + 1:])
PY
}

step "several sockets, several devices, names"
cat >"$T/umpio.conf" <<END
[daemon]
initiator-name = $INITIATOR
[target t]
target = $IQN
portal = $A1:3260
[device one]
target = t
lun = 1
nbd = unix:$T/one.sock
END
(activated LISTEN_FDS=2 LISTEN_FDNAMES=any:one -- umpiod \
	--control "$CONTROL" -c "$T/umpio.conf" >"$T/out.log" 2>"$T/umpiod.log") &
UMPIOD=$!
PIDS+=("$UMPIOD")
eventually 15 grep -q 'one ready' "$T/umpiod.log" || fail "not ready"
[ ! -s "$T/out.log" ] || fail "on stdout: $(cat "$T/out.log")"
equal "unix" "$(nbdinfo --size "nbd+unix:///one?socket=$T/one.sock")" 16777216
equal "tcp" "$(nbdinfo --size "nbd://127.0.0.1:$(cat "$T/port")/")" 16777216
kill -TERM "$UMPIOD"
umpiod_ends 12 0
[ -S "$T/one.sock" ] || fail "a socket that is not ours was removed"
rm "$T/one.sock"

step "what is not meant for us, or is no socket"
(activated LISTEN_FDS=2 LISTEN_PID=1 -- umpiod --control "$CONTROL" "$URL1" \
	>"$T/out" 2>&1) && fail "a URL without a frontend"
grep -q 'without a frontend' "$T/out" || fail "$(cat "$T/out")"
rm "$T/one.sock"
(activated LISTEN_FDS=9 -- umpiod --control "$CONTROL" "$URL1" \
	>"$T/out" 2>&1) &&
	fail "descriptors that are not there"
grep -q 'descriptor 5 is no listening stream socket' "$T/out" ||
	fail "$(cat "$T/out")"
