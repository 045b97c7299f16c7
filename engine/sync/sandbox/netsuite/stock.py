"""Stock of an account: what lies where, what is committed to orders, and how transactions move it."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

from engine.sync.sandbox.netsuite.state import ZERO, AccountState, Line, Record


def parts(state: AccountState, item: int, quantity: Decimal) -> Iterator[tuple[int, Decimal]]:
    """What truly lies on shelves: of a kit its members."""
    kit = state.kind("kitItem").get(item)
    if kit is None:
        yield item, quantity
        return
    for member in kit.sublists.get("member", []):
        yield int(member["item"]["id"]), quantity * member["quantity"]


def commit(state: AccountState, line: Line) -> None:
    """Commit to a sales line what is there of it and not committed yet; the rest waits."""
    if line.location is None:
        return
    wanted = line.left - line.committed
    whole = [(item, quantity) for item, quantity in parts(state, line.item, Decimal(1))]
    for item, each in whole:
        wanted = min(wanted, max(state.balance(item, line.location).available, ZERO) // each)
    if wanted > 0:
        _commit(state, line, wanted)


def uncommit(state: AccountState, line: Line, quantity: Decimal) -> None:
    """Take back what a line held."""
    _commit(state, line, -min(quantity, line.committed))


def _commit(state: AccountState, line: Line, quantity: Decimal) -> None:
    line.committed += quantity
    for item, number in parts(state, line.item, quantity):
        state.balance(item, line.location or 0).committed += number


def leave(state: AccountState, source: Line, location: int, quantity: Decimal) -> None:
    """Goods leave a place for an order's line: what it held there goes first; from elsewhere, it holds no more than
    is still to go.
    """
    source.done += quantity
    uncommit(state, source, quantity if source.location == location else max(source.committed - source.left, ZERO))
    move(state, source.item, location, -quantity)


def move(state: AccountState, item: int, location: int, quantity: Decimal) -> None:
    """Goods come (or, negative, go); what waits for them is committed."""
    for part, number in parts(state, item, quantity):
        state.balance(part, location).on_hand += number
    if quantity > 0:
        _commit_waiting(state, location)


def _commit_waiting(state: AccountState, location: int) -> None:
    for order in state.kind("salesOrder").values():
        if order.status in _OPEN:
            for line in order.lines:
                if line.location == location and line.left > line.committed:
                    commit(state, line)


_OPEN = frozenset({"B", "D", "E"})


def hold(state: AccountState, order: Record) -> None:
    """An approved sales order holds what it can."""
    if order.kind == "salesOrder" and order.status in _OPEN:
        for line in order.lines:
            commit(state, line)


def free(state: AccountState, order: Record) -> None:
    """An order that ended holds nothing."""
    for line in order.lines:
        if line.closed or order.status in {"C", "H"}:
            uncommit(state, line, line.committed)
