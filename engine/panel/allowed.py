"""What staff may do to an order now, with what, and what of it one person may do alone; where not, why not."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import text
from sqlalchemy.orm import Session

from engine.approvals import money as gifts
from engine.approvals.policy import ApprovalsPolicy
from engine.approvals.replacing import given, replaceable
from engine.fulfillment.exceptions import made_up
from engine.kit.caps import cap
from engine.kit.errors import DomainError
from engine.kit.identity import Identity
from engine.kit.policies import policy_of
from engine.kit.tenancy import Tenant
from engine.kit.views import Price
from engine.mail import again
from engine.orders import queries
from engine.orders.changes.cancel import open_units
from engine.orders.changes.case import Case
from engine.orders.changes.quote import open_case
from engine.orders.changes.rules import check
from engine.orders.models import ChangeKind, Order, OrderLine, OrderStatus, ShipmentStatus
from engine.panel.cards import kept_units, next_units, refundable
from engine.panel.schemas import ActionView, Choice, LetterChoice, LineChoice, ParcelChoice
from engine.panel.wanted import REASONS
from engine.payments import refund_limits
from engine.returns import queries as returns
from engine.returns.taken import unanswered

_REASONS: Final = [Choice(code=code, text=words) for code, words in REASONS.items()]
_DESTINATIONS: Final = [
    Choice(code="original", text="The way it was paid"),
    Choice(code="store_credit", text="Store credit"),
]
_CONDITIONS: Final = {
    "unopened": "Unopened",
    "opened": "Opened",
    "used": "Used",
    "damaged": "Damaged",
}


@dataclass(frozen=True, slots=True)
class Look:
    """The order with everything that its actions ask about, read once."""

    session: Session
    identity: Identity
    order: Order
    case: Case
    policy: ApprovalsPolicy

    @property
    def parts(self) -> queries.Parts:
        return self.case.parts

    def price(self, amount: int) -> Price:
        return Price(amount=amount, currency=self.order.currency)

    def alone(self, caps: Any, used: int) -> Price | None:
        limit = cap(caps, self.order.currency)
        return None if limit is None else self.price(max(0, limit - used))


def actions(session: Session, identity: Identity, order: Order) -> list[ActionView]:
    """In a few statements, however many lines and parcels there are."""
    look = Look(
        session,
        identity,
        order,
        open_case(session, identity, order),
        policy_of(session, identity.tenant_id, ApprovalsPolicy),
    )
    return [make(look) for make in _ACTIONS]


def _refund(look: Look) -> ActionView:
    most = refundable(look.session, look.order, look.parts)
    money = look.case.money
    why = "" if most else _why_no_refund(money.held, money.contested, money.captured)
    lines = [_line(look, line, kept_units(line)) for line in look.parts.lines if kept_units(line) > 0]
    return ActionView(
        action="refund",
        title="Refund",
        allowed=most > 0,
        why_not=why,
        most=look.price(most),
        alone=_refund_alone(look),
        reasons=_REASONS,
        lines=lines,
        destinations=_DESTINATIONS,
    )


def _why_no_refund(held: int, contested: int, captured: int) -> str:
    if contested:
        return "The card's bank decides about a dispute first."
    if held and not captured:
        return "Nothing was taken yet: it is only set aside. Cancel units instead."
    return "Nothing is left that could be given back."


def _refund_alone(look: Look) -> Price | None:
    own = look.alone(look.policy.refund_limit, _given_alone(look))
    return _least(own, _payments_leave(look, look.order.currency, order_id=look.order.id))


def _least(*limits: Price | None) -> Price | None:
    """What all of the limits leave, each where there is one."""
    return min((one for one in limits if one), key=lambda one: one.amount, default=None)


def _payments_leave(
    look: Look, currency: str, *, order_id: str | None = None, buyer: str | None = None
) -> Price | None:
    """By the limits that refunds share with everything that is given away."""
    rest = refund_limits.left(
        look.session,
        look.order.tenant_id,
        order_id=order_id,
        currency=currency,
        actor=look.identity.id,
        buyer=buyer,
    )
    return None if rest is None else Price(amount=rest, currency=currency)


def _given_alone(look: Look) -> int:
    """What was given back on this order without an approval, as the limit counts it."""
    row = look.session.execute(
        text(gifts.MONEY), {"tenant_id": look.order.tenant_id, "order_id": look.order.id}
    ).mappings()
    return int(row.one()["alone"])


def _credit(look: Look) -> ActionView:
    own = look.alone(look.policy.goodwill_limit, gifts.credited(look.session, look.order))
    buyer = look.order.customer_id or look.order.owner_id
    alone = _least(own, _payments_leave(look, look.order.currency, buyer=buyer))
    return ActionView(action="credit", title="Store credit", allowed=True, alone=alone, reasons=_REASONS)


def _code(look: Look) -> ActionView:
    """In the shop's own currency, as codes are."""
    currency = look.session.get_one(Tenant, look.order.tenant_id).currency
    limit = cap(look.policy.discount_limit, currency)
    own = None if limit is None else Price(amount=limit, currency=currency)
    alone = _least(own, _payments_leave(look, currency))
    return ActionView(action="code", title="Courtesy code", allowed=True, alone=alone)


