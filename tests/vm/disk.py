# SPDX-License-Identifier: MIT
"""USB disks that are files: made, described to QEMU, and read from outside."""
import os
import subprocess
import uuid

from vm import Failed

SIZES = {"ext4": 96, "xfs": 320, "btrfs": 256, "exfat": 64, "ntfs": 64}
START = 1 << 20  # of the partition


def tool(*argv, **more):
    """Runs a program of the host; its output; fails when it fails."""
    done = subprocess.run(argv, stdin=subprocess.DEVNULL, timeout=120,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          check=False, **more)
    text = done.stdout.decode("utf-8", "replace")
    if done.returncode:
        raise Failed(f"status {done.returncode} of {' '.join(argv)}\n{text}")
    return text


class Disk:
    def __init__(self, work, name, fstype="ext4", partitioned=False,
                 size_mb=None, same_as=None):
        self.name = name
        self.fstype = fstype
        self.partitioned = partitioned
        self.serial = "SN" + name.upper()
        self.image = os.path.join(work, f"disk-{name}.img")
        self.size = (size_mb or SIZES[fstype]) << 20
        if same_as:
            tool("cp", "--sparse=always", same_as.image, self.image)
            self.uuid = same_as.uuid
        else:
            self.uuid = self._make()

    def _make(self):
        wanted = str(uuid.uuid4())
        fs = self.image + ".fs" if self.partitioned else self.image
        if os.path.exists(fs):
            os.unlink(fs)
        tool("truncate", "-s", str(self.size), fs)
        tool(*{
            "ext4": ("mkfs.ext4", "-q", "-F", "-U", wanted),
            "xfs": ("mkfs.xfs", "-q", "-f", "-m", "uuid=" + wanted),
            "btrfs": ("mkfs.btrfs", "-q", "-f", "-U", wanted),
            "exfat": ("mkfs.exfat",),
            "ntfs": ("mkntfs", "-q", "-F", "-Q"),
        }[self.fstype], fs)
        found = tool("blkid", "-p", "-o", "value", "-s", "UUID", fs).strip()
        if self.partitioned:
            self._wrap(fs)
        return found

    def _wrap(self, fs):
        tool("truncate", "-s", str(self.size + 2 * START), self.image)
        subprocess.run(
            ["sfdisk", "-q", "--no-reread", "--no-tell-kernel", self.image],
            input=f"label: gpt\nstart={START // 512}, "
            f"size={self.size // 512}\n".encode(), timeout=60, check=True,
            stdout=subprocess.DEVNULL)
        tool("dd", "if=" + fs, "of=" + self.image, "bs=1M", "conv=notrunc",
             f"seek={START >> 20}", "status=none")
        os.unlink(fs)

    # --- for QEMU -------------------------------------------------------------

    def blockdev(self):
        # No flush reaches the host's disk: it outlives QEMU all the same.
        return {"driver": "throttle", "node-name": self.name,
                "throttle-group": "slow",
                "file": {"driver": "raw", "cache": {"no-flush": True},
                         "file": {"driver": "file",
                                  "filename": self.image}}}

    def device(self):
        return {"driver": "usb-storage", "id": self.name, "bus": "xhci.0",
                "drive": self.name, "serial": self.serial, "removable": True}

    # --- from outside, while it is not plugged in ------------------------------

    def offset(self):
        return START if self.partitioned else 0

    def check(self):
        """An ext4 that was unmounted in order has nothing to repair."""
        where = self._file_system()
        return tool("e2fsck", "-f", "-n", where)

    def clean(self):
        return "needs_recovery" not in tool("dumpe2fs", "-h",
                                            self._file_system())

    def _file_system(self):
        if not self.partitioned:
            return self.image
        return f"{self.image}?offset={START}"

    def unpack(self, directory):
        """The files of an ext4, read without any kernel's help."""
        os.makedirs(directory)
        tool("debugfs", "-R", f'rdump / "{directory}"', self._file_system())

    def ntfs_read(self, name):
        return subprocess.run(
            ["ntfscat", "-f", self.image, name], timeout=120, check=True,
            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL).stdout

    def ntfs_flags(self):
        """0x0000: unmounted in order."""
        text = tool("ntfsinfo", "-f", "-m", self.image)
        return text.split("Volume Flags:")[1].split()[0]

    def digest(self):
        return tool("sha256sum", self.image).split()[0]
