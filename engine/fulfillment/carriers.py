"""The embedded carrier: services, tracking numbers with a check digit, and a journey that the clock alone decides.

It moves nothing. A second address line of ``sandbox: exception``, ``sandbox: lost`` or ``sandbox: returned`` makes a
parcel fare so, as the gateway's test cards do for payments.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from engine.orders.models import ShipmentStatus

SANDBOX: Final = "Sandbox Post"
PICKUP: Final = "Pickup"
"""In a carrier's place where the buyer comes; the number is what they show."""
DIGITAL: Final = "Digital"
"""In a carrier's place where nothing is carried: it is there as soon as it is sent."""
_PREFIX: Final = "SP"
_ALPHABET: Final = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"
_CODE: Final = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"  # Crockford base32: nothing that looks like something else
_CODE_LENGTH: Final = 12
_SCENARIO: Final = re.compile(r"\s*sandbox:\s*(exception|lost|returned)\s*", re.IGNORECASE)
_BASE_PRICE: Final = 420
_PRICE_PER_KG: Final = 95


@dataclass(frozen=True, slots=True)
class TrackingEvent:
    """One sign of a parcel; ``id`` is the carrier's own."""

    id: str
    at: datetime
    status: ShipmentStatus
    text: str


def slug(carrier: str) -> str:
    """A carrier's name as it is written in an address: ``Sandbox Post`` → ``sandbox-post``."""
    return re.sub(r"[^a-z0-9]+", "-", carrier.lower()).strip("-")


def tracking_number(shipment_id: str) -> str:
    """The embedded carrier's number for a shipment: ``SP``, twelve letters and digits, a check character."""
    value = int.from_bytes(hashlib.sha256(shipment_id.encode()).digest()[:8], "big")
    code = "".join(_CODE[(value >> (5 * place)) & 31] for place in range(_CODE_LENGTH))
    return _PREFIX + code + check_character(_PREFIX + code)


def valid_number(number: str) -> bool:
    """Whether a number is whole: right form and check character."""
    well_formed = len(number) == len(_PREFIX) + _CODE_LENGTH + 1 and number.startswith(_PREFIX)
    return well_formed and set(number) <= set(_ALPHABET) and check_character(number[:-1]) == number[-1]


def check_character(text: str) -> str:
    """ISO 7064, MOD 37,36: finds every wrong character and nearly every swap of neighbors."""
    product = 36
    for character in text:
        total = (product + _ALPHABET.index(character)) % 36 or 36
        product = total * 2 % 37
    return _ALPHABET[(37 - product) % 36]


def price(weight_g: int) -> int:
    """What a label of the embedded carrier costs, in minor units, by started kilogram."""
    return _BASE_PRICE + _PRICE_PER_KG * max(0, -(-weight_g // 1000) - 1)


def journey(
    number: str, *, shipped_at: datetime, option: Mapping[str, Any], ship_to: Mapping[str, Any] | None
) -> list[TrackingEvent]:
    """Everything that will ever be told of a parcel of the embedded carrier, oldest first."""
    fast, slow = int(option.get("min_days", 2)), int(option.get("max_days", 4))
    spread = int(hashlib.sha256(number.encode()).hexdigest(), 16) % (max(fast, slow) - fast + 1)
    days = timedelta(days=max(1, fast + spread))
    told = [(timedelta(hours=4), ShipmentStatus.SHIPPED, "Accepted by the carrier")]
    told += [(timedelta(hours=14), ShipmentStatus.IN_TRANSIT, "On its way")]
    told += _ends(_scenario(ship_to), days)
    return [
        TrackingEvent(f"{number}-{place}", shipped_at + after, status, words)
        for place, (after, status, words) in enumerate(told, start=1)
    ]


def _ends(scenario: str, days: timedelta) -> list[tuple[timedelta, ShipmentStatus, str]]:
    out = (days - timedelta(hours=5), ShipmentStatus.OUT_FOR_DELIVERY, "Out for delivery")
    if scenario == "lost":
        return [(days + timedelta(days=10), ShipmentStatus.LOST, "The parcel cannot be found")]
    if scenario == "exception":
        again = days + timedelta(days=1)
        return [
            out,
            (days, ShipmentStatus.EXCEPTION, "Nobody was there; a new try tomorrow"),
            (again - timedelta(hours=5), ShipmentStatus.OUT_FOR_DELIVERY, "Out for delivery"),
            (again, ShipmentStatus.DELIVERED, "Delivered"),
        ]
    if scenario == "returned":
        return [
            out,
            (days, ShipmentStatus.EXCEPTION, "The address does not exist"),
            (days + timedelta(days=5), ShipmentStatus.RETURNED, "Back with the sender"),
        ]
    return [out, (days, ShipmentStatus.DELIVERED, "Delivered")]


def _scenario(ship_to: Mapping[str, Any] | None) -> str:
    found = _SCENARIO.fullmatch(str((ship_to or {}).get("line_two") or ""))
    return found[1].lower() if found else ""
