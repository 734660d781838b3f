#!/usr/bin/python3
# SPDX-License-Identifier: MIT
# not a test
"""Veeam jobs and copies that get into each other's way, with the real programs.

    lock_stress.py --build DIR --work DIR [--seed N] [--rounds N | --seconds N]
                   [--lockers N] [--copiers N] [--lock-program FILE]

A locker calls veeam-lock, runs its job for some milliseconds whatever that
said (as Veeam does), and calls veeam-unlock, which it sometimes forgets, so
that the next run of the same job takes the lock's place.  A copier calls
helpers/copier again and again.  Some get SIGKILL, some see a clock that is a
year early or late.  What happened is appended to DIR/history, and judged by
lock_history.py, which tells its form as well.

A veeam-lock that is killed before it has a place in the queue is outside of
what is promised: then no job is run.  Whether it had one is looked up after
its death, in the files of the locks.
"""
import argparse
import json
import os
import random
import signal
import subprocess
import sys
import threading
import time

FAKETIME = "/usr/lib/%s-linux-gnu/faketime/libfaketime.so.1" % os.uname().machine
YEAR = 365 * 24 * 3600
CONFIG = """[Paths]
state-directory = {0}/state
runtime-directory = {0}/run
log-directory = {0}/log
[Backup]
backup-source = {0}/source/
[Mail]
to-mail-addresses-sysop = sysop@example.org
from-mail-address = asbackup@example.org
"""
# Nothing here takes so long unless somebody waits for ever.
LIMIT_S = 150


class World:
    """Where everything is, and what all threads share."""

    def __init__(self, arg):
        self.arg = arg
        self.lock_dir = os.path.join(arg.work, "state", "lock")
        self.config = os.path.join(arg.work, "config.ini")
        self.history = os.path.join(arg.work, "history")
        self.errors = os.path.join(arg.work, "errors")
        self.deadline = time.monotonic() + arg.seconds if arg.seconds else None
        self.jobs_done = threading.Event()
        with open(self.config, "w", encoding="utf-8") as f:
            f.write(CONFIG.format(arg.work))
        os.chmod(self.config, 0o600)
        self.file = os.open(self.history, os.O_WRONLY | os.O_CREAT | os.O_EXCL |
                            os.O_APPEND | os.O_CLOEXEC, 0o600)
        self.stderr = os.open(self.errors, os.O_WRONLY | os.O_CREAT |
                              os.O_APPEND | os.O_CLOEXEC, 0o600)

    def record(self, who, run, event, value="-", pid=None):
        now = time.clock_gettime_ns(time.CLOCK_BOOTTIME)
        line = "%d %d %s %s %s %s\n" % (now, pid or os.getpid(), who, run,
                                        event, value)
        os.write(self.file, line.encode())

    def program(self, name, *args):
        return [os.path.join(self.arg.build, name), "--config", self.config,
                *args]

    def start(self, argv, step=0, **kwargs):
        """@step: so many seconds its wall clock is ahead."""
        env = {"PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8"}
        if step and self.arg.clock_steps:
            # What the kernel lets nobody set stays as it is.
            env.update(LD_PRELOAD=FAKETIME, FAKETIME="%+d" % step,
                       FAKETIME_DONT_FAKE_MONOTONIC="1")
        return subprocess.Popen(argv, env=env, stdin=subprocess.DEVNULL,
                                stderr=self.stderr, **kwargs)

    def ended(self, p, who, run):
        """Its exit code, as the shell tells it."""
        try:
            code = p.wait(LIMIT_S)
        except subprocess.TimeoutExpired:
            self.record(who, run, "stuck", pid=p.pid)
            p.kill()
            code = p.wait()
        # One that was killed leaves what libfaketime made.
        for name in "sem.faketime_sem_%d", "faketime_shm_%d":
            try:
                os.unlink("/dev/shm/" + name % p.pid)
            except FileNotFoundError:
                pass
        return code if code >= 0 else 128 - code

    def goes_on(self, done, limit):
        if self.deadline:
            return time.monotonic() < self.deadline
        return done < limit


