"""The shop of one scenario: a tenant of its own, its people, and orders that were really bought."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any, Final

from pydantic import ValidationError
from sqlalchemy import select
from sqlalchemy.orm import Session

from engine.carts import service as carts
from engine.catalog.models import Product, Variant
from engine.catalog.shop_file import CatalogFile, ProductRow, read_catalog
from engine.checkout import confirmation, service
from engine.checkout.complete import Result, complete
from engine.customers import service as customers
from engine.customers.models import Address, Customer, Shopper
from engine.demo.seed import seed_tenant
from engine.fulfillment import release, shipments, tracking
from engine.fulfillment.carriers import TrackingEvent
from engine.fulfillment.errors import NothingToRelease
from engine.fulfillment.models import Fulfillment
from engine.inventory.models import Location
from engine.kit import clock
from engine.kit.clock import OwnClock
from engine.kit.identity import Actor, Identity, Scope
from engine.kit.ids import new_id
from engine.orders.models import Order, Shipment, ShipmentStatus
from engine.policies import set_policy
from engine.runtime import Runtime
from engine.warranties import registering
from evals.suite import OrderSpec, SuiteInvalid, WorldSpec

FOLDER: Final = Path(__file__).parent / "worlds"
NOW: Final = datetime(2027, 3, 2, 18, tzinfo=UTC)
"""When every scenario begins: a Tuesday, 10 in the morning where the shop is."""
GUEST: Final = "guest"
STAFF: Final = "staff"
_GUEST_EMAIL: Final = "guest@example.com"
_GUEST_ADDRESS: Final = {
    "name": "Gil Guest",
    "line_one": "5 Elm St",
    "city": "Portland",
    "state": "OR",
    "postal_code": "97204",
    "country": "US",
}


@dataclass(slots=True)
class World:
    """A tenant, whom it knows and what they bought, each by the name the scenario uses."""

    runtime: Runtime
    tenant_id: str
    clock: OwnClock
    began: datetime = NOW
    people: dict[str, Identity] = field(default_factory=dict)
    emails: dict[str, str] = field(default_factory=dict)
    variants: dict[str, str] = field(default_factory=dict)
    products: dict[str, str] = field(default_factory=dict)
    places: dict[str, str] = field(default_factory=dict)
    orders: dict[str, str] = field(default_factory=dict)

    def uow(self) -> AbstractContextManager[Session]:
        return self.runtime.unit_of_work(self.tenant_id)

    @property
    def staff(self) -> Identity:
        """One of the shop's people, who may do everything that people of the shop may."""
        scopes = frozenset({Scope.STAFF, Scope.OPS, Scope.ADMIN})
        return Identity(self.tenant_id, Actor.API_KEY, "key_evals", scopes=scopes, person="sam")

    def person(self, name: str) -> Identity:
        """Raises ``SuiteInvalid`` for a name that nobody has."""
        if name == STAFF:
            return self.staff
        if name not in self.people:
            raise SuiteInvalid(f"There is nobody called {name!r}; there are: {', '.join(sorted(self.people))}, staff.")
        return self.people[name]

    def names(self) -> dict[str, str]:
        """Id → what it is called in this scenario."""
        people = {identity.id: name for name, identity in self.people.items()}
        return people | {order_id: name for name, order_id in self.orders.items()}


def build(
    runtime: Runtime, spec: WorldSpec, hands: OwnClock, *, began: datetime = NOW, file: CatalogFile | None = None
) -> World:
    """Make the shop of ``spec`` (of ``file``, where one is given), with a past that ends when the scenario ``began``.

    Raises ``SuiteInvalid``.
    """
    slug = f"eval-{new_id('tenant')[-16:]}"
    world = World(runtime, seed_tenant(runtime.store, file or read_shop(spec), demo=True, slug=slug), hands, began)
    with world.uow() as session:
        _know(session, world)
        for section, values in spec.policies.items():
            set_policy(session, world.tenant_id, section, values, actor="evals")
    for name, order in sorted(spec.orders.items(), key=lambda item: -item[1].days_ago):
        _buy(world, name, order)
    hands.set(began)
    for person, lines in spec.carts.items():
        with world.uow() as session:
            for sku, units in lines.items():
                _fill(session, world, world.person(person), sku, units)
    return world


def release_order(world: World, name: str) -> None:
    release.release_now(world.runtime, world.tenant_id, _order(world, name))


def ship_order(world: World, name: str) -> None:
    """Everything that was released of it leaves, and what was not is released first."""
    order_id = _order(world, name)
    with suppress(NothingToRelease):
        release.release_now(world.runtime, world.tenant_id, order_id)
    with world.uow() as session:
        found = session.scalars(select(Fulfillment.id).where(Fulfillment.order_id == order_id)).all()
    for fulfillment_id in found:
        shipments.ship_now(world.runtime, world.tenant_id, fulfillment_id)


def deliver_order(world: World, name: str) -> None:
    order_id = _order(world, name)
    with world.uow() as session:
        found = session.scalars(select(Shipment.id).where(Shipment.order_id == order_id)).all()
        for shipment_id in found:
            sign = TrackingEvent(f"{shipment_id}-end", clock.now(), ShipmentStatus.DELIVERED, "Delivered")
            tracking.apply(session, world.tenant_id, shipment_id, [sign])
        registering.register(session, world.tenant_id, order_id)


