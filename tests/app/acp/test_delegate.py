"""The payment provider's side over HTTP: what is taken, what is refused in whose words, and that no number gets out."""

from __future__ import annotations

import base64
import copy
import io
import json
import logging
import re
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, redirect_stderr
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psycopg
import pytest
import structlog
from starlette.testclient import TestClient

from app import logs
from app.protocols.acp import kernel
from app.protocols.acp.pace import Pace
from engine.db import Addresses
from engine.kit import clock
from engine.kit.ids import new_id
from engine.kit.money import Money
from engine.kit.policies import change_policy
from engine.kit.tenancy import Tenant
from engine.payments.gateway import CaptureRequest, Charge, ChargeStatus
from engine.payments.gateways.sandbox.cards import AUTHENTICATION as AUTHENTICATION_CARDS
from engine.payments.gateways.sandbox.cards import TEST_CARDS, TEST_WALLETS
from engine.payments.policy import PaymentsPolicy
from tests.app.acp import official
from tests.app.acp.conftest import AUTHENTICATION, OLDER, PAYMENT, Agent
from tests.conftest import MakeTenant
from tests.shop import Shop

PATH = "/agentic_commerce/delegate_payment"
GONE = "(gone)"


def wanted(shop: Shop, **allowance: Any) -> dict[str, Any]:
    """The official example, for this shop and in time."""
    body = copy.deepcopy(official.example("examples.delegate_payment.json")["delegate_payment_request"])
    later = (clock.now() + timedelta(minutes=30)).isoformat()
    body["allowance"] |= {"merchant_id": shop.tenant.slug, "expires_at": later} | allowance
    body["payment_method"] |= {"exp_year": "2030"}
    body["risk_signals"] = []
    return body


def changed(body: dict[str, Any], path: str, value: Any) -> dict[str, Any]:
    """``body`` with one thing in it changed, or gone."""
    new = copy.deepcopy(body)
    *way, last = [int(part) if part.isdigit() else part for part in path.split(".")]
    place: Any = new
    for part in way:
        place = place[part]
    if value is GONE:
        del place[last]
    else:
        place[last] = value
    return new


def refused(answer: Any, status: int, param: str | None, code: str = "invalid_card") -> None:
    body = answer.json()
    assert (answer.status_code, body["type"], body["code"], body.get("param")) == (
        status,
        "invalid_request",
        code,
        param,
    ), answer.text


def capture(shop: Shop, token: str, session_id: str, amount: int = 2000) -> Charge:
    request = CaptureRequest(new_id("payment"), shop.tenant.id, session_id, token, Money(amount, "USD"))
    return shop.runtime.gateways["sandbox"].capture(request)


def test_the_official_example_becomes_a_token(agent: Agent, shop: Shop) -> None:
    official.valid("DelegatePaymentRequest", wanted(shop), file=PAYMENT)
    answer = agent.post(PATH, wanted(shop), key="idem_abc123")
    assert answer.status_code == 201
    body = answer.json()
    assert set(body) == {"id", "created", "metadata"}
    assert body["metadata"] == {
        "campaign": "q4",
        "source": "chatgpt_checkout",
        "merchant_id": shop.tenant.slug,
        "idempotency_key": "idem_abc123",
    }
    charge = capture(shop, body["id"], "csn_01HV3P3XYZ9ABC")
    assert (charge.status, charge.amount) == (ChargeStatus.CAPTURED, Money(2000, "USD"))
    assert capture(shop, body["id"], "csn_01HV3P3XYZ9ABC").decline_code == "token_invalid"


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("risk_signals", [{"type": "card_testing", "score": 10, "action": "manual_review"}]),
        ("billing_address", GONE),
        ("payment_method.virtual", GONE),
        ("payment_method.cvc", GONE),
        ("payment_method.exp_month", GONE),
        ("payment_method.cryptogram", "AQIDBAUGBwgJCgsMDQ4PEBESExQ="),
        ("payment_method.eci_value", "05"),
        ("payment_method.iin", "42424242"),
        ("allowance.max_amount", 2000.0),
        ("allowance.expires_at", "2099-10-09T07:20:50.52+02:00"),
        ("metadata", {}),
    ],
)
def test_what_the_schema_allows_is_taken(agent: Agent, shop: Shop, path: str, value: Any) -> None:
    body = changed(wanted(shop), path, value)
    official.valid("DelegatePaymentRequest", body, file=PAYMENT)
    assert agent.post(PATH, body).status_code == 201


