"""support: cases, handoff queue, macros; who works with a key."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None

# Whoever waits for a person already gets a case. Under FORCE row-level security even the owner sees only the tenant
# it is bound to.
BACKFILL = """
DO $$
DECLARE shop record;
BEGIN
  FOR shop IN SELECT id FROM app.tenants LOOP
    PERFORM set_config('app.tenant_id', shop.id, true);
    INSERT INTO app.cases (tenant_id, id, number, thread_id, shopper_id, subject, reason, summary, priority, rank,
      status, version, due_at, first_response_due_at, resolution_due_at, reopened, opened_by, created_at, updated_at)
    SELECT t.tenant_id, 'cas_' || substr(t.id, 5), t.handoff->>'reference', t.id, t.owner_id,
      left(coalesce(nullif(t.handoff->>'summary', ''), 'A conversation'), 120), t.handoff->>'reason',
      coalesce(t.handoff->>'summary', ''), 'normal', 2, 'open', 1, now(), now(), now() + interval '1 day', 0, 'system',
      now(), now()
    FROM app.threads t WHERE t.mode <> 'agent' AND t.handoff ? 'reference';
  END LOOP;
  PERFORM set_config('app.tenant_id', '', true);
END $$
"""


def upgrade() -> None:
    op.add_column("api_keys", sa.Column("person", sa.String(length=80), nullable=True), schema="app")
    _cases()
    _notes()
    _macros()
    op.execute(BACKFILL)


def _cases() -> None:
    op.create_table(
        "cases",
        sa.Column("tenant_id", sa.String(length=40), nullable=False),
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("number", sa.String(length=20), nullable=False),
        sa.Column("thread_id", sa.String(length=40), nullable=True),
        sa.Column("order_id", sa.String(length=40), nullable=True),
        sa.Column("shopper_id", sa.String(length=40), nullable=True),
        sa.Column("customer_id", sa.String(length=40), nullable=True),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("reason", sa.String(length=40), nullable=False),
        sa.Column("summary", sa.Text(), nullable=False),
        sa.Column("priority", sa.String(length=8), nullable=False),
        sa.Column("rank", sa.Integer(), nullable=False),
        sa.Column("status", sa.String(length=20), nullable=False),
        sa.Column("assignee", sa.String(length=80), nullable=True),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("first_response_due_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("resolution_due_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("first_response_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("paused_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("first_response_breached_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("resolution_breached_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("reopened", sa.Integer(), nullable=False),
        sa.Column("opened_by", sa.String(length=80), nullable=False),
        sa.Column("resolved_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("closed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "(status IN ('open', 'waiting_staff')) = (due_at IS NOT NULL)", name=op.f("ck_cases_due_while_waiting")
        ),
        sa.CheckConstraint("status <> 'open' OR assignee IS NULL", name=op.f("ck_cases_open_is_nobodys")),
        sa.ForeignKeyConstraint(
            ["tenant_id", "order_id"],
            ["app.orders.tenant_id", "app.orders.id"],
            name=op.f("fk_cases_tenant_id_order_id"),
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "thread_id"],
            ["app.threads.tenant_id", "app.threads.id"],
            name=op.f("fk_cases_tenant_id_thread_id"),
        ),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_cases")),
        schema="app",
    )
    op.create_index("ix_cases_order", "cases", ["tenant_id", "order_id"], unique=False, schema="app")
    op.create_index(
        "ix_cases_queue",
        "cases",
        ["tenant_id", "due_at", "rank", "id"],
        unique=False,
        schema="app",
        postgresql_where=sa.text("status IN ('open', 'waiting_staff')"),
    )
    op.create_index(
        "ix_cases_resolved",
        "cases",
        ["tenant_id", "resolved_at"],
        unique=False,
        schema="app",
        postgresql_where=sa.text("status = 'resolved'"),
    )
    op.create_index("uq_cases_number", "cases", ["tenant_id", "number"], unique=True, schema="app")
    op.create_index(
        "uq_cases_thread",
        "cases",
        ["tenant_id", "thread_id"],
        unique=True,
        schema="app",
        postgresql_where=sa.text("status <> 'closed'"),
    )


def _notes() -> None:
    op.create_table(
        "case_notes",
        sa.Column("tenant_id", sa.String(length=40), nullable=False),
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("case_id", sa.String(length=40), nullable=False),
        sa.Column("author", sa.String(length=80), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["tenant_id", "case_id"],
            ["app.cases.tenant_id", "app.cases.id"],
            name=op.f("fk_case_notes_tenant_id_case_id"),
        ),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_case_notes")),
        schema="app",
    )
    op.create_index("ix_case_notes_case", "case_notes", ["tenant_id", "case_id", "id"], unique=False, schema="app")


def _macros() -> None:
    op.create_table(
        "macros",
        sa.Column("tenant_id", sa.String(length=40), nullable=False),
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("name", sa.String(length=80), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("created_by", sa.String(length=80), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_macros")),
        schema="app",
    )
    op.create_index("uq_macros_name", "macros", ["tenant_id", "name"], unique=True, schema="app")


def downgrade() -> None:
    for table in ("macros", "case_notes", "cases"):
        op.drop_table(table, schema="app")
    op.drop_column("api_keys", "person", schema="app")
