"""The description that the shop publishes of these addresses, and what a checker finds that believes it."""

from __future__ import annotations

import itertools
import json
import re
from datetime import timedelta
from typing import Any

import hypothesis
import pytest
import schemathesis
from fastapi import FastAPI
from schemathesis import Case, GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.python import asgi
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    negative_data_rejection,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from app.protocols.acp import openapi
from app.protocols.acp.errors import PREFIXES
from engine.kit import clock
from tests.app.acp.conftest import OLDER, VERSION, Checkout

CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    negative_data_rejection,
]
EXAMPLES = 8
FEW = 2
OPERATIONS = [
    ("POST", "/checkout_sessions"),
    ("GET", "/checkout_sessions/{session_id}"),
    ("POST", "/checkout_sessions/{session_id}"),
    ("POST", "/checkout_sessions/{session_id}/cancel"),
    ("POST", "/checkout_sessions/{session_id}/complete"),
    ("POST", "/carts"),
    ("GET", "/carts/{cart_id}"),
    ("PUT", "/carts/{cart_id}"),
    ("POST", "/carts/{cart_id}/cancel"),
    ("GET", "/orders/{order_id}"),
    ("GET", "/.well-known/acp.json"),
    ("POST", "/agentic_commerce/delegate_payment"),
    ("POST", "/delegate_payment"),
    ("POST", "/delegate_authentication"),
    ("POST", "/delegate_authentication/{authentication_id}/authenticate"),
    ("GET", "/delegate_authentication/{authentication_id}"),
]
WITH_BODY = [one for one in OPERATIONS if one[0] != "GET" and one[1] != "/carts/{cart_id}/cancel"]
_loaded: list[Any] = []
_keys = itertools.count(1)


def description(app: FastAPI) -> dict[str, Any]:
    """The part of the published description that is the protocol's."""
    whole = app.openapi()
    return whole | {"paths": {path: said for path, said in whole["paths"].items() if PREFIXES.match(path)}}


def checker(app: FastAPI) -> Any:
    """The description as the checker read it; once, for it is long."""
    if not _loaded:
        loaded = schemathesis.openapi.from_dict(description(app))
        loaded.app = app
        loaded.config.generation.update(allow_x00=False)
        _loaded.append(loaded)
    return _loaded[0]


def test_no_operation_is_forgotten(acp_app: FastAPI) -> None:
    said = {(method.upper(), path) for path, ways in description(acp_app)["paths"].items() for method in ways}

    assert said == set(OPERATIONS)


class World:
    """What there is to name: a checker makes up ids, and one that is right leads further in."""

    def __init__(self, buying: Checkout) -> None:
        self.buying = buying
        self.items = [buying.shop.add(sku, stock={"EAST": 1_000}) for sku in ("A", "B")]
        self.session = buying.opened("A")
        self.token = buying.token(self.session)

    def fit(self, case: Case) -> None:
        """Put ids that are there in the place of made up ones; nothing that is not a text is touched."""
        path = case.operation.path
        if "_id}" in path:
            case.path_parameters = {name: self._made(name) for name in case.path_parameters or {}}
        headers = dict(case.headers or {}) | {"Authorization": self.buying.agent.key}
        if "Idempotency-Key" in headers:
            headers["Idempotency-Key"] = f"checked-{next(_keys)}"
        elif headers.get("API-Version") == OLDER:  # where a key is only recommended
            headers["API-Version"] = VERSION
        case.headers = headers
        if isinstance(case.body, dict):
            case.body = self._fitted(case.body, "", self._words(path))

    def _made(self, name: str) -> str:
        """A new one of what a path names; the last session and its token are remembered."""
        agent = self.buying.agent
        if name == "cart_id":
            return str(agent.post("/carts", {"line_items": [{"id": self.items[0]}]}).json()["id"])
        if name == "authentication_id":
            made = agent.post("/delegate_authentication", authentication(self.buying), Signature="none").json()
            return str(made["authentication_session_id"])
        self.session = self.buying.opened("A")
        self.token = self.buying.token(self.session)
        if name == "order_id":
            return str(self.buying.complete(self.session, self.token).json()["order"]["id"])
        return str(self.session["id"])

    def _words(self, path: str) -> dict[str, str]:
        shop, session = self.buying.shop.tenant, self.session
        return {
            "line_items.id": self.items[0],
            "item_ids": session["line_items"][0]["id"],
            "option_id": session["fulfillment_options"][0]["id"],
            "currency": "USD" if path.startswith("/delegate_authentication") else "usd",
            "merchant_id": shop.id,
            "checkout_session_id": session["id"],
            "number": "4242424242424242",
            "exp_month": "12",
            "exp_year": str(clock.now().year + 2),
            "cvc": "123",
            "cryptogram": "AAAA",
            "expires_at": (clock.now() + timedelta(hours=1)).isoformat(),
            "country": "US",
            "email": "ada@example.com",
            "handler_id": "card_tokenized",
            "token": self.token,
            "challenge_notification_url": "https://agent.example/3ds",
        }

    def _fitted(self, part: Any, name: str, words: dict[str, str]) -> Any:
        if isinstance(part, dict):
            return {
                key: self._fitted(value, f"{name}.{key}" if key == "id" else key, words) for key, value in part.items()
            }
        if isinstance(part, list):
            return [self._fitted(one, name, words) for one in part]
        return words.get(name, part) if isinstance(part, str) else part


