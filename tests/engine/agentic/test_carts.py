"""A platform's cart: priced now, replaced as a whole, gone for good when it is canceled."""

from __future__ import annotations

from datetime import timedelta

import pytest

from engine.agentic import carts
from engine.agentic.cart_models import AgentCart
from engine.agentic.errors import AllOutOfStock
from engine.agentic.wishes import Item
from engine.kit import clock
from engine.kit.errors import NotFound
from engine.kit.identity import Actor, Identity
from engine.kit.ids import new_id
from tests.shop import Shop


@pytest.fixture
def platform(shop: Shop) -> Identity:
    shop.add("MUG", price=1250, stock={"EAST": 3})
    shop.add("RARE", price=9900, stock={})
    return Identity(shop.tenant.id, Actor.API_KEY, new_id("agent_platform"))


def _items(shop: Shop, **wanted: int) -> list[Item]:
    return [Item(shop.variants[sku], units) for sku, units in wanted.items()]


def _create(shop: Shop, platform: Identity, **wanted: int) -> carts.Priced:
    with shop.uow() as session:
        buyer = {"email": "ada@example.com"}
        return carts.create(session, platform, wanted=_items(shop, **wanted), buyer=buyer, currency="USD")


def test_it_costs_what_the_checkout_would(shop: Shop, platform: Identity) -> None:
    priced = _create(shop, platform, MUG=2)
    assert priced.quote.items == priced.quote.total == 2500
    assert priced.gone == []
    with shop.uow() as session:
        again = carts.read(session, platform, priced.cart.id)
    assert (again.quote.total, again.cart.buyer) == (2500, {"email": "ada@example.com"})


def test_what_is_sold_out_stays_and_is_named(shop: Shop, platform: Identity) -> None:
    priced = _create(shop, platform, MUG=1, RARE=1)
    assert priced.gone == [1]
    with pytest.raises(AllOutOfStock):
        _create(shop, platform, RARE=1)
    with shop.uow() as session:
        assert [row.id for row in session.query(AgentCart)] == [priced.cart.id]


def test_it_is_replaced_as_a_whole_and_lives_on(shop: Shop, platform: Identity) -> None:
    cart = _create(shop, platform, MUG=2, RARE=1).cart
    ends = cart.expires_at
    with shop.uow() as session:
        after = carts.replace(session, platform, cart.id, wanted=_items(shop, MUG=3), buyer=None)
    assert after.quote.total == 3750
    assert after.cart.buyer == {"email": "ada@example.com"}
    assert after.cart.expires_at > ends
    with pytest.raises(AllOutOfStock), shop.uow() as session:
        carts.replace(session, platform, cart.id, wanted=_items(shop, RARE=1), buyer=None)
    with shop.uow() as session:
        assert carts.read(session, platform, cart.id).quote.total == 3750


def test_a_canceled_or_old_or_foreign_cart_is_not_found(
    shop: Shop, platform: Identity, monkeypatch: pytest.MonkeyPatch
) -> None:
    canceled, old = (_create(shop, platform, MUG=1).cart.id for _ in range(2))
    stranger = Identity(shop.tenant.id, Actor.API_KEY, new_id("agent_platform"))
    with shop.uow() as session:
        with pytest.raises(NotFound):
            carts.read(session, stranger, old)
        carts.cancel(session, platform, canceled)
        for act in (carts.read, carts.cancel):
            with pytest.raises(NotFound):
                act(session, platform, canceled)
    later = clock.now() + carts.LIFE + timedelta(seconds=1)
    monkeypatch.setattr(clock, "now", lambda: later)
    with shop.uow() as session, pytest.raises(NotFound):
        carts.read(session, platform, old)


def test_carts_are_dropped_long_after_their_end(
    shop: Shop, platform: Identity, monkeypatch: pytest.MonkeyPatch
) -> None:
    cart_id = _create(shop, platform, MUG=1).cart.id
    for days, left in ((carts.LIFE + carts.KEEP - timedelta(hours=1), 1), (timedelta(hours=2), 0)):
        later = clock.now() + days
        monkeypatch.setattr(clock, "now", lambda later=later: later)
        with shop.uow() as session:
            carts.forget_old(session, shop.tenant.id)
        with shop.uow() as session:
            assert session.query(AgentCart).filter_by(id=cart_id).count() == left
