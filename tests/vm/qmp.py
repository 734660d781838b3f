# SPDX-License-Identifier: MIT
"""QEMU's machine protocol: commands with their answers, events to wait for."""
import json
import os
import socket
import threading


class Error(Exception):
    """The machine refused a command, or is gone."""


class Door:
    """A socket at which the machine knocks when it starts."""

    def __init__(self, path):
        if os.path.exists(path):
            os.unlink(path)
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.bind(path)
        self.sock.listen(1)

    def open(self, limit=20):
        with self.sock:
            self.sock.settimeout(limit)
            try:
                connection = self.sock.accept()[0]
            except OSError:
                raise Error("the machine did not start") from None
        connection.settimeout(None)
        return connection


class Qmp:
    def __init__(self, door):
        self.sock = door.open()
        self.file = self.sock.makefile("r", encoding="utf-8")
        self.news = threading.Condition()
        self.events = []
        self.answers = {}
        self.number = 0
        self.gone = False
        self.file.readline()  # its greeting
        threading.Thread(target=self._read, daemon=True).start()
        self.command("qmp_capabilities")

    def _read(self):
        try:
            for line in self.file:
                message = json.loads(line)
                with self.news:
                    if "event" in message:
                        self.events.append(message)
                    else:
                        self.answers[message.get("id")] = message
                    self.news.notify_all()
        except (OSError, ValueError):
            pass
        with self.news:
            self.gone = True
            self.news.notify_all()

    def command(self, name, arguments=None, limit=30):
        with self.news:
            self.number += 1
            number = self.number
        request = {"execute": name, "id": number}
        if arguments:
            request["arguments"] = arguments
        self.sock.sendall(json.dumps(request).encode() + b"\n")
        with self.news:
            if not self.news.wait_for(
                    lambda: number in self.answers or self.gone, limit):
                raise Error(f"{name}: no answer")
            if number not in self.answers:
                raise Error(f"{name}: the machine is gone")
            answer = self.answers.pop(number)
        if "error" in answer:
            raise Error(f"{name}: {answer['error']['desc']}")
        return answer["return"]

    def mark(self):
        """A place in the stream of events, for wait()."""
        with self.news:
            return len(self.events)

    def wait(self, name, limit, since=0, **data):
        """The first event of that name with that data, from a mark on."""
        def found():
            for event in self.events[since:]:
                have = event.get("data", {})
                if event["event"] == name and \
                        all(have.get(k) == v for k, v in data.items()):
                    return event
            return None

        with self.news:
            if not self.news.wait_for(lambda: found() or self.gone, limit):
                raise Error(f"no {name} within {limit} s")
            if not found():
                raise Error(f"{name}: the machine is gone")
            return found()

    def close(self):
        # shutdown wakes the reading thread; a plain close would wait for it
        try:
            self.sock.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self.sock.close()
