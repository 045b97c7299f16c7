"""Digital units of an order are given to their buyer as soon as it is paid: once, whoever is killed in between.

They go the way of all goods (released, paid for, sent, arrived) but for the warehouse: nobody packs them. What was only
authorized is captured first; an order on hold waits.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Final

import structlog
from sqlalchemy import select
from sqlalchemy.orm import Session

from engine.catalog.models import Variant
from engine.digital.access import access_key, url_context
from engine.digital.errors import NoCodes
from engine.digital.models import CodeStatus, DigitalCode, DigitalDelivery
from engine.fulfillment import shipments, tracking, work
from engine.fulfillment.carriers import TrackingEvent
from engine.fulfillment.errors import NothingToRelease
from engine.fulfillment.models import FulfillmentStatus
from engine.fulfillment.release import release, take_money
from engine.kit import clock
from engine.kit.envelope import seal
from engine.kit.errors import DomainError
from engine.kit.faults import fault_point
from engine.kit.ids import new_id
from engine.orders import service as orders
from engine.orders.models import Order, OrderLine, OrderStatus, Shipment, ShipmentStatus
from engine.payments.alerts import raise_alert, resolve_alert
from engine.runtime import Runtime
from engine.shipping.digital import Digital, is_digital

FAILED: Final = "digital_not_delivered"
"""Kind of the alert: what was paid for cannot be given out; its subject is the order."""
_BATCH: Final = 50
_OVER: Final = frozenset({FulfillmentStatus.SHIPPED, FulfillmentStatus.CANCELED})
log = structlog.get_logger(__name__)


def deliver_due(runtime: Runtime, tenant_id: str) -> int:
    """The job: give out what was paid for; how many orders. One that cannot be stands in nobody's way."""
    done, after = 0, ""
    while True:
        with runtime.unit_of_work(tenant_id) as session:
            found = _due(session, tenant_id, after)
        for order_id in found:
            done += _tried(runtime, tenant_id, order_id)
        if len(found) < _BATCH:
            return done
        after = found[-1]


def deliver_now(runtime: Runtime, tenant_id: str, order_id: str) -> list[str]:
    """Give out an order's digital units; the ids of the shipments. A second time there is nothing left to give.

    Raises ``NotReleasable`` for an order that is not open, ``NotPaid``, ``NotCaptured``, ``NoCodes``.
    """
    with runtime.unit_of_work(tenant_id) as session:
        if not _outstanding(session, tenant_id, order_id):
            return []
        try:
            made = release(session, tenant_id, order_id, digital=True)
        except NothingToRelease:
            made = []
        waits = any(one.capture_ids for one in made)
        fault_point("digital_before_release_commit")
    fault_point("digital_after_release_commit")
    if waits or not made:
        take_money(runtime, tenant_id, order_id)
    with runtime.unit_of_work(tenant_id) as session:
        sent = _send(session, runtime.secret_key, tenant_id, order_id)
        resolve_alert(session, tenant_id, FAILED, order_id)
        fault_point("digital_before_delivery_commit")
    fault_point("digital_after_delivery_commit")
    return sent


def _outstanding(session: Session, tenant_id: str, order_id: str) -> bool:
    """Whether anything is left to give; nobody else gives it meanwhile."""
    lines = orders.lines_of(session, orders.lock(session, tenant_id, order_id))
    return any(line.digital and line.allocated > line.shipped for line in lines)


def _due(session: Session, tenant_id: str, after: str) -> list[str]:
    waiting = select(OrderLine.order_id).where(
        OrderLine.tenant_id == tenant_id, OrderLine.digital, OrderLine.allocated > OrderLine.shipped
    )
    query = select(Order.id).where(
        Order.tenant_id == tenant_id, Order.id.in_(waiting), Order.status == OrderStatus.OPEN, Order.id > after
    )
    return list(session.scalars(query.order_by(Order.id).limit(_BATCH)))


