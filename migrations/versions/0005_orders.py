"""orders."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

# Under FORCE row-level security even the owner sees only the tenant it is bound to.
BACKFILL = """
DO $$
DECLARE shop record;
BEGIN
  FOR shop IN SELECT id FROM app.tenants LOOP
    PERFORM set_config('app.tenant_id', shop.id, true);
    UPDATE app.order_lines l
    SET released = l.shipped,
        allocated = CASE WHEN o.status = 'canceled' THEN l.shipped ELSE l.ordered - l.canceled END
    FROM app.orders o WHERE o.tenant_id = l.tenant_id AND o.id = l.order_id;
    UPDATE app.orders o
    SET shipping = coalesce((o.fulfillment->>'amount')::int, 0),
        shipping_tax = o.tax - (SELECT coalesce(sum(l.tax), 0) FROM app.order_lines l
                                WHERE l.tenant_id = o.tenant_id AND l.order_id = o.id)
    WHERE o.status <> 'canceled' OR o.placed_at IS NULL;
    INSERT INTO app.order_adjustments (tenant_id, id, order_id, kind, amount, tax, refund_id, at)
    SELECT r.tenant_id, 'adj_' || substr(r.id, 5), r.order_id,
           CASE WHEN o.status = 'canceled' THEN 'cancel' ELSE 'return' END, -r.amount, -coalesce(p.tax, 0), r.id,
           r.created_at
    FROM app.refunds r JOIN app.orders o ON o.tenant_id = r.tenant_id AND o.id = r.order_id
    LEFT JOIN LATERAL (
      SELECT sum(g.amount) AS tax FROM app.journal_entries e
      JOIN app.postings g ON g.tenant_id = e.tenant_id AND g.entry_id = e.id AND g.account = 'tax_payable'
      WHERE e.tenant_id = r.tenant_id AND e.kind = 'refund' AND e.subject = r.id) p ON true
    WHERE r.status <> 'failed';
    UPDATE app.orders SET canceled_at = updated_at WHERE status = 'canceled' AND placed_at IS NOT NULL;
    UPDATE app.orders SET closed_at = updated_at WHERE status = 'closed';
  END LOOP;
  PERFORM set_config('app.tenant_id', '', true);
