"""A shop from its file: merchant, places and catalog, prices of shipping and tax, people, past."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, time
from importlib import resources
from pathlib import Path
from typing import Any, Final

from sqlalchemy import insert, select
from sqlalchemy.orm import Session

from engine.carts.models import Discount
from engine.catalog.importing import import_products
from engine.catalog.policy import CatalogPolicy
from engine.catalog.shop_file import CatalogFile, DiscountRow, ShippingZoneRow, TaxRateRow, read_catalog
from engine.db import Store
from engine.demo.past_orders import add_past_orders
from engine.demo.people import add_customers
from engine.demo.staff import add_staff
from engine.finance import postings
from engine.finance import service as finance
from engine.inventory.models import Location
from engine.kit import audit
from engine.kit.caps import HOME
from engine.kit.errors import Conflict
from engine.kit.ids import new_id
from engine.kit.policies import read_policy
from engine.kit.tenancy import Tenant
from engine.orders.seller import SellerPolicy
from engine.policies import policy_kind
from engine.shipping.models import ShippingZone
from engine.tax.models import TaxRate

Progress = Callable[[str], None]
Rows = list[dict[str, Any]]
DEMO_SHOPS: Final = ("summit-outdoor", "voltage-home")
_SETTINGS: Final = (
    "tagline",
    "accent",
    "locale",
    "support_email",
    "support_hours",
    "returns_policy",
    "order_prefix",
    "free_shipping_hint",
)


class TenantExists(Conflict):
    code = "tenant_exists"


def demo_files() -> list[Path]:
    """The folders of the demo shops, the first one first."""
    data = Path(str(resources.files("engine.demo"))).joinpath("data")
    return [data.joinpath(slug) for slug in DEMO_SHOPS]


def seed_demo(store: Store, *, progress: Progress | None = None) -> list[str]:
    """Make the demo shops that are not there yet; returns the new tenants' ids. Those that are get their people."""
    with store.without_tenant() as session:
        known = set(session.scalars(select(Tenant.slug)))
        mine = session.scalars(select(Tenant.id).where(Tenant.demo, Tenant.slug.in_(DEMO_SHOPS))).all()
    for tenant_id in mine:
        with store.unit_of_work(tenant_id) as session:
            add_staff(session, tenant_id)
    folders = [folder for folder in demo_files() if folder.name not in known]
    return [seed_tenant(store, read_catalog(folder), demo=True, progress=progress) for folder in folders]


def seed_tenant(
    store: Store,
    file: CatalogFile,
    *,
    demo: bool,
    slug: str | None = None,
    name: str | None = None,
    progress: Progress | None = None,
) -> str:
    """Make a shop from its file, all of it or nothing; returns the tenant's id.

    ``slug`` and ``name`` replace the file's. Raises ``TenantExists`` when the slug is taken.
    """
    say = progress or (lambda _: None)
    tenant_id, shop = new_id("tenant"), file.shop
    slug, name = slug or shop.slug, name or shop.name
    with store.unit_of_work(tenant_id) as session:
        if session.scalar(select(Tenant.id).where(Tenant.slug == slug)):
            raise TenantExists(f"There is a shop {slug!r} already.")
        say(f"{name}: catalog and stock")
        session.add(_tenant(tenant_id, file, slug=slug, name=name, demo=demo))
        session.flush()
        _add_rules(session, tenant_id, file)
        locations = _add_locations(session, tenant_id, file)
        variants = import_products(session, tenant_id, file, locations)
        say(f"{name}: customers and past orders")
        customers = add_customers(session, tenant_id, file)
        if demo:
            add_staff(session, tenant_id)
        spent = add_past_orders(session, tenant_id, file, customers, variants, locations)
        opening = postings.opening_stock(_stock_cost(file) + spent)
        finance.post(
            session,
            tenant_id,
            kind="opening_stock",
            subject=tenant_id,
            currency=shop.currency,
            amounts=opening,
        )
        facts = {"slug": slug, "demo": demo, "products": len(file.products), "orders": len(file.orders)}
        audit.record(session, tenant_id, actor="system", action="tenant.created", subject=tenant_id, facts=facts)
    return tenant_id


