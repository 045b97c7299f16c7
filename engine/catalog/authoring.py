"""Products as a merchant writes them: made as a draft or for sale, changed, archived; variants added, changed, retired.

Prices in other currencies and for a time are ``price_list``'s, units on hand are inventory's. Nothing is ever deleted:
what was sold once stays readable; a variant is retired, a product archived.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from datetime import date, datetime
from typing import Any

from sqlalchemy import exists, or_, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from engine.catalog import searchtext
from engine.catalog.changes import staff_only
from engine.catalog.drafting import (
    MOST_VARIANTS,
    NewProduct,
    ProductIn,
    VariantIn,
    check_options,
    columns,
    fill_search,
    in_of,
    must_sell,
    new_variant,
    said_of,
    same_kind,
    taken,
    valid,
    variant_columns,
)
from engine.catalog.facts import ProductFacts
from engine.catalog.models import Product, ProductStatus, Variant
from engine.catalog.shop_file import StockPolicy
from engine.kit import audit, clock, outbox
from engine.kit.errors import Conflict, NotFound
from engine.kit.identity import Identity
from engine.kit.ids import new_id
from engine.kit.pagination import Page, decode_cursor, encode_cursor
from engine.kit.tenancy import Tenant
from engine.kit.views import Price, View
from engine.shipping.digital import Digital


class AuthoredVariant(View):
    id: str
    sku: str
    title: str
    options: dict[str, str]
    price: Price
    cost: Price
    weight_g: int
    size_mm: tuple[int, int, int]
    sellable: bool
    stock_policy: StockPolicy
    backorder_limit: int | None
    available_on: date | None
    lead_days: int | None
    digital: Digital | None
    """What a buyer is given, of what has no parcel."""


class AuthoredProduct(View):
    """A product as its merchant wrote it, whatever its status; ``version`` grows with every change, also of a
    variant.
    """

    id: str
    slug: str
    external_id: str | None
    title: str
    brand: str
    category: str
    description: str
    motif: str
    facts: ProductFacts
    options: dict[str, list[str]]
    collections: list[str]
    tax_category: str
    restrictions: list[str]
    warranty_months: int
    status: ProductStatus
    variants: list[AuthoredVariant]
    version: int
    updated_at: datetime


def create(session: Session, identity: Identity, wanted: NewProduct) -> AuthoredProduct:
    """A new product with its variants. Raises ``Forbidden``, ``SlugTaken`` for a slug, SKU or external id the shop has,
    ``NotSellable`` for an active one without variants, ``InvalidFields``.
    """
    staff_only(identity)
    check_options(wanted.options, wanted.variants)
    product = Product(tenant_id=identity.tenant_id, id=new_id("product"), **columns(wanted))
    fill_search(product)
    session.add(product)
    _write(session)
    for position, one in enumerate(wanted.variants):
        session.add(new_variant(product, one, position))
    _write(session)
    must_sell(product, _variants(session, product))
    _tell(session, identity, product, "catalog.product_created", {"slug": product.slug})
    return view(session, product)


def change(
    session: Session, identity: Identity, product_id: str, changes: dict[str, Any], *, version: int | None = None
) -> AuthoredProduct:
    """Change what ``changes`` names (fields of ``ProductIn``; ``facts`` field by field).

    Raises ``Forbidden``, ``NotFound``, ``Conflict`` when ``version`` is not the present one, and what ``create`` does.
    """
    staff_only(identity)
    product = _locked(session, identity.tenant_id, product_id, version)
    before = in_of(product)
    facts = changes.get("facts")
    if isinstance(facts, dict):
        changes = changes | {"facts": before["facts"] | facts}
    wanted = valid(ProductIn, before | changes)
    check_options(wanted.options, [said_of(one) for one in _variants(session, product)])
    for name, value in columns(wanted).items():
        setattr(product, name, value)
    fill_search(product)
    _retitle(session, product)
    _write(session)
    must_sell(product, _variants(session, product))
    _tell(session, identity, product, "catalog.product_changed", {"changed": sorted(changes)})
    return view(session, product)


def add_variant(
    session: Session, identity: Identity, product_id: str, wanted: VariantIn, *, version: int | None = None
) -> AuthoredProduct:
    """One more variant. Raises what ``change`` raises, and ``Conflict`` for more than a product has."""
    staff_only(identity)
    product = _locked(session, identity.tenant_id, product_id, version)
    present = _variants(session, product)
    if len(present) >= MOST_VARIANTS:
        raise Conflict(f"A product has at most {MOST_VARIANTS} variants.")
    check_options(product.options, [*map(said_of, present), wanted])
    variant = new_variant(product, wanted, len(present))
    session.add(variant)
    _touch(product)
    _write(session)
    _tell(session, identity, product, "catalog.variant_added", {"sku": variant.sku, "variant": variant.id})
    return view(session, product)


def change_variant(
    session: Session, identity: Identity, variant_id: str, changes: dict[str, Any], *, version: int | None = None
) -> AuthoredProduct:
    """Change what ``changes`` names of a variant. Raises what ``change`` raises."""
    staff_only(identity)
    found = session.get(Variant, (identity.tenant_id, variant_id))
    if found is None:
        raise NotFound("There is no such variant in this shop.")
    product = _locked(session, identity.tenant_id, found.product_id, version)
    variant = session.get_one(Variant, (identity.tenant_id, variant_id), with_for_update=True, populate_existing=True)
    wanted = valid(VariantIn, said_of(variant).model_dump(mode="json") | changes)
    same_kind(variant, wanted)
    others = [one for one in _variants(session, product) if one.id != variant.id]
    check_options(product.options, [*map(said_of, others), wanted])
    before = variant.price
    for name, value in variant_columns(product, wanted).items():
        setattr(variant, name, value)
    variant.updated_at = clock.now()
    _touch(product)
    _write(session)
    must_sell(product, _variants(session, product))
    facts: dict[str, Any] = {"variant": variant.id, "changed": sorted(changes)}
    if variant.price != before:
        facts |= {"from": before, "to": variant.price}
    _tell(session, identity, product, "catalog.variant_changed", facts)
    return view(session, product)


def retire_variant(
    session: Session, identity: Identity, variant_id: str, *, version: int | None = None
) -> AuthoredProduct:
    """It is not sold any more; its orders, units and warranties stay. Raises what ``change`` raises."""
    return change_variant(session, identity, variant_id, {"sellable": False}, version=version)


def one(session: Session, tenant_id: str, product_id: str) -> AuthoredProduct:
    """Any product of the shop, drafts and archived ones too. Raises ``NotFound``."""
    product = session.get(Product, (tenant_id, product_id))
    if product is None:
        raise NotFound("There is no such product in this shop.")
    return view(session, product)


def listed(
    session: Session,
    tenant_id: str,
    *,
    status: ProductStatus | None = None,
    q: str | None = None,
    limit: int = 50,
    cursor: str | None = None,
) -> Page[AuthoredProduct]:
    """Products of any status, oldest first, a page at a time; ``q`` is a part of the title, the slug or an SKU's
    beginning. Raises ``InvalidInput``.
    """
    query = select(Product).where(Product.tenant_id == tenant_id).order_by(Product.id).limit(limit + 1)
    if status:
        query = query.where(Product.status == status)
    if q:
        theirs = (Variant.tenant_id == Product.tenant_id, Variant.product_id == Product.id)
        coded = exists().where(*theirs, Variant.sku.istartswith(q, autoescape=True))
        named = (part.icontains(q, autoescape=True) for part in (Product.title, Product.slug))
        query = query.where(or_(*named, coded))
    if cursor:
        query = query.where(Product.id > str(decode_cursor(cursor, size=1)[0]))
    rows = session.scalars(query).all()
    shown = rows[:limit]
    more = encode_cursor([shown[-1].id]) if len(rows) > limit else None
    return Page(_views(session, tenant_id, shown), more)


def view(session: Session, product: Product) -> AuthoredProduct:
    """The product as staff read it."""
    session.flush()
    session.refresh(product, ["version"])
    return _view(product, _variants(session, product), session.get_one(Tenant, product.tenant_id).currency)


def _views(session: Session, tenant_id: str, products: Sequence[Product]) -> list[AuthoredProduct]:
    """Products as staff read them, with one look at all their variants."""
    found: dict[str, list[Variant]] = defaultdict(list)
    theirs = (Variant.tenant_id == tenant_id, Variant.product_id.in_([one.id for one in products]))
    for row in session.scalars(select(Variant).where(*theirs).order_by(Variant.position, Variant.id)):
        found[row.product_id].append(row)
    currency = session.get_one(Tenant, tenant_id).currency
    return [_view(one, found[one.id], currency) for one in products]


def _view(product: Product, variants: Sequence[Variant], currency: str) -> AuthoredProduct:
    return AuthoredProduct(
        **in_of(product),
        id=product.id,
        variants=[_variant_view(one, currency) for one in variants],
        version=product.version,
        updated_at=product.updated_at,
    )


def _locked(session: Session, tenant_id: str, product_id: str, version: int | None) -> Product:
    product = session.get(Product, (tenant_id, product_id), with_for_update=True, populate_existing=True)
    if product is None:
        raise NotFound("There is no such product in this shop.")
    if version is not None and version != product.version:
        raise Conflict(f"The product is at version {product.version} by now.")
    return product


def _variant_view(variant: Variant, currency: str) -> AuthoredVariant:
    same = said_of(variant).model_dump() | {"id": variant.id, "title": variant.title}
    money = {name: Price(amount=same[name], currency=currency) for name in ("price", "cost")}
    return AuthoredVariant(**same | money)


def _variants(session: Session, product: Product) -> list[Variant]:
    mine = (Variant.tenant_id == product.tenant_id, Variant.product_id == product.id)
    return list(session.scalars(select(Variant).where(*mine).order_by(Variant.position, Variant.id)))


def _retitle(session: Session, product: Product) -> None:
    names = product.facts.get("option_names") or list(product.options)
    for variant in _variants(session, product):
        variant.title = searchtext.variant_title(product.title, [variant.options[name] for name in names])


def _touch(product: Product) -> None:
    product.updated_at = clock.now()


def _write(session: Session) -> None:
    try:
        with session.begin_nested():
            session.flush()
    except IntegrityError as error:
        raise taken(str(error.orig)) from None


def _tell(session: Session, identity: Identity, product: Product, action: str, facts: dict[str, Any]) -> None:
    tenant_id = identity.tenant_id
    outbox.emit(session, tenant_id, "catalog.product_changed", product.id)
    audit.record(session, tenant_id, actor=identity.id, action=action, subject=product.id, facts=facts)
