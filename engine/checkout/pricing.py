"""The one price engine: what a checkout session costs at this moment. Whatever shows or takes money asks here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from engine.carts import discounts
from engine.catalog.models import Product, Variant
from engine.checkout.models import CheckoutSession
from engine.compliance import service as compliance
from engine.customers.addresses import missing_parts
from engine.inventory import service as inventory
from engine.kit.tenancy import Tenant
from engine.shipping import service as shipping
from engine.tax import service as tax


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
class PricedLine:
    """A line with today's price; amounts in minor units."""

    variant_id: str
    product_id: str
    sku: str
    title: str
    options: dict[str, Any]
    category: str
    tax_category: str
    restrictions: tuple[str, ...]
    weight_g: int
    quantity: int
    unit_price: int
    unit_cost: int
    available: int
    discount: int = 0
    tax: int = 0

    @property
    def base(self) -> int:
        return self.unit_price * self.quantity


@dataclass(frozen=True, slots=True)
class Quote:
    """A price and everything it rests on. ``problems`` stand in the way of buying; ``missing`` is still to be said."""

    shop: Shop
    lines: tuple[PricedLine, ...]
    stock: Mapping[str, Sequence[inventory.Place]]
    options: tuple[shipping.Option, ...]
    selected: shipping.Option | None
    discount_titles: tuple[str, ...]
    tax_name: str
    shipping_tax: int
    problems: tuple[str, ...]
    missing: tuple[str, ...]

    @property
    def items(self) -> int:
        return sum(line.base for line in self.lines)

    @property
    def discount(self) -> int:
        return sum(line.discount for line in self.lines)

    @property
    def tax(self) -> int:
        return sum(line.tax for line in self.lines) + self.shipping_tax

    @property
    def shipping(self) -> int:
        return self.selected.amount if self.selected else 0

    @property
    def total(self) -> int:
        return self.items - self.discount + self.shipping + self.tax

    def totals(self) -> list[dict[str, Any]]:
        """ACP totals in display order (arithmetic: specs acp §2.5)."""
        rows = [("items_base_amount", "Items", self.items)]
        if self.discount:
            rows.append(("items_discount", "Discount: " + ", ".join(self.discount_titles), self.discount))
        rows.append(("subtotal", "Subtotal", self.items - self.discount))
        if self.selected:
            rows.append(("fulfillment", f"Shipping: {self.selected.title}", self.shipping))
        rows.append(("tax", f"Tax: {self.tax_name}", self.tax))
        rows.append(("total", "Total", self.total))
        return [{"type": kind, "display_text": words, "amount": amount} for kind, words, amount in rows]


def shop_of(session: Session, tenant_id: str) -> Shop:
    """The merchant's facts."""
    row = session.get_one(Tenant, tenant_id)
    return Shop(row.id, row.name, row.currency, row.country, row.demo, row.settings)


def quote(session: Session, checkout: CheckoutSession, *, has_method: bool) -> Quote:
    """Price a session from the catalog, stock, shipping and tax tables of this transaction."""
    shop = shop_of(session, checkout.tenant_id)
    lines, stock = _lines(session, checkout)
    problems = [problem for line in lines for problem in _stock_problems(line)]
    if len(lines) < len(checkout.lines):
        problems.append("Something in this checkout is no longer sold.")
    applied = discounts.apply(
        session,
        checkout.tenant_id,
        checkout.discount_codes,
        [discounts.Discountable(line.category, line.base) for line in lines],
        shop.currency,
    )
    lines = [replace(line, discount=off) for line, off in zip(lines, applied.per_line, strict=True)]
    options, selected, trouble = _shipping(session, checkout, shop, lines)
    place = _jurisdiction(session, checkout)
    lines = [replace(line, tax=place.on(line.tax_category, line.base - line.discount)) for line in lines]
    return Quote(
        shop=shop,
        lines=tuple(lines),
        stock=stock,
        options=tuple(options),
        selected=selected,
        discount_titles=applied.titles,
        tax_name=place.name,
        shipping_tax=place.on_shipping(selected.amount) if selected else 0,
        problems=(*problems, *applied.problems, *trouble),
        missing=tuple(_missing(checkout, has_method=has_method)),
    )


def _lines(session: Session, checkout: CheckoutSession) -> tuple[list[PricedLine], dict[str, list[inventory.Place]]]:
    wanted = {row["variant_id"]: row["quantity"] for row in checkout.lines}
    rows = {
        row.Variant.id: row
        for row in session.execute(
            select(
                Variant,
                Product.title,
                Product.category,
                Product.tax_category,
                Product.restrictions,
                Product.status,
            )
            .join(Product, (Product.tenant_id == Variant.tenant_id) & (Product.id == Variant.product_id))
            .where(Variant.tenant_id == checkout.tenant_id, Variant.id.in_(wanted))
        )
    }
    stock = inventory.shippable(session, checkout.tenant_id, list(wanted))
    lines = [
        _priced(rows[variant_id], quantity, sum(place.available for place in stock[variant_id]))
        for variant_id, quantity in wanted.items()
        if variant_id in rows and rows[variant_id].Variant.sellable and rows[variant_id].status == "active"
    ]
    return lines, stock


def _priced(row: Any, quantity: int, available: int) -> PricedLine:
    variant: Variant = row.Variant
    return PricedLine(
        variant_id=variant.id,
        product_id=variant.product_id,
        sku=variant.sku,
        title=row.title,
        options=variant.options,
        category=row.category,
        tax_category=row.tax_category,
        restrictions=tuple(row.restrictions),
        weight_g=variant.weight_g,
        quantity=quantity,
        unit_price=variant.price,
        unit_cost=variant.cost,
        available=available,
    )


def _stock_problems(line: PricedLine) -> list[str]:
    if line.available >= line.quantity:
        return []
    if line.available == 0:
        return [f"{line.title} is out of stock for delivery."]
    return [f"Only {line.available} of {line.title} can be delivered."]


def _shipping(
    session: Session, checkout: CheckoutSession, shop: Shop, lines: Sequence[PricedLine]
) -> tuple[list[shipping.Option], shipping.Option | None, list[str]]:
    address = checkout.ship_to or {}
    if not address.get("country") or "state" in missing_parts(address):
        return [], None, []
    restricted = [(line.title, line.restrictions) for line in lines]
    problems = compliance.problems(
        restricted,
        home=shop.country,
        country=address["country"],
        region=address["state"],
        line_one=address.get("line_one", ""),
    )
    options = shipping.options(
        session,
        checkout.tenant_id,
        country=address["country"],
        region=address["state"],
        weight_g=sum(line.weight_g * line.quantity for line in lines),
        goods=sum(line.base - line.discount for line in lines),
        ground_only=compliance.ground_only(line.restrictions for line in lines),
    )
    if not options and not problems:
        problems.append("We do not ship this order to that address.")
    selected = next((o for o in options if o.id == checkout.fulfillment_option_id), next(iter(options), None))
    return options, selected, problems


def _jurisdiction(session: Session, checkout: CheckoutSession) -> tax.Jurisdiction:
    address = checkout.ship_to or {}
    if not address.get("country"):
        return tax.NO_TAX
    return tax.jurisdiction(session, checkout.tenant_id, country=address["country"], region=address.get("state", ""))


def _missing(checkout: CheckoutSession, *, has_method: bool) -> list[str]:
    parts = missing_parts(checkout.ship_to)
    found = [] if checkout.buyer.get("email") else ["email"]
    if "name" in parts:
        found.append("name")
    if set(parts) - {"name"}:
        found.append("address")
    return found if has_method else [*found, "payment_method"]
