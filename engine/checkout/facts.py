"""Everything a price rests on, read in one statement: the shop, the items and their stock, zones, taxes, codes.

Only a sale of more than there is, or one paid with stored value, asks once more: what can be promised of the rest and
by when, and what is left on the gift card.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any, Final, Protocol

from psycopg.types.json import Jsonb
from sqlalchemy.orm import Session

from engine.carts import discounts
from engine.carts.models import Discount
from engine.carts.promotions import Offered
from engine.catalog.policy import CatalogPolicy
from engine.catalog.prices import IN_FORCE, currencies_of
from engine.catalog.shop_file import StockPolicy
from engine.checkout import quotas
from engine.checkout.parts import part_of
from engine.inventory import direct as stock
from engine.inventory import service as inventory
from engine.inventory.availability import recipes
from engine.inventory.items import Recipe
from engine.inventory.service import Place, Promise
from engine.kit import clock
from engine.kit.policies import read_policy
from engine.kit.tenancy import Tenant
from engine.payments.tenders import Purse, purses
from engine.shipping import digital, pickup
from engine.tax import service as tax
from engine.tax.policy import TaxPolicy


class Basket(Protocol):
    """What pricing must know of a checkout session."""

    @property
    def tenant_id(self) -> str: ...
    @property
    def id(self) -> str: ...
    @property
    def owner_id(self) -> str: ...
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
    def ways(self) -> dict[str, Any]: ...
    @property
    def discount_codes(self) -> list[str]: ...
    @property
    def payment_method(self) -> dict[str, Any] | None: ...
    @property
    def tenders(self) -> list[Any]: ...


@dataclass(frozen=True, slots=True)
class Shop:
    """What pricing and the card need to know of the merchant."""

    tenant_id: str
    name: str
    currency: str
    country: str
    demo: bool
    settings: Mapping[str, Any]

    def sells_in(self, currency: str) -> bool:
        return currency == self.currency or currency in currencies_of(self.currency, self.settings)


@dataclass(frozen=True, slots=True)
class Zone:
    countries: list[str]
    regions: list[str]
    rates: list[Any]
    stamp: str


@dataclass(frozen=True, slots=True)
class Facts:
    """``items`` by variant: the catalog's row of each that exists; ``stock`` by variant: the places that ship."""

    shop: Shop
    items: Mapping[str, Mapping[str, Any]]
    stock: Mapping[str, Sequence[Place]]
    zones: Sequence[Zone]
    tax: tax.Rules
    promotions: Sequence[Offered]
    """Those of the checkout's codes that exist, and the automatic ones of the moment."""
    cart: Mapping[str, Any] | None
    """status, discount_codes and lines (variant → quantity) of the cart it came from."""
    stamp: str
    """The versions of all of it."""
    sites: Sequence[Mapping[str, Any]] = ()
    """The locations that ship, in the shop's order: what routing must know of them; the one where the order is fetched
    instead, where that is chosen."""
    picked: Mapping[str, Any] | None = None
    """The location where the order is to be fetched. ``stock`` is then only what lies there."""
    fetched_at: Sequence[Mapping[str, Any]] = ()
    """The locations that offer it and have the whole basket."""
    shared: Mapping[str, int] = field(default_factory=dict)
    """By variant: units that are there for the whole basket together, where lines take the same parts."""
    promised: Mapping[str, Promise] = field(default_factory=dict)
    """By variant, where less is there than is wanted and the item may be sold ahead of its stock."""
    made_of: Mapping[str, Recipe] = field(default_factory=dict)
    """What a unit of each of these takes from the shelf."""
    tax_policy: TaxPolicy = field(default_factory=TaxPolicy)
    tax_quote: Mapping[str, Any] | None = None
    """What an engine that has to be asked last said of this checkout."""
    bought: Sequence[Mapping[str, Any]] = ()
    """Where the shop limits how much a customer may buy: what this one ordered before."""
    elsewhere: Mapping[str, Facts] = field(default_factory=dict)
    """By the way that some lines go otherwise than the rest, where that changes what their price rests on: they are
    fetched at a place of its own."""
    lying_at: Mapping[str, frozenset[str]] = field(default_factory=dict)
    """By location that offers to fetch there: the variants of which it has all units."""
    purses: Mapping[str, Purse] = field(default_factory=dict)
    """By account: the gift cards and store credit it is paid with that are good now."""

    def goes_to(self, basket: Basket) -> dict[str, Any] | None:
        """Where the order goes: the place where it is fetched, else the address."""
        if self.picked is None:
            return basket.ship_to
        return pickup.address_of(self.picked, str(basket.buyer.get("name") or (basket.ship_to or {}).get("name") or ""))

    def of(self, basket: Basket, variant_id: str) -> Facts:
        """What the price of a line rests on."""
        return self.elsewhere.get((basket.ways or {}).get(variant_id, ""), self)

    def is_digital(self, variant_id: str) -> bool:
        item = self.items.get(variant_id)
        return item is not None and item["digital"] is not None

    def stale(self, now: datetime) -> list[str]:
        """Products that another platform sells as well, and of which what we know is older than the shop allows."""
        seen = {item["product_id"]: item["seen_at"] for item in self.items.values() if item.get("seen_at")}
        if not seen:
            return []
        fresh = timedelta(minutes=read_policy(dict(self.shop.settings), CatalogPolicy).platform_fresh_minutes)
        return sorted(key for key, at in seen.items() if now - datetime.fromisoformat(at) >= fresh)

    def ready(self, variant_id: str) -> int:
        """Units that can ship at once, with everything else that is wanted."""
        alone = self.alone(variant_id)
        return min(alone, self.shared.get(variant_id, alone))

    def alone(self, variant_id: str) -> int:
        """Units that could ship at once if nothing else were wanted."""
        return sum(place.available for place in self.stock[variant_id])


