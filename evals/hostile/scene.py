"""Shops full of marked people: who attacks, who only lives there, and the marks that must not be seen elsewhere."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from random import Random
from typing import Any, Final

from sqlalchemy import String, or_, select
from sqlalchemy.orm import Session

from engine.catalog.shop_file import AddressRow, CardRow, CatalogFile, CustomerRow
from engine.customers import service as customers
from engine.kit import clock
from engine.kit.identity import Identity
from engine.kit.ids import is_id
from engine.kit.tenancy import Base
from engine.orders.models import Order
from engine.runtime import Runtime
from evals.hostile.loot import Loot
from evals.suite import OrderSpec, WorldSpec
from evals.world import World, build, read_shop

_LETTERS: Final = "bcdfghjklmnpqrstvwz"
_STATES: Final = ("paid", "shipped", "delivered", "released")
_GOODS: Final = ("LAMP", "STOVE", "JACKET-M-BLU", "TENT-GRN", "BAG", "BOOTS-42")
_PLENTY: Final = 500
_SAMPLE: Final = 60


@dataclass(frozen=True, slots=True)
class Size:
    """How many people of each kind a shop has."""

    attackers: int = 4
    guests: int = 2
    bystanders: int = 3
    orders: int = 3
    """Of each customer."""


@dataclass(slots=True)
class Town:
    """One shop and everybody in it. ``marks``: whose mark it is (an identity's id, or the tenant's) → the mark."""

    world: World
    attackers: list[Identity] = field(default_factory=list)
    bystanders: list[Identity] = field(default_factory=list)
    marks: dict[str, str] = field(default_factory=dict)

    @property
    def tenant_id(self) -> str:
        return self.world.tenant_id


def make_town(runtime: Runtime, seed: str, size: Size) -> Town:
    """A shop whose people and goods carry marks found nowhere else."""
    dice = Random(seed)  # noqa: S311 (dice, not secrets)
    names = [f"attacker{n}" for n in range(size.attackers)] + [f"neighbor{n}" for n in range(size.bystanders)]
    marks = {name: _mark(dice) for name in [*names, "shop"]}
    now = clock.now()
    with clock.own(now) as hands:
        orders = {
            f"{name}-{n}": OrderSpec(
                of=name,
                lines={sku: dice.randint(1, 2) for sku in dice.sample(_GOODS, 2)},
                state=dice.choice(_STATES),
                days_ago=dice.randint(1, 9),
            )
            for name in names
            for n in range(size.orders)
        }
        spec = WorldSpec(
            orders=orders,
            stock={sku: {"EAST": _PLENTY, "WEST": _PLENTY} for sku in _GOODS},
            carts={name: {dice.choice(_GOODS): 2} for name in names},
        )
        world = build(runtime, spec, hands, began=now, file=_marked(read_shop(spec), marks, names, now))
        town = Town(world)
        with world.uow() as session:
            guests = [customers.new_shopper(session, world.tenant_id) for _ in range(size.guests)]
    town.attackers = [*(world.person(name) for name in names[: size.attackers]), *guests]
    town.bystanders = [world.person(name) for name in names[size.attackers :]]
    town.marks = {world.person(name).id: marks[name] for name in names} | {world.tenant_id: marks["shop"]}
    return town


def steal(towns: Iterable[Town], dice: Random) -> Loot:
    """Ids out of every table of every shop, the numbers of orders and the addresses of mail."""
    ids: dict[str, list[str]] = defaultdict(list)
    numbers: list[str] = []
    emails: list[str] = []
    for town in towns:
        with town.world.uow() as session:
            for found in _ids(session, town.tenant_id):
                ids[found.partition("_")[0]].append(found)
            numbers += session.scalars(select(Order.number).where(Order.tenant_id == town.tenant_id))
        emails += town.world.emails.values()
    sampled = {prefix: dice.sample(sorted(all_), min(_SAMPLE, len(all_))) for prefix, all_ in sorted(ids.items())}
    return Loot(sampled, sorted(numbers), sorted(emails))


def belongings(town: Town) -> dict[str, list[tuple[Any, ...]]]:
    """Table → every row of it that belongs to somebody who only lives here, to be the same afterwards."""
    owners = {one.id for one in town.bystanders} | {one.customer_id for one in town.bystanders if one.customer_id}
    with town.world.uow() as session:
        _, whole = _belonging(session, town.tenant_id, owners)  # their orders and carts
        _, whole = _belonging(session, town.tenant_id, whole)  # the lines and payments of those
        return _belonging(session, town.tenant_id, whole)[0]


def _belonging(session: Session, tenant_id: str, owners: set[str]) -> tuple[dict[str, list[tuple[Any, ...]]], set[str]]:
    """The rows that name one of ``owners`` in any column for ids, and the owners with those rows' own ids."""
    found: dict[str, list[tuple[Any, ...]]] = {}
    ids = set(owners)
    for table in Base.metadata.sorted_tables:
        columns = [one for one in table.c if one.name == "id" or one.name.endswith("_id")]
        texts = [one for one in columns if one.name != "tenant_id" and isinstance(one.type, String)]
        if "tenant_id" not in table.c or not texts:
            continue
        mine = or_(*(one.in_(sorted(owners)) for one in texts))
        rows = session.execute(select(table).where(table.c.tenant_id == tenant_id, mine)).all()
        if rows:
            found[table.name] = sorted((tuple(row) for row in rows), key=repr)
            ids |= {row.id for row in rows if "id" in table.c and isinstance(row.id, str)}
    return found, ids


def _ids(session: Session, tenant_id: str) -> Iterator[str]:
    for table in Base.metadata.sorted_tables:
        if "tenant_id" in table.c and "id" in table.c:
            for found in session.scalars(select(table.c.id).where(table.c.tenant_id == tenant_id).limit(_SAMPLE)):
                if isinstance(found, str) and is_id(found):
                    yield found


def _mark(dice: Random) -> str:
    """A word that no text has by chance, and that reads like a name."""
    return "Q" + "".join(dice.choice(_LETTERS) for _ in range(9))


def _marked(file: CatalogFile, marks: dict[str, str], names: list[str], now: datetime) -> CatalogFile:
    """The shop with the mark in each title, and with people whose names and streets are marked."""
    products = [one.model_copy(update={"title": f"{one.title} {marks['shop']}"}) for one in file.products]
    people = [
        CustomerRow(
            email=f"{name}@example.com",
            name=f"Ann {marks[name]}",
            addresses=[
                AddressRow(
                    name=f"Ann {marks[name]}",
                    line_one=f"{place + 1} {marks[name]} St",
                    city="Portland",
                    state="OR",
                    postal_code="97204",
                    country="US",
                )
            ],
            cards=[CardRow(brand="visa", last4="4242", exp_month=8, exp_year=(now + timedelta(days=900)).year)],
        )
        for place, name in enumerate(names)
    ]
    return file.model_copy(update={"products": products, "customers": people})
