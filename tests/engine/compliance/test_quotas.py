"""How much one order and one customer may have, and rules that hold for a time."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import date, timedelta
from threading import Barrier
from typing import Any

import pytest
from pydantic import ValidationError
from sqlalchemy import func, select

from engine.catalog.filters import barred_restrictions
from engine.checkout import service
from engine.checkout.complete import Result, complete
from engine.checkout.errors import CheckoutIncomplete
from engine.compliance.policy import CompliancePolicy, Limit, Rule
from engine.compliance.service import Item, Place, findings
from engine.inventory.models import StockLevel
from engine.kit import clock, faults
from engine.kit.identity import Identity
from engine.kit.policies import change_policy
from engine.kit.tenancy import Tenant
from engine.orders.errors import OverQuota
from engine.orders.models import Order
from tests.engine.orders.desk import Desk, broken, sibling
from tests.engine.returns.coming import deliver, receive, send_back, the_return
from tests.shop import ADDRESS, Shop


def rule(shop: Shop, **values: Any) -> None:
    with shop.uow() as session:
        change_policy(session.get_one(Tenant, shop.tenant.id), CompliancePolicy, values)


def problems_of(shop: Shop, buyer: Identity, **said: str) -> list[str]:
    with shop.uow() as session:
        details = service.Details(**({"email": "ada@example.com"} | ADDRESS | said))
        return service.update(session, buyer, details).problems


def buy(shop: Shop, buyer: Identity, sku: str, quantity: int = 1) -> Any:
    return complete(shop.runtime, buyer, shop.approved(buyer, sku, quantity))


def test_one_order_holds_no_more_than_allowed(shop: Shop) -> None:
    rule(shop, limits=[{"code": "few", "skus": ["A"], "per_order": 2}])
    shop.add("A")
    shop.add("B")
    buyer = shop.shopper()
    shop.fill(buyer, "A", 2)
    shop.fill(buyer, "B", 5)
    assert problems_of(shop, buyer) == []
    shop.fill(buyer, "A", 1)
    assert problems_of(shop, buyer) == ["One order may hold 2 of Thing A; this one has 3."]


@pytest.mark.parametrize(
    ("names", "others"),
    [({"skus": ["A"]}, []), ({"categories": ["rare"]}, ["B"]), ({}, ["B", "C"])],
)
def test_a_limit_counts_all_that_it_names(shop: Shop, names: dict[str, Any], others: list[str]) -> None:
    rule(shop, limits=[{"code": "few", "per_order": 1, **names}])
    for sku, category in (("A", "rare"), ("B", "rare"), ("C", "things")):
        shop.add(sku, category=category)
    found = []
    for sku in ("B", "C"):
        buyer = shop.shopper()
        shop.fill(buyer, "A")
        shop.fill(buyer, sku)
        found += [sku] if problems_of(shop, buyer) else []
    assert found == others


@pytest.mark.parametrize("known_by", ["session", "e-mail"])
def test_a_customer_buys_no_more_than_allowed_in_some_days(shop: Shop, known_by: str) -> None:
    rule(shop, limits=[{"code": "few", "skus": ["A"], "per_customer": 2, "days": 7}])
    shop.add("A")
    buyer = shop.shopper()
    assert buy(shop, buyer, "A").result == Result.PAID
    again = buyer if known_by == "session" else shop.shopper()
    email = {"email": "other@example.com" if known_by == "session" else "ADA@example.com"}
    shop.fill(again, "A", 2)
    words = ["One customer may buy 2 of Thing A in 7 days, not more."]
    assert problems_of(shop, again, **email) == words
    with pytest.raises(CheckoutIncomplete, match="not more"):
        shop.card(again)
    with clock.shifted(timedelta(days=7, seconds=5)):
        assert problems_of(shop, again, **email) == []


def test_somebody_else_is_not_counted(shop: Shop) -> None:
    rule(shop, limits=[{"code": "few", "skus": ["A"], "per_customer": 1}])
    shop.add("A")
    buy(shop, shop.shopper(), "A")
    other = shop.shopper()
    shop.fill(other, "A")
    assert problems_of(shop, other, email="bob@example.com") == []


def test_what_was_canceled_or_declined_is_not_counted(shop: Shop) -> None:
    rule(shop, limits=[{"code": "few", "skus": ["A"], "per_customer": 1}])
    shop.add("A")
    buyer = shop.shopper()
    declined = complete(shop.runtime, buyer, shop.approved(buyer, "A", card="card_test_declined"))
    assert declined.result == Result.DECLINED
    shop.pay_with(buyer, "card_test_visa")
    consent = shop.card(buyer)
    shop.approve(buyer, consent.id)
    done = complete(shop.runtime, buyer, consent.id)
    assert done.result == Result.PAID
    shop.fill(buyer, "A")
    assert problems_of(shop, buyer) != []
    Desk(shop, buyer, done.order.id).do("cancel", reason="other")
    assert problems_of(shop, buyer) == []


def test_two_at_once_cannot_both_be_the_last_that_is_allowed(shop: Shop) -> None:
    rule(shop, limits=[{"code": "few", "skus": ["A", "B"], "per_customer": 1}])
    shop.add("A")
    shop.add("B")
    buyers = [shop.shopper(), shop.shopper()]
    consents = [shop.approved(buyer, sku) for buyer, sku in zip(buyers, ("A", "B"), strict=True)]
    meet, first = Barrier(2), iter((True, True))
    faults.set_hook(lambda point: meet.wait(60) if point == "before_t1_commit" and next(first, False) else None)
    with ThreadPoolExecutor(2) as pool:
        done = list(pool.map(lambda one: complete(shop.runtime, *one), zip(buyers, consents, strict=True)))
    assert sorted(one.result for one in done) == [Result.CHANGED, Result.PAID]
    lost = next(one for one in done if one.result == Result.CHANGED)
    assert lost.message.startswith("One customer may buy 1 of Thing ")
    with shop.uow() as session:
        assert session.scalar(select(func.count()).select_from(Order)) == 1
        assert session.scalar(select(func.sum(StockLevel.reserved))) == 1


def swapped(shop: Shop, desk: Desk, to: str, quantity: int = 1) -> Any:
    ids = {"variant_id": shop.variants["A"], "to_variant_id": shop.variants[to], "quantity": quantity}
    return desk.do("items", swaps=[ids])


@pytest.mark.parametrize("per", ["per_order", "per_customer"])
def test_a_swap_gets_nobody_more_than_allowed(shop: Shop, per: str) -> None:
    rule(shop, limits=[{"code": "few", "skus": ["A2"], per: 2}])
    shop.add("A")
    sibling(shop, "A", "A2", price=1000)
    buyer = shop.shopper()
    desk = Desk(shop, buyer, buy(shop, buyer, "A", 3).order.id)
    before = desk.rows()
    with pytest.raises(OverQuota) as refused:
        swapped(shop, desk, "A2", 3)
    first = "One order may hold 2 of Thing A; this one has 3." if per == "per_order" else \
        "One customer may buy 2 of Thing A in 30 days, not more."  # fmt: skip
    assert (refused.value.message, desk.rows()) == (first, before)
    assert swapped(shop, desk, "A2", 2).status == "applied"
    assert broken(shop) == []
    if per == "per_customer":
        other = Desk(shop, buyer, buy(shop, buyer, "A").order.id)
        with pytest.raises(OverQuota):
            swapped(shop, other, "A2")
        with clock.shifted(timedelta(days=31)):
            assert swapped(shop, other, "A2").status == "applied"


def test_a_swap_within_what_a_limit_names_is_no_more_of_it(shop: Shop) -> None:
    shop.add("A", category="rare")
    sibling(shop, "A", "A2", price=1000)
    buyer = shop.shopper()
    desk = Desk(shop, buyer, buy(shop, buyer, "A", 3).order.id)
    rule(shop, limits=[{"code": "few", "categories": ["rare"], "per_order": 1, "per_customer": 1}])
    assert swapped(shop, desk, "A2", 3).status == "applied"
    assert broken(shop) == []


def test_an_exchange_gets_nobody_more_than_allowed(shop: Shop) -> None:
    rule(shop, limits=[{"code": "few", "skus": ["A2"], "per_customer": 1}])
    shop.add("A")
    sibling(shop, "A", "A2", price=1000)
    buyer = shop.shopper()
    desk = Desk(shop, buyer, buy(shop, buyer, "A", 2).order.id)
    deliver(desk)

    def exchanged(quantity: int) -> Any:
        return send_back(desk, {"sku": "A", "quantity": quantity, "exchange_variant_id": shop.variants["A2"]})

    with pytest.raises(OverQuota, match="not more"):
        exchanged(2)
    assert exchanged(1).status == "applied"
    receive(desk, the_return(desk))
    with pytest.raises(OverQuota, match="not more"):
        exchanged(1)
    shop.fill(buyer, "A2")
    assert problems_of(shop, buyer) == ["One customer may buy 1 of Thing A in 30 days, not more."]
    assert broken(shop) == []


def test_what_was_exchanged_within_a_limit_counts_once(shop: Shop) -> None:
    rule(shop, limits=[{"code": "few", "per_customer": 2}])
    shop.add("A")
    sibling(shop, "A", "A2", price=1000)
    buyer = shop.shopper()
    desk = Desk(shop, buyer, buy(shop, buyer, "A").order.id)
    deliver(desk)
    send_back(desk, {"sku": "A", "quantity": 1, "exchange_variant_id": shop.variants["A2"]})
    receive(desk, the_return(desk))
    shop.fill(buyer, "A")
    assert problems_of(shop, buyer) == []
    assert buy(shop, buyer, "A", 0).result == Result.PAID
    shop.fill(buyer, "A")
    assert problems_of(shop, buyer) == ["One customer may buy 2 of Thing A in 30 days, not more."]


def test_a_limit_says_what_it_limits_and_has_a_code_of_its_own() -> None:
    with pytest.raises(ValidationError, match="per_order, per_customer or both"):
        Limit(code="few")
    with pytest.raises(ValidationError, match="two limits have one code"):
        CompliancePolicy(limits=(Limit(code="few", per_order=1), Limit(code="few", per_order=2)))


def test_a_rule_holds_from_its_first_to_its_last_day() -> None:
    own = Rule(
        code="no_fans",
        tag="fan",
        effect="refuse",
        reason="waits",
        valid_from=date(2026, 3, 1),
        valid_to=date(2026, 3, 9),
    )
    policy = CompliancePolicy(rules=(own,))
    on = lambda day: "no_fans" in [rule.code for rule in policy.in_force(date(2026, 3, day))]  # noqa: E731
    assert [day for day in (1, 5, 9, 10, 31) if on(day)] == [1, 5, 9]
    assert "no_fans" not in [rule.code for rule in policy.in_force(date(2026, 2, 28))]
    with pytest.raises(ValidationError, match="cannot end before it starts"):
        Rule(code="xx", tag="fan", effect="refuse", reason="waits", valid_from="2026-03-02", valid_to="2026-03-01")


def test_a_usual_rule_holds_until_and_after_the_one_in_its_place() -> None:
    today = clock.now().date()
    own = {"code": "blade_by_post", "tag": "blade", "effect": "refuse", "regions": ("GB-LND",), "reason": "not there"}

    def codes(**when: date) -> list[str]:
        policy = CompliancePolicy(rules=(Rule(**own, **when),))
        return [one.code for one in findings([Item("It", ["blade"])], Place("US", "GB"), policy)]

    assert codes(valid_from=today) == []
    assert codes(valid_from=today + timedelta(days=1)) == ["blade_by_post"]
    assert codes(valid_to=today - timedelta(days=1)) == ["blade_by_post"]


def test_the_catalog_bars_what_the_shops_own_rules_bar() -> None:
    own = CompliancePolicy(
        off=("blade_by_post",),
        rules=(Rule(code="no_glass", tag="glass", effect="refuse", countries=("GB",), reason="breaks"),),
    )
    usual = barred_restrictions(home="US", country="GB")
    assert usual == ["lithium_battery", "flammable", "domestic_only", "blade"]
    assert barred_restrictions(home="US", country="GB", rules=own) == [*usual[:3], "glass"]
