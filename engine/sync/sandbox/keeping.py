"""A world that outlives its process: what the merchants' accounts hold, kept as bytes and taken up again.

Kept: shops, books, the warehouse with its work, the channel, the world's dice and numbers. Not kept: webhooks that were
still on their way (whoever listens asks for what it missed), bulk operations and jobs under way, trackers, the small
store, mail, faults and the journal. The bytes are this process's own kind: whoever can write them can run code.
"""

from __future__ import annotations

import pickle
from dataclasses import replace
from typing import Any, Final

from engine.sync.sandbox.dcl import warehouse
from engine.sync.sandbox.merchants import Merchant
from engine.sync.sandbox.world import World

FORM: Final = 1
"""Another number whenever what is kept means something else."""


class NotOurs(ValueError):
    """What was kept is of another form, or of another world."""


def keep(world: World) -> bytes:
    """The world as it stands, between two requests."""
    ground = world.ground
    with ground.lock:
        number = ground.number()
        ground.numbered_from(number)
        kept: dict[str, Any] = {
            "form": FORM,
            "seed": world.seed,
            "number": number,
            "rng": ground.rng,
            "merchants": [(one.slug, one.shop.state, one.account, one.house) for one in world.merchants],
            "channels": world.slack.channels,
        }
        return pickle.dumps(kept)


def take_up(world: World, kept: bytes) -> None:
    """Go on from there: ``world`` was made of the same seed and scenario. Raises ``NotOurs``, and nothing changes."""
    try:
        found: dict[str, Any] = pickle.loads(kept)  # noqa: S301 (its owner's own file, as the docstring says)
        fits = found["form"] == FORM and found["seed"] == world.seed
        slugs = [row[0] for row in found["merchants"]]
    except Exception as error:  # noqa: BLE001 (whatever a torn file raises)
        raise NotOurs(f"what was kept cannot be read: {type(error).__name__}") from None
    if not fits or slugs != [one.slug for one in world.merchants]:
        raise NotOurs("what was kept is of another world")
    with world.ground.lock:
        world.ground.rng = found["rng"]
        world.ground.numbered_from(found["number"])
        world.slack.channels = found["channels"]
        world.merchants[:] = [
            _moved_in(world, one, row) for one, row in zip(world.merchants, found["merchants"], strict=True)
        ]
        for one in world.merchants:
            _go_on(world, one)


def _moved_in(world: World, one: Merchant, row: tuple[Any, ...]) -> Merchant:
    """The merchant with the accounts that were kept."""
    _, shop, account, house = row
    one.shop.state = shop
    world.netsuite.accounts[account.account] = account
    world.dcl.houses[house.username] = house
    return replace(one, account=account, house=house)


def _go_on(world: World, one: Merchant) -> None:
    """What the warehouse was about to do: what fell due meanwhile happens now."""
    for order in list(one.house.orders.values()):
        if not order.cancelled and order.left:
            warehouse.resume(world.ground, one.house, order)
    for expected in list(one.house.expected.values()):
        if not expected.received:
            warehouse.expect(world.ground, one.house, expected)
