#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
#
# The FUSE block file over a device of memory, against the real kernel, with
# judges that are not ours: fio, losetup, mkfs.ext4, e2fsck, fallocate, dd.
# shellcheck source=tests/system/functions.sh
. "$(dirname "$0")/functions.sh"
# Steps say by themselves what failed.
set +e

cd "$T" || exit # fio leaves files
requires ramdisk fio python3 losetup mkfs.ext4 e2fsck fallocate setpriv unshare
requires_root
requires_fuse

file=$T/disk.img
out=$T/ramdisk.log

# check NAME COMMAND…: the command, or function, succeeds
check() {
	local name=$1
	shift
	step "$name"
	"$@" >"$T/step.log" 2>&1 || fail "$name"
}
# denied NAME TEXT COMMAND…: the command fails and says TEXT
denied() {
	local name=$1
	shift
	step "$name"
	refused 1 "$@"
}

start() { # ramdisk's options
	: >"$out"
	background ramdisk ramdisk --fuse "$file" "$@"
	pid=$!
	eventually 20 grep -q ready "$out" || fail "ramdisk $* does not start"
}
gone() { ! kill -0 "$pid" 2>/dev/null; }
ended() { # ramdisk ends by itself, well
	eventually 10 gone || return 1
	wait "$pid"
}
mounted() { grep -q " $file " /proc/self/mountinfo; }
stop() {
	kill -TERM "$pid"
	ended && ! mounted
}
count() { # the device's counter NAME
	local before
	before=$(wc -l <"$out")
	kill -USR1 "$pid"
	for _ in $(seq 100); do
		[ "$(wc -l <"$out")" -gt "$before" ] && break
		sleep 0.02
	done
	tail -1 "$out" | tr ' ' '\n' | sed -n "s/^$1=//p"
}
equal() { [ "$1" = "$2" ] || { echo "is $1, should be $2"; return 1; }; }
same_range() { # FILE OFFSET LENGTH REFERENCE: equal bytes
	cmp <(tail -c +$(($2 + 1)) "$1" | head -c "$3") "$4"
}
zero_range() { # FILE OFFSET LENGTH
	cmp -n "$3" -i "$2:0" "$1" /dev/zero
}

