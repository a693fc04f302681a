# SPDX-License-Identifier: BSD-2-Clause
"""Counts the ways to allocations in each life, then fails one at a time. Its
head is in `daemon`, which makes the world for it."""
import argparse
import collections
import os
import pickle
import re
import signal
import sys
import time
import traceback

import life
import lives
import ways
from life import ALWAYS, LIMIT, ONCE, Bad, Ended, Lane, Life

# json-c's parser takes a member's name of which it has no copy for one.
PARSER = re.compile(r"Sanitizer: SEGV.*json_object_object_add_ex[^\n]*\n"
                    r"[^\n]*json_tokener_parse_ex", re.S)

Job = collections.namedtuple("Job", "life way first many mode")
Outcome = collections.namedtuple("Outcome", "verdict why reached seconds log")


def live(lane, job):
    """One life, in this process. Where the C library's and json-c's frames are
    cut off, no leak of theirs is known as such: it is looked at again."""
    verdict = live_once(lane, job)
    if verdict[0] == "BAD" and "LeakSanitizer" in said(lane):
        life.slowly = True
        verdict = live_once(lane, job)
    if verdict[0] == "BAD" and PARSER.search(said(lane)):
        verdict = "json-c", verdict[1]
    return verdict


def said(lane):
    try:
        with open(lane.path("log"), errors="replace") as f:
            return f.read()
    except OSError:
        return ""


def live_once(lane, job):
    fail = "%x:%d:%d" % (job.way.number, job.first, job.many) \
        if job.way else None
    its = Life(lane, fail, job.mode)
    verdict, why = "goes on", ""
    try:
        lane.clean()
        lives.LIVES[job.life](its)
        if its.refused:
            verdict, why = "refused", its.refused[0]
    except Ended as e:
        verdict, why = "ended", str(e)
    except Bad as e:
        verdict, why = "BAD", "; ".join(filter(None, (str(e), its.is_dead())))
    except Exception:
        verdict, why = "BAD", traceback.format_exc()
    its.kill()
    return verdict, why


def child(lane, job, to):
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    os.setsid()
    with open(to, "wb") as f:
        pickle.dump(live(lane, job), f)
    os._exit(0)


def begin(lane, job):
    pid = os.fork()
    if pid == 0:
        child(lane, job, lane.dir + ".result")
    return pid, time.monotonic()


def end(lane, pid, since):
    """None while it lives."""
    done, _ = os.waitpid(pid, os.WNOHANG)
    seconds = time.monotonic() - since
    if not done and seconds < LIMIT:
        return None
    if not done:
        os.killpg(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        verdict, why = "BAD", "hangs"
    else:
        with open(lane.dir + ".result", "rb") as f:
            verdict, why = pickle.load(f)
    try:
        seen = ways.read(lane.path("ways"))
    except OSError:
        seen = [], 0
    return Outcome(verdict, why, seen, seconds, said(lane))


def step(lane, jobs, busy, on_outcome):
    if lane in busy:
        job, pid, since = busy[lane]
        outcome = end(lane, pid, since)
        if outcome:
            del busy[lane]
            on_outcome(job, outcome)
    if lane not in busy and jobs:
        job = jobs.popleft()
        busy[lane] = (job, *begin(lane, job))


def run(lanes, jobs, on_outcome):
    """Two at a time, or as many as there are lanes."""
    jobs, busy = collections.deque(jobs), {}
    try:
        while jobs or busy:
            for lane in lanes:
                step(lane, jobs, busy, on_outcome)
            time.sleep(0.005)
    finally:
        for _, pid, _ in busy.values():
            os.killpg(pid, signal.SIGKILL)


def count(lanes, names):
    """The ways of each life, those of earlier ones left out."""
    found, known = {}, set()

    def on_outcome(job, outcome):
        if outcome.verdict != "goes on":
            sys.exit("%s without failures: %s\n%s"
                     % (job.life, outcome.why, outcome.log))
        found[job.life] = outcome.reached[0]
        print("%s: %d ways, %.1f s"
              % (job.life, len(outcome.reached[0]), outcome.seconds))

    run(lanes, [Job(n, None, 0, 0, ONCE) for n in names], on_outcome)
    for name in names:
        found[name] = [w for w in found[name] if w.number not in known]
        known |= {w.number for w in found[name]}
    return found


def failures(way, full):
    """Which hits of a way fail, and what is expected."""
    yield 1, 1, ONCE
    if way.library and way.hits > 2:
        yield way.hits // 2, 1, ONCE
    if full and not way.library.startswith("libev"):
        yield 1, 1 << 30, ALWAYS


def places(name, way):
    program = "cli/umpio" if name.startswith("umpio-") else "umpiod"
    return ways.places(os.path.join(os.environ["UMPIO_PROGRAMS"], program),
                       way.frames)


def is_wanted(name, way, function):
    return not function or any(place.split()[0] == function
                               for place in places(name, way))


class Report:
    def __init__(self, verbose):
        self.verdicts = collections.Counter()
        self.ways = set()
        self.verbose = verbose

    def take(self, job, outcome):
        verdict = outcome.verdict
        if verdict not in ("BAD", "json-c") and not outcome.reached[1]:
            verdict = "not reached"
        else:
            self.ways.add(job.way.number)
        self.verdicts[verdict] += 1
        if verdict == "BAD" or self.verbose:
            print("%s: --life %s --way %x:%d:%d: %s"
                  % (verdict, job.life, job.way.number, job.first, job.many,
                     outcome.why), flush=True)
        if verdict == "BAD":
            for place in places(job.life, job.way):
                print("    " + place)
            print("    " + job.way.library)
            print("\n".join("    | " + line for line in
                            outcome.log.split("\n")[:60] if line and
                            " info " not in line), flush=True)


def options():
    p = argparse.ArgumentParser()
    p.add_argument("--sample", type=int, metavar="N")
    p.add_argument("--life", choices=list(lives.LIVES), action="append")
    p.add_argument("--way")
    p.add_argument("--function", metavar="NAME")
    p.add_argument("--full", action="store_true")
    p.add_argument("--verbose", action="store_true")
    return p.parse_args()


def main():
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("ended by a signal"))
    args = options()
    report = Report(args.verbose)
    with open(os.environ["UMPIO_LANES"]) as f:
        lanes = [Lane(line) for line in f]
    if args.way:
        number, first, many = args.way.split(":")
        way = ways.Way(int(number, 16), 0, [], "")
        mode = ONCE if int(many) == 1 else ALWAYS
        jobs = [Job(args.life[0], way, int(first), int(many), mode)]
    else:
        names = args.life or list(lives.LIVES)
        found = count(lanes, names)
        jobs = [Job(name, way, *f) for name in names for way in found[name]
                if is_wanted(name, way, args.function) for f in failures(way, args.full)]
        if args.sample:
            jobs = jobs[::max(1, -(-len(jobs) // args.sample))]
    run(lanes, jobs, report.take)
    print("%d ways failed in %d lives: %s"
          % (len(report.ways), len(jobs), ", ".join(
              "%d %s" % (n, v) for v, n in report.verdicts.items())))
    return 1 if report.verdicts["BAD"] else 0


sys.exit(main())