_SEVERAL: Final = ("items", "zones", "rates", "exemptions", "promotions")
_AHEAD: Final = frozenset({StockPolicy.BACKORDER, StockPolicy.PREORDER})

SCOPE: Final = f"""
  LEFT JOIN app.locations y ON y.tenant_id = c.tenant_id AND y.pickup IS NOT NULL AND y.line_one <> ''
    AND left(c.fulfillment_option_id, {len(pickup.PREFIX)}) = '{pickup.PREFIX}'
    AND y.id = substr(c.fulfillment_option_id, {len(pickup.PREFIX) + 1})
  JOIN app.tenants t ON t.id = c.tenant_id
  CROSS JOIN LATERAL (
    SELECT ARRAY(SELECT line->>'variant_id' FROM jsonb_array_elements(c.lines) AS line) AS variants,
      coalesce(c.ship_to->>'country', '') AS sent_to, coalesce(y.country, nullif(c.ship_to->>'country', ''),
        CASE WHEN c.fulfillment_option_id = '{digital.TYPE}' THEN t.country END, '') AS country,
      coalesce(y.region, c.ship_to->>'state', '') AS region, coalesce(y.city, c.ship_to->>'city', '') AS city,
      coalesce(y.postal_code, c.ship_to->>'postal_code', '') AS postal, (
        SELECT h.customer_id FROM app.shoppers h
        WHERE h.tenant_id = c.tenant_id AND h.id = c.owner_id) AS customer) AS w
"""  # noqa: S608 (our own)
"""What a checkout ``c`` asks for, and its shop; where it is fetched at a location ``y``, that is where it goes, and
what is digital goes to the shop's own country where nobody knows another."""

_PRICE: Final = IN_FORCE.replace("%(currency)s", "c.currency")
_ITEMS: Final = f"""app.variants v JOIN app.products p ON p.tenant_id = v.tenant_id AND p.id = v.product_id
    LEFT JOIN LATERAL ({_PRICE}) AS q ON true
    WHERE v.tenant_id = c.tenant_id AND v.id = ANY(w.variants)"""
_ZONES: Final = "app.shipping_zones z WHERE z.tenant_id = c.tenant_id AND w.sent_to = ANY(z.countries)"
_WHERE: Final = {"tenant": "c.tenant_id", "country": "w.country", "home": "t.country"}
_RATES: Final = tax.RATES.format(**_WHERE, region="w.region", city="w.city", postal="w.postal")
_EXEMPTIONS: Final = tax.EXEMPTIONS.format(**_WHERE, customer="w.customer")
_CART: Final = "app.carts r WHERE r.tenant_id = c.tenant_id AND r.id = c.cart_id"
_PLACES: Final = stock.PLACES.replace("%(tenant)s", "c.tenant_id").replace("%(variants)s", "w.variants")
_SITES: Final = """SELECT l.id, l.code, l.country, l.region, l.position, l.latitude, l.longitude, l.handling_days,
    l.handling_cost, l.cannot_ship, l.time_zone, l.cut_off, l.ships, l.pickup, l.name, l.line_one,
    l.city, l.postal_code
    FROM app.locations l WHERE l.tenant_id = c.tenant_id AND (l.ships OR l.pickup IS NOT NULL)
    ORDER BY l.position, l.id"""
