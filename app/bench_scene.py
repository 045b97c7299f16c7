"""What benchmarks are made of: a shop with plenty of everything, and buyers as different as buyers are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from random import Random
from typing import Any, Final

import psycopg
from sqlalchemy import select

from app.boot import House
from engine.carts import service as carts
from engine.catalog.models import Product, Variant
from engine.checkout import confirmation, service
from engine.checkout.complete import Result, complete
from engine.customers import service as customers
from engine.db import Addresses, Store
from engine.inventory.models import Location, MovementKind
from engine.inventory.service import Allocation, receive
from engine.kit.identity import Identity
from engine.orders.schemas import OrderView
from engine.policies import set_policy
from engine.runtime import Runtime

SIZES: Final = "1 to 3 lines (7:2:1) of 1 or 2 units, of 300 variants by popularity (Zipf), to 8 states"
_VARIANTS: Final = 300
_PLENTY: Final = 10**12
_PLACES: Final = (
    ("Portland", "OR", "97204"), ("Seattle", "WA", "98101"), ("San Diego", "CA", "92101"), ("Austin", "TX", "78701"),
    ("Buffalo", "NY", "14201"), ("Chicago", "IL", "60601"), ("Denver", "CO", "80202"), ("Atlanta", "GA", "30301"),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Scene:
    """A running engine, its first shop, and what is bought there, the most popular first."""

    house: House
    tenant_id: str
    variants: tuple[str, ...]
    random: Random

    @property
    def runtime(self) -> Runtime:
        return self.house.runtime

    def uow(self) -> Any:
        return self.runtime.unit_of_work(self.tenant_id)

    def buyer(self) -> Identity:
        with self.uow() as session:
            return customers.new_shopper(session, self.tenant_id)

    def basket(self) -> dict[str, int]:
        """Variant → quantity of one realistic purchase."""
        lines = self.random.choices((1, 2, 3), (7, 2, 1))[0]
        weights = list(accumulate(1 / rank for rank in range(1, len(self.variants) + 1)))
        picked = self.random.choices(self.variants, cum_weights=weights, k=lines)
        return {variant: self.random.choice((1, 1, 1, 2)) for variant in picked}

    def ready(self, basket: Mapping[str, int] | None = None) -> Identity:
        """A buyer with a checkout in which everything is said."""
        buyer = self.buyer()
        with self.uow() as session:
            for variant, quantity in (basket or self.basket()).items():
                carts.add(session, buyer, variant, quantity=quantity, options={})
            service.update(session, buyer, _details(self.random))
        return buyer

    def approved(self, basket: Mapping[str, int] | None = None) -> tuple[Identity, str]:
        """A buyer and the payment card they have just approved."""
        buyer = self.ready(basket)
        card = confirmation.request(self.runtime, buyer, thread_id=None)
        with self.uow() as session:
            confirmation.decide(session, buyer, card.id, approved=True, channel="bench")
        return buyer, card.id

    def paid(self, basket: Mapping[str, int] | None = None) -> OrderView:
        """An order just paid."""
        done = complete(self.runtime, *self.approved(basket))
        if done.result != Result.PAID or done.order is None:
            raise RuntimeError(f"the benchmark's purchase ended as {done.result}: {done.message}")
        return done.order


def set_scene(house: House, tenant_id: str, *, seed: int) -> Scene:
    """The scene of one process."""
    with house.runtime.unit_of_work(tenant_id) as session:
        rows = session.scalars(
            select(Variant.id)
            .join(Product, (Product.tenant_id == Variant.tenant_id) & (Product.id == Variant.product_id))
            .where(Variant.tenant_id == tenant_id, Variant.sellable, Product.restrictions == [])
            .order_by(Variant.sku)
            .limit(_VARIANTS)
        )
        return Scene(house, tenant_id, tuple(rows), Random(seed))  # noqa: S311 (no secret)


def stock_up(scene: Scene, units: int) -> None:
    """``units`` of each of the scene's variants at each place that ships."""
    fill_shelves(scene.runtime.store, scene.tenant_id, scene.variants, units)


def fill_shelves(store: Store, tenant_id: str, items: Sequence[str], units: int) -> None:
    """The same of any items."""
    with store.unit_of_work(tenant_id) as session:
        ships = select(Location.id).where(Location.tenant_id == tenant_id, Location.ships)
        parts = [Allocation(item, place, units) for place in session.scalars(ships) for item in items]
        receive(session, tenant_id, parts, kind=MovementKind.RECEIPT, subject="bench")


def lift_limits(scene: Scene) -> None:
    """Staff may give back whatever was paid: a benchmark asks nobody for a yes."""
    limits = [f"refund_limit_per_{one}" for one in ("order", "customer_day", "person_day", "day")]
    with scene.uow() as session:
        set_policy(session, scene.tenant_id, "payments", dict.fromkeys(limits), actor="bench")
        set_policy(session, scene.tenant_id, "orders", {"staff_refund_limit": None}, actor="bench")
        lifted = dict.fromkeys(("adjust_limit_units", "adjust_limit_value"), _PLENTY)
        set_policy(session, scene.tenant_id, "inventory", lifted, actor="bench")


def settle_down(addresses: Addresses) -> None:
    """Bring the tables into the state that autovacuum leaves within minutes of their filling."""
    if addresses.owner:
        with psycopg.connect(addresses.owner, autocommit=True) as owner:
            owner.execute("VACUUM (ANALYZE)")


def _details(random: Random) -> service.Details:
    city, state, postal_code = random.choice(_PLACES)
    number = random.randrange(1, 999)
    return service.Details(
        name=f"Buyer {number}",
        email=f"buyer{number}@example.com",
        line_one=f"{number} Pine St",
        city=city,
        state=state,
        postal_code=postal_code,
        country="US",
    )
