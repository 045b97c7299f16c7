"""Why a call was refused: our own refusals by the classes in which the benchmark's are compared."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from engine.kit.errors import DomainError
from evals.tau2.reasons import Reason

_CLASSES: Final[Mapping[str, Reason]] = {
    "not_found": Reason.NOT_FOUND,
    "wrong_status": Reason.WRONG_STATUS,
    "already_changed": Reason.WRONG_STATUS,
    "not_delivered": Reason.WRONG_STATUS,
    "return_refused": Reason.WRONG_STATUS,
    "returned_before": Reason.WRONG_STATUS,
    "not_owned_method": Reason.NOT_OWNED_METHOD,
    "change_refused": Reason.NOT_OWNED_METHOD,
    "unavailable": Reason.UNAVAILABLE,
    "wrong_product": Reason.WRONG_PRODUCT,
    "count_mismatch": Reason.COUNT_MISMATCH,
    "too_many_units": Reason.COUNT_MISMATCH,
    "same_item": Reason.SAME_ITEM,
    "same_method": Reason.SAME_ITEM,
    "invalid_reason": Reason.INVALID_REASON,
    "insufficient_balance": Reason.INSUFFICIENT_BALANCE,
    "email_not_verified": Reason.UNAUTHENTICATED,
}
"""Code of ours → class; any other is one of malformed arguments."""


class Refused(Exception):
    """A call that is refused before any tool of ours could be asked."""

    def __init__(self, reason: Reason, words: str) -> None:
        super().__init__(words)
        self.reason = reason
        self.words = words


def refused(error: DomainError) -> Refused:
    """A refusal of ours in its class, with its own words."""
    return Refused(_CLASSES.get(error.code, Reason.MALFORMED), error.message)
