#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# The NBD server, over memory, against clients that others wrote.
# shellcheck source=tests/system/functions.sh
. "$(dirname "$0")/functions.sh"

cd "$T" # fio leaves files
requires ramdisk nbdinfo nbdcopy qemu-img qemu-io fio jq

SIZE=$((64 << 20))
SECONDS_OF_FIO=3
sanitized && SECONDS_OF_FIO=1
U="nbd+unix:///ram?socket=$T/ram.sock"
TCP="nbd://$A1:10809/ram"

background ramdisk ramdisk --size 64MiB \
	--nbd "unix:$T/ram.sock" --nbd "tcp:$A1:10809"
RAMDISK=$!
background ro ramdisk --size 1MiB --block-size 4096 --read-only \
	--nbd "unix:$T/ro.sock"
eventually 5 grep -q ready "$T/ramdisk.log" || fail "ramdisk is not ready"
eventually 5 grep -q ready "$T/ro.log" || fail "read-only ramdisk is not ready"

step "nbdinfo: what is offered"
[ "$(nbdinfo --size "$U")" = "$SIZE" ] || fail "size"
for can in multi-conn flush fua trim zero fast-zero df; do
	nbdinfo --can "$can" "$U" || fail "can $can"
done
nbdinfo --can cache "$U" && fail "can cache"
nbdinfo --is rotational "$U" && fail "rotational"
nbdinfo --is read-only "$U" && fail "read-only"
nbdinfo --is read-only "nbd+unix:///?socket=$T/ro.sock" || fail "not read-only"
nbdinfo "nbd+unix:///?socket=$T/ro.sock" >"$T/info"
grep -q 'block_size_minimum: 4096' "$T/info" || fail "minimum: $(cat "$T/info")"
nbdinfo --list "$TCP" >"$T/info"
grep -q 'export="ram"' "$T/info" || fail "list: $(cat "$T/info")"
nbdinfo "nbd+unix:///other?socket=$T/ram.sock" 2>"$T/info" && fail "unknown name"
grep -q 'No such file' "$T/info" || fail "refusal: $(cat "$T/info")"

step "nbdinfo --map: what was written, and nothing else"
nbdinfo --map "$U" >"$T/map"
[ "$(awk '{ print $4 }' "$T/map" | sort -u)" = data ] || fail "map: $(cat "$T/map")"
qemu-io -f raw -c "discard 4M 8M" -c "write -z 16M 1M" "$U" >/dev/null
nbdinfo --map "$U" | tr -s " " >"$T/map"
diff - "$T/map" <<-END || fail "map"
	 0 4194304 0 data
	 4194304 8388608 3 hole,zero
	 12582912 4194304 0 data
	 16777216 1048576 2 zero
	 17825792 49283072 0 data
END
qemu-img map --output=json -f raw "$U" >"$T/map.json"
[ "$(jq "[.[] | select(.zero)] | length" "$T/map.json")" = 2 ] ||
	fail "qemu-img map: $(cat "$T/map.json")"

step "nbdcopy: both ways, over several connections"
dd if=/dev/urandom of="$T/in" bs=1M count=64 status=none
nbdcopy --flush --connections=4 --requests=64 "$T/in" "$U"
nbdcopy --connections=4 --requests=64 "$TCP" "$T/out"
cmp "$T/in" "$T/out"

step "qemu-img: compare and convert"
qemu-img compare -f raw -F raw "$T/in" "$U"
truncate -s 64M "$T/sparse"
dd if="$T/in" of="$T/sparse" bs=1M count=8 seek=8 conv=notrunc status=none
qemu-img convert -n -f raw -O raw -W -m 8 "$T/sparse" "$U"
qemu-img compare -f raw -F raw "$T/sparse" "$TCP"

step "qemu-io: patterns, zeroes, discard, FUA"
qemu-io -f raw -c 'write -P 0xa5 -f 4k 64k' -c 'read -P 0xa5 4k 64k' \
	-c 'write -P 0x5a 513 1' -c 'read -P 0x5a 513 1' \
	-c 'discard 0 1M' -c 'write -z -u 1M 1M' -c 'read -P 0 0 2M' \
	-c 'write -z 3M 1M' -c 'read -P 0 3M 1M' -c flush "$U" >"$T/qemu-io.log"
