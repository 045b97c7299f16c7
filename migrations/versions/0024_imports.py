"""imports: files of any size in parts, promotions too, and how far one is."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0024"
down_revision = "0023"
branch_labels = None
depends_on = None

TABLE = "catalog_imports"
WAITING = "status IN ('waiting', 'applying')"


def upgrade() -> None:
    op.add_column(
        TABLE, sa.Column("kind", sa.String(length=12), nullable=False, server_default="products"), schema="app"
    )
    for name in ("size", "total", "done", "attempts"):
        op.add_column(TABLE, sa.Column(name, sa.Integer(), nullable=False, server_default="0"), schema="app")
    op.add_column(TABLE, sa.Column("problem", sa.Text(), nullable=True), schema="app")
    op.alter_column(TABLE, "format", type_=sa.String(length=5), schema="app")
    op.alter_column(TABLE, "report", nullable=True, schema="app")
    op.create_index(
        "ix_catalog_imports_waiting", TABLE, ["tenant_id", "id"], schema="app", postgresql_where=sa.text(WAITING)
    )
    op.create_table(
        "import_parts",
        sa.Column("tenant_id", sa.String(length=40), nullable=False),
        sa.Column("import_id", sa.String(length=40), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("tenant_id", "import_id", "position", name=op.f("pk_import_parts")),
        sa.ForeignKeyConstraint(
            ["tenant_id", "import_id"],
            ["app.catalog_imports.tenant_id", "app.catalog_imports.id"],
            name=op.f("fk_import_parts_tenant_id_import_id"),
            ondelete="CASCADE",
        ),
        schema="app",
    )


def downgrade() -> None:
    op.drop_table("import_parts", schema="app")
    op.drop_index("ix_catalog_imports_waiting", TABLE, schema="app")
    for name in ("problem", "attempts", "done", "total", "size", "kind"):
        op.drop_column(TABLE, name, schema="app")
