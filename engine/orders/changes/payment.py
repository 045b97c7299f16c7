"""Paying an order another way: the new method pays the whole, the old one gets everything back."""

from __future__ import annotations

from engine.orders.changes import methods
from engine.orders.changes.case import Case
from engine.orders.changes.effect import Effect
from engine.orders.changes.wanted import PaymentMethodWanted
from engine.orders.errors import ChangeRefused, SameMethod, WrongStatus
from engine.orders.models import ChangeKind
from engine.payments.models import Payment, PaymentStatus, RefundStatus


def work_out(case: Case, wanted: PaymentMethodWanted) -> Effect:
    """Raises ``WrongStatus`` unless exactly one payment was taken and nothing of it went back, ``SameMethod``,
    ``MethodNotOwned``, ``InsufficientBalance`` (stored value must cover the whole).
    """
    old, money = _only_payment(case), case.money
    if money.balance:
        raise ChangeRefused("The order is not settled to the cent; its payment cannot be changed now.")
    method = methods.choose(case.session, case.identity, case.order, wanted.payment_method_ref, amount=money.settled)
    same = methods.of_payment(case.session, old) == (method.gateway, method.ref)
    if same and case.policy.payment_change_requires_other_method:
        raise SameMethod("The order is paid with that already. Choose another way to pay.")
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


def _only_payment(case: Case) -> Payment:
    taken = [row for row in case.parts.payments if row.status == PaymentStatus.CAPTURED and row.amount]
    back = [row for row in case.parts.refunds if row.status != RefundStatus.FAILED]
    if len(taken) != 1 or case.money.held:
        raise WrongStatus("The way to pay can only be changed while one payment has paid the whole order.")
    if back:
        raise WrongStatus("Money of this order went back already; its way to pay can no longer be changed.")
    return taken[0]
