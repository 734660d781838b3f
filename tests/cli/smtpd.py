#!/usr/bin/python3
# SPDX-License-Identifier: MIT
# not a test
"""SMTP servers for the tests.

A good one (aiosmtpd):
    smtpd.py --dir DIR [--cert FILE --key FILE] [--user NAME --password WORD]
and one that misbehaves (plain sockets):
    smtpd.py --dir DIR --mode MODE [--cert FILE --key FILE] [--pipelining]

MODE is ok, or ACTION:STAGE, where STAGE is connect, greeting, ehlo, starttls,
auth, mail, rcpt, data, body or quit, and ACTION is
    reject=CODE   answers with that code
    close         closes the connection instead of an answer
    silent        never answers
    slow          one byte a second from here on
    huge          an answer that never ends
or one of
    no-starttls   does not offer it
    inject        puts plain text behind the answer to STARTTLS
    no-auth       does not offer AUTH
    ntlm          offers AUTH NTLM first, and refuses it
    echo          repeats what the client sent in the refusal of AUTH

Recipients that begin with "bad" get 550, with "later" 450.

The first line on standard output is the port.  Every message becomes DIR/N.eml
(as received) with DIR/N.json (from, to, tls, user); every byte the client sent
is in DIR/wire.plain, and those inside TLS in DIR/wire.tls.
"""
import argparse
import asyncio
import base64
import json
import os
import socket
import ssl
import sys
import threading
import time

LOCK = threading.Lock()
COUNT = 0


def store(directory, content, sender, recipients, tls, user):
    global COUNT
    with LOCK:
        COUNT += 1
        number = COUNT
    with open(os.path.join(directory, f"{number}.eml"), "wb") as f:
        f.write(content)
    with open(os.path.join(directory, f"{number}.json"), "w") as f:
        json.dump({"from": sender, "to": recipients, "tls": tls,
                   "user": user}, f)


def tls_context(args):
    if not args.cert:
        return None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(args.cert, args.key)

    def on_name(sock, name, ctx):
        with open(os.path.join(args.dir, "sni"), "w") as f:
            f.write(name or "")
    context.sni_callback = on_name
    return context


def ready(port):
    print(port, flush=True)


# --- the good one ------------------------------------------------------------

def good(args):
    from aiosmtpd.smtp import SMTP, AuthResult

    class Handler:
        async def handle_DATA(self, server, session, envelope):
            user = session.auth_data.login.decode() \
                if session.auth_data else ""
            store(args.dir, envelope.original_content, envelope.mail_from,
                  envelope.rcpt_tos, session.ssl is not None, user)
            return "250 kept"

    def authenticator(server, session, envelope, mechanism, data):
        good_login = data.login == args.user.encode() and \
            data.password == args.password.encode()
        return AuthResult(success=good_login, handled=not good_login and False,
                          auth_data=data if good_login else None)

    def factory():
        options = {"data_size_limit": 64 << 20, "hostname": "mail.test"}
        if args.cert:
            options.update(tls_context=tls_context(args),
                           require_starttls=True)
        if args.user:
            options.update(auth_required=True, authenticator=authenticator)
        return SMTP(Handler(), **options)

    async def serve():
        loop = asyncio.get_running_loop()
        server = await loop.create_server(factory, "127.0.0.1", 0)
        ready(server.sockets[0].getsockname()[1])
        await server.serve_forever()

    asyncio.run(serve())


# --- the bad one -------------------------------------------------------------

class Closed(Exception):
    pass


