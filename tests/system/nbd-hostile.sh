#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# Hostile NBD clients, class by class, over raw sockets: after and during each
# of them a second client is served within a second, and the server lives.
# shellcheck source=tests/system/functions.sh
. "$(dirname "$0")/functions.sh"

requires ramdisk python3
SLOW=1
sanitized && SLOW=5

background ramdisk ramdisk --size 8MiB --nbd "tcp:$A1:10809" \
	--nbd "unix:$T/ram.sock"
RAMDISK=$!
background ro ramdisk --size 1MiB --read-only --nbd "tcp:$A1:10810"
# A short patience, so that its end can be waited for.
background short ramdisk --size 64MiB --nbd "tcp:$A1:10812" --nbd-stall 2s
background tls ramdisk --size 1MiB --nbd "tcp:$A1:10811" \
	--tls-psk "alice:00112233445566778899aabbccddeeff"
for one in ramdisk ro short tls; do
	eventually 5 grep -q ready "$T/$one.log" || fail "$one is not ready"
done

/usr/bin/python3 "$(dirname "$0")/nbd-hostile.py" "$A1" "$T/ram.sock" $SLOW ||
	fail "see above"

step "the server afterwards"
rss=$(awk '/^VmRSS/ { print $2 }' "/proc/$RAMDISK/status")
sanitized || [ "$rss" -lt $((8 * 1024 + 128 * 1024)) ] ||
	fail "it holds $rss KiB"
fds=$(find "/proc/$RAMDISK/fd" -type l | wc -l)
[ "$fds" -lt 40 ] || fail "$fds descriptors are open"
kill -TERM "$RAMDISK"
wait "$RAMDISK" || fail "it ended with $?"
! grep -qE 'Sanitizer|runtime error|%n|Assertion' "$T"/*.log ||
	fail "in a log"