_ITEM_STAMP: Final = "concat_ws('.', v.xmin, p.xmin, q.id, q.stamp)"
_RATE_STAMP: Final = "concat(x.id, '.', x.xmin)"
_EXEMPTION_STAMP: Final = "concat(e.id, '.', e.xmin)"
_CART_STAMP: Final = "concat_ws('.', r.status, r.updated_at, r.discount_codes)"

COLUMNS: Final = f"""
  w.country AS at_country, w.region AS at_region,
  t.name, t.currency AS shop_currency, t.country, t.demo, t.settings, t.xmin::text AS stamp,
  (SELECT json_agg(i ORDER BY i.id) FROM (
    SELECT v.id, v.product_id, v.sku, v.options, v.cost, v.weight_g, v.length_mm, v.width_mm, v.height_mm, v.sellable,
      v.stock_policy, v.digital,
      coalesce(q.amount, CASE WHEN c.currency = t.currency THEN v.price END) AS price,
      p.title, p.category, p.collections, p.tax_category, p.restrictions, p.status, {_ITEM_STAMP} AS stamp,
      (SELECT o.seen_at FROM app.product_sources o WHERE o.tenant_id = p.tenant_id AND o.product_id = p.id) AS seen_at
    FROM {_ITEMS}) AS i) AS items,
  (SELECT json_agg(f) FROM ({_PLACES}) AS f) AS places,
  (SELECT json_agg(l) FROM ({_SITES}) AS l) AS sites,
  (SELECT json_agg(z) FROM (
    SELECT z.countries, z.regions, z.rates, z.xmin::text AS stamp FROM {_ZONES}
    ORDER BY z.position, z.id) AS z) AS zones,
  (SELECT json_agg(x) FROM (
    SELECT {tax.COLUMNS}, {_RATE_STAMP} AS stamp FROM {_RATES} ORDER BY x.id) AS x) AS rates,
  (SELECT json_agg(e) FROM (
    SELECT e.kind, e.region, {_EXEMPTION_STAMP} AS stamp FROM {_EXEMPTIONS} ORDER BY e.id) AS e) AS exemptions,
  (SELECT json_agg(d) FROM (
    SELECT {discounts.COLUMNS} FROM {discounts.KNOWN} ORDER BY d.id) AS d) AS promotions,
  (SELECT row_to_json(u) FROM (
    SELECT u.question_hash, u.status, u.answer, u.calculation_id, u.expires_at FROM app.tax_quotes u
    WHERE u.tenant_id = c.tenant_id AND u.session_id = c.id) AS u) AS tax_quote,
  {quotas.BOUGHT} AS bought,
  (SELECT row_to_json(r) FROM (
    SELECT r.status, r.discount_codes, {_CART_STAMP} AS stamp, (
      SELECT json_object_agg(l.variant_id, l.quantity) FROM app.cart_lines l
      WHERE l.tenant_id = r.tenant_id AND l.cart_id = r.id) AS lines
    FROM {_CART}) AS r) AS cart
"""  # noqa: S608 (our own)
"""All that ``answer`` reads."""

STAMP: Final = f"""concat_ws('|', t.xmin,
    (SELECT string_agg({_ITEM_STAMP}, ',' ORDER BY v.id) FROM {_ITEMS}),
    (SELECT string_agg(z.xmin::text, ',' ORDER BY z.position, z.id) FROM {_ZONES}),
    (SELECT string_agg({_RATE_STAMP}, ',' ORDER BY x.id) FROM {_RATES}),
    (SELECT string_agg({_EXEMPTION_STAMP}, ',' ORDER BY e.id) FROM {_EXEMPTIONS}),
    (SELECT string_agg({discounts.STAMP}, ',' ORDER BY d.id) FROM {discounts.KNOWN}),
    (SELECT {_CART_STAMP} FROM {_CART}))"""  # noqa: S608 (our own)
"""The versions of everything a price rests on, as ``Facts.stamp`` has them at ``moment``: another price in force is
another version. But for stock and uses of codes, which are
taken and so checked by themselves."""

