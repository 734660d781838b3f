#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""A host that lies: the forced command of a key, with what it does in FILE.

    liar.py FILE

FILE holds the name of one of the functions below and, perhaps, a number.
"""

import os
import re
import sys
import time

nonce = re.findall("[0-9a-f]{32}", os.environ["SSH_ORIGINAL_COMMAND"])[0]
boot = "11111111-2222-3333-4444-555555555555/1"
hello = "vmexec %s %s\n" % (nonce, boot)
began = "S started running setsid 1700000000 %s /x\n" % boot
esc = "\033]0;evil\a\033[2J\033c\x9b31m"


def say(text, fd=1):
    data = text.encode("latin-1")
    while data:
        data = data[os.write(fd, data):]


def forever(text, fd=1):
    while True:
        say(text, fd)


def wait():
    time.sleep(3600)


def noise(): forever("Welcome to this host!\n" * 100)
def long_line(): forever("x" * 60000)
def nul_line(): forever("\0" * 60000)
def errors(): forever("trouble\n" * 1000, 2)
def slow_noise():
    while True:
        say("login: ", 2)
        time.sleep(0.3)
def silent(): wait()
def greets(): say(hello); wait()
def starts(): say(hello + began); wait()
def unfinished(): say(hello + began + "O 0 1000\nabc"); wait()
def huge(): say(hello + began + "O 0 99999999999999999\n"); wait()
def negative(): say(hello + began + "O 0 -5\nabcde"); wait()
def ahead(): say(hello + began + "O 5 3\nabc"); wait()
def behind(): say(hello + began + "O 0 3\nabcO 0 3\nabc"); wait()
def many(): say(hello + began + "H " + "9" * 40 + " 1\n"); wait()
def words(): say(hello + began + "X" + " 1" * 1500 + "\n"); wait()
def long_answer(): say(hello + began); forever("X" * 60000)
def status(): say(hello + began + "X 256 0 0 1700000000 exit\n"); wait()
def short(): say(hello + began + "X 0 10 0 1700000000 exit\n"); wait()
def unknown(): say(hello + began + "Q 1 2 3\n"); wait()
def nul(): say(hello + began + "H 1\0 2\n"); wait()
def started_often(): say(hello); forever(began * 100)
def starting(): say(hello + "S started"); wait()
def jobs(): say(hello); forever(
    "J a running setsid 1 1700000000 1 1 - - -\n" * 1000)
def served(): say(hello); forever("Z 1\n" * 1000)
def refuses(): say(hello + "F %s %s\n" % (esc, esc))
def refuses_known(): say(hello + "F nospace %s\n" % esc)
def method(): say(hello + "S started running %s 1700000000 b /x\n" % esc); wait()
def dies(): say(esc + "\n", 2); sys.exit(3)
def garbage():
    with open("/dev/urandom", "rb") as f:
        while True:
            os.write(1, f.read(10000))
def garbage_later(): say(hello + began); garbage()


def closes(after):
    """In the middle of everything that is usually said."""
    text = (hello + began + "O 0 5\nhelloE 0 3\nerrH 5 3\n" +
            "X 0 5 3 1700000000 exit\n")
    say(text[:after])


with open(sys.argv[1], encoding="ascii") as f:
    what, *arguments = f.read().split()
try:
    globals()[what](*[int(a) for a in arguments])
except BrokenPipeError:
    pass
