"""return_evidence: pictures of what is wrong with what comes back."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0046"
down_revision = "0045"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "return_evidence",
        sa.Column("tenant_id", sa.String(40), nullable=False),
        sa.Column("id", sa.String(40), nullable=False),
        sa.Column("name", sa.String(120), nullable=False),
        sa.Column("media_type", sa.String(40), nullable=False),
        sa.Column("size", sa.Integer(), nullable=False),
        sa.Column("sha256", sa.String(64), nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=False),
        sa.Column("added_by", sa.String(80), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("return_id", sa.String(40), nullable=False),
        sa.CheckConstraint("size > 0", name=op.f("ck_return_evidence_not_empty")),
        sa.ForeignKeyConstraint(
            ["tenant_id", "return_id"],
            ["app.returns.tenant_id", "app.returns.id"],
            name=op.f("fk_return_evidence_tenant_id_return_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_return_evidence")),
        schema="app",
    )
    op.create_index(
        "uq_return_evidence_content",
        "return_evidence",
        ["tenant_id", "return_id", "sha256"],
        unique=True,
        schema="app",
    )


def downgrade() -> None:
    op.drop_table("return_evidence", schema="app")
