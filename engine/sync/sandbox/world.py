"""A world of emulated vendors: made of a seed, kept in memory, asked over HTTP or straight through."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from engine.sync.sandbox.dcl.emulator import Dcl
from engine.sync.sandbox.door import Door
from engine.sync.sandbox.ground import Ground
from engine.sync.sandbox.hooks import Dispatcher
from engine.sync.sandbox.netsuite.emulator import NetSuite
from engine.sync.sandbox.shopify.emulator import Shopify
from engine.sync.sandbox.small.mail import Mail
from engine.sync.sandbox.small.slack import Slack
from engine.sync.sandbox.small.trackers import Trackers
from engine.sync.sandbox.small.woocommerce import WooCommerce
from engine.sync.sandbox.wire import Answer, Call

if TYPE_CHECKING:
    from engine.sync.sandbox.merchants import Merchant

_IN_PATH: Final = frozenset({"shopify", "netsuite", "woocommerce"})
"""Systems whose addresses name the tenant."""


@dataclass(frozen=True)
class Recipe:
    """How a world came about, so that it can be made again."""

    seed: int
    at: datetime | None
    fill: Callable[[World], None] | None


class World:
    """Everything that a pipeline talks to.

    ``at`` holds the business time still at a moment, moved by ``advance`` alone; without, it runs. The same seed makes
    the same ids, secrets, parcels and accidents.
    """

    def __init__(self, seed: int = 1, at: datetime | None = None, fill: Callable[[World], None] | None = None) -> None:
        self._recipe = Recipe(seed, at, fill)
        self.reset()

    @classmethod
    def preset(cls, name: str, *, seed: int = 1, at: datetime | None = None, merchants: int = 1) -> World:
        """A world as a scenario has it (``presets.PRESETS``), with so many merchants. Raises ``KeyError``."""
        from engine.sync.sandbox.presets import PRESETS

        scenario = PRESETS[name]
        return cls(seed, at, lambda world: scenario(world, merchants))

    def reset(self) -> None:
        """As it was in the beginning: nothing is left of what was asked, changed or set up since."""
        client = getattr(self, "hooks", None)
        if client is not None:
            client.close()
        self.ground = Ground(self._recipe.seed, self._recipe.at)
        self.hooks = Dispatcher(self.ground)
        self.shopify = Shopify(self.ground, self.hooks)
        self.netsuite = NetSuite(self.ground)
        self.dcl = Dcl(self.ground)
        self.slack = Slack(self.ground)
        self.trackers = Trackers(self.ground, self.hooks)
        self.woocommerce = WooCommerce(self.ground, self.hooks)
        self.mail = Mail(self.ground)
        self.merchants: list[Merchant] = []
        larger: tuple[Any, ...] = (self.shopify, self.netsuite, self.dcl)
        vendors: tuple[Any, ...] = (*larger, self.slack, self.trackers, self.woocommerce)
        self.doors = {vendor.system: Door(self.ground, vendor) for vendor in vendors}
        if self._recipe.fill is not None:
            self._recipe.fill(self)

    def become(self, other: World) -> None:
        """Start anew as another world was made."""
        self._recipe = replace(other._recipe, at=self._recipe.at)
        self.reset()

    @property
    def seed(self) -> int:
        return self._recipe.seed

    def now(self) -> datetime:
        return self.ground.now()

    def advance(self, by: timedelta) -> int:
        """Move the time on: what falls due happens, webhooks are sent. Returns how much happened."""
        return self.ground.advance(by)

    def settle(self) -> int:
        """Do what is due now (webhooks go out a moment after what they tell of)."""
        return self.ground.run_due()

    def door(self, call: Call) -> tuple[Door, Call] | None:
        """Whose door a request knocks at, and the request as that vendor reads it."""
        _, system, *rest = call.path.split("/", 2)
        door = self.doors.get(system)
        if door is None:
            return None
        tail = f"/{rest[0]}" if rest else "/"
        if system in _IN_PATH:
            tenant, _, after = tail.removeprefix("/").partition("/")
            return door, replace(call, tenant=tenant, rest=f"/{after}")
        inner = replace(call, rest=tail)
        vendor: Any = door.vendor
        return door, replace(inner, tenant=vendor.tenant(inner))

    def close(self) -> None:
        self.hooks.close()


def unknown() -> Answer:
    """No vendor lives there."""
    return Answer(404, {"error": "There is no such emulator."})
