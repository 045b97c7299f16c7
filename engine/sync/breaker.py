"""Whether a connection is called at all: after some failures it is left alone, then one call finds out.

Failures are counted in the journal, so a success costs nothing while all is well. The journal's row of a call has to be
written before ``failed`` is asked.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from engine.kit import audit, clock
from engine.sync import alerts
from engine.sync.errors import CircuitOpen, RateLimited, SyncError
from engine.sync.models import UNDER_WAY, Breaker, BreakerState, Call, CallMode
from engine.sync.states import BREAKER

FAILURES: Final = 5
PERCENT: Final = 50
WINDOW: Final = timedelta(seconds=60)
COOLDOWN: Final = 30
LONGEST_COOLDOWN: Final = 600
"""Seconds."""
_NEITHER: Final = (UNDER_WAY, RateLimited.code)
"""Outcomes that say nothing of a system's health."""


def allow(session: Session, tenant_id: str, connection_id: str, *, permit_id: str, lease: timedelta) -> bool:
    """Whether the call with this permit is the one that finds out. Raises ``CircuitOpen`` with the time to wait where
    there is no leave to call.
    """
    row, now = _locked(session, tenant_id, connection_id), clock.now()
    if row.state == BreakerState.CLOSED:
        return False
    if row.open_until is not None and row.open_until > now:
        raise _open(row.open_until - now)
    if row.probe_until is not None and row.probe_until > now:
        raise _open(row.probe_until - now)
    if row.state == BreakerState.OPEN:
        _become(row, BreakerState.HALF_OPEN, now)
    row.probe_id, row.probe_until = permit_id, now + lease
    return True


def note(
    session: Session,
    tenant_id: str,
    connection_id: str,
    *,
    permit_id: str,
    probes: bool,
    error: SyncError | None,
) -> bool:
    """What a call came to, in the transaction that notes it in the journal; whether the breaker has opened by it."""
    if error is not None and error.counts_for_breaker:
        return failed(session, tenant_id, connection_id, permit_id=permit_id)
    if probes and isinstance(error, RateLimited):
        undecided(session, tenant_id, connection_id, permit_id=permit_id)
    elif probes:
        succeeded(session, tenant_id, connection_id, permit_id=permit_id)
    return False


def failed(session: Session, tenant_id: str, connection_id: str, *, permit_id: str) -> bool:
    """A call failed in a way that counts; whether the breaker has opened by it."""
    session.flush()
    row, now = _locked(session, tenant_id, connection_id), clock.now()
    if row.state == BreakerState.HALF_OPEN and row.probe_id == permit_id:
        row.cooldown_seconds = min(row.cooldown_seconds * 2, LONGEST_COOLDOWN)
        _become(row, BreakerState.OPEN, now)
        return True
    if row.state == BreakerState.CLOSED and _too_many(session, row, now):
        row.cooldown_seconds = COOLDOWN
        _become(row, BreakerState.OPEN, now)
        alerts.breaker_opened(session, tenant_id, connection_id)
        return True
    return False


def succeeded(session: Session, tenant_id: str, connection_id: str, *, permit_id: str) -> None:
    """The call that found out was answered: it works again. To be told of probes; of others nothing is to be done."""
    row, now = _locked(session, tenant_id, connection_id), clock.now()
    if row.state == BreakerState.HALF_OPEN and row.probe_id == permit_id:
        row.counted_from, row.cooldown_seconds = now, COOLDOWN
        _become(row, BreakerState.CLOSED, now)
        alerts.breaker_closed(session, tenant_id, connection_id)


def undecided(session: Session, tenant_id: str, connection_id: str, *, permit_id: str) -> None:
    """The probe found nothing out (it was asked to wait): the next call may."""
    row = _locked(session, tenant_id, connection_id)
    if row.probe_id == permit_id:
        row.probe_id = row.probe_until = None


def reset(session: Session, tenant_id: str, connection_id: str, *, actor: str) -> None:
    """Let it through again, whatever was before: somebody knows that it works."""
    row, now = _locked(session, tenant_id, connection_id), clock.now()
    facts = {"from": str(row.state)}
    audit.record(session, tenant_id, actor=actor, action="connection.breaker_reset", subject=connection_id, facts=facts)
    row.counted_from, row.cooldown_seconds = now, COOLDOWN
    row.state, row.changed_at = BreakerState.CLOSED, now
    row.open_until = row.probe_id = row.probe_until = None
    alerts.breaker_closed(session, tenant_id, connection_id)


def _too_many(session: Session, row: Breaker, now: datetime) -> bool:
    counted = select(func.count().filter(Call.counts), func.count()).where(
        Call.tenant_id == row.tenant_id,
        Call.connection_id == row.connection_id,
        Call.mode == CallMode.LIVE,
        Call.at > max(row.counted_from, now - WINDOW),
        Call.outcome.not_in(_NEITHER),
    )
    bad, total = session.execute(counted).one()
    return bool(bad >= FAILURES and bad * 100 >= total * PERCENT)


def _become(row: Breaker, state: BreakerState, now: datetime) -> None:
    row.state = BREAKER.check(row.state, state)
    row.changed_at = now
    row.open_until = now + timedelta(seconds=row.cooldown_seconds) if state == BreakerState.OPEN else None
    row.probe_id = row.probe_until = None


def _locked(session: Session, tenant_id: str, connection_id: str) -> Breaker:
    query = select(Breaker).where(Breaker.tenant_id == tenant_id, Breaker.connection_id == connection_id)
    return session.scalars(query.with_for_update().execution_options(populate_existing=True)).one()


def _open(left: timedelta) -> CircuitOpen:
    seconds = max(left.total_seconds(), 0.1)
    return CircuitOpen("This system failed too often; it is left alone for a while.", retry_after=seconds)
