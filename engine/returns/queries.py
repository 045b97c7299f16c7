"""Reading returns: a shopper's own, or all of the shop's, newest first, by keyset."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import Select, select, tuple_
from sqlalchemy.orm import Session, defer

from engine.kit.errors import DomainError
from engine.kit.evidence import view as evidence_view
from engine.kit.identity import Identity
from engine.kit.pagination import Page, cursor_moment, decode_cursor, encode_cursor
from engine.kit.policies import policy_of
from engine.kit.views import Price
from engine.orders import queries as orders
from engine.orders.changes.case import Case
from engine.orders.changes.quote import open_case
from engine.orders.models import Order
from engine.returns import eligibility, returning
from engine.returns.eligibility import Facts
from engine.returns.errors import NoReturn
from engine.returns.models import Return, ReturnEvent, ReturnEvidence, ReturnKind, ReturnLine, ReturnStatus
from engine.returns.policy import ReturnsPolicy
from engine.returns.returning import Scene
from engine.returns.schemas import (
    ParcelSignView,
    ReasonView,
    ReturnableLineView,
    ReturnablePartView,
    ReturnableView,
    ReturnLineView,
    ReturnStepView,
    ReturnView,
    StrayView,
)
from engine.returns.states import ENDED
from engine.returns.worth import next_worth

_SIGN = ("at", "status", "text")


@dataclass(frozen=True, slots=True)
class ReturnFilter:
    """Which returns are wanted; ``None`` is no wish."""

    status: ReturnStatus | None = None
    kind: ReturnKind | None = None
    order_id: str | None = None
    number: str | None = None
    problem: bool | None = None
    """Only those whose money cannot go back (or can)."""


def returnable(session: Session, identity: Identity, order_id: str) -> ReturnableView:
    """What of one of the identity's own orders can come back now. Raises ``NotFound``."""
    return returnable_of(open_case(session, identity, orders.find_own(session, identity, order_id)))


def returnable_of(case: Case) -> ReturnableView:
    """The same for an order that was read already."""
    scene, order = returning.scene_of(case), case.order
    policy = scene.policy
    refusal = _refusal(scene)
    titles = returning.part_titles(scene)
    lines = [_returnable(scene, one, refusal, titles) for one in scene.facts.values()]
    return ReturnableView(
        order_id=order.id,
        possible=refusal is None and any(line.units_for_fault for line in lines),
        message=refusal.message if refusal else "",
        lines=lines,
        reasons=[ReasonView(code=one.code, text=one.text, shop_fault=one.shop_fault) for one in policy.reasons],
        conditions=[str(one) for one in policy.conditions],
        refund_to=[str(one) for one in policy.refund_to],
        exchanges=policy.exchanges,
    )


def find(session: Session, identity: Identity, return_id: str) -> Return:
    """A return by id or number that the identity may see. Raises ``NoReturn``."""
    row = session.scalars(
        _visible(identity).where((Return.id == return_id) | (Return.number == return_id.upper())).limit(1)
    ).first()
    if row is None:
        raise NoReturn("There is no such return.")
    return row


def one(session: Session, identity: Identity, return_id: str) -> ReturnView:
    """Raises ``NoReturn``."""
    return _views(session, identity, [find(session, identity, return_id)])[0]


def find_evidence(session: Session, identity: Identity, return_id: str, evidence_id: str) -> ReturnEvidence:
    """With its content. Raises ``NoReturn``."""
    found = find(session, identity, return_id)
    row = session.get(ReturnEvidence, (found.tenant_id, evidence_id))
    if row is None or row.return_id != found.id or not row.content:
        raise NoReturn("There is no such file.")
    return row


def of_change(session: Session, identity: Identity, change_id: str) -> ReturnView | None:
    """The return that a change has opened, if it has and the identity may see it."""
    row = session.scalars(_visible(identity).where(Return.change_id == change_id).limit(1)).first()
    return _views(session, identity, [row])[0] if row is not None else None


