"""What an agent may send: closed as the official schemas are, and what those cannot say (a quantity)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any, ClassVar, Final, Literal, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StrictBool,
    StrictInt,
    model_validator,
)

from engine.agentic.wishes import KEEP, Item, Opening, Payment, Selected, Wish
from engine.customers.addresses import check_email
from engine.customers.errors import ContactInvalid

LONGEST: Final = 5_000
_RFC_3339: Final = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt][0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]+)?([Zz]|[+-][0-9]{2}:[0-9]{2})"
)


def _whole(value: Any) -> Any:
    """``2.0`` is the integer 2, as JSON Schema has it."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _moment(value: str) -> str:
    """A moment as the schema has it: what is given back has to be one."""
    try:
        known = _RFC_3339.fullmatch(value) is not None and datetime.fromisoformat(value.upper()).tzinfo is not None
    except ValueError:
        known = False
    if not known:
        raise ValueError("a moment is a date and a time with its zone (RFC 3339)")
    return value


Text = Annotated[str, Field(max_length=LONGEST)]
Moment = Annotated[str, Field(max_length=40), AfterValidator(_moment)]
Id = Annotated[str, Field(min_length=1, max_length=255)]
Short = Annotated[str, Field(max_length=255)]
Whole = Annotated[StrictInt, BeforeValidator(_whole)]
Quantity = Annotated[StrictInt, BeforeValidator(_whole), Field(ge=1, le=9_999)]
Flat = dict[Short, str | StrictInt | float | StrictBool]
Open = dict[str, Any]


