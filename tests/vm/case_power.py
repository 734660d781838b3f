# SPDX-License-Identifier: MIT
"""The server is shut down, rebooted, or loses its power, during a copy; the disk
is still plugged in when it comes back."""
from case import case
from case_plug import good_run

SLOW = "bandwidth-limit = 2M"


def mailed(world, c, mails, words):
    """Since the mark @mails there is a mail with these words."""
    c.ok(world.mail.wait(mails, lambda m: words in m.text),
         f"a mail says: {words}",
         "\n---\n".join(map(str, world.mail.since(mails))))


@case("poweroff")
def poweroff(world, c):
    """systemctl poweroff ends the run in order."""
    vm = world.vm
    disk = world.disk("poweroff")
    world.kept["poweroff"] = disk
    world.configure(disk, backup="bandwidth-limit = 500")
    since = vm.mark()
    vm.plug(disk)
    world.wait_step("copy")
    # It is started beside the copy, and a little later.
    status, _ = vm.run("until systemd-inhibit --list --no-pager | "
                       "grep asbackup; do sleep 0.1; done", 20)
    c.equal(status, 0, "a copy holds off sleep and shutdown by a user")
    vm.begin("systemctl poweroff")
    vm.wait_off(90)
    ends = [e for e in vm.entries(since, lambda e: world.unit(disk.uuid) in
                                  (e.get("UNIT"), e.get("_SYSTEMD_UNIT")))]
    text = "\n".join(e.get("MESSAGE") or "" for e in ends)
    c.ok("143" in text, "it ended with 128+15", text)
    c.ok(disk.clean() and disk.check(), "the disk was unmounted in order")


@case("boot")
def boot(world, c):
    """A known disk is plugged in when the machine is switched on."""
    vm = world.vm
    disk = world.kept.get("poweroff") or world.disk("boot")
    if vm.alive():
        world.configure(disk)
        vm.sh("sync")
        vm.power_cut()
    since, mails = vm.mark(), world.mail.mark()
    vm.start([disk])
    run = world.ended(disk, since)
    good_run(c, world, disk, run, "plugged in at boot")
    c.equal(world.starts(disk, since), 1, "one run")
    mailed(world, c, mails, "may be unplugged")
    vm.pull(disk)
    c.equal(world.differences(disk), [], "the source")


@case("power-cut")
def power_cut(world, c):
    vm = world.vm
    disk = world.disk("cut")
    world.configure(disk, backup=SLOW)
    vm.sh("sync")
    vm.plug(disk)
    world.wait_step("copy")
    vm.power_cut()
    since, mails = vm.mark(), world.mail.mark()
    vm.start([disk])
    run = world.ended(disk, since)
    good_run(c, world, disk, run, "after a power cut")
    end = world.mail.wait(mails, lambda m: "may be unplugged" in m.text)
    text = f"{run}\n{end}"
    c.has(text, "ended without a word", "it says that the last one was cut off")
    vm.pull(disk)
    c.equal(world.differences(disk), [], "the source")
    c.ok(disk.clean() and disk.check(), "nothing to repair on it")


@case("reboot")
def reboot(world, c):
    """systemctl reboot in the middle: one run ends in order, the next one
    finishes the copy."""
    vm = world.vm
    disk = world.disk("reboot")
    world.configure(disk, backup=SLOW)
    since, mails, ready = vm.mark(), world.mail.mark(), vm.ready
    vm.plug(disk)
    world.wait_step("copy")
    boot_id = vm.entries(since, lambda e: "_BOOT_ID" in e)[-1]["_BOOT_ID"]
    vm.begin("systemctl reboot")
    vm.wait_ready(ready)
    second = since + next(
        i for i, e in enumerate(vm.entries(since, lambda e: True))
        if e.get("_BOOT_ID", boot_id) != boot_id)
    first = world.ended(disk, since)
    c.equal((first.good, first.exit), (False, 143),
            "the reboot ends the copy in order", first)
    run = world.ended(disk, second)
    good_run(c, world, disk, run, "after the reboot")
    c.equal(world.starts(disk, second), 1, "one run")
    mailed(world, c, mails, "stopped")
    mailed(world, c, mails, "may be unplugged")
    vm.pull(disk)
    c.equal(world.differences(disk), [], "the source")
    c.ok(disk.clean() and disk.check(), "nothing to repair on it")
