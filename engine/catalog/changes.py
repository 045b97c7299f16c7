"""Changing the catalog: the row, the audit and the word to the search index, in one transaction."""

from __future__ import annotations

from typing import Any, Final

from sqlalchemy import select
from sqlalchemy.orm import Session

from engine.catalog import searchtext
from engine.catalog.models import Product, Variant
from engine.kit import audit, clock, outbox
from engine.kit.errors import Forbidden, InvalidInput, NotFound
from engine.kit.identity import Actor, Identity
from engine.kit.ids import echo

MAX_AMOUNT: Final = 100_000_000
EDITABLE: Final = frozenset({"title", "brand", "category", "description", "facts", "status"})


def set_price(session: Session, identity: Identity, *, variant_id: str, amount: int) -> Variant:
    """Give a variant a new price in minor units of the shop's currency. Search shows it at once.

    Raises ``Forbidden`` for shoppers, ``NotFound``, ``InvalidInput``.
    """
    staff_only(identity)
    if not 0 <= amount <= MAX_AMOUNT:
        raise InvalidInput("A price lies between 0 and 1,000,000.00.", param="amount")
    variant = session.get(Variant, (identity.tenant_id, variant_id), with_for_update=True)
    if variant is None:
        raise NotFound("There is no such variant in this shop.")
    before, variant.price = variant.price, amount
    variant.updated_at = clock.now()
    facts = {"variant_id": variant.id, "from": before, "to": amount}
    outbox.emit(session, identity.tenant_id, "catalog.price_changed", variant.product_id, facts)
    audit.record(
        session,
        identity.tenant_id,
        actor=identity.id,
        action="catalog.set_price",
        subject=variant.id,
        facts=facts,
    )
    return variant


def update_product(session: Session, identity: Identity, *, product_id: str, changes: dict[str, Any]) -> Product:
    """Change what is said about a product (keys of ``EDITABLE``) and tell the index.

    Raises ``Forbidden`` for shoppers, ``NotFound``, ``InvalidInput`` for a key that may not be changed here.
    """
    staff_only(identity)
    if unknown := sorted(set(changes) - EDITABLE):
        named = echo(unknown[0], "that")
        raise InvalidInput(f"Not to be changed here: {named}.", param=named)
    product = session.get(Product, (identity.tenant_id, product_id), with_for_update=True)
    if product is None:
        raise NotFound("There is no such product in this shop.")
    for name, value in changes.items():
        setattr(product, name, value)
    product.updated_at = clock.now()
    _refill(product)
    if "title" in changes:
        _retitle(session, product)
    outbox.emit(session, identity.tenant_id, "catalog.product_changed", product.id)
    audit.record(
        session,
        identity.tenant_id,
        actor=identity.id,
        action="catalog.update_product",
        subject=product.id,
        facts={"changed": sorted(changes)},
    )
    return product


def _refill(product: Product) -> None:
    product.search_strong = searchtext.strong(
        product.title, product.brand, product.category, product.facts.get("synonyms", []), product.options
    )
    product.search_weak = searchtext.weak(product.description, product.facts)


def _retitle(session: Session, product: Product) -> None:
    mine = (Variant.tenant_id == product.tenant_id, Variant.product_id == product.id)
    names = product.facts.get("option_names") or list(product.options)
    for variant in session.scalars(select(Variant).where(*mine)):
        variant.title = searchtext.variant_title(product.title, [variant.options[name] for name in names])


def staff_only(identity: Identity) -> None:
    """Raises ``Forbidden`` for everybody but the shop's staff."""
    if not (identity.is_staff or identity.actor is Actor.SYSTEM):
        raise Forbidden("Only the shop's staff may change its catalog.")
