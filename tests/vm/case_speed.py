# SPDX-License-Identifier: MIT
"""How long from the disk to the first line of the run, compared with a unit
that does nothing; what the rule costs udev.  The shortest of some rounds
counts: what else the host does only ever adds to them."""
from case import case

RULE = """ACTION=="add", SUBSYSTEM=="block", ENV{{ID_FS_UUID}}=="{uuid}", \
TAG+="systemd", ENV{{SYSTEMD_WANTS}}+="vm-nothing.service"
"""
UNIT = """[Service]
Type=oneshot
ExecStart=/bin/echo nothing
"""
ROUNDS = 5
# The goal is 2.  On hosts that had much else to do 1.6 and 2.4 were measured;
# more than this is not the host.
LIMIT = 3
# The rule may cost udev 5 ms, on a machine where /bin/true takes 1 ms.
RULE_LIMIT = 5


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
    a, b = min(copy), min(nothing)
    c.note(f"from the disk to the first line {a:.2f} s, of a unit that does "
           f"nothing {b:.2f} s: {a / b:.2f} times")
    c.ok(a <= LIMIT * b,
         f"at most {LIMIT} times as long as a unit that does nothing",
         f"{copy}\n{nothing}")
    vm.sh("rm /etc/systemd/system/vm-nothing.service "
          "/etc/udev/rules.d/66-vm.rules; systemctl daemon-reload; "
          "udevadm control --reload")

    match = fastest(vm, f"/usr/sbin/asbackup match -q --uuid {other.uuid}")
    true = fastest(vm, "/bin/true")
    c.note(f"asbackup match {match:.1f} ms, /bin/true {true:.1f} ms "
           f"(emulated): {match / true:.1f} times")
    c.ok(match <= RULE_LIMIT * true,
         f"what the rule runs takes at most {RULE_LIMIT} times as long as "
         "/bin/true", f"{match} ms, {true} ms")


def fastest(vm, command):
    """Milliseconds of the fastest of many runs."""
    return int(vm.sh(
        "least=\nfor i in {1..40}; do\n"
        f"a=${{EPOCHREALTIME/./}}; {command}; b=${{EPOCHREALTIME/./}}\n"
        "[ -n \"$least\" ] && [ $((b - a)) -ge \"$least\" ] || "
        "least=$((b - a))\ndone\necho $least")) / 1000
