"""What people do meanwhile: buyers order and call off, the merchant buys in and counts, staff put right and retry."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from engine.sync import connections, exceptions
from engine.sync.models import Connection, ConnectionStatus
from engine.sync.sandbox import emitting
from engine.sync.sandbox.merchants import _key_pair
from engine.sync.sandbox.netsuite import sales
from engine.sync.sandbox.presets import THIRD_PARTY, basket, read_goods
from engine.sync.sandbox.shopify import changing
from engine.sync.sandbox.shopify.state import Order

if TYPE_CHECKING:
    from tests.chaos.stage import Stage

MOST_RETRIES: Final = 3
LOOKS_EVERY: Final = 60.0
GIVEN_BACK: Final = "5.00"


@dataclass
class People:
    scene: Stage
    secrets: dict[str, dict[str, str]] = field(default_factory=dict)
    """Connection's system → what it was given last."""
    number: int = 0
    """Of the next buyer."""
    _since: float = 0.0
    _canceled_ours: bool = False
    refunded: Order | None = None

    def begin(self) -> None:
        """Orders in the shop, the first canceled before anybody hears of it; two of ours; a purchase on its way."""
        scene = self.scene
        for _ in range(3):
            self._order()
        emitting.cancel_order(scene.world, scene.merchant, next(iter(scene.merchant.shop.state.orders.values())).name)
        scene.ours.sell(2)
        scene.ours.sell(1)
        goods = [one.number for one in scene.merchant.house.items.values() if one.on_hand >= 10][:2]
        emitting.purchase(scene.world, scene.merchant, lines=[(sku, 5) for sku in goods], location=THIRD_PARTY)
        emitting.transfer(scene.world, scene.merchant, lines=[(goods[0], 2)], source="CMH", target=THIRD_PARTY)

    def happen(self, number: int) -> None:
        """The story of a round."""
        scene = self.scene
        if number == 1:
            emitting.cancel_order(scene.world, scene.merchant, self._order().name)
        if number == 2:
            sku = next(one.sku for one in scene.merchant.shop.state.variants.values() if one.levels)
            emitting.change_product(scene.world, scene.merchant, sku=sku, price=12_300)
            emitting.count_stock(scene.world, scene.merchant, sku=sku, location=THIRD_PARTY, by=3)
            self._order()
        if number == 3:
            emitting.sell_over_counter(scene.world, scene.merchant, sku="TH-FELL1-ORG", quantity=1)
        self._call_off()
        self._give_back()

    def let_in(self, seconds: float) -> None:
        """Whoever is refused gets good secrets, and clocks are set right, within a minute."""
        scene = self.scene
        self._since += seconds
        if self._since < LOOKS_EVERY:
            return
        self._since = 0.0
        with scene.runtime.unit_of_work(scene.tenant.id) as session:
            for row in connections.listed(session, scene.tenant.id):
                fresh = self._fresh(row)
                if fresh and fresh != self.secrets.get(row.system):
                    self.secrets[row.system] = fresh
                    given: dict[str, Any] = {"actor": "person", "secrets_given": fresh}
                    connections.rotate(session, scene.runtime, scene.tenant.id, row.id, **given)
                elif row.status == ConnectionStatus.AUTH_EXPIRED:
                    scene.world.ground.skews.clear()
                    connections.resume(session, scene.tenant.id, row.id, actor="person")

    def retry_what_stopped(self) -> None:
        scene = self.scene
        with scene.runtime.unit_of_work(scene.tenant.id) as session:
            for row in exceptions.listed(session, scene.tenant.id, limit=200).items:
                if row.retries < MOST_RETRIES:
                    exceptions.retry(session, scene.tenant.id, row.id, actor="person")

    def _order(self) -> Order:
        scene = self.scene
        placed = emitting.place_order(scene.world, scene.merchant, basket(scene.merchant, read_goods(), self.number))
        self.number += 1
        return placed

    def _call_off(self) -> None:
        """The warehouse calls one order of the shop's off; our shopper cancels one, and staff have that called off."""
        scene = self.scene
        for order in list(scene.merchant.house.orders.values()):
            platform = not any(order.number.startswith(number) for number in scene.ours.wanted())
            if (
                not scene.called_off
                and platform
                and emitting.cancel_at_warehouse(scene.world, scene.merchant, order.number)
            ):
                scene.called_off.add(order.number)
        if not self._canceled_ours:
            self._canceled_ours = scene.ours.call_off(scene.ours.desks[1])
        for number in scene.ours.asked():
            emitting.cancel_at_warehouse(scene.world, scene.merchant, number)

    def _give_back(self) -> None:
        """Some money of an order that was paid in full in the ERP."""
        scene = self.scene
        bills = {
            str(one.fields.get("otherRefNum", ""))
            for one in list(scene.merchant.account.kind("invoice").values())
            if sales.remaining(one) <= 0
        }
        found = next((one for one in scene.merchant.shop.state.orders.values() if one.name in bills), None)
        if self.refunded is not None or found is None:
            return
        self.refunded = found
        money = {"orderId": found.gid, "kind": "REFUND", "gateway": "bogus", "amount": GIVEN_BACK}
        with scene.world.ground.lock:
            scene.merchant.shop.begin_act()
            changing.refund_create(scene.merchant.shop, {"input": {"orderId": found.gid, "transactions": [money]}})

    def _fresh(self, row: Connection) -> dict[str, str]:
        """What the system takes now, where it is known to take something else than in the beginning."""
        merchant = self.scene.merchant
        known, state = merchant.credentials, merchant.shop.state
        match row.system:
            case "shopify":
                first = (known.shopify_access_token, known.shopify_client_secret)
                changed = (state.access_token, state.client_secret) != first
                return {"access_token": state.access_token, "webhook_secret": state.client_secret} if changed else {}
            case "dcl":
                return {"password": merchant.house.password} if merchant.house.password != known.dcl_password else {}
            case "netsuite":
                return self._certified()
        return {}

    def _certified(self) -> dict[str, str]:
        """A new key, where the ERP knows none of ours any more."""
        keys, known = self.scene.merchant.account.keys, self.scene.merchant.credentials
        if not keys.certificates:
            private, public = _key_pair(self.scene.world.ground.rng)
            keys.certificates = {known.netsuite_certificate_id: public}
            return {"private_key": private.strip()}
        return {}
