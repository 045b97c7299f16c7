"""The exception queue and what came in, as the shop's people see and act on them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

import orjson
from sqlalchemy.orm import Session

from engine.kit import audit
from engine.kit.errors import NotFound
from engine.kit.views import View
from engine.operations.pipeline.payloads import checked
from engine.sync import exceptions, inbox
from engine.sync.masking import Mask
from engine.sync.work_models import Delivery, ExceptionRow

MOST_SHOWN: Final = 20
"""Of a dry run: how many are named."""
_ANY: Final = Mask(())
"""Hides what is named like a secret, and card numbers."""


class FaultView(View):
    """A field that was refused, and in what words."""

    path: str
    message: str


class ExceptionView(View):
    """A run that a person has to look at. ``payload`` is what it worked on, ``fixed`` as somebody put it right;
    ``fingerprint`` is the same for everything that stopped for the same reason.
    """

    id: str
    workflow: str
    workflow_id: str
    step: str
    connection_id: str | None
    subject: str
    code: str
    reason: str
    fields: list[FaultView]
    payload: dict[str, Any]
    fixed: dict[str, Any] | None
    fingerprint: str
    status: str
    times: int
    """How often it stopped."""
    retries: int
    first_at: datetime
    last_at: datetime
    closed_at: datetime | None
    decided_by: str

    @classmethod
    def of(cls, row: ExceptionRow) -> ExceptionView:
        return cls(**{name: getattr(row, name) for name in cls.model_fields})


class DeliveryView(View):
    """What a system told us: ``waiting`` (also: tried, and comes again), ``done`` or ``dead``."""

    id: str
    source: str
    delivery_id: str
    connection_id: str | None
    topic: str
    status: str
    attempts: int
    available_at: datetime
    """Not worked before this."""
    error: str
    received_at: datetime
    done_at: datetime | None

    @classmethod
    def of(cls, row: Delivery) -> DeliveryView:
        return cls(**{name: getattr(row, name) for name in cls.model_fields})


class DeliveryInFull(DeliveryView):
    """With its headers and what it said, secrets and card numbers masked."""

    headers: dict[str, Any]
    body: str

    @classmethod
    def of(cls, row: Delivery) -> DeliveryInFull:
        known = {name: getattr(row, name) for name in DeliveryView.model_fields}
        return cls(**known, headers=row.headers, body=_said(row))


class Again(View):
    """What is (after a dry run: would be) done again. ``named`` are the first of ``count``."""

    fingerprint: str
    count: int
    named: list[ExceptionView]
    dry_run: bool


def fix(session: Session, tenant_id: str, exception_id: str, *, actor: str, payload: Mapping[str, Any]) -> ExceptionRow:
    """Put a payload right and have its run done again. Raises ``NotFound``, ``IllegalTransition``, ``InvalidInput``
    with the field that its workflow would not take.
    """
    row = exceptions.get(session, tenant_id, exception_id)
    right = checked(tenant_id, row.workflow, row.workflow_id, payload)
    return exceptions.fix(session, tenant_id, exception_id, actor=actor, payload=right)


def retry_cause(session: Session, tenant_id: str, fingerprint: str, *, actor: str, dry_run: bool = True) -> Again:
    """Everything that stopped for one reason, once more; with ``dry_run`` only what that would be. Raises ``NotFound``
    where nothing of it is open.
    """
    ids = exceptions.retry_cause(session, tenant_id, fingerprint, actor=actor)
    if not ids:
        raise NotFound("Nothing that stopped for this reason is open.")
    if not dry_run:
        ids = exceptions.retry_cause(session, tenant_id, fingerprint, actor=actor, dry_run=False)
    named = [ExceptionView.of(exceptions.get(session, tenant_id, one)) for one in ids[:MOST_SHOWN]]
    return Again(fingerprint=fingerprint, count=len(ids), named=named, dry_run=dry_run)


def revive(session: Session, tenant_id: str, delivery_id: str, *, actor: str) -> Delivery:
    """Work a delivery that was given up once more. Raises ``NotFound``, ``IllegalTransition``, ``InvalidInput``."""
    row = inbox.revive(session, tenant_id, delivery_id)
    facts = {"source": row.source, "topic": row.topic}
    audit.record(session, tenant_id, actor=actor, action="delivery.revived", subject=row.id, facts=facts)
    return row


def _said(row: Delivery) -> str:
    if not row.body:
        return ""
    return _ANY.body(row.body, _parsed(row.body))


def _parsed(body: bytes) -> Any:
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError:
        return None
