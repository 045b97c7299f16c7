"""Small facts inside a plain text: prices, quantities, options, codes, order numbers."""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import Decimal
from functools import cache

from price_parser import Price

from icommerce_agents.offline import lexicon

_AMOUNT = r"(?:\$|£|€|usd\s*)?\s*(\d[\d.,]*\s?k?)\b(?!\s*(?:kg|g\b|grams?|pounds?|lbs?|oz|liters?|l\b|ml|cm|mm|inch|people|persons?|%|days?|-?season|man\b|hours?|stars?|months?|years?|or more people))"
_MAX = re.compile(
    rf"(?:under|below|less than|up to|at most|max(?:imum)?\.?(?: of)?|no more than|not more than|cheaper than|within|less then|"
    rf"nothing (?:above|over|more than)|budget (?:of|is|around)?|not over|upto|<|for less than|beneath|not exceeding|spend(?: about| around)?|i (?:only )?have)\s*:?\s*{_AMOUNT}"
)
_MAX_AFTER = re.compile(
    rf"{_AMOUNT}\s*(?:dollars|usd)?\s*(?:or less|or under|max(?:imum)?|tops|budget|and under|or below|at most)"
)
_MIN = re.compile(rf"(?:over|above|more than|at least|min(?:imum)?(?: of)?|from|starting at|>)\s*{_AMOUNT}")
_BETWEEN = re.compile(rf"(?:between\s*)?{_AMOUNT}\s*(?:dollars\s*)?(?:and|to|-)\s*{_AMOUNT}(?P<unit>\s*dollars)?")
_AROUND = re.compile(rf"(?:around|about|roughly|approximately|circa|~)\s*{_AMOUNT}(?P<unit>\s*dollars)?")
_MONEY = re.compile(r"\$|£|€|usd|dollars|between|budget|price|cost")
_CODE = re.compile(
    r"(?:(?:promo(?:tion)?(?:al)?|discount|coupon|voucher|gift)\s*)?(?:codes?|coupons?|vouchers?)\s*(?:is|:|-|called|named)?\s+[\"']?([A-Za-z0-9][A-Za-z0-9_-]{2,24})[\"']?",
    re.IGNORECASE,
)
_CODE_FIRST = re.compile(
    r"\b(?:apply|use|redeem|try|enter)\s+(?:the\s+|my\s+)?[\"']?([A-Za-z0-9][A-Za-z0-9_-]{2,24})[\"']?", re.IGNORECASE
)
_SHOUTED = re.compile(r"\b(?=[A-Z0-9]*[A-Z])(?=[A-Z0-9]*\d)[A-Z0-9]{4,20}\b")
_ORDER = re.compile(r"\b([A-Za-z]{2,4}-\d{3,})\b")
_ORDER_BARE = re.compile(r"\b(?:order|number|no\.?|#)\s*(?:number|no\.?|id|is|:|#)*\s*#?\s*(\d{4,})\b", re.IGNORECASE)
_NOT_CODES = frozenset(
    "for the that please code codes and you have any from this with work works working off now".split()
)


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


_QUANTITY = (
    re.compile(
        r"\b(?:make (?:it|that|them|this|those)|change (?:it|that|them|the quantity|quantity|.{0,40}?) to|set (?:it|.{0,40}?) to|quantity(?: of| to| is|:)?|up it to|bring it to|to)\s*(\d{1,2})\b(?!\s*(?:person|people|liter|\w+ (?:st|street|ave)))"
    ),
    re.compile(r"\b(\d{1,2})\s*(?:x|×|units?|pieces?|pcs|copies|times)\b"),
    re.compile(r"\bx\s?(\d{1,2})\b"),
    re.compile(r"\b(?:make|change|set|want|need)\b.*\b(\d{1,2})(?: instead| please| in total| total)*[.!? ]*$"),
    re.compile(
        r"\b(?:add|take|get|buy|order|want|need|have|grab|purchase|give me|put|do|only|just|of)\s+(?:me\s+|us\s+|just\s+|only\s+)?(\d{1,2})\b(?!\s*(?:person|people|liter|season|-))"
    ),
    re.compile(r"^(\d{1,2})(?: please|(?: of)? (?:them|those|these|it|the)\b.*| instead| in total)?$"),
    re.compile(r"\b(\d{1,2})\s+(?:of|more|extra|instead|packs? of|pairs?)\b"),
    re.compile(r"\b(\d{1,2})\s+(?!person|people|liter|season)[a-z][a-z-]+s\b"),
)


