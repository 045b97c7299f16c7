"""Orders on their way through the workflows, watched until all are back or nothing moves any more, and proven."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Final

from sqlalchemy import select, text, update

from app.bench_timing import Say
from engine.kit import clock
from engine.runtime import Runtime
from engine.sync.sandbox.journal import Entry
from engine.sync.sandbox.merchants import Merchant
from engine.sync.sandbox.snapshot import snapshot
from engine.sync.sandbox.world import World
from engine.workflows.models import CursorRow, RunRow, RunStatus

WORKFLOWS: Final = ("shopifyToNetsuite", "netsuiteToDCL", "dclTrackingUpdate")
LOOK_SECONDS: Final = 1.0
POLLED: Final = timedelta(seconds=5)
"""How often systems are asked."""
STILL: Final = timedelta(minutes=3)
"""A call has half a minute, and what waits says until when: what moves later than this does not move by itself."""
_LONG_AGO: Final = datetime(2020, 1, 1, tzinfo=UTC)
_MOST_TOLD: Final = 10
_COUNTS: Final = text(
    "SELECT workflow, count(DISTINCT subject_ref) FROM app.sync_runs"
    " WHERE tenant_id = :tenant AND status = 'done' GROUP BY workflow"
)


@dataclass
class Journal:
    """What the vendors' journal has told so far. It forgets what is long ago, so it is read while it is written."""

    world: World
    calls: int = 0
    struck: int = 0
    over: list[str] = field(default_factory=list)
    """Requests that a vendor turned away because there were too many, and no fault made it."""

    def read(self) -> None:
        """Raises ``AssertionError`` where something was forgotten unread."""
        with self.world.ground.lock:
            entries = self.world.ground.journal.entries(after=self.calls)
        for entry in entries:
            self.calls += 1
            assert entry.number == self.calls, "the vendors' journal has forgotten requests that nobody looked at"
            self.struck += len(entry.faults)
            if not entry.faults and _too_many(entry):
                self.over.append(f"{entry.system} {entry.tenant} {entry.operation} at {entry.at:%X}")


def _too_many(entry: Entry) -> bool:
    return entry.status == 429 or (entry.system == "shopify" and '"code":"THROTTLED"' in entry.response)


@dataclass(frozen=True, slots=True)
class _Stand:
    """How a shop's runs stand: equal to the last one where nothing has moved."""

    done: int
    open: frozenset[tuple[str, str, int]]
    failed: tuple[str, ...]
    waits_until: datetime


