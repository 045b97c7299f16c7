"""Native bundles: a variant that is made of others and has no stock of its own."""

from __future__ import annotations

from engine.sync.sandbox.shopify.mistakes import UserErrors, refuse, user_error
from engine.sync.sandbox.shopify.shop import Shop, numbered
from engine.sync.sandbox.shopify.state import Component, Variant
from engine.sync.sandbox.wire import Json

_FIELD = "input"


def relate(shop: Shop, args: Json) -> Json:
    """``productVariantRelationshipBulkUpdate``: all of it or nothing."""
    planned = [_plan(shop, one) for one in args["input"]]
    for parent, rows in planned:
        parent.components = rows
        parent.updated_at = shop.now()
    return {"parentProductVariants": [parent for parent, _ in planned]}


def _plan(shop: Shop, given: Json) -> tuple[Variant, list[Component]]:
    parent = _parent(shop, given)
    rows = (
        {} if given.get("removeAllProductVariantRelationships") else {one.variant.id: one for one in parent.components}
    )
    for gid in given.get("productVariantRelationshipsToRemove") or []:
        if rows.pop(numbered(gid), None) is None:
            raise refuse("The product variants are not a component.", _FIELD, code="PRODUCT_VARIANTS_NOT_COMPONENTS")
    for one in given.get("productVariantRelationshipsToUpdate") or []:
        child = _child(shop, parent, one)
        if child.id not in rows:
            raise refuse("The product variants are not a component.", _FIELD, code="PRODUCT_VARIANTS_NOT_COMPONENTS")
        rows[child.id] = Component(rows[child.id].id, child, one["quantity"])
    for one in given.get("productVariantRelationshipsToCreate") or []:
        child = _child(shop, parent, one)
        if child.id in rows:
            message = "The product variant is a component already."
            raise refuse(message, _FIELD, code="DUPLICATE_PRODUCT_VARIANT_RELATIONSHIP")
        rows[child.id] = Component(shop.number(), child, one["quantity"])
    return parent, list(rows.values())


def _parent(shop: Shop, given: Json) -> Variant:
    found = shop.state.variants.get(numbered(given.get("parentProductVariantId")))
    if found is None:
        raise refuse("The product variants were not found.", _FIELD, code="PRODUCT_VARIANTS_NOT_FOUND")
    if any(part.variant is found for one in shop.state.variants.values() for part in one.components):
        raise refuse("A component can't be a bundle.", _FIELD, code="NESTED_PARENT_PRODUCT_VARIANT")
    return found


def _child(shop: Shop, parent: Variant, given: Json) -> Variant:
    found = shop.state.variants.get(numbered(given["id"]))
    if found is None:
        raise refuse("The product variants were not found.", _FIELD, code="PRODUCT_VARIANTS_NOT_FOUND")
    faults = []
    if found is parent:
        faults.append(user_error("A bundle can't be made of itself.", _FIELD, code="CIRCULAR_REFERENCE"))
    if found.components:
        faults.append(user_error("A component can't be a bundle.", _FIELD, code="NESTED_PARENT_PRODUCT_VARIANT"))
    if given["quantity"] < 1:
        faults.append(user_error("The quantity must be at least one.", _FIELD, code="INVALID_QUANTITY"))
    if faults:
        raise UserErrors(*faults)
    return found
