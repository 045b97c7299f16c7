"""Applying a change: every row it moves, in one transaction and one fixed order of locks.

The caller holds the locks of the consent and of the order; money comes next, then lines, then stock.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from sqlalchemy.orm import Session

from engine.finance import service as finance
from engine.finance.models import Account
from engine.inventory import service as inventory
from engine.inventory.items import Recipe
from engine.kit import audit, clock, outbox
from engine.kit.direct import Statement
from engine.kit.gathering import ask, put
from engine.kit.money import Money
from engine.orders import service
from engine.orders.changes.charge import waiting
from engine.orders.changes.effect import Effect
from engine.orders.changes.views import effect_of
from engine.orders.documents.paper import RateBook
from engine.orders.models import (
    AdjustmentKind,
    ChangeKind,
    ChangeStatus,
    Order,
    OrderChange,
    OrderLine,
    OrderStatus,
)
from engine.orders.partners import in_hands
from engine.orders.rates import Piece, moved
from engine.orders.states import CHANGE
from engine.payments import captures, refunds, voids
from engine.payments.models import PaymentStatus, Refund
from engine.returns import opening

_ADJUSTMENT = {
    ChangeKind.CANCEL: AdjustmentKind.CANCEL,
    ChangeKind.ITEMS: AdjustmentKind.ITEMS,
    ChangeKind.ADDRESS: AdjustmentKind.SHIPPING,
    ChangeKind.PAYMENT_METHOD: AdjustmentKind.PAYMENT_METHOD,
}
_DONE = {
    ChangeKind.CANCEL: "Canceled.",
    ChangeKind.ITEMS: "The items were changed.",
    ChangeKind.ADDRESS: "It goes to the new address.",
    ChangeKind.PAYMENT_METHOD: "It is paid the new way.",
}


_HELD: Final = Statement(f"""
SELECT id FROM app.payments WHERE tenant_id = %(tenant)s AND order_id = %(order)s AND void_requested_at IS NULL
  AND status IN ('{PaymentStatus.AUTHORIZED.value}', '{PaymentStatus.PARTIALLY_CAPTURED.value}')
ORDER BY id
""")  # noqa: S608 (our own)


@dataclass(frozen=True, slots=True)
class Applied:
    """What is written and still to be carried out at gateways; when nobody does, the payments' own jobs do."""

    refund_ids: tuple[str, ...] = ()
    void_ids: tuple[str, ...] = ()
    capture_ids: tuple[str, ...] = ()


NOTHING: Final = Applied()


def apply(
    session: Session, order: Order, change: OrderChange, *, payment_id: str | None = None, word: str | None = None
) -> Applied:
    """Make the change true. ``payment_id`` is the payment that was taken for it and holds its new units; ``word`` lifts
    the limits of a refund where no approval and no consent does.

    Raises ``OutOfStock``, ``NotReserved`` and what refunds refuse; then the transaction must not commit.
    """
    effect = effect_of(change)
    if effect.kind == ChangeKind.RETURN:
        return Applied(opening.open_return(session, order, change, effect, word=word), ())
    with session.no_autoflush:  # it reads of payments only, and ends with a flush
        back = _refund(session, order, change, effect, word)
    lines = {line.id: line for line in service.lines_of(session, order)}
    book = RateBook.of(session, order, list(lines.values()))
    before = book.pieces(order, list(lines.values()))
    variants = {one.variant_id for one in effect.ended} | {one.variant_id for one in effect.added}
    made_of = inventory.lock_stock(session, order.tenant_id, variants) if variants else {}
    _add_lines(session, order, change, effect, lines, payment_id, made_of)
    _end_units(session, order, change, effect, lines)
    for line_id, tax in effect.taxes.items():
        lines[line_id].tax, lines[line_id].taxes = tax, effect.tax_parts.get(line_id, [])
    kept = service.lines_of(session, order) if effect.added else list(lines.values())
    taken = _take_held(session, order, effect, payment_id)
    with session.no_autoflush:  # from here on nothing is read: the rows are written together
        _set_order(order, effect)
        _book(session, order, change, effect, back, moved(before, book.pieces(order, kept)))
        change.status = CHANGE.check(change.status, ChangeStatus.APPLIED)
        change.applied_at = clock.now()
        change.message = _done(order, change, effect)
        service.touch(order)
        _tell(session, order, change, effect)
        service.end_if_done(session, order, kept, actor=change.requested_by)
        session.flush()
    return Applied(tuple(row.id for row in back), tuple(_let_go(session, order, change, effect)), taken)


