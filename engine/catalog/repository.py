"""Reading products with their variants and stock: one query for products, one for variants, however many."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

from sqlalchemy import ColumnElement, select
from sqlalchemy.orm import Session, defer

from engine.catalog.models import Product, Variant
from engine.catalog.schemas import ProductDetail, ProductView, VariantView
from engine.inventory.availability import available_units
from engine.kit.tenancy import Tenant
from engine.kit.views import Price

SOLD = "active"
"""The status of a product that shoppers may see."""


def load(session: Session, tenant_id: str, product_ids: Sequence[str]) -> dict[str, ProductDetail]:
    """Products on sale among ``product_ids``, by id. Those with nothing to sell are left out."""
    if not product_ids:
        return {}
    products = session.execute(
        select(Product, Tenant.currency)
        .join(Tenant, Tenant.id == Product.tenant_id)
        .where(Product.tenant_id == tenant_id, Product.id.in_(product_ids), Product.status == SOLD)
        .options(defer(Product.search), defer(Product.search_strong), defer(Product.search_weak))
    ).all()
    variants = variants_of(session, tenant_id, Variant.product_id.in_(product_ids))
    return {
        product.id: _detail(product, currency, variants[product.id])
        for product, currency in products
        if variants[product.id]
    }


def variants_of(
    session: Session, tenant_id: str, condition: ColumnElement[bool]
) -> defaultdict[str, list[tuple[Variant, int]]]:
    """Product id → its variants on sale with their available units, in display order."""
    rows = session.execute(
        select(Variant, available_units())
        .where(Variant.tenant_id == tenant_id, Variant.sellable, condition)
        .order_by(Variant.product_id, Variant.position, Variant.id)
    )
    found: defaultdict[str, list[tuple[Variant, int]]] = defaultdict(list)
    for variant, available in rows:
        found[variant.product_id].append((variant, max(0, int(available))))
    return found


def product_id_of(session: Session, tenant_id: str, item_id: str) -> str | None:
    """The product an id stands for: itself, or the variant's."""
    if not item_id.startswith("var_"):
        return item_id
    return session.scalar(
        select(Variant.product_id).where(Variant.tenant_id == tenant_id, Variant.id == item_id, Variant.sellable)
    )


def currency_of(session: Session, tenant_id: str) -> str:
    return session.scalars(select(Tenant.currency).where(Tenant.id == tenant_id)).one()


def variant_view(variant: Variant, available: int, currency: str) -> VariantView:
    return VariantView(
        id=variant.id,
        sku=variant.sku,
        title=variant.title,
        options=variant.options,
        price=Price(amount=variant.price, currency=currency),
        available=available,
    )


def _detail(product: Product, currency: str, variants: list[tuple[Variant, int]]) -> ProductDetail:
    facts = product.facts
    return ProductDetail(
        id=product.id,
        title=product.title,
        category=product.category,
        description=product.description,
        image=f"/media/products/{product.id}.svg",
        price=Price(amount=min(variant.price for variant, _ in variants), currency=currency),
        brand=product.brand,
        rating=product.rating,
        rating_count=product.rating_count,
        options=_in_order(product.options, facts),
        variants=[variant_view(variant, available, currency) for variant, available in variants],
        features=facts.get("features", []),
        materials=facts.get("materials", []),
        compatibility=facts.get("compatibility", []),
        care=facts.get("care", ""),
        attributes=facts.get("attributes", {}),
        restrictions=product.restrictions,
        warranty_months=product.warranty_months,
        weight_g=min(variant.weight_g for variant, _ in variants),
    )


def _in_order(options: dict[str, list[str]], facts: dict[str, Any]) -> dict[str, list[str]]:
    """Option names as the merchant ordered them: JSONB keeps no order of keys."""
    names = [name for name in facts.get("option_names", []) if name in options]
    return {name: options[name] for name in names + [name for name in options if name not in names]}


def summary(detail: ProductDetail) -> ProductView:
    """A product as a card shows it, without the facts of its own page."""
    return ProductView.model_validate({name: getattr(detail, name) for name in ProductView.model_fields})
