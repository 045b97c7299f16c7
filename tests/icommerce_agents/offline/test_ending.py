"""What was told in several messages, or with codes, reaches the tools: deliveries, exceptions, parcels, claims."""

from __future__ import annotations

import pytest

from evals.offline.world import Names, World, scene
from icommerce_agents.offline.language import as_typed
from tests.icommerce_agents.offline.test_routing import route


class Depot(World):
    """A world with a delivery under way, two exceptions and a claim the shop asked about."""

    def _list_incoming(self, _given):
        lines = [{"sku": "Cup7", "expected": 10, "received": 4}, {"sku": "PLATE-2", "expected": 5, "received": 5}]
        other = [{"sku": "FORK", "expected": 3, "received": 0}]
        return {
            "incoming": [
                {"id": "inb_1", "kind": "purchase", "reference": "PO-881", "location": "NORTH", "lines": lines},
                {"id": "inb_2", "kind": "transfer", "reference": "T-17", "location": "SOUTH", "lines": other},
            ]
        }

    def _list_exceptions(self, _given):
        lost = {"id": "alt_2", "kind": "parcel_lost", "subject": "shi_77aa01", "detail": "Lost.", "action": "none"}
        money = {"id": "alt_1", "kind": "payout_differs", "subject": "pay_9", "detail": "Off by 2", "action": "recheck"}
        return {"exceptions": [lost, money]}


def said(place, *turns):
    """Calls of the last of several messages."""
    talk = scene(place, Depot(), Names())
    for words in turns:
        talk.say(words)
    return talk.calls


def test_a_code_keeps_its_letters():
    assert said("staff", "please move 6 units of KtL from Hall7 to DOCK") == [
        ("propose_transfer", {"source": "Hall7", "destination": "DOCK", "lines": [{"sku": "KtL", "quantity": 6}]})
    ]


@pytest.mark.parametrize(
    ("clause", "text", "typed"),
    [
        ("move 3 of kx-9", "Hi, I'd say: move three of KX-9, and cancel it", "move three of KX-9"),
        ("it", "yes", "it"),
    ],
)
def test_a_clause_as_it_was_typed(clause, text, typed):
    assert as_typed(clause, text) == typed


def test_tasks_repeat_the_part_as_typed():
    task = {"type": "object", "properties": {"agent": {"type": "string"}, "about": {"type": "string"}}}
    schema = {"type": "object", "properties": {"tasks": {"type": "array", "items": task}}, "required": ["tasks"]}
    told = route("Where is my order ZT-5512? And add the Fell Mug to my cart", schema=schema)["tasks"]
    assert {row["agent"]: row["about"] for row in told} == {
        "customer_service": "Where is my order ZT-5512?",
        "commerce": "And add the Fell Mug to my cart",
    }


@pytest.mark.parametrize("words", ["could one of your coworkers take over?", "may I speak with an employee of yours"])
def test_somebody_who_works_here_is_a_person(words):
    assert [name for name, _ in said("blank_service", words)] == ["request_human"]


def test_how_long_goods_are_taken_back_is_the_shops_policy():
    assert said("orders", "and until when do you take goods back?") == [("get_shop_info", {})]


@pytest.mark.parametrize("place", ["order", "orders"])
@pytest.mark.parametrize("words", ["cancel the umbrella from my order", "cancel the umbrella please"])
def test_what_is_not_in_the_order_never_cancels_the_rest(place, words):
    calls = said(place, "show me order SP-10023", words)
    assert [name for name, _ in calls if name not in {"list_orders", "get_order"}] == []


def test_one_order_is_canceled_and_the_other_read():
    words = "please cancel order SP-10044 and tell me how order SP-10023 is doing"
    assert {row["order"] for _, row in said("orders", words) if "order" in row} == {"SP-10023", "SP-10044"}


def test_another_number_of_what_went_into_the_cart():
    calls = said("cart", "make it 5 jackets", "well, two jackets are plenty")
    assert calls == [("update_cart_line", {"variant_id": "var_a1", "quantity": 2})]


def test_a_claim_in_two_messages_is_about_the_thing_of_the_first():
    calls = said("warranties", "is my jacket still covered?", "it tore at the seam, please open a warranty case")
    assert [(name, given["warranty_id"]) for name, given in calls] == [("file_claim", "wty_a")]


def test_asking_whether_a_fault_is_covered_files_nothing():
    assert said("warranties", "my bottle leaks at the lid, is it still covered?") == [("list_warranties", {})]


def test_an_answer_about_a_claim_is_passed_on_word_for_word():
    words = "here is the answer to your question on my claim: I dropped it Once"
    assert said("claim", words) == [("answer_claim", {"claim_id": "clm_1", "text": "I dropped it Once"})]


def test_a_return_by_its_number():
    assert said("returns", "how is return RT-1001 going") == [("get_return", {"number": "RT-1001"})]


@pytest.mark.parametrize(
    ("turns", "inbound", "lines"),
    [
        (["the purchase PO-881 is here, receive it"], "inb_1", [{"sku": "Cup7", "quantity": 6}]),
        (["receive the delivery", "the second one"], "inb_2", [{"sku": "FORK", "quantity": 3}]),
        (["the transfer came in, book 2 units of FORK"], "inb_2", [{"sku": "FORK", "quantity": 2}]),
    ],
)
def test_what_arrived_is_received(turns, inbound, lines):
    assert said("staff", *turns)[-1] == ("propose_receipt", {"inbound_id": inbound, "lines": lines})


def test_only_what_has_a_safe_action_is_settled():
    assert said("staff", "please resolve the exception")[-1] == ("settle_exception", {"alert_id": "alt_1"})


def test_a_lost_parcel_waits_for_the_word_what_follows():
    assert said("staff", "what do we do about the lost parcel?") == []
    calls = said("staff", "what do we do about the lost parcel?", "send a new one")
    assert calls[-1] == ("propose_remedy", {"shipment_id": "shi_77aa01", "remedy": "reship"})
    assert said("staff", "refund the lost shipment shi_55bb02") == [
        ("propose_remedy", {"shipment_id": "shi_55bb02", "remedy": "refund"})
    ]


@pytest.mark.parametrize(
    ("words", "tool"),
    [
        ("what warehouses have we got?", "list_locations"),
        ("did the last stocktake show differences?", "list_counts"),
        ("which deliveries do we expect?", "list_incoming"),
    ],
)
def test_reports_for_the_staff(words, tool):
    assert said("staff", words) == [(tool, {})]
