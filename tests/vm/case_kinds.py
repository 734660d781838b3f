# SPDX-License-Identifier: MIT
"""Other file systems than ext4."""
from case import case
from case_plug import good_run
from case_pull import lost, nothing_left, pulled


def kernel_has(world, fstype):
    name = {"ntfs": "ntfs3"}.get(fstype, fstype)
    return world.vm.run(f"modprobe -q {name}; grep -qw {name} "
                        "/proc/filesystems")[0] == 0


def refused(world, c, disk, part, what):
    """Said plainly, and nothing is changed."""
    before = disk.digest()
    world.configure(disk)
    run = world.copy(disk)
    c.equal((run.good, run.exit), (False, 13), f"{what}: refused", run)
    c.has(str(run), part, f"{what}: it says why")
    world.vm.pull(disk)
    c.equal(disk.digest(), before, f"{what}: nothing on it has changed")


def kind(fstype):
    def run_it(world, c):
        disk = world.disk(fstype, fstype)
        if not kernel_has(world, fstype):
            c.skip(f"a good copy on {fstype}", "the kernel has no driver")
            refused(world, c, disk, "cannot mount the file system", fstype)
            return
        world.configure(disk)
        run = world.copy(disk)
        good_run(c, world, disk, run, fstype)
        c.equal(world.differences_inside(disk), "", "the source")
        c.note(f"the run took {run.took:.1f} s of the guest")
        world.vm.pull(disk)
    return run_it


for name in ("xfs", "btrfs", "exfat"):
    case("kind-" + name)(kind(name))


@case("kind-ntfs")
def ntfs(world, c):
    """With the kernel's driver, or with ntfs-3g."""
    vm = world.vm
    disk = world.disk("ntfs", "ntfs")
    world.kept["ntfs"] = disk
    world.configure(disk)
    for what in "ntfs", "ntfs again":
        since = vm.mark()
        run = world.copy(disk)
        good_run(c, world, disk, run, what)
        c.ok("arning" not in str(run) and "permitted" not in str(run),
             f"{what}: nothing to wonder about in the journal", run)
        # Its driver has written to the device: udev looks at it once more.
        vm.sh("udevadm settle")
        world.idle()
        c.equal(world.starts(disk, since), 1, f"{what}: one run")
        c.equal(vm.run("pgrep ntfs-3g")[1], "", f"{what}: no driver is left")
        c.note(f"the run took {run.took:.1f} s of the guest")
        vm.pull(disk)
        c.equal(world.differences_ntfs(disk), [],
                f"{what}: the source, read from outside")
        c.equal(disk.ntfs_flags(), "0x0000", f"{what}: the volume is clean")


@case("kind-ntfs-none")
def ntfs_none(world, c):
    """Neither driver."""
    vm = world.vm
    if kernel_has(world, "ntfs"):
        c.skip("no driver for NTFS", "the kernel has one")
        return
    vm.sh("mv /usr/bin/ntfs-3g /usr/bin/ntfs-3g.away")
    try:
        refused(world, c, world.disk("ntfs-none", "ntfs"),
                "cannot mount the file system ntfs", "neither driver")
    finally:
        vm.sh("mv /usr/bin/ntfs-3g.away /usr/bin/ntfs-3g")


@case("kind-ntfs-pull")
def ntfs_pull(world, c):
    """Pulled out in the middle: it must be checked before it is used again."""
    disk = world.disk("ntfs-pull", "ntfs")
    run, mails = pulled(world, c, disk, lambda: world.wait_step("copy"),
                        backup="bandwidth-limit = 1M")
    lost(world, c, run, mails, "copy")
    nothing_left(world, c)
    c.equal(world.vm.run("pgrep ntfs-3g")[1], "", "no driver is left")
    refused(world, c, disk, "chkdsk", "the next plug")
