#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""A portal in front of another one.

    portal.py ADDRESS:PORT TO-ADDRESS:PORT [TARGET=PORTAL,TPGT ...]

It answers discovery sessions itself, with the targets of the command line,
and passes all other sessions on. For each of those it prints
`login ISID TSIH` in hexadecimal.
"""
import socket
import struct
import sys
import threading

LOGIN, TEXT, LOGOUT = 0x03, 0x04, 0x06


def endpoint(text):
    host, port = text.rsplit(":", 1)
    return host.strip("[]"), int(port)


def take(conn, n):
    data = b""
    while len(data) < n:
        more = conn.recv(n - len(data))
        if not more:
            raise EOFError
        data += more
    return data


def take_pdu(conn):
    bhs = take(conn, 48)
    length = int.from_bytes(bhs[5:8], "big")
    return bhs, take(conn, (length + 3) & ~3)[:length]


def give_pdu(conn, bhs, text):
    data = b"".join(line.encode() + b"\0" for line in text)
    bhs[5:8] = len(data).to_bytes(3, "big")
    conn.sendall(bytes(bhs) + data + b"\0" * (-len(data) % 4))


def agree(data):
    """What a discovery session answers to the keys of a login."""
    declared = ("InitiatorName", "InitiatorAlias", "SessionType",
                "TargetName", "MaxRecvDataSegmentLength")
    for item in data.split(b"\0"):
        key, _, value = item.decode().partition("=")
        if key in ("AuthMethod", "HeaderDigest", "DataDigest"):
            yield key + "=None"
        elif key.startswith("DefaultTime2") or key == "ErrorRecoveryLevel":
            yield f"{key}={value}"
        elif key and key not in declared:
            yield key + "=Irrelevant"


def discovery(conn, bhs, data, targets):
    stat = 1
    while True:
        opcode = bhs[0] & 0x3F
        answer = bytearray(48)
        answer[0] = opcode | 0x20
        answer[1] = 0x80
        answer[16:20] = bhs[16:20]
        command = int.from_bytes(bhs[24:28], "big")
        text = []
        if opcode == LOGIN:
            answer[1] = bhs[1]
            answer[8:14] = bhs[8:14]
            answer[14:16] = b"\0\1"
            text = agree(data)
        elif opcode == TEXT:
            answer[20:24] = b"\xff" * 4
            text = targets
            command += 1
        elif opcode != LOGOUT:
            return
        struct.pack_into(">III", answer, 24, stat, command, command + 8)
        give_pdu(conn, answer, text)
        if opcode == LOGOUT:
            return
        stat += 1
        bhs, data = take_pdu(conn)


def copy(a, b):
    try:
        while True:
            data = a.recv(1 << 16)
            if not data:
                break
            b.sendall(data)
    except OSError:
        pass
    for s in (a, b):
        try:
            s.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass


def serve(conn, to, targets):
    try:
        bhs, data = take_pdu(conn)
        if b"SessionType=Discovery" in data:
            discovery(conn, bhs, data, targets)
            conn.close()
            return
        print("login", bhs[8:14].hex(), bhs[14:16].hex(), flush=True)
        onward = socket.create_connection(to)
    except (EOFError, OSError):
        conn.close()
        return
    onward.sendall(bhs + data + b"\0" * (-len(data) % 4))
    threading.Thread(target=copy, args=(onward, conn), daemon=True).start()
    copy(conn, onward)


def main():
    here, to = endpoint(sys.argv[1]), endpoint(sys.argv[2])
    targets, last = [], None
    for item in sys.argv[3:]:
        target, portal = item.split("=")
        if target != last:
            targets.append("TargetName=" + target)
        targets.append("TargetAddress=" + portal)
        last = target
    listener = socket.create_server(here)
    print("ready", flush=True)
    while True:
        conn, _ = listener.accept()
        threading.Thread(target=serve, args=(conn, to, targets),
                         daemon=True).start()


if __name__ == "__main__":
    main()
