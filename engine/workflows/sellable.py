"""What a shop may sell of what the ERP has: available there, less what is kept back and what was sold and the ERP does
not know of yet. What became known to it while its figures were read counts as not known: they may be of before.
"""

from __future__ import annotations

import json
import uuid
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import ColumnElement, and_, exists, func, or_, select
from sqlalchemy.orm import Session

from engine.catalog.models import Variant
from engine.inventory.models import Location, Reservation, ReservationStatus
from engine.kit import clock
from engine.kit.outbox import OutboxRow
from engine.orders.models import Order, OrderLine
from engine.sync import readings
from engine.sync.canonical import OrderLine as Line
from engine.sync.canonical import StockLevel
from engine.sync.connectors import STOREFRONTS
from engine.sync.errors import Conflict, FieldFault, Rejected
from engine.sync.models import System, Xref
from engine.sync.port import StockChange, Storefront
from engine.workflows import hearing, lineage, rows
from engine.workflows.models import RunMode, RunRow
from engine.workflows.run import Run
from engine.workflows.settings import PipelineSettings

ONLY: Final = ""
"""The place of a shop that has one."""
_CLOCKS: Final = timedelta(seconds=5)
"""How far the clocks of two machines, and what a system tells, may be apart."""
_LIVE: Final = (ReservationStatus.HELD, ReservationStatus.COMMITTED)


@dataclass(frozen=True)
class Sellable:
    """Place of the shop → SKU → units. ``counted`` are the SKUs that the ERP counts anywhere."""

    units: Mapping[str, Mapping[str, int]]
    counted: frozenset[str]


@dataclass
class Pushed:
    """What became of a push. ``deferred``: somebody else changed them meanwhile, twice; the next slot has them."""

    pushed: int = 0
    deferred: list[str] = field(default_factory=list)


def read(run: Run) -> Sellable:
    """What may be sold now, by the ERP. Raises ``Rejected`` where it counts nothing at all: an ERP that is empty is
    wrong, and nothing is told to the shop.
    """
    erp, began = run.erp(), clock.now()
    levels = list(erp.stock())
    places = _places(run)
    sums: dict[str, Counter[str]] = {}
    for level in levels:
        if (place := places.get(level.location) if places else ONLY) is not None:
            sums.setdefault(place, Counter())[level.sku] += level.available
    if not sums:
        raise Rejected("The ERP counts no stock where the shop sells from.", fields=[FieldFault("stock", "empty")])
    connection = run.connection(System.NETSUITE)
    with run.runtime.unit_of_work(run.tenant_id) as session:
        readings.keep(session, run.tenant_id, connection.id, levels, whole=True)
        owed = unacknowledged(session, run.tenant_id, erp.account, run.settings, at=began)
    owed += untaken(run, at=began)
    return Sellable(_less(sums, owed, run.settings), frozenset(level.sku for level in levels))


def unacknowledged(
    session: Session, tenant_id: str, erp_account: str, settings: PipelineSettings, *, at: datetime
) -> Counter[str]:
    """SKU → units that we have promised and of which the ERP had no sales order ``at`` that moment, or one that was
    still to be changed: of places that the ERP runs, where the settings name some.
    """
    known = exists().where(
        Xref.tenant_id == tenant_id,
        Xref.system == System.NETSUITE,
        Xref.account == erp_account,
        Xref.kind == lineage.IN_ERP,
        Xref.internal_kind == lineage.ORDER,
        Xref.internal_id == OrderLine.order_id,
        Xref.linked_at < at - _CLOCKS,
    )
    query = (
        select(Variant.sku, func.sum(Reservation.quantity))
        .join(Variant, (Variant.tenant_id == Reservation.tenant_id) & (Variant.id == Reservation.variant_id))
        .join(Location, (Location.tenant_id == Reservation.tenant_id) & (Location.id == Reservation.location_id))
        .outerjoin(
            OrderLine, (OrderLine.tenant_id == Reservation.tenant_id) & (OrderLine.id == Reservation.order_line_id)
        )
        .where(
            Reservation.tenant_id == tenant_id,
            Reservation.status.in_(_LIVE),
            Reservation.tracked,
            or_(OrderLine.order_id.is_(None), ~known, _changing(tenant_id, at)),
        )
        .group_by(Variant.sku)
    )
    if ours := {one.ours for one in settings.locations if one.ours and one.erp}:
        query = query.where(Location.code.in_(ours))
    return Counter({sku: int(units) for sku, units in session.execute(query)})


