"""The outbox consumer ``warranties``: every unit that arrives gets its warranty, every unit that goes loses it.

An event only says that something of an order moved: what is to be done follows from the order's lines, so that an event
that comes twice, late or in another order changes nothing.
"""

from __future__ import annotations

import calendar
from collections.abc import Sequence
from datetime import date, timedelta
from typing import Final

import structlog
from sqlalchemy import exists, func, select
from sqlalchemy.orm import Session, aliased

from engine.kit import audit, clock, outbox
from engine.kit.ids import new_id
from engine.kit.outbox import OutboxRow
from engine.kit.policies import policy_of
from engine.orders import service as orders
from engine.orders.models import Order, OrderLine, Shipment
from engine.returns.eligibility import arrivals
from engine.returns.models import Return, ReturnLine
from engine.returns.taken import taken_before
from engine.runtime import Runtime
from engine.warranties import closing
from engine.warranties.models import Claim, Warranty, WarrantyStatus
from engine.warranties.policy import WarrantiesPolicy
from engine.warranties.units import Unit, units_of

CONSUMER: Final = "warranties"
log = structlog.get_logger(__name__)


def hear_orders(runtime: Runtime, tenant_id: str) -> None:
    """Bring warranties up to what happened to orders; what fails waits and comes again."""
    with runtime.unit_of_work(tenant_id) as session:
        for row in outbox.claim_batch(session, tenant_id, CONSUMER):
            try:
                with session.begin_nested():
                    hear(session, row)
            except Exception as error:
                log.exception("warranty not registered", topic=row.topic, tenant=tenant_id)
                outbox.mark_failed(session, tenant_id, row.id, type(error).__name__)
            else:
                outbox.mark_delivered([row])


def hear(session: Session, row: OutboxRow) -> None:
    """One event of an order or of its returns."""
    order_id = str(row.payload.get("order_id") or row.subject_id)
    if session.get(Order, (row.tenant_id, order_id)) is not None:
        register(session, row.tenant_id, order_id)


def register(session: Session, tenant_id: str, order_id: str) -> list[Warranty]:
    """Warranties of one order as its lines say; those that are new. Safe to repeat."""
    order = orders.lock(session, tenant_id, order_id)
    query = select(Shipment).where(Shipment.tenant_id == tenant_id, Shipment.order_id == order_id)
    shipments = session.scalars(query.order_by(Shipment.shipped_at)).all()
    made: list[Warranty] = []
    for line in orders.lines_of(session, order):
        known, arrived = _known(session, line), arrivals(shipments, line.id)
        for unit in units_of(session, line, known):
            mine = [one for one in known if one.variant_id == unit.variant_id]
            _end_gone(session, order, unit, mine)
            made += _begin(session, order, unit, mine, arrived)
    session.flush()
    closing.replacement_arrived(session, order)
    closing.refund_arrived(session, order)
    return made


def add_months(day: date, months: int) -> date:
    """The same day of a later month, or its last."""
    year, month = divmod(day.year * 12 + day.month - 1 + months, 12)
    return date(year, month + 1, min(day.day, calendar.monthrange(year, month + 1)[1]))


def _known(session: Session, line: OrderLine) -> list[Warranty]:
    query = select(Warranty).where(Warranty.tenant_id == line.tenant_id, Warranty.order_line_id == line.id)
    locked = query.order_by(Warranty.unit).with_for_update().execution_options(populate_existing=True)
    return list(session.scalars(locked))


def _end_gone(session: Session, order: Order, unit: Unit, known: Sequence[Warranty]) -> None:
    """Units that came back, and those that did not arrive after all."""
    status = [one.status for one in known]
    back = _came_back(session, order, unit)
    back -= status.count(WarrantyStatus.REFUNDED) + status.count(WarrantyStatus.RETURNED)
    _end(session, order, [one for one in known if one.status == WarrantyStatus.ACTIVE], back, WarrantyStatus.RETURNED)
    there = [one for one in known if one.status != WarrantyStatus.VOID]
    active = [one for one in reversed(there) if one.status == WarrantyStatus.ACTIVE]
    _end(session, order, active, len(there) - unit.line.delivered * unit.per_unit, WarrantyStatus.VOID)


def _came_back(session: Session, order: Order, unit: Unit) -> int:
    """How many of these units went back for money; of a component, alone or with its whole bundle."""
    if not unit.is_part:
        return unit.line.returned
    taken = taken_before(session, order.tenant_id, order.id, settled=True).of(unit.line.id)
    return taken.whole * unit.per_unit + taken.parts.get(unit.variant_id, 0)


