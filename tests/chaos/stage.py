"""A platform's shop, our own, their emulated systems and the people around them: what a storm is played on."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any, Final

import httpx
from sqlalchemy import select

from app.demo_systems import connect
from engine.kit.tenancy import Tenant
from engine.runtime import Runtime
from engine.sync.models import System
from engine.sync.sandbox import World
from engine.sync.sandbox.dcl.state import Item
from engine.sync.sandbox.faults import Rule
from engine.sync.sandbox.merchants import Merchant, open_merchant
from engine.sync.sandbox.presets import KITS, SHOP, THIRD_PARTY, read_goods, stock_up
from engine.sync.sandbox.wire import Json
from engine.workflows import pipeline, registry
from engine.workflows.models import RunMode, RunRow
from tests.chaos.ours import Ours
from tests.chaos.people import People
from tests.chaos.post import LetterBox, subscribe

GOODS: Final = 12
"""Products in the shop, of the demo's."""
SAFETY: Final = 2


@dataclass
class Stage:
    runtime: Runtime
    tenant: Tenant
    world: World
    safety: int = SAFETY
    hits: Counter[str] = field(default_factory=Counter)
    """Workflow → faults that struck it, its polls and its letters."""
    played: Counter[str] = field(default_factory=Counter)
    """Workflow → runs that came to an end."""
    deaths: Counter[str] = field(default_factory=Counter)
    """Workflow → how often somebody died over it."""
    called_off: set[str] = field(default_factory=set)
    """What the warehouse called off by itself, as it calls it."""
    _at: str = ""

    def __post_init__(self) -> None:
        self.ours = Ours(self.runtime, self.tenant)
        self.letters = LetterBox(self.runtime, self.tenant.id)
        self.people = People(self)

    @property
    def merchant(self) -> Merchant:
        return self.world.merchants[0]

    def set(self, url: str, line: httpx.BaseTransport | None = None) -> None:
        """Everything is connected and on, letters come, and the story begins."""
        self._connect(url)
        self.ours.open()
        subscribe(self.runtime, self.tenant.id, line)
        self.world.hooks.use(httpx.Client(transport=self.letters))
        self.people.begin()
        self._count_strikes()

    def left(self) -> dict[str, str]:
        return {row.id: f"{row.status} at {row.step}: {row.error}" for row in self.runs() if row.status != "done"}

    def runs(self) -> list[RunRow]:
        with self.runtime.unit_of_work(self.tenant.id) as session:
            query = select(RunRow).where(RunRow.tenant_id == self.tenant.id, RunRow.mode == RunMode.LIVE)
            return list(session.scalars(query.order_by(RunRow.created_at, RunRow.id)))

    @contextmanager
    def working(self, workflow: str) -> Iterator[None]:
        """Whatever strikes now, strikes this workflow."""
        self._at = workflow
        try:
            yield
        finally:
            self._at = ""

    def _connect(self, url: str) -> None:
        with self.runtime.unit_of_work(self.tenant.id) as session:
            assert connect(session, self.runtime, self.tenant.id, self.merchant, url)
            shared = pipeline.active(session, self.tenant.id, pipeline.SHARED)
            assert shared is not None
            pipeline.save(
                session,
                self.tenant.id,
                actor="test",
                workflow=pipeline.SHARED,
                is_on=False,
                settings=shared.settings | {"safety_stock": self.safety},
                activate_it=True,
            )

    def _count_strikes(self) -> None:
        """Each fault that strikes is counted with the workflow that it struck, a letter's with those that hear it."""
        faults, strike = self.world.ground.faults, self.world.ground.faults.strike

        def counted(*args: Any, **told: Any) -> list[Rule]:
            found = strike(*args, **told)
            for name in self._struck_by(told) if found else ():
                self.hits[name] += 1
            return found

        faults.strike = counted  # type: ignore[method-assign]

    def _struck_by(self, told: dict[str, Any]) -> list[str]:
        if told["method"] != "WEBHOOK":
            return [self._at] if self._at else []
        topic = (System(told["system"]), told["operation"].lower().replace("_", "/", 1))
        return [name for name in registry.names() if topic in registry.live(name).hears]


def fill(world: World, *, hour: timedelta = timedelta(hours=1), shops: int = 1) -> None:
    """A few of the demo's goods; a warehouse that takes so long for an order, sends small cartons and picks short."""
    for number in range(shops):
        _fill_one(world, SHOP if not number else f"{SHOP}-{number + 1}", hour)


def _fill_one(world: World, slug: str, hour: timedelta) -> None:
    goods = read_goods()
    merchant = open_merchant(world, slug, currency=goods.currency)
    stock_up(merchant, replace(goods, products=tuple(map(_stocked, goods.products[:GOODS]))))
    for sku, title, _ in KITS:  # a bundle is one thing to the warehouse
        merchant.house.items[sku] = Item(sku, title, 30)
    pace = merchant.house.pace
    pace.picks_after, pace.ships_after, pace.receives_after = hour / 2, hour, hour * 2
    pace.carton_units, pace.short_rate = 3, 0.3


def _stocked(product: Json) -> Json:
    """With as much as will be sold at the place that the 3PL runs."""
    return product | {
        "variants": [one | {"stock": (one.get("stock") or {}) | {THIRD_PARTY: 30}} for one in product["variants"]]
    }
