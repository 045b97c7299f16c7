"""What a storm rages in: one shop of twenty items, opened anew by each process."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from random import Random
from typing import Any, Final

from sqlalchemy import ColumnElement, select, update
from sqlalchemy.orm import InstrumentedAttribute

from engine.carts.models import Discount
from engine.catalog.models import Variant
from engine.catalog.search import CatalogSearch
from engine.db import Addresses, Store
from engine.inventory.models import Location, MovementKind
from engine.inventory.service import Allocation, receive
from engine.kit import clock
from engine.kit.errors import NotFound
from engine.kit.identity import Actor, Identity, Scope
from engine.kit.ids import new_id
from engine.kit.tenancy import Tenant
from engine.migrate import load_models
from engine.payments.gateways.sandbox.gateway import SandboxGateway
from engine.runtime import Runtime
from tests.shop import Shop, open_shop

ITEMS = 20
CODES = ("TENTH", "FIVER", "RARE")
_DISCOUNTS: Final[tuple[dict[str, Any], ...]] = (
    {"code": "TENTH", "title": "A tenth off", "percent_off": 10},
    {"code": "FIVER", "title": "Five off", "amount_off": 500, "minimum": 1000},
    {"code": "RARE", "title": "A third off, a few times", "percent_off": 33, "usage_limit": 12},
)
PLACES = ("EAST", "WEST")


@dataclass(frozen=True)
class World:
    """The shop as one process sees it, and the dice of one of its threads."""

    shop: Shop
    dice: Random

    @property
    def runtime(self) -> Runtime:
        return self.shop.runtime

    @property
    def tenant_id(self) -> str:
        return self.shop.tenant.id

    def items(self, most: int = 3) -> list[str]:
        """A few different items of the shop, by SKU."""
        return self.dice.sample(sorted(self.shop.variants), self.dice.randint(1, most))

    def ahead(self) -> str:
        """An item that sells before it is there."""
        return self.dice.choice([sku for sku in sorted(self.shop.variants) if sku.startswith("AHEAD")])

    def any_of(self, column: InstrumentedAttribute[str], condition: ColumnElement[bool]) -> str:
        """Some row's id. Raises ``NotFound`` when there is none."""
        with self.shop.uow() as session:
            found = session.scalars(select(column).where(condition).order_by(column)).all()
        if not found:
            raise NotFound("There is none.")
        return self.dice.choice(found)

    def staff(self) -> Identity:
        return Identity(self.tenant_id, Actor.API_KEY, "key_storm", scopes=frozenset({Scope.ADMIN, Scope.STAFF}))


def make_shop(runtime: Runtime, seed: int, *, currency: str = "USD") -> Shop:
    """A fresh shop whose twenty items lie in two warehouses, some of them scarce."""
    dice, tenant_id = Random(seed), new_id("tenant")
    row = Tenant(
        id=tenant_id,
        slug=f"storm-{tenant_id[-12:]}",
        name="Storm",
        demo=True,
        currency=currency,
        country="US",
        settings={"order_prefix": "ST"},
    )
    with runtime.store.without_tenant() as session:
        session.add(row)
    shop = open_shop(runtime, row)
    for number in range(0, ITEMS, 2):
        first = shop.add(f"SKU-{number:02}", price=dice.randrange(500, 20_000, 5), stock=_stock(dice))
        _add_sister(shop, first, f"SKU-{number + 1:02}", dice)
    _add_ahead(shop, dice)
    with shop.uow() as session:
        session.add_all(Discount(tenant_id=tenant_id, id=new_id("discount"), **facts) for facts in _DISCOUNTS)
    return shop


def _add_ahead(shop: Shop, dice: Random) -> None:
    """Items that sell before they are there."""
    later = (clock.now() + timedelta(days=3)).date()
    for sku, how in (
        ("AHEAD-0", {"stock_policy": "backorder", "lead_days": 5, "backorder_limit": 40}),
        ("AHEAD-1", {"stock_policy": "backorder", "lead_days": 2}),
        ("AHEAD-2", {"stock_policy": "preorder", "available_on": later}),
    ):
        variant_id = shop.add(sku, price=dice.randrange(500, 20_000, 5), stock={"EAST": 2})
        with shop.uow() as session:
            session.execute(update(Variant).where(Variant.id == variant_id).values(**how))


def _stock(dice: Random) -> dict[str, int]:
    return {place: dice.choice((5, 20, 100)) for place in PLACES}


def _add_sister(shop: Shop, variant_id: str, sku: str, dice: Random) -> None:
    """A second variant of the same product, for swaps."""
    with shop.uow() as session:
        first = session.get_one(Variant, (shop.tenant.id, variant_id))
        kept = {column.key: getattr(first, column.key) for column in Variant.__mapper__.columns}
        price = dice.randrange(500, 20_000, 5)
        changed = {"id": new_id("variant"), "sku": sku, "price": price, "cost": price // 2, "position": 1}
        sister = Variant(**(kept | changed | {"options": {"size": "L"}}))
        session.add(sister)
        session.flush()
        parts = [Allocation(sister.id, shop.locations[place], units) for place, units in _stock(dice).items()]
        receive(session, shop.tenant.id, parts, kind=MovementKind.RECEIPT, subject="storm")
        shop.variants[sku] = sister.id


@contextmanager
def opened(addresses: Addresses) -> Iterator[Runtime]:
    """A runtime of this process's own."""
    load_models()
    gateway = SandboxGateway(addresses.sandbox, addresses.secret_key)
    store = Store(addresses.runtime, pool_size=6)
    try:
        yield Runtime(
            store=store,
            gateways={"sandbox": gateway},
            search=CatalogSearch(),
            secret_key=addresses.secret_key,
            demo=True,
            psp_url=lambda: "http://127.0.0.1:1",
        )
    finally:
        store.close()
        gateway.close()


def find_shop(runtime: Runtime, tenant_id: str) -> Shop:
    """The shop that another process made."""
    with runtime.store.without_tenant() as session:
        tenant = session.get_one(Tenant, tenant_id)
    with runtime.unit_of_work(tenant_id) as session:
        places = {row.code: row.id for row in session.scalars(select(Location))}
        variants = {row.sku: row.id for row in session.scalars(select(Variant))}
    return Shop(runtime, tenant, places, variants)


def bring_more(world: World) -> None:
    """A pallet for one item."""
    sku, place = world.items(1)[0], world.dice.choice(PLACES)
    parts = [Allocation(world.shop.variants[sku], world.shop.locations[place], world.dice.randint(1, 10))]
    with world.shop.uow() as session:
        receive(session, world.tenant_id, parts, kind=MovementKind.RECEIPT, subject="storm")


def as_text(addresses: Addresses) -> str:
    """Addresses as one line, for a child's standard input."""
    urls = {"runtime": addresses.runtime, "owner": addresses.owner, "sandbox": addresses.sandbox}
    return json.dumps(urls | {"secret_key": addresses.secret_key.hex()})


def from_text(line: str) -> Addresses:
    facts = json.loads(line)
    return Addresses(**(facts | {"secret_key": bytes.fromhex(facts["secret_key"])}))
