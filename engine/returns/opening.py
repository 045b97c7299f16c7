"""Making an agreed return true: its rows, its label, the goods kept for an exchange, and money where none need come."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import timedelta
from typing import Final

from sqlalchemy import select
from sqlalchemy.orm import Session

from engine.kit import audit, clock
from engine.kit.direct import Row, Statement
from engine.kit.gathering import Wanted, fetch
from engine.kit.ids import new_id
from engine.kit.policies import policy_of
from engine.orders import service as orders
from engine.orders.changes.effect import Added, Effect
from engine.orders.models import AdjustmentKind, ChangeKind, ChangeStatus, Order, OrderChange
from engine.orders.rates import weighed
from engine.orders.states import CHANGE
from engine.returns import goods, news, parcel, rates, settling
from engine.returns.errors import ReturnRefused
from engine.returns.models import Return, ReturnKind, ReturnLine, ReturnStatus
from engine.returns.policy import ReturnsPolicy
from engine.returns.states import RETURN, finish
from engine.returns.taken import keep_prices, parts_of

WAITING: Final = "The shop looks at it first. Nothing needs to be sent, and nothing is charged, until it says yes."

_BEFORE: Final = Statement(
    "SELECT count(*) AS before FROM app.returns WHERE tenant_id = %(tenant)s AND order_id = %(order)s"
)
_PLACE: Final = Statement("""
SELECT l.id FROM app.locations l WHERE l.tenant_id = %(tenant)s AND (%(code)s = '' OR l.code = %(code)s)
ORDER BY l.ships DESC, l.position LIMIT 1
""")
_MAY_HAVE_WAITED: Final = frozenset({ChangeStatus.REQUESTED, ChangeStatus.CHARGING})
"""States of a change whose return somebody of the shop may have looked at first."""


def wait_for_review(session: Session, order: Order, change: OrderChange, effect: Effect) -> None:
    """The shopper has agreed; somebody of the shop decides."""
    change.status = CHANGE.check(change.status, ChangeStatus.REQUESTED)
    change.message = WAITING
    row = _write(session, order, change, effect, _new(session, order, change, effect))
    orders.touch(order)
    news.tell(session, order, row, "return.requested")


def open_return(
    session: Session, order: Order, change: OrderChange, effect: Effect, *, word: str | None = None
) -> tuple[str, ...]:
    """Approve the return that was agreed to; the refunds to carry out. ``word`` lifts the limits of a refund.

    The caller holds the locks of the consent and of the order. Raises ``OutOfStock`` and what refunds refuse.
    """
    waited = of_change(session, change) if change.status in _MAY_HAVE_WAITED else None
    with session.no_autoflush:  # what is decided and what comes of it are written together
        row = waited or _new(session, order, change, effect)
    row.status = RETURN.check(row.status, ReturnStatus.APPROVED)
    row.approved_by, row.approval_id = change.approved_by, change.approval_id
    row.approved_at = clock.now()
    row.expires_at = clock.now() + timedelta(days=effect.terms.send_within_days if effect.terms else 0)
    if not row.keep:
        with session.no_autoflush:
            parcel.label(session, row, _units(effect))
    change.status = CHANGE.check(change.status, ChangeStatus.APPLIED)
    change.applied_at = clock.now()
    change.message = "The goods can be kept." if row.keep else "It can be sent back."
    orders.touch(order)
    if waited is None:
        _write(session, order, change, effect, row)
    orders.adjust(
        session,
        order,
        kind=AdjustmentKind.RETURN,
        amount=effect.charge,
        tax=effect.charge_tax,
        change_id=change.id,
        return_id=row.id,
        rates=weighed(effect.charge - effect.charge_tax, effect.charge_tax, rates.of_added(effect.added)),
    )
    if effect.added:
        ids = list(change.quote["line_ids"])
        goods.set_aside(session, order, row, dict(zip(ids, effect.added, strict=True)), held=bool(effect.charge))
    session.flush()
    _tell(session, order, change, row)
    if row.keep:
        return settling.settle_kept(session, order, row, word=change.approval_id or change.consent_id or word)
    parcel.tell_label(session, order, row)
    return ()


def _units(effect: Effect) -> dict[str, int]:
    """Variant → units of it that come back."""
    units: dict[str, int] = {}
    for one in effect.returned:
        units[one.variant_id] = units.get(one.variant_id, 0) + one.quantity
    return units


def charge_failed(session: Session, order: Order, change: OrderChange, words: str) -> None:
    """The difference of an exchange that the shop has said yes to could not be paid: it has ended, and its units can
    come back another way.
    """
    row = of_change(session, change) if change.kind == ChangeKind.RETURN else None
    if row is not None and row.status == ReturnStatus.REQUESTED:
        finish(row, ReturnStatus.CANCELED, words)
        orders.touch(order)
        audit.record(session, row.tenant_id, actor="system", action="return.canceled", subject=row.id)
        news.tell(session, order, row, "return.closed")


def of_change(session: Session, change: OrderChange) -> Return | None:
    """The return that a change has opened, locked."""
    query = select(Return).where(Return.tenant_id == change.tenant_id, Return.change_id == change.id)
    return session.scalars(query.with_for_update().execution_options(populate_existing=True)).first()


def _new(session: Session, order: Order, change: OrderChange, effect: Effect) -> Return:
    """Not written yet."""
    terms = effect.terms
    assert terms is not None
    of_order = {"tenant": order.tenant_id, "order": order.id}
    (before,), places = fetch(session, (_BEFORE, of_order), _taking_back(session, order.tenant_id))
    return Return(
        tenant_id=order.tenant_id,
        id=new_id("return"),
        number=f"{order.number}-R{before['before'] + 1}",
        order_id=order.id,
        change_id=change.id,
        kind=ReturnKind.EXCHANGE if effect.added else ReturnKind.RETURN,
        status=ReturnStatus.REQUESTED,
        requested_by=change.requested_by,
        refund_to=effect.refund_to,
        refund_account=effect.refund_account,
        refund_at=terms.refund_at,
        keep=terms.keep,
        credit=terms.credit,
        credit_tax=terms.credit_tax,
        fee=terms.fee,
        replacement=terms.replacement,
        replacement_tax=terms.replacement_tax,
        charge=effect.charge,
        charge_tax=effect.charge_tax,
        to_charge=terms.to_charge,
        to_charge_tax=terms.to_charge_tax,
        pays_with=effect.method.model_dump(mode="json") if effect.method and terms.to_charge else None,
        refund=terms.refund,
        location_id=_place_of(places),
        expires_at=change.expires_at,
        version=1,
    )


def _write(session: Session, order: Order, change: OrderChange, effect: Effect, row: Return) -> Return:
    session.add(row)
    session.flush()
    session.add_all(_lines(row, change, effect))
    _keep_prices(session, order, effect)
    session.flush()
    return row


def _lines(row: Return, change: OrderChange, effect: Effect) -> list[ReturnLine]:
    same = ("component_variant_id", "title", "quantity", "reason", "condition", "goods", "discount", "tax", "shipping")
    more = ("shipping_tax", "fee", "waived_fee", "withheld", "withheld_tax")
    added: Iterator[tuple[str, Added]] = iter(zip(change.quote["line_ids"], effect.added, strict=True))
    whole = len(effect.added) == len(effect.returned)
    replaced = [next(added) if whole or one.exchanged else None for one in effect.returned]
    return [
        ReturnLine(
            tenant_id=row.tenant_id,
            id=new_id("return_line"),
            return_id=row.id,
            order_line_id=one.line_id,
            position=position,
            exchange={"line_id": new[0]} | new[1].model_dump(mode="json") if new else None,
            **{name: getattr(one, name) for name in (*same, *more)},
        )
        for position, (one, new) in enumerate(zip(effect.returned, replaced, strict=True))
    ]


def _keep_prices(session: Session, order: Order, effect: Effect) -> None:
    broken = {one.line_id for one in effect.returned if one.component_variant_id}
    if broken:
        for line in orders.lines_of(session, order):
            if line.id in broken:
                keep_prices(line, parts_of(session, line))


def return_place(session: Session, tenant_id: str) -> str:
    """Where the shop takes goods back. Raises ``ReturnRefused`` when it has no such place."""
    return _place_of(*fetch(session, _taking_back(session, tenant_id)))


def _taking_back(session: Session, tenant_id: str) -> Wanted:
    code = policy_of(session, tenant_id, ReturnsPolicy).return_to
    return _PLACE, {"tenant": tenant_id, "code": code or ""}


def _place_of(rows: Sequence[Row]) -> str:
    if not rows:
        raise ReturnRefused("The shop has no place that takes goods back.")
    return str(rows[0]["id"])


def _tell(session: Session, order: Order, change: OrderChange, row: Return) -> None:
    facts = {"return": row.id, "change": change.id, "credit": row.credit, "fee": row.fee, "refund": row.refund}
    facts |= {"charge": row.charge, "consent": change.consent_id, "approved_by": change.approved_by}
    actor = change.approved_by or change.requested_by
    audit.record(session, order.tenant_id, actor=actor, action="return.approved", subject=row.id, facts=facts)
    news.tell(session, order, row, "return.approved")
