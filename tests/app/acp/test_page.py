"""The page of the protocol says of every member, status and code what the schemas, the models and the code say."""

from __future__ import annotations

import ast
import inspect
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

from app import middleware
from app.protocols.acp import carts, requests
from app.protocols.acp.errors import STATUS
from app.protocols.acp.openapi import SPEC
from app.protocols.acp.pace import Pace
from engine.agentic import errors as refusals
from engine.agentic.paying import TRIES
from engine.carts.promotions import Why
from engine.checkout.errors import CheckoutBusy
from engine.checkout.models import SessionStatus
from engine.kit.errors import DomainError, InvalidInput, NotFound, RateLimited, Unauthenticated, Unavailable
from engine.kit.idempotency import KEEP, IdempotencyConflict, InFlight
from tests.app.acp.conftest import Checkout
from tests.app.test_serve import ROOT
from tests.source import parsed

PAGE = (ROOT / "docs/protocols/acp.md").read_text()
ACP, ENGINE = ROOT / "app/protocols/acp", ROOT / "engine/agentic"
MODELS: dict[str, type[BaseModel]] = {
    "CheckoutSessionCreateRequest": requests.CreateRequest,
    "CheckoutSessionUpdateRequest": requests.UpdateRequest,
    "CheckoutSessionCompleteRequest": requests.CompleteRequest,
    "CancelSessionRequest": requests.CancelRequest,
    "CartCreateRequest": carts.NewCart,
    "CartUpdateRequest": carts.Contents,
    "Item": requests.LineItem,
    "Buyer": requests.Buyer,
    "CompanyInfo": requests.Company,
    "LoyaltyInfo": requests.Loyalty,
    "TaxExemption": requests.TaxExemption,
    "FulfillmentDetails": requests.FulfillmentDetails,
    "Address": requests.Address,
    "FulfillmentGroup": requests.Group,
    "SelectedFulfillmentOption": requests.Selection,
    "Capabilities": requests.Capabilities,
    "InterventionCapabilities": requests.Interventions,
    "DiscountsRequest": requests.Discounts,
    "AffiliateAttribution": requests.Attribution,
    "AffiliateAttributionSource": requests.Source,
    "PaymentData": requests.PaymentData,
    "AuthenticationResult": requests.AuthenticationResult,
    "RiskSignals": requests.RiskSignals,
    "MarketingConsent": requests.MarketingConsent,
    "IntentTrace": requests.IntentTrace,
}
ANSWERED = [
    *("CheckoutSessionBase", "Capabilities", "PaymentHandler", "InterventionCapabilities", "LineItem", "Total"),
    *("FulfillmentOptionShipping", "FulfillmentOptionLocalDelivery", "FulfillmentOptionPickup"),
    *("FulfillmentOptionDigital", "DiscountsResponse", "AppliedDiscount", "Coupon", "MessageInfo", "Link"),
    *("AuthenticationMetadata", "MarketingConsentOption", "Order", "Cart", "DiscoveryResponse", "Error"),
]
BELOW: list[type[DomainError]] = [
    *(Unauthenticated, RateLimited, IdempotencyConflict, InFlight),
    *(CheckoutBusy, NotFound, InvalidInput, Unavailable),
]
"""Refusals of other rooms that come up to the door."""
Members = dict[str, set[str]]


def rows(heading: str) -> Iterator[list[str]]:
    """The cells of the table below a heading, without its head."""
    part = PAGE.split(f"\n## {heading}\n")[1].split("\n## ")[0]
    lines = [line for line in part.splitlines() if line.startswith("|")]
    yield from ([cell.strip() for cell in line.strip("|").split("|")] for line in lines[2:])


def words(cell: str) -> list[str]:
    return re.findall(r"`([^`]+)`", cell)


def objects(heading: str) -> dict[str, Members]:
    """Object → how its members are taken or told → the members."""
    found: dict[str, Members] = {}
    name = ""
    for first, members, how, *_ in rows(heading):
        name = words(first)[0] if first else name
        kinds = found.setdefault(name, {})
        kinds[how] = kinds.get(how, set()) | set(words(members))
    return found


def defs() -> dict[str, Any]:
    found: dict[str, Any] = {}
    for file in ("schema.cart.json", "schema.agentic_checkout.json"):
        found |= json.loads((SPEC / "json-schema" / file).read_text())["$defs"]
    return found


SENT, TOLD, DEFS = objects("What may be sent"), objects("What is answered"), defs()


def test_every_object_of_a_request_and_of_an_answer_is_on_the_page() -> None:
    assert set(SENT) == set(MODELS)
    assert list(TOLD) == ANSWERED


@pytest.mark.parametrize("name", MODELS)
def test_what_may_be_sent_is_what_schema_and_model_say(name: str) -> None:
    kinds, official = SENT[name], set(DEFS[name]["properties"])

    assert set(kinds) <= {"used", "kept", "ours"}
    assert kinds.get("used", set()) | kinds.get("kept", set()) == official
    assert set(MODELS[name].model_fields) - official == kinds.get("ours", set())
    assert official <= set(MODELS[name].model_fields)


