# SPDX-License-Identifier: MIT
"""Whether the clock is right can be asked in the unit, by way of systemd."""
from case import case

NAME = "asbackup@clock.service"
ASK = "timedatectl show --property=NTPSynchronized --value"


@case("clock")
def clock(world, c):
    vm = world.vm
    outside = vm.sh(ASK)
    c.ok(outside in ("yes", "no"), "systemd answers", outside)
    # The unit as it is, with another program in it.
    vm.sh(f"mkdir -p /run/systemd/system/{NAME}.d && "
          f"cat > /run/systemd/system/{NAME}.d/ask.conf << 'END'\n"
          "[Service]\nType=oneshot\nWatchdogSec=0\nExecStart=\n"
          f"ExecStart=/bin/sh -c '{ASK} > /run/asbackup/answer 2>&1'\n"
          "END\nsystemctl daemon-reload")
    try:
        status, out = vm.run(f"systemctl start {NAME}", 60)
        c.equal(status, 0, "it was asked in the unit", out)
        c.equal(vm.sh("cat /run/asbackup/answer"), outside,
                "and answers the same there")
    finally:
        vm.sh(f"rm -r /run/asbackup/answer /run/systemd/system/{NAME}.d; "
              "systemctl daemon-reload")
