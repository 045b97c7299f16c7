"""Who may change what, until when, how often: the shop's policy and the order's own state."""

from __future__ import annotations

from datetime import timedelta

from engine.kit import clock
from engine.orders.errors import AlreadyChanged, ChangeRefused, OrderBusy, WindowClosed, WrongStatus
from engine.orders.models import ChangeKind, ChangeStatus, Order, OrderChange, OrderStatus
from engine.orders.policy import OrdersPolicy
from engine.orders.queries import Parts

RETURN_PATH = "It is on its way already. Once it has arrived it can be sent back or exchanged."
_WORDS = {
    ChangeKind.CANCEL: "canceled",
    ChangeKind.ADDRESS: "sent to another address",
    ChangeKind.PAYMENT_METHOD: "paid another way",
    ChangeKind.ITEMS: "changed",
}


def check(order: Order, parts: Parts, policy: OrdersPolicy, kind: ChangeKind) -> None:
    """Raises the first reason for which an order like this cannot be changed this way, whatever the details."""
    _check_state(order, parts, kind)
    if kind not in policy.allowed_changes:
        raise ChangeRefused(f"In this shop an order cannot be {_WORDS[kind]} once it is paid.")
    _check_history(order, parts, policy, kind)
    _check_window(order, policy, kind)


def _check_state(order: Order, parts: Parts, kind: ChangeKind) -> None:
    if any(change.status == ChangeStatus.CHARGING for change in parts.changes):
        raise OrderBusy("The payment for another change of this order is being made. Please wait a moment.")
    if any(_asked_for(change) for change in parts.changes):
        raise OrderBusy("The warehouse has not answered yet to what was asked before.")
    if order.status not in {OrderStatus.OPEN, OrderStatus.ON_HOLD}:
        raise WrongStatus(f"This order is {order.status}; it can no longer be {_WORDS[kind]}.")
    whole = kind in {ChangeKind.ADDRESS, ChangeKind.PAYMENT_METHOD}
    if whole and any(line.shipped for line in parts.lines):
        raise WrongStatus(RETURN_PATH)
    if kind == ChangeKind.ADDRESS and any(line.released for line in parts.lines):
        raise WrongStatus("It is being packed for the old address already. " + RETURN_PATH)


def _asked_for(change: OrderChange) -> bool:
    """A warehouse has not answered yet. A return that the shop looks at stands in nobody's way."""
    return change.status == ChangeStatus.REQUESTED and change.kind != ChangeKind.RETURN


def _check_history(order: Order, parts: Parts, policy: OrdersPolicy, kind: ChangeKind) -> None:
    allowed = set(map(str, policy.allow_after_item_change))
    if order.items_changed_at is not None and kind != ChangeKind.ITEMS and kind not in allowed:
        raise AlreadyChanged(f"Items of this order were changed; it can no longer be {_WORDS[kind]}.")
    if kind != ChangeKind.ITEMS:
        return
    done = sum(change.kind == kind and change.status == ChangeStatus.APPLIED for change in parts.changes)
    again = done == 0 or kind in allowed
    if not again or (policy.items_changes_per_order is not None and done >= policy.items_changes_per_order):
        raise AlreadyChanged("Items of this order were changed already; that can be done no more.")


def _check_window(order: Order, policy: OrdersPolicy, kind: ChangeKind) -> None:
    minutes = policy.cancel_window_minutes if kind == ChangeKind.CANCEL else policy.change_window_minutes
    if minutes is None or order.placed_at is None:
        return
    if clock.now() > order.placed_at + timedelta(minutes=minutes):
        raise WindowClosed(f"An order can be {_WORDS[kind]} for {minutes} minutes after it was paid; that is over.")