def quantity(plain: str) -> int | None:
    """How many are meant, or ``None`` when no number is said."""
    if re.search(r"\b(?:both|the pair)\b", plain):
        return None
    if re.search(
        r"\b(?:only|just|make it|back to|to) (?:one|1)\b(?! (?:i|that|in|for)\b)|\b(?:a single|just the one)\b", plain
    ):
        return 1
    text = re.sub(r"\b(?:number|option|no\.?|item|#)\s*\d+|\b(?:first|last|top) \d\b", " ", plain)
    for pattern in _QUANTITY:
        found = pattern.search(text)
        if found and 0 < int(found.group(1)) <= 99:
            return int(found.group(1))
    return None


def relative_quantity(plain: str) -> int | None:
    """``one more`` → 1, ``2 fewer`` → -2."""
    if found := re.search(
        r"\b(\d{1,2}|one|another|an extra)\s+(more|extra|additional|another)\b|\banother(?: (one|\d+))?\b|\bone extra\b",
        plain,
    ):
        number = re.search(r"\d+", found.group())
        return int(number.group()) if number else 1
    if found := re.search(
        r"\b(\d{1,2}|one) (?:less|fewer)\b|\b(?:remove|take off|take away|drop) (?:only |just )?(one|1) of\b", plain
    ):
        number = re.search(r"\d+", found.group())
        return -(int(number.group()) if number else 1)
    return None


@cache
def _color_pattern() -> re.Pattern[str]:
    colors = "|".join(sorted(lexicon.words("colors"), key=len, reverse=True))
    shades = "|".join(sorted(lexicon.words("color_shades"), key=len, reverse=True))
    return re.compile(rf"\b((?:(?:{shades})[ -])?(?:{colors}))\b")


@cache
def _size_pattern() -> re.Pattern[str]:
    named = "|".join(sorted((re.escape(word) for word in lexicon.table("sizes")), key=len, reverse=True))
    return re.compile(
        rf"\b(?:sizes?|in an?|an?|in)\s+(?:us |uk |eu |men's |women's )?({named}|\d{{1,2}}(?:\.5)?)\b(?!\s*(?:person|people|liter|l\b|ml|of\b|-))|\b(xxs|xs|xl|xxl|2xl|x-large|extra large|extra small)\b|^(?:the |a |make it |in )*({named})(?: one)?(?: please| instead)*$"
    )


def options(plain: str) -> dict[str, str]:
    """Colors and sizes named: ``{"color": "blue", "size": "L"}``."""
    found: dict[str, str] = {}
    if color := _color_pattern().search(plain):
        found["color"] = color.group(1).replace("gray", "grey")
    size = re.search(r"\bsize\s+(\d{1,2}(?:\.5)?)\b", plain) or _size_pattern().search(plain)
    if size:
        value = next(group for group in size.groups() if group)
        if not value[0].isdigit() or "size" in size.group():
            found["size"] = str(lexicon.table("sizes").get(value, value.upper()))
    return found


def without_options(plain: str) -> str:
    """The text with colors and sizes taken out."""
    text = re.sub(r"\bin (?=\w)", "in ", _color_pattern().sub(" ", plain))
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


def order_number(text: str) -> str | None:
    """``SP-10023`` as typed (upper case), or the bare digits after the word order."""
    if found := _ORDER.search(text):
        return found.group(1).upper()
    bare = _ORDER_BARE.search(text)
    return bare.group(1) if bare else None
