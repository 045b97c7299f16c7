"""Money as whole minor units of one currency. No float ever touches it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

_EXPONENTS = {"JPY": 0, "KRW": 0, "VND": 0, "CLP": 0, "BHD": 3, "KWD": 3, "TND": 3}
_SYMBOLS = {"USD": "$", "EUR": "€", "GBP": "£", "JPY": "¥", "CAD": "CA$"}


@dataclass(frozen=True, slots=True, order=True)
class Money:
    """An amount in minor units (cents) of an ISO 4217 currency. Adding two currencies raises ``ValueError``."""

    amount: int
    currency: str

    def __post_init__(self) -> None:
        if isinstance(self.amount, bool) or not isinstance(self.amount, int):
            raise TypeError("a money amount is a whole number of minor units")
        if len(self.currency) != 3 or not self.currency.isupper():
            raise ValueError(f"not a currency: {self.currency!r}")

    def __add__(self, other: Money) -> Money:
        return Money(self.amount + self._same(other), self.currency)

    def __sub__(self, other: Money) -> Money:
        return Money(self.amount - self._same(other), self.currency)

    def __mul__(self, quantity: int) -> Money:
        return Money(self.amount * quantity, self.currency)

    def __neg__(self) -> Money:
        return Money(-self.amount, self.currency)

    def __str__(self) -> str:
        return format_minor(self.amount, self.currency)

    def _same(self, other: Money) -> int:
        if other.currency != self.currency:
            raise ValueError(f"{self.currency} and {other.currency} do not add up")
        return other.amount


def exponent(currency: str) -> int:
    """Decimal places of a currency (ISO 4217): 2 for USD, 0 for JPY."""
    return _EXPONENTS.get(currency, 2)


def format_minor(amount: int, currency: str) -> str:
    """``129900, "USD"`` → ``$1,299.00``."""
    places = exponent(currency)
    sign = "-" if amount < 0 else ""
    whole, rest = divmod(abs(amount), 10**places)
    text = f"{whole:,}" + (f".{rest:0{places}d}" if places else "")
    symbol = _SYMBOLS.get(currency)
    return f"{sign}{symbol}{text}" if symbol else f"{sign}{text} {currency}"


def share_ppm(amount: int, ppm: int) -> int:
    """``amount`` x ``ppm`` / 1,000,000, rounded half up (half away from zero)."""
    sign = -1 if amount < 0 else 1
    return sign * ((abs(amount) * ppm * 2 + 1_000_000) // 2_000_000)


def allocate(amount: int, weights: Sequence[int]) -> list[int]:
    """Split ``amount`` by ``weights`` with the largest-remainder method; the parts add up to ``amount``.

    Raises ``ValueError`` when something is to be split over weights that are all zero.
    """
    total = sum(weights)
    if total <= 0:
        if amount:
            raise ValueError("nothing to allocate over")
        return [0 for _ in weights]
    parts = [amount * weight // total for weight in weights]
    remainders = sorted(range(len(weights)), key=lambda i: (-(amount * weights[i] % total), i))
    for index in remainders[: amount - sum(parts)]:
        parts[index] += 1
    return parts


def total(amounts: Iterable[Money], currency: str) -> Money:
    """The sum, which is zero of ``currency`` when there is nothing to add."""
    result = Money(0, currency)
    for amount in amounts:
        result += amount
    return result
