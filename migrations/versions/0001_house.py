"""The house: every table of the first release, and the rules the database itself keeps."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

BALANCED = """
CREATE FUNCTION app.entry_balances() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF EXISTS (
    SELECT 1 FROM app.postings
    WHERE tenant_id = NEW.tenant_id AND entry_id = NEW.entry_id
    GROUP BY currency HAVING sum(amount) <> 0
  ) THEN
    RAISE EXCEPTION 'journal entry % does not balance', NEW.entry_id USING ERRCODE = 'check_violation';
  END IF;
  RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER entry_balances AFTER INSERT ON app.postings
  DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION app.entry_balances();
"""
SEALED = """
CREATE FUNCTION app.audit_only_seals() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF OLD.hash IS NOT NULL OR NEW.hash IS NULL OR NEW.seq IS NULL THEN
    RAISE EXCEPTION 'an audit row can only be sealed, once' USING ERRCODE = 'check_violation';
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER audit_only_seals BEFORE UPDATE ON app.audit FOR EACH ROW EXECUTE FUNCTION app.audit_only_seals();
"""
SANDBOX = """
CREATE TABLE sandbox.cards (
  id text PRIMARY KEY, merchant text NOT NULL, session_id text, number_sealed bytea NOT NULL,
  brand text NOT NULL, last4 text NOT NULL, exp_month int NOT NULL, exp_year int NOT NULL, behavior text NOT NULL,
  created_at timestamptz NOT NULL DEFAULT now());
CREATE TABLE sandbox.tokens (
  id text PRIMARY KEY, key_hash text NOT NULL UNIQUE, merchant text NOT NULL, session_id text NOT NULL,
  card_ref text NOT NULL, behavior text NOT NULL, currency text NOT NULL, max_amount bigint NOT NULL,
  expires_at timestamptz NOT NULL, status text NOT NULL DEFAULT 'live', authenticated boolean NOT NULL DEFAULT false,
  challenge_id text UNIQUE, created_at timestamptz NOT NULL DEFAULT now());
CREATE TABLE sandbox.charges (
  key_hash text PRIMARY KEY, id text NOT NULL UNIQUE, body_hash text NOT NULL, merchant text NOT NULL,
  payment_id text NOT NULL, session_id text NOT NULL, amount bigint NOT NULL, currency text NOT NULL,
  status text NOT NULL, decline_code text, refunded bigint NOT NULL DEFAULT 0, captures_at timestamptz,
  notified_at timestamptz, created_at timestamptz NOT NULL DEFAULT now(),
  CHECK (refunded BETWEEN 0 AND amount));
CREATE INDEX ix_charges_merchant ON sandbox.charges (merchant, payment_id);
CREATE INDEX ix_charges_late ON sandbox.charges (captures_at)
  WHERE captures_at IS NOT NULL AND notified_at IS NULL;
CREATE TABLE sandbox.refunds (
  key_hash text PRIMARY KEY, id text NOT NULL, charge_id text NOT NULL, amount bigint NOT NULL,
  created_at timestamptz NOT NULL DEFAULT now());
