"""Units that break, for ``test_lives``: claimed, decided, sent in, replaced, refunded, repaired, given up."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from engine.kit.identity import Actor, Identity
from engine.orders.models import Order
from engine.warranties import claiming, deciding, resolving
from engine.warranties.models import Claim, Resolution, Warranty
from tests.storm.world import World

_UNDECIDED: Final = Claim.status.in_(["submitted", "in_review"])
_DECIDED: Final = Claim.status.in_(["approved", "repairing"])


def complain(world: World) -> None:
    """A shopper tells a fault of something that arrived."""
    warranty_id = world.any_of(Warranty.id, Warranty.status == "active")
    with world.shop.uow() as session:
        unit = session.get_one(Warranty, (world.tenant_id, warranty_id))
        owner = session.get_one(Order, (world.tenant_id, unit.order_id)).owner_id
        buyer = Identity(world.tenant_id, Actor.SHOPPER, owner)
        claiming.submit(session, buyer, unit.id, symptom="other", description="It broke.")


def decide_claim(world: World) -> None:
    """The shop says yes, in one way or another, or no."""
    claim_id, dice = world.any_of(Claim.id, _UNDECIDED), world.dice
    offers = dice.sample(list(Resolution), dice.choice([1, 1, 2]))
    with world.shop.uow() as session:
        if session.get_one(Claim, (world.tenant_id, claim_id)).status == "submitted":
            deciding.review(session, world.tenant_id, claim_id, actor="key_lives")
        if dice.random() < 0.1:
            deciding.deny(session, world.tenant_id, claim_id, message="No.", actor="key_lives")
            return
        back = dice.choice([None, True, False])
        deciding.approve(session, world.tenant_id, claim_id, offers=offers, comes_back=back, actor="key_lives")
    resolving.carry_out(world.runtime, world.tenant_id, claim_id)


def make_good(world: World) -> None:
    """What was decided goes on: the shopper chooses or sends the unit in, the shop repairs it."""
    claim_id, dice = world.any_of(Claim.id, _DECIDED), world.dice
    with world.shop.uow() as session:
        claim = session.get_one(Claim, (world.tenant_id, claim_id))
        owner = session.get_one(Order, (world.tenant_id, claim.order_id)).owner_id
        buyer = Identity(world.tenant_id, Actor.SHOPPER, owner)
        if claim.status == "repairing":
            resolving.send_back(session, world.tenant_id, claim_id, actor="key_lives")
        elif dice.random() < 0.1:
            claiming.cancel(session, buyer, claim_id)
        elif claim.resolution is None:
            wanted = Resolution(dice.choice(claim.offers))
            claiming.choose(session, buyer, claim_id, resolution=wanted, channel="lives")
        elif claim.comes_back:
            resolving.receive(session, world.tenant_id, claim_id, actor="key_lives")
    resolving.carry_out(world.runtime, world.tenant_id, claim_id)


BREAKING: Final[dict[str, Callable[[World], None]]] = {
    "complain": complain,
    "decide_claim": decide_claim,
    "make_good": make_good,
}
