"""Saved ways to pay: kept when their customer said so and they have paid, shown without what pays, and let go at the
gateway too when their customer wants so.
"""

from __future__ import annotations

from typing import Final

import structlog
from sqlalchemy import delete, func, select, text, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from engine.customers.book import own_profile
from engine.customers.errors import TooMuchKept
from engine.customers.models import PaymentMethod
from engine.kit import audit, clock
from engine.kit.errors import DomainError, NotFound, Unavailable
from engine.kit.identity import Identity
from engine.kit.ids import new_id
from engine.payments.gateway import CardFacts
from engine.runtime import Runtime

log = structlog.get_logger(__name__)
BATCH: Final = 20
"""Ways to pay of one read; all are gone through, so that one the gateway does not answer for keeps no other waiting."""
MOST: Final = 20
_WANTED: Final = text("""
SELECT m.id, m.gateway, m.gateway_ref, m.session_id, m.customer_id, s.paid
FROM app.payment_methods m
CROSS JOIN LATERAL (
  SELECT coalesce(bool_or(p.status IN ('captured', 'partially_captured') AND p.gateway = m.gateway
      AND c.payment_method ->> 'ref' = m.gateway_ref), false) AS paid,
    coalesce(bool_or(p.status IN ('processing', 'unknown', 'authorized')
      OR c.status NOT IN ('completed', 'canceled', 'expired') AND c.expires_at > :now), false) AS open
  FROM app.checkout_sessions c LEFT JOIN app.payments p
    ON p.tenant_id = c.tenant_id AND p.session_id = c.id AND p.tender = 'card'
  WHERE c.tenant_id = m.tenant_id AND c.id = m.session_id) s
WHERE m.tenant_id = :tenant AND m.kept_at IS NULL AND m.removed_at IS NULL AND m.id > :after AND (s.paid OR NOT s.open)
ORDER BY m.id LIMIT :batch
""")
"""Wishes that can be decided: the card has paid for what it was entered for, or never will."""


def want(session: Session, identity: Identity, session_id: str, gateway: str, card: CardFacts) -> None:
    """Note that this card is to be kept once it has paid in this checkout. Nobody can choose it until then.

    Raises ``EmailNeeded``, ``NotFound`` for a profile that is gone, ``TooMuchKept``.
    """
    customer = own_profile(session, identity)
    mine = select(func.count()).where(
        PaymentMethod.tenant_id == customer.tenant_id,
        PaymentMethod.customer_id == customer.id,
        PaymentMethod.removed_at.is_(None),
    )
    if (session.scalar(mine) or 0) >= MOST:
        raise TooMuchKept(f"At most {MOST} ways to pay are kept.")
    row = {
        "tenant_id": customer.tenant_id,
        "id": new_id("payment_method"),
        "customer_id": customer.id,
        "kind": card.kind.value,
        "wallet": card.wallet,
        "gateway": gateway,
        "gateway_ref": card.ref,
        "brand": card.brand,
        "last4": card.last4,
        "exp_month": card.exp_month,
        "exp_year": card.exp_year,
        "is_default": False,
        "session_id": session_id,
        "agreed_at": clock.now(),
        "kept_at": None,
    }
    session.execute(insert(PaymentMethod).values(row).on_conflict_do_nothing())
    tenant_id, facts = customer.tenant_id, {"session": session_id}
    audit.record(
        session, tenant_id, actor=identity.id, action="customer.method_wanted", subject=customer.id, facts=facts
    )


def want_no_more(session: Session, tenant_id: str, session_id: str, card_ref: str) -> None:
    """The same card was entered again without that wish."""
    session.execute(
        delete(PaymentMethod).where(
            PaymentMethod.tenant_id == tenant_id,
            PaymentMethod.session_id == session_id,
            PaymentMethod.gateway_ref == card_ref,
            PaymentMethod.kept_at.is_(None),
        )
    )


def keep_wanted(runtime: Runtime, tenant_id: str) -> int:
    """Have the gateways keep the cards that have paid, and let go of those that never will; returns how many are kept.
    What a gateway does not answer for now is asked again.
    """
    kept, after = 0, ""
    while True:
        with runtime.unit_of_work(tenant_id) as session:
            key = {"tenant": tenant_id, "now": clock.now(), "after": after, "batch": BATCH}
            rows = session.execute(_WANTED, key).all()
        for row in rows:
            if row.paid:
                kept += _keep(runtime, tenant_id, row.id, row.gateway, row.gateway_ref, row.session_id, row.customer_id)
            else:
                _let_go(runtime, tenant_id, row.id)
        if len(rows) < BATCH:
            return kept
        after = rows[-1].id


