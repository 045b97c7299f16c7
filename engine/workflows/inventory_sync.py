"""inventorySync: every quarter of an hour the shop is told what may be sold of what the ERP has.

Told = the ERP's available at the places that the shop sells from - safety stock - what our own shop has promised and
the ERP has no sales order of. It compares states, so that doing it again does what is left to do.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Final

from pydantic import BaseModel, ConfigDict

from engine.sync.canonical import StockLevel
from engine.sync.errors import FieldFault, Rejected
from engine.sync.models import System
from engine.workflows import sellable
from engine.workflows.access import Poll
from engine.workflows.definition import Workflow
from engine.workflows.run import Run

NAME: Final = "inventorySync"


class StockSlot(BaseModel):
    """A quarter of an hour. ``confirmed``: a person has looked, and so much less is right."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    slot: str
    confirmed: bool = False


def body(run: Run, payload: StockSlot) -> dict[str, Any]:
    held: list[list[tuple[StockLevel, int]]] = []

    def compare() -> dict[str, int]:
        pairs = _pairs(run)
        held[:] = [pairs]
        return _checked(pairs, run.settings.largest_swing_percent, confirmed=payload.confirmed)

    found: dict[str, Any] = run.step("compare", compare)
    if not found["changes"]:
        return found | {"pushed": 0, "deferred": []}
    done = run.step("push", lambda: _push(run, payload, held))
    return {**found, **done}


def _push(run: Run, payload: StockSlot, held: list[list[tuple[StockLevel, int]]]) -> dict[str, Any]:
    """By what was compared in this life; after a crash it is read and judged anew."""
    pairs = held.pop() if held else _pairs(run)
    _checked(pairs, run.settings.largest_swing_percent, confirmed=payload.confirmed)
    return sellable.told(sellable.push(run, NAME, payload.slot, pairs))


def _pairs(run: Run) -> list[tuple[StockLevel, int]]:
    """Every level of the shop that follows the ERP, and what it should be. Bundles do not: of some the shop works it
    out by itself, of others the next workflow does.
    """
    found = sellable.read(run)
    bundles = sellable.shop(run).native_bundles() | set(run.erp().kits())
    levels = [level for level in sellable.shop_levels(run) if level.sku and level.sku not in bundles]
    lost = {level.sku for level in levels} - found.counted
    known = set(run.erp().items(lost)) if lost else set()
    nothing = dict.fromkeys(known | found.counted, 0)  # counted at other places alone, or nowhere: here there is none
    units = {place: nothing | dict(kept) for place, kept in found.units.items()}
    return sellable.wanted_at(levels, units)


def _checked(pairs: Sequence[tuple[StockLevel, int]], most_percent: int, *, confirmed: bool) -> dict[str, int]:
    """Raises ``Rejected`` where everything together falls by so much that it is more likely wrong."""
    there = sum(max(0, level.available) for level, _ in pairs)
    wanted = sum(quantity for _, quantity in pairs)
    if there and not confirmed and wanted * 100 <= there * (100 - most_percent):
        words = f"{there} units would become {wanted}; set confirmed where that is right"
        raise Rejected(
            "The stock of everything together falls too far at once.", fields=[FieldFault("confirmed", words)]
        )
    changes = sum(level.available != quantity for level, quantity in pairs)
    return {"compared": len(pairs), "there": there, "wanted": wanted, "changes": changes}


def poll(poll: Poll) -> Iterator[StockSlot]:
    """One run for each slot."""
    if poll.slot is not None:
        yield StockSlot(slot=poll.slot.isoformat())


WORKFLOW: Final = Workflow(
    name=NAME,
    version="1.0.0",
    payload=StockSlot,
    key=lambda payload: payload.slot,
    subject=lambda payload: ("stock", payload.slot),
    body=body,
    systems=(System.NETSUITE, System.SHOPIFY),
    poll=poll,
    every_seconds=900,
    alone=True,
)
