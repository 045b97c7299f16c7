"""Which event is told by which letter, to whom and with which facts: a function for each topic, a key used once."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Final

from sqlalchemy.orm import Session

from engine.customers import codes
from engine.digital import access
from engine.fulfillment.carriers import DIGITAL
from engine.fulfillment.work import way_of_parcel
from engine.kit import envelope
from engine.kit.money import format_minor
from engine.kit.outbox import OutboxRow
from engine.kit.policies import policy_of
from engine.kit.tenancy import Tenant
from engine.mail import facts, tongues
from engine.orders import queries
from engine.orders.models import ChangeKind, ChangeStatus, Order, OrderChange, OrderStatus, Shipment
from engine.orders.policy import OrdersPolicy
from engine.orders.queries import Parts
from engine.payments.models import Payment, Refund
from engine.runtime import Runtime
from engine.staff import letters as staff_letters

_GATHERED: Final = "orders of these letters"
_SHOP: Final = "shop of these letters"
"""What a session holds on to while a batch is written."""


@dataclass(frozen=True, slots=True)
class Draft:
    """A letter to be written: ``key`` says what it is about, within its topic."""

    template: str
    key: str
    to: str
    data: Mapping[str, Any] = field(repr=False)
    customer_id: str | None = None
    expires_at: datetime | None = None
    secret: bool = False
    language: str = ""


Write = Callable[[Session, Runtime, OutboxRow], Draft | None]


def gather(session: Session, tenant_id: str, rows: Sequence[OutboxRow]) -> None:
    """Read the orders of a batch at once: its letters find them with the session."""
    orders = queries.gather(session, tenant_id, [row.subject_id for row in rows])
    parts = queries.parts_of(session, tenant_id, [order.id for order in orders])
    waits = facts.that_wait(session, tenant_id, [order.id for order in orders])
    spoken = tongues.spoken_in(session, tenant_id, {order.thread_id for order in orders if order.thread_id})
    session.info[_GATHERED] = {
        order.id: _Seen(order, parts[order.id], order.id in waits, spoken.get(order.thread_id or "", ""))
        for order in orders
    }
    session.info[_SHOP] = session.get(Tenant, tenant_id)


def draft(session: Session, runtime: Runtime, row: OutboxRow) -> Draft | None:
    """The letter an event is told by; ``None`` when nobody is to be written to about it."""
    return LETTERS[row.topic](session, runtime, row)


@dataclass(frozen=True, slots=True)
class _Seen:
    order: Order
    parts: Parts
    waits: bool = True
    """Whether units of it may be sold ahead of their stock."""
    language: str = ""
    """Which its shopper speaks."""

    @property
    def facts(self) -> dict[str, Any]:
        return {"order": facts.of_order(self.order, due=self.parts.money(self.order).due)}

    def draft(self, template: str, key: str, **data: Any) -> Draft | None:
        to = str(self.order.buyer.get("email") or "")
        if not to:
            return None
        told = self.facts | data
        return Draft(template, key, to, told, customer_id=self.order.customer_id, language=self.language)


def _seen(session: Session, row: OutboxRow, order_id: str | None = None) -> _Seen | None:
    order_id = order_id or row.subject_id
    known: _Seen | None = session.info.get(_GATHERED, {}).get(order_id)
    order = known.order if known else session.get(Order, (row.tenant_id, order_id))
    if order is None or order.placed_at is None:
        return None
    if known is not None:
        return known
    spoken = tongues.spoken_in(session, row.tenant_id, [order.thread_id]) if order.thread_id else {}
    parts = queries.parts_of(session, row.tenant_id, [order.id])[order.id]
    return _Seen(order, parts, language=spoken.get(order.thread_id or "", ""))


def _paid(session: Session, _runtime: Runtime, row: OutboxRow) -> Draft | None:
    seen = _seen(session, row)
    if seen is None:
        return None
    order, lines = seen.order, seen.parts.lines
    bought = facts.items([line for line in lines if line.change_id is None], order.currency, _ordered(lines))
    tables = {"items": bought, "totals": facts.totals(order)} | _waiting(session, seen)
    return seen.draft("order_confirmation", order.id, order=facts.of_order(order), tables=tables)


def _allocated(session: Session, _runtime: Runtime, row: OutboxRow) -> Draft | None:
    """Stock may come in parts: each of them is an event of its own."""
    seen = _seen(session, row)
    if seen is None:
        return None
    key = f"{seen.order.id}|{row.id}"
    return seen.draft("order_allocated", key, units=row.payload["units"], tables=_waiting(session, seen))


def _shipped(session: Session, _runtime: Runtime, row: OutboxRow) -> Draft | None:
    return _parcel(session, row, "order_shipped")


def _delivered(session: Session, runtime: Runtime, row: OutboxRow) -> Draft | None:
    """What has no parcel comes with its letter."""
    shipment = session.get(Shipment, (row.tenant_id, row.payload["shipment_id"]))
    if shipment is not None and shipment.carrier == DIGITAL:
        return _given(session, runtime, row, shipment)
    return _parcel(session, row, "order_delivered")


def _given(session: Session, runtime: Runtime, row: OutboxRow, shipment: Shipment) -> Draft | None:
    """Nobody reads it here, and it is gone once it was sent: it holds what opens what was bought."""
    seen = _seen(session, row)
    if seen is None:
        return None
    found = access.of_orders(session, runtime.secret_key, row.tenant_id, [seen.order.id]).get(seen.order.id, [])
    mine = [one for one in found if one.shipment_id == shipment.id and one.revoked_at is None]
    told = seen.draft("digital_delivery", shipment.id, notes=facts.notes(mine), tables={"given": facts.given(mine)})
    return replace(told, secret=True) if told and mine else None


def _parcel(session: Session, row: OutboxRow, template: str) -> Draft | None:
    seen = _seen(session, row)
    shipment = session.get(Shipment, (row.tenant_id, row.payload["shipment_id"]))
    if seen is None or shipment is None:
        return None
    units = {line["order_line_id"]: line["quantity"] for line in shipment.lines}
    goods = facts.items(seen.parts.lines, seen.order.currency, units)
    parcel = facts.parcel(shipment, seen.parts.lines)
    order = seen.facts["order"] | {"place": facts.place_of(way_of_parcel(session, seen.order, shipment))}
    return seen.draft(template, shipment.id, order=order, parcel=parcel, tables={"items": goods})


def _refunded(session: Session, _runtime: Runtime, row: OutboxRow) -> Draft | None:
    refund = session.get(Refund, (row.tenant_id, row.payload["refund_id"]))
    seen = _seen(session, row, refund.order_id) if refund and refund.order_id else None
    if refund is None or seen is None:
        return None
    payment = session.get_one(Payment, (row.tenant_id, refund.payment_id))
    told = {"amount": format_minor(refund.amount, refund.currency), "to": facts.paid_back_to(payment, refund)}
    return seen.draft("refund", refund.id, refund=told)


def _canceled(session: Session, _runtime: Runtime, row: OutboxRow) -> Draft | None:
    seen = _seen(session, row)
    if seen is None:
        return None
    order, money = seen.order, seen.parts.money(seen.order)
    back = money.refunded + money.refunding
    words = policy_of(session, row.tenant_id, OrdersPolicy).reason_text(order.cancel_reason or "")
    returned = format_minor(back, order.currency) if back else ""
    return seen.draft("order_canceled", order.id, reason=words or "", returned=returned)


def _changed(session: Session, _runtime: Runtime, row: OutboxRow) -> Draft | None:
    """Of a change that canceled the whole order, the letter about that tells it all."""
    seen, change = _seen(session, row), session.get(OrderChange, (row.tenant_id, row.payload["change_id"]))
    if seen is None or change is None:
        return None
    if change.status == ChangeStatus.REFUSED:
        return _not_changed(seen, change)
    if change.status != ChangeStatus.APPLIED or change.kind == ChangeKind.NOTE:
        return None
    if seen.order.status == OrderStatus.CANCELED:
        return None
    money = seen.parts.money(seen.order)
    told = facts.change(change, money, seen.order.currency)
    goods = {"items": facts.items(seen.parts.lines, seen.order.currency)}
    return seen.draft("order_changed", change.id, change=told, tables=goods)


def _change_failed(session: Session, _runtime: Runtime, row: OutboxRow) -> Draft | None:
    seen, change = _seen(session, row), session.get(OrderChange, (row.tenant_id, row.payload["change_id"]))
    return _not_changed(seen, change) if seen and change else None


def _not_changed(seen: _Seen, change: OrderChange) -> Draft | None:
    told = facts.change(change, seen.parts.money(seen.order), seen.order.currency)
    return seen.draft("order_change_failed", change.id, change=told)


def _return_label(session: Session, _runtime: Runtime, row: OutboxRow) -> Draft | None:
    """Subject: the return. Payload: ``order_id``, ``number`` and, where there are some, ``instructions``."""
    seen = _seen(session, row, row.payload["order_id"])
    if seen is None:
        return None
    told = {"number": row.payload["number"], "instructions": row.payload.get("instructions", "")}
    return seen.draft("return_label", row.subject_id, **{"return": told})


def _claim(session: Session, _runtime: Runtime, row: OutboxRow) -> Draft | None:
    """What the shop says of a warranty claim, in the words of that moment."""
    seen = _seen(session, row, row.payload["order_id"])
    if seen is None:
        return None
    told = {"number": row.payload["number"], "words": row.payload["words"]}
    return seen.draft("warranty_decision", f"{row.subject_id}|{row.id}", claim=told)


def _code(session: Session, runtime: Runtime, row: OutboxRow) -> Draft | None:
    """What the customers' room says of a code; nothing when it is over or was used."""
    letter = codes.letter(session, runtime, row)
    if letter is None:
        return None
    minutes = round((letter.expires_at - row.created_at).total_seconds()) // 60
    data = {"code": letter.code, "minutes": minutes}
    spoken = tongues.spoken_by(session, row.tenant_id, letter.shopper_id)
    told = Draft("email_code", row.subject_id, letter.to, data, expires_at=letter.expires_at, secret=True)
    return replace(told, language=spoken)


