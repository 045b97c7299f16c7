"""Carrying out what was decided: the unit comes in, and a repair, a replacement or the money goes out, once.

What is decided is committed before anything moves; whoever comes next finds what is left to do, and the lock of the
claim and its state see to it that it is done once.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Final

import structlog
from sqlalchemy import select
from sqlalchemy.orm import Session

from engine.catalog.models import Variant
from engine.finance import postings
from engine.finance import service as finance
from engine.fulfillment import carriers, labels
from engine.fulfillment.labels import Label
from engine.inventory.models import Location
from engine.kit import clock
from engine.kit.errors import DomainError, NotFound
from engine.kit.faults import fault_point
from engine.kit.policies import policy_of
from engine.kit.tenancy import Tenant
from engine.orders import replacements
from engine.orders import service as orders
from engine.orders.documents.paper import RateBook
from engine.orders.models import AdjustmentKind, Order, OrderLine
from engine.orders.rates import Piece
from engine.orders.replacements import ReplacementLine
from engine.payments import refunds
from engine.payments.alerts import raise_alert, resolve_alert
from engine.returns import money, settling
from engine.returns.errors import OrderDisputed
from engine.returns.money import Owed
from engine.returns.opening import return_place
from engine.returns.taken import keep_prices, parts_of
from engine.returns.worth import next_worth
from engine.runtime import Runtime
from engine.warranties import closing, eligibility, news
from engine.warranties.closing import BLOCKED
from engine.warranties.errors import NothingToRefund, WrongClaimStep
from engine.warranties.locks import Held, hold
from engine.warranties.models import Claim, ClaimStatus, Resolution, Warranty, WarrantyStatus
from engine.warranties.policy import WarrantiesPolicy

log = structlog.get_logger(__name__)
_BATCH: Final = 50


def settle_on(held: Held, resolution: Resolution, *, actor: str, comes_back: bool | None = None) -> None:
    """What is done is decided: where the unit is to be sent in, its label is printed."""
    session, claim = held.session, held.claim
    policy = policy_of(session, claim.tenant_id, WarrantiesPolicy)
    claim.resolution, claim.answer_by = resolution, None
    wanted = policy.must_send_in(resolution) if comes_back is None else comes_back
    claim.comes_back = (wanted or resolution == Resolution.REPAIR) and claim.received_at is None
    if claim.comes_back:
        claim.answer_by = clock.now() + timedelta(days=policy.send_within_days)
        if claim.label_at is None:
            _print_label(held)
    elif resolution == Resolution.REPAIR:
        _begin_repair(held, actor)
    session.flush()


def owed(held: Held) -> Owed:
    """What the unit stands for, no more than is left of what was paid. Raises ``UnitGone``."""
    line, taken = eligibility.paid_line(held.session, held.order, held.root)
    worth = next_worth(line, parts_of(held.session, line), taken, 1, eligibility.part_of(line, held.root))
    standing = money.money_of(held.session, held.order)
    return money.bounded(standing, Owed(worth.total, worth.tax))


def receive(session: Session, tenant_id: str, claim_id: str, *, actor: str, note: str = "") -> Claim:
    """The unit is here. It stays the shopper's, or is worth nothing: it is in no stock. Said twice it counts once.

    Raises ``NoClaim``, ``WrongClaimStep`` when nothing is to be sent in.
    """
    held = hold(session, tenant_id, claim_id)
    claim = held.claim
    if claim.received_at is not None:
        return claim
    if claim.status != ClaimStatus.APPROVED or not claim.comes_back:
        raise WrongClaimStep("Nothing is to be sent in for this claim.")
    claim.received_at, claim.answer_by = clock.now(), None
    claim.version += 1
    news.record(session, claim, "received", actor=actor)
    if note:
        news.record(session, claim, "note", actor=actor, text=note, staff_only=True)
    news.tell(session, held.order, claim, "claim.received")
    if claim.resolution == Resolution.REPAIR:
        _begin_repair(held, actor)
    return claim


def send_back(session: Session, tenant_id: str, claim_id: str, *, actor: str, message: str = "") -> Claim:
    """The unit is repaired: it goes back to its owner with the embedded carrier, at the shop's cost; the claim is
    closed. Raises ``NoClaim``, ``WrongClaimStep``.
    """
    held = hold(session, tenant_id, claim_id)
    claim = held.claim
    if claim.status != ClaimStatus.REPAIRING:
        raise WrongClaimStep("Nothing is being repaired for this claim.")
    claim.back_carrier, claim.back_number = carriers.SANDBOX, carriers.tracking_number(f"{claim.id}-back")
    claim.back_cost = carriers.price(_weight(session, held.warranty))
    claim.sent_back_at = claim.resolved_at = clock.now()
    _post(held, postings.Kind.WARRANTY_PARCEL_BACK, claim.back_cost)
    news.record(session, claim, "repaired", actor=actor, text=message)
    news.tell(session, held.order, claim, "claim.resolved")
    words = message or f"It is repaired and on its way back to you ({claim.back_carrier} {claim.back_number})."
    closing.finish(session, held.order, claim, ClaimStatus.CLOSED, words, actor=actor)
    return claim


def carry_out(runtime: Runtime, tenant_id: str, claim_id: str, *, actor: str = "system") -> Claim:
    """Do what was decided, if it is not done and nothing is awaited: the claim as it is afterwards. Safe to repeat."""
    with runtime.unit_of_work(tenant_id) as session:
        made = make_good(session, tenant_id, claim_id, actor=actor)
        fault_point("claim_before_commit")
    fault_point("claim_after_commit")
    send_money(runtime, tenant_id, made)
    with runtime.unit_of_work(tenant_id) as session:
        return session.get_one(Claim, (tenant_id, claim_id))


def send_money(runtime: Runtime, tenant_id: str, refund_ids: Sequence[str]) -> None:
    """Bring the refunds of a claim to their end, now; the job does it when nobody does."""
    for refund_id in refund_ids:
        refunds.execute(runtime, tenant_id, refund_id)


def make_good(session: Session, tenant_id: str, claim_id: str, *, actor: str) -> tuple[str, ...]:
    """Within one transaction: the refunds to carry out. What cannot be done now leaves the claim approved, with its
    problem, and staff are told.
    """
    held = hold(session, tenant_id, claim_id)
    if not _is_due(held.claim):
        return ()
    try:
        with session.begin_nested():
            made = _make_good(held, actor)
            session.flush()
    except DomainError as refused:
        session.expire_all()
        _blocked(hold(session, tenant_id, claim_id), refused)
        return ()
    resolve_alert(session, tenant_id, BLOCKED, claim_id)
    return made


def finish_approved(runtime: Runtime, tenant_id: str) -> int:
    """The job: carry out what was decided and then left lying; how many were looked at."""
    return _carry_out_all(runtime, tenant_id, blocked=False)


def retry_blocked(runtime: Runtime, tenant_id: str) -> int:
    """What a dispute or missing stock kept from being done is tried again; how many were."""
    return _carry_out_all(runtime, tenant_id, blocked=True)


def label_pdf(session: Session, claim: Claim) -> bytes:
    """The label to send the unit in with. Raises ``NotFound`` where nothing is to be sent."""
    if claim.label_at is None or claim.tracking_number is None or claim.location_id is None:
        raise NotFound("This claim has no label.")
    warranty = session.get_one(Warranty, (claim.tenant_id, claim.warranty_id))
    order = session.get_one(Order, (claim.tenant_id, warranty.order_id))
    place = session.get_one(Location, (claim.tenant_id, claim.location_id))
    weight = _weight(session, warranty)
    town = f"{place.city} {place.region} {place.postal_code}"
    label = Label(
        number=claim.tracking_number,
        service="Return",
        sender=labels.address(order.ship_to or {}),
        receiver=(session.get_one(Tenant, claim.tenant_id).name, place.name, town, place.country),
        reference=claim.number,
        piece="1 of 1",
        weight=f"{weight // 1000}.{weight % 1000:03} kg",
    )
    return labels.pdf([label])


def _is_due(claim: Claim) -> bool:
    here = not claim.comes_back or claim.received_at is not None
    return (
        claim.status == ClaimStatus.APPROVED
        and claim.resolution in {Resolution.REFUND, Resolution.REPLACEMENT}
        and here
    )


def _make_good(held: Held, actor: str) -> tuple[str, ...]:
    claim = held.claim
    if held.warranty.status != WarrantyStatus.ACTIVE:
        eligibility.check_unit(held.session, held.warranty, but_claim=claim.id)
    _check_bank(held)
    made = _refund(held, actor) if claim.resolution == Resolution.REFUND else _replace(held, actor)
    claim.problem, claim.resolved_at = None, clock.now()
    news.record(held.session, claim, str(claim.status), actor=actor, amount=claim.amount)
    news.tell(held.session, held.order, claim, "claim.resolved")
    return made


def _check_bank(held: Held) -> None:
    """What a chargeback leaves can go back; nobody gets goods for what the bank has given back. Raises
    ``OrderDisputed``.
    """
    standing = money.money_of(held.session, held.order)
    if standing.contested:
        raise OrderDisputed("The card's bank is looking into this order; until then only a repair is possible.")
    if standing.lost and held.claim.resolution == Resolution.REPLACEMENT:
        raise OrderDisputed("The card's bank has given money for this order back: nothing more is sent for it.")


def _refund(held: Held, actor: str) -> tuple[str, ...]:
    """The unit's worth goes back, and counts as returned: no return, cancelation or other claim gives it back again."""
    session, order, claim = held.session, held.order, held.claim
    back = owed(held)
    if not back.amount:
        raise NothingToRefund("Nothing is left of what was paid for this unit.")
    made = refunds.request(
        session,
        order.tenant_id,
        order_id=order.id,
        amount=back.amount,
        tax=back.tax,
        unearned=0,
        reason=f"warranty:{claim.number}",
        destination=claim.refund_to,
        requested_by=actor,
        approved=claim.approval_id,
        claim_id=claim.id,
    )
    line, _ = eligibility.paid_line(session, order, held.root)
    rate = RateBook.of(session, order, [line]).of_line(line)
    orders.adjust(
        session,
        order,
        kind=AdjustmentKind.RETURN,
        amount=-back.amount,
        tax=-back.tax,
        refund_id=made[0].id if len(made) == 1 else None,
        claim_id=claim.id,
        rates=[Piece(rate, -(back.amount - back.tax), -back.tax)],
    )
    claim.amount, claim.tax = back.amount, back.tax
    for one in (held.warranty, held.root):
        one.status, one.ended_at = WarrantyStatus.REFUNDED, one.ended_at or clock.now()
    orders.touch(order)
    closing.move(session, claim, ClaimStatus.REFUNDED)
    _count(session, order, line, eligibility.part_of(line, held.root))
    return tuple(one.id for one in made)