READ: Final = f"""
SELECT {COLUMNS} FROM app.checkout_sessions c {SCOPE}
WHERE c.tenant_id = %(tenant)s AND c.id = %(id)s
"""  # noqa: S608 (our own)


LOOK: Final = f"""
SELECT {COLUMNS} FROM jsonb_to_record(%(basket)s) AS c(tenant_id text, id text, owner_id text, cart_id text,
  currency text, lines jsonb, buyer jsonb, ship_to jsonb, fulfillment_option_id text, discount_codes text[]) {SCOPE}
"""  # noqa: S608 (our own)
"""The same of a basket that is not written down."""


def shop_of(session: Session, tenant_id: str) -> Shop:
    """The merchant's facts."""
    row = session.get_one(Tenant, tenant_id)
    return Shop(row.id, row.name, row.currency, row.country, row.demo, row.settings)


def read(session: Session, basket: Basket) -> Facts:
    """The facts as this transaction sees them; the checkout's row is written first."""
    session.flush()
    now = clock.now()
    values = {"tenant": basket.tenant_id, "id": basket.id, "today": now.date(), "moment": now}
    row = session.connection().exec_driver_sql(READ, values).mappings().one()
    found = answer(basket, dict(row))
    return with_rest(session, basket, found) if has_rest(basket, found) else found


def look(session: Session, basket: Basket, *, owner_id: str) -> Facts:
    """The facts for a basket of this owner that no row holds (yet)."""
    now = clock.now()
    values = {"basket": Jsonb(record_of(basket, owner_id)), "today": now.date(), "moment": now}
    row = session.connection().exec_driver_sql(LOOK, values).mappings().one()
    found = answer(basket, dict(row))
    return with_rest(session, basket, found) if has_rest(basket, found) else found


def record_of(basket: Basket, owner_id: str) -> dict[str, Any]:
    """The basket as ``LOOK`` takes it."""
    return {
        "tenant_id": basket.tenant_id,
        "id": basket.id,
        "owner_id": owner_id,
        "currency": basket.currency,
        "lines": basket.lines,
        "buyer": basket.buyer,
        "ship_to": basket.ship_to,
        "fulfillment_option_id": basket.fulfillment_option_id,
        "discount_codes": basket.discount_codes,
    }


def short(basket: Basket, found: Facts) -> dict[str, int]:
    """What is wanted of items that may be sold ahead of their stock and of which there is less."""
    return {
        line["variant_id"]: line["quantity"]
        for line in basket.lines
        if (item := found.items.get(line["variant_id"]))
        and item["stock_policy"] in _AHEAD
        and found.of(basket, item["id"]) is found
        and found.ready(item["id"]) < line["quantity"]
    }


def has_rest(basket: Basket, found: Facts) -> bool:
    """Whether something more has to be found out."""
    return bool(basket.tenders or _apart(basket)) or (found.picked is None and bool(short(basket, found)))


def _apart(basket: Basket) -> list[str]:
    """The places of the shop where some lines are fetched and the rest is not."""
    others = {way for way in (basket.ways or {}).values() if way.startswith(pickup.PREFIX)}
    return sorted(others - {basket.fulfillment_option_id})


def with_rest(session: Session, basket: Basket, found: Facts) -> Facts:
    """The facts, what can be said about the units that are not there, and what can be spent of stored value."""
    for way in _apart(basket):
        part = part_of(basket, {variant for variant, wanted in basket.ways.items() if wanted == way}, way)
        found = replace(found, elsewhere={**found.elsewhere, way: look(session, part, owner_id=basket.owner_id)})
    accounts = [tender["stored_value_id"] for tender in basket.tenders]
    if accounts:
        found = replace(found, purses=purses(session, basket.tenant_id, accounts, currency=basket.currency))
    wanted = {} if found.picked else short(basket, found)
    if not wanted:
        return found
    there = {variant_id: inventory.clipped(found.stock[variant_id], found.ready(variant_id)) for variant_id in wanted}
    promised = inventory.promises(session, basket.tenant_id, wanted, stock=there)
    return replace(found, promised=promised, made_of=recipes(session, basket.tenant_id, list(wanted)))


