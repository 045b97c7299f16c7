"""The charge of a change, as a sale is paid: T1 claims everything, the gateway is asked, T2 settles (``settle``)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Final

import structlog
from sqlalchemy.orm import Session

from engine.checkout.models import Consent
from engine.inventory import service as inventory
from engine.inventory.models import BackorderKind
from engine.kit import audit, clock
from engine.kit.envelope import unseal
from engine.kit.errors import Unavailable
from engine.kit.faults import fault_point
from engine.kit.ids import new_id
from engine.kit.money import Money
from engine.kit.tenancy import hash_secret
from engine.orders.changes.effect import Added, Effect, Method
from engine.orders.changes.hold import still
from engine.orders.changes.views import effect_of
from engine.orders.models import ChangeStatus, Order, OrderChange
from engine.orders.states import CHANGE
from engine.payments import stored_value
from engine.payments.gateway import CaptureRequest, Charge, ChargeStatus
from engine.payments.gateways.manual import LOCAL
from engine.payments.models import CaptureMode, Payment, PaymentStatus
from engine.runtime import Runtime

LEASE: Final = timedelta(seconds=20)
"""Longer than the gateway's time-out: while it runs, only this request may settle the payment."""
HOLD_REASON: Final = "A change of it is being paid."
log = structlog.get_logger(__name__)


def start(session: Session, runtime: Runtime, order: Order, change: OrderChange, card: Consent) -> Payment:
    """T1: the payment of the change, its token or stored value claimed, and its new units held.

    The caller has claimed the consent and holds its lock and the order's. Raises ``OutOfStock``, and what stored
    value refuses.
    """
    effect = effect_of(change)
    assert effect.method is not None
    mode = CaptureMode.AT_RELEASE if effect.sets_aside else CaptureMode.NOW
    amount = effect.charge or effect.hold
    payment = payment_of(runtime, order, change, card, effect.method, amount=amount, mode=mode)
    session.add(payment)
    change.status = CHANGE.check(change.status, ChangeStatus.CHARGING)
    still(session, order, change, HOLD_REASON)
    session.flush()
    hold_value(session, order, payment)
    _hold_units(session, order, change, effect, payment.id)
    card.payment_id = payment.id
    _tell_started(session, order, change, card, payment)
    return payment


def _tell_started(session: Session, order: Order, change: OrderChange, card: Consent, payment: Payment) -> None:
    facts = {"amount": payment.amount, "currency": payment.currency, "consent": card.id, "change": change.id}
    audit.record(
        session, order.tenant_id, actor=card.owner_id, action="payment.started", subject=payment.id, facts=facts
    )


def is_at_once(effect: Effect) -> bool:
    """Whether it is charged by what answers without being asked over a network: an account of ours, or a gateway that
    is here.
    """
    return bool(effect.charge) and not effect.sets_aside and effect.method is not None and is_here(effect.method)


def is_here(way: Method | Payment) -> bool:
    """Whether nobody is asked over a network to take it."""
    return way.stored_value_id is not None or way.gateway in LOCAL


def begin(session: Session, runtime: Runtime, order: Order, change: OrderChange, card: Consent) -> Payment:
    """The payment of a change that is charged and made true in one transaction. Raises what stored value refuses."""
    effect = effect_of(change)
    assert effect.method is not None
    payment = payment_of(runtime, order, change, card, effect.method, amount=effect.charge)
    card.payment_id = payment.id
    session.add(payment)
    hold_value(session, order, payment)
    _tell_started(session, order, change, card, payment)
    return payment


def at_once(payment: Payment) -> Charge:
    """What became of a payment that no gateway has to be asked for."""
    waits = payment.capture_mode == CaptureMode.AT_RELEASE
    return Charge(payment.id, ChargeStatus.AUTHORIZED if waits else ChargeStatus.CAPTURED)


