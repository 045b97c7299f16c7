"""The same key under another version, addresses that are not quite ours, contacts and codes that are tried again."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any
from urllib.parse import unquote

import anyio
import pytest
from sqlalchemy import select, text
from starlette.datastructures import Headers
from starlette.testclient import TestClient

from engine.agentic.policy import AgenticPolicy
from engine.checkout.models import CheckoutSession, Consent
from engine.kit import clock
from engine.kit.policies import change_policy
from engine.kit.tenancy import Tenant
from engine.orders.models import Order
from tests.app.acp.conftest import ADDRESS, BUYER, OLDER, VERSION, Agent, Checkout, codes, paid_with, total
from tests.engine.carts.test_uses import promote
from tests.shop import Shop


@pytest.fixture
def ready(buying: Checkout, shop: Shop) -> dict[str, Any]:
    shop.add("TENT", price=5000)
    return buying.opened("TENT")


def orders(shop: Shop) -> list[Order]:
    with shop.uow() as db:
        return list(db.scalars(select(Order)))


def decide(shop: Shop, **settings: Any) -> None:
    """The shop's own word on agents."""
    with shop.uow() as db:
        change_policy(db.get_one(Tenant, shop.tenant.id), AgenticPolicy, settings)


@pytest.mark.parametrize(("first", "then"), [(VERSION, OLDER), (OLDER, VERSION)])
def test_a_kept_answer_is_said_in_the_version_that_is_asked_for(
    buying: Checkout, shop: Shop, first: str, then: str
) -> None:
    shop.add("TENT", price=5000)
    body = buying.wish("TENT") | {"buyer": BUYER, "fulfillment_details": {"address": ADDRESS | {"company": "Ada Inc"}}}
    made = {
        version: buying.agent.at(version).post("/checkout_sessions", body, key="open")
        for version in (first, then, first)
    }
    assert {one.json()["protocol"]["version"] for one in made.values()} == {VERSION, OLDER}
    assert made[first].content != made[then].content
    assert made[first].json()["id"] == made[then].json()["id"]
    assert all(one.headers["idempotent-replayed"] == "true" for one in made.values())
    session = made[VERSION].json()
    token, path = buying.token(session), f"/checkout_sessions/{session['id']}/complete"
    paid = {one: buying.agent.at(one).post(path, paid_with(token), key="pay") for one in (first, then, first)}
    assert paid[OLDER].json()["order"]["id"] == paid[VERSION].json()["order"]["id"]
    assert len(orders(shop)) == 1


def test_a_kept_refusal_reads_the_same_in_both_versions(buying: Checkout, ready: dict[str, Any]) -> None:
    path = f"/checkout_sessions/{ready['id']}"
    answers = [buying.agent.at(one).post(path, {"nope": 1}, key="k") for one in (OLDER, VERSION)]
    assert [one.status_code for one in answers] == [400, 400]
    assert answers[0].content == answers[1].content


ODD = [
    "//checkout_sessions/cs_1",
    "/checkout_sessions//cs_1",
    "/checkout_sessions/",
    "/checkout_sessions/cs_1/",
    "/checkout_sessions/./cs_1",
    "/%2Fcheckout_sessions/cs_1/x",
    "/.//carts/x/y/z",
    "/v1/../checkout_sessions/x/y/z",
    "///acp///mcp///",
    "/.well-known//acp.json",
    "/orders/..%2f..%2fetc",
    "/orders/%2e%2e/%2e%2e/orders/x",
    "/checkout_sessions/cs_1;v=1/complete",
    "/checkout_sessions/cs_1%3Fx",
    "/checkout_sessions/cs_1%00",
    "/checkout_sessions/%F0%9F%98%80",
    "/checkout_sessions/%ff%fe",
    "/checkout_sessions/" + "a" * 2000,
]


def spoken(http: TestClient, method: str, path: str, headers: dict[str, str]) -> tuple[int, Headers, bytes]:
    """An answer to an address as it is spelled: clients would put it right."""
    raw, told = path.encode(), []
    scope = {"type": "http", "method": method, "path": unquote(path), "raw_path": raw, "query_string": b""}
    lines = [(name.lower().encode(), value.encode()) for name, value in headers.items()]
    scope |= {"headers": [(b"host", b"127.0.0.1:8000"), *lines], "scheme": "http", "http_version": "1.1"}
    scope |= {"server": ("127.0.0.1", 8000), "client": ("127.0.0.1", 1), "root_path": "", "asgi": {"version": "3.0"}}

    async def receive() -> Any:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Any) -> None:
        told.append(message)

    anyio.run(http.app, scope, receive, send)
    return told[0]["status"], Headers(raw=told[0]["headers"]), b"".join(one.get("body", b"") for one in told)


