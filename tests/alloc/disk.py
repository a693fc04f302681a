# SPDX-License-Identifier: BSD-2-Clause
"""Clients of a device that know what each chunk of it may hold."""
import ctypes
import mmap
import os

import nbd

from life import ONCE, Bad

CHUNK = 65536
CHUNKS = 32  # chunks that a life may touch


class Disk:
    """What a LUN may hold: for each chunk the bytes that fill it."""

    def __init__(self, life, lun):
        self.life = life
        self.file = life.lane.path("disk%d" % lun)
        self.may = {}
        self.next = 1
        self.refused = 0
        with open(self.file, "r+b") as f:
            f.write(bytes(CHUNKS * CHUNK))
        self.may = {n: {0} for n in range(CHUNKS)}

    def fill(self):
        self.next += 1
        return self.next

    def check(self, n, data, who):
        values = set(data)
        if len(data) != CHUNK or not values <= self.may[n] or \
                len(values) != 1 and len(self.may[n]) == 1:
            raise Bad("%s: chunk %d has %s instead of %s"
                      % (who, n, sorted(values), sorted(self.may[n])))

    def check_all(self):
        """In the target, after all."""
        with open(self.file, "rb") as f:
            for n in range(CHUNKS):
                self.check(n, f.read(CHUNK), "the target")

    def attempt(self, what, client, action):
        """True when it was done; once more when it was refused."""
        for _ in range(2):
            try:
                client.open()
                action()
                return True
            except (nbd.Error, OSError) as e:
                why = e
                self.refused += 1
                client.close()
        if self.life.mode == ONCE:
            raise Bad("%s does not work: %s" % (what, why))
        return False

    def write(self, client, n, how="write"):
        value = 0 if how in ("trim", "zero") else self.fill()
        self.may[n] = self.may[n] | {value}
        if self.attempt(how, client, lambda: getattr(client, how)(n, value)) \
                and how != "trim":
            self.may[n] = {value}

    def read(self, client, n):
        self.attempt("read", client,
                     lambda: self.check(n, client.read(n), client.name))

    def flush(self, client):
        self.attempt("flush", client, client.flush)

    def works(self, client, n):
        self.write(client, n)
        self.flush(client)
        self.read(client, n)


class Nbd:
    name = "NBD"

    def __init__(self, export, uri=None):
        self.export, self.uri, self.h = export, uri, None

    def connected(self):
        h = nbd.NBD()
        h.set_export_name(self.export)
        h.add_meta_context("base:allocation")
        h.set_handshake_flags(h.get_handshake_flags())
        self.options(h)
        return h

    def open(self):
        if not self.h:
            self.h = self.connected()

    def options(self, h):
        h.connect_unix(self.uri)

    def close(self):
        h, self.h = self.h, None
        if h and h.aio_is_ready():
            h.shutdown()

    def write(self, n, value):
        self.h.pwrite(bytes([value]) * CHUNK, n * CHUNK)

    def fua(self, n, value):
        self.h.pwrite(bytes([value]) * CHUNK, n * CHUNK, nbd.CMD_FLAG_FUA)

    def pieces(self, n, value):
        for at in range(n * CHUNK, (n + 1) * CHUNK, CHUNK // 4):
            self.h.pwrite(bytes([value]) * (CHUNK // 4), at)

    def zero(self, n, _):
        self.h.zero(CHUNK, n * CHUNK)

    def trim(self, n, _):
        self.h.trim(CHUNK, n * CHUNK)

    def read(self, n):
        return bytes(self.h.pread(CHUNK, n * CHUNK))

    def flush(self):
        self.h.flush()

    def more(self):
        """What else there is to ask for."""
        self.h.block_status(CHUNK * CHUNKS, 0, lambda *a: 0)

    def listed(self):
        """Asks for the list of exports, on a connection of its own."""
        h, names = nbd.NBD(), []
        h.set_opt_mode(True)
        self.options(h)
        h.opt_list(lambda name, _: names.append(name) or 0)
        h.opt_abort()
        if self.export not in names:
            raise Bad("the list of exports lacks %s: %s"
                      % (self.export, names))


class Tls(Nbd):
    name = "NBD over TLS"

    def options(self, h):
        h.set_tls(nbd.TLS_REQUIRE)
        h.set_tls_username("alice")
        h.set_tls_psk_file(os.environ["UMPIO_KEYS"])
        h.connect_tcp(self.uri, "10809")


class File:
    """The FUSE file; what the kernel asks comes straight from us."""
    name = "FUSE"
    flags = os.O_RDWR | os.O_DIRECT

    def __init__(self, path):
        self.path, self.fd = path, -1
        self.room = mmap.mmap(-1, CHUNK)

    def open(self):
        if self.fd < 0:
            self.fd = os.open(self.path, self.flags)

    def close(self):
        if self.fd >= 0:
            os.close(self.fd)
        self.fd = -1

    def write(self, n, value):
        self.room[:] = bytes([value]) * CHUNK
        if os.pwrite(self.fd, self.room, n * CHUNK) != CHUNK:
            raise OSError("short write")

    def trim(self, n, _):
        libc = ctypes.CDLL(None, use_errno=True)
        if libc.fallocate(self.fd, 3, ctypes.c_long(n * CHUNK),
                          ctypes.c_long(CHUNK)) < 0:
            raise OSError(ctypes.get_errno(), "fallocate")

    zero = trim

    def read(self, n):
        if os.preadv(self.fd, [self.room], n * CHUNK) != CHUNK:
            raise OSError("short read")
        return bytes(self.room)

    def flush(self):
        os.fsync(self.fd)

    def more(self):
        os.stat(self.path)
        os.statvfs(self.path)


