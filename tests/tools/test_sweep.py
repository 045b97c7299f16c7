"""Every tool of every agent, as anybody may call it: nothing of somebody else is told, and nothing moves.

Three who talk: a guest who has nothing; a shopper with an order that is paid, one that is on its way and one that
arrived, with a return and a claim; and another shopper who knows every id of the first, as if a model had seen them.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, Final

import pytest
from sqlalchemy import func, select

from engine.checkout.complete import complete
from engine.checks import check_tenant
from engine.conversations import references
from engine.customers import book
from engine.finance.models import JournalEntry, Posting
from engine.fulfillment import release
from engine.fulfillment.models import Fulfillment
from engine.fulfillment.shipments import ship
from engine.inventory.models import Reservation, StockMovement
from engine.kit.identity import Identity
from engine.kit.ids import ids_in, is_id
from engine.orders.models import OrderLine, Shipment
from engine.payments.models import Payment, Refund
from tests.engine.customers.people import known
from tests.engine.orders.desk import Desk
from tests.engine.returns.coming import deliver, the_return
from tests.engine.warranties.fault import REFUND, REPAIR, approve, claim, hear, review, warranties
from tests.shop import ADDRESS, Shop
from tests.tools.talk import Talk
from tools.spec import AgentName, load, tools_for

MOVED: Final = (JournalEntry, Posting, StockMovement, Reservation, Refund, Payment, Shipment)
SECRETS: Final = ("ada@example.com", "Ada Buyer", "12 Pine St", "The handle broke")
FIRST: Final = ("add_to_cart", "start_checkout", "update_checkout")
LAST: Final = ("cancel_checkout", "empty_cart", "mark_return_sent", "request_human")
_LINE: Final = frozenset({"line_id"})
TEXTS: Final = {
    "expression": "1 + 1",
    "reason": "other",
    "email": "eve@example.com",
    "currency": "USD",
    "country": "US",
    "state": "WA",
    "postal_code": "98101",
    "symptom": "defective_part",
    "sort": "relevance",
    "refund_to": "original",
    "code": "EAST",
    "sku": "TENT",
}


@dataclass
class World:
    """What the first shopper has: by the name of an argument, what it may be given."""

    shop: Shop
    ada: Identity
    orders: list[Desk]
    ids: dict[str, str]
    """Argument → an id of hers."""

    def named(self, desk: Desk) -> dict[str, str]:
        """Her ids, as one order has them."""
        view = desk.look()
        line = view.lines[0]
        return self.ids | {"order": view.number, "order_id": view.id, "line_id": line.id, "variant_id": line.variant_id}


@pytest.fixture
def world(shop: Shop) -> World:
    shop.add("TENT", price=10000)
    shop.add("LAMP", price=2000)
    ada = known(shop)
    with shop.uow() as session:
        address = book.add_address(session, ada, ADDRESS, default=True).id
    paid, sent, arrived = (_buys(shop, ada) for _ in range(3))
    _send(sent)
    deliver(arrived)
    hear(arrived)
    line = arrived.look().lines[0].id
    arrived.agree(arrived.ask("return", lines=[{"line_id": line, "quantity": 1, "reason": "changed_mind"}]))
    unit = warranties(arrived)[0]
    made = claim(arrived, -1)
    review(arrived, made)
    approve(arrived, made, REPAIR, REFUND, carry=False)
    product = arrived.look().lines[0].product_id
    ids = {
        "return_id": the_return(arrived).id,
        "number": the_return(arrived).number,
        "warranty_id": unit.id,
        "claim_id": made,
        "claim": made,
        "address_ref": address,
        "payment_method_ref": "test_visa",
        "item_id": product,
        "product_id": product,
        "to_variant_id": shop.variants["LAMP"],
        "exchange_variant_id": shop.variants["TENT"],
    }
    return World(shop, ada, [paid, sent, arrived], ids)


def _buys(shop: Shop, who: Identity) -> Desk:
    done = complete(shop.runtime, who, shop.approved(who, "TENT", 3))
    assert done.order is not None
    return Desk(shop, who, done.order.id)


def _send(desk: Desk) -> None:
    release.release_now(desk.shop.runtime, desk.shop.tenant.id, desk.order_id)
    with desk.shop.uow() as session:
        for one in session.scalars(select(Fulfillment.id).where(Fulfillment.order_id == desk.order_id)).all():
            ship(session, desk.shop.tenant.id, one)


def arguments(schema: dict[str, Any], ids: dict[str, str], *, whole: bool) -> dict[str, Any]:
    """Something for each argument (``whole``), or for those that are required; units of an order name their line."""
    wanted = schema["properties"] if whole else [*schema.get("required", ()), *_LINE.intersection(schema["properties"])]
    return {name: _value(name, schema["properties"][name], ids, whole=whole) for name in wanted if name != "cursor"}


def _value(name: str, schema: dict[str, Any], ids: dict[str, str], *, whole: bool) -> Any:
    if name in ids:
        return ids[name]
    kind = schema.get("type")
    if kind == "array":
        item = _value(name.removesuffix("s"), schema["items"], ids, whole=whole)
        return [item] * max(1, schema.get("minItems", 1))
    if kind == "object":
        return arguments(schema, ids, whole=False) if "properties" in schema else {}
    if kind in {"integer", "boolean"}:
        return max(1, schema.get("minimum", 1)) if kind == "integer" else True
    return schema["enum"][0] if "enum" in schema else TEXTS.get(name, "Something")


def counts(world: World) -> list[int]:
    with world.shop.uow() as session:
        moved = [session.scalar(select(func.count()).select_from(table)) or 0 for table in MOVED]
        lines = session.execute(
            select(func.sum(OrderLine.canceled), func.sum(OrderLine.shipped), func.sum(OrderLine.returned))
        ).one()
        return [*moved, *(int(number or 0) for number in lines)]


def sweep(
    world: World, who: Identity, desk: Desk, *, knows: bool, whole: bool = True
) -> list[tuple[str, dict[str, Any], Any]]:
    """Call every tool of every agent in one conversation: with all arguments, or with what it requires."""
    told = []
    ids, talk = world.named(desk), Talk(world.shop, who)
    if knows:
        _show(world, talk, ids)
    names = {spec.name for agent in AgentName for spec in tools_for(agent)}
    for name in sorted(names, key=lambda name: (name not in FIRST, name in LAST, name)):
        given = arguments(load()[name].schema(), ids, whole=whole)
        told.append((name, talk.call(name, **given), talk.shown))
    return told


def in_order(world: World) -> bool:
    """Whether every invariant of the shop holds."""
    return [one for one in check_tenant(world.shop.runtime, world.shop.tenant.id, "t") if not one.ok] == []


def _show(world: World, talk: Talk, ids: dict[str, str]) -> None:
    """As if results had told all of these ids."""
    with world.shop.uow() as session:
        references.record(session, world.shop.tenant.id, talk.thread_id, ids_in(json.dumps(ids)))


def codes(told: list[tuple[str, dict[str, Any], Any]]) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for name, answer, _ in told:
        found.setdefault(name, set()).add("ok" if answer["ok"] else answer["error"]["code"])
    return found


def test_a_guest_and_a_stranger_who_knows_every_id_learn_nothing_and_move_nothing(world: World) -> None:
    before = counts(world)
    guest, eve = world.shop.shopper(), known(world.shop, "eve@example.com")
    told = sweep(world, guest, world.orders[0], knows=False) + sweep(
        world, eve, world.orders[0], knows=True, whole=False
    )
    for desk in world.orders:
        told += sweep(world, eve, desk, knows=True)
    shown = json.dumps(told)
    assert [secret for secret in SECRETS if secret in shown] == []
    hers = {desk.order_id for desk in world.orders} | {one for one in world.ids.values() if is_id(one)}
    public = {value for name, value in world.ids.items() if name.startswith(("item", "product", "to_", "exchange"))}
    echoed = {one for one in hers - public if one in json.dumps([t for t in told if t[1]["ok"]])}
    assert echoed == set()
    assert counts(world) == before
    assert in_order(world)
    assert not [name for name, answer, _ in told if not answer["ok"] and answer["error"]["code"] == "internal"]


def test_a_shopper_with_orders_is_told_and_asked_and_nothing_moves(world: World) -> None:
    before = counts(world)
    told = sweep(world, world.ada, world.orders[0], knows=True, whole=False)
    for desk in world.orders:
        told += sweep(world, world.ada, desk, knows=True)
    found = codes(told)
    assert not [name for name, said in found.items() if said & {"internal", "invalid_arguments"}]
    never = {name for name, said in found.items() if "ok" not in said}
    staff_only = {spec.name for spec in load().values() if spec.staff}
    assert never - staff_only <= NOT_HERE
    assert all(found[name] == {"forbidden"} for name in staff_only)
    assert counts(world) == before
    assert in_order(world)


NOT_HERE: Final = frozenset(
    {
        "answer_claim",
        "compare_products",
        "find_order_status",
        "quote_item_change",
        "quote_payment_change",
        "set_discount_code",
        "swap_cart_variant",
        "use_store_credit",
    }
)
"""What she has not: a question of the shop, an order under another e-mail, a code, credit, and a second product,
variant or way to pay.
"""


@pytest.mark.parametrize("odd", ["a\0\ud800b", "9" * 40])
def test_odd_texts_are_refused_in_words(world: World, odd: str) -> None:
    """No letter that cannot be stored, and no id that cannot be, is more than a refusal."""
    ids, talk = world.named(world.orders[2]), Talk(world.shop, world.ada)
    _show(world, talk, ids)
    broken = []
    for name, spec in sorted(load().items()):
        usual = arguments(spec.schema(), ids, whole=True)
        for key in usual:
            answer = talk.call(name, **(usual | {key: _texts(usual[key], odd)}))
            broken += [(name, key)] if not answer["ok"] and answer["error"]["code"] == "internal" else []
    assert broken == []


def _texts(value: Any, odd: str) -> Any:
    """The same with every text replaced."""
    if isinstance(value, dict):
        return {name: _texts(item, odd) for name, item in value.items()}
    if isinstance(value, list):
        return [_texts(item, odd) for item in value]
    return odd if isinstance(value, str) else value
