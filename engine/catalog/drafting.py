"""What makes a product: its fields, the rules between them, and the columns they become. Nothing here asks a store.

``authoring`` writes one product with it, ``bulk`` hundreds at a time.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date
from typing import Annotated, Any, Final, Self, TypeVar

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError, model_validator

from engine.catalog import searchtext
from engine.catalog.changes import MAX_AMOUNT
from engine.catalog.errors import NotSellable, SlugTaken
from engine.catalog.facts import ProductFacts, said
from engine.catalog.models import Product, ProductStatus, Variant
from engine.catalog.problems import FieldProblem, InvalidFields, first_problem
from engine.catalog.shop_file import Restriction, Slug, StockPolicy, TaxCategory, Units, counted_digitally
from engine.kit import clock
from engine.kit.errors import Conflict
from engine.kit.ids import new_id
from engine.kit.refusals import worded
from engine.shipping.digital import Digital

Text = Annotated[
    str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200), worded("1 to 200 characters of text")
]
Minor = Annotated[int, Field(strict=True, ge=0, le=MAX_AMOUNT)]
Sku = Annotated[
    str,
    StringConstraints(pattern=r"^[A-Z0-9][A-Z0-9-]{2,39}$"),
    worded("3 to 40 capital letters, digits and hyphens, no hyphen first"),
]
Category = Annotated[
    str,
    StringConstraints(pattern=r"^[a-z][a-z &'-]+$", max_length=80),
    worded("2 to 80 small letters and spaces, such as sleeping bags"),
]
MOST_VARIANTS: Final = 200
Said = TypeVar("Said", bound=BaseModel)


class VariantIn(BaseModel):
    """``price`` and ``cost`` in minor units of the home currency; sizes and weight of the parcel."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    sku: Sku
    options: dict[Text, Text] = {}
    price: Minor
    cost: Minor = 0
    weight_g: Annotated[int, Field(strict=True, ge=0, le=10_000_000)] = 0
    """What has a parcel weighs something."""
    size_mm: tuple[
        Annotated[int, Field(ge=0, le=100_000)],
        Annotated[int, Field(ge=0, le=100_000)],
        Annotated[int, Field(ge=0, le=100_000)],
    ] = (0, 0, 0)
    """Length, width, height; zeros while nobody has measured it."""
    sellable: bool = True
    stock_policy: StockPolicy = StockPolicy.DENY
    backorder_limit: Annotated[Units, Field(strict=True)] | None = None
    available_on: date | None = None
    lead_days: Annotated[int, Field(strict=True, ge=0, le=730)] | None = None
    digital: Digital | None = None
    """What a buyer is given, of what has no parcel; how it is counted follows from it."""

    @model_validator(mode="before")
    @classmethod
    def _counted(cls, said: Any) -> Any:
        return counted_digitally(said)

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.digital is None and not self.weight_g:
            raise ValueError("what has a parcel weighs something: weight_g")
        if self.digital is not None and self.stock_policy != self.digital.stock_policy:
            raise ValueError("a digital item cannot be ordered ahead: leave stock_policy out")
        if self.stock_policy == StockPolicy.PREORDER and self.available_on is None:
            raise ValueError("a pre-order says from when it is available: available_on")
        return self


class ProductIn(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    slug: Slug
    external_id: Annotated[str, StringConstraints(min_length=1, max_length=80)] | None = None
    title: Text
    brand: Annotated[str, StringConstraints(strip_whitespace=True, max_length=80)] = ""
    category: Category
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


def valid(kind: type[Said], values: dict[str, Any]) -> Said:
    """The values as the model. Raises ``InvalidFields``."""
    try:
        return kind.model_validate(values)
    except ValidationError as error:
        raise first_problem(error) from None


def check_options(offered: dict[str, list[str]], variants: Sequence[VariantIn]) -> None:
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


def columns(wanted: ProductIn) -> dict[str, Any]:
    """The columns of a product, but for what search reads."""
    same = wanted.model_dump(mode="json", exclude={"facts", "variants"})
    return same | {"facts": said(wanted.facts, list(wanted.options)), "updated_at": clock.now()}


def plain(wanted: ProductIn) -> dict[str, Any]:
    """A product as its merchant says it, as ``in_of`` gives the one there is."""
    facts = {name: value for name, value in said(wanted.facts, []).items() if name != "option_names"}
    return wanted.model_dump(mode="json", exclude={"variants"}) | {"facts": facts}


def in_of(product: Product) -> dict[str, Any]:
    """A product as its merchant says it, as plain values."""
    same = {name: getattr(product, name) for name in ProductIn.model_fields if name not in {"facts", "options"}}
    facts = {name: value for name, value in product.facts.items() if name in ProductFacts.model_fields}
    names = product.facts.get("option_names") or list(product.options)
    return same | {"facts": facts, "options": {name: product.options[name] for name in names}}


def new_variant(product: Product, wanted: VariantIn, position: int) -> Variant:
    """A variant that is not in the store yet."""
    key = {"tenant_id": product.tenant_id, "id": new_id("variant"), "product_id": product.id, "position": position}
    return Variant(**key, **variant_columns(product, wanted))


def variant_columns(product: Product, wanted: VariantIn) -> dict[str, Any]:
    """The columns of a variant of ``product``, its title among them."""
    length, width, height = wanted.size_mm
    sizes = {"length_mm": length, "width_mm": width, "height_mm": height}
    values = [wanted.options[name] for name in product.facts.get("option_names") or product.options]
    title = searchtext.variant_title(product.title, values)
    given = {"digital": wanted.digital.model_dump() if wanted.digital else None}
    return wanted.model_dump(exclude={"size_mm", "digital"}) | sizes | given | {"title": title}


def said_of(variant: Variant) -> VariantIn:
    """A variant as its merchant says it."""
    same = {name: getattr(variant, name) for name in VariantIn.model_fields if name != "size_mm"}
    size = (variant.length_mm, variant.width_mm, variant.height_mm)
    given = Digital.model_validate(variant.digital) if variant.digital else None
    same["digital"] = given
    return VariantIn.model_construct(**same | {"stock_policy": StockPolicy(variant.stock_policy), "size_mm": size})


def same_kind(variant: Variant, wanted: VariantIn) -> None:
    """What has a parcel keeps it, and what comes with codes goes on to: its stock and its orders rest on that. Raises
    ``Conflict``.
    """
    before, after = said_of(variant).digital, wanted.digital
    if (before is None, before and before.codes) != (after is None, after and after.codes):
        words = "whether it has a parcel, and whether it comes with codes, is said once"
        raise Conflict(f"{variant.sku}: {words}: retire it, and add another variant.")


def fill_search(product: Product) -> None:
    """The words the product is found by."""
    synonyms = product.facts.get("synonyms", [])
    product.search_strong = searchtext.strong(product.title, product.brand, product.category, synonyms, product.options)
    product.search_weak = searchtext.weak(product.description, product.facts)


def must_sell(product: Product, variants: Iterable[Variant]) -> None:
    """Raises ``NotSellable`` for one on sale of which nothing can be sold."""
    if product.status == ProductStatus.ACTIVE and not any(one.sellable for one in variants):
        raise NotSellable("A product on sale has a variant that can be sold: archive it, or keep one.")


def taken(words: str) -> SlugTaken:
    """What a unique key says that was in the way."""
    if "sku" in words:
        return SlugTaken("The shop has a variant with this SKU already.")
    if "external" in words:
        return SlugTaken("The shop has a product with this external id already.")
    return SlugTaken("The shop has a product with this slug already.")
