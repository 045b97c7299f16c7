"""The restocking fee that an exchange waived: it is kept when the exchange does not last."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from sqlalchemy import select
from sqlalchemy.orm import Session

from engine.orders.models import OrderChange, OrderLine
from engine.returns.models import ReturnLine
from engine.returns.worth import some_of


def fees_of(
    session: Session, lines: Sequence[OrderLine], applied: Iterable[OrderChange], ended: Iterable[tuple[str, int]]
) -> dict[str, tuple[int, int]]:
    """Of units (order line, how many) that were had in exchange and are canceled now: return line → how many of its
    units that are, and the fee that was waived for them. ``applied`` are the changes before this one.
    """
    by_id = {line.id: line for line in lines}
    units: dict[str, int] = {}
    for line_id, count in ended:
        if (root := _exchanged(by_id, line_id)) is not None:
            units[root] = units.get(root, 0) + count
    if not units:
        return {}
    rows = session.scalars(
        select(ReturnLine).where(
            ReturnLine.tenant_id == lines[0].tenant_id,
            ReturnLine.exchange["line_id"].astext.in_(sorted(units)),
            ReturnLine.waived_fee > 0,
        )
    ).all()
    done = _charged(applied)
    found = {}
    for row in rows:
        assert row.exchange is not None
        before = done.get(row.id, 0)
        now = min(units[row.exchange["line_id"]], row.quantity - before)
        found[row.id] = (now, some_of(row.waived_fee, row.quantity, before, now))
    return found


def within(fees: Mapping[str, tuple[int, int]], most: int) -> dict[str, tuple[int, int]]:
    """The fees as far as ``most`` goes: nobody of the shop charges for what they cancel."""
    found = {}
    for row_id, (units, fee) in fees.items():
        found[row_id] = (units, min(fee, most))
        most -= found[row_id][1]
    return found


def take_up(lines: Iterable[ReturnLine]) -> int:
    """An exchange has become a return: what it waived is a fee of its lines, as far as their worth goes; how much that
    is in all.
    """
    total = 0
    for line in lines:
        left = line.goods - line.discount + line.shipping - line.fee - line.withheld + line.withheld_tax
        fee = max(0, min(line.waived_fee, left))
        line.fee += fee
        line.waived_fee -= fee
        total += fee
    return total


def _charged(applied: Iterable[OrderChange]) -> dict[str, int]:
    """Return line → units whose fee was kept before."""
    done: dict[str, int] = {}
    for change in applied:
        for row_id, (units, _) in change.quote["effect"].get("kept_fees", {}).items():
            done[row_id] = done.get(row_id, 0) + units
    return done


def _exchanged(by_id: dict[str, OrderLine], line_id: str | None) -> str | None:
    """The line of the exchange that this one goes back to, by whatever swaps."""
    while line_id is not None and (line := by_id.get(line_id)) is not None:
        if line.return_id is not None:
            return line.id
        line_id = line.replaces_line_id
    return None