def _keep(
    runtime: Runtime, tenant_id: str, method_id: str, gateway: str, ref: str, session_id: str, customer_id: str
) -> bool:
    try:
        new = runtime.gateways[gateway].keep(ref, merchant=tenant_id, session_id=session_id, customer=customer_id)
    except Unavailable as error:
        log.warning("card not kept yet", gateway=gateway, method=method_id, error=error.code)
        return False
    except (DomainError, KeyError):
        _let_go(runtime, tenant_id, method_id)
        return False
    with runtime.unit_of_work(tenant_id) as session:
        row = session.get(PaymentMethod, (tenant_id, method_id), with_for_update=True, populate_existing=True)
        if row is None:  # it was let go meanwhile, under a name that is not this one
            _noted_to_forget(session, tenant_id, method_id, gateway, new, customer_id)
            return False
        if row.kept_at is not None:
            return False
        row.gateway_ref = new
        row.kept_at = clock.now()
        audit.record(session, tenant_id, actor="system", action="customer.method_kept", subject=method_id)
        return row.removed_at is None


def _noted_to_forget(
    session: Session, tenant_id: str, method_id: str, gateway: str, ref: str, customer_id: str
) -> None:
    """The gateway keeps a card that nobody wants kept any more: it is among those to be forgotten."""
    gone = {"kind": "card", "brand": "", "last4": "", "exp_month": 0, "exp_year": 0, "is_default": False}
    session.add(
        PaymentMethod(
            tenant_id=tenant_id,
            id=method_id,
            customer_id=customer_id,
            gateway=gateway,
            gateway_ref=ref,
            removed_at=clock.now(),
            **gone,
        )
    )


def _let_go(runtime: Runtime, tenant_id: str, method_id: str) -> None:
    with runtime.unit_of_work(tenant_id) as session:
        session.execute(
            update(PaymentMethod)
            .where(PaymentMethod.tenant_id == tenant_id, PaymentMethod.id == method_id, PaymentMethod.kept_at.is_(None))
            .values(removed_at=clock.now())
        )


def remove_method(session: Session, identity: Identity, method_id: str) -> None:
    """Nobody sees it from now on; ``forget_removed`` tells the gateway. Raises ``NotFound``."""
    row = session.get(PaymentMethod, (identity.tenant_id, method_id), with_for_update=True, populate_existing=True)
    if row is None or row.customer_id != identity.customer_id or row.removed_at is not None:
        raise NotFound("There is no such saved payment method.")
    row.removed_at, row.is_default = clock.now(), False
    audit.record(session, row.tenant_id, actor=identity.id, action="customer.method_removed", subject=row.id)


def forget_removed(runtime: Runtime, tenant_id: str) -> int:
    """Have the gateways let go of removed cards, then drop the rows; returns how many. What a gateway does not answer
    for now is asked again.
    """
    done, after = 0, ""
    while True:
        with runtime.unit_of_work(tenant_id) as session:
            query = (
                select(PaymentMethod.id, PaymentMethod.gateway, PaymentMethod.gateway_ref)
                .where(
                    PaymentMethod.tenant_id == tenant_id,
                    PaymentMethod.removed_at.is_not(None),
                    PaymentMethod.id > after,
                )
                .order_by(PaymentMethod.id)
                .limit(BATCH)
            )
            rows = session.execute(query).all()
        done += sum(_forget(runtime, tenant_id, *row) for row in rows)
        if len(rows) < BATCH:
            return done
        after = rows[-1].id


def _forget(runtime: Runtime, tenant_id: str, method_id: str, gateway: str, ref: str) -> bool:
    door = runtime.gateways.get(gateway)
    try:
        if door is not None:
            door.forget(ref, merchant=tenant_id)
    except Exception as error:  # noqa: BLE001 (whatever a gateway says: the card stays on the list of those to forget)
        log.warning("card not forgotten yet", gateway=gateway, method=method_id, error=type(error).__name__)
        return False
    with runtime.unit_of_work(tenant_id) as session:
        session.execute(
            delete(PaymentMethod).where(
                PaymentMethod.tenant_id == tenant_id,
                PaymentMethod.id == method_id,
                PaymentMethod.removed_at.is_not(None),
            )
        )
    return True
