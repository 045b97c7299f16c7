"""Twenty threads on four items at once: nobody waits in a circle, and stock is what its ledger says."""

from __future__ import annotations

import random
import time
from concurrent.futures import ThreadPoolExecutor

from sqlalchemy import text
from sqlalchemy.orm import Session

from engine.inventory import adjusting, inbound, ledger, levels
from engine.inventory import service as inventory
from engine.inventory.errors import BelowReserved, OutOfStock
from engine.inventory.inbound import Coming
from engine.inventory.models import BackorderKind, MovementKind
from engine.inventory.service import Wanted
from engine.kit.ids import new_id
from tests.engine.inventory.stocked import assert_stock_adds_up, bundle
from tests.shop import Shop

SKUS = ("A", "B", "C", "SET")
WORKERS = 20
ROUNDS = 12


class Hand:
    """One worker: does random things to stock and remembers the lines it holds."""

    def __init__(self, shop: Shop, seed: int) -> None:
        self.shop = shop
        self.pick = random.Random(seed)  # noqa: S311 (the same acts every time)
        self.lines: dict[str, int] = {}

    def work(self) -> int:
        """Returns how many of its acts went through."""
        acts = (self.sell, self.give_back, self.send, self.move, self.receive, self.transfer, self.write_off, self.wait)
        done = 0
        for _ in range(ROUNDS):
            try:
                self.pick.choice(acts)()
                done += 1
            except (OutOfStock, BelowReserved):
                continue
        return done

    def sell(self) -> None:
        """A payment for several items that comes to something or to nothing."""
        wanted = {self.shop.variants[sku]: 1 for sku in self.pick.sample(SKUS, 3)}
        lines = {variant: new_id("order_line") for variant in wanted}
        payment, paid = new_id("payment"), self.pick.random() < 0.7
        with self.shop.uow() as session:
            stock = inventory.shippable(session, self.tenant, list(wanted))
            parts = inventory.route(wanted, stock, region=self.pick.choice(("WA", "OH")))
            inventory.hold(session, self.tenant, payment, parts, lines)
        with self.shop.uow() as session:
            (inventory.commit if paid else inventory.release)(session, self.tenant, payment)
        if paid:
            self.lines |= dict.fromkeys(lines.values(), 1)

    def wait(self) -> None:
        order, line, variant = new_id("order"), new_id("order_line"), self.shop.variants["A"]
        with self.shop.uow() as session:
            row = Wanted(order, line, variant, 1, BackorderKind.BACKORDER, None)
            inventory.open_backorders(session, self.tenant, [row])
        self.lines[line] = 1
        with self.shop.uow() as session:
            inventory.allocate_backorders(session, self.tenant, [variant], order_ids=[order])

    def give_back(self) -> None:
        if line := self._line():
            with self.shop.uow() as session:
                inventory.free_line(session, self.tenant, order_line_id=line, quantity=1, subject="test")

    def send(self) -> None:
        if line := self._line():
            with self.shop.uow() as session:
                for place in inventory.reserved_at(session, self.tenant, line):
                    inventory.ship_line(
                        session, self.tenant, order_line_id=line, location_id=place, quantity=1, shipment_id="test"
                    )

    def move(self) -> None:
        line = next(iter(self.lines), None)
        if line is None:
            return
        east, west = self.shop.locations["EAST"], self.shop.locations["WEST"]
        with self.shop.uow() as session:
            for place in inventory.reserved_at(session, self.tenant, line):
                inventory.move_line(
                    session,
                    self.tenant,
                    order_line_id=line,
                    from_location_id=place,
                    to_location_id=west if place == east else east,
                    quantity=1,
                    subject="test",
                )

    def receive(self) -> None:
        came = [inventory.Allocation(self._item(), self._place(), 1) for _ in range(3)]
        with self.shop.uow() as session:
            inventory.receive(session, self.tenant, came, kind=MovementKind.RECEIPT, subject="test")

    def transfer(self) -> None:
        source, target = self.pick.sample(sorted(self.shop.locations.values()), 2)
        items = [Coming(self.shop.variants[sku], 1) for sku in self.pick.sample(("A", "B", "C"), 2)]
        with self.shop.uow() as session:
            sent = inbound.dispatch_transfer(
                session, self.tenant, actor="t", source_location_id=source, location_id=target, lines=items
            )
        with self.shop.uow() as session:
            inbound.receive_transfer(session, self.tenant, actor="t", inbound_id=sent.id)

    def write_off(self) -> None:
        with self.shop.uow() as session:
            adjusting.adjust(
                session,
                self.tenant,
                actor="t",
                variant_id=self._item(),
                location_id=self._place(),
                delta=-1,
                reason="broken",
                approved="word",
            )

    @property
    def tenant(self) -> str:
        return self.shop.tenant.id

    def _line(self) -> str | None:
        line = next(iter(self.lines), None)
        if line is not None:
            del self.lines[line]
        return line

    def _item(self) -> str:
        return self.shop.variants[self.pick.choice(("A", "B", "C"))]

    def _place(self) -> str:
        return self.shop.locations[self.pick.choice(("EAST", "WEST", "STORE"))]