def _staff_code(session: Session, runtime: Runtime, row: OutboxRow) -> Draft | None:
    """The code that one of the shop's people signs in by; nothing when it is over or was used."""
    letter = staff_letters.code(session, runtime, row)
    if letter is None:
        return None
    data = {"code": letter.code, "minutes": letter.minutes}
    return Draft("staff_code", row.subject_id, letter.to, data, expires_at=letter.expires_at, secret=True)


def _staff_invite(session: Session, runtime: Runtime, row: OutboxRow) -> Draft | None:
    """The link that lets somebody in; nothing when it was used, or a newer one was made."""
    letter = staff_letters.invitation(session, runtime, row)
    if letter is None:
        return None
    key, data = f"{row.subject_id}|{row.id}", letter.facts
    return Draft("staff_invite", key, letter.to, data, expires_at=letter.expires_at, secret=True)


def _gift_card(_session: Session, runtime: Runtime, row: OutboxRow) -> Draft:
    """Subject: the account. Payload: ``email``, ``sealed``, ``amount``, ``currency``, ``expires_on``, ``message``."""
    data = {
        "code": _opened(runtime, row),
        "amount": format_minor(row.payload["amount"], row.payload["currency"]),
        "expires_on": row.payload.get("expires_on") or "",
        "message": row.payload.get("message") or "",
    }
    return Draft("gift_card", row.subject_id, row.payload["email"], data, secret=True)


def _opened(runtime: Runtime, row: OutboxRow) -> str:
    return envelope.open_code(runtime.secret_key, row.tenant_id, row.topic, row.subject_id, row.payload["sealed"])


def _ordered(lines: list[Any]) -> dict[str, int]:
    return {line.id: line.ordered for line in lines}


def _waiting(session: Session, seen: _Seen) -> dict[str, Any]:
    if not seen.waits:
        return {}
    table = facts.waiting(session, seen.order, seen.parts.lines)
    return {"waiting": table} if table["rows"] else {}


LETTERS: Final[Mapping[str, Write]] = {
    "order.paid": _paid,
    "order.allocated": _allocated,
    "order.shipped": _shipped,
    "order.delivered": _delivered,
    "refund.succeeded": _refunded,
    "order.canceled": _canceled,
    "order.changed": _changed,
    "order.change_failed": _change_failed,
    "return.label_ready": _return_label,
    "claim.asked": _claim,
    "claim.approved": _claim,
    "claim.denied": _claim,
    "customer.code_requested": _code,
    "staff.code_requested": _staff_code,
    "staff.invited": _staff_invite,
    "gift_card.issued": _gift_card,
}
