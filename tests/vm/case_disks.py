# SPDX-License-Identifier: MIT
"""Which disk is it: partitions, clones, a desktop, a new disk."""
from case import case
from case_plug import good_run, mounts


@case("partition")
def partition(world, c):
    disk = world.disk("part", partitioned=True)
    world.configure(disk)
    since = world.vm.mark()
    run = world.copy(disk)
    good_run(c, world, disk, run, "a disk with partitions")
    world.vm.sh("udevadm settle")
    c.equal(world.starts(disk, since), 1, "one run")
    world.vm.pull(disk)
    c.equal(world.differences(disk), [], "the source")
    c.ok(disk.check(), "nothing to repair on it")


@case("clone")
def clone(world, c):
    """Two disks with the same UUID, seen by udev at the same time."""
    vm = world.vm
    disk = world.disk("twin-a")
    world.configure(disk)
    c.ok(world.copy(disk).good, "the first of them was copied to before")
    vm.pull(disk)
    world.add_file("Job B/more.vib", "not for clones")
    other = world.disk("twin-b", same_as=disk)
    before = disk.digest(), other.digest()

    since, mails = vm.mark(), world.mail.mark()
    vm.sh("udevadm control --stop-exec-queue")
    vm.plug(disk)
    vm.plug(other)
    vm.sh("udevadm wait --timeout=30 --initialized=no /dev/sda /dev/sdb && "
          "udevadm control --start-exec-queue")
    run = world.ended(disk, since)
    world.idle()
    c.equal((run.good, run.exit), (False, 10), "refused", run)
    c.equal(world.status()["state"], "failed", "the status says so")
    c.ok(world.mail.wait(mails, lambda m: disk.uuid in m.text and
                         "sysop@example.org" in m.recipients),
         "a mail says so", world.mail.since(mails))
    vm.pull_all()
    c.equal(disk.digest(), before[0], "the disk is as it was")
    c.equal(other.digest(), before[1], "the clone is as it was")

    run = world.copy(disk)
    good_run(c, world, disk, run, "alone again")


@case("desktop")
def desktop(world, c):
    """udisks, which desktops mount with, keeps its hands off."""
    vm = world.vm
    ours, foreign = world.disk("ours"), world.disk("foreign")
    world.configure(ours)
    vm.sh("systemctl unmask udisks2 && systemctl start udisks2")
    hint = "udisksctl info -b $(blkid -U {}) | grep HintIgnore"
    vm.plug(foreign)
    world.seen(foreign)
    run = world.copy(ours)
    c.ok(run.good, "a copy beside udisks", run)
    c.has(vm.sh(hint.format(ours.uuid)), "true", "a backup disk is ignored")
    c.has(vm.sh(hint.format(foreign.uuid)), "false",
          "another disk is not")
    c.equal(mounts(world, ours), "", "nobody has mounted it")
    vm.sh("systemctl stop udisks2")


@case("add")
def add(world, c):
    """A person registers a disk; from then on it is copied to."""
    vm = world.vm
    disk = world.disk("friday")
    world.configure()
    vm.plug(disk)
    world.seen(disk)
    since, mails = vm.mark(), world.mail.mark()
    status, out = vm.run("printf '%s\\n' 1 friday friday@example.org y y | "
                         "asbackup disks --add")
    c.equal(status, 0, "asbackup disks --add", out)
    c.has(out, disk.uuid, "it shows the disk")
    config = vm.sh("cat /etc/asbackup/config.ini; "
                   "stat -c '%a %U' /etc/asbackup/config.ini")
    c.ok("[disk friday]" in config and disk.uuid in config,
         "the configuration has it", config)
    c.ok(config.endswith("600 root"), "and is root's alone", config)
    c.ok(world.mail.wait(mails, lambda m: "unplugged" not in m.text, 20),
         "a test mail came", out)
    vm.sh("udevadm settle")
    world.idle()
    c.equal(world.starts(disk, since), 0, "no copy before it is plugged in")
    vm.pull(disk)
    since = vm.mark()
    vm.plug(disk)
    run = world.ended(disk, since)
    good_run(c, world, disk, run, "plugged in again")
    vm.pull(disk)
    c.equal(world.differences(disk), [], "the source")