def _tenant(tenant_id: str, file: CatalogFile, *, slug: str, name: str, demo: bool) -> Tenant:
    shop = file.shop
    for section in shop.policies:
        read_policy({"policies": shop.policies}, policy_kind(section), home=shop.currency)
    return Tenant(
        id=tenant_id,
        slug=slug,
        name=name,
        demo=demo,
        currency=shop.currency,
        country=shop.country,
        settings=shop.model_dump(mode="json", include=set(_SETTINGS)) | _policies(file),
    )


def _policies(file: CatalogFile) -> dict[str, Any]:
    """The rules, the currencies and the seller of the file as the shop's rules; nothing of what it does not say.

    Raises ``ValidationError`` for a seller that cannot be.
    """
    home = {HOME: file.shop.currency}
    read = {
        section: policy_kind(section).model_validate(values, context=home)
        for section, values in file.shop.policies.items()
    }
    rules: dict[str, Any] = {
        section: policy.model_dump(mode="json", exclude_unset=True) for section, policy in read.items()
    }
    if file.shop.currencies:
        said = file.shop.model_dump(mode="json", include={"currencies", "currency_by_country"})
        rules[CatalogPolicy.section] = said
    if file.shop.seller:
        seller = SellerPolicy.model_validate(file.shop.seller)
        rules[SellerPolicy.section] = seller.model_dump(mode="json", exclude_unset=True)
    return {"policies": rules} if rules else {}


def _stock_cost(file: CatalogFile) -> int:
    variants = (variant for product in file.products for variant in product.variants)
    return sum(variant.cost * sum(variant.stock.values()) for variant in variants)


def _add_locations(session: Session, tenant_id: str, file: CatalogFile) -> dict[str, str]:
    rows = [
        row.model_dump(mode="json") | {"tenant_id": tenant_id, "id": new_id("location"), "position": position}
        for position, row in enumerate(file.locations)
    ]
    session.execute(insert(Location), rows)
    return {row["code"]: row["id"] for row in rows}


def _add_rules(session: Session, tenant_id: str, file: CatalogFile) -> None:
    """Where the shop ships and for how much, the taxes it collects, the codes it honors."""
    zones = [_zone(row, position) for position, row in enumerate(file.shipping_zones)]
    for model, rows in (
        (ShippingZone, zones),
        (TaxRate, [_tax(row) for row in file.tax_rates]),
        (Discount, [_discount(row) for row in file.discounts]),
    ):
        if rows:
            session.execute(insert(model), [row | {"tenant_id": tenant_id} for row in rows])


def _zone(row: ShippingZoneRow, position: int) -> dict[str, Any]:
    return row.model_dump(mode="json") | {"id": new_id("zone"), "position": position}


def _tax(row: TaxRateRow) -> dict[str, Any]:
    special = dict.fromkeys(map(str, row.exempt), 0) | {str(key): ppm for key, ppm in row.reduced_ppm.items()}
    same = row.model_dump(exclude={"exempt", "reduced_ppm", "thresholds", "level"})
    level = row.level or ("region" if row.region else "country")
    limits = {str(key): dict(one.amounts) | {"taxes": one.taxes} for key, one in row.thresholds.items()}
    return same | {"id": new_id("tax"), "level": level, "category_ppm": special, "thresholds": limits}


def _discount(row: DiscountRow) -> dict[str, Any]:
    same = row.model_dump(exclude={"starts_on", "ends_on"})
    return same | {
        "id": new_id("discount"),
        "starts_at": _midnight(row.starts_on),
        "ends_at": _midnight(row.ends_on),
    }


def _midnight(day: date | None) -> datetime | None:
    return datetime.combine(day, time(), tzinfo=UTC) if day else None
