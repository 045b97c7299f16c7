"""A mail server that keeps what it gets: SMTP on the loopback address, and a mailbox to look into."""

from __future__ import annotations

import asyncio
import base64
import binascii
import re
from dataclasses import dataclass, field
from datetime import datetime
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import Final

from engine.sync.sandbox.faults import Kind, Rule
from engine.sync.sandbox.ground import Ground

_KINDS: Final = frozenset(
    {
        Kind.HTTP_429,
        Kind.HTTP_500,
        Kind.HTTP_502,
        Kind.HTTP_503,
        Kind.AUTH_EXPIRED,
        Kind.SLOW,
        Kind.TIMEOUT_BEFORE_COMMIT,
        Kind.TIMEOUT_AFTER_COMMIT,
        Kind.CONNECTION_RESET,
    }
)
_ADDRESS: Final = re.compile(r"^(?:MAIL FROM|RCPT TO):\s*<([^<>\s]*)>", re.IGNORECASE)
_LONGEST: Final = 10 * 1024 * 1024
_LATER: Final = "451 4.3.0 Try again later"


@dataclass
class Letter:
    at: datetime
    sender: str
    to: list[str]
    raw: bytes

    def message(self) -> EmailMessage:
        parsed = message_from_bytes(self.raw, policy=policy.default)
        assert isinstance(parsed, EmailMessage)
        return parsed


@dataclass
class Envelope:
    sender: str | None = None
    to: list[str] = field(default_factory=list)


class Mail:
    """The mailbox. ``username`` empty: nobody has to say who they are."""

    system = "smtp"

    def __init__(self, ground: Ground) -> None:
        self._ground = ground
        self.username = ""
        self.password = ""
        self.letters: list[Letter] = []

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection (RFC 5321), until it is closed."""
        try:
            await Session(self, reader, writer).talk()
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            return
        finally:
            writer.close()

    def strike(self) -> list[Rule]:
        with self._ground.lock:
            return self._ground.faults.strike(
                _KINDS, system=self.system, method="DATA", path="", operation="DATA", tenant=""
            )

    def keep(self, envelope: Envelope, raw: bytes) -> None:
        with self._ground.lock:
            self.letters.append(Letter(self._ground.now(), envelope.sender or "", list(envelope.to), raw))


class Session:
    """A conversation with one client."""

    def __init__(self, mail: Mail, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._mail = mail
        self._reader = reader
        self._writer = writer
        self._envelope = Envelope()
        self._known = not mail.username
        self._open = True

    async def talk(self) -> None:
        await self._say("220 sandbox.invalid ESMTP")
        while self._open:
            line = (await self._reader.readuntil(b"\n")).decode(errors="replace").strip()
            await self._answer(line)

    async def _say(self, *lines: str) -> None:
        for place, line in enumerate(lines):
            more = "-" if place < len(lines) - 1 else " "
            self._writer.write(f"{line[:3]}{more}{line[4:]}\r\n".encode())
        await self._writer.drain()

    async def _answer(self, line: str) -> None:
        word = line.partition(" ")[0].upper()
        match word:
            case "EHLO":
                await self._say("250 sandbox.invalid", f"250 SIZE {_LONGEST}", "250 8BITMIME", "250 AUTH PLAIN")
            case "HELO" | "NOOP":
                await self._say("250 OK")
            case "AUTH":
                await self._say(self._authenticated(line))
            case "MAIL" | "RCPT":
                await self._say(self._addressed(word, line))
            case "DATA":
                await self._data()
            case "RSET":
                self._envelope = Envelope()
                await self._say("250 OK")
            case "QUIT":
                self._open = False
                await self._say("221 Bye")
            case _:
                await self._say("502 5.5.1 Command not implemented")

    def _authenticated(self, line: str) -> str:
        _, _, rest = line.partition(" ")
        kind, _, text = rest.partition(" ")
        if kind.upper() != "PLAIN":
            return "504 5.5.4 Mechanism not implemented"
        try:
            _, name, password = base64.b64decode(text, validate=True).decode().split("\x00")
        except (binascii.Error, ValueError):
            return "501 5.5.2 Cannot decode"
        self._known = not self._mail.username or (name, password) == (self._mail.username, self._mail.password)
        return "235 2.7.0 Authenticated" if self._known else "535 5.7.8 Authentication credentials invalid"

    def _addressed(self, word: str, line: str) -> str:
        found = _ADDRESS.match(line)
        if not self._known:
            return "530 5.7.0 Authentication required"
        if found is None:
            return "501 5.5.4 Syntax error in address"
        if word == "MAIL":
            self._envelope = Envelope(found[1])
            return "250 2.1.0 OK"
        if self._envelope.sender is None:
            return "503 5.5.1 MAIL first"
        self._envelope.to.append(found[1])
        return "250 2.1.5 OK"

    async def _data(self) -> None:
        if not self._envelope.to:
            await self._say("503 5.5.1 RCPT first")
            return
        await self._say("354 End with <CR><LF>.<CR><LF>")
        whole = await self._reader.readuntil(b"\r\n.\r\n")
        raw = re.sub(rb"(?m)^\.\.", b".", whole[:-3])
        await self._struck(raw)
        self._envelope = Envelope()

    async def _struck(self, raw: bytes) -> None:
        """Keep the letter, unless a fault has it otherwise."""
        for rule in self._mail.strike():
            match rule.kind:
                case Kind.SLOW:
                    await asyncio.sleep(float(rule.params.get("ms", 250)) / 1000)
                    continue
                case Kind.TIMEOUT_AFTER_COMMIT:
                    self._mail.keep(self._envelope, raw)
            if rule.kind in {Kind.TIMEOUT_BEFORE_COMMIT, Kind.TIMEOUT_AFTER_COMMIT, Kind.CONNECTION_RESET}:
                self._open = False
                return
            await self._say(
                "535 5.7.8 Authentication credentials invalid" if rule.kind is Kind.AUTH_EXPIRED else _LATER
            )
            return
        self._mail.keep(self._envelope, raw)
        await self._say("250 2.0.0 Queued")
