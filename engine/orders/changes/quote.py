"""Quoting a change: what it would do at this moment, and the digest that binds whoever agrees to it."""

from __future__ import annotations

import hashlib
from typing import Any

from sqlalchemy.orm import Session

from engine.kit.idempotency import canonical_json
from engine.kit.identity import Identity
from engine.kit.policies import policy_of
from engine.orders import queries
from engine.orders.changes import address, cancel, items, payment
from engine.orders.changes.case import Case
from engine.orders.changes.effect import Effect
from engine.orders.changes.rules import check
from engine.orders.changes.wanted import (
    AddressWanted,
    CancelWanted,
    ItemsWanted,
    PaymentMethodWanted,
    ReturnWanted,
    Wanted,
)
from engine.orders.models import ChangeKind, Order
from engine.orders.policy import OrdersPolicy
from engine.orders.queries import Parts
from engine.returns import returning


def open_case(session: Session, identity: Identity, order: Order, parts: Parts | None = None) -> Case:
    """The order with everything that belongs to it, as it is now: ``parts``, where that was read under its lock."""
    parts = parts or queries.parts_of(session, order.tenant_id, [order.id])[order.id]
    return Case(session, identity, order, parts, policy_of(session, order.tenant_id, OrdersPolicy))


def work_out(case: Case, wanted: Wanted) -> Effect:
    """What the change would do. Writes nothing.

    Raises the errors of ``orders.errors`` for what the shop's rules, the order's state or the world refuse.
    """
    if isinstance(wanted, ReturnWanted):
        return returning.work_out(case, wanted)
    check(case.order, case.parts, case.policy, ChangeKind(wanted.kind))
    return _by_kind(case, wanted)


def digest(order: Order, effect: Effect) -> str:
    """SHA-256 over the order at its version and everything the change does to it."""
    bound: dict[str, Any] = {
        "tenant": order.tenant_id,
        "order": order.id,
        "version": order.version,
        "currency": order.currency,
        "effect": effect.model_dump(mode="json"),
    }
    return hashlib.sha256(canonical_json(bound)).hexdigest()


def _by_kind(case: Case, wanted: CancelWanted | AddressWanted | ItemsWanted | PaymentMethodWanted) -> Effect:
    if isinstance(wanted, CancelWanted):
        return cancel.work_out(case, wanted)
    if isinstance(wanted, AddressWanted):
        return address.work_out(case, wanted)
    if isinstance(wanted, ItemsWanted):
        return items.work_out(case, wanted)
    return payment.work_out(case, wanted)
