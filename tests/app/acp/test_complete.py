"""Paying by a delegated token: one order for it, whoever asks how often; and every token that must not pay."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select, update

from app.site import Site
from engine.agentic import paying
from engine.agentic.models import AgentPlatform
from engine.agentic.session_models import AgentSession
from engine.catalog.models import Variant
from engine.checkout.models import CheckoutSession, Consent, ConsentStatus
from engine.checkout.paid import LIVE_RUN
from engine.checkout.recovery import recover_payments
from engine.checks import check_tenant
from engine.customers.models import ContactConsent, CustomerLink
from engine.jobs import tell_agentic, tell_customers
from engine.kit import clock, faults
from engine.kit.idempotency import LEASE, IdempotencyKey
from engine.kit.tenancy import Tenant
from engine.orders.models import Order, OrderNote
from engine.payments.models import Payment, PaymentStatus
from engine.payments.risk import Purchase, RiskAnswer
from tests.app.acp.conftest import ADDRESS, BUYER, OLDER, Agent, Checkout, codes, paid_with, total
from tests.app.conftest import counted
from tests.shop import Shop, open_shop

DATA = paid_with("t")["payment_data"]
TOKEN = "$.payment_data.instrument.credential.token"


@pytest.fixture
def ready(buying: Checkout, shop: Shop) -> dict[str, Any]:
    """A session that can be paid."""
    shop.add("TENT", price=5000)
    return buying.opened("TENT")


def orders(shop: Shop) -> list[Order]:
    with shop.uow() as db:
        return list(db.scalars(select(Order).where(Order.placed_at.is_not(None))))


def refused(buying: Checkout, session: dict[str, Any], answer: Any) -> None:
    """Nothing was captured, and the session can still be paid."""
    body = answer.json()
    assert (answer.status_code, body["status"], codes(body)) == (200, "ready_for_payment", ["payment_declined"])
    assert body["messages"][0]["param"] == TOKEN
    assert orders(buying.shop) == []
    paid = buying.complete(session, buying.token(buying.get(session)))
    assert paid.json()["status"] == "completed", paid.text


def test_a_delegated_token_of_a_trusted_platform_buys(buying: Checkout, shop: Shop, ready: dict[str, Any]) -> None:
    answer = buying.complete(ready, buying.token(ready))
    session, (order,) = answer.json(), orders(shop)

    assert (answer.status_code, session["status"]) == (200, "completed")
    assert session["order"]["id"] == order.id
    assert session["order"]["checkout_session_id"] == ready["id"]
    assert (order.total, session["totals"]) == (total(ready), ready["totals"])
    assert session["line_items"] == ready["line_items"] or session["line_items"][0]["totals"]
    assert session["messages"] == []
    assert session["capabilities"]["payment"]["handlers"] == []
    assert buying.get(ready) == session
    with shop.uow() as db:
        consent = db.scalars(select(Consent)).one()
        payment = db.scalars(select(Payment)).one()
    assert (consent.channel, consent.status, consent.owner_id) == ("acp", "claimed", order.owner_id)
    assert order.owner_id.startswith("agp_")
    assert (payment.status, payment.amount, payment.consent_id) == ("captured", total(ready), consent.id)


def test_a_completed_session_stays_as_it_was_bought(buying: Checkout, shop: Shop, ready: dict[str, Any]) -> None:
    buying.complete(ready, buying.token(ready))
    with shop.uow() as db:
        db.execute(update(Variant).values(price=9_900))
    assert buying.get(ready)["totals"] == ready["totals"]
    assert buying.update(ready, {}).status_code == 409
    assert buying.cancel(ready).status_code == 405
    assert buying.complete(ready, buying.token(ready)).status_code == 409
    assert len(orders(shop)) == 1


def test_a_repeat_is_answered_the_same(buying: Checkout, shop: Shop, ready: dict[str, Any]) -> None:
    token = buying.token(ready)
    first = buying.complete(ready, token, key="k")
    again = buying.complete(ready, token, key="k")

    assert (again.content, again.headers["idempotent-replayed"]) == (first.content, "true")
    assert len(orders(shop)) == 1


def test_twenty_equal_completes_at_once_make_one_order(buying: Checkout, shop: Shop, ready: dict[str, Any]) -> None:
    token = buying.token(ready)
    with ThreadPoolExecutor(20) as pool:
        sent = [pool.submit(buying.complete, ready, token, key="raced") for _ in range(20)]
        answers = [one.result() for one in sent]

    assert {one.status_code for one in answers} <= {200, 409}
    assert len({one.content for one in answers if one.status_code == 200}) == 1
    assert {one.json()["code"] for one in answers if one.status_code == 409} <= {"idempotency_in_flight"}
    assert len(orders(shop)) == 1
    assert buying.complete(ready, token, key="raced").json()["status"] == "completed"


def test_completes_under_many_keys_make_one_order(buying: Checkout, shop: Shop, ready: dict[str, Any]) -> None:
    tokens = [buying.token(ready) for _ in range(12)]
    with ThreadPoolExecutor(12) as pool:
        answers = list(pool.map(lambda token: buying.complete(ready, token), tokens))

    assert [one.status_code for one in answers].count(200) == 1
    assert {one.status_code for one in answers} == {200, 409}
    assert all(
        int(one.headers["retry-after"]) >= 1 for one in answers if one.json().get("code") == "complete_in_progress"
    )
    assert len(orders(shop)) == 1


def test_a_token_used_twice_in_parallel_pays_once(buying: Checkout, shop: Shop, ready: dict[str, Any]) -> None:
    token = buying.token(ready)
    with ThreadPoolExecutor(2) as pool:
        answers = list(pool.map(lambda _: buying.complete(ready, token), range(2)))

    assert sorted(one.status_code for one in answers) in ([200, 409], [200, 200])
    assert len(orders(shop)) == 1
    with shop.uow() as db:
        assert [row.status for row in db.scalars(select(Payment))] == ["captured"]


def test_a_token_of_another_session_does_not_pay(buying: Checkout, ready: dict[str, Any]) -> None:
    other = buying.opened("TENT")
    refused(buying, ready, buying.complete(ready, buying.token(other)))


def test_a_token_of_another_merchant_does_not_pay(
    buying: Checkout, ready: dict[str, Any], shop: Shop, make_tenant: Callable[[], Tenant]
) -> None:
    elsewhere = open_shop(shop.runtime, make_tenant())
    refused(buying, ready, buying.complete(ready, buying.token(ready, merchant=elsewhere.tenant.id)))


def test_a_token_of_another_currency_does_not_pay(buying: Checkout, ready: dict[str, Any]) -> None:
    refused(buying, ready, buying.complete(ready, buying.token(ready, currency="EUR")))


def test_a_token_for_less_does_not_pay(buying: Checkout, ready: dict[str, Any]) -> None:
    refused(buying, ready, buying.complete(ready, buying.token(ready, amount=total(ready) - 1)))


def test_a_token_does_not_pay_an_amount_that_grew_after_it(buying: Checkout, shop: Shop, ready: dict[str, Any]) -> None:
    token = buying.token(ready)
    line = {"id": shop.variants["TENT"], "quantity": 2}
    more = buying.update(ready, {"line_items": [line]}).json()
    refused(buying, more, buying.complete(more, token))


def test_a_token_does_not_pay_a_price_that_rose_after_it(buying: Checkout, shop: Shop, ready: dict[str, Any]) -> None:
    token = buying.token(ready)
    with shop.uow() as db:
        db.execute(update(Variant).values(price=5001))
    refused(buying, ready, buying.complete(ready, token))


def test_a_token_whose_time_is_over_does_not_pay(buying: Checkout, ready: dict[str, Any]) -> None:
    token = buying.token(ready, seconds=60)
    with clock.shifted(timedelta(seconds=61)):
        refused(buying, ready, buying.complete(ready, token))


def test_a_token_born_too_late_does_not_pay(buying: Checkout, ready: dict[str, Any]) -> None:
    refused(buying, ready, buying.complete(ready, buying.token(ready, seconds=-1)))


@pytest.mark.parametrize("token", ["vt_invented", "spt_123", "x" * 1000, "4242424242424242"])
def test_an_invented_token_does_not_pay(buying: Checkout, ready: dict[str, Any], token: str) -> None:
    answer = buying.complete(ready, token)
    assert token[:16] not in answer.text
    refused(buying, ready, answer)


def test_a_used_token_does_not_pay_again(buying: Checkout, shop: Shop, ready: dict[str, Any]) -> None:
    declined = buying.complete(ready, token := buying.token(ready, card="card_test_declined"))
    assert codes(declined.json()) == ["payment_declined"]
    refused(buying, ready, buying.complete(ready, token))


@pytest.mark.usefixtures("still_clock")
def test_refused_tokens_are_no_declines_of_a_bank_but_tries_are_counted(
    buying: Checkout, shop: Shop, ready: dict[str, Any]
) -> None:
    answers = [buying.complete(ready, f"vt_{number}") for number in range(21)]

    assert [one.status_code for one in answers] == [200] * 20 + [429]
    assert int(answers[-1].headers["retry-after"]) >= 1
    with shop.uow() as db:
        assert db.scalars(select(CheckoutSession.declines)).one() == 0
        assert db.scalars(select(Payment)).all() == []


def test_a_declined_card_leaves_the_session_payable(buying: Checkout, shop: Shop, ready: dict[str, Any]) -> None:
    answer = buying.complete(ready, buying.token(ready, card="card_test_funds"))
    session = answer.json()

    assert (answer.status_code, session["status"], codes(session)) == (200, "ready_for_payment", ["payment_declined"])
    assert session["messages"][0]["content"] == "The bank says there is not enough on this card."
    assert buying.get(ready)["messages"] == session["messages"]
    assert buying.update(ready, {}).json()["messages"] == []
    assert buying.complete(ready, buying.token(ready)).json()["status"] == "completed"


def test_five_declines_end_the_session(buying: Checkout, ready: dict[str, Any]) -> None:
    for _ in range(5):
        last = buying.complete(ready, buying.token(ready, card="card_test_declined"))
    assert last.json()["status"] == "canceled"
    assert buying.complete(ready, buying.token(ready)).status_code == 409


def test_what_is_missing_is_told_instead_of_paid(buying: Checkout, shop: Shop) -> None:
    shop.add("TENT")
    session = buying.agent.post("/checkout_sessions", buying.wish("TENT")).json()
    answer = buying.complete(session, buying.token(session))

    assert (answer.status_code, answer.json()["status"]) == (200, "not_ready_for_payment")
    assert orders(shop) == []


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({}, "$.payment_data"),
        ({"payment_data": {"handler_id": "card_tokenized"}}, "$.payment_data"),
        ({"payment_data": {"instrument": DATA["instrument"]}}, "$.payment_data"),
        ({"payment_data": DATA | {"cvc": "123"}}, "$.payment_data"),
        (paid_with("") | {}, TOKEN),
        (paid_with("t") | {"authentication_result": {"outcome": "authenticated"}}, "$.authentication_result"),
        (paid_with("t") | {"risk_signals": {"ip": "1"}}, "$.risk_signals"),
        (paid_with("t") | {"marketing_consents": [{"channel": "email"}]}, "$.marketing_consents[0].opted_in"),
        ({"payment_data": DATA | {"handler_id": "x"}}, "$.payment_data.handler_id"),
    ],
)  # fmt: skip
def test_a_shape_that_is_wrong_is_refused(
    buying: Checkout, shop: Shop, ready: dict[str, Any], body: Any, param: str
) -> None:
    answer = buying.agent.post(f"/checkout_sessions/{ready['id']}/complete", body)

    assert (answer.status_code, answer.json()["param"]) == (400, param)
    assert orders(shop) == []
    assert buying.get(ready) == ready


def test_a_card_whose_bank_asks_needs_an_authentication(buying: Checkout, shop: Shop, ready: dict[str, Any]) -> None:
    token = buying.token(ready, card="card_test_3ds")
    asked = buying.complete(ready, token)
    session = asked.json()

    assert (asked.status_code, session["status"], codes(session)) == (200, "authentication_required", ["requires_3ds"])
    assert session["authentication_metadata"]["directory_server"] == "visa"
    again = buying.complete(ready, token)
    assert (again.status_code, again.json()["code"]) == (400, "requires_3ds")
    assert again.json()["param"] == "$.authentication_result"
    older = buying.agent.at(OLDER).get(f"/checkout_sessions/{ready['id']}").json()
    assert older["authentication_metadata"]["channel"]["type"] == "browser"
    assert orders(shop) == []
    assert buying.complete(ready, buying.token(ready)).json()["status"] == "completed"


@pytest.mark.parametrize("outcome", ["denied", "rejected", "canceled", "abandoned", "not_supported", "internal_error"])
def test_an_authentication_that_failed_does_not_pay(
    buying: Checkout, shop: Shop, ready: dict[str, Any], outcome: str
) -> None:
    token = buying.token(ready, card="card_test_3ds")
    answer = buying.complete(ready, token, authentication_result={"outcome": outcome})

    assert (answer.status_code, codes(answer.json())) == (200, ["payment_declined"])
    assert answer.json()["messages"][0]["param"] == "$.authentication_result.outcome"
    assert orders(shop) == []


def test_an_invented_proof_does_not_pay(buying: Checkout, shop: Shop, ready: dict[str, Any]) -> None:
    proof = {
        "three_ds_cryptogram": "AbCdEfGhIjKlMnOpQrStUvWxY0=",
        "electronic_commerce_indicator": "05",
        "transaction_id": "made-up",
        "version": "2.2.0",
    }
    result = {"outcome": "authenticated", "outcome_details": proof}
    answer = buying.complete(ready, buying.token(ready, card="card_test_3ds"), authentication_result=result)

    assert (answer.status_code, codes(answer.json())) == (200, ["payment_declined"])
    assert orders(shop) == []


@pytest.mark.parametrize("scopes", [("acp",), ("admin",), ("staff",)])
def test_who_may_not_agree_for_a_human_leads_them_to_our_page(
    shop: Shop, open_agent: Callable[..., Agent], scopes: tuple[str, ...]
) -> None:
    shop.add("TENT")
    buying = Checkout(open_agent(shop.tenant, *scopes), shop)
    with shop.uow() as db:
        db.execute(update(AgentPlatform).values(trusted=False))
    ready = buying.opened("TENT")
    answer = buying.complete(ready, buying.token(ready))
    session = answer.json()

    assert (answer.status_code, session["status"], codes(session)) == (200, "pending_approval", ["approval_required"])
    assert session["messages"][0]["resolution"] == "requires_buyer_review"
    assert session["continue_url"].startswith("http://127.0.0.1:8000/confirm/cnf_")
    assert orders(shop) == []
    assert buying.get(ready)["continue_url"] == session["continue_url"]
    assert buying.agent.http.get(session["continue_url"]).status_code == 200
    changed = buying.update(ready, {"line_items": [{"id": shop.variants["TENT"], "quantity": 2}]}).json()
    assert (changed["status"], "continue_url" in changed) == ("ready_for_payment", False)
    with shop.uow() as db:
        assert db.scalars(select(Consent.status)).one() == ConsentStatus.SUPERSEDED


@pytest.mark.parametrize("scopes", [("acp",), ("staff",)])
def test_who_may_not_agree_for_a_human_needs_no_token_that_can_pay(
    shop: Shop, open_agent: Callable[..., Agent], scopes: tuple[str, ...]
) -> None:
    """Such a key cannot make one: its human enters a card on our page."""
    shop.add("TENT")
    buying = Checkout(open_agent(shop.tenant, *scopes), shop)
    with shop.uow() as db:
        db.execute(update(AgentPlatform).values(trusted=False))
    ready = buying.opened("TENT")
    session = buying.complete(ready, "vt_invented").json()

    assert (session["status"], codes(session)) == ("pending_approval", ["approval_required"])
    http, url, here = buying.agent.http, session["continue_url"], {"Origin": "http://127.0.0.1:8000"}
    opened = http.post(url.replace("?", "/open?"), headers=here)
    assert (opened.status_code, "No card yet" in opened.text, "/card?" in opened.text) == (200, True, True)
    with shop.uow() as db:
        card = db.scalars(select(Consent)).one()
        assert (card.status, card.token_sealed, card.summary["payment_method"]) == (ConsentStatus.OPEN, None, None)
    pressed = http.post(url.replace("?", "/pay?"), headers=here)  # the page does not offer it
    assert "Enter a card first." in pressed.text
    assert orders(shop) == []
    assert buying.get(ready)["continue_url"] == url


def test_terms_that_people_agree_to_are_handed_to_them(buying: Checkout, shop: Shop, ready: dict[str, Any]) -> None:
    answer = buying.agent.post(
        f"/checkout_sessions/{ready['id']}/complete", {"payment_data": {"purchase_order_number": "PO-7"}}
    )

    assert (answer.status_code, answer.json()["status"]) == (200, "requires_escalation")
    assert answer.json()["continue_url"]
    assert buying.get(ready)["status"] == "requires_escalation"
    assert orders(shop) == []
    assert buying.update(ready, {}).json()["status"] == "ready_for_payment"


def test_a_platform_calls_people_so_often_and_no_more(
    buying: Checkout, ready: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(paying, "ESCALATIONS", 2)
    order = {"payment_data": {"purchase_order_number": "PO-7"}}
    for session in (ready, buying.opened("TENT"), third := buying.opened("TENT")):
        answer = buying.agent.post(f"/checkout_sessions/{session['id']}/complete", order)
    assert (answer.status_code, answer.json()["code"]) == (429, "rate_limited")
    assert buying.get(third)["status"] == "ready_for_payment"
    with clock.shifted(timedelta(hours=1)):
        answer = buying.agent.post(f"/checkout_sessions/{third['id']}/complete", order)
        assert answer.json()["status"] == "requires_escalation"


def test_what_is_said_with_the_payment_is_kept(buying: Checkout, shop: Shop, ready: dict[str, Any]) -> None:
    token = buying.token(ready)
    buying.complete(
        ready,
        token,
        buyer=BUYER | {"phone_number": "15551234567"},
        order_notes="Leave at the door.",
        marketing_consents=[{"channel": "email", "opted_in": True}, {"channel": "fax", "opted_in": True}],
        affiliate_attribution={"provider": "impact.com", "publisher_id": "pub_1", "touchpoint": "last"},
        risk_signals={"ip_address": "203.0.113.9", "device_fingerprint": "fp_secret"},
    )
    assert "fp_secret" not in buying.agent.last.text
    assert "pub_1" not in buying.agent.last.text
    with clock.shifted(LIVE_RUN):
        for _ in range(2):
            tell_agentic(shop.runtime, shop.tenant.id)
            tell_customers(shop.runtime, shop.tenant.id)

    (order,) = orders(shop)
    assert order.buyer["phone"] == "15551234567"
    with shop.uow() as db:
        assert [row.text for row in db.scalars(select(OrderNote))] == ["Leave at the door."]
        assert list(db.scalars(select(ContactConsent))) == []
        assert [(row.source, row.subject_id) for row in db.scalars(select(CustomerLink))] == [("acp", order.id)]
        kept = db.scalars(select(AgentSession.kept_back)).one()
    assert kept["risk_signals"]["device_fingerprint"] == "fp_secret"
    assert order.customer_id is None
    session = buying.opened("TENT")
    assert [one["channel"] for one in session["marketing_consent_options"]] == ["email"]


class Watchful:
    """A risk service that remembers what it was told."""

    def __init__(self, answer: RiskAnswer) -> None:
        self.answer = answer
        self.seen: list[Purchase] = []

    def assess(self, purchase: Purchase) -> RiskAnswer:
        self.seen.append(purchase)
        return self.answer


@pytest.mark.parametrize("answer", list(RiskAnswer))
def test_signals_reach_whoever_judges_the_risk(
    buying: Checkout, shop: Shop, ready: dict[str, Any], site: Site, answer: RiskAnswer
) -> None:
    watchful = Watchful(answer)
    site.opened = replace(shop.runtime, risk=watchful)
    session = buying.complete(ready, buying.token(ready), risk_signals={"ip_address": "203.0.113.9"}).json()

    assert watchful.seen[0].signals == {"ip_address": "203.0.113.9"}
    if answer == RiskAnswer.REFUSE:
        assert (session["status"], codes(session)) == ("ready_for_payment", ["payment_declined"])
    else:
        assert session["status"] == "completed"


def test_an_address_that_changes_with_the_payment_is_a_conflict(
    buying: Checkout, shop: Shop, ready: dict[str, Any]
) -> None:
    moved = {"address": ADDRESS | {"line_one": "1 Other St"}}
    answer = buying.complete(ready, buying.token(ready), fulfillment_details=moved)
    assert (answer.status_code, answer.json()["code"]) == (409, "address_changed")
    lost = {"address": ADDRESS | {"postal_code": "?"}}
    assert buying.complete(ready, buying.token(ready), fulfillment_details=lost).status_code == 422
    same = {"address": ADDRESS, "phone_number": "1"}
    assert buying.complete(ready, buying.token(ready), fulfillment_details=same).json()["status"] == "completed"


class Killed(BaseException):
    """What a test throws where a process would end."""


def kill_at(point: str) -> None:
    def hook(name: str) -> None:
        if name == point:
            faults.set_hook(None)
            raise Killed

    faults.set_hook(hook)


ANSWERED = ("after_t2_commit", "agent_before_answer")
"""Where a purchase is paid, its answer is kept: they are one commit."""


@pytest.mark.parametrize("point", ANSWERED)
def test_a_request_that_died_after_its_last_commit_is_answered_at_once(
    buying: Checkout, shop: Shop, ready: dict[str, Any], point: str
) -> None:
    token = buying.token(ready)
    kill_at(point)
    with contextlib.suppress(Killed, BaseExceptionGroup, AssertionError):
        buying.complete(ready, token, key="k")
    answer = buying.complete(ready, token, key="k")
    assert (answer.status_code, answer.json()["status"]) == (200, "completed"), answer.text
    assert answer.headers["Idempotent-Replayed"] == "true"
    (order,) = orders(shop)
    assert answer.json()["order"]["id"] == order.id
    assert buying.get(ready)["order"] == answer.json()["order"]


@pytest.mark.parametrize("point", [one for one in (*faults.AGENT_POINTS, *faults.POINTS) if one not in ANSWERED])
def test_a_request_that_died_comes_to_one_order_under_its_key(
    buying: Checkout, shop: Shop, ready: dict[str, Any], point: str
) -> None:
    token = buying.token(ready)
    kill_at(point)
    with contextlib.suppress(Killed, BaseExceptionGroup, AssertionError):
        buying.complete(ready, token, key="k")
    waiting = buying.complete(ready, token, key="k")
    assert (waiting.status_code, waiting.json()["code"]) == (409, "idempotency_in_flight")
    with clock.shifted(LEASE + timedelta(seconds=1)):
        recover_payments(shop.runtime, shop.tenant.id)
        answer = buying.complete(ready, token, key="k")
        assert (answer.status_code, answer.json()["status"]) == (200, "completed"), answer.text
        again = buying.complete(ready, token, key="k")
        assert again.content == answer.content
    (order,) = orders(shop)
    assert answer.json()["order"]["id"] == order.id
    with shop.uow() as db:
        assert [row.status for row in db.scalars(select(Payment))] == ["captured"]


def test_an_answer_that_was_lost_is_not_kept_and_resolves_to_one_order(
    buying: Checkout, shop: Shop, ready: dict[str, Any], still_clock: None
) -> None:
    token = buying.token(ready, card="card_test_late")
    first = buying.complete(ready, token, key="k")

    assert (first.status_code, first.json()["status"]) == (200, "complete_in_progress")
    assert buying.get(ready)["status"] == "complete_in_progress"
    assert buying.update(ready, {}).status_code == 409
    assert buying.cancel(ready).status_code == 409
    assert buying.complete(ready, token, key="other").status_code == 409
    with clock.shifted(timedelta(minutes=1)):
        recover_payments(shop.runtime, shop.tenant.id)
        answer = buying.complete(ready, token, key="k")
        assert answer.json()["status"] == "completed"
    with shop.uow() as db:
        assert [row.status for row in db.scalars(select(Payment))] == [PaymentStatus.CAPTURED]
        kept = db.scalars(select(IdempotencyKey).where(IdempotencyKey.key == "k")).one()
        assert (kept.response_status, list(kept.point or {})) == (200, ["consent"])
    assert len(orders(shop)) == 1


def test_neither_token_nor_card_is_kept_in_clear(buying: Checkout, shop: Shop, ready: dict[str, Any]) -> None:
    token = buying.token(ready)
    buying.complete(ready, token)
    with shop.runtime.store.without_tenant() as db:
        db.connection().exec_driver_sql("SELECT set_config('app.tenant_id', %s, true)", (shop.tenant.id,))
        for table in (
            "checkout_sessions",
            "agent_sessions",
            "consents",
            "idempotency_keys",
            "audit",
            "orders",
            "payments",
        ):
            rows = db.connection().exec_driver_sql(f"SELECT t::text FROM app.{table} t").scalars()  # noqa: S608 (our own)
            assert not any(token in row for row in rows), table


def test_the_shop_is_sound_after_it_all(buying: Checkout, shop: Shop, ready: dict[str, Any]) -> None:
    buying.complete(ready, buying.token(ready))
    buying.complete(buying.opened("TENT"), "vt_x")
    assert counted(shop, Order) == 1
    tenant = shop.tenant
    assert [check for check in check_tenant(shop.runtime, tenant.id, tenant.slug) if not check.ok] == []
