"""The taxes of an order that another engine worked out: they stay what they were, as nobody asks it again for a change.

New goods of a swap or an exchange are taxed at the rates their kind was sold at; to another place it cannot be sent.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from sqlalchemy import select

from engine.catalog.models import Product
from engine.orders.changes.case import Case
from engine.orders.errors import NotDeliverable
from engine.orders.models import Order, OrderLine
from engine.tax import service as tax
from engine.tax.levies import Levy, Part
from engine.tax.models import TaxSource

_PLACE: Final = ("country", "state", "city", "postal_code")
Key = tuple[str, str]


def applies(order: Order) -> bool:
    return order.tax_engine == TaxSource.STRIPE


def rules(case: Case, address: Mapping[str, Any]) -> tax.Rules:
    """The rates the order was sold at. Raises ``NotDeliverable`` for another place."""
    order, before = case.order, case.order.ship_to or {}
    if any(address.get(part) != before.get(part) for part in _PLACE):
        raise NotDeliverable(
            "This order's taxes hold for its own place: to send it elsewhere, cancel it and order anew."
        )
    levies = tuple(_levies(case, order))
    return tax.Rules(levies, order.tax_included, currency=order.currency)


def bill(found: tax.Rules, order: Order, lines: Sequence[OrderLine], fee: int) -> tax.Bill:
    """The same goods at the same place: what they were taxed with; the shipping at its rates where its price moved."""
    items = tuple(tax.Taxed(line.tax, tuple(Part(**part) for part in line.taxes)) for line in lines)
    before = order.shipping + (order.shipping_tax if order.tax_included else 0)
    kept = tax.Taxed(order.shipping_tax, tuple(_of_shipping(order)))
    return tax.Bill(items, kept if fee == before else found.bill([], shipping=fee).shipping)


def _of_shipping(order: Order) -> list[Part]:
    names = ("jurisdiction", "level", "rate_ppm")
    rows = [row for row in order.taxes if row["of_shipping"]]
    return [Part(**{name: row[name] for name in names}, amount=row["of_shipping"]) for row in rows]


def _levies(case: Case, order: Order) -> list[Levy]:
    """One for each jurisdiction: its rate of shipping, and of each tax category that was sold."""
    shipping = _rates(_of_shipping(order))
    by_category: dict[Key, dict[str, int]] = {key: {} for key in shipping}
    categories = _categories(case)
    for line in case.parts.lines:
        category = categories.get(line.product_id, "")
        for key, ppm in _rates([Part(**part) for part in line.taxes]).items():
            by_category.setdefault(key, {})[category] = ppm
    sold = set(categories.values())
    return [
        Levy(
            name=key[1],
            rate_ppm=shipping.get(key, 0),
            level=key[0],
            category_ppm=dict.fromkeys(sold, 0) | known,
            taxes_shipping=key in shipping,
        )
        for key, known in by_category.items()
    ]


def _rates(parts: Sequence[Part]) -> dict[Key, int]:
    found: dict[Key, int] = {}
    for part in parts:
        key = (str(part.level), part.jurisdiction)
        found[key] = found.get(key, 0) + part.rate_ppm
    return found


def _categories(case: Case) -> dict[str, str]:
    ids = {line.product_id for line in case.parts.lines}
    query = select(Product.id, Product.tax_category).where(
        Product.tenant_id == case.order.tenant_id, Product.id.in_(ids)
    )
    return {product_id: category for product_id, category in case.session.execute(query)}  # noqa: C416 (rows are not typed as pairs)
