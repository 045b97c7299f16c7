"""product sources: which products another platform sells as well, and how fresh is what we know of them."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0056"
down_revision = "0055"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "product_sources",
        sa.Column("tenant_id", sa.String(40), nullable=False),
        sa.Column("product_id", sa.String(40), nullable=False),
        sa.Column("system", sa.String(20), nullable=False),
        sa.Column("connection_id", sa.String(40), nullable=False),
        sa.Column("source_id", sa.String(80), nullable=False),
        sa.Column("seen_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("changed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("images", postgresql.ARRAY(sa.Text()), server_default=sa.text("'{}'"), nullable=False),
        sa.Column("made_here", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.ForeignKeyConstraint(
            ["tenant_id", "product_id"],
            ["app.products.tenant_id", "app.products.id"],
            name=op.f("fk_product_sources_tenant_id_product_id_products"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("tenant_id", "product_id", name=op.f("pk_product_sources")),
        schema="app",
    )
    op.create_index(
        "uq_product_sources_source",
        "product_sources",
        ["tenant_id", "connection_id", "source_id"],
        unique=True,
        schema="app",
    )


def downgrade() -> None:
    op.drop_table("product_sources", schema="app")
