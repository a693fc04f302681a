# SPDX-License-Identifier: BSD-2-Clause
"""Hostile NBD clients. Each function named class_NN_… is one of the classes, run
in its order; behind each a good client must be served within a second."""
import os
import pwd
import socket
import struct
import sys
import time

HOST, UNIX, SLOW = sys.argv[1], sys.argv[2], float(sys.argv[3])
PLAIN, READ_ONLY, TLS, SHORT = 10809, 10810, 10811, 10812
STALL = 2  # seconds, of SHORT
SIZE = 8 << 20
IHAVEOPT = 0x49484156454F5054
EINVAL, ENOSPC, EPERM = 22, 28, 1
UNSUP, INVALID, UNKNOWN, TOO_BIG, TLS_REQD = (
    0x80000000 + n for n in (1, 3, 6, 9, 5))
ABORT, LIST, STARTTLS, INFO, GO, STRUCTURED, LIST_META, SET_META, EXTENDED = (
    2, 3, 5, 6, 7, 8, 9, 10, 11)


class Client:
    def __init__(self, port=PLAIN, flags=3, unix=False):
        if unix:
            self.s = socket.socket(socket.AF_UNIX)
            self.s.connect(UNIX)
        else:
            self.s = socket.create_connection((HOST, port), 5)
        self.s.settimeout(5 * SLOW)
        if flags is not None:
            assert self.take(18)[:16] == b"NBDMAGICIHAVEOPT"
            self.send(struct.pack(">I", flags))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.s.close()

    def send(self, data):
        self.s.sendall(data)

    def push(self, data):
        """Sends as far as the server lets us."""
        try:
            self.s.sendall(data)
        except (ConnectionError, TimeoutError):
            pass

    def take(self, n):
        got = b""
        while len(got) < n:
            more = self.s.recv(n - len(got))
            assert more, f"ended after {len(got)} of {n} bytes"
            got += more
        return got

    def ended(self):
        try:
            while self.s.recv(1 << 16):
                pass
            return True
        except ConnectionError:
            return True

    def option(self, code, data=b"", length=None):
        n = len(data) if length is None else length
        self.push(struct.pack(">QII", IHAVEOPT, code, n) + data)

    def reply(self, code):
        magic, option, kind, n = struct.unpack(">QIII", self.take(20))
        assert magic == 0x3E889045565A9 and option == code, (option, code)
        return kind, self.take(n)

    def ask(self, code, data=b""):
        self.option(code, data)
        while True:
            kind, _ = self.reply(code)
            if kind not in (2, 3, 4):
                return kind

    def go(self, name=b"ram"):
        return self.ask(GO, struct.pack(">I", len(name)) + name + b"\0\0")

    def command(self, kind, offset=0, n=0, flags=0, cookie=7, data=b""):
        self.push(struct.pack(">IHHQQI", 0x25609513, flags, kind, cookie,
                              offset, n) + data)

    def simple(self, cookie=7):
        magic, error, got = struct.unpack(">IIQ", self.take(16))
        assert magic == 0x67446698 and got == cookie
        return error


def name_of(text):
    return struct.pack(">I", len(text)) + text


def good(limit=1.0):
    start = time.monotonic()
    with Client() as c:
        assert c.go() == 1
        c.command(0, 4096, 512)
        assert c.simple() == 0
        c.take(512)
        c.command(2)
        assert c.ended()
    took = time.monotonic() - start
    assert took < limit * SLOW, f"a good client waited {took:.2f} s"


def class_51_silent_and_slow():
    silent, slow = Client(flags=None), Client(flags=None)
    start = time.monotonic()
    slow.push(b"\0")
    good()
    time.sleep(5)
    slow.push(b"\0")
    silent.s.settimeout(10 * SLOW)
    slow.s.settimeout(10 * SLOW)
    assert silent.ended() and slow.ended()
    assert 9 < time.monotonic() - start < 10 + 2 * SLOW


def class_52_connections():
    held = [Client(flags=None) for _ in range(100)]
    good()  # the 101st
    used = []
    for _ in range(99):
        used.append(Client())
        assert used[-1].go() == 1
    good()  # unfinished handshakes have given way, one by one
    used.append(Client())
    assert used[-1].go() == 1
    with Client(flags=None) as late:
        assert late.ended()  # all of them are in use
    for c in held + used:
        c.s.close()
    for _ in range(2000 if SLOW > 1 else 10000):
        Client(flags=None).s.close()


def class_52_a_thousand_stalled():
    """A good client beside them waits no longer than 100 ms."""
    stalled, worst = [], 0
    for n in range(1000):
        stalled.append(Client(flags=None))
        if n % 50 == 49:
            start = time.monotonic()
            good()
            worst = max(worst, time.monotonic() - start)
    assert worst < 0.1 * SLOW, f"{worst * 1000:.0f} ms"
    print(f"   beside 1000 stalled clients: at most {worst * 1000:.1f} ms")
    for c in stalled:
        c.s.close()


