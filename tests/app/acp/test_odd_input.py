"""Odd numbers, odd shapes, odd texts: refused at the door, or answered and answered again."""

from __future__ import annotations

import json
from dataclasses import fields
from typing import Any

import pytest
from sqlalchemy import select

from app.site import Site
from engine.agentic.request_models import AgentRequest
from engine.agentic.requests import Entry
from tests.app.acp.conftest import ADDRESS, BUYER, OLDER, Agent, Checkout
from tests.shop import Shop

LARGE = ["1e30", "1e400", "-1e30", "18446744073709551616", "9223372036854775808", "1.5e300", "1E+19"]
EXEMPT = {"certificate_id": "c", "certificate_type": "resale", "expires_at": "1"}


def opened_with(buying: Checkout, more: Any, number: str) -> Any:
    """A session asked for with ``number`` wherever ``more`` says N."""
    body = json.dumps(buying.wish("TENT") | more).replace('"N"', number).encode()
    return buying.agent.post("/checkout_sessions", body)


@pytest.mark.parametrize(
    "more",
    [
        {"metadata": {"n": "N"}},
        {"metadata": {"n": [{"deep": "N"}]}},
        {"buyer": BUYER | {"loyalty": {"points_balance": "N"}}},
        {"affiliate_attribution": {"provider": "x", "token": "t", "metadata": {"a": "N"}}},
        {"capabilities": {"payment": {"a": "N"}}},
    ],
)
def test_a_number_of_more_than_64_bits_is_refused(buying: Checkout, shop: Shop, more: Any) -> None:
    shop.add("TENT")
    for number in LARGE:
        answer = opened_with(buying, more, number)
        assert (answer.status_code, answer.json()["code"]) == (400, "invalid_json")


@pytest.mark.parametrize("number", ["9223372036854775807", "1e17", "0.1", "-0.0", "1e-300", "-9223372036854775807"])
def test_a_number_that_can_be_kept_is_given_back(buying: Checkout, shop: Shop, number: str) -> None:
    shop.add("TENT")
    made = opened_with(buying, {"metadata": {"n": "N"}}, number)
    assert made.status_code == 201
    assert buying.get(made.json())["metadata"] == made.json()["metadata"] == {"n": json.loads(number)}


@pytest.mark.parametrize(("depth", "status"), [(50, 201), (70, 400), (300, 400), (900, 400), (5000, 400)])
def test_what_is_nested_too_deeply_is_refused(buying: Checkout, shop: Shop, depth: int, status: int) -> None:
    shop.add("TENT")
    made = opened_with(buying, {"metadata": "N"}, '{"a":' * depth + "1" + "}" * depth)
    assert made.status_code == status
    assert status == 400 or buying.get(made.json()) == made.json()


@pytest.mark.parametrize(
    ("more", "param"),
    [
        ({"buyer": BUYER | {"loyalty": {"member_since": "yesterday"}}}, "$.buyer.loyalty.member_since"),
        ({"buyer": BUYER | {"loyalty": {"member_since": ""}}}, "$.buyer.loyalty.member_since"),
        ({"buyer": BUYER | {"loyalty": {"member_since": "2024-02-30T00:00:00Z"}}}, "$.buyer.loyalty.member_since"),
        (
            {
                "buyer": BUYER
                | {"tax_exemption": {"certificate_id": "c", "certificate_type": "resale", "expires_at": "1"}}
            },
            "$.buyer.tax_exemption.expires_at",
        ),
        (
            {
                "fulfillment_groups": [
                    {
                        "id": "g",
                        "item_ids": [],
                        "destination_type": "shipping",
                        "fulfillment_details": {"email": "nope"},
                    }
                ]
            },
            "$.fulfillment_groups[0]",
        ),
        (
            {"affiliate_attribution": {"provider": "x", "token": "t", "metadata": {"4242424242424242": {}}}},
            "$.affiliate_attribution.metadata",
        ),
    ],
)
def test_what_could_not_be_given_back_is_refused_by_its_place(
    buying: Checkout, shop: Shop, more: Any, param: str
) -> None:
    shop.add("TENT")
    answer = buying.agent.post("/checkout_sessions", buying.wish("TENT") | more)
    assert (answer.status_code, answer.json()["param"]) == (400, param)