def _count(session: Session, order: Order, line: OrderLine, part: str | None) -> None:
    """The unit counts as returned; of a bundle, once each of its parts does."""
    if part is None:
        line.returned += 1
        return
    keep_prices(line, parts_of(session, line))
    session.flush()
    line.returned = settling.settled_units(session, order)[line.id]


def _replace(held: Held, actor: str) -> tuple[str, ...]:
    """Another unit is sent for nothing; what it costs is spent when it leaves. Raises ``OutOfStock``."""
    session, claim, warranty = held.session, held.claim, held.warranty
    made = replacements.create(
        session,
        claim.tenant_id,
        origin={"kind": "warranty", "order_id": warranty.order_id, "claim_id": claim.id},
        lines=[ReplacementLine(warranty.variant_id, 1)],
        actor=actor,
    )
    claim.replacement_order_id, claim.amount, claim.tax = made.id, 0, 0
    warranty.status, warranty.ended_at = WarrantyStatus.REPLACED, clock.now()
    closing.move(session, claim, ClaimStatus.REPLACED)
    return ()


def _begin_repair(held: Held, actor: str) -> None:
    closing.move(held.session, held.claim, ClaimStatus.REPAIRING)
    hours = policy_of(held.session, held.claim.tenant_id, WarrantiesPolicy).repair_hours
    held.claim.due_at = clock.now() + timedelta(hours=hours)
    news.record(held.session, held.claim, "repairing", actor=actor)


