"""A shop that sells in more than its own currency, for tests."""

from __future__ import annotations

from typing import Any

from sqlalchemy import select, update

from engine.carts.models import Discount
from engine.catalog import price_list
from engine.catalog.models import Variant
from engine.catalog.policy import CatalogPolicy
from engine.catalog.price_list import PriceView, Wanted
from engine.kit.identity import Actor, Identity, Scope
from engine.kit.ids import new_id
from engine.kit.policies import change_policy
from engine.kit.tenancy import Tenant
from engine.shipping.models import ShippingZone
from tests.shop import RATES, Shop

ABROAD = {"standard": {"price": 700, "per_kg": 0, "free_over": None}}
"""Only the standard way of shipping has prices in other currencies."""


def staff_of(shop: Shop) -> Identity:
    return Identity(shop.tenant.id, Actor.API_KEY, "key_prices", scopes=frozenset({Scope.STAFF}))


def sell_in(shop: Shop, *currencies: str, **rules: Any) -> None:
    """The shop sells in these currencies besides its own, and ships in them for 7.00."""
    with shop.uow() as session:
        tenant = session.get_one(Tenant, shop.tenant.id)
        change_policy(tenant, CatalogPolicy, {"currencies": list(currencies)} | rules)
        rates = [
            rate | {"amounts": dict.fromkeys(currencies, ABROAD[rate["code"]])} if rate["code"] in ABROAD else rate
            for rate in RATES
        ]
        session.execute(update(ShippingZone).where(ShippingZone.tenant_id == tenant.id).values(rates=rates))


def price(shop: Shop, sku: str, amount: int, currency: str | None = None, **times: Any) -> PriceView:
    """List a price; ``times`` are starts_at, ends_at, compare_at."""
    with shop.uow() as session:
        return price_list.set_prices(session, staff_of(shop), [Wanted(sku, amount, currency, **times)])[0]


def price_everything(shop: Shop, currency: str) -> None:
    """Every item costs in ``currency`` nine tenths of what it does at home, in whole units of five."""
    with shop.uow() as session:
        rows = session.execute(select(Variant.sku, Variant.price).where(Variant.tenant_id == shop.tenant.id))
        wanted = [Wanted(sku, amount * 9 // 50 * 5, currency) for sku, amount in rows]
        price_list.set_prices(session, staff_of(shop), wanted)


def code(shop: Shop, name: str, **fields: Any) -> None:
    """A discount code."""
    row = {"percent_off": None, "amount_off": None, "title": name.title()} | fields
    with shop.uow() as session:
        session.add(Discount(tenant_id=shop.tenant.id, id=new_id("discount"), code=name, **row))
