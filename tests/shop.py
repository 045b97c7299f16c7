"""A small shop for tests: a few items, two warehouses, one shipping zone, one tax rate."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from sqlalchemy.orm import Session

from engine.carts import service as carts
from engine.catalog.models import Product, Variant
from engine.checkout import confirmation, service
from engine.checkout.schemas import ConsentView
from engine.customers import service as customers
from engine.inventory.models import Location, MovementKind
from engine.inventory.service import Allocation, receive
from engine.kit.identity import Identity
from engine.kit.ids import new_id
from engine.kit.tenancy import Tenant
from engine.runtime import Runtime
from engine.shipping.models import ShippingZone
from engine.tax.models import TaxRate

ADDRESS = {
    "name": "Ada Buyer",
    "line_one": "12 Pine St",
    "city": "Portland",
    "state": "WA",
    "postal_code": "97204",
    "country": "US",
}
RATES = [
    {"code": "standard", "title": "Standard", "carrier": "Parcel", "price": 595, "per_kg": 0, "free_over": None,
     "min_days": 3, "max_days": 5, "air": False},
    {"code": "overnight", "title": "Overnight", "carrier": "Air", "price": 2500, "per_kg": 0, "free_over": None,
     "min_days": 1, "max_days": 1, "air": True},
]  # fmt: skip


@dataclass
class Shop:
    """A stocked tenant and how to buy in it."""

    runtime: Runtime
    tenant: Tenant
    locations: dict[str, str] = field(default_factory=dict)
    variants: dict[str, str] = field(default_factory=dict)

    def uow(self) -> Any:
        return self.runtime.unit_of_work(self.tenant.id)

    def add(self, sku: str, *, price: int = 5000, stock: dict[str, int] | None = None, **fields: Any) -> str:
        """A product with one variant; returns the variant's id."""
        with self.uow() as session:
            product = new_product(self.tenant.id, sku, **fields)
            session.add(product)
            session.flush()
            variant = Variant(
                tenant_id=self.tenant.id, id=new_id("variant"), product_id=product.id, sku=sku, title=product.title,
                options={}, price=price, cost=price // 2, weight_g=500, length_mm=10, width_mm=10, height_mm=10,
            )  # fmt: skip
            session.add(variant)
            session.flush()
            where = {"EAST": 10} if stock is None else stock
            parts = [Allocation(variant.id, self.locations[code], units) for code, units in where.items() if units]
            receive(session, self.tenant.id, parts, kind=MovementKind.RECEIPT, subject="test")
            self.variants[sku] = variant.id
        return variant.id

    def shopper(self) -> Identity:
        with self.uow() as session:
            return customers.new_shopper(session, self.tenant.id)

    def fill(self, identity: Identity, sku: str, quantity: int = 1) -> None:
        with self.uow() as session:
            carts.add(session, identity, self.variants[sku], quantity=quantity, options={})

    def ready(self, identity: Identity, sku: str, quantity: int = 1, *, card: str = "card_test_visa") -> str:
        """A checkout with everything said; returns its id."""
        self.fill(identity, sku, quantity)
        with self.uow() as session:
            details = service.Details(email="ada@example.com", **ADDRESS)
            view = service.update(session, identity, details)
        if card != "card_test_visa":
            self.pay_with(identity, card)
        return view.id

    def pay_with(self, identity: Identity, card: str) -> None:
        """Make the running checkout pay with one of the sandbox's test cards."""
        with self.uow() as session:
            session_id = service.running_session_id(session, identity)
            checkout = service.lock_session(session, self.tenant.id, session_id or "")
            checkout.payment_method = dict(checkout.payment_method or {}) | {"ref": card}

    def card(self, identity: Identity) -> ConsentView:
        return confirmation.request(self.runtime, identity, thread_id=None)

    def approved(self, identity: Identity, sku: str, quantity: int = 1, *, card: str = "card_test_visa") -> str:
        """A payment card that its shopper has approved; returns the consent's id."""
        self.ready(identity, sku, quantity, card=card)
        consent = self.card(identity)
        self.approve(identity, consent.id)
        return consent.id

    def approve(self, identity: Identity, consent_id: str) -> None:
        with self.uow() as session:
            confirmation.decide(session, identity, consent_id, approved=True, channel="test")


def new_product(tenant_id: str, sku: str, **fields: Any) -> Product:
    return Product(
        **(
            {
                "tenant_id": tenant_id,
                "id": new_id("product"),
                "slug": sku.lower(),
                "title": f"Thing {sku}",
                "brand": "Test",
                "category": "things",
                "description": "A thing.",
                "motif": "box",
                "facts": {},
                "options": {},
                "tax_category": "standard",
                "restrictions": [],
                "warranty_months": 12,
            }
            | fields
        )
    )


def open_shop(runtime: Runtime, tenant: Tenant) -> Shop:
    """Two warehouses that ship, a store that does not, one zone, 10 % tax in WA."""
    shop = Shop(runtime, tenant)
    with shop.uow() as session:
        for position, (code, region, ships) in enumerate(
            (("EAST", "OH", True), ("WEST", "WA", True), ("STORE", "WA", False))
        ):
            shop.locations[code] = _location(session, tenant.id, code, region, position, ships=ships)
        session.add(
            ShippingZone(tenant_id=tenant.id, id=new_id("zone"), name="US", countries=["US"], regions=[], rates=RATES)
        )
        session.add(
            TaxRate(
                tenant_id=tenant.id,
                id=new_id("tax"),
                country="US",
                region="WA",
                name="WA tax",
                rate_ppm=100_000,
                category_ppm={"food": 0},
                taxes_shipping=True,
                valid_from="2020-01-01",
            )
        )
    return shop


def _location(session: Session, tenant_id: str, code: str, region: str, position: int, *, ships: bool) -> str:
    location = Location(
        tenant_id=tenant_id, id=new_id("location"), code=code, name=code.title(), kind="warehouse", country="US",
        region=region, city="Somewhere", postal_code="00000", ships=ships, position=position,
    )  # fmt: skip
    session.add(location)
    return location.id
