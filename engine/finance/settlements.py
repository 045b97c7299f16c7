"""Payouts: what gateways sent to the bank is imported once, posted once and held against our own rows.

A line that finds nothing, or finds another amount, stays in the payment gateway clearing account and in the inbox
until its row turns up or a person writes it off.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Final

import structlog
from sqlalchemy import func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from engine.finance import matching, postings
from engine.finance import service as finance
from engine.finance.errors import NothingToWriteOff
from engine.finance.models import LineMatch, Payout
from engine.finance.models import PayoutLine as LineRow
from engine.finance.states import PAYOUT_LINE
from engine.kit import audit, clock
from engine.kit.errors import DomainError, NotFound
from engine.kit.ids import new_id
from engine.payments import inbox
from engine.payments.errors import GatewayNotConfigured
from engine.payments.gateway import Gateway, PayoutFacts, PayoutKind, PayoutLine
from engine.runtime import Runtime

log = structlog.get_logger(__name__)
_OVERLAP: Final = timedelta(days=7)
"""Asked for again: a gateway may list a payout late."""
_BEGINNING: Final = datetime(2000, 1, 1, tzinfo=UTC)
_OPEN: Final = (LineMatch.UNMATCHED, LineMatch.DIFFERS)
_DIFFERENCE: Final = "payout_difference"
_INCONSISTENT: Final = "payout_inconsistent"


def import_payouts(runtime: Runtime, tenant_id: str) -> int:
    """Import what every gateway paid out since the last time; returns how many payouts were new.

    Lines that found nothing before are looked at again. Gateways that the shop has no account at paid it nothing.
    Raises what a gateway raises, once all were asked; what was imported stays.
    """
    with runtime.unit_of_work(tenant_id) as session:
        look_again(session, tenant_id)
    imported, failed = 0, None
    for gateway in runtime.gateways.values():
        try:
            imported += _from_gateway(runtime, tenant_id, gateway)
        except GatewayNotConfigured:
            continue
        except DomainError as error:
            log.warning("payouts not imported", gateway=gateway.name, code=error.code)
            failed = failed or error
    if failed is not None:
        raise failed
    return imported


def record(session: Session, tenant_id: str, gateway: str, facts: PayoutFacts) -> str | None:
    """Store and post one payout. Returns its id, ``None`` when it was stored before or contradicts itself (which
    goes to the inbox).
    """
    fees = sum(line.fee for line in facts.lines)
    if facts.amount != sum(line.amount for line in facts.lines) - fees:
        words = "The gateway's payout is not the sum of its lines; it was not imported."
        inbox.raise_alert(session, tenant_id, _INCONSISTENT, _subject(gateway, facts.gateway_id), words)
        return None
    payout_id = _stored(session, tenant_id, gateway, facts, fees)
    if payout_id is None:
        return None
    inbox.resolve_alert(session, tenant_id, _INCONSISTENT, _subject(gateway, facts.gateway_id))
    for position, line in enumerate(facts.lines):
        _add_line(session, tenant_id, payout_id, position, line, gateway=gateway, currency=facts.currency)
    finance.post(
        session,
        tenant_id,
        kind=postings.Kind.PAYOUT,
        subject=payout_id,
        currency=facts.currency,
        amounts=postings.payout(facts.amount, booked_fees(facts.lines)),
        at=facts.paid_at,
    )
    told = {"gateway": gateway, "amount": facts.amount, "currency": facts.currency, "lines": len(facts.lines)}
    audit.record(session, tenant_id, actor="system", action="payout.imported", subject=payout_id, facts=told)
    return payout_id


def booked_fees(lines: Sequence[PayoutLine]) -> int:
    """The fees that a payout's own entry books: all but those of disputes."""
    return sum(line.fee for line in lines if line.kind != PayoutKind.DISPUTE)


