"""What a shop's file says of money in more than one currency."""

from __future__ import annotations

from typing import Annotated, Self

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


class RateAmounts(MoneyRow):
    """The prices of a way of shipping in another currency."""

    price: Minor
    per_kg: Minor = 0
    free_over: Minor | None = None


class DiscountAmounts(MoneyRow):
    """A code's terms in another currency."""

    amount_off: Minor | None = None
    minimum: Minor = 0