def answer(basket: Basket, row: Mapping[str, Any]) -> Facts:
    """What ``COLUMNS`` found."""
    shop = Shop(basket.tenant_id, row["name"], row["shop_currency"], row["country"], row["demo"], row["settings"])
    policy = read_policy(dict(shop.settings), TaxPolicy)
    everywhere: dict[str, list[Place]] = {line["variant_id"]: [] for line in basket.lines}
    for place in row["places"] or ():
        everywhere[place["variant_id"]].append(stock.place(place))
    items = {item["id"]: item for item in row["items"] or ()}
    picked, sites = _sites(basket, row["sites"] or ())
    bodiless = {variant_id for variant_id, item in items.items() if item["digital"] is not None}
    places = _at(everywhere, {site["id"] for site in sites}) | {one: everywhere[one] for one in bodiless}
    lying = _lying(basket, everywhere, [site["id"] for site in row["sites"] or () if site["pickup"]])
    rest = {line["variant_id"] for line in basket.lines} - bodiless - set(basket.ways or ())
    return Facts(
        shop=shop,
        items=items,
        stock=places,
        sites=sites,
        picked=picked,
        fetched_at=[site for site in row["sites"] or () if rest and rest <= lying.get(site["id"], frozenset())],
        lying_at=lying,
        shared=_shared(basket, items, places),
        zones=[Zone(**zone) for zone in row["zones"] or ()],
        tax=_taxes(basket, shop, policy, row),
        tax_policy=policy,
        tax_quote=row["tax_quote"],
        bought=row["bought"] or (),
        promotions=[_offered(one) for one in row["promotions"] or ()],
        cart=row["cart"],
        stamp=_stamp(row),
    )


def _shared(
    basket: Basket, items: Mapping[str, Mapping[str, Any]], places: Mapping[str, Sequence[Place]]
) -> dict[str, int]:
    """What is sold ahead of its stock anyway leaves what there is to what is not."""
    if len(basket.lines) == 1:
        return {}
    waits = {variant_id for variant_id, item in items.items() if item["stock_policy"] in _AHEAD}
    wanted = {line["variant_id"]: line["quantity"] for line in basket.lines}
    return inventory.together(wanted, places, waits=waits)


def _sites(
    basket: Basket, rows: Sequence[Mapping[str, Any]]
) -> tuple[Mapping[str, Any] | None, Sequence[Mapping[str, Any]]]:
    """The location where the basket is to be fetched, if it is; and where its units may be taken from."""
    wanted = basket.fulfillment_option_id
    picked = next(
        (one for one in rows if one["pickup"] and one["line_one"] and pickup.option_of(one["id"]) == wanted), None
    )
    return picked, [picked] if picked else [row for row in rows if row["ships"]]


def _at(places: Mapping[str, Sequence[Place]], location_ids: Collection[str]) -> dict[str, list[Place]]:
    return {variant: [one for one in known if one.location_id in location_ids] for variant, known in places.items()}


def _lying(
    basket: Basket, places: Mapping[str, Sequence[Place]], location_ids: Sequence[str]
) -> dict[str, frozenset[str]]:
    """By location: the variants of which all units lie there, next to the others that do."""
    wanted = {line["variant_id"]: line["quantity"] for line in basket.lines}
    found = {}
    for location_id in location_ids:
        here = _at(places, {location_id})
        there = {one: n for one, n in wanted.items() if sum(place.available for place in here[one]) >= n}
        shared = inventory.together(there, here, waits=frozenset()) if len(there) > 1 else {}
        found[location_id] = frozenset(one for one, n in there.items() if shared.get(one, n) >= n)
    return found


def _taxes(basket: Basket, shop: Shop, policy: TaxPolicy, row: Mapping[str, Any]) -> tax.Rules:
    return tax.rules(
        policy,
        row["rates"] or (),
        row["exemptions"] or (),
        home=shop.country,
        country=row["at_country"],
        region=row["at_region"],
        currency=basket.currency,
    )


def _stamp(row: Mapping[str, Any]) -> str:
    """What ``STAMP`` would say of the same rows."""
    several = [",".join(one["stamp"] for one in row[name]) for name in _SEVERAL if row[name]]
    cart = [row["cart"]["stamp"]] if row["cart"] else []
    return "|".join([row["stamp"], *several, *cart])


_ABOUT_BUYER: Final = frozenset({"by_buyer", "returning", "stamp"})


def _offered(row: Mapping[str, Any]) -> Offered:
    moments = {name: datetime.fromisoformat(row[name]) for name in ("starts_at", "ends_at") if row[name]}
    same = {name: value for name, value in row.items() if name not in _ABOUT_BUYER}
    return Offered(Discount(**same | moments), row["by_buyer"], row["returning"])