def _changing(tenant_id: str, at: datetime) -> ColumnElement[bool]:
    """Of a line's order: a change is on its way to the ERP, or was at that moment."""
    heard = exists().where(
        OutboxRow.tenant_id == tenant_id,
        OutboxRow.consumer == hearing.CONSUMER,
        OutboxRow.delivered_at.is_(None),
        OutboxRow.subject_id == OrderLine.order_id,
    )
    order = exists().where(
        Order.tenant_id == tenant_id,
        Order.id == OrderLine.order_id,
        RunRow.subject_ref == Order.number,
        RunRow.payload["source_id"].astext == Order.id,
    )
    return or_(heard, exists().where(_taking(tenant_id, at), RunRow.subject_kind == "order", order))


def _taking(tenant_id: str, at: datetime) -> ColumnElement[bool]:
    """Runs that bring orders to the ERP and were not over at that moment. One that failed is a person's till then."""
    mine = (RunRow.tenant_id == tenant_id, RunRow.workflow == hearing.SENDS, RunRow.mode == RunMode.LIVE)
    return or_(rows.unended(tenant_id, hearing.SENDS), and_(*mine, RunRow.ended_at >= at - _CLOCKS))


def untaken(run: Run, *, at: datetime) -> Counter[str]:
    """SKU → units of a platform's orders that were still to be taken over by the ERP at that moment: the platform has
    them off its own figure, the ERP has not.
    """
    with run.runtime.unit_of_work(run.tenant_id) as session:
        taking = session.scalars(select(RunRow.payload).where(_taking(run.tenant_id, at))).all()
    units, open_ = Counter[str](), {one.id for one in run.connections(*STOREFRONTS)}
    for told in taking:
        if told["connection_id"] not in open_ or told["change"]:
            continue
        for line in _wanted(run.storefront(told["connection_id"]), told["source_id"]):
            units[line.sku] += line.quantity
    return units


def _wanted(store: Storefront, source_id: str) -> Sequence[Line]:
    """Lines of an order that the shop still counts as sold; none of one that is gone."""
    try:
        order = store.order(source_id)
    except Rejected:
        return ()
    return () if order.test or order.canceled_at is not None else order.lines


def shop(run: Run) -> Storefront:
    """The platform whose stock follows the ERP's."""
    return run.storefront(run.connection(System.SHOPIFY).id)


def shop_levels(run: Run, skus: Iterable[str] | None = None) -> list[StockLevel]:
    """What the shop says that it has; remembered."""
    connection = run.connection(System.SHOPIFY)
    found = list(run.storefront(connection.id).stock(skus))
    with run.runtime.unit_of_work(run.tenant_id) as session:
        readings.keep(session, run.tenant_id, connection.id, found, whole=skus is None)
    return found


def wanted_at(levels: Sequence[StockLevel], units: Mapping[str, Mapping[str, int]]) -> list[tuple[StockLevel, int]]:
    """Each level of the shop at a place that is kept in step, with what it should be; what ``units`` does not know is
    left alone. Raises ``Rejected`` where the shop has several places and the settings say of none which it is, or
    name places alone that it does not have.
    """
    there = {level.location for level in levels}
    if there and ONLY not in units and there.isdisjoint(units):
        words = f"the shop has none of the places {', '.join(sorted(units))}"
        raise Rejected("Nobody knows where the stock is.", fields=[FieldFault("settings.locations", words)])
    if set(units) == {ONLY} and len(there) > 1:
        words = "the shop has several places: say in the settings which is which in the ERP"
        raise Rejected("Nobody knows where the stock is.", fields=[FieldFault("settings.locations", words)])
    found = []
    for level in levels:
        kept = units.get(level.location, units.get(ONLY, {}))
        if level.sku in kept:
            found.append((level, kept[level.sku]))
    return found