def contents(directory):
    for name in os.listdir(directory):
        if name.startswith("."):
            continue  # half made
        try:
            with open(os.path.join(directory, name), encoding="utf-8") as f:
                yield f.read()
        except FileNotFoundError:
            pass


def a_step(rng, fate):
    """libfaketime that is killed while it starts leaves files behind."""
    return 0 if fate == "early" else rng.choice((0, 0, 0, YEAR, -YEAR))


class Locker(threading.Thread):
    """One job, run again and again."""

    def __init__(self, world, number):
        super().__init__()
        self.world = world
        self.name = "job%02d" % number
        self.random = random.Random(world.arg.seed * 1000 + number)
        self.holds = False

    def record(self, event, value="-", pid=None):
        self.world.record(self.name, self.turn, event, value, pid)

    def place(self):
        """What keeps a copy away from this run: its lease, or its ticket."""
        want = "\njob %s\nrun %s\n" % (self.name, self.turn)
        # In this order: a ticket becomes a lease, never the other way round.
        for directory, what in ("queue", "ticket"), ("lease", "lease"):
            path = os.path.join(self.world.lock_dir, directory)
            if os.path.isdir(path) and any(want in t for t in contents(path)):
                return what
        return "none"

    def pause(self, low, high):
        time.sleep(self.random.uniform(low, high) / 1000)

    def lock(self, fate, wait):
        step = a_step(self.random, fate)
        argv = self.world.program("veeam-lock", "--no-mail", "--job", self.name,
                                  "--run", str(self.turn), "--wait", str(wait))
        if self.world.arg.lock_program:
            argv[0] = self.world.arg.lock_program
        self.record("asks", wait)
        p = self.world.start(argv, step, stdout=subprocess.PIPE, text=True)
        if fate == "early":
            self.pause(0, 12)
            p.kill()
        for line in p.stdout:
            if "waits for it" not in line:
                continue
            self.record("waits", pid=p.pid)
            if fate in ("kill", "term"):
                self.pause(0, 30)
            if fate == "kill":
                p.kill()
            elif fate == "term":
                self.record("term", pid=p.pid)
                p.terminate()
        p.stdout.close()
        return self.world.ended(p, self.name, self.turn)

    def job(self, code):
        self.record("begins", code)
        self.holds = True
        # Many are short: they have ended before a copy looks.
        for _ in range(self.random.choice((0, 0, 1, 3))):
            self.record("sample", self.place())
            self.pause(1, 25)
        self.record("sample", self.place())
        self.record("ends")

    def unlock(self):
        p = self.world.start(
            self.world.program("veeam-unlock", "--job", self.name),
            a_step(self.random, "none"), stdout=subprocess.DEVNULL)
        self.record("unlocks", self.world.ended(p, self.name, self.turn))
        self.holds = False

    def run(self):
        self.turn = 0
        while self.world.goes_on(self.turn, self.world.arg.rounds):
            self.turn += 1
            self.pause(0, 40)
            fate = self.random.choices(
                ("none", "kill", "term", "early"), (80, 8, 4, 8))[0]
            wait = 0 if self.random.random() < 0.12 else 1
            code = self.lock(fate, wait)
            if code == 128 + signal.SIGKILL and self.place() == "none":
                self.record("unborn")
                continue
            self.job(code)
            if self.random.random() < 0.15:
                self.record("forgets")
            else:
                self.unlock()
        if self.holds:
            self.unlock()


