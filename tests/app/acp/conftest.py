"""An agent at the shop's door. Whatever it is answered is held to the official schemas: nobody can forget to."""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
from fastapi import FastAPI
from starlette.testclient import TestClient

from app.server import create_app
from app.site import Site
from engine.kit import clock
from engine.kit.money import Money
from engine.kit.tenancy import Tenant
from engine.payments.gateway import Allowance
from tests.app.acp import official
from tests.app.acp.official import CHECKOUT
from tests.app.conftest import WEB
from tests.shop import Shop

VERSION = "2026-04-17"
OLDER = "2026-01-30"
_numbers = itertools.count(1)
PAYMENT = "schema.delegate_payment.json"
AUTHENTICATION = "schema.delegate_authentication.json"
ANSWERS = [
    (r"POST /checkout_sessions|(GET|POST) /checkout_sessions/[^/]+(/cancel|/complete)?", "CheckoutSession", CHECKOUT),
    (r"(POST|PUT|GET) /carts.*", "Cart", "schema.cart.json"),
    (r"GET /orders/[^/]+", "Order", CHECKOUT),
    (r"GET /\.well-known/acp\.json", "DiscoveryResponse", CHECKOUT),
    (r"POST (/agentic_commerce)?/delegate_payment", "DelegatePaymentResponse", PAYMENT),
    (r"GET /delegate_authentication/[^/]+", "DelegateAuthenticationSessionWithResult", AUTHENTICATION),
    (r"POST /delegate_authentication.*", "DelegateAuthenticationSession", AUTHENTICATION),
]
_DELEGATES = re.compile(r"(/agentic_commerce)?/delegate_(payment|authentication)\b")
_OWN_CODES = frozenset({400, 409, 422, 429})


def held_to_schema(request: Any, answer: Any) -> None:
    """Assert that an answer is one of the official schemas', adds up, and brings its headers back."""
    if not answer.content:
        return
    assert answer.headers["content-type"] == "application/json", answer.text
    body = json.loads(answer.content)
    official.no_nulls(body)
    path, older = request.url.path, request.headers.get("api-version") == OLDER
    if answer.status_code >= 400:
        delegate, file = _DELEGATES.match(path), CHECKOUT
        if delegate and answer.status_code in _OWN_CODES and body["code"] not in _DOOR:
            file = PAYMENT if delegate[2] == "payment" else AUTHENTICATION
        official.valid("Error", body, file=file)
    elif found := [
        (name, file) for pattern, name, file in ANSWERS if re.fullmatch(pattern, f"{request.method} {path}")
    ]:
        name, file = found[0]
        if name == "CheckoutSession" and body["status"] == "completed":
            name = "CheckoutSessionWithOrder"
        if name.endswith("SessionWithResult"):
            body, result = {**body}, body.get("authentication_result")
            if body.pop("authentication_result", None):  # its own schema closes itself to what it adds
                official.valid("AuthenticationResult", result, file=file)
        official.valid(name, body, file=file)
        if "line_items" in body and "totals" in body and name != "Order":
            official.adds_up(body)
        if older:
            known_to_older(body)
    _headers_come_back(request, answer)


_DOOR = frozenset({"missing_api_version", "unsupported_api_version", "payload_too_large", "unsupported_media_type"})
"""Codes of the door, which the closed list of the payment provider's side has no words for."""


def known_to_older(body: dict[str, Any]) -> None:
    """Assert that nothing in a session is unknown to 2026-01-30."""
    text = json.dumps(body)
    for name in ("resolution", "marketing_consent_options", "display_name", "display_order", "rejected", "company"):
        assert f'"{name}":' not in text, name
    known = {"id", "checkout_session_id", "order_number", "permalink_url", "status"}
    assert set(body.get("order", {})) <= known | {"estimated_delivery", "confirmation", "support"}
    assert body.get("order", {}).get("status") in {None, "confirmed", "processing", "shipped", "delivered"}
    assert body.get("protocol", {"version": OLDER}) == {"version": OLDER}
    if "authentication_metadata" in body:
        assert body["authentication_metadata"]["channel"]["type"] == "browser"


def _headers_come_back(request: Any, answer: Any) -> None:
    for name in ("request-id", "idempotency-key"):
        given = request.headers.get(name)
        if given and re.fullmatch(r"[\x20-\x7e]{1,255}", given) and official_path(request.url.path):
            assert answer.headers.get(name) == given, (name, answer.headers)
    if answer.status_code in {429, 503}:
        assert int(answer.headers["retry-after"]) >= 1


def official_path(path: str) -> bool:
    return path != "/.well-known/acp.json"


