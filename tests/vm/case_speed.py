# SPDX-License-Identifier: MIT
"""How long from the disk to the first line of the run, compared with a unit
that does nothing; what the rule costs udev."""
import statistics

from case import case

RULE = """ACTION=="add", SUBSYSTEM=="block", ENV{{ID_FS_UUID}}=="{uuid}", \
TAG+="systemd", ENV{{SYSTEMD_WANTS}}+="vm-nothing.service"
"""
UNIT = """[Service]
Type=oneshot
ExecStart=/bin/echo nothing
"""
ROUNDS = 3
# The goal is 2.  Emulated, a sandbox and a program with many libraries cost
# more than they do on a real machine: a guard against getting worse.
LIMIT = 8


def is_attached(entry):
    return entry.get("_TRANSPORT") == "kernel" and \
        "Attached SCSI" in (entry.get("MESSAGE") or "")


def latency(world, disk, unit):
    vm = world.vm
    since = vm.mark()
    vm.plug(disk)
    vm.wait("a line of " + unit, lambda e: e.get("_SYSTEMD_UNIT") == unit,
            since)
    # The kernel's line may come later than what it is about.
    begin = vm.wait("the kernel sees the disk", is_attached, since)
    line = vm.wait("", lambda e: e.get("_SYSTEMD_UNIT") == unit, since)
    return (at(line) - at(begin)) / 1e6


def at(entry):
    return int(entry.get("_SOURCE_REALTIME_TIMESTAMP") or
               entry["__REALTIME_TIMESTAMP"])


@case("speed")
def speed(world, c):
    vm = world.vm
    disk, other = world.disk("speed"), world.disk("nothing")
    world.configure(disk)
    vm.write("/etc/systemd/system/vm-nothing.service", UNIT)
    vm.write("/etc/udev/rules.d/66-vm.rules", RULE.format(uuid=other.uuid))
    vm.sh("systemctl daemon-reload; udevadm control --reload")
    copy, nothing = [], []
    for _ in range(ROUNDS):
        nothing.append(latency(world, other, "vm-nothing.service"))
        vm.pull(other)
        since = vm.mark()
        copy.append(latency(world, disk, world.unit(disk.uuid)))
        world.ended(disk, since)
        vm.pull(disk)
    a, b = statistics.median(copy), statistics.median(nothing)
    c.note(f"from the disk to the first line {a:.2f} s, of a unit that does "
           f"nothing {b:.2f} s: {a / b:.1f} times")
    c.ok(a <= LIMIT * b,
         f"at most {LIMIT} times as long as a unit that does nothing",
         f"{copy}\n{nothing}")
    vm.sh("rm /etc/systemd/system/vm-nothing.service "
          "/etc/udev/rules.d/66-vm.rules; systemctl daemon-reload; "
          "udevadm control --reload")

    times = {}
    for name, command in (
            ("match", f"/usr/sbin/asbackup match -q --uuid {other.uuid}"),
            ("true", "/bin/true")):
        times[name] = float(vm.sh(
            f"a=${{EPOCHREALTIME/./}}; for i in {{1..30}}; do {command}; "
            "done; b=${EPOCHREALTIME/./}; echo $(( (b - a) / 30 ))")) / 1000
    c.note(f"asbackup match {times['match']:.1f} ms, /bin/true "
           f"{times['true']:.1f} ms (emulated)")
