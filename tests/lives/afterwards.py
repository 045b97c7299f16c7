"""What banks, gateways and staff do to orders afterwards, for ``test_lives``; beside what ``tests.storm`` does."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Final

from sqlalchemy import select

from app.cardentry import receive_event
from engine.finance import settlements
from engine.inventory import adjusting
from engine.kit import clock
from engine.kit.policies import change_policy
from engine.kit.tenancy import Tenant
from engine.orders import queries
from engine.orders.models import Order
from engine.payments.gateways.sandbox.gateway import SandboxGateway
from engine.payments.models import Dispute, Payment
from engine.tax.policy import TaxPolicy
from tests.storm.world import PLACES, World


def gateway(world: World) -> SandboxGateway:
    found = world.runtime.gateways["sandbox"]
    assert isinstance(found, SandboxGateway)
    return found


def hear(world: World) -> None:
    """The gateway's webhooks come out of order, and twice."""
    told = list(gateway(world).due_webhooks(merchant=world.tenant_id))
    world.dice.shuffle(told)
    for one in [*told, *told[:2]]:
        receive_event(world.runtime, "sandbox", one.body, dict(one.headers))
    for one in told:
        gateway(world).confirm(one.event_id)


def dispute(world: World) -> None:
    """A card's holder goes to the bank."""
    payment_id = world.any_of(Payment.id, (Payment.status == "captured") & (Payment.amount > 0))
    gateway(world).open_dispute(payment_id, merchant=world.tenant_id)
    hear(world)


def decide(world: World) -> None:
    """The bank decides."""
    found = world.any_of(Dispute.gateway_dispute_id, Dispute.status.in_(["needs_response", "under_review"]))
    gateway(world).decide_dispute(found, won=world.dice.random() < 0.5)
    hear(world)


def pay_out(world: World) -> None:
    """The gateway pays the shop, and the payout is booked."""
    gateway(world).pay_out(merchant=world.tenant_id, before=clock.now() + timedelta(seconds=1))
    settlements.import_payouts(world.runtime, world.tenant_id)


def write_off(world: World) -> None:
    """Units are found, or broken."""
    delta = world.dice.choice([-2, -1, 1, 2])
    with world.shop.uow() as session:
        adjusting.adjust(
            session,
            world.tenant_id,
            actor="key_lives",
            variant_id=world.shop.variants[world.items(1)[0]],
            location_id=world.shop.locations[world.dice.choice(PLACES)],
            delta=delta,
            reason="Found" if delta > 0 else "Broken",
        )


def change_tax(world: World) -> None:
    """The shop has its taxes worked out elsewhere, where nobody answers, so that its tables say what is due; or here
    again.
    """
    values = {"engine": world.dice.choice(["tables", "stripe_tax"]), "on_failure": "fallback"}
    with world.shop.uow() as session:
        change_policy(session.get_one(Tenant, world.tenant_id), TaxPolicy, values)


def one_more_look(world: World) -> None:
    """Every order is read, as its shopper and as staff would: nothing that happened makes it unreadable."""
    with world.shop.uow() as session:
        ids = session.scalars(select(Order.id).where(Order.placed_at.is_not(None))).all()
        for order_id in ids:
            assert queries.own_order(session, world.staff(), order_id).id == order_id


LATER: Final[dict[str, Callable[[World], None]]] = {
    "hear": hear,
    "dispute": dispute,
    "decide": decide,
    "pay_out": pay_out,
    "write_off": write_off,
    "change_tax": change_tax,
    "one_more_look": one_more_look,
}
