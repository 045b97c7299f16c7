"""Why a call was refused, as a class: the words differ from program to program, the reason does not."""

from __future__ import annotations

import re
from enum import StrEnum
from typing import Final


class Reason(StrEnum):
    """What stood against a call."""

    NOT_FOUND = "not_found"
    WRONG_STATUS = "wrong_status"
    NOT_OWNED_METHOD = "not_owned_method"
    UNAVAILABLE = "unavailable"
    WRONG_PRODUCT = "wrong_product"
    COUNT_MISMATCH = "count_mismatch"
    SAME_ITEM = "same_item"
    INVALID_REASON = "invalid_reason"
    INSUFFICIENT_BALANCE = "insufficient_balance"
    UNAUTHENTICATED = "unauthenticated"
    MALFORMED = "malformed"


_WORDS: Final = (
    (r"non-(pending|delivered) order|exactly one payment", Reason.WRONG_STATUS),
    (r"^(user|order|product|item) not found$", Reason.NOT_FOUND),
    (r"variant not found", Reason.WRONG_PRODUCT),
    (r"payment method (not found|should be the original)", Reason.NOT_OWNED_METHOD),
    (r"not found or available", Reason.UNAVAILABLE),
    (r"number of items|number of .* not found|some item not found|^\S+ not found", Reason.COUNT_MISMATCH),
    (r"should be different", Reason.SAME_ITEM),
    (r"invalid reason", Reason.INVALID_REASON),
    (r"insufficient gift card", Reason.INSUFFICIENT_BALANCE),
    (r"", Reason.MALFORMED),
)
"""The benchmark's own texts, first match; any other exception there is one of malformed arguments."""
_PREFIX: Final = "Error: "


def reason_of(error: str) -> Reason:
    """The class of an error: by its own name where it is one, else by the benchmark's words."""
    words = error.removeprefix(_PREFIX).strip()
    if words in set(Reason):
        return Reason(words)
    return next(reason for pattern, reason in _WORDS if re.search(pattern, words, re.IGNORECASE))
