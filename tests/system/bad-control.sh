#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
#
# Bad input of the control socket, the configuration and the environment, by the
# numbers that tests/README.md lists: each in bounded time, without effect on
# the device beside it.
# shellcheck source=tests/system/functions.sh
. "$(dirname "$0")/functions.sh"
requires python3 jq qemu-io prlimit
cd "$T"
tgt_simple 16M
umpiod_start --name db0 --nbd "unix:$T/db0.sock" "$URL1" "$URL2"
ctl wait db0 --paths 2 --timeout 10
works() {
	qemu-io -f raw -c "write -P 7 0 64k" -c "read -P 7 0 64k" \
		"nbd+unix:///db0?socket=$T/db0.sock" >/dev/null
}
rss() { awk '/^VmRSS/ { print $2 }' "/proc/$UMPIOD/status"; }
# unharmed: it serves its device and its control socket as before
unharmed() {
	timeout 5 umpio --control "$CONTROL" --json status |
		jq -e '.devices | length == 1 and .[0].name == "db0"' \
			>/dev/null || fail "the control socket is not well"
	works || fail "the device is not well"
	sanitized || [ "$(rss)" -lt $((first + 8192)) ] ||
		fail "it has grown from $first to $(rss) KiB"
}
works
first=$(rss)

cat >"$T/bad.py" <<'END'
"""bad.py SOCKET WHAT: one sort of bad client."""
import json, socket, sys, time
def client():
    s = socket.socket(socket.AF_UNIX)
    s.settimeout(10)
    s.connect(sys.argv[1])
    return s
def line(s):
    return json.loads(s.makefile().readline())
def patient_client():
    """One that tries again while the daemon is busy accepting others."""
    end = time.monotonic() + 5
    while True:
        try:
            return client()
        except BlockingIOError:
            if time.monotonic() > end:
                raise
            time.sleep(0.01)
def ask(**request):
    s = patient_client()
    s.sendall(json.dumps(request).encode() + b"\n")
    return line(s)
def refused(reply):
    assert reply.get("error") and reply["code"] in (1, 2), reply
def no_read():
    for _ in range(20):
        s = client()
        try:
            s.settimeout(1)
            for _ in range(200):
                s.sendall(b'{"command":"status"}\n' * 50)
        except OSError:
            pass
def crowd():
    held = []
    for _ in range(1000):
        try:
            held.append(client())
        except OSError:
            pass
    assert "devices" in ask(command="status")
def long_line():
    s = client()
    try:
        s.sendall(b"x" * (1 << 20))
    except OSError:
        pass
    refused(line(s))
def depth():
    for text in (b"[" * 60000, b'{"a":' * 12000):
        s = patient_client()
        s.sendall(text + b"\n")
        refused(line(s))
    s = client()
    try:
        s.sendall(b"[" * 100000 + b"\n")
    except OSError:
        pass
    refused(line(s))
def numbers():
    for n in ("1e999", "99999999999999999999999", "-1", "1e308", "0.5",
              "-9223372036854775809"):
        for text in ('{"command":"wait","device":"db0","timeout":%s,'
                     '"paths":77}', '{"command":"events","after":%s}'):
            s = client()
            s.settimeout(1.5)
            s.sendall((text % n).encode() + b"\n")
            try:
                reply = line(s)
            except TimeoutError:
                continue # it waits: the number counts as not given
            assert isinstance(reply, dict), reply
        refused(ask(command="fault", kind="delay", value=n, device="db0",
                    path="0"))
        refused(ask(command="pr", verb="register", device="db0", key=n))
        refused(ask(command="set", device="db0",
                    values=[["no-path-timeout", n]]))
    refused(ask(command="path", verb="fail", device="db0",
                path="99999999999999999999999"))
NASTY = ["\x1b[31mred", "a\nforged line", "\r\x08", "x\x00y", "\u009b31m",
         "%s%n%n%s%x", "%1000000d", "../../../etc/passwd", "/etc/passwd", "..",
         ".", "a/b", "", "x" * 4000, "$(id)", "`id`", "\u202egpj.exe"]
