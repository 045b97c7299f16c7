"""What a connection may send, shared by every process: a permit is held from before a call until after it.

A system meets a request somewhere between our sending it and our hearing of it, and we do not know where. So a call is
a hold while it is out, and is posted when it comes back: whatever the network does to it, the system never sees more
than it allows. A process that is killed leaves a hold that its lease ends; it is posted then, as if it had been sent.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy.orm import Session

from engine.kit import clock
from engine.kit.direct import Statement
from engine.kit.errors import InvalidInput
from engine.kit.gathering import Rows, ask, fetch, put
from engine.sync.models import Connection, Limit, LimitKind, Permit, System

MICRO: Final = 1_000_000
POLL: Final = timedelta(milliseconds=100)
"""When to look again where only a call's coming back makes room."""
_MS: Final = timedelta(milliseconds=1)
_LARGEST: Final = 10**9
_LONGEST_BLOCK: Final = timedelta(minutes=15)
_LIMIT: Final = Rows(Limit, "r.tenant_id = %(tenant)s AND r.connection_id = %(connection)s", lock=True)
_PERMITS: Final = Statement(
    "SELECT id, cost, lease_until, counts_until FROM app.sync_permits"
    " WHERE tenant_id = %(tenant)s AND connection_id = %(connection)s"
)
_OVER: Final = Statement("DELETE FROM app.sync_permits WHERE tenant_id = %(tenant)s AND id = %(id)s")
_ALL_OVER: Final = Statement("DELETE FROM app.sync_permits WHERE tenant_id = %(tenant)s AND id = ANY(%(ids)s)")
_BACK: Final = Statement(
    "UPDATE app.sync_permits SET lease_until = %(now)s, counts_until = %(counts_until)s"
    " WHERE tenant_id = %(tenant)s AND id = %(id)s AND lease_until > %(now)s"
)


class CostsTooMuch(InvalidInput):
    code = "costs_too_much"


@dataclass(frozen=True, slots=True)
class LimitPolicy:
    """``points``: a bucket of ``capacity`` that is full again after ``period_ms``. ``requests``: no more than
    ``capacity`` in any ``period_ms``. ``concurrency``: ``max_in_flight`` at once, which the others may have as well.
    """

    kind: LimitKind
    capacity: int | None = None
    period_ms: int | None = None
    max_in_flight: int | None = None

    def __post_init__(self) -> None:
        sized = self.capacity is not None and self.period_ms is not None
        if self.kind == LimitKind.CONCURRENCY and (self.max_in_flight is None or self.capacity or self.period_ms):
            raise InvalidInput("A concurrency limit says max_in_flight, and nothing else.", param="limit")
        if self.kind != LimitKind.CONCURRENCY and not sized:
            raise InvalidInput(f"A limit of {self.kind} says capacity and period_ms.", param="limit")
        if any(value is not None and not 1 <= value <= _LARGEST for value in (self.capacity, self.period_ms)):
            raise InvalidInput("capacity and period_ms are from 1 to 1,000,000,000.", param="limit")
        if self.max_in_flight is not None and not 1 <= self.max_in_flight <= 1_000:
            raise InvalidInput("max_in_flight is from 1 to 1,000.", param="limit")

    def told(self) -> dict[str, Any]:
        return {name: value for name, value in asdict(self).items() if value is not None}


USUAL: Final[Mapping[System, LimitPolicy]] = {
    System.SHOPIFY: LimitPolicy(LimitKind.POINTS, 2_000, 20_000),
    System.NETSUITE: LimitPolicy(LimitKind.CONCURRENCY, max_in_flight=4),
    System.DCL: LimitPolicy(LimitKind.REQUESTS, 10, 2_000),  # assumed: DCL publishes none
    System.WOOCOMMERCE: LimitPolicy(LimitKind.CONCURRENCY, max_in_flight=4),  # the shop's own machine
    System.SLACK: LimitPolicy(LimitKind.REQUESTS, 1, 1_000),
    System.GORGIAS: LimitPolicy(LimitKind.REQUESTS, 40, 20_000),
    System.RECHARGE: LimitPolicy(LimitKind.POINTS, 40, 20_000),
    System.TRACKER: LimitPolicy(LimitKind.CONCURRENCY, max_in_flight=4),
}


@dataclass(frozen=True, slots=True)
class Wait:
    """No room now; in this time there may be."""

    time: timedelta

    @property
    def seconds(self) -> float:
        return self.time.total_seconds()


@dataclass(frozen=True, slots=True)
class Taken:
    """A permit that somebody holds. ``window``: how long it counts after its end."""

    tenant_id: str
    id: str
    connection_id: str
    cost: int
    taken_at: datetime
    lease_until: datetime
    window: timedelta
    kind: LimitKind


