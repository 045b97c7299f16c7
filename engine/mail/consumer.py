"""The outbox consumer ``mail``: what happened becomes a letter, in the transaction that takes the event off the outbox.

Outward: after a restore nothing is written until the shop's books are reconciled.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from sqlalchemy.orm import Session

from engine.kit import outbox
from engine.mail import letters, service
from engine.runtime import Runtime

CONSUMER: Final = "mail"
_LETTERS_ALONE: Final = frozenset({"email", "sealed"})
"""What an event says for its letter and nobody else: it goes once that is written."""


def write_letters(runtime: Runtime, tenant_id: str) -> None:
    """Write the letters of what happened; what fails waits and comes again."""
    with runtime.unit_of_work(tenant_id) as session:
        rows = outbox.claim_batch(session, tenant_id, CONSUMER)
        letters.gather(session, tenant_id, rows)
        outbox.deliver(
            session,
            rows,
            lambda row: deliver(session, runtime, [row]),
            "letter not written",
            together=lambda some: deliver(session, runtime, some),
        )


def deliver(session: Session, runtime: Runtime, rows: Sequence[outbox.OutboxRow]) -> None:
    """Write the letters of events of one shop. A second delivery finds its key taken and changes nothing."""
    drafts = [(row, letters.draft(session, runtime, row)) for row in rows]
    found = [_letter(row, draft) for row, draft in drafts if draft is not None]
    service.write_all(session, rows[0].tenant_id, found)
    for row in rows:
        if _LETTERS_ALONE & row.payload.keys():
            row.payload = {name: value for name, value in row.payload.items() if name not in _LETTERS_ALONE}


def _letter(row: outbox.OutboxRow, draft: letters.Draft) -> service.Letter:
    return service.Letter(
        template=draft.template,
        to=draft.to,
        data=draft.data,
        key=f"{row.topic}|{draft.key}",
        topic=row.topic,
        subject_id=row.subject_id,
        customer_id=draft.customer_id,
        expires_at=draft.expires_at,
        secret=draft.secret,
        language=draft.language,
    )
