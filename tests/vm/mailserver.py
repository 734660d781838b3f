# SPDX-License-Identifier: MIT
"""A real SMTP server (aiosmtpd) on the host that keeps what it gets, and can
be taken down and brought back."""
import asyncio
import email
import email.policy
import threading

from aiosmtpd.smtp import SMTP


class Mail:
    def __init__(self, envelope):
        self.sender = envelope.mail_from
        self.recipients = list(envelope.rcpt_tos)
        self.raw = envelope.original_content
        self.message = email.message_from_bytes(
            self.raw, policy=email.policy.default)
        self.subject = str(self.message["Subject"])
        body = self.message.get_body(("plain",))
        self.text = body.get_content() if body else ""

    def __str__(self):
        return f"{self.subject}\n{self.text}"


class MailServer:
    """Listens on a port of 127.0.0.1 that changes with every up()."""

    def __init__(self, port_file):
        self.port_file = port_file
        self.news = threading.Condition()
        self.mails = []
        self.loop = asyncio.new_event_loop()
        self.server = None
        threading.Thread(target=self.loop.run_forever, daemon=True).start()

    async def handle_DATA(self, server, session, envelope):
        mail = Mail(envelope)
        with self.news:
            self.mails.append(mail)
            self.news.notify_all()
        return "250 kept"

    def _in_loop(self, coroutine):
        return asyncio.run_coroutine_threadsafe(
            coroutine, self.loop).result(20)

    def _write_port(self, port):
        with open(self.port_file, "w", encoding="ascii") as f:
            f.write(str(port))

    def up(self):
        async def listen():
            return await self.loop.create_server(
                lambda: SMTP(self, hostname="mail.test"), "127.0.0.1", 0)
        self.server = self._in_loop(listen())
        self._write_port(self.server.sockets[0].getsockname()[1])

    def down(self):
        """Whoever connects is sent away without a word."""
        async def close():
            self.server.close()
        if self.server:
            self._in_loop(close())
        self.server = None

    def mark(self):
        with self.news:
            return len(self.mails)

    def wait(self, since, match, limit=30):
        """The first mail from a mark on that matches, or None."""
        def found():
            return next((m for m in self.mails[since:] if match(m)), None)

        with self.news:
            self.news.wait_for(found, limit)
            return found()

    def since(self, mark):
        with self.news:
            return self.mails[mark:]
