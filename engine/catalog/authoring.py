"""Products as a merchant writes them: made as a draft or for sale, changed, archived; variants added, changed, retired.

Prices in other currencies and for a time are ``price_list``'s, units on hand are inventory's. Nothing is ever deleted:
what was sold once stays readable; a variant is retired, a product archived.
"""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated, Any, Final, Self, TypeVar

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError, model_validator
from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from engine.catalog import searchtext
from engine.catalog.changes import MAX_AMOUNT, staff_only
from engine.catalog.errors import NotSellable, SlugTaken
from engine.catalog.facts import ProductFacts, said
from engine.catalog.models import Product, ProductStatus, Variant
from engine.catalog.problems import FieldProblem, InvalidFields, first_problem
from engine.catalog.shop_file import Restriction, Slug, StockPolicy, TaxCategory
from engine.kit import audit, clock, outbox
from engine.kit.errors import Conflict, NotFound
from engine.kit.identity import Identity
from engine.kit.ids import new_id
from engine.kit.pagination import Page, decode_cursor, encode_cursor
from engine.kit.tenancy import Tenant
from engine.kit.views import Price, View

Text = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200)]
Minor = Annotated[int, Field(strict=True, ge=0, le=MAX_AMOUNT)]
Sku = Annotated[str, StringConstraints(pattern=r"^[A-Z0-9][A-Z0-9-]{2,39}$")]
MOST_VARIANTS: Final = 200
Said = TypeVar("Said", bound=BaseModel)


