"""What people and partners do in a storm, each through the services that every door uses.

An action may be refused (a ``DomainError``: sold out, too late, somebody was faster). Anything else is a fault.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Final

from sqlalchemy import select

from engine.carts import service as carts
from engine.catalog.prices import currencies_of
from engine.checkout import service
from engine.checkout.complete import complete
from engine.fulfillment import exceptions, release, requests, shipments, tracking
from engine.fulfillment.carriers import TrackingEvent
from engine.fulfillment.models import Fulfillment, FulfillmentLine
from engine.inventory import inbound
from engine.inventory.inbound import Coming
from engine.inventory.models import Inbound
from engine.kit import clock
from engine.kit.identity import Identity
from engine.kit.tenancy import Tenant
from engine.orders.models import Order, Shipment, ShipmentStatus
from engine.payments import stored_value
from engine.payments.stored_value_models import StoredValueAccount, StoredValueKind
from tests.shop import ADDRESS
from tests.storm import changes
from tests.storm.world import CODES, PLACES, World, bring_more

GIFT: Final = StoredValueKind.GIFT_CARD
CREDIT: Final = StoredValueKind.STORE_CREDIT
CARDS: Final = {
    "card_test_visa": 80,
    "card_test_declined": 8,
    "card_test_timeout": 6,
    "card_test_late": 6,
}
Action = Callable[[World], None]


def buy(world: World) -> None:
    """A cart of a few items, the address, the card, the payment."""
    buyer, card = _ready(world)
    complete(world.runtime, buyer, card)


def buy_with_code(world: World) -> None:
    """With a discount code, some of them used up."""
    buyer = world.shop.shopper()
    world.shop.fill(buyer, world.items(1)[0], 2)
    with world.shop.uow() as session:
        carts.set_discount_code(session, buyer, world.dice.choice(CODES))
    buyer, card = _ready(world, buyer)
    complete(world.runtime, buyer, card)


def buy_with_value(world: World) -> None:
    """With a gift card, store credit or both first, and the card for what they do not reach."""
    buyer = world.shop.shopper()
    kinds = world.dice.choice([[GIFT], [CREDIT], [GIFT, CREDIT], [GIFT, GIFT]])
    gifts = [code for code in (_give(world, buyer, kind) for kind in kinds) if code]
    found = [stored_value.find_by_code(world.runtime, buyer, code) for code in gifts]
    buyer, card = _ready(world, buyer, found, credit=CREDIT in kinds)
    complete(world.runtime, buyer, card)


def buy_ahead(world: World) -> None:
    """Units that are not there yet: the money is held, and taken when they are sent."""
    buyer = world.shop.shopper()
    world.shop.fill(buyer, world.ahead(), world.dice.randint(1, 4))
    buyer, card = _ready(world, buyer)
    complete(world.runtime, buyer, card)


def buy_twice_at_once(world: World) -> None:
    """The same card completed again: the second answer is the first one's."""
    buyer, card = _ready(world)
    first = complete(world.runtime, buyer, card)
    again = complete(world.runtime, buyer, card)
    if first.order and again.order and first.order.id != again.order.id:
        raise AssertionError(f"one card bought {first.order.id} and {again.order.id}")


def change_of_mind(world: World) -> None:
    """A card is shown, then the cart changes: the old card buys nothing."""
    buyer, card = _ready(world)
    world.shop.fill(buyer, world.items(1)[0])
    complete(world.runtime, buyer, card)


def release_order(world: World) -> None:
    """The shop hands an order to its warehouses."""
    order_id = world.any_of(Order.id, Order.status == "open")
    release.release_now(world.runtime, world.tenant_id, order_id)


def ship(world: World) -> None:
    """A warehouse ships what it was given."""
    fulfillment_id = world.any_of(Fulfillment.id, Fulfillment.status.in_(["released", "accepted", "partially_shipped"]))
    shipments.ship_now(world.runtime, world.tenant_id, fulfillment_id)


def pick_short(world: World) -> None:
    """One unit is not on the shelf."""
    fulfillment_id = world.any_of(Fulfillment.id, Fulfillment.status.in_(["released", "accepted"]))
    with world.shop.uow() as session:
        line = session.scalars(
            select(FulfillmentLine.order_line_id).where(
                FulfillmentLine.fulfillment_id == fulfillment_id,
                FulfillmentLine.quantity > FulfillmentLine.shipped + FulfillmentLine.canceled,
            )
        ).first()
        exceptions.short_pick(session, world.tenant_id, fulfillment_id, short={line or "": 1})


