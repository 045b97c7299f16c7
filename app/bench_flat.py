"""Whether a sale costs the same when there are many: ``complete_at`` with 500 and with 20,000 orders on one SKU.

The orders before are copies, row by row in every table of the money path, of one that was really made.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

import psycopg
from psycopg import sql

from app.bench_scene import Scene
from engine.orders.schemas import OrderView

FLAT: Final = "complete_at"
STEPS: Final = (500, 20_000)
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
"""Table → its rows that belong to the order ``o``; parents first."""
_NUMBERED: Final = frozenset({"stock_movements", "postings", "outbox", "audit"})
_COPY: Final = """
INSERT INTO app.{table}
SELECT (jsonb_populate_record(NULL::app.{table},
  regexp_replace(to_jsonb(t)::text, '(cs|cnf|crt|ord|oli|pay|cap|rsv|je)_[0-9a-z]{{18}}([0-9a-z]{{8}})',
    '\\1_' || lpad(n::text, 18, '0') || '\\2', 'g')::jsonb || {own})).*
FROM app.orders o, app.{table} t, generate_series(%(first)s::int, %(last)s::int) AS n
WHERE o.id = %(order)s AND t.tenant_id = o.tenant_id AND ({belongs})
"""
_RESERVE: Final = """
UPDATE app.stock_levels s SET reserved = s.reserved + r.quantity * %(copies)s
FROM app.reservations r, app.order_lines l WHERE l.order_id = %(order)s AND r.order_line_id = l.id
  AND r.status = 'committed' AND s.variant_id = r.variant_id AND s.location_id = r.location_id
"""


def grow(scene: Scene, order: OrderView, first: int, last: int) -> None:
    """Copy an order and all that belongs to it, under the numbers from ``first`` to ``last``."""
    values = {"order": order.id, "first": first, "last": last, "copies": last - first + 1}
    with psycopg.connect(scene.house.addresses.runtime) as line:
        line.execute("SELECT set_config('app.tenant_id', %s, true)", (scene.tenant_id,))
        for table, belongs in _OF_ORDER.items():
            line.execute(_copying(table, belongs), values)
        line.execute(_RESERVE, values)


def flat_rows(
    scene: Scene, say: Callable[[str], None], measured: Callable[[Mapping[str, int]], dict[str, Any]]
) -> Iterator[dict[str, Any]]:
    """What ``measured`` finds for purchases of one unit of the same item, at each step."""
    item = {scene.variants[0]: 1}
    order, there = scene.paid(item), 1
    for step in STEPS:
        say(f"{FLAT}: {step} orders")
        grow(scene, order, there, step)
        there = step + 1
        size = f"one unit of one SKU, of which {step} orders were made"
        yield measured(item) | {"name": f"{FLAT}_{step}", "size": size}


def _copying(table: str, belongs: str) -> sql.Composed:
    own = "'{}'::jsonb"
    if table in _NUMBERED:
        own = f"jsonb_build_object('id', nextval(pg_get_serial_sequence('app.{table}', 'id')))"
    if table == "orders":
        own = "jsonb_build_object('number', 'COPY-' || n)"
    if table == "payments":
        own = "jsonb_build_object('token_hash', NULL)"
    return sql.SQL(_COPY).format(table=sql.Identifier(table), own=sql.SQL(own), belongs=sql.SQL(belongs))
