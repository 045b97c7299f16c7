"""An act as a card: what would be done, for how much, by which way, on whose word. It is worked out by doing it and
taking it back, or by the change's own quote, so that no second place knows the rules.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final

from sqlalchemy import select
from sqlalchemy.orm import Session

from engine.approvals.asking import foresee
from engine.approvals.models import ApprovalKind
from engine.fulfillment.exceptions import require_remedy
from engine.kit.errors import InvalidInput, OverLimit
from engine.kit.idempotency import fingerprint
from engine.kit.identity import Identity
from engine.kit.views import Price
from engine.mail import again
from engine.orders import queries, shares
from engine.orders.changes.effect import Effect
from engine.orders.changes.propose import over_limit
from engine.orders.changes.quote import digest, open_case, work_out
from engine.orders.models import Order, OrderLine, Shipment
from engine.orders.policy import OrdersPolicy
from engine.panel.schemas import ActCard, Fact
from engine.panel.wanted import (
    Asked,
    ChangeAsked,
    CodeAsked,
    CreditAsked,
    HoldAsked,
    LetterAsked,
    LostParcelAsked,
    RefundAsked,
    ReplacementAsked,
    ResumeAsked,
)
from engine.payments.errors import RefundExceedsCapture
from engine.payments.models import Destination, Payment, Refund
from engine.payments.tally import standing_of
from engine.runtime import Runtime

Given = dict[str, Any]
DECIDES: Final = {
    "you": "Your own yes is enough.",
    "approver": "It is above what one person may do alone: somebody else has to approve it.",
    "shopper": "It costs the shopper something: the card goes to them, and it waits for their yes.",
}
_DESTINATIONS: Final = {"original": "The way it was paid", "store_credit": "Store credit"}
_CHANGE_TITLES: Final = {"cancel": "Cancel", "address": "Send to another address", "return": "Start a return"}


@dataclass(frozen=True, slots=True)
class Draft:
    """A card before it is numbered. ``bound`` is what else its digest holds; ``kind`` and ``given`` are how it is done
    where an approval could be needed.
    """

    title: str
    say: str
    facts: tuple[Fact, ...] = ()
    amount: Price | None = None
    method: str = ""
    reason: str = ""
    decides: str = "you"
    limit: Price | None = None
    bound: Mapping[str, Any] = field(default_factory=dict)
    kind: ApprovalKind | None = None
    given: Given = field(default_factory=dict)
    over: OverLimit | None = None


@dataclass(frozen=True, slots=True)
class Scene:
    """The order, locked, and who looks at it."""

    session: Session
    runtime: Runtime
    identity: Identity
    order: Order

    @property
    def currency(self) -> str:
        return self.order.currency

    def price(self, amount: int) -> Price:
        return Price(amount=amount, currency=self.currency)


def new_id() -> str:
    """Of a card: good for one yes."""
    return f"act_{secrets.token_hex(12)}"


def card(scene: Scene, asked: Asked, card_id: str) -> ActCard:
    """The card as it is now. Raises what the act would be refused for."""
    return numbered(scene, asked, draft(scene, asked), card_id)


def draft(scene: Scene, asked: Asked) -> Draft:
    """Raises what the act would be refused for."""
    made: Draft = _DRAFTS[type(asked)](scene, asked)
    if made.over is not None:
        currency = made.over.currency or scene.currency
        percent = made.over.rule.endswith("percent_limit")
        limit = None if percent else Price(amount=made.over.limit, currency=currency)
        made = replace(made, decides="approver", limit=limit)
    return made


def numbered(scene: Scene, asked: Asked, made: Draft, card_id: str) -> ActCard:
    shown: dict[str, Any] = {
        "action": asked.action,
        "title": made.title,
        "amount": made.amount,
        "method": made.method,
        "reason": made.reason,
        "facts": list(made.facts),
        "decides": made.decides,
    }
    bound = {
        "card": card_id,
        "order": scene.order.id,
        "asked": asked.model_dump(mode="json"),
        "amount": made.amount.model_dump() if made.amount else None,
        "method": made.method,
        "decides": made.decides,
        "bound": dict(made.bound),
    }
    shown |= {"say": made.say, "decides_words": DECIDES[made.decides], "limit": made.limit}
    return ActCard(id=card_id, seen=fingerprint(bound), **shown)


def _refund(scene: Scene, asked: RefundAsked) -> Draft:
    given = {
        "order_id": scene.order.id,
        "amount": _how_much(scene, asked),
        "reason": asked.told,
        "destination": asked.destination,
    }

    def shares_of(session: Session, outcome: Given) -> list[tuple[str, int]]:
        rows = session.execute(
            select(Refund, Payment)
            .join(Payment, (Payment.tenant_id == Refund.tenant_id) & (Payment.id == Refund.payment_id))
            .where(Refund.tenant_id == scene.order.tenant_id, Refund.id.in_(outcome["refund_ids"]))
            .order_by(Refund.amount.desc(), Refund.id)
        )
        return [(_goes_to(refund, payment), refund.amount) for refund, payment in rows]

    parts = foresee(scene.session, scene.runtime, scene.identity, ApprovalKind.REFUND, given, read_back=shares_of)
    method = " and ".join(dict.fromkeys(label for label, _ in parts.made))
    facts = [Fact(label="Order", value=scene.order.number)]
    if len(parts.made) > 1:
        facts += [Fact(label=label, value=str(scene.price(amount))) for label, amount in parts.made]
    facts.append(Fact(label="Goods", value="Nothing comes back, and the order stays as it is"))
    return Draft(
        title=f"Refund {scene.price(parts.standing.amount)}",
        say=f"Refund {scene.price(parts.standing.amount)}",
        facts=tuple(facts),
        amount=scene.price(parts.standing.amount),
        method=method,
        reason=asked.told,
        bound={"version": parts.standing.version, "counted": parts.standing.counted},
        kind=ApprovalKind.REFUND,
        given=given,
        over=parts.over,
    )


def _goes_to(refund: Refund, payment: Payment) -> str:
    if refund.destination != Destination.ORIGINAL:
        return "Store credit"
    return str(payment.method.get("label") or "The way it was paid")


def refundable(session: Session, order: Order, parts: queries.Parts) -> int:
    """The most that can go back without goods: no more than is due, and than what was taken and not given back."""
    found = standing_of(session, order.tenant_id, [one.id for one in parts.payments])
    left = sum(max(0, one.refundable) for one in found.values() if not one.blocked)
    return max(0, min(parts.money(order).due, left))


def next_units(line: OrderLine, quantity: int) -> int:
    """What ``quantity`` units that were kept were paid with, tax included."""
    return shares.worth(line, line.returned, line.returned + quantity).total


def kept_units(line: OrderLine) -> int:
    return line.ordered - line.canceled - line.returned


def _how_much(scene: Scene, asked: RefundAsked) -> int:
    if asked.amount is not None:
        return asked.amount
    order = scene.order
    parts = queries.parts_of(scene.session, order.tenant_id, [order.id])[order.id]
    most = refundable(scene.session, order, parts)
    if asked.lines is None:
        if not most:
            raise RefundExceedsCapture("Nothing of this order can be given back now.")
        return most
    lines, worth, units = {line.id: line for line in parts.lines}, 0, dict[str, int]()
    for one in asked.lines:
        units[one.line_id] = units.get(one.line_id, 0) + one.quantity
    for line_id, quantity in units.items():
        line = lines.get(line_id)
        if line is None or quantity > kept_units(line):
            raise InvalidInput("The order has not so many units of that line.", param="lines")
        worth += next_units(line, quantity)
    return worth


def _credit(scene: Scene, asked: CreditAsked) -> Draft:
    given = {"order_id": scene.order.id, "amount": asked.amount, "reason": asked.told}
    seen = foresee(
        scene.session, scene.runtime, scene.identity, ApprovalKind.GOODWILL, given, read_back=lambda *_: None
    )
    return Draft(
        title=f"Give {scene.price(asked.amount)} of store credit",
        say=f"Give {scene.price(asked.amount)}",
        facts=(Fact(label="Order", value=scene.order.number),),
        amount=scene.price(asked.amount),
        method="Store credit",
        reason=asked.told,
        bound={"version": seen.standing.version, "counted": seen.standing.counted},
        kind=ApprovalKind.GOODWILL,
        given=given,
        over=seen.over,
    )


def _code(scene: Scene, asked: CodeAsked) -> Draft:
    given = {"percent_off": asked.percent_off, "amount_off": asked.amount_off, "valid_days": asked.valid_days}
    seen = foresee(
        scene.session, scene.runtime, scene.identity, ApprovalKind.DISCOUNT, given, read_back=lambda *_: None
    )
    worth = Price(amount=seen.standing.amount, currency=seen.standing.currency)
    off = f"{asked.percent_off} %" if asked.percent_off else str(worth)
    return Draft(
        title=f"Give a code for {off} off",
        say="Make the code",
        facts=(
            Fact(label="Takes off", value=off),
            Fact(label="Counts as", value=str(worth)),
            Fact(label="Good for", value=f"one use, {asked.valid_days} days"),
        ),
        amount=worth,
        method="Courtesy code",
        reason="With our apologies",
        kind=ApprovalKind.DISCOUNT,
        given=given,
        over=seen.over,
    )


def _replacement(scene: Scene, asked: ReplacementAsked) -> Draft:
    given = {
        "order_id": scene.order.id,
        "lines": [one.model_dump() for one in asked.lines],
        "reason": asked.told,
    }
    seen = foresee(
        scene.session, scene.runtime, scene.identity, ApprovalKind.REPLACEMENT, given, read_back=lambda *_: None
    )
    titles = {line.id: line.title for line in _lines(scene)}
    ship_to = scene.order.ship_to or {}
    return Draft(
        title="Send a replacement",
        say="Send it",
        facts=(
            *(Fact(label=titles.get(one.line_id, ""), value=f"{one.quantity} sent again") for one in asked.lines),
            Fact(
                label="Goes to", value=", ".join(str(ship_to.get(part) or "") for part in ("name", "line_one", "city"))
            ),
            Fact(label="Costs the shopper", value=str(scene.price(0))),
            Fact(label="Stands for", value=str(scene.price(seen.standing.amount))),
        ),
        amount=scene.price(seen.standing.amount),
        method="Goods, as a new order that costs nothing",
        reason=asked.told,
        bound={"version": seen.standing.version},
        kind=ApprovalKind.REPLACEMENT,
        given=given,
        over=seen.over,
    )


def _lines(scene: Scene) -> list[OrderLine]:
    order = scene.order
    return queries.parts_of(scene.session, order.tenant_id, [order.id])[order.id].lines


def _lost(scene: Scene, asked: LostParcelAsked) -> Draft:
    shipment = scene.session.get(Shipment, (scene.order.tenant_id, asked.shipment_id))
    if shipment is None or shipment.order_id != scene.order.id:
        raise InvalidInput("That is no parcel of this order.", param="shipment_id")
    require_remedy(scene.session, scene.order, shipment, _lines(scene))
    again_words = {"reship": "Its goods are sent again", "refund": "Its goods are free to be canceled and paid back"}
    return Draft(
        title="Send the lost parcel again" if asked.remedy == "reship" else "Give the lost parcel up",
        say="Send it again" if asked.remedy == "reship" else "Give it up",
        facts=(
            Fact(label="Parcel", value=f"{shipment.carrier} {shipment.tracking_number}"),
            Fact(label="What follows", value=again_words[asked.remedy]),
        ),
        method="Goods" if asked.remedy == "reship" else "",
        reason="The parcel was lost",
        bound={"version": scene.order.version, "status": str(shipment.status), "remedy": shipment.remedy},
    )


def _change(scene: Scene, asked: ChangeAsked) -> Draft:
    case = open_case(scene.session, scene.identity, scene.order)
    effect = work_out(case, asked.wanted)
    takes = effect.takes
    back = effect.gives_back
    over = None if takes else over_limit(case, effect)
    facts = _facts_of(scene, effect)
    return Draft(
        title=_CHANGE_TITLES[asked.wanted.kind],
        say={"cancel": "Cancel it", "address": "Change the address", "return": "Start the return"}[asked.wanted.kind],
        facts=tuple(facts),
        amount=scene.price(takes or back),
        method=_method_of(effect),
        reason=_reason_of(case.policy, effect),
        decides="shopper" if takes else "you",
        bound={"digest": digest(scene.order, effect)},
        over=over,
        kind=ApprovalKind.ORDER_CHANGE,
        given={"order_id": scene.order.id, "wanted": asked.wanted.model_dump(mode="json")},
    )


def _reason_of(policy: OrdersPolicy, effect: Effect) -> str:
    return policy.reason_text(effect.reason or "") or effect.reason or ""


def _method_of(effect: Effect) -> str:
    if effect.takes:
        return effect.method.label if effect.method else ""
    if not effect.gives_back:
        return ""
    return {"original": "The way it was paid", "store_credit": "Store credit"}.get(
        effect.refund_to, effect.refund_label
    )


def _facts_of(scene: Scene, effect: Effect) -> list[Fact]:
    """What it does, line by line."""
    price = scene.price
    facts = [Fact(label=one.title, value=f"{one.quantity} canceled, {price(one.total)}") for one in effect.ended]
    facts += [Fact(label=one.title, value=f"{one.quantity} come back, {price(one.credit)}") for one in effect.returned]
    facts += [Fact(label=one.title, value=f"{one.quantity} sent instead, {price(one.total)}") for one in effect.added]
    if effect.ship_to:
        facts.append(Fact(label="Goes to", value=_where(effect.ship_to)))
    if effect.takes:
        facts.append(Fact(label="The shopper pays", value=str(price(effect.takes))))
    if effect.gives_back:
        facts.append(Fact(label="Goes back", value=str(price(effect.gives_back))))
    if effect.kept_fee:
        facts.append(Fact(label="Kept for restocking", value=str(price(effect.kept_fee))))
    if terms := effect.terms:
        facts += _terms(scene, terms)
    if effect.asks_partner:
        facts.append(Fact(label="Asked first", value="A warehouse has the goods in hand and must agree"))
    return facts


def _where(address: Mapping[str, Any]) -> str:
    parts = ("name", "line_one", "line_two", "city", "state", "postal_code", "country")
    return ", ".join(str(address[part]) for part in parts if address.get(part))


def _terms(scene: Scene, terms: Any) -> list[Fact]:
    facts = [Fact(label="Fee kept", value=str(scene.price(terms.fee)))] if terms.fee else []
    if terms.keep:
        return [*facts, Fact(label="Goods", value="They can be kept")]
    label = {"shop": "The shop pays", "customer": "The shopper pays"}.get(terms.label, "None is sent")
    when = f"when it is {str(terms.refund_at).replace('_', ' ')}"
    facts += [Fact(label="Label", value=label), Fact(label="Money goes back", value=when)]
    if terms.reviewed:
        facts.append(Fact(label="Looked at first", value="Somebody of the shop says yes before a label is printed"))
    return facts


def _letter(scene: Scene, asked: LetterAsked) -> Draft:
    row = again.of_order(scene.session, scene.order, asked.mail_id)
    facts = (Fact(label="Letter", value=row.subject), Fact(label="To", value=row.to_address))
    return Draft(title="Send a letter again", say="Send it", facts=facts, bound={"to": row.to_address})


def _hold(scene: Scene, asked: HoldAsked) -> Draft:
    facts = (Fact(label="Order", value=scene.order.number), Fact(label="Shipping", value="Stops until it is resumed"))
    bound = {"version": scene.order.version}
    return Draft(title="Hold the order", say="Hold it", facts=facts, reason=asked.reason, bound=bound)


def _resume(scene: Scene, _asked: ResumeAsked) -> Draft:
    facts = (Fact(label="Order", value=scene.order.number), Fact(label="Held for", value=scene.order.hold_reason or ""))
    return Draft(title="Let the order go on", say="Resume it", facts=facts, bound={"version": scene.order.version})


_DRAFTS: Final[dict[type[Any], Callable[[Scene, Any], Draft]]] = {
    RefundAsked: _refund,
    CreditAsked: _credit,
    CodeAsked: _code,
    ReplacementAsked: _replacement,
    LostParcelAsked: _lost,
    ChangeAsked: _change,
    LetterAsked: _letter,
    HoldAsked: _hold,
    ResumeAsked: _resume,
}