END $$
"""
CHAIN = (
    "ordered > 0 AND canceled >= 0 AND canceled + allocated <= ordered AND released <= allocated"
    " AND shipped <= released AND delivered <= shipped AND returned BETWEEN 0 AND delivered"
)
OLD_CHAIN = (
    "ordered > 0 AND canceled >= 0 AND shipped >= 0 AND canceled + shipped <= ordered"
    " AND delivered BETWEEN 0 AND shipped AND returned BETWEEN 0 AND delivered"
)
MOMENT = sa.DateTime(timezone=True)


def _text(name: str, length: int | None = 40, *, nullable: bool = True) -> sa.Column[str]:
    return sa.Column(name, sa.String(length=length) if length else sa.Text(), nullable=nullable)


def _of_order(table: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(
        ["tenant_id", "order_id"],
        ["app.orders.tenant_id", "app.orders.id"],
        name=op.f(f"fk_{table}_tenant_id_order_id"),
        ondelete="CASCADE",
    )


def upgrade() -> None:
    _orders()
    _lines()
    _notes()
    _adjustments()
    _changes()
    _consents()
    op.execute(BACKFILL)
    op.create_check_constraint(op.f("ck_order_lines_quantities_add_up"), "order_lines", CHAIN, schema="app")


def _orders() -> None:
    for column in (
        sa.Column("shipping", sa.Integer(), nullable=False, server_default="0"),
        sa.Column("shipping_tax", sa.Integer(), nullable=False, server_default="0"),
        _text("hold_reason", None),
        _text("cancel_reason", 60),
        sa.Column("canceled_at", MOMENT, nullable=True),
        sa.Column("closed_at", MOMENT, nullable=True),
        sa.Column("items_changed_at", MOMENT, nullable=True),
    ):
        op.add_column("orders", column, schema="app")
    op.create_index("ix_orders_status", "orders", ["tenant_id", "status", "placed_at", "id"], schema="app")
    op.create_index(
        "ix_orders_email",
        "orders",
        ["tenant_id", sa.text("lower(buyer ->> 'email')"), "placed_at"],
        schema="app",
    )


def _lines() -> None:
    for column in (
        sa.Column("allocated", sa.Integer(), nullable=False, server_default="0"),
        sa.Column("released", sa.Integer(), nullable=False, server_default="0"),
        sa.Column("components", postgresql.JSONB(astext_type=sa.Text()), nullable=False, server_default="[]"),
        _text("change_id"),
        _text("replaces_line_id"),
    ):
        op.add_column("order_lines", column, schema="app")
    op.drop_constraint(op.f("ck_order_lines_quantities_add_up"), "order_lines", schema="app", type_="check")


def _notes() -> None:
    op.create_table(
        "order_notes",
        _text("tenant_id", nullable=False),
        _text("id", nullable=False),
        _text("order_id", nullable=False),
        _text("author", 80, nullable=False),
        _text("audience", 10, nullable=False),
        _text("text", None, nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        _of_order("order_notes"),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_order_notes")),
        schema="app",
    )
    op.create_index("ix_order_notes_order", "order_notes", ["tenant_id", "order_id", "created_at"], schema="app")


def _adjustments() -> None:
    op.create_table(
        "order_adjustments",
        _text("tenant_id", nullable=False),
        _text("id", nullable=False),
        _text("order_id", nullable=False),
        _text("kind", 20, nullable=False),
        sa.Column("amount", sa.Integer(), nullable=False),
        sa.Column("tax", sa.Integer(), nullable=False),
        _text("change_id"),
        _text("refund_id"),
        sa.Column("at", MOMENT, nullable=False),
        _of_order("order_adjustments"),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_order_adjustments")),
        schema="app",
    )
    op.create_index("ix_order_adjustments_order", "order_adjustments", ["tenant_id", "order_id", "at"], schema="app")
    op.create_index("ix_order_adjustments_change", "order_adjustments", ["tenant_id", "change_id"], schema="app")


def _changes() -> None:
    op.create_table(
        "order_changes",
        _text("tenant_id", nullable=False),
        _text("id", nullable=False),
        _text("order_id", nullable=False),
        _text("kind", 20, nullable=False),
        _text("status", 12, nullable=False),
        _text("requested_by", 80, nullable=False),
        _text("reason", 60),
        sa.Column("wanted", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("quote", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        _text("digest", 64, nullable=False),
        sa.Column("order_version", sa.Integer(), nullable=False),
        _text("consent_id"),
        _text("approved_by", 80),
        _text("message", None),
        sa.Column("expires_at", MOMENT, nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("decided_at", MOMENT, nullable=True),
        sa.Column("applied_at", MOMENT, nullable=True),
        _of_order("order_changes"),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_order_changes")),
        schema="app",
    )
    op.create_index("ix_order_changes_order", "order_changes", ["tenant_id", "order_id", "created_at"], schema="app")
    op.create_index(
        "uq_order_changes_charging",
        "order_changes",
        ["tenant_id", "order_id"],
        unique=True,
        schema="app",
        postgresql_where=sa.text("status = 'charging'"),
    )
    op.create_index(
        "ix_order_changes_open",
        "order_changes",
        ["tenant_id", "expires_at"],
        schema="app",
        postgresql_where=sa.text("status IN ('quoted', 'confirmed')"),
    )


def _consents() -> None:
    op.add_column(
        "consents", sa.Column("kind", sa.String(length=20), nullable=False, server_default="payment"), schema="app"
    )
    op.add_column("consents", _text("subject_id"), schema="app")
    op.alter_column("consents", "session_id", nullable=True, schema="app")
    op.create_index(
        "uq_consents_open_subject",
        "consents",
        ["tenant_id", "subject_id"],
        unique=True,
        schema="app",
        postgresql_where=sa.text("subject_id IS NOT NULL AND status IN ('open', 'approved')"),
    )
    for name, rule in (
        ("payment_has_session", "(kind = 'payment') = (session_id IS NOT NULL)"),
        ("change_has_subject", "(kind = 'payment') = (subject_id IS NULL)"),
    ):
        op.create_check_constraint(op.f(f"ck_consents_{name}"), "consents", rule, schema="app")


def downgrade() -> None:
    for name in ("change_has_subject", "payment_has_session"):
        op.drop_constraint(op.f(f"ck_consents_{name}"), "consents", schema="app", type_="check")
    op.drop_index("uq_consents_open_subject", "consents", schema="app")
    op.alter_column("consents", "session_id", nullable=False, schema="app")
    for column in ("subject_id", "kind"):
        op.drop_column("consents", column, schema="app")
    for table in ("order_changes", "order_adjustments", "order_notes"):
        op.drop_table(table, schema="app")
    op.drop_constraint(op.f("ck_order_lines_quantities_add_up"), "order_lines", schema="app", type_="check")
    for column in ("replaces_line_id", "change_id", "components", "released", "allocated"):
        op.drop_column("order_lines", column, schema="app")
    op.create_check_constraint(op.f("ck_order_lines_quantities_add_up"), "order_lines", OLD_CHAIN, schema="app")
    for index in ("ix_orders_email", "ix_orders_status"):
        op.drop_index(index, "orders", schema="app")
    for column in (
        "items_changed_at",
        "closed_at",
        "canceled_at",
        "cancel_reason",
        "hold_reason",
        "shipping_tax",
        "shipping",
    ):
        op.drop_column("orders", column, schema="app")
