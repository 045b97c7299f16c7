"""What past orders left behind once they had arrived: warranties of their units, and the returns of what came back.

The rules are the shop's own; the rows are those that its services leave when such a thing has ended.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from engine.demo.ledger import Ledger, Row
from engine.kit.ids import new_id
from engine.orders.changes.effect import Effect, Returned, Terms
from engine.orders.models import AdjustmentKind, ChangeKind, ChangeStatus, OrderAdjustment, OrderChange
from engine.returns.models import Condition, Return, ReturnEvent, ReturnKind, ReturnLine, ReturnStatus, ReturnStep
from engine.warranties.models import Warranty, WarrantyStatus
from engine.warranties.policy import WarrantiesPolicy
from engine.warranties.registering import add_months

_ACTOR: Final = "system"
_REASON: Final = "changed_mind"


@dataclass(frozen=True, slots=True)
class Back:
    """Units of one line that came back; amounts without tax, but for the taxes themselves."""

    line: Row
    quantity: int
    goods: int
    tax: int
    shipping: int = 0
    shipping_tax: int = 0


def promise(
    ledger: Ledger, policy: WarrantiesPolicy, line: Row, *, category: str, own_months: int, arrived: datetime
) -> None:
    """The warranties of a line's units; of those that came back, the first ended with that."""
    months = policy.months(category, line["sku"], own_months)
    for place in range(line["delivered"] if months else 0):
        own, back = new_id("warranty"), place < line["returned"]
        ledger.add(
            Warranty,
            id=own,
            order_id=line["order_id"],
            order_line_id=line["id"],
            unit=place + 1,
            variant_id=line["variant_id"],
            sku=line["sku"],
            title=line["title"],
            starts_on=arrived.date(),
            ends_on=add_months(arrived.date(), months),
            terms={"months": own_months, "extra_months": months - own_months, "category": category},
            status=WarrantyStatus.RETURNED if back else WarrantyStatus.ACTIVE,
            root_id=own,
            created_at=arrived,
            ended_at=arrived + timedelta(days=6) if back else None,
        )


def take_back(ledger: Ledger, order: Row, backs: Sequence[Back], *, home: str, at: datetime) -> str:
    """The return of these units, from what was agreed to up to its end; its id, for its refund."""
    credit = sum(one.goods + one.tax + one.shipping + one.shipping_tax for one in backs)
    taxed = sum(one.tax + one.shipping_tax for one in backs)
    asked = at - timedelta(days=5)
    return_id, change_id = new_id("return"), _agreed(ledger, order, backs, credit, taxed, asked)
    ledger.add(
        Return,
        id=return_id,
        number=f"{order['number']}-R1",
        order_id=order["id"],
        change_id=change_id,
        kind=ReturnKind.RETURN,
        status=ReturnStatus.CLOSED,
        requested_by=order["owner_id"],
        approved_by=_ACTOR,
        refund_to="original",
        refund_at="inspected",
        credit=credit,
        credit_tax=taxed,
        refund=credit,
        given=credit,
        location_id=home,
        message="Everything is here and settled.",
        expires_at=at + timedelta(days=9),
        created_at=asked,
        approved_at=asked,
        received_at=at,
        closed_at=at,
    )
    ids = [_line(ledger, return_id, position, one) for position, one in enumerate(backs)]
    units = [{"return_line_id": line_id, "quantity": one.quantity} for line_id, one in zip(ids, backs, strict=True)]
    for step, amount, tax in ((ReturnStep.RECEIVED, 0, 0), (ReturnStep.SETTLED, credit, taxed)):
        _step(ledger, return_id, step, units, amount, tax, at)
    ledger.add(
        OrderAdjustment,
        id=new_id("adjustment"),
        order_id=order["id"],
        kind=AdjustmentKind.RETURN,
        amount=0,
        tax=0,
        change_id=change_id,
        return_id=return_id,
        at=asked,
    )
    return return_id


def _agreed(ledger: Ledger, order: Row, backs: Sequence[Back], credit: int, taxed: int, at: datetime) -> str:
    """What was agreed to, as the shop would have quoted it."""
    effect = Effect(
        kind=ChangeKind.RETURN,
        shipping=order["shipping"],
        shipping_tax=order["shipping_tax"],
        amount=0,
        tax=0,
        due=order["total"],
        balance=0,
        reason=_REASON,
        returned=tuple(_returned(one) for one in backs),
        terms=Terms(
            credit=credit,
            credit_tax=taxed,
            fee=0,
            replacement=0,
            replacement_tax=0,
            refund=credit,
            refund_tax=taxed,
            keep=False,
            reviewed=False,
            refund_at="inspected",
            label="customer",
            send_within_days=14,
        ),
    )
    change_id = new_id("change")
    lines = [{"line_id": one.line["id"], "quantity": one.quantity, "reason": _REASON} for one in backs]
    ledger.add(
        OrderChange,
        id=change_id,
        order_id=order["id"],
        kind=ChangeKind.RETURN,
        status=ChangeStatus.APPLIED,
        requested_by=order["owner_id"],
        reason=_REASON,
        wanted={"kind": "return", "lines": lines},
        quote={"amount": 0, "tax": 0, "line_ids": [], "effect": effect.model_dump(mode="json")},
        digest=hashlib.sha256(change_id.encode()).hexdigest(),
        order_version=1,
        approved_by=_ACTOR,
        message="It can be sent back.",
        expires_at=at + timedelta(hours=1),
        created_at=at,
        decided_at=at,
        applied_at=at,
    )
    return change_id


def _returned(one: Back) -> Returned:
    line = one.line
    return Returned(
        line_id=line["id"],
        variant_id=line["variant_id"],
        title=line["title"],
        options=line["options"],
        quantity=one.quantity,
        reason=_REASON,
        condition=Condition.UNOPENED,
        goods=one.goods,
        discount=0,
        tax=one.tax,
        shipping=one.shipping,
        shipping_tax=one.shipping_tax,
    )


def _line(ledger: Ledger, return_id: str, position: int, one: Back) -> str:
    """Everything of it came, was looked at, was paid for, and was put aside: none of it is for sale again."""
    line_id, done = new_id("return_line"), one.quantity
    ledger.add(
        ReturnLine,
        id=line_id,
        return_id=return_id,
        order_line_id=one.line["id"],
        position=position,
        title=one.line["title"],
        quantity=done,
        reason=_REASON,
        condition=Condition.UNOPENED,
        goods=one.goods,
        discount=0,
        tax=one.tax,
        shipping=one.shipping,
        shipping_tax=one.shipping_tax,
        received=done,
        inspected=done,
        settled=done,
        quarantined=done,
    )
    return line_id


def _step(
    ledger: Ledger, return_id: str, step: ReturnStep, lines: list[dict[str, Any]], amount: int, tax: int, at: datetime
) -> None:
    ledger.add(
        ReturnEvent,
        id=new_id("return_event"),
        return_id=return_id,
        step=step,
        lines=lines,
        amount=amount,
        tax=tax,
        actor=_ACTOR,
        at=at,
    )
