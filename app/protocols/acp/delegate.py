"""``/agentic_commerce/delegate_payment`` and ``/delegate_authentication``: the payment provider's side, at the sandbox.

A card goes from the body into the vault and nowhere else. What makes two requests the same is kept by the vault itself,
as a keyed digest, in the statement that makes the token: no other table of ours ever hears of these bodies.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, Final

from pydantic import ValidationError

from app.protocols.acp.delegate_shapes import (
    AuthenticationIn,
    CardIn,
    DelegatePaymentIn,
    GoOnIn,
    missing_of_browser,
    refusal_of,
)
from app.protocols.acp.errors import AcpError, Fault, flat
from app.protocols.acp.kernel import Acp, Asked, AskedDep, Reply, acp_router, plain
from app.protocols.acp.openapi import AUTHENTICATION, PAYMENT, RETRIEVED, Header, described
from engine.kit.errors import Unauthenticated
from engine.kit.idempotency import IdempotencyConflict, canonical_json
from engine.kit.identity import Scope
from engine.kit.money import Money, is_currency
from engine.kit.policies import read_policy
from engine.payments.delegated import (
    Answer,
    AuthenticationFacts,
    AuthenticationRequest,
    CardTaker,
    DelegatedCard,
    NumberType,
    Refusal,
    Request,
    Signal,
    card_taker,
)
from engine.payments.errors import DelegationUnsupported
from engine.payments.gateway import Allowance
from engine.payments.policy import PaymentsPolicy

_OWN: Final = frozenset({"invalid_card", "duplicate_request", "idempotency_conflict", "idempotency_in_flight"})
_ONLY_OF_PAYMENT: Final = frozenset({"idempotency_key_required"})
_DOOR: Final = frozenset(
    {"missing_api_version", "unsupported_api_version", "payload_too_large", "unsupported_media_type"}
)
"""Codes that the closed list has no words for, and its RFC allows or its statuses do not foresee."""
_CODES: Final = re.compile(r"cv[cv]2?|cid|csc|security_?code|card_?number|pan", re.IGNORECASE)
_NO_KEY: Final = "Delegated payments are opened by the key of an agent platform."


def speak_payment(fault: Fault) -> dict[str, Any]:
    """A fault in delegate payment's own closed words, as far as they go."""
    return _speak(fault, _OWN | _ONLY_OF_PAYMENT)


def speak_authentication(fault: Fault) -> dict[str, Any]:
    """A fault in delegate authentication's closed words, which are fewer."""
    return _speak(fault, _OWN - {"idempotency_in_flight"})


class DelegatedPayments(Acp):
    speak = staticmethod(speak_payment)
    confidential = True


class DelegatedAuthentications(Acp):
    """Its idempotency key is only recommended."""

    speak = staticmethod(speak_authentication)
    key_required = False
    confidential = True


_PAYMENT: Final = described("DelegatePaymentRequest", "DelegatePaymentResponse", status=201, file=PAYMENT)
_OF_AUTHENTICATION: Final = "DelegateAuthentication"
_SIGNATURE: Final[Header] = ("Signature", True, {"type": "string", "minLength": 1})
_SIGNED: Final[dict[str, Any]] = {"file": AUTHENTICATION, "more": (_SIGNATURE,)}
payments: Final = acp_router("delegate payment", route_class=DelegatedPayments)
authentications: Final = acp_router("delegate authentication", route_class=DelegatedAuthentications)


@payments.post("/agentic_commerce/delegate_payment", **_PAYMENT)
@payments.post("/delegate_payment", **_PAYMENT)
def delegate_payment(asked: AskedDep) -> Reply:
    """A card and an allowance; answered with a token (``vt_…``) that pays once within it."""
    vault = _vault(asked, "allowance.merchant_id")
    request = _request(asked, "delegate_payment")
    most = _most(asked)
    try:
        given = asked.read(DelegatePaymentIn)
        refusal = _of_payment(asked, given)
    except ValidationError as error:
        given, refusal = None, refusal_of(error)
    if given is None or refusal is not None:
        return _told(vault.refuse(request, refusal or _NOTHING, failing=most), _nothing)
    signals = tuple(Signal(one.action) for one in given.risk_signals)
    answer = vault.delegate_card(request, _card(given.payment_method), _allowance(asked, given), signals, failing=most)
    return _told(answer, lambda made: plain(asked, _token(asked, given, made), status=201))