def class_53_option_lengths():
    with Client() as c:
        c.option(LIST, length=0xFFFFFFFF)
        assert c.ended()
    with Client() as c:
        assert c.ask(77, b"x" * 4097) == UNSUP
        assert c.ask(77) == UNSUP
        assert c.ask(GO) == INVALID
        # More than what is within is used (QEMU issue 4843).
        assert c.ask(STRUCTURED) == 1
        assert c.ask(SET_META, name_of(b"ram") + b"\0\0\0\1" +
                     name_of(b"base:allocation") + b"more") == INVALID
        assert c.go() == 1


def class_54_names():
    with Client() as c:
        for text in (b"x" * 4096, b"\xff\xfe\x80", b"ram\0", b"%n%n%s%s%n",
                     b"\x1b[2Jram", b"../ram", "r\u0430m".encode()):
            assert c.go(text) == UNKNOWN, text
        assert c.go(b"y" * 4097) == TOO_BIG
        assert c.go() == 1


def class_55_option_flood():
    with Client() as c:
        for n in range(1000):
            c.option(1000 + n)
        assert c.ended()


def class_56_starttls():
    with Client() as c:
        for _ in range(3):
            assert c.ask(STARTTLS) == 0x80000002
    with Client(TLS) as c:
        assert c.ask(STRUCTURED) == TLS_REQD
        c.option(STARTTLS)
        c.option(STARTTLS)
        try:
            c.reply(STARTTLS)
        except (AssertionError, ConnectionError):
            pass
        assert c.ended()
    with Client(TLS) as c:
        c.push(struct.pack(">QII", IHAVEOPT, STARTTLS, 0) + b"\x16\x03\x01")
        assert c.ended()


def class_57_export_name_and_go():
    with Client() as c:
        for _ in range(60):
            assert c.ask(INFO, name_of(b"ram") + b"\0\1\0\3") == 1
        c.option(1, b"ram")
        c.take(10)
        c.option(GO, name_of(b"ram") + b"\0\2\0\1\0\3")  # no option any more
        assert c.ended()
    with Client() as c:
        assert c.go() == 1
        c.option(1, b"ram" * 10)
        assert c.ended()


def class_58_meta_contexts():
    query = name_of(b"base:allocation")
    with Client() as c:
        assert c.ask(STRUCTURED) == 1
        head = name_of(b"ram")
        assert c.ask(SET_META, head + struct.pack(">I", 1 << 20)) == TOO_BIG
        assert c.ask(SET_META, head + struct.pack(">I", 3000) +
                     query * 3000) == TOO_BIG
        assert c.ask(LIST_META, head + struct.pack(">I", 64) +
                     query * 64) == 1
        c.option(SET_META, length=(1 << 20) * 19)
        assert c.ended()


def class_59_garbage():
    for junk in (b"\0" * 152, b"GET / HTTP/1.1\r\n\r\n", b"NBDMAGIC" * 20,
                 os.urandom(100000), struct.pack(">I", 0x80000003)):
        with Client(flags=None) as c:
            c.push(junk)
            assert c.ended()


def class_60_ranges():
    with Client() as c:
        assert c.go() == 1
        for offset, n in ((SIZE, 1), (SIZE - 1, 2), (2**64 - 1, 1),
                          (2**64 - 512, 1024), (2**63, 512), (0, 2**32 - 1),
                          (2**64 - 2**32 + 1, 2**32 - 1)):
            c.command(0, offset, n)
            assert c.simple() == EINVAL, (offset, n)
            c.command(6, offset, n)
            assert c.simple() == ENOSPC, (offset, n)
            c.command(4, offset, n)
            assert c.simple() == EINVAL, (offset, n)
        c.command(1, SIZE - 1, 2, data=b"ab")
        assert c.simple() == ENOSPC
        for kind in (0, 4, 5, 6):
            c.command(kind, SIZE, 0)
            assert c.simple() == 0
        c.command(1, 3, 7, data=b"unalign")
        assert c.simple() == 0
        c.command(0, 3, 7)
        assert c.simple() == 0 and c.take(7) == b"unalign"


def class_61_payloads():
    with Client() as c, Client() as d:
        assert c.go() == 1 and d.go() == 1
        c.command(1, 0, 1 << 20, data=b"x" * 1000)
        good()
        d.command(1, 0, (32 << 20) + 1)
        assert d.ended()
    with Client() as c:
        assert c.go() == 1
        c.command(1, 0, 32 << 20)  # beyond the end, and taken in whole
        c.push(b"z" * (32 << 20))
        assert c.simple() == ENOSPC


def class_61_half_writes():
    """Writes that have begun and do not go on, beside a good client. They hold
    all the memory there is, but not for long."""
    halves = [Client(SHORT) for _ in range(20)]
    with Client(SHORT) as c:
        assert c.go() == 1
        start = time.monotonic()
        for half in halves:
            assert half.go() == 1
            half.command(1, 0, 32 << 20, data=b"x" * 1000)
        for half in halves:
            half.s.settimeout(2 * STALL * SLOW)
            assert half.ended()
        took = time.monotonic() - start
        assert STALL < took < STALL + 2 * SLOW, f"they ended after {took:.2f} s"
        for cookie in range(64):  # all of them at once
            c.command(1, cookie << 12, 4096, cookie=cookie, data=b"y" * 4096)
        assert {c.simple(cookie) for cookie in range(64)} == {0}
        c.command(0, 0, 4096)  # nothing of the halves is there
        assert c.simple() == 0 and c.take(4096) == b"y" * 4096


