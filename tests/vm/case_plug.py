# SPDX-License-Identifier: MIT
"""A disk is plugged in: the main thing."""
from case import case


def good_run(c, world, disk, run, what):
    """What must hold of every good run to a disk that is plugged in."""
    ok = c.ok(run.good and run.exit == 0, f"{what}: the unit succeeds", run)
    status = world.status()
    c.equal((status["state"], status["may_be_unplugged"], status["exit_code"]),
            ("succeeded", True, 0), f"{what}: the status says so", status)
    c.equal(mounts(world, disk), "", f"{what}: mounted nowhere")
    return ok


def mounts(world, disk):
    """Who has it mounted, in whatever namespace."""
    return world.vm.run(
        f"dev=$(blkid -U {disk.uuid}) && "
        "grep -ls \" $dev \" /proc/[0-9]*/mountinfo")[1].strip()


@case("plug")
def plug(world, c):
    vm = world.vm
    disk = world.disk("monday")
    world.kept["monday"] = disk
    world.configure(disk)
    since, mails = vm.mark(), world.mail.mark()

    vm.plug(disk)
    run = world.ended(disk, since)
    if not good_run(c, world, disk, run, "a known disk"):
        return
    c.note(f"the run took {run.took:.1f} s of the guest")
    end = world.mail.wait(mails, lambda m: "monday@example.org" in m.recipients
                          and m is not world.mail.since(mails)[0])
    both = "\n---\n".join(map(str, world.mail.since(mails)))
    c.ok(end, "a mail tells of the end", both)
    c.equal(len(world.mail.since(mails)), 2, "two mails, start and end", both)
    c.ok(end and "may be unplugged" in end.text,
         "the last says that it may be unplugged", both)
    text = vm.sh(f"systemctl status --no-pager -l {world.unit(disk.uuid)} "
                 "|| [ $? = 3 ]")
    c.ok("monday" in text and "good" in text,
         "systemctl status tells how it ended", text)
    c.equal(world.starts(disk, since), 1, "one run, no second one")
    vm.sh("udevadm settle")
    c.equal(world.starts(disk, since), 1, "none after udev is done")
    history = vm.sh("asbackup history --json")
    c.has(history, disk.uuid, "the history knows it")

    vm.pull(disk)
    c.equal(world.differences(disk), [], "byte by byte the source")
    c.ok(disk.clean() and disk.check(), "nothing to repair on it")


@case("unknown")
def unknown(world, c):
    disk = world.disk("stranger")
    before = disk.digest()
    since = world.vm.mark()
    world.vm.plug(disk)
    world.vm.sh(f"until [ -e /dev/disk/by-uuid/{disk.uuid} ]; do "
                "udevadm settle; done; udevadm settle")
    c.equal(world.starts(disk, since), 0, "nothing starts")
    c.equal(world.vm.sh("systemctl list-jobs --no-legend; systemctl "
                        "list-units --no-legend 'asbackup@*'"), "",
            "and nothing waits to start")
    world.vm.pull(disk)
    c.equal(disk.digest(), before, "nothing on it has changed")


@case("again")
def again(world, c):
    disk = world.kept.get("monday") or world.disk("monday")
    world.configure(disk)
    world.add_file("Job A/inc2.vib", "the second week")
    run = world.copy(disk)
    good_run(c, world, disk, run, "plugged in again")
    c.note(f"the run took {run.took:.1f} s of the guest")
    world.vm.pull(disk)
    c.equal(world.differences(disk), [], "what is new is there")
