"""Shops that share everything but their accounts, at work at once: after each request another may have its turn, as it
was drawn. Afterwards nothing of one is anywhere with another.

The same draws give the same interleaving, to the request.
"""

from __future__ import annotations

import contextvars
import re
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import combinations, cycle, pairwise

import httpx
from sqlalchemy import text

from engine.kit import clock
from engine.kit.tenancy import SCHEMA, Base, Tenant, TenantRow
from engine.runtime import Runtime
from engine.sync import connections
from engine.sync.sandbox import World, WorldTransport
from engine.sync.sandbox.journal import Entry
from engine.sync.sandbox.merchants import Merchant
from tests.chaos.raging import NOON, URL, Scene
from tests.chaos.stage import fill
from tests.chaos.storms import Storm

BUYERS = 6
"""Of each shop, at least as many as order there; those of one are none of another's."""


class Turns:
    """One of several threads goes on at a time."""

    def __init__(self, count: int, draws: Iterable[int]) -> None:
        self._there, self._now = list(range(count)), 0
        self._draws = cycle(draws)
        self._changed = threading.Condition()

    def begin(self, who: int) -> None:
        with self._changed:
            self._changed.wait_for(lambda: self._now == who)

    def give(self, who: int) -> None:
        """Let the next one go on, whoever that is, until it is this one's turn again."""
        with self._changed:
            self._next()
            self._changed.wait_for(lambda: self._now == who)

    def end(self, who: int) -> None:
        with self._changed:
            self._there.remove(who)
            if self._there:
                self._next()

    def _next(self) -> None:
        self._now = self._there[next(self._draws) % len(self._there)]
        self._changed.notify_all()


@dataclass
class _Line(httpx.BaseTransport):
    """To the world, one's turn given away after each request. Hours may pass before one has it again: nothing that is
    signed for minutes may be on its way.
    """

    line: WorldTransport
    give: Callable[[], None]

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        answer = self.line.handle_request(request)
        self.give()
        return answer


@dataclass
class Beside(Scene):
    """One of several shops in one world."""

    number: int = 0
    give: Callable[[], None] = field(default=lambda: None)

    @property
    def connected(self) -> set[str]:
        """Its connections' ids."""
        with self.runtime.unit_of_work(self.tenant.id) as session:
            return {row.id for row in connections.listed(session, self.tenant.id)}

    @property
    def merchant(self) -> Merchant:
        return self.world.merchants[self.number]

    @property
    def an_order(self) -> str:
        """What the platform calls one of its orders."""
        return str(next(iter(self.merchant.shop.state.orders.values())).id)

    def line(self) -> httpx.BaseTransport:
        return _Line(WorldTransport(self.world, wait=self.passes), self.give)


@dataclass
class _Postman(httpx.BaseTransport):
    """Brings each letter to the shop that it is addressed to."""

    scenes: Sequence[Beside]

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        (scene,) = (one for one in self.scenes if request.url.path.rpartition("/")[2] in one.connected)
        return scene.letters.handle_request(request)


@contextmanager
def several(runtime: Runtime, tenants: Sequence[Tenant], *, seed: int = 1) -> Iterator[list[Beside]]:
    """Shops with everything on, each with its people, in fair weather."""
    with clock.own(NOON) as hands:
        world = World(seed, NOON, lambda one: fill(one, shops=len(tenants)))
        calm = Storm(None, dies=(), seed=seed)
        scenes = [
            Beside(runtime, tenant, world, storm=calm, hands=hands, number=number)
            for number, tenant in enumerate(tenants)
        ]
        for scene in scenes:
            scene.people.number = scene.number * BUYERS
            scene.set(URL, scene.line())
        world.hooks.use(httpx.Client(transport=_Postman(scenes)))
        yield scenes
        world.close()


def play(scenes: Sequence[Beside], draws: Iterable[int]) -> None:
    """All of them to their end. Raises what went wrong first."""
    turns, wrong = Turns(len(scenes), draws), list[BaseException]()

    def one(scene: Beside) -> None:
        scene.give = lambda: turns.give(scene.number)
        turns.begin(scene.number)
        try:
            scene.play_to_the_end()
        except BaseException as error:  # noqa: BLE001 (raised by whoever waits for all)
            wrong.append(error)
        finally:
            turns.end(scene.number)

    threads = [
        threading.Thread(target=contextvars.copy_context().run, args=(one, scene), daemon=True) for scene in scenes
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if wrong:
        raise wrong[0]


def crossed(scenes: Sequence[Beside]) -> list[str]:
    """Where something of one shop is with another, in words."""
    found: list[str] = []
    known = {scene.number: marks_of(scene) for scene in scenes}
    for one, other in combinations(known, 2):
        found += [f"{mark} is of two shops" for mark in known[one] & known[other]]
    for scene in scenes:
        theirs = _any_of(set().union(*(marks for number, marks in known.items() if number != scene.number)))
        found += [
            f"{entry.system} {entry.path} of {scene.tenant.slug} names another's"
            for entry in asked(scene)
            if theirs.search(_said(entry))
        ]
        found += [f"{table} of {scene.tenant.slug} names another's" for table in _rows_that_name(scene, theirs.pattern)]
    return found


def marks_of(scene: Beside) -> set[str]:
    """What there is of one shop alone: its names, its accounts' names, its orders, buyers and parcels."""
    who, shop = scene.merchant.credentials, scene.merchant.shop.state
    orders = {part for order in shop.orders.values() for part in (str(order.id), str(order.email))}
    parcels = {
        one["number"] for order in shop.orders.values() for parcel in order.fulfillments for one in parcel.tracking
    }
    its = {scene.tenant.id, scene.tenant.slug, who.netsuite_client_id}
    return its | scene.connected | _accounts(scene) | orders | parcels


def _any_of(marks: set[str]) -> re.Pattern[str]:
    return re.compile(r"(?<![\w.@-])(" + "|".join(sorted(map(re.escape, marks))) + r")(?![\w@-])")


def switches(scenes: Sequence[Beside]) -> int:
    """How often the next request was another shop's."""
    owners = {mark: scene.number for scene in scenes for mark in _accounts(scene)}
    order = [owners[entry.tenant] for entry in scenes[0].world.ground.journal.entries() if entry.tenant in owners]
    return sum(one != after for one, after in pairwise(order))


def asked(scene: Beside) -> list[Entry]:
    """What the vendors were asked on its accounts."""
    its = _accounts(scene)
    return [entry for entry in scene.world.ground.journal.entries() if entry.tenant in its]


def _accounts(scene: Beside) -> set[str]:
    who = scene.merchant.credentials
    return {who.shop_domain, who.netsuite_account, who.dcl_username, who.dcl_account_number}


def _said(entry: Entry) -> str:
    return " ".join(
        [entry.path, *map(str, entry.query.values()), *entry.headers.values(), entry.request, entry.response]
    )


def _rows_that_name(scene: Beside, pattern: str) -> list[str]:
    """Tables in which a row of the shop does."""
    tables = [mapper.local_table.name for mapper in Base.registry.mappers if issubclass(mapper.class_, TenantRow)]
    look = " UNION ALL ".join(
        f"SELECT '{table}' WHERE EXISTS (SELECT FROM {SCHEMA}.{table} t WHERE t::text ~ :others)"  # noqa: S608 (names of our own)
        for table in sorted(set(map(str, tables)))
    )
    with scene.runtime.unit_of_work(scene.tenant.id) as session:
        return list(session.scalars(text(look), {"others": pattern}))
