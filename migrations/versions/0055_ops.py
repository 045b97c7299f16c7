"""ops: what systems said of their stock, and the indexes of the lists of operations."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0055"
down_revision = "0054"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "sync_readings",
        sa.Column("tenant_id", sa.String(40), nullable=False),
        sa.Column("sku", sa.String(80), nullable=False),
        sa.Column("connection_id", sa.String(40), nullable=False),
        sa.Column("location", sa.String(80), nullable=False),
        sa.Column("available", sa.Integer(), nullable=False),
        sa.Column("on_hand", sa.Integer(), nullable=True),
        sa.Column("read_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["tenant_id", "connection_id"],
            ["app.sync_connections.tenant_id", "app.sync_connections.id"],
            name=op.f("fk_sync_readings_tenant_id_connection_id_sync_connections"),
        ),
        sa.PrimaryKeyConstraint("tenant_id", "sku", "connection_id", "location", name=op.f("pk_sync_readings")),
        schema="app",
    )
    _index("ix_sync_readings_connection", "sync_readings", "connection_id", "read_at")
    _index("ix_sync_deliveries_status", "sync_deliveries", "status", "received_at", "id")
    _index("ix_sync_exceptions_all", "sync_exceptions", "last_at", "id")
    _index("ix_sync_exceptions_workflow", "sync_exceptions", "workflow", "last_at", "id")
    _index("ix_sync_exceptions_subject", "sync_exceptions", "subject", "last_at", "id")


def _index(name: str, table: str, *columns: str) -> None:
    op.create_index(name, table, ["tenant_id", *columns], schema="app")


def downgrade() -> None:
    for name, table in (
        ("ix_sync_exceptions_subject", "sync_exceptions"),
        ("ix_sync_exceptions_workflow", "sync_exceptions"),
        ("ix_sync_exceptions_all", "sync_exceptions"),
        ("ix_sync_deliveries_status", "sync_deliveries"),
    ):
        op.drop_index(name, table, schema="app")
    op.drop_table("sync_readings", schema="app")
