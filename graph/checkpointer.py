"""Where the graph's state is kept: LangGraph's saver in the schema ``graph`` of our own PostgreSQL.

Its tables know no tenant. They are reached through our own thread and run rows alone, under keys made here.
"""

from __future__ import annotations

from typing import Any, Final

from langgraph.checkpoint.postgres import PostgresSaver
from langgraph.checkpoint.postgres.aio import AsyncPostgresSaver
from psycopg import AsyncConnection, Connection, sql
from psycopg.rows import DictRow, dict_row
from psycopg_pool import AsyncConnectionPool

SCHEMA: Final = "graph"
POOL_SIZE: Final = 4
_OPTIONS: Final = f"-c search_path={SCHEMA} -c statement_timeout=20000 -c lock_timeout=15000"
Pool = AsyncConnectionPool[AsyncConnection[DictRow]]


def thread_key(tenant_id: str, thread_id: str) -> str:
    """The saver's thread id."""
    return f"{tenant_id}:{thread_id}"


def setup(owner_url: str, role: str) -> None:
    """Make the saver's tables (as their owner) and let ``role`` use them. Idempotent; part of ``migrate``."""
    with Connection.connect(
        owner_url, autocommit=True, prepare_threshold=0, row_factory=dict_row, options=_OPTIONS
    ) as connection:
        connection.execute(sql.SQL("CREATE SCHEMA IF NOT EXISTS {}").format(sql.Identifier(SCHEMA)))
        PostgresSaver(connection).setup()
        for grant in (
            "GRANT USAGE ON SCHEMA {schema} TO {role}",
            "GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA {schema} TO {role}",
        ):
            names = {"schema": sql.Identifier(SCHEMA), "role": sql.Identifier(role)}
            connection.execute(sql.SQL(grant).format(**names))


def open_pool(url: str) -> Pool:
    """The saver's connections, not opened yet. ``url`` is the runtime role's address."""
    kwargs: dict[str, Any] = {
        "autocommit": True,
        "prepare_threshold": 0,
        "row_factory": dict_row,
        "options": _OPTIONS,
        "application_name": "icommerce-graph",
        "connect_timeout": 5,
    }
    return AsyncConnectionPool(url, kwargs=kwargs, min_size=1, max_size=POOL_SIZE, timeout=10, open=False)


def saver(pool: Pool) -> AsyncPostgresSaver:
    """The saver on an open pool, on this event loop."""
    return AsyncPostgresSaver(pool)
