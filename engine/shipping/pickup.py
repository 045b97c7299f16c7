"""Fetching an order at a place of the shop: where that is offered, for how much, and from when until when. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Annotated, Any, Final, Literal, get_args

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from engine.shipping.service import Option

PREFIX: Final = "pickup_"
_Minor = Annotated[int, Field(strict=True, ge=0, le=1_000_000_000)]
Day = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
DAYS: Final[tuple[Day, ...]] = get_args(Day)
_CLOCK: Final = r"([01][0-9]|2[0-3]):[0-5][0-9]"


def _opens_first(span: str) -> str:
    begins, _, ends = span.partition("-")
    if begins >= ends:
        raise ValueError("it opens before it closes")
    return span


_Span = Annotated[str, Field(pattern=rf"^{_CLOCK}-({_CLOCK}|24:00)$"), AfterValidator(_opens_first)]


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
    hours: dict[Day, Annotated[tuple[_Span, ...], Field(max_length=4)]] = Field(default_factory=dict)
    """When somebody is there, on the clock of the place: ``{mon: ["09:00-18:00"]}``. Days that are not named are
    closed; without any nothing is said. Told as it is: ``ready_by`` is reckoned without it.
    """

    @property
    def open_words(self) -> str:
        """``Mon-Fri 09:00-18:00, Sat 10:00-14:00``; empty where nothing is known."""
        runs: list[tuple[Day, Day, str]] = []
        for day in DAYS:
            spans = " and ".join(self.hours.get(day, ()))
            if runs and runs[-1][2] == spans:
                runs[-1] = (runs[-1][0], day, spans)
            else:
                runs.append((day, day, spans))
        return ", ".join(f"{_days(first, last)} {spans}" for first, last, spans in runs if spans)

    def price_in(self, abroad: str | None) -> int | None:
        """``abroad`` is a currency that is not the home's; ``None`` where it is not offered in it."""
        if abroad is None or not self.price:
            return self.price
        return self.amounts.get(abroad)


def _days(first: str, last: str) -> str:
    return first.title() if first == last else f"{first.title()}-{last.title()}"


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
        "hours": terms.open_words,
    }
    return address_of(site, str(site["name"])) | {name: value for name, value in known.items() if value}