def send_over(world: World) -> None:
    """Units go from one warehouse to the other; some transfers arrive at once, others later."""
    source, target = world.dice.sample(PLACES, 2)
    coming = Coming(world.shop.variants[world.items(1)[0]], world.dice.randint(1, 3))
    with world.shop.uow() as session:
        sent = inbound.dispatch_transfer(
            session,
            world.tenant_id,
            actor="key_storm",
            source_location_id=world.shop.locations[source],
            location_id=world.shop.locations[target],
            lines=[coming],
        ).id
    if world.dice.random() < 0.7:
        with world.shop.uow() as session:
            inbound.receive_transfer(session, world.tenant_id, actor="key_storm", inbound_id=sent)


def take_in(world: World) -> None:
    """A transfer that was under way arrives."""
    sent = world.any_of(Inbound.id, Inbound.status.in_(["expected", "partly_received"]))
    with world.shop.uow() as session:
        inbound.receive_transfer(session, world.tenant_id, actor="key_storm", inbound_id=sent)


def give_way(world: World) -> None:
    """A warehouse answers whether it still can give back what a shopper wants to cancel."""
    fulfillment_id = world.any_of(Fulfillment.id, Fulfillment.status == "cancel_requested")
    accepted = world.dice.random() < 0.7
    with world.shop.uow() as session:
        requests.answer_cancel(session, world.tenant_id, fulfillment_id, accepted=accepted)


def carry(world: World) -> None:
    """A carrier's sign of a parcel; the same sign may come twice."""
    shipment_id = world.any_of(Shipment.id, Shipment.status.in_(["label_created", "shipped", "in_transit"]))
    status = world.dice.choice([ShipmentStatus.IN_TRANSIT, ShipmentStatus.DELIVERED])
    sign = TrackingEvent(f"{shipment_id}-{status}", clock.now(), status, "A sign")
    for _ in range(2):
        with world.shop.uow() as session:
            tracking.apply(session, world.tenant_id, shipment_id, [sign])


ACTIONS: Final[Mapping[str, tuple[int, Action]]] = {
    "buy": (40, buy),
    "buy_with_code": (6, buy_with_code),
    "buy_with_value": (6, buy_with_value),
    "buy_ahead": (6, buy_ahead),
    "buy_twice": (5, buy_twice_at_once),
    "change_of_mind": (5, change_of_mind),
    "receive": (8, bring_more),
    "release": (20, release_order),
    "ship": (15, ship),
    "pick_short": (4, pick_short),
    "give_way": (8, give_way),
    "carry": (10, carry),
    "send_over": (8, send_over),
    "take_in": (4, take_in),
    "cancel_all": (8, changes.cancel_all),
    "cancel_some": (8, changes.cancel_some),
    "cancel_as_staff": (4, changes.cancel_as_staff),
    "cancel_to_credit": (3, changes.cancel_to_credit),
    "goodwill": (4, changes.goodwill_given),
    "swap": (8, changes.swap),
    "move_house": (4, changes.move_house),
}
"""Name → how often, and what."""


def _choose_currency(world: World, buyer: Identity) -> None:
    """One of those the shop sells in."""
    with world.shop.uow() as session:
        tenant = session.get_one(Tenant, world.tenant_id)
        sold = currencies_of(tenant.currency, tenant.settings)
        if len(sold) > 1:
            carts.set_currency(session, buyer, world.dice.choice(sold))


def _give(world: World, buyer: Identity, kind: StoredValueKind) -> str | None:
    """Some stored value for them; a gift card's code."""
    mine = {"owner_id": buyer.id} if kind == CREDIT else {}
    with world.shop.uow() as session:
        return stored_value.issue(
            session,
            world.tenant_id,
            secret_key=world.runtime.secret_key,
            kind=kind,
            amount=world.dice.choice([1, 700, 5_000, 90_000]),
            currency=world.shop.tenant.currency,
            actor="key_storm",
            **mine,
        ).code


def _ready(
    world: World, buyer: Identity | None = None, gifts: Sequence[StoredValueAccount] = (), *, credit: bool = False
) -> tuple[Identity, str]:
    """A shopper with a filled cart and an approved card."""
    if buyer is None:
        buyer = world.shop.shopper()
        _choose_currency(world, buyer)
    for sku in world.items():
        world.shop.fill(buyer, sku, world.dice.randint(1, 3))
    with world.shop.uow() as session:
        service.update(session, buyer, service.Details(email="ada@example.com", **ADDRESS))
        for gift in gifts:
            service.use_gift_card(session, buyer, gift)
        if credit:
            service.use_store_credit(session, buyer)
    card = world.dice.choices(list(CARDS), list(CARDS.values()))[0]
    if card != "card_test_visa":
        world.shop.pay_with(buyer, card)
    consent = world.shop.card(buyer)
    world.shop.approve(buyer, consent.id)
    return buyer, consent.id
