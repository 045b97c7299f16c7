"""Whether a purchase may be paid for: the shop's own thresholds, and whatever risk service stands behind the port.

It is asked before anything is claimed or charged. The stricter answer counts; a service that does not answer makes a
person look, and never loses a sale.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, ClassVar, Final, Protocol

import structlog

from engine.kit.caps import Caps, cap
from engine.kit.errors import Unavailable
from engine.kit.money import Money
from engine.kit.policies import Policy, read_policy

REVIEW: Final = "review"
"""Why an order is on hold that a person has to look at."""
log = structlog.get_logger(__name__)


class RiskAnswer(StrEnum):
    ALLOW = "allow"
    REVIEW = "review"  # the money is only held, and the order waits for a person
    REFUSE = "refuse"


_BY_STRICTNESS: Final = (RiskAnswer.ALLOW, RiskAnswer.REVIEW, RiskAnswer.REFUSE)


@dataclass(frozen=True, slots=True)
class Purchase:
    """What may be known of a purchase before it is paid; never a card number."""

    tenant_id: str
    session_id: str
    buyer_id: str
    customer_id: str | None
    amount: Money
    buyer: Mapping[str, Any]
    ship_to: Mapping[str, Any]
    method: Mapping[str, Any]
    signals: Mapping[str, Any] = field(default_factory=dict)
    """What an agent's platform tells of the visit: ip_address, user_agent, device_fingerprint, …"""
    review: bool = False
    """Whether whoever brought the way to pay wants a person to look."""


class Risk(Protocol):
    """A risk service. It is called outside of transactions and may raise ``Unavailable``."""

    def assess(self, purchase: Purchase) -> RiskAnswer: ...


class RiskPolicy(Policy):
    """Purchases that are not simply taken, by their total: by currency in minor units, ``None`` for never. A bare
    number is of the shop's own currency.
    """

    section: ClassVar[str] = "risk"

    review_from: Caps = None
    """From this total on the money is only held, and the order waits for a person: in a currency that is not listed,
    whatever the total.
    """
    refuse_from: Caps = None
    """From this total on the purchase is not taken; in a currency that is not listed it is."""


def watched(service: Risk | None, settings: Mapping[str, Any], *, review: bool = False) -> bool:
    """Whether anybody has something to say about this purchase."""
    return review or service is not None or bool(settings.get("policies", {}).get(RiskPolicy.section))


def assess(service: Risk | None, settings: Mapping[str, Any], home: str, purchase: Purchase) -> RiskAnswer:
    """The strictest of the shop's thresholds (in its ``settings``; ``home`` is its own currency), a wish for review
    that came with the way to pay, and the service's answer, if there is one.
    """
    answers = [_by_policy(read_policy(dict(settings), RiskPolicy, home=home), purchase.amount)]
    if purchase.review:
        answers.append(RiskAnswer.REVIEW)
    if service is not None:
        answers.append(_asked(service, purchase))
    return max(answers, key=_BY_STRICTNESS.index)


def _by_policy(policy: RiskPolicy, total: Money) -> RiskAnswer:
    refuse = cap(policy.refuse_from, total.currency, unlisted=None)
    if refuse is not None and total.amount >= refuse:
        return RiskAnswer.REFUSE
    review = cap(policy.review_from, total.currency)
    if review is not None and total.amount >= review:
        return RiskAnswer.REVIEW
    return RiskAnswer.ALLOW


def _asked(service: Risk, purchase: Purchase) -> RiskAnswer:
    try:
        return service.assess(purchase)
    except Unavailable:
        log.warning("risk service unreachable", session_id=purchase.session_id)
        return RiskAnswer.REVIEW
