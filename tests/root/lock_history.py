#!/usr/bin/python3
# SPDX-License-Identifier: MIT
# not a test
"""Judges what lock_stress.py and helpers/copier.c wrote down.

    lock_history.py check FILE          names every promise that was broken
    lock_history.py doctor RULE FILE    prints it with one more event or two,
                                        so that "check" must name that RULE

One event to a line, "NANOSECONDS PID WHO RUN EVENT VALUE", the time by
CLOCK_BOOTTIME.  A span lies within what it tells of: a job "begins" after
veeam-lock has ended or was killed with a place in the queue, and "ends" before
veeam-unlock is called; a copy has the lock before it "copies" and still has it
when it has "copied"; its child "inherits" the lock and "leaves" with it.  So
whatever overlaps here did overlap.

    of a job     asks MINUTES, waits, begins EXITCODE, sample WHERE, ends,
                 unlocks EXITCODE, forgets; term: is told to end; unborn:
                 killed without a place in the queue; stuck
    of a copy    asks, waits, copies, inherits, leaves, yields, copied,
                 clean, unclean, unknown, released, busy, fails,
                 exits EXITCODE, stuck
    of the test  plan LOCKERSxROUNDSxCOPIERS, final STATE
"""
import sys
from collections import Counter, namedtuple

RULES = {
    "beside": "a copy that was called clean overlapped a job",
    "together": "a job that was granted its lock ran while a copy did",
    "copies": "two copies at the same time",
    "lost": "a job ran and nothing kept the copies away",
    "overtaken": "somebody who came later went first",
    "limit": "it waited until its time was over",
    "answer": "it asked and got no answer",
    "turns": "not everybody got a turn",
    "left": "something was left behind",
    "code": "a program failed",
}
# Who came later and went first, at most; a queue needs no tolerance.
OVERTAKEN_MAX = 0
# A copy here takes a fraction of a second, veeam-lock waits a minute.
LIMIT_NS = 55 * 10**9
# 75 refused, 143 asked to end, 137 killed.
JOB_CODES = {"0", "75", "137", "143"}

Event = namedtuple("Event", "t pid who run event value")


def read(path):
    events = []
    with open(path, encoding="utf-8") as f:
        for line in f:
            field = line.split()
            events.append(Event(int(field[0]), int(field[1]), *field[2:]))
    return sorted(events, key=lambda e: e.t)


class Job:
    """One run of a job."""

    def __init__(self, asks):
        self.who, self.run, self.asks = asks.who, asks.run, asks.t
        self.patient = asks.value != "0"
        self.waits = self.begins = self.ends = self.code = None
        self.answered = False

    def take(self, e):
        if e.event == "waits":
            self.waits = e.t
        elif e.event == "begins":
            self.begins, self.code = e.t, e.value
        elif e.event == "ends":
            self.ends = e.t
        elif e.event == "term":
            self.patient = False
        self.answered |= e.event in ("begins", "unborn", "stuck")

    def __str__(self):
        return "%s run %s" % (self.who, self.run)


class Copy:
    """One attempt of a copy: one that gave way begins another."""

    def __init__(self, asks):
        self.who, self.run, self.asks = asks.who, asks.run, asks.t
        self.waits = self.begins = self.ends = self.verdict = None
        self.child = None  # since when it has the lock
        self.ends_child = None
        self.answered = False

    def take(self, e):
        if e.event == "waits":
            self.waits = e.t
        elif e.event == "copies":
            self.begins = e.t
        elif e.event == "inherits":
            self.child = e.t
        elif e.event == "leaves":
            self.ends_child = e.t
        elif e.event == "copied":
            self.ends = e.t
        elif e.event in ("clean", "unclean", "unknown"):
            self.verdict = e.event
        self.answered |= e.event in ("copies", "busy", "fails", "stuck",
                                     "exits")

    def span(self):
        """Copy and child: while anybody surely wrote."""
        last = [t for t in (self.begins, self.child, self.ends,
                            self.ends_child) if t]
        return self.begins, max(last)

    def __str__(self):
        return "%s run %s" % (self.who, self.run)


