"""Our own engine as a storefront: what was sold here goes through the same workflows as what a platform sold.

It asks nobody: it reads and writes our own tables, in transactions of its own. In the shadow it writes nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from typing import Any, ClassVar

from sqlalchemy import select
from sqlalchemy.orm import Session

from engine.fulfillment import requests, shipments, work
from engine.fulfillment.models import OWN, Fulfillment, FulfillmentStatus
from engine.fulfillment.shipments import Handover, Package
from engine.fulfillment.work import Work
from engine.kit.tenancy import Tenant
from engine.orders import service as orders
from engine.orders.models import Order, OrderLine, Shipment
from engine.orders.shares import kept
from engine.payments.models import Capture, CaptureStatus, Payment, Refund, RefundStatus
from engine.runtime import Runtime
from engine.sync import cartons
from engine.sync.canonical import (
    OURS,
    Address,
    Buyer,
    OrderCreated,
    OrderPayment,
    Parcel,
    Parcels,
    Settlement,
    ShippingCharge,
)
from engine.sync.canonical import (
    OrderLine as Line,
)
from engine.sync.connectors import NotSupported
from engine.sync.errors import Rejected
from engine.sync.models import System
from engine.sync.port import Capability, Storefront, Unreadable
from engine.sync.recording import Recorder
from engine.workflows import lineage


class Ours:
    """The shop's own orders. ``account`` is the shop's slug; ``source_id`` of an order is its id."""

    capabilities: ClassVar[frozenset[Capability]] = frozenset(
        {Capability.ORDERS, Capability.SETTLEMENTS, Capability.SHIPMENTS, Capability.TAGS}
    )

    def __init__(self, runtime: Runtime, tenant_id: str, *, shadow: Recorder | None = None) -> None:
        self._runtime, self._tenant_id, self._shadow = runtime, tenant_id, shadow
        with runtime.unit_of_work(tenant_id) as session:
            self.account = session.get_one(Tenant, tenant_id).slug

    def __getattr__(self, name: str) -> Any:
        if not name.startswith("_") and hasattr(Storefront, name):
            raise NotSupported(f"Our own engine needs no {name}.")
        raise AttributeError(name)

    def order(self, source_id: str) -> OrderCreated:
        with self._runtime.unit_of_work(self._tenant_id) as session:
            found = session.get(Order, (self._tenant_id, source_id))
            if found is None or found.placed_at is None:
                raise Rejected("There is no such order of ours.")
            return self._document(session, found)

    def orders_since(self, at: datetime, *, unread: Unreadable | None = None) -> Iterator[OrderCreated]:  # noqa: ARG002 (ours are all read)
        with self._runtime.unit_of_work(self._tenant_id) as session:
            query = select(Order).where(
                Order.tenant_id == self._tenant_id, Order.placed_at.is_not(None), Order.updated_at >= at
            )
            rows = session.scalars(query.order_by(Order.updated_at, Order.id)).all()
            found = [self._document(session, row) for row in rows]
        yield from found

    def settlements(self, source_id: str) -> list[Settlement]:
        with self._runtime.unit_of_work(self._tenant_id) as session:
            order = session.get_one(Order, (self._tenant_id, source_id))
            return self._settlements(session, order)

    def tag(self, source_id: str, tags: Iterable[str]) -> None:
        """Nothing is kept: how far an order of ours got stands in its links and runs."""

    def ship(self, source_id: str, shipment: Parcels) -> list[str]:
        """One shipment of ours for each tracking number, with a package for each carton; a number that is there is
        done. A cancel that its partner was asked for and has not answered is refused by this: the goods left. Raises
        ``Rejected`` where nothing of the order is in a partner's hands.
        """
        if self._shadow is not None:
            return []
        packed = cartons.together(parcel for parcel in shipment.parcels if parcel.items)
        return [self._shipped(source_id, shipment, some) for some in packed]

    def _shipped(self, source_id: str, shipment: Parcels, packed: Sequence[Parcel]) -> str:
        parcel = packed[0]
        number, carrier = parcel.tracking_number or parcel.ref, parcel.carrier or shipment.source.upper()
        with self._runtime.unit_of_work(self._tenant_id) as session:
            order = orders.lock(session, self._tenant_id, source_id)
            if (known := _known(session, order, number)) is not None:
                return known
            found = self._work_of(session, order, shipment)
            if found.fulfillment.status == FulfillmentStatus.CANCEL_REQUESTED:
                found = requests.answer_cancel(session, self._tenant_id, found.fulfillment.id, accepted=False)
            made = shipments.ship(
                session,
                self._tenant_id,
                found.fulfillment.id,
                packages=[Package(units) for units in _units(found, packed)],
                handover=Handover(carrier=carrier, tracking_number=number, service=parcel.service or None),
            )
            return made.id

    def _work_of(self, session: Session, order: Order, shipment: Parcels) -> Work:
        """The fulfillment that the warehouse's order is; without a link, the order's only open one at a partner."""
        linked = lineage.warehouse_order(
            session,
            self._tenant_id,
            system=System(shipment.source),
            account=shipment.account,
            number=shipment.order_ref,
        )
        if linked is not None and linked[0] == lineage.FULFILLMENT:
            return work.lock_work(session, self._tenant_id, linked[1])
        at_partners = [one for one in work.of_order(session, self._tenant_id, order.id) if one.partner != OWN]
        still = [
            one for one in at_partners if one.status not in {FulfillmentStatus.SHIPPED, FulfillmentStatus.CANCELED}
        ]
        if len(still) != 1:
            raise Rejected(
                f"Order {order.number} has {len(still)} pieces of work at partners: nobody knows which left."
            )
        return work.lock_work(session, self._tenant_id, still[0].id)

    def _document(self, session: Session, order: Order) -> OrderCreated:
        mine = (OrderLine.tenant_id == order.tenant_id) & (OrderLine.order_id == order.id)
        lines = session.scalars(select(OrderLine).where(mine).order_by(OrderLine.position, OrderLine.id)).all()
        told = [_line(line) for line in lines]
        tax = sum(line.tax for line in told) + order.shipping_tax
        discount = sum(line.discount for line in told)
        goods = sum(line.unit_price * line.quantity for line in told)
        added = order.shipping_tax if order.tax_included else tax
        return OrderCreated(
            source=OURS,
            account=self.account,
            source_id=order.id,
            source_ref=order.number,
            placed_at=order.placed_at,
            updated_at=order.updated_at,
            currency=order.currency,
            canceled_at=order.canceled_at,
            buyer=_buyer(order),
            ship_to=_address(order),
            lines=tuple(told),
            shipping=_shipping(order),
            discount=discount,
            tax=tax,
            taxes_included=order.tax_included,
            total=goods - discount + order.shipping + added,
            payments=tuple(self._payments(session, order)),
        )

    def _payments(self, session: Session, order: Order) -> Iterator[OrderPayment]:
        for row in self._settlements(session, order):
            if not row.refund:
                yield OrderPayment(id=row.source_id, gateway=row.gateway, amount=row.amount, at=row.at)

    def _settlements(self, session: Session, order: Order) -> list[Settlement]:
        """Captures that succeeded and refunds that arrived, in the order in which they did."""
        gateways = {
            row.id: row.gateway
            for row in session.scalars(
                select(Payment).where(Payment.tenant_id == order.tenant_id, Payment.order_id == order.id)
            )
        }
        taken = session.scalars(
            select(Capture).where(
                Capture.tenant_id == order.tenant_id,
                Capture.order_id == order.id,
                Capture.status == CaptureStatus.SUCCEEDED,
            )
        )
        back = session.scalars(
            select(Refund).where(
                Refund.tenant_id == order.tenant_id,
                Refund.order_id == order.id,
                Refund.status == RefundStatus.SUCCEEDED,
            )
        )
        rows: list[tuple[Capture | Refund, bool]] = [(row, False) for row in taken] + [(row, True) for row in back]
        found = [self._settlement(order, row, gateways.get(row.payment_id, ""), refund=refund) for row, refund in rows]
        return sorted(found, key=lambda one: (one.at, one.source_id))

    def _settlement(self, order: Order, row: Capture | Refund, gateway: str, *, refund: bool) -> Settlement:
        return Settlement(
            source=OURS,
            account=self.account,
            source_id=row.id,
            order_id=order.id,
            order_ref=order.number,
            gateway=gateway,
            amount=row.amount,
            currency=row.currency,
            at=row.settled_at or row.created_at,
            refund=refund,
        )


def storefront(runtime: Runtime, tenant_id: str, *, shadow: Recorder | None = None) -> Ours:
    """The shop's own orders."""
    return Ours(runtime, tenant_id, shadow=shadow)