def names():
    for name in NASTY:
        for request in (
                {"command": name}, {"command": "status", "device": name},
                {"command": "wait", "device": name, "timeout": 1},
                {"command": "events", "device": name, "after": 1 << 40},
                {"command": "detach", "device": name},
                {"command": "abort", "device": name},
                {"command": "set", "device": "db0", "values": [[name, name]]},
                {"command": "set", "device": "db0", "values": [[name]]},
                {"command": "set", "device": "db0", "values": name},
                {"command": "fault", "kind": name, "device": "db0",
                 "path": "0"},
                {"command": "pr", "verb": name, "device": "db0"},
                {"command": "path", "verb": "fail", "device": "db0",
                 "path": name},
                {"command": "attach", "name": name, "nbd": ["unix:/x"],
                 "urls": ["iscsi://127.0.0.1:1/iqn.2026-01.org.example:x/1"],
                 "options": {"colour": [name]}},
                {"command": "attach", "name": "fine", "nbd": ["unix:/x"],
                 "urls": ["iscsi://127.0.0.1:1/iqn.2026-01.org.example:x/1"],
                 "options": {"policy": name}},
                {"command": "attach", "name": "fine", "urls": [name],
                 "nbd": [name], "options": {"chap-secret-file": [name]}}):
            refused(ask(**request))
globals()[sys.argv[2]]()
END
bad() { timeout 60 python3 "$T/bad.py" "$CONTROL" "$1" || fail "$1"; unharmed; }

step "77 clients that do not read"
bad no_read
step "78 a thousand connections"
bad crowd
step "79 a line of 1 MiB"
bad long_line
step "80 JSON that is 100000 deep"
bad depth
step "81 huge numbers"
bad numbers
step "82 83 84 names: control characters, places, formats"
bad names
! grep -q $'\x1b' "$T/umpiod.log" || fail "control characters in the log"
! grep -q '^forged line' "$T/umpiod.log" || fail "a forged line in the log"
for name in $'\x1b[31mred' $'a\nforged' '%s%n%s' ../x; do
	out=$(ctl status "$name" 2>&1) && fail "there is a device $name"
	! grep -q $'\x1b' <<<"$out" || fail "control characters on the screen"
	[ "$(wc -l <<<"$out")" -eq 1 ] || fail "more than a line: $out"
	refused 2 "" ctl attach "$name" "$URL1" --nbd "unix:$T/x.sock" \
		-o colour=red
done
[ ! -e "$T/x.sock" ] || fail "a file is left"

step "85 secrets"
echo 123456789012-secret >"$T/secret"
chmod 600 "$T/secret"
ctl set db0 chap-user=me chap-secret-file="$T/secret"
for c in "--json status" "--json stats" "--json events --no-follow" status; do
	# shellcheck disable=SC2086
	! ctl $c | grep -q 123456789012 || fail "a secret in $c"
done
! grep -q 123456789012 "$T/umpiod.log" || fail "a secret in the log"
chmod 644 "$T/secret"
refused 2 "secret" ctl set db0 chap-user=me chap-secret-file="$T/secret"
unharmed

step "88 a storm of signals"
for _ in $(seq 300); do
	kill -HUP "$UMPIOD"
	kill -PIPE "$UMPIOD"
	kill -CHLD "$UMPIOD"
	kill -WINCH "$UMPIOD"
done
unharmed

step "89 the place of the control socket"
refuses 2 "another umpiod is alive" --nbd "unix:$T/second.sock" "$URL1"
unharmed
umpiod_stop
ln -s "$T/victim" "$T/link.sock"
echo precious >"$T/victim"
for place in "$T/link.sock" "$T/victim" "$T"; do
	refused 2 "control" timeout 10 umpiod --control "$place" \
		--nbd "unix:$T/second.sock" "$URL1"
done
equal "the file behind the link" "$(cat "$T/victim")" precious
# Somebody who listens there and never answers is no umpiod, but alive.
python3 -c "
import socket, sys, time
s = socket.socket(socket.AF_UNIX); s.bind(sys.argv[1]); s.listen(1)
time.sleep(30)" "$T/mute.sock" &
PIDS+=($!)
eventually 5 test -S "$T/mute.sock"
refused 2 "mute.sock" timeout 10 umpiod --control "$T/mute.sock" \
	--nbd "unix:$T/second.sock" "$URL1"

