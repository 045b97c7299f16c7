"""An order as the Agentic Commerce Protocol's ``Order`` (2026-04-17): one shape for reads, webhooks and a completed
checkout. Only members that the schema knows, no nulls, minor units.

``total`` stays what was agreed to at the purchase; what went back is ``amount_refunded``, and ``adjustments`` say why.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any, Final

from sqlalchemy import select
from sqlalchemy.orm import Session

from engine.agentic import order_adjustments, order_fulfillments
from engine.agentic.session_models import AgentSession
from engine.agentic.wire import Body, days, known
from engine.digital import access
from engine.digital.access import Access
from engine.kit.errors import NotFound
from engine.kit.identity import Identity
from engine.kit.money import Money
from engine.kit.tenancy import Tenant
from engine.mail.models import Mail, MailStatus
from engine.orders import queries
from engine.orders.filters import placed
from engine.orders.invoice_models import Invoice
from engine.orders.models import Order, OrderLine, OrderStatus
from engine.orders.queries import Parts
from engine.returns.models import ReturnLine

_PPM: Final = 1_000_000


@dataclass(frozen=True, slots=True)
class Shop:
    """What an order says of its shop. ``origin``: scheme and host where its pages are; ``slug`` says which shop's they
    are where that host is not its own.
    """

    origin: str
    slug: str = ""
    settings: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def of(cls, tenant: Tenant, web_origin: str) -> Shop:
        """``web_origin`` is where a shop without a host of its own is reached."""
        if tenant.host:
            return cls(f"https://{tenant.host}", settings=tenant.settings)
        return cls(web_origin, tenant.slug, tenant.settings)

    def address(self, path: str) -> str:
        """Where anybody finds a page or a picture of this shop."""
        return f"{self.origin}{path}{f'?shop={self.slug}' if self.slug else ''}"


@dataclass(slots=True)
class More:
    """What is known of one order beside its own rows."""

    session_id: str | None = None
    """The checkout of the order that it makes up for."""
    notes: str | None = None
    """What the buyer asked for."""
    invoice: str | None = None
    written_to: bool = False
    """Whether its confirmation was mailed."""
    returned: list[ReturnLine] = field(default_factory=list)
    given: dict[str, list[Access]] = field(default_factory=dict)
    """By shipment: what its buyer was given of what has no parcel."""


def permalink(shop: Shop, number: str) -> str:
    """The order's page. Its address opens nothing by itself."""
    return shop.address(f"/order/{number}")


def of_orders(
    session: Session, tenant: Tenant, orders: Sequence[Order], *, web_origin: str, secret_key: bytes | None = None
) -> list[Body]:
    """Each order in the protocol's shape, in a few statements whatever their number. Only with the ``secret_key`` they
    say what opens what their buyers were given.
    """
    parts = queries.parts_of(session, tenant.id, [order.id for order in orders])
    more = _more(session, tenant.id, orders, parts)
    if secret_key is not None:
        _add_given(session, secret_key, tenant.id, parts, more)
    shop = Shop.of(tenant, web_origin)
    return [shape(order, parts[order.id], shop, more[order.id]) for order in orders]


def own_order(
    session: Session, buyer: Identity, order_id: str, *, web_origin: str, secret_key: bytes | None = None
) -> Body:
    """One of the platform's own orders. Raises ``NotFound`` for any other."""
    order = session.scalars(
        placed(buyer.tenant_id).where(Order.id == order_id, Order.owner_id == buyer.buyer.id)
    ).first()
    if order is None:
        raise NotFound("There is no such order.")
    tenant = session.get_one(Tenant, buyer.tenant_id)
    return of_orders(session, tenant, [order], web_origin=web_origin, secret_key=secret_key)[0]


