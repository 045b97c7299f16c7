"""Whether so much of one item can be had, and when it would arrive: the price engine asked of a basket that nobody has.

Everything is worked out as the checkout would, so that what is said here is what is sold there.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from typing import Any, Final
from zoneinfo import ZoneInfo

from sqlalchemy.orm import Session

from engine.carts import service as carts
from engine.checkout import facts, pricing
from engine.checkout import service as checkout
from engine.checkout.facts import Facts
from engine.checkout.models import CheckoutSession
from engine.checkout.parts import Part
from engine.customers import service as customers
from engine.customers.addresses import PARTS, normalize
from engine.customers.postal import region_of
from engine.kit import clock
from engine.kit.identity import Identity
from engine.kit.policies import read_policy
from engine.shipping.policy import ShippingPolicy
from engine.shipping.service import Option

_DAY: Final = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Outlook:
    """``options`` are the ways to a known address (and to fetch it), with their days; ``available`` units ship at once.

    ``problems`` stand in the way of it; ``notice`` says what would be sent later, and when.
    """

    currency: str
    available: int
    options: tuple[Option, ...]
    problems: tuple[str, ...]
    notices: tuple[str, ...]
    ship_to: Mapping[str, str] | None
    holds_until: datetime | None
    """Ordered later than this, it leaves a day later: the next cut-off of where it ships from."""


def outlook(
    session: Session, identity: Identity, variant_id: str, *, quantity: int, place: Mapping[str, str] | None
) -> Outlook:
    """What the checkout would say of ``quantity`` units sent to ``place`` (of ``place_of``)."""
    wish = Part(
        tenant_id=identity.tenant_id,
        id="",
        owner_id=identity.id,
        currency=carts.currency_of(session, identity),
        lines=[{"variant_id": variant_id, "quantity": quantity}],
        buyer={},
        ship_to=dict(place) if place else None,
        fulfillment_option_id=None,
    )
    found = facts.look(session, wish, owner_id=identity.id)
    quote = pricing.price(wish, found)
    line = next(iter(quote.lines), None)
    notices = [*([line.notice] if line and line.notice else []), *quote.notices]
    from_places = [one.location_id for one in quote.plan.allocations] if quote.plan else []
    return Outlook(
        currency=wish.currency,
        available=line.available if line else 0,
        options=quote.options,
        problems=quote.problems,
        notices=tuple(notices),
        ship_to=wish.ship_to,
        holds_until=_next_cut_off(found, from_places) if any(one.latest for one in quote.options) else None,
    )


def place_of(
    session: Session, identity: Identity, *, postal_code: str | None, state: str | None, country: str | None
) -> dict[str, str] | None:
    """The place that was said; else where the running checkout goes, else the saved address; ``None`` when nothing is
    known. A postal code tells its state.

    Raises ``AddressIncomplete`` for a part that cannot be right.
    """
    if postal_code or state or country:
        said = normalize({"postal_code": postal_code, "state": state, "country": country or "US"})
        return said | {"state": said["state"] or region_of(said["country"], said["postal_code"])}
    session_id = checkout.running_session_id(session, identity)
    running = session.get(CheckoutSession, (identity.tenant_id, session_id)) if session_id else None
    if running is not None and (running.ship_to or {}).get("country"):
        return dict(running.ship_to or {})
    saved = customers.default_address(session, identity)
    return {part: getattr(saved, part) for part in (*PARTS, "line_two")} if saved else None


def _next_cut_off(found: Facts, places: Sequence[str]) -> datetime | None:
    sites = [site for site in found.sites if site["id"] in places] or list(found.sites[:1])
    policy = read_policy(dict(found.shop.settings), ShippingPolicy)
    return min((_cut_off(site, policy) for site in sites), default=None)


def _cut_off(site: Mapping[str, Any], policy: ShippingPolicy) -> datetime:
    """Today's, or tomorrow's when today's is over, in the site's own time."""
    local = clock.now().astimezone(ZoneInfo(site["time_zone"]))
    at = time.fromisoformat(site["cut_off"]) if site["cut_off"] else policy.cut_off
    today = local.replace(hour=at.hour, minute=at.minute, second=0, microsecond=0)
    return today if local < today + timedelta(minutes=1) else today + _DAY
