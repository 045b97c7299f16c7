"""Giving stock that came in to the orders that wait for it, first come, first served."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager

from sqlalchemy.orm import Session

from engine.inventory import service as inventory
from engine.inventory.service import Filled
from engine.kit import audit, outbox
from engine.orders import service
from engine.orders.models import Order
from engine.runtime import Runtime

_BATCH = 50


def on_stock(session: Session, tenant_id: str, variant_ids: Collection[str]) -> list[Filled]:
    """Allocate what there is of these variants (and of bundles with one of them) to who waits longest.

    The orders are locked first, by id. What was only authorized is captured when the goods are released.
    """
    return _allocate(session, tenant_id, variant_ids, _lock_waiting(session, tenant_id, variant_ids))


@contextmanager
def arriving(session: Session, tenant_id: str, variant_ids: Collection[str]) -> Iterator[None]:
    """Stock that comes in within the block goes to who waits for it, in the same transaction: no newer sale is faster.

    Who waits is locked before the stock is, as everywhere.
    """
    orders = _lock_waiting(session, tenant_id, variant_ids)
    yield
    _allocate(session, tenant_id, variant_ids, orders)


def fill_backorders(runtime: Runtime, tenant_id: str) -> int:
    """The job: allocate whatever somebody waits for and is there; returns how many units found their order."""
    with runtime.unit_of_work(tenant_id) as session:
        variants = inventory.fillable(session, tenant_id)[:_BATCH]
        return sum(one.units for one in on_stock(session, tenant_id, variants)) if variants else 0


def _lock_waiting(session: Session, tenant_id: str, variant_ids: Collection[str]) -> dict[str, Order]:
    waiting = inventory.waiting_orders(session, tenant_id, variant_ids)
    return {order_id: service.lock(session, tenant_id, order_id) for order_id in waiting}


def _allocate(
    session: Session, tenant_id: str, variant_ids: Collection[str], orders: Mapping[str, Order]
) -> list[Filled]:
    if not orders:
        return []
    filled = inventory.allocate_backorders(session, tenant_id, variant_ids, order_ids=list(orders))
    for order_id in sorted({one.order_id for one in filled}):
        _raise_lines(session, orders[order_id], [one for one in filled if one.order_id == order_id])
    return filled


def _raise_lines(session: Session, order: Order, filled: list[Filled]) -> None:
    lines = {line.id: line for line in service.lines_of(session, order)}
    for one in filled:
        lines[one.order_line_id].allocated += one.units
    service.touch(order)
    units = sum(one.units for one in filled)
    facts = {"units": units, "lines": sorted({one.order_line_id for one in filled})}
    audit.record(session, order.tenant_id, actor="system", action="order.allocated", subject=order.id, facts=facts)
    outbox.emit(session, order.tenant_id, "order.allocated", order.id, {"units": units, "thread_id": order.thread_id})
