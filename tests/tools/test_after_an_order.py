"""What comes after an order: where it is, what went back, returns, warranties and claims."""

from __future__ import annotations

from engine.checkout.complete import complete
from engine.kit import clock
from tests.engine.orders.desk import Desk, buy, sibling
from tests.engine.returns.coming import deliver, receive, the_return
from tests.engine.warranties.fault import REFUND, REPAIR, approve, claim, delivered, hear, review
from tests.shop import Shop
from tests.tools.talk import Talk, statements


def bought(shop: Shop, units: int = 2) -> tuple[Desk, Talk]:
    shop.add("TENT", price=10000)
    desk = buy(shop, "TENT", units)
    return desk, Talk(shop, desk.buyer)


def test_tracking_says_what_is_on_its_way_and_what_is_not(shop: Shop) -> None:
    desk, talk = bought(shop)
    told = talk.ok("track_order", order=desk.look().number)
    assert told["not_shipped"] == [{"title": "Thing TENT", "quantity": 2}]
    assert (told["shipments"], told["shipping"]) == ([], "Standard")
    assert talk.card["activityType"] == "order_timeline"
    deliver(desk)
    told = talk.ok("track_order", order=desk.order_id)
    assert told["not_shipped"] == []
    (parcel,) = told["shipments"]
    assert (parcel["status"], parcel["items"]) == ("delivered", ["2 x Thing TENT"])
    assert parcel["events"][-1] == f"{clock.now():%Y-%m-%d}: Delivered"


def test_refunds_say_how_much_why_and_where_to(shop: Shop) -> None:
    desk, talk = bought(shop)
    assert talk.ok("get_refunds", order=desk.order_id)["refunds"] == []
    desk.do("cancel", reason="other", lines=[{"line_id": desk.line("TENT").id, "quantity": 1}])
    told = talk.ok("get_refunds", order=desk.look().number)
    today = clock.now().date().isoformat()
    assert told["payment"] == "partially_refunded"
    assert told["refunds"] == [
        {
            "amount": "$110.00",
            "status": "succeeded",
            "reason": "Canceled",
            "to": "Test Visa •••• 4242",
            "asked_on": today,
            "done_on": today,
        }
    ]


def test_money_that_went_to_store_credit_is_said_to_be_there(shop: Shop) -> None:
    desk, talk = bought(shop)
    desk.do("cancel", reason="other", refund_to="store_credit")
    (told,) = talk.ok("get_refunds", order=desk.look().number)["refunds"]
    assert (told["to"], told["status"]) == ("Store credit", "succeeded")


def test_a_return_is_asked_for_by_what_can_come_back(shop: Shop) -> None:
    desk, talk = bought(shop)
    assert talk.ok("get_return_options", order=desk.look().number)["possible"] is False
    deliver(desk)
    told = talk.ok("get_return_options", order=desk.look().number)
    (line,) = told["lines"]
    assert (told["possible"], line["units"], line["worth"]) == (True, 2, "$220.00")
    assert told["reasons"]["does_not_fit"] == "Does not fit"
    assert "damaged" in told["shop_fault_reasons"]
    back = {"line_id": line["line_id"], "quantity": 1, "reason": "does_not_fit"}
    quote = talk.ok("quote_return", order=desk.look().number, lines=[back])
    assert quote["terms"] == {
        "goes_back": "$110.00",
        "when": "when the goods are received",
        "fee": "$0.00",
        "shipping_back": "$0.00",
        "keep_the_goods": False,
        "shop_looks_first": False,
        "label_paid_by": "shop",
        "send_within_days": 14,
    }
    assert (talk.card["activityType"], quote["card"]) == ("change", "shown")
    assert talk.ok("list_returns")["items"] == []


def test_an_exchange_names_a_variant_that_was_seen(shop: Shop) -> None:
    desk, talk = bought(shop, 1)
    other = sibling(shop, "TENT", "TENT-XL", price=12000)
    deliver(desk)
    line = talk.ok("get_return_options", order=desk.order_id)["lines"][0]
    back = {"line_id": line["line_id"], "reason": "does_not_fit", "exchange_variant_id": other}
    assert talk.refused("quote_return", order=desk.look().number, lines=[back])[0] == "unknown_reference"
    talk.ok("get_product", product_id=line["variant_id"])
    quote = talk.ok("quote_return", order=desk.look().number, lines=[back])
    assert (quote["charge"], quote["comes"][0]["total"]) == ("$22.00", "$132.00")


def test_a_return_under_way_is_told_and_marked_as_sent(shop: Shop) -> None:
    desk, talk = bought(shop)
    deliver(desk)
    line = talk.ok("get_return_options", order=desk.order_id)["lines"][0]
    view = desk.ask("return", lines=[{"line_id": line["line_id"], "quantity": 1, "reason": "changed_mind"}])
    desk.agree(view)
    (told,) = talk.ok("list_returns", order=desk.look().number)["items"]
    assert (told["kind"], told["status"], told["goes_back"], told["went_back"]) == (
        "return",
        "label_ready",
        "$110.00",
        "$0.00",
    )
    assert told["lines"] == [{"title": "Thing TENT", "quantity": 1, "reason": "changed_mind"}]
    assert talk.card["activityType"] == "returns"
    money = desk.balances()
    assert talk.ok("mark_return_sent", return_id=told["id"])["status"] == "label_ready"
    assert talk.ok("mark_return_sent", return_id=told["number"])["number"] == told["number"]
    assert the_return(desk).sent_at is not None
    assert desk.balances() == money
    receive(desk, the_return(desk))
    assert talk.ok("get_return", number=told["number"])["went_back"] == "$110.00"
    assert Talk(shop, shop.shopper()).refused("get_return", number=told["number"])[0] == "no_return"


