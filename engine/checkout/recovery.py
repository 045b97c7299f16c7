"""What was left unfinished: payments whose request died, cards and checkouts whose time is over.

Recovery never guesses. It asks the gateway first, and only a payment whose lease has ended is taken up.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

import structlog
from cryptography.exceptions import InvalidTag
from sqlalchemy import select
from sqlalchemy.orm import Session

from engine.checkout import consents
from engine.checkout.models import CheckoutSession, Consent, ConsentStatus, SessionStatus
from engine.checkout.settlement import Settled, settle
from engine.checkout.states import OPEN_SESSIONS, SESSION
from engine.kit import audit, clock
from engine.kit.envelope import unseal
from engine.kit.errors import Unavailable
from engine.kit.money import Money
from engine.orders.changes.settle import is_for_later
from engine.payments.gateway import CaptureRequest, Charge, ChargeStatus, GatewayEvent
from engine.payments.models import CaptureMode, Payment, PaymentStatus
from engine.runtime import Runtime

_LEASE: Final = timedelta(seconds=20)
_BATCH: Final = 50
log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class _Unfinished:
    payment_id: str
    gateway: str
    request: CaptureRequest
    consent_valid: bool
    capture_mode: CaptureMode = CaptureMode.NOW


def recover_payments(runtime: Runtime, tenant_id: str) -> list[Settled]:
    """Bring the tenant's unfinished payments whose lease has ended to their end; returns what became of each."""
    ended = []
    for one in _take_up(runtime, tenant_id):
        try:
            charge = _find_out(runtime, tenant_id, one)
        except Unavailable:
            log.warning("gateway unreachable", payment_id=one.payment_id)
            charge = None
        ended.append(settle(runtime, tenant_id, one.payment_id, charge))
    return ended


def on_gateway_event(runtime: Runtime, event: GatewayEvent) -> Settled:
    """The gateway's own word on a payment, by webhook. Raises ``NoResultFound`` for a payment that is not ours."""
    return settle(runtime, event.merchant, event.payment_id, event.charge)


def expire(runtime: Runtime, tenant_id: str) -> int:
    """End cards and checkouts whose time is over. A session with a payment under way is left alone."""
    with runtime.unit_of_work(tenant_id) as session:
        return _expire_cards(session, tenant_id) + _expire_sessions(session, tenant_id)


def _take_up(runtime: Runtime, tenant_id: str) -> list[_Unfinished]:
    """Claim unfinished payments for this recovery by a lease of our own."""
    now = clock.now()
    with runtime.unit_of_work(tenant_id) as session:
        rows = session.scalars(
            select(Payment)
            .where(
                Payment.tenant_id == tenant_id,
                Payment.status.in_([PaymentStatus.PROCESSING, PaymentStatus.UNKNOWN]),
                Payment.lease_until <= now,
            )
            .order_by(Payment.lease_until)
            .limit(_BATCH)
            .with_for_update(skip_locked=True)
        ).all()
        taken = [_unfinished(runtime, session, row, now) for row in rows]
        for row in rows:
            row.recovery_attempts += 1
            row.lease_until = now + min(_LEASE * row.recovery_attempts, timedelta(minutes=10))
    return taken


def _unfinished(runtime: Runtime, session: Session, payment: Payment, now: datetime) -> _Unfinished:
    card = session.get(Consent, (payment.tenant_id, payment.consent_id)) if payment.consent_id else None
    token = ""
    if card is not None and card.token_sealed:
        try:
            token = unseal(runtime.secret_key, payment.tenant_id, f"consent|{card.id}", card.token_sealed)
        except InvalidTag:
            log.exception("a consent's token does not open: the secret key has changed", consent_id=card.id)
    request = CaptureRequest(
        payment_id=payment.id,
        merchant=payment.tenant_id,
        session_id=payment.session_id or payment.change_id or "",
        token=token,
        amount=Money(payment.amount, payment.currency),
    )
    valid = bool(token) and card is not None and (card.expires_at > now or is_for_later(session, payment))
    return _Unfinished(payment.id, payment.gateway, request, valid, CaptureMode(payment.capture_mode))


def _find_out(runtime: Runtime, tenant_id: str, one: _Unfinished) -> Charge | None:
    """Retrieve first; absent and still agreed to → the same request again; absent and too late → make sure that
    it can never happen.
    """
    if one.request.amount.amount == 0:
        return Charge(one.payment_id, ChargeStatus.CAPTURED)
    gateway = runtime.gateways[one.gateway]
    found = gateway.find(one.payment_id, merchant=tenant_id)
    if found is not None:
        return found
    if one.consent_valid:
        ask = gateway.authorize if one.capture_mode == CaptureMode.AT_RELEASE else gateway.capture
        return ask(one.request)
    return gateway.cancel(one.payment_id, merchant=tenant_id)


def _expire_cards(session: Session, tenant_id: str) -> int:
    rows = session.scalars(
        select(Consent)
        .where(
            Consent.tenant_id == tenant_id,
            Consent.status.in_([ConsentStatus.OPEN, ConsentStatus.APPROVED]),
            Consent.expires_at <= clock.now() - timedelta(seconds=2),
        )
        .limit(_BATCH)
        .with_for_update(skip_locked=True)
    ).all()
    for row in rows:
        consents.end(session, row, ConsentStatus.EXPIRED)
        audit.record(session, tenant_id, actor="system", action="consent.expired", subject=row.id)
    return len(rows)


def _expire_sessions(session: Session, tenant_id: str) -> int:
    rows = session.scalars(
        select(CheckoutSession)
        .where(
            CheckoutSession.tenant_id == tenant_id,
            CheckoutSession.status.in_(OPEN_SESSIONS),
            CheckoutSession.expires_at <= clock.now(),
        )
        .limit(_BATCH)
        .with_for_update(skip_locked=True)
    ).all()
    for row in rows:
        row.status = SESSION.check(row.status, SessionStatus.EXPIRED)
        consents.supersede(session, row)
        audit.record(session, tenant_id, actor="system", action="checkout.expired", subject=row.id)
    return len(rows)
