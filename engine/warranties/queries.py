"""Reading warranties and claims: a shopper's own, or all of the shop's, newest first, by keyset."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeVar

from sqlalchemy import Select, select, tuple_
from sqlalchemy.orm import Session, defer

from engine.checkout.models import Consent, ConsentStatus
from engine.kit import clock
from engine.kit.errors import DomainError
from engine.kit.evidence import view as evidence_view
from engine.kit.identity import Identity
from engine.kit.pagination import Key, Page, cursor_moment, decode_cursor, encode_cursor
from engine.kit.policies import policy_of
from engine.kit.views import Price
from engine.orders.models import Order
from engine.orders.queries import is_own
from engine.orders.schemas import ShipmentEventView
from engine.warranties import eligibility
from engine.warranties.errors import NoClaim, NoWarranty
from engine.warranties.models import (
    Audience,
    Claim,
    ClaimEvent,
    ClaimStatus,
    Evidence,
    Resolution,
    Warranty,
    WarrantyStatus,
)
from engine.warranties.policy import WarrantiesPolicy
from engine.warranties.schemas import (
    ClaimPage,
    ClaimParcelView,
    ClaimStepView,
    ClaimView,
    SymptomView,
    WarrantyPage,
    WarrantyView,
)

T = TypeVar("T", Warranty, Claim)


@dataclass(frozen=True, slots=True)
class WarrantyFilter:
    """Which warranties are wanted; ``None`` is no wish."""

    status: WarrantyStatus | None = None
    order_id: str | None = None
    sku: str | None = None
    serial: str | None = None
    in_term: bool | None = None


@dataclass(frozen=True, slots=True)
class ClaimFilter:
    """Which claims are wanted; ``None`` is no wish."""

    status: ClaimStatus | None = None
    resolution: Resolution | None = None
    order_id: str | None = None
    warranty_id: str | None = None
    number: str | None = None
    symptom: str | None = None
    problem: bool | None = None
    late: bool | None = None


def find_warranty(session: Session, identity: Identity, warranty_id: str) -> Warranty:
    """Raises ``NoWarranty`` for one that is not there, or not the identity's."""
    row = session.scalars(_warranties(identity).where(Warranty.id == warranty_id)).first()
    if row is None:
        raise NoWarranty("There is no such warranty.")
    return row


def find_claim(session: Session, identity: Identity, claim_id: str) -> Claim:
    """By id or number. Raises ``NoClaim`` for one that is not there, or not the identity's."""
    asked = (Claim.id == claim_id) | (Claim.number == claim_id.upper())
    row = session.scalars(_claims(identity).where(asked).limit(1)).first()
    if row is None:
        raise NoClaim("There is no such claim.")
    return row


def find_evidence(session: Session, identity: Identity, claim_id: str, evidence_id: str) -> Evidence:
    """With its content. Raises ``NoClaim``."""
    claim = find_claim(session, identity, claim_id)
    row = session.get(Evidence, (claim.tenant_id, evidence_id))
    if row is None or row.claim_id != claim.id or not row.content:
        raise NoClaim("There is no such file.")
    return row


def warranties(
    session: Session, identity: Identity, wanted: WarrantyFilter, *, limit: int = 20, cursor: str | None = None
) -> WarrantyPage:
    """Newest first. Raises ``InvalidInput`` for a cursor that is not ours."""
    query = _warranties(identity)
    for column, value in (
        (Warranty.status, wanted.status),
        (Warranty.order_id, wanted.order_id),
        (Warranty.sku, wanted.sku),
        (Warranty.serial, wanted.serial),
    ):
        query = query.where(column == value) if value is not None else query
    today = clock.now().date()
    if wanted.in_term is not None:
        query = query.where(Warranty.ends_on >= today if wanted.in_term else Warranty.ends_on < today)
    if cursor:
        query = query.where(tuple_(Warranty.created_at, Warranty.id) < _after(cursor))
    rows = session.scalars(query.order_by(Warranty.created_at.desc(), Warranty.id.desc()).limit(limit + 1)).all()
    page = _page(rows, limit)
    policy = policy_of(session, identity.tenant_id, WarrantiesPolicy)
    return WarrantyPage(
        items=_warranty_views(session, identity, page.items),
        symptoms=[SymptomView(code=one.code, text=one.text, covered=one.covered) for one in policy.symptoms],
        next_cursor=page.next_cursor,
    )


