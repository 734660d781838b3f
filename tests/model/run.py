#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""The lock protocol (lease.pml) checked with spin; TAP, a line per claim.

    run.py                what "make check" runs: below a minute
    run.py --long         "make model": larger sizes
    run.py --only TEXT    only lines with TEXT in them
    run.py --dir DIR      works there, and leaves everything there

"every state" is said when the search was complete: spin visited all states
that these sizes can reach, none was left out by hashing, memory or depth.
"""
import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor

MODEL = os.path.join(os.path.dirname(os.path.abspath(__file__)), "lease.pml")

# What spin says of the claims that the model asserts.
TOGETHER = r"assertion violated .*job\[0\]"
TWO_COPIES = r"assertion violated .*copying.*orphan.*<=1"
OVERLAP = r"assertion violated .*clean&&overlapped"
LOST = r"assertion violated .*known\[me\]"
TOLD = r"assertion violated .*told\[me\]"
LEFT = r"assertion violated .*place\[me\]==0"
STARVES = r"acceptance cycle"
REACHED = r"assertion violated"

# --- claims that hold: (jobs, copies, faults, switches, liveness claim) -----
# Safety: never a copy and an obedient job together, never two copies; no pass
# that was judged clean overlapped a job; no lease of a run that goes on is
# lost.  Liveness: nobody waits for ever.  A fault is a process killed at any
# step, or a power failure at any step.

HOLDS = [
    (2, 1, 1, ""),
    (1, 2, 1, ""),
    (2, 1, 1, "OBEY"),
    (1, 2, 1, "OBEY"),
    (1, 1, 1, "REMOTE FAILS STUCK RENEWALS"),
    (1, 1, 1, "REMOTE LATE CLEAN"),
    (1, 1, 2, "REMOTE"),
    (1, 1, 1, "REMOTE FULL"),
    (1, 1, 2, "REMOTE NO_RUNS RENEWALS"),
    (1, 1, 2, "TMPFS"),
    (2, 1, 1, "", "copy_goes_on"),
    (2, 1, 1, "", "job_goes_on"),
    (1, 2, 1, "RENEWALS", "copy_goes_on"),
    (1, 2, 1, "RENEWALS", "job_goes_on"),
]
LONG = [
    (2, 2, 1, "FAILS"),
    (2, 2, 1, "REMOTE RENEWALS"),
    (2, 1, 2, ""),
    (1, 2, 3, ""),
    (2, 2, 1, ""),
    (2, 1, 2, "OBEY"),
    (1, 2, 3, "OBEY"),
    (2, 2, 1, "OBEY"),
    (2, 1, 2, "REMOTE FAILS RENEWALS"),
    (2, 2, 1, "REMOTE"),
    (2, 1, 1, "STUCK"),
    (1, 2, 1, "REMOTE FAILS STUCK RENEWALS"),
    (1, 2, 1, "REMOTE FULL STUCK RENEWALS"),
    (1, 1, 2, "REMOTE FAILS STUCK RENEWALS LATE CLEAN"),
    (2, 2, 1, "", "copy_goes_on"),
    (2, 2, 1, "", "job_goes_on"),
]

CLAIMS = {"safety": "", "copy_goes_on": ": every copy goes on",
          "job_goes_on": ": every job is answered"}
SWITCHES = {"FAILS": "a full disk", "FULL": "a disk that stays full",
            "STUCK": "a blocked gate", "RENEWALS": "a renewal",
            "LATE": "late unlocks", "CLEAN": "veeam-lock --clean", "NO_RUNS": "no ids of runs",
            "TMPFS": "all in memory"}


def sized(jobs, copies, faults, switches, kind="safety"):
    """(what, kind, switches for spin) of a claim that holds."""
    on = switches.split()
    what = (f"{jobs}{' obedient' * ('OBEY' in on)} job{'s' * (jobs > 1)}"
            f"{' elsewhere' * ('REMOTE' in on)}, "
            f"{copies} {'copies' if copies > 1 else 'copy'}; ")
    what += ", ".join([f"{faults} faults" if faults > 1 else "a fault"] +
                      [SWITCHES[s] for s in on if s in SWITCHES])
    defines = [f"-DNJ={jobs}", f"-DNC={copies}", f"-DFAULTS={faults}"]
    return what + CLAIMS[kind], kind, " ".join(defines +
                                               [f"-D{s}=1" for s in on])


# --- mistakes that must be found: (what, kind, sizes and switch, violated) ---

FOUND = [
    ("there is no gate", "safety", "-DOBEY -DM_NO_GATE", TOGETHER),
    ("rsync does not inherit the copy's lock", "safety",
     "-DFAULTS=1 -DM_RSYNC_WITHOUT_LOCK", TWO_COPIES),
    ("leases expire while the job runs", "safety",
     "-DOBEY -DM_EXPIRES_EARLY", TOGETHER),
    ("leases are reaped outside the gate", "safety",
     "-DM_REAPS_OUTSIDE", LOST),
    ("C2 looks at the leases before the gate", "safety",
     "-DOBEY -DM_LEASES_BEFORE_GATE", TOGETHER),
    ("C2 makes \"untouched\" after leaving the gate", "safety",
     "-DM_UNTOUCHED_LATE", OVERLAP),
    ("C4 does not reap", "safety",
     "-DFAULTS=1 -DM_VERDICT_WITHOUT_REAP", OVERLAP),
    ("V1 does not reap", "safety", "-DFAULTS=1 -DM_V1_WITHOUT_REAP", LOST),
    ("V3 takes the ticket away before the lease is there", "safety",
     "-DFAULTS=1 -DM_TICKET_FIRST", LOST),
    ("V4 does not write a lease", "safety", "-DM_FORGETS_FORCED", LOST),
    ("V4 does not taint", "safety", "-DM_FORCES_WITHOUT_TAINT", OVERLAP),
    ("V4 does not reap", "safety",
     "-DFAULTS=1 -DREMOTE -DSTUCK -DM_V4_WITHOUT_REAP", LOST),
    ("V4 without room gives up", "safety",
     "-DFAILS=1 -DM_NO_ROOM_NO_LEASE", LOST),
    ("V4 without room or ticket does not leave its name", "safety",
     "-DFAILS=2 -DM_NO_MARK", LOST),
    ("V4 with a blocked gate takes the ticket away", "safety",
     "-DSTUCK -DM_ERROR_DROPS_TICKET", LOST),
    ("veeam-lock stops waiting without V4", "safety", "-DM_GIVES_UP", LOST),
    ("dead tickets of jobs are dropped", "safety",
     "-DFAULTS=1 -DM_DROPS_DEAD", LOST),
    ("a dead ticket becomes a lease first and taints then", "safety",
     "-DFAULTS=2 -DM_TAINTS_LATE", OVERLAP),
    ("a ticket is not on the disk when the power fails", "safety",
     "-DFAULTS=1 -DREMOTE -DM_TICKET_NOT_DURABLE", LOST),
    ("V1 supersedes before the ticket is there", "safety",
     "-DFAULTS=1 -DM_SUPERSEDE_FIRST", TOLD),
    ("V1 supersedes before the ticket is on the disk", "safety",
     "-DFAULTS=1 -DREMOTE -DM_SUPERSEDE_UNSYNCED", TOLD),
    ("V1 does not supersede", "copy_goes_on", "-DM_NO_SUPERSEDE", STARVES),
    ("U does not reap", "safety", "-DFAULTS=1 -DM_UNLOCK_WITHOUT_REAP", LEFT),
    ("U takes away the lease of a newer run", "safety",
     "-DLATE -DM_UNLOCK_ANY_RUN", LOST),
    ("there is no queue", "copy_goes_on", "-DM_NO_QUEUE", STARVES),
    ("V1 passes copies that wait", "copy_goes_on",
     "-DM_V1_PASSES_COPIES", STARVES),
    ("a renewal waits for a copy that waits for it", "job_goes_on",
     "-DRENEWALS=1 -DM_RENEWAL_WAITS", STARVES),
]

# --- what does happen, so that the claims are not empty ----------------------

OCCURS = [
    ("a pass is judged clean", "safety", "-DR_CLEAN", REACHED),
    ("a pass overlaps a job", "safety", "-DR_OVERLAPPED", REACHED),
    ("a copy finds a killed veeam-lock", "safety",
     "-DFAULTS=1 -DR_REAPED_BY_COPY", REACHED),
    ("a late unlock takes a lease that is only a name (A7)", "safety",
     "-DFAILS=2 -DLATE", LOST),
]


class Claim:
    """One line of the result: one search, in a directory of its own."""

    def __init__(self, group, row, long):
        self.what = f"{group}: {row[0]}"
        self.kind = row[1]
        self.defines = row[2].split()
        self.wanted = row[3] if len(row) > 3 else None
        self.long = long
        if self.kind != "safety":
            # Fairness is promised to those who obey, and nobody's time is up.
            self.defines += ["-DLIVE", "-DOBEY"]

    def search(self, top):
        """Generates, compiles and runs the search. Returns what was said."""
        self.dir = tempfile.mkdtemp(dir=top)
        shutil.copy(MODEL, self.dir)
        begin = time.monotonic()
        out = self.call("spin", *self.defines, "-a", "lease.pml")
        if not os.path.exists(os.path.join(self.dir, "pan.c")):
            return out
        flags = ["-DMEMLIM=8000" if self.long else "-DMEMLIM=3000",
                 "-DNOREACH", "-O2" if self.long else "-O0", "-w"]
        run = ["./pan", "-m1000000", "-w26" if self.long else "-w22"]
        if self.kind == "safety":
            flags += ["-DSAFETY", "-DNOFAIR"]
        else:
            flags.append("-DNFAIR=3")  # room for 14 processes
            run += ["-a", "-f", "-N", self.kind]
        if self.long:
            flags.append("-DCOLLAPSE")
        out = self.call(os.environ.get("CC") or "gcc", *flags,
                        "-o", "pan", "pan.c")
        if not os.path.exists(os.path.join(self.dir, "pan")):
            return out
        out = self.call(*run)
        self.seconds = time.monotonic() - begin
        return out

    def call(self, *argv):
        """Output and errors of a command that may take its time."""
        try:
            done = subprocess.run(
                argv, cwd=self.dir, stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                timeout=3600 if self.long else 200, check=False)
        except subprocess.TimeoutExpired:
            return f"{argv[0]}: ended by its time limit"
        return done.stdout

    def judge(self, out):
        """(good, line, details)"""
        found = re.search(r"errors: (\d+)", out)
        states = re.search(r"([\d.e+]+) states, stored", out)
        if not found or not states:
            return False, self.what, out.splitlines()[-20:]
        room = re.search(r"([\d.]+)\s+total actual memory usage", out)
        cost = f"{float(states[1]):,.0f} states, {self.seconds:.1f} s, " \
            f"{float(room[1]):,.0f} MB"
        error = re.search(r"^pan:\d+: (.*?) \(at depth", out, re.M)
        if self.wanted:
            good = bool(error and re.search(self.wanted, error[1]))
            return good, f"{self.what} ({cost})", \
                ["wanted: " + self.wanted,
                 "spin:   " + (error[1] if error else "nothing was found")]
        if found[1] != "0":
            return False, f"{self.what} ({cost})", \
                [error[1] if error else out] + self.story()
        for trouble in ("max search depth too small", "Search not completed",
                        "out of memory", "hash conflicts: -", "aborted"):
            if trouble in out:
                return False, f"{self.what}: not every state ({cost})", \
                    [trouble]
        return True, f"{self.what}: every state ({cost})", []

    def story(self):
        """The trail of an error: who changed what, a line per step."""
        out = self.call("spin", *self.defines, "-p", "-g", "-t", "lease.pml")
        lines, now, new, step = [], {}, {}, ""
        for line in out.splitlines() + ["0: proc 0 (end) lease.pml:0"]:
            place = re.match(r"\s*\d+:\s+proc\s+\d+ \((\w+).*lease.pml:(\d+)",
                             line)
            value = re.match(r"\s+([\w\[\]]+) = (\d+)$", line)
            if value:
                new[value[1]] = value[2]
            elif "START OF CYCLE" in line:
                lines.append("and from here on again and again:")
            elif place:
                changed = [f"{k}={v}" for k, v in new.items()
                           if now.get(k) != v]
                if step and changed:
                    lines.append(step + " ".join(changed))
                now.update(new)
                new, step = {}, f"{place[1]} line {place[2]}: "
        return lines


def arguments():
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--long", action="store_true")
    parser.add_argument("--only", default="", metavar="TEXT")
    parser.add_argument("--dir")
    return parser.parse_args()


def claims(args):
    groups = [("holds", [sized(*row) for row in HOLDS], False),
              ("found", FOUND, False), ("occurs", OCCURS, False)]
    if args.long:
        groups.insert(1, ("holds", [sized(*row) for row in LONG], True))
    all_of_them = [Claim(name, row, long) for name, rows, long in groups
                   for row in rows]
    return [c for c in all_of_them if args.only in c.what]


def check(chosen, top):
    """Prints a line for each claim, in their order. Returns how many fail."""
    bad = 0
    with ThreadPoolExecutor(2) as pool:
        for claim, out in zip(
                chosen, pool.map(lambda c: c.search(top), chosen)):
            good, line, details = claim.judge(out)
            bad += not good
            print("ok -" if good else "not ok -", line, flush=True)
            # What was violated stands first, the end of its story last.
            for detail in [] if good else details[:1] + details[1:][-60:]:
                print("#", detail)
    return bad


def main():
    args = arguments()
    for tool in "spin", "gcc":
        if not shutil.which(tool):
            print(f"1..0 # SKIP {tool} is not installed")
            return 0
    chosen = claims(args)
    with tempfile.TemporaryDirectory(prefix="model.") as own:
        top = args.dir or own
        os.makedirs(top, exist_ok=True)
        bad = check(chosen, top)
    print(f"1..{len(chosen)}")
    return 1 if bad else 0


sys.exit(main())