def of_partner(session: Session, tenant_id: str, partner: str, status: FulfillmentStatus) -> Sequence[Fulfillment]:
    """Work of a partner in a status, the oldest first."""
    query = select(Fulfillment).where(
        Fulfillment.tenant_id == tenant_id, Fulfillment.partner == partner, Fulfillment.status == status
    )
    return session.scalars(query.order_by(Fulfillment.released_at, Fulfillment.id)).all()


def _known(session: Session, order: Order, number: str) -> str | None:
    """The order's shipment of a tracking number."""
    query = select(Shipment.id).where(
        Shipment.tenant_id == order.tenant_id, Shipment.order_id == order.id, Shipment.tracking_number == number
    )
    return session.scalar(query)


def _units(found: Work, packed: Sequence[Parcel]) -> list[dict[str, int]]:
    """Of each carton, order line → units of it: what has a SKU goes to the lines of that SKU in their places. Raises
    ``Rejected`` for more of a thing than the fulfillment has left.
    """
    left = found.open_units()
    return [_in_carton(found, parcel, left) for parcel in packed]


def _in_carton(found: Work, parcel: Parcel, left: dict[str, int]) -> dict[str, int]:
    units = dict[str, int]()
    for item in parcel.items:
        wanted = item.quantity
        for line_id in [key for key in found.order_lines if key in left and found.order_lines[key].sku == item.sku]:
            take = min(wanted, left[line_id])
            if take:
                units[line_id] = units.get(line_id, 0) + take
                left[line_id] -= take
                wanted -= take
        if wanted:
            raise Rejected(f"{item.sku}: {wanted} more left the warehouse than order {found.order.number} has there.")
    return units