@pytest.mark.parametrize("method", ["GET", "POST", "HEAD", "OPTIONS", "PATCH"])
def test_addresses_that_are_not_quite_ours_are_told_in_the_protocols_words(agent: Agent, method: str) -> None:
    sent = {"Authorization": agent.key or "", "API-Version": VERSION, "Idempotency-Key": "k", "Request-Id": "r"}
    for path in ODD:
        status, headers, body = spoken(agent.http, method, path, sent)
        assert status in {404, 405}, path
        assert (headers["content-type"], headers.get("request-id")) == ("application/json", "r"), (path, body)
        assert json.loads(body)["code"] in {"not_found", "method_not_allowed"}


@pytest.mark.parametrize("given", ["buyer", "fulfillment_details"])
def test_an_email_that_cannot_be_right_is_told_at_complete_and_burns_nothing(
    buying: Checkout, shop: Shop, ready: dict[str, Any], given: str
) -> None:
    token = buying.token(ready)
    wrong = {"buyer": BUYER | {"email": "ada@"}, "fulfillment_details": {"email": "ada@"}}[given]
    answer = buying.complete(ready, token, order_notes="not yet", **{given: wrong})

    session = answer.json()
    assert (answer.status_code, session["status"], codes(session)) == (200, "ready_for_payment", ["invalid"])
    assert session["messages"][0]["param"] == f"$.{given}.email"
    assert (orders(shop), buying.get(ready)["messages"]) == ([], [])
    with shop.uow() as db:
        assert db.scalars(select(Consent)).all() == []
        assert db.scalars(select(CheckoutSession.buyer)).one()["email"] == "ada@example.com"
    done = buying.complete(ready, token).json()
    assert (done["status"], done["buyer"]["email"]) == ("completed", "ada@example.com")
    assert [one.buyer["email"] for one in orders(shop)] == ["ada@example.com"]


def test_an_email_that_was_wrong_before_is_told_once(buying: Checkout, shop: Shop) -> None:
    shop.add("TENT")
    session = buying.opened("TENT", buyer=BUYER | {"email": "ada@"})
    answer = buying.complete(session, buying.token(session), buyer=BUYER | {"email": "ada@"}).json()
    assert (answer["status"], codes(answer)) == ("not_ready_for_payment", ["invalid"])
    done = buying.complete(session, buying.token(session), buyer=BUYER)
    assert done.json()["status"] == "completed"


def test_misses_of_codes_are_counted_for_a_platform(
    buying: Checkout, shop: Shop, open_agent: Callable[..., Agent]
) -> None:
    """In whatever session: beyond them neither a good code nor a bad one is looked at, and others are not slowed."""
    decide(shop, code_misses_per_hour=10)
    shop.add("TENT", price=5000)
    promote(shop, code="TEN", percent_off=10)
    for number in range(2):
        wish = buying.wish("TENT") | {"discounts": {"codes": [f"GUESS-{number}-{more}" for more in range(5)]}}
        assert buying.agent.post("/checkout_sessions", wish).status_code == 201
    for code in ("TEN", "GUESS"):
        wish = buying.wish("TENT") | {"discounts": {"codes": [code]}}
        answer = buying.agent.post("/checkout_sessions", wish, key=f"try-{code}")
        assert (answer.status_code, answer.json()["code"]) == (429, "rate_limited")
        assert int(answer.headers["retry-after"]) >= 1
    assert buying.agent.post("/checkout_sessions", buying.wish("TENT")).status_code == 201
    other = open_agent(shop.tenant)
    wish = buying.wish("TENT") | {"discounts": {"codes": ["TEN"]}}
    assert other.post("/checkout_sessions", wish).json()["discounts"]["applied"][0]["code"] == "TEN"
    with clock.shifted(timedelta(hours=1)):
        assert buying.agent.post("/checkout_sessions", wish, key="try-TEN").status_code == 201


def test_good_codes_are_no_misses_however_many_buy(buying: Checkout, shop: Shop) -> None:
    decide(shop, code_misses_per_hour=1)
    shop.add("TENT", price=5000)
    promote(shop, code="TEN", percent_off=10)
    for _ in range(3):
        assert buying.opened("TENT", discounts={"codes": ["TEN"]})["discounts"]["applied"][0]["code"] == "TEN"


def test_nobody_asks_by_a_code_who_has_bought_before(buying: Checkout, shop: Shop) -> None:
    """One session, one code for first orders, many e-mails: each that the code is not for counts."""
    decide(shop, code_misses_per_hour=2)
    shop.add("TENT", price=5000)
    promote(shop, code="WELCOME", percent_off=10, first_order_only=True)
    first = buying.opened("TENT")
    assert buying.complete(first, buying.token(first)).json()["status"] == "completed"
    session = buying.opened("TENT", buyer=BUYER | {"email": "new@example.com"}, discounts={"codes": ["WELCOME"]})
    assert session["discounts"]["applied"][0]["code"] == "WELCOME"
    for _ in range(2):
        told = buying.update(session, {"buyer": BUYER if _ else BUYER | {"email": "ADA@example.com"}}).json()
        assert codes(told, "warning") == ["discount_code_user_ineligible"]
    answer = buying.update(session, {"buyer": BUYER | {"email": "else@example.com"}})
    assert answer.status_code == 429
    assert buying.get(session)["buyer"]["email"] == "ada@example.com"


