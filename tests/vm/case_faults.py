# SPDX-License-Identifier: MIT
"""A disk that fails or lies while it is written to, through device-mapper:
never reported as good.  The file system begins 1 MiB into the disk, so that it
is only seen through the mapping."""
import os

from case import case
from case_plug import good_run
from disk import START, tool

NAME = "asbackup-vm"


def hidden(world, name):
    """A disk whose file system nobody sees without the mapping."""
    disk = world.disk(name)
    shifted = disk.image + ".new"
    tool("truncate", "-s", str(disk.size + START), shifted)
    tool("dd", "if=" + disk.image, "of=" + shifted, "bs=1M", "conv=notrunc",
         f"seek={START >> 20}", "status=none")
    os.rename(shifted, disk.image)
    return disk


def table(disk, target):
    sectors, start = disk.size // 512, START // 512
    return {
        "linear": f"0 {sectors} linear /dev/sda {start}",
        "error": f"0 {sectors} error",
        "error_writes":
            f"0 {sectors} flakey /dev/sda {start} 0 600 1 error_writes",
        "drop_writes":
            f"0 {sectors} flakey /dev/sda {start} 0 600 1 drop_writes",
    }[target]


def fault(target):
    def run_it(world, c):
        vm = world.vm
        disk = hidden(world, "dm-" + target.replace("_", "-"))
        # Every byte is read back: a disk that drops what it takes is found
        # out by nothing else.
        world.configure(disk, verify=100, backup="bandwidth-limit = 3M")
        vm.plug(disk)
        vm.sh("udevadm wait --timeout=60 --settle /dev/sda", 70)
        since, mails = vm.mark(), world.mail.mark()
        vm.sh("modprobe dm-mod; modprobe dm-flakey; "
              f"dmsetup create {NAME} --table '{table(disk, 'linear')}'")
        world.wait_step("copy")
        vm.sh(f"dmsetup suspend --noflush --nolockfs {NAME} && "
              f"dmsetup reload {NAME} --table '{table(disk, target)}' && "
              f"dmsetup resume {NAME}")
        run = world.ended(disk, since, 120)
        c.ok(not run.good and run.exit not in (0, 75), "not called good", run)
        c.note(f"exit status {run.exit}")
        status = world.status()
        c.equal(status["state"], "failed", "the status says so", status)
        c.ok(world.mail.wait(mails, lambda m: "NOT" in m.subject + m.text),
             "a mail says so",
             "\n---\n".join(map(str, world.mail.since(mails))))

        world.configure(disk, verify=100)
        since = vm.mark()
        vm.sh(f"dmsetup remove --retry {NAME}; udevadm settle; "
              f"dmsetup create {NAME} --table '{table(disk, 'linear')}'")
        run = world.ended(disk, since, 120)
        good_run(c, world, disk, run, "the next run on a healthy disk")
        c.equal(world.differences_inside(disk), "", "the source")
        vm.sh(f"dmsetup remove --retry {NAME}")
    return run_it


for kind in ("error", "error_writes", "drop_writes"):
    case("fault-" + kind)(fault(kind))
