"""What a gateway knows and we do not: charges whose orders were lost with everything after a backup.

Each becomes an item of the inbox. The one safe thing to do about a capture without an order is to give it back.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from sqlalchemy import select
from sqlalchemy.orm import Session

from engine.kit import audit
from engine.kit.errors import Conflict
from engine.kit.money import Money
from engine.payments.alerts import raise_alert, resolve_alert
from engine.payments.gateway import Move, MoveStatus, Standing
from engine.payments.models import Alert
from engine.runtime import Runtime

UNKNOWN_CAPTURE: Final = "unknown_capture"
BOOKS_DIFFER: Final = "books_differ"
GIVE_BACK: Final = "give_back"
"""The action of an ``unknown_capture``."""
Sums = tuple[int, int, int]
"""Captured, refunded and disputed (open or lost), in minor units."""


class NothingToGiveBack(Conflict):
    code = "nothing_to_give_back"


def sums(standing: Standing) -> Sums:
    """A gateway's books of one payment, as they are compared."""
    return standing.captured, standing.refunded, standing.disputed


def tell_unknown(session: Session, tenant_id: str, strangers: Mapping[str, tuple[str, Standing]]) -> list[str]:
    """Put captures without a payment of ours into the inbox; returns those that still wait for somebody.

    One whose money has gone back is resolved; one that a person closed stays closed.
    """
    waiting = []
    for payment_id, (gateway, theirs) in sorted(strangers.items()):
        if theirs.net <= 0:
            resolve_alert(session, tenant_id, UNKNOWN_CAPTURE, payment_id)
            continue
        words = (
            f"{gateway} captured {Money(theirs.net, theirs.currency)} for an order that is not in the restored books."
        )
        facts = {"gateway": gateway, "amount": theirs.net, "currency": theirs.currency}
        if _tell(session, tenant_id, UNKNOWN_CAPTURE, payment_id, words, action=GIVE_BACK, facts=facts):
            waiting.append(payment_id)
    return waiting


def tell_differing(session: Session, tenant_id: str, differing: Mapping[str, tuple[str, Standing, Sums]]) -> set[str]:
    """Put payments whose sums are not the gateway's into the inbox, for a person to settle; resolves those that have
    come to agree. Returns those that still wait.
    """
    waiting = set()
    for payment_id, (gateway, theirs, ours) in differing.items():
        there, here = (_in_words(each, theirs.currency) for each in (sums(theirs), ours))
        words = f"{gateway} says {there}; the restored books say {here}."
        facts = {"gateway": gateway, "theirs": list(sums(theirs)), "ours": list(ours)}
        if _tell(session, tenant_id, BOOKS_DIFFER, payment_id, words, action=None, facts=facts):
            waiting.add(payment_id)
    for subject in _open_subjects(session, tenant_id, BOOKS_DIFFER) - differing.keys():
        resolve_alert(session, tenant_id, BOOKS_DIFFER, subject)
    return waiting


def give_back(runtime: Runtime, tenant_id: str, payment_id: str, *, by: str) -> Move:
    """Refund a capture that has no order here, once, and close its item. Our books never had it: nothing is posted.

    Raises ``NothingToGiveBack`` when no such item is open, and what the gateway raises.
    """
    with runtime.unit_of_work(tenant_id) as session:
        item = _open_item(session, tenant_id, payment_id)
        if item is None:
            raise NothingToGiveBack("There is no open unknown capture of this payment.")
        gateway, amount = item.facts["gateway"], Money(item.facts["amount"], item.facts["currency"])
    key = f"unknown:{payment_id}"
    move = runtime.gateways[gateway].refund(payment_id, merchant=tenant_id, amount=amount, key=key)
    with runtime.unit_of_work(tenant_id) as session:
        facts = {"amount": amount.amount, "currency": amount.currency, "status": move.status}
        audit.record(session, tenant_id, actor=by, action="payment.unknown_given_back", subject=payment_id, facts=facts)
        if move.status == MoveStatus.SUCCEEDED:
            resolve_alert(session, tenant_id, UNKNOWN_CAPTURE, payment_id)
    return move


def _tell(
    session: Session,
    tenant_id: str,
    kind: str,
    subject: str,
    words: str,
    *,
    action: str | None,
    facts: dict[str, Any],
) -> bool:
    """Whether it waits: told once, and closed by a person it stays closed."""
    closed = select(Alert.id).where(
        Alert.tenant_id == tenant_id, Alert.kind == kind, Alert.subject == subject, Alert.resolved_at.is_not(None)
    )
    if session.scalar(closed.limit(1)) is not None:
        return False
    raise_alert(session, tenant_id, kind, subject, words, action=action, facts=facts)
    return True


def _open_item(session: Session, tenant_id: str, payment_id: str) -> Alert | None:
    return session.scalar(
        select(Alert).where(
            Alert.tenant_id == tenant_id,
            Alert.kind == UNKNOWN_CAPTURE,
            Alert.subject == payment_id,
            Alert.resolved_at.is_(None),
        )
    )


def _open_subjects(session: Session, tenant_id: str, kind: str) -> set[str]:
    query = select(Alert.subject).where(Alert.tenant_id == tenant_id, Alert.kind == kind, Alert.resolved_at.is_(None))
    return set(session.scalars(query))


def _in_words(amounts: Sums, currency: str) -> str:
    captured, refunded, disputed = (Money(amount, currency) for amount in amounts)
    return f"{captured} captured, {refunded} refunded, {disputed} disputed"
