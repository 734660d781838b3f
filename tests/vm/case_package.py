# SPDX-License-Identifier: MIT
"""The package comes into the machine and is installed with apt."""
import base64
import os

from case import case

HERE = "/var/tmp/asbackup.deb"
APT = "DEBIAN_FRONTEND=noninteractive apt-get -y -q"


def send(world, path, to):
    """Brings a file into the machine."""
    with open(path, "rb") as f:
        data = f.read()
    world.vm.sh(f"rm -f {to}")
    for i in range(0, len(data), 1 << 16):
        text = base64.b64encode(data[i:i + (1 << 16)]).decode()
        world.vm.sh(f"base64 -d >> {to} << 'END'\n{text}\nEND")


@case("install", always=True)
def install(world, c):
    vm = world.vm
    send(world, world.deb, HERE)
    status, out = vm.run(f"{APT} install {HERE}", 180)
    if not c.equal(status, 0, "apt-get install", out):
        return
    c.equal(vm.sh("stat -c '%a %U:%G' /etc/asbackup/config.ini"),
            "600 root:root", "the configuration is root's alone")
    c.equal(vm.sh("systemctl is-enabled asbackup-mail.timer "
                  "asbackup-overdue.timer"), "enabled\nenabled",
            "the timers are enabled")
    c.equal(vm.sh("systemctl is-active asbackup-mail.timer "
                  "asbackup-overdue.timer"), "active\nactive",
            "and wait already")
    c.equal(vm.run("systemctl --failed --no-legend")[1].strip(), "",
            "nothing has failed")
    c.equal(vm.sh("stat -c '%U' /var/lib/asbackup/spool"), "_asbackup",
            "the spool is the mail user's")
    c.note(vm.sh("dpkg-query -W asbackup") + ", " + os.path.basename(world.deb))
