"""Create, read, update and cancel by the protocol: what is said, what it costs, what is still missing."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select

from engine.agentic.session_models import AgentSession
from engine.carts.models import Discount, DiscountKind, Stacking
from engine.checkout.models import CheckoutSession
from engine.inventory.models import StockLevel
from engine.kit import clock
from engine.kit.ids import new_id
from engine.kit.tenancy import Tenant
from engine.shipping.models import ShippingZone
from tests.app.acp.conftest import ADDRESS, BUYER, OLDER, Agent, Checkout, codes, total
from tests.app.acp.official import amounts
from tests.app.conftest import counted
from tests.shop import Shop, open_shop


def test_a_session_with_everything_said_is_ready_and_adds_up(buying: Checkout, shop: Shop) -> None:
    shop.add("TENT", price=5000)
    session = buying.opened("TENT", units=2)

    assert session["status"] == "ready_for_payment"
    assert amounts(session["totals"]) == {
        "items_base_amount": 10_000,
        "subtotal": 10_000,
        "fulfillment": 595,
        "tax": 1_060,
        "total": 11_655,
    }
    assert session["line_items"][0]["item"] == {"id": shop.variants["TENT"]}
    assert session["line_items"][0]["quantity"] == 2
    assert [one["id"] for one in session["fulfillment_options"]] == ["standard", "overnight"]
    assert session["selected_fulfillment_options"][0]["option_id"] == "standard"
    assert session["protocol"] == {"version": "2026-04-17"}
    assert session["buyer"] == BUYER
    assert buying.get(session) == session


def test_what_is_missing_is_told_by_place(buying: Checkout, shop: Shop) -> None:
    shop.add("TENT")
    session = buying.agent.post("/checkout_sessions", buying.wish("TENT")).json()

    assert session["status"] == "not_ready_for_payment"
    assert [(one["code"], one["param"]) for one in session["messages"] if one["type"] == "error"] == [
        ("missing", "$.buyer.email"),
        ("missing", "$.fulfillment_details.address.name"),
        ("missing", "$.fulfillment_details.address"),
    ]
    session = buying.update(session, {"buyer": BUYER}).json()
    assert session["status"] == "not_ready_for_payment"
    session = buying.update(session, {"fulfillment_details": {"address": ADDRESS}}).json()
    assert (session["status"], codes(session)) == ("ready_for_payment", [])
    session = buying.update(session, {"buyer": None}).json()
    assert (session["status"], codes(session)) == ("not_ready_for_payment", ["missing"])
    assert "buyer" not in session


def test_an_empty_update_changes_nothing(buying: Checkout, shop: Shop) -> None:
    shop.add("TENT")
    session = buying.opened("TENT", order_notes="Ring twice.", locale="en-US", timezone="America/New_York")
    again = buying.update(session, {}).json()

    assert again | {"updated_at": 0} == session | {"updated_at": 0}
    assert (session["locale"], session["timezone"]) == ("en-US", "America/New_York")


def test_quantities_are_taken_in_every_form_and_add_up(buying: Checkout, shop: Shop) -> None:
    tent, mat = shop.add("TENT"), shop.add("MAT", price=1000)
    items: list[dict[str, Any]] = [{"id": tent}, {"item": {"id": mat}, "quantity": 2}, {"id": tent, "quantity": 2.0}]
    session = buying.opened("TENT", line_items=items)

    assert [(one["item"]["id"], one["quantity"]) for one in session["line_items"]] == [(tent, 3), (mat, 2)]
    first = session["line_items"][0]["id"]
    session = buying.update(session, {"line_items": [{"id": mat, "quantity": 1}, {"id": tent}]}).json()
    assert [one["quantity"] for one in session["line_items"]] == [1, 1]
    assert session["line_items"][1]["id"] == first


@pytest.mark.parametrize("quantity", [0, -1, 1.5, "2", True, 10_000, None])
def test_a_quantity_that_is_none_is_refused(buying: Checkout, shop: Shop, quantity: Any) -> None:
    tent = shop.add("TENT")
    wish = buying.wish("TENT") | {"line_items": [{"id": tent, "quantity": quantity}]}
    answer = buying.agent.post("/checkout_sessions", wish)

    assert (answer.status_code, answer.json()["code"]) == (400, "invalid_request")
    assert counted(shop, CheckoutSession) == 0


def test_unknown_items_are_refused_and_nothing_is_made(buying: Checkout, shop: Shop) -> None:
    shop.add("TENT")
    wish = buying.wish("TENT")
    wish["line_items"].append({"id": "item_invented"})
    answer = buying.agent.post("/checkout_sessions", wish)

    assert answer.status_code == 400
    assert (answer.json()["code"], answer.json()["param"]) == ("invalid_item_id", "$.line_items[1].id")
    assert "invented" not in answer.text
    assert counted(shop, CheckoutSession) == 0
    session = buying.opened("TENT")
    refused = buying.update(session, {"line_items": [{"id": "item_invented"}]})
    assert (refused.status_code, buying.get(session)["line_items"]) == (400, session["line_items"])


def test_a_currency_that_is_not_sold_in_is_refused(buying: Checkout, shop: Shop) -> None:
    shop.add("TENT")
    for currency, code in (("eur", "unsupported_currency"), ("US", "invalid_request"), ("dollars", "invalid_request")):
        answer = buying.agent.post("/checkout_sessions", buying.wish("TENT") | {"currency": currency})
        assert (answer.status_code, answer.json()["code"]) == (400, code)


def test_stock_that_is_not_there_is_told_and_stands_in_the_way(buying: Checkout, shop: Shop) -> None:
    shop.add("TENT", stock={"EAST": 2})
    shop.add("GONE", stock={})
    few = buying.opened("TENT", units=3)
    none = buying.opened("GONE")

    assert (few["status"], codes(few)) == ("not_ready_for_payment", ["quantity_exceeded"])
    assert (none["status"], codes(none)) == ("not_ready_for_payment", ["out_of_stock"])
    assert few["messages"][0]["param"] == "$.line_items[0]"
    less = buying.update(few, {"line_items": [{"id": shop.variants["TENT"], "quantity": 2}]}).json()
    assert (less["status"], codes(less, "warning")) == ("ready_for_payment", ["low_stock"])


def test_an_address_that_cannot_be_right_is_told_and_not_used(buying: Checkout, shop: Shop) -> None:
    shop.add("TENT")
    session = buying.opened("TENT", fulfillment_details={"address": ADDRESS | {"postal_code": "ABC"}})

    assert session["status"] == "not_ready_for_payment"
    assert ("invalid", "$.fulfillment_details.address.postal_code") in [
        (one["code"], one["param"]) for one in session["messages"]
    ]
    elsewhere = buying.update(session, {"fulfillment_details": {"address": ADDRESS | {"country": "AU"}}}).json()
    assert "region_restricted" in codes(elsewhere)
    mail = buying.update(session, {"buyer": {"email": "not an address"}}).json()
    assert ("invalid", "$.buyer.email") in [(one.get("code"), one.get("param")) for one in mail["messages"]]


def test_a_way_to_deliver_is_chosen_from_those_offered(buying: Checkout, shop: Shop) -> None:
    shop.add("TENT")
    session = buying.opened("TENT")
    line = session["line_items"][0]

    def choose(option_id: str, *, kind: str = "shipping", item: str = line["id"]) -> Any:
        return buying.update(
            session, {"selected_fulfillment_options": [{"type": kind, "option_id": option_id, "item_ids": [item]}]}
        )

    chosen = choose("overnight", item=line["item"]["id"]).json()
    assert chosen["selected_fulfillment_options"] == [
        {"type": "shipping", "option_id": "overnight", "item_ids": [line["id"]]}
    ]
    assert amounts(chosen["totals"])["fulfillment"] == 2_500
    for answer in (choose("teleport"), choose("overnight", kind="pickup"), choose("overnight", item="li_other")):
        assert answer.status_code == 400
    assert buying.get(session)["selected_fulfillment_options"] == chosen["selected_fulfillment_options"]
    back = buying.update(session, {"selected_fulfillment_options": None}).json()
    assert back["selected_fulfillment_options"][0]["option_id"] == "standard"


@pytest.mark.parametrize(
    "body",
    [
        {"line_items": []},
        {"line_items": None},
        {"order_notes": None},
        {"order_notes": "x" * 5001},
        {"discounts": {"codes": "SAVE"}},
        {"discounts": {"codes": ["A"], "more": 1}},
        {"buyer": {"first_name": "Ada"}},
        {"buyer": {"email": "a@example.com", "password": "x"}},
        {"fulfillment_details": {"address": {"name": "Ada"}}},
        {"fulfillment_details": {"address": ADDRESS | {"phone": "1"}}},
        {"selected_fulfillment_options": [{"type": "drone", "option_id": "x", "item_ids": []}]},
        {"currency": "usd"},
        {"unknown": 1},
        [],
        "text",
        7,
    ],
)
def test_a_shape_that_is_wrong_is_refused_and_nothing_changes(buying: Checkout, shop: Shop, body: Any) -> None:
    shop.add("TENT")
    session = buying.opened("TENT")
    answer = buying.update(session, body)

    assert answer.status_code == 400, answer.text
    assert buying.get(session) == session


def test_sessions_are_of_one_platform_and_one_shop(
    buying: Checkout, shop: Shop, open_agent: Callable[..., Agent], make_tenant: Callable[[], Tenant]
) -> None:
    shop.add("TENT")
    session = buying.opened("TENT")
    elsewhere = open_shop(shop.runtime, make_tenant())
    for stranger in (open_agent(shop.tenant), open_agent(elsewhere.tenant), open_agent(shop.tenant, "admin")):
        for path, body in (("", {}), ("/cancel", None), ("/complete", {})):
            answer = stranger.post(f"/checkout_sessions/{session['id']}{path}", body)
            assert answer.status_code in {404, 400}
        assert stranger.get(f"/checkout_sessions/{session['id']}").status_code == 404
        assert stranger.post(f"/checkout_sessions/{session['id']}", {}).json()["code"] == "not_found"
    assert buying.get(session) == session


@pytest.mark.parametrize("odd", ["cs_unknown", "x" * 2000, "a%00b", "%00"])
def test_ids_that_are_nobodys_are_not_there(buying: Checkout, odd: str) -> None:
    for path, body in (("", {}), ("/cancel", None)):
        assert buying.agent.post(f"/checkout_sessions/{odd}{path}", body).status_code == 404
    assert buying.agent.get(f"/checkout_sessions/{odd}").status_code == 404


def test_a_canceled_session_refuses_everything(buying: Checkout, shop: Shop) -> None:
    shop.add("TENT")
    session = buying.opened("TENT")
    trace = {"reason_code": "something_new", "trace_summary": "Too dear.", "metadata": {"seen": 3}, "more": 1}
    canceled = buying.cancel(session, {"intent_trace": trace})

    assert canceled.json()["status"] == "canceled"
    assert "Too dear" not in canceled.text
    again = buying.cancel(session)
    assert (again.status_code, again.headers["allow"]) == (405, "GET")
    assert buying.update(session, {}).status_code == 409
    assert buying.complete(session, "vt_x").status_code == 409
    assert buying.get(session)["status"] == "canceled"
    with shop.uow() as db:
        kept = db.scalars(select(AgentSession.kept_back)).one()["intent_trace"]
    assert kept == {"reason_code": "other", "trace_summary": "Too dear.", "metadata": {"seen": 3}}
    assert buying.cancel(buying.opened("TENT"), {"intent_trace": trace | {"metadata": {"a": {}}}}).status_code == 400


def test_a_session_whose_time_is_over_has_expired(buying: Checkout, shop: Shop) -> None:
    shop.add("TENT")
    session = buying.opened("TENT")
    with clock.shifted(timedelta(hours=7)):
        assert buying.get(session)["status"] == "expired"
        assert buying.update(session, {}).status_code == 409
        assert buying.cancel(session).status_code == 405


def test_replaying_an_old_update_answers_the_old_and_does_not_apply_it_again(buying: Checkout, shop: Shop) -> None:
    shop.add("TENT")
    session = buying.opened("TENT")
    old = buying.update(session, {"line_items": [{"id": shop.variants["TENT"], "quantity": 2}]}, key="old")
    buying.update(session, {"line_items": [{"id": shop.variants["TENT"], "quantity": 3}]})
    again = buying.update(session, {"line_items": [{"id": shop.variants["TENT"], "quantity": 2}]}, key="old")

    assert (again.content, again.headers["idempotent-replayed"]) == (old.content, "true")
    assert buying.get(session)["line_items"][0]["quantity"] == 3


def test_eight_equal_creates_at_once_make_one_session(buying: Checkout, shop: Shop) -> None:
    shop.add("TENT")
    wish = buying.wish("TENT")
    with ThreadPoolExecutor(8) as pool:
        sent = [pool.submit(buying.agent.post, "/checkout_sessions", wish, key="raced") for _ in range(8)]
        answers = [one.result() for one in sent]

    assert {one.status_code for one in answers} == {201}
    assert len({one.content for one in answers}) == 1
    assert counted(shop, CheckoutSession) == 1


def test_what_is_write_only_is_never_given_out(buying: Checkout, shop: Shop) -> None:
    shop.add("TENT")
    attribution = {"provider": "impact.com", "token": "atp_secret", "touchpoint": "first", "new_member": "x"}
    session = buying.opened("TENT", affiliate_attribution=attribution, metadata={"a": {"b": [1]}})

    assert "atp_secret" not in buying.agent.last.text
    assert session["metadata"] == {"a": {"b": [1]}}
    for bad, code in (
        ({"provider": "x"}, "invalid_request"),
        (attribution | {"metadata": {"a": {}}}, "invalid_request"),
        (attribution | {"metadata": {"email": "ada@example.com"}}, "pii_not_allowed"),
        (attribution | {"sub_id": "ada@example.com"}, "pii_not_allowed"),
    ):
        answer = buying.agent.post("/checkout_sessions", buying.wish("TENT") | {"affiliate_attribution": bad})
        assert (answer.status_code, answer.json()["code"]) == (400, code)
        assert "ada@" not in answer.text


def test_interventions_are_those_both_sides_know(buying: Checkout, shop: Shop) -> None:
    shop.add("TENT")
    capable = {
        "interventions": {"supported": ["3ds", "biometric", "mind_reading"], "display_context": "hologram"},
        "extensions": ["discount", "unheard_of"],
    }
    session = buying.opened("TENT", capabilities=capable)

    assert session["capabilities"]["interventions"] == {
        "supported": ["3ds"],
        "required": [],
        "enforcement": "conditional",
    }
    assert [one["name"] for one in session["capabilities"]["extensions"]] == ["discount"]
    handler = session["capabilities"]["payment"]["handlers"][0]
    assert handler["config"]["merchant_id"] == shop.tenant.id
    assert handler["psp"] == handler["config"]["psp"] == "sandbox"


def test_a_session_reads_in_the_older_version_too(buying: Checkout, shop: Shop) -> None:
    shop.add("TENT", stock={"EAST": 1})
    session = buying.opened("TENT", fulfillment_details={"address": ADDRESS | {"company": "Ada Ltd"}})
    older = buying.agent.at(OLDER).get(f"/checkout_sessions/{session['id']}").json()

    assert older["protocol"] == {"version": OLDER}
    assert "company" not in older["fulfillment_details"]["address"]
    assert older["totals"] == session["totals"]
    made = buying.agent.at(OLDER).post("/checkout_sessions", buying.wish("TENT"), key=None)
    assert made.status_code == 201
    assert buying.get(made.json())["protocol"] == {"version": "2026-04-17"}


def add_code(shop: Shop, code: str | None, **fields: Any) -> None:
    row = {"percent_off": 10, "kind": DiscountKind.OFF} | fields
    with shop.uow() as db:
        db.add(Discount(tenant_id=shop.tenant.id, id=new_id("discount"), code=code, title=f"Deal {code}", **row))


def test_discounts_say_what_they_took_off_and_where(buying: Checkout, shop: Shop) -> None:
    shop.add("TENT", price=5000)
    shop.add("MAT", price=1000)
    add_code(shop, "TEN")
    session = buying.opened("TENT", "MAT", discounts={"codes": ["ten"]})

    applied = session["discounts"]["applied"][0]
    assert session["discounts"]["codes"] == ["ten"]
    assert (applied["code"], applied["amount"], applied["automatic"]) == ("TEN", 600, False)
    assert applied["coupon"]["percent_off"] == 10
    assert applied["allocations"] == [
        {"path": "$.line_items[0]", "amount": 500},
        {"path": "$.line_items[1]", "amount": 100},
    ]
    assert amounts(session["totals"])["items_discount"] == 600
    assert amounts(session["line_items"][0]["totals"])["items_discount"] == 500
    cleared = buying.update(session, {"discounts": {"codes": []}}).json()
    assert "items_discount" not in amounts(cleared["totals"])


def test_codes_that_cannot_be_used_are_told_and_stand_in_nobodys_way(buying: Checkout, shop: Shop) -> None:
    shop.add("TENT", price=5000)
    add_code(shop, "TEN")
    add_code(shop, "OVER", ends_at=clock.now() - timedelta(days=1))
    add_code(shop, "MUCH", minimum=100_000)
    add_code(shop, "USED", usage_limit=1, used=1, used_before=1)
    add_code(shop, "ALONE", percent_off=5, stacking=Stacking.EXCLUSIVE)
    sent = ["TEN", "OVER", "NOPE", "much", "USED", "ALONE", "TEN"]
    session = buying.opened("TENT", discounts={"codes": sent})

    assert session["status"] == "ready_for_payment"
    assert {(one["code"], one["reason"]) for one in session["discounts"]["rejected"]} == {
        ("OVER", "discount_code_expired"),
        ("NOPE", "discount_code_invalid"),
        ("MUCH", "discount_code_minimum_not_met"),
        ("USED", "discount_code_usage_limit_reached"),
        ("ALONE", "discount_code_combination_disallowed"),
        ("TEN", "discount_code_already_applied"),
    }
    warned = {(one["code"], one["param"]) for one in session["messages"] if one["type"] == "warning"}
    assert ("discount_code_minimum_not_met", "$.discounts.codes[3]") in warned
    assert [one["amount"] for one in session["discounts"]["applied"]] == [500]
    assert buying.get(session) == session


def test_free_shipping_is_a_discount_that_is_in_the_price_already(buying: Checkout, shop: Shop) -> None:
    shop.add("TENT", price=5000)
    add_code(shop, "SHIP", kind=DiscountKind.FREE_SHIPPING, percent_off=None)
    session = buying.opened("TENT", discounts={"codes": ["SHIP"]})

    assert amounts(session["totals"])["fulfillment"] == 0
    assert session["discounts"]["applied"][0]["amount"] == 595


def test_tries_of_codes_are_counted(buying: Checkout, shop: Shop) -> None:
    shop.add("TENT")
    session = buying.opened("TENT")
    tried = [buying.update(session, {"discounts": {"codes": [f"GUESS{n}"]}}).status_code for n in range(21)]

    assert tried == [200] * 20 + [429]


def test_stock_that_changes_is_seen_at_the_next_look(buying: Checkout, shop: Shop) -> None:
    shop.add("TENT", price=5000)
    session = buying.opened("TENT")
    with shop.uow() as db:
        for level in db.scalars(select(StockLevel)):
            level.on_hand = 0
    seen = buying.get(session)

    assert (seen["status"], codes(seen)) == ("not_ready_for_payment", ["out_of_stock"])
    assert total(seen) == total(session)


def test_ways_to_deliver_of_every_kind_keep_to_the_schema(buying: Checkout, shop: Shop) -> None:
    shop.add("TENT")
    with shop.uow() as db:
        zone = db.scalars(select(ShippingZone)).one()
        local = dict(zone.rates[0]) | {"code": "van", "title": "Van", "type": "local_delivery", "price": 100}
        counter = dict(zone.rates[0]) | {"code": "counter", "title": "At the counter", "type": "pickup", "price": 0}
        zone.rates = [*zone.rates, local, counter]
    session = buying.opened("TENT")

    told = {one["id"]: one["type"] for one in session["fulfillment_options"]}
    assert told == {"counter": "shipping", "van": "local_delivery", "standard": "shipping", "overnight": "shipping"}
    wanted = {"type": "local_delivery", "option_id": "van", "item_ids": [session["line_items"][0]["id"]]}
    chosen = buying.update(session, {"selected_fulfillment_options": [wanted]}).json()
    assert chosen["selected_fulfillment_options"] == [wanted]
    assert buying.complete(chosen, buying.token(chosen)).json()["status"] == "completed"


def test_every_picture_and_page_that_is_named_opens(buying: Checkout, shop: Shop) -> None:
    shop.add("TENT")
    session = buying.opened("TENT")
    cart = buying.agent.post("/carts", {"line_items": [{"id": shop.variants["TENT"], "quantity": 1}]}).json()
    done = buying.complete(session, buying.token(session)).json()
    named = [
        *session["line_items"][0]["images"],
        *cart["line_items"][0]["images"],
        *done["line_items"][0]["images"],
        *(one["url"] for one in session["links"]),
    ]
    for url in set(named):
        assert buying.agent.http.get(url).status_code == 200, url
    assert f"?shop={shop.tenant.slug}" in named[0]
