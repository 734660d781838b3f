# SPDX-License-Identifier: MIT
"""Other file systems than ext4, with the kernel's own drivers."""
from case import case
from case_plug import good_run


def kind(fstype):
    def run_it(world, c):
        disk = world.disk(fstype, fstype)
        world.configure(disk)
        run = world.copy(disk)
        good_run(c, world, disk, run, fstype)
        c.equal(world.differences_inside(disk), "", "the source")
        c.note(f"the run took {run.took:.1f} s of the guest")
        world.vm.pull(disk)
    return run_it


for name in ("xfs", "btrfs", "exfat", "ntfs"):
    case("kind-" + name)(kind(name))
