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
_KEEP_NEWEST: Final = """
WITH head AS (
    SELECT checkpoint_id, checkpoint -> 'channel_versions' AS versions,
        (SELECT max(value) FROM jsonb_each_text(checkpoint -> 'channel_versions')) AS newest
    FROM checkpoints WHERE thread_id = %(key)s AND checkpoint_ns = '' ORDER BY checkpoint_id DESC LIMIT 1
), writes AS (
    DELETE FROM checkpoint_writes old USING head
    WHERE old.thread_id = %(key)s AND old.checkpoint_ns = '' AND old.checkpoint_id < head.checkpoint_id
), blobs AS (
    DELETE FROM checkpoint_blobs old USING head
    WHERE old.thread_id = %(key)s AND old.checkpoint_ns = '' AND old.version <= head.newest
        AND old.version IS DISTINCT FROM (versions ->> old.channel)
), steps AS (
    DELETE FROM checkpoints old USING head
    WHERE old.thread_id = %(key)s AND old.checkpoint_ns = '' AND old.checkpoint_id < head.checkpoint_id
)
UPDATE checkpoints newest SET parent_checkpoint_id = NULL FROM head
WHERE newest.thread_id = %(key)s AND newest.checkpoint_ns = '' AND newest.checkpoint_id = head.checkpoint_id
"""
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


async def keep_newest(pool: Pool, key: str) -> None:
    """Forget what is older than a thread's newest checkpoint, but for what that needs. Our state has no channels that
    are kept as differences, so it names every value of its own; what is newer belongs to another worker, which writes
    the next one in this moment.
    """
    async with pool.connection() as connection:
        await connection.execute(_KEEP_NEWEST, {"key": key})


def saver(pool: Pool) -> AsyncPostgresSaver:
    """The saver on an open pool, on this event loop."""
    return AsyncPostgresSaver(pool)