def _line(line: OrderLine) -> Line:
    """Its units that were not canceled."""
    worth = kept(line)
    return Line(
        source_line_id=line.id,
        sku=line.sku,
        title=line.title,
        quantity=line.ordered - line.canceled,
        unit_price=line.unit_price,
        discount=worth.discount,
        tax=worth.tax,
        requires_shipping=not line.digital,
    )


def _shipping(order: Order) -> tuple[ShippingCharge, ...]:
    way = order.fulfillment
    if not way:
        return ()
    code, title = str(way.get("id") or ""), str(way.get("title") or "")
    price = order.shipping + (order.shipping_tax if order.tax_included else 0)
    return (ShippingCharge(code=code, title=title, price=price, tax=order.shipping_tax),)


def _buyer(order: Order) -> Buyer:
    given = order.buyer
    name = given.get("name") or f"{given.get('first_name') or ''} {given.get('last_name') or ''}"
    return Buyer(
        source_id=order.customer_id,
        email=str(given.get("email") or ""),
        name=str(name).strip(),
        phone=str(given.get("phone_number") or given.get("phone") or ""),
    )


def _address(order: Order) -> Address | None:
    given = order.ship_to
    if not given:
        return None
    return Address(
        name=str(given.get("name") or ""),
        company=str(given.get("company") or ""),
        line_one=str(given.get("line_one") or ""),
        line_two=str(given.get("line_two") or ""),
        city=str(given.get("city") or ""),
        region=str(given.get("state") or ""),
        postal_code=str(given.get("postal_code") or ""),
        country=str(given.get("country") or ""),
        phone=str(given.get("phone_number") or given.get("phone") or ""),
    )
