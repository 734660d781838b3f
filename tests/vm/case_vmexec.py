# SPDX-License-Identifier: MIT
"""vmexec against a real systemd, logind and sshd; the host really reboots."""
import json
import os
import re
import time

from case import case
from remote import Remote

STATUS = 37
STARTS = "/var/tmp/vmexec.starts"
# NAME PHASES: after each phase it waits until it may go on.  Bytes of all
# kinds, in both streams.
SCRIPT = f"""#!/bin/sh
read -r boot < /proc/sys/kernel/random/boot_id
echo "$1 $boot" >> {STARTS}
phase=1
while [ $phase -le $2 ]; do
	i=0
	while [ $i -lt 8 ]; do
		printf 'line %d.%d \\000\\377\\r\\033[31m no newline' $phase $i
		echo "problem $phase.$i" >&2
		sleep 0.05
		i=$((i + 1))
	done
	echo "phase $phase"
	until [ -e /run/vmexec-go/$1.$phase ] || [ -e /run/vmexec-go/all ]; do
		sleep 0.2
	done
	phase=$((phase + 1))
done
printf 'last words, no newline'
exit {STATUS}
"""
LOGIND = "/run/systemd/logind.conf.d/vm.conf"


class Stage:
    """The machine with an sshd, users, and our script."""

    def __init__(self, world, c):
        self.vm, self.c = world.vm, c
        self.script = os.path.join(world.work, "script")
        with open(self.script, "w", encoding="ascii") as f:
            f.write(SCRIPT)
        if "remote" not in world.kept:
            world.kept["remote"] = Remote(world)
        self.remote = world.kept["remote"]
        self.remote.up()
        self.vm.sh(f"""
mkdir -p /run/vmexec-go && rm -rf /run/vmexec-go/* /var/lib/vmexec
: > {STARTS}; chmod 666 {STARTS}
for u in plain lingers; do
    id -u $u > /dev/null 2>&1 && continue
    useradd -m -s /bin/sh $u
    mkdir -m 700 ~$u/.ssh && cp /root/key.pub ~$u/.ssh/authorized_keys
    chown -R $u: ~$u/.ssh
done""".replace("~$u", "/home/$u"))

    def start(self, name, phases, *options, user="root"):
        return self.remote.start("--job", name, *options, user=user,
                                 host_args=(self.script, name, str(phases)))

    def go(self, phase, *names):
        self.vm.sh("cd /run/vmexec-go && touch " +
                   " ".join(f"{n}.{phase}" for n in names))

    def undisturbed(self, phases):
        """What it prints when nothing happens: both streams."""
        self.vm.sh("touch /run/vmexec-go/all")
        status, run = self.remote.call(
            "-q", host_args=(self.script, "calm", str(phases)))
        self.vm.sh("rm /run/vmexec-go/all")
        self.c.equal(status, STATUS, "an undisturbed run", run)
        return run.out, problems(run)

    def starts(self, name):
        """In which boots it was started."""
        return self.vm.sh(f"sed -n 's/^{name} //p' {STARTS}").split()

    def whole(self, name, run, wanted, starts=1):
        """It got everything, and was started so often."""
        self.c.equal(run.end(), STATUS, f"{name}: the script's status", run)
        self.c.ok((run.out, problems(run)) == wanted,
                  f"{name}: byte by byte the undisturbed output",
                  f"{run.out!r}\n{wanted[0]!r}\n{run}")
        self.c.equal(len(self.starts(name)), starts,
                     f"{name}: started {starts} times")


def problems(run):
    return re.findall(rb"problem \d+\.\d+\n", run.bytes["err"])


def staged(function):
    """A case with a stage, taken away afterwards."""
    def run(world, c):
        stage = None
        try:
            stage = Stage(world, c)
            function(world, c, stage)
        finally:
            if "remote" in world.kept:
                world.kept["remote"].down()
    return run


