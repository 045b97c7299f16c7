"""The closed shapes of the payment provider's requests. No ``repr`` shows a number, no error repeats what was sent."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Annotated, Any, Final, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints, ValidationError

from engine.payments.delegated import Refusal

_MOMENT: Final = re.compile(r"\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(\.\d{1,9})?([Zz]|[+-]\d\d:\d\d)", re.ASCII)
_MOST: Final = 10**12
_KNOWN_WORD: Final = re.compile(r"[a-z][a-z_]{0,39}")
_UNKNOWN: Final = "extra_forbidden"
ABSENT: Final[Any] = None
"""What was left out; ``null`` is not."""


def _whole(value: Any) -> Any:
    """JSON knows one kind of number: ``2000.0`` is whole."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _moment(value: str) -> datetime:
    if not _MOMENT.fullmatch(value):
        raise ValueError("a moment is written as in RFC 3339")
    try:
        return datetime.fromisoformat(value.upper()).astimezone(UTC)
    except (ValueError, OverflowError):
        raise ValueError("there is no such moment") from None


def _address_of_page(value: str) -> str:
    try:
        parts = urlsplit(value)
    except ValueError:
        raise ValueError("that is no address of a page") from None
    if parts.scheme not in {"https", "http"} or not parts.netloc or " " in value:
        raise ValueError("that is no address of a page")
    return value


Text = Annotated[str, StringConstraints(max_length=4000)]
Whole = Annotated[int, BeforeValidator(_whole), Field(ge=-_MOST, le=_MOST)]
Moment = Annotated[str, AfterValidator(_moment)]
Words = dict[str, str]
PageAddress = Annotated[str, StringConstraints(max_length=2000), AfterValidator(_address_of_page)]


def text(most: int, least: int = 0, pattern: str | None = None) -> Any:
    return StringConstraints(max_length=most, min_length=least, pattern=pattern)


Name = Annotated[str, text(256)]
Month = Annotated[str, text(2)]
Year = Annotated[str, text(4)]
Country = Annotated[str, text(2, 2, r"^[A-Za-z]{2}$")]


class Closed(BaseModel):
    """Only what the schema knows, each of its own type, and nothing of it in a message."""

    model_config = ConfigDict(extra="forbid", strict=True, hide_input_in_errors=True)

    def __repr__(self) -> str:
        return f"{type(self).__name__}(…)"

    __str__ = __repr__


class AddressIn(Closed):
    name: Annotated[str, text(256)]
    line_one: Annotated[str, text(60)]
    line_two: Annotated[str, text(60)] = ""
    city: Annotated[str, text(60)]
    state: Text
    country: Country
    postal_code: Annotated[str, text(20)]


class CardIn(Closed):
    type: Literal["card"]
    card_number_type: Literal["fpan", "network_token"]
    number: Text
    exp_month: Month = ABSENT
    exp_year: Year = ABSENT
    name: Text = ""
    cvc: Annotated[str, text(4)] = ABSENT
    cryptogram: Text = ABSENT
    eci_value: Annotated[str, text(2)] = ""
    checks_performed: list[Literal["avs", "cvv", "ani", "auth0"]] = []
    iin: Annotated[str, text(8)] = ""
    display_card_funding_type: Literal["credit", "debit", "prepaid"]
    display_wallet_type: Text = ""
    display_brand: Text = ""
    display_last4: Annotated[str, text(4, 4, r"^[0-9]{4}$")] = ABSENT
    metadata: Words
    virtual: bool = False


class AllowanceIn(Closed):
    reason: Literal["one_time"]
    max_amount: Annotated[Whole, Field(ge=0)]
    currency: Annotated[str, text(3, 3, r"^[a-z]{3}$")]
    checkout_session_id: Name
    merchant_id: Name
    expires_at: Moment


class SignalIn(Closed):
    type: Literal["card_testing"]
    score: Whole
    action: Literal["blocked", "manual_review", "authorized"]


