"""NetSuite's door: signed assertions, signed requests, concurrency, jobs."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import httpx
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from engine.kit import clock
from engine.sync.sandbox import World, app
from engine.sync.sandbox.merchants import Merchant
from engine.sync.sandbox.snapshot import snapshot
from tests.sync.sandbox.ledger import Erp


@pytest.fixture
def erp(client: httpx.Client, merchant: Merchant) -> Erp:
    return Erp(client, merchant)


def customers(erp: Erp) -> int:
    return len(erp.merchant.account.kind("customer"))


def test_a_signed_assertion_is_worth_a_bearer_for_an_hour(erp: Erp, world: World) -> None:
    answer = erp.ask_token()

    assert answer.status_code == 200
    assert answer.json().keys() == {"access_token", "expires_in", "token_type"}
    assert (answer.json()["expires_in"], answer.json()["token_type"]) == ("3600", "Bearer")
    erp.bearer = answer.json()["access_token"]
    assert erp.request("GET", "/record/v1/customer").status_code == 200

    world.advance(timedelta(hours=9))
    assert erp.request("GET", "/record/v1/customer").status_code == 200
    with clock.shifted(timedelta(hours=1)):
        late = erp.request("GET", "/record/v1/customer")
    assert late.status_code == 401
    assert late.json()["o:errorDetails"][0]["o:errorCode"] == "INVALID_LOGIN"
    assert late.headers["www-authenticate"].startswith("Bearer")


def test_an_rsa_certificate_signs_by_ps256(erp: Erp) -> None:
    key = rsa.generate_private_key(65537, 2048)
    plain = serialization.NoEncryption()
    pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, plain).decode()
    spki = serialization.PublicFormat.SubjectPublicKeyInfo
    public = key.public_key().public_bytes(serialization.Encoding.PEM, spki).decode()
    erp.merchant.account.keys.certificates["rsa-1"] = public

    assert erp.ask_token(head={"alg": "PS256", "kid": "rsa-1"}, pem=pem).status_code == 200
    assert erp.ask_token(head={"alg": "ES256", "kid": "rsa-1"}, pem=pem).status_code == 400
    assert erp.ask_token(head={"alg": "none", "kid": "rsa-1"}, pem=pem).status_code == 400
    assert erp.ask_token(head={"alg": "PS256"}, pem=pem).status_code == 400


@pytest.mark.parametrize(
    "changed",
    [
        {"iss": "somebody-else"},
        {"aud": "http://sandbox/other"},
        {"scope": ["restlets"]},
        {"iat": 0},
        {"exp": 0},
        {"iat": None},
    ],
)
def test_an_assertion_that_says_something_else_is_refused(erp: Erp, changed: dict[str, Any]) -> None:
    answer = erp.ask_token(**changed)

    assert (answer.status_code, answer.json()) == (400, {"error": "invalid_grant"})
    assert erp.merchant.account.bearers == {}


def test_an_assertion_of_another_time_is_refused(erp: Erp) -> None:
    now = int(clock.now().timestamp())

    assert erp.ask_token(iat=now + 600, exp=now + 900).status_code == 400
    assert erp.ask_token(iat=now - 4000, exp=now - 400).status_code == 400
    assert erp.ask_token(iat=now, exp=now + 3700).status_code == 400
    assert erp.ask_token(iat=now - 30, exp=now + 30).status_code == 200


def test_another_certificate_and_another_grant_are_refused(erp: Erp) -> None:
    assert erp.ask_token(head={"kid": "nobody"}).status_code == 400
    other = erp.client.post(f"{erp.base}/auth/oauth2/v1/token", data={"grant_type": "password"})
    assert other.json() == {"error": "unsupported_grant_type"}
    garbled = {
        "grant_type": "client_credentials",
        "client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
        "client_assertion": "a.b",
    }
    assert erp.client.post(f"{erp.base}/auth/oauth2/v1/token", data=garbled).json() == {"error": "invalid_grant"}


def test_a_request_may_be_signed_instead(erp: Erp) -> None:
    assert erp.signed("GET", "/record/v1/customer?limit=5&q=email%20IS%20%22a%2Bb%40x.example%22").status_code == 200
    body = {"firstName": "Maya", "subsidiary": {"id": "1"}}
    assert erp.signed("POST", "/record/v1/customer", body).status_code == 204


@pytest.mark.parametrize(
    "changed",
    [
        {"oauth_signature": "AAAA"},
        {"oauth_token": "other"},
        {"oauth_consumer_key": "other"},
        {"oauth_signature_method": "HMAC-SHA1"},
        {"oauth_timestamp": "1"},
        {"realm": "OTHER"},
        {"oauth_nonce": ""},
    ],
)
def test_a_request_that_is_signed_otherwise_is_refused(erp: Erp, changed: dict[str, str]) -> None:
    answer = erp.signed("POST", "/record/v1/customer", {"firstName": "M", "subsidiary": {"id": "1"}}, **changed)

    assert answer.status_code == 401
    assert customers(erp) == 0


def test_a_signed_request_is_good_once(erp: Erp) -> None:
    assert erp.signed("GET", "/record/v1/customer", oauth_nonce="once").status_code == 200
    assert erp.signed("GET", "/record/v1/customer", oauth_nonce="once").status_code == 401


def test_nobody_comes_in_without_a_word(erp: Erp) -> None:
    for head in ({}, {"Authorization": "Bearer made-up"}, {"Authorization": "Basic YTpi"}):
        assert erp.client.get(f"{erp.base}/record/v1/customer", headers=head).status_code == 401
    assert erp.client.get("/netsuite/NOBODY/services/rest/record/v1/customer").status_code == 404


def test_a_bearer_opens_one_account() -> None:
    world = World.preset("summit", merchants=2)
    from engine.sync.sandbox import WorldTransport

    with httpx.Client(transport=WorldTransport(world), base_url="http://sandbox") as client:
        one, two = (Erp(client, merchant) for merchant in world.merchants)
        one.bearer = two.ask_token().json()["access_token"]
        assert one.request("GET", "/record/v1/customer").status_code == 401


def test_rotated_secrets_end_every_bearer(erp: Erp, put: Any) -> None:
    erp.request("GET", "/record/v1/customer")
    put("netsuite", "secret_rotated", params={"what": "certificates"})

    assert erp.request("GET", "/record/v1/customer").status_code == 401
    assert erp.ask_token().status_code == 400
    assert erp.signed("GET", "/record/v1/customer").status_code == 200


def test_more_requests_at_once_than_the_account_has_are_turned_away(world: World, erp: Erp, put: Any) -> None:
    erp.bearer = erp.ask_token().json()["access_token"]
    put("netsuite", "slow", times=20, params={"ms": 30})
    head = {"Authorization": f"Bearer {erp.bearer}"}

    async def rush() -> list[httpx.Response]:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app(world)), base_url="http://sandbox") as client:
            asked = [client.get(f"{erp.base}/record/v1/customer", headers=head) for _ in range(8)]
            return list(await asyncio.gather(*asked))

    answers = asyncio.run(rush())

    assert sorted(one.status_code for one in answers) == [200] * 5 + [429] * 3
    turned = next(one for one in answers if one.status_code == 429)
    assert turned.json()["o:errorDetails"][0]["o:errorCode"] == "CONCURRENCY_LIMIT_EXCEEDED"
    assert snapshot(world)["merchants"]["summit-outdoor"]["limits"] == {
        "shopify_throttled": 0,
        "netsuite_refused": 3,
        "netsuite_peak": 5,
        "dcl_refused": 0,
    }
    assert asyncio.run(rush())[0].status_code == 200


def test_the_limits_can_be_asked_for(erp: Erp) -> None:
    assert erp.request("GET", "/system/v1/governanceLimits").json()["accountConcurrencyLimit"] == 5


BODY = {"firstName": "Maya", "subsidiary": {"id": "1"}}


def test_work_may_be_asked_for_later_and_once_for_one_key(erp: Erp, world: World) -> None:
    def ask() -> httpx.Response:
        return erp.request(
            "POST", "/record/v1/customer", BODY, Prefer="respond-async", **{"X-NetSuite-idempotency-key": "k-1"}
        )

    first, again = ask(), ask()
    job = first.headers["location"]

    assert (first.status_code, again.status_code) == (202, 400)
    assert again.json()["o:errorDetails"][0]["o:errorCode"] == "IDEMPOTENCY_ERROR"
    assert again.headers["location"] == job
    path = job.partition("/services/rest")[2]
    assert erp.request("GET", path).json()["progress"] == "processing"
    assert erp.request("GET", f"{path}/task/1/result").status_code == 400
    assert customers(erp) == 0

    world.advance(timedelta(seconds=1))
    assert erp.request("GET", path).json() | {"task": None} == {
        "id": path.rpartition("/")[2],
        "completed": True,
        "progress": "succeeded",
        "task": None,
    }
    made = erp.request("GET", f"{path}/task/1/result")
    assert (made.status_code, "/record/v1/customer/" in made.headers["location"]) == (204, True)
    assert customers(erp) == 1


def test_the_key_is_not_looked_at_when_work_is_done_at_once(erp: Erp) -> None:
    for _ in range(2):
        answer = erp.request("POST", "/record/v1/customer", BODY, **{"X-NetSuite-Idempotency-Key": "k-1"})
        assert answer.status_code == 204
    assert customers(erp) == 2


def test_a_job_that_fails_says_so(erp: Erp, world: World) -> None:
    answer = erp.request("POST", "/record/v1/customer", {"subsidiary": {"id": "9"}}, Prefer="respond-async")
    world.advance(timedelta(seconds=1))
    path = answer.headers["location"].partition("/services/rest")[2]

    assert erp.request("GET", path).json()["progress"] == "failed"
    assert erp.request("GET", f"{path}/task/1/result").status_code == 400
    assert erp.request("GET", "/async/v1/job/999999").status_code == 404


@pytest.mark.parametrize(
    ("kind", "status", "code"),
    [
        ("concurrency_exceeded", 429, "CONCURRENCY_LIMIT_EXCEEDED"),
        ("http_429", 429, "CONCURRENCY_LIMIT_EXCEEDED"),
        ("auth_expired", 401, "INVALID_LOGIN"),
        ("http_500", 500, "UNEXPECTED_ERROR"),
    ],
)
def test_accidents_have_the_vendors_form(erp: Erp, put: Any, kind: str, status: int, code: str) -> None:
    erp.request("GET", "/record/v1/customer")
    put("netsuite", kind, match={"operation": "customer"})

    answer = erp.request("GET", "/record/v1/customer")

    assert answer.status_code == status
    said = answer.json()
    assert said.keys() == {"type", "title", "status", "o:errorDetails"}
    assert (said["status"], said["o:errorDetails"][0]["o:errorCode"]) == (status, code)


def test_a_secret_is_in_no_journal(erp: Erp, world: World) -> None:
    erp.request("GET", "/record/v1/customer")

    entries = world.ground.journal.entries(system="netsuite")
    assert [one.operation for one in entries] == ["token", "customer"]
    assert entries[0].request == "***"
    assert entries[1].headers["authorization"] == "***"
