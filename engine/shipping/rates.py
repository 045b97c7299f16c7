"""What one way of shipping costs for one parcel, and what it cannot carry. Pure; amounts in minor units."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

_BY: Final = {"weight": "weight_g", "goods": "goods", "units": "units"}


@dataclass(frozen=True, slots=True)
class Parcel:
    """What is sent and where to; ``goods`` is its value after discount."""

    weight_g: int
    goods: int
    units: int = 1
    volume_mm3: int = 0
    longest_mm: int = 0
    region: str = ""
    postal_code: str = ""
    po_box: bool = False


@dataclass(frozen=True, slots=True)
class Price:
    amount: int
    surcharges: tuple[str, ...] = ()
    """Titles of what is in the amount on top of the rate."""


def billed_weight(rate: Mapping[str, Any], parcel: Parcel) -> int:
    """Grams: what it weighs, or what its size counts for (mm³ over the carrier's divisor, 5000 being the usual one),
    whichever is more.
    """
    divisor = int(rate.get("dim_divisor") or 0)
    return max(parcel.weight_g, -(-parcel.volume_mm3 // divisor) if divisor else 0)


def refusal(rate: Mapping[str, Any], parcel: Parcel) -> str | None:
    """Why this way cannot take the parcel; ``None`` when it can."""
    if parcel.po_box and not rate.get("po_box", True):
        return "does not deliver to PO boxes"
    if (most := rate.get("max_weight_g")) and billed_weight(rate, parcel) > most:
        return "takes nothing this heavy"
    if (longest := rate.get("max_length_mm")) and parcel.longest_mm > longest:
        return "takes nothing this long"
    return None


def price(rate: Mapping[str, Any], terms: Mapping[str, Any], parcel: Parcel) -> Price | None:
    """The rate's price in the currency of ``terms``; ``None`` where no band fits. Surcharges are asked for even where
    the rate itself is free.
    """
    base = _base(rate, terms, parcel)
    if base is None:
        return None
    due = [one for one in terms.get("surcharges") or () if _applies(one, rate, parcel)]
    return Price(base + sum(int(one["amount"]) for one in due), tuple(str(one["title"]) for one in due))


def _base(rate: Mapping[str, Any], terms: Mapping[str, Any], parcel: Parcel) -> int | None:
    free_over = terms.get("free_over")
    weight = billed_weight(rate, parcel)
    band = _band(terms, {"weight_g": weight, "goods": parcel.goods, "units": parcel.units})
    if terms.get("bands") and band is None:
        return None
    if free_over is not None and parcel.goods >= free_over:
        return 0
    start = int(band["price"]) if band else int(terms["price"])
    return start + int(terms.get("per_kg", 0)) * max(0, -(-weight // 1000) - 1)


def _band(terms: Mapping[str, Any], known: Mapping[str, int]) -> Mapping[str, Any] | None:
    """The first band that reaches far enough; one without ``up_to`` has no end."""
    bands = terms.get("bands") or {}
    value = known[_BY[bands["by"]]] if bands else 0
    return next((one for one in bands.get("steps", ()) if one.get("up_to") is None or value <= one["up_to"]), None)


def _applies(surcharge: Mapping[str, Any], rate: Mapping[str, Any], parcel: Parcel) -> bool:
    """Whether any of its reasons holds; one without reasons always does."""
    code = parcel.postal_code.replace(" ", "").upper()
    prefixes, regions = surcharge.get("postal_prefixes") or (), surcharge.get("regions") or ()
    longest, heaviest = surcharge.get("longer_than_mm"), surcharge.get("heavier_than_g")
    reasons = [
        *(code.startswith(str(one).replace(" ", "").upper()) for one in prefixes),
        *(parcel.region == one for one in regions),
        *([parcel.longest_mm > longest] if longest is not None else []),
        *([billed_weight(rate, parcel) > heaviest] if heaviest is not None else []),
    ]
    return any(reasons) or not (prefixes or regions or longest is not None or heaviest is not None)
