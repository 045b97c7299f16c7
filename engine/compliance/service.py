"""May this be sold to that place, this way? Plain reasons when not."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

REMOTE_US: Final = frozenset({"AK", "HI", "PR", "GU", "VI", "AS", "MP", "AA", "AE", "AP"})
_GROUND_ONLY: Final = frozenset({"lithium_battery", "flammable"})
_DOMESTIC: Final = {
    "lithium_battery": "has a lithium battery, which may not go abroad or to Alaska, Hawaii and the territories",
    "flammable": "is flammable and cannot leave the lower 48 states",
    "domestic_only": "is sold in the United States only",
}


def problems(
    items: Iterable[tuple[str, Sequence[str]]], *, home: str, country: str, region: str, line_one: str
) -> list[str]:
    """Why ``(title, restrictions)`` items cannot go to a place; empty when all can. ``home`` is the shop's country."""
    abroad = country != home
    remote = country == "US" and region in REMOTE_US
    box = _is_po_box(line_one)
    found = []
    for title, restrictions in items:
        for restriction, reason in _DOMESTIC.items():
            if restriction in restrictions and (abroad or (remote and restriction != "domestic_only")):
                found.append(f"{title} {reason}.")
        if "blade" in restrictions and country == "GB":
            found.append(f"{title} is a blade, which may not be posted to the United Kingdom.")
        if "oversize" in restrictions and box:
            found.append(f"{title} is too large for a PO box; it needs a street address.")
    return found


def ground_only(restrictions: Iterable[Sequence[str]]) -> bool:
    """Whether something in the parcel may not fly."""
    return any(_GROUND_ONLY & set(each) for each in restrictions)


def age_notice(restrictions: Iterable[Sequence[str]]) -> str | None:
    """What the buyer must be told of age; the carrier checks it at the door."""
    flat = {one for each in restrictions for one in each}
    if "age_21" in flat:
        return "An adult of 21 or older must sign for this delivery."
    if flat & {"age_18", "blade"}:
        return "An adult of 18 or older must sign for this delivery."
    return None


def _is_po_box(line: str) -> bool:
    return line.lower().replace(".", "").replace(" ", "").startswith("pobox")
