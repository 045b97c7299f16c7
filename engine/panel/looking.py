"""The panel beside a conversation: who the shopper is, what they bought, and the order in focus with all of it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, TypeVar

from sqlalchemy import RowMapping, or_, select, text
from sqlalchemy.orm import Session
from sqlalchemy.sql import ColumnElement

from engine.approvals.models import Approval, ApprovalStatus
from engine.approvals.schemas import ApprovalView
from engine.checkout.models import Consent, ConsentStatus
from engine.conversations import asking
from engine.conversations.models import Thread
from engine.customers import loyalty
from engine.customers.models import Customer, Shopper
from engine.kit import clock
from engine.kit.errors import NotFound
from engine.kit.identity import Identity
from engine.kit.views import Price
from engine.orders import queries
from engine.orders.models import Order
from engine.orders.queries import Parts, parts_of
from engine.panel import rows
from engine.panel.allowed import actions
from engine.panel.schemas import MoneyView, OpenCardView, PanelView, ShopperView, StaffOrderView, SumView
from engine.payments import queries as payments
from engine.returns import queries as returns
from engine.returns.queries import ReturnFilter
from engine.support.models import Case
from engine.warranties import queries as warranties
from engine.warranties.queries import ClaimFilter

T = TypeVar("T")
_ALL: Final = 100
_SUMS: Final = text("""
WITH mine AS (
  SELECT id, currency FROM app.orders WHERE tenant_id = :tenant_id AND placed_at IS NOT NULL
    AND status <> 'pending_payment' AND (owner_id = ANY(:shoppers) OR customer_id = :customer))
SELECT m.currency, count(*) AS orders, coalesce(sum(c.paid), 0)::bigint AS paid,
  coalesce(sum(r.refunded), 0)::bigint AS refunded, coalesce(sum(t.returns), 0)::bigint AS returns,
  coalesce(sum(k.claims), 0)::bigint AS claims
FROM mine m
LEFT JOIN LATERAL (SELECT sum(amount) AS paid FROM app.captures
  WHERE tenant_id = :tenant_id AND order_id = m.id AND status = 'succeeded') c ON true
LEFT JOIN LATERAL (SELECT sum(amount) AS refunded FROM app.refunds
  WHERE tenant_id = :tenant_id AND order_id = m.id AND status = 'succeeded') r ON true
LEFT JOIN LATERAL (SELECT count(*) AS returns FROM app.returns WHERE tenant_id = :tenant_id AND order_id = m.id) t
  ON true
LEFT JOIN LATERAL (SELECT count(*) AS claims FROM app.warranty_claims
  WHERE tenant_id = :tenant_id AND order_id = m.id) k ON true
GROUP BY m.currency ORDER BY orders DESC, m.currency
""")


@dataclass(frozen=True, slots=True)
class Target:
    """What the panel is about: any of these leads to the others."""

    order_id: str | None = None
    """Or its number."""
    shopper_id: str | None = None
    thread_id: str | None = None
    case_id: str | None = None


@dataclass(frozen=True, slots=True)
class _Who:
    shopper_ids: tuple[str, ...]
    customer_id: str | None
    since: datetime | None


def panel(session: Session, identity: Identity, target: Target) -> PanelView:
    """Nothing of what names nothing. Raises ``NotFound`` for what is not the shop's."""
    case, thread, order, shopper_id = _resolve(session, identity, target)
    who = _who(session, identity.tenant_id, shopper_id, order)
    bought = rows.of_buyer(session, identity.tenant_id, shopper_ids=who.shopper_ids, customer_id=who.customer_id)
    order = order or (bought[0] if bought else None)
    listed = bought if order is None or order in bought else [order, *bought]
    parts = parts_of(session, identity.tenant_id, [one.id for one in listed])
    thread_id = thread.id if thread else None
    return PanelView(
        shopper=_shopper(session, identity.tenant_id, shopper_id, who, order),
        orders=[rows.row(one, parts[one.id]) for one in listed],
        focus=_focus(session, identity, order, parts[order.id]) if order else None,
        cards=_cards_of_thread(session, identity, thread_id) if thread_id else [],
        thread_id=thread_id,
        case_id=case.id if case else None,
    )


def order(session: Session, identity: Identity, order_id: str) -> StaffOrderView:
    """One order by id or number. Raises ``NotFound``."""
    row = queries.find_own(session, identity, order_id)
    return _focus(session, identity, row, parts_of(session, identity.tenant_id, [row.id])[row.id])


def _resolve(
    session: Session, identity: Identity, target: Target
) -> tuple[Case | None, Thread | None, Order | None, str | None]:
    """Raises ``NotFound``."""
    case = _found(session.get(Case, (identity.tenant_id, target.case_id))) if target.case_id else None
    thread_id = target.thread_id or (case.thread_id if case else None)
    thread = _found(session.get(Thread, (identity.tenant_id, thread_id))) if thread_id else None
    wanted = target.order_id or (case.order_id if case else None)
    row = queries.find_own(session, identity, wanted) if wanted else None
    owner = thread.owner_id if thread else case.shopper_id if case else None
    shopper_id = target.shopper_id or owner or (row.owner_id if row else None)
    if target.shopper_id and session.get(Shopper, (identity.tenant_id, target.shopper_id)) is None:
        raise NotFound("There is no such shopper.")
    return case, thread, row, shopper_id


def _found(row: T | None) -> T:
    if row is None:
        raise NotFound("There is no such thing here.")
    return row


