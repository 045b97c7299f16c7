"""The sandbox gateway's own tables, in a schema and under a role of its own: the shop cannot read a vault row."""

from __future__ import annotations

from typing import Any, Final

from psycopg.rows import dict_row
from psycopg_pool import ConnectionPool
from sqlalchemy import Connection, text

SANDBOX_ROLE: Final = "icommerce_sandbox"

SCHEMA_SQL: Final = """
CREATE TABLE IF NOT EXISTS sandbox.cards (
  id text PRIMARY KEY, merchant text NOT NULL, session_id text, number_sealed bytea NOT NULL,
  brand text NOT NULL, last4 text NOT NULL, exp_month int NOT NULL, exp_year int NOT NULL, behavior text NOT NULL,
  created_at timestamptz NOT NULL DEFAULT now());
CREATE TABLE IF NOT EXISTS sandbox.tokens (
  id text PRIMARY KEY, key_hash text NOT NULL UNIQUE, merchant text NOT NULL, session_id text NOT NULL,
  card_ref text NOT NULL, behavior text NOT NULL, currency text NOT NULL, max_amount bigint NOT NULL,
  expires_at timestamptz NOT NULL, status text NOT NULL DEFAULT 'live', authenticated boolean NOT NULL DEFAULT false,
  challenge_id text UNIQUE, created_at timestamptz NOT NULL DEFAULT now());
CREATE TABLE IF NOT EXISTS sandbox.charges (
  key_hash text PRIMARY KEY, id text NOT NULL UNIQUE, body_hash text NOT NULL, merchant text NOT NULL,
  payment_id text NOT NULL, session_id text NOT NULL, amount bigint NOT NULL, currency text NOT NULL,
  status text NOT NULL, decline_code text, refunded bigint NOT NULL DEFAULT 0, captures_at timestamptz,
  notified_at timestamptz, created_at timestamptz NOT NULL DEFAULT now(),
  CHECK (refunded BETWEEN 0 AND amount));
CREATE INDEX IF NOT EXISTS ix_charges_merchant ON sandbox.charges (merchant, payment_id);
CREATE INDEX IF NOT EXISTS ix_charges_late ON sandbox.charges (captures_at)
  WHERE captures_at IS NOT NULL AND notified_at IS NULL;
CREATE TABLE IF NOT EXISTS sandbox.refunds (
  key_hash text PRIMARY KEY, id text NOT NULL, charge_id text NOT NULL, amount bigint NOT NULL,
  created_at timestamptz NOT NULL DEFAULT now());
"""


def secure_sandbox(connection: Connection) -> None:
    """Give the gateway's role its schema, and nobody else. Run by the owner, idempotent."""
    role = SANDBOX_ROLE
    for statement in (
        "REVOKE ALL ON SCHEMA sandbox FROM PUBLIC",
        f"GRANT USAGE ON SCHEMA sandbox TO {role}",
        f"GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA sandbox TO {role}",
    ):
        connection.execute(text(statement))


def open_pool(url: str, *, size: int = 8) -> ConnectionPool[Any]:
    """Connections of the gateway's own role; opened at first use."""
    return ConnectionPool(
        url,
        min_size=1,
        max_size=size,
        open=True,
        kwargs={"row_factory": dict_row, "autocommit": False, "application_name": "icommerce-sandbox"},
        name="sandbox",
    )