@dataclass(frozen=True, slots=True)
class Out:
    """A permit that counts: in flight until the end of its lease, of a period's requests until later."""

    id: str
    cost: int
    lease_until: datetime
    counts_until: datetime


@dataclass(frozen=True, slots=True)
class Feedback:
    """What a system said of its limit in an answer; ``None`` where it said nothing, or nothing that a limit can be."""

    cost: int | None = None
    """What the request cost in the end."""
    available: int | None = None
    """Points that are left."""
    capacity: int | None = None
    restore_per_second: int | None = None
    retry_after: float | None = None
    """Seconds for which it wants to be left alone."""

    def __post_init__(self) -> None:
        for name, least in (("cost", 0), ("available", -_LARGEST), ("capacity", 1), ("restore_per_second", 1)):
            if (said := getattr(self, name)) is not None and not least <= said <= _LARGEST:
                object.__setattr__(self, name, None)


def made(connection: Connection, policy: LimitPolicy) -> Limit:
    """A new connection's limit, with nothing spent."""
    row = Limit(tenant_id=connection.tenant_id, connection_id=connection.id, level_at=clock.now())
    _apply(row, policy)
    row.level_micro = (policy.capacity or 0) * MICRO
    return row


def set_policy(session: Session, connection: Connection, policy: LimitPolicy) -> None:
    """Another limit from now on. What is out stays out, and what was spent of a bucket stays spent."""
    row, now = _locked(session, connection.tenant_id, connection.id), clock.now()
    level = refilled(row, now) if row.kind == LimitKind.POINTS else (policy.capacity or 0) * MICRO
    _apply(row, policy)
    row.level_micro, row.level_at = min(level, (policy.capacity or 0) * MICRO), _later(row.level_at, now)


def take(
    session: Session, tenant_id: str, connection_id: str, *, permit_id: str, cost: int, lease: timedelta
) -> Taken | Wait:
    """A permit for one call that costs ``cost``, or how long to wait. The limit is locked until the transaction ends:
    commit soon. Raises ``CostsTooMuch`` for what can never be let through.
    """
    row, known, now = *_with_permits(session, tenant_id, connection_id), clock.now()
    if row.kind != LimitKind.CONCURRENCY and cost > (row.capacity or 0):
        raise CostsTooMuch(f"A request that costs {cost} is more than the limit of {row.capacity}.", param="cost")
    if wait := room(row, _settled(session, row, known, now), cost, now):
        return Wait(max(wait, _MS))
    taken = Taken(tenant_id, permit_id, connection_id, cost, now, now + lease, _window(row), LimitKind(row.kind))
    made = {"tenant_id": tenant_id, "id": permit_id, "connection_id": connection_id, "cost": cost, "taken_at": now}
    until = {"lease_until": taken.lease_until, "counts_until": taken.lease_until + taken.window}
    put(session, Permit, [made | until], alone=True)
    return taken


def end(session: Session, permit: Taken, feedback: Feedback | None = None) -> None:
    """A call came back: post what it cost, and believe what the system says. One that was posted at the end of its
    lease already is not posted again.
    """
    told, now = feedback or Feedback(), clock.now()
    if told.retry_after is not None:  # the limit before its permits, as ``take`` locks them
        row = _locked(session, permit.tenant_id, permit.connection_id)
        until = now + timedelta(seconds=min(max(told.retry_after, 0), _LONGEST_BLOCK.total_seconds()))
        row.blocked_until = max(row.blocked_until or until, until)
    if permit.kind == LimitKind.POINTS:
        _end_points(session, permit, told, now)
    elif permit.kind == LimitKind.REQUESTS:
        ask(session, _BACK, _mine(permit) | {"now": now, "counts_until": now + permit.window})
    else:
        ask(session, _OVER, _mine(permit))


def room(row: Limit, out: Sequence[Out], cost: int, now: datetime) -> timedelta:
    """How long until there may be room for ``cost``; nothing when there is now. ``out`` is what counts at ``now``."""
    waits = [row.blocked_until - now] if row.blocked_until and row.blocked_until > now else []
    flying = [one for one in out if one.lease_until > now]
    if row.max_in_flight is not None and len(flying) >= row.max_in_flight:
        waits.append(POLL)
    if row.kind == LimitKind.POINTS:
        waits.append(_points(row, flying, cost, now))
    elif row.kind == LimitKind.REQUESTS:
        waits.append(_requests(row, out, cost, now))
    return max(waits, default=timedelta())