def many(
    session: Session, identity: Identity, wanted: ReturnFilter, *, limit: int = 20, cursor: str | None = None
) -> Page[ReturnView]:
    """Newest first. Raises ``InvalidInput`` for a cursor that is not ours."""
    query = _narrow(_visible(identity), wanted)
    if cursor:
        moment, last_id = decode_cursor(cursor, size=2)
        query = query.where(tuple_(Return.created_at, Return.id) < (cursor_moment(moment), str(last_id)))
    rows = session.scalars(query.order_by(Return.created_at.desc(), Return.id.desc()).limit(limit + 1)).all()
    shown = rows[:limit]
    last = shown[-1] if len(rows) > limit else None
    after = encode_cursor([last.created_at.isoformat(), last.id]) if last else None
    return Page(_views(session, identity, shown), after)


def _refusal(scene: Scene) -> DomainError | None:
    case = scene.case
    try:
        eligibility.check_order(case.order, case.money, scene.policy, returns_before=scene.before.count)
    except DomainError as refused:
        return refused
    return None


def _returnable(
    scene: Scene, facts: Facts, refusal: DomainError | None, titles: Mapping[str, str]
) -> ReturnableLineView:
    policy, line = scene.policy, facts.line
    mild = eligibility.judge(facts, policy, shop_fault=False)
    fault = eligibility.judge(facts, policy, shop_fault=True)
    why = refusal or (mild.refusal if not fault.units else None)
    units = 0 if refusal else mild.units
    most = 0 if refusal else fault.units
    worth = next_worth(line, facts.parts, facts.taken, most) if most else None
    parts = [
        ReturnablePartView(
            variant_id=part.variant_id,
            title=titles.get(part.variant_id, ""),
            units=0 if refusal else eligibility.judge(facts, policy, shop_fault=False, part=part.variant_id).units,
        )
        for part in facts.parts
    ]
    return ReturnableLineView(
        line_id=line.id,
        variant_id=line.variant_id,
        title=line.title,
        options=line.options,
        units=units,
        units_for_fault=most,
        until=mild.until,
        worth=Price(amount=worth.total if worth else 0, currency=scene.case.order.currency),
        code=why.code if why else None,
        message=why.message if why else "",
        parts=parts,
    )


def _visible(identity: Identity) -> Select[Return]:
    query = select(Return).where(Return.tenant_id == identity.tenant_id)
    if identity.is_staff:
        return query
    own = select(Order.id).where(Order.tenant_id == identity.tenant_id, orders.is_own(identity))
    return query.where(Return.order_id.in_(own))


def _narrow(query: Select[Return], wanted: ReturnFilter) -> Select[Return]:
    if wanted.status:
        query = query.where(Return.status == wanted.status)
    if wanted.kind:
        query = query.where(Return.kind == wanted.kind)
    if wanted.order_id:
        query = query.where(Return.order_id == wanted.order_id)
    if wanted.number:
        query = query.where(Return.number == wanted.number.upper())
    if wanted.problem is not None:
        query = query.where(Return.problem.is_not(None) if wanted.problem else Return.problem.is_(None))
    return query


def _views(session: Session, identity: Identity, rows: Sequence[Return]) -> list[ReturnView]:
    ids = [row.id for row in rows]
    of_tenant = identity.tenant_id
    lines: dict[str, list[ReturnLine]] = {return_id: [] for return_id in ids}
    found = select(ReturnLine).where(ReturnLine.tenant_id == of_tenant, ReturnLine.return_id.in_(ids))
    for line in session.scalars(found.order_by(ReturnLine.position)):
        lines[line.return_id].append(line)
    steps: dict[str, list[ReturnEvent]] = {return_id: [] for return_id in ids}
    told = select(ReturnEvent).where(ReturnEvent.tenant_id == of_tenant, ReturnEvent.return_id.in_(ids))
    for step in session.scalars(told.order_by(ReturnEvent.at, ReturnEvent.id)) if identity.is_staff else ():
        steps[step.return_id].append(step)
    known = select(Order).where(Order.tenant_id == of_tenant, Order.id.in_({row.order_id for row in rows}))
    by_id = {order.id: order for order in session.scalars(known)}
    views = [_view(by_id[row.order_id], row, lines[row.id], steps[row.id], staff=identity.is_staff) for row in rows]
    return _with_evidence(session, of_tenant, views) if views else views


