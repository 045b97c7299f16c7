"""Canceling an order, or what of it has not been shipped."""

from __future__ import annotations

from engine.orders import shares
from engine.orders.changes.case import Case, effect_of
from engine.orders.changes.effect import Effect, Ended
from engine.orders.changes.rules import RETURN_PATH
from engine.orders.changes.wanted import CancelWanted
from engine.orders.errors import ChangeRefused, CountMismatch, InvalidReason, NothingToChange, WrongStatus
from engine.orders.models import ChangeKind, OrderLine
from engine.orders.policy import OrdersPolicy
from engine.returns import waived
from engine.returns.taken import unanswered


def work_out(case: Case, wanted: CancelWanted) -> Effect:
    """What comes back for it. The shipping fee comes back when nothing of the order was or will be shipped; of what was
    had in exchange the restocking fee is kept that the exchange waived: all of it where the shopper cancels, as far as
    what comes back goes where the shop does.

    Raises ``InvalidReason``, ``WrongStatus``, ``CountMismatch``, ``ChangeRefused``, ``NothingToChange``.
    """
    lines = case.parts.lines
    units = open_units(case)
    began = any(line.shipped for line in lines)
    if not any(units.values()) or (began and not case.policy.cancel_after_shipping_began):
        raise WrongStatus(RETURN_PATH)
    if case.policy.reason_text(wanted.reason) is None:
        raise InvalidReason([reason.code for reason in case.policy.cancel_reasons])
    asked = _asked(wanted, units)
    if asked != {key: count for key, count in units.items() if count} and not case.policy.cancel_in_part:
        raise ChangeRefused("In this shop an order is canceled as a whole or not at all.")
    ended = [end_units(line, asked[line.id], case.policy) for line in lines if asked.get(line.id)]
    worth = sum((shares.last_canceled(line, asked[line.id]) for line in lines if asked.get(line.id)), shares.NOTHING)
    carried = [line for line in lines if not line.digital] or lines
    nothing_left = all(line.ordered - line.canceled == asked.get(line.id, 0) for line in carried)
    order = case.order
    fee = shares.Worth(order.shipping, 0, order.shipping_tax) if nothing_left else shares.NOTHING
    back = worth + fee
    ends = [(one.line_id, one.quantity) for one in ended]
    kept = waived.fees_of(case.session, lines, case.parts.applied, ends)
    if case.identity.is_staff:
        kept = waived.within(kept, back.total)
    return effect_of(
        case,
        ChangeKind.CANCEL,
        amount=sum(fee for _, fee in kept.values()) - back.total,
        tax=-back.tax,
        refund_to=wanted.refund_to,
        ended=tuple(ended),
        kept_fees=kept,
        shipping=order.shipping - fee.goods,
        shipping_tax=order.shipping_tax - fee.tax,
        reason=wanted.reason,
    )


def end_units(line: OrderLine, quantity: int, policy: OrdersPolicy) -> Ended:
    """Units of a line that end: those nobody has in hand first.

    Raises ``CountMismatch`` when the line has not so many unshipped ones, ``WrongStatus`` when a warehouse has them
    in hand and the shop does not ask for them back.
    """
    if quantity > _unshipped(line):
        raise CountMismatch(f"Of {line.title} only {_unshipped(line)} can still be changed.")
    at_partner = max(0, quantity - (line.ordered - line.canceled - line.released))
    if at_partner and policy.after_release == "refuse":
        raise WrongStatus("It is being packed already. " + RETURN_PATH)
    return Ended(
        line_id=line.id,
        variant_id=line.variant_id,
        title=line.title,
        options=line.options,
        quantity=quantity,
        total=shares.last_canceled(line, quantity).total,
        at_partner=at_partner,
    )


def open_units(case: Case) -> dict[str, int]:
    """Line → units that are still to come: of those that came back in a parcel, the ones that were not made up for."""
    lines = case.parts.lines
    units = {line.id: _unshipped(line) for line in lines}
    if not any(one.returned_at or one.remedy for one in case.parts.shipments):
        return units
    left = unanswered(case.session, case.order, lines)
    return {line_id: max(0, count + min(0, left[line_id])) for line_id, count in units.items()}


def _unshipped(line: OrderLine) -> int:
    return line.ordered - line.canceled - line.shipped


def _asked(wanted: CancelWanted, units: dict[str, int]) -> dict[str, int]:
    if wanted.lines is None:
        return {key: count for key, count in units.items() if count}
    asked: dict[str, int] = {}
    for one in wanted.lines:
        asked[one.line_id] = asked.get(one.line_id, 0) + one.quantity
    for line_id, count in asked.items():
        if count > units.get(line_id, 0):
            raise CountMismatch("The order has not so many of it that were not shipped.")
    if not asked:
        raise NothingToChange("There is nothing to cancel.")
    return asked
