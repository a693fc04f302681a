# SPDX-License-Identifier: BSD-2-Clause
"""One umpiod in one lane: its configuration, its control socket, its end."""
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import time

LIMIT = 60  # seconds that a life may take
LEAKS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "leaks")
ONCE, ALWAYS = "once", "always"
REPORT = re.compile(r"Sanitizer|runtime error|Assertion|assert")


class Bad(Exception):
    """What must not be."""


class Ended(Exception):
    """The daemon did not start, and said so."""


class Lane:
    """Folder and addresses."""

    def __init__(self, line):
        self.dir, self.a1, self.a2 = line.split()
        self.iqn = os.environ["UMPIO_IQN"]
        self.control = self.path("control")

    def path(self, name):
        return os.path.join(self.dir, name)

    def url(self, lun, at=None):
        return "iscsi://%s/%s/%d" % (at or self.a1, self.iqn, lun)

    def clean(self):
        for name in os.listdir(self.dir):
            path = self.path(name)
            if name.endswith(".img"):
                subprocess.run(["umount", "-l", path], check=False,
                               stderr=subprocess.DEVNULL)
            if name.startswith("disk"):
                continue
            if os.path.isdir(path):
                shutil.rmtree(path)
            else:
                os.unlink(path)


DAEMON = """[daemon]
initiator-name = {iqn}.host
instance = {dir}
shutdown-timeout = 3s
{daemon}
[target array]
target = {iqn}
portal = {a1}:3260
{more}
hold-down = no
no-path-timeout = 4s
"""
DEVICES = {
    "db0": "[device db0]\ntarget = array\nlun = 1\nnbd = unix:{dir}/db0.sock\n",
    "db1": "[device db1]\ntarget = array\nlun = 2\ntls = required\n"
           "tls-psk-file = {keys}\nnbd = tcp:{a1}:10809\n",
}
FUSE = "fuse = {dir}/db0.img\n"


def have_fuse():
    return os.access("/dev/fuse", os.W_OK)


slowly = False  # with whole stacks in what leaks, which takes five times as long


def preloaded(lane, fail):
    """The environment of a program whose allocations are counted, and fail."""
    env = dict(os.environ, LD_PRELOAD=os.environ["UMPIO_PRELOAD"],
               UMPIO_WAYS=lane.path("ways"),
               ASAN_OPTIONS="verify_asan_link_order=0:exitcode=99:"
                            "fast_unwind_on_malloc=%d" % (not slowly),
               LSAN_OPTIONS="print_suppressions=0:suppressions=" + LEAKS,
               XDG_STATE_HOME=lane.path("state"))
    if fail:
        env["UMPIO_FAIL"] = fail
    return env


