"""The outbox consumer ``mail``: what happened becomes a letter, in the transaction that takes the event off the outbox.

Outward: after a restore nothing is written until the shop's books are reconciled.
"""

from __future__ import annotations

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
        outbox.deliver(session, rows, lambda row: _written(session, runtime, row), "letter not written")


def _written(session: Session, runtime: Runtime, row: outbox.OutboxRow) -> None:
    deliver(session, runtime, row)
    row.payload = {name: value for name, value in row.payload.items() if name not in _LETTERS_ALONE}


def deliver(session: Session, runtime: Runtime, row: outbox.OutboxRow) -> None:
    """Write the letter of one event. A second delivery finds its key taken and changes nothing."""
    draft = letters.draft(session, runtime, row)
    if draft is None:
        return
    service.write(
        session,
        row.tenant_id,
        template=draft.template,
        to=draft.to,
        data=draft.data,
        key=f"{row.topic}|{draft.key}",
        topic=row.topic,
        subject_id=row.subject_id,
        customer_id=draft.customer_id,
        expires_at=draft.expires_at,
        secret=draft.secret,
    )
