"""Points: a ledger for each customer. What an order is worth follows what is kept of it, up and down.

An order's points are brought to what they should be, whatever happened to it: paid, delivered, changed, refunded. So
the same news twice changes nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

from sqlalchemy import func, select, text, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from engine.customers.book import own_profile
from engine.customers.errors import PointsShort
from engine.customers.links import last_of
from engine.customers.models import Customer, LoyaltyAccount, LoyaltyEntry, PointsKind
from engine.customers.policy import LoyaltyPolicy
from engine.kit import audit, clock
from engine.kit.errors import InvalidInput
from engine.kit.identity import Identity
from engine.kit.ids import new_id
from engine.kit.money import exponent
from engine.kit.policies import policy_of
from engine.kit.tenancy import Tenant
from engine.payments import stored_value
from engine.payments.stored_value_models import StoredValueKind
from engine.runtime import Runtime

_LOCK_ORDER: Final = text(
    "SELECT customer_id FROM app.orders WHERE tenant_id = :tenant AND id = :order AND placed_at IS NOT NULL FOR UPDATE"
)
_FACTS: Final = text(
    "SELECT o.currency, o.status, o.total - o.tax - o.shipping + coalesce(a.amount, 0) - coalesce(a.tax, 0) AS goods,"
    " o.total + coalesce(a.amount, 0) AS due, (SELECT coalesce(sum(d.amount), 0)::bigint FROM app.payments p"
    " JOIN app.disputes d ON d.tenant_id = p.tenant_id AND d.payment_id = p.id AND d.status = 'lost'"
    " WHERE p.tenant_id = o.tenant_id AND p.order_id = o.id) AS lost,"
    " NOT EXISTS (SELECT FROM app.order_lines l WHERE l.tenant_id = o.tenant_id AND l.order_id = o.id"
    " AND l.canceled + l.delivered < l.ordered) AS delivered, o.currency = t.currency AS at_home FROM app.orders o"
    " JOIN app.tenants t ON t.id = o.tenant_id"
    " LEFT JOIN (SELECT sum(amount) AS amount, sum(tax) AS tax FROM app.order_adjustments"
    " WHERE tenant_id = :tenant AND order_id = :order) a ON true WHERE o.tenant_id = :tenant AND o.id = :order"
)
_TOO_OLD: Final = text(
    "SELECT a.customer_id FROM app.loyalty_accounts a JOIN app.loyalty_entries e"
    " ON e.tenant_id = a.tenant_id AND e.customer_id = a.customer_id WHERE a.tenant_id = :tenant AND a.balance > 0"
    " GROUP BY a.customer_id HAVING sum(e.delta) FILTER (WHERE e.delta < 0 OR e.expires_at <= :now) > 0"
    " ORDER BY a.customer_id LIMIT 200"
)


@dataclass(frozen=True, slots=True)
class Redeemed:
    """Points that became store credit: ``amount`` in minor units of ``currency``."""

    points: int
    amount: int
    currency: str
    stored_value_id: str


def settle_order(session: Session, tenant_id: str, order_id: str) -> int:
    """Bring an order's points to what it is worth now; returns by how much they moved. A guest's earns none."""
    found = session.execute(_LOCK_ORDER, {"tenant": tenant_id, "order": order_id}).one_or_none()
    if found is None or found.customer_id is None:
        return 0
    policy = policy_of(session, tenant_id, LoyaltyPolicy)
    have, rate = _of_order(session, tenant_id, order_id)
    wanted = _worth(session, tenant_id, order_id, policy, policy.points_per_unit if rate is None else rate)
    delta = (wanted if policy.enabled else min(have, wanted)) - have
    customer_id = _holder(session, tenant_id, found.customer_id) if delta else None
    if customer_id is None:
        return 0
    days = policy.expiry_days if delta > 0 else None
    move(
        session,
        tenant_id,
        customer_id,
        PointsKind.EARN if delta > 0 else PointsKind.REVERSE,
        delta,
        subject=order_id,
        order_id=order_id,
        rate=policy.points_per_unit if rate is None else rate,
        expires_at=clock.now() + timedelta(days=days) if days else None,
    )
    return delta


def redeem(session: Session, runtime: Runtime, identity: Identity, points: int) -> Redeemed:
    """Turn the signed-in customer's points into store credit of the shop's own currency.

    Raises ``PointsShort``, ``InvalidInput`` for fewer than the shop's minimum or while it gives no points,
    ``EmailNeeded``; then nothing has changed.
    """
    tenant_id, customer = identity.tenant_id, own_profile(session, identity, lock=True)
    policy, shop = policy_of(session, tenant_id, LoyaltyPolicy), session.get_one(Tenant, identity.tenant_id)
    if not policy.enabled:
        raise InvalidInput("This shop does not redeem points.", param="points")
    if points < policy.redeem_minimum:
        raise InvalidInput(f"At least {policy.redeem_minimum} points are redeemed at a time.", param="points")
    amount = points * 10 ** exponent(shop.currency) // policy.points_per_credit_unit
    if points > lock_account(session, tenant_id, customer.id).balance or amount == 0:
        raise PointsShort("There are not enough points for that.")
    issued = stored_value.issue(
        session,
        tenant_id,
        secret_key=runtime.secret_key,
        kind=StoredValueKind.STORE_CREDIT,
        amount=amount,
        currency=shop.currency,
        customer_id=customer.id,
        actor=identity.id,
    )
    move(session, tenant_id, customer.id, PointsKind.REDEEM, -points, subject=issued.account.id)
    facts = {"points": points, "amount": amount, "currency": shop.currency}
    audit.record(
        session, tenant_id, actor=identity.id, action="customer.points_redeemed", subject=customer.id, facts=facts
    )
    return Redeemed(points, amount, shop.currency, issued.account.id)


def balance(session: Session, tenant_id: str, customer_id: str) -> int:
    """How many points there are; below zero when redeemed ones were for goods that came back."""
    account = session.get(LoyaltyAccount, (tenant_id, customer_id), populate_existing=True)
    return account.balance if account else 0


def history(session: Session, tenant_id: str, customer_id: str, *, limit: int = 100) -> list[LoyaltyEntry]:
    """The newest entries first."""
    query = (
        select(LoyaltyEntry)
        .where(LoyaltyEntry.tenant_id == tenant_id, LoyaltyEntry.customer_id == customer_id)
        .order_by(LoyaltyEntry.at.desc(), LoyaltyEntry.id.desc())
        .limit(limit)
    )
    return list(session.scalars(query))


def expire(runtime: Runtime, tenant_id: str) -> int:
    """End points whose time is over, the oldest spent first; returns how many customers lost some."""
    with runtime.unit_of_work(tenant_id) as session:
        customers = list(session.scalars(_TOO_OLD, {"tenant": tenant_id, "now": clock.now()}))
        return sum(_expire(session, tenant_id, customer_id) for customer_id in customers)


def lock_account(session: Session, tenant_id: str, customer_id: str) -> LoyaltyAccount:
    """The customer's points, held for this transaction; opened when there are none yet."""
    row = {"tenant_id": tenant_id, "customer_id": customer_id, "balance": 0}
    session.execute(insert(LoyaltyAccount).values(row).on_conflict_do_nothing())
    key = (tenant_id, customer_id)
    return session.get_one(LoyaltyAccount, key, with_for_update=True, populate_existing=True)


