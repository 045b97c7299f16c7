"""Who is who: our ids and the gateway's, written down before money can move under them."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from engine.kit import clock
from engine.kit.idempotency import canonical_json
from engine.kit.money import Money
from engine.payments.errors import TokenRefused
from engine.payments.gateways.models import GatewayHandle, HandleKind

CANCELED = "canceled"


@dataclass(frozen=True, slots=True)
class Handle:
    """One id of ours at a gateway. ``outcome`` is set when it ended without the gateway."""

    gateway: str
    key: str
    kind: HandleKind
    payment_id: str
    body_hash: str
    amount: Money
    gateway_id: str | None = None
    outcome: str | None = None


def claim(session: Session, tenant_id: str, wanted: Handle) -> tuple[Handle, bool]:
    """Write ``wanted`` down; returns what stands under its key, and whether that is new.

    Raises ``TokenRefused`` when the key was used with another body. A key that was canceled stays so for any body.
    """
    row = {
        "tenant_id": tenant_id,
        "gateway": wanted.gateway,
        "key": wanted.key,
        "kind": wanted.kind,
        "payment_id": wanted.payment_id,
        "body_hash": wanted.body_hash,
        "amount": wanted.amount.amount,
        "currency": wanted.amount.currency,
        "gateway_id": wanted.gateway_id,
        "outcome": wanted.outcome,
        "created_at": clock.now(),
    }
    statement = insert(GatewayHandle).values(row).on_conflict_do_nothing().returning(GatewayHandle.key)
    if session.execute(statement).first() is not None:
        return wanted, True
    found = find(session, tenant_id, wanted.gateway, wanted.key)
    assert found is not None
    if CANCELED not in {found.outcome, wanted.outcome} and found.body_hash != wanted.body_hash:
        raise TokenRefused("This id was used with another request.")
    return found, False


def find(session: Session, tenant_id: str, gateway: str, key: str) -> Handle | None:
    """What stands under a key of ours."""
    row = session.get(GatewayHandle, (tenant_id, gateway, key), populate_existing=True)
    return _handle(row) if row else None


def payment_of(session: Session, tenant_id: str, gateway: str, gateway_id: str) -> str | None:
    """Our payment id behind the gateway's id of a payment."""
    query = select(GatewayHandle.payment_id).where(
        GatewayHandle.tenant_id == tenant_id,
        GatewayHandle.gateway == gateway,
        GatewayHandle.gateway_id == gateway_id,
        GatewayHandle.kind.in_([HandleKind.PAYMENT, HandleKind.HOLD]),
    )
    return session.scalars(query.order_by(GatewayHandle.created_at.desc())).first()


def settle(
    session: Session,
    tenant_id: str,
    gateway: str,
    key: str,
    *,
    gateway_id: str | None = None,
    outcome: str | None = None,
) -> bool:
    """Write down the gateway's id, or how it ended without one; ``False`` when it had ended before."""
    values = {name: value for name, value in (("gateway_id", gateway_id), ("outcome", outcome)) if value}
    done = session.execute(
        update(GatewayHandle)
        .where(
            GatewayHandle.tenant_id == tenant_id,
            GatewayHandle.gateway == gateway,
            GatewayHandle.key == key,
            GatewayHandle.outcome.is_(None),
        )
        .values(**values)
        .returning(GatewayHandle.key)
    )
    return done.first() is not None


def give_up(session: Session, tenant_id: str, gateway: str, payment_id: str) -> Handle:
    """Make sure that nothing is begun under a payment id any more; what had begun before stands as it is."""
    tombstone = Handle(gateway, payment_id, HandleKind.PAYMENT, payment_id, "", Money(0, "XXX"), None, CANCELED)
    handle, first = claim(session, tenant_id, tombstone)
    if first or handle.gateway_id or handle.outcome:
        return handle
    session.execute(
        update(GatewayHandle)
        .where(
            GatewayHandle.tenant_id == tenant_id,
            GatewayHandle.gateway == gateway,
            GatewayHandle.key == payment_id,
            GatewayHandle.gateway_id.is_(None),
            GatewayHandle.outcome.is_(None),
        )
        .values(outcome=CANCELED)
    )
    found = find(session, tenant_id, gateway, payment_id)
    assert found is not None
    return found


def body_hash(parts: Sequence[Any]) -> str:
    """A digest that tells two requests under one key apart."""
    return hashlib.sha256(canonical_json(list(parts))).hexdigest()


def _handle(row: GatewayHandle) -> Handle:
    return Handle(
        gateway=row.gateway,
        key=row.key,
        kind=HandleKind(row.kind),
        payment_id=row.payment_id,
        body_hash=row.body_hash,
        amount=Money(row.amount, row.currency),
        gateway_id=row.gateway_id,
        outcome=row.outcome,
    )
