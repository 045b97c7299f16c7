"""What is in the parcels that come back, and what becomes of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from sqlalchemy import select
from sqlalchemy.orm import Session

from engine.finance import postings
from engine.finance import service as finance
from engine.inventory import service as inventory
from engine.inventory.models import Location
from engine.kit import audit, clock
from engine.kit.errors import InvalidInput
from engine.kit.ids import new_id
from engine.kit.policies import policy_of
from engine.kit.tenancy import Tenant
from engine.orders import service as orders
from engine.orders.models import Order
from engine.payments.alerts import raise_alert
from engine.returns import goods, news
from engine.returns.apart import APART, COLUMN, place_of, units_of, value_of
from engine.returns.errors import TooManyUnits, WrongStep
from engine.returns.models import Disposition, Return, ReturnEvent, ReturnLine, ReturnStatus, ReturnStep
from engine.returns.parcel import lock, settle_due
from engine.returns.policy import ReturnsPolicy
from engine.returns.settling import close_if_done
from engine.returns.states import RETURN
from engine.returns.taken import lines_of

UNEXPECTED: Final = "return_unexpected"
"""Kind of the inbox item; its subject is the return."""


@dataclass(frozen=True, slots=True)
class Stray:
    """Something in the parcel that is not what was agreed to."""

    what: str
    quantity: int
    note: str = ""


@dataclass(frozen=True, slots=True)
class Finding:
    """What became of units of one line; ``rejected`` of them are not what was agreed to, and get no money."""

    return_line_id: str
    outcome: Mapping[Disposition, int] = field(default_factory=dict)
    rejected: int = 0
    note: str = ""

    @property
    def units(self) -> int:
        return sum(self.outcome.values())


def receive(
    session: Session,
    tenant_id: str,
    return_id: str,
    *,
    units: Mapping[str, int],
    strays: Sequence[Stray] = (),
    actor: str,
    note: str = "",
) -> tuple[str, ...]:
    """Goods are here: all, or what one of several parcels holds (return line → units). What is too many or belongs to
    no line is kept apart, and staff are told. Returns the refunds to carry out.

    Raises ``NoReturn``, ``WrongStep``, ``InvalidInput``.
    """
    order, row = lock(session, tenant_id, return_id)
    _check_open(row)
    lines = {line.id: line for line in lines_of(session, row)}
    if (not units and not strays) or set(units) - set(lines) or any(count <= 0 for count in units.values()):
        raise InvalidInput("Say which lines of the return are here, and how many units.", param="units")
    extra = list(strays)
    came: dict[str, int] = {}
    for line_id, count in units.items():
        line = lines[line_id]
        came[line_id] = min(count, line.quantity - line.received)
        line.received += came[line_id]
        if count > came[line_id]:
            extra.append(Stray(line.title, count - came[line_id], "more than was agreed to"))
    row.status = RETURN.check(row.status, ReturnStatus.RECEIVED)
    row.received_at = row.received_at or clock.now()
    row.version += 1
    told: list[dict[str, object]] = [{"return_line_id": line_id, "quantity": n} for line_id, n in came.items()]
    _record(session, row, ReturnStep.RECEIVED, new_id("return_event"), told, actor, note)
    if extra:
        _keep_apart(session, order, row, extra)
    news.tell(session, order, row, "return.received")
    return settle_due(session, order, row, actor=actor)


def inspect(
    session: Session, tenant_id: str, return_id: str, *, findings: Sequence[Finding], actor: str
) -> tuple[str, ...]:
    """What was received was looked at: where it goes, and what of it is not as agreed. Returns the refunds to carry
    out; the return closes by itself when nothing of it is left to do.

    Raises ``NoReturn``, ``WrongStep``, ``TooManyUnits``, ``InvalidInput``.
    """
    order, row = lock(session, tenant_id, return_id)
    if row.status not in {ReturnStatus.RECEIVED, ReturnStatus.INSPECTED}:
        raise WrongStep("Nothing of it has been received yet." if row.closed_at is None else "This return has ended.")
    lines = {line.id: line for line in lines_of(session, row)}
    _check_findings(row, lines, findings)
    said, at = "; ".join(found.note for found in findings if found.note), clock.now()
    step_id = new_id("return_event")
    kept = {line.id: _kept_apart(session, row, line) for line in lines.values()}
    before = _count(lines, findings)
    if all(line.inspected == line.received for line in lines.values()):
        row.status = RETURN.check(row.status, ReturnStatus.INSPECTED)
    row.version += 1
    made = settle_due(session, order, row, actor=actor)
    told = _place(session, order, row, lines, findings, before, kept, step_id)
    _record(session, row, ReturnStep.INSPECTED, step_id, told, actor, said, at=at)
    close_if_done(session, order, row)
    return made


def _check_open(row: Return) -> None:
    if not RETURN.allows(ReturnStatus(row.status), ReturnStatus.RECEIVED):
        raise WrongStep(f"A return that is {ReturnStatus(row.status).value} is not expected.")


def _check_findings(row: Return, lines: Mapping[str, ReturnLine], findings: Sequence[Finding]) -> None:
    if not findings or len({one.return_line_id for one in findings}) < len(findings):
        raise InvalidInput("Say once of each line what became of its units.", param="findings")
    for one in findings:
        line = lines.get(one.return_line_id)
        if line is None or one.units <= 0 or any(n < 0 for n in one.outcome.values()):
            raise InvalidInput("Say which line of the return was looked at, and how many units.", param="findings")
        if one.units > line.received - line.inspected:
            raise TooManyUnits(f"Of {line.title} only {line.received - line.inspected} are here to be looked at.")
        if not 0 <= one.rejected <= one.units or (row.refund_at != "inspected" and one.rejected):
            raise InvalidInput(
                "Only units whose money waits for the inspection can be rejected, and no more than were looked at.",
                param="rejected",
            )


def _count(lines: Mapping[str, ReturnLine], findings: Sequence[Finding]) -> dict[str, int]:
    """Write down what became of the units; return line → how many were looked at before."""
    before = {line.id: line.inspected for line in lines.values()}
    for one in findings:
        line = lines[one.return_line_id]
        for outcome, units in one.outcome.items():
            setattr(line, COLUMN[outcome], getattr(line, COLUMN[outcome]) + units)
        line.inspected += one.units
        line.rejected += one.rejected
    return before


def _place(
    session: Session,
    order: Order,
    row: Return,
    lines: Mapping[str, ReturnLine],
    findings: Sequence[Finding],
    before: Mapping[str, int],
    kept: Mapping[str, tuple[str | None, int] | None],
    step_id: str,
) -> list[dict[str, object]]:
    """Every unit to where it belongs, its cost back in the books where it lies on a shelf again; what was done."""
    _lock_stock(session, row, lines)
    apart = _apart(session, row.tenant_id)
    cost = 0
    told: list[dict[str, object]] = []
    for one in sorted(findings, key=lambda found: found.return_line_id):
        line, done, stocked = lines[one.return_line_id], before[one.return_line_id], 0
        _set_apart(line, one, kept[line.id], apart)
        for outcome, units in sorted(one.outcome.items()):
            place = row.location_id if outcome == Disposition.RESTOCK else None
            worth = goods.cost_of(session, line, done, units)
            if outcome in APART and units:
                place, line.apart_cost = line.apart_location_id, (line.apart_cost or 0) + worth
            if units and place is not None:
                cost += worth
                stocked += goods.shelve(session, row, line, units, location_id=place, subject=step_id)
            done += units
        told.append(
            {"return_line_id": line.id, "stocked": stocked, "rejected": one.rejected, "outcome": dict(one.outcome)}
        )
    finance.post(
        session,
        row.tenant_id,
        kind=postings.Kind.RESTOCK,
        subject=step_id,
        currency=session.get_one(Tenant, row.tenant_id).currency,
        amounts=postings.restock(cost),
        order_id=order.id,
    )
    return told


def _kept_apart(session: Session, row: Return, line: ReturnLine) -> tuple[str | None, int] | None:
    """Where those of the line that are set apart lie already, and what they cost; none where there are none."""
    units = units_of(line)
    return (place_of(session, row, line), value_of(session, line, units)) if units else None


def _set_apart(line: ReturnLine, one: Finding, kept: tuple[str | None, int] | None, apart: str | None) -> None:
    """More of the line are set apart: all of them at one place, whatever the shop's rule says by now."""
    if any(units for outcome, units in one.outcome.items() if outcome in APART):
        line.apart_location_id, line.apart_cost = kept or (apart, 0)