@pytest.mark.parametrize("name", ANSWERED)
def test_what_is_answered_is_what_the_schema_says(name: str) -> None:
    kinds = TOLD[name]

    assert set(kinds) <= {"said", "never"}
    assert kinds.get("said", set()) | kinds.get("never", set()) == set(DEFS[name]["properties"])
    assert not kinds.get("said", set()) & kinds.get("never", set())


def test_statuses_are_those_of_the_schema_and_never_is_true() -> None:
    told = {words(first)[0]: when for first, when in rows("Statuses")}

    assert set(told) == set(DEFS["CheckoutSessionBase"]["properties"]["status"]["enum"])
    assert {name for name, when in told.items() if not when.startswith("never")} == {str(one) for one in SessionStatus}


def test_message_codes_are_those_that_are_said() -> None:
    told = {code: kind for cell, kind, _ in rows("Messages") for code in words(cell)}
    official = {
        kind: set(DEFS[f"Message{kind.title()}"]["properties"]["code"]["enum"]) for kind in ("error", "warning")
    }
    said = {text for name in ("messages", "saying", "sessions", "paying") for text in _texts(ENGINE / f"{name}.py")}
    said |= {str(why) for why in Why}

    assert all(code in official[kind] for code, kind in told.items())
    assert set(told) == said & (official["error"] | official["warning"])


def test_error_codes_are_those_of_the_code() -> None:
    told = {words(code)[0]: int(status) for code, status, _ in rows("Errors")}

    assert told == _codes()


def _codes() -> dict[str, int]:
    """Every code that can be told: written at the door, or of a refusal below it."""
    found = {"missing": 400, "method_not_allowed": 405}
    for path in ACP.glob("*.py"):
        if not path.name.startswith("delegate"):
            found |= dict(_written(parsed(path)))
    own = [one for _, one in inspect.getmembers(refusals, inspect.isclass) if one.__module__ == refusals.__name__]
    return found | {one.code: STATUS[one.kind] for one in (*own, *BELOW)}


def _written(tree: ast.AST) -> Iterator[tuple[str, int]]:
    """Codes with their status, as literals of a refusal."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") in {"AcpError", "Fault", "_refused"}:
            given = [one.value for one in node.args if isinstance(one, ast.Constant)]
            code = next((one for one in given if isinstance(one, str) and re.fullmatch("[a-z_]+", one)), None)
            if code:
                yield code, next((one for one in given if isinstance(one, int)), 400)


def _texts(path: Path) -> set[str]:
    tree = parsed(path)
    return {node.value for node in ast.walk(tree) if isinstance(node, ast.Constant) and isinstance(node.value, str)}


def test_numbers_are_those_of_the_code() -> None:
    assert f"A key may ask {Pace().per_second:.0f} times a second" in PAGE
    assert f"{TRIES} completes a minute" in PAGE
    assert f"Answers are kept {KEEP.total_seconds() / 3600:.0f} hours" in PAGE
    assert f"413 above {middleware.BODY_LIMIT // 1024} KB" in PAGE


def test_nothing_is_answered_that_the_page_calls_never(buying: Checkout) -> None:
    """In a session without an address, a ready one, one that waits for its holder, and a paid one."""
    buying.shop.add("A")
    bare = buying.agent.post("/checkout_sessions", buying.wish("A")).json()
    ready = buying.opened("A", discounts={"codes": ["NOPE"]}, metadata={"a": 1}, locale="en-US")
    asking = buying.opened("A")
    asked = buying.complete(asking, buying.token(asking, card="card_test_3ds")).json()
    paid = buying.complete(ready, buying.token(ready)).json()
    cart = buying.agent.post("/carts", {"line_items": [{"id": buying.shop.variants["A"]}]}).json()

    assert paid["status"] == "completed"
    for session in (bare, ready, asked, paid):
        _only(session, "CheckoutSessionBase")
        _only(session["capabilities"], "Capabilities")
        _only(session["capabilities"]["interventions"], "InterventionCapabilities")
        for name, one in (("line_items", "LineItem"), ("totals", "Total"), ("links", "Link")):
            for part in session[name]:
                _only(part, one)
        for option in session["fulfillment_options"]:
            _only(option, "FulfillmentOptionShipping")
        for offered in session.get("marketing_consent_options", ()):
            _only(offered, "MarketingConsentOption")
        for handler in session["capabilities"]["payment"]["handlers"]:
            _only(handler, "PaymentHandler")
    _only(paid["order"], "Order")
    _only(cart, "Cart")
    assert (
        set(ready) | set(asked) | set(paid) | {"fulfillment_groups", "timezone", "quote_id", "continue_url"}
        == (TOLD["CheckoutSessionBase"]["said"])
    )


def _only(body: dict[str, Any], name: str) -> None:
    assert set(body) <= TOLD[name]["said"], (name, set(body) - TOLD[name]["said"])


@pytest.mark.parametrize("link", sorted(set(re.findall(r"\]\(([^)#]+)", PAGE))))
def test_links_lead_somewhere(link: str) -> None:
    assert (ROOT / "docs/protocols" / link).exists()
