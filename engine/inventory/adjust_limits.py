"""How much one person may write on or off alone: units and their value in any 24 hours, added up without netting."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from sqlalchemy import func, select, text
from sqlalchemy.orm import Session

from engine.inventory.errors import NeedsCount
from engine.inventory.models import HandAdjustment
from engine.inventory.policy import InventoryPolicy
from engine.kit import clock, people
from engine.kit.policies import policy_of
from engine.kit.tenancy import Tenant

DAY: Final = timedelta(days=1)
_LOCK: Final = text("SELECT pg_advisory_xact_lock(hashtext(:key))")
_WORDS: Final = "That is more than one person may write on or off in a day: open a count instead."


def claim(
    session: Session, tenant_id: str, *, actor: str, subject: str, units: int, value: int, approved: str | None
) -> None:
    """Write down what ``actor`` changes by hand, as ``subject``: ``units`` and their ``value`` at cost, both unsigned.

    All keys of one person count together, as do all that name nobody, one after the other: call it when the levels are
    locked. ``approved`` names the approval that lifts the limit; what it allowed counts towards nothing. Raises
    ``NeedsCount``, then nothing may be kept.
    """
    if approved is None:
        session.execute(_LOCK, {"key": f"adjust-limits:{tenant_id}|{people.who_is(session, tenant_id, actor)}"})
        _check(session, tenant_id, actor, units=units, value=value)
    session.add(
        HandAdjustment(tenant_id=tenant_id, id=subject, actor=actor, units=units, value=value, approved=approved)
    )


def fits(session: Session, tenant_id: str, *, actor: str, subject: str, units: int, value: int) -> bool:
    """The same, for what waits for somebody else when it is too much: whether it was claimed."""
    try:
        claim(session, tenant_id, actor=actor, subject=subject, units=units, value=value, approved=None)
    except NeedsCount:
        return False
    return True


def exceeded(session: Session, tenant_id: str, *, actor: str, units: int, value: int) -> NeedsCount | None:
    """What ``claim`` would refuse now, to be told beforehand."""
    policy = policy_of(session, tenant_id, InventoryPolicy)
    done_units, done_value = _done(session, tenant_id, actor)
    if done_units + units > policy.adjust_limit_units:
        limit, total = policy.adjust_limit_units, done_units + units
        return NeedsCount(_WORDS, limit=limit, amount=total, currency=None, rule="adjust_limit_units")
    if done_value + value > policy.adjust_limit_value:
        limit, total = policy.adjust_limit_value, done_value + value
        currency = session.get_one(Tenant, tenant_id).currency
        return NeedsCount(_WORDS, limit=limit, amount=total, currency=currency, rule="adjust_limit_value")
    return None


def _check(session: Session, tenant_id: str, actor: str, *, units: int, value: int) -> None:
    if refused := exceeded(session, tenant_id, actor=actor, units=units, value=value):
        raise refused


def _done(session: Session, tenant_id: str, actor: str) -> tuple[int, int]:
    sums = [func.coalesce(func.sum(column), 0) for column in (HandAdjustment.units, HandAdjustment.value)]
    row = session.execute(
        select(*sums).where(
            HandAdjustment.tenant_id == tenant_id,
            HandAdjustment.actor.in_(people.keys_of(session, tenant_id, actor)),
            HandAdjustment.at > clock.now() - DAY,
            HandAdjustment.approved.is_(None),
        )
    ).one()
    return int(row[0]), int(row[1])
