# SPDX-License-Identifier: MIT
"""vmexec of the package, on this machine, against the virtual machine's sshd."""
import glob
import os
import re
import signal
import socket
import subprocess
import threading
import time

from disk import tool
from qmp import Error
from vm import Failed


class Run:
    """One vmexec that was started."""

    def __init__(self, argv):
        self.argv = argv
        self.news = threading.Condition()
        self.bytes = {"out": b"", "err": b""}
        # Not even a killed harness leaves it behind.
        self.process = subprocess.Popen(
            ["setpriv", "--pdeathsig", "KILL", *argv],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE)
        self.readers = [
            threading.Thread(target=self._read, args=(name, pipe), daemon=True)
            for name, pipe in (("out", self.process.stdout),
                               ("err", self.process.stderr))]
        for reader in self.readers:
            reader.start()

    def _read(self, name, pipe):
        while True:
            data = os.read(pipe.fileno(), 1 << 16)
            with self.news:
                self.bytes[name] += data
                self.news.notify_all()
            if not data:
                return

    @property
    def out(self):
        return self.bytes["out"]

    @property
    def said(self):
        """What vmexec and the script said on standard error."""
        return self.bytes["err"].decode("utf-8", "replace")

    def __str__(self):
        return f"{' '.join(self.argv)}\n{self.said}\n{self.out[-300:]!r}"

    def until(self, words, limit=180, stream="err"):
        """Until it has said that (bytes in a regular expression); where the
        match ends."""
        def found():
            return re.search(words, self.bytes[stream])

        with self.news:
            if not self.news.wait_for(
                    lambda: found() or self.process.poll() is not None, limit):
                raise Failed(f"not within {limit} s: {words!r}\n{self}")
            if not found():
                raise Failed(f"ended without {words!r}\n{self}")
            return found().end()

    def freeze(self):
        self.process.send_signal(signal.SIGSTOP)

    def thaw(self):
        self.process.send_signal(signal.SIGCONT)

    def end(self, limit=180):
        """Its exit status, when all it said is here."""
        try:
            self.process.wait(limit)
        except subprocess.TimeoutExpired:
            raise Failed(f"still there after {limit} s\n{self}") from None
        for reader in self.readers:
            reader.join(10)
        return self.process.returncode

    def kill(self):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()


class Remote:
    """The way into the machine by ssh.  up() again after a power cut."""

    def __init__(self, world):
        self.world = world
        self.runs = []
        self.port = 0
        tree = os.path.join(world.work, "unpacked")
        if not os.path.isdir(tree):
            tool("dpkg-deb", "-x", world.deb, tree)
        self.program = glob.glob(tree + "/usr/*bin/vmexec")[0]
        self.key = os.path.join(world.work, "key")
        self.known = os.path.join(world.work, "known")

    def up(self):
        """sshd runs there, root may log in with our key, and a port of this
        machine leads to it."""
        # "systemctl enable" would call half of perl.
        key = self.world.vm.sh("""
[ -e /root/key ] || ssh-keygen -q -t ed25519 -N '' -f /root/key
mkdir -p -m 700 /root/.ssh && cp /root/key.pub /root/.ssh/authorized_keys
ln -sf /lib/systemd/system/ssh.service /etc/systemd/system/multi-user.target.wants/
systemctl start ssh
cat /root/key""", 180)
        with open(self.key, "w", encoding="ascii",
                  opener=lambda p, f: os.open(p, f, 0o600)) as f:
            f.write(key + "\n")
        self.forward()

    def forward(self):
        for _ in range(20):
            with socket.socket() as s:
                s.bind(("127.0.0.1", 0))
                self.port = s.getsockname()[1]
            answer = self.world.vm.qmp.command("human-monitor-command", {
                "command-line":
                    f"hostfwd_add net tcp:127.0.0.1:{self.port}-:22"})
            if not answer.strip():
                return
        raise Error(f"no port leads into the machine: {answer}")

    def plug(self, on):
        """The network cable of the machine."""
        self.world.vm.qmp.command("set_link", {"name": "net", "up": on})

    def down(self):
        for run in self.runs:
            run.kill()
        self.runs.clear()
        if self.world.vm.alive():
            self.plug(True)
            self.world.vm.qmp.command("human-monitor-command", {
                "command-line":
                    f"hostfwd_remove net tcp:127.0.0.1:{self.port}"})
            self.world.vm.run("systemctl stop ssh; rm /etc/systemd/system/"
                              "multi-user.target.wants/ssh.service", 180)

    def start(self, *args, user="root", host_args=()):
        """vmexec ARGS user@host HOST_ARGS."""
        run = Run([self.program, "-F", "/dev/null", "-i", self.key,
                   "--known-hosts", self.known, "--accept-new",
                   "--delay", "1", "--retries", "300",
                   "--connect-timeout", "30",
                   "--heartbeat-timeout", "20", *args,
                   f"{user}@127.0.0.1:{self.port}", *host_args])
        self.runs.append(run)
        return run

    def call(self, *args, limit=180, **more):
        """One that ends at once: status and the run."""
        run = self.start(*args, **more)
        return run.end(limit), run
