"""What is held back after a restore: a backup does not know what happened after its horizon.

Until recovery has compared the tenant's books with its gateways', nothing leaves the house: no outward outbox
message, no workflow, no job that calls a partner. Selling goes on.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import exists, select, text, update
from sqlalchemy.orm import Mapped, Session, mapped_column

from engine.kit.errors import Unavailable
from engine.kit.tenancy import TenantRow


class HeldAfterRestore(Unavailable):
    """A step that would leave the house, while the tenant's restore is not reconciled yet."""

    code = "held_after_restore"


class Restore(TenantRow):
    """The tenant's state came out of a backup. One row: a later restore replaces it."""

    __tablename__ = "restores"

    horizon: Mapped[datetime]
    """When the backup's snapshot was taken: whatever happened later is not in it."""
    restored_at: Mapped[datetime]
    index_pending: Mapped[bool] = mapped_column(default=True, server_default=text("true"))
    """The search index is still to be made anew by the serving process."""
    looked_at: Mapped[datetime | None]
    waiting_for: Mapped[dict[str, Any]] = mapped_column(default=dict, server_default=text("'{}'::jsonb"))
    """What the last look found unreconciled: payments, captures, refunds, unknown captures, differing books."""
    lifted_at: Mapped[datetime | None]


def held(session: Session, tenant_id: str) -> bool:
    """Whether the tenant's outward work is held."""
    standing = exists().where(Restore.tenant_id == tenant_id, Restore.lifted_at.is_(None))
    return bool(session.scalar(select(standing)))


def require_free(session: Session, tenant_id: str) -> None:
    """Raises ``HeldAfterRestore``: for a workflow's first step and for a job before it calls a partner."""
    if held(session, tenant_id):
        raise HeldAfterRestore("This shop was restored from a backup; its payments are being compared first.")


def index_pending(session: Session, tenant_id: str) -> bool:
    """Whether the tenant's search index must be made anew."""
    return bool(session.scalar(select(Restore.index_pending).where(Restore.tenant_id == tenant_id)))


def index_done(session: Session, tenant_id: str) -> None:
    """The search index was made anew."""
    session.execute(update(Restore).where(Restore.tenant_id == tenant_id).values(index_pending=False))
