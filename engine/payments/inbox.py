"""The reconciliation inbox: what a person must look at because money, goods and records may differ."""

from __future__ import annotations

from typing import Any

from sqlalchemy import update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from engine.kit import clock
from engine.kit.ids import new_id
from engine.payments.models import Alert


def raise_alert(
    session: Session,
    tenant_id: str,
    kind: str,
    subject: str,
    detail: str,
    *,
    action: str | None = None,
    facts: dict[str, Any] | None = None,
) -> None:
    """Put something into the inbox, once while it is open; ``action`` is the one safe thing to do about it."""
    row = {
        "tenant_id": tenant_id,
        "id": new_id("alert"),
        "kind": kind,
        "subject": subject,
        "detail": detail,
        "action": action,
        "facts": facts or {},
        "created_at": clock.now(),
    }
    session.execute(insert(Alert).values(row).on_conflict_do_nothing())


def resolve_alert(session: Session, tenant_id: str, kind: str, subject: str) -> None:
    """Close an open alert, if there is one."""
    session.execute(
        update(Alert)
        .where(
            Alert.tenant_id == tenant_id,
            Alert.kind == kind,
            Alert.subject == subject,
            Alert.resolved_at.is_(None),
        )
        .values(resolved_at=clock.now())
    )