def move(
    session: Session, tenant_id: str, customer_id: str, kind: PointsKind, delta: int, *, subject: str, **more: Any
) -> None:
    """Write an entry and its effect; the caller holds the account."""
    entry = LoyaltyEntry(
        tenant_id=tenant_id,
        id=new_id("points"),
        customer_id=customer_id,
        kind=kind,
        delta=delta,
        subject=subject,
        **more,
    )
    session.add(entry)
    session.flush()
    session.execute(
        update(LoyaltyAccount)
        .where(LoyaltyAccount.tenant_id == tenant_id, LoyaltyAccount.customer_id == customer_id)
        .values(balance=LoyaltyAccount.balance + delta)
        .execution_options(synchronize_session=False)
    )


def _holder(session: Session, tenant_id: str, customer_id: str) -> str | None:
    """Who has this customer's points today, their account locked; ``None`` for one that was erased."""
    while True:
        now = last_of(session, tenant_id, customer_id)
        if session.scalar(select(Customer.erased_at).where(Customer.tenant_id == tenant_id, Customer.id == now)):
            return None
        lock_account(session, tenant_id, now)
        if last_of(session, tenant_id, now) == now:
            return now


def _of_order(session: Session, tenant_id: str, order_id: str) -> tuple[int, int | None]:
    """The order's points so far, and the rate it earned them at."""
    row = session.execute(
        select(func.coalesce(func.sum(LoyaltyEntry.delta), 0), func.max(LoyaltyEntry.rate)).where(
            LoyaltyEntry.tenant_id == tenant_id, LoyaltyEntry.order_id == order_id
        )
    ).one()
    return int(row[0]), row[1]


def _worth(session: Session, tenant_id: str, order_id: str, policy: LoyaltyPolicy, rate: int) -> int:
    facts = session.execute(_FACTS, {"tenant": tenant_id, "order": order_id}).one()
    due = facts.at_home and facts.status != "canceled" and (facts.delivered or policy.earn_on == "paid")
    goods = _kept(int(facts.goods), int(facts.due), int(facts.lost))
    return goods * rate // 10 ** exponent(facts.currency) if due else 0


def _kept(goods: int, due: int, lost: int) -> int:
    """What the goods are worth after a chargeback that was lost: as much of them as was not given back by the bank."""
    return max(0, goods) * max(0, due - lost) // due if due > 0 else 0


def _expire(session: Session, tenant_id: str, customer_id: str) -> bool:
    account = lock_account(session, tenant_id, customer_id)
    mine = (LoyaltyEntry.tenant_id == tenant_id, LoyaltyEntry.customer_id == customer_id)
    over = (LoyaltyEntry.delta < 0) | (LoyaltyEntry.expires_at <= clock.now())
    left = session.scalar(select(func.sum(LoyaltyEntry.delta)).where(*mine, over)) or 0
    gone = min(int(left), account.balance)
    if gone > 0:
        move(session, tenant_id, customer_id, PointsKind.EXPIRE, -gone, subject=clock.now().date().isoformat())
    return gone > 0
