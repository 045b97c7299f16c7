"""Our payments against what the gateways hold."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Final

from sqlalchemy import select
from sqlalchemy.orm import Session

from engine.checks.rule import CheckResult, verdict
from engine.kit import clock
from engine.payments.gateway import EventKind, Standing
from engine.payments.gateway_events import MAX_ATTEMPTS
from engine.payments.gateways.manual import MANUAL
from engine.payments.models import Payment, PaymentStatus, StoredGatewayEvent
from engine.payments.tally import Tally, standing_of
from engine.runtime import Runtime

_OURS_ALONE: Final = ("seed", "stored_value", MANUAL)
"""Payments no gateway has books of: those of before our time, those out of our own accounts, and those that the shop's
own payment system moves.
"""
_UNDER_WAY: Final = frozenset({PaymentStatus.PROCESSING, PaymentStatus.UNKNOWN})
_GRACE: Final = timedelta(minutes=5)
"""A gateway moves a dispute first and tells of it afterwards."""
Books = Mapping[str, Standing]


def compare(runtime: Runtime, tenant_id: str, slug: str) -> CheckResult:
    """What the gateways hold is what our books say they hold, payment by payment: captured, refunded, disputed.

    Two systems have no common moment: what differs is looked at twice, and only what differs both times is wrong. A
    dispute may be minutes old, or wait in the inbox of what gateways tell.
    """
    looked_at, first = _differences(runtime, tenant_id)
    again = _differences(runtime, tenant_id)[1] if first else {}
    broken = [words for key, words in again.items() if key in first]
    return verdict("our payments equal the gateway's", slug, looked_at, broken)


def _differences(runtime: Runtime, tenant_id: str) -> tuple[int, dict[str, str]]:
    """How many payments were compared, and the payment ids that differ with a sentence each."""
    with runtime.unit_of_work(tenant_id) as session:
        rows = session.scalars(
            select(Payment).where(
                Payment.tenant_id == tenant_id, Payment.gateway.not_in(_OURS_ALONE), Payment.amount > 0
            )
        ).all()
        tallies = standing_of(session, tenant_id, [row.id for row in rows])
        told = _told(session, tenant_id)
    theirs: dict[str, Standing] = {}
    for gateway in runtime.gateways.values():
        theirs |= gateway.standings(merchant=tenant_id)
    found = {
        row.id: words
        for row in rows
        if (words := _differs(row, tallies[row.id], theirs.get(row.id)))
        and not _on_its_way(tallies[row.id], theirs.get(row.id), waits=row.id in told)
    }
    strays = {key: standing.net for key, standing in theirs.items() if standing.net and key not in tallies}
    return len(rows), found | {key: f"{key}: {net} at the gateway, nothing here" for key, net in strays.items()}


def _told(session: Session, tenant_id: str) -> set[str]:
    """Payments of which a dispute was told, and still waits in the inbox to be applied."""
    query = select(StoredGatewayEvent.body["payment_id"].astext).where(
        StoredGatewayEvent.tenant_id == tenant_id,
        StoredGatewayEvent.kind == EventKind.DISPUTE,
        StoredGatewayEvent.applied_at.is_(None),
        StoredGatewayEvent.attempts < MAX_ATTEMPTS,
    )
    return set(session.scalars(query))


def _on_its_way(ours: Tally, theirs: Standing | None, *, waits: bool) -> bool:
    """Whether nothing differs but a dispute that we are about to hear of."""
    if theirs is None or (ours.captured, ours.refunded - ours.refunded_elsewhere) != (theirs.captured, theirs.refunded):
        return False
    fresh = theirs.disputed_at is not None and theirs.disputed_at > clock.now() - _GRACE
    return waits or fresh


def _differs(payment: Payment, ours: Tally, theirs: Standing | None) -> str | None:
    """A sentence, unless they agree or something is under way."""
    if payment.status in _UNDER_WAY or ours.captures_pending or ours.refunds_pending:
        return None
    here = (ours.captured, ours.refunded - ours.refunded_elsewhere, ours.disputed)
    there = (theirs.captured, theirs.refunded, theirs.disputed) if theirs else (0, 0, 0)
    if theirs is not None and theirs.currency != payment.currency:
        return f"{payment.id} is in {payment.currency} here, in {theirs.currency} at the gateway"
    if here == there or (here == (0, 0, 0) and theirs is not None and theirs.net == 0):
        return None
    return f"{payment.id} is {_words(here)} here, {_words(there)} at the gateway"


def _words(sums: tuple[int, int, int]) -> str:
    return f"{sums[0]} captured, {sums[1]} refunded, {sums[2]} disputed"
