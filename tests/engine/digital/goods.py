"""Goods without a parcel for tests."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from engine.catalog.models import Variant
from engine.digital import codes as pools
from engine.kit.identity import Actor, Identity, Scope
from engine.kit.ids import new_id
from engine.shipping.digital import Digital
from tests.shop import Shop, new_product


def staff(shop: Shop) -> Identity:
    return Identity(
        tenant_id=shop.tenant.id, id="key_staff", actor=Actor.API_KEY, scopes=frozenset({Scope.STAFF, Scope.ADMIN})
    )


def add_digital(
    shop: Shop, sku: str, *, digital: dict[str, Any], price: int = 2000, codes: Sequence[str] = (), cost: int = 0
) -> str:
    """A product with one variant that has no parcel; the variant's id."""
    terms = Digital.model_validate(digital)
    with shop.uow() as session:
        product = new_product(shop.tenant.id, sku, tax_category="digital", warranty_months=0)
        session.add(product)
        session.flush()
        variant = Variant(
            tenant_id=shop.tenant.id, id=new_id("variant"), product_id=product.id, sku=sku, title=product.title,
            options={}, price=price, cost=cost, weight_g=0, length_mm=0, width_mm=0, height_mm=0,
            stock_policy=terms.stock_policy, digital=terms.model_dump(),
        )  # fmt: skip
        session.add(variant)
        session.flush()
        shop.variants[sku] = variant.id
        if codes:
            pools.add(session, shop.runtime.secret_key, staff(shop), variant.id, codes)
    return variant.id
