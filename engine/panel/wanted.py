"""What staff can ask for on an order: ids, counts and words. Prices, totals and who asks are never taken from here."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from engine.fulfillment.exceptions import Remedy
from engine.orders.changes.wanted import AddressWanted, CancelWanted, LineUnits, ReturnWanted

Id = Annotated[str, Field(min_length=1, max_length=60)]
Money = Annotated[int, Field(strict=True, gt=0, le=1_000_000_000)]
Words = Annotated[str, Field(max_length=200)]
Note = Annotated[str, Field(max_length=1_000)]
Lines = Annotated[list[LineUnits], Field(min_length=1, max_length=100)]
Because = Literal[
    "damaged", "wrong_item", "missing_item", "late", "not_as_described", "price_adjustment", "courtesy", "other"
]
REASONS: Final[Mapping[Because, str]] = {
    "damaged": "It arrived damaged",
    "wrong_item": "A wrong item was sent",
    "missing_item": "Something was missing",
    "late": "It came late",
    "not_as_described": "It was not as described",
    "price_adjustment": "The price was adjusted",
    "courtesy": "As a courtesy",
    "other": "Another reason",
}
"""A closed list, in words that its shopper reads."""


class _Asked(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class _Reasoned(_Asked):
    because: Because
    words: Words = ""
    """In place of the reason's own words, for the shopper; ``other`` needs them."""
    note: Note = ""
    """For whoever may have to approve it."""

    @model_validator(mode="after")
    def _says_which(self) -> _Reasoned:
        if self.because == "other" and not self.words.strip():
            raise ValueError("say the reason in words")
        return self

    @property
    def told(self) -> str:
        return self.words.strip() or REASONS[self.because]


class RefundAsked(_Reasoned):
    """Money back without goods: all of it, what some units were paid with, or an amount."""

    action: Literal["refund"]
    how: Literal["full", "lines", "amount"]
    amount: Money | None = None
    lines: Lines | None = None
    destination: Literal["original", "store_credit"] = "original"

    @model_validator(mode="after")
    def _says_how_much(self) -> RefundAsked:
        if (self.how == "amount") != (self.amount is not None) or (self.how == "lines") != (self.lines is not None):
            raise ValueError("give amount or lines as 'how' says")
        return self


class CreditAsked(_Reasoned):
    """Store credit for the buyer."""

    action: Literal["credit"]
    amount: Money


class CodeAsked(_Asked):
    """A code that is good once."""

    action: Literal["code"]
    percent_off: Annotated[int, Field(strict=True, ge=1, le=100)] | None = None
    amount_off: Money | None = None
    valid_days: Annotated[int, Field(strict=True, ge=1, le=730)] = 90
    note: Note = ""

    @model_validator(mode="after")
    def _one_of_both(self) -> CodeAsked:
        if (self.percent_off is None) == (self.amount_off is None):
            raise ValueError("give percent_off or amount_off")
        return self


class ReplacementAsked(_Reasoned):
    """Goods sent once more for nothing."""

    action: Literal["replacement"]
    lines: Lines


class LostParcelAsked(_Asked):
    """What follows from a parcel that was lost."""

    action: Literal["lost_parcel"]
    shipment_id: Id
    remedy: Remedy


class ChangeAsked(_Asked):
    """Cancel units, send everything elsewhere, or begin a return: a change like the shopper's own."""

    action: Literal["change"]
    wanted: Annotated[CancelWanted | AddressWanted | ReturnWanted, Field(discriminator="kind")]
    note: Note = ""


class LetterAsked(_Asked):
    """Send a letter of the order once more."""

    action: Literal["letter"]
    mail_id: Id


class HoldAsked(_Asked):
    """Stop the order: nothing more of it is handed to a warehouse."""

    action: Literal["hold"]
    reason: Annotated[str, Field(min_length=1, max_length=200)]


class ResumeAsked(_Asked):
    action: Literal["resume"]


Asked = (
    RefundAsked
    | CreditAsked
    | CodeAsked
    | ReplacementAsked
    | LostParcelAsked
    | ChangeAsked
    | LetterAsked
    | HoldAsked
    | ResumeAsked
)
AnyAsked = Annotated[Asked, Field(discriminator="action")]
