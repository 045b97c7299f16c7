"""The sandbox gateway's own tables, in a schema and under a role of its own: the shop cannot read a vault row."""

from __future__ import annotations

import secrets
from typing import Any, Final

from psycopg import Connection as Psycopg
from psycopg.rows import dict_row
from psycopg_pool import ConnectionPool
from sqlalchemy import Connection, text

SANDBOX_ROLE: Final = "icommerce_sandbox"
POOL_SIZE: Final = 8
Db = Psycopg[Any]
"""One of the gateway's connections: every statement commits by itself, unless a transaction was opened."""


def secure_sandbox(connection: Connection) -> None:
    """Give the gateway's role its schema, and nobody else. Run by the owner, idempotent."""
    role = SANDBOX_ROLE
    for statement in (
        "REVOKE ALL ON SCHEMA sandbox FROM PUBLIC",
        f"GRANT USAGE ON SCHEMA sandbox TO {role}",
        f"GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA sandbox TO {role}",
    ):
        connection.execute(text(statement))


def open_pool(url: str, *, size: int = POOL_SIZE) -> ConnectionPool[Any]:
    """Connections of the gateway's own role; opened at first use."""
    return ConnectionPool(
        url,
        min_size=1,
        max_size=size,
        open=True,
        kwargs={"row_factory": dict_row, "autocommit": True, "application_name": "icommerce-sandbox"},
        name="sandbox",
    )


def new_ref(prefix: str) -> str:
    """An id as this gateway gives them out: ``ch_…``, ``re_…``, ``du_…``."""
    return f"{prefix}_{secrets.token_hex(12)}"
