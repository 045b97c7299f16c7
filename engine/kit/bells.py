"""A bell in every process that has a stream open: something about a thing has changed, look for yourself."""

from __future__ import annotations

from typing import Final

from sqlalchemy import func, select
from sqlalchemy.orm import Session

CHANNEL: Final = "icommerce_events"


def ring(session: Session, tenant_id: str, thing_id: str) -> None:
    """Ring once this transaction is committed. Who hears nothing looks a little later."""
    session.execute(select(func.pg_notify(CHANNEL, f"{tenant_id}:{thing_id}")))
