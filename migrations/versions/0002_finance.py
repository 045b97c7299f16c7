"""Finance: balance by statement, reversals, locked months, a chart per shop, payouts."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

BALANCED = """
DROP TRIGGER entry_balances ON app.postings;
DROP FUNCTION app.entry_balances();
CREATE FUNCTION app.entries_balance() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
  bad text;
BEGIN
  SELECT entry_id INTO bad FROM added GROUP BY tenant_id, entry_id, currency HAVING sum(amount) <> 0 LIMIT 1;
  IF FOUND THEN
    RAISE EXCEPTION 'journal entry % does not balance', bad USING ERRCODE = 'check_violation';
  END IF;
  SELECT entry_id INTO bad FROM added GROUP BY tenant_id, entry_id HAVING min(line) <> 1 LIMIT 1;
  IF FOUND THEN
    RAISE EXCEPTION 'journal entry % is not written from its first line', bad USING ERRCODE = 'check_violation';
  END IF;
  RETURN NULL;
END $$;
CREATE TRIGGER entries_balance AFTER INSERT ON app.postings
  REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION app.entries_balance();
"""
NUMBERED = """
ALTER TABLE app.postings NO FORCE ROW LEVEL SECURITY;
ALTER TABLE app.postings ADD COLUMN line smallint;
UPDATE app.postings p SET line = n.line FROM (
  SELECT tenant_id, id, row_number() OVER (PARTITION BY tenant_id, entry_id ORDER BY id) AS line FROM app.postings) AS n
  WHERE n.tenant_id = p.tenant_id AND n.id = p.id;
ALTER TABLE app.postings ALTER COLUMN line SET NOT NULL;
"""
"""The owner numbers what is there, of every tenant; row-level security is forced again right after the migration."""
OPEN = """
CREATE FUNCTION app.period_key(tenant text, month text) RETURNS bigint LANGUAGE sql IMMUTABLE AS
  $$ SELECT hashtextextended('books:' || tenant || ':' || month, 0) $$;
CREATE FUNCTION app.periods_are_open() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
  closed text;
BEGIN
  PERFORM pg_advisory_xact_lock_shared(app.period_key(m.tenant_id, m.month)) FROM (
    SELECT DISTINCT tenant_id, to_char(occurred_at AT TIME ZONE 'UTC', 'YYYY-MM') AS month FROM added) AS m;
  SELECT p.month INTO closed FROM added AS a JOIN app.accounting_periods AS p
    ON p.tenant_id = a.tenant_id AND p.month = to_char(a.occurred_at AT TIME ZONE 'UTC', 'YYYY-MM') LIMIT 1;
  IF FOUND THEN
    RAISE EXCEPTION 'the books of % are locked', closed USING ERRCODE = 'check_violation';
  END IF;
  RETURN NULL;
END $$;
CREATE TRIGGER periods_are_open AFTER INSERT ON app.journal_entries
  REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION app.periods_are_open();
CREATE FUNCTION app.period_waits() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  PERFORM pg_advisory_xact_lock(app.period_key(NEW.tenant_id, NEW.month));
  RETURN NEW;
END $$;
CREATE TRIGGER period_waits BEFORE INSERT ON app.accounting_periods
  FOR EACH ROW EXECUTE FUNCTION app.period_waits();