def take(runtime: Runtime, payment: Payment, token: str) -> Charge | None:
    """Ask the gateway to charge, or only to set aside; ``None`` when nobody knows what became of it."""
    if payment.stored_value_id:
        return at_once(payment)
    gateway = runtime.gateways[payment.gateway]
    request = CaptureRequest(
        payment_id=payment.id,
        merchant=payment.tenant_id,
        session_id=payment.change_id or "",
        token=token,
        amount=Money(payment.amount, payment.currency),
    )
    fault_point("before_capture")
    charge: Charge | None
    try:
        waits = payment.capture_mode == CaptureMode.AT_RELEASE
        charge = gateway.authorize(request) if waits else gateway.capture(request)
    except Unavailable:
        charge = _ask(runtime, payment)
    fault_point("after_capture")
    return charge


def token_of(runtime: Runtime, card: Consent) -> str:
    """The delegated token in a consent; empty when it needs none."""
    if not card.token_sealed:
        return ""
    return unseal(runtime.secret_key, card.tenant_id, f"consent|{card.id}", card.token_sealed)


def _ask(runtime: Runtime, payment: Payment) -> Charge | None:
    """The answer was lost: ask once what happened. Recovery goes on asking."""
    try:
        found = runtime.gateways[payment.gateway].find(payment.id, merchant=payment.tenant_id)
    except Unavailable:
        log.warning("gateway unreachable", payment_id=payment.id)
        return None
    return found if found and found.status != ChargeStatus.PENDING else None


def payment_of(
    runtime: Runtime,
    order: Order,
    change: OrderChange,
    card: Consent,
    method: Method,
    *,
    amount: int,
    mode: CaptureMode = CaptureMode.NOW,
) -> Payment:
    """A payment for a change, about to be made by the way that was agreed to."""
    token = token_of(runtime, card)
    return Payment(
        tenant_id=order.tenant_id,
        id=new_id("payment"),
        change_id=change.id,
        order_id=order.id,
        consent_id=card.id,
        token_hash=hash_secret(token) if token else None,
        gateway=method.gateway,
        tender=method.tender,
        stored_value_id=method.stored_value_id,
        payment_method_id=method.method_id,
        capture_mode=mode,
        amount=amount,
        currency=order.currency,
        method={"brand": method.brand, "last4": method.last4, "label": method.label},
        status=PaymentStatus.PROCESSING,
        lease_until=clock.now() + LEASE,
    )


def hold_value(session: Session, order: Order, payment: Payment) -> None:
    """What a gift card or store credit pays is set aside on it. Raises ``StoredValueShort``."""
    if payment.stored_value_id:
        stored_value.hold(
            session,
            order.tenant_id,
            account_id=payment.stored_value_id,
            amount=payment.amount,
            currency=order.currency,
            payment_id=payment.id,
        )


def _hold_units(session: Session, order: Order, change: OrderChange, effect: Effect, payment_id: str) -> None:
    if not effect.added:
        return
    inventory.lock_stock(session, order.tenant_id, {one.variant_id for one in effect.added})
    region = (order.ship_to or {}).get("state", "")
    added = list(zip(change.quote["line_ids"], effect.added, strict=True))
    for line_id, one in added:
        if one.now:
            stock = inventory.shippable(session, order.tenant_id, [one.variant_id])
            allocations = inventory.route({one.variant_id: one.now}, stock, region=region)
            inventory.hold(session, order.tenant_id, payment_id, allocations, {one.variant_id: line_id})
    inventory.open_backorders(session, order.tenant_id, waiting(order.id, added, payment_id=payment_id))


def waiting(
    order_id: str, added: Sequence[tuple[str, Added]], *, payment_id: str | None = None
) -> list[inventory.Wanted]:
    """The units of new lines (by id) that are promised for later."""
    return [
        inventory.Wanted(
            order_id,
            line_id,
            one.variant_id,
            one.later,
            BackorderKind(one.backorder or ""),
            one.promised_on,
            payment_id,
        )
        for line_id, one in added
        if one.later
    ]
