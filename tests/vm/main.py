# SPDX-License-Identifier: MIT
"""Runs the cases against one virtual machine: main.py --image DIR --deb FILE
--logs DIR [--only NAME].  Prints TAP lines and "N passed, N failed, N skipped".
"""
import argparse
import importlib
import os
import signal
import sys
import tempfile
import time
import traceback

from artefacts import save
from case import CASES, Case
from qmp import Error
from vm import Failed
from world import World

# In this order: what needs a reboot comes late, taking the package away last.
THEMES = ("package", "clock", "plug", "disks", "pull", "mails", "kinds",
          "faults", "speed", "vmexec", "power", "purge")
LIMIT = 25 * 60  # seconds for everything


def arguments():
    p = argparse.ArgumentParser()
    p.add_argument("--image", required=True)
    p.add_argument("--deb", required=True)
    p.add_argument("--logs", required=True)
    p.add_argument("--accel", default="tcg,thread=multi,tb-size=512")
    p.add_argument("--only", default="")
    return p.parse_args()


def run_case(world, name, function):
    case = Case(name)
    began = time.monotonic()
    case.first = {"journal": world.vm.mark(), "mail": world.mail.mark()}
    try:
        function(world, case)
    except (Failed, Error) as e:
        case.ok(False, "goes through", str(e))
    except Exception:  # pylint: disable=broad-except
        case.ok(False, "goes through", traceback.format_exc())
    try:
        if world.vm.alive():
            world.tidy()
    except (Failed, Error) as e:
        case.ok(False, "leaves the machine in order", str(e))
    print(f"# {name}: {time.monotonic() - began:.1f} s", flush=True)
    return case


class Stopped(BaseException):
    """The time is over, or somebody wants the end; no case may catch it."""


def stop(number, _):
    raise Stopped("the time is over" if number == signal.SIGALRM
                  else signal.Signals(number).name)


class Total:
    def __init__(self):
        self.passed = self.failed = self.skipped = 0
        self.bad = []

    def add(self, case):
        self.passed += case.passed
        self.failed += case.failed
        self.skipped += case.skipped
        if case.failed:
            self.bad.append(case.name)

    def fail(self, name, why):
        print(f"not ok - {name}\n# {why}")
        self.failed += 1
        self.bad.append(name)


def run_all(world, wanted, total, logs):
    for name, function, _ in wanted:
        if not world.vm.alive():
            world.vm.power_cut()
            world.vm.start()
        case = run_case(world, name, function)
        total.add(case)
        if case.failed:
            save(world, case, os.path.join(logs, name))


def main():
    args = arguments()
    for theme in THEMES:
        importlib.import_module("case_" + theme)
    wanted = [c for c in CASES if c[2] or
              any(part in c[0] for part in args.only.split(","))]
    for number in (signal.SIGALRM, signal.SIGTERM, signal.SIGINT):
        signal.signal(number, stop)
    signal.alarm(LIMIT)
    began = time.monotonic()
    total = Total()
    with tempfile.TemporaryDirectory(prefix="asbackup-vm.") as work:
        world = World(args.image, work, args.deb, args.accel)
        try:
            run_all(world, wanted, total, args.logs)
        except (Failed, Error, Stopped) as e:
            total.fail("machine", e)
            save(world, None, os.path.join(args.logs, "machine"))
        finally:
            world.vm.power_cut()
            world.mail.down()
    print(f"# all: {time.monotonic() - began:.0f} s")
    if total.bad:
        print(f"# console, journal and mails: {args.logs}: "
              + ", ".join(total.bad))
    print(f"{total.passed} passed, {total.failed} failed, "
          f"{total.skipped} skipped")
    sys.exit(1 if total.failed else 0)


main()