def look_again(session: Session, tenant_id: str) -> int:
    """Match lines that found nothing, or another amount, once more; returns how many are explained now."""
    rows = session.execute(
        select(LineRow, Payout)
        .join(Payout, (Payout.tenant_id == LineRow.tenant_id) & (Payout.id == LineRow.payout_id))
        .where(LineRow.tenant_id == tenant_id, LineRow.match.in_(_OPEN))
        .order_by(LineRow.payout_id, LineRow.position)
        .with_for_update(of=LineRow)
    ).all()
    explained = 0
    for row, payout in rows:
        row.matched_id = None
        session.flush()
        line = PayoutLine(PayoutKind(row.kind), row.reference, row.payment_id, row.amount, row.fee)
        found = matching.find(session, tenant_id, line, gateway=payout.gateway, currency=payout.currency)
        if found.match != row.match:
            row.match = PAYOUT_LINE.check(LineMatch(row.match), found.match)
        row.matched_id, row.expected = found.matched_id, found.expected
        session.flush()
        if found.match == LineMatch.MATCHED:
            inbox.resolve_alert(session, tenant_id, _DIFFERENCE, _line_subject(row.payout_id, row.position))
            explained += 1
    return explained


def write_off(session: Session, tenant_id: str, *, payout_id: str, position: int, actor: str) -> str:
    """Take a line's difference out of the clearing account; returns the journal entry's id.

    Raises ``NotFound``, ``NothingToWriteOff`` when the line is explained or was written off before.
    """
    row = session.get(LineRow, (tenant_id, payout_id, position), with_for_update=True)
    payout = session.get(Payout, (tenant_id, payout_id))
    if row is None or payout is None:
        raise NotFound("There is no such line of a payout.")
    amount = (row.expected or 0) - matching.settles(row.kind, row.amount, row.fee)
    if row.match not in _OPEN or not amount:
        raise NothingToWriteOff("This line has no difference.")
    row.match = PAYOUT_LINE.check(LineMatch(row.match), LineMatch.WRITTEN_OFF)
    subject = f"{payout_id}:{position}"
    entry_id = finance.post(
        session,
        tenant_id,
        kind=postings.Kind.WRITE_OFF,
        subject=subject,
        currency=payout.currency,
        amounts=postings.write_off(amount),
    )
    inbox.resolve_alert(session, tenant_id, _DIFFERENCE, subject)
    facts = {"amount": amount, "currency": payout.currency, "position": position}
    audit.record(session, tenant_id, actor=actor, action="payout.written_off", subject=payout_id, facts=facts)
    return str(entry_id)


def _from_gateway(runtime: Runtime, tenant_id: str, gateway: Gateway) -> int:
    with runtime.unit_of_work(tenant_id) as session:
        last = session.scalar(
            select(func.max(Payout.paid_at)).where(Payout.tenant_id == tenant_id, Payout.gateway == gateway.name)
        )
    imported = 0
    for facts in gateway.payouts(merchant=tenant_id, since=last - _OVERLAP if last else _BEGINNING):
        with runtime.unit_of_work(tenant_id) as session:
            imported += record(session, tenant_id, gateway.name, facts) is not None
    return imported


def _stored(session: Session, tenant_id: str, gateway: str, facts: PayoutFacts, fees: int) -> str | None:
    row = {
        "tenant_id": tenant_id,
        "id": new_id("payout"),
        "gateway": gateway,
        "gateway_payout_id": facts.gateway_id,
        "currency": facts.currency,
        "amount": facts.amount,
        "fees": fees,
        "paid_at": facts.paid_at,
        "imported_at": clock.now(),
    }
    return session.scalar(insert(Payout).values(row).on_conflict_do_nothing().returning(Payout.id))


def _add_line(
    session: Session,
    tenant_id: str,
    payout_id: str,
    position: int,
    line: PayoutLine,
    *,
    gateway: str,
    currency: str,
) -> None:
    found = matching.find(session, tenant_id, line, gateway=gateway, currency=currency)
    session.add(
        LineRow(
            tenant_id=tenant_id,
            payout_id=payout_id,
            position=position,
            kind=line.kind,
            reference=line.reference,
            payment_id=line.payment_id,
            amount=line.amount,
            fee=line.fee,
            match=found.match,
            matched_id=found.matched_id,
            expected=found.expected,
        )
    )
    session.flush()
    if found.match == LineMatch.MATCHED:
        return
    ours = "we know of none" if found.expected is None else f"ours is {found.expected}"
    words = f"{gateway} settled a {line.kind} of {line.amount} {currency} ({line.reference}); {ours}."
    inbox.raise_alert(session, tenant_id, _DIFFERENCE, _line_subject(payout_id, position), words)


def _subject(gateway: str, payout: str) -> str:
    return f"{gateway}:{payout}"[:80]


def _line_subject(payout_id: str, position: int) -> str:
    return f"{payout_id}:{position}"