def shape(order: Order, parts: Parts, shop: Shop, more: More | None = None) -> Body:
    """One order from its rows. Of an order just placed its lines are enough."""
    more = more or More()
    titles = {line.id: line for line in parts.lines}
    body: Body = {
        "type": "order",
        "id": order.id,
        "checkout_session_id": order.session_id or more.session_id or order.id,
        "order_number": order.number,
        "permalink_url": permalink(shop, order.number),
        "status": status_of(order, parts.lines),
        "estimated_delivery": _estimate(order, parts.lines),
        "confirmation": _confirmation(order, more),
        "support": _support(shop.settings),
        "line_items": [_line(line, shop) for line in parts.lines],
        "fulfillments": order_fulfillments.of(order, parts, more.given),
        "adjustments": order_adjustments.of(order, parts, more.returned, titles),
        "totals": _totals(order, parts),
    }
    return known(body)


def status_of(order: Order, lines: Sequence[OrderLine]) -> str:
    """One of the protocol's order states: manual_review, confirmed, processing, shipped, completed or canceled."""
    wanted = sum(line.ordered - line.canceled for line in lines)
    if order.status == OrderStatus.CANCELED or not wanted:
        return "canceled"
    if order.status == OrderStatus.ON_HOLD:
        return "manual_review"
    released, shipped, delivered = (
        sum(getattr(line, part) for line in lines) for part in ("released", "shipped", "delivered")
    )
    if delivered == wanted:
        return "completed"
    if shipped == wanted:
        return "shipped"
    return "processing" if released else "confirmed"


def line_status(current: int, fulfilled: int) -> str:
    """The protocol's rule for a line."""
    if not current:
        return "removed"
    if fulfilled == current:
        return "fulfilled"
    return "partial" if 0 < fulfilled < current else "processing"


def _line(line: OrderLine, shop: Shop) -> Body:
    """``current`` is what the buyer keeps or waits for, ``fulfilled`` what of it was sent."""
    current = line.ordered - line.canceled - line.returned
    fulfilled = line.shipped - line.returned
    body = {
        "id": line.id,
        "title": line.title,
        "product_id": line.product_id,
        "description": ", ".join(f"{name}: {value}" for name, value in line.options.items()),
        "image_url": shop.address(f"/media/products/{line.product_id}.svg"),
        "quantity": {"ordered": line.ordered, "current": current, "fulfilled": fulfilled},
        "unit_price": line.unit_price,
        "subtotal": line.unit_price * line.ordered,
        "totals": _line_totals(line),
        "status": line_status(current, fulfilled),
    }
    return known(body)


def _line_totals(line: OrderLine) -> list[Body]:
    """As it was bought; tax within the price adds nothing and is told in words."""
    base = line.unit_price * line.ordered
    rows = [("items_base_amount", "Items", base)]
    if line.discount:
        rows.append(("items_discount", "Discount", line.discount))
    rows.append(("subtotal", "Subtotal", base - line.discount))
    if not line.tax_included:
        rows.append(("tax", "Tax", line.tax))
    rows.append(("total", "Total", base - line.discount + (0 if line.tax_included else line.tax)))
    return [{"type": kind, "display_text": words, "amount": amount} for kind, words, amount in rows]


def _totals(order: Order, parts: Parts) -> list[Body]:
    rows, within = [], ""
    for row in order.totals:
        said = {"type": row["type"], "display_text": row["display_text"], "amount": row["amount"]}
        if row["type"] == "tax" and row.get("included"):
            within = f"{row['display_text']}: {Money(row['amount'], order.currency)}"
            continue
        if row["type"] == "tax" and (breakdown := _breakdown(order, row["amount"])):
            said["breakdown"] = breakdown
        if row["type"] == "total" and within:
            said["description"] = within
        rows.append(said)
    if refunded := parts.money(order).refunded:
        rows.append({"type": "amount_refunded", "display_text": "Refunded", "amount": refunded})
    return rows


def _breakdown(order: Order, tax: int) -> list[Body]:
    """By place, where the places still make up what was agreed to."""
    if sum(row["amount"] for row in order.taxes) != tax:
        return []
    return [
        {"jurisdiction": row["jurisdiction"], "rate": row["rate_ppm"] / _PPM, "amount": row["amount"]}
        for row in order.taxes
    ]


