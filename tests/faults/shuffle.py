#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""shuffle.py PID ADDRESS: carries the packets between this network namespace
and that of PID through two tunnels, for ADDRESS; of every ten, one comes twice
and one comes behind the next one. Prints `ready`; ends on SIGTERM, and the
tunnels, with their routes, with it.

The far end answers through its tunnel too, since the near end's packets come
from an address of it.
"""
import ctypes
import fcntl
import os
import random
import select
import struct
import subprocess
import sys

TUNSETIFF = 0x400454CA
IFF_TUN, IFF_NO_PI = 1, 0x1000
CLONE_NEWNET = 0x40000000


def tunnel(name):
    fd = os.open("/dev/net/tun", os.O_RDWR)
    request = struct.pack("16sH", name.encode(), IFF_TUN | IFF_NO_PI)
    fcntl.ioctl(fd, TUNSETIFF, request)
    return fd


def ip(*words):
    subprocess.run(["ip", *words], check=True)


def enter(path):
    fd = os.open(path, os.O_RDONLY)
    if ctypes.CDLL(None, use_errno=True).setns(fd, CLONE_NEWNET):
        raise OSError(ctypes.get_errno(), "setns")
    os.close(fd)


def near_end(address):
    fd = tunnel("tnear")
    ip("link", "set", "tnear", "up")
    ip("route", "add", address + "/32", "dev", "tnear")
    return fd


def far_end(pid, source):
    enter(f"/proc/{pid}/ns/net")
    fd = tunnel("tfar")
    ip("link", "set", "tfar", "up")
    ip("route", "add", source + "/32", "dev", "tfar")
    return fd


def carry(from_fd, to_fd, late):
    """One packet; returns what is to follow the next one."""
    packet = os.read(from_fd, 65536)
    luck = random.randrange(10)
    if luck == 0 and late is None:
        return packet
    os.write(to_fd, packet)
    if luck == 1:
        os.write(to_fd, packet)
    if late is not None:
        os.write(to_fd, late)
    return None


def main():
    pid, address = sys.argv[1:]
    source = address.rsplit(".", 1)[0] + ".1"
    near = near_end(address)
    far = far_end(pid, source)
    other = {near: far, far: near}
    late = {near: None, far: None}
    print("ready", flush=True)
    while True:
        ready, _, _ = select.select(list(other), [], [], 0.01)
        for fd in ready:
            late[fd] = carry(fd, other[fd], late[fd])
        for fd in set(other) - set(ready):
            if late[fd] is not None:
                os.write(other[fd], late[fd])
                late[fd] = None


main()
