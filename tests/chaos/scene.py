"""One shop and its emulated systems, all workflows in rehearsal, faults and deaths as a seed says; and what must hold.

The same seed, fault and death give the same run, to the request.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from sqlalchemy import select

from app.demo_systems import connect
from engine.checks import broken_rules
from engine.kit import clock
from engine.kit.clock import OwnClock
from engine.kit.tenancy import Tenant
from engine.runtime import Runtime
from engine.sync import connections, exceptions
from engine.sync.models import ConnectionStatus
from engine.sync.sandbox import World, WorldTransport, emitting
from engine.sync.sandbox.faults import Kind, Rule
from engine.sync.sandbox.merchants import Merchant
from engine.sync.sandbox.netsuite.state import Record
from engine.sync.sandbox.presets import basket, read_goods
from engine.sync.work_models import ExceptionStatus
from engine.workflows import pipeline, registry, triggers
from engine.workflows.access import Wiring
from engine.workflows.models import CursorRow, RunMode, RunRow, RunStatus
from engine.workflows.rehearsal import Death, Rehearsal, When

URL: Final = "http://127.0.0.1:9999"
NOON: Final = datetime(2026, 11, 26, 12, tzinfo=UTC)
STEP: Final = timedelta(minutes=30)
STORM: Final = 6
"""Rounds with faults; then the systems are well again, and a person retries what stopped."""
ORDERS: Final = 4
"""In the shop; the first is canceled before anybody hears of it."""
RARELY: Final = {"inventorySync": 8, "inventoryBundlesSync": 8}
"""Rounds from one to the next of what goes through all stock."""
BY_THE_CLOCK: Final = frozenset({"productsPull"})
"""A run of these begins in every round, whatever there is to do: it does not say that something is left to do."""
MOST: Final = 40
"""Rounds until everything must be over."""
MOST_RETRIES: Final = 3
SYSTEMS: Final = ("shopify", "netsuite", "dcl")
KINDS: Final = tuple(
    kind
    for kind in Kind
    if not kind.startswith("webhook_") and kind not in {Kind.PROCESS_KILL, Kind.SECRET_ROTATED, Kind.CLOCK_SKEW}
)
"""Webhooks do not come over this line, a process is killed by ``Death``; rotated secrets and wrong clocks are the
client's (tests/engine/sync, tests/sync).
"""
PARAMS: Final[dict[Kind, dict[str, Any]]] = {
    Kind.SLOW: {"ms": 200},
    Kind.SCHEMA_DRIFT: {"op": "add", "path": "new_field"},
    Kind.CURRENCY_MISMATCH: {"currency": "XXX"},
    Kind.HTTP_429: {"retry_after": 20},
}


@dataclass
class Storm:
    """Which fault strikes, where and how often, and which workflow dies at which step."""

    kind: Kind | None = None
    system: str = "netsuite"
    probability: float = 0.25
    dies: str | None = None
    when: When = When.INSIDE
    seed: int = 1
    stock: bool = False
    """With what goes through all stock, which takes longest."""


@dataclass
class Scene:
    runtime: Runtime
    tenant: Tenant
    storm: Storm
    world: World
    hands: OwnClock
    played: Counter[str] = field(default_factory=Counter)
    deaths: int = 0
    struck: int = 0
    """How often the fault did."""
    _doomed: set[str] = field(default_factory=set)

    @property
    def merchant(self) -> Merchant:
        return self.world.merchants[0]

    def play_to_the_end(self) -> None:
        """The storm, then fair weather, until nothing is left to do."""
        quiet = 0
        for number in range(MOST):
            if number == STORM:
                self.calm()
            if number >= STORM:
                self._retry_what_stopped()
            busy = self._round(number)
            quiet = 0 if busy or number < STORM else quiet + 1
            if quiet == 3:
                return
            self.passes(STEP.total_seconds())
        raise AssertionError(f"it is not over: {self.left()}")

    def calm(self) -> None:
        self.struck = sum(rule.struck for rule in self.world.ground.faults.rules())
        self.world.ground.faults.clear()

    def passes(self, seconds: float) -> None:
        """Time for everybody. A person gives secrets anew to what takes none."""
        self.hands.move(timedelta(seconds=seconds))
        self.elapses(seconds)

    def elapses(self, seconds: float) -> None:
        self.world.advance(timedelta(seconds=seconds))
        with self.runtime.unit_of_work(self.tenant.id) as session:
            for row in connections.listed(session, self.tenant.id):
                if row.status == ConnectionStatus.AUTH_EXPIRED:
                    connections.resume(session, self.tenant.id, row.id, actor="person")

    def left(self) -> dict[str, str]:
        return {row.id: f"{row.status} at {row.step}: {row.error}" for row in self._runs() if row.status != "done"}

    def _round(self, number: int) -> bool:
        """Whether anything was done but what is done in every round."""
        before = self._begun()
        with self.runtime.unit_of_work(self.tenant.id) as session:
            on = pipeline.switched_on(session, self.tenant.id)
        for name in on:
            workflow = registry.live(name)
            rare = name in RARELY and (not self.storm.stock or number % RARELY[name])
            if workflow.poll is not None and not rare:
                triggers.poll(self.runtime, self.tenant.id, workflow, wiring=self._wiring())
        triggers.hear(self.runtime, self.tenant.id)
        played = 0
        while queued := [row for row in self._runs() if row.status == RunStatus.QUEUED]:
            for row in queued:
                self._play(row)
                played += row.workflow not in BY_THE_CLOCK
        return played > 0 or self._begun() > before

    def _begun(self) -> int:
        return sum(row.workflow not in BY_THE_CLOCK for row in self._runs())

    def _play(self, row: RunRow) -> None:
        workflow = registry.at(row.workflow, row.version)
        with self.runtime.unit_of_work(self.tenant.id) as session:
            settings = pipeline.settings_of(session, self.tenant.id, row.workflow)
        rehearsal = Rehearsal(
            self.runtime,
            self.tenant.id,
            workflow,
            row.payload,
            settings=settings,
            transport=self._line(),
            deaths=self._deaths(row),
            hands=self.hands,
            waits=self.elapses,
        )
        planned = len(rehearsal.deaths)
        rehearsal.play()
        self.deaths += planned - len(rehearsal.deaths)
        self.played[row.workflow] += 1

    def _deaths(self, row: RunRow) -> list[Death]:
        """At each of its first steps in turn, run by run."""
        if row.workflow != self.storm.dies or row.id in self._doomed:
            return []
        self._doomed.add(row.id)
        return [Death(self.storm.when, 1 + (len(self._doomed) + self.storm.seed) % 6)]

    def _retry_what_stopped(self) -> None:
        with self.runtime.unit_of_work(self.tenant.id) as session:
            for row in exceptions.listed(session, self.tenant.id, limit=200).items:
                if row.retries < MOST_RETRIES:
                    exceptions.retry(session, self.tenant.id, row.id, actor="person")

    def _runs(self) -> list[RunRow]:
        with self.runtime.unit_of_work(self.tenant.id) as session:
            query = select(RunRow).where(RunRow.tenant_id == self.tenant.id, RunRow.mode == RunMode.LIVE)
            return list(session.scalars(query.order_by(RunRow.created_at, RunRow.id)))

    def _line(self) -> WorldTransport:
        return WorldTransport(self.world, wait=self.passes)

    def _wiring(self) -> Wiring:
        return Wiring(transport=self._line(), patience=0.0, sleep=self.passes)


@contextmanager
def set_scene(runtime: Runtime, tenant: Tenant, storm: Storm) -> Iterator[Scene]:
    """A demo shop with everything on: orders in the shop, a purchase on its way, and the storm."""
    with clock.own(NOON) as hands:
        world = World.preset("summit", seed=storm.seed, at=NOON)
        scene = Scene(runtime, tenant, storm, world, hands)
        furnish(scene, range(ORDERS))
        if storm.kind is not None:
            fault = {
                "id": "storm",
                "system": storm.system,
                "kind": storm.kind,
                "times": 1_000_000,
                "probability": storm.probability,
                "params": PARAMS.get(storm.kind, {}),
            }
            world.ground.faults.put(Rule.model_validate(fault))
        yield scene
        world.close()


def furnish(scene: Scene, baskets: Iterable[int]) -> None:
    """The shop's accounts and what it has to do; the first order is canceled before anybody hears of it."""
    world, merchant = scene.world, scene.merchant
    with scene.runtime.unit_of_work(scene.tenant.id) as session:
        assert connect(session, scene.runtime, scene.tenant.id, merchant, URL)
    for number in baskets:
        emitting.place_order(world, merchant, basket(merchant, read_goods(), number))
    goods = [one.number for one in merchant.house.items.values() if one.on_hand >= 10][:2]
    emitting.purchase(world, merchant, lines=[(sku, 5) for sku in goods], location="RNO")
    emitting.cancel_order(world, merchant, next(iter(merchant.shop.state.orders.values())).name)


