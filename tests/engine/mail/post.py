"""A post office for tests: what was written, and a mail server that takes letters the way it is told to."""

from __future__ import annotations

import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

from sqlalchemy import select

from engine.kit.policies import Policy, change_policy
from engine.kit.tenancy import Tenant
from engine.mail import consumer
from engine.mail.mailer import Letter
from engine.mail.models import Mail
from engine.runtime import Runtime
from tests.shop import Shop


def written(shop: Shop) -> list[Mail]:
    """Every letter of the shop, oldest first, after the outbox was looked at once more."""
    consumer.write_letters(shop.runtime, shop.tenant.id)
    return letters(shop)


def letters(shop: Shop) -> list[Mail]:
    with shop.uow() as session:
        return list(session.scalars(select(Mail).order_by(Mail.created_at, Mail.id)))


def of(shop: Shop, template: str) -> list[Mail]:
    return [row for row in written(shop) if row.template == template]


def say(shop: Shop, kind: type[Policy], **values: Any) -> None:
    with shop.uow() as session:
        change_policy(session.get_one(Tenant, shop.tenant.id), kind, values)


def open_for_real(shop: Shop, mailer: Any = None) -> Runtime:
    """The shop is no demo any more; the runtime has this mailer."""
    with shop.uow() as session:
        tenant = session.get_one(Tenant, shop.tenant.id)
        tenant.demo = False
        tenant.settings = tenant.settings | {"support_email": "help@shop.example"}
    return replace(shop.runtime, mailer=mailer, demo=False)


@dataclass
class Carrier:
    """A mailer that remembers, and fails as it is told to: one error (or None) a letter."""

    errors: list[Exception | None] = field(default_factory=list)
    taken: list[Letter] = field(default_factory=list)
    opened: int = 0
    resting: bool = False
    down: Exception | None = None

    @contextmanager
    def open(self) -> Iterator[Any]:
        self.opened += 1
        if self.down:
            raise self.down
        yield self._send

    def _send(self, letter: Letter) -> None:
        error = self.errors.pop(0) if self.errors else None
        if error is not None:
            raise error
        self.taken.append(letter)


class SmtpServer(socketserver.ThreadingTCPServer):
    """Speaks as much SMTP as a client needs; ``answers`` replaces what it says to a command."""

    allow_reuse_address = True
    daemon_threads = True

    def __init__(self, answers: dict[str, str] | None = None) -> None:
        super().__init__(("127.0.0.1", 0), _Talk)
        self.answers = answers or {}
        self.heard: list[str] = []
        self.messages: list[bytes] = []

    @property
    def port(self) -> int:
        return int(self.server_address[1])


class _Talk(socketserver.StreamRequestHandler):
    server: SmtpServer

    def handle(self) -> None:
        self._say("220 here")
        while line := self.rfile.readline():
            said = line.decode().rstrip("\r\n")
            self.server.heard.append(said)
            verb = said.split(" ", 1)[0].split(":", 1)[0].upper()
            answer = self.server.answers.get(verb)
            if answer == "drop":
                return
            if answer is not None:
                self._say(answer)
            elif verb == "EHLO":
                self._say("250-here\r\n250-AUTH PLAIN\r\n250 8BITMIME")
            elif verb == "AUTH":
                self._say("235 yes")
            elif verb == "DATA":
                self._say("354 go on")
                self.server.messages.append(self._message())
                self._say(self.server.answers.get("END", "250 taken"))
            else:
                self._say("221 bye" if verb == "QUIT" else "250 yes")
            if verb == "QUIT":
                return

    def _message(self) -> bytes:
        lines: list[bytes] = []
        while (line := self.rfile.readline()) not in {b".\r\n", b""}:
            lines.append(line)
        return b"".join(lines)

    def _say(self, words: str) -> None:
        self.wfile.write(words.encode() + b"\r\n")


@contextmanager
def smtp_server(**answers: str) -> Iterator[SmtpServer]:
    """A mail server of this test's own. ``RCPT="550 no"`` and the like change what it says."""
    with SmtpServer(answers) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()
