"""Locking a month's books: from then on the database refuses entries booked in it."""

from __future__ import annotations

import re
from typing import Final

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from engine.finance.errors import PeriodLocked, PeriodNotLocked, PeriodNotOver
from engine.finance.models import AccountingPeriod
from engine.finance.schemas import PeriodView
from engine.finance.service import month_of
from engine.kit import audit, clock
from engine.kit.errors import InvalidInput

_MONTH: Final = re.compile(r"[0-9]{4}-(0[1-9]|1[0-2])")


def lock(session: Session, tenant_id: str, *, month: str, actor: str) -> PeriodView:
    """Lock a month (``YYYY-MM``, UTC) that is over. Waits for entries of it that are being written.

    Raises ``InvalidInput``, ``PeriodNotOver``, ``PeriodLocked``.
    """
    _check(month)
    if month >= month_of(clock.now()):
        raise PeriodNotOver(f"{month} is not over yet: only past months can be locked.")
    _wait(session, tenant_id, month)
    if session.get(AccountingPeriod, (tenant_id, month)):
        raise PeriodLocked(f"The books of {month} are locked already.")
    row = AccountingPeriod(tenant_id=tenant_id, month=month, locked_at=clock.now(), locked_by=actor)
    session.add(row)
    audit.record(session, tenant_id, actor=actor, action="period.locked", subject=month)
    session.flush()
    return _view(row)


def unlock(session: Session, tenant_id: str, *, month: str, actor: str) -> None:
    """Open a locked month again; what was booked later because of it stays where it is.

    Raises ``InvalidInput``, ``PeriodNotLocked``.
    """
    _check(month)
    _wait(session, tenant_id, month)
    row = session.get(AccountingPeriod, (tenant_id, month))
    if row is None:
        raise PeriodNotLocked(f"The books of {month} are not locked.")
    facts = {"locked_by": row.locked_by, "locked_at": row.locked_at.isoformat()}
    session.delete(row)
    audit.record(session, tenant_id, actor=actor, action="period.unlocked", subject=month, facts=facts)


def periods(session: Session, tenant_id: str) -> list[PeriodView]:
    """The locked months, newest first."""
    rows = session.scalars(
        select(AccountingPeriod).where(AccountingPeriod.tenant_id == tenant_id).order_by(AccountingPeriod.month.desc())
    )
    return [_view(row) for row in rows]


def _check(month: str) -> None:
    if not _MONTH.fullmatch(month):
        raise InvalidInput("A month is written like 2026-09.", param="month")


def _wait(session: Session, tenant_id: str, month: str) -> None:
    """Wait until nobody writes an entry of this month; whoever comes later sees what we do."""
    session.execute(select(func.pg_advisory_xact_lock(func.app.period_key(tenant_id, month))))


def _view(row: AccountingPeriod) -> PeriodView:
    return PeriodView(month=row.month, locked_at=row.locked_at, locked_by=row.locked_by)
