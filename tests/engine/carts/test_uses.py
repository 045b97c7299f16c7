"""Uses of promotions: exact under a race, given back when a sale comes to nothing, seen by the checks."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select

from engine import jobs
from engine.carts import discounts, promoting
from engine.carts import service as carts
from engine.carts.errors import CodeNotValid, CodeTaken, PromotionOver, TooManyAutomatic
from engine.carts.models import Discount, DiscountUse
from engine.carts.policy import PromotionsPolicy
from engine.carts.promoting import Promotion, PromotionStatus, PromotionView
from engine.checkout import service
from engine.checkout.complete import Completion, Result, complete
from engine.checks import check_tenant
from engine.db import Store
from engine.kit import clock
from engine.kit.errors import Conflict, Forbidden, InvalidInput, RateLimited
from engine.kit.identity import Actor, Identity, Scope
from engine.kit.policies import change_policy
from engine.kit.tenancy import Tenant
from tests.engine.orders.desk import Desk
from tests.shop import ADDRESS, Shop


def staff(shop: Shop) -> Identity:
    return Identity(shop.tenant.id, Actor.API_KEY, "key_staff", scopes=frozenset({Scope.STAFF}))


def promote(shop: Shop, **said: Any) -> PromotionView:
    with shop.uow() as session:
        wanted = Promotion.model_validate({"title": "Less"} | said)
        return promoting.create(session, staff(shop), wanted, approved="test")


def ready(shop: Shop, sku: str, quantity: int = 1, *, code: str = "", email: str = "", buyer: Identity | None = None,
          card: str = "card_test_visa") -> tuple[Identity, str]:  # fmt: skip
    """A shopper who has approved the card of a checkout with a code."""
    buyer = buyer or shop.shopper()
    shop.fill(buyer, sku, quantity)
    with shop.uow() as session:
        if code:
            carts.set_discount_code(session, buyer, code)
        service.update(session, buyer, service.Details(email=email or f"{buyer.id}@example.com", **ADDRESS))
    if card != "card_test_visa":
        shop.pay_with(buyer, card)
    consent = shop.card(buyer)
    shop.approve(buyer, consent.id)
    return buyer, consent.id


def buy(shop: Shop, sku: str, quantity: int = 1, **said: Any) -> Completion:
    buyer, consent = ready(shop, sku, quantity, **said)
    return complete(shop.runtime, buyer, consent)


def used(shop: Shop, promotion: PromotionView) -> tuple[int, int]:
    """What the promotion says, and the uses that count."""
    with shop.uow() as session:
        row = session.get_one(Discount, (shop.tenant.id, promotion.id))
        uses = session.scalars(
            select(DiscountUse).where(DiscountUse.discount_id == row.id, DiscountUse.given_back_at.is_(None))
        ).all()
        return row.used, len(uses)


def clean(shop: Shop) -> None:
    assert [r for r in check_tenant(shop.runtime, shop.tenant.id, shop.tenant.slug) if not r.ok] == []


def test_fifty_buyers_race_for_the_last_use(shop: Shop) -> None:
    shop.add("A", price=5000, stock={"EAST": 100})
    last = promote(shop, code="LAST", percent_off=10, usage_limit=1)
    carded = [ready(shop, "A", code="LAST") for _ in range(50)]
    with ThreadPoolExecutor(10) as pool:
        done = list(pool.map(lambda one: complete(shop.runtime, *one), carded))
    paid = [one for one in done if one.result == Result.PAID]
    assert (len(paid), {one.result for one in done}) == (1, {Result.PAID, Result.CHANGED})
    assert sum(line.discount for line in paid[0].order.lines) == 500
    assert used(shop, last) == (1, 1)
    clean(shop)


def test_one_buyer_with_many_sessions_uses_it_as_often_as_each_may(shop: Shop) -> None:
    """The same e-mail in ten sessions at once: two uses, not one more."""
    shop.add("A", price=5000, stock={"EAST": 100})
    each = promote(shop, code="EACH", percent_off=10, per_customer_limit=2)
    carded = [ready(shop, "A", code="EACH", email="Same@example.com") for _ in range(10)]
    with ThreadPoolExecutor(5) as pool:
        done = [one.result for one in pool.map(lambda one: complete(shop.runtime, *one), carded)]
    assert (done.count(Result.PAID), used(shop, each)) == (2, (2, 2))
    late, consent = ready(shop, "A", code="EACH", email="other@example.com")
    assert complete(shop.runtime, late, consent).result == Result.PAID
    clean(shop)


def test_a_first_order_is_the_first_whatever_session_it_comes_from(shop: Shop) -> None:
    shop.add("A", price=5000, stock={"EAST": 100})
    promote(shop, code="HELLO", amount_off=700, first_order_only=True)
    done = buy(shop, "A", code="HELLO", email="ada@example.com")
    assert (done.result, done.order.lines[0].discount) == (Result.PAID, 700)
    again = shop.shopper()
    shop.fill(again, "A")
    with shop.uow() as session:
        carts.set_discount_code(session, again, "HELLO")
        view = service.update(session, again, service.Details(email="ADA@example.com", **ADDRESS))
        assert (view.problems, view.total.amount) == (["HELLO is for a first order."], 5500 + 595 + 60)
    clean(shop)


def test_two_first_orders_at_once_are_one(shop: Shop) -> None:
    shop.add("A", price=5000, stock={"EAST": 100})
    hello = promote(shop, code="HELLO", amount_off=700, first_order_only=True, per_customer_limit=1)
    carded = [ready(shop, "A", code="HELLO", email="ada@example.com") for _ in range(6)]
    with ThreadPoolExecutor(6) as pool:
        done = [one.result for one in pool.map(lambda one: complete(shop.runtime, *one), carded)]
    assert (done.count(Result.PAID), used(shop, hello)) == (1, (1, 1))


def test_a_declined_card_gives_the_use_back(shop: Shop) -> None:
    shop.add("A", price=5000)
    once = promote(shop, code="ONCE", percent_off=10, usage_limit=1)
    done = buy(shop, "A", code="ONCE", card="card_test_declined")
    assert (done.result, used(shop, once)) == (Result.DECLINED, (0, 0))
    assert buy(shop, "A", code="ONCE").result == Result.PAID
    assert used(shop, once) == (1, 1)
    clean(shop)


@pytest.mark.parametrize(("gives_back", "left"), [(True, (0, 0)), (False, (1, 1))])
def test_a_canceled_order_gives_it_back_as_the_shop_wishes(shop: Shop, gives_back: bool, left: tuple[int, int]) -> None:
    shop.add("A", price=5000)
    once = promote(shop, code="ONCE", percent_off=10, usage_limit=1)
    with shop.uow() as session:
        tenant = session.get_one(Tenant, shop.tenant.id)
        change_policy(tenant, PromotionsPolicy, {"give_back_on_cancel": gives_back})
    buyer, consent = ready(shop, "A", code="ONCE")
    done = complete(shop.runtime, buyer, consent)
    Desk(shop, buyer, done.order.id).do("cancel", reason="no_longer_needed")
    for _ in range(2):
        jobs.free_promotions(shop.runtime, shop.tenant.id)
    assert used(shop, once) == left
    clean(shop)


def test_an_automatic_promotion_needs_no_code_and_adds_no_round_trip(shop: Shop, monkeypatch) -> None:
    shop.add("A", price=5000)
    auto = promote(shop, title="Three for two", kind="buy_get", rules={"buy": 2, "get": 1})
    free = promote(shop, title="Free shipping", kind="free_shipping", minimum=9000, rules={"shipping_up_to": 1000})
    buyer, consent = ready(shop, "A", 3)
    calls: list[str] = []
    asking, work = Store.asking, Store.unit_of_work
    with monkeypatch.context() as patch:
        patch.setattr(Store, "asking", lambda self, *asks: (calls.append("ask"), asking(self, *asks))[1])
        patch.setattr(Store, "unit_of_work", lambda *told, **how: (calls.append("work"), work(*told, **how))[1])
        done = complete(shop.runtime, buyer, consent)
    assert calls == ["ask", "ask", "ask"]
    totals = {row.type: (row.amount, row.display_text) for row in done.order.totals}
    assert totals["items_discount"] == (5000, "Discount: Three for two")
    assert totals["fulfillment"] == (0, "Shipping: Standard, Free shipping")
    assert totals["total"][0] == 10000 + 1000  # 10 % tax of what is left
    with shop.uow() as session:
        uses = {row.discount_id: (row.amount, row.shipping) for row in session.scalars(select(DiscountUse))}
    assert uses == {auto.id: (5000, 0), free.id: (0, 595)}
    clean(shop)


def test_a_promotion_that_changes_between_card_and_claim_asks_anew(shop: Shop) -> None:
    shop.add("A", price=5000)
    made = promote(shop, title="Ten", percent_off=10)
    buyer, consent = ready(shop, "A")
    with shop.uow() as session:
        promoting.change(session, staff(shop), made.id, {"percent_off": 5}, version=made.version)
    assert complete(shop.runtime, buyer, consent).result == Result.CHANGED
    assert used(shop, made) == (0, 0)


def test_a_merchant_makes_changes_and_ends_them(shop: Shop) -> None:
    shop.add("A", price=5000)
    made = promote(shop, code="TEN", percent_off=10, usage_limit=5)
    assert (made.status, made.version, made.automatic) == (PromotionStatus.ACTIVE, 1, False)
    assert buy(shop, "A", code="TEN").result == Result.PAID
    with shop.uow() as session:
        assert promoting.change(session, staff(shop), made.id, {"usage_limit": 1}).status == PromotionStatus.USED_UP
    for changes, field in (
        ({"usage_limit": 0}, "usage_limit"),
        ({"percent_off": None}, "body"),
        ({"rules": {"products": ["prd_x"]}}, "rules.products"),
        ({"per_customer_limit": 1}, "per_customer_limit"),
        ({"colour": "red"}, "colour"),
    ):
        with shop.uow() as session, pytest.raises(InvalidInput) as refused:
            promoting.change(session, staff(shop), made.id, changes)
        assert refused.value.param == field
    with shop.uow() as session, pytest.raises(Conflict, match="version 2"):
        promoting.change(session, staff(shop), made.id, {"title": "X"}, version=1)
    with shop.uow() as session, pytest.raises(CodeTaken):
        promoting.create(session, staff(shop), Promotion(code="TEN", title="Again", percent_off=5))
    with shop.uow() as session:
        assert promoting.end(session, staff(shop), made.id).status == PromotionStatus.ENDED
    with shop.uow() as session, pytest.raises(PromotionOver):
        promoting.end(session, staff(shop), made.id)
    with shop.uow() as session, pytest.raises(CodeNotValid, match="TEN has expired"):
        carts.set_discount_code(session, shop.shopper(), "TEN")
    with shop.uow() as session, pytest.raises(Forbidden):
        promoting.create(session, shop.shopper(), Promotion(title="Mine", percent_off=90))
    clean(shop)


def test_there_are_few_automatic_ones(shop: Shop) -> None:
    for number in range(20):
        made = promote(shop, title=f"Auto {number}", percent_off=1)
    with pytest.raises(TooManyAutomatic):
        promote(shop, title="One more", percent_off=1)
    with shop.uow() as session:
        promoting.end(session, staff(shop), made.id)
    promote(shop, title="One more", percent_off=1, starts_at=clock.now() + timedelta(1))


def test_nobody_guesses_codes(shop: Shop) -> None:
    guesser = shop.shopper()
    for _ in range(20):
        discounts.count_try(shop.runtime, guesser)
    with pytest.raises(RateLimited):
        discounts.count_try(shop.runtime, guesser)
    discounts.count_try(shop.runtime, shop.shopper())