@authentications.post(
    "/delegate_authentication",
    **described(f"{_OF_AUTHENTICATION}CreateRequest", f"{_OF_AUTHENTICATION}Session", status=201, **_SIGNED),
)
def begin_authentication(asked: AskedDep) -> Reply:
    """Begin to authenticate a card's holder."""
    vault = _vault(asked, "merchant_id")
    _require_signature(asked)
    request = _request(asked, "delegate_authentication")
    most = _most(asked)
    try:
        given = asked.read(AuthenticationIn)
        refusal = _of_authentication(asked, given)
    except ValidationError as error:
        given, refusal = None, refusal_of(error)
    if given is None or refusal is not None:
        return _once_told(vault.refuse, request, refusal or _NOTHING, failing=most, tell=_nothing)
    wanted = _authentication(given)

    def tell(made: Answer) -> Reply:
        facts = vault.authentication(made.made_id or "", merchant=asked.tenant_id, as_begun=True)
        return plain(asked, _session(facts), status=201)

    return _once_told(vault.authenticate_card, request, wanted, failing=most, tell=tell)


@authentications.post(
    "/delegate_authentication/{authentication_id}/authenticate",
    **described(f"{_OF_AUTHENTICATION}AuthenticateRequest", f"{_OF_AUTHENTICATION}Session", **_SIGNED),
)
def go_on(asked: AskedDep) -> Reply:
    """The fingerprint was taken, or could not be: ask the bank. A repeat tells where it stands."""
    vault = _vault(asked, "merchant_id")
    _require_signature(asked)
    try:
        given = asked.read(GoOnIn)
    except ValidationError as error:
        raise _refused(refusal_of(error)) from None
    if missing := missing_of_browser(given.channel):
        raise _refused(missing)
    facts = vault.go_on(
        asked.ids["authentication_id"],
        merchant=asked.tenant_id,
        session_id=given.checkout_session_id,
    )
    return plain(asked, _session(facts))


@authentications.get(
    "/delegate_authentication/{authentication_id}",
    **described(None, RETRIEVED, file=AUTHENTICATION),
)
def read_authentication(asked: AskedDep) -> Reply:
    """Where it stands, with what the bank said in the end."""
    vault = _vault(asked, "merchant_id")
    facts = vault.authentication(asked.ids["authentication_id"], merchant=asked.tenant_id)
    told = _session(facts)
    return plain(asked, told | ({"authentication_result": dict(facts.result)} if facts.result else {}))


def _vault(asked: Asked, param: str) -> CardTaker:
    """Raises ``Unauthenticated`` for a key that is no agent platform's, ``AcpError`` where the shop has no vault."""
    if Scope.ACP not in asked.identity.scopes:
        raise Unauthenticated(_NO_KEY)
    try:
        return card_taker(asked.runtime.gateways, demo=asked.merchant.demo)
    except DelegationUnsupported as error:
        raise AcpError(422, "invalid_card", error.message, param=f"$.{param}") from None


def _require_signature(asked: Asked) -> None:
    if not asked.headers.get("signature"):
        raise AcpError(
            400, "invalid_signature", "Send a Signature header with every authentication.", param="Signature"
        )


def _request(asked: Asked, operation: str) -> Request:
    """The same for both of an operation's addresses."""
    return Request(asked.tenant_id, asked.identity.id, operation, asked.key, canonical_json(asked.body))


def _most(asked: Asked) -> int:
    policy = read_policy(dict(asked.merchant.settings), PaymentsPolicy, home=asked.merchant.currency)
    return policy.failing_cards_per_minute


_NOTHING: Final = Refusal("The request is not of the right shape.", "", malformed=True)


def _told(answer: Answer, tell: Callable[[Answer], Reply]) -> Reply:
    """The answer to a request, again or for the first time."""
    again = {"Idempotent-Replayed": "true"} if answer.replayed else {}
    if answer.refusal is not None:
        raise _refused(answer.refusal, again)
    reply = tell(answer)
    return Reply(reply.status, reply.body, {**reply.headers, **again})


def _once_told(
    do: Callable[..., Answer], request: Request, what: Any, *, failing: int, tell: Callable[[Answer], Reply]
) -> Reply:
    """As ``_told``, where another body under a known key is a conflict (409)."""
    try:
        return _told(do(request, what, failing=failing), tell)
    except IdempotencyConflict as error:
        raise AcpError(409, "idempotency_conflict", error.message) from None


