"""What comes into a conversation and what it looks like from outside (``/v1/threads``)."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any, Final, Literal

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    StrictBool,
    ValidationError,
    field_validator,
    model_validator,
)

from engine.carts.schemas import CartView
from engine.checkout.schemas import AddressView, ConfirmationSummary
from engine.kit.views import Price, View
from engine.orders.changes.schemas import ChangeView
from engine.warranties.models import Resolution

Id = Annotated[str, Field(max_length=60)]


class Input(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)


class Approval(Input):
    approved: StrictBool
    choice: Annotated[str, Field(pattern="^[a-z_]{1,20}$")] | None = None
    """Which of the offered things, on a card that offers several."""


class ResumeEntry(Input):
    """A press on a card. ``resolved`` needs the payload; ``cancelled`` declines."""

    interrupt_id: Id = Field(alias="interruptId", pattern="^[!-~]*$")
    status: Literal["resolved", "cancelled"]
    payload: Approval | None = None

    @model_validator(mode="after")
    def _says_what(self) -> ResumeEntry:
        if self.status == "resolved" and self.payload is None:
            raise ValueError("a resolved interrupt needs payload.approved")
        return self

    @property
    def approved(self) -> bool:
        return self.status == "resolved" and self.payload is not None and self.payload.approved

    @property
    def choice(self) -> str | None:
        return self.payload.choice if self.payload else None


class NoArguments(Input):
    pass


class CartItem(Input):
    variant_id: Id
    quantity: Annotated[int, Field(ge=1, le=99)] = 1


class CartLine(Input):
    variant_id: Id
    quantity: Annotated[int, Field(ge=0, le=99)]


class Product(Input):
    product_id: Id


class More(Input):
    cursor: Annotated[str, Field(min_length=1, max_length=2000)]


class CardToken(Input):
    card_token: Annotated[str, Field(min_length=1, max_length=200)]
    save: bool = False
    """Its shopper wants it kept for the next purchase."""


class AskedCard(Input):
    card: Annotated[str, Field(pattern="^cnf_[0-9a-z]{10,36}$")]


class ActionName(StrEnum):
    """What a press may ask for. Nothing here confirms anything."""

    ADD_TO_CART = "add_to_cart"
    UPDATE_CART_LINE = "update_cart_line"
    VIEW_PRODUCT = "view_product"
    SHOW_MORE = "show_more"
    REQUEST_CONFIRMATION = "request_confirmation"
    USE_PAYMENT_METHOD = "use_payment_method"
    ASK_AGAIN = "ask_again"  # a fresh card in the place of one that is over
    SIGNED_IN = "signed_in"  # by the form's own fields; only says so
    SHOW_CHECKOUT = "show_checkout"  # it changed by its card's own fields: gift card, store credit
    REQUEST_HUMAN = "request_human"
    RETRY = "retry"


ACTION_ARGUMENTS: Final[dict[ActionName, type[Input]]] = {
    ActionName.ADD_TO_CART: CartItem,
    ActionName.UPDATE_CART_LINE: CartLine,
    ActionName.VIEW_PRODUCT: Product,
    ActionName.SHOW_MORE: More,
    ActionName.REQUEST_CONFIRMATION: NoArguments,
    ActionName.USE_PAYMENT_METHOD: CardToken,
    ActionName.ASK_AGAIN: AskedCard,
    ActionName.SIGNED_IN: NoArguments,
    ActionName.SHOW_CHECKOUT: NoArguments,
    ActionName.REQUEST_HUMAN: NoArguments,
    ActionName.RETRY: NoArguments,
}


class Action(Input):
    name: ActionName
    args: dict[str, Any] = {}

    @model_validator(mode="after")
    def _known_arguments(self) -> Action:
        try:
            ACTION_ARGUMENTS[self.name].model_validate(self.args)
        except ValidationError as error:
            wrong = sorted({".".join(map(str, part["loc"])) for part in error.errors()})
            raise ValueError(f"{self.name} does not take these arguments: {', '.join(wrong)}") from None
        return self


class RunInput(Input):
    """One turn: a message, presses on cards, or an allow-listed action. Exactly one."""

    message: str | None = None
    resume: list[ResumeEntry] | None = Field(default=None, min_length=1, max_length=10)
    action: Action | None = None
    language: str | None = Field(default=None, pattern="^[a-z]{2,3}$")
    """In which the shopper reads the page, as a tag of ISO 639; answers come in it where the assistant can."""

    @field_validator("resume")
    @classmethod
    def _each_card_once(cls, entries: list[ResumeEntry] | None) -> list[ResumeEntry] | None:
        if entries and len({entry.interrupt_id for entry in entries}) < len(entries):
            raise ValueError("an interrupt may be answered once")
        return entries

    @model_validator(mode="after")
    def _exactly_one(self) -> RunInput:
        if sum(part is not None for part in (self.message, self.resume, self.action)) != 1:
            raise ValueError("give exactly one of message, resume and action")
        return self

    def stored(self) -> dict[str, Any]:
        """As kept on the run."""
        return self.model_dump(mode="json", by_alias=True, exclude_none=True)


class MessageView(View):
    id: str
    role: str
    """user, assistant, system or activity."""
    content: str
    name: str | None
    activity_type: str | None = None
    data: dict[str, Any] | None = None


class OpenCard(View):
    """A card that asks its shopper something, of whatever kind, as it is now."""

    id: str
    status: str
    """open, approved, declined, expired, superseded, claimed."""
    expires_at: datetime
    activity: str
    """Its activity's type."""
    reason: str
    """Its interrupt's reason."""
    message: str
    """The question, in a sentence."""
    shown: dict[str, Any]
    """What it shows: its interrupt's metadata."""
    answer: dict[str, Any]
    """JSON schema of the answer."""

    def data(self) -> dict[str, Any]:
        """Of its activity."""
        return {"id": self.id, "status": self.status, "expires_at": _moment(self.expires_at)} | self.shown


