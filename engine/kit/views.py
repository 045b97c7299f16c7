"""Base of everything shown outside: a frozen pydantic model whose JSON is the contract."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict

from engine.kit.money import Money


class View(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Price(View):
    """Minor units and ISO 4217 currency."""

    amount: int
    currency: str

    @classmethod
    def of(cls, money: Money) -> Price:
        return cls(amount=money.amount, currency=money.currency)

    def __str__(self) -> str:
        return str(Money(self.amount, self.currency))
