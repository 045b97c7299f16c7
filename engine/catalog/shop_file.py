"""The file a shop is made from: its catalog, places, prices of shipping and tax, and (for demos) its people.

`icommerce tenants create --catalog FILE` and the demo seed read the same format, YAML or JSON. Money is whole
minor units of the shop's currency (in ``prices`` and ``amounts``: of the one named), weights are grams, lengths
millimetres, tax rates parts per million.
"""

from __future__ import annotations

import json
from datetime import date, time
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, Literal, Self
from zoneinfo import available_timezones

import yaml
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints, model_validator

from engine.catalog.facts import Dimensions, Faq, Sayings
from engine.catalog.shop_money import Currency, DiscountAmounts, Minor, PriceRow, RateAmounts, RateBands, Surcharge
from engine.kit.refusals import worded
from engine.shipping.digital import Digital
from engine.shipping.pickup import Pickup

Slug = Annotated[
    str,
    StringConstraints(pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$", max_length=80),
    worded("at most 80 small letters and digits, with single hyphens between them"),
]
LocationCode = Annotated[str, StringConstraints(pattern=r"^[A-Z0-9-]{2,12}$")]
Units = Annotated[int, Field(ge=0, le=1_000_000_000)]
Country = Annotated[str, StringConstraints(pattern=r"^[A-Z]{2}$")]


_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class Row(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Restriction(StrEnum):
    """Why an item may not go everywhere; the compliance rules read these."""

    LITHIUM_BATTERY = "lithium_battery"  # ground only; not to Alaska, Hawaii, territories or abroad
    BLADE = "blade"  # age 18; not to the UK
    AGE_18 = "age_18"
    AGE_21 = "age_21"
    FLAMMABLE = "flammable"  # fuel, sprays: ground only, domestic only
    OVERSIZE = "oversize"  # not to PO boxes
    DOMESTIC_ONLY = "domestic_only"
    PROP_65 = "prop_65"  # California's notice


class TaxCategory(StrEnum):
    STANDARD = "standard"
    CLOTHING = "clothing"
    FOOD = "food"
    DIGITAL = "digital"


class StockPolicy(StrEnum):
    """What happens when somebody wants more than is there."""

    DENY = "deny"
    BACKORDER = "backorder"  # sold now, sent when it comes
    PREORDER = "preorder"  # not out yet: sold now, sent from ``available_on``
    UNTRACKED = "untracked"  # nobody counts it: always there


def counted_digitally(said: Any) -> Any:
    """What is said of a variant, with how it is counted where it is digital: by its codes, or not at all."""
    if not isinstance(said, dict) or not said.get("digital"):
        return said
    given = said["digital"]
    codes = given.codes if isinstance(given, Digital) else isinstance(given, dict) and bool(given.get("codes"))
    policy = StockPolicy.DENY if codes else StockPolicy.UNTRACKED
    usual = said.get("stock_policy") in {None, *(StockPolicy.DENY, StockPolicy.UNTRACKED), "deny", "untracked"}
    return {**said, "stock_policy": policy} if usual else said


class ShopRow(Row):
    slug: Slug
    name: str
    tagline: str
    currency: Currency
    currencies: list[Currency] = []
    """What it sells in besides. An item, way of shipping or code without a price in one of them is not sold in it."""
    currency_by_country: dict[Country, Currency] = {}
    """What a new cart is in, by the country of the shopper's address; the shop's currency for others."""
    country: Country
    locale: str = "en-US"
    support_email: str
    support_hours: str
    accent: Annotated[str, StringConstraints(pattern=r"^#[0-9a-f]{6}$")]
    free_shipping_hint: str = ""
    returns_policy: str
    order_prefix: Annotated[str, StringConstraints(pattern=r"^[A-Z]{2,4}$")]
    seller: dict[str, str | list[str]] = {}
    """The shop's policy ``seller``: legal name and address, as invoices and letters say them."""
    policies: dict[str, dict[str, Any]] = Field(default_factory=dict)
    """Section → values that are not the default (``icommerce tenants policy SLUG`` lists them)."""


def _known_zone(name: str) -> str:
    if name not in available_timezones():
        raise ValueError(f"{name} is not a time zone")
    return name


class LocationRow(Row):
    code: LocationCode
    name: str
    kind: Literal["warehouse", "store"]
    country: Country
    region: str
    city: str
    postal_code: str
    line_one: str = ""
    """Street and number, where shoppers come to it."""
    ships: bool = True
    latitude: Annotated[float, Field(ge=-90, le=90)] | None = None
    longitude: Annotated[float, Field(ge=-180, le=180)] | None = None
    handling_days: Annotated[int, Field(ge=0, le=60)] = 0
    """Working days between release and the carrier's van."""
    handling_cost: Minor = 0
    """For each parcel that leaves."""
    cannot_ship: list[Restriction] = []
    time_zone: Annotated[str, AfterValidator(_known_zone)] = "UTC"
    """IANA name, such as ``America/New_York``."""
    cut_off: time | None = None
    """What is ordered by then, on its own clock, is handled the same day; without it the shop's policy says."""
    pickup: Pickup | None = None
    """On what terms orders are fetched here; they need ``line_one``."""


class BundlePart(Row):
    """``quantity`` units of another item in each unit of a bundle."""

    sku: str
    quantity: Annotated[int, Field(ge=1, le=1000)] = 1


class VariantRow(Row):
    sku: Annotated[str, StringConstraints(pattern=r"^[A-Z0-9][A-Z0-9-]{2,39}$")]
    options: dict[str, str] = {}
    price: Minor
    prices: dict[Currency, Minor] = {}
    """Other currency → price in its minor units."""
    scheduled: list[PriceRow] = []
    cost: Minor
    weight_g: Annotated[int, Field(ge=0)] = 0
    """What has a parcel weighs something."""
    size_mm: tuple[int, int, int] = (0, 0, 0)
    """Packed length, width, height."""
    stock: dict[str, Annotated[int, Field(ge=0)]] = {}
    """Location code to units on hand; a missing location has none."""
    safety_stock: dict[str, Annotated[int, Field(ge=0)]] = {}
    """Location code to units that are never sold there."""
    low_stock_at: Annotated[int, Field(ge=0)] | None = None
    """Alert at each of its locations when no more than this is left to sell."""
    bundle: list[BundlePart] = []
    """What a unit is made of. A bundle has no stock of its own; it sells for its own price and costs what they cost."""
    stock_policy: StockPolicy = StockPolicy.DENY
    backorder_limit: Units | None = None
    """Most units that may wait at a time; without it as many as are ordered."""
    available_on: date | None = None
    """The day a pre-order can ship from."""
    lead_days: Annotated[int, Field(ge=0, le=730)] | None = None
    digital: Digital | None = None
    """What a buyer is given, of what has no parcel. Codes are brought later: they are its stock."""

    @model_validator(mode="before")
    @classmethod
    def _counted(cls, said: Any) -> Any:
        return counted_digitally(said)

    @model_validator(mode="after")
    def _has_a_parcel_or_none(self) -> Self:
        if self.digital is None and not (self.weight_g and all(self.size_mm)):
            raise ValueError(f"{self.sku}: what has a parcel has weight_g and size_mm")
        if self.digital and (self.bundle or self.stock or self.stock_policy != self.digital.stock_policy):
            raise ValueError(f"{self.sku}: a digital item is no bundle, lies on no shelf and is not ordered ahead")
        return self

    @model_validator(mode="after")
    def _stock_fits(self) -> Self:
        parts = [part.sku for part in self.bundle]
        if self.bundle and (self.stock or self.safety_stock or self.stock_policy == StockPolicy.UNTRACKED):
            raise ValueError(f"{self.sku}: a bundle has no stock of its own")
        if len(parts) > len(set(parts)):
            raise ValueError(f"{self.sku}: a part of the bundle is named twice")
        if self.stock_policy == StockPolicy.UNTRACKED and self.stock:
            raise ValueError(f"{self.sku}: what nobody counts has no stock")
        if self.stock_policy == StockPolicy.PREORDER and self.available_on is None:
            raise ValueError(f"{self.sku}: a pre-order says from when it is available")
        return self


class ProductRow(Row):
    slug: Slug
    title: str
    brand: str
    category: Annotated[str, StringConstraints(pattern=r"^[a-z][a-z &'-]+$")]
    """Plain lower-case plural words usable in a sentence, such as ``tents``."""
    description: Annotated[str, StringConstraints(min_length=80, max_length=900)]
    motif: Annotated[str, StringConstraints(pattern=r"^[a-z_]+$")]
    """Which drawing stands for it (see ``app/media``)."""
    features: list[str] = []
    materials: list[str] = []
    compatibility: list[str] = []
    care: str = ""
    attributes: dict[str, str | int | bool] = {}
    """Facts a shopper compares: capacity_liters, season, waterproof, sleeps, ports, battery_hours, ..."""
    constraints: Sayings = []
    safety: Sayings = []
    units: dict[str, str] = {}
    """Attribute → its unit."""
    dimensions: Dimensions | None = None
    faqs: list[Faq] = []
    collections: list[Slug] = []
    synonyms: list[str] = []
    """Other words shoppers use for it; they are searched, never shown."""
    tax_category: TaxCategory = TaxCategory.STANDARD
    restrictions: list[Restriction] = []
    warranty_months: Annotated[int, Field(ge=0)] = 12
    rating: Annotated[int, Field(ge=0, le=50)] = 0
    """Tenths of a star; 0 means not rated yet."""
    rating_count: Annotated[int, Field(ge=0)] = 0
    options: dict[str, list[str]] = {}
    """Option name to its values in display order; every variant names one value of each."""
    variants: Annotated[list[VariantRow], Field(min_length=1)]

    @model_validator(mode="after")
    def _options_match(self) -> Self:
        seen: set[tuple[tuple[str, str], ...]] = set()
        for variant in self.variants:
            if set(variant.options) != set(self.options):
                raise ValueError(f"{self.slug}: variant {variant.sku} does not name each option once")
            for name, value in variant.options.items():
                if value not in self.options[name]:
                    raise ValueError(f"{self.slug}: {variant.sku} has unknown {name} {value!r}")
            key = tuple(sorted(variant.options.items()))
            if key in seen:
                raise ValueError(f"{self.slug}: two variants with the options {key}")
            seen.add(key)
            if variant.cost >= variant.price:
                raise ValueError(f"{self.slug}: {variant.sku} costs more than it sells for")
        return self


class ShippingRateRow(Row):
    code: Slug
    title: str
    carrier: str
    price: Minor
    per_kg: Minor = 0
    """Added for each started kilogram above the first."""
    free_over: Minor | None = None
    """Goods value (after discount) from which it is free."""
    min_days: Annotated[int, Field(ge=0)]
    max_days: Annotated[int, Field(ge=0)]
    air: bool = False
    """Air transport: refused for lithium batteries and flammables."""
    type: Literal["shipping", "pickup", "local_delivery"] = "shipping"
    po_box: bool = True
    """Whether it reaches PO boxes."""
    max_weight_g: Annotated[int, Field(gt=0)] | None = None
    max_length_mm: Annotated[int, Field(gt=0)] | None = None
    dim_divisor: Annotated[int, Field(gt=0)] | None = None
    """Weight is at least the packed volume in mm³ over this, in grams (5000 is usual)."""
    bands: RateBands | None = None
    """Prices in steps in place of ``price``."""
    surcharges: list[Surcharge] = []
    amounts: dict[Currency, RateAmounts] = {}


class ShippingZoneRow(Row):
    name: str
    countries: list[Country]
    regions: list[str] = []
    """State or province codes; empty means the whole country. The narrowest zone wins."""
    rates: list[ShippingRateRow]


class TaxThreshold(Row):
    """A unit that costs less is free of this tax; one that does not is taxed in full, or only beyond it."""

    amounts: dict[Currency, Minor]
    taxes: Literal["all", "excess"] = "all"


class TaxRateRow(Row):
    country: Country
    region: str = ""
    name: str
    rate_ppm: Annotated[int, Field(ge=0, le=300_000)]
    """Parts per million: 8.25 % is 82500."""
    exempt: list[TaxCategory] = []
    reduced_ppm: dict[TaxCategory, Annotated[int, Field(ge=0, le=300_000)]] = {}
    taxes_shipping: bool = False
    valid_from: date = date(2020, 1, 1)
    valid_to: date | None = None
    """The last day."""
    level: Literal["country", "region", "county", "city", "district"] | None = None
    """``region`` where there is one, else ``country``, unless said."""
    city: str = ""
    postal_prefixes: list[str] = []
    thresholds: dict[TaxCategory, TaxThreshold] = {}
    shipping_as_goods: bool = False
    """Shipping is taxed like the goods it carries, and not at the standard rate."""
    replaces_wider: bool = False
    """Nothing is due to the wider jurisdictions here."""


class DiscountRow(Row):
    code: Annotated[str, StringConstraints(pattern=r"^[A-Z0-9]{3,20}$")]
    title: str
    percent_off: Annotated[int, Field(gt=0, le=90)] | None = None
    amount_off: Minor | None = None
    minimum: Minor = 0
    amounts: dict[Currency, DiscountAmounts] = {}
    category: str | None = None
    """Limits the discount to one category's lines."""
    usage_limit: int | None = None
    starts_on: date | None = None
    ends_on: date | None = None

    @model_validator(mode="after")
    def _one_kind(self) -> Self:
        if (self.percent_off is None) == (self.amount_off is None):
            raise ValueError(f"{self.code}: percent_off or amount_off, one of them")
        if any((terms.amount_off is None) != (self.amount_off is None) for terms in self.amounts.values()):
            raise ValueError(f"{self.code}: amounts say amount_off where the code itself does")
        return self


class AddressRow(Row):
    name: str
    line_one: str
    line_two: str = ""
    city: str
    state: str
    postal_code: str
    country: Country


class CardRow(Row):
    brand: Literal["visa", "mastercard", "amex"]
    last4: Annotated[str, StringConstraints(pattern=r"^[0-9]{4}$")]
    exp_month: Annotated[int, Field(ge=1, le=12)]
    exp_year: Annotated[int, Field(ge=2027, le=2040)]
    wallet: Literal["", "demo_wallet"] = ""
    """The wallet that the card is in."""


class CustomerRow(Row):
    email: str
    name: str
    phone: str = ""
    addresses: list[AddressRow] = []
    """The first is the default."""
    cards: list[CardRow] = []


class PastOrderLine(Row):
    sku: str
    quantity: Annotated[int, Field(ge=1)]


class PastOrderStage(StrEnum):
    """How far an order of the past got; the seed posts every event that led there."""

    PAID = "paid"
    PARTLY_SHIPPED = "partly_shipped"
    SHIPPED = "shipped"
    DELIVERED = "delivered"
    CANCELED = "canceled"
    PARTLY_RETURNED = "partly_returned"
    RETURNED = "returned"


class PastOrderRow(Row):
    customer: str
    """E-mail of one of the customers."""
    days_ago: Annotated[int, Field(ge=0, le=900)]
    stage: PastOrderStage
    shipping: Slug
    lines: Annotated[list[PastOrderLine], Field(min_length=1)]


class CatalogFile(Row):
    shop: ShopRow
    locations: Annotated[list[LocationRow], Field(min_length=1)]
    products: list[ProductRow]
    price_lists: dict[Currency, dict[str, Minor]] = {}
    """Other currency → SKU → price, for who keeps a sheet per currency; the same as ``prices`` of the variants."""
    shipping_zones: list[ShippingZoneRow]
    tax_rates: list[TaxRateRow] = []
    discounts: list[DiscountRow] = []
    customers: list[CustomerRow] = []
    orders: list[PastOrderRow] = []

    @model_validator(mode="after")
    def _references_resolve(self) -> Self:
        codes = {location.code for location in self.locations}
        skus = [variant.sku for product in self.products for variant in product.variants]
        slugs = [product.slug for product in self.products]
        emails = {customer.email for customer in self.customers}
        rates = {rate.code for zone in self.shipping_zones for rate in zone.rates}
        problems = [
            f"{v.sku}: no location {c}"
            for p in self.products
            for v in p.variants
            for c in {**v.stock, **v.safety_stock}
            if c not in codes
        ]
        problems += [f"sku used twice: {sku}" for sku in sorted({s for s in skus if skus.count(s) > 1})]
        problems += [f"slug used twice: {slug}" for slug in sorted({s for s in slugs if slugs.count(s) > 1})]
        known = set(skus)
        problems += _bundle_problems([v for p in self.products for v in p.variants])
        for order in self.orders:
            problems += [
                f"order of {order.customer}: no sku {line.sku}" for line in order.lines if line.sku not in known
            ]
            if order.customer not in emails:
                problems.append(f"order of an unknown customer {order.customer}")
            if order.shipping not in rates:
                problems.append(f"order of {order.customer}: no shipping rate {order.shipping}")
        problems += [
            f"price list {code}: no sku {sku}" for code, s in self.price_lists.items() for sku in s if sku not in known
        ]
        problems += _currency_problems(self)
        if problems:
            raise ValueError("; ".join(problems[:10]))
        return self


def _currency_problems(file: CatalogFile) -> list[str]:
    """Amounts in a currency that the shop does not sell in, or in its own where the plain field says it."""
    home, others = file.shop.currency, set(file.shop.currencies)
    said = [
        *((v.sku, set(v.prices)) for p in file.products for v in p.variants),
        *((v.sku, {one.currency for one in v.scheduled} - {home}) for p in file.products for v in p.variants),
        ("price_lists", set(file.price_lists)),
        *((rate.code, set(rate.amounts)) for zone in file.shipping_zones for rate in zone.rates),
        *((code.code, set(code.amounts)) for code in file.discounts),
        ("currencies", {home} & others),
        ("currency_by_country", set(file.shop.currency_by_country.values()) - {home}),
    ]
    return [
        f"{name}: {code} is not among the shop's other currencies"
        for name, codes in said
        for code in sorted(codes - (others - {home}))
    ]


def _bundle_problems(variants: list[VariantRow]) -> list[str]:
    by_sku = {variant.sku: variant for variant in variants}
    found = []
    for variant in variants:
        for part in variant.bundle:
            if part.sku not in by_sku:
                found.append(f"{variant.sku}: no sku {part.sku}")
            elif by_sku[part.sku].bundle:
                found.append(f"{variant.sku}: its part {part.sku} is a bundle itself")
            elif by_sku[part.sku].digital:
                found.append(f"{variant.sku}: its part {part.sku} has no parcel")
        cost = sum(part.quantity * by_sku[part.sku].cost for part in variant.bundle if part.sku in by_sku)
        if variant.bundle and cost != variant.cost:
            found.append(f"{variant.sku}: it costs {variant.cost}, its parts {cost}")
    return found


def read_catalog(path: Path) -> CatalogFile:
    """Read one shop. A folder is read as its ``*.yaml`` files in name order, their lists joined.

    Raises ``pydantic.ValidationError`` with the place of every fault.
    """
    files = sorted(path.glob("*.yaml")) if path.is_dir() else [path]
    merged: dict[str, Any] = {}
    for file in files:
        text = file.read_text(encoding="utf-8")
        part = json.loads(text) if file.suffix == ".json" else yaml.load(text, Loader=_LOADER)  # noqa: S506 (it is safe)
        for key, value in part.items():
            merged[key] = merged[key] + value if isinstance(value, list) and key in merged else value
    return CatalogFile.model_validate(merged)
