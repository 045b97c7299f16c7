"""What can be promised of an item, and by when: whoever sells says it before anybody agrees to pay."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from engine.catalog.models import Variant
from engine.catalog.shop_file import StockPolicy
from engine.inventory.availability import recipes, shippable
from engine.inventory.backorders import waiting_units
from engine.inventory.items import Place, Recipe
from engine.inventory.models import OPEN_INBOUNDS, BackorderKind, Inbound, InboundLine, Location
from engine.inventory.policy import InventoryPolicy
from engine.kit import clock
from engine.kit.policies import policy_of


class PromiseKind(StrEnum):
    IN_STOCK = "in_stock"
    BACKORDER = "backorder"
    PREORDER = "preorder"
    UNAVAILABLE = "unavailable"


@dataclass(frozen=True, slots=True)
class Promise:
    """``available_now`` of ``quantity`` units ship at once, ``later`` ones are promised for ``promised_on``.

    ``unavailable``: not even by waiting; then ``available_now`` is what could be had and nothing is ``later``.
    """

    variant_id: str
    quantity: int
    available_now: int
    later: int
    kind: PromiseKind
    promised_on: date | None
    places: tuple[Place, ...] = ()

    @property
    def backorder_kind(self) -> BackorderKind:
        """The kind of backorder the later units are. Raises ``ValueError`` when there are none."""
        return BackorderKind(self.kind)

    def words(self, title: str) -> str:
        """What the shopper must be told; empty when all of it ships at once."""
        if self.kind == PromiseKind.IN_STOCK:
            return ""
        if self.kind == PromiseKind.UNAVAILABLE:
            return f"Only {self.available_now} of {title} left." if self.available_now else f"{title} is out of stock."
        when = f"{self.promised_on:%B} {self.promised_on.day}, {self.promised_on.year}" if self.promised_on else "later"
        if self.kind == PromiseKind.PREORDER:
            return f"{title} is a pre-order: it is expected to ship by {when}."
        verb = "is" if self.later == 1 else "are"
        return f"{title} is on backorder: {self.later} of {self.quantity} {verb} expected to ship by {when}."


def promise(session: Session, tenant_id: str, variant_id: str, quantity: int) -> Promise:
    """What can be said about ``quantity`` units of one variant."""
    return promises(session, tenant_id, {variant_id: quantity})[variant_id]


def promises(
    session: Session,
    tenant_id: str,
    wanted: Mapping[str, int],
    *,
    stock: Mapping[str, Sequence[Place]] | None = None,
) -> dict[str, Promise]:
    """The same for several. With ``stock`` (of ``shippable``) nothing more is asked while all of it is there."""
    stock = shippable(session, tenant_id, list(wanted)) if stock is None else stock
    ready = {item: sum(place.available for place in stock.get(item, ())) for item in wanted}
    found = {
        item: Promise(item, quantity, quantity, 0, PromiseKind.IN_STOCK, None, tuple(stock.get(item, ())))
        for item, quantity in wanted.items()
        if ready[item] >= quantity
    }
    short = {item: quantity for item, quantity in wanted.items() if item not in found}
    return found | (_short(session, tenant_id, short, ready, stock) if short else {})


def _short(
    session: Session,
    tenant_id: str,
    wanted: Mapping[str, int],
    ready: Mapping[str, int],
    stock: Mapping[str, Sequence[Place]],
) -> dict[str, Promise]:
    rows = session.scalars(select(Variant).where(Variant.tenant_id == tenant_id, Variant.id.in_(wanted)))
    waiting = waiting_units(session, tenant_id, list(wanted))
    made_of = recipes(session, tenant_id, list(wanted))
    lead_days = policy_of(session, tenant_id, InventoryPolicy).lead_days
    found = {}
    for row in rows:
        now, quantity = ready[row.id], wanted[row.id]
        later, ahead = quantity - now, waiting.get(row.id, 0)
        kind = _kind(row, later + ahead)
        if kind == PromiseKind.UNAVAILABLE:
            found[row.id] = Promise(row.id, quantity, now, 0, kind, None, tuple(stock.get(row.id, ())))
            continue
        day = _day(session, row, made_of[row.id], later + ahead, lead_days)
        found[row.id] = Promise(row.id, quantity, now, later, kind, day, tuple(stock.get(row.id, ())))
    return found


def _kind(variant: Variant, waiting: int) -> PromiseKind:
    if variant.stock_policy not in {StockPolicy.BACKORDER, StockPolicy.PREORDER}:
        return PromiseKind.UNAVAILABLE
    if variant.backorder_limit is not None and waiting > variant.backorder_limit:
        return PromiseKind.UNAVAILABLE
    today = clock.now().date()
    out = variant.stock_policy == StockPolicy.BACKORDER or (
        variant.available_on is not None and variant.available_on <= today
    )
    return PromiseKind.BACKORDER if out else PromiseKind.PREORDER


def _day(session: Session, variant: Variant, parts: Recipe, units: int, lead_days: int) -> date:
    """When ``units`` more will have come: on the inbound that brings the last of them, else after the lead time."""
    today = clock.now().date()
    out_on = max(today, variant.available_on or today)
    unknown = today + timedelta(days=lead_days if variant.lead_days is None else variant.lead_days)
    if variant.stock_policy == StockPolicy.PREORDER and variant.available_on:
        unknown = out_on
    counted = [part for part in parts if part.tracked]
    days = [_arrival(session, variant.tenant_id, part.variant_id, units * part.per_unit) for part in counted]
    return max([out_on, *(day or unknown for day in days)])


def _arrival(session: Session, tenant_id: str, variant_id: str, units: int) -> date | None:
    """The day on which the goods under way to places that ship add up to ``units``."""
    rows = session.execute(
        select(Inbound.expected_on, func.sum(InboundLine.expected - InboundLine.received))
        .join(InboundLine, (InboundLine.tenant_id == Inbound.tenant_id) & (InboundLine.inbound_id == Inbound.id))
        .join(Location, (Location.tenant_id == Inbound.tenant_id) & (Location.id == Inbound.location_id))
        .where(
            Inbound.tenant_id == tenant_id,
            InboundLine.variant_id == variant_id,
            Inbound.status.in_(OPEN_INBOUNDS),
            Inbound.expected_on.is_not(None),
            InboundLine.expected > InboundLine.received,
            Location.ships,
        )
        .group_by(Inbound.expected_on)
        .order_by(Inbound.expected_on)
    )
    for day, coming in rows:
        units -= int(coming)
        if units <= 0 and day is not None:
            return max(day, clock.now().date())
    return None