def _end(session: Session, order: Order, rows: Sequence[Warranty], units: int, status: WarrantyStatus) -> None:
    """Of some warranties so many end: first those that nobody claims."""
    if units <= 0 or not rows:
        return
    claimed = closing.open_claims(session, order.tenant_id, [one.id for one in rows])
    free = [one for one in rows if one.id not in claimed]
    for one in [*free, *(one for one in rows if one.id in claimed)][:units]:
        one.status, one.ended_at = status, clock.now()
        audit.record(session, order.tenant_id, actor="system", action=f"warranty.{status}", subject=one.id)
        if one.id in claimed:
            closing.unit_gone(session, order, claimed[one.id])


def _begin(
    session: Session,
    order: Order,
    unit: Unit,
    known: Sequence[Warranty],
    arrived: tuple[tuple[object, int], ...],
) -> list[Warranty]:
    line = unit.line
    missing = line.delivered * unit.per_unit - sum(one.status != WarrantyStatus.VOID for one in known)
    if missing <= 0:
        return []
    policy = policy_of(session, order.tenant_id, WarrantiesPolicy)
    months = policy.months(unit.category, unit.sku, unit.months)
    before = _before(session, order, unit)
    if not months and before is None:
        return []
    days = [moment.date() for moment, units in arrived for _ in range(units * unit.per_unit)]  # type: ignore[attr-defined]
    days = (sorted(days) or [clock.now().date()])[-missing:]
    terms = {"months": unit.months, "extra_months": months - unit.months, "category": unit.category}
    made: list[Warranty] = []
    for place in range(missing):
        start = days[min(place, len(days) - 1)]
        made.append(_row(unit, len(known) + place + 1, start, add_months(start, months), terms))
        if before is not None:
            _go_on(made[-1], before, policy, replaced=order.origin is not None)
        session.add(made[-1])
        session.flush()
        before = before and _before(session, order, unit)
    for one in made:
        facts = {"line": line.id, "unit": one.unit, "ends_on": one.ends_on.isoformat()}
        audit.record(
            session, order.tenant_id, actor="system", action="warranty.registered", subject=one.id, facts=facts
        )
    return made


def _row(unit: Unit, place: int, start: date, end: date, terms: dict[str, object]) -> Warranty:
    own, line = new_id("warranty"), unit.line
    return Warranty(
        tenant_id=line.tenant_id,
        id=own,
        order_id=line.order_id,
        order_line_id=line.id,
        unit=place,
        variant_id=unit.variant_id,
        sku=unit.sku,
        title=unit.title,
        starts_on=start,
        ends_on=end,
        terms=terms,
        status=WarrantyStatus.ACTIVE,
        root_id=own,
    )


def _before(session: Session, order: Order, unit: Unit) -> Warranty | None:
    """The warranty of a unit whose place one of these takes, that no other goes on from."""
    claim_id = (order.origin or {}).get("claim_id")
    if claim_id is None:
        return _exchanged(session, order, unit) if unit.line.return_id is not None else None
    claim = None if unit.is_part else session.get(Claim, (order.tenant_id, claim_id))
    if claim is None:
        return None
    taken = select(Warranty.id).where(Warranty.tenant_id == order.tenant_id, Warranty.follows_id == claim.warranty_id)
    return None if session.scalars(taken).first() else session.get(Warranty, (order.tenant_id, claim.warranty_id))


def _exchanged(session: Session, order: Order, unit: Unit) -> Warranty | None:
    """A warranty that ended with what was sent back for such a unit; of a bundle's component, with one of its kind."""
    line, other = unit.line, aliased(Warranty)
    kind = unit.variant_id if unit.is_part else func.coalesce(ReturnLine.component_variant_id, Warranty.variant_id)
    query = (
        select(Warranty)
        .join(
            ReturnLine,
            (ReturnLine.tenant_id == Warranty.tenant_id) & (ReturnLine.order_line_id == Warranty.order_line_id),
        )
        .join(Return, (Return.tenant_id == ReturnLine.tenant_id) & (Return.id == ReturnLine.return_id))
        .where(
            Warranty.tenant_id == order.tenant_id,
            Return.id == line.return_id,
            ReturnLine.exchange["line_id"].astext == line.id,
            Warranty.status == WarrantyStatus.RETURNED,
            Warranty.variant_id == kind,
            ~exists().where(other.tenant_id == order.tenant_id, other.follows_id == Warranty.id),
        )
        .order_by(Warranty.ended_at.desc(), Warranty.unit)
    )
    return session.scalars(query).first()


def _go_on(new: Warranty, before: Warranty, policy: WarrantiesPolicy, *, replaced: bool) -> None:
    """The rest of the term, or one of its own; which unit was paid for stays known."""
    new.follows_id = before.id
    if replaced:
        new.root_id = before.root_id
    if (policy.replacement_term if replaced else policy.exchange_term) == "rest":
        least = policy.replacement_min_days if replaced else 0
        new.ends_on = max(before.ends_on, new.starts_on + timedelta(days=least))
        new.terms = new.terms | {"rest_of": before.id}
    elif new.ends_on <= new.starts_on:
        new.ends_on = max(new.starts_on, before.ends_on)
