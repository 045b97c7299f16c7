"""Everything a price rests on, read in one statement: the shop, the items and their stock, zones, taxes, codes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Protocol

from sqlalchemy.orm import Session

from engine.carts.models import Discount
from engine.inventory.service import Place
from engine.kit import clock
from engine.kit.tenancy import Tenant
from engine.tax.service import NO_TAX, Jurisdiction


class Basket(Protocol):
    """What pricing must know of a checkout session."""

    @property
    def tenant_id(self) -> str: ...
    @property
    def id(self) -> str: ...
    @property
    def currency(self) -> str: ...
    @property
    def lines(self) -> list[Any]: ...
    @property
    def buyer(self) -> dict[str, Any]: ...
    @property
    def ship_to(self) -> dict[str, Any] | None: ...
    @property
    def fulfillment_option_id(self) -> str | None: ...
    @property
    def discount_codes(self) -> list[str]: ...
    @property
    def payment_method(self) -> dict[str, Any] | None: ...


@dataclass(frozen=True, slots=True)
class Shop:
    """What pricing and the card need to know of the merchant."""

    tenant_id: str
    name: str
    currency: str
    country: str
    demo: bool
    settings: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Zone:
    countries: list[str]
    regions: list[str]
    rates: list[Any]


@dataclass(frozen=True, slots=True)
class Facts:
    """``items`` by variant: the catalog's row of each that exists; ``stock`` by variant: the places that ship."""

    shop: Shop
    items: Mapping[str, Mapping[str, Any]]
    stock: Mapping[str, Sequence[Place]]
    zones: Sequence[Zone]
    tax: Jurisdiction
    codes: Mapping[str, Discount]


READ: Final = """
SELECT t.name, t.currency, t.country, t.demo, t.settings,
  (SELECT json_agg(i) FROM (
    SELECT v.id, v.product_id, v.sku, v.options, v.price, v.cost, v.weight_g, v.sellable,
      p.title, p.category, p.tax_category, p.restrictions, p.status
    FROM app.variants v JOIN app.products p ON p.tenant_id = v.tenant_id AND p.id = v.product_id
    WHERE v.tenant_id = %(tenant)s AND v.id = ANY(%(variants)s)) i) AS items,
  (SELECT json_agg(s) FROM (
    SELECT s.variant_id, l.id, l.region, l.position, s.on_hand - s.reserved - s.safety_stock AS available
    FROM app.stock_levels s JOIN app.locations l ON l.tenant_id = s.tenant_id AND l.id = s.location_id
    WHERE s.tenant_id = %(tenant)s AND s.variant_id = ANY(%(variants)s)
      AND s.on_hand - s.reserved > s.safety_stock AND l.ships
    ORDER BY l.position, l.id) s) AS places,
  (SELECT json_agg(z) FROM (
    SELECT countries, regions, rates FROM app.shipping_zones
    WHERE tenant_id = %(tenant)s AND %(country)s = ANY(countries) ORDER BY position) z) AS zones,
  (SELECT row_to_json(x) FROM (
    SELECT name, rate_ppm, category_ppm, taxes_shipping FROM app.tax_rates
    WHERE tenant_id = %(tenant)s AND country = %(country)s AND region IN (%(region)s, '') AND valid_from <= %(today)s
    ORDER BY region DESC, valid_from DESC LIMIT 1) x) AS tax,
  (SELECT json_agg(d) FROM (
    SELECT code, title, percent_off, amount_off, minimum, category, usage_limit, used, starts_at, ends_at
    FROM app.discounts WHERE tenant_id = %(tenant)s AND code = ANY(%(codes)s)) d) AS codes
FROM app.tenants t WHERE t.id = %(tenant)s
"""


def shop_of(session: Session, tenant_id: str) -> Shop:
    """The merchant's facts."""
    row = session.get_one(Tenant, tenant_id)
    return Shop(row.id, row.name, row.currency, row.country, row.demo, row.settings)


def question(basket: Basket) -> dict[str, Any]:
    """The values ``READ`` asks with."""
    address = basket.ship_to or {}
    return {
        "tenant": basket.tenant_id,
        "variants": [line["variant_id"] for line in basket.lines],
        "country": address.get("country") or "",
        "region": address.get("state") or "",
        "today": clock.now().date(),
        "codes": list(basket.discount_codes),
    }


def read(session: Session, basket: Basket) -> Facts:
    """The facts as this transaction sees them."""
    session.flush()
    row = session.connection().exec_driver_sql(READ, question(basket)).mappings().one()
    return answer(basket, dict(row))


def answer(basket: Basket, row: Mapping[str, Any]) -> Facts:
    """What ``READ`` found."""
    shop = Shop(basket.tenant_id, row["name"], row["currency"], row["country"], row["demo"], row["settings"])
    stock: dict[str, list[Place]] = {line["variant_id"]: [] for line in basket.lines}
    for place in row["places"] or ():
        stock[place["variant_id"]].append(Place(place["id"], place["region"], place["position"], place["available"]))
    return Facts(
        shop=shop,
        items={item["id"]: item for item in row["items"] or ()},
        stock=stock,
        zones=[Zone(**zone) for zone in row["zones"] or ()],
        tax=Jurisdiction(**row["tax"]) if row["tax"] else NO_TAX,
        codes={code["code"]: _code(code) for code in row["codes"] or ()},
    )


def _code(row: Mapping[str, Any]) -> Discount:
    moments = {name: datetime.fromisoformat(row[name]) for name in ("starts_at", "ends_at") if row[name]}
    return Discount(**(dict(row) | moments))
