"""Reading products with their variants and stock: one query for products, one for variants, however many."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, select
from sqlalchemy.orm import Session, defer

from engine.catalog.models import Product, Variant
from engine.catalog.prices import Selling, amount_now, compare_now, selling_in
from engine.catalog.schemas import ProductDetail, ProductView, VariantView
from engine.inventory.availability import available_units
from engine.kit.tenancy import Tenant
from engine.kit.views import Price

SOLD = "active"
"""The status of a product that shoppers may see."""


class Stocked(NamedTuple):
    """A variant on sale, its sellable units, and what it costs in minor units of the currency asked for."""

    variant: Variant
    available: int
    amount: int
    compare_at: int | None = None


def load(
    session: Session,
    tenant_id: str,
    product_ids: Sequence[str],
    *,
    currency: str | None = None,
    unavailable: bool = False,
) -> dict[str, ProductDetail]:
    """Products on sale among ``product_ids``, by id. Those with nothing to sell (in ``currency``; without one, in the
    home currency) are left out; ``unavailable``: those with variants that are not sold now are told of, with all of
    these. Raises ``CurrencyNotSold``.
    """
    if not product_ids:
        return {}
    rows = session.execute(
        select(Product, Tenant)
        .join(Tenant, Tenant.id == Product.tenant_id)
        .where(Product.tenant_id == tenant_id, Product.id.in_(product_ids), Product.status == SOLD)
        .options(defer(Product.search), defer(Product.search_strong), defer(Product.search_weak))
    ).all()
    selling = selling_in(session, tenant_id, currency)  # its tenant is at hand by now
    variants = variants_of(session, selling, Variant.product_id.in_(product_ids), unavailable=unavailable)
    return {
        product.id: _detail(product, selling.currency, variants[product.id])
        for product, _ in rows
        if variants[product.id]
    }


def variants_of(
    session: Session, selling: Selling, condition: ColumnElement[bool], *, unavailable: bool = False
) -> defaultdict[str, list[Stocked]]:
    """Product id → its variants on sale in that currency, in display order; ``unavailable``: those that are not sold
    now as well, as of which there are none.
    """
    wanted = (Variant.tenant_id == selling.tenant_id, condition) + (() if unavailable else (Variant.sellable,))
    rows = session.execute(
        select(Variant, available_units(), amount_now(selling), compare_now(selling))
        .where(*wanted)
        .order_by(Variant.product_id, Variant.position, Variant.id)
    )
    found: defaultdict[str, list[Stocked]] = defaultdict(list)
    for variant, available, amount, compare_at in rows:
        units = max(0, int(available)) if variant.sellable else 0
        if amount is not None:
            found[variant.product_id].append(Stocked(variant, units, amount, compare_at))
    return found


def product_id_of(session: Session, tenant_id: str, item_id: str, *, unavailable: bool = False) -> str | None:
    """The product an id stands for: itself, or the variant's; ``unavailable``: also of one that is not sold now."""
    if not item_id.startswith("var_"):
        return item_id
    query = select(Variant.product_id).where(Variant.tenant_id == tenant_id, Variant.id == item_id)
    return session.scalar(query if unavailable else query.where(Variant.sellable))


def currency_of(session: Session, tenant_id: str) -> str:
    return session.scalars(select(Tenant.currency).where(Tenant.id == tenant_id)).one()


def variant_view(stocked: Stocked, currency: str) -> VariantView:
    variant, compare_at = stocked.variant, stocked.compare_at
    return VariantView(
        id=variant.id,
        sku=variant.sku,
        title=variant.title,
        options=variant.options,
        price=Price(amount=stocked.amount, currency=currency),
        compare_at=Price(amount=compare_at, currency=currency) if compare_at is not None else None,
        available=stocked.available,
        digital=variant.digital is not None,
    )


def _detail(product: Product, currency: str, variants: list[Stocked]) -> ProductDetail:
    facts = product.facts
    return ProductDetail(
        id=product.id,
        title=product.title,
        category=product.category,
        description=product.description,
        image=f"/media/products/{product.id}.svg",
        price=Price(amount=min(one.amount for one in variants), currency=currency),
        brand=product.brand,
        rating=product.rating,
        rating_count=product.rating_count,
        options=_in_order(product.options, facts),
        variants=[variant_view(one, currency) for one in variants],
        features=facts.get("features", []),
        materials=facts.get("materials", []),
        compatibility=facts.get("compatibility", []),
        care=facts.get("care", ""),
        constraints=facts.get("constraints", []),
        safety=facts.get("safety", []),
        units=facts.get("units", {}),
        dimensions=facts.get("dimensions"),
        faqs=facts.get("faqs", []),
        attributes=facts.get("attributes", {}),
        restrictions=product.restrictions,
        warranty_months=product.warranty_months,
        weight_g=min(one.variant.weight_g for one in variants),
    )


def _in_order(options: dict[str, list[str]], facts: dict[str, Any]) -> dict[str, list[str]]:
    """Option names as the merchant ordered them: JSONB keeps no order of keys."""
    names = [name for name in facts.get("option_names", []) if name in options]
    return {name: options[name] for name in names + [name for name in options if name not in names]}


def summary(detail: ProductDetail) -> ProductView:
    """A product as a card shows it, without the facts of its own page."""
    return ProductView.model_validate({name: getattr(detail, name) for name in ProductView.model_fields})
