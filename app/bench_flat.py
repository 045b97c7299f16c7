"""Whether a sale costs the same when there are many: ``complete_at`` with 500 and with 20,000 orders on one SKU.

Two databases start as copies of the scene's. The orders before are copies, row by row in every table of the money
path, of one that was really made there. Both are measured in turns, so that the machine's moods meet both alike.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from typing import Any, Final

import psycopg
from psycopg import sql

from app.bench_operations import Operation, bench_complete
from app.bench_scene import Scene, set_scene
from app.bench_timing import Say, cpu_seconds, drive, figures, prepare
from app.boot import House, close_runtime, open_runtime
from engine.embedded_postgres import DATABASE, PASSWORD_SECRET, SUPERUSER, EmbeddedPostgres, read_secrets
from engine.orders.schemas import OrderView
from engine.settings import Settings

FLAT: Final = "complete_at"
STEPS: Final = (500, 20_000)
_TURN: Final = 5
"""Purchases at a time before the other database has its turn."""
_OF_ORDER: Final[Mapping[str, str]] = {
    "carts": "t.id = (SELECT c.cart_id FROM app.checkout_sessions c WHERE c.id = o.session_id)",
    "checkout_sessions": "t.id = o.session_id",
    "consents": "t.session_id = o.session_id",
    "orders": "t.id = o.id",
    "order_lines": "t.order_id = o.id",
    "payments": "t.order_id = o.id",
    "captures": "t.order_id = o.id",
    "reservations": "t.order_line_id IN (SELECT l.id FROM app.order_lines l WHERE l.order_id = o.id)",
    "stock_movements": "t.subject IN (SELECT p.id FROM app.payments p WHERE p.order_id = o.id)",
    "journal_entries": "t.order_id = o.id",
    "postings": "t.entry_id IN (SELECT e.id FROM app.journal_entries e WHERE e.order_id = o.id)",
    "outbox": "t.subject_id = o.id",
    "audit": "t.subject IN (SELECT p.id FROM app.payments p WHERE p.order_id = o.id)",
}
"""Table → its rows that belong to the order ``o``."""
_NUMBERED: Final = frozenset({"stock_movements", "postings", "outbox", "audit"})
_COPY, _ID = "\x01", "\x02"
"""Where the number of the copy goes in a row, and where the row's own does."""
_OWN: Final[Mapping[tuple[str, str], str]] = {
    ("orders", "number"): f"'C{_COPY}'",
    ("payments", "token_hash"): "NULL",
} | {(table, "id"): f"'{_ID}'" for table in _NUMBERED}
_OURS: Final = re.compile(r"\b(cs|cnf|crt|ord|oli|pay|cap|rsv|je)_[0-9a-z]{18}([0-9a-z]{8})")
_RESERVE: Final = """
UPDATE app.stock_levels s SET reserved = s.reserved + r.quantity * %(copies)s
FROM app.reservations r, app.order_lines l WHERE l.order_id = %(order)s AND r.order_line_id = l.id
  AND r.status = 'committed' AND s.variant_id = r.variant_id AND s.location_id = r.location_id
"""
_CHARGE: Final = """
INSERT INTO sandbox.charges SELECT (jsonb_populate_record(c, jsonb_build_object(
  'key_hash', c.key_hash || '-' || n, 'id', c.id || '-' || n,
  'payment_id', regexp_replace(c.payment_id, '^pay_.{18}', 'pay_' || lpad(n::text, 18, '0'))))).*
FROM sandbox.charges c, generate_series(1, %(copies)s::int) AS n
WHERE c.payment_id IN (SELECT id FROM app.payments WHERE order_id = %(order)s)
"""
"""What the gateway has of it in its own books."""


@dataclass(slots=True)
class _Side:
    """One of the two: its shop, how many orders it has, and what was measured there."""

    scene: Scene
    orders: int
    operations: list[Operation] = field(default_factory=list)
    times: list[float] = field(default_factory=list)
    wall: float = 0.0
    cpu: float = 0.0

    def take_turn(self, first: int) -> None:
        cpu, start = cpu_seconds(self.scene.house.addresses), time.perf_counter()
        self.times += drive(self.operations[first : first + _TURN], clients=1)
        self.wall += time.perf_counter() - start
        self.cpu += cpu_seconds(self.scene.house.addresses) - cpu


