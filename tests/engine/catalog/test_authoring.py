"""A merchant's own products: written, changed, archived; refused with the place of each fault; found by search."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import func, select

from engine.catalog import authoring, service
from engine.catalog.authoring import AuthoredProduct
from engine.catalog.drafting import NewProduct, VariantIn
from engine.catalog.errors import NotSellable, SlugTaken
from engine.catalog.models import Product, Variant
from engine.catalog.problems import InvalidFields
from engine.checkout.complete import complete
from engine.kit.audit import AuditRow
from engine.kit.errors import Conflict, Forbidden, NotFound
from engine.kit.identity import Actor, Identity, Scope
from engine.kit.outbox import OutboxRow
from tests.shop import Shop

MUG = {
    "slug": "steel-mug", "title": "Steel Mug", "brand": "Nordri", "category": "mugs", "status": "active",
    "description": "A mug for the trail.", "options": {"color": ["red", "blue"]},
    "facts": {"materials": ["steel"], "constraints": ["Not for induction hobs"], "units": {"capacity": "l"},
              "attributes": {"capacity": 1}, "dimensions": {"height_mm": 95},
              "faqs": [{"question": "Is it dishwasher safe?", "answer": "Yes, top rack."}]},
    "variants": [{"sku": "MUG-RED", "options": {"color": "red"}, "price": 1900, "cost": 700, "weight_g": 120}],
}  # fmt: skip


def staff(shop: Shop) -> Identity:
    return Identity(shop.tenant.id, Actor.API_KEY, "key_staff", scopes=frozenset({Scope.STAFF}))


def create(shop: Shop, **other: Any) -> AuthoredProduct:
    with shop.uow() as session:
        return authoring.create(session, staff(shop), NewProduct.model_validate(MUG | other))


def rows(shop: Shop) -> tuple[int, int]:
    with shop.uow() as session:
        return tuple(session.scalar(select(func.count()).select_from(one)) or 0 for one in (Product, Variant))


def test_a_product_is_made_told_and_noted(shop: Shop) -> None:
    made = create(shop)
    assert (made.version, made.variants[0].title, made.variants[0].price.amount) == (1, "Steel Mug (red)", 1900)
    with shop.uow() as session:
        seen = service.product(session, shop.tenant.id, made.id)
        assert (seen.constraints, seen.units, seen.dimensions) == (["Not for induction hobs"], {"capacity": "l"},
                                                                   {"height_mm": 95})  # fmt: skip
        assert [row.topic for row in session.scalars(select(OutboxRow)) if row.subject_id == made.id] == [
            "catalog.product_changed"
        ]
        assert session.scalar(select(AuditRow.actor).where(AuditRow.action == "catalog.product_created")) == "key_staff"


@pytest.mark.parametrize("words", ["dishwasher safe mug", "mug for induction hobs", "steel mug 1 l"])
def test_what_is_said_of_it_is_found(shop: Shop, words: str) -> None:
    from engine.catalog.wishes import SearchRequest

    made = create(shop)
    with shop.uow() as session:
        found = shop.runtime.search.search(session, shop.tenant.id, SearchRequest(query=words))
        assert [item.id for item in found.items] == [made.id]


def test_drafts_and_archived_ones_are_not_sold(shop: Shop) -> None:
    made = create(shop, status="draft", variants=[])
    with shop.uow() as session, pytest.raises(NotFound):
        service.product(session, shop.tenant.id, made.id)
    with pytest.raises(NotSellable), shop.uow() as session:
        authoring.change(session, staff(shop), made.id, {"status": "active"})
    with shop.uow() as session:
        one = VariantIn(sku="MUG-BLUE", options={"color": "blue"}, price=1900, weight_g=120)
        authoring.add_variant(session, staff(shop), made.id, one)
        active = authoring.change(session, staff(shop), made.id, {"status": "active"})
    assert (active.status, [one.sku for one in active.variants], active.version) == ("active", ["MUG-BLUE"], 3)
    with shop.uow() as session:
        authoring.change(session, staff(shop), made.id, {"status": "archived"})
        with pytest.raises(NotFound):
            service.product(session, shop.tenant.id, made.id)


def test_faults_are_named_by_their_place_and_nothing_is_kept(shop: Shop) -> None:
    made = create(shop)
    before = rows(shop)
    for changes, field in (
        ({"category": "Mugs!"}, "category"),
        ({"facts": {"faqs": [{"question": "", "answer": "x"}]}}, "facts.faqs.0.question"),
        ({"colour": 1}, "colour"),
        ({"options": {"size": ["s"]}}, "variants.0.options"),
    ):
        with shop.uow() as session, pytest.raises(InvalidFields) as refused:
            authoring.change(session, staff(shop), made.id, changes)
        assert refused.value.param == field
    for other in ({"slug": "steel-mug", "variants": []}, {"slug": "other"}):
        with pytest.raises(SlugTaken):
            create(shop, **other, status="draft")
    twin = VariantIn(sku="TWIN", options={"color": "red"}, price=1, weight_g=1)
    with shop.uow() as session, pytest.raises(InvalidFields, match="options of another variant"):
        authoring.add_variant(session, staff(shop), made.id, twin)
    with shop.uow() as session, pytest.raises(Forbidden):
        authoring.change(session, shop.shopper(), made.id, {"title": "Mine"})
    assert rows(shop) == before


def test_two_who_change_it_at_once(shop: Shop) -> None:
    made = create(shop)
    with shop.uow() as session:
        after = authoring.change_variant(session, staff(shop), made.variants[0].id, {"price": 2100}, version=1)
    assert (after.version, after.variants[0].price.amount) == (2, 2100)
    with shop.uow() as session, pytest.raises(Conflict, match="version 2"):
        authoring.change(session, staff(shop), made.id, {"title": "X"}, version=1)


def test_what_was_sold_is_retired_and_never_gone(shop: Shop) -> None:
    shop.add("AAA", price=5000)
    buyer = shop.shopper()
    order = complete(shop.runtime, buyer, shop.approved(buyer, "AAA")).order
    with shop.uow() as session:
        product = session.get_one(Variant, (shop.tenant.id, shop.variants["AAA"])).product_id
        spare = VariantIn(sku="SPARE", price=1, weight_g=1, options={})
        with pytest.raises(InvalidFields):
            authoring.add_variant(session, staff(shop), product, spare)
        with pytest.raises(NotSellable):
            authoring.retire_variant(session, staff(shop), shop.variants["AAA"])
    with shop.uow() as session:
        authoring.change(session, staff(shop), product, {"status": "archived"})
        done = authoring.retire_variant(session, staff(shop), shop.variants["AAA"])
    assert ([one.sellable for one in done.variants], order.lines[0].sku) == ([False], "AAA")
