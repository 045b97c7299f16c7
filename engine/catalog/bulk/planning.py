"""What one product of a file comes to: checked whole before anything is touched, then put in."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from sqlalchemy.orm import Session

from engine.catalog import drafting, searchtext
from engine.catalog.bulk.running import FieldDiff
from engine.catalog.bulk.shelf import Shelf
from engine.catalog.drafting import MOST_VARIANTS, NewProduct, ProductIn, VariantIn
from engine.catalog.errors import NotSellable, SlugTaken
from engine.catalog.models import Product, ProductStatus, Variant
from engine.kit import clock
from engine.kit.errors import Conflict
from engine.kit.ids import new_id

Act = tuple[str, dict[str, Any]]
"""A line of the audit: action and facts."""


@dataclass(slots=True)
class Plan:
    """``variants``: all that the product will have, those that there are with what they become."""

    product: Product
    is_new: bool
    wanted: ProductIn | None
    """What the product becomes; ``None`` when it stays."""
    variants: list[tuple[Variant | None, VariantIn]]
    changed: set[str]
    """SKUs of variants that are there and change."""
    changes: list[FieldDiff] = field(default_factory=list)
    acts: list[Act] = field(default_factory=list)


def plan(tenant_id: str, shelf: Shelf, said: dict[str, Any], rows: list[dict[str, Any]]) -> Plan:
    """Raises ``ValidationError``, ``InvalidFields``, ``SlugTaken``, ``NotSellable``, ``Conflict``; then nothing was
    touched.
    """
    product = shelf.find(said)
    made = _new(tenant_id, said, rows) if product is None else _change(shelf, product, said, rows)
    offered = made.wanted.options if made.wanted else drafting.in_of(made.product)["options"]
    variants = [one for _, one in made.variants]
    if made.wanted or made.changes:
        drafting.check_options(offered, variants)
        status = made.wanted.status if made.wanted else made.product.status
        if status == ProductStatus.ACTIVE and not any(one.sellable for one in variants):
            raise NotSellable("A product on sale has a variant that can be sold: archive it, or keep one.")
    _claim(shelf, made)
    return made


def put(session: Session, plan: Plan) -> None:
    """Into the session; nothing is asked of the store."""
    product, now = plan.product, clock.now()
    if plan.wanted:
        for name, value in drafting.columns(plan.wanted).items():
            setattr(product, name, value)
        drafting.fill_search(product)
    if plan.is_new:
        session.add(product)
    for position, (variant, wanted) in enumerate(plan.variants):
        if variant is None:
            session.add(drafting.new_variant(product, wanted, position))
            product.updated_at = now
        elif wanted.sku in plan.changed:
            for name, value in drafting.variant_columns(product, wanted).items():
                setattr(variant, name, value)
            variant.updated_at = product.updated_at = now
        elif plan.wanted:
            names = product.facts["option_names"]
            variant.title = searchtext.variant_title(product.title, [variant.options[name] for name in names])


def _new(tenant_id: str, said: dict[str, Any], rows: list[dict[str, Any]]) -> Plan:
    wanted = NewProduct.model_validate(said | {"variants": rows})
    if len({one.sku for one in wanted.variants}) != len(wanted.variants):
        raise Conflict("It names a variant twice.")
    product = Product(tenant_id=tenant_id, id=new_id("product"))
    made = Plan(product, True, wanted, [(None, one) for one in wanted.variants], set())
    made.acts.append(("catalog.product_created", {"slug": wanted.slug}))
    return made


def _change(shelf: Shelf, product: Product, said: dict[str, Any], rows: list[dict[str, Any]]) -> Plan:
    was = drafting.in_of(product)
    changes = _differ("", was, _with_what_is_there(was, said))
    wanted = drafting.valid(ProductIn, was | {one.field: one.after for one in changes}) if changes else None
    if wanted:
        will = drafting.plain(wanted)
        changes = [FieldDiff(field=one.field, before=one.before, after=will[one.field]) for one in changes]
        changes = [one for one in changes if one.before != one.after]
        wanted = wanted if changes else None
    made = Plan(product, False, wanted, [], set(), changes)
    if changes:
        made.acts.append(("catalog.product_changed", {"changed": sorted(one.field for one in changes)}))
    named = {str(row.get("sku")): row for row in rows}
    if len(named) != len(rows):
        raise Conflict("It names a variant twice.")
    for variant in shelf.variants[product.id]:
        made.variants.append((variant, _variant(made, variant, named.pop(variant.sku, {}))))
    for sku, row in named.items():
        made.variants.append((None, VariantIn.model_validate(row)))
        made.changes.append(FieldDiff(field=sku, before=None, after="added"))
        made.acts.append(("catalog.variant_added", {"sku": sku}))
    if len(made.variants) > MOST_VARIANTS:
        raise Conflict(f"A product has at most {MOST_VARIANTS} variants.")
    return made


def _variant(made: Plan, variant: Variant, row: dict[str, Any]) -> VariantIn:
    was = drafting.said_of(variant)
    if not row:
        return was
    before = was.model_dump(mode="json")
    if isinstance(row.get("digital"), dict):
        row = row | {"digital": (before["digital"] or {}) | row["digital"]}
    changes = _differ(f"{variant.sku}.", before, row)
    if not changes:
        return was
    names = [one.field.removeprefix(f"{variant.sku}.") for one in changes]
    wanted = drafting.valid(VariantIn, before | {name: row[name] for name in names})
    drafting.same_kind(variant, wanted)
    facts: dict[str, Any] = {"variant": variant.id, "changed": sorted(names)}
    if wanted.price != variant.price:
        facts |= {"from": variant.price, "to": wanted.price}
    made.changed.add(variant.sku)
    made.changes += changes
    made.acts.append(("catalog.variant_changed", facts))
    return wanted


def _with_what_is_there(was: dict[str, Any], said: dict[str, Any]) -> dict[str, Any]:
    """Facts that the file says nothing of stay; so do values of options, as a file may hold some of the variants."""
    more: dict[str, Any] = {}
    if isinstance(said.get("facts"), dict):
        more["facts"] = was["facts"] | said["facts"]
    if isinstance(said.get("options"), dict):
        more["options"] = _wider(was["options"], said["options"])
    return said | more


def _wider(was: dict[str, list[str]], said: dict[str, Any]) -> dict[str, Any]:
    return {
        name: [*was.get(name, []), *(one for one in values if one not in was.get(name, []))]
        if isinstance(values, list)
        else values
        for name, values in said.items()
    }


def _differ(head: str, was: dict[str, Any], said: dict[str, Any]) -> list[FieldDiff]:
    return [
        FieldDiff(field=f"{head}{name}", before=was.get(name), after=value)
        for name, value in said.items()
        if was.get(name) != value
    ]


def _claim(shelf: Shelf, made: Plan) -> None:
    """Names that are one product's alone. Raises ``SlugTaken``."""
    product, wanted = made.product, made.wanted
    if wanted and shelf.by_slug.setdefault(wanted.slug, product) is not product:
        raise SlugTaken("The shop has a product with this slug already.")
    if wanted and wanted.external_id and shelf.by_external.setdefault(wanted.external_id, product) is not product:
        raise SlugTaken("The shop has a product with this external id already.")
    new = [one.sku for variant, one in made.variants if variant is None]
    if any(sku in shelf.owners for sku in new):
        raise SlugTaken("The shop has a variant with this SKU already.")
    shelf.owners |= dict.fromkeys(new, product.id)
