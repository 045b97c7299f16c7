"""The operations that are measured. Each is made ready first; what it returns is run once, against the clock."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any, Final

from app.bench_floor import bench_commit_floor, bench_money_floor
from app.bench_scene import Scene
from engine.carts import service as carts
from engine.catalog.search import SearchRequest
from engine.checkout import confirmation
from engine.checkout.complete import Result, complete
from engine.fulfillment.release import release_now
from engine.fulfillment.shipments import ship_now
from engine.inventory import service as inventory
from engine.kit import clock
from engine.kit.identity import Actor, Identity, Scope
from engine.kit.ids import new_id
from engine.kit.money import Money
from engine.orders import goodwill
from engine.orders.changes.apply import apply_as_staff
from engine.orders.changes.propose import propose
from engine.orders.changes.wanted import read
from engine.orders.models import ChangeStatus
from engine.payments import refunds
from engine.payments.delegated import DelegatedCard, Request, card_taker
from engine.payments.gateway import Allowance
from engine.payments.models import RefundStatus

Operation = Callable[[], None]
Bench = Callable[[Scene], Operation]
_QUERIES: Final = ("warm sleeping bag for winter", "waterproff boots", "something to cook on outside", "gift under 30")


def bench_complete(scene: Scene, basket: Mapping[str, int] | None = None) -> Operation:
    """One purchase from an approved card to the paid order: two commits of ours, one of the gateway's."""
    buyer, card_id = scene.approved(basket)

    def run() -> None:
        done = complete(scene.runtime, buyer, card_id)
        if done.result != Result.PAID:
            raise RuntimeError(f"the benchmark's purchase ended as {done.result}: {done.message}")

    return run


def bench_card(scene: Scene) -> Operation:
    """Showing the payment card: price everything, delegate a token, write the consent."""
    buyer = scene.ready()
    return lambda: _discard(confirmation.request(scene.runtime, buyer, thread_id=None))


def bench_reserve_release(scene: Scene) -> Operation:
    """Holding the units of a basket for a payment, and letting them go: two commits."""
    basket, payment_id = scene.basket(), new_id("payment")
    lines = {variant: new_id("order_line") for variant in basket}

    def run() -> None:
        with scene.uow() as session:
            stock = inventory.shippable(session, scene.tenant_id, list(basket))
            inventory.hold(session, scene.tenant_id, payment_id, inventory.route(basket, stock, region="OR"), lines)
        with scene.uow() as session:
            inventory.release(session, scene.tenant_id, payment_id)

    return run


def bench_ship(scene: Scene) -> Operation:
    """Sending one released parcel: stock, reservation, journal, order and shipment."""
    fulfillment_id = release_now(scene.runtime, scene.tenant_id, scene.paid().id)[0]
    return lambda: _discard(ship_now(scene.runtime, scene.tenant_id, fulfillment_id))


def bench_refund(scene: Scene) -> Operation:
    """Giving back part of a paid order: asked for under its locks, moved by the gateway, booked."""
    order_id = scene.paid().id

    def run() -> None:
        with scene.uow() as session:
            asked = goodwill.give(
                session, scene.tenant_id, order_id=order_id, amount=100, reason="bench", requested_by="bench"
            )
        for one in asked:
            if refunds.execute(scene.runtime, scene.tenant_id, one.id).status != RefundStatus.SUCCEEDED:
                raise RuntimeError("the benchmark's refund did not succeed")

    return run


def bench_order_change(scene: Scene) -> Operation:
    """Canceling a paid order for the shop: quoted, worked out again under the order's lock, stock freed, money back."""
    order_id = scene.paid().id
    staff = Identity(scene.tenant_id, Actor.API_KEY, new_id("key"), scopes=frozenset({Scope.STAFF}))

    def run() -> None:
        wanted = read({"kind": "cancel", "reason": "other"})
        quoted = propose(scene.runtime, staff, order_id, wanted)
        done = apply_as_staff(scene.runtime, staff, order_id, quoted.id)
        if done.status != ChangeStatus.APPLIED:
            raise RuntimeError(f"the benchmark's change ended as {done.status}: {done.message}")

    return run


def bench_add_to_cart(scene: Scene) -> Operation:
    """Putting one item into an empty cart."""
    buyer, variant = scene.buyer(), next(iter(scene.basket()))

    def run() -> None:
        with scene.uow() as session:
            carts.add(session, buyer, variant, quantity=1, options={})

    return run


def bench_search(scene: Scene) -> Operation:
    """A search by words and, in the serving process, by meaning: five products with variants and stock."""
    request = SearchRequest(query=scene.random.choice(_QUERIES), limit=5)

    def run() -> None:
        with scene.uow() as session:
            scene.runtime.search.search(session, scene.tenant_id, request)

    return run


def bench_delegate(scene: Scene) -> Operation:
    """An agent's card becomes a token: checked, sealed and kept under its key in one round trip."""
    vault = card_taker(scene.runtime.gateways, demo=True)
    card = DelegatedCard("4242424242424242", exp_month="12", exp_year=str(clock.now().year + 2), cvc="123")
    until = clock.now() + timedelta(minutes=30)
    allowance = Allowance(scene.tenant_id, new_id("checkout"), Money(10_000, "USD"), until)
    request = Request(scene.tenant_id, "agp_bench", "delegate_payment", new_id("key"), b"{}")

    def run() -> None:
        made = vault.delegate_card(request, card, allowance, (), failing=100)
        if made.made_id is None:
            raise RuntimeError("the benchmark's card was refused")

    return run


BENCHMARKS: Final[Mapping[str, Bench]] = {
    "complete": bench_complete,
    "card": bench_card,
    "reserve_release": bench_reserve_release,
    "ship": bench_ship,
    "refund": bench_refund,
    "order_change": bench_order_change,
    "add_to_cart": bench_add_to_cart,
    "search": bench_search,
    "delegate": bench_delegate,
    "commit_floor": bench_commit_floor,
    "money_floor": bench_money_floor,
}


def _discard(_: Any) -> None:
    """A benchmark's result is not needed."""
