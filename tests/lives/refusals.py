"""What each thing of a life may be refused for. Anything else that is refused is a fault.

A new code here needs a reason: the two that were hidden by "any refusal will do" were a cancel that could not be paid
back, and a day in which nothing could be bought.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

_NONE: Final = frozenset({"not_found"})
"""There is nothing to do it to."""
_SOLD_OUT: Final = frozenset({"out_of_stock"})
_CHANGE: Final = _NONE | {"wrong_status", "order_busy", "refund_blocked_by_dispute"}
"""Too late, a warehouse still has to answer, or the bank has the money."""
_SPOKEN: Final = frozenset({"too_many_units", "unit_gone"})
"""A return has the unit, or a warranty claim."""

EXPECTED: Final[Mapping[str, frozenset[str]]] = {
    "buy": _SOLD_OUT,
    "buy_with_code": _SOLD_OUT | {"coupon_invalid"},
    "buy_with_value": _SOLD_OUT,
    "buy_ahead": _SOLD_OUT,
    "buy_twice": _SOLD_OUT,
    "change_of_mind": _SOLD_OUT,
    "receive": frozenset(),
    "release": _NONE | {"nothing_to_release"},
    "ship": _NONE | {"capture_outstanding"},
    "pick_short": _NONE,
    "give_way": _NONE,
    "carry": _NONE,
    "send_over": frozenset({"below_reserved"}),
    "take_in": _NONE,
    "cancel_all": _CHANGE,
    "cancel_some": _CHANGE,
    "cancel_as_staff": _CHANGE | {"consent_needed", "refund_over_limit"},
    "cancel_to_credit": _CHANGE,
    "goodwill": _NONE | {"refund_blocked_by_dispute", "refund_exceeds_capture", "refund_over_limit"},
    "swap": _CHANGE | {"unavailable"},
    "move_house": _CHANGE,
    "hear": frozenset(),
    "dispute": _NONE,
    "decide": _NONE,
    "pay_out": frozenset(),
    "write_off": frozenset({"below_reserved", "needs_count"}),
    "change_tax": frozenset(),
    "one_more_look": frozenset(),
    "send_back": _CHANGE | _SPOKEN,
    "exchange": _CHANGE | {"unavailable"} | _SPOKEN,
    "change_rules": frozenset(),
    "decide_return": _NONE,
    "hand_in": _NONE,
    "take_back": _NONE,
    "look_over": _NONE,
    "move_apart": _NONE | {"below_reserved", "needs_count"},
    "end_return": _NONE,
    "complain": _NONE | _SPOKEN | {"claim_open"},
    "decide_claim": _NONE | _SPOKEN,
    "make_good": _NONE | {"wrong_step"},
}
