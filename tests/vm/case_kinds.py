# SPDX-License-Identifier: MIT
"""Other file systems than ext4, with the kernel's own drivers."""
from case import case
from case_plug import good_run


def has_driver(world, fstype):
    name = {"ntfs": "ntfs3"}.get(fstype, fstype)
    return world.vm.run(f"modprobe -q {name}; grep -qw {name} "
                        "/proc/filesystems")[0] == 0


def refused(world, c, fstype):
    """Without a driver: said plainly, and nothing is changed."""
    disk = world.disk(fstype, fstype)
    before = disk.digest()
    world.configure(disk)
    run = world.copy(disk)
    c.skip(f"a good copy on {fstype}", "the kernel has no driver for it")
    c.equal((run.good, run.exit), (False, 13), "refused", run)
    c.has(str(run), "cannot mount the file system", "it says why")
    world.vm.pull(disk)
    c.equal(disk.digest(), before, "nothing on it has changed")


def kind(fstype):
    def run_it(world, c):
        if not has_driver(world, fstype):
            refused(world, c, fstype)
            return
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
