"""Payments: authorizations, captures, disputes, gateway events, stored value; the sandbox gateway's own tables."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

CAPTURES = """
DO $$
DECLARE tenant text;
BEGIN
  FOR tenant IN SELECT id FROM app.tenants LOOP
    PERFORM set_config('app.tenant_id', tenant, true);
    INSERT INTO app.captures (tenant_id, id, payment_id, order_id, amount, tax, currency, status, final,
      gateway_capture_id, reason, attempts, created_at, settled_at)
    SELECT p.tenant_id, 'cap_' || substr(p.id, 5), p.id, p.order_id, p.amount, o.tax, p.currency, 'succeeded', true,
      p.gateway_payment_id, 'sale', 1, p.created_at, coalesce(p.settled_at, p.created_at)
    FROM app.payments p JOIN app.orders o ON o.tenant_id = p.tenant_id AND o.id = p.order_id
    WHERE p.tenant_id = tenant AND p.status = 'captured' AND p.amount > 0;
  END LOOP;
  PERFORM set_config('app.tenant_id', '', true);
END $$;
"""
"""What was captured before captures had rows of their own."""
SANDBOX = """
ALTER TABLE sandbox.charges DROP CONSTRAINT charges_check,
  ADD COLUMN intent text NOT NULL DEFAULT 'capture', ADD COLUMN behavior text NOT NULL DEFAULT 'approve',
  ADD COLUMN captured bigint NOT NULL DEFAULT 0, ADD COLUMN capturing bigint NOT NULL DEFAULT 0,
  ADD COLUMN disputed bigint NOT NULL DEFAULT 0, ADD COLUMN expires_at timestamptz,
  ADD COLUMN disputes_at timestamptz, ADD COLUMN payout_id text;
UPDATE sandbox.charges SET captured = amount WHERE status = 'captured';
ALTER TABLE sandbox.charges
  ADD CHECK (captured >= 0 AND capturing >= 0 AND captured + capturing <= amount),
  ADD CHECK (refunded >= 0 AND disputed >= 0 AND refunded + disputed <= captured);
CREATE INDEX ix_charges_disputes ON sandbox.charges (disputes_at) WHERE disputes_at IS NOT NULL;
CREATE TABLE sandbox.moves (
  key_hash text PRIMARY KEY, id text NOT NULL UNIQUE, body_hash text NOT NULL, charge_hash text NOT NULL,
  merchant text NOT NULL, payment_id text NOT NULL, key text NOT NULL, kind text NOT NULL, amount bigint NOT NULL,
  currency text NOT NULL, final boolean NOT NULL DEFAULT false, status text NOT NULL, failure_code text,
  ends_at timestamptz, outcome text, created_at timestamptz NOT NULL DEFAULT now(), settled_at timestamptz,
  returned_at timestamptz, payout_id text, return_payout_id text);
CREATE INDEX ix_moves_merchant ON sandbox.moves (merchant, payment_id);
CREATE INDEX ix_moves_due ON sandbox.moves (ends_at) WHERE ends_at IS NOT NULL;
INSERT INTO sandbox.moves (key_hash, id, body_hash, charge_hash, merchant, payment_id, key, kind, amount, currency,
    status, created_at, settled_at)
  SELECT r.key_hash, r.id, '', r.charge_id, c.merchant, c.payment_id, '', 'refund', r.amount, c.currency, 'succeeded',
    r.created_at, r.created_at
  FROM sandbox.refunds r JOIN sandbox.charges c ON c.key_hash = r.charge_id;
DROP TABLE sandbox.refunds;
CREATE TABLE sandbox.disputes (
  id text PRIMARY KEY, charge_hash text NOT NULL, merchant text NOT NULL, payment_id text NOT NULL,
  amount bigint NOT NULL, fee bigint NOT NULL, currency text NOT NULL, reason text NOT NULL, status text NOT NULL,
  evidence_due_at timestamptz NOT NULL, evidence jsonb, evidence_key_hash text, decides_at timestamptz, outcome text,
  opened_at timestamptz NOT NULL, closed_at timestamptz, payout_id text, won_payout_id text);