def _with_evidence(session: Session, tenant_id: str, views: Sequence[ReturnView]) -> list[ReturnView]:
    of = ReturnEvidence.return_id.in_([view.id for view in views])
    pieces = select(ReturnEvidence).where(ReturnEvidence.tenant_id == tenant_id, of)
    found = session.scalars(pieces.options(defer(ReturnEvidence.content)).order_by(ReturnEvidence.created_at)).all()
    policy = policy_of(session, tenant_id, ReturnsPolicy)
    faults = {reason.code for reason in policy.reasons if reason.shop_fault} if policy.evidence_files else set()
    return [
        view.model_copy(
            update={
                "evidence": [evidence_view(one) for one in found if one.return_id == view.id],
                "evidence_wanted": view.status not in ENDED and any(line.reason in faults for line in view.lines),
            }
        )
        for view in views
    ]


def _view(
    order: Order, row: Return, lines: Sequence[ReturnLine], steps: Sequence[ReturnEvent], *, staff: bool
) -> ReturnView:
    def price(amount: int) -> Price:
        return Price(amount=amount, currency=order.currency)

    for_staff = {
        "problem": row.problem,
        "unexpected": [StrayView(**stray) for stray in row.unexpected],
        "steps": [
            ReturnStepView(step=step.step, at=step.at, amount=price(step.amount), actor=step.actor, note=step.note)
            for step in steps
        ],
        "requested_by": row.requested_by,
        "approved_by": row.approved_by,
    }
    return ReturnView(
        id=row.id,
        number=row.number,
        order_id=order.id,
        order_number=order.number,
        kind=row.kind,
        status=row.status,
        lines=[_line(line, order.currency, staff=staff) for line in lines],
        credit=price(row.credit),
        fee=price(row.fee),
        replacement=price(row.replacement),
        charge=price(row.charge),
        refund=price(row.refund),
        given=price(row.given),
        refund_to=row.refund_to,
        refund_at=row.refund_at,
        keep=row.keep,
        carrier=row.carrier,
        tracking_number=row.tracking_number,
        label=row.label_at is not None,
        parcel=[ParcelSignView(**{part: sign[part] for part in _SIGN}) for sign in row.events],
        message=row.message or "",
        send_by=row.expires_at,
        created_at=row.created_at,
        approved_at=row.approved_at,
        received_at=row.received_at,
        closed_at=row.closed_at,
        version=row.version,
        **(for_staff if staff else {}),
    )


def _line(line: ReturnLine, currency: str, *, staff: bool) -> ReturnLineView:
    credit = line.goods - line.discount + line.tax + line.shipping + line.shipping_tax - line.withheld
    places = ("restocked", "refurbished", "scrapped", "to_vendor", "quarantined")
    return ReturnLineView(
        id=line.id,
        order_line_id=line.order_line_id,
        component_variant_id=line.component_variant_id,
        title=line.title,
        quantity=line.quantity,
        reason=line.reason,
        condition=line.condition,
        credit=Price(amount=credit, currency=currency),
        fee=Price(amount=line.fee, currency=currency),
        received=line.received,
        inspected=line.inspected,
        rejected=line.rejected,
        settled=line.settled,
        exchange_variant_id=line.exchange["variant_id"] if line.exchange else None,
        exchange_title=line.exchange["title"] if line.exchange else None,
        outcome={place: getattr(line, place) for place in places} if staff else None,
    )