class PaymentInterrupt(View):
    """An open payment card."""

    id: str
    reason: Literal["confirmation"]
    expires_at: datetime
    checkout: ConfirmationSummary


class ChangeInterrupt(View):
    """An open card for a change of an order."""

    id: str
    reason: Literal["order_change"]
    expires_at: datetime
    change: ChangeView


class OfferView(View):
    """What a claim's shopper may choose; ``refund`` where money goes back."""

    resolution: Resolution
    refund: Price | None


class ClaimSummary(View):
    id: str
    number: str
    title: str
    merchant: str


class ClaimInterrupt(View):
    """An open card on which a claim's shopper chooses."""

    id: str
    reason: Literal["claim_choice"]
    expires_at: datetime
    claim: ClaimSummary
    offers: list[OfferView]
    choice: Resolution | None = None


class ReturnCancelLine(View):
    title: str
    quantity: int


class ReturnCancelSummary(View):
    return_id: str
    number: str
    kind: str
    """return or exchange."""
    order_id: str
    order_number: str
    lines: list[ReturnCancelLine]
    refund: Price
    """What was charged for the exchange and goes back."""
    merchant: str


class ReturnCancelInterrupt(View):
    """An open card on which a return is given up."""

    id: str
    reason: Literal["return_cancel"]
    expires_at: datetime
    return_cancel: ReturnCancelSummary


class DefaultAddressSummary(View):
    ship_to: AddressView
    merchant: str


class DefaultAddressInterrupt(View):
    """An open card on which a default address becomes another one."""

    id: str
    reason: Literal["default_address"]
    expires_at: datetime
    default_address: DefaultAddressSummary


class StaffActInterrupt(View):
    """An open card of one of the shop's own people, in their own conversation."""

    id: str
    reason: Literal["staff_act"]
    expires_at: datetime
    kind: str
    title: str
    words: list[str]
    outcome: str
    facts: dict[str, Any]


InterruptView = Annotated[
    PaymentInterrupt
    | ChangeInterrupt
    | ClaimInterrupt
    | ReturnCancelInterrupt
    | DefaultAddressInterrupt
    | StaffActInterrupt,
    Field(discriminator="reason"),
]
"""An open card."""


class Snapshot(View):
    """A conversation as it stands; events after ``last_event`` go on from it."""

    id: str
    mode: str
    messages: list[MessageView]
    interrupts: list[InterruptView]
    cart: CartView
    last_event: int
    active_agent: str | None


class RunView(View):
    id: str
    status: str
    """running (also while it waits its turn), interrupted, completed or failed."""
    usage: dict[str, Any]
    """input_tokens, output_tokens, requests and, where there are any, cached_tokens and cost_micros (millionths of USD,
    of models whose price is known); for staff the same in ``models``, by part and model."""
    agent_path: list[str]
    tool_calls: list[dict[str, Any]]
    """[{name, access, ok, duration_ms}]."""


def _moment(value: datetime) -> str:
    """As pydantic writes it."""
    return value.isoformat().replace("+00:00", "Z")


class HandoffView(View):
    mode: str
    reference: str
    reason: str
    hours: str
    """When people are there, in the shop's own words; else from its rules, with the time zone."""
    position: int | None = None
    """Place in the queue, from 1; None once a person has it."""
    opens_at: datetime | None = None
    """When people are there again, while none is."""
    answer_by: datetime | None = None
    """Until when the shop means to answer."""