def flat_rows(scene: Scene, say: Say, n: int) -> Iterator[dict[str, Any]]:
    """The figures of ``n`` purchases of one unit of one item, at each step. Only on a store that is embedded."""
    server = scene.house.addresses.embedded
    if server is None:
        raise RuntimeError(f"{FLAT} copies its database, which only the embedded one lets it do.")
    with ExitStack() as opened:
        sides = [_Side(opened.enter_context(_copied(scene, server, number)), number) for number in STEPS]
        for side in sides:
            say(f"{FLAT}: {side.orders} orders")
            grow(side.scene, server, side.scene.paid(_one(side.scene)), side.orders - 1)
            side.operations = prepare(side.scene, lambda each: bench_complete(each, _one(each)), n, clients=1)
        say(f"{FLAT}: {n} in turns")
        for first in range(0, n, _TURN):
            for side in sides if first // _TURN % 2 else reversed(sides):
                side.take_turn(first)
        for side in sides:
            size = f"one unit of one SKU, of which {side.orders} orders were made"
            row = figures(side.times, side.wall, side.cpu, clients=1)
            yield row | {"name": f"{FLAT}_{side.orders}", "size": size}


def _one(scene: Scene) -> dict[str, int]:
    return {scene.variants[0]: 1}


def grow(scene: Scene, server: EmbeddedPostgres, order: OrderView, copies: int) -> None:
    """Copy an order and all that belongs to it. What points to what is right by the way it is made, so the database is
    not asked to look each row up again.
    """
    database = scene.house.addresses.runtime.split("?")[0].rpartition("/")[2]
    with psycopg.connect(_superuser(server, database)) as line:
        line.execute("SET session_replication_role = replica")
        for table, belongs in _OF_ORDER.items():
            _copy(line, table, belongs, order.id, copies)
        for statement in (_RESERVE, _CHARGE):
            line.execute(statement, {"order": order.id, "copies": copies})


def _copy(line: psycopg.Connection[Any], table: str, belongs: str, order_id: str, copies: int) -> None:
    query = "SELECT attname FROM pg_attribute WHERE attrelid = %s::regclass AND attnum > 0 AND NOT attisdropped"
    columns = [name for (name,) in line.execute(f"{query} AND attgenerated = '' ORDER BY attnum", (f"app.{table}",))]
    names = sql.SQL(", ").join(map(sql.Identifier, columns))
    own = sql.SQL(", ").join(sql.SQL(_OWN.get((table, name), f't."{name}"')) for name in columns)
    rows = sql.SQL("COPY (SELECT {} FROM app.{} t, app.orders o WHERE o.id = {} AND t.tenant_id = o.tenant_id AND {})")
    with line.cursor().copy(
        rows.format(own, sql.Identifier(table), sql.Literal(order_id), sql.SQL(belongs)) + sql.SQL(" TO STDOUT")
    ) as found:
        models = [_OURS.sub(rf"\1_{_COPY}\2", bytes(row).decode()) for row in found]
    free = _numbers(line, table, copies * len(models)) if table in _NUMBERED else 0
    into = sql.SQL("COPY app.{} ({}) FROM STDIN").format(sql.Identifier(table), names)
    with line.cursor().copy(into) as writer:
        for number in range(1, copies + 1):
            place = f"{number:018}"
            for model in models:
                writer.write(model.replace(_COPY, place).replace(_ID, str(free)))
                free += 1


def _numbers(line: psycopg.Connection[Any], table: str, count: int) -> int:
    """The first of ``count`` numbers that nobody else will get."""
    take = "SELECT setval(s, nextval(s) + %s) - %s FROM pg_get_serial_sequence(%s, 'id') AS s"
    row = line.execute(take, (count, count, f"app.{table}")).fetchone()
    assert row is not None
    return int(row[0])


@contextmanager
def _copied(scene: Scene, server: EmbeddedPostgres, number: int) -> Iterator[Scene]:
    """The scene in a database of its own, which is the scene's as it is now."""
    database, addresses = f"{DATABASE}_{number}", scene.house.addresses
    close_runtime(scene.runtime)  # a database that somebody uses cannot be copied; the next use opens it again
    with psycopg.connect(_superuser(server, SUPERUSER), autocommit=True) as line:
        line.execute(f"CREATE DATABASE {database} TEMPLATE {DATABASE}")
    moved = replace(
        addresses,
        runtime=_elsewhere(addresses.runtime, database),
        owner=_elsewhere(addresses.owner or "", database),
        sandbox=_elsewhere(addresses.sandbox, database),
    )
    runtime = open_runtime(Settings.from_env({}), moved)
    try:
        yield set_scene(House(moved, runtime), scene.tenant_id, seed=0)
    finally:
        close_runtime(runtime)


def _elsewhere(address: str, database: str) -> str:
    return address.replace(f"/{DATABASE}?", f"/{database}?")


def _superuser(server: EmbeddedPostgres, database: str) -> str:
    password = read_secrets(server.home)[PASSWORD_SECRET]
    return server.dsn(role=SUPERUSER, password=password, database=database)