class Life:
    """From a configuration to an exit status. `fail` is None, or the value of
    UMPIO_FAIL; `mode` says whether what failed works when done again."""

    def __init__(self, lane, fail=None, mode=ONCE):
        self.lane, self.fail, self.mode = lane, fail, mode
        self.refused = []
        self.process = None
        self.devices = []

    @staticmethod
    def bad(why):
        return Bad(why)

    # -- the process

    def configure(self, devices=("db0", "db1"), portals=2, daemon="",
                  discover=False):
        words = dict(dir=self.lane.dir, iqn=self.lane.iqn, a1=self.lane.a1,
                     keys=os.environ["UMPIO_KEYS"], daemon=daemon)
        words["more"] = "portal = %s:3260" % self.lane.a2 \
            if portals == 2 else ""
        if discover:
            words["more"] += "\ndiscover = yes"
        text = DAEMON.format(**words)
        for name in devices:
            text += DEVICES[name].format(**words)
            if name == "db0" and have_fuse():
                text += FUSE.format(**words)
        with open(self.lane.path("umpio.conf"), "w") as f:
            f.write(text)
        self.devices = list(devices)

    def start(self):
        self.process = subprocess.Popen(
            ["umpiod", "--control", self.lane.control, "--config",
             self.lane.path("umpio.conf")],
            env=preloaded(self.lane, self.fail),
            stdin=subprocess.DEVNULL,
            stdout=open(self.lane.path("out"), "w"),
            stderr=open(self.lane.path("log"), "w"))
        with open(self.lane.path("pid"), "w") as f:
            f.write(str(self.process.pid))
        self.wait_ready()

    def text(self, name):
        with open(self.lane.path(name), errors="replace") as f:
            return f.read()

    def errors(self):
        return [line for line in self.text("log").split("\n")
                if " error " in line or line.startswith("umpiod: ")]

    def lost_file(self):
        """A FUSE file that ended, which was said: it does not come back."""
        return "the block file ends: " in self.text("log")

    def ready(self):
        out = self.text("out")
        return all("%s ready: " % name in out for name in self.devices)

    def wait_ready(self):
        end = time.monotonic() + (8 if self.mode == ONCE else 2)
        while not self.ready() and time.monotonic() < end:
            if self.process.poll() is not None:
                self.ended_early()
            if self.mode == ONCE and self.errors():
                break
            time.sleep(0.005)
        # What was given up may be the daemon's end, or one device's.
        if self.mode == ONCE and self.eventually(self.is_over, 1.5):
            self.ended_early()
        if not self.ready() and self.mode == ONCE:
            self.second_chance()

    def is_over(self):
        return self.ready() or self.process.poll() is not None

    def second_chance(self):
        """A device of the configuration was given up, which was said."""
        if not self.errors():
            raise Bad("not ready, and not a word of it")
        self.do("reload")
        if not self.eventually(self.ready, 6):
            raise Bad("not ready after a reload")

    def ended_early(self):
        status = self.process.poll()
        if status is None:
            return
        self.no_report()
        if status not in (1, 2):
            raise Bad("umpiod ended with %d" % status)
        if len(self.errors()) != 1:
            raise Bad("umpiod ended with %d lines of error"
                      % len(self.errors()))
        raise Ended(self.errors()[0])

    def is_dead(self):
        """Why, when it is: a crash shows first as a closed socket."""
        if not self.process:
            return None
        try:
            status = self.process.wait(1)
        except subprocess.TimeoutExpired:
            return None
        return "umpiod ended with %d" % status

    def no_report(self):
        found = REPORT.search(self.text("log"))
        if found:
            raise Bad("the log has: %s" % found.group())

    def stop(self):
        if self.process.poll() is not None:
            self.no_report()
            raise Bad("umpiod ended by itself with %d"
                      % self.process.returncode)
        self.process.send_signal(signal.SIGTERM)
        try:
            status = self.process.wait(12)
        except subprocess.TimeoutExpired:
            raise Bad("umpiod does not end") from None
        self.no_report()
        if status == 1 and self.errors():
            self.refused.append("at the end: " + self.errors()[-1])
        elif status != 0:
            raise Bad("umpiod ended with %d" % status)

    def kill(self):
        if self.process and self.process.poll() is None:
            self.process.kill()
            self.process.wait()

    # -- commands

    def ask(self, command, **members):
        request = dict(members, command=command)
        try:
            with socket.socket(socket.AF_UNIX) as s:
                s.settimeout(10)
                s.connect(self.lane.control)
                s.sendall(json.dumps(request).encode() + b"\n")
                line = b""
                while not line.endswith(b"\n"):
                    more = s.recv(65536)
                    if not more:
                        break
                    line += more
        except TimeoutError:
            raise Bad("%s: no answer" % command) from None
        except OSError as e:
            return {"error": "the control socket: %s" % e}
        if not line:
            return {"error": "the connection was closed"}
        try:
            return json.loads(line)
        except ValueError:
            raise Bad("%s: no JSON: %r" % (command, line[-80:])) from None

    def do(self, command, is_done=None, **members):
        """Has a command done; the second time it must succeed, unless its
        allocations always fail. What answered well must hold."""
        for _ in range(2):
            reply = self.ask(command, **members)
            if "error" not in reply:
                if is_done and self.mode == ONCE and \
                        not self.eventually(is_done, 5):
                    raise Bad("%s %s: answered, not done"
                              % (command, members))
                return reply
            if not reply["error"] or "\n" in reply["error"]:
                raise Bad("%s: not a line: %r" % (command, reply["error"]))
            self.refused.append("%s: %s" % (command, reply["error"]))
            if is_done and self.eventually(is_done, 0.2):
                return reply
        if self.mode == ONCE:
            raise Bad("%s %s: %s" % (command, members, reply["error"]))
        return reply

    def device(self, name):
        found = [d for d in self.ask("status").get("devices", [])
                 if d.get("name") == name]
        return found[0] if found else {}

    def paths(self, name, state="active"):
        return sum(p.get("state") == state
                   for p in self.device(name).get("paths") or [])

    @staticmethod
    def eventually(is_so, seconds):
        end = time.monotonic() + seconds
        while True:
            if is_so():
                return True
            if time.monotonic() > end:
                return False
            time.sleep(0.01)
