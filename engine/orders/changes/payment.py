"""Paying an order another way: the new method pays the whole, the old one gets everything back.

Money that is only set aside is set aside on the new method first; then the old one is let go. What was set aside and
lapsed is set aside anew.
"""

from __future__ import annotations

from typing import Final

from engine.orders.changes import methods
from engine.orders.changes.case import Case
from engine.orders.changes.effect import Effect, Method
from engine.orders.changes.wanted import PaymentMethodWanted
from engine.orders.errors import ChangeRefused, SameMethod, WrongStatus
from engine.orders.models import ChangeKind
from engine.payments.models import HOLDING, STORED_VALUE, CaptureStatus, Payment, PaymentStatus, RefundStatus

_SAME: Final = "The order is paid with that already. Choose another way to pay."


def work_out(case: Case, wanted: PaymentMethodWanted) -> Effect:
    """Raises ``WrongStatus`` unless exactly one payment pays the order and nothing of it went back, ``SameMethod``,
    ``MethodNotOwned``, ``InsufficientBalance`` (stored value must cover the whole).
    """
    if case.money.held:
        return _held_elsewhere(case, wanted)
    if _has_lapsed(case):
        return _held_anew(case, wanted)
    old, money = _only_payment(case), case.money
    if money.balance:
        raise ChangeRefused("The order is not settled to the cent; its payment cannot be changed now.")
    method = _other_method(case, old, wanted, amount=money.settled)
    return Effect(
        kind=ChangeKind.PAYMENT_METHOD,
        shipping=case.order.shipping,
        shipping_tax=case.order.shipping_tax,
        amount=0,
        tax=0,
        charge=money.settled,
        charge_tax=money.settled_tax,
        method=method,
        refund=money.settled,
        refund_tax=money.settled_tax,
        old_payment_id=old.id,
        due=money.due,
        balance=0,
    )


def _held_elsewhere(case: Case, wanted: PaymentMethodWanted) -> Effect:
    """What is due is set aside on the new method; nothing is taken."""
    old, money = _only_payment(case), case.money
    return Effect(
        kind=ChangeKind.PAYMENT_METHOD,
        shipping=case.order.shipping,
        shipping_tax=case.order.shipping_tax,
        amount=0,
        tax=0,
        hold=money.due,
        method=_other_method(case, old, wanted, amount=money.due),
        old_payment_id=old.id,
        due=money.due,
        balance=money.balance,
    )


def _has_lapsed(case: Case) -> bool:
    """Whether nothing pays the order any more because what was set aside for it lapsed before anything was taken."""
    rows = [row for row in case.parts.payments if row.amount]
    pays = [row for row in rows if row.status in HOLDING]
    return not pays and any(row.status == PaymentStatus.EXPIRED for row in rows) and case.money.balance > 0


def _held_anew(case: Case, wanted: PaymentMethodWanted) -> Effect:
    """What is due is set aside again, with the same method or another; nothing is to be let go."""
    money = case.money
    return Effect(
        kind=ChangeKind.PAYMENT_METHOD,
        shipping=case.order.shipping,
        shipping_tax=case.order.shipping_tax,
        amount=0,
        tax=0,
        hold=money.due,
        method=methods.choose(case.session, case.identity, case.order, wanted.payment_method_ref, amount=money.due),
        due=money.due,
        balance=money.balance,
    )


def _other_method(case: Case, old: Payment, wanted: PaymentMethodWanted, *, amount: int) -> Method:
    """Another than the order is paid with is asked for before whether there is enough on it."""
    paid_with, must_differ = methods.of_payment(case.session, old), case.policy.payment_change_requires_other_method
    if must_differ and paid_with == (STORED_VALUE, wanted.payment_method_ref):
        raise SameMethod(_SAME)
    method = methods.choose(case.session, case.identity, case.order, wanted.payment_method_ref, amount=amount)
    if must_differ and paid_with == (method.gateway, method.ref):
        raise SameMethod(_SAME)
    return method


def _only_payment(case: Case) -> Payment:
    """The one payment that pays the order: taken whole, or set aside and not touched yet."""
    pays = [row for row in case.parts.payments if row.status in HOLDING and row.amount]
    back = [row for row in case.parts.refunds if row.status != RefundStatus.FAILED]
    taking = [row for row in case.parts.captures if row.status != CaptureStatus.FAILED]
    if len(pays) != 1 or (case.money.held and taking) or pays[0].void_requested_at is not None:
        raise WrongStatus("The way to pay can only be changed while one payment pays the whole order.")
    if back:
        raise WrongStatus("Money of this order went back already; its way to pay can no longer be changed.")
    return pays[0]
