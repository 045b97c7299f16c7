"""How a checkout can be delivered: what may go there, which ways there are, and when it arrives."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, time
from typing import Any, Protocol

from engine.checkout.facts import Basket, Facts
from engine.compliance import service as compliance
from engine.compliance.policy import CompliancePolicy
from engine.customers.addresses import missing_parts
from engine.kit import clock
from engine.kit.policies import read_policy
from engine.shipping import digital, pickup
from engine.shipping import service as shipping
from engine.shipping.policy import ShippingPolicy
from engine.shipping.promise import Arrival, Desk, arrival


class Sent(Protocol):
    """What delivery must know of a priced line."""

    @property
    def title(self) -> str: ...
    @property
    def restrictions(self) -> tuple[str, ...]: ...
    @property
    def quantity(self) -> int: ...
    @property
    def weight_g(self) -> int: ...
    @property
    def size_mm(self) -> tuple[int, int, int]: ...
    @property
    def base(self) -> int: ...
    @property
    def discount(self) -> int: ...


@dataclass(frozen=True, slots=True)
class Way:
    """How some of the lines go; ``option`` is none while nobody knows where to."""

    variant_ids: tuple[str, ...]
    option: shipping.Option | None

    @property
    def is_digital(self) -> bool:
        return self.option is not None and self.option.type == digital.TYPE


@dataclass(frozen=True, slots=True)
class Delivery:
    """``problems`` stand in the way; ``notices`` are to be known before agreeing."""

    options: tuple[shipping.Option, ...] = ()
    selected: shipping.Option | None = None
    problems: tuple[str, ...] = ()
    notices: tuple[str, ...] = ()
    ways: tuple[Way, ...] = ()
    """Each way with its lines, where not all of them go the selected one."""


def delivery(basket: Basket, found: Facts, lines: Sequence[Sent], *, goods: int | None = None) -> Delivery:
    """What is possible at the address, as soon as its country (and state) is known, and where it can be fetched; for
    goods worth ``goods``, else for the lines after their discounts. Nothing is fetched that was not chosen to be.
    """
    fetched = _fetched(basket, found, lines)
    sent = _sent(basket, found, lines, goods=goods)
    if found.picked is not None:
        return _picked(basket, found, lines, (*sent.options, *fetched))
    return replace(sent, options=(*sent.options, *fetched))


def _sent(basket: Basket, found: Facts, lines: Sequence[Sent], *, goods: int | None) -> Delivery:
    """What is possible at the address."""
    address = basket.ship_to or {}
    if not address.get("country") or "state" in missing_parts(address):
        return Delivery()
    policy = read_policy(dict(found.shop.settings), CompliancePolicy)
    items = [compliance.Item(line.title, line.restrictions, line.quantity) for line in lines]
    place = place_of(found.shop.country, address)
    problems = compliance.problems(items, place, policy)
    parcel = parcel_of(lines, address)
    offer = shipping.offer(
        found.zones,
        parcel if goods is None else replace(parcel, goods=goods),
        country=place.country,
        ground_only=compliance.ground_only(items, place, policy),
        abroad=None if basket.currency == found.shop.currency else basket.currency,
    )
    if not offer.options and not problems:
        here = f" for prices in {basket.currency}" if basket.currency != found.shop.currency else ""
        problems.append(f"We do not ship this order to that address{here}.")
        problems += offer.withheld
    wanted = basket.fulfillment_option_id
    selected = next((one for one in offer.options if one.id == wanted), next(iter(offer.options), None))
    said = (*compliance.notices(items, place, policy), *offer.withheld)
    return Delivery(offer.options, selected, tuple(problems), said)


def _fetched(basket: Basket, found: Facts, lines: Sequence[Sent]) -> tuple[shipping.Option, ...]:
    """The ways to fetch it, in the shop's order of places; nothing where something of it is not sold."""
    if len(lines) != len({row["variant_id"] for row in basket.lines}):
        return ()
    abroad = None if basket.currency == found.shop.currency else basket.currency
    ways = (pickup.offered(site, abroad=abroad, moment=clock.now()) for site in found.fetched_at)
    return tuple(way for way in ways if way is not None)


def _picked(basket: Basket, found: Facts, lines: Sequence[Sent], options: tuple[shipping.Option, ...]) -> Delivery:
    """Fetched where that was chosen; the rules of that place hold."""
    site = found.picked or {}
    policy = read_policy(dict(found.shop.settings), CompliancePolicy)
    items = [compliance.Item(line.title, line.restrictions, line.quantity) for line in lines]
    place = compliance.Place(found.shop.country, site["country"], site["region"])
    selected = next((one for one in options if one.id == basket.fulfillment_option_id), None)
    problems = compliance.problems(items, place, policy)
    if selected is None:
        problems.append(f"This order cannot be picked up at {site['name']} as it is.")
    return Delivery(options, selected, tuple(problems), tuple(compliance.notices(items, place, policy)))


def place_of(home: str, address: Mapping[str, Any]) -> compliance.Place:
    """Where an address is, for what may be sent there."""
    box = shipping.to_po_box(str(address.get("line_one") or ""))
    return compliance.Place(home, str(address.get("country") or ""), str(address.get("state") or ""), po_box=box)


def parcel_of(lines: Sequence[Sent], address: Mapping[str, Any]) -> shipping.Parcel:
    """All of it as one parcel."""
    sizes = [line.size_mm for line in lines]
    return shipping.Parcel(
        weight_g=sum(line.weight_g * line.quantity for line in lines),
        goods=sum(line.base - line.discount for line in lines),
        units=sum(line.quantity for line in lines),
        volume_mm3=sum(a * b * c * line.quantity for line, (a, b, c) in zip(lines, sizes, strict=True)),
        longest_mm=max((max(size) for size in sizes), default=0),
        region=str(address.get("state") or ""),
        postal_code=str(address.get("postal_code") or ""),
        po_box=shipping.to_po_box(str(address.get("line_one") or "")),
    )


def dated(way: Delivery, found: Facts, places: Sequence[str], moment: datetime) -> Delivery:
    """With the days on which each way arrives, when it is ordered at ``moment`` and leaves from ``places`` (ids of
    locations; the first of the shop while that is not known). The slowest of them counts.
    """
    sites = [site for site in found.sites if site["id"] in places] or list(found.sites[:1])
    if not sites:
        return way
    policy = read_policy(dict(found.shop.settings), ShippingPolicy)
    options = tuple(_dated(option, sites, policy, moment) for option in way.options)
    chosen = next((one for one in options if way.selected and one.id == way.selected.id), None)
    return replace(way, options=options, selected=chosen)


def _dated(
    option: shipping.Option, sites: Sequence[Mapping[str, Any]], policy: ShippingPolicy, moment: datetime
) -> shipping.Option:
    if option.fetched:
        return option
    each = [_arrival(option, site, policy, moment) for site in sites]
    earliest, latest = max(one.earliest for one in each), max(one.latest for one in each)
    return replace(option, earliest=earliest.isoformat(), latest=latest.isoformat())


def _arrival(option: shipping.Option, site: Mapping[str, Any], policy: ShippingPolicy, moment: datetime) -> Arrival:
    own = site["cut_off"]
    desk = Desk(
        time_zone=site["time_zone"],
        cut_off=time.fromisoformat(own) if own else policy.cut_off,
        handling_days=site["handling_days"],
        calendar=policy.warehouse,
    )
    carrier = policy.carrier(option.carrier)
    return arrival(moment, desk, carrier, min_days=option.min_days, max_days=option.max_days)
