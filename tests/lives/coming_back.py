"""Goods that come back, for ``test_lives``: returned, exchanged, received in parts, looked at, given up."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from sqlalchemy import select

from engine.catalog.models import Variant
from engine.kit.identity import Actor, Identity
from engine.kit.policies import change_policy
from engine.kit.tenancy import Tenant
from engine.orders.changes import apply
from engine.orders.changes.propose import propose
from engine.orders.changes.wanted import read
from engine.orders.models import Order, OrderLine
from engine.payments import refunds
from engine.returns import apart, arriving, deciding, parcel
from engine.returns.arriving import Finding, Stray
from engine.returns.models import Disposition, Return, ReturnLine
from engine.returns.policy import ReturnsPolicy
from tests.storm.world import World

_HERE: Final = Return.status.in_(["received", "inspected"])
_OPEN: Final = Return.status.in_(["label_ready", "in_transit", "received", "inspected"])
REASONS: Final = ("changed_mind", "does_not_fit", "damaged")


def send_back(world: World) -> None:
    """A shopper sends some units back."""
    _ask(world, {})


def exchange(world: World) -> None:
    """A shopper wants another variant instead."""
    _ask(world, None)


def change_rules(world: World) -> None:
    """The shop thinks anew about what comes back and when money goes."""
    dice = world.dice
    values = {
        "refund_at": dice.choice(["received", "inspected", "in_transit"]),
        "refund_shipping": dice.choice(["never", "full_return", "share"]),
        "restocking_fee_percent": dice.choice([0, 7, 100]),
        "label_paid_by": dice.choice(["shop", "customer"]),
        "label_fee": dice.choice([0, 499]),
        "keep_below": dice.choice([None, 3000]),
        "auto_approve": dice.random() < 0.7,
        "quarantine_location": dice.choice([None, "STORE"]),
    }
    with world.shop.uow() as session:
        change_policy(session.get_one(Tenant, world.tenant_id), ReturnsPolicy, values)


def decide_return(world: World) -> None:
    """The shop looks at a return: yes or no."""
    return_id = world.any_of(Return.id, Return.status == "requested")
    if world.dice.random() < 0.7:
        deciding.approve(world.runtime, world.staff(), return_id)
        return
    with world.shop.uow() as session:
        deciding.decline(session, world.tenant_id, return_id, words="No.", actor="key_lives")


def hand_in(world: World) -> None:
    """A shopper brings the parcel to the carrier."""
    return_id = world.any_of(Return.id, Return.status == "label_ready")
    with world.shop.uow() as session:
        parcel.handed_in(session, world.tenant_id, return_id, actor="shopper")


def take_back(world: World) -> None:
    """A parcel is here; not always all of it, sometimes too much."""
    return_id, dice = world.any_of(Return.id, _OPEN), world.dice
    lines = _lines(world, return_id)
    units = {line.id: dice.randint(0, line.quantity + (dice.random() < 0.1)) for line in lines}
    strays = (Stray("a shoe", 1),) if dice.random() < 0.1 else ()
    with world.shop.uow() as session:
        wanted = {line_id: count for line_id, count in units.items() if count}
        made = arriving.receive(session, world.tenant_id, return_id, units=wanted, strays=strays, actor="key_lives")
    _pay(world, made)


def look_over(world: World) -> None:
    """What is here finds its place."""
    return_id, dice = world.any_of(Return.id, _HERE), world.dice
    found = []
    for line in _lines(world, return_id):
        here = line.received - line.inspected
        if here:
            outcome = {dice.choice(sorted(Disposition)): here}
            found.append(Finding(line.id, outcome, dice.choice([0, 0, 1]) if dice.random() < 0.3 else 0))
    with world.shop.uow() as session:
        made = arriving.inspect(session, world.tenant_id, return_id, findings=found, actor="key_lives")
    _pay(world, made)


def move_apart(world: World) -> None:
    """What lies set apart finds its place."""
    dice, apart_now = world.dice, (ReturnLine.quarantined > 0) | (ReturnLine.refurbished > 0)
    line_id = world.any_of(ReturnLine.id, apart_now)
    with world.shop.uow() as session:
        line = session.get_one(ReturnLine, (world.tenant_id, line_id))
        source = Disposition.QUARANTINE if line.quarantined else Disposition.REFURBISH
        apart.move(
            session,
            world.tenant_id,
            line.return_id,
            return_line_id=line_id,
            source=source,
            outcome=dice.choice([one for one in sorted(Disposition) if one != source]),
            units=dice.randint(1, line.quarantined or line.refurbished),
            reason="Looked at again",
            actor="key_lives",
        )


def end_return(world: World) -> None:
    """It is closed, or given up."""
    return_id = world.any_of(Return.id, Return.closed_at.is_(None))
    act: Callable[..., tuple[str, ...]] = world.dice.choice([deciding.close, deciding.cancel])
    with world.shop.uow() as session:
        made = act(session, world.tenant_id, return_id, actor="key_lives")
    _pay(world, made)


def _ask(world: World, plain: dict[str, Any] | None) -> None:
    dice = world.dice
    line_id = world.any_of(OrderLine.id, OrderLine.delivered > OrderLine.returned)
    with world.shop.uow() as session:
        line = session.get_one(OrderLine, (world.tenant_id, line_id))
        order = session.get_one(Order, (world.tenant_id, line.order_id))
        others = session.scalars(select(Variant.id).where(Variant.product_id == line.product_id).order_by(Variant.id))
        more = {"exchange_variant_id": dice.choice(list(others))} if plain is None else plain
    asked = {"line_id": line_id, "quantity": dice.randint(1, line.delivered - line.returned)}
    reason = {"reason": dice.choice(REASONS), "condition": dice.choice(["unopened", "opened"])}
    buyer = Identity(world.tenant_id, Actor.SHOPPER, order.owner_id)
    refund_to = dice.choice(["original", "original", "store_credit"])
    wanted = read({"kind": "return", "lines": [asked | reason | more], "refund_to": refund_to})
    change = propose(world.runtime, buyer, order.id, wanted)
    apply.confirm(world.runtime, buyer, order.id, change.id, approved=dice.random() < 0.95, channel="lives")


def _lines(world: World, return_id: str) -> list[ReturnLine]:
    with world.shop.uow() as session:
        query = select(ReturnLine).where(ReturnLine.return_id == return_id).order_by(ReturnLine.position)
        return list(session.scalars(query))


def _pay(world: World, refund_ids: tuple[str, ...]) -> None:
    for refund_id in refund_ids:
        refunds.execute(world.runtime, world.tenant_id, refund_id)


COMING_BACK: Final[dict[str, Callable[[World], None]]] = {
    "send_back": send_back,
    "exchange": exchange,
    "change_rules": change_rules,
    "decide_return": decide_return,
    "hand_in": hand_in,
    "take_back": take_back,
    "look_over": look_over,
    "move_apart": move_apart,
    "end_return": end_return,
}
