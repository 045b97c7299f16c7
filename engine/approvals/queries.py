"""Reading approvals."""

from __future__ import annotations

from collections.abc import Mapping

from sqlalchemy import select
from sqlalchemy.orm import Session

from engine.approvals.models import Approval, ApprovalKind, ApprovalStatus
from engine.approvals.schemas import ApprovalView
from engine.approvals.service import find
from engine.kit.errors import InvalidInput
from engine.kit.identity import Identity
from engine.kit.pagination import Page, decode_cursor, encode_cursor


def approvals(
    session: Session, identity: Identity, *, filters: Mapping[str, str | None], limit: int, cursor: str | None
) -> Page[ApprovalView]:
    """The shop's approvals, newest first. ``filters`` names columns. Raises ``InvalidInput``."""
    _check(filters)
    query = select(Approval).where(Approval.tenant_id == identity.tenant_id).order_by(Approval.id.desc())
    for name, value in filters.items():
        if value is not None:
            query = query.where(getattr(Approval, name) == value)
    if cursor:
        query = query.where(Approval.id < str(decode_cursor(cursor, size=1)[0]))
    rows = session.scalars(query.limit(limit + 1)).all()
    more = encode_cursor([rows[limit - 1].id]) if len(rows) > limit else None
    return Page([ApprovalView.of(row) for row in rows[:limit]], more)


def approval(session: Session, identity: Identity, approval_id: str) -> ApprovalView:
    """One approval. Raises ``NotFound``."""
    return ApprovalView.of(find(session, identity.tenant_id, approval_id))


def _check(filters: Mapping[str, str | None]) -> None:
    for name, known in (("status", ApprovalStatus), ("kind", ApprovalKind)):
        value = filters.get(name)
        if value is not None and value not in set(known):
            raise InvalidInput(f"{name} is one of {', '.join(known)}.", param=name)