MALFORMED = [
    *((name, GONE) for name in ("payment_method", "allowance", "risk_signals", "metadata")),
    *((f"payment_method.{name}", GONE) for name in ("type", "card_number_type", "number", "metadata")),
    ("payment_method.display_card_funding_type", GONE),
    *((f"allowance.{name}", GONE) for name in ("reason", "max_amount", "currency", "merchant_id", "expires_at")),
    ("allowance.checkout_session_id", GONE),
    *((f"billing_address.{name}", GONE) for name in ("name", "line_one", "city", "state", "country", "postal_code")),
    ("payment_method.type", "bank"),
    ("payment_method.card_number_type", "pan"),
    ("payment_method.number", 4242424242424242),
    ("payment_method.number", None),
    ("payment_method.exp_month", "011"),
    ("payment_method.exp_year", "20300"),
    ("payment_method.exp_year", 2030),
    ("payment_method.cvc", "12345"),
    ("payment_method.cvc", 223),
    ("payment_method.eci_value", "055"),
    ("payment_method.iin", "424242424"),
    ("payment_method.display_card_funding_type", "charge"),
    ("payment_method.display_last4", "42424"),
    ("payment_method.display_last4", "424"),
    ("payment_method.display_last4", "abcd"),
    ("payment_method.checks_performed.0", "pin"),
    ("payment_method.virtual", "no"),
    ("allowance.reason", "recurring"),
    ("allowance.max_amount", "2000"),
    ("allowance.max_amount", 20.5),
    ("allowance.max_amount", True),
    ("allowance.max_amount", -1),
    ("allowance.max_amount", 10**30),
    ("allowance.currency", "USD"),
    ("allowance.currency", "dollar"),
    ("allowance.currency", "zzz"),
    ("allowance.merchant_id", "x" * 257),
    ("allowance.merchant_id", "acme_store"),
    ("allowance.expires_at", "tomorrow"),
    ("allowance.expires_at", "2030-10-09"),
    ("allowance.expires_at", "2030-10-09T07:20:50"),
    ("allowance.expires_at", "2030-13-09T07:20:50Z"),
    ("allowance.expires_at", "9999-12-31T23:59:59-23:59"),
    ("allowance.expires_at", 1791530450),
    ("billing_address.name", "x" * 257),
    ("billing_address.line_one", "x" * 61),
    ("billing_address.line_two", "x" * 61),
    ("billing_address.city", "x" * 61),
    ("billing_address.country", "USA"),
    ("billing_address.country", "U"),
    ("billing_address.postal_code", "x" * 21),
    ("risk_signals", {}),
    ("payment_method", []),
    ("payment_method.owner", "x"),
    ("allowance.order_id", "x"),
    ("billing_address.email", "x"),
    ("tip", 1),
]


@pytest.mark.parametrize(("path", "value"), MALFORMED, ids=lambda part: str(part)[:40])
def test_what_is_malformed_is_refused_by_its_path(agent: Agent, shop: Shop, path: str, value: Any) -> None:
    param = "$." + path.replace(".0", "[0]")
    refused(agent.post(PATH, changed(wanted(shop), path, value)), 400, param)


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("payment_method.metadata", {"a": 1}),
        ("metadata", {"campaign": 4}),
        ("metadata", {"note": "4242-4242-4242-4242"}),
        ("metadata", {"4242424242424242": "x"}),
        ("metadata", {"cvc": "223"}),
    ],
)
def test_metadata_is_words_and_holds_no_card(agent: Agent, shop: Shop, path: str, value: Any) -> None:
    refused(agent.post(PATH, changed(wanted(shop), path, value)), 400, f"$.{path}")


def test_a_cards_number_is_no_sessions_id(agent: Agent, shop: Shop) -> None:
    """The id is kept with the token in clear."""
    named = changed(wanted(shop), "allowance.checkout_session_id", "cs_4242-4242-4242-4242")
    refused(agent.post(PATH, named), 400, "$.allowance.checkout_session_id")