def _estimate(order: Order, lines: Sequence[OrderLine]) -> Body | None:
    """When it is to arrive, while something of it is to."""
    option = order.fulfillment
    if order.placed_at is None or not option or status_of(order, lines) in {"completed", "canceled"}:
        return None
    day = order.placed_at.date()
    first = _day(option.get("earliest")) or day + timedelta(days=int(option.get("min_days", 0)))
    last = _day(option.get("latest")) or day + timedelta(days=int(option.get("max_days", 0)))
    return days(first, last)


def _day(value: Any) -> date | None:
    try:
        return date.fromisoformat(str(value)[:10]) if value else None
    except ValueError:
        return None


def _confirmation(order: Order, more: More) -> Body:
    body: Body = {"confirmation_number": order.number, "confirmation_email_sent": more.written_to}
    return body | known({"invoice_number": more.invoice, "order_notes": more.notes})


def _support(settings: Mapping[str, Any]) -> Body | None:
    told = {
        "email": settings.get("support_email"),
        "phone": settings.get("support_phone"),
        "hours": settings.get("support_hours"),
        "help_center_url": settings.get("help_center_url"),
    }
    return {name: str(value) for name, value in told.items() if value} or None


def _add_given(
    session: Session, secret_key: bytes, tenant_id: str, parts: Mapping[str, Parts], more: Mapping[str, More]
) -> None:
    ids = [order_id for order_id, one in parts.items() if any(line.digital and line.shipped for line in one.lines)]
    for order_id, found in (access.of_orders(session, secret_key, tenant_id, ids) if ids else {}).items():
        for one in found:
            more[order_id].given.setdefault(one.shipment_id, []).append(one)


def _more(session: Session, tenant_id: str, orders: Sequence[Order], parts: Mapping[str, Parts]) -> dict[str, More]:
    found = {order.id: More() for order in orders}
    ids = list(found)
    if not ids:
        return found
    written = select(Mail.subject_id).where(
        Mail.tenant_id == tenant_id,
        Mail.subject_id.in_(ids),
        Mail.topic == "order.paid",
        Mail.status == MailStatus.SENT,
    )
    for order_id in session.scalars(written):
        found[order_id].written_to = True
    invoices = select(Invoice.order_id, Invoice.label).where(
        Invoice.tenant_id == tenant_id, Invoice.order_id.in_(ids), Invoice.adjustment_id.is_(None)
    )
    for order_id, label in session.execute(invoices):
        found[order_id].invoice = label
    session_ids = {order.session_id: order.id for order in orders if order.session_id}
    notes = select(AgentSession.session_id, AgentSession.order_notes).where(
        AgentSession.tenant_id == tenant_id, AgentSession.session_id.in_(session_ids)
    )
    for session_id, said in session.execute(notes):
        found[session_ids[session_id]].notes = said
    _add_origins(session, tenant_id, orders, found)
    _add_returned(session, tenant_id, parts, found)
    return found


def _add_origins(session: Session, tenant_id: str, orders: Sequence[Order], found: Mapping[str, More]) -> None:
    """A replacement has no checkout of its own: it names that of the order it makes up for."""
    first = {order.id: str((order.origin or {}).get("order_id")) for order in orders if order.session_id is None}
    if not first:
        return
    query = select(Order.id, Order.session_id).where(Order.tenant_id == tenant_id, Order.id.in_(first.values()))
    sessions = {row.id: row.session_id for row in session.execute(query)}
    for order_id, of in first.items():
        found[order_id].session_id = sessions.get(of)


def _add_returned(session: Session, tenant_id: str, parts: Mapping[str, Parts], found: Mapping[str, More]) -> None:
    order_of = {row.id: order_id for order_id, part in parts.items() for row in part.returns}
    if not order_of:
        return
    rows = select(ReturnLine).where(ReturnLine.tenant_id == tenant_id, ReturnLine.return_id.in_(order_of))
    for line in session.scalars(rows.order_by(ReturnLine.position)):
        found[order_of[line.return_id]].returned.append(line)