def claims(
    session: Session, identity: Identity, wanted: ClaimFilter, *, limit: int = 20, cursor: str | None = None
) -> ClaimPage:
    """Newest first. Raises ``InvalidInput`` for a cursor that is not ours."""
    query = _narrow(_claims(identity), wanted)
    if cursor:
        query = query.where(tuple_(Claim.created_at, Claim.id) < _after(cursor))
    rows = session.scalars(query.order_by(Claim.created_at.desc(), Claim.id.desc()).limit(limit + 1)).all()
    page = _page(rows, limit)
    return ClaimPage(items=_claim_views(session, identity, page.items), next_cursor=page.next_cursor)


def one_claim(session: Session, identity: Identity, claim_id: str) -> ClaimView:
    """Raises ``NoClaim``."""
    return _claim_views(session, identity, [find_claim(session, identity, claim_id)])[0]


def _narrow(query: Select[Claim], wanted: ClaimFilter) -> Select[Claim]:
    for column, value in (
        (Claim.status, wanted.status),
        (Claim.resolution, wanted.resolution),
        (Claim.order_id, wanted.order_id),
        (Claim.warranty_id, wanted.warranty_id),
        (Claim.number, wanted.number),
        (Claim.symptom, wanted.symptom),
    ):
        query = query.where(column == value) if value is not None else query
    if wanted.problem is not None:
        query = query.where(Claim.problem.is_not(None) if wanted.problem else Claim.problem.is_(None))
    if wanted.late is not None:
        late = Claim.due_at.is_not(None) & (Claim.due_at <= clock.now()) & Claim.closed_at.is_(None)
        query = query.where(late if wanted.late else ~late)
    return query


def _warranties(identity: Identity) -> Select[Warranty]:
    query = select(Warranty).where(Warranty.tenant_id == identity.tenant_id)
    if identity.is_staff:
        return query
    same = (Order.tenant_id == Warranty.tenant_id) & (Order.id == Warranty.order_id)
    return query.join(Order, same).where(is_own(identity))


def _claims(identity: Identity) -> Select[Claim]:
    query = select(Claim).where(Claim.tenant_id == identity.tenant_id)
    if identity.is_staff:
        return query
    same = (Order.tenant_id == Claim.tenant_id) & (Order.id == Claim.order_id)
    return query.join(Order, same).where(is_own(identity))


def _after(cursor: str) -> tuple[datetime, str]:
    moment, last_id = decode_cursor(cursor, size=2)
    return cursor_moment(moment), str(last_id)


def _page(rows: Sequence[T], limit: int) -> Page[T]:
    shown = rows[:limit]
    last = shown[-1] if len(rows) > limit else None
    key: Key = [last.created_at.isoformat(), last.id] if last else []
    return Page(shown, encode_cursor(key) if last else None)


def _warranty_views(session: Session, identity: Identity, rows: Sequence[Warranty]) -> list[WarrantyView]:
    numbers = {
        row.id: row.number
        for row in session.execute(
            select(Order.id, Order.number).where(
                Order.tenant_id == identity.tenant_id, Order.id.in_({row.order_id for row in rows})
            )
        )
    }
    claims = eligibility.under_way(session, identity.tenant_id, [row.id for row in rows])
    return [_warranty_view(row, numbers[row.order_id], claims) for row in rows]


