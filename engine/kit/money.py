"""Money as whole minor units of one currency. No float ever touches it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

_NONE = "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF"
_TWO = (
    "AED AFN ALL AMD AOA ARS AUD AWG AZN BAM BBD BDT BMD BND BOB BRL BSD BTN BWP BYN BZD CAD CDF CHF CNY COP CRC CUP"
    " CVE CZK DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GTQ GYD HKD HNL HTG HUF IDR ILS INR IRR JMD KES"
    " KGS KHR KPW KYD KZT LAK LBP LKR LRD LSL MAD MDL MGA MKD MMK MNT MOP MRU MUR MVR MWK MXN MYR MZN NAD NGN NIO NOK"
    " NPR NZD PAB PEN PGK PHP PKR PLN QAR RON RSD RUB SAR SBD SCR SDG SEK SGD SHP SLE SOS SRD SSP STN SVC SYP SZL THB"
    " TJS TMT TOP TRY TTD TWD TZS UAH USD UYU UZS VES WST XCD XCG YER ZAR ZMW ZWG"
)
_THREE = "BHD IQD JOD KWD LYD OMN TND"
_EXPONENTS = {code: places for places, codes in ((0, _NONE), (2, _TWO), (3, _THREE)) for code in codes.split()}
"""Every currency of ISO 4217 that people pay with, and its decimal places."""
CURRENCIES = frozenset(_EXPONENTS)
_SYMBOLS = {"USD": "$", "EUR": "€", "GBP": "£", "JPY": "¥", "CAD": "CA$", "AUD": "A$"}


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


def is_currency(code: str) -> bool:
    """Whether ISO 4217 knows the code as money to pay with."""
    return code in _EXPONENTS


def known_currency(code: str) -> str:
    """The code itself. Raises ``ValueError`` for one that ISO 4217 does not know."""
    if not is_currency(code):
        raise ValueError(f"{code} is not a currency of ISO 4217")
    return code


def exponent(currency: str) -> int:
    """Decimal places of a currency (ISO 4217): 2 for USD, 0 for JPY, 3 for KWD."""
    return _EXPONENTS.get(currency, 2)


def symbol(currency: str) -> str:
    """How a currency is written: ``$`` for USD; its code where it has no sign of its own here."""
    return _SYMBOLS.get(currency, currency)


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
