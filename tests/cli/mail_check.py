#!/usr/bin/python3
# SPDX-License-Identifier: MIT
# not a test
"""Reads a message with Python's e-mail package and compares it.

    mail_check.py FILE [--subject S] [--from F] [--to T]... [--cc C]...
        [--body-file FILE] [--attach NAME=FILE]... [--headers N]

Always: no defects, ASCII only, CRLF and no other line ends, no line of more
than 998 bytes (and 78 in headers where it could be folded), each header once,
Date, Message-ID, MIME-Version and Auto-Submitted good.  Says what is wrong and
ends with 1, or ends with 0.
"""
import argparse
import email
import email.policy
import email.utils
import re
import sys

ONCE = ["Date", "From", "To", "Subject", "Message-ID", "MIME-Version",
        "Auto-Submitted", "Content-Type"]
KNOWN = set(n.lower() for n in ONCE + [
    "Cc", "Content-Language", "Content-Transfer-Encoding"])
WRONG = []


def wrong(text):
    WRONG.append(text)


def check_bytes(raw):
    if any(b > 126 or (b < 32 and b not in (9, 10, 13)) for b in raw):
        wrong("bytes outside ASCII")
    if re.search(rb"(?<!\r)\n|\r(?!\n)", raw):
        wrong("bare CR or LF")
    if not raw.endswith(b"\r\n"):
        wrong("does not end in CRLF")
    if max(len(x) for x in raw.split(b"\r\n")) > 998:
        wrong("a line over 998 bytes")


def check_defects(message):
    for part in message.walk():
        for d in part.defects:
            wrong(f"defect: {d!r}")
        for name, value in part.items():
            for d in getattr(value, "defects", ()):
                wrong(f"defect in {name}: {d!r}")
        if part.is_multipart():
            continue
        if part["Content-Transfer-Encoding"] != "base64":
            wrong("a part that is not base64")


def check_headers(message):
    names = [n.lower() for n in message.keys()]
    for name in ONCE:
        if names.count(name.lower()) != 1:
            wrong(f"{names.count(name.lower())} times {name}")
    for name in names:
        if name not in KNOWN:
            wrong(f"header {name}")
        if names.count(name) > 1:
            wrong(f"{name} more than once")
    if email.utils.parsedate_to_datetime(message["Date"]) is None:
        wrong("Date")
    if not re.fullmatch(r"<[0-9]+\.[0-9a-f]{32}@[A-Za-z0-9.-]+>",
                        message["Message-ID"].strip()):
        wrong(f"Message-ID {message['Message-ID']}")
    if message["Auto-Submitted"] != "auto-generated":
        wrong("Auto-Submitted")


def addresses(message, name):
    if message[name] is None:
        return []
    return [a.addr_spec for a in message[name].addresses]


def compare(what, got, wanted):
    if wanted is not None and got != wanted:
        wrong(f"{what}: got {got!r}, wanted {wanted!r}")


def check_attachments(message, wanted):
    parts = list(message.iter_attachments())
    if len(parts) != len(wanted):
        wrong(f"{len(parts)} attachments, wanted {len(wanted)}")
    for part, spec in zip(parts, wanted):
        name, _, path = spec.partition("=")
        compare("attachment name", part.get_filename(), name)
        with open(path, "rb") as f:
            if part.get_payload(decode=True) != f.read():
                wrong(f"attachment {name} differs")


def body_text(message):
    part = message.get_body(("plain",))
    return part.get_payload(decode=True).decode("utf-8") \
        .replace("\r\n", "\n")


def main():
    p = argparse.ArgumentParser()
    p.add_argument("file")
    p.add_argument("--subject")
    p.add_argument("--from", dest="sender")
    p.add_argument("--to", action="append")
    p.add_argument("--cc", action="append")
    p.add_argument("--body-file")
    p.add_argument("--attach", action="append")
    args = p.parse_args()

    with open(args.file, "rb") as f:
        raw = f.read()
    check_bytes(raw)
    message = email.message_from_bytes(raw, policy=email.policy.default)
    check_defects(message)
    check_headers(message)
    compare("Subject", message["Subject"], args.subject)
    compare("From", addresses(message, "From"),
            [args.sender] if args.sender else None)
    compare("To", addresses(message, "To"), args.to)
    compare("Cc", addresses(message, "Cc"), args.cc)
    if args.body_file:
        with open(args.body_file, encoding="utf-8") as f:
            compare("body", body_text(message), f.read())
    if args.attach is not None:
        check_attachments(message, args.attach)
    for text in WRONG:
        print(text)
    return 1 if WRONG else 0


if __name__ == "__main__":
    sys.exit(main())
