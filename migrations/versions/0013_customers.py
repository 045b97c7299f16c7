"""customers: one identity: codes, links, points, consent, erasures."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    _customers()
    _email_codes()
    _customer_links()
    _contact_consents()
    _loyalty_accounts()
    _loyalty_entries()
    _customer_merges()
    _erasures()


def _customers() -> None:
    for name in ("email_verified_at", "erased_at"):
        op.add_column("customers", sa.Column(name, sa.DateTime(timezone=True), nullable=True), schema="app")
    op.add_column("customers", sa.Column("merged_into", sa.String(length=40), nullable=True), schema="app")
    op.create_foreign_key(
        op.f("fk_customers_tenant_id_merged_into"),
        "customers",
        "customers",
        ["tenant_id", "merged_into"],
        ["tenant_id", "id"],
        source_schema="app",
        referent_schema="app",
    )
    op.create_check_constraint(op.f("ck_customers_merged_into_another"), "customers", "merged_into <> id", schema="app")
    op.create_index("ix_customers_made", "customers", ["tenant_id", "created_at", "id"], schema="app")
    op.create_index(
        "ix_customers_merged",
        "customers",
        ["tenant_id", "merged_into"],
        schema="app",
        postgresql_where=sa.text("merged_into IS NOT NULL"),
    )
    op.add_column("payment_methods", sa.Column("removed_at", sa.DateTime(timezone=True), nullable=True), schema="app")
    op.create_index(
        "ix_payment_methods_removed",
        "payment_methods",
        ["tenant_id", "id"],
        schema="app",
        postgresql_where=sa.text("removed_at IS NOT NULL"),
    )


def _email_codes() -> None:
    op.create_table(
        "email_codes",
        sa.Column("tenant_id", sa.String(length=40), nullable=False),
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("shopper_id", sa.String(length=40), nullable=False),
        sa.Column("email", sa.Text(), nullable=False),
        sa.Column("code_hash", sa.String(length=64), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("used_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["tenant_id", "shopper_id"],
            ["app.shoppers.tenant_id", "app.shoppers.id"],
            name=op.f("fk_email_codes_tenant_id_shopper_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_email_codes")),
        schema="app",
    )
    op.create_index("ix_email_codes_expiry", "email_codes", ["tenant_id", "expires_at"], unique=False, schema="app")
    op.create_index(
        "ix_email_codes_shopper", "email_codes", ["tenant_id", "shopper_id", "created_at"], unique=False, schema="app"
    )


def _customer_links() -> None:
    op.create_table(
        "customer_links",
        sa.Column("tenant_id", sa.String(length=40), nullable=False),
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("customer_id", sa.String(length=40), nullable=True),
        sa.Column("email", sa.Text(), nullable=False),
        sa.Column("source", sa.String(length=20), nullable=False),
        sa.Column("subject_id", sa.String(length=40), nullable=False),
        sa.Column("status", sa.String(length=10), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("decided_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["tenant_id", "customer_id"],
            ["app.customers.tenant_id", "app.customers.id"],
            name=op.f("fk_customer_links_tenant_id_customer_id"),
        ),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_customer_links")),
        schema="app",
    )
    op.create_index(
        "ix_customer_links_customer", "customer_links", ["tenant_id", "customer_id"], unique=False, schema="app"
    )
    op.create_index(
        "ix_customer_links_email",
        "customer_links",
        ["tenant_id", sa.literal_column("lower(email)"), "status"],
        unique=False,
        schema="app",
    )
    op.create_index(
        "uq_customer_links_subject", "customer_links", ["tenant_id", "subject_id"], unique=True, schema="app"
    )


def _contact_consents() -> None:
    op.create_table(
        "contact_consents",
        sa.Column("tenant_id", sa.String(length=40), nullable=False),
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("customer_id", sa.String(length=40), nullable=False),
        sa.Column("topic", sa.String(length=10), nullable=False),
        sa.Column("channel", sa.String(length=10), nullable=False),
        sa.Column("granted", sa.Boolean(), nullable=False),
        sa.Column("text_version", sa.String(length=40), nullable=False),
        sa.Column("source", sa.String(length=10), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["tenant_id", "customer_id"],
            ["app.customers.tenant_id", "app.customers.id"],
            name=op.f("fk_contact_consents_tenant_id_customer_id"),
        ),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_contact_consents")),
        schema="app",
    )
    op.create_index(
        "ix_contact_consents_customer",
        "contact_consents",
        ["tenant_id", "customer_id", "at"],
        unique=False,
        schema="app",
    )


def _loyalty_accounts() -> None:
    op.create_table(
        "loyalty_accounts",
        sa.Column("tenant_id", sa.String(length=40), nullable=False),
        sa.Column("customer_id", sa.String(length=40), nullable=False),
        sa.Column("balance", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["tenant_id", "customer_id"],
            ["app.customers.tenant_id", "app.customers.id"],
            name=op.f("fk_loyalty_accounts_tenant_id_customer_id"),
        ),
        sa.PrimaryKeyConstraint("tenant_id", "customer_id", name=op.f("pk_loyalty_accounts")),
        schema="app",
    )


def _loyalty_entries() -> None:
    op.create_table(
        "loyalty_entries",
        sa.Column("tenant_id", sa.String(length=40), nullable=False),
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("customer_id", sa.String(length=40), nullable=False),
        sa.Column("kind", sa.String(length=10), nullable=False),
        sa.Column("delta", sa.Integer(), nullable=False),
        sa.Column("order_id", sa.String(length=40), nullable=True),
        sa.Column("rate", sa.Integer(), nullable=True),
        sa.Column("subject", sa.String(length=80), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("delta <> 0", name=op.f("ck_loyalty_entries_delta_not_zero")),
        sa.ForeignKeyConstraint(
            ["tenant_id", "customer_id"],
            ["app.customers.tenant_id", "app.customers.id"],
            name=op.f("fk_loyalty_entries_tenant_id_customer_id"),
        ),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_loyalty_entries")),
        schema="app",
    )
    op.create_index(
        "ix_loyalty_entries_customer", "loyalty_entries", ["tenant_id", "customer_id", "at"], unique=False, schema="app"
    )
    op.create_index(
        "ix_loyalty_entries_expiry",
        "loyalty_entries",
        ["tenant_id", "expires_at"],
        unique=False,
        schema="app",
        postgresql_where=sa.text("expires_at IS NOT NULL"),
    )
    op.create_index(
        "ix_loyalty_entries_order", "loyalty_entries", ["tenant_id", "order_id"], unique=False, schema="app"
    )


def _customer_merges() -> None:
    op.create_table(
        "customer_merges",
        sa.Column("tenant_id", sa.String(length=40), nullable=False),
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("source_id", sa.String(length=40), nullable=False),
        sa.Column("target_id", sa.String(length=40), nullable=False),
        sa.Column("merged_by", sa.String(length=80), nullable=False),
        sa.Column("moved", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["tenant_id", "source_id"],
            ["app.customers.tenant_id", "app.customers.id"],
            name=op.f("fk_customer_merges_tenant_id_source_id"),
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "target_id"],
            ["app.customers.tenant_id", "app.customers.id"],
            name=op.f("fk_customer_merges_tenant_id_target_id"),
        ),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_customer_merges")),
        schema="app",
    )
    op.create_index(
        "ix_customer_merges_target", "customer_merges", ["tenant_id", "target_id"], unique=False, schema="app"
    )
    op.create_index(
        "uq_customer_merges_source", "customer_merges", ["tenant_id", "source_id"], unique=True, schema="app"
    )


def _erasures() -> None:
    op.create_table(
        "erasures",
        sa.Column("tenant_id", sa.String(length=40), nullable=False),
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("customer_id", sa.String(length=40), nullable=False),
        sa.Column("requested_by", sa.String(length=80), nullable=False),
        sa.Column("reason", sa.String(length=30), nullable=False),
        sa.Column("status", sa.String(length=10), nullable=False),
        sa.Column("holds", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("erased", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("requested_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("done_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["tenant_id", "customer_id"],
            ["app.customers.tenant_id", "app.customers.id"],
            name=op.f("fk_erasures_tenant_id_customer_id"),
        ),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_erasures")),
        schema="app",
    )
    op.create_index(
        "uq_erasures_waiting",
        "erasures",
        ["tenant_id", "customer_id"],
        unique=True,
        schema="app",
        postgresql_where=sa.text("status = 'deferred'"),
    )


def downgrade() -> None:
    for name in (
        "erasures",
        "customer_merges",
        "loyalty_entries",
        "loyalty_accounts",
        "contact_consents",
        "customer_links",
        "email_codes",
    ):
        op.drop_table(name, schema="app")
    op.drop_index("ix_payment_methods_removed", "payment_methods", schema="app")
    op.drop_column("payment_methods", "removed_at", schema="app")
    op.drop_index("ix_customers_merged", "customers", schema="app")
    op.drop_index("ix_customers_made", "customers", schema="app")
    op.drop_constraint("ck_customers_merged_into_another", "customers", schema="app", type_="check")
    op.drop_constraint("fk_customers_tenant_id_merged_into", "customers", schema="app", type_="foreignkey")
    for name in ("merged_into", "erased_at", "email_verified_at"):
        op.drop_column("customers", name, schema="app")