def _done(order: Order, change: OrderChange, effect: Effect) -> str:
    words = _DONE[change.kind]
    if not effect.bank_gave:
        return words
    gave, back = Money(effect.bank_gave, order.currency), Money(effect.refund, order.currency)
    rest = f"{back} goes back now" if effect.refund else "nothing is left to give back"
    return f"{words} The card's bank gave back {gave} of it before; {rest}."


def _take_held(session: Session, order: Order, effect: Effect, payment_id: str | None) -> tuple[str, ...]:
    """What was set aside for a charge until whoever had the goods agreed is asked for now."""
    if payment_id is None or not (effect.charge and effect.sets_aside):
        return ()
    taken = captures.request(
        session,
        order.tenant_id,
        payment_id=payment_id,
        amount=effect.charge,
        tax=effect.charge_tax,
        final=True,
        reason="change",
    )
    return (taken.id,)


def _let_go(session: Session, order: Order, change: OrderChange, effect: Effect) -> list[str]:
    """Money that is held for an order of which nothing is left, or that another method holds now, is asked for no more;
    the payments it is held by.
    """
    if effect.hold and effect.old_payment_id:
        voids.request(session, order.tenant_id, payment_id=effect.old_payment_id, actor=change.requested_by)
        return [effect.old_payment_id]
    if order.status != OrderStatus.CANCELED:
        return []
    rows = [row["id"] for row in ask(session, _HELD, {"tenant": order.tenant_id, "order": order.id})]
    for payment_id in rows:
        voids.request(session, order.tenant_id, payment_id=payment_id, actor=change.approved_by or change.requested_by)
    return rows


def try_refund(session: Session, order: Order, change: OrderChange) -> None:
    """Raises what will refuse the refund of a change before anything is charged for it; writes nothing."""
    with session.begin_nested() as trial:
        _refund(session, order, change, effect_of(change), None)
        trial.rollback()


def _refund(session: Session, order: Order, change: OrderChange, effect: Effect, word: str | None) -> list[Refund]:
    """What was never sent was never earned: all of a refund without its tax is still owed to the customer."""
    if not effect.refund:
        return []
    return refunds.request(
        session,
        order.tenant_id,
        order_id=order.id,
        amount=effect.refund,
        tax=effect.refund_tax,
        unearned=effect.refund - effect.refund_tax,
        reason=f"change:{change.kind}",
        destination=effect.refund_to,
        account_id=effect.refund_account,
        requested_by=change.approved_by or change.requested_by,
        payment_id=effect.old_payment_id,
        change_id=change.id,
        approved=change.approval_id or change.consent_id or word,
    )


def _add_lines(
    session: Session,
    order: Order,
    change: OrderChange,
    effect: Effect,
    lines: dict[str, OrderLine],
    payment_id: str | None,
    made_of: Mapping[str, Recipe],
) -> None:
    """New lines with their stock: held by the payment since it began, or taken now."""
    if not effect.added:
        return
    position = max(line.position for line in lines.values())
    rows = [
        {
            "tenant_id": order.tenant_id,
            "id": line_id,
            "order_id": order.id,
            "position": position + place,
            "product_id": one.product_id,
            "variant_id": one.variant_id,
            "sku": one.sku,
            "title": one.title,
            "options": one.options,
            "unit_price": one.unit_price,
            "unit_cost": one.unit_cost,
            "ordered": one.quantity,
            "allocated": one.now,
            "discount": one.discount,
            "tax": one.tax,
            "taxes": one.taxes,
            "tax_included": one.tax_included,
            "components": one.components,
            "change_id": change.id,
            "replaces_line_id": one.replaces_line_id,
        }
        for place, (line_id, one) in enumerate(zip(change.quote["line_ids"], effect.added, strict=True), start=1)
    ]
    put(session, OrderLine, rows)
    if payment_id is not None:
        inventory.commit(session, order.tenant_id, payment_id)
        return
    region = (order.ship_to or {}).get("state", "")
    added = list(zip(change.quote["line_ids"], effect.added, strict=True))
    for line_id, one in added:
        if not one.now:
            continue
        inventory.hold_line(
            session,
            order.tenant_id,
            order_line_id=line_id,
            order_id=order.id,
            variant_id=one.variant_id,
            quantity=one.now,
            region=region,
            subject=change.id,
            made_of=made_of.get(one.variant_id),
        )
    inventory.open_backorders(session, order.tenant_id, waiting(order.id, added))


