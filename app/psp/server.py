"""The payment pages, on an origin of their own: the sandbox gateway's card entry and the bank's question, and the page
around a vendor's card form.

Card numbers pass through here and nowhere else. No body of this app is ever logged or echoed.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable
from typing import Annotated, Any, Final

from fastapi import APIRouter, FastAPI, Form, Query, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from pydantic import AliasChoices, BaseModel, ConfigDict, Field, StrictInt
from sqlalchemy import select

from app import pages, problems
from app.middleware import HEADERS, Edge, content_policy
from app.origins import known_origin, shop_origins
from app.problems import problem
from app.routing import SiteDep
from app.site import Site
from app.wording import chosen
from engine.kit.errors import NotFound, Unauthenticated
from engine.kit.ids import is_id
from engine.kit.money import format_minor
from engine.kit.tenancy import Tenant
from engine.kit.views import View
from engine.payments.gateway import CardFacts, EntryKind, MethodKind
from engine.payments.gateways.grants import Grant, read_grant
from engine.payments.gateways.sandbox.cards import TEST_CARDS, TEST_WALLETS
from engine.payments.gateways.sandbox.gateway import SandboxGateway
from engine.payments.gateways.sandbox.vault import CardEntry, WalletEntry
from engine.payments.naming import method_label

router: Final = APIRouter()
_PARTS: Final = (
    "number",
    "exp_month",
    "exp_year",
    "cvc",
    "name",
    "session",
    "network_token",
    "cryptogram",
    "eci",
    "last4",
)
_WORDS: Final = {"number": "Check the card number.", "cvc": "Check the security code.", "name": "Check the name."}
Wish = Annotated[bool, Query(description="Whether a known customer may have it kept for the next purchase.")]
GrantText = Annotated[str, Query(max_length=400)]


class CardIn(BaseModel):
    """What was typed. Shows nothing of it."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)

    session: Annotated[str, Field(max_length=400, validation_alias=AliasChoices("session", "grant"))]
    number: Annotated[str, Field(max_length=40)]
    exp_month: StrictInt
    exp_year: StrictInt
    cvc: Annotated[str, Field(max_length=8)]
    name: Annotated[str, Field(max_length=120)] = ""

    def __repr__(self) -> str:
        return "CardIn(…)"

    __str__ = __repr__


class WalletIn(BaseModel):
    """What the Demo Wallet handed over. Shows nothing of it."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)

    session: Annotated[str, Field(max_length=400)]
    network_token: Annotated[str, Field(max_length=19)]
    exp_month: StrictInt
    exp_year: StrictInt
    cryptogram: Annotated[str, Field(max_length=64)]
    eci: Annotated[str, Field(max_length=2)]
    last4: Annotated[str, Field(max_length=4)]

    def __repr__(self) -> str:
        return "WalletIn(…)"

    __str__ = __repr__


class CardOut(View):
    token: str
    kind: MethodKind
    brand: str
    last4: str
    label: str

    @classmethod
    def of(cls, facts: CardFacts) -> CardOut:
        label = method_label(facts.brand, facts.last4, wallet=facts.wallet)
        return cls(token=facts.ref, kind=facts.kind, brand=facts.brand, last4=facts.last4, label=label)


def create_psp_app(site: Site) -> FastAPI:
    """The gateway's HTTP door. It answers no other origin's scripts, and only our pages may frame it."""
    app = FastAPI(
        title="iCommerce sandbox gateway", docs_url=None, redoc_url=None, openapi_url=None, redirect_slashes=False
    )
    app.state.site = site
    app.include_router(router)
    app.mount("/static", pages.VersionedFiles(directory=pages.STATIC), name="static")
    problems.install(app)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_middleware(Edge, policy=content_policy(), headers={"Cross-Origin-Resource-Policy": "cross-origin"})
    return app


@router.get("/healthz")
async def healthz() -> dict[str, str]:
    return {"status": "ok"}


@router.get("/card-entry")
def card_form(
    request: Request,
    site: SiteDep,
    grant: GrantText,
    origin: Annotated[str, Query(max_length=300)] = "",
    keep: Wish = False,
) -> Response:
    """The form, for the shop's page to frame."""
    merchant = _demo_merchant(site, read_grant(site.runtime.secret_key, grant))
    parent = _parent(site, merchant, origin)
    cards = [{"number": card.number, "brand": card.brand, "note": card.label} for card in TEST_CARDS]
    passes = [
        {"network_token": card.number, "brand": card.brand, "last4": card.last4, "note": card.label}
        for card in TEST_WALLETS
    ]
    config = {"session": grant, "parent_origin": parent, "keeps": keep, "test_cards": cards, "passes": passes}
    page = _form("card_entry.html", request, merchant, config)
    page.headers["Content-Security-Policy"] = content_policy(ancestors=parent)
    page.headers["Cache-Control"] = "no-store"
    return page


