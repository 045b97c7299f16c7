"""A transaction in one round trip, on the driver itself, where every millisecond counts.

Statements that are asked together travel together (pipeline mode), each sees what the ones before it did, and they are
committed together: the first that fails ends them all. So a statement that finds the world other than expected has to
fail: it divides by the number of rows it changed, and ``Refused`` is what the driver makes of a division by none.

They are prepared, with one plan for all values: a statement for here finds its rows by key and writes a bounded number
of them. Whole numbers are sent with one width, or each would have a plan of its own.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final

from psycopg import Connection, RawCursor
from psycopg.errors import DivisionByZero
from psycopg.rows import dict_row
from psycopg.types.numeric import Int8
from sqlalchemy import Engine

_PLACE: Final = re.compile(r"%\((\w+)\)s")
Row = dict[str, Any]


class Statement:
    """SQL with ``%(name)s`` for its values, taken apart once and not at every use."""

    def __init__(self, sql: str) -> None:
        self.text = sql
        self.names = tuple(dict.fromkeys(_PLACE.findall(sql)))
        numbers = {name: f"${number}" for number, name in enumerate(self.names, 1)}
        self.sql: Any = _PLACE.sub(lambda found: numbers[found[1]], sql).encode()


Ask = tuple[Statement, Mapping[str, Any]]
Refused = DivisionByZero
_BIND: Final = Statement(
    "SELECT set_config('app.tenant_id', %(tenant)s, true), set_config('plan_cache_mode', 'force_generic_plan', true),"
    " set_config('enable_seqscan', 'off', true)"
)
"""The tenant, and plans that hold: one made while a table was small must not scan it when it has grown."""
_PLAN_AGAIN: Final = 1000
"""A plan is right for tables of about the size they had: each connection plans anew after 10, 100 and every 1000 uses,
so that one made for an empty table does not go on by an index that once was as good as any other."""


class Answers:
    """The rows of each statement, in order, once its transaction is committed."""

    def __init__(self, cursors: list[RawCursor[Row]]) -> None:
        self._cursors = cursors

    def rows(self) -> list[list[Row]]:
        return [cursor.fetchall() if cursor.description else [] for cursor in self._cursors]


@contextmanager
def asking(engine: Engine, tenant_id: str, *asks: Ask) -> Iterator[Answers]:
    """Send the statements; the block's work goes on beside the database's, and the commit follows the block.

    Raises ``Refused`` and the driver's other errors when the block has ended; then nothing was changed.
    """
    pooled = engine.raw_connection()
    try:
        driver = pooled.driver_connection
        assert isinstance(driver, Connection)
        driver.autocommit = True
        try:
            _plan_anew(driver, pooled.info)
            with driver.pipeline():
                _send(driver, (_BIND, {"tenant": tenant_id}))
                yield Answers([_send(driver, ask) for ask in asks])
        finally:
            if not driver.closed:
                driver.autocommit = False
    finally:
        pooled.close()


def _send(driver: Connection[Any], ask: Ask) -> RawCursor[Row]:
    statement, values = ask
    sent = [Int8(value) if type(value := values[name]) is int else value for name in statement.names]
    return RawCursor(driver, row_factory=dict_row).execute(statement.sql, sent, prepare=True)


def _plan_anew(driver: Connection[Any], info: dict[Any, Any]) -> None:
    uses = info["direct_uses"] = info.get("direct_uses", 0) + 1
    if uses in {10, 100} or uses % _PLAN_AGAIN == 0:
        driver.execute("DISCARD PLANS")