grep -qiE 'fail|error' "$T/qemu-io.log" && fail "$(cat "$T/qemu-io.log")"
qemu-io -f raw -c 'write 0 4k' "nbd+unix:///?socket=$T/ro.sock" \
	>"$T/qemu-io.log" 2>&1 && fail "a write to a read-only export"

# fio_verify URI OFFSET SIZE NAME
fio_verify() {
	fio --name="$4" --ioengine=nbd --uri="$1" --offset="$2" --size="$3" \
		--rw=randwrite --bssplit=4k/60:64k/25:256k/10:1m/5 \
		--iodepth=32 --time_based --runtime="$SECONDS_OF_FIO" \
		--verify=crc32c --verify_fatal=1 --do_verify=1 \
		--verify_backlog=256 --output="$T/fio-$4.log"
}

step "fio: verified writes, two clients at once"
fio_verify "$U" 0 32m unix &
PIDS+=($!)
one=$!
fio_verify "$TCP" 32m 32m tcp
wait "$one" || fail "fio over the unix socket"

step "fio: sizes from 512 bytes"
fio --name=odd --ioengine=nbd --uri="$U" --rw=randwrite --bsrange=512-256k \
	--iodepth=32 --size=32m --verify=md5 --verify_fatal=1 \
	--do_verify=1 --output="$T/fio-odd.log"

if /usr/bin/python3 -c 'import nbd' 2>/dev/null; then
	step "libnbd: a client that keeps to no rule"
	U=$U /usr/bin/python3 - <<'PY'
import errno, nbd, os

h = nbd.NBD()
h.connect_uri(os.environ["U"])
h.set_strict_mode(0)
size = h.get_size()


def fails(code, call, *args):
    try:
        call(*args)
    except nbd.Error as e:
        assert e.errnum == code, (call, args, e)
    else:
        raise AssertionError((call, args))


fails(errno.EINVAL, h.pread, 512, size)
fails(errno.EINVAL, h.pread, 512, (1 << 63) - 512)
fails(errno.ENOSPC, h.pwrite, b"x" * 70000, size - 69999)
fails(errno.ENOSPC, h.zero, 2, size - 1)
fails(errno.EINVAL, h.trim, 2, size - 1)
fails(errno.EINVAL, h.pread, 512, 0, 1 << 9)
fails(errno.EINVAL, h.pwrite, b"x" * 512, 0, 1 << 9)
fails(errno.EINVAL, h.flush, 1 << 1)
h.pwrite(b"a" * 512, 7, nbd.CMD_FLAG_FUA)
h.cache(4096, 0)
assert h.pread(514, 6)[1:513] == b"a" * 512

cookies = [h.aio_pwrite(nbd.Buffer.from_bytearray(bytearray([n]) * 4096),
                        n * 4096) for n in range(200)]
while cookies:
    cookies = [c for c in cookies if not h.aio_command_completed(c)]
    if cookies:
        h.poll(-1)
for n in range(200):
    assert h.pread(4096, n * 4096) == bytes([n]) * 4096, n
h.shutdown()
PY
else
	echo "python3-libnbd is not installed: its checks are left out"
fi

step "clients that say nothing, and nonsense"
exec 8<>"/dev/tcp/$A1/10809" 9<>"/dev/tcp/$A1/10809"
head -c 65536 "$T/in" >&9 2>/dev/null || :
[ "$(nbdinfo --size "$TCP")" = "$SIZE" ] || fail "not served beside them"
exec 8>&- 9>&-

step "memory of the server"
rss=$(awk '/^VmRSS/ { print $2 }' "/proc/$RAMDISK/status")
sanitized || [ "$rss" -lt $((64 * 1024 + 192 * 1024)) ] ||
	fail "it holds $rss KiB"

step "end with a client connected"
exec 8<>"/dev/tcp/$A1/10809"
kill -TERM "$RAMDISK"
wait "$RAMDISK" || fail "ramdisk ended with $?"
[ ! -e "$T/ram.sock" ] || fail "the socket file is left"
