"""Units that arrived and break, for tests: deliver, register, claim, decide."""

from __future__ import annotations

from typing import Any

from sqlalchemy import select

from engine import jobs
from engine.catalog.models import Product
from engine.kit.policies import change_policy
from engine.kit.tenancy import Tenant
from engine.orders.models import Order
from engine.payments.models import Refund
from engine.warranties import claiming, deciding, registering, resolving
from engine.warranties.models import Claim, Resolution, Warranty
from engine.warranties.policy import WarrantiesPolicy
from tests.engine.orders.desk import Desk, buy
from tests.engine.returns.coming import deliver
from tests.shop import Shop

REPAIR, REPLACEMENT, REFUND = Resolution.REPAIR, Resolution.REPLACEMENT, Resolution.REFUND


def rule(shop: Shop, **values: Any) -> None:
    with shop.uow() as session:
        change_policy(session.get_one(Tenant, shop.tenant.id), WarrantiesPolicy, values)


def product(shop: Shop, **values: Any) -> None:
    """Facts of every product of the shop."""
    with shop.uow() as session:
        for one in session.scalars(select(Product).where(Product.tenant_id == shop.tenant.id)):
            for name, value in values.items():
                setattr(one, name, value)


def delivered(shop: Shop, quantity: int = 1, *, days_ago: int = 0, months: int = 12, **item: Any) -> Desk:
    """An order whose units arrived and have their warranties."""
    shop.add("A", **item)
    product(shop, warranty_months=months)
    desk = buy(shop, "A", quantity)
    deliver(desk, days_ago=days_ago)
    hear(desk)
    return desk


def hear(desk: Desk) -> None:
    registering.hear_orders(desk.shop.runtime, desk.shop.tenant.id)


def housework(desk: Desk) -> None:
    jobs.keep_house(desk.shop.runtime, desk.shop.tenant.id, minutely=True, hourly=True)


def warranties(desk: Desk) -> list[Warranty]:
    with desk.shop.uow() as session:
        return list(session.scalars(select(Warranty).order_by(Warranty.created_at, Warranty.unit)))


def states(desk: Desk) -> list[str]:
    return [str(one.status) for one in warranties(desk)]


def claim(desk: Desk, place: int = 0, *, symptom: str = "defective_part", **more: Any) -> str:
    found = warranties(desk)[place].id
    with desk.shop.uow() as session:
        return claiming.submit(session, desk.buyer, found, symptom=symptom, description="The handle broke.", **more).id


def look(desk: Desk, claim_id: str) -> Claim:
    with desk.shop.uow() as session:
        return session.get_one(Claim, (desk.shop.tenant.id, claim_id))


def review(desk: Desk, claim_id: str) -> None:
    with desk.shop.uow() as session:
        deciding.review(session, desk.shop.tenant.id, claim_id, actor="key_staff")


def approve(desk: Desk, claim_id: str, *offers: Resolution, carry: bool = True, **more: Any) -> Claim:
    with desk.shop.uow() as session:
        deciding.approve(session, desk.shop.tenant.id, claim_id, offers=offers, actor="key_staff", **more)
    return carry_out(desk, claim_id) if carry else look(desk, claim_id)


def grant(desk: Desk, *offers: Resolution, place: int = 0, carry: bool = True, **more: Any) -> Claim:
    """Claim, take up, approve."""
    made = claim(desk, place)
    review(desk, made)
    return approve(desk, made, *offers, carry=carry, **more)


def carry_out(desk: Desk, claim_id: str) -> Claim:
    return resolving.carry_out(desk.shop.runtime, desk.shop.tenant.id, claim_id)


def choose(desk: Desk, claim_id: str, resolution: Resolution) -> Claim:
    with desk.shop.uow() as session:
        claiming.choose(session, desk.buyer, claim_id, resolution=resolution, channel="test")
    return carry_out(desk, claim_id)


def receive(desk: Desk, claim_id: str) -> Claim:
    with desk.shop.uow() as session:
        resolving.receive(session, desk.shop.tenant.id, claim_id, actor="key_staff")
    return carry_out(desk, claim_id)


def replacements(desk: Desk) -> list[str]:
    with desk.shop.uow() as session:
        query = select(Order.id).where(Order.tenant_id == desk.shop.tenant.id, Order.origin.is_not(None))
        return list(session.scalars(query.order_by(Order.id)))


def refunds(desk: Desk) -> list[tuple[int, int, str]]:
    """(amount, tax, status), oldest first."""
    with desk.shop.uow() as session:
        query = select(Refund.amount, Refund.tax, Refund.status).where(Refund.tenant_id == desk.shop.tenant.id)
        return [(row.amount, row.tax, str(row.status)) for row in session.execute(query.order_by(Refund.created_at))]
