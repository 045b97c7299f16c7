"""Our own shop beside the platform's: its orders go through the same workflows, and one is called off on the way."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Final

from sqlalchemy import select

from engine import jobs
from engine.fulfillment.models import Fulfillment, FulfillmentStatus
from engine.fulfillment.release import release_due
from engine.inventory.models import Location
from engine.kit.tenancy import Tenant
from engine.orders.models import Order, OrderLine, Shipment
from engine.payments.models import Alert
from engine.runtime import Runtime
from engine.sync.alerts import ASK_WAREHOUSE
from engine.sync.sandbox.netsuite.state import AccountState
from engine.sync.sandbox.presets import THIRD_PARTY
from tests.engine.orders.desk import Desk, buy
from tests.shop import open_shop

SKU: Final = "TH-FELL1-ORG"


@dataclass
class Ours:
    runtime: Runtime
    tenant: Tenant
    desks: list[Desk] = field(default_factory=list)

    def open(self) -> None:
        """A place that the 3PL runs, and one thing to sell."""
        shop = open_shop(self.runtime, self.tenant)
        with shop.uow() as session:
            session.get_one(Location, (self.tenant.id, shop.locations["EAST"])).code = THIRD_PARTY
        shop.locations[THIRD_PARTY] = shop.locations["EAST"]
        shop.add(SKU, price=24_900, stock={THIRD_PARTY: 20})
        self._shop = shop

    def sell(self, units: int) -> None:
        self.desks.append(buy(self._shop, SKU, units))

    def goes_on(self) -> None:
        """What our shop does by itself every few seconds."""
        release_due(self.runtime, self.tenant.id)
        jobs.begin_runs(self.runtime, self.tenant.id)

    def call_off(self, desk: Desk) -> bool:
        """The shopper cancels what the warehouse has; whether it is there already."""
        if self._at(FulfillmentStatus.ACCEPTED, desk.order_id) is None:
            return False
        desk.do("cancel", reason="other")
        return True

    def asked(self) -> list[str]:
        """What the warehouse calls those of which a person is asked to have them called off there."""
        query = select(Alert.facts).where(
            Alert.tenant_id == self.tenant.id, Alert.kind == ASK_WAREHOUSE, Alert.resolved_at.is_(None)
        )
        with self.runtime.unit_of_work(self.tenant.id) as session:
            return [str(facts["number"]) for facts in session.scalars(query)]

    def wanted(self) -> dict[str, int]:
        """Number → units that were not canceled."""
        query = (
            select(Order.number, OrderLine.ordered, OrderLine.canceled)
            .join(OrderLine, (OrderLine.tenant_id == Order.tenant_id) & (OrderLine.order_id == Order.id))
            .where(Order.tenant_id == self.tenant.id)
        )
        found: Counter[str] = Counter()
        with self.runtime.unit_of_work(self.tenant.id) as session:
            for number, ordered, canceled in session.execute(query):
                found[number] += ordered - canceled
        return dict(found)

    def unknown_to(self, account: AccountState) -> Counter[str]:
        """SKU → units promised of which the ERP has no order."""
        known = {one.external_id for one in account.kind("salesOrder").values()}
        return Counter({SKU: sum(n for number, n in self.wanted().items() if f"IC-{number}" not in known)})

    def tracking(self) -> Counter[str]:
        with self.runtime.unit_of_work(self.tenant.id) as session:
            query = select(Shipment.tracking_number).where(Shipment.tenant_id == self.tenant.id)
            return Counter(session.scalars(query))

    def _at(self, status: FulfillmentStatus, order_id: str) -> str | None:
        query = select(Fulfillment.id).where(
            Fulfillment.tenant_id == self.tenant.id, Fulfillment.order_id == order_id, Fulfillment.status == status
        )
        with self.runtime.unit_of_work(self.tenant.id) as session:
            return session.scalar(query)
