"""A bell in every process that has a stream open: something about a thing has changed, look for yourself."""

from __future__ import annotations

from typing import Final

from sqlalchemy.orm import Session

from engine.kit.direct import Statement
from engine.kit.gathering import post

CHANNEL: Final = "icommerce_events"
_RING: Final = Statement("SELECT pg_notify(%(channel)s, %(thing)s)")


def ring(session: Session, tenant_id: str, thing_id: str) -> None:
    """Ring once this transaction is committed. Who hears nothing looks a little later."""
    post(session, (_RING, {"channel": CHANNEL, "thing": f"{tenant_id}:{thing_id}"}), alone=True)
