"""Fetching an order at a place of the shop: where that is offered, for how much, and from when until when. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field

from engine.shipping.service import Option

PREFIX: Final = "pickup_"
_Minor = Annotated[int, Field(strict=True, ge=0, le=1_000_000_000)]


class Pickup(BaseModel):
    """On what terms orders can be fetched at a location."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: Literal["in_store", "curbside", "locker"] = "in_store"
    ready_after_hours: Annotated[int, Field(ge=0, le=24 * 60)] = 2
    """From the order until it is set aside."""
    kept_for_days: Annotated[int, Field(ge=1, le=365)] = 7
    """From when it is ready."""
    price: _Minor = 0
    """Minor units of the shop's currency."""
    amounts: dict[Annotated[str, Field(pattern=r"^[A-Z]{3}$")], _Minor] = Field(default_factory=dict)
    """Other currency → price in its minor units. A fee is not asked for in a currency that it has no price in."""
    phone: Annotated[str, Field(max_length=40)] = ""
    instructions: Annotated[str, Field(max_length=300)] = ""

    def price_in(self, abroad: str | None) -> int | None:
        """``abroad`` is a currency that is not the home's; ``None`` where it is not offered in it."""
        if abroad is None or not self.price:
            return self.price
        return self.amounts.get(abroad)


def option_of(location_id: str) -> str:
    """The id of the way to deliver: fetched there."""
    return PREFIX + location_id


def offered(site: Mapping[str, Any], *, abroad: str | None, moment: datetime) -> Option | None:
    """The way to fetch an order of this moment at a location; ``None`` where that is not offered, or nobody would find
    it. ``site``: id, name, pickup, line_one, city, region, postal_code, country.
    """
    if not site["pickup"] or not all(site[part] for part in ("line_one", "city", "postal_code")):
        return None
    terms = Pickup.model_validate(site["pickup"])
    amount = terms.price_in(abroad)
    if amount is None:
        return None
    ready = (moment + timedelta(hours=terms.ready_after_hours)).replace(microsecond=0)
    until = ready + timedelta(days=terms.kept_for_days)
    return Option(
        id=option_of(site["id"]),
        title=f"Pick up at {site['name']}",
        carrier="",
        amount=amount,
        min_days=0,
        max_days=-(-terms.ready_after_hours // 24),
        type="pickup",
        place=_place(site, terms),
        ready_by=ready.isoformat(),
        pickup_by=until.isoformat(),
    )


def fetched(option: Mapping[str, Any] | None) -> bool:
    """Whether an order of this way to deliver, as it is kept, is fetched by its buyer."""
    return bool((option or {}).get("place"))


def place_id(option: Mapping[str, Any] | None) -> str | None:
    """The location where an order of this way to deliver, as it is kept, is fetched."""
    place = (option or {}).get("place") or {}
    return place.get("location_id")


def address_of(site: Mapping[str, Any], name: str) -> dict[str, str]:
    """Where an order goes that ``name`` fetches."""
    return {
        "name": name,
        "line_one": site["line_one"],
        "line_two": "",
        "city": site["city"],
        "state": site["region"],
        "postal_code": site["postal_code"],
        "country": site["country"],
    }


def _place(site: Mapping[str, Any], terms: Pickup) -> dict[str, str]:
    known = {
        "location_id": str(site["id"]),
        "kind": terms.kind,
        "phone": terms.phone,
        "instructions": terms.instructions,
    }
    return address_of(site, str(site["name"])) | {name: value for name, value in known.items() if value}
