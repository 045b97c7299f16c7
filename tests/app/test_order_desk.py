"""What staff do to orders over HTTP: a card first, then one yes; above a limit somebody else; nobody twice."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import timedelta
from threading import Barrier, BrokenBarrierError
from typing import Any

import pytest
from sqlalchemy import event, func, select

from engine.approvals import replacing
from engine.approvals.models import Approval
from engine.approvals.replacing import given
from engine.conversations import service as conversations
from engine.fulfillment import exceptions, work
from engine.jobs import tell_conversations
from engine.kit import clock
from engine.kit.audit import AuditRow
from engine.kit.errors import Unavailable
from engine.kit.tenancy import Tenant
from engine.mail.consumer import write_letters
from engine.mail.models import Mail
from engine.orders.models import Order, OrderLine, Shipment, ShipmentStatus
from engine.panel import doing
from engine.payments.models import Alert, Refund
from engine.policies import set_policy
from engine.support import cases
from tests.app.conftest import Browser, counted
from tests.engine.orders.desk import Desk, broken, buy, stock
from tests.engine.returns.coming import deliver, parcels
from tests.shop import ADDRESS, Shop


@dataclass
class Office:
    """An order of 110.00 for two tents and 5.95 of shipping, and people of the shop with keys of their own."""

    desk: Desk
    thread_id: str
    http: Browser
    keys: dict[str, str]

    @property
    def shop(self) -> Shop:
        return self.desk.shop

    def get(self, path: str, *, by: str = "ann") -> Any:
        return self.http.get(f"/v1/staff{path}", Authorization=self.keys[by])

    def post(self, path: str, body: Any = None, *, by: str = "ann", key: str | None = None) -> Any:
        return self.http.post(f"/v1/staff{path}", body, key=key, Authorization=self.keys[by])

    def card(self, *, by: str = "ann", **asked: Any) -> Any:
        shown = self.post(f"/orders/{self.desk.order_id}/cards", asked, by=by)
        assert shown.status_code == 200, shown.text
        return shown.json()

    def yes(self, card: Any, *, by: str = "ann", key: str | None = None, **asked: Any) -> Any:
        body = {"asked": asked, "card_id": card["id"], "seen": card["seen"], "thread_id": self.thread_id}
        return self.post(f"/orders/{self.desk.order_id}/acts", body, by=by, key=key)

    def do(self, *, by: str = "ann", **asked: Any) -> Any:
        return self.yes(self.card(by=by, **asked), by=by, **asked)

    def action(self, name: str) -> Any:
        items = self.get(f"/orders/{self.desk.order_id}/actions").json()["items"]
        return next(one for one in items if one["action"] == name)

    def rule(self, section: str = "approvals", **values: Any) -> None:
        with self.shop.uow() as session:
            set_policy(session, self.shop.tenant.id, section, values, actor="test")

    def refunds(self) -> list[tuple[int, str, str]]:
        with self.shop.uow() as session:
            rows = session.execute(select(Refund.amount, Refund.status, Refund.reason).order_by(Refund.id))
            return [(amount, str(status), reason) for amount, status, reason in rows]

    def hears(self) -> list[str]:
        tell_conversations(self.shop.runtime, self.shop.tenant.id)
        with self.shop.uow() as session:
            shown = conversations.snapshot(session, self.desk.buyer, self.thread_id)
        return [one.content for one in shown.messages if one.role == "assistant"]


LIVE_RUN = timedelta(seconds=6)
"""The conversation tells of a sale first."""
REFUND = {"action": "refund", "how": "amount", "amount": 3000, "because": "damaged"}


@pytest.fixture
def office(shop: Shop, open_browser: Callable[[], Browser], make_key: Callable[..., str], tenant: Tenant) -> Office:
    shop.add("TENT", price=5000)
    desk = buy(shop, "TENT", 2)
    with shop.uow() as session:
        thread = conversations.create_thread(session, desk.buyer)
        session.get_one(Order, (tenant.id, desk.order_id)).thread_id = thread.id
    keys = {name: make_key(tenant, "staff", person=name) for name in ("ann", "bob", "eve")}
    return Office(desk, thread.id, open_browser(), keys)


def test_a_refund_is_a_card_first_and_then_done_once(office: Office) -> None:
    card = office.card(**REFUND)
    assert (card["title"], card["amount"]["amount"], card["decides"]) == ("Refund $30.00", 3000, "you")
    assert card["method"] == "Test Visa •••• 4242"
    assert card["reason"] == "It arrived damaged"
    assert office.refunds() == []
    before = office.desk.rows()

    done = office.yes(card, **REFUND)

    assert (done.status_code, done.json()["status"]) == (200, "done")
    assert office.refunds() == [(3000, "succeeded", "It arrived damaged")]
    assert office.desk.rows() != before
    again = office.yes(card, **REFUND)
    assert (again.status_code, again.json()["code"]) == (409, "card_used")
    assert office.refunds() == [(3000, "succeeded", "It arrived damaged")]
    assert broken(office.shop) == []


def test_a_card_writes_nothing(office: Office) -> None:
    before, rows = office.desk.rows(), counted(office.shop, AuditRow)
    for asked in (
        REFUND,
        {"action": "credit", "amount": 500, "because": "late"},
        {"action": "code", "percent_off": 10},
        {"action": "change", "wanted": {"kind": "cancel", "reason": "other"}},
    ):
        office.card(**asked)
    assert office.desk.rows() == before
    assert counted(office.shop, AuditRow) == rows
    assert office.hears() == []


def test_double_clicks_make_one_refund(office: Office) -> None:
    card = office.card(**REFUND)
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda _: office.yes(card, **REFUND).status_code, range(4)))
    assert sorted(answers) == [200, 409, 409, 409]
    assert office.refunds() == [(3000, "succeeded", "It arrived damaged")]
    same = [office.yes(card, key="one", **REFUND) for _ in range(2)]
    assert [one.status_code for one in same] == [409, 409]


def test_the_same_key_gets_the_same_answer(office: Office) -> None:
    card = office.card(**REFUND)
    first, second = (office.yes(card, key=card["id"], **REFUND) for _ in range(2))
    assert (first.status_code, second.status_code) == (200, 200)
    assert second.headers["Idempotent-Replayed"] == "true"
    assert len(office.refunds()) == 1


def test_a_card_that_is_no_longer_true_does_nothing(office: Office) -> None:
    old, more = office.card(**REFUND), office.card(**REFUND | {"amount": 4000})
    assert office.yes(more, **REFUND | {"amount": 4000}).status_code == 200
    late = office.yes(old, **REFUND)
    assert (late.status_code, late.json()["code"]) == (409, "card_outdated")
    other = office.yes(office.card(**REFUND), **REFUND | {"amount": 1})
    assert (other.status_code, other.json()["code"]) == (409, "card_outdated")
    assert len(office.refunds()) == 1


def test_all_and_some_lines(office: Office) -> None:
    line = office.desk.line("TENT").id
    some = {"action": "refund", "how": "lines", "because": "late", "lines": [{"line_id": line, "quantity": 1}]}
    assert office.card(**some)["amount"]["amount"] == 5500
    full = {"action": "refund", "how": "full", "because": "other", "words": "We are sorry"}
    assert office.card(**full)["amount"]["amount"] == office.desk.look().total.amount
    office.rule(refund_limit=None)
    assert office.do(**full).status_code == 200
    assert office.desk.look().payment_status == "refunded"
    nothing = office.action("refund")
    assert (nothing["allowed"], nothing["why_not"]) == (False, "Nothing is left that could be given back.")
    refused = office.post(f"/orders/{office.desk.order_id}/cards", full)
    assert (refused.status_code, refused.json()["code"]) == (409, "refund_exceeds_capture")
    assert broken(office.shop) == []


def test_what_cannot_be_is_refused_in_words(office: Office) -> None:
    line = office.desk.line("TENT").id
    for asked in (
        REFUND | {"because": "because"},
        REFUND | {"because": "other"},
        REFUND | {"how": "full"},
        REFUND | {"amount": 0},
        {"action": "refund", "how": "lines", "because": "late", "lines": [{"line_id": line, "quantity": 3}]},
        {"action": "refund", "how": "lines", "because": "late", "lines": [{"line_id": "oli_x", "quantity": 1}]},
        {"action": "code"},
        {"action": "steal"},
    ):
        answer = office.post(f"/orders/{office.desk.order_id}/cards", asked)
        assert answer.status_code == 400, asked
    assert office.refunds() == []


def test_above_the_limit_another_person_decides_and_the_shopper_hears(office: Office) -> None:
    office.rule(refund_limit=2000)
    card = office.card(**REFUND)
    assert (card["decides"], card["limit"]["amount"]) == ("approver", 2000)
    asked = office.yes(card, note="Second complaint", **REFUND)
    assert asked.status_code == 409
    asked = office.yes(card, **REFUND)
    assert (asked.status_code, asked.json()["status"]) == (202, "pending_approval")
    assert office.refunds() == []
    approval_id = asked.json()["approval"]["id"]

    def seen(by: str) -> Any:
        (item,) = office.get("/approvals", by=by).json()["items"]
        return item

    mine, hers = seen("ann"), seen("bob")
    assert (mine["may_decide"], mine["why_not"]) == (False, "Somebody else must decide what you asked for.")
    assert hers["may_decide"]
    assert (hers["title"], hers["asked_by"], hers["order_number"]) == ("Refund", "ann", office.desk.look().number)
    assert (hers["limit"]["amount"], hers["approval"]["amount"]["amount"]) == (2000, 3000)
    own = office.post(f"/approvals/{approval_id}/approve", {"note": ""})
    assert (own.status_code, own.json()["code"]) == (403, "own_request")

    assert office.post(f"/approvals/{approval_id}/approve", {"note": "Fine"}, by="bob").status_code == 200

    assert office.refunds() == [(3000, "succeeded", "It arrived damaged")]
    assert office.get("/approvals", by="bob").json()["waiting"] == 0
    (decided,) = office.get("/approvals?state=decided", by="bob").json()["items"]
    assert (decided["decided_by"], decided["may_decide"], decided["why_not"]) == ("bob", False, "It is decided.")
    assert any(one.startswith("Good news: the refund of $30.00 is approved.") for one in office.hears())
    assert broken(office.shop) == []


def test_a_denied_refund_moves_nothing_and_is_told(office: Office) -> None:
    office.rule(refund_limit=2000)
    approval_id = office.do(**REFUND).json()["approval"]["id"]
    assert office.post(f"/approvals/{approval_id}/decline", {"note": "No photo"}, by="bob").status_code == 200
    assert office.refunds() == []
    heard = office.hears()
    assert any("was not approved" in one for one in heard)
    assert not any("No photo" in one for one in heard)


def test_two_decide_at_once_and_one_counts(office: Office) -> None:
    office.rule(refund_limit=2000)
    approval_id = office.do(**REFUND).json()["approval"]["id"]

    def decide(one: tuple[str, str]) -> int:
        return int(office.post(f"/approvals/{approval_id}/{one[1]}", {"note": ""}, by=one[0]).status_code)

    with ThreadPoolExecutor(2) as pool:
        answers = list(pool.map(decide, [("bob", "approve"), ("eve", "decline")]))
    assert sorted(answers) == [200, 409]
    with office.shop.uow() as session:
        row = session.scalars(select(Approval)).one()
    assert len(office.refunds()) == (1 if row.status == "approved" else 0)
    assert broken(office.shop) == []


def test_units_are_canceled_and_the_card_says_what_goes_back(office: Office) -> None:
    line = office.desk.line("TENT").id
    wanted = {"kind": "cancel", "reason": "ordered_by_mistake", "lines": [{"line_id": line, "quantity": 1}]}
    card = office.card(action="change", wanted=wanted)
    assert (card["amount"]["amount"], card["reason"], card["decides"]) == (5500, "Ordered by mistake", "you")
    with ThreadPoolExecutor(2) as pool:
        answers = list(pool.map(lambda _: office.yes(card, action="change", wanted=wanted).status_code, range(2)))
    assert sorted(answers) == [200, 409]
    assert (office.desk.line("TENT").canceled, [one[:2] for one in office.refunds()]) == (1, [(5500, "succeeded")])
    assert broken(office.shop) == []


def test_a_cancel_above_the_limit_waits_for_somebody(office: Office) -> None:
    office.rule("orders", staff_refund_limit=1000)
    wanted = {"kind": "cancel", "reason": "other"}
    answer = office.do(action="change", wanted=wanted)
    assert (answer.status_code, answer.json()["status"]) == (202, "pending_approval")
    assert office.desk.line("TENT").canceled == 0
    (item,) = office.get("/approvals", by="bob").json()["items"]
    assert (item["title"], item["limit"]["amount"]) == ("Change of an order", 1000)
    approval_id = answer.json()["approval"]["id"]
    assert office.post(f"/approvals/{approval_id}/approve", {}, by="bob").json()["status"] == "approved"
    assert office.desk.look().status == "canceled"
    assert broken(office.shop) == []


def test_a_dearer_address_goes_to_the_shopper_as_a_card(office: Office, shop: Shop) -> None:
    new = ADDRESS | {"name": "Ada B", "line_one": "9 New St", "line_two": ""}
    wanted = {"kind": "address", "ship_to": new}
    card = office.card(action="change", wanted=wanted)
    assert (card["decides"], any("9 New St" in one["value"] for one in card["facts"])) == ("you", True)
    assert office.yes(card, action="change", wanted=wanted).json()["status"] == "done"
    ship_to = office.desk.look().ship_to
    assert ship_to is not None
    assert ship_to.line_one == "9 New St"


def test_a_replacement_is_an_order_that_costs_nothing(office: Office) -> None:
    line = office.desk.line("TENT").id
    asked = {"action": "replacement", "because": "damaged", "lines": [{"line_id": line, "quantity": 1}]}
    assert office.action("replacement")["why_not"] == "Nothing was sent that could be sent once more."
    refused = office.post(f"/orders/{office.desk.order_id}/cards", asked)
    assert (refused.status_code, refused.json()["code"]) == (409, "nothing_to_replace")
    deliver(office.desk)
    on_hand, reserved = stock(office.shop, "TENT")
    assert office.action("replacement")["lines"][0]["units"] == 2
    card = office.card(**asked)
    assert (card["amount"]["amount"], card["decides"]) == (5500, "you")
    done = office.yes(card, **asked)
    assert done.status_code == 200, done.text
    number = done.json()["outcome"]["number"]
    (new, _old) = office.get("/orders").json()["items"]
    assert (new["number"], new["total"]["amount"], new["origin"]) == (number, 0, "replacement")
    assert stock(office.shop, "TENT") == (on_hand, reserved + 1)
    assert office.action("replacement")["lines"][0]["units"] == 1
    office.rule(replacement_limit=6000)
    assert office.action("replacement")["alone"]["amount"] == 500
    assert office.card(**asked)["decides"] == "approver"
    waits = office.do(**asked).json()["approval"]["id"]
    assert office.post(f"/approvals/{waits}/approve", {}, by="bob").json()["status"] == "approved"
    assert len(office.get("/orders").json()["items"]) == 3
    assert not office.action("replacement")["allowed"]
    assert broken(office.shop) == []


def test_a_unit_that_was_sent_again_does_not_come_back_for_money(office: Office) -> None:
    deliver(office.desk)
    line = office.desk.line("TENT").id
    asked = {"action": "replacement", "because": "damaged", "lines": [{"line_id": line, "quantity": 1}]}
    assert office.action("return")["lines"][0]["units"] == 2
    assert office.do(**asked).status_code == 200

    assert office.action("return")["lines"][0]["units"] == 1
    back = {"kind": "return", "lines": [{"line_id": line, "quantity": 2, "reason": "damaged"}]}
    refused = office.post(f"/orders/{office.desk.order_id}/cards", {"action": "change", "wanted": back})
    assert (refused.status_code, refused.json()["code"]) == (422, "too_many_units")
    assert office.refunds() == []


def test_what_is_sent_again_a_second_time_counts_as_what_was_paid(office: Office) -> None:
    deliver(office.desk)
    office.rule(replacement_limit=6000)
    asked = {"action": "replacement", "because": "damaged", "lines": [{"line_id": "", "quantity": 1}]}

    def again(desk: Desk) -> dict[str, Any]:
        return asked | {"lines": [{"line_id": desk.line("TENT").id, "quantity": 1}]}

    made = office.do(**again(office.desk)).json()["outcome"]["replacement_order_id"]
    second = replace(office, desk=replace(office.desk, order_id=made))
    deliver(second.desk)

    card = second.card(**again(second.desk))
    assert (card["amount"]["amount"], card["decides"]) == (5500, "approver")
    assert second.action("replacement")["alone"]["amount"] == 500
    office.rule(replacement_limit=11_000)
    assert second.card(**again(second.desk))["decides"] == "you"


def _chain(office: Office) -> tuple[Office, dict[str, Any], dict[str, Any]]:
    """One tent was sent again and came; that order, and how to send one of it again, and one of the first."""
    deliver(office.desk)
    asked = {"action": "replacement", "because": "damaged"}
    first = asked | {"lines": [{"line_id": office.desk.line("TENT").id, "quantity": 1}]}
    made = office.do(**first).json()["outcome"]["replacement_order_id"]
    second = replace(office, desk=replace(office.desk, order_id=made))
    deliver(second.desk)
    return second, asked | {"lines": [{"line_id": second.desk.line("TENT").id, "quantity": 1}]}, first


def test_what_was_sent_again_of_a_replacement_counts_on_the_first_order_too(office: Office) -> None:
    second, again, first = _chain(office)
    office.rule(replacement_limit=11_000)
    assert second.do(**again).json()["status"] == "done"

    assert office.action("replacement")["alone"]["amount"] == 0
    assert office.card(**first)["decides"] == "approver"


def test_two_orders_of_a_chain_do_not_pass_the_limit_together(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    second, again, first = _chain(office)
    office.rule(replacement_limit=11_000)
    cards = [(office, office.card(**first), first), (second, second.card(**again), again)]
    assert [card["decides"] for _, card, _ in cards] == ["you", "you"]
    both_counted = Barrier(2, timeout=1)

    def counted_together(*args: Any) -> int:
        total = given(*args)
        with suppress(BrokenBarrierError):
            both_counted.wait()
        return total

    monkeypatch.setattr(replacing, "given", counted_together)
    with ThreadPoolExecutor(2) as pool:
        said = list(pool.map(lambda one: one[0].yes(one[1], **one[2]), cards))

    assert sorted(one.status_code for one in said) == [200, 409]
    assert [one.json()["code"] for one in said if one.status_code == 409] == ["card_outdated"]
    assert len(office.get("/orders").json()["items"]) == 3


def test_an_approval_says_the_limit_of_payments_that_it_is_above(office: Office) -> None:
    office.rule("payments", refund_limit_per_order=2000)
    assert office.do(**REFUND).json()["status"] == "pending_approval"
    (item,) = office.get("/approvals", by="bob").json()["items"]
    assert (item["limit"]["amount"], item["limit_words"]) == (2000, "refund limit per order")


def test_a_change_that_waits_is_told_to_its_own_buyer_alone(office: Office, shop: Shop) -> None:
    office.rule("orders", staff_refund_limit=1000)
    with shop.uow() as session:
        stranger = shop.shopper()
        other = conversations.create_thread(session, stranger)
        case = cases.open_for(session, stranger, other, reason="asked_for_person", summary="The zip is broken.")
    wanted = {"kind": "cancel", "reason": "other"}
    card = office.card(action="change", wanted=wanted)
    body = {"asked": {"action": "change", "wanted": wanted}, "card_id": card["id"], "seen": card["seen"]}
    answer = office.post(f"/orders/{office.desk.order_id}/acts", body | {"case_id": case.id, "thread_id": other.id})
    assert answer.status_code == 202
    with shop.uow() as session:
        assert session.scalars(select(Approval)).one().thread_id == office.thread_id


def test_a_unit_on_its_way_back_is_not_sent_again(office: Office) -> None:
    deliver(office.desk)
    line = office.desk.line("TENT").id
    wanted = {"kind": "return", "lines": [{"line_id": line, "quantity": 1, "reason": "damaged"}]}
    assert office.do(action="change", wanted=wanted).json()["status"] == "done"

    assert office.action("replacement")["lines"][0]["units"] == 1
    both = {"action": "replacement", "because": "damaged", "lines": [{"line_id": line, "quantity": 2}]}
    refused = office.post(f"/orders/{office.desk.order_id}/cards", both)
    assert (refused.status_code, refused.json()["code"]) == (409, "nothing_to_replace")
    assert len(office.get("/orders").json()["items"]) == 1


def test_what_was_sent_again_for_a_unit_that_never_arrived_leaves_the_other_returnable(office: Office) -> None:
    deliver(office.desk)
    line = office.desk.line("TENT").id
    with office.shop.uow() as session:
        session.get_one(OrderLine, (office.shop.tenant.id, line)).delivered = 1
    asked = {"action": "replacement", "because": "missing_item", "lines": [{"line_id": line, "quantity": 1}]}
    assert office.do(**asked).status_code == 200

    assert office.action("return")["lines"][0]["units"] == 1
    assert office.action("replacement")["lines"][0]["units"] == 1


def test_a_return_is_started_for_the_shopper_with_its_label(office: Office) -> None:
    assert not office.action("return")["allowed"]
    deliver(office.desk)
    line = office.action("return")["lines"][0]
    reason = office.action("return")["reasons"][0]["code"]
    wanted = {"kind": "return", "lines": [{"line_id": line["line_id"], "quantity": 1, "reason": reason}]}
    done = office.do(action="change", wanted=wanted)
    assert (done.status_code, done.json()["status"]) == (200, "done"), done.text
    (back,) = office.get(f"/orders/{office.desk.order_id}").json()["returns"]
    assert back["label"]
    assert office.http.get(f"/v1/returns/{back['id']}/label.pdf", Authorization=office.keys["ann"]).status_code == 200


def test_a_lost_parcel_is_sent_again(office: Office) -> None:
    deliver(office.desk)
    (parcel,) = parcels(office.desk)
    with office.shop.uow() as session:
        row = session.get_one(Shipment, (office.shop.tenant.id, parcel))
        row.status, row.delivered_at = ShipmentStatus.LOST, None
    assert office.action("lost_parcel")["parcels"][0]["shipment_id"] == parcel
    card = office.card(action="lost_parcel", shipment_id=parcel, remedy="reship")
    assert card["title"] == "Send the lost parcel again"
    other = office.post(
        f"/orders/{office.desk.order_id}/cards", {"action": "lost_parcel", "shipment_id": "shi_x", "remedy": "reship"}
    )
    assert other.status_code == 400


def _lose(office: Office) -> str:
    """Both tents left in one parcel that never arrived; its id."""
    deliver(office.desk)
    (parcel,) = parcels(office.desk)
    with office.shop.uow() as session:
        row = session.get_one(Shipment, (office.shop.tenant.id, parcel))
        row.status, row.delivered_at = ShipmentStatus.LOST, None
        session.get_one(OrderLine, (office.shop.tenant.id, office.desk.line("TENT").id)).delivered = 0
    return parcel


@pytest.mark.parametrize("units", [1, 2])
@pytest.mark.parametrize("remedy", ["refund", "reship"])
def test_a_lost_parcel_whose_goods_were_sent_again_has_no_other_remedy(office: Office, remedy: str, units: int) -> None:
    parcel = _lose(office)
    asked = {"action": "lost_parcel", "shipment_id": parcel, "remedy": remedy}
    card = office.card(**asked)
    lines = [{"line_id": office.desk.line("TENT").id, "quantity": units}]
    assert office.do(action="replacement", because="missing_item", lines=lines).status_code == 200
    before = office.desk.rows()

    refused = [
        office.post(f"/orders/{office.desk.order_id}/cards", asked),
        office.yes(card, **asked),
        office.post(f"/shipments/{parcel}/remedy", {"remedy": remedy}),
    ]

    assert [(one.status_code, one.json()["code"]) for one in refused] == [(409, "made_up_for")] * 3
    assert office.desk.rows() == before
    action = office.action("lost_parcel")
    assert (action["allowed"], action["why_not"]) == (False, "What was lost of it was made up for already.")
    assert office.action("replacement")["allowed"] is (units == 1)


def test_what_was_remedied_is_not_sent_again_as_well(office: Office) -> None:
    parcel = _lose(office)
    assert office.do(action="lost_parcel", shipment_id=parcel, remedy="refund").status_code == 200
    assert not office.action("replacement")["allowed"]


def test_a_unit_sent_again_whose_parcel_came_back_is_not_paid_back(office: Office) -> None:
    parcel = _lose(office)
    line = office.desk.line("TENT").id
    asked = {"action": "replacement", "because": "late", "lines": [{"line_id": line, "quantity": 1}]}
    assert office.do(**asked).status_code == 200
    with office.shop.uow() as session:
        order, row = work.lock_shipment(session, office.shop.tenant.id, parcel)
        row.status = ShipmentStatus.RETURNED
        exceptions.returned_to_sender(session, order, row)
        (told,) = session.scalars(select(Alert.detail).where(Alert.kind == exceptions.BACK))
    assert told.endswith("Its goods were sent once more already: cancel that first, or keep them.")
    office.do(action="resume")
    before = office.desk.rows()
    again = office.post(f"/orders/{office.desk.order_id}/release")
    assert (again.status_code, again.json()["code"]) == (409, "made_up_for")
    assert office.desk.rows() == before
    assert [one["units"] for one in office.action("cancel")["lines"]] == [1]
    both = {"kind": "cancel", "reason": "other", "lines": [{"line_id": line, "quantity": 2}]}
    refused = office.post(f"/orders/{office.desk.order_id}/cards", {"action": "change", "wanted": both})
    assert (refused.status_code, refused.json()["code"]) == (422, "count_mismatch")
    assert office.do(action="change", wanted={"kind": "cancel", "reason": "other"}).status_code == 200
    assert [(amount, status) for amount, status, _ in office.refunds()] == [(5500, "succeeded")]
    assert not office.action("cancel")["allowed"]
    assert office.post(f"/orders/{office.desk.order_id}/release").json()["code"] == "made_up_for"
    assert broken(office.shop) == []


def test_a_letter_goes_out_once_more_and_not_for_ever(office: Office) -> None:
    with clock.shifted(LIVE_RUN):
        write_letters(office.shop.runtime, office.shop.tenant.id)
    letter = office.action("letter")["letters"][0]
    assert letter["to"] == "ada@example.com"
    asked = {"action": "letter", "mail_id": letter["mail_id"]}
    before = counted(office.shop, Mail)
    answers = [office.do(**asked).status_code for _ in range(6)]
    assert answers == [200] * 5 + [429]
    assert counted(office.shop, Mail) == before + 5
    with office.shop.uow() as session:
        said = session.scalars(select(Mail.text).where(Mail.template == "order_confirmation")).all()
    assert len(set(said)) == 1


def test_hold_and_resume(office: Office) -> None:
    assert office.do(action="hold", reason="Fraud check").json()["status"] == "done"
    assert office.desk.look().status == "on_hold"
    assert (office.action("hold")["allowed"], office.action("resume")["allowed"]) == (False, True)
    assert office.do(action="resume").json()["status"] == "done"
    assert office.desk.look().status == "open"


def test_store_credit_and_a_code_have_their_limits(office: Office) -> None:
    office.rule(goodwill_limit=1000)
    assert office.action("credit")["alone"]["amount"] == 1000
    assert office.do(action="credit", amount=1000, because="late").json()["status"] == "done"
    assert office.action("credit")["alone"]["amount"] == 0
    card = office.card(action="credit", amount=1, because="late")
    assert (card["decides"], card["method"]) == ("approver", "Store credit")
    code = office.do(action="code", percent_off=10)
    assert code.json()["words"].startswith("Done: the code is TY-")
    assert office.card(action="code", percent_off=90)["decides"] == "approver"
    assert broken(office.shop) == []


def _alone(office: Office, action: str) -> int:
    return int(office.action(action)["alone"]["amount"])


def test_what_one_may_give_away_alone_is_what_every_limit_leaves(office: Office) -> None:
    office.rule("payments", refund_limit_per_customer_day=4000, refund_limit_per_person_day=10_000)
    assert (_alone(office, "credit"), _alone(office, "code")) == (4000, 5000)
    assert office.do(**REFUND).json()["status"] == "done"
    assert (_alone(office, "credit"), _alone(office, "code")) == (1000, 5000)
    credit = {"action": "credit", "because": "late"}
    assert office.card(**credit, amount=1000)["decides"] == "you"
    assert office.card(**credit, amount=1001)["decides"] == "approver"

    office.rule("payments", refund_limit_per_person_day=4000)
    assert (_alone(office, "credit"), _alone(office, "code")) == (1000, 1000)
    assert office.card(action="code", amount_off=1000)["decides"] == "you"
    assert office.card(action="code", amount_off=1001)["decides"] == "approver"
    assert _alone(office, "refund") == 1000


@pytest.mark.parametrize("at", ["propose", "apply_as_staff"])
def test_a_change_that_is_refused_leaves_its_card_good(
    office: Office, monkeypatch: pytest.MonkeyPatch, at: str
) -> None:
    wanted = {"kind": "cancel", "reason": "other"}
    card = office.card(action="change", wanted=wanted)
    before = office.desk.rows()
    with monkeypatch.context() as broken_off:
        where = doing if at == "propose" else doing.apply
        broken_off.setattr(where, at, _refuse)
        refused = office.yes(card, action="change", wanted=wanted)
    assert (refused.status_code, refused.json()["code"]) == (503, "service_unavailable")
    assert office.refunds() == []
    if at == "propose":
        assert office.desk.rows() == before
    (step, *_) = office.get(f"/orders/{office.desk.order_id}/trail").json()["items"]
    assert (step["what"], step["details"]) == (
        "A yes came to nothing: cancel",
        [{"label": "Reason", "value": "The shop rests."}],
    )

    done = office.yes(card, action="change", wanted=wanted)
    assert (done.status_code, done.json()["status"]) == (200, "done")
    assert [amount for amount, _, _ in office.refunds()] == [11_655]
    again = office.yes(card, action="change", wanted=wanted)
    assert (again.status_code, again.json()["code"]) == (409, "card_used")


def _refuse(*_args: Any, **_more: Any) -> None:
    raise Unavailable("The shop rests.")


def test_the_panel_says_who_it_is_and_what_they_bought(office: Office) -> None:
    office.do(**REFUND)
    found = office.get(f"/panel?thread_id={office.thread_id}").json()
    who = found["shopper"]
    assert (who["level"], who["email"], who["name"]) == ("guest", "ada@example.com", "Ada Buyer")
    (sums,) = who["sums"]
    total = office.desk.look().total.amount
    assert (sums["orders"], sums["paid"]["amount"], sums["refunded"]["amount"]) == (1, total, 3000)
    focus = found["focus"]
    assert (focus["row"]["id"], focus["money"]["refunded"]["amount"]) == (office.desk.order_id, 3000)
    assert focus["money"]["due"]["amount"] == total - 3000
    assert [one["amount"]["amount"] for one in focus["refunds"]] == [3000]
    for path in (f"order_id={office.desk.order_id}", f"shopper_id={office.desk.buyer.id}"):
        assert office.get(f"/panel?{path}").json()["focus"]["row"]["id"] == office.desk.order_id
    nothing = {"shopper": None, "orders": [], "focus": None, "cards": [], "thread_id": None, "case_id": None}
    assert office.get("/panel").json() == nothing
    assert office.get("/panel?case_id=cas_x").status_code == 404


def test_an_order_is_found_by_number_mail_and_name(office: Office) -> None:
    number = office.desk.look().number
    for q, found in (
        (number, 1),
        (f"%23{number}", 1),
        ("ADA@example.com", 1),
        ("ada", 1),
        ("buyer", 1),
        ("uyer", 0),
        ("eve", 0),
    ):
        assert len(office.get(f"/orders?q={q}").json()["items"]) == found, q
    buy(office.shop, "TENT")
    first = office.get("/orders?limit=1").json()
    second = office.get(f"/orders?limit=1&cursor={first['next_cursor']}").json()
    assert second["next_cursor"] is None
    assert {first["items"][0]["number"], second["items"][0]["number"]} >= {number}
    assert office.get("/orders?payment_status=paid").json()["items"]
    assert office.get("/orders?payment_status=rich").status_code == 400


def test_the_trail_says_who_did_what(office: Office) -> None:
    office.rule(refund_limit=2000)
    waits = office.do(**REFUND).json()["approval"]["id"]
    office.post(f"/approvals/{waits}/approve", {}, by="bob")
    steps = office.get(f"/orders/{office.desk.order_id}/trail").json()["items"]
    said = [(one["who"], one["what"]) for one in steps]
    for expected in (
        ("ann", "Said yes on a card: refund"),
        ("ann", "Asked for an approval"),
        ("bob", "Said yes to an approval"),
    ):
        assert expected in said, said
    card = next(one for one in steps if one["what"] == "Said yes on a card: refund")
    assert {"label": "Amount", "value": "$30.00"} in card["details"]
    page = office.get(f"/orders/{office.desk.order_id}/trail?limit=2").json()
    assert [one["id"] for one in page["items"]] == [one["id"] for one in steps[:2]]
    rest = office.get(f"/orders/{office.desk.order_id}/trail?limit=200&cursor={page['next_cursor']}").json()["items"]
    assert [one["id"] for one in rest] == [one["id"] for one in steps[2:]]


def test_shoppers_and_other_shops_see_and_do_nothing(
    office: Office, mine: Browser, make_tenant: Callable[..., Tenant], make_key: Callable[..., str]
) -> None:
    order = office.desk.order_id
    for path in (f"/panel?order_id={order}", "/orders", f"/orders/{order}", f"/orders/{order}/actions", "/approvals"):
        assert mine.get(f"/v1/staff{path}").status_code == 403, path
    assert mine.post(f"/v1/staff/orders/{order}/cards", REFUND).status_code == 403
    other = {"Authorization": make_key(make_tenant(), "staff", person="mallory")}
    for path in (f"/panel?order_id={order}", f"/orders/{order}", f"/orders/{order}/actions", f"/orders/{order}/trail"):
        assert office.http.get(f"/v1/staff{path}", **other).status_code == 404, path
    assert office.http.post(f"/v1/staff/orders/{order}/cards", REFUND, **other).status_code == 404
    assert office.http.get("/v1/staff/orders", **other).json()["items"] == []
    assert office.refunds() == []


@pytest.fixture
def desk(office: Office) -> Desk:
    return office.desk


def _statements(shop: Shop, ask: Callable[[], Any]) -> int:
    seen: list[str] = []

    def note(*args: Any) -> None:
        seen.append(args[2])

    event.listen(shop.runtime.store.engine, "before_cursor_execute", note)
    assert ask().status_code == 200
    event.remove(shop.runtime.store.engine, "before_cursor_execute", note)
    return len(seen)


def test_the_actions_take_as_many_statements_whatever_the_order(office: Office, shop: Shop) -> None:
    shop.add("A", price=1000)
    shop.add("B", price=1000)
    large = buy(shop, "TENT", 3, "A", "B")
    paths = [f"/orders/{order_id}/actions" for order_id in (office.desk.order_id, large.order_id)]
    counts = [_statements(shop, lambda path=path: office.get(path)) for path in paths]
    assert counts[0] == counts[1]
    assert counts[0] < 60
    with shop.uow() as session:
        assert session.scalar(select(func.count()).select_from(Refund)) == 0


def test_approvals_take_as_many_statements_however_many_wait(office: Office, shop: Shop) -> None:
    office.rule(refund_limit=100)
    assert office.do(**REFUND).json()["status"] == "pending_approval"
    one = _statements(shop, lambda: office.get("/approvals", by="eve"))
    for by, amount in (("ann", 3001), ("bob", 3002), ("bob", 3003)):
        assert office.do(by=by, **REFUND | {"amount": amount}).json()["status"] == "pending_approval"
    assert _statements(shop, lambda: office.get("/approvals", by="eve")) == one
    assert len(office.get("/approvals", by="eve").json()["items"]) == 4
