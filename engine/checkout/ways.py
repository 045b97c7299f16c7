"""Which way each line of a checkout goes. What is digital goes by itself; what has a parcel goes the one way that was
chosen, but for lines that were told to go another: each way is priced, taxed and routed as a part of its own.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from datetime import datetime
from typing import Any, Final, Protocol

from engine.checkout.delivery import Delivery, Sent, Way, dated, delivery
from engine.checkout.facts import Basket, Facts
from engine.checkout.parts import part_of
from engine.fulfillment.routing import Plan
from engine.inventory.items import Allocation
from engine.shipping import digital
from engine.shipping.service import Option

TAXED_APART: Final = "Prices include the tax at one of the places this goes to and not at the other: order it apart."


class Line(Sent, Protocol):
    """What has to be known of a priced line."""

    @property
    def variant_id(self) -> str: ...
    @property
    def now(self) -> int: ...


def delivered(basket: Basket, found: Facts, lines: Sequence[Line], *, goods: int | None = None) -> Delivery:
    """How the lines can go and do; for goods worth ``goods`` altogether, else for the lines after their discounts."""
    carried = [line for line in lines if not found.is_digital(line.variant_id)]
    if len(carried) == len(lines) and not basket.ways:
        return delivery(basket, found, lines, goods=goods)
    sent = tuple(line.variant_id for line in lines if found.is_digital(line.variant_id))
    by_itself = (Way(sent, digital.OPTION),) if sent else ()
    if not carried:
        return Delivery((digital.OPTION,), digital.OPTION, ways=by_itself)
    told = _carried(basket, found, carried, _shares(lines, goods))
    return replace(told, ways=(*told.ways, *by_itself))


def _shares(lines: Sequence[Line], goods: int | None) -> dict[str, int] | None:
    """What each line is of goods worth so much."""
    if goods is None:
        return None
    whole = sum(line.base for line in lines) or 1
    return {line.variant_id: goods * line.base // whole for line in lines}


def _carried(basket: Basket, found: Facts, lines: Sequence[Line], shares: Mapping[str, int] | None) -> Delivery:
    """Each way by itself: first that of all lines which were told nothing else."""
    groups: dict[str | None, list[Line]] = {}
    for line in lines:
        groups.setdefault(basket.ways.get(line.variant_id), []).append(line)
    parts = [
        (group, _part(basket, found, way or basket.fulfillment_option_id, group, shares))
        for way, group in sorted(groups.items(), key=lambda one: one[0] is not None)
    ]
    first = parts[0][1]
    ways = tuple(Way(tuple(line.variant_id for line in group), part.selected) for group, part in parts)
    chosen = {way.option.id: way.option for way in ways if way.option}
    said = [*dict.fromkeys(words for _, part in parts for words in part.problems)]
    notices = dict.fromkeys(words for _, part in parts for words in part.notices)
    options = {option.id: chosen.get(option.id, option) for option in first.options} | chosen
    included = {found.of(basket, line.variant_id).tax.included for line in lines}
    said += [TAXED_APART] if len(included) > 1 else []
    return Delivery(tuple(options.values()), first.selected, tuple(said), tuple(notices), ways)


def _part(
    basket: Basket, found: Facts, option_id: str | None, lines: Sequence[Line], shares: Mapping[str, int] | None
) -> Delivery:
    ids = {line.variant_id for line in lines}
    goods = None if shares is None else sum(shares[one] for one in ids)
    known = found.elsewhere.get(option_id or "", found)
    return delivery(part_of(basket, ids, option_id), known, lines, goods=goods)


def freed(way: Delivery, off: int) -> Delivery:
    """With all of the chosen ways for nothing, where a promotion takes ``off`` what they cost together."""
    if not off:
        return way
    ways = tuple(replace(one, option=replace(one.option, amount=0)) if one.option else one for one in way.ways)
    chosen = {one.option.id: one.option for one in ways if one.option}
    selected = chosen[way.selected.id] if way.selected else None
    return replace(way, ways=ways, selected=selected, options=tuple(chosen.get(one.id, one) for one in way.options))


def dated_apart(
    way: Delivery, found: Facts, plans: Mapping[tuple[str, ...], Plan | None], moment: datetime
) -> Delivery:
    """With the days on which each way arrives: each from where its own lines leave."""
    ways: list[Way] = []
    for one in way.ways:
        plan = plans.get(one.variant_ids)
        places = [row.location_id for row in plan.allocations] if plan else []
        if one.option is None or one.option.fetched or one.is_digital:
            ways.append(one)
            continue
        seen = dated(Delivery((one.option,), one.option), found, places, moment)
        ways.append(replace(one, option=seen.selected))
    chosen = {one.option.id: one.option for one in ways if one.option}
    rest = dated(Delivery(tuple(one for one in way.options if not one.fetched)), found, (), moment)
    known = {one.id: one for one in rest.options if one.type != digital.TYPE} | chosen
    selected = chosen[way.selected.id] if way.selected else None
    options = tuple(known.get(one.id, one) for one in way.options)
    return replace(way, ways=tuple(ways), options=options, selected=selected)


def reserved(found: Facts, lines: Sequence[Line]) -> tuple[Allocation, ...]:
    """Where digital units are counted: no parcel leaves from there."""
    allocations = []
    for line in lines:
        left = line.now
        for place in found.stock[line.variant_id]:
            take = min(left, place.available)
            if take:
                allocations.append(Allocation(line.variant_id, place.location_id, take, place.parts))
                left -= take
    return tuple(allocations)


def merged(plans: Sequence[Plan], bodiless: Sequence[Allocation]) -> Plan | None:
    """All ways as one plan; its reasons are the first way's, and those of the others after it."""
    allocations = (*(one for plan in plans for one in plan.allocations), *bodiless)
    if not allocations:
        return None
    if not plans:
        return Plan(allocations, 0, 0, {"words": ["It has no parcel."]})
    reasons = dict(plans[0].reasons)
    if len(plans) > 1:
        reasons["ways"] = [dict(plan.reasons) for plan in plans[1:]]
    return Plan(allocations, sum(plan.parcels for plan in plans), sum(plan.points for plan in plans), reasons)


def kept(ways: Sequence[Way], selected: Option | None) -> dict[str, dict[str, Any]]:
    """Variant → the option as an order's line keeps it, of lines that do not go the order's own way."""
    return {
        variant_id: asdict(way.option)
        for way in ways
        if way.option and not way.is_digital and selected and way.option.id != selected.id
        for variant_id in way.variant_ids
    }


def by_itself(checkout: Any, lines: Sequence[Line], selected: Option | None) -> bool:
    """Let a checkout say that all of it is digital, or no longer is; whether it said something else before. Ways of
    lines that are gone are forgotten.
    """
    ids = {row["variant_id"] for row in checkout.lines}
    if set(checkout.ways or ()) - ids:
        checkout.ways = {variant: way for variant, way in checkout.ways.items() if variant in ids}
    all_digital = bool(lines) and selected is not None and selected.type == digital.TYPE
    before = checkout.fulfillment_option_id
    if all_digital:
        checkout.fulfillment_option_id = digital.TYPE
    elif before == digital.TYPE:
        checkout.fulfillment_option_id = None
    return bool(checkout.fulfillment_option_id != before)
