"""acp delegation: what a token stands for can be told; cards brought by agents; who authenticated which card."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0026"
down_revision = "0025"
branch_labels = None
depends_on = None

SANDBOX = """
ALTER TABLE sandbox.tokens
  ADD COLUMN brand text NOT NULL DEFAULT '', ADD COLUMN last4 text NOT NULL DEFAULT '',
  ADD COLUMN wallet text NOT NULL DEFAULT '', ADD COLUMN review boolean NOT NULL DEFAULT false,
  ADD COLUMN card_hash text NOT NULL DEFAULT '', ADD COLUMN number_sealed bytea,
  ADD COLUMN caller text NOT NULL DEFAULT '', ADD COLUMN failed boolean NOT NULL DEFAULT false;
ALTER TABLE sandbox.cards ADD COLUMN card_hash text NOT NULL DEFAULT '';
CREATE INDEX ix_tokens_card ON sandbox.tokens (merchant, session_id, card_hash) WHERE card_hash <> '';
CREATE INDEX ix_tokens_failed ON sandbox.tokens (merchant, caller, created_at) WHERE failed;
CREATE INDEX ix_tokens_sealed ON sandbox.tokens (expires_at) WHERE number_sealed IS NOT NULL;
CREATE TABLE sandbox.asked (
  key_hash text PRIMARY KEY, body_hash text NOT NULL, merchant text NOT NULL, caller text NOT NULL,
  made_id text, refusal jsonb, failed boolean NOT NULL, created_at timestamptz NOT NULL,
  CONSTRAINT one_answer CHECK ((made_id IS NULL) <> (refusal IS NULL)));
CREATE INDEX ix_asked_failed ON sandbox.asked (merchant, caller, created_at) WHERE failed;
CREATE INDEX ix_asked_created_at ON sandbox.asked (created_at);
CREATE TABLE sandbox.authentications (
  id text PRIMARY KEY, merchant text NOT NULL, session_id text, card_hash text NOT NULL,
  amount bigint NOT NULL CHECK (amount > 0), currency text NOT NULL, brand text NOT NULL, behavior text NOT NULL,
  status text NOT NULL, step text NOT NULL CHECK (step IN ('fingerprint', 'ready', 'challenge', 'ended')),
  browser boolean NOT NULL,
  server_trans_id text NOT NULL, directory_trans_id text NOT NULL, acs_trans_id text NOT NULL UNIQUE,
  used_by text, expires_at timestamptz NOT NULL, created_at timestamptz NOT NULL);
CREATE UNIQUE INDEX uq_authentications_directory ON sandbox.authentications (merchant, directory_trans_id);
CREATE INDEX ix_authentications_expires_at ON sandbox.authentications (expires_at);
"""
_TOLD = {"brand": 20, "last4": 4, "wallet": 20}


def upgrade() -> None:
    for name, length in _TOLD.items():
        column = sa.Column(name, sa.String(length), server_default="", nullable=False)
        op.add_column("delegated_tokens", column, schema="app")
    op.execute(SANDBOX)
