# SPDX-License-Identifier: MIT
"""The disk is pulled out in the middle."""
from case import case
from case_plug import good_run

LIMIT = 10.0  # seconds from the pull to the end of the run


def pulled(world, c, disk, when, **settings):
    """Plugs in, pulls when told to, and looks at what is left."""
    vm = world.vm
    world.configure(disk, **settings)
    world.forget()
    since, mails = vm.mark(), world.mail.mark()
    vm.plug(disk)
    when()
    vm.pull(disk)
    gone = world.device_gone(since)
    run = world.ended(disk, since, 60)
    vm.throttle()
    c.note(f"the run ended {run.ended - gone:.1f} s after the pull, "
           f"exit status {run.exit}")
    c.ok(run.ended - gone <= LIMIT, "the end comes soon",
         f"{run.ended - gone} s\n{run}")
    return run, mails


def lost(world, c, run, mails, step):
    c.equal((run.good, run.exit), (False, 19), "failed: the disk is gone", run)
    status = world.status()
    c.equal((status["state"], status["step"]), ("failed", step),
            "the status names the step", status)
    c.ok(world.mail.wait(mails, lambda m: "NOT" in m.subject + m.text and
                         ("gone" in m.text or "pulled" in m.text)),
         "a mail says so", "\n---\n".join(map(str, world.mail.since(mails))))


def nothing_left(world, c):
    left = world.vm.sh(
        "for p in /proc/[0-9]*; do read -r s 2>/dev/null < $p/stat || "
        "continue; s=${s##*) }; read -r n < $p/comm || continue; case "
        "\"${s%% *} $n\" in D*) echo \"$p $s $n\";; "
        "*' asbackup'|*' rsync') echo \"$p $n\";; esac; done 2>/dev/null; "
        "grep -s /run/asbackup/mnt /proc/[0-9]*/mountinfo || :")
    c.equal(left, "", "no process hangs, nothing is mounted")


def next_plug(world, c, disk):
    world.configure(disk)
    run = world.copy(disk)
    good_run(c, world, disk, run, "the next plug")
    world.vm.pull(disk)
    c.equal(world.differences(disk), [], "the source")
    c.ok(disk.clean() and disk.check(), "nothing to repair on it")


@case("pull-plan")
def plan(world, c):
    disk = world.disk("pull-plan")
    world.configure(disk)
    c.ok(world.copy(disk).good, "it was copied to before")
    world.vm.pull(disk)

    def when():
        world.wait_step("lock", "plan")
        world.vm.throttle(read=20000)
        world.wait_step("plan")

    run, mails = pulled(world, c, disk, when)
    lost(world, c, run, mails, "plan")
    nothing_left(world, c)
    next_plug(world, c, disk)


@case("pull-copy")
def copy(world, c):
    disk = world.disk("pull-copy")
    run, mails = pulled(world, c, disk, lambda: world.wait_step("copy"),
                        backup="bandwidth-limit = 1M")
    lost(world, c, run, mails, "copy")
    nothing_left(world, c)
    next_plug(world, c, disk)


# Little to write, and that slowly: long moments to meet.
SLOW = 16000


@case("pull-flush")
def flush(world, c):
    disk = world.disk("pull-flush")
    world.kept["pull-flush"] = disk
    world.configure(disk)
    c.ok(world.copy(disk).good, "it was copied to before")
    world.vm.pull(disk)
    world.add_file("Job A/flush.vib", "a little")

    def when():
        world.wait_step("plan", "copy", "verify")
        world.vm.throttle(write=SLOW)
        world.wait_step("unmount")

    run, mails = pulled(world, c, disk, when)
    lost(world, c, run, mails, "unmount")
    nothing_left(world, c)
    next_plug(world, c, disk)


@case("pull-unmount")
def unmount(world, c):
    """While the kernel is unmounting.  When it had just finished, a good end
    is right, and then the copy must be good."""
    disk = world.kept.get("pull-flush") or world.disk("pull-unmount")
    trace = "/sys/kernel/tracing"
    event = trace + "/events/syscalls/sys_enter_umount"
    world.add_file("Job A/unmount.vib", "a little")

    def when():
        # The kernel itself says when asbackup calls umount(); systemd does
        # too, before it starts it, under the name of "(asbackup)".  The kernel
        # looks at the name: in the trace it is "<...>" when it is read at once.
        world.vm.sh(f"echo 'comm == \"asbackup\"' > {event}/filter; "
                    f"echo 1 > {event}/enable")
        world.wait_step("copy", "verify")
        world.vm.throttle(write=SLOW)
        world.vm.until(f"grep -m 1 umount {trace}/trace_pipe")

    run, mails = pulled(world, c, disk, when)
    world.vm.sh(f"echo 0 > {event}/enable; echo 0 > {event}/filter")
    if run.good:
        c.equal(world.differences(disk), [], "called good, and is")
    else:
        lost(world, c, run, mails, "unmount")
    nothing_left(world, c)
    next_plug(world, c, disk)
