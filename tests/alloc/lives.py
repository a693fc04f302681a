# SPDX-License-Identifier: BSD-2-Clause
"""The lives, the shortest first: what is done in each, and what must hold."""
import functools
import os

import nbd

import cli
from disk import CHUNK, Disk, File, Nbd, Tls
from life import ONCE, have_fuse


class World:
    """The devices of a life, and whoever uses them."""

    def __init__(self, life):
        lane, self.life = life.lane, life
        self.disks = {"db0": Disk(life, 1), "db1": Disk(life, 2),
                      "tmp": Disk(life, 3)}
        self.unix = Nbd("db0", lane.path("db0.sock"))
        self.tls = Tls("db1", lane.a1)
        self.file = File(lane.path("db0.img"))
        self.tmp = Nbd("tmp", lane.path("tmp.sock"))

    def clients(self, devices):
        """Pairs of client and disk."""
        if "db0" in devices:
            yield self.unix, self.disks["db0"]
            if have_fuse() and not self.life.lost_file():
                yield self.file, self.disks["db0"]
        if "db1" in devices:
            yield self.tls, self.disks["db1"]

    def close(self):
        for client in (self.unix, self.tls, self.file, self.tmp):
            client.close()


def begin(life, **how):
    """Starts a daemon; the world it is in."""
    world = World(life)
    life.configure(**how)
    life.start()
    return world


def finish(life, world):
    """It works, it ends, and what it acknowledged is there."""
    for n, (client, disk) in enumerate(world.clients(life.devices)):
        disk.works(client, n)
    world.close()
    life.stop()
    for disk in world.disks.values():
        disk.check_all()
        if disk.refused:
            life.refused.append("%d I/Os" % disk.refused)


def start(life):
    """Two devices come up, are used once, and go."""
    world = begin(life, discover=True)
    finish(life, world)


def attach(life, world):
    lane = life.lane
    request = dict(
        name="tmp", urls=[lane.url(3), lane.url(3, lane.a2)],
        nbd=["unix:" + lane.path("tmp.sock")],
        fuse=[lane.path("tmp.img")] if have_fuse() else [],
        options={"no-path-timeout": "4s"})

    def is_there():
        return life.paths("tmp") > 0 and \
            os.path.exists(lane.path("tmp.sock"))

    if "error" not in life.do("attach", is_there, **request):
        world.disks["tmp"].works(world.tmp, 5)
        if have_fuse():
            world.disks["tmp"].works(File(lane.path("tmp.img")), 6)
    world.tmp.close()


def detach(life):
    life.do("detach", lambda: not life.device("tmp") and not
            os.path.exists(life.lane.path("tmp.sock")), device="tmp",
            now=False)


def look(life, names):
    """What shows: all of it, or an error."""
    for command in "status", "stats":
        def whole(reply):
            return "error" in reply or \
                sorted(d["name"] for d in reply["devices"]) == sorted(names)

        if not whole(life.do(command)):
            raise life.bad("%s lacks a device" % command)
    life.do("events", wait=False)


def control(life):
    """Devices come, change and go at the control socket."""
    world = begin(life, devices=("db0",))
    life.do("wait", lambda: life.paths("db0") == 2, device="db0", paths=2,
            timeout=5)
    look(life, ["db0"])
    attach(life, world)
    life.do("set", lambda: life.device("db0").get("policy") == "failover",
            device="db0", values=[["policy", "failover"]])
    life.configure(portals=1)
    life.do("reload", lambda: life.paths("db0") == 1 and
            life.ready() and life.device("db0").get("policy") == "round-robin")
    look(life, ["db0", "db1", "tmp"])
    life.configure(devices=("db0",))
    life.do("reload", lambda: not life.device("db1"))
    detach(life)
    finish(life, world)


def disabled(life, n):
    return lambda: life.paths("db0", "disabled") == n