attributes() {
	equal "$(stat -c '%s %a %o' "$file")" "134217728 600 4096"
}
deep() { # the kernel's default would let 12 through
	fio --name=b --filename="$file" --ioengine=libaio --direct=1 \
		--rw=randread --bs=4k --iodepth=128 --runtime=2 --time_based
	local max
	max=$(count inflight_max)
	[ "$max" -gt 100 ] || { echo "only $max in flight"; return 1; }
}
dsync() { # each write of an O_DSYNC file must be durable by itself
	local before after
	before=$(count fua)
	dd if=/dev/zero of="$file" bs=4k count=50 conv=notrunc oflag=dsync
	dd if=/dev/zero of="$file" bs=4k count=50 conv=notrunc \
		oflag=direct,dsync
	after=$(count fua)
	equal "$((after - before))" 100
}
fsync() {
	local before
	before=$(count flushes)
	dd if=/dev/zero of="$file" bs=64k count=4 conv=notrunc,fsync &&
		equal "$(($(count flushes) - before))" 1
}
unaligned() {
	head -c 70000 /dev/urandom >"$T/ref"
	dd if="$T/ref" of="$file" bs=70000 seek=12345 oflag=seek_bytes \
		conv=notrunc && same_range "$file" 12345 70000 "$T/ref"
}
end_of_file() {
	dd if="$file" bs=64k skip=$((134217728 - 100)) iflag=skip_bytes \
		of="$T/tail" && equal "$(stat -c %s "$T/tail")" 100
}
punch() {
	dd if=/dev/urandom of="$file" bs=1M count=4 conv=notrunc &&
		fallocate -p -o 1000 -l 2000000 "$file" &&
		zero_range "$file" 1000 2000000 &&
		! zero_range "$file" 0 1000
}
zero() {
	local before
	before=$(count no_hole)
	dd if=/dev/urandom of="$file" bs=1M count=4 conv=notrunc &&
		fallocate -z -o 4096 -l 1000000 "$file" &&
		zero_range "$file" 4096 1000000 &&
		equal "$(($(count no_hole) - before))" 1
}
verify() { # fio's block sizes
	fio --name=v --filename="$file" --ioengine=libaio --direct=1 \
		--rw=randwrite "$1" --iodepth=32 --size=128m --verify=crc32c \
		--verify_fatal=1 --do_verify=1
}
seconds_of() { # COMMAND…: how long it took, whatever became of it
	local begin=$EPOCHREALTIME
	"$@" >&2
	echo "$begin $EPOCHREALTIME" | awk '{ printf "%d\n", $2 - $1 }'
}
interrupt() { # the device takes 3 s, the signal must not wait for it
	local took
	took=$(seconds_of timeout 0.3 dd if="$file" of=/dev/null bs=4k count=1)
	[ "$took" -lt 2 ] || { echo "took $took s"; return 1; }
}
bounded() { # each 1 MiB write holds a 2 MiB receive buffer
	fio --name=w --filename="$file" --ioengine=libaio --direct=1 \
		--rw=write --bs=1m --iodepth=120 --size=128m --loops=4 || return
	local max
	max=$(count inflight_max)
	[ "$max" -gt 16 ] && [ "$max" -le 33 ] || { echo "$max"; return 1; }
}
write_without_memory() { # only the receive buffer itself is left
	head -c 1000000 /dev/urandom >"$T/ref" &&
		timeout 20 dd if="$T/ref" of="$file" bs=10000 conv=notrunc,fsync
}
read_without_memory() { # waits until there is some
	local reader
	background reader cmp -n 1000000 "$T/ref" "$file"
	reader=$!
	sleep 0.5
	equal "$(count reads)" 0 && kill -0 "$reader" || return
	kill -USR2 "$pid"
	wait "$reader"
}
last_of_a_batch() { # the server looks at 64 at a time: 63, then this read
	local rc
	mkdir -p "$T/ctl" && mount -t fusectl none "$T/ctl" || return
	timeout -s KILL 30 python3 - "$file" "$pid" <<-'PY'
		import os, signal, sys, threading, time
		file, server = sys.argv[1], int(sys.argv[2])
		f = os.open(file, os.O_RDONLY)
		minor = os.minor(os.fstat(f).st_dev)

		def ask(n, call):
		    """One more call waits; `n` is their number then."""
		    t = threading.Thread(target=call, daemon=True)
		    t.start()
		    end = time.monotonic() + 5
		    while int(open(f"ctl/{minor}/waiting").read()) < n:
		        assert time.monotonic() < end, n
		        time.sleep(.002)
		    return t

		os.kill(server, signal.SIGSTOP)
		try:
		    for n in range(1, 64):
		        ask(n, lambda: os.statvfs(file))
		    read = ask(64, lambda: os.pread(f, 4096, 0))
		finally:
		    os.kill(server, signal.SIGCONT)
		read.join(.5)
		assert read.is_alive(), "there was memory"
		os.kill(server, signal.SIGUSR2)
		read.join(5)
		alive = read.is_alive()
		os.statvfs(file)  # any request wakes it
		read.join(5)
		assert not alive, "it was forgotten"
	PY
	rc=$?
	umount "$T/ctl"
	return $rc
}
loaded() { [ "$(count reads)" -gt $(($1 + 32)) ]; }
load() { # until it fails; it must not begin on the next file
	local before loader
	before=$(count reads)
	background load fio --name=l --filename="$file" --ioengine=libaio \
		--direct=1 --rw=randrw --bssplit=4k/50:256k/50 --iodepth=32 \
		--time_based --runtime=30
	loader=$!
	eventually 20 loaded "$before" && kill -0 "$loader"
}
abort() {
	local minor
	minor=$(awk -v f="$file" '$5 == f { sub(".*:", "", $3); print $3 }' \
		/proc/self/mountinfo)
	mkdir -p "$T/ctl" && mount -t fusectl none "$T/ctl" &&
		echo 1 >"$T/ctl/$minor/abort" && umount "$T/ctl"
}
loop_new() {
	loop=$(losetup --show -f --direct-io=on "$file") && LOOPS+=("$loop")
}
filesystem() {
	mkdir -p "$T/mnt"
	loop_new && mkfs.ext4 -q -F "$loop" && mount "$loop" "$T/mnt" || return
	for i in $(seq 40); do
		head -c $((i * 10007)) /dev/urandom >"$T/mnt/f$i" || return
	done
	(cd "$T/mnt" && md5sum f*) >"$T/sums"
	fstrim "$T/mnt" && umount "$T/mnt" && losetup -d "$loop" || return
	sleep 0.2
	loop_new && e2fsck -fn "$loop" && mount -o ro "$loop" "$T/mnt" || return
	(cd "$T/mnt" && md5sum --quiet -c "$T/sums") || return
	umount "$T/mnt" && losetup -d "$loop" && sleep 0.2
}
seek_holes() { # the map of the file, as lseek tells it
	dd if=/dev/urandom of="$file" bs=1M count=1 conv=notrunc &&
	fallocate -p -o 1M -l 3M "$file" && fallocate -p -o 100M -l 28M "$file" &&
		fallocate -z -o 50M -l 1M "$file" || return
	python3 - "$file" <<-'PY'
		import errno, os, sys
		f, at, found = os.open(sys.argv[1], os.O_RDONLY), 0, []
		try:
		    while True:
		        at = os.lseek(f, at, os.SEEK_DATA)
		        end = os.lseek(f, at, os.SEEK_HOLE)
		        found.append((at >> 20, end >> 20))
		        at = end
		except OSError as e:
		    assert e.errno == errno.ENXIO, e
		assert found == [(0, 1), (4, 50), (51, 100)], found
		assert os.lseek(f, 2 << 20, os.SEEK_HOLE) == 2 << 20
		try:
		    os.lseek(f, 128 << 20, os.SEEK_HOLE)
		except OSError as e:
		    assert e.errno == errno.ENXIO, e
		else:
		    raise AssertionError("behind the end")
	PY
}
far_offsets() { # reads and writes at the last offsets there are
	python3 - "$file" <<-'PY'
		import errno, os, sys
		f = os.open(sys.argv[1], os.O_RDWR)
		for at in (2**63 - 1, 2**63 - 4096, 2**62, 128 << 20):
		    try:
		        assert os.pread(f, 512, at) == b""
		    except OSError as e:
		        assert e.errno == errno.EINVAL, e
		    for call in (lambda: os.pwrite(f, b"x" * 512, at),
		                 lambda: os.posix_fallocate(f, at, 1)):
		        try:
		            call()
		        except OSError as e:
		            assert e.errno in (errno.ENOSPC, errno.EFBIG,
		                               errno.EINVAL), (at, e)
		        else:
		            raise AssertionError(at)
	PY
	[ $? -eq 0 ] && served_soon
}
mapped_and_killed() { # a process that dies with the file mapped and dirty
	python3 - "$file" <<-'PY'
		import mmap, os, signal, sys
		for _ in range(20):
		    child = os.fork()
		    if not child:
		        f = os.open(sys.argv[1], os.O_RDWR)
		        m = mmap.mmap(f, 1 << 20, mmap.MAP_PRIVATE)
		        try:
		            m = mmap.mmap(f, 1 << 20, mmap.MAP_SHARED)
		        except OSError:
		            pass
		        for at in range(0, 1 << 20, 4096):
		            m[at] = 7
		        os.kill(os.getpid(), signal.SIGKILL)
		    os.waitpid(child, 0)
	PY
	served_soon
}
interrupt_storm() { # signals hit readers and writers again and again
	local i readers=()
	for i in 1 2 3 4; do
		python3 - "$file" <<-'PY' &
			import os, signal, sys, time
			signal.signal(signal.SIGALRM, lambda *_: None)
			signal.setitimer(signal.ITIMER_REAL, .002, .002)
			f, end = os.open(sys.argv[1], os.O_RDWR), time.time() + 2
			n = 0
			while time.time() < end:
			    n += 1
			    os.pread(f, 65536, n % 100 << 16)
			    os.pwrite(f, b"s" * 4096, n % 100 << 16)
			    os.lseek(f, 0, os.SEEK_HOLE)
			signal.setitimer(signal.ITIMER_REAL, 0)
		PY
		readers+=($!)
	done
	for i in "${readers[@]}"; do wait "$i" || return; done
	served_soon
}
served_soon() { # somebody else is served within a second
	timeout 1 dd if="$file" of=/dev/null bs=4k count=1 iflag=direct
}
resize() {
	equal "$(stat -c %s "$file")" 67108864 || return 1
	kill -USR2 "$pid"
	sleep 0.3
	equal "$(stat -c %s "$file")" 134217728
}