@pytest.mark.parametrize("given", ["buyer", "fulfillment_details"])
def test_nor_with_a_payment_that_cannot_pay(buying: Checkout, shop: Shop, given: str) -> None:
    """A code that was refused before is tried anew with whoever is named now, and that counts as well."""
    decide(shop, code_misses_per_hour=3)
    shop.add("TENT", price=5000)
    promote(shop, code="WELCOME", percent_off=10, first_order_only=True)
    first = buying.opened("TENT")
    assert buying.complete(first, buying.token(first)).json()["status"] == "completed"
    home = {"address": ADDRESS, "name": "Ada"}
    who = {"buyer": BUYER, "fulfillment_details": home | {"email": BUYER["email"]}}[given]
    wish = buying.wish("TENT") | {"fulfillment_details": home, "discounts": {"codes": ["WELCOME"]}, given: who}
    session = buying.agent.post("/checkout_sessions", wish).json()
    assert codes(session, "warning") == ["discount_code_user_ineligible"]
    for spelled in ("Ada@example.com", "Ada@example.com", "aDa@example.com"):
        told = buying.complete(session, "vt_nothing", **{given: who | {"email": spelled}})
        assert codes(told.json(), "warning") == ["discount_code_user_ineligible"]
    answer = buying.complete(session, "vt_nothing", **{given: who | {"email": "else@example.com"}})
    assert (answer.status_code, answer.json()["code"]) == (429, "rate_limited")


CARD = "4242424242424242"


def test_a_cards_number_in_the_wrong_place_is_not_kept(buying: Checkout, shop: Shop) -> None:
    """Neither where people read it, nor as the digest of what was no token."""
    shop.add("TENT", price=5000)
    group = {"id": "g", "item_ids": [], "destination_type": "shipping", "instructions": f"card {CARD}"}
    session = buying.opened("TENT", order_notes="pay by 4242 4242 4242 4242", fulfillment_groups=[group])
    assert CARD not in buying.agent.last.text
    refused = buying.complete(session, CARD, order_notes=f"or {CARD}")
    assert (codes(refused.json()), CARD in refused.text) == (["payment_declined"], False)
    digests = [hashlib.sha256(CARD.encode()).hexdigest()[:16], hashlib.md5(CARD.encode()).hexdigest()]  # noqa: S324
    with shop.uow() as db:
        tables = db.scalars(text("SELECT table_name FROM information_schema.tables WHERE table_schema = 'app'")).all()
        for table in tables:
            rows = db.connection().exec_driver_sql(f"SELECT t::text FROM app.{table} t").scalars()  # noqa: S608 (our own)
            for row in rows:
                assert not any(word in row.replace(" ", "") for word in (CARD, *digests)), table
    assert buying.complete(session, buying.token(session)).json()["status"] == "completed"


def test_a_code_that_is_not_for_the_buyer_of_the_payment_is_told_and_nothing_is_paid(
    buying: Checkout, shop: Shop
) -> None:
    decide(shop, code_misses_per_hour=1)
    shop.add("TENT", price=5000)
    promote(shop, code="WELCOME", percent_off=10, first_order_only=True)
    first = buying.opened("TENT")
    assert buying.complete(first, buying.token(first)).json()["status"] == "completed"
    session = buying.opened(
        "TENT", buyer=BUYER | {"email": "new@example.com"}, discounts={"codes": ["NOPE", "WELCOME"]}
    )
    token = buying.token(session, amount=20_000)
    with clock.shifted(timedelta(hours=1)):  # NOPE was the one miss of this hour
        told = buying.complete(session, token, buyer=BUYER).json()
        assert (told["status"], codes(told)) == ("ready_for_payment", ["payment_declined"])
        assert set(codes(told, "warning")) == {"discount_code_invalid", "discount_code_user_ineligible"}
        assert ([one["code"] for one in told["discounts"]["rejected"]], len(orders(shop))) == (["NOPE", "WELCOME"], 1)
        assert total(told) > total(session)
        again = buying.complete(session, token, buyer=BUYER | {"email": "new@example.com"})
        assert again.status_code == 429
        done = buying.complete(session, buying.token(session, amount=20_000)).json()
    assert (done["status"], total(done)) == ("completed", total(told))


def test_a_code_that_ended_before_the_payment_is_told_and_nothing_is_paid(buying: Checkout, shop: Shop) -> None:
    shop.add("TENT", price=5000)
    promote(shop, code="TEN", percent_off=10, ends_at=clock.now() + timedelta(minutes=5))
    session = buying.opened("TENT", discounts={"codes": ["TEN"]})
    token = buying.token(session, amount=20_000)
    with clock.shifted(timedelta(minutes=6)):
        told = buying.complete(session, token).json()
        assert (told["status"], codes(told), orders(shop)) == ("ready_for_payment", ["payment_declined"], [])
        assert codes(told, "warning") == ["discount_code_expired"]
        done = buying.complete(session, token).json()
    assert (done["status"], total(done)) == ("completed", total(told))