"""


def upgrade() -> None:
    op.execute(sa.schema.CreateSequence(sa.Sequence("order_numbers", start=10_000, schema="app")))
    op.create_table(
        "alerts",
        sa.Column("tenant_id", sa.String(length=40), nullable=False),
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("kind", sa.String(length=40), nullable=False),
        sa.Column("subject", sa.String(length=40), nullable=False),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("resolved_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_alerts")),
        schema="app",
    )
    op.create_index(
        "uq_alerts_open",
        "alerts",
        ["tenant_id", "kind", "subject"],
        unique=True,
        schema="app",
        postgresql_where=sa.text("resolved_at IS NULL"),
    )
    op.create_table(
        "api_keys",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("key_hash", sa.String(length=64), nullable=False),
        sa.Column("tenant_id", sa.String(length=40), nullable=False),
        sa.Column("scopes", postgresql.ARRAY(sa.Text()), nullable=False),
        sa.Column("label", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("revoked_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_api_keys")),
        sa.UniqueConstraint("key_hash", name=op.f("uq_api_keys_key_hash")),
        schema="app",
    )
    op.create_index(op.f("ix_api_keys_tenant_id"), "api_keys", ["tenant_id"], unique=False, schema="app")
    op.create_table(
        "audit",
        sa.Column("tenant_id", sa.String(length=40), nullable=False),
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("request_id", sa.Text(), nullable=False),
        sa.Column("actor", sa.String(length=80), nullable=False),
        sa.Column("action", sa.String(length=80), nullable=False),
        sa.Column("subject", sa.String(length=80), nullable=False),
        sa.Column("facts", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=True),
        sa.Column("hash", sa.String(length=64), nullable=True),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_audit")),
        schema="app",
    )
    op.create_index("ix_audit_subject", "audit", ["tenant_id", "subject", "id"], unique=False, schema="app")
    op.create_index(
        "ix_audit_unsealed",
        "audit",
        ["tenant_id", "id"],
        unique=False,
        schema="app",
        postgresql_where=sa.text("hash IS NULL"),
    )
    op.create_index("uq_audit_seq", "audit", ["tenant_id", "seq"], unique=True, schema="app")
    op.create_table(
        "audit_heads",
        sa.Column("tenant_id", sa.String(length=40), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.Column("hash", sa.String(length=64), nullable=False),
        sa.PrimaryKeyConstraint("tenant_id", name=op.f("pk_audit_heads")),
        schema="app",
    )
    op.create_table(
        "browser_sessions",
        sa.Column("token_hash", sa.String(length=64), nullable=False),
        sa.Column("tenant_id", sa.String(length=40), nullable=False),
        sa.Column("shopper_id", sa.String(length=40), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("token_hash", name=op.f("pk_browser_sessions")),
        schema="app",
    )
    op.create_index(
        op.f("ix_browser_sessions_tenant_id"), "browser_sessions", ["tenant_id"], unique=False, schema="app"
    )
    op.create_table(
        "carts",
        sa.Column("tenant_id", sa.String(length=40), nullable=False),
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("owner_id", sa.String(length=40), nullable=False),
        sa.Column("status", sa.String(length=12), nullable=False),
        sa.Column("discount_codes", postgresql.ARRAY(sa.Text()), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_carts")),
        schema="app",
    )
    op.create_index(
        "uq_carts_open",
        "carts",
        ["tenant_id", "owner_id"],
        unique=True,
        schema="app",
        postgresql_where=sa.text("status = 'open'"),
    )
    op.create_table(
        "checkout_sessions",
        sa.Column("tenant_id", sa.String(length=40), nullable=False),
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("owner_id", sa.String(length=40), nullable=False),
        sa.Column("thread_id", sa.String(length=40), nullable=True),
        sa.Column("cart_id", sa.String(length=40), nullable=True),
        sa.Column("status", sa.String(length=30), nullable=False),
        sa.Column("currency", sa.String(length=3), nullable=False),
        sa.Column("lines", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("buyer", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("ship_to", postgresql.JSONB(astext_type=sa.Text()), nullable=True),
        sa.Column("fulfillment_option_id", sa.Text(), nullable=True),
        sa.Column("discount_codes", postgresql.ARRAY(sa.Text()), nullable=False),
        sa.Column("payment_method", postgresql.JSONB(astext_type=sa.Text()), nullable=True),
        sa.Column("declines", sa.Integer(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_checkout_sessions")),
        schema="app",
    )
    op.create_index(
        "ix_checkout_open",
        "checkout_sessions",
        ["tenant_id", "expires_at"],
        unique=False,
        schema="app",
        postgresql_where=sa.text("status NOT IN ('completed', 'canceled', 'expired')"),
    )
    op.create_index(
        "ix_checkout_owner", "checkout_sessions", ["tenant_id", "owner_id", "created_at"], unique=False, schema="app"
    )
    op.create_index("ix_checkout_thread", "checkout_sessions", ["tenant_id", "thread_id"], unique=False, schema="app")
    op.create_table(
        "customers",
        sa.Column("tenant_id", sa.String(length=40), nullable=False),
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("email", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("phone", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_customers")),
        schema="app",
    )
    op.create_index(
        "uq_customers_email", "customers", ["tenant_id", sa.literal_column("lower(email)")], unique=True, schema="app"
    )
    op.create_table(
        "discounts",
        sa.Column("tenant_id", sa.String(length=40), nullable=False),
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("code", sa.String(length=20), nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("percent_off", sa.Integer(), nullable=True),
        sa.Column("amount_off", sa.Integer(), nullable=True),
        sa.Column("minimum", sa.Integer(), nullable=False),
        sa.Column("category", sa.Text(), nullable=True),
        sa.Column("usage_limit", sa.Integer(), nullable=True),
        sa.Column("used", sa.Integer(), nullable=False),
        sa.Column("starts_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("ends_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_discounts")),
        schema="app",
    )
    op.create_index("uq_discounts_code", "discounts", ["tenant_id", "code"], unique=True, schema="app")
    op.create_table(
        "idempotency_keys",
        sa.Column("tenant_id", sa.String(length=40), nullable=False),
        sa.Column("identity", sa.String(length=80), nullable=False),
        sa.Column("operation", sa.String(length=300), nullable=False),
        sa.Column("key", sa.String(length=255), nullable=False),
        sa.Column("request_hash", sa.String(length=64), nullable=False),
        sa.Column("response_status", sa.Integer(), nullable=True),
        sa.Column("response_body", sa.LargeBinary(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("tenant_id", "identity", "operation", "key", name=op.f("pk_idempotency_keys")),
        schema="app",
    )
    op.create_index(
        "ix_idempotency_keys_created_at", "idempotency_keys", ["tenant_id", "created_at"], unique=False, schema="app"
    )
    op.create_table(
        "journal_entries",
        sa.Column("tenant_id", sa.String(length=40), nullable=False),
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("kind", sa.String(length=40), nullable=False),
        sa.Column("subject", sa.String(length=40), nullable=False),
        sa.Column("order_id", sa.String(length=40), nullable=True),
        sa.Column("occurred_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("posted_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_journal_entries")),
        schema="app",
    )
    op.create_index(
        "ix_journal_entries_occurred", "journal_entries", ["tenant_id", "occurred_at"], unique=False, schema="app"
    )
    op.create_index(
        "ix_journal_entries_order", "journal_entries", ["tenant_id", "order_id"], unique=False, schema="app"
    )
    op.create_index(
        "uq_journal_entries_event", "journal_entries", ["tenant_id", "kind", "subject"], unique=True, schema="app"
    )
    op.create_table(
        "locations",
        sa.Column("tenant_id", sa.String(length=40), nullable=False),
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("code", sa.String(length=12), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("kind", sa.String(length=12), nullable=False),
        sa.Column("country", sa.String(length=2), nullable=False),
        sa.Column("region", sa.Text(), nullable=False),
        sa.Column("city", sa.Text(), nullable=False),
        sa.Column("postal_code", sa.Text(), nullable=False),
        sa.Column("ships", sa.Boolean(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_locations")),
        sa.UniqueConstraint("tenant_id", "code", name=op.f("uq_locations_tenant_id_code")),
        schema="app",
    )
    op.create_table(
        "orders",
        sa.Column("tenant_id", sa.String(length=40), nullable=False),
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("number", sa.String(length=20), nullable=False),
        sa.Column("session_id", sa.String(length=40), nullable=True),
        sa.Column("owner_id", sa.String(length=40), nullable=False),
        sa.Column("customer_id", sa.String(length=40), nullable=True),
        sa.Column("thread_id", sa.String(length=40), nullable=True),
        sa.Column("status", sa.String(length=20), nullable=False),
        sa.Column("currency", sa.String(length=3), nullable=False),
        sa.Column("totals", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("total", sa.Integer(), nullable=False),
        sa.Column("tax", sa.Integer(), nullable=False),
        sa.Column("buyer", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("ship_to", postgresql.JSONB(astext_type=sa.Text()), nullable=True),
        sa.Column("fulfillment", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("discount_codes", postgresql.ARRAY(sa.Text()), nullable=False),
        sa.Column("placed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_orders")),
        schema="app",
    )
    op.create_index(
        "ix_orders_customer", "orders", ["tenant_id", "customer_id", "placed_at", "id"], unique=False, schema="app"
    )
    op.create_index(
        "ix_orders_owner", "orders", ["tenant_id", "owner_id", "placed_at", "id"], unique=False, schema="app"
    )
    op.create_index("ix_orders_placed", "orders", ["tenant_id", "placed_at", "id"], unique=False, schema="app")
    op.create_index(
        "uq_orders_live_session",
        "orders",
        ["tenant_id", "session_id"],
        unique=True,
        schema="app",
        postgresql_where=sa.text("status <> 'canceled'"),
    )
    op.create_index("uq_orders_number", "orders", ["tenant_id", "number"], unique=True, schema="app")
    op.create_table(
        "outbox",
        sa.Column("tenant_id", sa.String(length=40), nullable=False),
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("consumer", sa.String(length=40), nullable=False),
        sa.Column("topic", sa.String(length=80), nullable=False),
        sa.Column("subject_id", sa.String(length=40), nullable=False),
        sa.Column("payload", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("available_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("last_error", sa.Text(), nullable=True),
        sa.Column("delivered_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_outbox")),
        schema="app",
    )
    op.create_index(
        "ix_outbox_waiting",
        "outbox",
        ["tenant_id", "consumer", "available_at"],
        unique=False,
        schema="app",
        postgresql_where=sa.text("delivered_at IS NULL"),
    )
    op.create_table(
        "products",
        sa.Column("tenant_id", sa.String(length=40), nullable=False),
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("slug", sa.String(length=80), nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("brand", sa.Text(), nullable=False),
        sa.Column("category", sa.Text(), nullable=False),
        sa.Column("description", sa.Text(), nullable=False),
        sa.Column("motif", sa.String(length=40), nullable=False),
        sa.Column("facts", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("options", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("tax_category", sa.String(length=20), nullable=False),
        sa.Column("restrictions", postgresql.ARRAY(sa.Text()), nullable=False),
        sa.Column("warranty_months", sa.Integer(), nullable=False),
        sa.Column("rating", sa.Integer(), nullable=False),
        sa.Column("rating_count", sa.Integer(), nullable=False),
        sa.Column("status", sa.String(length=20), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("search_strong", sa.Text(), nullable=False),
        sa.Column("search_weak", sa.Text(), nullable=False),
        sa.Column(
            "search",
            postgresql.TSVECTOR(),
            sa.Computed(
                "setweight(to_tsvector('english', search_strong), 'A') || setweight(to_tsvector('english', search_weak), 'C')",
                persisted=True,
            ),
            nullable=False,
        ),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_products")),
        sa.UniqueConstraint("tenant_id", "slug", name=op.f("uq_products_tenant_id_slug")),
        schema="app",
    )
    op.create_index(
        "ix_products_category", "products", ["tenant_id", "category", "position", "id"], unique=False, schema="app"
    )
    op.create_index("ix_products_search", "products", ["search"], unique=False, schema="app", postgresql_using="gin")
    op.create_table(
        "rate_limits",
        sa.Column("bucket", sa.String(length=200), nullable=False),
        sa.Column("window_start", sa.DateTime(timezone=True), nullable=False),
        sa.Column("used", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("bucket", "window_start", name=op.f("pk_rate_limits")),
        schema="app",
        prefixes=["UNLOGGED"],
    )
    op.create_table(
        "shipping_zones",
        sa.Column("tenant_id", sa.String(length=40), nullable=False),
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("countries", postgresql.ARRAY(sa.Text()), nullable=False),
        sa.Column("regions", postgresql.ARRAY(sa.Text()), nullable=False),
        sa.Column("rates", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_shipping_zones")),
        schema="app",
    )
    op.create_index(
        "ix_shipping_zones_position", "shipping_zones", ["tenant_id", "position"], unique=False, schema="app"
    )
    op.create_table(
        "stock_movements",
        sa.Column("tenant_id", sa.String(length=40), nullable=False),
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("variant_id", sa.String(length=40), nullable=False),
        sa.Column("location_id", sa.String(length=40), nullable=False),
        sa.Column("kind", sa.String(length=12), nullable=False),
        sa.Column("on_hand_delta", sa.Integer(), nullable=False),
        sa.Column("reserved_delta", sa.Integer(), nullable=False),
        sa.Column("subject", sa.String(length=40), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_stock_movements")),
        schema="app",
    )
    op.create_index(
        "ix_stock_movements_item",
        "stock_movements",
        ["tenant_id", "variant_id", "location_id"],
        unique=False,
        schema="app",
    )
    op.create_table(
        "tax_rates",
        sa.Column("tenant_id", sa.String(length=40), nullable=False),
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("country", sa.String(length=2), nullable=False),
        sa.Column("region", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("rate_ppm", sa.Integer(), nullable=False),
        sa.Column("category_ppm", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("taxes_shipping", sa.Boolean(), nullable=False),
        sa.Column("valid_from", sa.Date(), nullable=False),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_tax_rates")),
        schema="app",
    )
    op.create_index(
        "uq_tax_rates_place", "tax_rates", ["tenant_id", "country", "region", "valid_from"], unique=True, schema="app"
    )
    op.create_table(
        "tenants",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("number", sa.Integer(), sa.Identity(always=False), nullable=False),
        sa.Column("slug", sa.String(length=80), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("host", sa.Text(), nullable=True),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("demo", sa.Boolean(), nullable=False),
        sa.Column("currency", sa.String(length=3), nullable=False),
        sa.Column("country", sa.String(length=2), nullable=False),
        sa.Column("settings", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_tenants")),
        sa.UniqueConstraint("host", name=op.f("uq_tenants_host")),
        sa.UniqueConstraint("number", name=op.f("uq_tenants_number")),
        sa.UniqueConstraint("slug", name=op.f("uq_tenants_slug")),
        schema="app",
    )
    op.create_table(
        "threads",
        sa.Column("tenant_id", sa.String(length=40), nullable=False),
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("owner_id", sa.String(length=40), nullable=False),
        sa.Column("mode", sa.String(length=16), nullable=False),
        sa.Column("active_agent", sa.String(length=40), nullable=True),
        sa.Column("human", sa.String(length=40), nullable=True),
        sa.Column("handoff", postgresql.JSONB(astext_type=sa.Text()), nullable=True),
        sa.Column("last_event", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_threads")),
        schema="app",
    )
    op.create_index("ix_threads_owner", "threads", ["tenant_id", "owner_id", "created_at"], unique=False, schema="app")
    op.create_table(
        "addresses",
        sa.Column("tenant_id", sa.String(length=40), nullable=False),
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("customer_id", sa.String(length=40), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("line_one", sa.Text(), nullable=False),
        sa.Column("line_two", sa.Text(), nullable=False),
        sa.Column("city", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("postal_code", sa.Text(), nullable=False),
        sa.Column("country", sa.String(length=2), nullable=False),
        sa.Column("is_default", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(
            ["tenant_id", "customer_id"],
            ["app.customers.tenant_id", "app.customers.id"],
            name=op.f("fk_addresses_tenant_id_customer_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_addresses")),
        schema="app",
    )
    op.create_index("ix_addresses_customer", "addresses", ["tenant_id", "customer_id"], unique=False, schema="app")
    op.create_table(
        "consents",
        sa.Column("tenant_id", sa.String(length=40), nullable=False),
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("session_id", sa.String(length=40), nullable=False),
        sa.Column("owner_id", sa.String(length=40), nullable=False),
        sa.Column("thread_id", sa.String(length=40), nullable=True),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("summary", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("token_sealed", sa.LargeBinary(), nullable=True),
        sa.Column("status", sa.String(length=12), nullable=False),
        sa.Column("channel", sa.String(length=20), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("decided_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("payment_id", sa.String(length=40), nullable=True),
        sa.ForeignKeyConstraint(
            ["tenant_id", "session_id"],
            ["app.checkout_sessions.tenant_id", "app.checkout_sessions.id"],
            name=op.f("fk_consents_tenant_id_session_id"),
        ),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_consents")),
        schema="app",
    )
    op.create_index("ix_consents_thread", "consents", ["tenant_id", "thread_id"], unique=False, schema="app")
    op.create_index(
        "uq_consents_open",
        "consents",
        ["tenant_id", "session_id"],
        unique=True,
        schema="app",
        postgresql_where=sa.text("status IN ('open', 'approved')"),
    )
    op.create_table(
        "events",
        sa.Column("tenant_id", sa.String(length=40), nullable=False),
        sa.Column("thread_id", sa.String(length=40), nullable=False),
        sa.Column("seq", sa.Integer(), nullable=False),
        sa.Column("run_id", sa.String(length=40), nullable=True),
        sa.Column("audience", sa.String(length=8), nullable=False),
        sa.Column("payload", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["tenant_id", "thread_id"],
            ["app.threads.tenant_id", "app.threads.id"],
            name=op.f("fk_events_tenant_id_thread_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("tenant_id", "thread_id", "seq", name=op.f("pk_events")),
        schema="app",
    )
    op.create_table(
        "messages",
        sa.Column("tenant_id", sa.String(length=40), nullable=False),
        sa.Column("id", sa.String(length=60), nullable=False),
        sa.Column("thread_id", sa.String(length=40), nullable=False),
        sa.Column("seq", sa.Integer(), nullable=False),
        sa.Column("run_id", sa.String(length=40), nullable=True),
        sa.Column("audience", sa.String(length=8), nullable=False),
        sa.Column("role", sa.String(length=12), nullable=False),
        sa.Column("name", sa.Text(), nullable=True),
        sa.Column("content", sa.Text(), nullable=False),
        sa.Column("activity_type", sa.String(length=40), nullable=True),
        sa.Column("data", postgresql.JSONB(astext_type=sa.Text()), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["tenant_id", "thread_id"],
            ["app.threads.tenant_id", "app.threads.id"],
            name=op.f("fk_messages_tenant_id_thread_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_messages")),
        schema="app",
    )
    op.create_index("ix_messages_thread", "messages", ["tenant_id", "thread_id", "seq"], unique=False, schema="app")
    op.create_table(
        "order_lines",
        sa.Column("tenant_id", sa.String(length=40), nullable=False),
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("order_id", sa.String(length=40), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("product_id", sa.String(length=40), nullable=False),
        sa.Column("variant_id", sa.String(length=40), nullable=False),
        sa.Column("sku", sa.String(length=40), nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("options", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("unit_price", sa.Integer(), nullable=False),
        sa.Column("unit_cost", sa.Integer(), nullable=False),
        sa.Column("ordered", sa.Integer(), nullable=False),
        sa.Column("canceled", sa.Integer(), nullable=False),
        sa.Column("shipped", sa.Integer(), nullable=False),
        sa.Column("delivered", sa.Integer(), nullable=False),
        sa.Column("returned", sa.Integer(), nullable=False),
        sa.Column("discount", sa.Integer(), nullable=False),
        sa.Column("tax", sa.Integer(), nullable=False),
        sa.CheckConstraint(
            "ordered > 0 AND canceled >= 0 AND shipped >= 0 AND canceled + shipped <= ordered AND delivered BETWEEN 0 AND shipped AND returned BETWEEN 0 AND delivered",
            name=op.f("ck_order_lines_quantities_add_up"),
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "order_id"],
            ["app.orders.tenant_id", "app.orders.id"],
            name=op.f("fk_order_lines_tenant_id_order_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_order_lines")),
        schema="app",
    )
    op.create_index(
        "ix_order_lines_order", "order_lines", ["tenant_id", "order_id", "position"], unique=False, schema="app"
    )
    op.create_table(
        "payment_methods",
        sa.Column("tenant_id", sa.String(length=40), nullable=False),
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("customer_id", sa.String(length=40), nullable=False),
        sa.Column("gateway", sa.String(length=20), nullable=False),
        sa.Column("gateway_ref", sa.Text(), nullable=False),
        sa.Column("brand", sa.String(length=20), nullable=False),
        sa.Column("last4", sa.String(length=4), nullable=False),
        sa.Column("exp_month", sa.Integer(), nullable=False),
        sa.Column("exp_year", sa.Integer(), nullable=False),
        sa.Column("is_default", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(
            ["tenant_id", "customer_id"],
            ["app.customers.tenant_id", "app.customers.id"],
            name=op.f("fk_payment_methods_tenant_id_customer_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_payment_methods")),
        schema="app",
    )
    op.create_index(
        "ix_payment_methods_customer", "payment_methods", ["tenant_id", "customer_id"], unique=False, schema="app"
    )
    op.create_table(
        "payments",
        sa.Column("tenant_id", sa.String(length=40), nullable=False),
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("session_id", sa.String(length=40), nullable=False),
        sa.Column("order_id", sa.String(length=40), nullable=False),
        sa.Column("consent_id", sa.String(length=40), nullable=True),
        sa.Column("token_hash", sa.String(length=64), nullable=True),
        sa.Column("gateway", sa.String(length=20), nullable=False),
        sa.Column("gateway_payment_id", sa.Text(), nullable=True),
        sa.Column("amount", sa.Integer(), nullable=False),
        sa.Column("currency", sa.String(length=3), nullable=False),
        sa.Column("method", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("status", sa.String(length=12), nullable=False),
        sa.Column("decline_code", sa.String(length=40), nullable=True),
        sa.Column("lease_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("recovery_attempts", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("settled_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("amount >= 0", name=op.f("ck_payments_amount_not_negative")),
        sa.ForeignKeyConstraint(
            ["tenant_id", "session_id"],
            ["app.checkout_sessions.tenant_id", "app.checkout_sessions.id"],
            name=op.f("fk_payments_tenant_id_session_id"),
        ),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_payments")),
        schema="app",
    )
    op.create_index("ix_payments_order", "payments", ["tenant_id", "order_id"], unique=False, schema="app")
    op.create_index(
        "ix_payments_unsettled",
        "payments",
        ["tenant_id", "lease_until"],
        unique=False,
        schema="app",
        postgresql_where=sa.text("status IN ('processing', 'unknown')"),
    )
    op.create_index(
        "uq_payments_live_consent",
        "payments",
        ["tenant_id", "consent_id"],
        unique=True,
        schema="app",
        postgresql_where=sa.text("status IN ('processing', 'unknown', 'captured')"),
    )
    op.create_index(
        "uq_payments_live_session",
        "payments",
        ["tenant_id", "session_id"],
        unique=True,
        schema="app",
        postgresql_where=sa.text("status IN ('processing', 'unknown', 'captured')"),
    )
    op.create_index(
        "uq_payments_live_token",
        "payments",
        ["tenant_id", "token_hash"],
        unique=True,
        schema="app",
        postgresql_where=sa.text("status IN ('processing', 'unknown', 'captured')"),
    )
    op.create_table(
        "postings",
        sa.Column("tenant_id", sa.String(length=40), nullable=False),
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("entry_id", sa.String(length=40), nullable=False),
        sa.Column("account", sa.String(length=30), nullable=False),
        sa.Column("amount", sa.BigInteger(), nullable=False),
        sa.Column("currency", sa.String(length=3), nullable=False),
        sa.CheckConstraint("amount <> 0", name=op.f("ck_postings_amount_not_zero")),
        sa.ForeignKeyConstraint(
            ["tenant_id", "entry_id"],
            ["app.journal_entries.tenant_id", "app.journal_entries.id"],
            name=op.f("fk_postings_tenant_id_entry_id"),
        ),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_postings")),
        schema="app",
    )
    op.create_index("ix_postings_account", "postings", ["tenant_id", "account"], unique=False, schema="app")
    op.create_index("ix_postings_entry", "postings", ["tenant_id", "entry_id"], unique=False, schema="app")
    op.create_table(
        "runs",
        sa.Column("tenant_id", sa.String(length=40), nullable=False),
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("thread_id", sa.String(length=40), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("identity", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("input", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("status", sa.String(length=12), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("agent_path", postgresql.ARRAY(sa.Text()), nullable=False),
        sa.Column("tool_calls", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("usage", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("error", sa.Text(), nullable=True),
        sa.Column("lease_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["tenant_id", "thread_id"],
            ["app.threads.tenant_id", "app.threads.id"],
            name=op.f("fk_runs_tenant_id_thread_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_runs")),
        schema="app",
    )
    op.create_index(
        "ix_runs_waiting",
        "runs",
        ["tenant_id", "created_at"],
        unique=False,
        schema="app",
        postgresql_where=sa.text("status IN ('queued', 'running')"),
    )
    op.create_index("uq_runs_number", "runs", ["tenant_id", "thread_id", "number"], unique=True, schema="app")
    op.create_index(
        "uq_runs_one_running",
        "runs",
        ["tenant_id", "thread_id"],
        unique=True,
        schema="app",
        postgresql_where=sa.text("status = 'running'"),
    )
    op.create_table(
        "shipments",
        sa.Column("tenant_id", sa.String(length=40), nullable=False),
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("order_id", sa.String(length=40), nullable=False),
        sa.Column("location_id", sa.String(length=40), nullable=False),
        sa.Column("carrier", sa.Text(), nullable=False),
        sa.Column("tracking_number", sa.Text(), nullable=False),
        sa.Column("status", sa.String(length=20), nullable=False),
        sa.Column("lines", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("events", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("shipped_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("delivered_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["tenant_id", "location_id"],
            ["app.locations.tenant_id", "app.locations.id"],
            name=op.f("fk_shipments_tenant_id_location_id"),
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "order_id"],
            ["app.orders.tenant_id", "app.orders.id"],
            name=op.f("fk_shipments_tenant_id_order_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_shipments")),
        schema="app",
    )
    op.create_index("ix_shipments_order", "shipments", ["tenant_id", "order_id"], unique=False, schema="app")
    op.create_table(
        "shoppers",
        sa.Column("tenant_id", sa.String(length=40), nullable=False),
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("customer_id", sa.String(length=40), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("last_seen_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["tenant_id", "customer_id"],
            ["app.customers.tenant_id", "app.customers.id"],
            name=op.f("fk_shoppers_tenant_id_customer_id"),
        ),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_shoppers")),
        schema="app",
    )
    op.create_index("ix_shoppers_customer", "shoppers", ["tenant_id", "customer_id"], unique=False, schema="app")
    op.create_table(
        "thread_references",
        sa.Column("tenant_id", sa.String(length=40), nullable=False),
        sa.Column("thread_id", sa.String(length=40), nullable=False),
        sa.Column("ref", sa.String(length=60), nullable=False),
        sa.ForeignKeyConstraint(
            ["tenant_id", "thread_id"],
            ["app.threads.tenant_id", "app.threads.id"],
            name=op.f("fk_thread_references_tenant_id_thread_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("tenant_id", "thread_id", "ref", name=op.f("pk_thread_references")),
        schema="app",
    )
    op.create_table(
        "variants",
        sa.Column("tenant_id", sa.String(length=40), nullable=False),
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("product_id", sa.String(length=40), nullable=False),
        sa.Column("sku", sa.String(length=40), nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("options", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("price", sa.Integer(), nullable=False),
        sa.Column("cost", sa.Integer(), nullable=False),
        sa.Column("weight_g", sa.Integer(), nullable=False),
        sa.Column("length_mm", sa.Integer(), nullable=False),
        sa.Column("width_mm", sa.Integer(), nullable=False),
        sa.Column("height_mm", sa.Integer(), nullable=False),
        sa.Column("sellable", sa.Boolean(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("price >= 0 AND cost >= 0", name=op.f("ck_variants_price_not_negative")),
        sa.ForeignKeyConstraint(
            ["tenant_id", "product_id"],
            ["app.products.tenant_id", "app.products.id"],
            name=op.f("fk_variants_tenant_id_product_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_variants")),
        sa.UniqueConstraint("tenant_id", "sku", name=op.f("uq_variants_tenant_id_sku")),
        schema="app",
    )
    op.create_index(
        "ix_variants_product", "variants", ["tenant_id", "product_id", "position"], unique=False, schema="app"
    )
    op.create_table(
        "cart_lines",
        sa.Column("tenant_id", sa.String(length=40), nullable=False),
        sa.Column("cart_id", sa.String(length=40), nullable=False),
        sa.Column("variant_id", sa.String(length=40), nullable=False),
        sa.Column("quantity", sa.Integer(), nullable=False),
        sa.Column("added_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("quantity BETWEEN 1 AND 99", name=op.f("ck_cart_lines_quantity_in_range")),
        sa.ForeignKeyConstraint(
            ["tenant_id", "cart_id"],
            ["app.carts.tenant_id", "app.carts.id"],
            name=op.f("fk_cart_lines_tenant_id_cart_id"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "variant_id"],
            ["app.variants.tenant_id", "app.variants.id"],
            name=op.f("fk_cart_lines_tenant_id_variant_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("tenant_id", "cart_id", "variant_id", name=op.f("pk_cart_lines")),
        schema="app",
    )
    op.create_table(
        "refunds",
        sa.Column("tenant_id", sa.String(length=40), nullable=False),
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("payment_id", sa.String(length=40), nullable=False),
        sa.Column("order_id", sa.String(length=40), nullable=True),
        sa.Column("amount", sa.Integer(), nullable=False),
        sa.Column("currency", sa.String(length=3), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("status", sa.String(length=12), nullable=False),
        sa.Column("gateway_refund_id", sa.Text(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("amount > 0", name=op.f("ck_refunds_amount_positive")),
        sa.ForeignKeyConstraint(
            ["tenant_id", "payment_id"],
            ["app.payments.tenant_id", "app.payments.id"],
            name=op.f("fk_refunds_tenant_id_payment_id"),
        ),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_refunds")),
        schema="app",
    )
    op.create_index("ix_refunds_order", "refunds", ["tenant_id", "order_id"], unique=False, schema="app")
    op.create_index("ix_refunds_payment", "refunds", ["tenant_id", "payment_id"], unique=False, schema="app")
    op.create_table(
        "reservations",
        sa.Column("tenant_id", sa.String(length=40), nullable=False),
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("variant_id", sa.String(length=40), nullable=False),
        sa.Column("location_id", sa.String(length=40), nullable=False),
        sa.Column("quantity", sa.Integer(), nullable=False),
        sa.Column("status", sa.String(length=12), nullable=False),
        sa.Column("payment_id", sa.String(length=40), nullable=True),
        sa.Column("order_line_id", sa.String(length=40), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("quantity > 0", name=op.f("ck_reservations_quantity_positive")),
        sa.ForeignKeyConstraint(
            ["tenant_id", "location_id"],
            ["app.locations.tenant_id", "app.locations.id"],
            name=op.f("fk_reservations_tenant_id_location_id"),
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "variant_id"],
            ["app.variants.tenant_id", "app.variants.id"],
            name=op.f("fk_reservations_tenant_id_variant_id"),
        ),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_reservations")),
        schema="app",
    )
    op.create_index("ix_reservations_line", "reservations", ["tenant_id", "order_line_id"], unique=False, schema="app")
    op.create_index(
        "ix_reservations_live",
        "reservations",
        ["tenant_id", "variant_id", "location_id"],
        unique=False,
        schema="app",
        postgresql_where=sa.text("status IN ('held', 'committed')"),
    )
    op.create_index("ix_reservations_payment", "reservations", ["tenant_id", "payment_id"], unique=False, schema="app")
    op.create_table(
        "stock_levels",
        sa.Column("tenant_id", sa.String(length=40), nullable=False),
        sa.Column("variant_id", sa.String(length=40), nullable=False),
        sa.Column("location_id", sa.String(length=40), nullable=False),
        sa.Column("on_hand", sa.Integer(), nullable=False),
        sa.Column("reserved", sa.Integer(), nullable=False),
        sa.CheckConstraint(
            "on_hand >= 0 AND reserved >= 0 AND reserved <= on_hand",
            name=op.f("ck_stock_levels_available_not_negative"),
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "location_id"],
            ["app.locations.tenant_id", "app.locations.id"],
            name=op.f("fk_stock_levels_tenant_id_location_id"),
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "variant_id"],
            ["app.variants.tenant_id", "app.variants.id"],
            name=op.f("fk_stock_levels_tenant_id_variant_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("tenant_id", "variant_id", "location_id", name=op.f("pk_stock_levels")),
        schema="app",
    )
    for statement in (BALANCED, SEALED, SANDBOX):
        op.execute(statement)


def downgrade() -> None:
    op.execute("DROP SCHEMA app CASCADE; DROP SCHEMA sandbox CASCADE; CREATE SCHEMA app; CREATE SCHEMA sandbox")
