"""A shop at work: its state, its clock, and whom it tells of what happens."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeVar

from engine.sync.sandbox.ground import Ground
from engine.sync.sandbox.hooks import Dispatcher
from engine.sync.sandbox.shopify.cost import Bucket
from engine.sync.sandbox.shopify.mistakes import refuse
from engine.sync.sandbox.shopify.state import ShopState, Thing
from engine.sync.sandbox.wire import Json

T = TypeVar("T", bound=Thing)


@dataclass
class Shop:
    """What the mutations work on."""

    state: ShopState
    ground: Ground
    hooks: Dispatcher
    bucket: Bucket
    origin: str = ""
    halved: bool = False
    racing: bool = False
    api_version: str = ""
    event: str = ""

    def now(self) -> datetime:
        """Shopify's times are whole seconds."""
        return self.ground.now().replace(microsecond=0)

    def number(self) -> int:
        return 5_000_000_000 + self.ground.number()

    def begin_act(self) -> None:
        """What is told from now on is told of one act: all its letters carry one event id."""
        self.event = self.uuid()

    def uuid(self) -> str:
        return str(uuid.UUID(int=self.ground.rng.getrandbits(128), version=4))

    def emit(self, topic: str, resource: str, body: Json) -> None:
        """Tell the subscribers of a topic (``ORDERS_CREATE``)."""
        from engine.sync.sandbox.shopify.subscriptions import tell

        tell(self, topic, resource, body)


def numbered(gid: Any) -> int:
    """The number in a global id; 0 where it is none."""
    tail = str(gid).rpartition("/")[2].partition("?")[0]
    return int(tail) if tail.isdigit() else 0


def find(things: dict[int, T], gid: Any, *field: str, code: str | None = None, what: str = "") -> T:
    """The thing of this global id. Raises ``UserErrors`` where there is none."""
    found = things.get(numbered(gid))
    if found is None or (str(gid).startswith("gid://") and f"/{found.typename}/" not in str(gid)):
        raise refuse(f"{what or 'The record'} could not be found.", *field, code=code)
    return found
