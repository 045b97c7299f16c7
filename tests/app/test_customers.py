"""Proving an e-mail at the door, and what opens by it: cookies rotate, answers tell nobody who shops here."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import func, select

from app.identity import COOKIE
from engine.customers.models import Address, Customer, EmailCode, PaymentMethod
from engine.customers.policy import AddressesPolicy, LoyaltyPolicy
from engine.kit.ids import new_id
from engine.kit.policies import change_policy
from engine.kit.tenancy import BrowserSession, Tenant
from engine.orders.models import Order
from engine.payments.gateway import GatewayTimeout
from tests.app.conftest import Browser, paid_order
from tests.engine.customers.people import letter_of
from tests.engine.customers.test_loyalty import give_points
from tests.shop import ADDRESS, Shop

ADA = "ada@example.com"
NEW = ADDRESS | {"default": False}


def ask(browser: Browser, email: str = ADA) -> Any:
    return browser.post("/v1/identity/codes", {"email": email})


def newest_code(shop: Shop) -> str:
    with shop.uow() as session:
        row = session.scalars(select(EmailCode.id).order_by(EmailCode.created_at.desc()).limit(1)).one()
        return letter_of(shop, session, row)


def sign_in(browser: Browser, shop: Shop, email: str = ADA) -> dict[str, Any]:
    """Start as a guest, ask for a code and type it."""
    browser.start(shop.tenant)
    assert ask(browser, email).status_code == 202
    answer = browser.post("/v1/identity/verify", {"email": email, "code": newest_code(shop)})
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def test_the_answer_to_asking_is_the_same_for_a_known_and_an_unknown_address(open_browser, shop: Shop) -> None:
    sign_in(open_browser(), shop)
    browser = open_browser()
    browser.start(shop.tenant)

    answers = [ask(browser, email) for email in (ADA, "nobody@example.com")]

    assert [a.status_code for a in answers] == [202, 202]
    assert len({a.json()["message"] for a in answers}) == 1
    assert answers[0].json().keys() == answers[1].json().keys() == {"message", "expires_at"}
    assert newest_code(shop) not in answers[1].text


def test_the_cookie_is_another_after_the_code_and_the_old_one_opens_nothing(open_browser, shop: Shop) -> None:
    browser, thief = open_browser(), open_browser()
    thread = browser.start(shop.tenant)
    planted = browser.http.cookies.get(COOKIE, path="/")
    ask(browser)
    verified = browser.post("/v1/identity/verify", {"email": ADA, "code": newest_code(shop)})

    assert verified.json()["email"] == ADA
    assert "max-age" in verified.headers["set-cookie"].lower()
    assert browser.get(f"/v1/threads/{thread}").status_code == 200
    assert browser.get("/v1/me").json()["email"] == ADA
    thief.http.cookies.set(COOKIE, planted)
    assert thief.get(f"/v1/threads/{thread}").status_code == 404
    assert thief.get("/v1/me").status_code == 401
    with shop.runtime.store.without_tenant() as session:
        query = select(func.count()).where(BrowserSession.tenant_id == shop.tenant.id)
        assert session.scalar(query) == 1


def test_a_repeated_verify_answers_again_without_a_cookie(browser: Browser, shop: Shop) -> None:
    browser.start(shop.tenant)
    ask(browser)
    body = {"email": ADA, "code": newest_code(shop)}
    first = browser.post("/v1/identity/verify", body, key="once")
    second = browser.post("/v1/identity/verify", body, key="once")

    assert (first.status_code, second.status_code, second.json()) == (200, 200, first.json())
    assert "set-cookie" not in second.headers


def test_a_wrong_code_says_nothing_and_changes_nothing(browser: Browser, shop: Shop) -> None:
    browser.start(shop.tenant)
    ask(browser)
    wrong = f"{(int(newest_code(shop)) + 1) % 1_000_000:06d}"
    answers = [browser.post("/v1/identity/verify", {"email": e, "code": wrong}) for e in (ADA, "no@example.com")]

    assert [(a.status_code, a.json()["code"]) for a in answers] == [(422, "email_code_wrong")] * 2
    assert answers[0].json()["detail"] == answers[1].json()["detail"]
    assert browser.get("/v1/me").json()["code"] == "email_not_verified"
    with shop.uow() as session:
        assert session.scalars(select(Customer)).all() == []


def test_a_guest_reaches_nothing_of_a_profile(browser: Browser, shop: Shop) -> None:
    browser.start(shop.tenant)
    for path in ("", "/addresses", "/payment_methods", "/consents", "/points", "/export"):
        answer = browser.get(f"/v1/me{path}")
        assert (answer.status_code, answer.json()["code"]) == (401, "email_not_verified"), path


def test_signing_out_ends_the_session(browser: Browser, shop: Shop) -> None:
    sign_in(browser, shop)
    assert browser.post("/v1/identity/sign_out").json() == {"signed_out": True}

    assert browser.get("/v1/me").status_code == 401


def test_addresses_are_kept_changed_and_dropped(browser: Browser, shop: Shop) -> None:
    sign_in(browser, shop)
    first = browser.post("/v1/me/addresses", NEW).json()
    second = browser.post("/v1/me/addresses", NEW | {"city": "Salem", "state": "Oregon"}).json()
    assert (first["is_default"], second["is_default"], second["state"]) == (True, False, "OR")

    path = f"/v1/me/addresses/{second['id']}"
    changed = browser.http.patch(path, json={"default": True, "city": "Bend"}, headers={"Idempotency-Key": "a"}).json()
    assert (changed["city"], changed["is_default"]) == ("Bend", True)
    listed = browser.get("/v1/me/addresses").json()["items"]
    assert [(one["city"], one["is_default"]) for one in listed] == [("Bend", True), ("Portland", False)]
    left = browser.http.delete(path, headers={"Idempotency-Key": "b"}).json()["items"]
    assert [(one["id"], one["is_default"]) for one in left] == [(first["id"], True)]


def test_an_address_that_cannot_be_is_refused(browser: Browser, shop: Shop) -> None:
    sign_in(browser, shop)
    answer = browser.post("/v1/me/addresses", NEW | {"postal_code": "nope"})

    assert (answer.status_code, answer.json()["param"]) == (400, "postal_code")
    with shop.uow() as session:
        assert session.scalars(select(Address)).all() == []


def test_a_shop_may_keep_addresses_as_given(browser: Browser, shop: Shop) -> None:
    with shop.uow() as session:
        change_policy(session.get_one(Tenant, shop.tenant.id), AddressesPolicy, {"check": "as_given"})
    sign_in(browser, shop)
    kept = browser.post("/v1/me/addresses", NEW | {"postal_code": "nope", "state": "Atlantis", "city": ""}).json()
    assert (kept["postal_code"], kept["state"], kept["city"], kept["country"]) == ("nope", "Atlantis", "", "US")


def test_a_customers_things_are_not_anothers(open_browser, shop: Shop) -> None:
    ada, eve = open_browser(), open_browser()
    sign_in(ada, shop)
    kept = ada.post("/v1/me/addresses", NEW).json()["id"]
    sign_in(eve, shop, "eve@example.com")

    assert eve.get("/v1/me/addresses").json()["items"] == []
    gone = eve.http.delete(f"/v1/me/addresses/{kept}", headers={"Idempotency-Key": "c"})
    assert gone.status_code == 404
    assert [one["id"] for one in ada.get("/v1/me/addresses").json()["items"]] == [kept]


def add_card(shop: Shop, customer_id: str, ref: str) -> str:
    with shop.uow() as session:
        row = PaymentMethod(
            tenant_id=shop.tenant.id, id=new_id("payment_method"), customer_id=customer_id, gateway="sandbox",
            gateway_ref=ref, brand="visa", last4="4242", exp_month=1, exp_year=2040,
        )  # fmt: skip
        session.add(row)
        return row.id


def test_a_saved_card_is_dropped_here_and_at_the_gateway(browser: Browser, shop: Shop, monkeypatch) -> None:
    customer = sign_in(browser, shop)["id"]
    card = add_card(shop, customer, "card_saved")
    asked: list[tuple[str, str]] = []
    away = [True]

    def forget(ref: str, *, merchant: str) -> None:
        asked.append((ref, merchant))
        if away[0]:
            raise GatewayTimeout("no answer")

    monkeypatch.setattr(shop.runtime.gateways["sandbox"], "forget", forget)
    assert [one["id"] for one in browser.get("/v1/me/payment_methods").json()["items"]] == [card]
    answer = browser.http.delete(f"/v1/me/payment_methods/{card}", headers={"Idempotency-Key": "d"})

    assert (answer.status_code, answer.json()["items"]) == (200, [])
    assert browser.get("/v1/me/payment_methods").json()["items"] == []
    away[0] = False
    from engine.customers.wallet import forget_removed

    assert forget_removed(shop.runtime, shop.tenant.id) == 1
    assert asked == [("card_saved", shop.tenant.id)] * 2
    with shop.uow() as session:
        assert session.scalars(select(PaymentMethod)).all() == []


def test_consents_are_added_and_the_newest_counts(browser: Browser, shop: Shop) -> None:
    sign_in(browser, shop)
    said = {"topic": "marketing", "channel": "email", "text_version": "2026-01"}
    assert browser.post("/v1/me/consents", said | {"granted": True}).status_code == 201
    assert browser.post("/v1/me/consents", said | {"granted": False}).status_code == 201
    assert browser.post("/v1/me/consents", said | {"granted": True, "channel": "pigeon"}).status_code == 400

    standing = browser.get("/v1/me/consents").json()["items"]
    assert [(one["topic"], one["channel"], one["granted"]) for one in standing] == [("marketing", "email", False)]


def test_points_are_redeemed_once_for_each_key(browser: Browser, shop: Shop) -> None:
    customer = sign_in(browser, shop)["id"]
    with shop.uow() as session:
        change_policy(session.get_one(Tenant, shop.tenant.id), LoyaltyPolicy, {"enabled": True})
    give_points(shop, customer, 1200)

    answers = [browser.post("/v1/me/points/redeem", {"points": 500}, key="once") for _ in range(2)]

    assert [a.status_code for a in answers] == [201, 201]
    assert answers[1].json() == {"points": 500, "credit": {"amount": 500, "currency": "USD"}, "balance": 700}
    assert browser.get("/v1/me/points").json()["balance"] == 700


def test_number_and_email_give_the_bare_state_and_misses_count(open_browser, shop: Shop) -> None:
    shop.add("A")
    order_id = paid_order(shop, "A")
    with shop.uow() as session:
        number = session.scalars(select(Order.number).where(Order.id == order_id)).one()
    browser = open_browser()
    browser.start(shop.tenant)

    found = browser.post("/v1/orders/lookup", {"number": number, "email": ADA.upper()})
    assert found.json().keys() == {"number", "status", "fulfillment_status", "placed_on"}
    assert (found.status_code, found.json()["status"]) == (200, "open")
    answers = [browser.post("/v1/orders/lookup", {"number": number, "email": "x@example.com"}) for _ in range(5)]
    assert [a.status_code for a in answers] == [404, 404, 404, 404, 429]


def test_staff_see_customers_and_what_only_says_it_is_theirs(open_browser, shop: Shop, make_key) -> None:
    customer = sign_in(open_browser(), shop)["id"]
    sign_in(open_browser(), shop, "zoe@example.com")
    shop.add("A")
    order = paid_order(shop, "A")
    from tests.engine.customers.people import tell

    tell(shop)
    key, desk = make_key(shop.tenant, "staff"), open_browser()

    page = desk.get("/v1/customers?limit=1", authorization=key).json()
    rest = desk.get(f"/v1/customers?limit=1&cursor={page['next_cursor']}", authorization=key).json()
    assert [one["email"] for one in page["items"] + rest["items"]] == ["zoe@example.com", ADA]
    assert rest["next_cursor"] is None
    found = desk.get(f"/v1/customers?q={ADA}&verified=true&status=active", authorization=key).json()["items"]
    assert [(one["id"], one["orders"], one["status"]) for one in found] == [(customer, 0, "active")]
    one = desk.get(f"/v1/customers/{customer}", authorization=key).json()
    assert [(link["subject_id"], link["status"]) for link in one["links"]] == [(order, "claimed")]
    assert one["recent_orders"] == []


def test_staff_merge_two_customers(open_browser, shop: Shop, make_key) -> None:
    source, target = sign_in(open_browser(), shop)["id"], sign_in(open_browser(), shop, "ada@work.example")["id"]
    key, desk = make_key(shop.tenant, "staff"), open_browser()
    body = {"source_id": source, "target_id": target}

    answer = desk.post("/v1/staff/customers/merge", body, authorization=key)

    assert (answer.status_code, answer.json()["moved"]) == (201, {"shoppers": 1})
    again = desk.post("/v1/staff/customers/merge", body, authorization=key)
    assert (again.status_code, again.json()["code"]) == (409, "customers_not_mergeable")


def test_being_forgotten_takes_a_fresh_code_and_the_words(open_browser, shop: Shop) -> None:
    browser = open_browser()
    customer = sign_in(browser, shop)["id"]
    browser.post("/v1/me/addresses", NEW)
    for body in ({"code": "123456", "confirm": "yes"}, {"code": "000000", "confirm": "erase my data"}):
        assert browser.post("/v1/me/erasure", body).status_code in {400, 422}
    assert browser.get("/v1/me/export").json()["data"]["addresses"][0]["city"] == "Portland"
    ask(browser)

    done = browser.post("/v1/me/erasure", {"code": newest_code(shop), "confirm": "erase my data"})

    assert (done.status_code, done.json()["status"], done.json()["waits_for"]) == (202, "done", [])
    assert browser.get("/v1/me").status_code == 401
    with shop.uow() as session:
        assert session.scalars(select(Customer.email)).all() == [f"{customer}@erased.invalid"]
        assert session.scalars(select(Address)).all() == []


def test_staff_export_and_erase(open_browser, shop: Shop, make_key) -> None:
    customer = sign_in(open_browser(), shop)["id"]
    key, desk = make_key(shop.tenant, "staff"), open_browser()
    told = desk.get(f"/v1/staff/customers/{customer}/export", authorization=key).json()
    assert [one["email"] for one in told["data"]["customers"]] == [ADA]
    path, body = f"/v1/staff/customers/{customer}/erase", {"reason": "asked_by_customer"}

    answers = [desk.post(path, body, key="once", authorization=key) for _ in range(2)]

    assert [(a.status_code, a.json()["status"]) for a in answers] == [(202, "done")] * 2
    again = desk.post(path, body, authorization=key)
    assert (again.status_code, again.json()["code"]) == (409, "customer_erased")
    found = desk.get("/v1/customers?status=erased", authorization=key).json()["items"]
    assert [(one["id"], one["name"]) for one in found] == [(customer, "")]


@pytest.mark.parametrize("email", ["", "x", "a@b", "a b@example.com", "x" * 300 + "@example.com"])
def test_what_is_no_address_gets_no_code(browser: Browser, shop: Shop, email: str) -> None:
    browser.start(shop.tenant)

    assert ask(browser, email).status_code == 400
    with shop.uow() as session:
        assert session.scalars(select(EmailCode)).all() == []


def test_a_code_said_in_the_conversation_is_not_kept(browser: Browser, shop: Shop) -> None:
    thread = browser.start(shop.tenant)
    ask(browser)
    code = newest_code(shop)
    browser.say(thread, f"my code is {code}")

    assert code not in browser.get(f"/v1/threads/{thread}").text