@dataclass
class Watch:
    """``each``: how many orders a shop has."""

    runtime: Runtime
    world: World
    shops: list[str]
    each: int
    say: Say
    journal: Journal = field(init=False)

    def __post_init__(self) -> None:
        self.journal = Journal(self.world)

    def until_done(self) -> None:
        """Raises ``AssertionError`` that says what failed, or what is stuck and why once nothing can move by itself."""
        moved, seen, told, all_of_them = clock.now(), dict[str, _Stand](), -1, self.each * len(self.shops)
        while True:
            time.sleep(LOOK_SECONDS)
            self.journal.read()
            now = {tenant_id: self._stand(tenant_id) for tenant_id in self.shops}
            done = sum(one.done for one in now.values())
            if done >= all_of_them:
                return
            if failed := [why for one in now.values() for why in one.failed]:
                raise AssertionError(f"{done} of {all_of_them} orders are back; failed: {_some(failed)}")
            if now != seen:
                moved, seen = max(clock.now(), *(one.waits_until for one in now.values())), now
            elif clock.now() >= moved + STILL:
                break
            if done != told:
                told = done
                self.say(f"{done} of {all_of_them} orders are back")
        stuck = [why for tenant_id in self.shops for why in self._stuck(tenant_id)]
        raise AssertionError(f"{told} of {all_of_them} orders are back; stuck: {_some(stuck)}")

    def _stand(self, tenant_id: str) -> _Stand:
        with self.runtime.unit_of_work(tenant_id) as session:
            counts: dict[str, int] = {row[0]: row[1] for row in session.execute(_COUNTS, {"tenant": tenant_id})}
            query = select(RunRow).where(RunRow.tenant_id == tenant_id, RunRow.status != RunStatus.DONE)
            rows = session.scalars(query).all()
            first, *later = WORKFLOWS
            begun = counts.get(first, 0) + sum(row.workflow == first for row in rows)
            # a shop's many orders are asked for until all have begun: the next look would read them all again
            asked = (*WORKFLOWS,) if begun < self.each else (*later,)
            polls = update(CursorRow).where(
                CursorRow.tenant_id == tenant_id,
                CursorRow.workflow.in_(asked),
                CursorRow.failures == 0,
                CursorRow.polled_at < clock.now() - POLLED,
            )
            session.execute(polls.values(due_at=clock.now()).execution_options(synchronize_session=False))
        return _Stand(
            counts.get(WORKFLOWS[-1], 0),
            frozenset((row.id, row.step, row.attempts) for row in rows),
            tuple(_told(row) for row in rows if row.status == RunStatus.FAILED),
            max((row.next_try_at for row in rows if row.next_try_at), default=_LONG_AGO),
        )

    def _stuck(self, tenant_id: str) -> Iterator[str]:
        """What is not over, what ended without doing anything, and polls that fail."""
        with self.runtime.unit_of_work(tenant_id) as session:
            for row in session.scalars(select(RunRow).where(RunRow.tenant_id == tenant_id).order_by(RunRow.created_at)):
                if row.status != RunStatus.DONE or "skipped" in (row.result or {}):
                    yield _told(row)
            for poll in session.scalars(select(CursorRow).where(CursorRow.tenant_id == tenant_id)):
                if poll.failures:
                    yield f"the poll of {poll.workflow} failed {poll.failures} times: {poll.error}"

    def prove(self) -> None:
        """Nothing twice, nothing missing, no limit run into. Raises ``AssertionError``."""
        self.journal.read()
        for merchant in self.world.merchants:
            _prove(merchant)
            (told,) = snapshot(self.world, slug=merchant.slug)["merchants"].values()
            over = {name: times for name, times in told["limits"].items() if times and name != "netsuite_peak"}
            assert not over, f"a limit was run into: {over}"
        assert not self.journal.over, f"{len(self.journal.over)} requests too many: {_some(self.journal.over)}"


def _prove(merchant: Merchant) -> None:
    orders = merchant.shop.state.orders
    made = [str(one.fields.get("otherRefNum")) for one in merchant.account.kind("salesOrder").values()]
    assert sorted(made) == sorted(order.name for order in orders.values()), "orders are not alike in shop and ERP"
    numbers = [
        (one["number"], parcel.location.id)
        for order in orders.values()
        for parcel in order.fulfillments
        for one in parcel.tracking
    ]
    twice = [number for (number, _), times in Counter(numbers).items() if times > 1]
    assert not twice, f"tracking numbers that are told twice of one place: {_some(twice)}"
    left = [order.name for order in orders.values() if not order.fulfillments]
    assert not left, f"orders that are not on their way: {_some(left)}"
    shipments = sum(len(order.shipments) for order in merchant.house.orders.values())
    assert shipments == len(merchant.account.kind("itemFulfillment")), "shipments are not booked once each"


def _told(row: RunRow) -> str:
    why = row.error or (row.result or {}).get("skipped") or "it says nothing"
    at = f"at {row.step}, attempt {row.attempts}" if row.step else "not begun"
    return f"{row.workflow} of {row.subject_ref} is {row.status} {at}: {why}"


def _some(found: list[str]) -> str:
    more = f"; and {len(found) - _MOST_TOLD} more" if len(found) > _MOST_TOLD else ""
    return "; ".join(found[:_MOST_TOLD]) + more
