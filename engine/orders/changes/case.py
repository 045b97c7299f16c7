"""An order as a change finds it, and how the change's money falls out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy.orm import Session

from engine.kit.identity import Identity
from engine.kit.ids import PREFIXES
from engine.kit.policies import policy_of
from engine.orders import goodwill
from engine.orders.changes import methods
from engine.orders.changes.effect import Effect, Ended
from engine.orders.errors import ChangeRefused
from engine.orders.models import ChangeKind, Order, OrderLine
from engine.orders.money import OrderMoney
from engine.orders.policy import OrdersPolicy
from engine.orders.queries import Parts
from engine.payments.gateways.manual import CREDITING
from engine.payments.models import HOLDING, RefundStatus
from engine.returns.policy import ReturnsPolicy

_BY_NAME: Final = frozenset({"original", "store_credit"})
"""Where money goes without naming an account or a saved way to pay."""


@dataclass(frozen=True, slots=True)
class Case:
    """The order, who asks, and by which rules."""

    session: Session
    identity: Identity
    order: Order
    parts: Parts
    policy: OrdersPolicy

    @property
    def money(self) -> OrderMoney:
        return self.parts.money(self.order)

    def line(self, line_id: str) -> OrderLine | None:
        return next((line for line in self.parts.lines if line.id == line_id), None)


def effect_of(
    case: Case,
    kind: ChangeKind,
    *,
    amount: int,
    tax: int,
    refund_to: str = "original",
    method_ref: str | None = None,
    **parts: Any,
) -> Effect:
    """The effect of what is due moving by ``amount`` (with ``tax`` in it): what is charged, or what goes back.

    Money that is only held so far is neither: less, or more within what is held, will be captured. What the card's bank
    gave back for good does not go back again.
    Raises ``ChangeRefused`` for a way to refund that the shop does not offer, and what ``methods.choose`` raises.
    """
    back_to = refund_target(case, refund_to, case.policy.refund_to)
    money = case.money
    taken_up = _absorbed(case, money, amount, tax)
    due = money.due + amount + taken_up.amount
    charge = max(0, min(amount, due - money.settled - money.held))
    owed = max(0, min(-amount, money.settled - due))
    refund = min(owed, max(0, money.settled - money.lost))
    due += owed - refund
    if refund and _in_exchange(case, parts.get("ended", ())):
        refund_target(case, refund_to, policy_of(case.session, case.order.tenant_id, ReturnsPolicy).refund_to)
    balance = due - money.settled - charge + refund
    moves = _tax_that_moves(money, tax + taken_up.tax, settles=balance == 0, charged=charge > 0)
    charge_tax, refund_tax = max(0, min(moves, charge)), max(0, min(-moves, refund))
    given = {"shipping": case.order.shipping, "shipping_tax": case.order.shipping_tax} | back_to | parts
    return Effect(
        kind=kind,
        amount=amount,
        tax=tax,
        charge=charge,
        charge_tax=charge_tax,
        method=methods.choose(case.session, case.identity, case.order, method_ref, amount=charge) if charge else None,
        refund=refund,
        refund_tax=refund_tax,
        moved_tax=moves - charge_tax + refund_tax,
        absorbed=taken_up.amount,
        absorbed_tax=taken_up.tax,
        moved_returns=taken_up.in_returns,
        bank_gave=owed - refund,
        due=due,
        balance=balance,
        **given,
    )


def _in_exchange(case: Case, ended: Sequence[Ended]) -> bool:
    """Whether any of these units took the place of goods that came back: their money goes where a return's may."""
    return any(_from_exchange(case, one.line_id) for one in ended)


def _from_exchange(case: Case, line_id: str | None) -> bool:
    while line_id is not None and (line := case.line(line_id)) is not None:
        if line.return_id is not None:
            return True
        line_id = line.replaces_line_id
    return False


def refund_target(case: Case, wanted: str, offered: Sequence[str]) -> dict[str, Any]:
    """Where a refund is to go, in the effect's words; the very way that paid is ``original`` by its own name too.

    Raises ``ChangeRefused``, ``MethodNotOwned``.
    """
    if wanted in _BY_NAME:
        if wanted not in offered:
            raise ChangeRefused("This shop does not refund that way.")
        return {"refund_to": wanted}
    if wanted.startswith(f"{PREFIXES['stored_value']}_"):
        return _to_account(case, wanted, offered)
    return _to_method(case, wanted, offered)


def _to_account(case: Case, wanted: str, offered: Sequence[str]) -> dict[str, Any]:
    row = methods.account(case.session, case.identity, case.order, wanted)
    if "account" in offered:
        return {"refund_to": "account", "refund_account": row.id, "refund_label": methods.label(row)}
    if "original" in offered and _pays_all(case, "stored_value", row.id):
        return {"refund_to": "original"}
    raise ChangeRefused("This shop does not refund that way.")


def _to_method(case: Case, wanted: str, offered: Sequence[str]) -> dict[str, Any]:
    row = methods.saved(case.session, case.identity, case.order, wanted)
    if "original" in offered and _pays_all(case, row.gateway, row.gateway_ref):
        return {"refund_to": "original"}
    if "method" not in offered or row.gateway not in CREDITING:
        raise ChangeRefused("This shop does not refund that way.")
    return {"refund_to": "method", "refund_account": row.id, "refund_label": methods.label_of(row)}


def _pays_all(case: Case, gateway: str, ref: str) -> bool:
    """Whether all the money that is here for the order came from this one way to pay."""
    back: dict[str, int] = {}
    for refund in case.parts.refunds:
        if refund.status != RefundStatus.FAILED:
            back[refund.payment_id] = back.get(refund.payment_id, 0) + refund.amount
    pays = [one for one in case.parts.payments if one.status in HOLDING and one.amount > back.get(one.id, 0)]
    return bool(pays) and all(methods.of_payment(case.session, one) == (gateway, ref) for one in pays)


@dataclass(frozen=True, slots=True)
class _TakenUp:
    """Goodwill that a change takes up."""

    amount: int
    tax: int
    in_returns: int


def _absorbed(case: Case, money: OrderMoney, amount: int, tax: int) -> _TakenUp:
    """What was given back as goodwill beyond what will be kept: without it less than nothing would be due."""
    taken = max(0, -(money.due + amount))
    taxed = min(taken, max(0, -(money.due_tax + tax)))
    before = sum(change.quote["effect"].get("moved_returns", 0) for change in case.parts.applied)
    booked = goodwill.in_returns(case.parts.adjustments, case.parts.refunds) - before
    return _TakenUp(taken, taxed, max(0, min(taken - taxed, booked)))


def _tax_that_moves(money: OrderMoney, tax: int, *, settles: bool, charged: bool) -> int:
    """Tax to be booked now: all that is missing when the change settles the order, else only the charge's own."""
    if settles:
        return money.due_tax + tax - money.settled_tax
    return tax if charged else 0