@cache
def _read(shop: str) -> CatalogFile:
    file = FOLDER / f"{shop}.yaml"
    if not file.is_file():
        raise SuiteInvalid(f"There is no shop {shop!r} in {FOLDER}.")
    return read_catalog(file)


def read_shop(spec: WorldSpec) -> CatalogFile:
    """The shop's file as this scenario has it. Raises ``SuiteInvalid`` for a SKU or slug that is not in it."""
    file = _read(spec.shop)
    skus = {variant.sku for product in file.products for variant in product.variants}
    slugs = {product.slug for product in file.products}
    for unknown in sorted((spec.stock.keys() - skus) | (spec.products.keys() - slugs)):
        raise SuiteInvalid(f"The shop {spec.shop!r} has no {unknown!r}.")
    if not spec.stock and not spec.products:
        return file
    return file.model_copy(update={"products": [_as_here(product, spec) for product in file.products]})


def _as_here(product: ProductRow, spec: WorldSpec) -> ProductRow:
    """Raises ``SuiteInvalid`` for a field that no product has, or a value that it may not have."""
    stocked = [
        one.model_copy(update={"stock": spec.stock[one.sku]} if one.sku in spec.stock else {})
        for one in product.variants
    ]
    fields = dict(product) | {"variants": stocked} | spec.products.get(product.slug, {})
    try:
        return ProductRow.model_validate(fields)
    except ValidationError as error:
        raise SuiteInvalid(f"world.products.{product.slug}: {error}") from None


def _know(session: Session, world: World) -> None:
    """Everybody has a session: the guest, and each customer one that is signed in."""
    key = world.tenant_id
    world.variants = dict(session.execute(select(Variant.sku, Variant.id).where(Variant.tenant_id == key)).all())
    world.products = dict(session.execute(select(Product.slug, Product.id).where(Product.tenant_id == key)).all())
    world.places = dict(session.execute(select(Location.code, Location.id).where(Location.tenant_id == key)).all())
    world.people[GUEST] = customers.new_shopper(session, key)
    world.emails[GUEST] = _GUEST_EMAIL
    for customer in session.scalars(select(Customer).where(Customer.tenant_id == key)):
        name, _, _ = customer.email.partition("@")
        shopper = Shopper(tenant_id=key, id=new_id("shopper"), customer_id=customer.id)
        session.add(shopper)
        world.people[name] = Identity(key, Actor.SHOPPER, shopper.id, customer_id=customer.id)
        world.emails[name] = customer.email


def _buy(world: World, name: str, spec: OrderSpec) -> None:
    """Buy it as its shopper would, at its time, and let happen what happened since."""
    buyer, paid_at = world.person(spec.of), world.began - timedelta(days=spec.days_ago, hours=2)
    world.clock.set(paid_at)
    with world.uow() as session:
        for sku, units in spec.lines.items():
            _fill(session, world, buyer, sku, units)
        if spec.code:
            carts.set_discount_code(session, buyer, spec.code)
        address = _address(session, buyer)
        service.update(session, buyer, service.Details(email=world.emails[spec.of], **address))
    card = confirmation.request(world.runtime, buyer, thread_id=None)
    with world.uow() as session:
        confirmation.decide(session, buyer, card.id, approved=True, channel="evals")
    done = complete(world.runtime, buyer, card.id)
    if done.result != Result.PAID or done.order is None:
        raise SuiteInvalid(f"The order {name!r} could not be bought: {done.message}")
    world.orders[name] = done.order.id
    _let_happen(world, name, spec)


def _fill(session: Session, world: World, buyer: Identity, sku: str, units: int) -> None:
    """Raises ``SuiteInvalid`` when the shop has fewer: the scenario would be another one."""
    change = carts.add(session, buyer, _variant(world, sku), quantity=units, options={})
    if change.line.quantity != units:
        raise SuiteInvalid(f"The shop has {change.line.quantity} of {sku!r}, not {units}.")


def _let_happen(world: World, name: str, spec: OrderSpec) -> None:
    if spec.state == "paid":
        return
    world.clock.move(timedelta(minutes=30))
    if spec.state == "released":
        release_order(world, name)
        return
    ship_order(world, name)
    if spec.state == "delivered":
        ago = spec.days_ago if spec.delivered_days_ago is None else spec.delivered_days_ago
        world.clock.set(world.began - timedelta(days=ago, hours=1))
        deliver_order(world, name)


def _address(session: Session, buyer: Identity) -> dict[str, Any]:
    """Where it goes: the customer's default, or the guest's."""
    row = customers.default_address(session, buyer)
    return dict(_GUEST_ADDRESS) if row is None else _plain(row)


def _plain(row: Address) -> dict[str, Any]:
    names = ("name", "line_one", "line_two", "city", "state", "postal_code", "country")
    return {name: getattr(row, name) for name in names if getattr(row, name)}


def _variant(world: World, sku: str) -> str:
    return _known(world.variants, sku, "SKU")


def _order(world: World, name: str) -> str:
    return _known(world.orders, name, "order")


def _known(names: Mapping[str, str], name: str, kind: str) -> str:
    if name not in names:
        raise SuiteInvalid(f"There is no {kind} {name!r}; there are: {', '.join(sorted(names)) or 'none'}.")
    return names[name]


def number_of(world: World, name: str) -> str:
    """The number of an order, as its shopper knows it."""
    with world.uow() as session:
        return session.get_one(Order, (world.tenant_id, _order(world, name))).number
