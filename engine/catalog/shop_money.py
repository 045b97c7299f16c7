"""What a shop's file says of money in more than one currency."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field, model_validator

from engine.kit.money import known_currency

Minor = Annotated[int, Field(ge=0, le=100_000_000)]
Currency = Annotated[str, AfterValidator(known_currency)]


class MoneyRow(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class PriceRow(MoneyRow):
    """A price for a time, in the shop's own currency or another."""

    currency: Currency
    amount: Minor
    compare_at: Minor | None = None
    """What it is shown to cost otherwise."""
    starts_at: AwareDatetime | None = None
    ends_at: AwareDatetime | None = None

    @model_validator(mode="after")
    def _has_a_time(self) -> Self:
        if self.starts_at is None and self.ends_at is None:
            raise ValueError("a scheduled price starts or ends; one that always holds is in ``prices``")
        if self.starts_at and self.ends_at and self.ends_at <= self.starts_at:
            raise ValueError("a scheduled price ends after it starts")
        if self.compare_at is not None and self.compare_at <= self.amount:
            raise ValueError("what it costs otherwise is more than the scheduled price")
        return self


class RateStep(MoneyRow):
    """``price`` as far as ``up_to``, inclusive; without it for all that is more."""

    up_to: Annotated[int, Field(ge=0)] | None = None
    price: Minor


class RateBands(MoneyRow):
    """Steps by grams, by the value of the goods after discount, or by units; the first that reaches far enough holds,
    and where none does the way is not offered.
    """

    by: Literal["weight", "goods", "units"]
    steps: Annotated[list[RateStep], Field(min_length=1)]


class Surcharge(MoneyRow):
    """Asked for on top where any of its reasons holds, and always when it has none."""

    title: str
    amount: Minor
    postal_prefixes: list[str] = []
    regions: list[str] = []
    longer_than_mm: Annotated[int, Field(ge=0)] | None = None
    heavier_than_g: Annotated[int, Field(ge=0)] | None = None


class RateAmounts(MoneyRow):
    """The prices of a way of shipping in another currency."""

    price: Minor
    per_kg: Minor = 0
    free_over: Minor | None = None
    bands: RateBands | None = None
    surcharges: list[Surcharge] = []


class DiscountAmounts(MoneyRow):
    """A code's terms in another currency."""

    amount_off: Minor | None = None
    minimum: Minor = 0
