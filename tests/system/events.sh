#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
#
# umpio events: history, following, JSON, one device, followers that do not read
# or are too many, and the daemon's end.
# shellcheck source=tests/system/functions.sh
. "$(dirname "$0")/functions.sh"
requires jq python3
cd "$T"
tgt_simple 16M
umpiod_start --nbd "unix:$NBD_SOCKET" "$URL1" "$URL2"
ctl wait disk0 --paths 2 --timeout 10
ctl attach other "$URL1" --nbd "unix:$T/other.sock"

once() { ctl events --no-follow "$@"; }
flip() { ctl path fail disk0 0 && ctl path restore disk0 0; }

step "history"
flip
ctl wait disk0 --paths 2 --timeout 5
once | grep -Eq \
	'^20[0-9-]+T[0-9:]+\.[0-9]{6}Z  disk0  path 0  path-disabled: ' ||
	fail "no line: $(once)"
once --json | jq -e -s 'any(.[]; .device == "disk0" and .path == 0 and
	.event == "path-disabled" and (.reason | length > 0) and
	(.time | endswith("Z")))' >/dev/null || fail "$(once --json)"
once --json | jq -e -s 'any(.[]; .event == "device-up" and .path == null)' \
	>/dev/null || fail "no event of the device"
equal "the last two" "$(once -n 2 | wc -l)" 2
equal "of one device" "$(once --json other | jq -r .device | sort -u)" other
equal "none" "$(once nosuch)" ""
refused 2 "not a number" ctl events -n x

step "following"
background follow umpio --control "$CONTROL" events -n 0 disk0
sleep 0.5
[ ! -s "$T/follow.log" ] || fail "-n 0 shows history"
flip
eventually 3 grep -q path-enabled "$T/follow.log" || fail "nothing comes"
ctl detach other --now
! grep -q other "$T/follow.log" || fail "another device shows"

step "a follower that does not read"
background lazy umpio --control "$CONTROL" events
lazy=$!
eventually 3 test -s "$T/lazy.log"
sleep 0.3
kill -STOP "$lazy"
for _ in $(seq 150); do flip; done
equal "kept" "$(once --json | wc -l)" 256
kill -CONT "$lazy"
eventually 5 grep -q 'events were missed' "$T/lazy.log" || fail "not told"

step "too many followers"
cat >"$T/many.py" <<'END'
import json, socket, sys, time
def ask(after):
    s = socket.socket(socket.AF_UNIX)
    s.settimeout(5)
    s.connect(sys.argv[1])
    s.sendall(json.dumps({"command": "events", "wait": True,
                          **after}).encode() + b"\n")
    return s
s = ask({})
first = json.loads(s.makefile().readline())
after = {"after": first["next"]}
held = [ask(after) for _ in range(6)]
time.sleep(1)
last = ask(after)
reply = json.loads(last.makefile().readline())
assert "followers" in reply["error"], reply
for s in held[3:]:
    s.close()
again = ask(after)
again.settimeout(0.5)
try:
    again.recv(1)
    sys.exit("the place of one that left is not free")
except TimeoutError:
    pass
bad = ask({"after": 1 << 60})
assert json.loads(bad.makefile().readline())["code"] == 2
END
ctl wait disk0 --paths 2 --timeout 10
sleep 1
timeout 20 python3 "$T/many.py" "$CONTROL" || fail "followers"

step "the end"
follower=$!
kill -TERM "$UMPIOD"
umpiod_ends 12 0
eventually 5 gone "$follower" || fail "a follower outlives the daemon"
