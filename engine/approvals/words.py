"""What a shopper hears of an approval, in plain words: what became of it, never who decided or why."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from engine.approvals.models import ApprovalKind, ApprovalStatus
from engine.kit.money import Money

_ASKED: Final = {
    ApprovalKind.REFUND: "the refund of {money}",
    ApprovalKind.GOODWILL: "the store credit of {money}",
    ApprovalKind.DISCOUNT: "the discount",
    ApprovalKind.ORDER_CHANGE: "the change of your order",
    ApprovalKind.RETURN_REFUND: "the refund of {money} for your return",
    ApprovalKind.WARRANTY: "your warranty claim",
    ApprovalKind.REPLACEMENT: "the replacement for your order",
}
"""What concerns a shopper; stock does not."""
_DONE: Final = {
    ApprovalKind.REFUND: "Good news: the refund of {money} is approved. It goes back the way you paid; your bank may"
    " take a few days to show it.",
    ApprovalKind.GOODWILL: "Good news: we have given you {money} of store credit, to spend at your next checkout.",
    ApprovalKind.DISCOUNT: "Good news: here is a code for your next order, good for one use: {code}.",
    ApprovalKind.ORDER_CHANGE: "Good news: the change of your order is approved and made.",
    ApprovalKind.RETURN_REFUND: "Good news: the refund of {money} for your return is approved and on its way.",
    ApprovalKind.REPLACEMENT: "Good news: the replacement is approved. It is a new order, and costs you nothing.",
    ApprovalKind.WARRANTY: "Good news: your warranty claim is approved.",
}
_CREDITED: Final = "Good news: the refund of {money} is approved. It is yours as store credit now."
_NO: Final = (
    "We have looked at it carefully: {asked} was not approved. If you would like to talk to a person, just say so."
)
_LATE: Final = (
    "{asked} was not decided in time, and nothing was done. Say so if you still need it and we will look again."
)
_FAILED: Final = "{asked} could not be made as things stand now. Nothing was done; our people are looking into it."


def outcome_words(told: Mapping[str, Any]) -> str | None:
    """The sentence for what ``approval.decided`` tells; None where there is nothing to say to a shopper."""
    kind, status = ApprovalKind(told["kind"]), ApprovalStatus(told["status"])
    if kind not in _ASKED:
        return None
    facts = {"money": str(Money(told["amount"], told["currency"])), "code": told.get("code", "")}
    if status == ApprovalStatus.APPROVED:
        credited = kind == ApprovalKind.REFUND and told.get("destination") == "store_credit"
        return (_CREDITED if credited else _DONE[kind]).format(**facts)
    asked = _ASKED[kind].format(**facts)
    words = {ApprovalStatus.DECLINED: _NO, ApprovalStatus.EXPIRED: _LATE}.get(status, _FAILED).format(asked=asked)
    return words[0].upper() + words[1:]