class Closed(BaseModel):
    """No member beyond those named, and no null where none can mean something."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    clearable: ClassVar[frozenset[str]] = frozenset()

    @model_validator(mode="before")
    @classmethod
    def _no_nulls(cls, data: Any) -> Any:
        if isinstance(data, Mapping):
            for name, value in data.items():
                if value is None and name in cls.model_fields and name not in cls.clearable:
                    raise ValueError(f"{name} cannot be null")
        return data

    def given(self) -> dict[str, Any]:
        """Only what was said."""
        return self.model_dump(exclude_unset=True)


class Lenient(Closed):
    """As ``Closed``, but what it does not know is let be."""

    model_config = ConfigDict(extra="ignore", frozen=True)


class Address(Closed):
    name: Short
    line_one: Short
    line_two: Short = ""
    city: Short
    state: Short
    country: Short
    postal_code: Short
    company: Short = ""


class Company(Closed):
    name: Short
    tax_id: Short = ""
    department: Short = ""
    cost_center: Short = ""


class Loyalty(Closed):
    tier: Short = ""
    points_balance: Whole = 0
    member_since: Moment = ""


class TaxExemption(Closed):
    certificate_id: Short
    certificate_type: Literal["resale", "exempt_organization", "government"]
    exempt_regions: Annotated[list[Short], Field(max_length=200)] = []
    expires_at: Moment = ""


class Buyer(Closed):
    email: Short
    first_name: Short = ""
    last_name: Short = ""
    full_name: Short = ""
    phone_number: Short = ""
    customer_id: Short = ""
    account_type: Literal["guest", "registered", "business"] | None = None
    authentication_status: Literal["authenticated", "guest", "requires_signin"] | None = None
    company: Company | None = None
    loyalty: Loyalty | None = None
    tax_exemption: TaxExemption | None = None


class FulfillmentDetails(Closed):
    name: Short = ""
    phone_number: Short = ""
    email: Short = ""
    address: Address | None = None


class Price(Closed):
    amount: Whole
    source: Open = {}
    observed_at: Short = ""


class ItemId(Closed):
    id: Id


class LineItem(Closed):
    """``{id}``, as released; ``{id, quantity}`` and ``{item: {id}, quantity}``, as everybody needs it. What the agent
    believes of name and price is taken in and never relied on.
    """

    id: Id | None = None
    item: ItemId | None = None
    name: Text = ""
    unit_amount: Whole = 0
    quantity: Quantity = 1
    suggested_price: Price | None = None

    @model_validator(mode="after")
    def _one_id(self) -> Self:
        if (self.id is None) == (self.item is None):
            raise ValueError("an item has an id")
        return self

    @property
    def wanted(self) -> Item:
        return Item(self.item.id if self.item else self.id or "", self.quantity)


LineItems = Annotated[list[LineItem], Field(min_length=1, max_length=500)]


class Interventions(Closed):
    """Values that are not known are let be; how an agent shows things is its own affair."""

    supported: Annotated[list[Short], Field(max_length=50)] = []
    required: Annotated[list[Short], Field(max_length=50)] = []
    enforcement: Short = ""
    display_context: Short = ""
    redirect_context: Short = ""
    max_redirects: Annotated[StrictInt, BeforeValidator(_whole), Field(ge=0)] = 0
    max_interaction_depth: Annotated[StrictInt, BeforeValidator(_whole), Field(ge=1)] = 1


class Capabilities(Closed):
    payment: Open = {}
    interventions: Interventions = Interventions()
    extensions: Annotated[list[Short | Open], Field(max_length=50)] = []

    @property
    def extension_names(self) -> list[str]:
        return [one if isinstance(one, str) else str(one.get("name", "")) for one in self.extensions]


class Discounts(Closed):
    codes: Annotated[list[Short], Field(max_length=20)] = []


class Source(Closed):
    type: Literal["url", "platform", "unknown"]
    url: Text = ""


class Attribution(Lenient):
    provider: Id
    token: Text = ""
    publisher_id: Short = ""
    campaign_id: Short = ""
    creative_id: Short = ""
    sub_id: Short = ""
    source: Source | None = None
    issued_at: Short = ""
    expires_at: Short = ""
    metadata: Flat = {}
    touchpoint: Literal["first", "last"] | None = None

    @model_validator(mode="after")
    def _names_somebody(self) -> Self:
        if not (self.token or self.publisher_id):
            raise ValueError("an attribution has a token or a publisher_id")
        return self


class Group(Closed):
    id: Id
    item_ids: Annotated[list[Id], Field(max_length=500)]
    destination_type: Literal["shipping", "pickup", "local_delivery", "digital"]
    fulfillment_details: FulfillmentDetails | None = None
    location_id: Short = ""
    instructions: Text = ""

    @model_validator(mode="after")
    def _reachable(self) -> Self:
        if self.fulfillment_details and "email" in self.fulfillment_details.model_fields_set:
            try:
                check_email(self.fulfillment_details.email)
            except ContactInvalid:
                raise ValueError("this e-mail address does not look right") from None
        return self


class Selection(Closed):
    type: Literal["shipping", "digital", "pickup", "local_delivery"]
    option_id: Id
    item_ids: Annotated[list[Id], Field(max_length=500)]

    @property
    def wanted(self) -> Selected:
        return Selected(self.type, self.option_id, tuple(self.item_ids))


Groups = Annotated[list[Group], Field(max_length=50)]
Codes = Annotated[list[Short], Field(max_length=20)]


class _Basics(Closed):
    buyer: Buyer | None = None
    fulfillment_details: FulfillmentDetails | None = None
    fulfillment_groups: Groups = []
    coupons: Codes = []
    discounts: Discounts = Discounts()
    order_notes: Text = ""

    def _wish(self) -> dict[str, Any]:
        """What was said of these, by the wish's names."""
        said = self.model_fields_set
        wish: dict[str, Any] = {}
        if "buyer" in said:
            wish["buyer"] = self.buyer.given() if self.buyer else None
        if "fulfillment_details" in said:
            wish["details"] = self.fulfillment_details.given() if self.fulfillment_details else None
        if "fulfillment_groups" in said:
            wish["groups"] = [group.given() for group in self.fulfillment_groups]
        if "discounts" in said and "codes" in self.discounts.model_fields_set:
            wish["codes"] = self.discounts.codes
        elif "coupons" in said:
            wish["codes"] = self.coupons
        if "order_notes" in said:
            wish["order_notes"] = self.order_notes
        return wish


class CreateRequest(_Basics):
    line_items: LineItems
    currency: Annotated[str, Field(pattern=r"^[A-Za-z]{3}$")]
    capabilities: Capabilities
    affiliate_attribution: Attribution | None = None
    locale: Annotated[str, Field(max_length=35)] = ""
    timezone: Annotated[str, Field(max_length=64)] = ""
    quote_id: Short = ""
    metadata: Open | None = None

    def opening(self) -> Opening:
        """The checkout as it is to begin."""
        return Opening(
            **self._wish(),
            items=[line.wanted for line in self.line_items],
            currency=self.currency,
            interventions=self.capabilities.interventions.supported,
            extensions=self.capabilities.extension_names,
            locale=self.locale or None,
            timezone=self.timezone or None,
            metadata=self.metadata,
            quote_id=self.quote_id or None,
            affiliate=self.affiliate_attribution.given() if self.affiliate_attribution else None,
        )