def refilled(row: Limit, now: datetime) -> int:
    """Millionths of points that are there at ``now``, before what is out."""
    assert row.capacity is not None
    assert row.period_ms is not None
    passed = max(now - row.level_at, timedelta()) // timedelta(microseconds=1)
    return min(row.capacity * MICRO, row.level_micro + passed * row.capacity * 1_000 // row.period_ms)


def _points(row: Limit, flying: Sequence[Out], cost: int, now: datetime) -> timedelta:
    assert row.capacity is not None
    assert row.period_ms is not None
    held = sum(one.cost for one in flying)
    short = (cost + held) * MICRO - refilled(row, now)
    if short <= 0:
        return timedelta()
    wait = timedelta(microseconds=-(-short * row.period_ms // (row.capacity * 1_000)))
    return max(wait, POLL) if cost + held > row.capacity else wait  # a full bucket would not do: one has to come back


def _requests(row: Limit, out: Sequence[Out], cost: int, now: datetime) -> timedelta:
    assert row.capacity is not None
    short = sum(one.cost for one in out) + cost - row.capacity
    if short <= 0:
        return timedelta()
    for one in sorted(out, key=lambda one: one.counts_until):
        short -= one.cost
        if short <= 0:
            return (one.counts_until - now) if one.lease_until <= now else POLL
    return POLL


def _settled(session: Session, row: Limit, known: Sequence[Out], now: datetime) -> list[Out]:
    """What of ``known`` counts at ``now``. What its lease has ended is posted: nobody will."""
    over = [one for one in known if one.counts_until <= now]
    if over:
        ask(session, _ALL_OVER, {"tenant": row.tenant_id, "ids": [one.id for one in over]})
        _spend(row, sum(one.cost for one in over), now)
    return [one for one in known if one.counts_until > now]


def _end_points(session: Session, permit: Taken, told: Feedback, now: datetime) -> None:
    row, known = _with_permits(session, permit.tenant_id, permit.connection_id)
    out = _settled(session, row, known, now)
    others = [one for one in out if one.id != permit.id]
    if len(others) < len(out):
        ask(session, _OVER, _mine(permit))
        _spend(row, permit.cost if told.cost is None else told.cost, now)
    _believe(row, told, others, since=permit.taken_at, now=now)
    row.ended_at = now


def _mine(permit: Taken) -> dict[str, str]:
    return {"tenant": permit.tenant_id, "id": permit.id}


def _spend(row: Limit, cost: int, now: datetime) -> None:
    if row.kind != LimitKind.POINTS:  # it has become another kind of limit meanwhile
        return
    row.level_micro = refilled(row, now) - cost * MICRO
    row.level_at = _later(row.level_at, now)


def _believe(row: Limit, told: Feedback, others: Sequence[Out], *, since: datetime, now: datetime) -> None:
    """A system knows its bucket better, but speaks of a moment that is over: it is believed upwards only where nobody
    else was out meanwhile, and downwards where somebody else must have drunk of it.
    """
    if row.kind != LimitKind.POINTS:
        return
    if told.capacity and told.restore_per_second:
        level = refilled(row, now)
        row.capacity = told.capacity
        row.period_ms = -(-told.capacity * 1_000 // told.restore_per_second)
        row.level_micro, row.level_at = min(level, told.capacity * MICRO), _later(row.level_at, now)
    if told.available is None:
        return
    said, ours = told.available * MICRO, refilled(row, now)
    out = sum(one.cost for one in others if one.lease_until > now) * MICRO
    alone = not others and (row.ended_at is None or row.ended_at <= since)
    if alone or said + out < ours:
        row.level_micro, row.level_at = min(said, (row.capacity or 0) * MICRO), _later(row.level_at, now)


def _locked(session: Session, tenant_id: str, connection_id: str) -> Limit:
    (found,) = fetch(session, (_LIMIT, {"tenant": tenant_id, "connection": connection_id}))
    row: Limit = found[0]
    return row


def _with_permits(session: Session, tenant_id: str, connection_id: str) -> tuple[Limit, list[Out]]:
    """The limit, locked, and what was out or counted when it was."""
    its = {"tenant": tenant_id, "connection": connection_id}
    (row,), out = fetch(session, (_LIMIT, its), (_PERMITS, its))
    return row, [Out(**one) for one in out]


def _apply(row: Limit, policy: LimitPolicy) -> None:
    row.kind, row.capacity, row.period_ms = policy.kind, policy.capacity, policy.period_ms
    row.max_in_flight = policy.max_in_flight


def _window(row: Limit) -> timedelta:
    return timedelta(milliseconds=row.period_ms or 0) if row.kind == LimitKind.REQUESTS else timedelta()


def _later(one: datetime, other: datetime) -> datetime:
    return max(one, other)
