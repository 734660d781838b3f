# SPDX-License-Identifier: MIT
"""What is kept of a case that failed."""
import datetime
import os
import shutil


def _line(entry):
    when = int(entry.get("__REALTIME_TIMESTAMP", 0)) / 1e6
    stamp = datetime.datetime.fromtimestamp(when, datetime.timezone.utc)
    who = entry.get("SYSLOG_IDENTIFIER") or entry.get("_COMM") or "?"
    return (f"{stamp:%H:%M:%S.%f} {entry['t']:9.3f} {who}"
            f"[{entry.get('_PID', '')}]: {entry.get('MESSAGE')}\n")


def save(world, case, directory):
    """Console, journal and mails since the case began (None: all)."""
    first = case.first if case else {"journal": 0, "mail": 0}
    shutil.rmtree(directory, ignore_errors=True)
    os.makedirs(directory)
    for name in ("console.log", "qemu.log"):
        path = os.path.join(world.work, name)
        if os.path.exists(path):
            shutil.copy(path, directory)
    with open(os.path.join(directory, "journal.log"), "w",
              encoding="utf-8") as f:
        f.writelines(map(_line, world.vm.entries(
            first["journal"], lambda e: True)))
    for i, mail in enumerate(world.mail.since(first["mail"]), 1):
        with open(os.path.join(directory, f"mail-{i}.eml"), "wb") as f:
            f.write(mail.raw)