def test_a_fault_is_told_and_answered(shop: Shop) -> None:
    desk = delivered(shop)
    talk = Talk(shop, desk.buyer)
    told = talk.ok("list_warranties", order=desk.look().number)
    (unit,) = told["items"]
    assert (unit["claimable"], unit["status"], "why_not" in unit) == (True, "active", False)
    assert ("defective_part" in told["faults"], "wear" in told["faults"]) == (True, False)
    code, words = talk.refused("file_claim", warranty_id=unit["id"], symptom="wear", description="Worn out.")
    assert (code, words.startswith("The warranty is not for this")) == ("not_covered", True)
    made = talk.ok("file_claim", warranty_id=unit["id"], symptom="defective_part", description="The handle broke.")
    assert (made["status"], made["fault"], talk.card["activityType"]) == ("submitted", "defective_part", "claim")
    assert talk.ok("get_claim")["number"] == made["number"]
    again = talk.ok("list_warranties")["items"][0]
    assert again["why_not"] == f"Claim {made['number']} for this unit is under way."
    assert talk.refused("answer_claim", claim_id=made["id"], text="Yes.") == (
        "wrong_step",
        "The shop has asked nothing about this claim.",
    )


def test_no_model_files_or_answers_a_claim_for_the_shops_people(shop: Shop) -> None:
    desk = delivered(shop)
    talk = Talk(shop, desk.staff)
    (unit,) = talk.ok("list_warranties", order=desk.look().number)["items"]
    fault = {"symptom": "defective_part", "description": "The handle broke."}
    assert talk.refused("file_claim", warranty_id=unit["id"], **fault)[0] == "forbidden"
    mine = Talk(shop, desk.buyer)
    mine.ok("list_warranties")
    made = mine.ok("file_claim", warranty_id=unit["id"], **fault)
    talk.ok("get_claim", claim=made["number"])
    assert talk.refused("answer_claim", claim_id=made["id"], text="Yes.")[0] == "forbidden"


def test_what_the_shop_offers_is_told(shop: Shop) -> None:
    desk = delivered(shop, price=4000)
    talk = Talk(shop, desk.buyer)
    made = claim(desk)
    review(desk, made)
    approve(desk, made, REPAIR, REFUND, carry=False, note="The customer is difficult.")
    told = talk.ok("get_claim", claim=made)
    assert (told["offers"], told["refund"]) == (["repair", "refund"], "$44.00")
    assert "difficult" not in str(told) + str(talk.shown)
    asked = talk.ok("offer_claim_choice", claim_id=told["number"])
    assert asked["question"] == "Thing A: do you want a repair or your money back?"
    assert (talk.card["activityType"], talk.card["content"]["status"]) == ("claim_choice", "open")
    assert talk.ok("get_claim", claim=made)["status"] == "approved"
    assert Talk(shop, shop.shopper()).refused("offer_claim_choice", claim_id=told["number"])[0] == "no_claim"


def test_giving_an_exchange_up_is_asked_on_a_card(shop: Shop) -> None:
    desk, talk = bought(shop, 1)
    other = sibling(shop, "TENT", "TENT-XL", price=12000)
    deliver(desk)
    line = desk.line("TENT").id
    desk.agree(desk.ask("return", lines=[{"line_id": line, "reason": "does_not_fit", "exchange_variant_id": other}]))
    number = talk.ok("list_returns")["items"][0]["number"]
    money = desk.balances()
    asked = talk.ok("quote_return_cancel", return_id=number)
    assert asked["question"] == f"Give up exchange {number}? $22.00 goes back to you."
    assert (talk.card["activityType"], desk.balances()) == ("return_cancel", money)
    assert talk.ok("get_return", number=number)["status"] == "label_ready"
    talk.ok("mark_return_sent", return_id=number)
    assert talk.refused("quote_return_cancel", return_id=number)[0] == "wrong_step"


def test_reading_takes_as_many_statements_however_many_there_are(shop: Shop) -> None:
    names = ("list_warranties", "list_returns", "list_orders")
    first = delivered(shop, 2)
    talk = Talk(shop, first.buyer)
    _returns(first)
    few = [_sent(shop, talk, name) for name in names]
    again = delivered_again(shop, first, 4)
    _returns(again)
    _returns(again)
    more = [_sent(shop, talk, name) for name in names]
    assert [len(talk.ok(name)["items"]) for name in names] == [6, 3, 2]
    assert [after - before for before, after in zip(few, more, strict=True)] == [0, 0, 0]


def _returns(desk: Desk) -> None:
    desk.agree(
        desk.ask("return", lines=[{"line_id": desk.line("A").id, "quantity": 1, "reason": "changed_mind"}]),
    )


def delivered_again(shop: Shop, first: Desk, units: int) -> Desk:
    """More units of the same buyer."""
    done = complete(shop.runtime, first.buyer, shop.approved(first.buyer, "A", units))
    assert done.order is not None
    again = Desk(shop, first.buyer, done.order.id)
    deliver(again)
    hear(again)
    return again


def _sent(shop: Shop, talk: Talk, name: str) -> int:
    with statements(shop) as said:
        talk.ok(name)
    return len(said)
