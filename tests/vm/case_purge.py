# SPDX-License-Identifier: MIT
"""The package is upgraded, removed and purged."""
import os

from case import case
from case_package import APT, send
from disk import tool

NEW = "/var/tmp/asbackup-new.deb"


def newer(world):
    """The same package with a higher version and a changed sample."""
    tree = os.path.join(world.work, "deb")
    deb = os.path.join(world.work, "new.deb")
    tool("dpkg-deb", "-R", world.deb, tree)
    tool("sed", "-i", "s/^Version: .*/&+vm1/", tree + "/DEBIAN/control")
    with open(tree + "/etc/asbackup/config.ini", "a", encoding="utf-8") as f:
        f.write("# a line of the new version\n")
    tool("dpkg-deb", "--root-owner-group", "-b", tree, deb)
    return deb


@case("upgrade")
def upgrade(world, c):
    vm = world.vm
    disk = world.disk("upgrade")
    world.configure(disk)
    mine = vm.sh("cat /etc/asbackup/config.ini")
    send(world, newer(world), NEW)
    status, out = vm.run(f"{APT} -o Dpkg::Options::=--force-confold "
                         f"install {NEW}", 180)
    c.equal(status, 0, "apt-get install of a newer version", out)
    c.has(vm.sh("dpkg-query -W asbackup"), "+vm1", "is installed")
    c.equal(vm.sh("cat /etc/asbackup/config.ini"), mine,
            "the changed configuration is kept")
    c.equal(vm.sh("stat -c '%a %U' /etc/asbackup/config.ini"), "600 root",
            "and still root's alone")
    c.equal(vm.sh("systemctl is-active asbackup-mail.timer "
                  "asbackup-overdue.timer"), "active\nactive",
            "the timers go on")
    c.ok(world.copy(disk).good, "a disk is copied to")


@case("purge")
def purge(world, c):
    vm = world.vm
    vm.sh(f"rm -f {NEW} /var/tmp/asbackup.deb")
    status, out = vm.run(f"{APT} remove asbackup", 180)
    c.equal(status, 0, "apt-get remove", out)
    c.ok(vm.run("test -e /etc/asbackup/config.ini")[0] == 0,
         "the configuration stays")
    c.equal(vm.run("systemctl list-timers --no-legend 'asbackup*'; "
                   "systemctl list-units --no-legend 'asbackup*.service' "
                   "'asbackup*.timer'")[1]
            .strip(), "", "no unit is left")
    disk = world.disk("purged")
    since = vm.mark()
    vm.plug(disk)
    world.seen(disk)
    c.equal(world.starts(disk, since), 0, "a disk starts nothing any more")
    status, out = vm.run(f"{APT} purge asbackup", 180)
    c.equal(status, 0, "apt-get purge", out)
    c.equal(vm.sh("find / -xdev -path /proc -prune -o -path /sys -prune -o "
                  "-iname '*asbackup*' -print; find /run -iname '*asbackup*' "
                  "-not -path '/run/udev/*'"), "", "nothing is left")
