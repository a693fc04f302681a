# SPDX-License-Identifier: BSD-2-Clause
"""Ways to allocations, as preload.c keeps them in a file."""
import collections
import struct
import subprocess

HEAD = struct.Struct("<II")
WAY = struct.Struct("<QII6Q32s")

Way = collections.namedtuple("Way", "number hits frames library")


def read(path):
    """All ways seen, and how many allocations were failed."""
    with open(path, "rb") as f:
        data = f.read()
    n, failed = HEAD.unpack_from(data)
    ways = []
    for i in range(n):
        number, hits, nframes, *rest = WAY.unpack_from(
            data, HEAD.size + i * WAY.size)
        library = rest.pop().split(b"\0")[0].decode()
        ways.append(Way(number, hits, rest[:nframes], library))
    return ways, failed


def places(program, frames):
    """`function file:line` of each, the nearest first."""
    out = subprocess.run(
        ["addr2line", "-f", "-s", "-e", program] +
        ["%x" % (at - 1) for at in frames],
        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
        check=False).stdout.split("\n")
    return ["%s %s" % (out[i], out[i + 1]) for i in range(0, len(out) - 1, 2)]
