"""Carts of agent platforms: made, replaced as a whole, canceled. Prices are estimates until checkout."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

from sqlalchemy import delete
from sqlalchemy.orm import Session

from engine.agentic import items
from engine.agentic.cart_models import AgentCart
from engine.agentic.errors import AllOutOfStock
from engine.agentic.wishes import Item
from engine.checkout import facts, pricing
from engine.checkout.facts import Facts
from engine.checkout.pricing import Quote
from engine.kit import audit, clock
from engine.kit.errors import NotFound
from engine.kit.identity import Identity
from engine.kit.ids import new_id

LIFE: Final = timedelta(days=7)
KEEP: Final = timedelta(days=30)


@dataclass(frozen=True, slots=True)
class Priced:
    """A cart and what it costs now."""

    cart: AgentCart
    quote: Quote

    @property
    def gone(self) -> list[int]:
        """Positions of lines that cannot be bought now as they are."""
        return [at for at, line in enumerate(self.quote.lines) if line.available < line.quantity and not line.later]


def create(
    session: Session, identity: Identity, *, wanted: Sequence[Item], buyer: Mapping[str, Any], currency: str
) -> Priced:
    """A new cart. Raises ``ItemUnknown``, and ``AllOutOfStock`` when nothing of it can be bought."""
    cart = AgentCart(
        tenant_id=identity.tenant_id,
        id=new_id("cart"),
        owner_id=identity.id,
        currency=currency,
        lines=items.lines_of(wanted),
        buyer=dict(buyer),
        expires_at=clock.now() + LIFE,
    )
    priced = _priced(session, cart, wanted)
    session.add(cart)
    audit.record(session, cart.tenant_id, actor=identity.id, action="cart.created", subject=cart.id)
    return priced


def read(session: Session, identity: Identity, cart_id: str) -> Priced:
    """The cart with its present prices. Raises ``NotFound`` for one that has ended or is not the identity's own."""
    cart = _own(session, identity, cart_id)
    return Priced(cart, _quote(session, cart))


def replace(
    session: Session,
    identity: Identity,
    cart_id: str,
    *,
    wanted: Sequence[Item],
    buyer: Mapping[str, Any] | None,
) -> Priced:
    """Other contents; a buyer that is not named again stays. Raises ``NotFound``, and what ``create`` raises."""
    cart = _own(session, identity, cart_id, lock=True)
    cart.lines = items.lines_of(wanted)
    if buyer is not None:
        cart.buyer = dict(buyer)
    priced = _priced(session, cart, wanted)
    cart.updated_at, cart.expires_at = clock.now(), clock.now() + LIFE
    return priced


def cancel(session: Session, identity: Identity, cart_id: str) -> Priced:
    """End the cart: from now on nobody finds it. Raises ``NotFound``."""
    cart = _own(session, identity, cart_id, lock=True)
    priced = Priced(cart, _quote(session, cart))
    cart.canceled_at = clock.now()
    audit.record(session, cart.tenant_id, actor=identity.id, action="cart.canceled", subject=cart.id)
    return priced


def forget_old(session: Session, tenant_id: str) -> None:
    """Drop carts that ended a month ago."""
    then = clock.now() - KEEP
    session.execute(delete(AgentCart).where(AgentCart.tenant_id == tenant_id, AgentCart.expires_at < then))


def _priced(session: Session, cart: AgentCart, wanted: Sequence[Item]) -> Priced:
    found = _facts(session, cart)
    items.check(wanted, found)
    priced = Priced(cart, pricing.price(cart, found))
    if len(priced.gone) == len(cart.lines):
        raise AllOutOfStock("All requested items are sold out.")
    return priced


def _quote(session: Session, cart: AgentCart) -> Quote:
    return pricing.price(cart, _facts(session, cart))


def _facts(session: Session, cart: AgentCart) -> Facts:
    return facts.look(session, cart, owner_id=cart.owner_id)


def _own(session: Session, identity: Identity, cart_id: str, *, lock: bool = False) -> AgentCart:
    cart = session.get(AgentCart, (identity.tenant_id, cart_id), with_for_update=lock or None)
    ended = cart is not None and (cart.canceled_at is not None or cart.expires_at <= clock.now())
    if cart is None or ended or cart.owner_id != identity.id:
        raise NotFound("There is no such cart.")
    return cart