def class_62_commands_and_flags():
    with Client() as c:
        assert c.go() == 1
        for kind in (8, 9, 100, 0xFFFF):
            c.command(kind, 0, 512)
            assert c.simple() == EINVAL
        for bit in range(1, 16):
            c.command(0, 0, 512, 1 << bit)
            assert c.simple() == EINVAL, bit
        c.command(0, 0, 512, 1)
        assert c.simple() == 0
        c.take(512)


def class_63_block_status():
    with Client() as c:
        assert c.ask(STRUCTURED) == 1
        assert c.ask(SET_META, name_of(b"ram") + b"\0\0\0\1" +
                     name_of(b"base:allocation")) == 1
        assert c.go() == 1
        for n, flags, kind in ((SIZE, 0, 5), (SIZE, 8, 5), (1, 8, 5),
                               (2**32 - 1, 0, 0x8001), (0, 0, 0x8001),
                               (2**32 - 1, 8, 0x8001)):
            c.command(7, 0, n, flags)
            magic, last, got, cookie, length = struct.unpack(
                ">IHHQI", c.take(20))
            body = c.take(length)
            assert (magic, last, got, cookie) == (0x668E33EF, 1, kind, 7)
            if kind == 5:
                extents = [struct.unpack_from(">II", body, at)
                           for at in range(4, length, 8)]
                assert extents and all(e[0] for e in extents)
                assert sum(e[0] for e in extents) <= n
                assert len(extents) == 1 or not flags


def class_64_extended_headers():
    with Client() as c:
        assert c.ask(EXTENDED) == UNSUP
        assert c.go() == 1
        c.push(struct.pack(">IHHQQQ", 0x21E41C71, 0, 0, 1, 0, 512))
        assert c.ended()


def class_65_duplicate_cookies():
    with Client() as c:
        assert c.go() == 1
        for _ in range(200):
            c.command(0, 0, 1, cookie=5)
        for _ in range(200):
            assert c.simple(5) == 0
            c.take(1)


def class_66_replies_never_read():
    with Client() as c:
        assert c.go() == 1
        c.s.settimeout(1)
        request = struct.pack(">IHHQQI", 0x25609513, 0, 0, 1, 0, 65536)
        c.push(request * 100000)
        good()


def class_67_sudden_ends():
    for n in range(50):
        with Client() as c:
            assert c.go() == 1
            for _ in range(n):
                c.command(0, 0, 65536)
            if n % 2:
                c.command(2)
                c.command(1, 0, 512, data=b"!" * 512)  # behind DISC
            if n % 3 == 0:
                c.s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER,
                               struct.pack("ii", 1, 0))
    with Client() as c:
        assert c.go() == 1
        c.command(0, 0, 512)
        assert c.simple() == 0
        assert b"!" not in c.take(512)


def class_68_whole_disk_and_read_only():
    with Client() as c:
        assert c.go() == 1
        for n in range(10000):
            c.command(4 if n % 2 else 6, 0, SIZE, cookie=n)
            if n % 200 == 199:
                for k in range(n - 199, n + 1):
                    assert c.simple(k) == 0
    with Client(READ_ONLY) as c:
        assert c.go() == 1
        c.command(1, 0, 512, data=b"x" * 512)
        assert c.simple() == EPERM
        for kind in (4, 6):
            c.command(kind, 0, 512)
            assert c.simple() == EPERM
        c.command(3)
        assert c.simple() == 0


def class_69_tls_nonsense():
    """Bad records; certificates are in nbd-tls."""
    for junk in (b"\x16\x03\x01\x40\x00" + b"A" * 20000, b"\x15\x03\x03\0\2\2\0",
                 b"\x80\x80\x01\x03\x01", b"\x16\x03\x03\0\0" * 1000):
        with Client(TLS) as c:
            c.option(STARTTLS)
            assert c.reply(STARTTLS)[0] == 1
            c.push(junk)
            c.s.shutdown(socket.SHUT_WR)
            assert c.ended()
    with Client(TLS, flags=None) as c:
        c.push(b"\x16\x03\x01\x02\0\x01\0\x01\xfc\x03\x03" + b"B" * 500)
        assert c.ended()


def class_70_another_user():
    if os.getuid():
        print("   left out: needs root")
        return
    assert os.stat(UNIX).st_mode & 0o777 == 0o600
    os.chmod(os.path.dirname(UNIX), 0o755)
    child = os.fork()
    if not child:
        os.setuid(pwd.getpwnam("nobody").pw_uid)
        try:
            Client(unix=True)
        except PermissionError:
            os._exit(0)
        os._exit(1)
    assert os.waitpid(child, 0)[1] == 0, "another user gets in"
    with Client(unix=True) as c:
        assert c.go() == 1


good(5)
for name, test in list(globals().items()):
    if name.startswith("class_"):
        print(f"-- {name[6:].replace('_', ' ')}", flush=True)
        test()
        good()