def authentication(buying: Checkout) -> dict[str, Any]:
    card = {"type": "card", "number": "4242424242424242", "exp_month": "12", "name": "Ada"}
    return {
        "merchant_id": buying.shop.tenant.id,
        "payment_method": card | {"exp_year": str(clock.now().year + 2)},
        "amount": {"value": 1000, "currency": "USD"},
    }


def asked(app: FastAPI, world: World, operation: Any, mode: GenerationMode, examples: int) -> list[int]:
    """Let the checker make up requests and judge the answers; returns their statuses."""
    statuses: list[int] = []
    every = list(hypothesis.HealthCheck)
    settings = hypothesis.settings(
        max_examples=examples, derandomize=True, deadline=None, database=None, suppress_health_check=every
    )
    with asgi.get_client(app) as session:

        @settings
        @hypothesis.given(case=operation.as_strategy(generation_mode=mode))
        def ask(case: Case) -> None:
            world.fit(case)
            answer = case.call(session=session)
            statuses.append(answer.status_code)
            case.validate_response(answer, checks=CHECKS)

        ask()
    return statuses


@pytest.mark.parametrize(("method", "path"), OPERATIONS)
def test_answers_are_as_described(acp_app: FastAPI, buying: Checkout, method: str, path: str) -> None:
    """Whatever fits the description is answered as described, and some of it is taken."""
    operation = checker(acp_app)[path][method]

    statuses = asked(acp_app, World(buying), operation, GenerationMode.POSITIVE, EXAMPLES if operation.body else FEW)

    assert min(statuses) < 300, statuses


@pytest.mark.parametrize(("method", "path"), WITH_BODY)
def test_what_does_not_fit_the_description_is_refused(
    acp_app: FastAPI, buying: Checkout, method: str, path: str
) -> None:
    operation = checker(acp_app)[path][method]

    statuses = asked(acp_app, World(buying), operation, GenerationMode.NEGATIVE, EXAMPLES)

    assert {400} <= set(statuses) <= {200, 201, 400, 422}, statuses


def test_every_name_in_the_description_leads_somewhere(acp_app: FastAPI) -> None:
    said = description(acp_app)
    names = set(re.findall(r'"#/components/schemas/(acp\.[^"]+)"', json.dumps(said)))

    assert names
    assert names <= set(said["components"]["schemas"])
    assert '"$ref"' not in json.dumps(openapi.schema("CheckoutSessionCreateRequest"))


def test_the_description_says_more_than_the_official_schemas_only_where_it_has_to() -> None:
    wider = set()
    for file, word in openapi.WORDS.items():
        official_ones = json.loads((openapi.SPEC / "json-schema" / file).read_text())["$defs"]
        for name, part in official_ones.items():
            plain = re.sub(r'"(?:[a-z_.]+)?#/\$defs/', '"', json.dumps(_without_examples(part)))
            ours = re.sub(
                r'"#/components/schemas/acp\.[a-z]+\.', '"', json.dumps(openapi.components()[f"acp.{word}.{name}"])
            )
            wider |= {name} if json.loads(plain) != json.loads(ours) else set()

    assert wider == {
        "CheckoutSessionCreateRequest",
        "CheckoutSessionUpdateRequest",
        "CartCreateRequest",
        "CartUpdateRequest",
        "IntentTrace",
        "InterventionCapabilities",
        "DelegateAuthenticationSessionWithResult",
    }


def _without_examples(part: Any) -> Any:
    if isinstance(part, dict):
        return {key: _without_examples(value) for key, value in part.items() if key not in {"example", "examples"}}
    return [_without_examples(one) for one in part] if isinstance(part, list) else part