@pytest.mark.parametrize("zero", [0xFF10, 0x0660, 0x1D7CE])
def test_digits_of_other_scripts_are_no_digits_of_a_card(agent: Agent, shop: Shop, zero: int) -> None:
    def spelled(number: str) -> str:
        return number.translate({48 + digit: zero + digit for digit in range(10)})

    body = wanted(shop)
    number = spelled(str(body["payment_method"]["number"]))
    answer = agent.post(PATH, changed(body, "payment_method.number", number))
    assert (answer.status_code, answer.json()["param"]) in {(400, CARD_NUMBER), (422, CARD_NUMBER)}
    assert number not in answer.text
    for name, value in (("exp_month", "12"), ("exp_year", "2030"), ("cvc", "123"), ("display_last4", "4242")):
        answer = agent.post(PATH, changed(body, f"payment_method.{name}", spelled(value)))
        assert answer.status_code in {400, 422}, name


CARD_NUMBER = "$.payment_method.number"


def test_signals_have_their_own_schema(agent: Agent, shop: Shop) -> None:
    signal = {"type": "card_testing", "score": 5, "action": "authorized"}
    for name, value in (("type", "velocity"), ("score", "5"), ("action", "allowed"), ("score", 1.5)):
        body = wanted(shop) | {"risk_signals": [signal, signal | {name: value}]}
        refused(agent.post(PATH, body), 400, f"$.risk_signals[1].{name}")
    blocked = wanted(shop) | {"risk_signals": [signal, signal | {"action": "blocked"}]}
    refused(agent.post(PATH, blocked), 422, "$.risk_signals[1].action")


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("payment_method.number", "4242424242424241"),
        ("payment_method.number", "not a number"),
        ("payment_method.exp_month", "13"),
        ("payment_method.exp_year", "2020"),
        ("payment_method.cvc", "1"),
        ("allowance.expires_at", "2025-10-09T07:20:50.52Z"),
    ],
)
def test_a_card_or_an_allowance_that_is_none_is_refused(agent: Agent, shop: Shop, path: str, value: str) -> None:
    refused(agent.post(PATH, changed(wanted(shop), path, value)), 422, f"$.{path}")


def test_once_per_key_at_either_address(agent: Agent, shop: Shop, open_agent: Callable[..., Agent]) -> None:
    body = wanted(shop)
    first = agent.post(PATH, body, key="k1")
    reordered = dict(reversed(body.items())) | {"allowance": body["allowance"] | {"max_amount": 2000.0}}
    again = agent.post("/delegate_payment", reordered, key="k1")
    assert (again.status_code, again.content, again.headers["idempotent-replayed"]) == (201, first.content, "true")
    assert "idempotent-replayed" not in first.headers
    other = agent.post(PATH, changed(body, "allowance.max_amount", 2001), key="k1")
    refused(other, 422, None, "idempotency_conflict")
    assert open_agent(shop.tenant).post(PATH, body, key="k1").json()["id"] != first.json()["id"]
    bad = changed(body, "payment_method.number", "1")
    assert [agent.post(PATH, bad, key="k2").status_code for _ in range(2)] == [422, 422]
    assert agent.last.headers["idempotent-replayed"] == "true"
    refused(agent.post(PATH, body, key="k2"), 422, None, "idempotency_conflict")
    refused(agent.post(PATH, body, key=None), 400, "Idempotency-Key", "idempotency_key_required")
    older = agent.at(OLDER).post(PATH, changed(body, "allowance.max_amount", 1), key="k1")
    refused(older, 409, None, "idempotency_conflict")
    with clock.shifted(timedelta(hours=1)):
        assert agent.post(PATH, body, key="k1").json() == first.json()


def test_eight_at_once_get_one_token(agent: Agent, shop: Shop) -> None:
    body = wanted(shop)
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: agent.post(PATH, body, key="k1"), range(8)))
    assert {answer.status_code for answer in answers} == {201}
    assert len({answer.content for answer in answers}) == 1
    assert sum("idempotent-replayed" in answer.headers for answer in answers) == 7


def test_who_may(agent: Agent, shop: Shop, open_agent: Callable[..., Agent], make_tenant: MakeTenant) -> None:
    for key in (None, "Bearer ick_made_up", "Basic abc"):
        refused(Agent(agent.http, key).post(PATH, wanted(shop)), 401, None, "unauthorized")
    refused(open_agent(shop.tenant, "staff").post(PATH, wanted(shop)), 401, None, "unauthorized")
    other = make_tenant()
    refused(open_agent(other).post(PATH, wanted(shop)), 400, "$.allowance.merchant_id")
    real = make_tenant(demo=False)
    body = changed(wanted(shop), "allowance.merchant_id", real.slug)
    refused(open_agent(real).post(PATH, body), 422, "$.allowance.merchant_id")
    assert agent.post(PATH, changed(wanted(shop), "allowance.merchant_id", shop.tenant.id)).status_code == 201
    assert agent.post(PATH, wanted(shop), API_Version=None).json()["code"] == "missing_api_version"


