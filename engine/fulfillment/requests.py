"""Taking released units back: a place that has the work is asked, and its answer decides."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from sqlalchemy import select
from sqlalchemy.orm import Session

from engine.fulfillment import work
from engine.fulfillment.errors import CancelPending, NothingToShip
from engine.fulfillment.models import OWN, Fulfillment, FulfillmentStatus
from engine.fulfillment.policies import FulfillmentPolicy
from engine.fulfillment.release import open_work
from engine.fulfillment.work import Work
from engine.kit import audit
from engine.kit.errors import Conflict
from engine.kit.policies import policy_of
from engine.orders import service as orders


@dataclass(frozen=True, slots=True)
class Asked:
    """What became of a request. Agreed units are released no more; waiting ones have an answer to come."""

    agreed: dict[str, int] = field(default_factory=dict)
    """Order line → units."""
    waiting: dict[str, int] = field(default_factory=dict)


def request_cancel(
    session: Session, tenant_id: str, *, order_id: str, change_id: str, lines: Mapping[str, int], actor: str = "system"
) -> Asked:
    """Ask for ``lines`` (order line → units) that are released and not shipped. A place that has not begun is asked
    first; an own one that has not begun agrees at once where the policy says so.

    All that is waited for is told by ``orders.changes.partner.answered``, once for the change. Raises
    ``NothingToShip`` when not so many are released and unshipped, ``CancelPending`` when a place was asked for another
    change and has not answered; then nobody is asked.
    """
    works = _works(session, tenant_id, order_id)
    wanted = [part for line_id, units in sorted(lines.items()) for part in _parts(works, line_id, units, change_id)]
    policy = policy_of(session, tenant_id, FulfillmentPolicy)
    asked = Asked()
    for found, line_id, units in wanted:
        _ask(found, line_id, units, asked, at_once=_agrees(found, policy))
    for found in {one.fulfillment.id: one for one, _, _ in wanted}.values():
        if any(line.cancel_requested for line in found.lines.values()):
            found.fulfillment.cancel_change_id = change_id
        found.settle()
    facts = {"change": change_id, "agreed": asked.agreed, "waiting": asked.waiting}
    audit.record(session, tenant_id, actor=actor, action="fulfillment.cancel_requested", subject=order_id, facts=facts)
    session.flush()
    return asked


def answer_cancel(
    session: Session,
    tenant_id: str,
    fulfillment_id: str,
    *,
    accepted: bool,
    called_off: bool = False,
    actor: str = "system",
    version: int | None = None,
) -> Work:
    """The place agrees or refuses. The change is told when all have agreed, or when the first refuses; a refusal
    withdraws what the others were still asked. ``called_off``: it has let go of all the work, not of what was asked
    alone: what is still wanted of it is a new piece of work.

    Raises ``Conflict`` when nothing was asked, ``StaleVersion``, ``NotFound``.
    """
    found = work.lock_work(session, tenant_id, fulfillment_id, version=version)
    change_id = found.fulfillment.cancel_change_id
    if change_id is None or not any(line.cancel_requested for line in found.lines.values()):
        raise Conflict("Nobody has asked to cancel any of this.")
    _answer(found, accepted=accepted)
    anew = _anew(session, found) if accepted and called_off else None
    others = _others(session, found, change_id)
    if not accepted:
        for other in others:
            _answer(other, accepted=False)
    facts = {"change": change_id, "accepted": accepted, "order": found.order.id, "anew": anew}
    audit.record(
        session, tenant_id, actor=actor, action="fulfillment.cancel_answered", subject=fulfillment_id, facts=facts
    )
    session.flush()
    if not accepted or not others:
        _tell(session, tenant_id, change_id, accepted=accepted)
    return found


def _works(session: Session, tenant_id: str, order_id: str) -> list[Work]:
    """The order's open work, what has not begun first."""
    order = orders.lock(session, tenant_id, order_id)
    order_lines = work.lock_lines(session, order)
    found = [
        Work(
            order,
            one,
            {line.order_line_id: line for line in work.lines_of(session, tenant_id, [one.id])},
            order_lines,
        )
        for one in work.of_order(session, tenant_id, order_id)
        if one.status not in {FulfillmentStatus.SHIPPED, FulfillmentStatus.CANCELED}
    ]
    return sorted(found, key=lambda one: (one.fulfillment.status != FulfillmentStatus.RELEASED, one.fulfillment.id))


def _parts(works: Sequence[Work], line_id: str, units: int, change_id: str) -> list[tuple[Work, str, int]]:
    """Who is to give back how many units of a line. Raises ``NothingToShip``, ``CancelPending``."""
    parts, left = [], units
    for found in works:
        line = found.lines.get(line_id)
        take = min(left, line.open - line.cancel_requested) if line else 0
        if take <= 0:
            continue
        waits = found.fulfillment.status == FulfillmentStatus.CANCEL_REQUESTED
        if waits and found.fulfillment.cancel_change_id != change_id:
            raise CancelPending("A cancel of this order waits for its answer already.")
        parts.append((found, line_id, take))
        left -= take
    if left:
        raise NothingToShip(f"Only {units - left} of these units are released and not shipped.")
    return parts


def _agrees(found: Work, policy: FulfillmentPolicy) -> bool:
    own = found.fulfillment.partner == OWN and found.fulfillment.status == FulfillmentStatus.RELEASED
    return own and policy.own_cancels_at_once


def _ask(found: Work, line_id: str, units: int, asked: Asked, *, at_once: bool) -> None:
    told = asked.agreed if at_once else asked.waiting
    told[line_id] = told.get(line_id, 0) + units
    if at_once:
        found.lines[line_id].canceled += units
        found.order_lines[line_id].released -= units
    else:
        found.lines[line_id].cancel_requested += units


def _answer(found: Work, *, accepted: bool) -> None:
    for line in found.lines.values():
        if accepted:
            line.canceled, released = line.canceled + line.cancel_requested, line.cancel_requested
            found.order_lines[line.order_line_id].released -= released
        line.cancel_requested = 0
    found.settle()


def _anew(session: Session, found: Work) -> str | None:
    """What is left of the work, as another one of the same place; its id."""
    rest, old = found.open_units(), found.fulfillment
    if not rest:
        return None
    made = open_work(session, found.order, old.location_id, rest, old.routing, way=found.way)
    made.capture_ids = list(old.capture_ids)
    for line_id, units in rest.items():
        found.lines[line_id].canceled += units
    found.settle()
    return made.id


def _others(session: Session, found: Work, change_id: str) -> list[Work]:
    """Further work of the same change that has not been answered for."""
    ids = session.scalars(
        select(Fulfillment.id)
        .where(
            Fulfillment.tenant_id == found.order.tenant_id,
            Fulfillment.order_id == found.order.id,
            Fulfillment.cancel_change_id == change_id,
            Fulfillment.status == FulfillmentStatus.CANCEL_REQUESTED,
            Fulfillment.id != found.fulfillment.id,
        )
        .order_by(Fulfillment.id)
    ).all()
    session.flush()
    return [work.lock_work(session, found.order.tenant_id, one) for one in ids]


def _tell(session: Session, tenant_id: str, change_id: str, *, accepted: bool) -> None:
    """The orders room asked, and hears the answer."""
    from engine.orders.changes import partner  # it asks here: the one knows the other

    partner.answered(session, tenant_id, change_id, accepted)
