"""Changes of mind after the purchase: cancels, swaps, other addresses, each quoted, agreed to and applied."""

from __future__ import annotations

from sqlalchemy import select

from engine.catalog.models import Variant
from engine.customers import service as customers
from engine.kit.errors import NotFound
from engine.kit.identity import Identity
from engine.kit.money import share_ppm
from engine.orders import goodwill
from engine.orders.changes import apply
from engine.orders.changes.propose import propose
from engine.orders.changes.wanted import Wanted, read
from engine.orders.models import Order, OrderLine
from engine.payments import refunds
from tests.shop import ADDRESS
from tests.storm.world import World


def cancel_all(world: World) -> None:
    """A shopper cancels what was not shipped; the money goes back."""
    _as_shopper(world, _some_order(world), read({"kind": "cancel", "reason": "no_longer_needed"}))


def cancel_some(world: World) -> None:
    """A shopper cancels one unit of one line."""
    order_id = _some_order(world)
    wanted = {"line_id": _some_line(world, order_id).id, "quantity": 1}
    _as_shopper(world, order_id, read({"kind": "cancel", "reason": "other", "lines": [wanted]}))


def cancel_as_staff(world: World) -> None:
    """The shop itself cancels the unshipped rest."""
    order_id = _some_order(world)
    change = propose(world.runtime, world.staff(), order_id, read({"kind": "cancel", "reason": "takes_too_long"}))
    apply.apply_as_staff(world.runtime, world.staff(), order_id, change.id)


def cancel_to_credit(world: World) -> None:
    """A shopper cancels for store credit."""
    wanted = {"kind": "cancel", "reason": "found_cheaper", "refund_to": "store_credit"}
    _as_shopper(world, _some_order(world), read(wanted))


def goodwill_given(world: World) -> None:
    """Money back for a scratch: a little, or all that is left."""
    order_id = world.any_of(Order.id, Order.status.in_(["open", "closed"]))
    with world.shop.uow() as session:
        total = session.get_one(Order, (world.tenant_id, order_id)).total
    with world.shop.uow() as session:
        made = goodwill.give(
            session,
            world.tenant_id,
            order_id=order_id,
            amount=max(1, share_ppm(total, world.dice.choice([50_000, 500_000, 1_000_000]))),
            reason="A scratch",
            destination=world.dice.choice(["original", "original", "store_credit"]),
            requested_by="key_storm",
            approved=world.dice.choice([None, "word"]),
        )
    for one in made:
        refunds.execute(world.runtime, world.tenant_id, one.id)


def swap(world: World) -> None:
    """One unit for another variant of the same product: the difference is charged or refunded."""
    order_id = _some_order(world)
    line = _some_line(world, order_id)
    with world.shop.uow() as session:
        mine = session.get_one(Variant, (world.tenant_id, line.variant_id))
        others = select(Variant.id).where(Variant.product_id == mine.product_id, Variant.id != mine.id)
        other = session.scalars(others).first()
    if other is None:
        raise NotFound("There is no other.")
    wanted = {"line_id": line.id, "to_variant_id": other, "quantity": 1}
    _as_shopper(world, order_id, read({"kind": "items", "swaps": [wanted]}))


def move_house(world: World) -> None:
    """Another address in the same state."""
    wanted = ADDRESS | {"line_one": f"{world.dice.randint(1, 999)} Oak St"}
    _as_shopper(world, _some_order(world), read({"kind": "address", "ship_to": wanted}))


def _as_shopper(world: World, order_id: str, wanted: Wanted) -> None:
    buyer = _owner(world, order_id)
    change = propose(world.runtime, buyer, order_id, wanted)
    apply.confirm(world.runtime, buyer, order_id, change.id, approved=True, channel="storm")


def _owner(world: World, order_id: str) -> Identity:
    with world.shop.uow() as session:
        order = session.get_one(Order, (world.tenant_id, order_id))
        found = customers.shopper(session, world.tenant_id, order.owner_id)
    if found is None:
        raise NotFound("There is no such shopper.")
    return found


def _some_order(world: World) -> str:
    return world.any_of(Order.id, Order.status == "open")


def _some_line(world: World, order_id: str) -> OrderLine:
    with world.shop.uow() as session:
        lines = session.scalars(
            select(OrderLine).where(
                OrderLine.order_id == order_id, OrderLine.canceled + OrderLine.shipped < OrderLine.ordered
            )
        ).all()
    if not lines:
        raise NotFound("Nothing of it is left to change.")
    return world.dice.choice(lines)