def _replacement(look: Look) -> ActionView:
    left = replaceable(look.session, look.order, look.parts.lines)
    lines = [_line(look, line, left[line.id]) for line in look.parts.lines if left[line.id]]
    return ActionView(
        action="replacement",
        title="Send a replacement",
        allowed=bool(lines),
        why_not="" if lines else "Nothing was sent that could be sent once more.",
        alone=look.alone(look.policy.replacement_limit, given(look.session, look.order)),
        reasons=_REASONS,
        lines=lines,
    )


def _lost(look: Look) -> ActionView:
    lost = [one for one in look.parts.shipments if one.status == ShipmentStatus.LOST and one.remedy is None]
    left = unanswered(look.session, look.order, look.parts.lines) if lost else {}
    open_ = [one for one in lost if made_up(one, left) == {}]
    why = "What was lost of it was made up for already." if lost else "No parcel of it is lost."
    return ActionView(
        action="lost_parcel",
        title="Lost parcel",
        allowed=bool(open_),
        why_not="" if open_ else why,
        parcels=[ParcelChoice(shipment_id=one.id, title=f"{one.carrier} {one.tracking_number}") for one in open_],
    )


def _return(look: Look) -> ActionView:
    found = returns.returnable_of(look.case)
    lines = [
        LineChoice(
            line_id=one.line_id,
            title=one.title,
            units=one.units_for_fault,
            worth=Price(amount=one.worth.amount // max(1, one.units_for_fault), currency=one.worth.currency),
        )
        for one in found.lines
        if one.units_for_fault
    ]
    told = found.message or next((one.message for one in found.lines if one.message), "")
    return ActionView(
        action="return",
        title="Start a return",
        allowed=found.possible and bool(lines),
        why_not="" if found.possible and lines else told or "Nothing of it has arrived yet.",
        alone=look.alone(look.case.policy.staff_refund_limit, 0),
        reasons=[Choice(code=one.code, text=one.text) for one in found.reasons],
        conditions=[Choice(code=one, text=_CONDITIONS.get(one, one.capitalize())) for one in found.conditions],
        destinations=[one for one in _DESTINATIONS if one.code in found.refund_to],
        lines=lines,
    )


def _cancel(look: Look) -> ActionView:
    units = open_units(look.case)
    lines = [_line(look, line, units[line.id]) for line in look.parts.lines if units[line.id]]
    why = _refusal(look, ChangeKind.CANCEL) or ("" if lines else "All of it was sent already.")
    policy = look.case.policy
    return ActionView(
        action="cancel",
        title="Cancel units",
        allowed=not why,
        why_not=why,
        alone=look.alone(policy.staff_refund_limit, 0),
        reasons=[Choice(code=one.code, text=one.text) for one in policy.cancel_reasons],
        destinations=[one for one in _DESTINATIONS if one.code in policy.refund_to],
        lines=lines,
    )


def _address(look: Look) -> ActionView:
    why = _refusal(look, ChangeKind.ADDRESS) or ("" if look.order.ship_to else "It has no address.")
    return ActionView(action="address", title="Change the address", allowed=not why, why_not=why)


def _refusal(look: Look, kind: ChangeKind) -> str:
    try:
        check(look.order, look.parts, look.case.policy, kind)
    except DomainError as refused:
        return refused.message
    return ""


def _letter(look: Look) -> ActionView:
    letters = [
        LetterChoice(mail_id=one.id, subject=one.subject, to=one.to_address, sent_at=one.sent_at)
        for one in again.sendable(look.session, look.order)
    ]
    why = "" if letters else "No letter was written about it that could go out again."
    return ActionView(action="letter", title="Send a letter again", allowed=bool(letters), why_not=why, letters=letters)


def _hold(look: Look) -> ActionView:
    open_ = look.order.status == OrderStatus.OPEN
    why = "" if open_ else f"It is {str(look.order.status).replace('_', ' ')}."
    return ActionView(action="hold", title="Hold", allowed=open_, why_not=why)


def _resume(look: Look) -> ActionView:
    held = look.order.status == OrderStatus.ON_HOLD
    return ActionView(action="resume", title="Resume", allowed=held, why_not="" if held else "It is not on hold.")


def _line(look: Look, line: OrderLine, units: int) -> LineChoice:
    worth = look.price(next_units(line, 1) if kept_units(line) > 0 else 0)
    detail = ", ".join(str(one) for one in line.options.values())
    return LineChoice(line_id=line.id, title=line.title, units=units, worth=worth, detail=detail)


_ACTIONS: Final[Sequence[Callable[[Look], ActionView]]] = (
    _refund,
    _replacement,
    _return,
    _cancel,
    _address,
    _credit,
    _code,
    _lost,
    _letter,
    _hold,
    _resume,
)
