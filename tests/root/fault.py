#!/usr/bin/python3
# SPDX-License-Identifier: MIT
# not a test
"""Does to files what a shell cannot.

    fault.py shutdown DIR           the file system below DIR stops at once
    fault.py overwrite FILE         other contents, same size and times
    fault.py flip IMAGE FILE        breaks the contents of FILE in the image
    fault.py write-on FILE FLAG     appends to FILE until FLAG is there
"""
import fcntl
import os
import struct
import sys
import time

# EXT4_IOC_SHUTDOWN and XFS_IOC_GOINGDOWN are one number, _IOR('X', 125, u32);
# 2: without writing the journal.
SHUTDOWN = 0x8004587D


def shutdown(path):
    fd = os.open(path, os.O_RDONLY)
    fcntl.ioctl(fd, SHUTDOWN, struct.pack("I", 2))


def overwrite(path):
    st = os.stat(path)
    with open(path, "r+b") as f:
        f.write(os.urandom(st.st_size))
    os.utime(path, ns=(st.st_atime_ns, st.st_mtime_ns))


def flip(image, path):
    with open(path, "rb") as f:
        wanted = f.read(4096)
    with open(image, "r+b") as f:
        at = f.read().find(wanted)
        if at < 0:
            sys.exit(f"the contents of {path} are not in {image}")
        f.seek(at + 100)
        f.write(bytes([wanted[100] ^ 1]))


def write_on(path, flag):
    with open(path, "ab", buffering=0) as f:
        while not os.path.exists(flag):
            f.write(os.urandom(100))
            time.sleep(0.02)


def main(command, *args):
    {"shutdown": shutdown, "overwrite": overwrite, "flip": flip,
     "write-on": write_on}[command](*args)


main(*sys.argv[1:])
