"""Which taxes hold for a sale: where it is supplied, who collects there, who is exempt."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from functools import cache
from typing import Any, Final

from sqlalchemy.orm import Session

from engine.kit import clock
from engine.kit.direct import Statement
from engine.kit.gathering import ask
from engine.kit.policies import read_policy
from engine.kit.tenancy import Tenant
from engine.tax.levies import Bill, Item, Levy, Rounding, Taxed, without, work_out
from engine.tax.models import Level
from engine.tax.policy import TaxPolicy

__all__ = ["NO_TAX", "RATES", "Bill", "Item", "Rules", "Taxed", "rules", "rules_at"]

RATES: Final = """app.tax_rates x WHERE x.tenant_id = {tenant} AND x.valid_from <= %(today)s
    AND (x.valid_to IS NULL OR x.valid_to >= %(today)s)
    AND (x.country = {country} AND x.region IN ({region}, '') AND lower(x.city) IN ('', lower({city}))
      AND (x.postal_prefixes = '{{}}' OR EXISTS (SELECT FROM unnest(x.postal_prefixes) AS f
        WHERE starts_with(upper(replace({postal}, ' ', '')), upper(replace(f, ' ', '')))))
      OR x.country = {home} AND x.level = 'country')"""
"""The rates in force at an address, and those of the whole home country. Placeholders are SQL expressions."""
COLUMNS: Final = """x.id, x.name, x.rate_ppm, x.level, x.country, x.region, x.category_ppm, x.thresholds,
    x.taxes_shipping, x.shipping_as_goods, x.replaces_wider, x.valid_from"""
EXEMPTIONS: Final = """app.tax_exemptions e WHERE e.tenant_id = {tenant} AND e.customer_id = {customer}
    AND e.country = {country} AND e.status = 'verified' AND e.valid_from <= %(today)s
    AND (e.valid_to IS NULL OR e.valid_to >= %(today)s)"""
"""The certificates of a customer that count in a country."""


@dataclass(frozen=True, slots=True)
class Rules:
    """The taxes of one sale. No levies: no tax is collected."""

    levies: tuple[Levy, ...] = ()
    included: bool = False
    """Whether the prices have the tax in them."""
    rounding: Rounding = "line"
    currency: str = "USD"
    relief: tuple[Levy, ...] = ()
    """What prices that include tax are made less by, as it is not due."""
    exempt: str = ""
    """The certificate that frees this buyer, by its kind."""
    notice: str = ""
    """What the buyer must know: taxes that come on top on delivery."""

    @property
    def name(self) -> str:
        """How the taxes are called together."""
        if not self.levies:
            return f"exempt ({self.exempt.replace('_', ' ')})" if self.exempt else "none"
        return ", ".join(levy.name for levy in self.levies)

    def unit_price(self, category: str, price: int) -> int:
        """What a unit is sold for: less the tax in its price, where that is not due."""
        return without(self.relief, category, price) if self.relief else price

    def bill(self, items: Sequence[Item], *, shipping: int = 0) -> Bill:
        """The taxes of a document."""
        return work_out(
            self.levies,
            items,
            shipping=shipping,
            currency=self.currency,
            included=self.included,
            rounding=self.rounding,
        )


NO_TAX: Final = Rules()


def rules(
    policy: TaxPolicy,
    rows: Iterable[Mapping[str, Any]],
    exemptions: Iterable[Mapping[str, Any]] = (),
    *,
    home: str,
    country: str,
    region: str,
    currency: str,
) -> Rules:
    """What holds for goods that go from ``home`` to an address, given the rates in force there and at home."""
    included = policy.includes(country=country or home, currency=currency)
    plain = Rules(included=included, rounding=policy.rounding, currency=currency)
    if not country:
        return plain
    known = list(rows)
    supply = policy.supply(home=home, country=country)
    due = _in_force(row for row in known if row["country"] == supply and (supply == country or _wide(row)))
    at_home = _in_force(row for row in known if row["country"] == home and _wide(row))
    levies = tuple(levy for levy in due if policy.registered(country=levy.country, region=levy.region or region))
    free = next((one for one in exemptions if one["region"] in ("", region)), None)
    if free:
        return replace(plain, relief=levies if included else (), exempt=str(free["kind"]))
    if levies:
        return replace(plain, levies=levies)
    relief = tuple(at_home) if included and policy.untaxed_prices == "without_tax" else ()
    return replace(plain, relief=relief, notice=policy.import_notice if country != home else "")


def rules_at(
    session: Session,
    tenant_id: str,
    address: Mapping[str, Any],
    *,
    currency: str,
    customer_id: str | None = None,
    on: date | None = None,
) -> Rules:
    """The rules at an address, today unless said."""
    tenant = session.get_one(Tenant, tenant_id)
    values = {
        "tenant": tenant_id,
        "today": on or clock.now().date(),
        "country": str(address.get("country") or ""),
        "region": str(address.get("state") or ""),
        "city": str(address.get("city") or ""),
        "postal": str(address.get("postal_code") or ""),
        "home": tenant.country,
        "customer": customer_id,
    }
    rows = _ask(session, f"SELECT {COLUMNS} FROM {RATES} ORDER BY x.id", values)  # noqa: S608 (our own)
    exempts = f"SELECT e.kind, e.region FROM {EXEMPTIONS} ORDER BY e.id"  # noqa: S608 (our own)
    found = _ask(session, exempts, values) if customer_id and rows else []
    policy = read_policy(tenant.settings, TaxPolicy)
    country, region = str(values["country"]), str(values["region"])
    return rules(policy, rows, found, home=tenant.country, country=country, region=region, currency=currency)


@cache
def _statement(query: str) -> Statement:
    names = ("tenant", "country", "region", "city", "postal", "home", "customer")
    return Statement(query.format(**{name: f"%({name})s" for name in names}))


def _ask(session: Session, query: str, values: Mapping[str, Any]) -> list[dict[str, Any]]:
    return ask(session, _statement(query), values)


def _wide(row: Mapping[str, Any]) -> bool:
    return bool(row["level"] == Level.COUNTRY)


def _in_force(rows: Iterable[Mapping[str, Any]]) -> list[Levy]:
    """The newest of each jurisdiction, the widest first; nothing wider than one that stands for all."""
    newest: dict[tuple[str, str, str], Mapping[str, Any]] = {}
    for row in rows:
        key = (row["level"], row["region"], row["name"])
        if key not in newest or str(newest[key]["valid_from"]) < str(row["valid_from"]):
            newest[key] = row
    order = list(Level)
    ranked = sorted(newest.values(), key=lambda row: (order.index(row["level"]), row["name"]))
    alone = max((order.index(row["level"]) for row in ranked if row["replaces_wider"]), default=0)
    return [_levy(row) for row in ranked if order.index(row["level"]) >= alone]


def _levy(row: Mapping[str, Any]) -> Levy:
    return Levy(**{name: row[name] for name in Levy.__slots__})