@router.post("/card-entry", responses={200: {"model": CardOut}})
def keep_card(site: SiteDep, given: CardIn) -> CardOut:
    """Take a card; answers with a token that works in this checkout alone."""
    grant = _counted(site, given.session)
    entry = CardEntry(given.number, given.exp_month, given.exp_year, given.cvc, given.name)
    return CardOut.of(_gateway(site).vault.keep(grant, entry))


@router.post("/wallet-entry", responses={200: {"model": CardOut}})
def keep_wallet(site: SiteDep, given: WalletIn) -> CardOut:
    """Take a card out of the Demo Wallet; answers with a token that works in this checkout alone."""
    grant = _counted(site, given.session)
    entry = WalletEntry(given.network_token, given.exp_month, given.exp_year, given.cryptogram, given.eci, given.last4)
    return CardOut.of(_gateway(site).vault.keep_wallet(grant, entry))


@router.get("/card-element/{gateway}")
def card_element(
    gateway: str,
    request: Request,
    site: SiteDep,
    grant: GrantText,
    origin: Annotated[str, Query(max_length=300)] = "",
    keep: Wish = False,
) -> Response:
    """A vendor's own card form, where the shop has an account that offers it. The vendor's script runs on this page
    alone: its origins are in no other page's policy.
    """
    leave = read_grant(site.runtime.secret_key, grant)
    merchant = _merchant(site, leave)
    door = site.runtime.gateways.get(gateway)
    if door is None:
        raise NotFound("There is no such gateway.")
    element = door.entry(merchant=merchant.id, session_id=leave.session_id)
    if element.kind is not EntryKind.ELEMENT:
        raise NotFound("This gateway has a page of its own.")
    parent = _parent(site, merchant, origin)
    config = {
        "parent_origin": parent,
        "publishable_key": element.publishable_key,
        "currency": merchant.currency,
        "keeps": keep,
    }
    page = _form("card_element.html", request, merchant, config, script_url=element.script_url)
    page.headers["Content-Security-Policy"] = content_policy(
        scripts=element.script_origins,
        frames=element.frame_origins,
        connects=element.connect_origins,
        ancestors=parent,
        trusted_types=False,
    )
    page.headers["Permissions-Policy"] = _pays_in(element.frame_origins)
    page.headers["Cache-Control"] = "no-store"
    return page


def _form(template: str, request: Request, merchant: Tenant, config: dict[str, Any], **values: Any) -> HTMLResponse:
    """A card form, in the shopper's language, with the words that its script needs."""
    wording = chosen(request, merchant.settings)
    told = config | {"words": dict(wording.part("hosted.card"))}
    return pages.render(template, wording=wording, merchant=merchant.name, config_json=json.dumps(told), **values)


@router.get("/challenge/{challenge_id}")
def question(challenge_id: str, request: Request, site: SiteDep) -> HTMLResponse:
    """The bank asks its customer."""
    found = _gateway(site).challenge(challenge_id) if is_id(challenge_id, "challenge") else None
    if found is None:
        raise NotFound("This check has ended.")
    amount = format_minor(found["max_amount"], found["currency"])
    done = bool(found["authenticated"])
    return pages.render("challenge.html", wording=chosen(request), amount=amount, done=done, approved=None)


