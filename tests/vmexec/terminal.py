#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""A terminal, and somebody who sits at it.

    terminal.py NAME [COLUMNS] COMMAND [ARGUMENT...]

Runs COMMAND as the leader of a session whose controlling terminal is a new
pseudo terminal: ^C and ^Z are signals that the terminal's driver makes.  What
appears there is appended to NAME.screen, byte for byte, for the driver turns
no newline into two bytes.  Standard input says what happens, a line each:

    type TEXT       on the keyboard; \\x03 and the like are understood
    columns N       the window gets another size
    hang up         the terminal goes away

NAME.pid has the process's number, NAME.code in the end its status, 128+n when
signal n has ended it.
"""

import fcntl
import os
import pty
import select
import signal
import struct
import sys
import termios

name = sys.argv[1]
columns, command = 80, sys.argv[2:]
if command[0].isdigit():
    columns, command = int(command[0]), command[1:]


def put(ending, text):
    """It appears whole."""
    with open(name + ending + ".new", "w", encoding="ascii") as f:
        f.write("%s\n" % text)
    os.rename(name + ending + ".new", name + ending)


def resize(fd, n):
    fcntl.ioctl(fd, termios.TIOCSWINSZ, struct.pack("HHHH", 24, n, 0, 0))


def child(slave):
    # A shell has had SIGINT ignored for what runs in its background.
    for sig in (signal.SIGINT, signal.SIGQUIT, signal.SIGPIPE,
                signal.SIGXFSZ):
        signal.signal(sig, signal.SIG_DFL)
    os.environ["TERM"] = "xterm"
    os.setsid()
    fcntl.ioctl(slave, termios.TIOCSCTTY, 0)
    for fd in (0, 1, 2):
        os.dup2(slave, fd)
    os.execvp(command[0], command)


def begin():
    master, slave = pty.openpty()
    mode = termios.tcgetattr(slave)
    mode[1] &= ~termios.OPOST
    termios.tcsetattr(slave, termios.TCSANOW, mode)
    resize(slave, columns)
    pid = os.fork()
    if pid == 0:
        try:
            child(slave)
        finally:
            os._exit(127)
    os.close(slave)
    put(".pid", pid)
    return master, pid


def obey(line, master):
    """False: there is no terminal any more."""
    word, _, rest = line.partition(" ")
    if word == "type":
        os.write(master, rest.encode().decode("unicode_escape")
                 .encode("latin-1"))
    elif word == "columns":
        resize(master, int(rest))
    elif word == "hang":
        os.close(master)
        return False
    return True


def main():
    master, pid = begin()
    ended = os.pidfd_open(pid)
    poll = select.poll()
    for fd in (0, master, ended):
        poll.register(fd, select.POLLIN)
    orders = b""
    with open(name + ".screen", "ab", buffering=0) as screen:
        while True:
            ready = dict(poll.poll())
            if master in ready:
                try:
                    screen.write(os.read(master, 65536))
                    continue
                except OSError:
                    # Nobody has it open any more.
                    poll.unregister(master)
            if ended in ready:
                break
            if 0 in ready:
                data = os.read(0, 4096)
                if not data:
                    poll.unregister(0)
                *lines, orders = (orders + data).split(b"\n")
                for line in lines:
                    if not obey(line.decode(), master):
                        poll.unregister(master)
    status = os.waitpid(pid, 0)[1]
    put(".code", os.waitstatus_to_exitcode(status) if os.WIFEXITED(status)
        else 128 + os.WTERMSIG(status))


main()
