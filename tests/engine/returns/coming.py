"""Goods that arrived and go back, for tests: deliver an order, ask for a return, let parcels come."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from sqlalchemy import select

from engine.fulfillment import release, tracking
from engine.fulfillment.carriers import TrackingEvent
from engine.fulfillment.models import Fulfillment
from engine.fulfillment.shipments import ship
from engine.kit import clock
from engine.kit.ids import new_id
from engine.kit.policies import change_policy
from engine.kit.tenancy import Tenant
from engine.orders.changes.schemas import ChangeView
from engine.orders.models import OrderLine, Shipment, ShipmentStatus
from engine.payments import refunds
from engine.returns import arriving
from engine.returns.arriving import Finding, Stray
from engine.returns.models import Disposition, Return, ReturnLine
from engine.returns.policy import ReturnsPolicy
from tests.engine.orders.desk import Desk
from tests.shop import Shop


def rule(shop: Shop, **values: Any) -> None:
    with shop.uow() as session:
        change_policy(session.get_one(Tenant, shop.tenant.id), ReturnsPolicy, values)


def deliver(desk: Desk, *, days_ago: int = 0) -> None:
    """Everything that has stock is released, sent and delivered."""
    tenant_id = desk.shop.tenant.id
    release.release_now(desk.shop.runtime, tenant_id, desk.order_id)
    with desk.shop.uow() as session:
        work = session.scalars(
            select(Fulfillment.id).where(Fulfillment.order_id == desk.order_id, Fulfillment.status == "released")
        ).all()
        sent = [ship(session, tenant_id, one).id for one in work]
    at = clock.now() - timedelta(days=days_ago)
    for shipment_id in sent:
        arrive(desk, shipment_id, at=at)


def arrive(desk: Desk, shipment_id: str, *, at: Any = None) -> None:
    told = TrackingEvent(new_id("shipment"), at or clock.now(), ShipmentStatus.DELIVERED, "Delivered")
    with desk.shop.uow() as session:
        tracking.apply(session, desk.shop.tenant.id, shipment_id, [told])


def parcels(desk: Desk) -> list[str]:
    with desk.shop.uow() as session:
        return list(session.scalars(select(Shipment.id).where(Shipment.order_id == desk.order_id)))


def ask(desk: Desk, *lines: dict[str, Any] | tuple[str, int], **wanted: Any) -> ChangeView:
    return desk.ask("return", lines=[_line(desk, one) for one in lines], **wanted)


def send_back(desk: Desk, *lines: dict[str, Any] | tuple[str, int], **wanted: Any) -> ChangeView:
    """Ask and agree."""
    return desk.agree(ask(desk, *lines, **wanted))


def the_return(desk: Desk) -> Return:
    """The order's newest return."""
    with desk.shop.uow() as session:
        query = select(Return).where(Return.order_id == desk.order_id).order_by(Return.id.desc())
        return session.scalars(query).first() or _none()


def lines_of(desk: Desk, row: Return) -> list[ReturnLine]:
    with desk.shop.uow() as session:
        query = select(ReturnLine).where(ReturnLine.return_id == row.id).order_by(ReturnLine.position)
        return list(session.scalars(query))


def receive(desk: Desk, row: Return, *counts: int, strays: tuple[Stray, ...] = ()) -> None:
    """So many units of each line are here (without counts: all of them), and their money goes back."""
    lines = lines_of(desk, row)
    wanted = counts or tuple(line.quantity for line in lines)
    units = {line.id: count for line, count in zip(lines, wanted, strict=True) if count}
    with desk.shop.uow() as session:
        made = arriving.receive(session, row.tenant_id, row.id, units=units, strays=strays, actor="key_staff")
    pay(desk, made)


def inspect(desk: Desk, row: Return, *outcomes: dict[Disposition, int], rejected: tuple[int, ...] = ()) -> None:
    """What became of the units of each line (without outcomes: all of them back on the shelf)."""
    lines = lines_of(desk, row)
    told = outcomes or tuple({Disposition.RESTOCK: line.received - line.inspected} for line in lines)
    bad = rejected or (0,) * len(lines)
    found = [
        Finding(line.id, outcome, no)
        for line, outcome, no in zip(lines, told, bad, strict=True)
        if sum(outcome.values())
    ]
    with desk.shop.uow() as session:
        made = arriving.inspect(session, row.tenant_id, row.id, findings=found, actor="key_staff")
    pay(desk, made)


def pay(desk: Desk, refund_ids: tuple[str, ...]) -> None:
    for refund_id in refund_ids:
        refunds.execute(desk.shop.runtime, desk.shop.tenant.id, refund_id)


def returned(desk: Desk) -> dict[str, int]:
    """SKU → units that came back."""
    with desk.shop.uow() as session:
        rows = session.execute(select(OrderLine.sku, OrderLine.returned).where(OrderLine.order_id == desk.order_id))
        return {row.sku: row.returned for row in rows}


def _line(desk: Desk, one: dict[str, Any] | tuple[str, int]) -> dict[str, Any]:
    said: dict[str, Any] = {"sku": one[0], "quantity": one[1]} if isinstance(one, tuple) else dict(one)
    sku = said.pop("sku")
    if "exchange" in said:
        said["exchange_variant_id"] = desk.shop.variants[said.pop("exchange")]
    if "part" in said:
        said["component_variant_id"] = desk.shop.variants[said.pop("part")]
    return {"line_id": desk.line(sku).id, "reason": "changed_mind"} | said


def _none() -> Return:
    raise AssertionError("there is no return")
