"""warranties: warranties and claims."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None

MOMENT = sa.DateTime(timezone=True)
JSON = postgresql.JSONB(astext_type=sa.Text())
OVER = "status IN ('closed', 'canceled', 'expired')"


def _text(name: str, length: int | None = 40, *, nullable: bool = False) -> sa.Column[str]:
    return sa.Column(name, sa.String(length=length) if length else sa.Text(), nullable=nullable)


def _numbers(*names: str) -> list[sa.Column[int]]:
    return [sa.Column(name, sa.Integer(), nullable=False) for name in names]


def _moments(*names: str) -> list[sa.Column[object]]:
    return [sa.Column(name, MOMENT, nullable=True) for name in names]


def _of(table: str, column: str, target: str, *, ondelete: str | None = "CASCADE") -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(
        ["tenant_id", column],
        [f"app.{target}.tenant_id", f"app.{target}.id"],
        name=op.f(f"fk_{table}_tenant_id_{column}"),
        ondelete=ondelete,
    )


def upgrade() -> None:
    for table in ("order_adjustments", "refunds"):
        op.add_column(table, _text("claim_id", nullable=True), schema="app")
    _warranties()
    _claims()
    _evidence()
    _events()


def _warranties() -> None:
    op.create_table(
        "warranties",
        _text("tenant_id"),
        _text("id"),
        _text("order_id"),
        _text("order_line_id"),
        *_numbers("unit"),
        _text("variant_id"),
        _text("sku"),
        _text("title", None),
        _text("serial", 60, nullable=True),
        sa.Column("starts_on", sa.Date(), nullable=False),
        sa.Column("ends_on", sa.Date(), nullable=False),
        sa.Column("terms", JSON, nullable=False),
        _text("status", 10),
        _text("root_id"),
        _text("follows_id", nullable=True),
        sa.Column("created_at", MOMENT, nullable=False),
        *_moments("ended_at"),
        sa.CheckConstraint("unit > 0 AND ends_on >= starts_on", name=op.f("ck_warranties_term_is_one")),
        _of("warranties", "order_id", "orders"),
        _of("warranties", "order_line_id", "order_lines"),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_warranties")),
        schema="app",
    )
    for name, columns, unique in (
        ("uq_warranties_unit", ["order_line_id", "unit"], True),
        ("uq_warranties_follows", ["follows_id"], True),
        ("ix_warranties_order", ["order_id"], False),
        ("ix_warranties_root", ["root_id"], False),
        ("ix_warranties_created", ["created_at", "id"], False),
        ("ix_warranties_serial", ["serial"], False),
    ):
        op.create_index(name, "warranties", ["tenant_id", *columns], unique=unique, schema="app")


def _claims() -> None:
    op.create_table(
        "warranty_claims",
        _text("tenant_id"),
        _text("id"),
        _text("number", 30),
        _text("warranty_id"),
        _text("order_id"),
        _text("status", 12),
        _text("requested_by", 80),
        _text("symptom", 60),
        _text("description", None),
        sa.Column("offers", postgresql.ARRAY(sa.Text()), nullable=False),
        _text("resolution", 12, nullable=True),
        sa.Column("comes_back", sa.Boolean(), nullable=False),
        _text("message", None, nullable=True),
        _text("staff_note", None, nullable=True),
        _text("reviewed_by", 80, nullable=True),
        _text("decided_by", 80, nullable=True),
        _text("approval_id", nullable=True),
        _text("consent_id", nullable=True),
        _text("currency", 3),
        *_numbers("amount", "tax"),
        _text("refund_to", 12),
        _text("replacement_order_id", nullable=True),
        _text("problem", 60, nullable=True),
        _text("location_id", nullable=True),
        _text("carrier", None, nullable=True),
        _text("tracking_number", None, nullable=True),
        *_numbers("label_cost"),
        *_moments("label_at", "received_at"),
        _text("back_carrier", None, nullable=True),
        _text("back_number", None, nullable=True),
        *_numbers("back_cost"),
        *_moments("sent_back_at", "due_at", "answer_by"),
        sa.Column("created_at", MOMENT, nullable=False),
        *_moments("decided_at", "resolved_at", "closed_at"),
        *_numbers("version"),
        sa.CheckConstraint("amount >= 0 AND tax BETWEEN 0 AND amount", name=op.f("ck_warranty_claims_amounts_add_up")),
        sa.CheckConstraint(
            "replacement_order_id IS NULL OR resolution = 'replacement'", name=op.f("ck_warranty_claims_one_resolution")
        ),
        _of("warranty_claims", "warranty_id", "warranties"),
        _of("warranty_claims", "order_id", "orders"),
        _of("warranty_claims", "location_id", "locations", ondelete=None),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_warranty_claims")),
        schema="app",
    )
    for name, columns, unique in (
        ("uq_warranty_claims_number", ["number"], True),
        ("uq_warranty_claims_approval", ["approval_id"], True),
        ("uq_warranty_claims_replacement", ["replacement_order_id"], True),
        ("ix_warranty_claims_order", ["order_id"], False),
        ("ix_warranty_claims_warranty", ["warranty_id", "created_at"], False),
        ("ix_warranty_claims_created", ["created_at", "id"], False),
        ("ix_warranty_claims_status", ["status", "created_at", "id"], False),
    ):
        op.create_index(name, "warranty_claims", ["tenant_id", *columns], unique=unique, schema="app")
    for name, column, unique in (
        ("uq_warranty_claims_open", "warranty_id", True),
        ("ix_warranty_claims_due", "due_at", False),
    ):
        op.create_index(
            name,
            "warranty_claims",
            ["tenant_id", column],
            unique=unique,
            schema="app",
            postgresql_where=sa.text(f"NOT {OVER}"),
        )


def _evidence() -> None:
    op.create_table(
        "claim_evidence",
        _text("tenant_id"),
        _text("id"),
        _text("claim_id"),
        _text("name", 120),
        _text("media_type"),
        *_numbers("size"),
        _text("sha256", 64),
        sa.Column("content", sa.LargeBinary(), nullable=False),
        _text("added_by", 80),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.CheckConstraint("size > 0", name=op.f("ck_claim_evidence_not_empty")),
        _of("claim_evidence", "claim_id", "warranty_claims"),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_claim_evidence")),
        schema="app",
    )
    op.create_index(
        "uq_claim_evidence_content", "claim_evidence", ["tenant_id", "claim_id", "sha256"], unique=True, schema="app"
    )


def _events() -> None:
    op.create_table(
        "claim_events",
        _text("tenant_id"),
        _text("id"),
        _text("claim_id"),
        _text("step", 20),
        _text("actor", 80),
        _text("audience", 10),
        _text("text", None),
        sa.Column("at", MOMENT, nullable=False),
        _of("claim_events", "claim_id", "warranty_claims"),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_claim_events")),
        schema="app",
    )
    op.create_index("ix_claim_events_claim", "claim_events", ["tenant_id", "claim_id", "at"], schema="app")


def downgrade() -> None:
    for table in ("claim_events", "claim_evidence", "warranty_claims", "warranties"):
        op.drop_table(table, schema="app")
    for table in ("refunds", "order_adjustments"):
        op.drop_column(table, "claim_id", schema="app")
