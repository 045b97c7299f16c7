"""staff: the shop's people, the browsers they are signed in with, the codes they sign in by."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0040"
down_revision = "0039"
branch_labels = None
depends_on = None


def _moment(name: str, *, nullable: bool = True) -> sa.Column[object]:
    return sa.Column(name, sa.DateTime(timezone=True), nullable=nullable)


def upgrade() -> None:
    """Add the tables."""
    op.create_table(
        "staff_members",
        sa.Column("tenant_id", sa.String(length=40), nullable=False),
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("email", sa.String(length=254), nullable=False),
        sa.Column("name", sa.String(length=80), nullable=False),
        sa.Column("person", sa.String(length=80), nullable=False),
        sa.Column("role", sa.String(length=20), nullable=False),
        sa.Column("status", sa.String(length=20), nullable=False),
        sa.Column("demo", sa.Boolean(), nullable=False),
        sa.Column("invited_by", sa.String(length=80), nullable=False),
        _moment("invited_at", nullable=False),
        sa.Column("invite_hash", sa.String(length=64), nullable=True),
        _moment("invite_until"),
        _moment("joined_at"),
        _moment("last_seen_at"),
        _moment("disabled_at"),
        sa.CheckConstraint("role IN ('support', 'supervisor', 'ops', 'admin')", name=op.f("ck_staff_members_role")),
        sa.CheckConstraint("(status = 'disabled') = (disabled_at IS NOT NULL)", name=op.f("ck_staff_members_status")),
        sa.CheckConstraint("(invite_hash IS NULL) = (invite_until IS NULL)", name=op.f("ck_staff_members_invite")),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_staff_members")),
        schema="app",
    )
    for name, column in (("email", "email"), ("person", "person"), ("invite", "invite_hash")):
        op.create_index(f"uq_staff_members_{name}", "staff_members", ["tenant_id", column], unique=True, schema="app")
    _sessions()
    _codes()


def _sessions() -> None:
    op.create_table(
        "staff_sessions",
        sa.Column("token_hash", sa.String(length=64), nullable=False),
        sa.Column("tenant_id", sa.String(length=40), nullable=False),
        sa.Column("member_id", sa.String(length=40), nullable=False),
        _moment("created_at", nullable=False),
        _moment("seen_at", nullable=False),
        _moment("expires_at", nullable=False),
        sa.PrimaryKeyConstraint("token_hash", name=op.f("pk_staff_sessions")),
        schema="app",
    )
    op.create_index("ix_staff_sessions_member", "staff_sessions", ["tenant_id", "member_id"], schema="app")
    op.create_index("ix_staff_sessions_expiry", "staff_sessions", ["expires_at"], schema="app")


def _codes() -> None:
    op.create_table(
        "staff_codes",
        sa.Column("tenant_id", sa.String(length=40), nullable=False),
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("browser_hash", sa.String(length=64), nullable=False),
        sa.Column("member_id", sa.String(length=40), nullable=True),
        sa.Column("code_hash", sa.String(length=64), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        _moment("created_at", nullable=False),
        _moment("expires_at", nullable=False),
        _moment("used_at"),
        sa.ForeignKeyConstraint(
            ["tenant_id", "member_id"],
            ["app.staff_members.tenant_id", "app.staff_members.id"],
            name=op.f("fk_staff_codes_tenant_id_member_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_staff_codes")),
        schema="app",
    )
    op.create_index("uq_staff_codes_browser", "staff_codes", ["tenant_id", "browser_hash"], unique=True, schema="app")
    op.create_index("ix_staff_codes_member", "staff_codes", ["tenant_id", "member_id"], schema="app")
    op.create_index("ix_staff_codes_expiry", "staff_codes", ["tenant_id", "expires_at"], schema="app")


def downgrade() -> None:
    """Take the tables away."""
    for name in ("staff_codes", "staff_sessions", "staff_members"):
        op.drop_table(name, schema="app")
