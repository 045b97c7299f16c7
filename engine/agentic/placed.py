"""What becomes of a session that was paid: its order, and what was said with it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from sqlalchemy import select
from sqlalchemy.orm import Session

from engine.agentic import order_shape
from engine.agentic.seen import Door
from engine.agentic.session_models import AgentSession
from engine.carts.models import Discount, DiscountUse
from engine.carts.promotions import Taken
from engine.checkout.models import CheckoutSession
from engine.checkout.paid import LIVE_RUN
from engine.customers import consents, links
from engine.customers.models import ConsentTopic
from engine.kit import audit, clock, outbox
from engine.kit.ids import new_id
from engine.kit.outbox import OutboxRow
from engine.kit.tenancy import Tenant
from engine.orders import queries
from engine.orders.models import NoteAudience, Order, OrderLine, OrderNote
from engine.orders.queries import Parts
from engine.runtime import Runtime

CONSUMER: Final = "agentic"
VERIFIED: Final = "customer.verified"
_FRESH: Final = LIVE_RUN
"""So long after a sale nobody hears of it: no letter is written, no parcel sent."""
TEXT_VERSION: Final = "acp-1"
Body = dict[str, Any]


def order_of(session: Session, checkout: CheckoutSession) -> tuple[Order, list[OrderLine]]:
    """The order that a completed session became, and what was bought: not what came in its place later."""
    order = session.scalars(
        select(Order).where(
            Order.tenant_id == checkout.tenant_id, Order.session_id == checkout.id, Order.placed_at.is_not(None)
        )
    ).one()
    lines = session.scalars(
        select(OrderLine)
        .where(
            OrderLine.tenant_id == order.tenant_id,
            OrderLine.order_id == order.id,
            OrderLine.replaces_line_id.is_(None),
        )
        .order_by(OrderLine.position)
    )
    return order, list(lines)


def taken_of(session: Session, order: Order, lines: Sequence[OrderLine]) -> list[Taken]:
    """What promotions took off the order when it was placed; off which line is known where there was only one."""
    rows = session.execute(
        select(DiscountUse, Discount)
        .join(Discount, (Discount.tenant_id == DiscountUse.tenant_id) & (Discount.id == DiscountUse.discount_id))
        .where(DiscountUse.tenant_id == order.tenant_id, DiscountUse.order_id == order.id)
        .order_by(Discount.priority, Discount.id)
    ).all()
    alone = len([use for use, _ in rows if use.amount]) == 1
    per_line = tuple(line.discount for line in lines) if alone else ()
    return [
        Taken(row.id, row.title, use.amount, use.shipping, per_line if use.amount else (), row) for use, row in rows
    ]


def shape(session: Session, door: Door, order: Order, lines: Sequence[OrderLine]) -> Body:
    """The order in the protocol's shape; of one that nothing has happened to yet its lines tell all."""
    tenant = session.get_one(Tenant, order.tenant_id)
    if clock.now() - order.updated_at < _FRESH and order.updated_at == order.placed_at:
        shop = order_shape.Shop.of(tenant, door.origin)
        return just_placed(order, lines, shop)
    return order_shape.of_orders(session, tenant, [order], web_origin=door.origin, secret_key=door.runtime.secret_key)[
        0
    ]


def just_placed(order: Order, lines: Sequence[OrderLine], shop: order_shape.Shop) -> Body:
    """The same of an order that was placed a moment ago."""
    return order_shape.shape(order, Parts(lines=list(lines)), shop)


def tell(runtime: Runtime, tenant_id: str) -> None:
    """Let orders that agents bought keep what was said with them; what fails waits and comes again."""
    with runtime.unit_of_work(tenant_id) as session:
        rows = outbox.claim_batch(session, tenant_id, CONSUMER)
        held = _gather(session, tenant_id, rows)
        outbox.deliver(session, rows, lambda row: hear(session, row), "order not noted")
        del held


def _gather(session: Session, tenant_id: str, rows: Sequence[OutboxRow]) -> list[Any]:
    """What the whole batch will look for, read at once."""
    orders = queries.gather(session, tenant_id, [one for row in rows for one in _orders_of(row)])
    ids = [order.session_id for order in orders if order.session_id]
    query = select(AgentSession).where(AgentSession.tenant_id == tenant_id, AgentSession.session_id.in_(ids))
    return [*orders, *session.scalars(query)]


def _orders_of(row: OutboxRow) -> list[str]:
    return list(row.payload["orders"]) if row.topic == VERIFIED else [row.subject_id]


def hear(session: Session, row: OutboxRow) -> None:
    """The outbox consumer ``agentic``: a paid order keeps the notes that came with it, and its buyer what they agreed
    to hear; of a buyer who proves their e-mail later, then. A second time does nothing.
    """
    proven = row.topic == VERIFIED
    for order_id in _orders_of(row):
        order = session.get(Order, (row.tenant_id, order_id))
        extra = session.get(AgentSession, (row.tenant_id, order.session_id)) if order and order.session_id else None
        if order is None or extra is None:
            continue
        if not proven:
            _keep_notes(session, order, extra)
        _keep_consents(session, order, extra, later=proven)


def _keep_notes(session: Session, order: Order, extra: AgentSession) -> None:
    there = select(OrderNote.id).where(OrderNote.tenant_id == order.tenant_id, OrderNote.order_id == order.id)
    if not extra.order_notes or session.scalar(there.where(OrderNote.author == order.owner_id)):
        return
    note = OrderNote(
        tenant_id=order.tenant_id,
        id=new_id("note"),
        order_id=order.id,
        author=order.owner_id,
        audience=NoteAudience.SHOPPER,
        text=extra.order_notes,
    )
    session.add(note)
    facts = {"audience": str(NoteAudience.SHOPPER), "note": note.id}
    audit.record(session, order.tenant_id, actor=order.owner_id, action="order.noted", subject=order.id, facts=facts)


def _keep_consents(session: Session, order: Order, extra: AgentSession, *, later: bool) -> None:
    """Of a buyer whom the shop knows, never of one who only typed an address: that would be anybody's word on what its
    owner hears. What was said ``later`` proven speaks only where its owner has not spoken.
    """
    wanted: list[Mapping[str, Any]] = extra.said.get("marketing", [])
    if not wanted or order.customer_id is None:
        return
    customer_id = links.last_of(session, order.tenant_id, order.customer_id)
    said = consents.standing(session, order.tenant_id, customer_id)
    known = {row.channel: row.granted for row in said if row.topic == ConsentTopic.MARKETING}
    for one in wanted:
        if known.get(one["channel"]) == one["opted_in"] or (later and one["channel"] in known):
            continue
        consents.write(
            session,
            order.tenant_id,
            customer_id,
            topic=ConsentTopic.MARKETING,
            channel=one["channel"],
            granted=one["opted_in"],
            text_version=TEXT_VERSION,
            source="acp",
        )
