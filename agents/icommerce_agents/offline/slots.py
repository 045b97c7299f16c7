"""Small facts inside a plain text: prices, quantities, options, codes, order numbers."""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import Decimal

from price_parser import Price

from icommerce_agents.offline import lexicon

_MAX = lexicon.pattern("max_price")
_MAX_AFTER = lexicon.pattern("max_price_after")
_MIN = lexicon.pattern("min_price")
_BETWEEN = lexicon.pattern("between_prices")
_AROUND = lexicon.pattern("around_price")
_MONEY = re.compile(r"\$|£|€|usd|dollars|between|budget|price|cost")
_CODE = lexicon.pattern("discount_code", re.IGNORECASE)
_CODE_FIRST = lexicon.pattern("discount_code_used", re.IGNORECASE)
_SHOUTED = re.compile(r"\b(?=[A-Z0-9]*[A-Z])(?=[A-Z0-9]*\d)[A-Z0-9]{4,20}\b")
_ORDER = re.compile(r"\b([A-Za-z]{2,4}-\d{3,})\b")
_ORDER_BARE = lexicon.pattern("order_number_bare", re.IGNORECASE)
_NOT_CODES = lexicon.words("not_codes")


@dataclass(frozen=True, slots=True)
class PriceRange:
    """Whole currency units; ``None`` is open."""

    low: int | None = None
    high: int | None = None

    def __bool__(self) -> bool:
        return self.low is not None or self.high is not None


def price_range(plain: str) -> PriceRange:
    """The limits named in a plain text: ``under 1,5k`` → high 1500."""
    if between := _BETWEEN.search(plain):
        low, high = whole(between.group(1)), whole(between.group(2))
        if low is not None and high is not None and low < high and (_MONEY.search(between.group()) or high >= 20):
            return PriceRange(low, high)
    high_match = _MAX.search(plain) or _MAX_AFTER.search(plain)
    low_match = _MIN.search(plain)
    if high_match or low_match:
        low_value = whole(low_match.group(1)) if low_match and not _inside(low_match, high_match) else None
        return PriceRange(low_value, whole(high_match.group(1)) if high_match else None)
    around = _AROUND.search(plain)
    if around and _MONEY.search(around.group()) and (value := whole(around.group(1))) is not None:
        return PriceRange(value * 3 // 4, value * 5 // 4)
    return PriceRange()


def _inside(low: re.Match[str], high: re.Match[str] | None) -> bool:
    return high is not None and high.start() <= low.start() < high.end()


def without_prices(plain: str) -> str:
    """The text with its price limits taken out."""
    for pattern in (_BETWEEN, _MAX, _MAX_AFTER, _MIN, _AROUND):
        found = pattern.search(plain)
        if found and price_range(found.group()):
            plain = plain.replace(found.group(), " ")
    return re.sub(r"[$£€]\s*\d[\d.,]*|\b(?:dollars|usd)\b", " ", plain)


def whole(text: str) -> int | None:
    """``"1,5k"`` → 1500, ``"$99.99"`` → 100 (rounded up), ``None`` when it is no amount."""
    thousands = text.strip().endswith("k")
    number = text.strip().rstrip("k").strip().rstrip(".,")
    if thousands:
        number = number.replace(",", ".")
    amount = Price.fromstring(number).amount
    if amount is None:
        return None
    amount *= 1000 if thousands else 1
    return int(amount.to_integral_value(rounding="ROUND_CEILING"))


def amount_of(shown: str) -> Decimal | None:
    """``"$1,299.00"`` → ``Decimal("1299.00")``."""
    return Price.fromstring(shown).amount


_QUANTITY = tuple(
    lexicon.pattern(f"quantity_{name}") for name in ("set", "times", "x", "last", "taken", "alone", "of", "things")
)


def quantity(plain: str) -> int | None:
    """How many are meant, or ``None`` when no number is said."""
    if re.search(r"\b(?:both|the pair)\b", plain):
        return None
    if lexicon.pattern("quantity_one").search(plain):
        return 1
    text = lexicon.pattern("not_a_quantity").sub(" ", plain)
    for pattern in _QUANTITY:
        found = pattern.search(text)
        if found and 0 < int(found.group(1)) <= 99:
            return int(found.group(1))
    return None


def relative_quantity(plain: str) -> int | None:
    """``one more`` → 1, ``2 fewer`` → -2."""
    if found := lexicon.pattern("quantity_more").search(plain):
        number = re.search(r"\d+", found.group())
        return int(number.group()) if number else 1
    if found := lexicon.pattern("quantity_fewer").search(plain):
        number = re.search(r"\d+", found.group())
        return -(int(number.group()) if number else 1)
    return None


def options(plain: str) -> dict[str, str]:
    """Colors and sizes named: ``{"color": "blue", "size": "L"}``."""
    found: dict[str, str] = {}
    if color := lexicon.pattern("color").search(plain):
        found["color"] = color.group(1).replace("gray", "grey")
    size = re.search(r"\bsize\s+(\d{1,2}(?:\.5)?)\b", plain) or lexicon.pattern("size").search(plain)
    if size:
        value = next(group for group in size.groups() if group)
        if not value[0].isdigit() or "size" in size.group():
            found["size"] = str(lexicon.table("sizes").get(value, value.upper()))
    return found


def without_options(plain: str) -> str:
    """The text with colors and sizes taken out."""
    text = re.sub(r"\bin (?=\w)", "in ", lexicon.pattern("color").sub(" ", plain))
    return re.sub(r"\bsizes?\s+\w+\b", " ", text)


def discount_code(text: str) -> str | None:
    """A discount code as typed, upper case."""
    for pattern in (_CODE, _CODE_FIRST):
        for found in pattern.finditer(text):
            code = found.group(1)
            if code.lower() not in _NOT_CODES and (
                any(c.isdigit() for c in code) or code.isupper() or pattern is _CODE
            ):
                return code.upper()
    shouted = _SHOUTED.search(text)
    return shouted.group() if shouted else None


def currency(plain: str) -> str | None:
    """The currency named, as its ISO 4217 code: ``prices in euros`` → ``EUR``."""
    names = sorted(lexicon.table("currencies"), key=len, reverse=True)
    for name in names:
        if re.search(rf"(?<!\w){re.escape(name)}(?!\w)", plain):
            return str(lexicon.table("currencies")[name])
    code = lexicon.pattern("currency_code").search(plain)
    return code.group(1).upper() if code else None


def order_number(text: str) -> str | None:
    """``SP-10023`` as typed (upper case), or the bare digits after the word order."""
    if found := _ORDER.search(text):
        return found.group(1).upper()
    bare = _ORDER_BARE.search(text)
    return bare.group(1) if bare else None


def bare_number(text: str) -> str | None:
    """The digits of a message that is little else: ``1002``, ``it's 1002``."""
    found = re.fullmatch(r"\D{0,16}(\d{3,8})\D{0,8}", text.strip())
    return found.group(1) if found else None