step "the file"
start --size 128MiB
check "attributes" attributes
check "unaligned write and read" unaligned
check "short read at the end" end_of_file
denied "write across the end" "No space left" \
	dd if=/dev/zero of="$file" bs=4k count=2 conv=notrunc \
	seek=$((134217728 - 4096 - 1)) oflag=seek_bytes
denied "O_TRUNC" "not permitted" dd if=/dev/null of="$file"
denied "truncate to another size" "not permitted" truncate -s 1M "$file"
check "truncate to the same size" truncate -s 134217728 "$file"
denied "unlink" "busy" rm -f "$file"
denied "rename" "busy" mv "$file" "$T/elsewhere"

check "class 71: served after these" served_soon
check "class 72: reads and writes at 2^63 - 1" far_offsets
check "class 73: killed with the file mapped" mapped_and_killed

step "durability and space"
check "O_DSYNC is FUA" dsync
check "fsync is one flush" fsync
check "punched ranges read zero" punch
check "zeroed ranges read zero" zero
check "holes and data" seek_holes
denied "collapse range" "not supported" \
	fallocate -c -o 4096 -l 4096 "$file"

step "data"
for bs in 4k 64k 256k 1m; do
	check "fio verify $bs" verify --bs=$bs
done
check "fio verify, mixed sizes" \
	verify --bssplit=4k/50:64k/25:256k/15:1m/10
