"""What an agent is told about a checkout: by code and place, with what to do."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

from engine.carts.promotions import LeftOut, Why
from engine.checkout.duty import TAX_OPEN, TAX_UNKNOWN
from engine.checkout.pricing import PricedLine, Quote, stock_problems

Severity = Literal["info", "low", "medium", "high", "critical"]
Resolution = Literal["recoverable", "requires_buyer_input", "requires_buyer_review"]
LOW: Final = 5
"""Units from which on stock is called low."""
ADDRESS: Final = "$.fulfillment_details.address"
EMAIL: Final = "$.buyer.email"
_MISSING: Final = {
    "email": (EMAIL, "An e-mail address is needed for the order."),
    "name": (f"{ADDRESS}.name", "The recipient's name is needed."),
    "address": (ADDRESS, "A complete address is needed to fulfil the order."),
}
_LAPSED: Final = (
    "The tax for this order has to be worked out again: update the session (nothing needs to be said in it). Until then"
    " its total has no tax."
)
_FETCHER: Final = ("$.fulfillment_details.name", "The name of whoever comes for it is needed.")
TOKEN: Final = "$.payment_data.instrument.credential.token"  # noqa: S105 (a place)


@dataclass(frozen=True, slots=True)
class Message:
    """One thing to be said. ``param`` is a JSONPath."""

    type: Literal["info", "warning", "error"]
    content: str
    code: str = ""
    param: str = ""
    severity: Severity | None = None
    resolution: Resolution | None = None

    @property
    def blocks(self) -> bool:
        """Whether it stands in the way of paying."""
        return self.type == "error"


def of_quote(quote: Quote, lines: Sequence[Mapping[str, Any]], codes: Sequence[str]) -> list[Message]:
    """What stands in the way of buying, and what is good to know. ``lines`` are the checkout's, ``codes`` as sent."""
    places = {row["variant_id"]: f"$.line_items[{number}]" for number, row in enumerate(lines)}
    fetched = quote.selected is not None and quote.selected.fetched
    found = [_missing(name, fetched=fetched) for name in quote.missing if name in _MISSING]
    known: set[str] = set()
    for line in quote.lines:
        found += _of_line(line, places[line.variant_id])
        known.update(stock_problems(line))
    priced = {line.variant_id for line in quote.lines}
    found += [_gone(place) for variant_id, place in places.items() if variant_id not in priced]
    known |= {one.words for one in quote.left_out}
    unpriced = len(priced) < len(places)
    found += [
        _otherwise(words) for words in quote.problems if words not in known and not (unpriced and "sold" in words)
    ]
    found += [left_out(one, codes) for one in quote.left_out]
    return found + [Message("info", words) for words in quote.notices if words not in known]


def left_out(one: LeftOut, codes: Sequence[str]) -> Message:
    """Why a code takes nothing off."""
    spelled = [code.strip().upper() for code in codes]
    place = f"$.discounts.codes[{spelled.index(one.code)}]" if one.code in spelled else "$.discounts.codes"
    return Message("warning", one.words, one.why, place, "medium", "recoverable")


def refused(words: str, *, param: str = TOKEN, code: str = "payment_declined") -> Message:
    """An attempt to pay that came to nothing; another may follow."""
    return Message("error", words, code, param, "high", "requires_buyer_input")


def _missing(name: str, *, fetched: bool) -> Message:
    place, words = _FETCHER if fetched and name == "name" else _MISSING[name]
    return Message("error", words, "missing", place, "medium", "requires_buyer_input")


def _of_line(line: PricedLine, place: str) -> list[Message]:
    if problems := stock_problems(line):
        code = "out_of_stock" if line.available == 0 else "quantity_exceeded"
        return [Message("error", problems[0], code, place, "high", "recoverable")]
    if line.later:
        return [Message("warning", line.notice, "shipping_delay", place, "medium", "requires_buyer_review")]
    if line.available <= LOW:
        return [Message("warning", f"Only {line.available} of {line.title} are left.", "low_stock", place, "low")]
    return []


def _gone(place: str) -> Message:
    return Message(
        "error", "This item cannot be bought here any more.", "not_found", f"{place}.item.id", "high", "recoverable"
    )


def _otherwise(words: str) -> Message:
    if words == TAX_OPEN:
        return Message("error", _LAPSED, "expired", "$.totals", "medium", "recoverable")
    if words == TAX_UNKNOWN:
        return Message("error", words, "unsupported", "$.totals", "high", "recoverable")
    code = "region_restricted" if " ship " in words or "address" in words else "unsupported"
    return Message("error", words, code, ADDRESS, "high", "requires_buyer_input")


__all__ = ["Message", "Why", "left_out", "of_quote", "refused"]