def _nothing(_: Answer) -> Reply:
    raise AssertionError("a refusal is raised")


def _refused(refusal: Refusal, headers: dict[str, str] | None = None) -> AcpError:
    status = 400 if refusal.malformed else 422
    param = f"$.{refusal.param}" if refusal.param else "$"
    return AcpError(status, "invalid_card", refusal.message, param=param, headers=headers)


def _of_payment(asked: Asked, given: DelegatePaymentIn) -> Refusal | None:
    """What is wrong about it that its shape does not show."""
    if not _is_us(asked, given.allowance.merchant_id):
        return _not_us("allowance.merchant_id")
    if not is_currency(given.allowance.currency.upper()):
        return Refusal("There is no such currency.", "allowance.currency", malformed=True)
    if _tells_card({"": given.allowance.checkout_session_id}, given.payment_method.number):
        return Refusal("A card has no place here.", "allowance.checkout_session_id", malformed=True)
    if _tells_card(given.metadata, given.payment_method.number):
        return Refusal("Metadata is given back: a card has no place in it.", "metadata", malformed=True)
    return None


def _of_authentication(asked: Asked, given: AuthenticationIn) -> Refusal | None:
    if not _is_us(asked, given.merchant_id):
        return _not_us("merchant_id")
    if not is_currency(given.amount.currency):
        return Refusal("There is no such currency.", "amount.currency", malformed=True)
    return missing_of_browser(given.channel)


def _is_us(asked: Asked, merchant_id: str) -> bool:
    """``merchant_id`` is the shop's id, as its payment handler says; its slug is known as well."""
    return merchant_id in {asked.merchant.slug, asked.merchant.id}


def _not_us(param: str) -> Refusal:
    return Refusal("This key opens the vault of another merchant.", param, malformed=True)


def _tells_card(metadata: dict[str, str], number: str) -> bool:
    digits = re.sub(r"\D", "", number)
    told = re.sub(r"[\s.,_/-]", "", " ".join([*metadata.keys(), *metadata.values()]))
    return (len(digits) >= 12 and digits in told) or any(_CODES.fullmatch(name) for name in metadata)


def _card(given: CardIn) -> DelegatedCard:
    return DelegatedCard(
        number=given.number,
        number_type=NumberType(given.card_number_type),
        exp_month=given.exp_month,
        exp_year=given.exp_year,
        cvc=given.cvc,
        cryptogram=given.cryptogram,
        last4=given.display_last4,
        wallet=given.display_wallet_type.lower(),
    )


def _allowance(asked: Asked, given: DelegatePaymentIn) -> Allowance:
    allowed = given.allowance
    assert isinstance(allowed.expires_at, datetime)
    maximum = Money(allowed.max_amount, allowed.currency.upper())
    return Allowance(asked.tenant_id, allowed.checkout_session_id, maximum, allowed.expires_at)


def _token(asked: Asked, given: DelegatePaymentIn, made: Answer) -> dict[str, Any]:
    key = asked.headers.get("idempotency-key")
    ours = {"merchant_id": given.allowance.merchant_id} | ({"idempotency_key": key} if key else {})
    return {"id": made.made_id, "created": _zulu(made.created_at), "metadata": given.metadata | ours}


def _authentication(given: AuthenticationIn) -> AuthenticationRequest:
    flow = given.flow_preference
    mandated = bool(flow and flow.type == "challenge" and flow.challenge and flow.challenge.type == "mandated")
    return AuthenticationRequest(
        number=given.payment_method.number,
        exp_month=given.payment_method.exp_month,
        exp_year=given.payment_method.exp_year,
        amount=Money(given.amount.value, given.amount.currency),
        session_id=given.checkout_session_id,
        browser=given.channel is not None,
        challenge_first=mandated,
    )


def _session(facts: AuthenticationFacts) -> dict[str, Any]:
    told: dict[str, Any] = {"authentication_session_id": facts.id, "status": facts.status}
    return told | ({"action": dict(facts.action)} if facts.action else {})


def _zulu(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _speak(fault: Fault, codes: frozenset[str]) -> dict[str, Any]:
    said = flat(fault)
    if fault.status == 429:
        return said | {"type": "rate_limit_exceeded", "code": "too_many_requests"}
    if fault.status in {400, 409, 422} and fault.code not in codes | _DOOR:
        return said | {"code": "invalid_card"}
    return said
