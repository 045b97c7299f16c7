"""Cartons of a shipment that go under one tracking number: one parcel to whoever follows it."""

from __future__ import annotations

from collections.abc import Iterable

from engine.sync.canonical import Parcel


def together(parcels: Iterable[Parcel]) -> list[list[Parcel]]:
    """By tracking number, in their order; what has none stands alone."""
    found: dict[tuple[str, str], list[Parcel]] = {}
    for one in parcels:
        found.setdefault((one.tracking_number, "" if one.tracking_number else one.ref), []).append(one)
    return list(found.values())


def joined(cartons: Iterable[Parcel]) -> Parcel:
    """Cartons of one tracking number as one parcel, named as the first."""
    first, *more = cartons
    return first.model_copy(update={"items": (*first.items, *(item for one in more for item in one.items))})
