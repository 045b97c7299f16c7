"""How often a sale asks the database: a step that grows a round trip is seen here."""

from __future__ import annotations

import pytest

from engine.checkout import service
from engine.checkout.complete import Result, complete
from engine.db import Store
from engine.payments import stored_value
from engine.payments.stored_value_models import StoredValueKind
from tests.engine.inventory.stocked import set_variant
from tests.shop import Shop


def asked(shop: Shop, monkeypatch: pytest.MonkeyPatch, quantity: int, *, gift: int = 0) -> list[str]:
    """What a purchase of A asks, from the approved card to the paid order."""
    buyer = shop.shopper()
    shop.ready(buyer, "A", quantity)
    if gift:
        with shop.uow() as session:
            issued = stored_value.issue(
                session, shop.tenant.id, secret_key=shop.runtime.secret_key, kind=StoredValueKind.STORE_CREDIT,
                amount=gift, currency="USD", owner_id=buyer.id, actor="key_staff",
            )  # fmt: skip
            assert issued.code is None
            service.use_store_credit(session, buyer)
    card = shop.card(buyer)
    shop.approve(buyer, card.id)
    calls: list[str] = []
    asking, work = Store.asking, Store.unit_of_work
    with monkeypatch.context() as patch:
        patch.setattr(Store, "asking", lambda self, *asks: (calls.append("ask"), asking(self, *asks))[1])
        patch.setattr(Store, "unit_of_work", lambda *told, **how: (calls.append("work"), work(*told, **how))[1])
        assert complete(shop.runtime, buyer, card.id).result == Result.PAID
    return calls


def test_an_ordinary_sale_is_three_round_trips(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    shop.add("A")
    assert asked(shop, monkeypatch, 2) == ["ask", "ask", "ask"]


def test_units_to_come_are_asked_for_once_more(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    shop.add("A", stock={"EAST": 1})
    set_variant(shop, "A", stock_policy="backorder")
    assert asked(shop, monkeypatch, 2) == ["ask", "work", "ask", "ask"]


def test_a_split_sale_also_reads_its_order(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    shop.add("A")
    assert asked(shop, monkeypatch, 1, gift=100) == ["ask", "work", "ask", "ask", "work"]
