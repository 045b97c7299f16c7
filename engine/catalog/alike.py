"""What could be taken in an item's place: of its category, in stock, near in price, liked the most."""

from __future__ import annotations

from typing import Final

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from engine.catalog.filters import Filters, cheapest, conditions
from engine.catalog.models import Product
from engine.catalog.prices import selling_in
from engine.catalog.schemas import ProductView

_FAR: Final = 2
"""Between half and twice the price."""


def instead_of(
    session: Session, tenant_id: str, item: ProductView, *, most: int, currency: str | None = None
) -> list[str]:
    """Product ids: those nearest in price first, better liked ones before others as near."""
    selling = selling_in(session, tenant_id, currency)
    amount = item.price.amount
    wanted = Filters(
        categories=(item.category,),
        min_price=amount // _FAR,
        max_price=amount * _FAR,
        in_stock=True,
        selling=selling,
    )
    price = cheapest(wanted)
    query = (
        select(Product.id)
        .where(*conditions(tenant_id, wanted), Product.id != item.id)
        .order_by(func.abs(price - amount) * 10 / max(1, amount), Product.rating.desc(), Product.position, Product.id)
        .limit(most)
    )
    return list(session.scalars(query))


def liked(session: Session, tenant_id: str, categories: tuple[str, ...] | None, *, most: int) -> list[str]:
    """The best rated products in stock of these categories (``None``: of all), those rated most often first."""
    wanted = Filters(categories=categories, in_stock=True, selling=selling_in(session, tenant_id, None))
    query = (
        select(Product.id)
        .where(*conditions(tenant_id, wanted))
        .order_by(Product.rating.desc(), Product.rating_count.desc(), Product.position, Product.id)
        .limit(most)
    )
    return list(session.scalars(query))
