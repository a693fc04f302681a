# SPDX-License-Identifier: BSD-2-Clause
"""nbd-starttls.py HOST PORT MODE [LISTEN]: NBD clients up to STARTTLS.

relay: then copies bytes for the TLS client that connects to port LISTEN of
127.0.0.1, for those that do not speak NBD; plain, inject, garbage: what a server
must refuse before and in place of TLS."""
import socket, struct, sys, threading

host, port, mode = sys.argv[1], int(sys.argv[2]), sys.argv[3]
OPT = struct.Struct(">QII")


def option(code, data=b""):
    return OPT.pack(0x49484156454F5054, code, len(data)) + data


def connect():
    s = socket.create_connection((host, port), 5)
    s.settimeout(5)
    assert s.recv(18, socket.MSG_WAITALL)[:8] == b"NBDMAGIC"
    s.sendall(struct.pack(">I", 3))
    return s


def reply(s):
    head = s.recv(20, socket.MSG_WAITALL)
    if len(head) < 20:
        return None
    _, code, kind, n = struct.unpack(">QIII", head)
    s.recv(n, socket.MSG_WAITALL) if n else b""
    return kind


def ended(s):
    try:
        return s.recv(1) == b""
    except ConnectionResetError:
        return True


REQD, INVALID, POLICY = 0x80000005, 0x80000003, 0x80000002
if mode == "relay":
    s = connect()
    s.sendall(option(5))
    assert reply(s) == 1
    l = socket.create_server(("127.0.0.1", int(sys.argv[4])))
    c, _ = l.accept()
    s.settimeout(None)

    def copy(a, b):
        try:
            while data := a.recv(65536):
                b.sendall(data)
            b.shutdown(socket.SHUT_WR)
        except OSError:
            pass

    t = threading.Thread(target=copy, args=(c, s), daemon=True)
    t.start()
    copy(s, c)
elif mode == "plain":
    s = connect()
    for code in (3, 6, 7, 8, 9, 10, 77):
        s.sendall(option(code, b"\0" * 6 if code in (6, 7) else b""))
        assert reply(s) == REQD, code
    s.sendall(option(5, b"x"))
    assert reply(s) == INVALID
    s.sendall(option(2))
    assert reply(s) == 1
    s = connect()
    s.sendall(option(1, b"ram"))
    assert ended(s)
elif mode == "inject":
    s = connect()
    s.sendall(option(5) + option(8))
    got = reply(s)
    assert got is None and ended(s), got
    # One byte is as bad as all.
    s = connect()
    s.sendall(option(5) + b"I")
    assert reply(s) is None and ended(s)
elif mode == "garbage":
    for junk in (b"\0" * 65536, b"\x16\x03\x01\xff\xff" + b"x" * 70000,
                 b"\x17\x03\x03\x40\x00" + b"y" * 16384, option(8)):
        s = connect()
        s.sendall(option(5))
        assert reply(s) == 1
        try:
            s.sendall(junk)
            while not ended(s):
                pass
        except (ConnectionResetError, BrokenPipeError):
            pass
    # A handshake that never comes holds nobody up.
    s = connect()
    s.sendall(option(5))
    assert reply(s) == 1
