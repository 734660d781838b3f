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
    c.ok("arning" not in str(run) and "permitted" not in str(run),
         "nothing to wonder about in the journal", run)
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
    world.seen(disk)
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


@case("quick")
def quick(world, c):
    """Pulled as soon as the run begins, and plugged in again at once."""
    disk = world.disk("quick")
    world.configure(disk)
    since, mails = world.vm.mark(), world.mail.mark()
    world.vm.plug(disk)
    world.started(disk, since)
    world.vm.pull(disk)
    world.vm.plug(disk)
    world.vm.wait("a good run in the end", world.is_success(disk), since, 90)
    world.idle()
    status = world.status()
    c.equal((status["state"], status["may_be_unplugged"]),
            ("succeeded", True), "the status says so", status)
    last = world.mail.wait(mails, lambda m: "may be unplugged" in m.text)
    c.ok(last, "a mail says that it may be unplugged",
         "\n---\n".join(map(str, world.mail.since(mails))))
    world.vm.pull(disk)
    c.equal(world.differences(disk), [], "a good copy at last")
    c.ok(disk.clean() and disk.check(), "nothing to repair on it")


@case("two")
def two(world, c):
    """A second disk while the first is being copied to."""
    one, other = world.disk("one"), world.disk("other")
    world.configure(one, other, backup="bandwidth-limit = 3M")
    since = world.vm.mark()
    world.vm.plug(one)
    world.wait_step("copy")
    c.equal(world.vm.run("grep ' /dev/sd' /proc/1/mountinfo")[1], "",
            "while it is copied to, nobody else sees it mounted")
    text = world.vm.sh(f"systemctl show -P StatusText {world.unit(one.uuid)}")
    c.has(text, "Copying", "systemctl status tells how far it is")
    world.vm.plug(other)
    first = world.ended(one, since)
    second = world.ended(other, since)
    c.ok(first.good, "the first is good", first)
    c.ok(second.good, "the second is good", second)
    c.ok(second.started < first.ended < second.ended,
         "the second waits for its turn",
         f"{first.started} {first.ended} {second.started} {second.ended}")
    c.equal((world.starts(one, since), world.starts(other, since)), (1, 1),
            "one run each")
    for disk in (one, other):
        world.vm.pull(disk)
        c.equal(world.differences(disk), [], f"{disk.name}: the source")
        c.ok(disk.clean() and disk.check(), f"{disk.name}: clean")


@case("long")
def long(world, c):
    """A copy that lasts longer than udev lets an event last."""
    vm = world.vm
    disk = world.disk("long")
    vm.sh("printf 'event_timeout=5\\n' > /etc/udev/udev.conf && "
          "systemctl restart systemd-udevd")
    world.configure(disk, backup="bandwidth-limit = 1M")
    run = world.copy(disk)
    vm.sh("rm /etc/udev/udev.conf && systemctl restart systemd-udevd")
    c.ok(run.took > 8, "the copy lasted longer than the limit",
         f"{run.took} s")
    good_run(c, world, disk, run, "longer than udev's limit")
    vm.pull(disk)
    c.equal(world.differences(disk), [], "the source")