class History:
    def __init__(self, events):
        self.events = events
        self.jobs, self.copies, self.broken = [], [], []
        now = {}
        for e in events:
            key = e.who, e.run
            if e.event == "asks":
                kind, many = ((Copy, self.copies) if e.who.startswith("copy")
                              else (Job, self.jobs))
                now[key] = kind(e)
                many.append(now[key])
            elif key in now:
                now[key].take(e)

    def breaks(self, rule, what, *args):
        self.broken.append("%s: %s: %s" % (rule, RULES[rule], what % args))

    def ran(self):
        return [j for j in self.jobs if j.begins and j.ends]

    def copied(self):
        return [c for c in self.copies if c.begins]

    def check_apart(self):
        for c in self.copied():
            begins, ends = c.span()
            for j in self.ran():
                if j.begins >= ends or j.ends <= begins:
                    continue
                if c.verdict == "clean":
                    self.breaks("beside", "%s, %s", c, j)
                if j.code == "0":
                    self.breaks("together", "%s, %s", j, c)

    def check_copies(self):
        last = None
        for c in sorted(self.copied(), key=lambda c: c.begins):
            if last and c.begins < last.span()[1]:
                self.breaks("copies", "%s, %s", last, c)
            if not last or c.span()[1] > last.span()[1]:
                last = c

    def check_order(self):
        jobs = [j for j in self.ran() if j.code == "0" and j.patient]
        waited = [(c, [j for j in jobs
                       if j.asks > c.waits and j.begins < c.begins] +
                   [d for d in self.copied()
                    if d.asks > c.waits and d.begins < c.begins])
                  for c in self.copied() if c.waits]
        waited += [(j, [c for c in self.copied()
                        if c.asks > j.waits and c.begins < j.begins])
                   for j in jobs if j.waits]
        for who, others in waited:
            if len(others) > OVERTAKEN_MAX:
                self.breaks("overtaken", "%s by %s", who, others[0])
        for j in self.ran():
            if j.code in ("0", "75") and j.begins - j.asks > LIMIT_NS:
                self.breaks("limit", "%s", j)

    def check_turns(self):
        for a in self.jobs + self.copies:
            if not a.answered:
                self.breaks("answer", "%s", a)
        plan = [e.value for e in self.events if e.event == "plan"]
        if not plan:
            self.breaks("turns", "no plan")
            return
        lockers, rounds, copiers = (int(n) for n in plan[0].split("x"))
        asked = Counter(j.who for j in self.jobs)
        judged = Counter(c.who for c in self.copies if c.verdict)
        if len(asked) < lockers or min(asked.values()) < rounds:
            self.breaks("turns", "jobs: %s", dict(asked))
        if len(judged) < copiers:
            self.breaks("turns", "copies: %s", dict(judged))

    def check_each(self):
        final = None
        for e in self.events:
            if e.event == "sample" and e.value not in ("lease", "ticket"):
                self.breaks("lost", "%s run %s", e.who, e.run)
            elif e.event == "final":
                final = e.value
            elif (e.event in ("stuck", "fails", "unknown") or
                  e.event == "unlocks" and e.value != "0" or
                  e.event == "begins" and e.value not in JOB_CODES or
                  e.event == "exits" and e.value not in ("0", "75", "137")):
                self.breaks("code", "%s run %s %s %s", e.who, e.run, e.event,
                            e.value)
        if final != "free":
            self.breaks("left", "%s", final)

    def check(self):
        self.check_apart()
        self.check_copies()
        self.check_order()
        self.check_turns()
        self.check_each()
        return self.broken

    def told(self):
        ran, copied = self.ran(), self.copied()
        n = Counter(e.event for e in self.events)
        verdicts = Counter(c.verdict or "without a verdict" for c in copied)
        orphans = sum(1 for c in copied if c.ends_child and not c.ends)
        waits = [j.begins - j.asks for j in ran if j.waits] or [0]
        copy_waits = [c.begins - c.asks for c in copied] or [0]
        return [
            "jobs: %d ran; %s; %d waited, %d forgot to unlock, %d killed "
            "without a place" % (
                len(ran), ", ".join("%d with %s" % (k, c) for c, k in sorted(
                    Counter(j.code for j in ran).items())),
                sum(1 for j in ran if j.waits), n["forgets"], n["unborn"]),
            "copies: %d ran; %s; %d left a child behind; %d found another "
            "copy" % (
                len(copied), ", ".join("%d %s" % (k, v) for v, k in sorted(
                    verdicts.items())), orphans, n["busy"]),
            "longest wait of a job %d ms, of a copy %d ms" % (
                max(waits) // 10**6, max(copy_waits) // 10**6),
            "samples of locks: %d" % n["sample"],
        ]


# --- a history that must be found wanting -----------------------------------


def doctored(events, rule):
    """What a broken program would have left."""
    h = History(events)
    pid, ghost = 1, []

    def add(t, who, event, value="-"):
        ghost.append(Event(t, pid, who, "0", event, value))

    def job(begins, ends, code, asks=None):
        add(asks or begins - 1, "jobghost", "asks", "1")
        add(begins, "jobghost", "begins", code)
        add(ends, "jobghost", "ends")

    clean = next(c for c in h.copied() if c.verdict == "clean")
    if rule == "beside":
        job(clean.begins + 1, clean.begins + 2, "75")
    elif rule == "together":
        job(clean.begins - 2, clean.begins + 2, "0")
    elif rule == "copies":
        # Also while only the child of one that was killed still copies.
        c = next((c for c in h.copied() if not c.ends and c.ends_child), clean)
        add(c.span()[1] - 3, "copyghost", "asks")
        add(c.span()[1] - 2, "copyghost", "copies")
        add(c.span()[1] + 2, "copyghost", "copied")
    elif rule == "overtaken":
        c = next(c for c in h.copied() if c.waits)
        job(c.begins - 2, c.begins - 1, "0", c.waits + 1)
    elif rule == "limit":
        j = next(j for j in h.ran() if j.code == "0")
        job(j.begins, j.begins + 1, "75", j.begins - 2 * LIMIT_NS)
    elif rule == "answer":
        add(clean.begins, "jobghost", "asks", "1")
    elif rule == "lost":
        add(clean.begins, "jobghost", "sample", "none")
    elif rule == "code":
        add(clean.begins, "jobghost", "unlocks", "1")
    elif rule == "turns":
        events = [e for e in events if e.who != clean.who]
    elif rule == "left":
        events = [e._replace(value="queue:1,leases:0")
                  if e.event == "final" else e for e in events]
    return sorted(events + ghost, key=lambda e: e.t)


def main():
    if len(sys.argv) == 4 and sys.argv[1] == "doctor" and sys.argv[2] in RULES:
        for e in doctored(read(sys.argv[3]), sys.argv[2]):
            print(*e)
        return 0
    if len(sys.argv) != 3 or sys.argv[1] != "check":
        print(__doc__.split("\n\n")[1], file=sys.stderr)
        return 2
    h = History(read(sys.argv[2]))
    broken = h.check()
    print("\n".join(h.told() + broken))
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