@router.post("/challenge/{challenge_id}")
def answer(
    challenge_id: str, request: Request, site: SiteDep, approve: Annotated[str, Form(max_length=3)] = "no"
) -> Response:
    """The customer's answer."""
    if not is_id(challenge_id, "challenge"):
        raise NotFound("This check has ended.")
    if approve == "yes":
        _gateway(site).pass_challenge(challenge_id)
        return RedirectResponse(f"/challenge/{challenge_id}", 303)
    _gateway(site).refuse_challenge(challenge_id)
    return pages.render("challenge.html", wording=chosen(request), amount="", done=False, approved=False)


@router.post("/3ds/method")
async def fingerprint() -> HTMLResponse:
    """The bank looks at the browser, in a frame that nobody sees. This one looks at nothing."""
    return HTMLResponse("<!doctype html><title>Your bank</title>", headers={"Cache-Control": "no-store"})


@router.post("/3ds/challenge")
def ask_holder(creq: Annotated[str, Form(max_length=4000)]) -> Response:
    """A challenge request (EMV 3-D Secure) brings the card's holder to the bank's question."""
    challenge_id = _asked(creq)
    if challenge_id is None:
        raise NotFound("This check has ended.")
    return RedirectResponse(f"/challenge/{challenge_id}", 303)


def _asked(creq: str) -> str | None:
    """The question that a challenge request (base64url JSON) names."""
    try:
        told = json.loads(base64.urlsafe_b64decode(creq + "=" * (-len(creq) % 4)))
    except (ValueError, RecursionError):
        return None
    challenge_id = told.get("acsTransID") if isinstance(told, dict) else None
    return challenge_id if isinstance(challenge_id, str) and is_id(challenge_id, "challenge") else None


def _merchant(site: Site, grant: Grant) -> Tenant:
    with site.runtime.store.without_tenant() as session:
        found = session.scalar(select(Tenant).where(Tenant.id == grant.merchant, Tenant.status == "active"))
    if found is None:
        raise Unauthenticated("This card form is not valid any more. Please open it again.")
    return found


def _demo_merchant(site: Site, grant: Grant) -> Tenant:
    """Imaginary money is for demo shops."""
    found = _merchant(site, grant)
    if not found.demo:
        raise Unauthenticated("This card form is not valid any more. Please open it again.")
    return found


def _counted(site: Site, session: str) -> Grant:
    """The leave to enter a card, one try of it used up."""
    grant = read_grant(site.runtime.secret_key, session)
    _demo_merchant(site, grant)
    site.hit(f"card:{grant.session_id}", site.limits.cards_per_session)
    return grant


def _parent(site: Site, merchant: Tenant, origin: str) -> str:
    """The page that may frame a form and hear of a card."""
    return known_origin(site.settings, merchant.host, origin) or shop_origins(site.settings, merchant.host)[0]


def _pays_in(origins: Iterable[str]) -> str:
    """The usual permissions, with the browser's wallets for the vendor's frames too."""
    named = " ".join(f'"{one}"' for one in origins)
    return HEADERS["Permissions-Policy"].replace("payment=(self)", f"payment=(self {named})")


def _gateway(site: Site) -> SandboxGateway:
    gateway = site.runtime.gateways["sandbox"]
    assert isinstance(gateway, SandboxGateway)
    return gateway


async def _invalid(request: Request, error: Exception) -> Response:
    """Names the faulty part and nothing else: not even the validator's own words."""
    assert isinstance(error, RequestValidationError)
    named = [str(part) for fault in error.errors() for part in fault["loc"] if part in _PARTS]
    part = named[0] if named else None
    words = _WORDS.get(part or "", "Check the card details.")
    return problem(request, 400, "invalid_card" if part else "invalid_request", words, param=part)
