"""What may still be done with an order, by the shop's rules and its own state: told before anybody asks for it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy.orm import Session

from engine.kit.errors import DomainError
from engine.kit.policies import policy_of
from engine.orders.changes.rules import check
from engine.orders.models import ChangeKind, Order
from engine.orders.policy import OrdersPolicy
from engine.orders.queries import Parts
from engine.returns import eligibility
from engine.returns.policy import ReturnsPolicy
from engine.returns.states import GIVEN_UP

_SHIPPED_REST: tuple[ChangeKind, ...] = (ChangeKind.CANCEL, ChangeKind.ITEMS)


@dataclass(frozen=True, slots=True)
class Allowed:
    """``changes``: the kinds that the rules do not refuse whatever the details; ``reasons``: code → words to cancel by,
    where that is one of them.
    """

    changes: tuple[ChangeKind, ...]
    reasons: Mapping[str, str]


def allowed(session: Session, order: Order, parts: Parts) -> Allowed:
    """What may be asked for now. Reads nothing but the shop's rules."""
    policy = policy_of(session, order.tenant_id, OrdersPolicy)
    kinds = (ChangeKind.CANCEL, ChangeKind.ADDRESS, ChangeKind.PAYMENT_METHOD, ChangeKind.ITEMS)
    changes = [kind for kind in kinds if _may(order, parts, policy, kind)]
    if _may_come_back(session, order, parts):
        changes.append(ChangeKind.RETURN)
    reasons = {one.code: one.text for one in policy.cancel_reasons} if ChangeKind.CANCEL in changes else {}
    return Allowed(tuple(changes), reasons)


def _may(order: Order, parts: Parts, policy: OrdersPolicy, kind: ChangeKind) -> bool:
    if kind in _SHIPPED_REST and all(line.ordered - line.canceled == line.shipped for line in parts.lines):
        return False
    try:
        check(order, parts, policy, kind)
    except DomainError:
        return False
    return True


def _may_come_back(session: Session, order: Order, parts: Parts) -> bool:
    policy = policy_of(session, order.tenant_id, ReturnsPolicy)
    before = sum(row.status not in GIVEN_UP for row in parts.returns)
    try:
        eligibility.check_order(order, parts.money(order), policy, returns_before=before)
        eligibility.check_arrived(parts.lines)
    except DomainError:
        return False
    return True