def push(run: Run, workflow: str, slot: str, pairs: Sequence[tuple[StockLevel, int]]) -> Pushed:
    """Tell the shop what is another number there. Where a number is not any more what it was read as, it is read once
    more; then it is left to the next slot.
    """
    store, done = shop(run), Pushed()
    changes = [_change(level, wanted) for level, wanted in pairs if level.available != wanted]
    names = {(level.item_id, level.location): level.sku for level, _ in pairs}
    changes.sort()
    for chunk in _chunks(changes, store.set_stock_most):
        if _set(run, store, workflow, slot, chunk):
            done.pushed += len(chunk)
            continue
        again = _read_again(store, chunk, names)
        if not again or _set(run, store, workflow, slot, again):
            done.pushed += len(again)
        else:
            done.deferred += sorted({names[one.item_id, one.location] for one in again})
    return done


def _set(run: Run, store: Storefront, workflow: str, slot: str, chunk: Sequence[StockChange]) -> bool:
    """Whether it was taken; the same change of the same slot has the same key, whoever asks."""
    said = json.dumps([run.tenant_id, workflow, slot, chunk])
    try:
        store.set_stock(chunk, key=str(uuid.uuid5(uuid.NAMESPACE_URL, said)), reference=f"icommerce://sync/{workflow}")
    except Conflict:
        return False
    return True


def _read_again(
    store: Storefront, chunk: Sequence[StockChange], names: Mapping[tuple[str, str], str]
) -> list[StockChange]:
    """What the shop has sold since is off what it is to be told: the ERP's figure is of before."""
    wanted = {(one.item_id, one.location): one for one in chunk}
    now = store.stock({names[key] for key in wanted})
    found = ((level, _less_sold(wanted.get((level.item_id, level.location)), level)) for level in now)
    changes = (_change(level, quantity) for level, quantity in found if quantity is not None)
    return sorted(one for one in changes if one.quantity != one.expected)


def _less_sold(before: StockChange | None, now: StockLevel) -> int | None:
    if before is None:
        return None
    return max(0, before.quantity - max(0, (before.expected or 0) - now.available))


def _change(level: StockLevel, wanted: int) -> StockChange:
    return StockChange(level.item_id, level.location, wanted, level.available)


def _places(run: Run) -> dict[str, str]:
    """The ERP's place → the shop's, as the settings have it; empty where they say nothing. A place of the ERP may be
    named there by its id or its name, a place of the shop by its number or its global id, which ends in it.
    """
    said = [one for one in run.settings.locations if one.erp and one.storefront]
    if not said:
        return {}
    named = {name: number for number, name in run.erp().places().items()}
    return {named.get(one.erp, one.erp): one.storefront.rpartition("/")[2] for one in said}


def _less(
    sums: Mapping[str, Counter[str]], owed: Mapping[str, int], settings: PipelineSettings
) -> dict[str, dict[str, int]]:
    """Never below nothing. What is kept back is kept where most is."""
    found = {place: {sku: max(0, units) for sku, units in kept.items()} for place, kept in sums.items()}
    for sku in sorted({sku for kept in found.values() for sku in kept}):
        left = settings.safety_stock_of.get(sku, settings.safety_stock) + owed.get(sku, 0)
        for place in sorted((one for one in found if sku in found[one]), key=lambda one: (-found[one][sku], one)):
            take = min(left, found[place][sku])
            found[place][sku] -= take
            left -= take
    return found


def _chunks(changes: Sequence[StockChange], size: int) -> Iterator[Sequence[StockChange]]:
    for first in range(0, len(changes), size):
        yield changes[first : first + size]


def told(done: Pushed) -> dict[str, Any]:
    """As a step keeps it."""
    return {"pushed": done.pushed, "deferred": done.deferred[:50]}
