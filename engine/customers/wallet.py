"""Saved ways to pay: shown without what pays, and let go at the gateway too when their customer wants so."""

from __future__ import annotations

from typing import Final

import structlog
from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from engine.customers.models import PaymentMethod
from engine.kit import audit, clock
from engine.kit.errors import NotFound
from engine.kit.identity import Identity
from engine.runtime import Runtime

log = structlog.get_logger(__name__)
_BATCH: Final = 20


def remove_method(session: Session, identity: Identity, method_id: str) -> None:
    """Nobody sees it from now on; ``forget_removed`` tells the gateway. Raises ``NotFound``."""
    row = session.get(PaymentMethod, (identity.tenant_id, method_id), with_for_update=True, populate_existing=True)
    if row is None or row.customer_id != identity.customer_id or row.removed_at is not None:
        raise NotFound("There is no such saved payment method.")
    row.removed_at, row.is_default = clock.now(), False
    audit.record(session, row.tenant_id, actor=identity.id, action="customer.method_removed", subject=row.id)


def forget_removed(runtime: Runtime, tenant_id: str) -> int:
    """Have the gateways let go of removed cards, then drop the rows; returns how many. What a gateway does not answer
    for now is asked again.
    """
    with runtime.unit_of_work(tenant_id) as session:
        query = (
            select(PaymentMethod.id, PaymentMethod.gateway, PaymentMethod.gateway_ref)
            .where(PaymentMethod.tenant_id == tenant_id, PaymentMethod.removed_at.is_not(None))
            .order_by(PaymentMethod.id)
            .limit(_BATCH)
        )
        rows = session.execute(query).all()
    return sum(_forget(runtime, tenant_id, *row) for row in rows)


def _forget(runtime: Runtime, tenant_id: str, method_id: str, gateway: str, ref: str) -> bool:
    door = runtime.gateways.get(gateway)
    try:
        if door is not None:
            door.forget(ref, merchant=tenant_id)
    except Exception as error:  # noqa: BLE001 (whatever a gateway says: the card stays on the list of those to forget)
        log.warning("card not forgotten yet", gateway=gateway, method=method_id, error=type(error).__name__)
        return False
    with runtime.unit_of_work(tenant_id) as session:
        session.execute(
            delete(PaymentMethod).where(
                PaymentMethod.tenant_id == tenant_id,
                PaymentMethod.id == method_id,
                PaymentMethod.removed_at.is_not(None),
            )
        )
    return True
