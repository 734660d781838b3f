# SPDX-License-Identifier: MIT
"""What the cases share: the machine, the mail server, a source whose original
is on the host, disks, and runs of asbackup to wait for."""
import filecmp
import json
import os
import random
import shutil
import tempfile

from disk import Disk, tool
from mailserver import MailServer
from vm import Vm

SOURCE = "/srv/veeam"
STARTING = "7d4958e842da4a758f6c1cdc7b36dcc5"
SUCCESS = "7ad2d189f7e94e70a38c781354912448"
FAILURE = "d9b373ed55a64feb8242e02dbe79a49c"
OLD = 1577934245  # mtime of the source's files

CONFIG = """[Backup]
backup-source = /srv/veeam/
source-must-be-mountpoint = yes
veeam-lockfile-dir = /var/lib/veeam
rsync-update-ratio-seconds = 1
verify-share-percent = {verify}
{backup}
[Mail]
server = 10.0.2.100
port = 25
encryption = none
from-mail-address = asbackup@example.org
to-mail-addresses-sysop = sysop@example.org
{disks}
"""


class Run:
    """One run of asbackup@UUID.service that has ended."""

    def __init__(self, world, uuid, started, ended, entries):
        self.uuid = uuid
        self.started = started["t"]
        self.ended = ended["t"]
        self.took = self.ended - self.started
        self.good = ended["MESSAGE_ID"] == SUCCESS
        self.lines = [e.get("MESSAGE") or "" for e in entries]
        self.exit = next(
            (int(e["EXIT_STATUS"]) for e in reversed(entries)
             if e.get("EXIT_STATUS", "").isdigit()), 0)

    def __str__(self):
        return "\n".join(self.lines)