check "ext4 over a loop device" filesystem
check "stop" stop
[ ! -e "$file" ] || fail "the file that was made is still there"

start --size 128MiB --delay 1ms --reverse
check "fio verify, late and out of order" \
	verify --bssplit=4k/50:64k/25:256k/15:1m/10
check "large writes in flight are bounded" bounded
check "load" load
check "stop under load" stop

# The loop's pool has 512 MiB, a receive buffer 2 MiB.
start --size 64MiB --hog 510MiB
check "write without memory" write_without_memory
check "read without memory waits for it" read_without_memory
check "stop" stop
start --size 64MiB --hog 510MiB
check "read without memory at the end of a batch" last_of_a_batch
check "stop" stop
start --size 64MiB --hog 510MiB
background reader dd if="$file" of=/dev/null bs=4k count=1
sleep 0.3
check "stop with a read that waits for memory" stop

step "mounts"
start --size 128MiB --delay 1ms
check "load" load
check "abort" abort
check "an abort ends the server" ended
check "and leaves no mount" eval '! mounted'
start --size 64MiB
denied "a second daemon" "in use" ramdisk --fuse "$file"
check "stop" stop

start --size 64MiB --delay 3s
check "an interrupted read returns at once" interrupt
check "stop waits for the device" stop

start --size 64MiB --delay 1ms
check "class 74: a storm of interrupts" interrupt_storm
check "more in flight than the kernel's default" deep
umount "$file"
check "umount ends the server" ended