def _end_units(
    session: Session, order: Order, change: OrderChange, effect: Effect, lines: dict[str, OrderLine]
) -> None:
    released = [one.line_id for one in effect.ended if lines[one.line_id].released]
    kept = in_hands(session, order.tenant_id, released)
    units = {one.line_id: one.quantity for one in effect.ended}
    freed = inventory.free_lines(session, order.tenant_id, units, subject=change.id, keep=kept) if units else {}
    for one in effect.ended:
        lines[one.line_id].allocated -= freed[one.line_id]
        lines[one.line_id].canceled += one.quantity


def _set_order(order: Order, effect: Effect) -> None:
    order.shipping, order.shipping_tax = effect.shipping, effect.shipping_tax
    if effect.order_taxes is not None:
        order.taxes = effect.order_taxes
    if effect.ship_to is not None:
        order.ship_to = effect.ship_to
    if effect.fulfillment is not None:
        order.fulfillment = effect.fulfillment
    if effect.kind == ChangeKind.ITEMS:
        order.items_changed_at = clock.now()
    if effect.reason is not None:
        order.cancel_reason = effect.reason


def _book(
    session: Session, order: Order, change: OrderChange, effect: Effect, back: list[Refund], rates: list[Piece]
) -> None:
    service.adjust(
        session,
        order,
        kind=_ADJUSTMENT[change.kind],
        amount=effect.amount - effect.kept_fee,
        tax=effect.tax,
        change_id=change.id,
        refund_id=back[0].id if len(back) == 1 else None,
        rates=rates,
    )
    if effect.kept_fee:
        service.adjust(session, order, kind=AdjustmentKind.FEE, amount=effect.kept_fee, tax=0, change_id=change.id)
    if effect.bank_gave:
        service.adjust(session, order, kind=AdjustmentKind.DISPUTE, amount=effect.bank_gave, tax=0, change_id=change.id)
    if effect.absorbed:
        service.adjust(
            session,
            order,
            kind=AdjustmentKind.GOODWILL,
            amount=effect.absorbed,
            tax=effect.absorbed_tax,
            change_id=change.id,
        )
    _post(session, order, change, effect)


def _post(session: Session, order: Order, change: OrderChange, effect: Effect) -> None:
    """What moves in the books without money to carry it."""
    for kind, account, amount in (
        ("goodwill_absorbed", Account.SALES_RETURNS, effect.moved_returns),
        ("exchange_fee", Account.RETURN_FEES, effect.kept_fee),
        ("dispute_absorbed", Account.DISPUTE_LOSSES, effect.bank_gave),
        ("order_retaxed", Account.TAX_PAYABLE, effect.moved_tax),
    ):
        finance.post(
            session,
            order.tenant_id,
            kind=kind,
            subject=change.id,
            currency=order.currency,
            amounts={Account.CUSTOMER_DEPOSITS: amount, account: -amount},
            order_id=order.id,
        )


def _tell(session: Session, order: Order, change: OrderChange, effect: Effect) -> None:
    facts = {
        "change": change.id,
        "kind": str(change.kind),
        "amount": effect.amount,
        "charge": effect.charge,
        "refund": effect.refund,
        "consent": change.consent_id,
        "approved_by": change.approved_by,
        "reason": change.reason,
    }
    audit.record(
        session,
        order.tenant_id,
        actor=change.approved_by or change.requested_by,
        action="order.changed",
        subject=order.id,
        facts=facts,
    )
    payload = {"change_id": change.id, "kind": str(change.kind), "thread_id": order.thread_id}
    outbox.emit(session, order.tenant_id, "order.changed", order.id, payload)