class DelegatePaymentIn(Closed):
    payment_method: CardIn
    allowance: AllowanceIn
    billing_address: AddressIn = ABSENT
    risk_signals: list[SignalIn]
    metadata: Words


class AcquirerIn(Closed):
    acquirer_bin: Annotated[str, text(11)]
    acquirer_country: Country
    acquirer_merchant_id: Annotated[str, text(35)]
    merchant_name: Annotated[str, text(40)]
    requestor_id: Annotated[str, text(35)] = ""


class MethodIn(Closed):
    type: Literal["card"]
    number: Text
    exp_month: Month
    exp_year: Year
    name: Text


class AmountIn(Closed):
    value: Annotated[Whole, Field(ge=1)]
    currency: Annotated[str, text(3, 3, r"^[A-Z]{3}$")]


class BrowserIn(Closed):
    accept_header: Text
    ip_address: Annotated[str, text(45)]
    javascript_enabled: bool
    language: Annotated[str, text(35)]
    user_agent: Text
    color_depth: Whole = ABSENT
    java_enabled: bool = ABSENT
    screen_height: Whole = ABSENT
    screen_width: Whole = ABSENT
    timezone_offset: Whole = ABSENT


class ChannelIn(Closed):
    type: Literal["browser"]
    browser: BrowserIn


class ChallengeWishIn(Closed):
    type: Literal["mandated", "preferred"] = "preferred"


class FrictionlessWishIn(Closed):
    pass


class FlowIn(Closed):
    type: Literal["challenge", "frictionless"]
    challenge: ChallengeWishIn = ABSENT
    frictionless: FrictionlessWishIn = ABSENT


class ShopperIn(Closed):
    name: Text = ""
    email: Annotated[str, text(320, 3, r"^[^@\s]+@[^@\s]+$")] = ""
    phone_number: Text = ""
    address: AddressIn = ABSENT


class AuthenticationIn(Closed):
    merchant_id: Name
    acquirer_details: AcquirerIn = ABSENT
    payment_method: MethodIn
    amount: AmountIn
    channel: ChannelIn = ABSENT
    checkout_session_id: Name = ABSENT
    flow_preference: FlowIn = ABSENT
    challenge_notification_url: PageAddress = ABSENT
    shopper_details: ShopperIn = ABSENT


class GoOnIn(Closed):
    fingerprint_completion: Literal["Y", "N", "U"]
    channel: ChannelIn = ABSENT
    checkout_session_id: Name = ABSENT
    challenge_notification_url: PageAddress = ABSENT
    shopper_details: ShopperIn = ABSENT


_SCREEN: Final = ("color_depth", "java_enabled", "screen_height", "screen_width", "timezone_offset")


def missing_of_browser(channel: ChannelIn | None) -> Refusal | None:
    """A browser that runs scripts tells of its screen too."""
    if channel is None or not channel.browser.javascript_enabled:
        return None
    for name in _SCREEN:
        if getattr(channel.browser, name) is None:
            return Refusal("A browser that runs scripts tells this too.", f"channel.browser.{name}", malformed=True)
    return None


def refusal_of(error: ValidationError) -> Refusal:
    """The first fault as a path of our own schema's words; a name that the caller made up is told only when it is a
    plain word, so that no number comes back as one.
    """
    first = error.errors(include_url=False, include_context=False, include_input=False)[0]
    parts = list(first["loc"])
    if first["type"] == _UNKNOWN:
        words = "There is a member here that the schema does not know."
        parts = parts if _KNOWN_WORD.fullmatch(str(parts[-1])) else parts[:-1]
    else:
        words = "This is missing." if first["type"] == "missing" else f"{first['msg'].removeprefix('Value error, ')}."
    if "metadata" in parts:
        parts = parts[: parts.index("metadata") + 1]
    return Refusal(words, _path(parts), malformed=True)


def _path(parts: list[int | str]) -> str:
    """A path below the body's root."""
    told = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in parts)
    return told.removeprefix(".")
