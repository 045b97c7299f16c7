"""What a refusal says besides its words: what may be done next, and which values are allowed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from engine.kit.errors import DomainError

_LOOK_AT_THE_ORDER: Final = ("get_order",)
_OTHER_VARIANT: Final = ("find_variants",)
_OTHER_WAY: Final = ("get_profile",)
NEXT: Final[Mapping[str, tuple[str, ...]]] = {
    "wrong_status": _LOOK_AT_THE_ORDER,
    "already_changed": (*_LOOK_AT_THE_ORDER, "request_human"),
    "change_window_closed": (*_LOOK_AT_THE_ORDER, "request_human"),
    "change_outdated": _LOOK_AT_THE_ORDER,
    "count_mismatch": _LOOK_AT_THE_ORDER,
    "nothing_to_change": _LOOK_AT_THE_ORDER,
    "same_item": _OTHER_VARIANT,
    "wrong_product": _OTHER_VARIANT,
    "unavailable": _OTHER_VARIANT,
    "not_owned_method": _OTHER_WAY,
    "same_method": _OTHER_WAY,
    "insufficient_balance": _OTHER_WAY,
    "not_delivered": ("track_order",),
    "too_many_units": ("get_return_options",),
    "return_refused": ("get_return_options",),
    "return_window_closed": ("request_human",),
    "returned_before": ("list_returns",),
    "exchange_refused": ("get_return_options",),
    "condition_refused": ("get_return_options",),
    "email_not_verified": ("send_sign_in_code",),
    "unknown_reference": ("get_order", "get_product", "get_profile"),
}
"""Code → tools that help on. A refusal of another kind is told to the shopper as it is."""


def told(error: DomainError) -> dict[str, Any]:
    """The refusal as a model reads it: {code, message, next?, allowed?}."""
    said: dict[str, Any] = {"code": error.code, "message": error.message}
    if helps := NEXT.get(error.code):
        said["next"] = list(helps)
    if error.allowed:
        said["allowed"] = list(error.allowed)
    return said
