# SPDX-License-Identifier: MIT
"""The virtual machine: power, commands, its journal, disks to plug in."""
import base64
import json
import os
import re
import shlex
import socket
import subprocess
import threading
import time

from qmp import Door, Error, Qmp

HERE = os.path.dirname(os.path.abspath(__file__))
BOOT_LIMIT = 150


class Failed(Exception):
    """A command in the machine failed, or something did not happen."""


class Stream:
    """Lines from one of the machine's serial ports."""

    def __init__(self, door, on_line):
        self.sock = door.open()
        self.on_line = on_line
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self):
        rest = b""
        while True:
            try:
                data = self.sock.recv(1 << 16)
            except OSError:
                return
            if not data:
                return
            *lines, rest = (rest + data).split(b"\n")
            for line in lines:
                self.on_line(line)

    def send(self, line):
        self.sock.sendall(line)

    def close(self):
        try:
            self.sock.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self.sock.close()


class Vm:
    def __init__(self, image, work, smtp_port_file, accel="tcg"):
        self.image = image
        self.work = work
        self.accel = accel
        self.smtp_port_file = smtp_port_file
        self.process = None
        self.qmp = None
        self.news = threading.Condition()
        self.journal = []       # everything since the first power-on
        self.answers = {}
        self.number = 0
        self.event = False
        self.ready = 0          # how often the agent has said so
        self.plugged = {}       # name -> Disk
        self.boots = 0
        self.root = os.path.join(work, "root.img")
        self.console = os.path.join(work, "console.log")
        subprocess.run(["cp", "--sparse=always", "--reflink=auto",
                        os.path.join(image, "root.img"), self.root],
                       check=True)

    # --- power ----------------------------------------------------------------

    def path(self, name):
        return os.path.join(self.work, name)

    def start(self, disks=(), kernel=""):
        """Power on, with these disks plugged in; until the agent answers."""
        self.boots += 1
        doors = {name: Door(self.path(name))
                 for name in ("qmp", "command", "journal", "event")}
        relay = " ".join(map(shlex.quote, (
            "/usr/bin/python3", os.path.join(HERE, "relay.py"),
            self.smtp_port_file)))
        # Not even a killed harness leaves a machine behind.
        argv = ["setpriv", "--pdeathsig", "KILL",
                "qemu-system-x86_64", "-nodefaults", "-no-user-config",
                "-machine", "q35", "-accel", self.accel,
                "-cpu", "max" if self.accel.startswith("tcg") else "host",
                "-smp", "2", "-m", "1024", "-display", "none",
                "-kernel", os.path.join(self.image, "vmlinuz"),
                "-initrd", os.path.join(self.image, "initrd"),
                "-append", "root=/dev/vda console=ttyS0 net.ifnames=0 quiet "
                "mitigations=off random.trust_cpu=on panic=-1 "
                "systemd.show_status=0 " + kernel,
                "-drive", f"if=virtio,format=raw,cache=unsafe,file={self.root}",
                "-chardev",
                f"file,id=console,path={self.console},append=on",
                "-serial", "chardev:console",
                "-qmp", f"unix:{self.path('qmp')}",
                "-device", "virtio-serial-pci",
                "-netdev", "user,id=net,restrict=on,guestfwd="
                f"tcp:10.0.2.100:25-cmd:{relay}",
                "-device", "virtio-net-pci,netdev=net",
                "-device", "virtio-rng-pci",
                "-object", "throttle-group,id=slow",
                "-drive", "if=virtio,format=raw,cache=unsafe,file="
                + self.path("source.img"),
                "-device", "qemu-xhci,id=xhci,p2=8,p3=8"]
        for name in ("command", "journal", "event"):
            argv += ["-chardev", f"socket,id={name},path={self.path(name)}",
                     "-device", f"virtserialport,chardev={name},name=vm.{name}"]
        for disk in disks:
            argv += ["-blockdev", json.dumps(disk.blockdev()),
                     "-device", json.dumps(disk.device())]
            self.plugged[disk.name] = disk
        seen = self.ready
        with open(self.path("qemu.log"), "ab") as log:
            self.process = subprocess.Popen(argv, stdin=subprocess.DEVNULL,
                                            stdout=log, stderr=log)
        self.qmp = Qmp(doors["qmp"])
        self.streams = [
            Stream(doors["command"], self._on_answer),
            Stream(doors["journal"], self._on_entry),
            Stream(doors["event"], self._on_event)]
        self.wait_ready(seen)

    def wait_ready(self, seen, limit=BOOT_LIMIT):
        with self.news:
            if not self.news.wait_for(lambda: self.ready > seen, limit):
                raise Failed(f"the machine did not come up in {limit} s: "
                             + self.path("console.log"))

    def alive(self):
        return self.process is not None and self.process.poll() is None

    def power_cut(self):
        """As if somebody had pulled the plug of the server."""
        if self.alive():
            self.process.kill()
            self.process.wait()
        if self.qmp:
            self.qmp.close()
            for stream in self.streams:
                stream.close()
        self.qmp = None
        self.plugged.clear()

    def wait_off(self, limit=120):
        """Until the machine has switched itself off."""
        try:
            self.process.wait(limit)
        except subprocess.TimeoutExpired:
            raise Failed(f"still on after {limit} s") from None
        self.power_cut()

    # --- commands -------------------------------------------------------------

    def _on_answer(self, line):
        parts = line.decode("utf-8", "replace").split(" ", 2)
        with self.news:
            if parts[0] == "ready":
                self.ready += 1
            elif len(parts) == 3:
                self.answers[parts[0]] = (int(parts[1]), re.sub(
                    r"\\(.)", lambda m: {"n": "\n"}.get(m[1], m[1]),
                    parts[2]))
            self.news.notify_all()

    def begin(self, script, limit=60):
        """Starts a script in the machine: a number for end()."""
        with self.news:
            self.number += 1
            number = str(self.number)
        text = script.replace("\\", "\\\\").replace("\n", "\\n")
        self.streams[0].send(f"{number} {limit} {text}\n".encode())
        return number

    def end(self, number, limit=60):
        """Its exit status and what it said."""
        with self.news:
            if not self.news.wait_for(lambda: number in self.answers,
                                      limit + 20):
                raise Failed("the machine does not answer")
            return self.answers.pop(number)

    def run(self, script, limit=60):
        return self.end(self.begin(script, limit), limit)

    def sh(self, script, limit=60):
        """What it says; fails when it fails."""
        status, out = self.run(script, limit)
        if status:
            raise Failed(f"status {status} of: {script}\n{out}")
        return out.rstrip("\n")

    def _on_event(self, _):
        with self.news:
            self.event = True
            self.news.notify_all()

    def until(self, script, limit=60):
        """Until the script says something: at once, other than sh()."""
        with self.news:
            self.event = False
        number = self.begin(f"exec > /dev/virtio-ports/vm.event\n{script}",
                            limit)
        with self.news:
            self.news.wait_for(
                lambda: self.event or number in self.answers, limit + 20)
            if not self.event:
                raise Failed(f"not within {limit} s: {script}")

    def write(self, path, text, mode="644"):
        data = base64.b64encode(text.encode()).decode()
        self.sh(f"mkdir -p {shlex.quote(os.path.dirname(path))} && "
                f"base64 -d <<< {data} > {shlex.quote(path)}.new && "
                f"chmod {mode} {shlex.quote(path)}.new && "
                f"mv {shlex.quote(path)}.new {shlex.quote(path)}")

    # --- the journal ----------------------------------------------------------

    def _on_entry(self, line):
        try:
            entry = json.loads(line)
        except ValueError:
            return
        message = entry.get("MESSAGE")
        if isinstance(message, list):  # journalctl's way with strange bytes
            entry["MESSAGE"] = bytes(message).decode("utf-8", "replace")
        entry["t"] = int(entry.get("__MONOTONIC_TIMESTAMP", 0)) / 1e6
        with self.news:
            self.journal.append(entry)
            self.news.notify_all()

    def mark(self):
        with self.news:
            return len(self.journal)

    def entries(self, since, match):
        with self.news:
            return [e for e in self.journal[since:] if match(e)]

    def wait(self, what, match, since, limit=60, count=1):
        """The count-th entry from a mark on that matches; fails without."""
        def found():
            hits = [e for e in self.journal[since:] if match(e)]
            return hits[count - 1] if len(hits) >= count else None

        with self.news:
            if not self.news.wait_for(found, limit):
                raise Failed(f"not within {limit} s: {what}")
            return found()

    # --- disks ----------------------------------------------------------------

    def plug(self, disk):
        self.qmp.command("blockdev-add", disk.blockdev())
        self.qmp.command("device_add", disk.device())
        self.plugged[disk.name] = disk

    def pull(self, disk):
        """Out, whatever it was doing; returns the guest's uptime then."""
        when = self.qmp.mark()
        self.qmp.command("device_del", {"id": disk.name})
        self.qmp.wait("DEVICE_DELETED", 30, when, device=disk.name)
        self.plugged.pop(disk.name, None)
        self._forget_block(disk)

    def _forget_block(self, disk):
        deadline = time.monotonic() + 60
        while True:
            try:
                self.qmp.command("blockdev-del",
                                 {"node-name": disk.name})
                return
            except Error:
                # in use until its last request, which QEMU does not announce
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.05)

    def pull_all(self):
        for disk in list(self.plugged.values()):
            self.pull(disk)

    def throttle(self, read=0, write=0):
        """Bytes per second of every disk; 0: as fast as it goes."""
        self.qmp.command("qom-set", {
            "path": "/objects/slow", "property": "limits",
            "value": {"bps-read": read, "bps-write": write}})
