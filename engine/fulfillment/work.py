"""The rows of a piece of work, locked in the house's order: order, fulfillments, order lines."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from engine.fulfillment.errors import StaleVersion
from engine.fulfillment.models import Fulfillment, FulfillmentLine, FulfillmentStatus
from engine.fulfillment.states import FULFILLMENT
from engine.kit import clock
from engine.kit.errors import NotFound
from engine.orders import service as orders
from engine.orders.models import Order, OrderLine, Shipment


@dataclass(frozen=True, slots=True)
class Work:
    """A fulfillment with its lines and everything of its order that it may change."""

    order: Order
    fulfillment: Fulfillment
    lines: dict[str, FulfillmentLine]
    """By order line."""
    order_lines: dict[str, OrderLine]
    """All lines of the order."""

    @property
    def way(self) -> Mapping[str, Any]:
        """The option by which its units go."""
        return self.fulfillment.way if self.fulfillment.way is not None else self.order.fulfillment

    def open_units(self) -> dict[str, int]:
        """Order line → units still to be sent."""
        return {key: line.open for key, line in self.lines.items() if line.open}

    def settle(self, *, resting: FulfillmentStatus | None = None) -> None:
        """Bring the status in line with the quantities; ``resting`` where units are still open."""
        now = _status(self, resting)
        if now != self.fulfillment.status:
            self.fulfillment.status = FULFILLMENT.check(FulfillmentStatus(self.fulfillment.status), now)
        touch(self.fulfillment)
        orders.touch(self.order)


def lock_lines(session: Session, order: Order) -> dict[str, OrderLine]:
    """All lines of a locked order, by id, in their places."""
    rows = orders.lines_of(session, order)
    return {row.id: row for row in sorted(rows, key=lambda line: (line.position, line.id))}


def lines_in_place(session: Session, order: Order) -> dict[str, OrderLine]:
    """The same, only looked at."""
    mine = (OrderLine.tenant_id == order.tenant_id) & (OrderLine.order_id == order.id)
    rows = session.scalars(select(OrderLine).where(mine).order_by(OrderLine.position, OrderLine.id))
    return {row.id: row for row in rows}


def lock_work(session: Session, tenant_id: str, fulfillment_id: str, *, version: int | None = None) -> Work:
    """Raises ``NotFound``, ``StaleVersion`` when it is not at the version the caller saw."""
    order_id = session.scalar(
        select(Fulfillment.order_id).where(Fulfillment.tenant_id == tenant_id, Fulfillment.id == fulfillment_id)
    )
    if order_id is None:
        raise NotFound("There is no such fulfillment.")
    order = orders.lock(session, tenant_id, order_id)
    found = session.get_one(Fulfillment, (tenant_id, fulfillment_id), with_for_update=True, populate_existing=True)
    if version is not None and version != found.version:
        raise StaleVersion("Somebody else has changed this fulfillment. Look at it again.")
    lines = lines_of(session, tenant_id, [fulfillment_id])
    order_lines = lock_lines(session, order)
    return Work(order, found, {line.order_line_id: line for line in lines}, order_lines)


def lines_of(session: Session, tenant_id: str, fulfillment_ids: Sequence[str]) -> list[FulfillmentLine]:
    """Lines of fulfillments whose order the caller holds."""
    rows = session.scalars(
        select(FulfillmentLine)
        .where(FulfillmentLine.tenant_id == tenant_id, FulfillmentLine.fulfillment_id.in_(fulfillment_ids))
        .order_by(FulfillmentLine.fulfillment_id, FulfillmentLine.order_line_id)
        .execution_options(populate_existing=True)
    )
    return list(rows)


def of_order(session: Session, tenant_id: str, order_id: str) -> list[Fulfillment]:
    """All fulfillments of a locked order, oldest first."""
    rows = session.scalars(
        select(Fulfillment)
        .where(Fulfillment.tenant_id == tenant_id, Fulfillment.order_id == order_id)
        .order_by(Fulfillment.released_at, Fulfillment.id)
        .execution_options(populate_existing=True)
    )
    return list(rows)


def lock_shipment(session: Session, tenant_id: str, shipment_id: str) -> tuple[Order, Shipment]:
    """A shipment and its order, the order first. Raises ``NotFound``."""
    order_id = session.scalar(
        select(Shipment.order_id).where(Shipment.tenant_id == tenant_id, Shipment.id == shipment_id)
    )
    if order_id is None:
        raise NotFound("There is no such shipment.")
    order = orders.lock(session, tenant_id, order_id)
    shipment = session.get_one(Shipment, (tenant_id, shipment_id), with_for_update=True, populate_existing=True)
    return order, shipment


def way_of_parcel(session: Session, order: Order, shipment: Shipment) -> Mapping[str, Any]:
    """The option by which a parcel goes."""
    made = shipment.fulfillment_id
    found = session.get(Fulfillment, (order.tenant_id, made)) if made else None
    return found.way if found is not None and found.way is not None else order.fulfillment


def touch(row: Fulfillment) -> None:
    """It changed: its version says so."""
    row.updated_at = clock.now()
    row.version += 1


def _status(work: Work, resting: FulfillmentStatus | None) -> FulfillmentStatus:
    rows = work.lines.values()
    left, sent = sum(line.open for line in rows), sum(line.shipped for line in rows)
    if not left:
        return FulfillmentStatus.SHIPPED if sent else FulfillmentStatus.CANCELED
    if any(line.cancel_requested for line in rows):
        return FulfillmentStatus.CANCEL_REQUESTED
    if resting is not None:
        return resting
    if sent:
        return FulfillmentStatus.PARTIALLY_SHIPPED
    return FulfillmentStatus.ACCEPTED if work.fulfillment.accepted_at else FulfillmentStatus.RELEASED
