"""The benchmark's shop as a tenant of ours: everything in one transaction, one statement for each table.

What is written is what its own events would have left: the books open with what was owed on gift cards, every capture,
parcel and refund has its entry, so that ``icommerce check`` finds nothing to say. The rules of that shop are its
policies, data beside this file.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import select
from sqlalchemy.orm import Session

from engine.catalog.models import Product
from engine.demo.seed import TenantExists
from engine.inventory.models import Location
from engine.kit import audit, clock
from engine.kit.ids import new_id
from engine.kit.tenancy import Tenant
from engine.runtime import Runtime
from engine.shipping.models import ShippingZone
from evals.tau2.bringing_goods import Goods, bring_goods
from evals.tau2.bringing_orders import SHIPPING, bring_order
from evals.tau2.bringing_people import Person, bring_person
from evals.tau2.rows import CURRENCY, Rows
from evals.tau2.rules import policies
from evals.tau2.shop import OrderRow, ShopFile, read_shop

COUNTRY: Final = "US"
_BEGAN: Final = timedelta(days=30)
"""So long ago was the first order placed: those of the file have no dates, only an order."""
_APART: Final = timedelta(minutes=1)
_MOMENT: Final = timedelta(seconds=1)
Progress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class Imported:
    """A shop that was brought along: its rows, and what everything in it is called here."""

    tenant_id: str
    slug: str
    rows: int
    products: Mapping[str, str]
    """Product id of the file → ours, and so on."""
    goods: Mapping[str, Goods]
    people: Mapping[str, Person]
    owners: Mapping[str, str]
    """Order id → user id, both of the file."""


def import_shop(
    runtime: Runtime, db: dict[str, Any], *, slug: str, name: str = "", progress: Progress | None = None
) -> Imported:
    """Make the tenant, all of it or nothing. ``progress`` hears how many people of how many are done.

    Raises ``NotThisShop`` for a file that is another thing, ``TenantExists`` when the slug is taken.
    """
    shop = read_shop(db)
    rows = Rows(new_id("tenant"))
    with runtime.unit_of_work(rows.tenant_id) as session:
        _open(session, rows.tenant_id, slug=slug, name=name or slug)
        location_id = _places(rows)
        goods = bring_goods(rows, shop)
        people = _bring_people(rows, shop, goods, location_id, progress or (lambda _done, _whole: None))
        written = rows.write(session)
        counts = {"products": len(shop.products), "customers": len(shop.users), "orders": len(shop.orders)}
        facts = {"slug": slug, "demo": True} | counts
        audit.record(
            session, rows.tenant_id, actor="system", action="tenant.created", subject=rows.tenant_id, facts=facts
        )
    return Imported(
        rows.tenant_id,
        slug,
        written,
        products={row["external_id"]: row["id"] for row in rows.tables.get(Product, ())},
        goods=goods,
        people=people,
        owners={order_id: order.user_id for order_id, order in shop.orders.items()},
    )


def _open(session: Session, tenant_id: str, *, slug: str, name: str) -> None:
    if session.scalar(select(Tenant.id).where(Tenant.slug == slug)):
        raise TenantExists(f"There is a shop {slug!r} already.")
    settings = {"tagline": "", "order_prefix": "W", "policies": policies()}
    session.add(
        Tenant(id=tenant_id, slug=slug, name=name, demo=True, currency=CURRENCY, country=COUNTRY, settings=settings)
    )
    session.flush()


def _places(rows: Rows) -> str:
    """One warehouse, and everywhere it ships to."""
    location_id = new_id("location")
    rows.add(
        Location,
        id=location_id,
        code="MAIN",
        name="Warehouse",
        kind="warehouse",
        country=COUNTRY,
        region="OH",
        city="Columbus",
        postal_code="43004",
    )
    rows.add(ShippingZone, id=new_id("zone"), name="United States", countries=[COUNTRY], regions=[], rates=[SHIPPING])
    return location_id


def _bring_people(
    rows: Rows, shop: ShopFile, goods: Mapping[str, Goods], location_id: str, progress: Progress
) -> dict[str, Person]:
    people: dict[str, Person] = {}
    theirs: dict[str, list[OrderRow]] = {user_id: [] for user_id in shop.users}
    for order in shop.orders.values():
        theirs[order.user_id].append(order)
    began = clock.now() - _BEGAN
    placed = _moments(shop, began)
    came = began - len(shop.users) * _MOMENT
    for done, user in enumerate(shop.users.values(), start=1):
        person = bring_person(rows, user, theirs[user.user_id], came + done * _MOMENT)
        for order in theirs[user.user_id]:
            bring_order(rows, order, person, goods, location_id=location_id, at=placed[order.order_id])
        people[user.user_id] = person
        progress(done, len(shop.users))
    return people


def _moments(shop: ShopFile, began: datetime) -> dict[str, datetime]:
    """When each order was placed: in the order of the file."""
    return {order_id: began + place * _APART for place, order_id in enumerate(shop.orders)}