def what_is_wrong(scene: Scene) -> list[str]:
    """Invariants that do not hold, in words; nothing: all do."""
    return [
        *_orders(scene),
        *_parcels(scene),
        *_bills(scene),
        *_rows(scene),
    ]


def _orders(scene: Scene) -> Iterator[str]:
    """One sales order per order, its quantities alike; none of what was canceled before it came over."""
    made = _by_reference(scene.merchant.account.kind("salesOrder").values())
    for order in scene.merchant.shop.state.orders.values():
        its = [one for one in made.get(order.name, []) if one.status != "H"]
        wanted = 0 if order.cancelled_at or order.test else 1
        if len(its) != wanted:
            yield f"{order.name} is {len(its)} sales orders, not {wanted}"
        elif its:
            sold = sum(line.current for line in order.lines)
            there = sum(line.quantity for line in its[0].lines if not line.charge)
            if sold != there:
                yield f"{order.name} has {sold} pieces, and {there} in the ERP"


def _parcels(scene: Scene) -> Iterator[str]:
    """One fulfillment per shipment of the warehouse, each tracking number once, no more than was ordered."""
    account, numbers = scene.merchant.account, Counter[str]()
    for order in scene.merchant.shop.state.orders.values():
        numbers.update(one["number"] for parcel in order.fulfillments for one in parcel.tracking if one.get("number"))
        for line in order.lines:
            if line.fulfilled > line.quantity:
                yield f"{order.name}: {line.fulfilled} of {line.quantity} left"
    yield from (f"tracking number {number} is there {times} times" for number, times in numbers.items() if times > 1)
    shipments = sum(len(order.shipments) for order in scene.merchant.house.orders.values())
    fulfilled = account.kind("itemFulfillment")
    if shipments != len(fulfilled):
        yield f"{shipments} shipments are {len(fulfilled)} fulfillments"
    sent = {
        package["tracking_number"]
        for order in scene.merchant.house.orders.values()
        for shipment in order.shipments
        for package in shipment["packages"]
    }
    if sent != set(numbers):
        yield f"the shop knows {len(numbers)} parcels of {len(sent)}"
    for one in account.kind("salesOrder").values():
        for line in one.lines:
            if line.done > line.quantity:
                yield f"sales order {one.id}: {line.done} of {line.quantity} left"