CREATE INDEX ix_disputes_merchant ON sandbox.disputes (merchant, payment_id);
CREATE INDEX ix_disputes_due ON sandbox.disputes (decides_at) WHERE decides_at IS NOT NULL;
CREATE TABLE sandbox.events (
  id text PRIMARY KEY, merchant text NOT NULL, body jsonb NOT NULL, occurred_at timestamptz NOT NULL,
  handed_at timestamptz, delivered_at timestamptz);
CREATE INDEX ix_events_waiting ON sandbox.events (occurred_at) WHERE delivered_at IS NULL;
CREATE TABLE sandbox.payouts (
  id text PRIMARY KEY, merchant text NOT NULL, currency text NOT NULL, amount bigint NOT NULL,
  paid_at timestamptz NOT NULL);
CREATE INDEX ix_payouts_merchant ON sandbox.payouts (merchant, paid_at);
"""


def upgrade() -> None:
    op.create_table(
        "gateway_events",
        sa.Column("tenant_id", sa.String(length=40), nullable=False),
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("gateway", sa.String(length=20), nullable=False),
        sa.Column("event_id", sa.String(length=120), nullable=False),
        sa.Column("kind", sa.String(length=12), nullable=False),
        sa.Column("body", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("occurred_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("received_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("available_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("applied_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("error", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_gateway_events")),
        schema="app",
    )
    op.create_index(
        "ix_gateway_events_waiting",
        "gateway_events",
        ["tenant_id", "available_at"],
        unique=False,
        schema="app",
        postgresql_where=sa.text("applied_at IS NULL"),
    )
    op.create_index(
        "uq_gateway_events_event", "gateway_events", ["tenant_id", "gateway", "event_id"], unique=True, schema="app"
    )
    op.create_table(
        "stored_value_accounts",
        sa.Column("tenant_id", sa.String(length=40), nullable=False),
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("kind", sa.String(length=12), nullable=False),
        sa.Column("customer_id", sa.String(length=40), nullable=True),
        sa.Column("owner_id", sa.String(length=40), nullable=True),
        sa.Column("code_hash", sa.String(length=64), nullable=True),
        sa.Column("last4", sa.String(length=4), nullable=False),
        sa.Column("currency", sa.String(length=3), nullable=False),
        sa.Column("balance", sa.Integer(), nullable=False),
        sa.Column("status", sa.String(length=12), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("balance >= 0", name=op.f("ck_stored_value_accounts_balance_not_negative")),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_stored_value_accounts")),
        schema="app",
    )
    op.create_index(
        "ix_stored_value_accounts_customer",
        "stored_value_accounts",
        ["tenant_id", "customer_id"],
        unique=False,
        schema="app",
    )
    op.create_index(
        "ix_stored_value_accounts_expiry",
        "stored_value_accounts",
        ["tenant_id", "expires_at"],
        unique=False,
        schema="app",
        postgresql_where=sa.text("balance > 0"),
    )
    op.create_index(
        "ix_stored_value_accounts_owner", "stored_value_accounts", ["tenant_id", "owner_id"], unique=False, schema="app"
    )
    op.create_index(
        "uq_stored_value_accounts_code", "stored_value_accounts", ["tenant_id", "code_hash"], unique=True, schema="app"
    )
    op.create_table(
        "stored_value_entries",
        sa.Column("tenant_id", sa.String(length=40), nullable=False),
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("account_id", sa.String(length=40), nullable=False),
        sa.Column("kind", sa.String(length=12), nullable=False),
        sa.Column("delta", sa.Integer(), nullable=False),
        sa.Column("subject", sa.String(length=60), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("delta <> 0", name=op.f("ck_stored_value_entries_delta_not_zero")),
        sa.ForeignKeyConstraint(
            ["tenant_id", "account_id"],
            ["app.stored_value_accounts.tenant_id", "app.stored_value_accounts.id"],
            name=op.f("fk_stored_value_entries_tenant_id_account_id"),
        ),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_stored_value_entries")),
        schema="app",
    )
    op.create_index(
        "ix_stored_value_entries_subject", "stored_value_entries", ["tenant_id", "subject"], unique=False, schema="app"
    )
    op.create_index(
        "uq_stored_value_entries_event",
        "stored_value_entries",
        ["tenant_id", "account_id", "kind", "subject"],
        unique=True,
        schema="app",
    )
    op.create_table(
        "captures",
        sa.Column("tenant_id", sa.String(length=40), nullable=False),
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("payment_id", sa.String(length=40), nullable=False),
        sa.Column("order_id", sa.String(length=40), nullable=False),
        sa.Column("amount", sa.Integer(), nullable=False),
        sa.Column("tax", sa.Integer(), nullable=False),
        sa.Column("currency", sa.String(length=3), nullable=False),
        sa.Column("status", sa.String(length=12), nullable=False),
        sa.Column("final", sa.Boolean(), nullable=False),
        sa.Column("gateway_capture_id", sa.Text(), nullable=True),
        sa.Column("failure_code", sa.String(length=60), nullable=True),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("lease_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("settled_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("amount > 0 AND tax BETWEEN 0 AND amount", name=op.f("ck_captures_amount_positive")),
        sa.ForeignKeyConstraint(
            ["tenant_id", "payment_id"],
            ["app.payments.tenant_id", "app.payments.id"],
            name=op.f("fk_captures_tenant_id_payment_id"),
        ),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_captures")),
        schema="app",
    )
    op.create_index("ix_captures_payment", "captures", ["tenant_id", "payment_id"], unique=False, schema="app")
    op.create_index(
        "ix_captures_pending",
        "captures",
        ["tenant_id", "lease_until"],
        unique=False,
        schema="app",
        postgresql_where=sa.text("status = 'pending'"),
    )
    op.create_table(
        "disputes",
        sa.Column("tenant_id", sa.String(length=40), nullable=False),
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("payment_id", sa.String(length=40), nullable=False),
        sa.Column("order_id", sa.String(length=40), nullable=False),
        sa.Column("gateway", sa.String(length=20), nullable=False),
        sa.Column("gateway_dispute_id", sa.String(length=80), nullable=False),
        sa.Column("amount", sa.Integer(), nullable=False),
        sa.Column("fee", sa.Integer(), nullable=False),
        sa.Column("currency", sa.String(length=3), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("status", sa.String(length=16), nullable=False),
        sa.Column("evidence_due_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("evidence", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("evidence_sent_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("opened_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("closed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("amount > 0 AND fee >= 0", name=op.f("ck_disputes_amount_positive")),
        sa.ForeignKeyConstraint(
            ["tenant_id", "payment_id"],
            ["app.payments.tenant_id", "app.payments.id"],
            name=op.f("fk_disputes_tenant_id_payment_id"),
        ),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_disputes")),
        schema="app",
    )
    op.create_index("ix_disputes_payment", "disputes", ["tenant_id", "payment_id"], unique=False, schema="app")
    op.create_index(
        "uq_disputes_gateway", "disputes", ["tenant_id", "gateway", "gateway_dispute_id"], unique=True, schema="app"
    )
    op.add_column("alerts", sa.Column("action", sa.String(length=40), nullable=True), schema="app")
    op.add_column(
        "alerts",
        sa.Column("facts", postgresql.JSONB(astext_type=sa.Text()), nullable=False, server_default="{}"),
        schema="app",
    )
    op.alter_column(
        "alerts",
        "subject",
        existing_type=sa.VARCHAR(length=40),
        type_=sa.String(length=80),
        existing_nullable=False,
        schema="app",
    )
    op.add_column(
        "payment_methods", sa.Column("kind", sa.String(length=12), nullable=False, server_default="card"), schema="app"
    )
    op.add_column("payments", sa.Column("change_id", sa.String(length=40), nullable=True), schema="app")
    op.add_column(
        "payments", sa.Column("tender", sa.String(length=60), nullable=False, server_default="card"), schema="app"
    )
    op.add_column("payments", sa.Column("stored_value_id", sa.String(length=40), nullable=True), schema="app")
    op.add_column(
        "payments", sa.Column("capture_mode", sa.String(length=12), nullable=False, server_default="now"), schema="app"
    )
    op.add_column("payments", sa.Column("authorized_at", sa.DateTime(timezone=True), nullable=True), schema="app")
    op.add_column(
        "payments", sa.Column("authorization_expires_at", sa.DateTime(timezone=True), nullable=True), schema="app"
    )
    op.add_column("payments", sa.Column("void_requested_at", sa.DateTime(timezone=True), nullable=True), schema="app")
    op.alter_column("payments", "session_id", existing_type=sa.VARCHAR(length=40), nullable=True, schema="app")
    op.alter_column(
        "payments",
        "status",
        existing_type=sa.VARCHAR(length=12),
        type_=sa.String(length=20),
        existing_nullable=False,
        schema="app",
    )
    op.drop_index("uq_payments_live_consent", table_name="payments", schema="app")
    op.create_index(
        "uq_payments_live_consent",
        "payments",
        ["tenant_id", "consent_id", "tender"],
        unique=True,
        schema="app",
        postgresql_where=sa.text("status IN ('processing', 'unknown', 'authorized', 'partially_captured', 'captured')"),
    )
    op.drop_index("uq_payments_live_session", table_name="payments", schema="app")
    op.create_index(
        "uq_payments_live_session",
        "payments",
        ["tenant_id", "session_id", "tender"],
        unique=True,
        schema="app",
        postgresql_where=sa.text("status IN ('processing', 'unknown', 'authorized', 'partially_captured', 'captured')"),
    )
    op.create_index(
        "ix_payments_authorized",
        "payments",
        ["tenant_id", "authorization_expires_at"],
        unique=False,
        schema="app",
        postgresql_where=sa.text("status IN ('authorized', 'partially_captured')"),
    )
    op.create_index(
        "uq_payments_live_change",
        "payments",
        ["tenant_id", "change_id", "tender"],
        unique=True,
        schema="app",
        postgresql_where=sa.text("status IN ('processing', 'unknown', 'authorized', 'partially_captured', 'captured')"),
    )
    op.create_foreign_key(
        op.f("fk_payments_tenant_id_stored_value_id"),
        "payments",
        "stored_value_accounts",
        ["tenant_id", "stored_value_id"],
        ["tenant_id", "id"],
        source_schema="app",
        referent_schema="app",
    )
    op.add_column("refunds", sa.Column("change_id", sa.String(length=40), nullable=True), schema="app")
    op.add_column("refunds", sa.Column("tax", sa.Integer(), nullable=False, server_default="0"), schema="app")
    op.add_column("refunds", sa.Column("unearned", sa.Integer(), nullable=False, server_default="0"), schema="app")
    op.add_column(
        "refunds",
        sa.Column("requested_by", sa.String(length=80), nullable=False, server_default="system"),
        schema="app",
    )
    op.add_column(
        "refunds", sa.Column("tender", sa.String(length=60), nullable=False, server_default="card"), schema="app"
    )
    op.add_column(
        "refunds",
        sa.Column("destination", sa.String(length=12), nullable=False, server_default="original"),
        schema="app",
    )
    op.add_column("refunds", sa.Column("stored_value_id", sa.String(length=40), nullable=True), schema="app")
    op.add_column("refunds", sa.Column("failure_code", sa.String(length=60), nullable=True), schema="app")
    op.add_column("refunds", sa.Column("lease_until", sa.DateTime(timezone=True), nullable=True), schema="app")
    op.add_column("refunds", sa.Column("attempts", sa.Integer(), nullable=False, server_default="0"), schema="app")
    op.add_column(
        "refunds",
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False, server_default=sa.func.now()),
        schema="app",
    )
    op.add_column("refunds", sa.Column("settled_at", sa.DateTime(timezone=True), nullable=True), schema="app")
    op.create_index(
        "ix_refunds_pending",
        "refunds",
        ["tenant_id", "lease_until"],
        unique=False,
        schema="app",
        postgresql_where=sa.text("status = 'pending'"),
    )
    op.create_foreign_key(
        op.f("fk_refunds_tenant_id_stored_value_id"),
        "refunds",
        "stored_value_accounts",
        ["tenant_id", "stored_value_id"],
        ["tenant_id", "id"],
        source_schema="app",
        referent_schema="app",
    )
    op.create_check_constraint("one_cause", "payments", "num_nonnulls(session_id, change_id) = 1", schema="app")
    op.create_check_constraint(
        "tender_fits_account", "payments", "(tender = 'card') = (stored_value_id IS NULL)", schema="app"
    )
    op.create_check_constraint(
        "parts_fit", "refunds", "tax >= 0 AND unearned >= 0 AND tax + unearned <= amount", schema="app"
    )
    for statement in (CAPTURES, SANDBOX):
        op.execute(statement)


def downgrade() -> None:
    raise NotImplementedError("Money is not unmade: restore a backup instead.")