class Agent:
    """One key at the shop's door. ``last`` is what it was answered."""

    def __init__(self, http: TestClient, key: str | None, *, version: str = VERSION) -> None:
        self.http = http
        self.key = key
        self.version = version
        self.last: Any = None

    def ask(self, method: str, path: str, body: Any = None, *, key: str | None = "new", **headers: Any) -> Any:
        """Any request; ``key=None`` sends no Idempotency-Key, a header of ``None`` is left out."""
        number = next(_numbers)
        sent: dict[str, Any] = {"API-Version": self.version, "Request-Id": f"req-{number}", "Authorization": self.key}
        if method in {"POST", "PUT"} and key:
            sent["Idempotency-Key"] = f"key-{number}" if key == "new" else key
        sent |= {name.replace("_", "-"): value for name, value in headers.items()}
        raw = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
        if raw is not None:
            sent.setdefault("Content-Type", "application/json")
        kept = {name: value for name, value in sent.items() if value is not None}
        answer = self.http.request(method, path, content=raw, headers=kept)
        held_to_schema(answer.request, answer)
        self.last = answer
        return answer

    def post(self, path: str, body: Any = None, **more: Any) -> Any:
        return self.ask("POST", path, body, **more)

    def put(self, path: str, body: Any = None, **more: Any) -> Any:
        return self.ask("PUT", path, body, **more)

    def get(self, path: str, **more: Any) -> Any:
        return self.ask("GET", path, **more)

    def at(self, version: str) -> Agent:
        """The same agent, speaking another version."""
        return Agent(self.http, self.key, version=version)


_app: list[FastAPI] = []


@pytest.fixture
def acp_app(site: Site) -> FastAPI:
    """The application; made once, over each test's own site."""
    if not _app:
        _app.append(create_app(site))
    _app[0].state.site = site
    return _app[0]


@pytest.fixture
def acp_http(acp_app: FastAPI) -> Iterator[TestClient]:
    http = TestClient(acp_app, base_url=WEB, raise_server_exceptions=False)
    yield http
    http.close()


@pytest.fixture
def open_agent(acp_http: TestClient, make_key: Callable[..., str]) -> Callable[..., Agent]:
    """An agent of a tenant, with a key of these scopes (``acp`` when none is named)."""

    def make(tenant: Tenant, *scopes: str) -> Agent:
        return Agent(acp_http, make_key(tenant, *(scopes or ("acp",))))

    return make


@pytest.fixture
def agent(shop: Shop, open_agent: Callable[..., Agent]) -> Agent:
    """A trusted platform's agent at the test's own shop."""
    return open_agent(shop.tenant)


ADDRESS = {
    "name": "Ada Buyer",
    "line_one": "12 Pine St",
    "city": "Portland",
    "state": "WA",
    "postal_code": "97204",
    "country": "US",
}
BUYER = {"email": "ada@example.com", "first_name": "Ada", "last_name": "Buyer"}


class Checkout:
    """An agent buying in the test's own shop."""

    def __init__(self, agent: Agent, shop: Shop) -> None:
        self.agent = agent
        self.shop = shop

    def opened(self, *skus: str, units: int = 1, **more: Any) -> dict[str, Any]:
        """A session with these items, and everything else said."""
        body = self.wish(*skus, units=units) | {"buyer": BUYER, "fulfillment_details": {"address": ADDRESS}} | more
        answer = self.agent.post("/checkout_sessions", body)
        assert answer.status_code == 201, answer.text
        return dict(answer.json())

    def wish(self, *skus: str, units: int = 1) -> dict[str, Any]:
        items = [{"id": self.shop.variants[sku], "quantity": units} for sku in skus]
        return {"line_items": items, "currency": "usd", "capabilities": {}}

    def token(self, session: dict[str, Any], *, card: str = "card_test_visa", **more: Any) -> str:
        """A delegated token of the sandbox for the session's total."""
        allowance = Allowance(
            merchant=more.get("merchant", self.shop.tenant.id),
            session_id=more.get("session_id", session["id"]),
            maximum=Money(more.get("amount", total(session)), more.get("currency", "USD")),
            expires_at=clock.now() + timedelta(seconds=more.get("seconds", 900)),
        )
        return self.shop.runtime.gateways["sandbox"].delegate(card, allowance, key=f"test-{next(_numbers)}")

    def complete(self, session: dict[str, Any], token: str, *, key: str = "new", **more: Any) -> Any:
        """Pay with the token."""
        return self.agent.post(f"/checkout_sessions/{session['id']}/complete", paid_with(token) | more, key=key)

    def get(self, session: dict[str, Any]) -> dict[str, Any]:
        return dict(self.agent.get(f"/checkout_sessions/{session['id']}").json())

    def update(self, session: dict[str, Any], body: Any, *, key: str = "new") -> Any:
        return self.agent.post(f"/checkout_sessions/{session['id']}", body, key=key)

    def cancel(self, session: dict[str, Any], body: Any = None) -> Any:
        return self.agent.post(f"/checkout_sessions/{session['id']}/cancel", body)


def paid_with(token: str) -> dict[str, Any]:
    instrument = {"type": "card", "credential": {"type": "spt", "token": token}}
    return {"payment_data": {"handler_id": "card_tokenized", "instrument": instrument}}


def total(session: dict[str, Any]) -> int:
    return int(official.amounts(session["totals"])["total"])


def codes(session: dict[str, Any], kind: str = "error") -> list[str]:
    """Codes of the session's messages of a kind."""
    return [str(one["code"]) for one in session["messages"] if one["type"] == kind]


@pytest.fixture
def buying(agent: Agent, shop: Shop) -> Checkout:
    return Checkout(agent, shop)