class Copier(threading.Thread):
    """One copy after the other, until the jobs are done."""

    def __init__(self, world, number):
        super().__init__()
        self.world = world
        self.name = "copy%d" % number
        self.random = random.Random(world.arg.seed * 1000 + 500 + number)

    def kill(self, p, fate):
        """The copy, or only what stands for its rsync."""
        if fate == "early":
            time.sleep(self.random.uniform(0, 0.3))
        elif fate != "none" and p.stdout.readline():
            time.sleep(self.random.uniform(0, 0.06))
        if fate in ("early", "kill"):
            p.kill()
        elif fate == "child":
            self.kill_children(p.pid)

    @staticmethod
    def kill_children(pid):
        try:
            with open("/proc/%d/task/%d/children" % (pid, pid),
                      encoding="ascii") as f:
                for child in f.read().split():
                    os.kill(int(child), signal.SIGKILL)
        except OSError:
            pass

    def run(self):
        turn, judged = 0, False
        while not (judged and self.world.jobs_done.is_set()):
            turn += 1
            argv = [os.path.join(self.world.arg.build, "helpers", "copier"),
                    "--lock-dir", self.world.lock_dir,
                    "--history", self.world.history,
                    "--who", self.name, "--run", str(turn),
                    "--ms", str(self.random.choice((5, 30, 60, 300))),
                    "--yields", str(self.random.choice((0, 0, 2)))]
            fate = self.random.choices(
                ("none", "early", "kill", "child"), (60, 8, 24, 8))[0]
            p = self.world.start(argv, a_step(self.random, fate),
                                 stdout=subprocess.PIPE)
            self.kill(p, fate)
            code = self.world.ended(p, self.name, turn)
            p.stdout.close()
            judged |= code == 0
            self.world.record(self.name, turn, "exits", code, p.pid)
            time.sleep(self.random.uniform(0.005, 0.08))


def listed(world):
    p = subprocess.run(world.program("veeam-lock", "--list", "--json"),
                       stdout=subprocess.PIPE, check=False)
    return json.loads(p.stdout) if p.stdout else None


def final_state(world):
    """Orphans end by themselves; then nothing must be left."""
    limit = time.monotonic() + 30
    now = listed(world)
    while now and now["copy"]["held"] and time.monotonic() < limit:
        time.sleep(0.02)
        now = listed(world)
    subprocess.run(world.program("veeam-lock", "--clean"), check=False,
                   stdout=subprocess.DEVNULL)
    now = listed(world)
    if not now:
        return "unknown"
    queue = os.listdir(os.path.join(world.lock_dir, "queue"))
    leases = os.listdir(os.path.join(world.lock_dir, "lease"))
    if queue or leases or now["leases"] or now["waiting"]:
        return "queue:%d,leases:%d" % (len(queue), len(leases))
    return "copying" if now["copy"]["held"] else "free"


def arguments():
    p = argparse.ArgumentParser()
    p.add_argument("--build", required=True)
    p.add_argument("--work", required=True)
    p.add_argument("--seed", type=int, default=1)
    p.add_argument("--rounds", type=int, default=10)
    p.add_argument("--seconds", type=int, default=0)
    p.add_argument("--lockers", type=int, default=20)
    p.add_argument("--copiers", type=int, default=2)
    p.add_argument("--lock-program", help="instead of veeam-lock")
    arg = p.parse_args()
    # The sanitizers want to be the first library.
    arg.clock_steps = os.path.exists(FAKETIME) and os.environ.get("SAN") != "1"
    return arg


def main():
    world = World(arguments())
    arg = world.arg
    # So that its directories are there.
    subprocess.run(world.program("veeam-lock", "--clean"), check=True,
                   stdout=subprocess.DEVNULL)
    world.record("-", 0, "plan", "%dx%dx%d" % (
        arg.lockers, 1 if arg.seconds else arg.rounds, arg.copiers))
    lockers = [Locker(world, i) for i in range(arg.lockers)]
    copiers = [Copier(world, i) for i in range(arg.copiers)]
    for t in lockers + copiers:
        t.start()
    for t in lockers:
        t.join()
    world.jobs_done.set()
    for t in copiers:
        t.join()
    world.record("-", 0, "final", final_state(world))
    print("seed %d, clock steps: %s" % (arg.seed,
                                        "yes" if arg.clock_steps else "no"))
    return 0


if __name__ == "__main__":
    sys.exit(main())
