#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
#
# How it ends: SIGTERM finishes and flushes what is in flight, gives up in time
# on a target that hangs and says so, a second SIGTERM does not wait at all,
# and after SIGKILL the next start takes the place of the sessions of the last.
# shellcheck source=tests/system/functions.sh
. "$(dirname "$0")/functions.sh"
here=$(cd "$(dirname "$0")" && pwd)
requires jq python3 qemu-io
/usr/bin/python3 -c 'import nbd' 2>/dev/null || skip "python3-libnbd is missing"
tgt_simple 64M
nbd=(--nbd "unix:$NBD_SOCKET")

# Writes numbered blocks, many at once, until the server goes; then prints the
# number of those that were acknowledged and compares them with FILE.
cat >"$T/writer.py" <<'END'
import sys, nbd
h = nbd.NBD()
h.connect_uri(sys.argv[1])
acked, block, n = [], 65536, 0
def done(i):
    def call(error):
        if error.value == 0:
            acked.append(i)
        return 1
    return call
print("writing", flush=True)
try:
    while n < 100000:
        while h.aio_in_flight() < 32:
            data = nbd.Buffer.from_bytearray(
                bytearray(n.to_bytes(4, "big") * (block // 4)))
            h.aio_pwrite(data, n % 1000 * block, done(n))
            n += 1
        h.poll(1000)
except nbd.Error:
    pass
last = {i % 1000: i for i in sorted(acked)}
with open(sys.argv[2], "rb") as f:
    for at, i in last.items():
        f.seek(at * block)
        found = int.from_bytes(f.read(4), "big")
        # A later write may have landed without its answer.
        if found < i or found % 1000 != at:
            sys.exit(f"block {at}: {found}, acknowledged {i}")
print(len(acked), "acknowledged")
END

step "SIGTERM with writes in flight"
umpiod_start "${nbd[@]}" "$URL1" "$URL2"
ctl wait disk0 --paths 2 --timeout 10
background writer /usr/bin/python3 "$T/writer.py" "$NBD_URI" "$T/disk"
writer=$!
eventually 5 grep -q writing "$T/writer.log" || fail "writer"
sleep 1
umpiod_stop
wait "$writer" || fail "acknowledged writes are lost"
tail -n 1 "$T/writer.log"
grep -Eq '^[1-9][0-9]+ acknowledged' "$T/writer.log" || fail "nothing written"
quiet_log
equal "sessions left" "$(tgt_connections t | wc -l)" 0

step "SIGTERM: new requests get ESHUTDOWN, those in flight their answers"
cat >"$T/late.py" <<'END'
import errno, os, signal, sys, time, nbd
uri, daemon, target = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
h, idle = nbd.NBD(), nbd.NBD()
h.connect_uri(uri)
idle.connect_uri(uri)
os.kill(target, signal.SIGSTOP)
early = h.aio_pwrite(nbd.Buffer.from_bytearray(bytearray(b"e" * 4096)), 0)
h.poll(300)
os.kill(daemon, signal.SIGTERM)
time.sleep(.5)
for call in (lambda: h.pread(512, 0), lambda: h.pwrite(b"l" * 512, 8192),
             lambda: h.flush()):
    try:
        call()
    except nbd.Error as e:
        assert e.errnum == errno.ESHUTDOWN, e
    else:
        raise AssertionError("served")
os.kill(target, signal.SIGCONT)
while not h.aio_command_completed(early):
    h.poll(1000)
try:
    idle.pread(512, 0)
except nbd.Error:
    pass
else:
    raise AssertionError("the idle one is served")
END
umpiod_start "${nbd[@]}" "$URL1" "$URL2"
ctl wait disk0 --paths 2 --timeout 10
timeout 20 /usr/bin/python3 "$T/late.py" "$NBD_URI" "$UMPIOD" "${TGT_PID[t]}" \
	>"$T/late.log" 2>&1 || { tgt_continue t; fail "late requests"; }
umpiod_ends 12 0
equal "what was in flight" "$(head -c 4096 "$T/disk" | tr -d e | wc -c)" 0
[ "$(tail -c +8193 "$T/disk" | head -c 512 | tr -d l | wc -c)" -gt 0 ] ||
	fail "what came late was written"

step "a target that hangs: shutdown-timeout"
umpiod_start "${nbd[@]}" -o shutdown-timeout=2s "$URL1" "$URL2"
ctl wait disk0 --paths 2 --timeout 10
tgt_stop t
qemu-io -f raw -c "write -P 1 0 64k" "$NBD_URI" >"$T/write.log" 2>&1 &
PIDS+=($!)
sleep 0.5
begin=$EPOCHREALTIME
kill -TERM "$UMPIOD"
umpiod_ends 6 1
took=$(bc <<<"($EPOCHREALTIME - $begin) * 1000 / 1")
echo "ended after $took ms"
if [ "$took" -lt 1500 ] || [ "$took" -gt 4000 ]; then
	fail "ended after $took ms"
fi
grep -E 'error.* disk0: .*(not |un)flushed' "$T/umpiod.log" ||
	fail "the device is not named"
[ ! -e "$NBD_SOCKET" ] || fail "the NBD socket is left"
tgt_continue t

step "a second SIGTERM"
umpiod_start "${nbd[@]}" "$URL1" "$URL2"
ctl wait disk0 --paths 2 --timeout 10
background unflushed /usr/bin/python3 -c "
import nbd, time
h = nbd.NBD()
h.connect_uri('$NBD_URI')
h.pwrite(bytes(4096), 0)
print('written', flush=True)
time.sleep(30)"
eventually 5 grep -q written "$T/unflushed.log" || fail "no write"
tgt_stop t
kill -TERM "$UMPIOD"
sleep 0.5
kill -0 "$UMPIOD" || fail "the first SIGTERM did not wait"
kill -TERM "$UMPIOD"
umpiod_ends 2 1
grep -E 'error.* disk0: .*(not |un)flushed' "$T/umpiod.log" ||
	fail "the device is not named"
tgt_continue t

step "SIGTERM while no target is there"
umpiod_spawn "${nbd[@]}" "iscsi://$A4/$IQN/1"
eventually 5 ctl status || fail "no control"
kill -TERM "$UMPIOD"
eventually 3 gone "$UMPIOD" || fail "it waits for a target"
wait "$UMPIOD" || :

step "SIGKILL, and the next start bears the same ISIDs"
background portal "$here/portal.py" "$A3:3260" "$A1:3260"
eventually 5 grep -q ready "$T/portal.log" || fail "portal.py"
isids() { # of an umpiod with these options
	umpiod_start "${nbd[@]}" "$@" "iscsi://$A3/$IQN/1"
	tail -n 1 "$T/portal.log" | cut -d' ' -f2
	umpiod_crash
}
first=$(isids)
equal "ISID after a restart" "$(isids)" "$first"
[[ $first == 8* ]] || fail "ISID $first is not of type 10b"
[ "$(isids --name other)" != "$first" ] || fail "two devices, one ISID"
CONTROL=$T/second.sock
[ "$(isids)" != "$first" ] || fail "two daemons, one ISID"
[ "$(isids -o instance=x)" != "$first" ] || fail "two instances, one ISID"
CONTROL=$T/control.sock

step "sessions are reinstated, not added"
umpiod_start "${nbd[@]}" "$URL1" "$URL2"
ctl wait disk0 --paths 2 --timeout 10
tgt_stop t # it does not see the connections go
umpiod_crash
umpiod_spawn "${nbd[@]}" "$URL1" "$URL2"
sleep 0.3
tgt_continue t
eventually 10 ctl wait disk0 --paths 2 --timeout 5 || fail "not back"
equal sessions "$(tgt_connections t | wc -l)" 2
umpiod_stop