def _bills(scene: Scene) -> Iterator[str]:
    """Invoices or cash sales, never both; payments are no more than their invoice."""
    account = scene.merchant.account
    of: dict[int, set[str]] = {}
    for kind in ("invoice", "cashSale"):
        for bill in account.kind(kind).values():
            if bill.parent is not None:
                of.setdefault(bill.parent.id, set()).add(kind)
    yield from (f"sales order {one} has invoices and cash sales" for one, kinds in of.items() if len(kinds) > 1)
    for kind in ("invoice", "cashSale", "itemFulfillment", "customerPayment"):
        names = Counter(one.external_id for one in account.kind(kind).values())
        yield from (f"{kind} {name} is there {times} times" for name, times in names.items() if times > 1)


def _rows(scene: Scene) -> Iterator[str]:
    """What ``icommerce check`` finds, and what a person has left to do."""
    with scene.runtime.unit_of_work(scene.tenant.id) as session:
        for row in exceptions.listed(session, scene.tenant.id, status=ExceptionStatus.OPEN, limit=200).items:
            yield f"{row.workflow_id} waits for a person: {row.code} {row.reason}"
        for cursor in session.scalars(select(CursorRow).where(CursorRow.tenant_id == scene.tenant.id)):
            if cursor.failures:
                yield f"the poll of {cursor.workflow} fails: {cursor.error}"
    yield from (f"{one.name}: {one.detail}" for one in broken_rules(scene.runtime, scene.tenant.id, scene.tenant.slug))
    yield from (f"{run} is {where}" for run, where in scene.left().items())


def _by_reference(records: Any) -> dict[str, list[Record]]:
    found: dict[str, list[Record]] = {}
    for one in records:
        found.setdefault(str(one.fields.get("otherRefNum", "")), []).append(one)
    return found