def reservation(life):
    """Registers, reserves, and takes both back; what earlier lives have left
    at the target goes first."""
    def ask(verb, **more):
        return life.ask("pr", device="db0", verb=verb, **more)

    def keys(wanted):
        return lambda: set(ask("read-keys").get("keys", ["?"])) == wanted

    def held(wanted):
        return lambda: bool(ask("read-reservation").get(
            "reservation", not wanted)) == wanted

    for verb, more, holds in (
            ("register", {"key": "0xabc"}, None),
            ("clear", {}, keys(set())),
            ("register", {"key": "0xabc"}, keys({"0xabc"})),
            ("reserve", {"type": "wero"}, held(True)),
            ("release", {}, held(False)),
            ("register", {"key": "0"}, keys(set()))):
        life.do("pr", holds, device="db0", verb=verb, **more)
    for verb in "read-keys", "read-reservation":
        life.do("pr", device="db0", verb=verb)
    ask("read-full-status")  # tgt lacks it


def path(life):
    """Paths fail, by command, by a fault and by the target."""
    world = begin(life, devices=("db0",))
    life.do("wait", device="db0", paths=2, timeout=5)
    life.do("path", disabled(life, 1), device="db0", verb="fail", path="0")
    life.do("path", disabled(life, 0), device="db0", verb="restore", path="0")
    life.do("wait", device="db0", paths=2, timeout=5)
    life.do("fault", device="db0", path="0", kind="delay", value="20")
    world.disks["db0"].works(world.unix, 3)
    life.do("fault", device="db0", path="0", kind="off")
    life.do("fault", device="db0", path="1", kind="rate", value="100MiB")
    for n in range(4):
        world.disks["db0"].works(world.unix, n)
    life.do("fault", device="db0", path="1", kind="off")
    for n in 0, 1:
        life.do("wait", device="db0", paths=2, timeout=5)
        life.do("fault", device="db0", path=str(n), kind="drop")
    life.do("wait", device="db0", paths=2, timeout=5)
    reservation(life)
    look(life, ["db0"])
    finish(life, world)


def under_way(life, disk, client):
    """Writes that are under way while their path goes."""
    client.open()
    done = {}
    for n in range(8, 16):
        value = disk.fill()
        disk.may[n] = disk.may[n] | {value}

        def on_done(err, n=n, value=value):
            done[n] = None if err.value else value
            return 1

        client.h.aio_pwrite(nbd.Buffer.from_bytearray(
            bytearray([value]) * CHUNK), n * CHUNK, on_done)
    life.ask("fault", device="db0", path="0", kind="drop")
    life.ask("fault", device="db0", path="1", kind="drop")
    try:
        while client.h.aio_in_flight():
            client.h.poll(10000)
    except nbd.Error:
        client.close()
    for n, value in done.items():
        if value:
            disk.may[n] = {value}
    for n in range(8, 16):
        disk.read(client, n)


def io(life):
    """All that clients ask for, and paths that go meanwhile."""
    world = begin(life)
    for client, disk in world.clients(life.devices):
        for n, how in enumerate(("write", "trim", "zero")):
            disk.write(client, 4 + n, how)
            disk.read(client, 4 + n)
        disk.attempt("asking", client, client.more)
    for client in world.unix, world.tls:
        disk = world.disks[client.export]
        disk.write(client, 2, "fua")
        disk.write(client, 3, "pieces")
        disk.attempt("list", client, client.listed)
    life.do("wait", device="db0", paths=2, timeout=5)
    try:
        under_way(life, world.disks["db0"], world.unix)
    except nbd.Error:
        world.unix.close()
    finish(life, world)


def isns(life):
    """The target's second portal is known to the iSNS server only."""
    world = begin(life, devices=("db0",), portals=1, discover=True,
                  daemon="isns-server = " + life.lane.a1)
    if not life.eventually(lambda: life.paths("db0") == 2, 15) and \
            life.mode == ONCE:
        raise life.bad("no path to what the iSNS server lists")
    finish(life, world)


LIVES = {"start": start, "control": control, "path": path, "io": io,
         "isns": isns}
LIVES["umpio-top"] = functools.partial(cli.screen, _=None)
for name in cli.COMMANDS:
    LIVES["umpio-" + name] = functools.partial(cli.call, name=name)
