"""Ways to ship a parcel somewhere, and what each costs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from sqlalchemy import select
from sqlalchemy.orm import Session

from engine.kit.tenancy import Tenant
from engine.shipping import rates
from engine.shipping.models import ShippingZone
from engine.shipping.rates import Parcel

__all__ = ["Offer", "Option", "Parcel", "offer", "options", "terms_of", "to_po_box", "zones"]


class Zone(Protocol):
    """A zone's row, wherever it was read."""

    @property
    def countries(self) -> list[str]: ...
    @property
    def regions(self) -> list[str]: ...
    @property
    def rates(self) -> list[Any]: ...


@dataclass(frozen=True, slots=True)
class Option:
    """One way to ship; ``amount`` in minor units of the currency asked for."""

    id: str
    title: str
    carrier: str
    amount: int
    min_days: int
    max_days: int
    type: str = "shipping"
    """shipping, pickup or local_delivery."""
    surcharges: tuple[str, ...] = ()
    """What is in the amount on top of the rate."""
    earliest: str = ""
    """First day on which it may arrive, ISO; empty while that is not known."""
    latest: str = ""
    place: Mapping[str, Any] | None = None
    """Where it is fetched: an address, location_id, kind (in_store, curbside, locker), phone?, instructions?,
    hours?.
    """
    ready_by: str = ""
    """From when and until when it can be fetched there, ISO with zone."""
    pickup_by: str = ""

    @property
    def fetched(self) -> bool:
        """Whether the buyer comes for it."""
        return self.place is not None


@dataclass(frozen=True, slots=True)
class Offer:
    """Ways to ship, cheapest first, and in words the ones that cannot be had and why."""

    options: tuple[Option, ...] = ()
    withheld: tuple[str, ...] = ()


def zones(session: Session, tenant_id: str) -> list[ShippingZone]:
    """All zones in their order."""
    rows = session.scalars(
        select(ShippingZone).where(ShippingZone.tenant_id == tenant_id).order_by(ShippingZone.position)
    )
    return list(rows)


def options(
    session: Session, tenant_id: str, parcel: Parcel, *, country: str, ground_only: bool, currency: str
) -> list[Option]:
    """Ways to ship, cheapest first; empty where we do not ship.

    A way without a price in ``currency`` is not offered in it.
    """
    home = session.get_one(Tenant, tenant_id).currency
    abroad = None if currency == home else currency
    found = offer(zones(session, tenant_id), parcel, country=country, ground_only=ground_only, abroad=abroad)
    return list(found.options)


def offer(rows: Sequence[Zone], parcel: Parcel, *, country: str, ground_only: bool, abroad: str | None = None) -> Offer:
    """What ``options`` says, with the zones at hand in their order; ``abroad`` is a currency that is not the home's."""
    zone = _zone_for(rows, country, parcel.region)
    if zone is None:
        return Offer()
    found, withheld = [], []
    for rate in zone.rates:
        if (terms := terms_of(rate, abroad)) is None:
            continue
        reason = "goes by air, which something in this order may not" if ground_only and rate["air"] else None
        reason = reason or rates.refusal(rate, parcel)
        if reason:
            withheld.append(f"{rate['title']} is not possible: it {reason}.")
        elif price := rates.price(rate, terms, parcel):
            found.append(_option(rate, price))
    found.sort(key=lambda option: (option.amount, option.max_days, option.id))
    return Offer(tuple(found), tuple(withheld))


def terms_of(rate: Mapping[str, Any], abroad: str | None) -> Mapping[str, Any] | None:
    """price, per_kg, free_over, bands and surcharges of a rate, in the home currency or in another; ``None`` when it
    has none there.
    """
    if abroad is None:
        return rate
    found: Mapping[str, Any] | None = rate.get("amounts", {}).get(abroad)
    return found


def to_po_box(line_one: str) -> bool:
    """Whether an address's first line is a PO box."""
    return line_one.lower().replace(".", "").replace(" ", "").startswith("pobox")


def _option(rate: Mapping[str, Any], price: rates.Price) -> Option:
    return Option(
        rate["code"],
        rate["title"],
        rate["carrier"],
        price.amount,
        rate["min_days"],
        rate["max_days"],
        rate.get("type") or "shipping",
        price.surcharges,
    )


def _zone_for(rows: Sequence[Zone], country: str, region: str) -> Zone | None:
    here = [zone for zone in rows if country in zone.countries]
    exact = [zone for zone in here if region in zone.regions]
    whole = [zone for zone in here if not zone.regions]
    return next(iter(exact + whole), None)
