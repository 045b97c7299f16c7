"""Limits of money, currency by currency: 100 yen are not 100 cents, and nobody converts."""

from __future__ import annotations

from typing import Annotated, Any, Final

from pydantic import AfterValidator, BeforeValidator, Field, ValidationInfo

from engine.kit.money import known_currency

HOME: Final = "home"
"""Stands for the shop's own currency where no shop is known."""


def _by_currency(value: Any, info: ValidationInfo) -> Any:
    """A bare number, as it was written before, is of the shop's own currency."""
    if isinstance(value, int) and not isinstance(value, bool):
        return {(info.context or {}).get(HOME, HOME): value}
    return value


def _code(code: str) -> str:
    return code if code == HOME else known_currency(code)


Currency = Annotated[str, AfterValidator(_code)]
Amount = Annotated[int, Field(ge=0, le=10**15)]
_ROWS: Final = Field(min_length=1, max_length=200, json_schema_extra={"format": "money"})
Caps = Annotated[dict[Currency, Amount | None], BeforeValidator(_by_currency), _ROWS] | None
"""Currency → the most, in its minor units; ``None`` for no limit, in one currency or in any."""


def in_home(amount: int | None) -> Any:
    """The field of a limit that is so much of the shop's own currency unless the shop says otherwise."""
    return Field(default=amount, validate_default=True)


def cap(caps: Caps, currency: str, *, unlisted: int | None = 0) -> int | None:
    """The limit in a currency, ``None`` for none. In one that is not listed it is ``unlisted``: nothing at all, so that
    somebody else has to agree.
    """
    return None if caps is None else caps.get(currency, unlisted)
