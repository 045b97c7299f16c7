"""returns: returns and exchanges, and orders that replace something."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None

MOMENT = sa.DateTime(timezone=True)
JSON = postgresql.JSONB(astext_type=sa.Text())
ENDED = "status IN ('closed', 'declined', 'canceled', 'expired')"


def _text(name: str, length: int | None = 40, *, nullable: bool = False) -> sa.Column[str]:
    return sa.Column(name, sa.String(length=length) if length else sa.Text(), nullable=nullable)


def _numbers(*names: str) -> list[sa.Column[int]]:
    return [sa.Column(name, sa.Integer(), nullable=False) for name in names]


def _of(table: str, column: str, target: str, *, ondelete: str | None = "CASCADE") -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(
        ["tenant_id", column],
        [f"app.{target}.tenant_id", f"app.{target}.id"],
        name=op.f(f"fk_{table}_tenant_id_{column}"),
        ondelete=ondelete,
    )


def upgrade() -> None:
    op.add_column("orders", sa.Column("origin", JSON, nullable=True), schema="app")
    for table in ("order_lines", "order_adjustments", "refunds"):
        op.add_column(table, _text("return_id", nullable=True), schema="app")
    _returns()
    _lines()
    _events()


def _returns() -> None:
    op.create_table(
        "returns",
        _text("tenant_id"),
        _text("id"),
        _text("number", 30),
        _text("order_id"),
        _text("change_id"),
        _text("kind", 10),
        _text("status", 12),
        _text("requested_by", 80),
        _text("approved_by", 80, nullable=True),
        _text("approval_id", nullable=True),
        _text("refund_to", 12),
        _text("refund_account", nullable=True),
        _text("refund_at", 12),
        sa.Column("keep", sa.Boolean(), nullable=False),
        *_numbers("credit", "credit_tax", "fee", "replacement", "replacement_tax", "charge", "charge_tax"),
        *_numbers("refund", "given", "moved_tax"),
        _text("location_id"),
        _text("carrier", None, nullable=True),
        _text("tracking_number", None, nullable=True),
        *_numbers("label_cost"),
        sa.Column("label_at", MOMENT, nullable=True),
        sa.Column("sent_at", MOMENT, nullable=True),
        sa.Column("events", JSON, nullable=False),
        sa.Column("unexpected", JSON, nullable=False),
        _text("problem", 60, nullable=True),
        _text("message", None, nullable=True),
        sa.Column("expires_at", MOMENT, nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("approved_at", MOMENT, nullable=True),
        sa.Column("received_at", MOMENT, nullable=True),
        sa.Column("closed_at", MOMENT, nullable=True),
        *_numbers("version"),
        sa.CheckConstraint("credit - fee - replacement + charge = refund", name=op.f("ck_returns_money_adds_up")),
        sa.CheckConstraint(
            "refund >= 0 AND given BETWEEN 0 AND credit + charge", name=op.f("ck_returns_given_is_bounded")
        ),
        _of("returns", "order_id", "orders"),
        _of("returns", "location_id", "locations", ondelete=None),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_returns")),
        schema="app",
    )
    for name, columns, unique in (
        ("uq_returns_number", ["number"], True),
        ("uq_returns_change", ["change_id"], True),
        ("ix_returns_order", ["order_id", "created_at"], False),
        ("ix_returns_created", ["created_at", "id"], False),
        ("ix_returns_status", ["status", "created_at", "id"], False),
        ("uq_returns_tracking", ["carrier", "tracking_number"], True),
    ):
        op.create_index(name, "returns", ["tenant_id", *columns], unique=unique, schema="app")
    op.create_index(
        "ix_returns_open",
        "returns",
        ["tenant_id", "expires_at"],
        schema="app",
        postgresql_where=sa.text(f"NOT {ENDED}"),
    )


def _lines() -> None:
    op.create_table(
        "return_lines",
        _text("tenant_id"),
        _text("id"),
        _text("return_id"),
        _text("order_line_id"),
        _text("component_variant_id", nullable=True),
        *_numbers("position"),
        _text("title", None),
        *_numbers("quantity"),
        _text("reason", 60),
        _text("condition", 12),
        *_numbers("goods", "discount", "tax", "shipping", "shipping_tax", "fee", "withheld", "withheld_tax"),
        *_numbers("received", "inspected", "rejected", "settled"),
        *_numbers("restocked", "refurbished", "scrapped", "to_vendor", "quarantined"),
        sa.Column("exchange", JSON, nullable=True),
        sa.CheckConstraint(
            "quantity > 0 AND received BETWEEN 0 AND quantity AND inspected BETWEEN 0 AND received"
            " AND rejected BETWEEN 0 AND inspected AND settled BETWEEN 0 AND quantity",
            name=op.f("ck_return_lines_units_add_up"),
        ),
        sa.CheckConstraint(
            "restocked + refurbished + scrapped + to_vendor + quarantined = inspected",
            name=op.f("ck_return_lines_dispositions_add_up"),
        ),
        _of("return_lines", "return_id", "returns"),
        _of("return_lines", "order_line_id", "order_lines"),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_return_lines")),
        schema="app",
    )
    op.create_index("ix_return_lines_return", "return_lines", ["tenant_id", "return_id", "position"], schema="app")
    op.create_index("ix_return_lines_line", "return_lines", ["tenant_id", "order_line_id"], schema="app")


def _events() -> None:
    op.create_table(
        "return_events",
        _text("tenant_id"),
        _text("id"),
        _text("return_id"),
        _text("step", 10),
        sa.Column("lines", JSON, nullable=False),
        *_numbers("amount", "tax"),
        _text("actor", 80),
        _text("note", None),
        sa.Column("at", MOMENT, nullable=False),
        _of("return_events", "return_id", "returns"),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_return_events")),
        schema="app",
    )
    op.create_index("ix_return_events_return", "return_events", ["tenant_id", "return_id", "at"], schema="app")


def downgrade() -> None:
    for table in ("return_events", "return_lines", "returns"):
        op.drop_table(table, schema="app")
    for table in ("refunds", "order_adjustments", "order_lines"):
        op.drop_column(table, "return_id", schema="app")
    op.drop_column("orders", "origin", schema="app")
