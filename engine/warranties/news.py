"""What is told of a claim: to its history, to the outbox in ids, and to its shopper in words."""

from __future__ import annotations

from typing import Any, Final

from sqlalchemy.orm import Session

from engine.kit import audit, outbox
from engine.kit.ids import new_id
from engine.kit.money import Money
from engine.orders.models import Order
from engine.warranties.models import Audience, Claim, ClaimEvent, ClaimStatus, Resolution

TOPICS: Final = (
    "claim.submitted",
    "claim.asked",
    "claim.approved",
    "claim.denied",
    "claim.received",
    "claim.resolved",
    "claim.closed",
)
_OFFERS: Final = {
    Resolution.REPAIR: "a repair",
    Resolution.REPLACEMENT: "a replacement",
    Resolution.REFUND: "your money back",
}


def record(
    session: Session, claim: Claim, step: str, *, actor: str, text: str = "", staff_only: bool = False, **facts: Any
) -> None:
    """One more line of the claim's history, and of the audit."""
    session.add(
        ClaimEvent(
            tenant_id=claim.tenant_id,
            id=new_id("claim_event"),
            claim_id=claim.id,
            step=step,
            actor=actor,
            audience=Audience.STAFF if staff_only else Audience.SHOPPER,
            text=text,
        )
    )
    audit.record(session, claim.tenant_id, actor=actor, action=f"claim.{step}", subject=claim.id, facts=facts or None)


def tell(session: Session, order: Order, claim: Claim, topic: str) -> None:
    """Say in the outbox what happened, with the words for its shopper as they are at this moment."""
    payload = {
        "claim_id": claim.id,
        "number": claim.number,
        "order_id": order.id,
        "thread_id": order.thread_id,
        "status": str(claim.status),
        "words": words(claim, topic),
    }
    outbox.emit(session, claim.tenant_id, topic, claim.id, payload)


def changed(session: Session, claim: Claim) -> None:
    """What is shown of it is no longer true, and there is nothing to say."""
    payload = {"claim_id": claim.id, "order_id": claim.order_id}
    outbox.emit(session, claim.tenant_id, "claim.changed", claim.id, payload)


def words(claim: Claim, topic: str) -> str:
    """One or two plain sentences, with what the shop said."""
    number, said = claim.number, claim.message or ""
    if topic == "claim.approved":
        return _approved(claim)
    if topic == "claim.resolved":
        return _resolved(claim)
    told = {
        "claim.submitted": f"Warranty claim {number} is with the shop.",
        "claim.asked": f"The shop has a question about warranty claim {number}: {said}",
        "claim.denied": f"Warranty claim {number} was not accepted. {said}",
        "claim.received": f"What you sent in for warranty claim {number} has arrived.",
        "claim.closed": f"Warranty claim {number} is {ClaimStatus(claim.status).value}. {said}",
    }
    return told[topic].strip()


def offered(claim: Claim) -> str:
    names = [_OFFERS[Resolution(one)] for one in claim.offers]
    return " or ".join(names)


def _approved(claim: Claim) -> str:
    parts = [f"Warranty claim {claim.number} is approved: you get {offered(claim)}.", claim.message or ""]
    if claim.resolution is None:
        parts.append("Please say which you would like.")
    elif claim.comes_back and claim.answer_by is not None:
        until = f"{claim.answer_by:%B} {claim.answer_by.day}"
        parts.append(f"The label to send it in is ready. Please send it by {until}.")
    return " ".join(part for part in parts if part)


def _resolved(claim: Claim) -> str:
    match claim.resolution:
        case Resolution.REFUND:
            return f"{Money(claim.amount, claim.currency)} of warranty claim {claim.number} is on its way back to you."
        case Resolution.REPLACEMENT:
            return f"Warranty claim {claim.number}: a replacement is being sent."
        case _:
            way = f" ({claim.back_carrier} {claim.back_number})" if claim.back_number else ""
            return f"Warranty claim {claim.number}: the repaired unit is on its way back{way}."
