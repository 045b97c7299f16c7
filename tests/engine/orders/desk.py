"""An order desk for tests: buy, ask for a change, agree to it, look at what is left."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy import func, select

from engine.catalog.models import Variant
from engine.checkout.complete import complete
from engine.checks import check_tenant
from engine.checks.rule import CheckResult
from engine.finance import service as finance
from engine.inventory.models import MovementKind, StockLevel
from engine.inventory.service import Allocation, receive
from engine.kit.identity import Actor, Identity, Scope
from engine.kit.ids import new_id
from engine.kit.policies import Policy, change_policy
from engine.kit.tenancy import Tenant
from engine.orders import queries
from engine.orders.changes import apply
from engine.orders.changes.propose import propose
from engine.orders.changes.schemas import ChangeView
from engine.orders.changes.wanted import read
from engine.orders.models import Order, OrderAdjustment, OrderChange, OrderLine
from engine.orders.policy import OrdersPolicy
from engine.orders.schemas import OrderView
from engine.payments.models import Payment, Refund
from tests.shop import Shop

CHANGE_TABLES = (OrderLine, OrderAdjustment, Payment, Refund)


@dataclass
class Desk:
    """One shop, one buyer, one order."""

    shop: Shop
    buyer: Identity
    order_id: str

    @property
    def staff(self) -> Identity:
        return staff(self.shop)

    def ask(self, kind: str, *, by: Identity | None = None, **wanted: Any) -> ChangeView:
        return propose(self.shop.runtime, by or self.buyer, self.order_id, read({"kind": kind} | wanted))

    def agree(self, change: ChangeView, *, approved: bool = True) -> ChangeView:
        return apply.confirm(self.shop.runtime, self.buyer, self.order_id, change.id, approved=approved, channel="test")

    def do(self, kind: str, **wanted: Any) -> ChangeView:
        return self.agree(self.ask(kind, **wanted))

    def look(self) -> OrderView:
        with self.shop.uow() as session:
            return queries.own_order(session, self.staff, self.order_id)

    def line(self, sku: str) -> Any:
        return next(line for line in self.look().lines if line.sku == sku)

    def balances(self) -> dict[str, int]:
        with self.shop.uow() as session:
            return {key: amount for key, amount in finance.balances(session, self.shop.tenant.id).items() if amount}

    def rows(self) -> tuple[Any, ...]:
        """Everything that a refusal must leave as it was."""
        with self.shop.uow() as session:
            order = session.get_one(Order, (self.shop.tenant.id, self.order_id))
            counts = [session.scalar(select(func.count()).select_from(table)) for table in CHANGE_TABLES]
            lines = session.execute(select(OrderLine.sku, OrderLine.ordered, OrderLine.canceled, OrderLine.allocated))
            return order.version, order.status, *counts, *sorted(lines.all())


def staff(shop: Shop) -> Identity:
    return Identity(shop.tenant.id, Actor.API_KEY, "key_staff", scopes=frozenset({Scope.STAFF}))


def buy(shop: Shop, sku: str, quantity: int = 1, *more: str, card: str = "card_test_visa") -> Desk:
    """A paid order of ``quantity`` of one item and one each of the others."""
    buyer = shop.shopper()
    for one in more:
        shop.fill(buyer, one)
    done = complete(shop.runtime, buyer, shop.approved(buyer, sku, quantity, card=card))
    assert done.order is not None
    return Desk(shop, buyer, done.order.id)


def sibling(shop: Shop, of: str, sku: str, *, price: int, units: int = 10, where: str = "EAST") -> str:
    """Another variant of the same product; returns its id."""
    with shop.uow() as session:
        first = session.get_one(Variant, (shop.tenant.id, shop.variants[of]))
        variant = Variant(
            tenant_id=shop.tenant.id, id=new_id("variant"), product_id=first.product_id, sku=sku, title=first.title,
            options={"kind": sku}, price=price, cost=price // 2, weight_g=500, length_mm=10, width_mm=10, height_mm=10,
        )  # fmt: skip
        session.add(variant)
        session.flush()
        if units:
            here = [Allocation(variant.id, shop.locations[where], units)]
            receive(session, shop.tenant.id, here, kind=MovementKind.RECEIPT, subject="test")
        shop.variants[sku] = variant.id
    return variant.id


def rule(shop: Shop, **values: Any) -> None:
    with shop.uow() as session:
        change_policy(session.get_one(Tenant, shop.tenant.id), OrdersPolicy, values)


def limit(desk: Desk, kind: type[Policy], **values: Any) -> None:
    with desk.shop.uow() as session:
        change_policy(session.get_one(Tenant, desk.shop.tenant.id), kind, values)


def stock(shop: Shop, sku: str) -> tuple[int, int]:
    """On hand and reserved over all locations."""
    with shop.uow() as session:
        row = session.execute(
            select(func.sum(StockLevel.on_hand), func.sum(StockLevel.reserved)).where(
                StockLevel.tenant_id == shop.tenant.id, StockLevel.variant_id == shop.variants[sku]
            )
        ).one()
    return int(row[0] or 0), int(row[1] or 0)


def held(shop: Shop) -> int:
    """What the gateway keeps of this shop's charges."""
    books = shop.runtime.gateways["sandbox"].standings(merchant=shop.tenant.id)
    return sum(one.net for one in books.values())


def broken(shop: Shop) -> list[CheckResult]:
    return [result for result in check_tenant(shop.runtime, shop.tenant.id, shop.tenant.slug) if not result.ok]


def changes(shop: Shop) -> list[str]:
    """The states of the shop's changes, oldest first."""
    with shop.uow() as session:
        return list(session.scalars(select(OrderChange.status).order_by(OrderChange.created_at)))
