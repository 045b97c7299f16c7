"""Whether units can come back: the shop's rules over what arrived when. Pure but for reading the facts."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from engine.kit import clock
from engine.kit.direct import Statement
from engine.kit.errors import DomainError
from engine.kit.gathering import Wanted
from engine.orders.models import Order, OrderLine, OrderStatus, Shipment, ShipmentStatus
from engine.orders.money import OrderMoney
from engine.returns.errors import (
    ConditionRefused,
    FinalSale,
    NotDelivered,
    OrderDisputed,
    ReturnedBefore,
    ReturnRefused,
    ReturnWindowClosed,
    TooManyUnits,
    UnknownReason,
)
from engine.returns.models import Condition
from engine.returns.policy import ReturnReason, ReturnsPolicy
from engine.returns.worth import Part, Taken, units_left

_CATEGORIES: Final = Statement(
    "SELECT p.id, p.category FROM app.products p WHERE p.tenant_id = %(tenant)s AND p.id = ANY(%(ids)s)"
)

_RETURNABLE = frozenset({OrderStatus.OPEN, OrderStatus.ON_HOLD, OrderStatus.CLOSED})


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known of one order line."""

    line: OrderLine
    category: str
    arrived: tuple[tuple[datetime, int], ...]
    """(when, how many units), by parcel."""
    parts: Sequence[Part]
    taken: Taken


@dataclass(frozen=True, slots=True)
class Verdict:
    """How many units can come back and until when; with none, why not."""

    units: int
    until: datetime | None = None
    refusal: DomainError | None = None


def check_order(order: Order, money: OrderMoney, policy: ReturnsPolicy, *, returns_before: int) -> None:
    """Raises the first reason for which nothing of the order can come back."""
    if not policy.enabled:
        raise ReturnRefused("This shop takes nothing back.")
    if order.status not in _RETURNABLE:
        raise ReturnRefused(f"Nothing of an order that is {OrderStatus(order.status).value} can come back.")
    if money.contested:
        raise OrderDisputed("The card's bank is looking into this order; until then nothing else is refunded.")
    if money.lost and money.lost >= money.settled:
        raise OrderDisputed("The card's bank has given all the money for this order back: nothing is left to refund.")
    if order.origin is not None:
        raise ReturnRefused("This was sent to make up for something; please talk to the shop.")
    if policy.returns_per_order is not None and returns_before >= policy.returns_per_order:
        raise ReturnedBefore("Something of this order was sent back or exchanged as often as the shop allows.")


def check_arrived(lines: Iterable[OrderLine]) -> None:
    """Raises ``NotDelivered`` while nothing of the order has arrived."""
    if not any(line.delivered for line in lines):
        raise NotDelivered("Nothing of this order has arrived yet.")


_FINAL: Final = "was sold for good: it cannot come back"


def judge(facts: Facts, policy: ReturnsPolicy, *, shop_fault: bool, part: str | None = None) -> Verdict:
    """The units of a line, or of a bundle's part, that can come back now."""
    line, title = facts.line, facts.line.title
    if not line.delivered:
        return Verdict(0, refusal=NotDelivered(f"{title} has not arrived yet."))
    if line.digital or (not shop_fault and _final(facts, policy)):
        told = "has no parcel that could come back; please talk to the shop" if line.digital else _FINAL
        return Verdict(0, refusal=FinalSale(f"{title} {told}."))
    left = units_left(line, facts.parts, facts.taken, part)
    if left <= 0:
        return Verdict(0, refusal=TooManyUnits(f"All of {title} that arrived came back already, or is about to."))
    days = policy.window(facts.category, shop_fault=shop_fault)
    if days is None:
        return Verdict(left)
    ends = [(moment + timedelta(days=days), units) for moment, units in facts.arrived]
    per_unit = next((one.per_unit for one in facts.parts if one.variant_id == part), 1)
    timely = _timely(facts, ends, per_unit, part, left)
    until = max((end for end, _ in ends), default=None)
    if not timely:
        return Verdict(0, until, ReturnWindowClosed(f"{title} could come back for {days} days after it arrived."))
    return Verdict(min(left, timely), until)


def reason_of(policy: ReturnsPolicy, code: str) -> ReturnReason:
    """Raises ``UnknownReason`` naming those there are."""
    found = policy.reason(code)
    if found is None:
        raise UnknownReason([one.code for one in policy.reasons])
    return found


def check_condition(policy: ReturnsPolicy, reason: ReturnReason, condition: Condition, title: str) -> None:
    """Raises ``ConditionRefused``."""
    if not reason.shop_fault and condition not in policy.conditions:
        good = " or ".join(policy.conditions)
        raise ConditionRefused(f"{title} is taken back only {good}." if good else f"{title} is not taken back.")


def categories(tenant_id: str, lines: Sequence[OrderLine]) -> Wanted:
    """What to fetch for the category of each product (``id``, ``category``); nothing comes of one that is gone."""
    return _CATEGORIES, {"tenant": tenant_id, "ids": sorted({line.product_id for line in lines})}


def arrivals(shipments: Sequence[Shipment], line_id: str) -> tuple[tuple[datetime, int], ...]:
    """When units of a line arrived, and how many."""
    return tuple(
        (shipment.delivered_at, int(row["quantity"]))
        for shipment in shipments
        if shipment.status == ShipmentStatus.DELIVERED and shipment.delivered_at and shipment.remedy is None
        for row in shipment.lines
        if row["order_line_id"] == line_id
    )


def _timely(facts: Facts, ends: Sequence[tuple[datetime, int]], per_unit: int, part: str | None, left: int) -> int:
    """How many units whose time is not over are still there. What went back before counts as the oldest of those that
    could go back then: what arrived lately makes nothing young again.
    """
    now = clock.now()
    timely = per_unit * sum(units for end, units in ends if end >= now)
    stale = per_unit * sum(units for end, units in ends if end < now)
    if not stale:
        return timely
    full, early = per_unit * facts.line.delivered, facts.taken.until(max(end for end, _ in ends if end < now))
    of_the_old = min(stale, full - units_left(facts.line, facts.parts, early, part))
    return max(0, timely - (full - left - of_the_old))


def _final(facts: Facts, policy: ReturnsPolicy) -> bool:
    line = facts.line
    if facts.category in policy.final_sale_categories or line.sku in policy.final_sale_skus:
        return True
    if policy.window(facts.category, shop_fault=False) == 0:
        return True
    least = policy.final_sale_discount_percent
    return least is not None and line.discount * 100 >= least * line.unit_price * line.ordered > 0
