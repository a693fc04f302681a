# SPDX-License-Identifier: BSD-2-Clause
"""umpio beside a healthy daemon: what it prints is all, or it fails."""
import os
import pty
import re
import subprocess

from life import LIMIT, REPORT, Bad, Ended, preloaded

COMMANDS = {
    "status": "status",
    "stats": "--json stats",
    "wait": "wait db0",
    "events": "events --no-follow",
    "events-json": "--json events --no-follow",
    "set": "set db0 policy=round-robin",
    "attach": "attach db1 {url} --nbd unix:{dir}/db1.sock "
              "-o no-path-timeout=9s",
    "path": "path restore db0 0",
    "fault": "fault off db0 0",
    "pr": "pr read-keys db0",
    "reload": "--json reload",
    "discover": "discover {portal} --initiator-name {iqn}.cli",
    "discover-json": "--json discover {portal} --initiator-name {iqn}.cli",
}


def settled(text):
    """Without what differs from one moment to the next."""
    return re.sub(r"[0-9.]+( ?([kMG]i?)?B(/s)?| ?[mu]?s)?|\s+|-", "#",
                  text).replace("##", "#")


def run(life, words, env):
    try:
        return subprocess.run(
            ["umpio", "--control", os.environ["UMPIO_HEALTHY"]] + words,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, text=True, timeout=LIMIT, check=False,
            env=dict(env, XDG_STATE_HOME=life.lane.path("state")))
    except subprocess.TimeoutExpired:
        raise Bad("umpio %s does not end" % words[0]) from None


def screen(life, _):
    """umpio top on a terminal of its own, until it has shown the device."""
    ours, its = pty.openpty()
    top = subprocess.Popen(
        ["umpio", "--control", os.environ["UMPIO_HEALTHY"], "top"],
        stdin=its, stdout=its, stderr=open(life.lane.path("log"), "w"),
        env=dict(preloaded(life.lane, life.fail), TERM="xterm"))
    os.close(its)
    shown, told = b"", False
    try:
        while b"\r" not in shown or top.poll() is None:
            shown += os.read(ours, 65536)
            if b"db0" in shown and not told:
                told = os.write(ours, b"q")
    except OSError:  # it has closed the terminal
        pass
    os.close(ours)
    status = top.wait(LIMIT)
    with open(life.lane.path("log")) as f:
        said = f.read()
    if REPORT.search(said) or status not in (0, 1, 2):
        raise Bad("umpio top ended with %d" % status)
    if status and len(said.strip().split("\n")) != 1:
        raise Bad("umpio top: no line of error")
    if status:
        raise Ended(said.strip())
    if not told:
        raise Bad("umpio top shows nothing")


def one_line(words, done):
    text = done.stdout if "--json" in words and not done.stderr \
        else done.stderr
    return len(text.strip().split("\n")) == 1 and len(text) > 10


def call(life, name):
    """One command, which fails or prints what it prints with memory."""
    words = COMMANDS[name].format(
        dir=os.environ["UMPIO_HEALTHY"] + ".d", iqn=life.lane.iqn,
        url=os.environ["UMPIO_HEALTHY_URL"],
        portal=life.lane.a1).split()
    want = run(life, words, os.environ)
    if want.returncode != 0:
        raise Bad("umpio %s: %s" % (name, want.stderr))
    done = run(life, words, preloaded(life.lane, life.fail))
    with open(life.lane.path("log"), "w") as f:
        f.write(done.stdout + done.stderr)
    if REPORT.search(done.stderr) or done.returncode not in (0, 1, 2):
        raise Bad("umpio %s ended with %d" % (name, done.returncode))
    if done.returncode and not one_line(words, done):
        raise Bad("umpio %s: no line of error" % name)
    if done.returncode:
        raise Ended(done.stderr.strip() or done.stdout.strip())
    said_so = "annot allocate memory" in done.stdout
    if not said_so and settled(done.stdout) != settled(want.stdout):
        raise Bad("umpio %s ended well and lacks something: %s\n%s"
                  % (name, settled(want.stdout), settled(done.stdout)))
    if done.stderr.strip():
        life.refused.append(done.stderr.strip())