@case("vmexec-session")
@staged
def session(_, c, stage):
    """Sessions end and logind ends what is left, sshd restarts, the clock
    jumps, the machine stands still: nothing of that is a reboot."""
    vm = stage.vm
    vm.write(LOGIND, "[Login]\nKillUserProcesses=yes\nKillExcludeUsers=\n")
    vm.sh("systemctl stop asbackup-mail.timer asbackup-overdue.timer; "
          "systemctl restart systemd-logind && loginctl enable-linger lingers")
    wanted = stage.undisturbed(3)
    jobs = {"root": stage.start("root", 3),
            "lingers": stage.start("lingers", 3, user="lingers")}
    doomed = stage.start("doomed", 3, user="plain")
    for name, run in [*jobs.items(), ("doomed", doomed)]:
        run.until(rb"phase 1\n", stream="out")
        how = "setsid-until-logout" if name == "doomed" else "systemd"
        c.has(run.said, f"kept alive by {how})", f"{name}: what keeps it alive")
    c.has(doomed.said, "enable-linger", "who will not survive is told")

    vm.sh("for s in $(loginctl list-sessions --no-legend | "
          "sed 's/^ *\\([^ ]*\\).*/\\1/'); do loginctl terminate-session $s; "
          "done; systemctl restart ssh")
    c.equal(doomed.end(), 251, "doomed: logind has ended it", doomed)
    for run in jobs.values():
        run.until(rb"connected again")
    c.ok(True, "sessions end, sshd is restarted: the others go on")

    vm.sh("date -s '+1 year'")
    stage.go(1, *jobs)
    for run in jobs.values():
        run.until(rb"phase 2\n", stream="out")
    losses = {name: run.said.count("connected again")
              for name, run in jobs.items()}
    vm.qmp.command("stop")
    time.sleep(20)  # there is nothing to wait for in a machine that stands
    vm.qmp.command("cont")
    vm.sh("date -s '-2 years'")
    for name, run in jobs.items():
        run.until(rb"(connected again[\s\S]*){%d}" % (losses[name] + 1))
    stage.go(2, *jobs)
    for run in jobs.values():
        run.until(rb"phase 3\n", stream="out")
    vm.sh("date -s '+1 year'")
    stage.go(3, *jobs)
    for name, run in jobs.items():
        stage.whole(name, run, wanted)
        c.ok("rebooted" not in run.said, f"{name}: nothing of it is a reboot",
             run)

    vm.sh(f"rm {LOGIND}; systemctl restart systemd-logind; systemctl start "
          "asbackup-mail.timer asbackup-overdue.timer")
    plain = stage.start("plain", 1, user="plain")
    plain.until(rb"phase 1\n", stream="out")
    c.has(plain.said, "kept alive by setsid)", "a user as Debian has it")
    vm.sh("pkill -KILL -u plain sshd")
    plain.until(rb"connected again")
    stage.go(1, "plain")
    c.equal(plain.end(), STATUS, "outlives the session", plain)


TREE = """
setsid env -i sleep 1001 > /dev/null 2>&1 &
(setsid env -i sh -c 'trap "" TERM; while :; do sleep 0.2; done' \
    > /dev/null 2>&1 &)
echo up
sleep 1002
"""
LEFT = "pgrep -f '^sleep 100|[t]rap \"\" TERM; while'"


def all_gone(stage, what):
    """TERM, and ten seconds later KILL."""
    status, out = stage.vm.run(
        f"for i in {{1..100}}; do {LEFT} || exit 0; sleep 0.2; done; ps -ef; "
        "exit 1", 120)
    stage.c.equal(status, 0, what, out)


