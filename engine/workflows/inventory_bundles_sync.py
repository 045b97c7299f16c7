"""inventoryBundlesSync: ten seconds after the stock, what can be put together of it.

A bundle has ``min(floor(available of a component / how many one needs))``. Bundles whose stock the platform derives by
itself are left alone.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from engine.sync.canonical import StockLevel
from engine.sync.errors import FieldFault, Rejected
from engine.sync.models import System
from engine.workflows import sellable
from engine.workflows.access import Poll
from engine.workflows.definition import Workflow
from engine.workflows.inventory_sync import StockSlot
from engine.workflows.run import Run

NAME: Final = "inventoryBundlesSync"
_DEEPEST: Final = 5
Kits = Mapping[str, Sequence[tuple[str, int]]]


def _body(run: Run, payload: StockSlot) -> dict[str, Any]:
    held: list[list[tuple[StockLevel, int]]] = []

    def compare() -> dict[str, Any]:
        pairs, lacking = _pairs(run)
        held[:] = [pairs]
        return {"bundles": len(pairs), "changes": sum(one.available != n for one, n in pairs), "lacking": lacking}

    found: dict[str, Any] = run.step("compare", compare)
    for bundle, component in found["lacking"]:
        words = f"the ERP counts no {component}"
        missing = Rejected(f"{bundle} is told as none: {words}.", fields=[FieldFault(f"{bundle}.{component}", words)])
        run.report(missing, step=f"component {bundle}")
    if not found["changes"]:
        return found | {"pushed": 0, "deferred": []}
    done = run.step("push", lambda: _push(run, payload, held))
    return {**found, **done}


def _push(run: Run, payload: StockSlot, held: list[list[tuple[StockLevel, int]]]) -> dict[str, Any]:
    pairs = held.pop() if held else _pairs(run)[0]
    return sellable.told(sellable.push(run, NAME, payload.slot, pairs))


def _pairs(run: Run) -> tuple[list[tuple[StockLevel, int]], list[list[str]]]:
    """Every bundle's level with what it should be, and bundles with the component that nobody counts."""
    kits = run.erp().kits()
    pushed = sorted(set(kits) - sellable.shop(run).native_bundles())
    if not pushed:
        return [], []
    found = sellable.read(run)
    recipes = {kit: recipe(kit, kits) for kit in pushed}
    lacking = [[kit, sku] for kit, parts in recipes.items() for sku in sorted(parts) if sku not in found.counted]
    units = {
        place: {kit: buildable(parts, kept) for kit, parts in recipes.items()} for place, kept in found.units.items()
    }
    return sellable.wanted_at(sellable.shop_levels(run, pushed), units), lacking


def buildable(parts: Mapping[str, int], units: Mapping[str, int]) -> int:
    """``min(floor(available / needed))``; one component that is not there makes it none."""
    return min((units.get(sku, 0) // needed for sku, needed in parts.items()), default=0)


def recipe(kit: str, kits: Kits) -> Counter[str]:
    """What one bundle takes of what is no bundle itself. Raises ``Rejected`` for one that contains itself."""
    found: Counter[str] = Counter()
    open_: list[tuple[str, int, int]] = [(kit, 1, 0)]
    while open_:
        sku, times, depth = open_.pop()
        if depth > _DEEPEST:
            raise Rejected("A bundle is made of bundles without end.", fields=[FieldFault(kit, "contains itself")])
        for part, quantity in kits[sku]:
            if part in kits:
                open_.append((part, times * quantity, depth + 1))
            else:
                found[part] += times * quantity
    return found


def _poll(poll: Poll) -> Iterator[StockSlot]:
    if poll.slot is not None:
        yield StockSlot(slot=poll.slot.isoformat())


WORKFLOW: Final = Workflow(
    name=NAME,
    version="1.0.0",
    payload=StockSlot,
    key=lambda payload: payload.slot,
    subject=lambda payload: ("stock", payload.slot),
    body=_body,
    systems=(System.NETSUITE, System.SHOPIFY),
    poll=_poll,
    every_seconds=900,
    alone=True,
    offset_seconds=10,
)
