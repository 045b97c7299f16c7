"""Orders that make up for something: goods sent once more for nothing, in place of what was lost, broken or wrong."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import select
from sqlalchemy.orm import Session

from engine.catalog.models import Variant
from engine.inventory import service as inventory
from engine.kit import audit, clock, outbox
from engine.kit.direct import Row, Statement
from engine.kit.errors import InvalidInput, NotFound
from engine.kit.gathering import ask
from engine.kit.ids import new_id
from engine.kit.tenancy import Tenant
from engine.orders.models import Order, OrderLine, OrderStatus, order_numbers
from engine.shipping.pickup import place_id

REPLACEMENT: Final = "replacement"
"""What staff sent again."""
REPLACED: Final = Statement(f"""
SELECT n.origin FROM app.orders n WHERE n.tenant_id = %(tenant_id)s
  AND n.owner_id = (SELECT o.owner_id FROM app.orders o WHERE o.tenant_id = %(tenant_id)s AND o.id = %(order_id)s)
  AND n.status <> '{OrderStatus.CANCELED.value}' AND n.origin ->> 'order_id' = %(order_id)s
  AND n.origin ->> 'kind' = '{REPLACEMENT}'
""")  # noqa: S608 (our own words)
"""What was sent once more for an order."""
KINDS: Final = frozenset({REPLACEMENT, "warranty", "exchange"})


@dataclass(frozen=True, slots=True)
class ReplacementLine:
    """Units of one variant to be sent."""

    variant_id: str
    quantity: int


def create(
    session: Session,
    tenant_id: str,
    *,
    origin: Mapping[str, Any],
    lines: Sequence[ReplacementLine],
    ship_to: Mapping[str, Any] | None = None,
    actor: str,
) -> Order:
    """A new open order of the same buyer that costs nothing, its goods reserved; what they cost is an expense once they
    leave. ``origin``: ``{kind: replacement|warranty|exchange, order_id, return_id?|claim_id?}``; without ``ship_to`` it
    goes where the first order went.

    The caller holds no lock of stock. Raises ``InvalidInput``, ``NotFound``, ``OutOfStock``; then nothing is written
    that may be kept.
    """
    if origin.get("kind") not in KINDS or not lines or any(one.quantity < 1 for one in lines):
        raise InvalidInput("Say what it makes up for, and what is to be sent.", param="lines")
    first = session.get(Order, (tenant_id, str(origin.get("order_id"))))
    if first is None or first.placed_at is None:
        raise NotFound("There is no such order.")
    order = _order(session, first, origin, ship_to)
    session.add(order)
    session.flush()
    inventory.lock_stock(session, tenant_id, {one.variant_id for one in lines})
    for position, one in enumerate(lines, start=1):
        _add(session, order, one, position)
    session.flush()
    facts = {"origin": dict(origin), "units": sum(one.quantity for one in lines)}
    audit.record(session, tenant_id, actor=actor, action="order.replaced", subject=order.id, facts=facts)
    payload = {"thread_id": order.thread_id, "replaces_order_id": first.id}
    outbox.emit(session, tenant_id, "order.replaced", order.id, payload)
    return order


def replaced(session: Session, tenant_id: str, order_id: str) -> Counter[str]:
    """Line → how many of its units staff sent once more."""
    return counted(ask(session, REPLACED, {"tenant_id": tenant_id, "order_id": order_id}))


def counted(rows: Sequence[Row]) -> Counter[str]:
    """The same of what ``REPLACED`` found, where it was asked beside other statements."""
    found: Counter[str] = Counter()
    for row in rows:
        found.update({str(line): int(units) for line, units in ((row["origin"] or {}).get("lines") or {}).items()})
    return found


def _order(session: Session, first: Order, origin: Mapping[str, Any], ship_to: Mapping[str, Any] | None) -> Order:
    tenant = session.get_one(Tenant, first.tenant_id)
    prefix = str(tenant.settings.get("order_prefix") or "")
    number = f"{prefix}-{session.execute(order_numbers.next_value()).scalar_one()}".lstrip("-")
    words = {"items_base_amount": "Items", "subtotal": "Subtotal", "fulfillment": "Shipping", "tax": "Tax"}
    totals = [{"type": kind, "display_text": said, "amount": 0} for kind, said in (words | {"total": "Total"}).items()]
    return Order(
        tenant_id=first.tenant_id,
        id=new_id("order"),
        number=number,
        session_id=None,
        owner_id=first.owner_id,
        customer_id=first.customer_id,
        thread_id=first.thread_id,
        status=OrderStatus.OPEN,
        currency=first.currency,
        totals=totals,
        total=0,
        tax=0,
        buyer=dict(first.buyer),
        ship_to=dict(ship_to) if ship_to is not None else first.ship_to,
        fulfillment=_way(first, sent=ship_to is not None),
        discount_codes=[],
        origin=dict(origin),
        placed_at=clock.now(),
    )


def _way(first: Order, *, sent: bool) -> dict[str, Any]:
    """As the first order, for nothing; what has an address of its own is not fetched."""
    if not first.fulfillment:
        return {}
    to_address = {"place": None, "type": "shipping", "title": "Shipping", "ready_by": "", "pickup_by": ""}
    return first.fulfillment | {"amount": 0} | (to_address if sent and place_id(first.fulfillment) else {})


def _add(session: Session, order: Order, one: ReplacementLine, position: int) -> None:
    variant = session.scalars(
        select(Variant).where(Variant.tenant_id == order.tenant_id, Variant.id == one.variant_id)
    ).first()
    if variant is None:
        raise NotFound("This shop has no such item.")
    line = OrderLine(
        tenant_id=order.tenant_id,
        id=new_id("order_line"),
        order_id=order.id,
        position=position,
        product_id=variant.product_id,
        variant_id=variant.id,
        sku=variant.sku,
        title=variant.title,
        options=variant.options,
        unit_price=0,
        unit_cost=variant.cost,
        ordered=one.quantity,
        allocated=one.quantity,
        digital=variant.digital is not None,
    )
    session.add(line)
    session.flush()
    inventory.hold_line(
        session,
        order.tenant_id,
        order_line_id=line.id,
        order_id=order.id,
        variant_id=variant.id,
        quantity=one.quantity,
        region=str((order.ship_to or {}).get("state", "")),
        subject=order.id,
        at=place_id(order.fulfillment),
    )
