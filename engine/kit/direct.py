"""A transaction on the driver itself, where every round trip and every millisecond of Python counts.

Statements are asked together: those of one ``ask`` travel in one round trip (pipeline mode), each sees what the ones
before it did, and the first failure ends them all. They are prepared, with one plan for all values: a statement for
``Direct`` finds its rows by key and writes a bounded number of them. Whole numbers are sent with one width, or each
would have a plan of its own.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from psycopg import Connection as DriverConnection
from psycopg import Cursor
from psycopg.rows import dict_row
from psycopg.types.numeric import Int8
from sqlalchemy import Connection
from sqlalchemy.orm import Session

Row = dict[str, Any]
Ask = tuple[str, Mapping[str, Any]]
_BIND: Final = (
    "SELECT set_config('app.tenant_id', %(tenant)s, true), set_config('plan_cache_mode', 'force_generic_plan', true),"
    " set_config('enable_seqscan', 'off', true)"
)
"""The tenant, and plans that hold: one made while a table was small must not scan it when it has grown."""


class Direct:
    """One transaction bound to one tenant; made by ``Store.direct``, which commits or rolls back."""

    def __init__(self, connection: Connection, tenant_id: str) -> None:
        driver = connection.connection.driver_connection
        assert isinstance(driver, DriverConnection)
        self._connection, self._driver, self._tenant_id = connection, driver, tenant_id
        self._bound = False

    def ask(self, *asks: Ask) -> list[list[Row]]:
        """The rows of each statement, in order; one round trip. Raises the driver's errors."""
        if self._bound and len(asks) == 1:
            return [_rows(self._execute(asks[0]))]
        with self._driver.pipeline():
            if not self._bound:
                self._execute((_BIND, {"tenant": self._tenant_id}))
            cursors = [self._execute(one) for one in asks]
        self._bound = True
        return [_rows(cursor) for cursor in cursors]

    def one(self, statement: str, values: Mapping[str, Any]) -> Row | None:
        """The first row of one statement."""
        rows = self.ask((statement, values))[0]
        return rows[0] if rows else None

    def session(self) -> Session:
        """A session of services in this same transaction."""
        if not self._bound:
            self.ask()
        return Session(self._connection, expire_on_commit=False)

    def _execute(self, ask: Ask) -> Cursor[Row]:
        values = {key: Int8(value) if type(value) is int else value for key, value in ask[1].items()}
        return self._driver.cursor(row_factory=dict_row).execute(ask[0], values, prepare=True)


def _rows(cursor: Cursor[Row]) -> list[Row]:
    return cursor.fetchall() if cursor.description else []
