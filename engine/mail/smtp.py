"""Letters by SMTP. What the server says about people stays out of errors and logs; so does its password."""

from __future__ import annotations

import smtplib
import ssl
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import parse_qs, unquote, urlsplit

from engine.mail.errors import LetterDeferred, LetterRefused, MailServerDown
from engine.mail.mailer import Letter, Send, message

TIMEOUT_SECONDS: Final = 10
REST_SECONDS: Final = 30
_LOCAL: Final = frozenset({"localhost", "127.0.0.1", "::1"})


@dataclass(frozen=True, slots=True)
class SmtpAddress:
    """Where the mail server is and who we are there."""

    host: str
    port: int
    tls: bool
    """From the first byte on (``smtps``)."""
    starttls: bool
    user: str = ""
    password: str = field(default="", repr=False)

    @classmethod
    def parse(cls, url: str) -> SmtpAddress:
        """``smtp://user:pass@host:587`` (``?starttls=0`` for a server beside us) or ``smtps://…:465``.

        Raises ``ValueError``, which never tells the password.
        """
        try:
            parts = urlsplit(url)
            port = parts.port
        except ValueError:
            raise ValueError("its port is no number") from None
        tls, host = parts.scheme == "smtps", parts.hostname or ""
        said = parse_qs(parts.query)
        if parts.scheme not in {"smtp", "smtps"} or not host:
            raise ValueError("it must be smtp://user:password@host:port or smtps://…")
        starttls = not tls and said.get("starttls", ["0" if host in _LOCAL else "1"])[0] not in {"0", "no", "false"}
        user, password = unquote(parts.username or ""), unquote(parts.password or "")
        if password and not (tls or starttls or host in _LOCAL):
            raise ValueError("a password goes only over TLS: leave starttls=0 away")
        return cls(host, port or (465 if tls else 587), tls, starttls, user, password)


class SmtpMailer:
    """One connection for each batch. A server that was out of reach is left alone for a while."""

    def __init__(self, address: SmtpAddress, *, context: ssl.SSLContext | None = None) -> None:
        self._address, self._context = address, context
        self._rest_until = 0.0

    @property
    def resting(self) -> bool:
        return time.monotonic() < self._rest_until

    @contextmanager
    def open(self) -> Iterator[Send]:
        server = self._connect()
        try:
            yield lambda letter: _hand_over(server, letter)
        finally:
            with suppress(smtplib.SMTPException, OSError):
                server.quit()

    def _connect(self) -> smtplib.SMTP:
        where = self._address
        try:
            context = self._context or ssl.create_default_context()
            server = (
                smtplib.SMTP_SSL(where.host, where.port, timeout=TIMEOUT_SECONDS, context=context)
                if where.tls
                else smtplib.SMTP(where.host, where.port, timeout=TIMEOUT_SECONDS)
            )
            if where.starttls:
                server.starttls(context=context)
            server.ehlo_or_helo_if_needed()
            if where.user:
                server.login(where.user, where.password)
        except (smtplib.SMTPException, OSError) as error:
            self._rest_until = time.monotonic() + REST_SECONDS
            raise MailServerDown(_words(error)) from None
        return server


def _hand_over(server: smtplib.SMTP, letter: Letter) -> None:
    try:
        server.send_message(message(letter), from_addr=letter.from_address, to_addrs=[letter.to_address])
    except smtplib.SMTPRecipientsRefused as error:
        ((code, _),) = error.recipients.values()
        raise (LetterRefused if code >= 500 else LetterDeferred)(f"recipient refused: {code}") from None
    except smtplib.SMTPNotSupportedError as error:
        raise LetterRefused(_words(error)) from None
    except smtplib.SMTPServerDisconnected as error:
        raise MailServerDown(_words(error)) from None
    except smtplib.SMTPSenderRefused as error:  # our own settings or limits: they can be mended
        raise LetterDeferred(_words(error)) from None
    except smtplib.SMTPResponseException as error:
        raise (LetterRefused if error.smtp_code >= 500 else LetterDeferred)(_words(error)) from None
    except (smtplib.SMTPException, OSError) as error:
        raise MailServerDown(_words(error)) from None


def _words(error: Exception) -> str:
    """Kind and number alone."""
    code = getattr(error, "smtp_code", "")
    return f"{type(error).__name__} {code}".strip()
