"""The catalog's front door: products, categories, comparison, the shop itself, and choosing a variant."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import func, or_, select, tuple_
from sqlalchemy.orm import Session

from engine.catalog import repository
from engine.catalog.changes import set_price, update_product
from engine.catalog.filters import Filters, conditions
from engine.catalog.matching import match_categories
from engine.catalog.models import Product
from engine.catalog.picking import Pick, pick_variant
from engine.catalog.policy import CatalogPolicy
from engine.catalog.prices import selling_in
from engine.catalog.schemas import CategoryRow, Comparison, ComparisonRow, ProductDetail, ProductView
from engine.catalog.shop import shop_info
from engine.kit.errors import InvalidInput, NotFound
from engine.kit.pagination import Page, decode_cursor, encode_cursor
from engine.kit.policies import policy_of

__all__ = [
    "Pick",
    "categories",
    "compare",
    "index",
    "list_products",
    "matching_categories",
    "pick_variant",
    "product",
    "product_by_handle",
    "products",
    "set_price",
    "shop_info",
    "update_product",
]


def product(session: Session, tenant_id: str, item_id: str, *, currency: str | None = None) -> ProductDetail:
    """A product on sale by its own id or by one of its variants', priced in ``currency`` (the home currency without
    one); with its variants that are not sold now, where the shop names those. Raises ``NotFound``,
    ``CurrencyNotSold``.
    """
    all_of_it = policy_of(session, tenant_id, CatalogPolicy).names_unavailable_variants
    product_id = repository.product_id_of(session, tenant_id, item_id, unavailable=all_of_it)
    ids = [product_id] if product_id else []
    found = repository.load(session, tenant_id, ids, currency=currency, unavailable=all_of_it)
    if product_id not in found:
        raise NotFound("There is no such product in this shop.")
    return found[product_id]


def product_by_handle(session: Session, tenant_id: str, handle: str) -> tuple[str, ProductDetail]:
    """A product on sale by its handle, its own id or one of its variants', with the handle it is known by now, in the
    home currency. Raises ``NotFound``.
    """
    product_id = repository.product_id_of(session, tenant_id, handle)
    query = select(Product.id, Product.slug).where(Product.tenant_id == tenant_id)
    row = session.execute(query.where(or_(Product.id == product_id, Product.slug == handle)).limit(1)).first()
    if row is None:
        raise NotFound("There is no such product in this shop.")
    return row.slug, product(session, tenant_id, row.id)


def products(session: Session, tenant_id: str, ids: Sequence[str], *, currency: str | None = None) -> list[ProductView]:
    """Products in the order of ``ids``; unknown and unsold ones are left out. Two queries, however many."""
    found = repository.load(session, tenant_id, ids, currency=currency)
    return [repository.summary(found[key]) for key in ids if key in found]


def index(session: Session, tenant_id: str) -> list[tuple[str, str]]:
    """(title, id) of every product on sale, by title."""
    rows = session.execute(
        select(Product.title, Product.id)
        .where(Product.tenant_id == tenant_id, Product.status == repository.SOLD)
        .order_by(Product.title, Product.id)
    )
    return [(row.title, row.id) for row in rows]


def categories(session: Session, tenant_id: str) -> list[CategoryRow]:
    """Categories with something on sale, by name."""
    rows = session.execute(
        select(Product.category, func.count())
        .where(*conditions(tenant_id, Filters()))
        .group_by(Product.category)
        .order_by(Product.category)
    )
    return [CategoryRow(name=name, products=count) for name, count in rows]


def list_products(
    session: Session,
    tenant_id: str,
    *,
    category: str | None = None,
    max_price: int | None = None,
    in_stock: bool = False,
    currency: str | None = None,
    limit: int = 50,
    cursor: str | None = None,
) -> Page[ProductView]:
    """Products sold in ``currency`` (the home currency without one) in the shop's order, a page at a time.
    ``max_price`` in minor units. Raises ``InvalidInput``, ``CurrencyNotSold``.
    """
    if not 1 <= limit <= 200:
        raise InvalidInput("A page holds 1 to 200 products.", param="limit")
    wanted = Filters(
        categories=matching_categories(session, tenant_id, category) if category else None,
        max_price=max_price,
        in_stock=in_stock,
        selling=selling_in(session, tenant_id, currency),
    )
    query = select(Product.position, Product.id).where(*conditions(tenant_id, wanted))
    if cursor:
        position, last_id = decode_cursor(cursor, size=2)
        if not isinstance(position, int) or not isinstance(last_id, str):
            raise InvalidInput("The cursor is not one of ours.", param="cursor")
        query = query.where(tuple_(Product.position, Product.id) > tuple_(position, last_id))
    rows = session.execute(query.order_by(Product.position, Product.id).limit(limit + 1)).all()
    shown = rows[:limit]
    more = encode_cursor([shown[-1].position, shown[-1].id]) if len(rows) > limit else None
    return Page(products(session, tenant_id, [row.id for row in shown], currency=currency), more)


def matching_categories(session: Session, tenant_id: str, wanted: str) -> tuple[str, ...]:
    """The shop's categories that somebody means by a word; empty when it has no such."""
    return tuple(match_categories(wanted, [row.name for row in categories(session, tenant_id)]))


def compare(session: Session, tenant_id: str, item_ids: Sequence[str], *, currency: str | None = None) -> Comparison:
    """Two to four products side by side, with every attribute that at least two of them state.

    Raises ``NotFound`` for an unknown one, ``InvalidInput`` for too few or too many.
    """
    ids = [repository.product_id_of(session, tenant_id, item_id) or "" for item_id in item_ids]
    wanted = list(dict.fromkeys(ids))
    if not 2 <= len(wanted) <= 4:
        raise InvalidInput("Compare two to four different products.", param="product_ids")
    found = repository.load(session, tenant_id, wanted, currency=currency)
    if missing := [key for key in wanted if key not in found]:
        raise NotFound(f"There is no product {missing[0] or 'of that id'} in this shop.")
    items = [found[key] for key in wanted]
    return Comparison(items=[repository.summary(item) for item in items], rows=_rows(items))


def _rows(items: Sequence[ProductDetail]) -> list[ComparisonRow]:
    fixed = {
        "price": [str(item.price) for item in items],
        "rating": [f"{item.rating // 10}.{item.rating % 10}" if item.rating else "" for item in items],
        "weight": [f"{item.weight_g:,} g" for item in items],
        "warranty": [f"{item.warranty_months} months" if item.warranty_months else "" for item in items],
        "materials": [", ".join(item.materials) for item in items],
    }
    names = dict.fromkeys(name for item in items for name in item.attributes)
    shared = [name for name in names if sum(name in item.attributes for item in items) > 1]
    said = {name.replace("_", " "): [_said(item.attributes.get(name)) for item in items] for name in shared}
    return [ComparisonRow(name=name, values=values) for name, values in (fixed | said).items() if any(values)]


def _said(value: str | int | bool | None) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "" if value is None else str(value)