@case("vmexec-end")
@staged
def end(_, c, stage):
    """Jobs are ended: by time, by hand, by systemd."""
    vm, remote = stage.vm, stage.remote
    late = remote.start("--job", "late", "--timeout", "8",
                        host_args=("-c", TREE))
    late.until(rb"up\n", stream="out")
    remote.plug(False)
    vm.until("until [ -s /var/lib/vmexec/late/rc ]; do sleep 0.2; done; echo",
             60)
    all_gone(stage, "a time limit holds without a connection")
    remote.plug(True)
    c.equal(late.end(), 124, "and is told afterwards", late)

    tree = remote.start("--job", "tree", host_args=("-c", TREE))
    tree.until(rb"up\n", stream="out")
    listed = json.loads(remote.call("--list", "--json")[1].out)["jobs"]
    c.equal({j["id"]: (j["state"], j["exit_status"], j["bytes_out"])
             for j in listed},
            {"late": ("ended", 143, 3), "tree": ("running", None, 3)},
            "--list", listed)
    status, run = remote.call("--cancel", "tree")
    c.equal(status, 0, "--cancel", run)
    c.equal(vm.run(LEFT)[1], "",
            "ends the children that had left the session")
    c.equal(tree.end(), 143, "who follows it gets its status", tree)

    stays = "setsid env -i sleep 1003 > /dev/null 2>&1 & echo up"
    status, run = remote.call(host_args=("-c", stays))
    c.equal((status, run.out), (0, b"up\n"), "a job that leaves a process")
    vm.sh("until [ -z \"$(systemctl list-units --plain --no-legend "
          "'vmexec-*')\" ]; do sleep 0.1; done")
    c.equal(vm.sh("pgrep -f -c '^sleep 1003'"), "1",
            "does not take it along, as with ssh")
    vm.sh("pkill -f '^sleep 1003'")

    stopped = remote.start("--job", "stopped", host_args=("-c", TREE))
    stopped.until(rb"up\n", stream="out")
    vm.sh("systemctl stop 'vmexec-stopped*'")
    c.equal(stopped.end(), 143, "systemctl stop ends it", stopped)
    c.equal(vm.run(LEFT)[1], "", "with all it has")

    status, run = remote.call("--clean", "--keep-days", "0")
    c.equal((status, vm.sh("ls /var/lib/vmexec")), (0, ""), "--clean", run)


def over_a_reboot(c, stage, reboot):
    """Jobs of every kind live through it."""
    vm = stage.vm
    wanted = stage.undisturbed(1)
    plain = stage.start("cut", 1)
    user = stage.start("user", 1, user="plain")
    expects = stage.start("expects", 1, "--expect-reboot")
    again = stage.start("again", 1, "--rerun-after-reboot")
    done = stage.start("done", 1)
    for run in (plain, user, expects, again, done):
        run.until(rb"phase 1\n", stream="out")
    # It ends while vmexec cannot hear of it.
    done.freeze()
    stage.go(1, "done")
    vm.sh("until [ -z \"$(systemctl list-units --plain --no-legend "
          "'vmexec-done*')\" ]; do sleep 0.2; done")
    ready = vm.ready
    reboot()
    vm.wait_ready(ready)
    vm.sh("mkdir -p /run/vmexec-go")
    stage.go(1, "again")
    done.thaw()

    for name, run, status in (("cut", plain, 252), ("user", user, 252),
                              ("expects", expects, 0)):
        c.equal(run.end(), status, f"{name}: ends with {status}", run)
        c.has(run.said, "the host has rebooted while it ran",
              f"{name}: which is said")
        c.ok(not re.search(r"nothing was lost\n.*rebooted", run.said),
             f"{name}: and nothing else", run)
        c.ok(wanted[0].startswith(run.out) and b"phase 1\n" in run.out,
             f"{name}: what it printed before is here", run)
    c.equal(again.end(), STATUS, "again: has the status of its second run",
            again)
    c.ok(again.out == wanted[0][:again.out.index(b"phase 1\n") + 8] +
         wanted[0], "again: has printed the first half and all", again)
    c.equal(len(set(stage.starts("again"))), 2, "again: once in each boot")
    c.equal(len(stage.starts("again")), 2, "again: not more often")
    stage.whole("done", done, wanted)
    for name in ("cut", "expects"):
        c.equal(len(stage.starts(name)), 1, f"{name}: started once")
    listed = stage.remote.call("--list")[1].out.decode()
    c.ok(re.search(r"(?m)^cut .*cut off by a reboot", listed),
         "the list knows what was cut off", listed)


@case("vmexec-reboot")
@staged
def reboot_in_order(_, c, stage):
    vm = stage.vm

    began = vm.mark()

    def reboot():
        since, now = vm.qmp.mark(), time.monotonic()
        vm.begin("systemctl reboot")
        vm.qmp.wait("RESET", 240, since)
        c.note(f"shut down in {time.monotonic() - now:.0f} s")

    over_a_reboot(c, stage, reboot)
    held_up = vm.entries(began, lambda e: e.get("UNIT", "").startswith(
        "vmexec-") and "timed out" in (e.get("MESSAGE") or ""))
    c.equal(held_up, [], "no job holds up the shutdown")


@case("vmexec-reset")
@staged
def reset(_, c, stage):
    """The hard way: what had not reached the disk is gone."""
    over_a_reboot(c, stage, lambda: stage.vm.qmp.command("system_reset"))