class World:
    def __init__(self, image, work, deb, accel):
        self.work = work
        self.deb = deb
        port_file = os.path.join(work, "smtp.port")
        self.mail = MailServer(port_file)
        self.mail.up()
        self.original = os.path.join(work, "source")
        self.make_source()
        self.vm = Vm(image, work, port_file, accel)
        self.disks = []
        self.kept = {}

    # --- the source -----------------------------------------------------------

    def make_source(self):
        noise = random.Random(3)
        for name, size in (("Job A/full.vbk", 6 << 20),
                           ("Job A/inc1.vib", 2 << 20),
                           ("Job A/Job A.vbm", 2000),
                           ("Job B/deep/full.vbk", 4 << 20),
                           ("Job B/leer \u00e4\u00f6.txt", 0)):
            path = os.path.join(self.original, name)
            os.makedirs(os.path.dirname(path), exist_ok=True)
            with open(path, "wb") as f:
                f.write(noise.randbytes(size))
        for folder, _, files in os.walk(self.original):
            for name in files + [""]:
                os.utime(os.path.join(folder, name), (OLD, OLD))
        image = os.path.join(self.work, "source.img")
        tool("truncate", "-s", "256M", image)
        tool("mkfs.ext4", "-q", "-F", "-d", self.original, image)

    def add_file(self, name, text):
        """A new file in the source, here and there."""
        path = os.path.join(self.original, name)
        with open(path, "w", encoding="utf-8") as f:
            f.write(text)
        os.utime(path, (OLD, OLD))
        self.vm.write(f"{SOURCE}/{name}", text)
        self.vm.sh(f"touch -d @{OLD} '{SOURCE}/{name}'")

    # --- configuration and disks ------------------------------------------------

    def disk(self, name, fstype="ext4", **more):
        disk = Disk(self.work, name, fstype, **more)
        self.disks.append(disk)
        return disk

    def configure(self, *disks, backup="", verify=5):
        sections = "".join(
            f"[disk {d.name}]\nuuid = {d.uuid}\nmail = {d.name}@example.org\n"
            for d in disks)
        self.vm.write("/etc/asbackup/config.ini", CONFIG.format(
            verify=verify, backup=backup, disks=sections), "600")

    # --- runs -------------------------------------------------------------------

    @staticmethod
    def unit(uuid):
        return f"asbackup@{uuid}.service"

    def _of(self, uuid, *ids):
        return lambda e: e.get("UNIT") == self.unit(uuid) and \
            e.get("MESSAGE_ID") in ids

    def started(self, disk, since, limit=60, count=1):
        return self.vm.wait(f"start of a run to {disk.name}",
                            self._of(disk.uuid, STARTING), since, limit, count)

    def starts(self, disk, since):
        """How many runs began."""
        return len(self.vm.entries(since, self._of(disk.uuid, STARTING)))

    def ended(self, disk, since, limit=120, count=1):
        """The count-th run to that disk that ended since then."""
        started = self.started(disk, since, count=count)
        ended = self.vm.wait(f"end of the run to {disk.name}",
                             self._of(disk.uuid, SUCCESS, FAILURE), since,
                             limit, count)
        unit = self.unit(disk.uuid)
        return Run(self, disk.uuid, started, ended, self.vm.entries(
            since, lambda e: started["t"] <= e["t"] <= ended["t"] and
            unit in (e.get("UNIT"), e.get("_SYSTEMD_UNIT"))))

    def forget(self):
        """No status of an earlier run, for wait_step()."""
        self.vm.sh("rm -f /run/asbackup/status.json")

    def wait_step(self, *steps, limit=60):
        """Until the run is in one of these steps, or has ended."""
        tests = "|".join([f'*\'"step": "{s}"\'*' for s in steps] +
                         [f'*\'"state": "{s}"\'*'
                          for s in ("succeeded", "failed")])
        self.vm.until(
            "exec 2> /dev/null 9<> <(:)\nwhile :; do\n"
            f"case $(< /run/asbackup/status.json) in {tests}) echo; exit;; "
            "esac\nread -r -t 0.02 -u 9\ndone", limit)

    def status(self):
        return json.loads(self.vm.sh("asbackup status --json"))

    def seen(self, disk):
        """Until udev has done with a disk that is plugged in."""
        self.vm.sh("udevadm wait --timeout=60 --settle "
                   f"/dev/disk/by-uuid/{disk.uuid}", 70)

    def device_gone(self, since, limit=30):
        """When the guest's kernel saw the disk go."""
        return self.vm.wait("the kernel sees the disk go", lambda e: e.get(
            "_TRANSPORT") == "kernel" and "USB disconnect" in
            (e.get("MESSAGE") or ""), since, limit)["t"]

    def copy(self, disk, limit=120):
        """Plugs it in and waits for the end of the copy."""
        since = self.vm.mark()
        self.vm.plug(disk)
        return self.ended(disk, since, limit)

    def is_success(self, disk):
        return self._of(disk.uuid, SUCCESS)

    def idle(self, limit=60):
        """Until no copy runs or waits to be started."""
        self.vm.sh("""
until [ -z "$(systemctl list-jobs --no-legend 'asbackup@*')" ] &&
    ! systemctl list-units --plain --no-legend 'asbackup@*' |
        grep -Eq ' (active|activating|deactivating|reloading) '; do
    sleep 0.2
done""", limit)

    def tidy(self):
        """As a case found it: no disks, nothing slow, nothing failed."""
        self.vm.throttle()
        self.vm.pull_all()
        self.idle(90)
        self.forget()
        self.vm.sh("systemctl reset-failed; rm -f "
                   "/var/lib/asbackup/spool/*.eml "
                   "/var/lib/asbackup/spool/*.env")

    # --- what is on a disk -----------------------------------------------------

    def differences(self, disk):
        """Between the original on the host and an ext4 disk that is out."""
        with tempfile.TemporaryDirectory(dir=self.work) as tmp:
            copy = os.path.join(tmp, "copy")
            disk.unpack(copy)
            for name in (".asbackup", "lost+found"):
                shutil.rmtree(os.path.join(copy, name), ignore_errors=True)
            return list(differences(self.original, copy))

    def differences_ntfs(self, disk):
        """The same for an NTFS disk that is out."""
        found = []
        for folder, _, files in os.walk(self.original):
            for name in files:
                path = os.path.join(folder, name)
                inner = os.path.relpath(path, self.original)
                with open(path, "rb") as f:
                    if disk.ntfs_read(inner) != f.read():
                        found.append(f"differs: {inner}")
        return found

    def differences_inside(self, disk):
        """The same for a disk that is plugged in, whatever its file system:
        read by the guest's kernel."""
        mine = tool("sh", "-c", "find . -type f -exec sha256sum {} + | "
                    "LC_ALL=C sort -k 2", cwd=self.original).rstrip("\n")
        theirs = self.vm.sh(
            f"dev=$(blkid -U {disk.uuid}) && mkdir -p /run/look && "
            f"unshare -m sh -c 'mount -t {disk.fstype} -o ro '$dev' /run/look && "
            "cd /run/look && find . -path ./.asbackup -prune -o "
            "-path ./lost+found -prune -o -type f -exec sha256sum {} + | "
            "LC_ALL=C sort -k 2'", 120)
        return "" if mine == theirs else f"wanted:\n{mine}\ngot:\n{theirs}"


def differences(a, b):
    """Names, contents and times of two trees."""
    compared = filecmp.dircmp(a, b, ignore=[])
    for name in compared.left_only:
        yield f"missing: {os.path.join(b, name)}"
    for name in compared.right_only:
        yield f"too much: {os.path.join(b, name)}"
    for name in compared.common_files:
        one, two = os.path.join(a, name), os.path.join(b, name)
        if not filecmp.cmp(one, two, shallow=False):
            yield f"differs: {two}"
        if int(os.stat(one).st_mtime) != int(os.stat(two).st_mtime):
            yield f"has another time: {two}"
    for name in compared.common_dirs:
        yield from differences(os.path.join(a, name), os.path.join(b, name))