class Session:
    def __init__(self, args, sock):
        self.args = args
        self.sock = sock
        self.tls = False
        self.user = ""
        self.delay = False
        self.buffer = b""
        self.recipients = []
        self.sender = ""
        action, _, stage = args.mode.partition(":")
        self.action, _, code = action.partition("=")
        self.code = int(code or 0)
        self.stage = stage

    def record(self, data):
        name = "wire.tls" if self.tls else "wire.plain"
        with LOCK, open(os.path.join(self.args.dir, name), "ab") as f:
            f.write(data)

    def receive(self):
        data = self.sock.recv(65536)
        if not data:
            raise Closed
        self.record(data)
        self.buffer += data

    def line(self):
        while b"\n" not in self.buffer:
            self.receive()
        line, self.buffer = self.buffer.split(b"\n", 1)
        return line.rstrip(b"\r")

    def send(self, data):
        if not self.delay:
            self.sock.sendall(data)
            return
        for i in range(len(data)):
            self.sock.sendall(data[i:i + 1])
            time.sleep(1)

    def wait_for_end(self):
        """Silent: reads on until the client goes away."""
        while True:
            self.receive()

    def reply(self, stage, text):
        """What this stage answers; returns False when it was a refusal."""
        if stage == self.stage:
            if self.action == "close":
                raise Closed
            if self.action == "silent":
                self.wait_for_end()
            if self.action == "slow":
                self.delay = True
            if self.action == "huge":
                while True:
                    self.send(text[:3].encode() + b"-" + b"x" * 500 + b"\r\n")
            if self.action == "reject":
                self.send(b"%d no, not at %s\r\n" % (self.code,
                                                     stage.encode()))
                return False
        self.send(text.encode() + b"\r\n")
        return True

    def capabilities(self):
        caps = ["mail.test"]
        if self.args.pipelining:
            caps.append("PIPELINING")
        if self.args.cert and not self.tls and self.action != "no-starttls":
            caps.append("STARTTLS")
        if self.action == "ntlm":
            caps.append("AUTH NTLM LOGIN PLAIN")
        elif self.action != "no-auth" and \
                (self.tls or self.action == "no-starttls"):
            caps.append("AUTH PLAIN LOGIN")
        caps.append("SIZE 50000000")
        return "\r\n".join(["250-" + c for c in caps[:-1]]
                           + ["250 " + caps[-1]])

    def starttls(self):
        if self.action == "inject":
            self.sock.sendall(b"220 go\r\n250-INJECTED\r\n250 AUTH PLAIN\r\n")
        elif not self.reply("starttls", "220 go ahead"):
            return
        if self.stage == "handshake":
            raise Closed
        self.sock = tls_context(self.args).wrap_socket(
            self.sock, server_side=True)
        self.tls = True
        self.buffer = b""

    def auth(self, line):
        words = line.decode().split()
        if self.action == "echo":
            self.send(b"501 cannot read " + line + b"\r\n")
            return
        if self.action == "ntlm" and words[1] != "PLAIN":
            self.send(b"504 not that one\r\n")
            return
        if words[1] == "LOGIN":
            self.send(b"334 VXNlcm5hbWU6\r\n")
            self.user = base64.b64decode(self.line()).decode()
            self.send(b"334 UGFzc3dvcmQ6\r\n")
            self.line()
        elif len(words) > 2:
            self.user = base64.b64decode(words[2]).decode().split("\0")[1]
        self.reply("auth", "235 welcome")

    def rcpt(self, line):
        address = line.decode("latin-1").partition("<")[2].partition(">")[0]
        if address.startswith("bad"):
            self.send(b"550 5.1.1 nobody here\r\n")
        elif address.startswith("later"):
            self.send(b"450 4.2.0 greylisted\r\n")
        elif self.reply("rcpt", "250 ok"):
            self.recipients.append(address)

    def data(self):
        if not self.recipients:
            self.send(b"503 nobody to send to\r\n")
            return
        if not self.reply("data", "354 go"):
            return
        lines = []
        while True:
            line = self.line()
            if line == b".":
                break
            lines.append(line[1:] if line.startswith(b".") else line)
        if self.stage == "body" and self.action != "slow":
            self.reply("body", "250 kept")
            return
        store(self.args.dir, b"".join(x + b"\r\n" for x in lines),
              self.sender, self.recipients, self.tls, self.user)
        self.reply("body", "250 kept")
        self.recipients = []

    def run(self):
        if not self.reply("greeting", "220 mail.test ESMTP"):
            return
        while True:
            line = self.line()
            verb = line[:4].upper()
            if verb in (b"EHLO", b"HELO"):
                self.reply("ehlo", self.capabilities() if verb == b"EHLO"
                           else "250 mail.test")
            elif line.upper() == b"STARTTLS":
                self.starttls()
            elif verb == b"AUTH":
                self.auth(line)
            elif verb == b"MAIL":
                self.sender = line.decode("latin-1").partition("<")[2] \
                    .partition(">")[0]
                self.reply("mail", "250 ok")
            elif verb == b"RCPT":
                self.rcpt(line)
            elif verb == b"DATA":
                self.data()
            elif verb == b"QUIT":
                self.reply("quit", "221 bye")
                return
            else:
                self.send(b"250 ok\r\n")


def serve_one(args, sock):
    session = Session(args, sock)
    try:
        session.run()
    except (Closed, OSError, ssl.SSLError):
        pass
    finally:
        try:
            session.sock.close()
        except OSError:
            pass


def bad(args):
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    full = args.mode == "silent:connect"
    listener.listen(0 if full else 16)
    port = listener.getsockname()[1]
    if full:
        # A full queue: the kernel answers no further SYN.
        keep = []
        for _ in range(2):
            s = socket.socket()
            s.setblocking(False)
            s.connect_ex(("127.0.0.1", port))
            keep.append(s)
        ready(port)
        threading.Event().wait()
    ready(port)
    while True:
        sock, _ = listener.accept()
        threading.Thread(target=serve_one, args=(args, sock),
                         daemon=True).start()


def main():
    p = argparse.ArgumentParser()
    p.add_argument("--dir", required=True)
    p.add_argument("--mode")
    p.add_argument("--cert")
    p.add_argument("--key")
    p.add_argument("--user")
    p.add_argument("--password")
    p.add_argument("--pipelining", action="store_true")
    args = p.parse_args()
    os.makedirs(args.dir, exist_ok=True)
    if args.mode:
        bad(args)
    else:
        good(args)


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        sys.exit(0)