def _warranty_view(row: Warranty, order_number: str, claims: Mapping[str, str]) -> WarrantyView:
    why: DomainError | None = None
    try:
        eligibility.check_free(row, claims)
        eligibility.check_term(row, clock.now().date())
    except DomainError as refused:
        why = refused
    return WarrantyView(
        id=row.id,
        order_id=row.order_id,
        order_number=order_number,
        line_id=row.order_line_id,
        unit=row.unit,
        sku=row.sku,
        title=row.title,
        serial=row.serial,
        starts_on=row.starts_on,
        ends_on=row.ends_on,
        status=row.status,
        follows_id=row.follows_id,
        claimable=why is None,
        code=why.code if why else None,
        message=why.message if why else "",
    )


def _claim_views(session: Session, identity: Identity, rows: Sequence[Claim]) -> list[ClaimView]:
    ids = [row.id for row in rows]
    units = select(Warranty.id, Warranty.title).where(
        Warranty.tenant_id == identity.tenant_id, Warranty.id.in_({row.warranty_id for row in rows})
    )
    titles = {row.id: row.title for row in session.execute(units)}
    pieces = select(Evidence).where(Evidence.tenant_id == identity.tenant_id, Evidence.claim_id.in_(ids))
    evidence = session.scalars(pieces.options(defer(Evidence.content)).order_by(Evidence.created_at)).all()
    told = select(ClaimEvent).where(ClaimEvent.tenant_id == identity.tenant_id, ClaimEvent.claim_id.in_(ids))
    if not identity.is_staff:
        told = told.where(ClaimEvent.audience == Audience.SHOPPER)
    events = session.scalars(told.order_by(ClaimEvent.at, ClaimEvent.id)).all()
    cards = select(Consent.id, Consent.expires_at).where(
        Consent.tenant_id == identity.tenant_id,
        Consent.id.in_([row.consent_id for row in rows if row.consent_id]),
        Consent.status == ConsentStatus.OPEN,
    )
    choices = {row.id: row.expires_at for row in session.execute(cards)}
    return [
        _claim_view(
            identity,
            row,
            titles[row.warranty_id],
            [one for one in evidence if one.claim_id == row.id],
            [one for one in events if one.claim_id == row.id],
            choices.get(row.consent_id or ""),
        )
        for row in rows
    ]


def _claim_view(
    identity: Identity,
    row: Claim,
    title: str,
    evidence: Sequence[Evidence],
    events: Sequence[ClaimEvent],
    choose_by: datetime | None,
) -> ClaimView:
    staff = identity.is_staff
    return ClaimView(
        id=row.id,
        number=row.number,
        warranty_id=row.warranty_id,
        order_id=row.order_id,
        title=title,
        status=row.status,
        symptom=row.symptom,
        description=row.description,
        offers=[Resolution(one) for one in row.offers],
        resolution=row.resolution,
        choose_by=choose_by,
        comes_back=row.comes_back,
        send_in=_parcel(row.carrier, row.tracking_number, row.sent_at, row.events),
        sent_back=_parcel(row.back_carrier, row.back_number, row.sent_back_at, row.back_events),
        refund=Price(amount=row.amount, currency=row.currency),
        replacement_order_id=row.replacement_order_id,
        message=row.message or "",
        answer_by=row.answer_by,
        evidence=[evidence_view(one) for one in evidence],
        steps=[
            ClaimStepView(step=one.step, text=one.text, at=one.at, actor=one.actor if staff else None) for one in events
        ],
        created_at=row.created_at,
        decided_at=row.decided_at,
        resolved_at=row.resolved_at,
        closed_at=row.closed_at,
        staff_note=row.staff_note if staff else None,
        problem=row.problem if staff else None,
        due_at=row.due_at if staff else None,
        approval_id=row.approval_id if staff else None,
    )


def _parcel(
    carrier: str | None, number: str | None, sent_at: datetime | None, events: Sequence[dict[str, Any]]
) -> ClaimParcelView | None:
    if not carrier or not number:
        return None
    told = [ShipmentEventView(at=one["at"], status=one["status"], text=one["text"]) for one in events]
    return ClaimParcelView(carrier=carrier, tracking_number=number, sent_at=sent_at, events=told)
