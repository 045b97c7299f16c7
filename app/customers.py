"""``/v1/identity`` and ``/v1/me``: proving an e-mail, and what opens by it. A typed e-mail alone opens nothing."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Final, Literal

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, ConfigDict, Field, StrictBool
from sqlalchemy.orm import Session

from app.chat.threads import forget, remember
from app.identity import end_session, rotate_session
from app.once import AskedDep, answer_after, answer_once, json_response
from app.routing import CallerDep, Guarded, SiteDep
from engine.customers import book, codes, consents, loyalty, verifying, wallet
from engine.customers.models import ConsentTopic
from engine.customers.policy import LoyaltyPolicy
from engine.customers.schemas import (
    ContactConsentView,
    PointsEntryView,
    PointsView,
    ProfileView,
    RedeemedView,
    SavedAddressView,
    SavedMethodView,
)
from engine.customers.service import methods_of
from engine.kit.identity import Identity
from engine.kit.policies import policy_of
from engine.kit.views import Price, View
from engine.privacy import erasing
from engine.privacy.exporting import PersonalData, export
from engine.privacy.schemas import ErasureView

identity: Final = APIRouter(prefix="/v1/identity", tags=["customers"], route_class=Guarded)
router: Final = APIRouter(prefix="/v1/me", tags=["customers"], route_class=Guarded)
Email = Annotated[str, Field(min_length=3, max_length=254)]
Code = Annotated[str, Field(min_length=6, max_length=20, pattern=r"^[0-9 \-]+$")]
Part = Annotated[str, Field(max_length=200)]


class _Given(BaseModel):
    model_config = ConfigDict(extra="forbid")


class WantedCode(_Given):
    email: Email


class TypedCode(_Given):
    email: Email
    code: Code


class ProfileChange(_Given):
    name: Annotated[str, Field(max_length=200)] | None = None
    phone: Annotated[str, Field(max_length=40)] | None = None


class NewAddress(_Given):
    name: Part
    line_one: Part
    line_two: Part = ""
    city: Part
    state: Part = ""
    postal_code: Part
    country: Part = ""
    default: StrictBool = False


class AddressChange(_Given):
    name: Part | None = None
    line_one: Part | None = None
    line_two: Part | None = None
    city: Part | None = None
    state: Part | None = None
    postal_code: Part | None = None
    country: Part | None = None
    default: StrictBool = False


class SaidConsent(_Given):
    topic: ConsentTopic
    channel: Literal["email", "sms", "phone", "post", "chat"]
    granted: StrictBool
    text_version: Annotated[str, Field(min_length=1, max_length=40, pattern=r"^[A-Za-z0-9._\-]+$")]


class WantedPoints(_Given):
    points: Annotated[int, Field(strict=True, ge=1, le=1_000_000_000)]


class WantedErasure(_Given):
    code: Code
    confirm: Literal["erase my data"]


class CodeSent(View):
    """Says the same whoever the address belongs to."""

    message: str
    expires_at: datetime


class AddressList(View):
    items: list[SavedAddressView]


class MethodList(View):
    items: list[SavedMethodView]


class ConsentList(View):
    items: list[ContactConsentView]


class SignedOut(View):
    signed_out: bool


@identity.post("/codes", status_code=202, responses={202: {"model": CodeSent}}, response_class=Response)
def ask_code(given: WantedCode, site: SiteDep, caller: CallerDep, asked: AskedDep) -> Response:
    """Send a six-digit code to an e-mail address. The answer is the same whether or not the shop knows it."""
    who, runtime = caller.known, site.runtime
    address = codes.limit_asking(runtime, who, given.email)

    def work(session: Session) -> CodeSent:
        row = codes.ask(session, runtime, who, address)
        return CodeSent(message="If this address can receive mail, a code is on its way.", expires_at=row.expires_at)

    return answer_once(runtime, who, asked, work, status=202)


@identity.post("/verify", responses={200: {"model": ProfileView}}, response_class=Response)
def verify(given: TypedCode, request: Request, site: SiteDep, caller: CallerDep, asked: AskedDep) -> Response:
    """Prove the address with its code. The session is the customer's from now on, under a new cookie: an old one, also
    one that somebody else may have planted, opens nothing any more.
    """
    who, tokens = caller.known, list[str]()

    def work() -> ProfileView:
        code_id = codes.check(site.runtime, who, given.email, given.code)
        with site.runtime.unit_of_work(who.tenant_id) as session:
            known = verifying.verify(session, who, code_id)
            tokens.append(rotate_session(session, known))
            return ProfileView.of(book.own_profile(session, known))

    response = answer_after(site.runtime, who, asked, work, status=200)
    for token in tokens:
        remember(site, request, response, caller.merchant, token)
    return response


@identity.post("/sign_out", responses={200: {"model": SignedOut}}, response_class=Response)
def sign_out(request: Request, site: SiteDep, caller: CallerDep) -> Response:
    """End this session everywhere it is open. The next conversation begins as a guest."""
    who = caller.known
    with site.runtime.unit_of_work(who.tenant_id) as session:
        end_session(session, who)
    response = json_response(SignedOut(signed_out=True))
    forget(request, response, caller.merchant)
    return response


@router.get("", responses={200: {"model": ProfileView}}, response_class=Response)
def me(site: SiteDep, caller: CallerDep) -> Response:
    """The customer this session has proven to be; 401 ``email_not_verified`` for a guest."""
    who = caller.known
    with site.runtime.unit_of_work(who.tenant_id) as session:
        return json_response(ProfileView.of(book.own_profile(session, who)))


@router.patch("", responses={200: {"model": ProfileView}}, response_class=Response)
def change_me(given: ProfileChange, site: SiteDep, caller: CallerDep, asked: AskedDep) -> Response:
    """Set name or phone."""
    who = caller.known

    def work(session: Session) -> ProfileView:
        return ProfileView.of(book.change_profile(session, who, name=given.name, phone=given.phone))

    return answer_once(site.runtime, who, asked, work, status=200)


@router.get("/addresses", responses={200: {"model": AddressList}}, response_class=Response)
def addresses(site: SiteDep, caller: CallerDep) -> Response:
    """The address book, the default first."""
    who = caller.known
    with site.runtime.unit_of_work(who.tenant_id) as session:
        return json_response(_addresses(session, who))


@router.post("/addresses", status_code=201, responses={201: {"model": SavedAddressView}}, response_class=Response)
def add_address(given: NewAddress, site: SiteDep, caller: CallerDep, asked: AskedDep) -> Response:
    """Keep an address. The first is the default."""
    who, parts = caller.known, given.model_dump(exclude={"default"})

    def work(session: Session) -> SavedAddressView:
        return SavedAddressView.of(book.add_address(session, who, parts, default=given.default))

    return answer_once(site.runtime, who, asked, work, status=201)


@router.patch("/addresses/{address_id}", responses={200: {"model": SavedAddressView}}, response_class=Response)
def change_address(
    address_id: str, given: AddressChange, site: SiteDep, caller: CallerDep, asked: AskedDep
) -> Response:
    """Change the parts that are given."""
    who, parts = caller.for_thing(), given.model_dump(exclude={"default"}, exclude_none=True)

    def work(session: Session) -> SavedAddressView:
        return SavedAddressView.of(book.change_address(session, who, address_id, parts, default=given.default))

    return answer_once(site.runtime, who, asked, work, status=200)


@router.delete("/addresses/{address_id}", responses={200: {"model": AddressList}}, response_class=Response)
def remove_address(address_id: str, site: SiteDep, caller: CallerDep, asked: AskedDep) -> Response:
    """Drop an address; answers with the rest."""
    who = caller.for_thing()

    def work(session: Session) -> AddressList:
        book.remove_address(session, who, address_id)
        return _addresses(session, who)

    return answer_once(site.runtime, who, asked, work, status=200)


@router.get("/payment_methods", responses={200: {"model": MethodList}}, response_class=Response)
def methods(site: SiteDep, caller: CallerDep) -> Response:
    """Saved ways to pay, the default first."""
    who = caller.known
    with site.runtime.unit_of_work(who.tenant_id) as session:
        return json_response(_methods(session, who))


@router.delete("/payment_methods/{method_id}", responses={200: {"model": MethodList}}, response_class=Response)
def remove_method(method_id: str, site: SiteDep, caller: CallerDep, asked: AskedDep) -> Response:
    """Drop a saved way to pay, here at once and at the gateway as soon as it answers; answers with the rest."""
    who = caller.for_thing()

    def work(session: Session) -> MethodList:
        wallet.remove_method(session, who, method_id)
        session.flush()
        return _methods(session, who)

    answer = answer_once(site.runtime, who, asked, work, status=200)
    wallet.forget_removed(site.runtime, who.tenant_id)
    return answer


@router.get("/consents", responses={200: {"model": ConsentList}}, response_class=Response)
def my_consents(site: SiteDep, caller: CallerDep) -> Response:
    """The newest word on each topic and channel; what was never said is no."""
    who = caller.known
    with site.runtime.unit_of_work(who.tenant_id) as session:
        rows = consents.standing(session, who.tenant_id, book.own_profile(session, who).id)
        return json_response(ConsentList(items=[ContactConsentView.of(row) for row in rows]))


@router.post("/consents", status_code=201, responses={201: {"model": ContactConsentView}}, response_class=Response)
def say_consent(given: SaidConsent, site: SiteDep, caller: CallerDep, asked: AskedDep) -> Response:
    """Agree, or take an agreement back."""
    who, words = caller.known, given.model_dump()

    def work(session: Session) -> ContactConsentView:
        return ContactConsentView.of(consents.say(session, who, **words))

    return answer_once(site.runtime, who, asked, work, status=201)


@router.get("/points", responses={200: {"model": PointsView}}, response_class=Response)
def points(site: SiteDep, caller: CallerDep) -> Response:
    """Points, what they came from, and what they are worth."""
    who = caller.known
    with site.runtime.unit_of_work(who.tenant_id) as session:
        return json_response(_points(session, who))


@router.post("/points/redeem", status_code=201, responses={201: {"model": RedeemedView}}, response_class=Response)
def redeem(given: WantedPoints, site: SiteDep, caller: CallerDep, asked: AskedDep) -> Response:
    """Turn points into store credit."""
    who, runtime = caller.known, site.runtime

    def work(session: Session) -> RedeemedView:
        done = loyalty.redeem(session, runtime, who, given.points)
        left = loyalty.balance(session, who.tenant_id, book.known(who))
        return RedeemedView(points=done.points, credit=Price(amount=done.amount, currency=done.currency), balance=left)

    return answer_once(runtime, who, asked, work, status=201)


@router.get("/export", responses={200: {"model": PersonalData}}, response_class=Response)
def my_data(site: SiteDep, caller: CallerDep) -> Response:
    """Everything the shop holds of this customer, in one document."""
    who = caller.known
    with site.runtime.unit_of_work(who.tenant_id) as session:
        customer = book.own_profile(session, who)
        return json_response(export(session, who.tenant_id, customer.id, actor=who.id))


@router.post("/erasure", status_code=202, responses={202: {"model": ErasureView}}, response_class=Response)
def erase_me(given: WantedErasure, site: SiteDep, caller: CallerDep) -> Response:
    """Be forgotten. Asks for a fresh code, sent to the profile's own address, and the words ``erase my data``; there is
    no way back. Store credit and points are gone with it. Deferred while an order or dispute is open.
    """
    who, runtime = caller.known, site.runtime
    with runtime.unit_of_work(who.tenant_id) as session:
        email = book.own_profile(session, who).email
    code_id = codes.check(runtime, who, email, given.code)
    with runtime.unit_of_work(who.tenant_id) as session:
        codes.spend(session, who, code_id)
        row = erasing.request(session, who.tenant_id, book.known(who), requested_by=who.id, reason="asked_by_customer")
        view = ErasureView.of(row)
    wallet.forget_removed(runtime, who.tenant_id)
    return json_response(view, 202)


def _addresses(session: Session, who: Identity) -> AddressList:
    rows = book.addresses(session, who.tenant_id, book.own_profile(session, who).id)
    return AddressList(items=[SavedAddressView.of(row) for row in rows])


def _methods(session: Session, who: Identity) -> MethodList:
    rows = methods_of(session, who.tenant_id, book.own_profile(session, who).id)
    return MethodList(items=[SavedMethodView.of(row) for row in rows])


def _points(session: Session, who: Identity) -> PointsView:
    customer_id = book.own_profile(session, who).id
    policy = policy_of(session, who.tenant_id, LoyaltyPolicy)
    return PointsView(
        enabled=policy.enabled,
        balance=loyalty.balance(session, who.tenant_id, customer_id),
        redeem_minimum=policy.redeem_minimum,
        points_per_credit_unit=policy.points_per_credit_unit,
        entries=[PointsEntryView.of(row) for row in loyalty.history(session, who.tenant_id, customer_id)],
    )