@pytest.mark.parametrize(
    ("more", "wrong"),
    [
        ({"buyer": {"email": ""}, "fulfillment_details": {}}, ["$.buyer.email"]),
        ({"buyer": {"email": "x@"}, "fulfillment_details": {"email": "y@example.com"}}, ["$.buyer.email"]),
        (
            {"buyer": {"email": "x"}, "fulfillment_details": {"email": "y"}},
            ["$.buyer.email", "$.fulfillment_details.email"],
        ),
        ({"buyer": BUYER, "fulfillment_details": {"email": "y"}}, ["$.fulfillment_details.email"]),
        ({"fulfillment_details": {"email": ""}}, ["$.fulfillment_details.email"]),
    ],
)  # fmt: skip
def test_addresses_that_cannot_be_right_are_told_and_not_given_back(
    buying: Checkout, shop: Shop, more: Any, wrong: list[str]
) -> None:
    shop.add("TENT")
    session = buying.agent.post("/checkout_sessions", buying.wish("TENT") | more).json()
    assert [one["param"] for one in session["messages"] if one["code"] == "invalid"] == wrong


@pytest.mark.parametrize(
    "more",
    [
        {"locale": "\u202e\ufffd", "timezone": "\U0001f600"},
        {"metadata": {}},
        {"buyer": BUYER | {"loyalty": {"member_since": "2024-01-15t09:00:00.123456789-05:00"}}},
        {"buyer": BUYER | {"loyalty": {}, "account_type": "business"}},
        {"fulfillment_details": {"name": ""}},
        {"fulfillment_details": {"address": ADDRESS | {"country": "Narnia"}}},
        {"fulfillment_details": {"address": ADDRESS | {"country": "us", "state": "wa"}}},
        {"order_notes": "\u0001\u0007\U0001f600"},
        {"discounts": {"codes": ["", " ", "\u0130", "ß", "x" * 255]}},
        {"discounts": {}},
        {"capabilities": {"extensions": [{"name": "discount"}, "discount@1", {}]}},
    ],
)
def test_odd_texts_are_answered_in_both_versions(buying: Checkout, shop: Shop, more: Any) -> None:
    shop.add("TENT")
    for version in ("2026-04-17", OLDER):
        made = buying.agent.at(version).post("/checkout_sessions", buying.wish("TENT") | more)
        assert made.status_code == 201, made.text
        assert buying.get(made.json())["totals"] == made.json()["totals"]
        assert buying.cancel(made.json()).status_code == 200


def test_nobody_keeps_requests_out_of_the_record(shop: Shop, site: Site, agent: Agent) -> None:
    """A path, a header or a body of a read may spell what the store cannot hold."""
    agent.get("/orders/ord_nothing", Request_Id="before")
    agent.get("/orders/a%00b", Request_Id="path")
    agent.get("/orders/x", Request_Id="header", API_Version="2026-04-17-and-more")
    agent.ask("GET", "/orders/x", b'{"id": "\\u0000", "address": ' + b'{"address":' * 900 + b"1" + b"}" * 901)
    agent.get("/orders/ord_nothing", Request_Id="after")
    site.agent_log.flush()
    with shop.uow() as db:
        kept = list(db.scalars(select(AgentRequest).order_by(AgentRequest.id)))
    assert len(kept) == 5
    assert [kept[0].request_id, kept[1].subject_id, kept[4].request_id] == ["before", "ab", "after"]


def test_one_entry_that_cannot_be_kept_takes_no_other_with_it(shop: Shop, site: Site, agent: Agent) -> None:
    agent.get("/orders/ord_nothing")
    site.agent_log.flush()
    with shop.uow() as db:
        row = db.scalars(select(AgentRequest)).one()
        known = {name: getattr(row, name) for name in (one.name for one in fields(Entry))}
    site.agent_log.note(lambda: Entry(**known | {"request_id": "first"}))
    site.agent_log.note(lambda: Entry(**known | {"request_id": "\0"}))
    site.agent_log.note(lambda: Entry(**known | {"nothing": 1}))
    site.agent_log.note(lambda: Entry(**known | {"request_id": "last"}))
    site.agent_log.flush()
    with shop.uow() as db:
        assert list(db.scalars(select(AgentRequest.request_id).order_by(AgentRequest.id)))[1:] == ["first", "last"]