start --size 64MiB
kill -KILL "$pid"
wait "$pid" 2>/dev/null
denied "after SIGKILL" "not connected" cat "$file"
start --size 64MiB --grow 128MiB
check "restart over a stale mount" mounted
check "growing" resize
check "stop after growing" stop

rm -f "$file"
echo precious >"$file"
denied "a file with content" "not empty" ramdisk --fuse "$file"
check "its content is whole" grep -q precious "$file"
: >"$file"
mount --bind /etc/passwd "$file"
denied "a foreign mount" "is mounted there" ramdisk --fuse "$file"
umount "$file"
rm -f "$file"

step "modes"
start --size 128MiB --fuse-cache
check "fio verify through the page cache" \
	fio --name=v --filename="$file" --ioengine=psync --rw=randwrite \
	--bs=4k --size=32m --verify=crc32c --verify_fatal=1 --do_verify=1 \
	--end_fsync=1
check "shared mmap" fio --name=m --filename="$file" --ioengine=mmap \
	--rw=randwrite --bs=4k --size=16m --verify=crc32c --verify_fatal=1 \
	--do_verify=1
check "stop, cached" stop
start --size 64MiB --read-only
check "read-only: read" head -c 4096 "$file"
denied "read-only: write" "Read-only" \
	dd if=/dev/zero of="$file" bs=4k count=1 conv=notrunc
check "stop, read-only" stop

chmod 755 "$T"
nobody=(setpriv --reuid=65534 --regid=65534 --clear-groups)
start --size 64MiB
denied "class 75: another user" "ermission denied" "${nobody[@]}" stat "$file"
check "served after that" served_soon
check "stop" stop
start --size 64MiB --allow-other
check "allow-other: another user sees it" "${nobody[@]}" stat "$file"
denied "allow-other: its mode still holds" "ermission denied" \
	"${nobody[@]}" cat "$file"
check "stop, allow-other" stop

# What nobody does: serves, compares, is killed, and comes back over the stale
# mount. In a mount namespace of its own, with a node that it may open.
as_nobody='
cd "$1" || exit
serve() {
	: >out
	../ramdisk --size 64MiB --fuse disk.img >out 2>&1 &
	pid=$!
	for _ in $(seq 100); do
		grep -q ready out && return
		kill -0 $pid || break
		sleep 0.05
	done
	cat out
	exit 1
}
serve
dd if=/dev/urandom of=ref bs=64k count=16 &&
	dd if=ref of=disk.img bs=64k conv=notrunc,fsync &&
	cmp -n 1048576 ref disk.img || { kill $pid; exit 1; }
kill -KILL $pid
wait $pid
serve
kill $pid
wait $pid && ! grep " $1/disk.img " /proc/self/mountinfo'

nobody_prepare() {
	mkdir -p "$T/user" && chown 65534:65534 "$T/user" &&
		cp "$(command -v ramdisk)" "$T/ramdisk" &&
		mknod "$T/fuse" c 10 229 && chmod 666 "$T/fuse"
}
by_namespace() {
	"${nobody[@]}" unshare -Urm bash -c \
		"mount --bind '$T/fuse' /dev/fuse && $as_nobody" \
		nobody "$T/user"
}
by_fusermount() {
	unshare -m bash -c '
		mount --bind "$1" /dev/fuse
		shift
		exec "$@"' mounter "$T/fuse" \
		"${nobody[@]}" bash -c "$as_nobody" nobody "$T/user"
}
step "nobody"
check "a place for nobody" nobody_prepare
if "${nobody[@]}" unshare -Urm true 2>/dev/null; then
	check "in unshare -Urm" by_namespace
else
	step "left out: nobody gets no user namespace here"
fi
if [ -u "$(command -v fusermount3)" ]; then
	check "through fusermount3" by_fusermount
else
	step "left out: no fusermount3 with the set-user-id bit"
fi
