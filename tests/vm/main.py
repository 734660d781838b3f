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
THEMES = ("package", "plug", "disks", "pull", "mails", "kinds", "faults",
          "speed", "power", "purge")
LIMIT = 25 * 60


def arguments():
    p = argparse.ArgumentParser()
    p.add_argument("--image", required=True)
    p.add_argument("--deb", required=True)
    p.add_argument("--logs", required=True)
    p.add_argument("--accel", default="tcg,thread=multi,tb-size=512")
    p.add_argument("--only", default="")
    return p.parse_args()


def run_case(world, name, function):
    """True when nothing in it failed."""
    case = Case(name)
    began = time.monotonic()
    first = {"journal": world.vm.mark(), "mail": world.mail.mark()}
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
    case.first = first
    return case


def main():
    args = arguments()
    for theme in THEMES:
        importlib.import_module("case_" + theme)
    wanted = [c for c in CASES if c[2] or
              any(part in c[0] for part in args.only.split(","))]
    signal.alarm(LIMIT)
    signal.signal(signal.SIGALRM, lambda *_: sys.exit("time is over"))
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    began = time.monotonic()
    passed = failed = skipped = 0
    bad = []
    with tempfile.TemporaryDirectory(prefix="asbackup-vm.") as work:
        world = World(args.image, work, args.deb, args.accel)
        try:
            for name, function, _ in wanted:
                if not world.vm.alive():
                    world.vm.power_cut()
                    world.vm.start()
                case = run_case(world, name, function)
                passed += case.passed
                failed += case.failed
                skipped += case.skipped
                if case.failed:
                    bad.append(name)
                    save(world, case, os.path.join(args.logs, name))
        except (Failed, Error) as e:
            failed += 1
            print(f"not ok - the machine works\n# {e}")
            save(world, None, os.path.join(args.logs, "machine"))
        except BaseException:
            save(world, None, os.path.join(args.logs, "machine"))
            raise
        finally:
            world.vm.power_cut()
            world.mail.down()
    print(f"# all: {time.monotonic() - began:.0f} s")
    if bad:
        print(f"# console, journal and mails: {args.logs}: {', '.join(bad)}")
    print(f"{passed} passed, {failed} failed, {skipped} skipped")
    sys.exit(1 if failed else 0)


main()
