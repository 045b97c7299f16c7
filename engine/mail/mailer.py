"""The port to whatever carries letters away, and a letter as it travels (RFC 5322)."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import datetime
from email import policy
from email.headerregistry import Address
from email.message import EmailMessage
from email.utils import format_datetime
from typing import Protocol

from engine.mail.addresses import domain_of
from engine.mail.errors import LetterRefused


@dataclass(frozen=True, slots=True)
class Letter:
    """What is handed over. Nothing in it changes between two tries."""

    id: str
    from_name: str
    from_address: str
    reply_to: str
    to_address: str
    subject: str
    text: str = field(repr=False)
    html: str = field(repr=False)
    created_at: datetime


Send = Callable[[Letter], None]
"""Hands one letter over. Raises ``LetterRefused`` (for good), ``LetterDeferred`` (not now), ``MailServerDown``."""


class Mailer(Protocol):
    @property
    def resting(self) -> bool:
        """Whether the server was out of reach a moment ago: nobody needs to ask."""

    def open(self) -> AbstractContextManager[Send]:
        """One conversation with the mail server. Raises ``MailServerDown``."""


def message(letter: Letter) -> EmailMessage:
    """The letter with its headers; the same letter is the same message, by the same ``Message-ID``.

    Raises ``LetterRefused`` for what no header can hold: a line break in a name or address gets nowhere.
    """
    made = EmailMessage(policy=policy.SMTP)
    try:
        made["From"] = Address(display_name=letter.from_name, addr_spec=letter.from_address)
        made["To"] = Address(addr_spec=letter.to_address)
        if letter.reply_to:
            made["Reply-To"] = Address(addr_spec=letter.reply_to)
        made["Subject"] = letter.subject
        made["Date"] = format_datetime(letter.created_at)
        made["Message-ID"] = f"<{letter.id}@{domain_of(letter.from_address)}>"
        made["Auto-Submitted"] = "auto-generated"
    except (ValueError, IndexError) as error:
        raise LetterRefused(f"header: {type(error).__name__}") from None
    made.set_content(letter.text, cte="quoted-printable")
    made.add_alternative(letter.html, subtype="html", cte="quoted-printable")
    return made
