"""What can go wrong with a letter, by what follows from it."""

from __future__ import annotations

from engine.kit.errors import Conflict, Unavailable


class LetterRefused(Exception):
    """The mail server will never take this letter: no such mailbox, or a letter it cannot carry."""


class LetterDeferred(Exception):
    """The mail server did not take this letter now; it may later."""


class MailServerDown(Exception):
    """No mail server to talk to: nothing was handed over."""


class BodyErased(Conflict):
    code = "mail_erased"


class MailNotSet(Unavailable):
    code = "mail_not_set"
