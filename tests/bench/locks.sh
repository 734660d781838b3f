#!/bin/bash
# SPDX-License-Identifier: MIT
#
# Measures veeam-lock and veeam-unlock: alone, against "flock FILE true"; many
# at once; and how soon one that waits for a copy hears of its end.  Nothing
# here is a test: figures depend on the machine, which is named in the output.
#
#	BENCH_DIR=/var/tmp  where the locks lie: a file system on a disk
. "$(dirname "$0")/lib.sh"

for program in veeam-lock veeam-unlock helpers/copier; do
	[ -x "$build/$program" ] || die "$build/$program is missing"
done
conf <<END
[Mail]
to-mail-addresses-sysop = sysop@example.org
from-mail-address = asbackup@example.org
END
lock="$build/veeam-lock --no-mail --config $work/config.ini"
unlock="$build/veeam-unlock --config $work/config.ini"

machine
printf 'Locks on %s\n\n' "$(stat -f -c %T "$work")"

# --- one alone ----------------------------------------------------------------

# row WHAT MS: with the ratio to flock.
row()
{
	printf '%-44s %8s ms %6s\n' "$1" "$2" "$(ratio "$flock" "$2")"
}

one() { ms 200 2 "$@"; }
flock=$(one "flock $work/flock true")
row 'flock FILE true' "$flock"
row 'veeam-lock' "$(one "$lock --job one" "$unlock --job one")"
row 'veeam-lock, the same run once more' "$(one "$lock --job one --run 1")"
row 'veeam-unlock' "$(one "$unlock --job one" "$lock --job one")"

# --- many at once, and the end of a wait ----------------------------------------

/usr/bin/python3 - "$build" "$work" <<'END'
import os
import subprocess
import sys
import time

build, work = sys.argv[1:]
DEVNULL = subprocess.DEVNULL


def program(name, *args):
    return [os.path.join(build, name), "--config", work + "/config.ini", *args]


def locker(job):
    return subprocess.Popen(
        program("veeam-lock", "--no-mail", "--job", job),
        stdin=DEVNULL, stdout=subprocess.PIPE, stderr=DEVNULL)


def unlock_all():
    subprocess.run(program("veeam-unlock", "--all"), check=True,
                   stdout=DEVNULL)


def at_once(n):
    began = time.monotonic()
    lockers = [locker("job%d" % i) for i in range(n)]
    failed = sum(1 for p in lockers if p.wait() != 0)
    return (time.monotonic() - began) * 1e3, failed


print("\n%-24s %10s %12s %8s" % ("veeam-lock, so many", "all of them",
                                 "each", "failed"))
for n in 25, 50, 100, 200:
    ms, failed = at_once(n)
    unlock_all()
    print("%-24d %7.0f ms %9.2f ms %8d" % (n, ms, ms / n, failed))


def last(event):
    """When the history has it."""
    with open(work + "/history", encoding="utf-8") as f:
        return [int(line.split()[0]) for line in f
                if line.split()[4] == event][-1]


def wakeup():
    """From the copy's release to the end of a veeam-lock that waited."""
    copier = subprocess.Popen(
        [build + "/helpers/copier", "--lock-dir", work + "/state/lock",
         "--history", work + "/history", "--who", "copy", "--run", "1",
         "--ms", "300"], stdin=DEVNULL, stdout=subprocess.PIPE)
    copier.stdout.readline()
    waiter = locker("waiter")
    waiter.stdout.readline()
    waiter.wait()
    ended = time.clock_gettime_ns(time.CLOCK_BOOTTIME)
    copier.wait()
    if waiter.returncode != 0 or copier.returncode != 0:
        sys.exit("bench: a wait that ended with %d, %d" % (
            waiter.returncode, copier.returncode))
    unlock_all()
    # The verdict is the last thing before the lock goes.
    return (ended - last("clean")) / 1e6


open(work + "/history", "w", encoding="utf-8").close()
times = sorted(wakeup() for _ in range(20))
print("\nwoken after the release: median %.1f ms, worst of %d %.1f ms "
      "(with the lease on the disk)" % (
          times[len(times) // 2], len(times), times[-1]))
END
