"""A business object (an order, a purchase, a return) across systems: the runs that touched it, and its names there."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any, Final

from sqlalchemy import select
from sqlalchemy.orm import Session

from engine.kit.errors import NotFound
from engine.kit.views import View
from engine.operations.pipeline import runs
from engine.operations.pipeline.queue import ExceptionView
from engine.operations.pipeline.runs import RunInFull
from engine.orders.models import Order
from engine.sync import exceptions
from engine.sync.models import Xref
from engine.workflows.models import RunRow

MOST_RUNS: Final = 40
_KINDS: Final = ("order", "source_order", "purchase", "transfer", "receipt", "return", "shipment", "fulfillment")
"""What links are of, as their ``internal_kind``."""
_DEEPEST: Final = 3


class LinkView(View):
    """What it is called there: ``kind`` and ``external_id`` at a system's ``account``."""

    system: str
    account: str
    kind: str
    external_id: str
    internal_kind: str
    internal_id: str
    version: str
    linked_at: datetime


class ObjectView(View):
    """One business object: its runs in the order in which they began, what it is called elsewhere, and what of it
    waits for a person.
    """

    kind: str
    ref: str
    order_number: str | None
    """Of an order that is our own."""
    runs: list[RunInFull]
    links: list[LinkView]
    exceptions: list[ExceptionView]


def business_object(session: Session, tenant_id: str, kind: str, ref: str) -> ObjectView:
    """Raises ``NotFound`` for one that no run ever touched."""
    rows = runs.of_subject(session, tenant_id, kind, ref, most=MOST_RUNS)
    if not rows:
        raise NotFound("No run ever touched such a thing.")
    order = _own_order(session, tenant_id, kind, ref)
    queue = exceptions.listed(session, tenant_id, status=None, subject=f"{kind} {ref}"[:120], limit=20)
    return ObjectView(
        kind=kind,
        ref=ref,
        order_number=order.number if order else None,
        runs=[runs.in_full(session, tenant_id, row) for row in rows],
        links=_links(session, tenant_id, {ref, *_ids(rows), *([order.id] if order else [])}),
        exceptions=[ExceptionView.of(one) for one in queue.items],
    )


def _own_order(session: Session, tenant_id: str, kind: str, ref: str) -> Order | None:
    if kind != "order":
        return None
    return session.scalar(select(Order).where(Order.tenant_id == tenant_id, Order.number == ref))


def _links(session: Session, tenant_id: str, ids: set[str]) -> list[LinkView]:
    query = select(Xref).where(
        Xref.tenant_id == tenant_id, Xref.internal_kind.in_(_KINDS), Xref.internal_id.in_(sorted(ids))
    )
    rows = session.scalars(query.order_by(Xref.linked_at, Xref.system, Xref.kind, Xref.external_id))
    return [LinkView(**{name: getattr(row, name) for name in LinkView.model_fields}) for row in rows]


def _ids(rows: Sequence[RunRow]) -> Iterator[str]:
    """What its runs name: their business keys, and the words of their payloads."""
    for row in rows:
        yield row.id.split(":", 2)[-1]
        yield from _words(row.payload, 0)


def _words(value: Any, depth: int) -> Iterator[str]:
    if isinstance(value, str) and 0 < len(value) <= Xref.internal_id.type.length:
        yield value
    if depth < _DEEPEST:
        inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
        for one in inner:
            yield from _words(one, depth + 1)
