#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""A line between vmexec and sshd that is cut at a given byte.

    relay.py SSHD_PORT PLAN [SSHD_COMMAND...]

Listens at a port of its own, which it prints.  PLAN is a file with a line for
each connection, in their order; what comes after them is not touched:

    KIND DIRECTION BYTES [SECONDS]

When so many bytes have passed "up" (to sshd) or "down":
    reset    the connection is reset, on both sides
    close    it is closed
    swallow  nothing passes any more, without a word
    kill     sshd's process of the session gets SIGKILL
    restart  so do all of them, and sshd; SSHD_COMMAND starts it again
    stop     vmexec gets SIGSTOP and, SECONDS later, SIGCONT; the next line
             of the plan is for this connection, too
    murder   vmexec gets SIGKILL
Every cut that happened is appended to PLAN.done.
"""

import glob
import os
import signal
import socket
import struct
import subprocess
import sys
import threading
import time

port, plan_path, restart = int(sys.argv[1]), sys.argv[2], sys.argv[3:]
with open(plan_path, encoding="ascii") as f:
    plan = [line.split() for line in f]


def inodes(local, remote):
    """Sockets from port to port, or that listen at it (remote 0)."""
    with open("/proc/net/tcp", encoding="ascii") as tcp:
        for line in tcp.readlines()[1:]:
            word = line.split()
            ports = [int(x.split(":")[1], 16) for x in word[1:3]]
            if ports[0] == local and (remote is None or ports[1] == remote):
                yield word[9]


def holders(local, remote):
    wanted = {"socket:[%s]" % i for i in inodes(local, remote)}
    pids = set()
    for link in glob.glob("/proc/[0-9]*/fd/*"):
        try:
            if os.readlink(link) in wanted:
                pids.add(int(link.split("/")[2]))
        except OSError:
            pass
    return pids - {os.getpid()}


def send(pids, sig):
    for pid in pids:
        try:
            os.kill(pid, sig)
        except OSError:
            pass


def begin_sshd():
    """As soon as the port is free again."""
    for _ in range(200):
        sshd = subprocess.Popen(restart, stdin=subprocess.DEVNULL)
        for _ in range(100):
            try:
                socket.create_connection(("127.0.0.1", port)).close()
                return
            except OSError:
                if sshd.poll() is not None:
                    break
                time.sleep(0.02)
        time.sleep(0.05)


class Line:
    def __init__(self, client, cut):
        self.client = client
        self.server = socket.create_connection(("127.0.0.1", port))
        self.cut = cut
        self.lock = threading.Lock()
        self.silent = False
        for s in (self.client, self.server):
            s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for args in (self.client, self.server, "up"), (
                self.server, self.client, "down"):
            threading.Thread(target=self.pump, args=args, daemon=True).start()

    def end(self, reset=False):
        for s in (self.client, self.server):
            if reset:
                s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER,
                             struct.pack("ii", 1, 0))
            else:
                try:
                    s.shutdown(socket.SHUT_RDWR)
                except OSError:
                    pass
            # The other thread is in a call with it: only now it goes.
            s.close()

    def fire(self):
        kind, seconds = self.cut[0], float((self.cut + ["0"] * 4)[3])
        with open(plan_path + ".done", "a", encoding="ascii") as done:
            done.write(" ".join(self.cut) + "\n")
        ours = self.server.getsockname()[1]
        if kind in ("reset", "close"):
            self.end(kind == "reset")
        elif kind == "swallow":
            self.silent = True
        elif kind == "kill":
            send(holders(port, ours), signal.SIGKILL)
        elif kind == "restart":
            send(holders(port, None), signal.SIGKILL)
            time.sleep(seconds)
            begin_sshd()
        elif kind in ("stop", "murder"):
            client = holders(self.client.getpeername()[1], None)
            send(client, signal.SIGSTOP if kind == "stop" else signal.SIGKILL)
            if kind == "stop":
                time.sleep(seconds)
                send(client, signal.SIGCONT)

    def pump(self, source, target, direction):
        left = None
        if self.cut and self.cut[1] == direction:
            left = int(self.cut[2])
        try:
            while True:
                data = source.recv(65536)
                if not data and self.silent and source is self.server:
                    return
                if not data:
                    break
                if self.silent:
                    continue
                if left is not None and len(data) >= left:
                    target.sendall(data[:left])
                    data = data[left:]
                    left = None
                    self.fire()
                    if self.cut[0] == "stop" and plan:
                        # It is the same line still.
                        self.cut = plan.pop(0)
                        left = int(self.cut[2])
                    if self.silent:
                        continue
                elif left is not None:
                    left -= len(data)
                target.sendall(data)
        except OSError:
            pass
        self.end()


def main():
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind(("127.0.0.1", 0))
    listener.listen(100)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    print(listener.getsockname()[1], flush=True)
    while True:
        client, _ = listener.accept()
        try:
            Line(client, plan.pop(0) if plan else None)
        except OSError:
            client.close()  # sshd is not there just now


main()