"""


def upgrade() -> None:
    op.create_table(
        "ledger_accounts",
        sa.Column("tenant_id", sa.String(length=40), nullable=False),
        sa.Column("code", sa.String(length=30), nullable=False),
        sa.Column("number", sa.String(length=20), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("type", sa.String(length=20), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("tenant_id", "code", name=op.f("pk_ledger_accounts")),
        schema="app",
    )
    op.create_index("uq_ledger_accounts_number", "ledger_accounts", ["tenant_id", "number"], unique=True, schema="app")
    op.create_table(
        "accounting_periods",
        sa.Column("tenant_id", sa.String(length=40), nullable=False),
        sa.Column("month", sa.String(length=7), nullable=False),
        sa.Column("locked_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("locked_by", sa.String(length=80), nullable=False),
        sa.CheckConstraint("month ~ '^[0-9]{4}-(0[1-9]|1[0-2])$'", name=op.f("ck_accounting_periods_month_is_one")),
        sa.PrimaryKeyConstraint("tenant_id", "month", name=op.f("pk_accounting_periods")),
        schema="app",
    )
    op.create_table(
        "payouts",
        sa.Column("tenant_id", sa.String(length=40), nullable=False),
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("gateway", sa.String(length=20), nullable=False),
        sa.Column("gateway_payout_id", sa.String(length=120), nullable=False),
        sa.Column("currency", sa.String(length=3), nullable=False),
        sa.Column("amount", sa.BigInteger(), nullable=False),
        sa.Column("fees", sa.BigInteger(), nullable=False),
        sa.Column("paid_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("imported_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_payouts")),
        schema="app",
    )
    op.create_index(
        "uq_payouts_gateway", "payouts", ["tenant_id", "gateway", "gateway_payout_id"], unique=True, schema="app"
    )
    op.create_index("ix_payouts_paid", "payouts", ["tenant_id", "paid_at", "id"], schema="app")
    op.create_table(
        "payout_lines",
        sa.Column("tenant_id", sa.String(length=40), nullable=False),
        sa.Column("payout_id", sa.String(length=40), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(length=20), nullable=False),
        sa.Column("reference", sa.String(length=120), nullable=False),
        sa.Column("payment_id", sa.String(length=40), nullable=False),
        sa.Column("amount", sa.BigInteger(), nullable=False),
        sa.Column("fee", sa.BigInteger(), nullable=False),
        sa.Column("match", sa.String(length=12), nullable=False),
        sa.Column("matched_id", sa.String(length=40), nullable=True),
        sa.Column("expected", sa.BigInteger(), nullable=True),
        sa.CheckConstraint("fee >= 0", name=op.f("ck_payout_lines_fee_not_negative")),
        sa.ForeignKeyConstraint(
            ["tenant_id", "payout_id"],
            ["app.payouts.tenant_id", "app.payouts.id"],
            name=op.f("fk_payout_lines_tenant_id_payout_id"),
        ),
        sa.PrimaryKeyConstraint("tenant_id", "payout_id", "position", name=op.f("pk_payout_lines")),
        schema="app",
    )
    op.create_index(
        "uq_payout_lines_matched", "payout_lines", ["tenant_id", "matched_id", "kind"], unique=True, schema="app"
    )
    op.create_index("ix_payout_lines_payment", "payout_lines", ["tenant_id", "payment_id"], schema="app")
    op.add_column("journal_entries", sa.Column("event_at", sa.DateTime(timezone=True), nullable=True), schema="app")
    op.add_column("journal_entries", sa.Column("reverses_id", sa.String(length=40), nullable=True), schema="app")
    op.create_foreign_key(
        op.f("fk_journal_entries_tenant_id_reverses_id"),
        "journal_entries",
        "journal_entries",
        ["tenant_id", "reverses_id"],
        ["tenant_id", "id"],
        source_schema="app",
        referent_schema="app",
    )
    op.create_index(
        "uq_journal_entries_reverses", "journal_entries", ["tenant_id", "reverses_id"], unique=True, schema="app"
    )
    op.drop_index("ix_journal_entries_occurred", "journal_entries", schema="app")
    op.create_index("ix_journal_entries_occurred", "journal_entries", ["tenant_id", "occurred_at", "id"], schema="app")
    op.execute(NUMBERED)
    op.create_index("uq_postings_line", "postings", ["tenant_id", "entry_id", "line"], unique=True, schema="app")
    op.drop_index("ix_postings_entry", "postings", schema="app")
    op.drop_index("ix_postings_account", "postings", schema="app")
    op.create_index("ix_postings_account", "postings", ["tenant_id", "account", "id"], schema="app")
    op.execute(BALANCED)
    op.execute(OPEN)


def downgrade() -> None:
    raise NotImplementedError("the books are not taken back")
