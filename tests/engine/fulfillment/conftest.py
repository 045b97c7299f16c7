"""A shop with orders on their way."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
from sqlalchemy import select

from engine.checkout.complete import complete
from engine.checks import check_tenant
from engine.finance import service as finance
from engine.fulfillment.models import Fulfillment, FulfillmentLine
from engine.fulfillment.release import release
from engine.kit import policies
from engine.kit.tenancy import Tenant
from engine.orders.models import Order, OrderLine, Shipment
from engine.payments.models import Alert
from tests.shop import Shop


@dataclass
class Warehouse:
    """Orders of one shop and what became of them."""

    shop: Shop

    @property
    def tenant_id(self) -> str:
        return self.shop.tenant.id

    def buy(self, **units: int) -> str:
        """A paid order of these SKUs; its id."""
        buyer = self.shop.shopper()
        for sku, quantity in list(units.items())[:-1]:
            self.shop.fill(buyer, sku, quantity)
        last, quantity = list(units.items())[-1]
        done = complete(self.shop.runtime, buyer, self.shop.approved(buyer, last, quantity))
        assert done.order is not None, done
        return done.order.id

    def release(self, order_id: str) -> list[str]:
        with self.shop.uow() as session:
            return [one.id for one in release(session, self.tenant_id, order_id)]

    def order(self, order_id: str) -> Order:
        return self._get(Order, order_id)

    def work(self, fulfillment_id: str) -> Fulfillment:
        return self._get(Fulfillment, fulfillment_id)

    def shipment(self, shipment_id: str) -> Shipment:
        return self._get(Shipment, shipment_id)

    def lines(self, order_id: str) -> dict[str, OrderLine]:
        """By SKU."""
        with self.shop.uow() as session:
            query = select(OrderLine).where(OrderLine.order_id == order_id).order_by(OrderLine.position)
            rows = session.scalars(query).all()
        return {row.sku: row for row in rows}

    def work_lines(self, fulfillment_id: str) -> list[FulfillmentLine]:
        query = select(FulfillmentLine).where(FulfillmentLine.fulfillment_id == fulfillment_id)
        with self.shop.uow() as session:
            return list(session.scalars(query))

    def shipments(self, order_id: str) -> list[Shipment]:
        with self.shop.uow() as session:
            return list(session.scalars(select(Shipment).where(Shipment.order_id == order_id).order_by(Shipment.id)))

    def alerts(self, *, resolved: bool = False) -> list[str]:
        with self.shop.uow() as session:
            query = select(Alert.kind).where(
                Alert.resolved_at.is_not(None) if resolved else Alert.resolved_at.is_(None)
            )
            return sorted(session.scalars(query))

    def books(self) -> dict[str, int]:
        """Balances that are not zero."""
        with self.shop.uow() as session:
            return {k: v for k, v in finance.balances(session, self.tenant_id).items() if v}

    def policy(self, kind: type[policies.Policy], **values: Any) -> None:
        with self.shop.runtime.store.without_tenant() as session:
            policies.change_policy(session.get_one(Tenant, self.tenant_id), kind, values)

    def broken(self) -> list[str]:
        """Names and details of the standing invariants that do not hold."""
        found = check_tenant(self.shop.runtime, self.tenant_id, self.shop.tenant.slug)
        return [f"{one.name}: {one.detail}" for one in found if not one.ok]

    def _get(self, model: type[Any], row_id: str) -> Any:
        with self.shop.uow() as session:
            return session.get_one(model, (self.tenant_id, row_id))


@pytest.fixture
def warehouse(shop: Shop) -> Warehouse:
    return Warehouse(shop)


@pytest.fixture
def placed(warehouse: Warehouse) -> Callable[..., Any]:
    """An order of three of A (10 in EAST, 2 in WEST) and one of B (WEST alone), released."""

    def make() -> tuple[str, list[str]]:
        warehouse.shop.add("A", price=5000, stock={"EAST": 10, "WEST": 2})
        warehouse.shop.add("B", price=1999, stock={"WEST": 4})
        order_id = warehouse.buy(A=3, B=1)
        return order_id, warehouse.release(order_id)

    return make
