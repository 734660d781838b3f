# SPDX-License-Identifier: MIT
"""The mail server is down while a copy runs."""
from case import case
from case_plug import good_run


@case("mail-later")
def later(world, c):
    vm = world.vm
    disk = world.disk("mail")
    world.configure(disk)
    world.mail.down()
    try:
        run = world.copy(disk)
    finally:
        mails = world.mail.mark()
        world.mail.up()
    good_run(c, world, disk, run, "without a mail server")
    spool = vm.sh("ls -l /var/lib/asbackup/spool")
    c.ok(".eml" in spool, "the mails wait", spool)
    since = vm.mark()
    vm.sh("date -s '+10 minutes'")  # they are tried again after a while
    status, out = vm.run("systemctl start asbackup-mail.service || "
                         "systemctl status -l asbackup-mail.service", 120)
    c.equal(status, 0, "asbackup-mail.service works", out)
    c.ok(world.mail.wait(mails, lambda m: "may be unplugged" in m.text),
         "the mail came later",
         "\n".join(e.get("MESSAGE") or "" for e in vm.entries(
             since, lambda e: "asbackup" in str(e.get("UNIT")) +
             str(e.get("_SYSTEMD_UNIT")))))
    vm.sh("date -s '-10 minutes'")
    c.equal(vm.sh("ls /var/lib/asbackup/spool | grep eml || :"), "",
            "nothing waits any more")
    c.equal(vm.sh("systemctl show -P User asbackup-mail.service"),
            "_asbackup", "it is not root who sends it")


@case("overdue")
def overdue(world, c):
    status, out = world.vm.run(
        "systemctl start asbackup-overdue.service || "
        "systemctl status -l asbackup-overdue.service", 120)
    c.equal(status, 0, "asbackup-overdue.service works", out)