def _tried(runtime: Runtime, tenant_id: str, order_id: str) -> int:
    try:
        deliver_now(runtime, tenant_id, order_id)
    except DomainError as error:
        log.warning("digital units not delivered", order_id=order_id, code=error.code)
        with runtime.unit_of_work(tenant_id) as session:
            words = f"What has no parcel could not be given to its buyer: {error.message}"
            raise_alert(session, tenant_id, FAILED, order_id, words)
        return 0
    return 1


def _send(session: Session, secret_key: bytes, tenant_id: str, order_id: str) -> list[str]:
    """Send what is released of it, and let it arrive."""
    order = orders.lock(session, tenant_id, order_id)
    open_work = [
        one.id
        for one in work.of_order(session, tenant_id, order_id)
        if is_digital(one.way if one.way is not None else order.fulfillment) and one.status not in _OVER
    ]
    sent = []
    for fulfillment_id in open_work:
        shipment = shipments.ship(session, tenant_id, fulfillment_id, digital=True)
        _give(session, secret_key, order, shipment)
        told = TrackingEvent(f"{shipment.id}-there", clock.now(), ShipmentStatus.DELIVERED, "Delivered by e-mail")
        tracking.apply(session, tenant_id, shipment.id, [told])
        sent.append(shipment.id)
    return sent


def _give(session: Session, secret_key: bytes, order: Order, shipment: Shipment) -> None:
    """What the buyer gets of each line. Raises ``NoCodes``."""
    units = {str(row["order_line_id"]): int(row["quantity"]) for row in shipment.lines}
    lines = session.scalars(
        select(OrderLine).where(OrderLine.tenant_id == order.tenant_id, OrderLine.id.in_(units)).order_by(OrderLine.id)
    ).all()
    terms = _terms(session, order.tenant_id, lines)
    for line in lines:
        terms_of_line = terms[line.variant_id]
        row = _delivery(secret_key, order, shipment, line, units[line.id], terms_of_line)
        session.add(row)
        session.flush()
        if terms_of_line is not None and terms_of_line.codes:
            _claim(session, row)


def _terms(session: Session, tenant_id: str, lines: Sequence[OrderLine]) -> Mapping[str, Digital | None]:
    rows = session.execute(
        select(Variant.id, Variant.digital).where(
            Variant.tenant_id == tenant_id, Variant.id.in_({line.variant_id for line in lines})
        )
    )
    return {variant_id: Digital.model_validate(said) if said else None for variant_id, said in rows}


def _delivery(
    secret_key: bytes, order: Order, shipment: Shipment, line: OrderLine, quantity: int, terms: Digital | None
) -> DigitalDelivery:
    now, delivery_id = clock.now(), new_id("digital_delivery")
    key = access_key(secret_key, order.tenant_id, delivery_id)
    url = terms.address(order=order.number, sku=line.sku, access=key) if terms else ""
    return DigitalDelivery(
        tenant_id=order.tenant_id,
        id=delivery_id,
        order_id=order.id,
        order_line_id=line.id,
        shipment_id=shipment.id,
        variant_id=line.variant_id,
        quantity=quantity,
        url_sealed=seal(secret_key, order.tenant_id, url_context(delivery_id), url) if url else None,
        expires_at=now + timedelta(days=terms.days) if terms and terms.days else None,
        created_at=now,
    )


def _claim(session: Session, delivery: DigitalDelivery) -> None:
    """A free code for each unit, the oldest first; sold units are fewer than codes are free, always."""
    free = select(DigitalCode).where(
        DigitalCode.tenant_id == delivery.tenant_id,
        DigitalCode.variant_id == delivery.variant_id,
        DigitalCode.status == CodeStatus.FREE,
    )
    rows = session.scalars(
        free.order_by(DigitalCode.id).limit(delivery.quantity).with_for_update(skip_locked=True)
    ).all()
    if len(rows) < delivery.quantity:
        raise NoCodes("There are fewer free codes than were sold.")
    for row in rows:
        row.status, row.delivery_id, row.claimed_at = CodeStatus.CLAIMED, delivery.id, delivery.created_at
    session.flush()