class UpdateRequest(_Basics):
    clearable = frozenset({"buyer", "fulfillment_details", "selected_fulfillment_options"})

    line_items: LineItems | None = None
    selected_fulfillment_options: Annotated[list[Selection], Field(max_length=50)] | None = None

    def wish(self) -> Wish:
        """What is to change."""
        said = self.model_fields_set
        selected = [one.wanted for one in self.selected_fulfillment_options or ()]
        return Wish(
            **self._wish(),
            items=[line.wanted for line in self.line_items or ()] if "line_items" in said else KEEP,
            selected=selected if "selected_fulfillment_options" in said else KEEP,
        )


class Credential(Lenient):
    type: Id
    token: Annotated[str, Field(min_length=1, max_length=1_000)]

    def __repr__(self) -> str:
        return f"Credential({self.type})"

    __str__ = __repr__


class Instrument(Lenient):
    type: Id
    credential: Credential


class PaymentData(Closed):
    handler_id: Id | None = None
    instrument: Instrument | None = None
    billing_address: Address | None = None
    purchase_order_number: Id | None = None
    payment_terms: Literal["immediate", "net_15", "net_30", "net_60", "net_90"] | None = None
    due_date: Short = ""
    approval_required: StrictBool = False

    @model_validator(mode="after")
    def _pays(self) -> Self:
        if not (self.handler_id and self.instrument) and self.purchase_order_number is None:
            raise ValueError("handler_id and instrument are needed, or a purchase_order_number")
        return self

    @property
    def by_people(self) -> bool:
        """Whether people of the shop have to agree: to an order number, to later payment, to an approval."""
        later = self.payment_terms not in {None, "immediate"}
        return self.approval_required or later or self.instrument is None


Outcome = Literal[
    "abandoned",
    "attempt_acknowledged",
    "authenticated",
    "canceled",
    "denied",
    "informational",
    "internal_error",
    "not_supported",
    "processing_error",
    "rejected",
]
_WITH_DETAILS: Final = frozenset({"authenticated", "informational", "attempt_acknowledged"})


class OutcomeDetails(Closed):
    three_ds_cryptogram: Id
    electronic_commerce_indicator: Literal["01", "02", "05", "06", "07"]
    transaction_id: Id
    version: Annotated[str, Field(min_length=1, max_length=20)]


class AuthenticationResult(Closed):
    outcome: Outcome
    outcome_details: OutcomeDetails | None = None

    @model_validator(mode="after")
    def _proven(self) -> Self:
        if self.outcome in _WITH_DETAILS and self.outcome_details is None:
            raise ValueError("outcome_details are needed with this outcome")
        return self


class RiskSignals(Closed):
    ip_address: Short = ""
    user_agent: Text = ""
    accept_language: Short = ""
    session_id: Short = ""
    device_fingerprint: Text = ""


class MarketingConsent(Closed):
    channel: Id
    opted_in: StrictBool


class CompleteRequest(Closed):
    payment_data: PaymentData
    buyer: Buyer | None = None
    authentication_result: AuthenticationResult | None = None
    affiliate_attribution: Attribution | None = None
    risk_signals: RiskSignals | None = None
    marketing_consents: Annotated[list[MarketingConsent], Field(max_length=20)] = []
    order_notes: Text = ""
    fulfillment_details: FulfillmentDetails | None = None

    def payment(self) -> Payment:
        """How it is to be paid."""
        data = self.payment_data
        return Payment(
            token=data.instrument.credential.token if data.instrument else None,
            handler_id=data.handler_id or "",
            buyer=_given(self.buyer),
            authentication=_given(self.authentication_result),
            affiliate=_given(self.affiliate_attribution),
            risk=_given(self.risk_signals),
            marketing=[one.given() for one in self.marketing_consents],
            order_notes=self.order_notes or None,
            details=_given(self.fulfillment_details),
            by_people=data.by_people,
        )


REASONS: Final = frozenset(
    {
        "price_sensitivity",
        "shipping_cost",
        "shipping_speed",
        "product_fit",
        "trust_security",
        "returns_policy",
        "payment_options",
        "comparison",
        "timing_deferred",
        "other",
    }
)


class IntentTrace(Lenient):
    reason_code: Id
    trace_summary: Annotated[str, Field(max_length=500)] = ""
    metadata: Flat = {}

    def known(self) -> dict[str, Any]:
        """As it is kept: a reason that is not on the list is another one."""
        return self.given() | {"reason_code": self.reason_code if self.reason_code in REASONS else "other"}


class CancelRequest(Lenient):
    intent_trace: IntentTrace | None = None


def _given(model: Closed | None) -> dict[str, Any] | None:
    return model.given() if model else None