step "86 configurations"
conf() { printf '%s\n' "$@" >"$T/umpio.conf"; }
target="[target a]
target = $IQN
portal = $A1:3260"
device="[device d]
target = a
lun = 1
nbd = unix:$T/d.sock"
refuse_conf() { # TEXT
	refused 2 "$1" timeout 20 umpiod --control "$CONTROL" \
		-c "$T/umpio.conf"
}
conf "$target" "$device" "$device"
refuse_conf "d"
conf "$target" "portal = $A1" "$device"
refuse_conf "twice"
conf "$target" "chap-user = me" "chap-secret-file = $T/secret" "$device"
refuse_conf "secret" # which others may read
chmod 600 "$T/secret"
ln -s secret "$T/secret.link"
conf "$target" "chap-user = me" "chap-secret-file = $T/secret.link" "$device"
refuse_conf "secret.link"
mkfifo "$T/fifo"
conf "$target" "chap-user = me" "chap-secret-file = $T/fifo" "$device"
refuse_conf "fifo"
conf "include = $T/umpio.conf"
refuse_conf "umpio.conf:1"
rm "$T/umpio.conf"
truncate -s 1G "$T/umpio.conf"
refuse_conf "umpio.conf"
rm "$T/umpio.conf"
mkfifo "$T/umpio.conf"
refuse_conf "umpio.conf"
rm "$T/umpio.conf"

step "87 environments"
: >"$T/umpiod.out"
start() { # in place of the subshell whose state is bad
	exec umpiod --control "$CONTROL" --initiator-name "$INITIATOR" \
		--name db0 --nbd "unix:$T/db0.sock" "$URL1"
}
serves() { works && ctl status >/dev/null; }
serves_and_ends() { # WHERE: the last one that was begun
	UMPIOD=$!
	PIDS+=("$UMPIOD")
	eventually 15 serves || fail "does not serve $1"
	equal "mode of the control socket" "$(stat -c %a "$CONTROL")" 600
	umpiod_stop
}
(start 0<&- 1>&- 2>&-) &
serves_and_ends "without descriptors 0, 1 and 2"
(umask 0 && start >"$T/umpiod.out" 2>"$T/umpiod.log") &
serves_and_ends "with umask 0"
(TZ=:/etc/passwd start >"$T/umpiod.out" 2>"$T/umpiod.log") &
serves_and_ends "with a TZ that is none"
# Too few to serve: it says so. Enough for one path: it serves, until told.
for n in 3 4 6 8 10 12; do
	got=0
	timeout 4 prlimit --nofile=$n umpiod --control "$CONTROL" \
		--nbd "unix:$T/db0.sock" "$URL1" >"$T/few.log" 2>&1 || got=$?
	case $got in
	1 | 2 | 127) [ -s "$T/few.log" ] || fail "$n descriptors: no word" ;;
	124)
		grep -qE 'ready|Too many open files' "$T/few.log" ||
			fail "$n descriptors: it hangs"
		;;
	*) fail "exit $got with $n descriptors: $(cat "$T/few.log")" ;;
	esac
done

step "90 a state file that is cut off"
# As the user who has a state directory of its own; what is in the file is not
# replaced, see identity::broken_file_is_not_replaced.
if [ "$(id -u)" -eq 0 ] && command -v setpriv >/dev/null; then
	chmod 755 "$T"
	mkdir -p "$T/home/run" "$T/home/umpio"
	printf 'InitiatorName=\377\376' >"$T/home/umpio/initiatorname"
	chown -R 12345:12345 "$T/home"
	chmod 700 "$T/home/run"
	got=0
	timeout 10 setpriv --reuid 12345 --regid 12345 --clear-groups \
		env XDG_RUNTIME_DIR="$T/home/run" XDG_STATE_HOME="$T/home" \
		"$(command -v umpiod)" --nbd "unix:$T/home/nbd.sock" "$URL1" \
		>"$T/state.log" 2>&1 || got=$?
	# A host with a name of its own never looks there.
	[ -e /etc/iscsi/initiatorname.iscsi ] || {
		equal "exit status" "$got" 2
		grep -q initiatorname "$T/state.log" || fail "it is not named"
	}
fi