def test_the_paces(agent: Agent, shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    with shop.uow() as session:
        change_policy(session.get_one(Tenant, shop.tenant.id), PaymentsPolicy, {"failing_cards_per_minute": 2})
    for _ in range(2):
        refused(agent.post(PATH, changed(wanted(shop), "payment_method.number", "1")), 422, "$.payment_method.number")
    answer = agent.post(PATH, wanted(shop))
    assert answer.status_code == 429
    assert (answer.json()["type"], answer.json()["code"]) == ("rate_limit_exceeded", "too_many_requests")
    monkeypatch.setattr(kernel, "_PACE", Pace(per_second=1))
    answers = [agent.post(PATH, wanted(shop)) for _ in range(3)]
    assert answers[2].json()["code"] == "too_many_requests"


NUMBER, CODE = "4111111111111111", "8317"
WHOLE_CODE = rf"(^|[\s\"',({{\[]){CODE}([\s\"',)}}\]]|$)"
"""The code by itself: four digits are in many a hash."""
LEAKS = [
    lambda body: json.dumps(body).encode(),
    lambda body: json.dumps(body).encode()[:-1],
    lambda body: json.dumps(body).encode() + b"]",
    lambda _: f'"{NUMBER} {CODE}'.encode(),
    lambda body: json.dumps(body | {NUMBER: CODE}).encode(),
    lambda body: json.dumps(changed(body, "payment_method", {NUMBER: CODE})).encode(),
    lambda body: json.dumps(changed(body, "payment_method", f"{NUMBER} {CODE}")).encode(),
    lambda body: json.dumps(changed(body, "payment_method.number", int(NUMBER))).encode(),
    lambda body: json.dumps(changed(body, "payment_method.number", [NUMBER])).encode(),
    lambda body: json.dumps(changed(body, "payment_method.type", NUMBER)).encode(),
    lambda body: json.dumps(changed(body, "payment_method.cvc", CODE + "1")).encode(),
    lambda body: json.dumps(changed(body, "payment_method.exp_month", CODE)).encode(),
    lambda body: json.dumps(changed(body, "allowance.expires_at", NUMBER)).encode(),
    lambda body: json.dumps(changed(body, "allowance.currency", NUMBER)).encode(),
    lambda body: json.dumps(changed(body, "allowance.merchant_id", NUMBER)).encode(),
    lambda body: json.dumps(changed(body, "metadata", {NUMBER: NUMBER})).encode(),
    lambda body: json.dumps(changed(body, "metadata", {NUMBER: 1})).encode(),
    lambda body: json.dumps(changed(body, "payment_method.metadata", {NUMBER: 1})).encode(),
    lambda body: json.dumps(changed(body, "risk_signals", [{"action": NUMBER}])).encode(),
]


def test_no_number_gets_out_on_any_way(
    agent: Agent,
    shop: Shop,
    addresses: Addresses,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    body = wanted(shop)
    body["payment_method"] |= {"number": NUMBER, "cvc": CODE, "iin": "411111", "display_last4": "1111"}
    with shop_logs() as log:
        answers = _every_way(agent, shop, body, monkeypatch)
    assert '"unhandled"' in log.getvalue()
    agent.http.app.state.site.agent_log.flush()  # type: ignore[attr-defined]
    token = answers[0].json()["id"]
    assert capture(shop, token, body["allowance"]["checkout_session_id"]).status == ChargeStatus.CAPTURED
    told = "".join(f"{answer.text} {dict(answer.headers)}" for answer in answers)
    for secret in (NUMBER, WHOLE_CODE):
        assert not re.search(secret, told)
        assert not re.search(secret, log.getvalue())
        assert not _kept(addresses, shop.tenant.id, secret)
    assert not _kept(addresses, shop.tenant.id, NUMBER.encode().hex())
    assert not _kept(addresses, shop.tenant.id, CODE.encode().hex())
    assert _kept(addresses, shop.tenant.id, PATH) == ["app.agent_requests"]
    assert _kept(addresses, shop.tenant.id, token[3:]) == ["sandbox.asked", "sandbox.tokens"]


def _every_way(agent: Agent, shop: Shop, body: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    answers = [agent.ask("POST", PATH, make(body)) for make in LEAKS]
    assert [answer.status_code for answer in answers][:2] == [201, 400]
    assert all(answer.status_code == 400 for answer in answers[1:])
    answers.append(agent.ask("PUT", PATH, json.dumps(body).encode()))
    gateway = shop.runtime.gateways["sandbox"]
    with monkeypatch.context() as broken:
        broken.setattr(type(gateway), "delegate_card", _break)
        answers.append(agent.post(PATH, body))
    assert [answer.status_code for answer in answers][-2:] == [405, 500]
    start = {"merchant_id": shop.tenant.slug, "amount": {"value": 2000, "currency": "USD"}}
    card = {"type": "card", "number": NUMBER, "exp_month": "11", "exp_year": "2030", "name": "Jane Doe"}
    answers.append(agent.post("/delegate_authentication", start | {"payment_method": card}, Signature="x"))
    answers.append(
        agent.post("/delegate_authentication", start | {"payment_method": card | {NUMBER: "x"}}, Signature="x")
    )
    return answers


@contextmanager
def shop_logs() -> Iterator[io.StringIO]:
    """What the shop writes into its logs."""
    root, known, told = logging.getLogger(), structlog.get_config(), io.StringIO()
    handlers, level = root.handlers[:], root.level
    with redirect_stderr(told):
        logs.configure(level=logging.DEBUG)
    structlog.configure(cache_logger_on_first_use=False)
    yield told
    structlog.configure(**known)
    root.handlers[:], root.level = handlers, level


def _break(*_: Any, **__: Any) -> None:
    raise RuntimeError(f"{NUMBER} {CODE}")


def _kept(addresses: Addresses, tenant_id: str, secret: str) -> list[str]:
    """Every table of every schema that holds what this pattern says."""
    found = []
    assert addresses.owner is not None
    with psycopg.connect(addresses.owner) as connection:
        connection.execute("SELECT set_config('app.tenant_id', %s, false)", (tenant_id,))
        tables = connection.execute(
            "SELECT table_schema, table_name FROM information_schema.tables"
            " WHERE table_schema NOT IN ('pg_catalog', 'information_schema') AND table_type = 'BASE TABLE'"
        ).fetchall()
        for schema, table in tables:
            query = f'SELECT 1 FROM "{schema}"."{table}" AS r WHERE r::text ~ %s LIMIT 1'  # noqa: S608
            if connection.execute(query, (secret,)).fetchone():
                found.append(f"{schema}.{table}")
    return sorted(found)


def start(shop: Shop, name: str = "minimal", **fields: Any) -> dict[str, Any]:
    examples = official.example("examples.delegate_authentication.json")
    found = next(
        value for key, value in examples.items() if key.startswith(f"create_authentication_session_request_{name}")
    )
    return copy.deepcopy(found) | {"merchant_id": shop.tenant.slug} | fields


def test_a_holder_is_authenticated_and_the_card_pays(agent: Agent, shop: Shop) -> None:
    session_id = "csn_challenged"
    body = wanted(shop, checkout_session_id=session_id)
    body["payment_method"]["number"] = "4000000000003220"
    token = agent.post(PATH, body).json()["id"]
    assert capture(shop, token, session_id).decline_code == "authentication_required"

    begin = start(shop, "with_channel", checkout_session_id=session_id, amount={"value": 2000, "currency": "USD"})
    begin["payment_method"]["number"] = "4000000000003220"
    official.valid("DelegateAuthenticationCreateRequest", begin, file=AUTHENTICATION)
    begun = agent.post("/delegate_authentication", begin, Signature="c2ln", key="k1")
    told = begun.json()
    assert (begun.status_code, told["status"], told["action"]["type"]) == (201, "action_required", "fingerprint")
    path = f"/delegate_authentication/{told['authentication_session_id']}"
    asked = agent.post(f"{path}/authenticate", {"fingerprint_completion": "Y"}, Signature="c2ln").json()
    assert (asked["status"], asked["action"]["type"]) == ("action_required", "challenge")
    assert agent.get(path).json() == asked
    again = agent.post("/delegate_authentication", begin, Signature="c2ln", key="k1")
    assert (again.json(), again.headers["idempotent-replayed"]) == (told, "true")

    gateway: Any = shop.runtime.gateways["sandbox"]
    gateway.pass_challenge(asked["action"]["challenge"]["acs_trans_id"])
    ended = agent.get(path).json()
    assert ended["status"] == "authenticated"
    proof = ended["authentication_result"]
    known = {"session_id": session_id, "merchant": shop.tenant.id, "amount": Money(2000, "USD")}
    assert not gateway.check_authentication(
        **known, result=proof | {"three_ds_cryptogram": "AAAAAAAAAAAAAAAAAAAAAAAAAAA="}
    )
    assert capture(shop, token, session_id).decline_code == "authentication_required"
    assert gateway.check_authentication(**known, result=proof)
    assert capture(shop, token, session_id).status == ChargeStatus.CAPTURED


def test_authentications_are_refused_in_their_own_words(
    agent: Agent, shop: Shop, make_tenant: MakeTenant, open_agent: Callable[..., Agent]
) -> None:
    path = "/delegate_authentication"

    def post(body: Any, **more: Any) -> Any:
        return agent.post(path, body, Signature="c2ln", **more)

    refused(agent.post(path, start(shop)), 400, "Signature")
    for name, value, status in (
        ("payment_method.number", GONE, 400),
        ("payment_method.number", "4242424242424241", 422),
        ("payment_method.exp_year", "2020", 422),
        ("amount.value", 0, 400),
        ("amount.currency", "usd", 400),
        ("amount.currency", "ZZZ", 400),
        ("merchant_id", "merchant_abc123", 400),
        ("challenge_notification_url", "not a page", 400),
        ("cvc", "123", 400),
    ):
        refused(post(changed(start(shop), name, value)), status, f"$.{name}")
    screen = changed(start(shop, "with_channel"), "channel.browser.color_depth", GONE)
    refused(post(screen), 400, "$.channel.browser.color_depth")
    first = post(start(shop), key="k1")
    assert first.json()["status"] == "pending"
    refused(post(start(shop, amount={"value": 5, "currency": "EUR"}), key="k1"), 409, None, "idempotency_conflict")
    assert post(start(shop), key=None).status_code == 201
    one = f"{path}/{first.json()['authentication_session_id']}"
    refused(agent.post(f"{one}/authenticate", {}, Signature="x"), 400, "$.fingerprint_completion")
    assert agent.get(f"{path}/auth_session_0").status_code == 404
    other = open_agent(make_tenant())
    assert other.get(one).status_code == 404
    frictionless = agent.post(f"{one}/authenticate", {"fingerprint_completion": "U"}, Signature="x").json()
    assert frictionless["status"] == "authenticated"


def test_the_page_of_the_provider_tells_it_all() -> None:
    page = (Path(__file__).parents[3] / "docs" / "protocols" / "acp-payment-provider.md").read_text()
    assert all(f"| {card.number} | {card.label} |" in page for card in (*TEST_CARDS, *TEST_WALLETS))
    assert all(f"| {number} |" in page for number in AUTHENTICATION_CARDS)
    assert f"`failing_cards_per_minute` (policy of `payments`, {PaymentsPolicy().failing_cards_per_minute})" in page


def test_the_banks_pages(gateway_pages: TestClient, agent: Agent, shop: Shop) -> None:
    begin = start(shop, "with_channel")
    begin["payment_method"]["number"] = "4000000000003220"
    begun = agent.post("/delegate_authentication", begin, Signature="c2ln").json()
    fingerprint = begun["action"]["fingerprint"]
    assert gateway_pages.post(urlsplit(fingerprint["three_ds_method_url"]).path).status_code == 200
    path = f"/delegate_authentication/{begun['authentication_session_id']}"
    asked = agent.post(f"{path}/authenticate", {"fingerprint_completion": "N"}, Signature="x").json()
    challenge = asked["action"]["challenge"]
    door = urlsplit(challenge["acs_url"]).path
    for creq in ("", "e30", "!", _creq({"acsTransID": "chl_0"}), _creq([])):
        assert gateway_pages.post(door, data={"creq": creq}).status_code in {400, 404}
    question = {"threeDSServerTransID": challenge["three_ds_server_trans_id"], "acsTransID": challenge["acs_trans_id"]}
    page = gateway_pages.post(door, data={"creq": _creq(question)})
    assert "Approve this payment of €10.00?" in page.text
    gateway_pages.post(page.url.path, data={"approve": "no"})
    assert agent.get(path).json()["status"] == "not_authenticated"


def _creq(told: Any) -> str:
    return base64.urlsafe_b64encode(json.dumps(told).encode()).decode().rstrip("=")