def test_many_hands_on_few_items(shop: Shop) -> None:
    for sku in ("A", "B", "C"):
        shop.add(sku, stock={"EAST": 30, "WEST": 30, "STORE": 10})
    bundle(shop, "SET", {"C": 2, "A": 1})
    with ThreadPoolExecutor(WORKERS) as pool:
        done = list(pool.map(lambda seed: Hand(shop, seed).work(), range(WORKERS)))
    assert sum(done) > WORKERS * ROUNDS // 2
    with shop.uow() as session:
        assert ledger.drift(session, shop.tenant.id) == []
    assert_stock_adds_up(shop)


def test_the_last_units_that_may_wait_are_sold_once(shop: Shop) -> None:
    variant = shop.add("A", stock={})
    from tests.engine.inventory.stocked import set_variant

    set_variant(shop, "A", stock_policy="backorder", backorder_limit=5)

    def buy(_: int) -> bool:
        row = Wanted(new_id("order"), new_id("order_line"), variant, 1, BackorderKind.BACKORDER, None)
        try:
            with shop.uow() as session:
                inventory.open_backorders(session, shop.tenant.id, [row])
        except OutOfStock:
            return False
        return True

    with ThreadPoolExecutor(WORKERS) as pool:
        assert sum(pool.map(buy, range(WORKERS))) == 5


def test_what_was_changed_while_it_waited_is_what_counts(shop: Shop) -> None:
    """One unit is free, two are wanted, and two come free in the transaction that is waited for."""
    item = shop.add("A", stock={"EAST": 10})
    east = shop.locations["EAST"]
    taken = [levels.Move(item, east, MovementKind.RESERVE, "before", reserved=9)]
    freed = [levels.Move(item, east, MovementKind.RELEASE, "before", reserved=-2)]
    wanted = [levels.Move(item, east, MovementKind.RESERVE, "late", reserved=2)]
    with shop.uow() as session:
        levels.change(session, shop.tenant.id, taken)

    def want() -> list[levels.Shortage]:
        with shop.uow() as session:
            return levels.change(session, shop.tenant.id, wanted, selling=True)

    with ThreadPoolExecutor(1) as pool:
        with shop.uow() as session:
            levels.change(session, shop.tenant.id, freed)
            late = pool.submit(want)
            _until_somebody_waits(session)
        assert late.result(30) == []
    with shop.uow() as session:
        assert ledger.drift(session, shop.tenant.id) == []
        assert ledger.balances(session, shop.tenant.id)[item, east] == (10, 9)


def _until_somebody_waits(session: Session) -> None:
    """Until another transaction waits for this one."""
    asked = text("SELECT count(*) FROM pg_locks WHERE NOT granted AND transactionid = pg_current_xact_id()::xid")
    for _ in range(3000):
        if session.execute(asked).scalar_one():
            return
        time.sleep(0.01)
    raise AssertionError("nobody waited")