def _who(session: Session, tenant_id: str, shopper_id: str | None, order: Order | None) -> _Who:
    """The customer they have proven to be, and every session of theirs; a guest is one session alone."""
    row = session.get(Shopper, (tenant_id, shopper_id)) if shopper_id else None
    customer_id = row.customer_id if row else None
    if row is None and order is not None:
        customer_id = order.customer_id
    ids = [shopper_id] if shopper_id else []
    if customer_id:
        theirs = select(Shopper.id).where(Shopper.tenant_id == tenant_id, Shopper.customer_id == customer_id)
        ids += [one for one in session.scalars(theirs) if one != shopper_id]
    return _Who(tuple(ids), customer_id, row.created_at if row else None)


def _shopper(
    session: Session, tenant_id: str, shopper_id: str | None, who: _Who, order: Order | None
) -> ShopperView | None:
    if not who.shopper_ids and who.customer_id is None:
        return None
    known = session.get(Customer, (tenant_id, who.customer_id)) if who.customer_id else None
    verified = known is not None and known.email_verified_at is not None
    shoppers = {"tenant_id": tenant_id, "shoppers": list(who.shopper_ids), "customer": who.customer_id}
    sums = session.execute(_SUMS, shoppers).mappings().all()
    return ShopperView(
        shopper_id=shopper_id,
        customer_id=who.customer_id,
        level="verified" if verified else "guest",
        name=(known.name if known else "") or (rows.buyer_name(order) if order else ""),
        email=known.email if known else str(order.buyer.get("email") or "") if order else "",
        verified_at=known.email_verified_at if known else None,
        since=known.created_at if known else who.since,
        points=loyalty.balance(session, tenant_id, known.id) if known else 0,
        sums=[_sum(row) for row in sums],
        returns=sum(row["returns"] for row in sums),
        claims=sum(row["claims"] for row in sums),
        cases=_open_cases(session, tenant_id, who),
    )


def _sum(row: RowMapping) -> SumView:
    currency = row["currency"]
    return SumView(
        orders=row["orders"],
        paid=Price(amount=row["paid"], currency=currency),
        refunded=Price(amount=row["refunded"], currency=currency),
    )


def _open_cases(session: Session, tenant_id: str, who: _Who) -> int:
    theirs: list[ColumnElement[bool]] = [Case.shopper_id.in_(who.shopper_ids)]
    if who.customer_id:
        theirs.append(Case.customer_id == who.customer_id)
    query = select(Case.id).where(Case.tenant_id == tenant_id, or_(*theirs), Case.closed_at.is_(None))
    return len(session.scalars(query.where(Case.resolved_at.is_(None)).limit(_ALL)).all())


def _focus(session: Session, identity: Identity, row: Order, parts: Parts) -> StaffOrderView:
    of_order: dict[str, str | None] = {"order_id": row.id}
    return StaffOrderView(
        row=rows.row(row, parts),
        order=queries.view_of(row, parts, identity),
        money=_money(row, parts),
        payments=list(payments.payments(session, identity, filters=of_order, limit=_ALL).items),
        refunds=list(payments.refunds(session, identity, filters=of_order, limit=_ALL).items),
        disputes=list(payments.disputes(session, identity, filters=of_order, limit=_ALL).items),
        returns=list(returns.many(session, identity, ReturnFilter(order_id=row.id), limit=_ALL).items),
        claims=list(warranties.claims(session, identity, ClaimFilter(order_id=row.id), limit=_ALL).items),
        cards=_cards_of_order(session, identity, row),
        approvals=_waiting(session, identity, row),
        actions=actions(session, identity, row),
    )


def _money(row: Order, parts: Parts) -> MoneyView:
    money = parts.money(row)
    sums = {
        "total": row.total,
        "due": money.due,
        "paid": money.captured - money.swapped,
        "refunded": money.refunded,
        "refunding": money.refunding,
        "held": money.held,
        "balance": money.balance,
    }
    return MoneyView(**{name: Price(amount=amount, currency=row.currency) for name, amount in sums.items()})


def _cards_of_order(session: Session, identity: Identity, row: Order) -> list[OpenCardView]:
    """Open consents about this order, wherever they are shown."""
    of_changes = text("SELECT consent_id FROM app.order_changes WHERE tenant_id = :t AND order_id = :o")
    ids = [one for (one,) in session.execute(of_changes, {"t": row.tenant_id, "o": row.id}) if one]
    query = select(Consent).where(
        Consent.tenant_id == identity.tenant_id,
        Consent.id.in_(ids),
        Consent.status == ConsentStatus.OPEN,
        Consent.expires_at > clock.now(),
    )
    return [_card(asking.view(session, one)) for one in session.scalars(query.order_by(Consent.created_at))]


def _cards_of_thread(session: Session, identity: Identity, thread_id: str) -> list[OpenCardView]:
    return [_card(one) for one in asking.open_cards(session, identity, thread_id)]


def _card(one: Any) -> OpenCardView:
    return OpenCardView(id=one.id, reason=one.reason, message=one.message, expires_at=one.expires_at)


def _waiting(session: Session, identity: Identity, row: Order) -> list[ApprovalView]:
    query = select(Approval).where(
        Approval.tenant_id == identity.tenant_id,
        Approval.subject_id == row.id,
        Approval.status.in_((ApprovalStatus.PENDING, ApprovalStatus.CLAIMED)),
    )
    return [ApprovalView.of(one) for one in session.scalars(query.order_by(Approval.id).limit(_ALL))]
