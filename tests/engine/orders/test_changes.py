"""Changing an order: quoted to the cent, applied once, and every unit and cent where it belongs afterwards."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select, update

from engine.catalog.models import Variant
from engine.checkout.models import Consent
from engine.customers.errors import AddressIncomplete
from engine.customers.policy import AddressesPolicy
from engine.kit import clock
from engine.kit.errors import DomainError, Forbidden, NotFound
from engine.orders import service
from engine.orders.changes import apply
from engine.orders.changes.wanted import read
from engine.orders.errors import (
    AlreadyChanged,
    ChangeEnded,
    ChangeOutdated,
    ChangeRefused,
    ConsentNeeded,
    CountMismatch,
    InvalidReason,
    ItemUnavailable,
    MethodNotOwned,
    NotDeliverable,
    NothingToChange,
    OverStaffLimit,
    SameItem,
    SameMethod,
    WindowClosed,
    WrongProduct,
    WrongStatus,
)
from engine.orders.models import Order, OrderChange, OrderLine
from engine.payments.models import Refund
from engine.payments.policy import PaymentsPolicy
from tests.engine.orders.desk import Desk, broken, buy, changes, held, limit, rule, sibling, stock
from tests.shop import ADDRESS, Shop

ELSEWHERE = ADDRESS | {"line_one": "1 Ocean Ave", "city": "Salem", "state": "OR", "postal_code": "97301"}


@pytest.fixture
def desk(shop: Shop) -> Desk:
    """Three of A (50.00) and one of B (20.00), shipped for 5.95 with 10 % tax: 170.00 + 5.95 + 17.60 = 193.55."""
    shop.add("A", price=5000)
    shop.add("B", price=2000)
    sibling(shop, "A", "A2", price=6000)
    sibling(shop, "A", "A3", price=4000)
    found = buy(shop, "A", 3, "B")
    assert found.look().total.amount == 19355
    return found


def test_a_canceled_order_gives_everything_back(desk: Desk) -> None:
    change = desk.ask("cancel", reason="ordered_by_mistake")
    assert (change.difference.amount, change.refund.amount, change.charge.amount) == (-19355, 19355, 0)
    assert change.balance_after.amount == 0
    assert change.totals[-1].amount == 0
    done = desk.agree(change)
    assert (done.status, done.message) == ("applied", "Canceled.")
    order = desk.look()
    assert (order.status, order.payment_status, order.fulfillment_status) == ("canceled", "refunded", "canceled")
    assert (order.cancel_reason, order.due, order.balance) == ("ordered_by_mistake", _usd(0), _usd(0))
    assert order.total == _usd(19355)
    assert stock(desk.shop, "A") == (10, 0)
    assert held(desk.shop) == 0
    assert desk.balances() == {}
    assert broken(desk.shop) == []
    assert desk.agree(change).status == "applied"
    assert held(desk.shop) == 0


def test_units_canceled_one_by_one_add_up_to_the_whole(shop: Shop) -> None:
    shop.add("A", price=3333)
    shop.add("B", price=1000)
    desk = buy(shop, "A", 3, "B")
    paid = desk.look().total.amount
    assert paid == 9999 + 1000 + 595 + 1000 + 100 + 60
    line = desk.line("A")
    given = [
        desk.do("cancel", reason="other", lines=[{"line_id": line.id, "quantity": 1}]).refund.amount for _ in range(3)
    ]
    assert given == [3667, 3666, 3666]
    order = desk.look()
    assert (order.status, order.payment_status) == ("open", "partially_refunded")
    assert order.due == _usd(paid - sum(given))
    rest = desk.do("cancel", reason="other")
    assert rest.refund.amount == paid - sum(given) == 1000 + 100 + 595 + 60
    assert held(shop) == 0
    assert broken(shop) == []


def test_a_cheaper_swap_refunds_the_difference(desk: Desk) -> None:
    change = desk.do("items", swaps=[_swap(desk, "A", "A3", 2)])
    assert (change.status, change.difference.amount, change.refund.amount) == ("applied", -2200, 2200)
    order = desk.look()
    assert [(x.sku, x.ordered, x.canceled, x.allocated) for x in order.lines] == [
        ("B", 1, 0, 1), ("A", 3, 2, 1), ("A3", 2, 0, 2),
    ]  # fmt: skip
    assert order.lines[2].replaces_line_id == order.lines[1].id
    assert order.due == _usd(19355 - 2200)
    assert (stock(desk.shop, "A"), stock(desk.shop, "A3")) == ((10, 1), (10, 2))
    assert held(desk.shop) == 19355 - 2200
    assert desk.balances() == {
        "psp_clearing": 17155, "customer_deposits": -15595, "tax_payable": -1560,
    }  # fmt: skip
    assert broken(desk.shop) == []


def test_a_dearer_swap_charges_the_difference(desk: Desk) -> None:
    change = desk.ask("items", swaps=[_swap(desk, "A", "A2", 3)], payment_method_ref="test_visa")
    assert (change.charge.amount, change.refund.amount) == (3300, 0)
    assert change.payment_method is not None
    assert change.payment_method.label == "Test Visa •••• 4242"
    done = desk.agree(change)
    assert done.status == "applied"
    order = desk.look()
    assert (order.status, order.payment_status, order.balance) == ("open", "paid", _usd(0))
    assert (stock(desk.shop, "A"), stock(desk.shop, "A2")) == ((10, 0), (10, 3))
    assert held(desk.shop) == 19355 + 3300
    assert desk.balances() == {"psp_clearing": 22655, "customer_deposits": -20595, "tax_payable": -2060}
    assert broken(desk.shop) == []
    assert desk.agree(change).status == "applied"
    assert held(desk.shop) == 19355 + 3300


def test_many_lines_swap_in_one_or_not_at_all(desk: Desk) -> None:
    before = desk.rows()
    with pytest.raises(WrongProduct):
        desk.ask("items", swaps=[_swap(desk, "A", "A2", 1), _swap(desk, "B", "A2", 1)])
    with pytest.raises(CountMismatch):
        desk.ask("items", swaps=[_swap(desk, "A", "A2", 2), _swap(desk, "A", "A3", 2)])
    with pytest.raises(SameItem):
        desk.ask("items", swaps=[_swap(desk, "A", "A", 1)])
    assert desk.rows() == before
    done = desk.do("items", swaps=[_swap(desk, "A", "A2", 1), _swap(desk, "A", "A3", 1), _swap(desk, "A", "A3", 1)])
    assert done.difference.amount == 1100 - 2200
    assert [(x.sku, x.ordered) for x in desk.look().lines][2:] == [("A2", 1), ("A3", 2)]
    assert broken(desk.shop) == []


def test_an_even_swap_moves_no_money(desk: Desk) -> None:
    sibling(desk.shop, "A", "A4", price=5000)
    done = desk.do("items", swaps=[_swap(desk, "A", "A4", 1)])
    assert (done.difference.amount, done.charge.amount, done.refund.amount) == (0, 0, 0)
    assert held(desk.shop) == 19355
    assert broken(desk.shop) == []


def test_another_address_is_taxed_and_shipped_anew(desk: Desk) -> None:
    done = desk.do("address", ship_to=ELSEWHERE)
    assert (done.difference.amount, done.refund.amount) == (-1760, 1760)
    order = desk.look()
    assert order.ship_to is not None
    assert order.ship_to.city == "Salem"
    assert [line.tax for line in order.lines] == [0, 0]
    back = desk.do("address", ship_to=ADDRESS)
    assert (back.difference.amount, back.charge.amount) == (1760, 1760)
    assert desk.balances() == {"psp_clearing": 19355, "customer_deposits": -17595, "tax_payable": -1760}
    assert broken(desk.shop) == []
    with pytest.raises(NothingToChange):
        desk.ask("address", ship_to=ADDRESS)
    with pytest.raises(NotDeliverable):
        desk.ask("address", ship_to=ADDRESS | {"country": "FR", "state": "", "postal_code": "75001"})


def test_words_that_are_no_place_are_refused_unless_the_shop_takes_them_as_given(desk: Desk) -> None:
    unknown = ELSEWHERE | {"city": "", "state": "Atlantis", "postal_code": "m5v", "country": "usa"}
    before = desk.rows()
    for part in ({"state": "Atlantis"}, {"postal_code": "m5v"}, {"city": " "}):
        with pytest.raises(AddressIncomplete):
            desk.ask("address", ship_to=ELSEWHERE | part)
    limit(desk, AddressesPolicy, check="as_given")
    with pytest.raises(AddressIncomplete):
        desk.ask("address", ship_to=unknown | {"country": "Atlantis"})
    assert desk.rows() == before
    desk.do("address", ship_to=unknown)
    with desk.shop.uow() as session:
        kept = session.get_one(Order, (desk.shop.tenant.id, desk.order_id)).ship_to
    assert kept == unknown | {"country": "US", "line_two": ""}
    desk.do("address", ship_to=unknown | {"state": "oregon", "country": ""})
    assert desk.look().ship_to.state == "OR"
    assert broken(desk.shop) == []


def test_another_card_pays_the_whole_and_the_first_gets_it_back(desk: Desk) -> None:
    with pytest.raises(SameMethod):
        desk.ask("payment_method", payment_method_ref="test_visa")
    with pytest.raises(MethodNotOwned):
        desk.ask("payment_method", payment_method_ref="pm_somebody_elses")
    rule(desk.shop, payment_change_requires_other_method=False)
    done = desk.do("payment_method", payment_method_ref="test_visa")
    assert (done.status, done.charge.amount, done.refund.amount) == ("applied", 19355, 19355)
    order = desk.look()
    assert (order.payment_status, order.balance) == ("paid", _usd(0))
    assert held(desk.shop) == 19355
    assert desk.balances() == {"psp_clearing": 19355, "customer_deposits": -17595, "tax_payable": -1760}
    assert broken(desk.shop) == []
    with pytest.raises(WrongStatus, match="one payment"):
        desk.ask("payment_method", payment_method_ref="test_visa")


@pytest.mark.parametrize(
    ("policy", "asked", "refusal"),
    [
        ({}, {"reason": "bored"}, InvalidReason),
        ({"cancel_window_minutes": 0}, {"reason": "other"}, WindowClosed),
        ({"allowed_changes": ["address"]}, {"reason": "other"}, ChangeRefused),
        ({"refund_to": ["original"]}, {"reason": "other", "refund_to": "store_credit"}, ChangeRefused),
    ],
)
def test_policy_refuses_and_nothing_changes(
    desk: Desk, policy: dict[str, Any], asked: dict[str, Any], refusal: type[DomainError]
) -> None:
    rule(desk.shop, **policy)
    before = desk.rows()
    with pytest.raises(refusal):
        desk.ask("cancel", **asked)
    assert desk.rows() == before
    assert changes(desk.shop) == []


def test_a_shop_that_cancels_whole_orders_only(desk: Desk) -> None:
    rule(desk.shop, cancel_in_part=False)
    with pytest.raises(ChangeRefused, match="as a whole"):
        desk.ask("cancel", reason="other", lines=[{"line_id": desk.line("A").id, "quantity": 1}])
    assert desk.do("cancel", reason="other").status == "applied"


def test_items_once_and_then_neither_cancel_nor_items(desk: Desk) -> None:
    rule(desk.shop, items_changes_per_order=1, allow_after_item_change=["address", "payment_method"])
    desk.do("items", swaps=[_swap(desk, "A", "A3", 1)])
    before = desk.rows()
    for kind, asked in (("cancel", {"reason": "other"}), ("items", {"swaps": [_swap(desk, "A", "A2", 1)]})):
        with pytest.raises(AlreadyChanged):
            desk.ask(kind, **asked)
    assert desk.rows() == before
    assert desk.do("address", ship_to=ELSEWHERE).status == "applied"


def test_what_is_sold_out_or_not_sold_cannot_be_swapped_in(desk: Desk) -> None:
    sibling(desk.shop, "A", "GONE", price=5000, units=1)
    with pytest.raises(ItemUnavailable):
        desk.ask("items", swaps=[_swap(desk, "A", "GONE", 2)])
    with desk.shop.uow() as session:
        session.execute(update(Variant).where(Variant.sku == "GONE").values(sellable=False))
    with pytest.raises(ItemUnavailable):
        desk.ask("items", swaps=[_swap(desk, "A", "GONE", 1)])


def test_a_quote_of_an_older_order_is_refused_with_a_fresh_one(desk: Desk) -> None:
    stale = desk.ask("cancel", reason="other")
    desk.do("cancel", reason="other", lines=[{"line_id": desk.line("A").id, "quantity": 1}])
    before = desk.rows()
    with pytest.raises(ChangeOutdated) as outdated:
        desk.agree(stale)
    fresh = outdated.value.fresh
    assert fresh is not None
    assert (fresh.refund.amount, fresh.status) == (19355 - 5500, "quoted")
    assert desk.rows() == before
    with pytest.raises(ChangeEnded):
        desk.agree(stale)
    assert desk.agree(fresh).status == "applied"
    assert changes(desk.shop) == ["superseded", "applied", "applied"]
    assert broken(desk.shop) == []


def test_a_price_that_moved_is_refused_with_a_fresh_quote(desk: Desk) -> None:
    stale = desk.ask("items", swaps=[_swap(desk, "A", "A2", 1)])
    with desk.shop.uow() as session:
        session.execute(update(Variant).where(Variant.sku == "A2").values(price=7000))
    with pytest.raises(ChangeOutdated) as outdated:
        desk.agree(stale)
    assert outdated.value.fresh is not None
    assert outdated.value.fresh.charge.amount == 2200
    assert held(desk.shop) == 19355


def test_a_quote_runs_out(desk: Desk) -> None:
    change = desk.ask("cancel", reason="other")
    with clock.shifted(timedelta(minutes=11)), pytest.raises(ChangeEnded):
        desk.agree(change)
    assert desk.look().status == "open"


def test_a_no_changes_nothing(desk: Desk) -> None:
    change = desk.ask("cancel", reason="other")
    before = desk.rows()
    assert desk.agree(change, approved=False).status == "refused"
    with pytest.raises(ChangeEnded):
        desk.agree(change)
    assert desk.rows() == before


def test_only_the_shopper_agrees(desk: Desk) -> None:
    change = desk.ask("cancel", reason="other")
    stranger = desk.shop.shopper()
    for who, refusal in ((desk.staff, Forbidden), (stranger, NotFound)):
        with pytest.raises(refusal):
            apply.confirm(desk.shop.runtime, who, desk.order_id, change.id, approved=True, channel="test")
    with pytest.raises(ConsentNeeded):
        apply.apply_as_staff(desk.shop.runtime, desk.staff, desk.order_id, change.id)
    with pytest.raises(NotFound):
        desk.ask("cancel", by=stranger, reason="other")
    assert desk.look().status == "open"
    assert changes(desk.shop) == ["quoted"]


def test_staff_answer_for_refunds_within_their_limit_and_never_charge(desk: Desk) -> None:
    line = desk.line("B")
    small = desk.ask("cancel", by=desk.staff, reason="other", lines=[{"line_id": line.id, "quantity": 1}])
    assert small.consent_id is None
    with pytest.raises(Forbidden):
        apply.apply_as_staff(desk.shop.runtime, desk.buyer, desk.order_id, small.id)
    assert apply.apply_as_staff(desk.shop.runtime, desk.staff, desk.order_id, small.id).status == "applied"
    rule(desk.shop, staff_refund_limit=1000)
    large = desk.ask("cancel", by=desk.staff, reason="other")
    dearer = desk.ask("items", by=desk.staff, swaps=[_swap(desk, "A", "A2", 1)])
    for change in (large, dearer):
        assert change.consent_id is not None
        with pytest.raises(ConsentNeeded):
            apply.apply_as_staff(desk.shop.runtime, desk.staff, desk.order_id, change.id)
    with desk.shop.uow() as session:
        owners = set(session.scalars(select(Consent.owner_id).where(Consent.kind == "order_change")))
    assert owners == {desk.buyer.id}
    with pytest.raises(ConsentNeeded):
        apply.apply_as_staff(desk.shop.runtime, desk.staff, desk.order_id, dearer.id, approved="word_1")
    assert desk.agree(dearer).status == "applied"
    assert broken(desk.shop) == []


def test_an_approval_lets_staff_answer_for_more_than_their_limit(desk: Desk) -> None:
    rule(desk.shop, staff_refund_limit=1000)
    limit(desk, PaymentsPolicy, refund_limit_per_order=1000)
    asked = read({"kind": "cancel", "reason": "other"})
    before = desk.rows()
    with pytest.raises(OverStaffLimit) as refused:
        apply.change_as_staff(desk.shop.runtime, desk.staff, desk.order_id, asked)
    assert desk.rows() == before
    error = refused.value
    assert (error.rule, error.limit, error.amount) == ("staff_refund_limit", 1000, 19355)
    shown = desk.ask("cancel", by=desk.staff, reason="other")
    done = apply.apply_as_staff(desk.shop.runtime, desk.staff, desk.order_id, shown.id, approved="word_1")
    assert (done.status, held(desk.shop)) == ("applied", 0)
    with desk.shop.uow() as session:
        assert set(session.scalars(select(Consent.status).where(Consent.kind == "order_change"))) == {"superseded"}
        assert set(session.scalars(select(Refund.approved))) == {"word_1"}
        change = session.scalars(select(OrderChange)).one()
        assert (change.approved_by, change.approval_id, change.consent_id) == (desk.staff.id, "word_1", None)
    made_up = "what moved on an approval rests on one that was given, and is no more than that"
    assert [result.name for result in broken(desk.shop)] == [made_up]


def test_nobody_approves_in_place_of_a_shopper_who_was_asked_by_themselves(desk: Desk) -> None:
    own = desk.ask("cancel", reason="other")
    with pytest.raises(ConsentNeeded):
        apply.apply_as_staff(desk.shop.runtime, desk.staff, desk.order_id, own.id, approved="word_1")
    assert desk.look().status == "open"


def test_a_limit_that_was_lowered_holds_for_what_was_quoted_before(desk: Desk) -> None:
    shown = desk.ask("cancel", by=desk.staff, reason="other")
    rule(desk.shop, staff_refund_limit=1000)
    with pytest.raises(OverStaffLimit):
        apply.apply_as_staff(desk.shop.runtime, desk.staff, desk.order_id, shown.id)
    done = apply.change_as_staff(
        desk.shop.runtime, desk.staff, desk.order_id, read({"kind": "cancel", "reason": "other"}), approved="word_1"
    )
    assert done.status == "applied"


def test_a_declined_charge_changes_nothing(desk: Desk) -> None:
    change = desk.ask("items", swaps=[_swap(desk, "A", "A2", 1)])
    with desk.shop.uow() as session:
        card = session.scalars(select(Consent).where(Consent.id == change.consent_id)).one()
        from engine.kit.envelope import seal

        key = desk.shop.runtime.secret_key
        card.token_sealed = seal(key, desk.shop.tenant.id, f"consent|{card.id}", "vt_of_nobody")
    failed = desk.agree(change)
    assert (failed.status, "Nothing was changed." in failed.message) == ("failed", True)
    order = desk.look()
    assert (order.status, order.payment_status, order.hold_reason) == ("open", "paid", None)
    assert (stock(desk.shop, "A"), stock(desk.shop, "A2")) == ((10, 3), (10, 0))
    assert held(desk.shop) == 19355
    assert broken(desk.shop) == []


def test_what_has_been_shipped_is_returned_not_canceled(desk: Desk) -> None:
    _ship(desk, "A", 3)
    with pytest.raises(CountMismatch):
        desk.ask("items", swaps=[_swap(desk, "A", "A2", 1)])
    with pytest.raises(WrongStatus, match="sent back"):
        desk.ask("address", ship_to=ELSEWHERE)
    done = desk.ask("cancel", reason="other")
    assert done.refund.amount == 2200
    rule(desk.shop, cancel_after_shipping_began=False)
    with pytest.raises(WrongStatus):
        desk.ask("cancel", reason="other")


def test_an_order_on_hold_waits_and_goes_on(desk: Desk) -> None:
    with desk.shop.uow() as session:
        service.hold(session, service.lock(session, desk.shop.tenant.id, desk.order_id), reason="look", actor="key_x")
    assert (desk.look().status, desk.look().hold_reason) == ("on_hold", "look")
    assert desk.do("items", swaps=[_swap(desk, "A", "A2", 1)]).status == "applied"
    assert (desk.look().status, desk.look().hold_reason) == ("on_hold", "look")
    with desk.shop.uow() as session:
        service.resume(session, service.lock(session, desk.shop.tenant.id, desk.order_id), actor="key_x")
    assert desk.look().status == "open"
    assert broken(desk.shop) == []


def _swap(desk: Desk, old: str, new: str, quantity: int) -> dict[str, Any]:
    variants = desk.shop.variants
    return {"variant_id": variants[old], "to_variant_id": variants[new], "quantity": quantity}


def _ship(desk: Desk, sku: str, quantity: int) -> None:
    with desk.shop.uow() as session:
        values = {"released": quantity, "shipped": quantity}
        session.execute(update(OrderLine).where(OrderLine.sku == sku).values(values))


def _usd(amount: int) -> Any:
    from engine.kit.views import Price

    return Price(amount=amount, currency="USD")


def test_tax_that_moves_against_the_total_is_booked_by_itself(shop: Shop) -> None:
    from engine.kit.ids import new_id
    from engine.shipping.models import ShippingZone
    from tests.shop import RATES

    dear = [RATES[0] | {"price": 3000}]
    with shop.uow() as session:
        session.add(
            ShippingZone(
                tenant_id=shop.tenant.id, id=new_id("zone"), name="OR", countries=["US"], regions=["OR"], rates=dear,
                position=1,
            )
        )  # fmt: skip
    shop.add("A", price=5000)
    desk = buy(shop, "A", 2)
    assert desk.do("address", ship_to=ELSEWHERE).difference.amount == 3000 - 595 - 1060
    back = desk.do("address", ship_to=ADDRESS)
    assert (back.difference.amount, back.refund.amount) == (595 + 1060 - 3000, 1345)
    assert desk.balances() == {"psp_clearing": 11655, "customer_deposits": -10595, "tax_payable": -1060}
    assert broken(shop) == []
