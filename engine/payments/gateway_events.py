"""What gateways tell us: verified, stored once, then applied, in whatever order it comes, until it has been.

The store is the dedupe: a gateway may tell a thing twice, or long after we found out ourselves. Everything that is
applied asks first whether it is news.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict
from datetime import datetime, timedelta
from typing import Any, Final

import structlog
from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.exc import NoResultFound
from sqlalchemy.orm import Session

from engine.kit import clock
from engine.kit.errors import DomainError, NotFound
from engine.kit.ids import new_id
from engine.kit.money import Money
from engine.kit.tenancy import Tenant
from engine.payments import captures, disputes, refunds, voids
from engine.payments.alerts import raise_alert
from engine.payments.gateway import (
    Charge,
    ChargeStatus,
    DisputeFacts,
    DisputeStatus,
    EventKind,
    GatewayEvent,
    Move,
    MoveStatus,
)
from engine.payments.models import StoredGatewayEvent
from engine.runtime import Runtime

MAX_ATTEMPTS: Final = 12
"""Then a person looks at it: by then it has waited for about an hour."""
_BATCH: Final = 50
OnCharge = Callable[[Runtime, GatewayEvent], object]
"""Settles a payment under way; a purchase's or a change's, which this domain knows nothing of."""
log = structlog.get_logger(__name__)


def receive(runtime: Runtime, gateway: str, body: bytes, headers: Mapping[str, str], *, on_charge: OnCharge) -> None:
    """Verify and store a webhook, and apply it. What cannot be applied now is tried again by the job: once stored, the
    gateway may forget it.

    Raises ``Unauthenticated`` for a bad signature, ``NotFound`` for a merchant that is not ours.
    """
    event = runtime.gateways[gateway].parse_webhook(body, headers)
    if event.kind == EventKind.IGNORED:
        return
    _require_merchant(runtime, event.merchant)
    with runtime.unit_of_work(event.merchant) as session:
        event_id = _store(session, gateway, event)
    if event_id is not None:
        _apply(runtime, event.merchant, event_id, on_charge)


def retry_waiting(runtime: Runtime, tenant_id: str, *, on_charge: OnCharge) -> int:
    """Apply what could not be applied before; returns how many were tried."""
    with runtime.unit_of_work(tenant_id) as session:
        ids = session.scalars(
            select(StoredGatewayEvent.id)
            .where(
                StoredGatewayEvent.tenant_id == tenant_id,
                StoredGatewayEvent.applied_at.is_(None),
                StoredGatewayEvent.available_at <= clock.now(),
            )
            .order_by(StoredGatewayEvent.available_at)
            .limit(_BATCH)
        ).all()
    for event_id in ids:
        _apply(runtime, tenant_id, event_id, on_charge)
    return len(ids)


def _require_merchant(runtime: Runtime, tenant_id: str) -> None:
    with runtime.store.without_tenant() as session:
        if session.get(Tenant, tenant_id) is None:
            raise NotFound("There is no such merchant.")


def _store(session: Session, gateway: str, event: GatewayEvent) -> str | None:
    """The stored event's id; ``None`` when it was told before. Waits a little for this call to apply it."""
    row = {
        "tenant_id": event.merchant,
        "id": new_id("gateway_event"),
        "gateway": gateway,
        "event_id": event.id,
        "kind": event.kind,
        "body": to_body(event),
        "occurred_at": event.occurred_at,
        "received_at": clock.now(),
        "available_at": clock.now() + timedelta(seconds=20),
        "attempts": 0,
    }
    made = insert(StoredGatewayEvent).values(row).on_conflict_do_nothing().returning(StoredGatewayEvent.id)
    return session.scalar(made)


def _apply(runtime: Runtime, tenant_id: str, event_id: str, on_charge: OnCharge) -> None:
    with runtime.unit_of_work(tenant_id) as session:
        stored = session.get_one(StoredGatewayEvent, (tenant_id, event_id))
    problem = None if stored.applied_at else _tried(runtime, from_body(stored.body), on_charge)
    with runtime.unit_of_work(tenant_id) as session:
        row = session.get_one(StoredGatewayEvent, (tenant_id, event_id), with_for_update=True)
        if problem is None:
            row.applied_at, row.error = row.applied_at or clock.now(), None
            return
        row.attempts += 1
        row.error = problem
        wait = timedelta(seconds=min(600, 2**row.attempts))
        stuck = row.attempts >= MAX_ATTEMPTS
        row.available_at = clock.now() + (timedelta(days=3650) if stuck else wait)
        if stuck:
            words = f"{row.gateway} told of a {row.kind} that cannot be applied: {problem}."
            raise_alert(session, tenant_id, "gateway_event_stuck", row.id, words)


def _tried(runtime: Runtime, event: GatewayEvent, on_charge: OnCharge) -> str | None:
    """Apply an event; what stood in the way, if anything."""
    try:
        _dispatch(runtime, event, on_charge)
    except NoResultFound:
        return "it is about nothing of ours"
    except DomainError as error:
        return error.code
    return None


def _dispatch(runtime: Runtime, event: GatewayEvent, on_charge: OnCharge) -> None:
    if event.charge is not None:
        on_charge(runtime, event)
        if event.charge.status == ChargeStatus.VOIDED:
            voids.settle(runtime, event.merchant, event.payment_id, event.charge)
    if event.move is not None and event.kind == EventKind.CAPTURE:
        captures.settle(runtime, event.merchant, event.move.key, event.move)
    if event.move is not None and event.kind == EventKind.REFUND:
        refunds.settle(runtime, event.merchant, event.move.key, event.move)
    if event.dispute is not None:
        disputes.settle(runtime, event.merchant, event.dispute)


def to_body(event: GatewayEvent) -> dict[str, Any]:
    """The event as JSON: what we read from the webhook, and nothing else of it."""
    plain: dict[str, Any] = _plain(asdict(event))
    return plain


def from_body(body: Mapping[str, Any]) -> GatewayEvent:
    """The event again."""
    charge, move, dispute = body["charge"], body["move"], body["dispute"]
    return GatewayEvent(
        id=body["id"],
        kind=EventKind(body["kind"]),
        merchant=body["merchant"],
        occurred_at=datetime.fromisoformat(body["occurred_at"]),
        payment_id=body["payment_id"],
        charge=Charge(**_read(charge, ChargeStatus)) if charge else None,
        move=Move(**_read(move, MoveStatus)) if move else None,
        dispute=DisputeFacts(**_read(dispute, DisputeStatus)) if dispute else None,
    )


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(part) for key, part in value.items()}
    return value.isoformat() if isinstance(value, datetime) else value


def _read(part: Mapping[str, Any], status: Callable[[str], Any]) -> dict[str, Any]:
    moments = {
        key: datetime.fromisoformat(part[key]) for key in ("expires_at", "evidence_due_at") if part.get(key) is not None
    }
    amount = {"amount": Money(**part["amount"])} if part.get("amount") else {}
    return {**part, **moments, **amount, "status": status(part["status"])}
