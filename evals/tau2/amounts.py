"""Money as the benchmark writes it, numbers with at most two decimals, and as we keep it, whole cents."""

from __future__ import annotations

from decimal import ROUND_HALF_EVEN, Decimal, InvalidOperation
from typing import Final

_CENT: Final = Decimal("0.01")
_MOST: Final = Decimal(10) ** 12


def cents(value: float | str | Decimal) -> int:
    """Whole cents; what binary numbers add below them is noise. Raises ``ValueError`` for what is no amount."""
    try:
        amount = Decimal(str(value))
        if isinstance(value, bool) or not amount.is_finite() or abs(amount) > _MOST:
            raise ValueError(f"{value!r} is not an amount")
        return int(amount.quantize(_CENT, ROUND_HALF_EVEN).scaleb(2))
    except InvalidOperation:
        raise ValueError(f"{value!r} is not an amount") from None


def dollars(amount: int) -> float:
    """The number that JSON shows: ``4610`` → ``46.1``."""
    return amount / 100
