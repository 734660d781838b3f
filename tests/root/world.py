#!/usr/bin/python3
# SPDX-License-Identifier: MIT
# not a test
"""Looks at what a run left behind.

    world.py mail FILE              headers, an empty line, the body
    world.py attachments FILE DIR   saves the attachments, says their names
    world.py clean FILE...          ends with 1 when a file (.eml: its headers,
                                    body and attachments, decoded) has control
                                    characters or is no UTF-8
    world.py terminal FILE          the same for what script(1) recorded; lines
                                    may be coloured and written over
"""
import email
import email.policy
import gzip
import os
import re
import sys

CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f]")


def load(path):
    with open(path, "rb") as f:
        return email.message_from_bytes(f.read(), policy=email.policy.default)


def attachments(message):
    for part in message.iter_attachments():
        data = part.get_payload(decode=True)
        name = part.get_filename()
        if name.endswith(".gz"):
            data, name = gzip.decompress(data), name[:-3]
        yield name, data


def show(path):
    message = load(path)
    for name, value in message.items():
        print(f"{name}: {value}")
    print()
    body = message.get_body(preferencelist=("plain",))
    data = body.get_payload(decode=True)
    sys.stdout.write(data.replace(b"\r\n", b"\n").decode())


def texts(path):
    if not path.endswith(".eml"):
        with open(path, "rb") as f:
            yield path, f.read()
        return
    message = load(path)
    with open(path, "rb") as f:
        yield path, f.read().replace(b"\r\n", b"\n")
    for name, value in message.items():
        yield f"{path}: {name}", str(value).encode("utf-8", "surrogateescape")
    body = message.get_body(preferencelist=("plain",))
    data = body.get_payload(decode=True)
    yield f"{path}: body", data.replace(b"\r\n", b"\n")
    for name, data in attachments(message):
        yield f"{path}: {name}", data.replace(b"\r\n", b"\n")


def is_clean(what, data):
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as e:
        print(f"{what}: {e}")
        return False
    bad = CONTROL.search(text)
    if bad:
        around = text[max(0, bad.start() - 60):bad.end() + 60]
        print(f"{what}: U+{ord(bad.group()):04X} in {around!r}")
    return not bad


def recorded(path):
    with open(path, "rb") as f:
        lines = f.read().split(b"\n")[1:]
    text = b"\n".join(x for x in lines if not x.startswith(b"Script done"))
    return re.sub(rb"\x1b\[[0-9;]*[mK]|\r", b"", text)


def main(command, *args):
    if command == "mail":
        show(args[0])
    elif command == "attachments":
        for name, data in attachments(load(args[0])):
            with open(os.path.join(args[1], os.path.basename(name)),
                      "wb") as f:
                f.write(data)
            print(name)
    elif command == "terminal":
        if not is_clean(args[0], recorded(args[0])):
            sys.exit(1)
    else:
        pieces = [p for a in args for p in texts(a)]
        if not pieces:
            sys.exit("nothing to look at")
        if not all([is_clean(*p) for p in pieces]):
            sys.exit(1)


main(*sys.argv[1:])
