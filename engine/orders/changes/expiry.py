"""Quotes whose time is over."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from sqlalchemy import select

from engine.kit import clock
from engine.orders.models import ChangeStatus, OrderChange
from engine.orders.states import CHANGE
from engine.runtime import Runtime

_BATCH: Final = 50
_GRACE: Final = timedelta(seconds=2)


def expire_changes(runtime: Runtime, tenant_id: str) -> int:
    """End changes that nobody confirmed in time; returns how many. Their consents run out by themselves."""
    with runtime.unit_of_work(tenant_id) as session:
        rows = session.scalars(
            select(OrderChange)
            .where(
                OrderChange.tenant_id == tenant_id,
                OrderChange.status.in_([ChangeStatus.QUOTED, ChangeStatus.CONFIRMED]),
                OrderChange.expires_at <= clock.now() - _GRACE,
            )
            .order_by(OrderChange.expires_at)
            .limit(_BATCH)
            .with_for_update(skip_locked=True)
        ).all()
        for row in rows:
            row.status = CHANGE.check(row.status, ChangeStatus.EXPIRED)
            row.message = "Nobody confirmed it in time; nothing was changed."
    return len(rows)