def _print_label(held: Held) -> None:
    """A label of the embedded carrier, addressed to the shop, at the shop's cost."""
    claim = held.claim
    claim.location_id = return_place(held.session, claim.tenant_id)
    claim.carrier, claim.tracking_number = carriers.SANDBOX, carriers.tracking_number(claim.id)
    claim.label_cost = carriers.price(_weight(held.session, held.warranty))
    claim.label_at = clock.now()
    _post(held, postings.Kind.WARRANTY_PARCEL_IN, claim.label_cost)


def _post(held: Held, kind: postings.Kind, cost: int) -> None:
    finance.post(
        held.session,
        held.claim.tenant_id,
        kind=kind,
        subject=held.claim.id,
        currency=held.session.get_one(Tenant, held.claim.tenant_id).currency,
        amounts=postings.warranty_parcel(cost),
        order_id=held.order.id,
    )


def _weight(session: Session, warranty: Warranty) -> int:
    query = select(Variant.weight_g).where(Variant.tenant_id == warranty.tenant_id, Variant.id == warranty.variant_id)
    return session.scalars(query).first() or 0


def _blocked(held: Held, refused: DomainError) -> None:
    claim = held.claim
    log.warning("claim not carried out", claim_id=claim.id, code=refused.code)
    claim.problem = refused.code
    words = f"Warranty claim {claim.number} is approved and cannot be carried out: {refused.message}"
    facts = {"order": claim.order_id, "code": refused.code}
    raise_alert(held.session, claim.tenant_id, BLOCKED, claim.id, words, facts=facts)


def _carry_out_all(runtime: Runtime, tenant_id: str, *, blocked: bool) -> int:
    """Page by page, oldest first; one that waits for its unit, or that breaks, keeps no other waiting."""
    looked, after = 0, ""
    while True:
        with runtime.unit_of_work(tenant_id) as session:
            query = select(Claim).where(Claim.tenant_id == tenant_id, Claim.status == ClaimStatus.APPROVED)
            stuck = Claim.problem.is_not(None) if blocked else Claim.problem.is_(None)
            rows = session.scalars(query.where(stuck, Claim.id > after).order_by(Claim.id).limit(_BATCH)).all()
        due = [row.id for row in rows if _is_due(row)]
        for claim_id in due:
            _carry_out_one(runtime, tenant_id, claim_id)
        looked += len(due)
        if len(rows) < _BATCH:
            return looked
        after = rows[-1].id


def _carry_out_one(runtime: Runtime, tenant_id: str, claim_id: str) -> None:
    try:
        carry_out(runtime, tenant_id, claim_id)
    except Exception:
        log.exception("claim not carried out", claim_id=claim_id)