class VariantIn(BaseModel):
    """``price`` and ``cost`` in minor units of the home currency; sizes and weight of the parcel."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    sku: Sku
    options: dict[Text, Text] = {}
    price: Minor
    cost: Minor = 0
    weight_g: Annotated[int, Field(strict=True, gt=0, le=10_000_000)]
    size_mm: tuple[
        Annotated[int, Field(ge=0, le=100_000)],
        Annotated[int, Field(ge=0, le=100_000)],
        Annotated[int, Field(ge=0, le=100_000)],
    ] = (0, 0, 0)
    """Length, width, height; zeros while nobody has measured it."""
    sellable: bool = True
    stock_policy: StockPolicy = StockPolicy.DENY
    backorder_limit: Annotated[int, Field(strict=True, ge=0)] | None = None
    available_on: date | None = None
    lead_days: Annotated[int, Field(strict=True, ge=0, le=730)] | None = None

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.stock_policy == StockPolicy.PREORDER and self.available_on is None:
            raise ValueError("a pre-order says from when it is available: available_on")
        return self


class ProductIn(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    slug: Slug
    external_id: Annotated[str, StringConstraints(min_length=1, max_length=80)] | None = None
    title: Text
    brand: Annotated[str, StringConstraints(strip_whitespace=True, max_length=80)] = ""
    category: Annotated[str, StringConstraints(pattern=r"^[a-z][a-z &'-]+$", max_length=80)]
    description: Annotated[str, StringConstraints(strip_whitespace=True, max_length=4000)] = ""
    motif: Annotated[str, StringConstraints(pattern=r"^[a-z_]*$", max_length=40)] = ""
    facts: ProductFacts = ProductFacts()
    options: Annotated[dict[Text, Annotated[list[Text], Field(min_length=1, max_length=60)]], Field(max_length=5)] = {}
    collections: Annotated[list[Slug], Field(max_length=40)] = []
    tax_category: TaxCategory = TaxCategory.STANDARD
    restrictions: list[Restriction] = []
    warranty_months: Annotated[int, Field(strict=True, ge=0, le=600)] = 0
    status: ProductStatus = ProductStatus.DRAFT


class NewProduct(ProductIn):
    variants: Annotated[list[VariantIn], Field(max_length=MOST_VARIANTS)] = []


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
    _check_options(wanted.options, wanted.variants)
    product = Product(tenant_id=identity.tenant_id, id=new_id("product"), **_columns(wanted))
    _fill_search(product)
    session.add(product)
    _write(session)
    for position, one in enumerate(wanted.variants):
        session.add(_variant(product, one, position))
    _write(session)
    _require_sellable(session, product)
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
    before = _in_of(product)
    facts = changes.get("facts")
    if isinstance(facts, dict):
        changes = changes | {"facts": before["facts"] | facts}
    wanted = _valid(ProductIn, before | changes)
    _check_options(wanted.options, [_said_of(one) for one in _variants(session, product)])
    for name, value in _columns(wanted).items():
        setattr(product, name, value)
    _fill_search(product)
    _retitle(session, product)
    _write(session)
    _require_sellable(session, product)
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
    _check_options(product.options, [*map(_said_of, present), wanted])
    variant = _variant(product, wanted, len(present))
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
    wanted = _valid(VariantIn, _said_of(variant).model_dump(mode="json") | changes)
    others = [one for one in _variants(session, product) if one.id != variant.id]
    _check_options(product.options, [*map(_said_of, others), wanted])
    before = variant.price
    for name, value in _variant_columns(product, wanted).items():
        setattr(variant, name, value)
    variant.updated_at = clock.now()
    _touch(product)
    _write(session)
    _require_sellable(session, product)
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
    session: Session, tenant_id: str, *, status: ProductStatus | None = None, limit: int = 50, cursor: str | None = None
) -> Page[AuthoredProduct]:
    """Products of any status, oldest first, a page at a time. Raises ``InvalidInput``."""
    query = select(Product).where(Product.tenant_id == tenant_id).order_by(Product.id).limit(limit + 1)
    if status:
        query = query.where(Product.status == status)
    if cursor:
        query = query.where(Product.id > str(decode_cursor(cursor, size=1)[0]))
    rows = session.scalars(query).all()
    shown = rows[:limit]
    more = encode_cursor([shown[-1].id]) if len(rows) > limit else None
    return Page([view(session, row) for row in shown], more)


def view(session: Session, product: Product) -> AuthoredProduct:
    """The product as staff read it."""
    session.flush()
    session.refresh(product, ["version"])
    currency = session.get_one(Tenant, product.tenant_id).currency
    return AuthoredProduct(
        **_in_of(product),
        id=product.id,
        variants=[_variant_view(one, currency) for one in _variants(session, product)],
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


def _valid(kind: type[Said], values: dict[str, Any]) -> Said:
    try:
        return kind.model_validate(values)
    except ValidationError as error:
        raise first_problem(error) from None


def _check_options(offered: dict[str, list[str]], variants: list[VariantIn]) -> None:
    """Every variant names one value of each option, and no two the same."""
    problems, seen = [], set()
    for number, one in enumerate(variants):
        field = f"variants.{number}.options"
        if set(one.options) != set(offered):
            problems.append(FieldProblem(field, f"{one.sku} names each of: {', '.join(offered) or 'none'}"))
        problems += [
            FieldProblem(field, f"{one.sku}: {name} is one of: {', '.join(offered[name])}")
            for name, value in one.options.items()
            if name in offered and value not in offered[name]
        ]
        key = tuple(sorted(one.options.items()))
        if key in seen:
            problems.append(FieldProblem(field, f"{one.sku} has the options of another variant"))
        seen.add(key)
    if problems:
        raise InvalidFields(problems)


def _require_sellable(session: Session, product: Product) -> None:
    if product.status == ProductStatus.ACTIVE and not any(one.sellable for one in _variants(session, product)):
        raise NotSellable("A product on sale has a variant that can be sold: archive it, or keep one.")


def _columns(wanted: ProductIn) -> dict[str, Any]:
    same = wanted.model_dump(mode="json", exclude={"facts", "variants"})
    return same | {"facts": said(wanted.facts, list(wanted.options)), "updated_at": clock.now()}


def _in_of(product: Product) -> dict[str, Any]:
    same = {name: getattr(product, name) for name in ProductIn.model_fields if name not in {"facts", "options"}}
    facts = {name: value for name, value in product.facts.items() if name in ProductFacts.model_fields}
    names = product.facts.get("option_names") or list(product.options)
    return same | {"facts": facts, "options": {name: product.options[name] for name in names}}


def _variant(product: Product, wanted: VariantIn, position: int) -> Variant:
    key = {"tenant_id": product.tenant_id, "id": new_id("variant"), "product_id": product.id, "position": position}
    return Variant(**key, **_variant_columns(product, wanted))


def _variant_columns(product: Product, wanted: VariantIn) -> dict[str, Any]:
    length, width, height = wanted.size_mm
    sizes = {"length_mm": length, "width_mm": width, "height_mm": height}
    values = [wanted.options[name] for name in product.facts.get("option_names") or product.options]
    title = searchtext.variant_title(product.title, values)
    return wanted.model_dump(exclude={"size_mm"}) | sizes | {"title": title}


def _said_of(variant: Variant) -> VariantIn:
    same = {name: getattr(variant, name) for name in VariantIn.model_fields if name != "size_mm"}
    size = (variant.length_mm, variant.width_mm, variant.height_mm)
    return VariantIn.model_construct(**same | {"stock_policy": StockPolicy(variant.stock_policy), "size_mm": size})


def _variant_view(variant: Variant, currency: str) -> AuthoredVariant:
    same = _said_of(variant).model_dump() | {"id": variant.id, "title": variant.title}
    money = {name: Price(amount=same[name], currency=currency) for name in ("price", "cost")}
    return AuthoredVariant(**same | money)


def _variants(session: Session, product: Product) -> list[Variant]:
    mine = (Variant.tenant_id == product.tenant_id, Variant.product_id == product.id)
    return list(session.scalars(select(Variant).where(*mine).order_by(Variant.position, Variant.id)))


def _fill_search(product: Product) -> None:
    synonyms = product.facts.get("synonyms", [])
    product.search_strong = searchtext.strong(product.title, product.brand, product.category, synonyms, product.options)
    product.search_weak = searchtext.weak(product.description, product.facts)


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
        raise SlugTaken(_taken(str(error.orig))) from None


def _taken(words: str) -> str:
    if "sku" in words:
        return "The shop has a variant with this SKU already."
    if "external" in words:
        return "The shop has a product with this external id already."
    return "The shop has a product with this slug already."


def _tell(session: Session, identity: Identity, product: Product, action: str, facts: dict[str, Any]) -> None:
    tenant_id = identity.tenant_id
    outbox.emit(session, tenant_id, "catalog.product_changed", product.id)
    audit.record(session, tenant_id, actor=identity.id, action=action, subject=product.id, facts=facts)