def _lock_stock(session: Session, row: Return, lines: Mapping[str, ReturnLine]) -> None:
    order = session.get_one(Order, (row.tenant_id, row.order_id))
    bought = {line.id: line.variant_id for line in orders.lines_of(session, order)}
    variants = {line.component_variant_id or bought[line.order_line_id] for line in lines.values()}
    inventory.lock_stock(session, row.tenant_id, variants)


def _apart(session: Session, tenant_id: str) -> str | None:
    """Where goods lie that cannot be sold now; ``None`` for in no stock."""
    code = policy_of(session, tenant_id, ReturnsPolicy).quarantine_location
    if code is None:
        return None
    return session.scalar(select(Location.id).where(Location.tenant_id == tenant_id, Location.code == code))


def _keep_apart(session: Session, order: Order, row: Return, strays: Sequence[Stray]) -> None:
    at = clock.now().isoformat()
    found = [{"what": one.what, "quantity": one.quantity, "note": one.note, "at": at} for one in strays]
    row.unexpected = [*row.unexpected, *found]
    said = ", ".join(f"{one.quantity} x {one.what}" for one in strays)
    words = f"Return {row.number} of order {order.number} came with something else: {said}."
    raise_alert(session, row.tenant_id, UNEXPECTED, row.id, words[:500], facts={"order": order.id})


def _record(
    session: Session,
    row: Return,
    step: ReturnStep,
    step_id: str,
    lines: list[dict[str, object]],
    actor: str,
    note: str,
    *,
    at: datetime | None = None,
) -> None:
    session.add(
        ReturnEvent(
            tenant_id=row.tenant_id,
            id=step_id,
            return_id=row.id,
            step=step,
            lines=lines,
            actor=actor,
            note=note[:500],
            at=at or clock.now(),
        )
    )
    facts = {"lines": lines}
    audit.record(session, row.tenant_id, actor=actor, action=f"return.{step}", subject=row.id, facts=facts)
    session.flush()
