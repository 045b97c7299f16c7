"""order_words: orders are found by the beginning of a word of their buyer's name, by a range of a key.

Nothing of a running shop waits while the words of old orders are written: the table is new, and the orders are only
read. Writers wait for the trigger alone, and for the orders that came in meanwhile.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0050"
down_revision = "0049"
branch_labels = None
depends_on = None

WORDS = r"""
CREATE FUNCTION app.name_words(buyer jsonb, ship_to jsonb) RETURNS SETOF text LANGUAGE sql IMMUTABLE AS $$
  SELECT DISTINCT left(word, 40)
  FROM regexp_split_to_table(lower(regexp_replace(normalize(concat_ws(' ', buyer ->> 'name', buyer ->> 'first_name',
    buyer ->> 'last_name', ship_to ->> 'name'), NFKD), '[\u0300-\u036f]', '', 'g')), '[\s.,;:''\u2019"()/_-]+') word
  WHERE word <> ''
$$;
CREATE FUNCTION app.order_is_named() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF TG_OP = 'UPDATE' THEN
    DELETE FROM app.order_words WHERE tenant_id = NEW.tenant_id AND order_id = NEW.id;
  END IF;
  INSERT INTO app.order_words (tenant_id, word, order_id)
  SELECT NEW.tenant_id, word, NEW.id FROM app.name_words(NEW.buyer, NEW.ship_to) word ON CONFLICT DO NOTHING;
  RETURN NULL;
END $$;
"""
TRIGGER = """
CREATE TRIGGER order_is_named AFTER INSERT OR UPDATE OF buyer, ship_to ON app.orders
  FOR EACH ROW EXECUTE FUNCTION app.order_is_named();
"""
# Under FORCE row-level security even the owner sees only the tenant it is bound to.
BACKFILL = """
DO $$
DECLARE shop record;
BEGIN
  FOR shop IN SELECT id FROM app.tenants LOOP
    PERFORM set_config('app.tenant_id', shop.id, true);
    INSERT INTO app.order_words (tenant_id, word, order_id)
    SELECT o.tenant_id, word, o.id FROM app.orders o, app.name_words(o.buyer, o.ship_to) word
    WHERE o.tenant_id = shop.id AND NOT EXISTS (
      SELECT FROM app.order_words w WHERE w.tenant_id = o.tenant_id AND w.order_id = o.id)
    ON CONFLICT DO NOTHING;
  END LOOP;
  PERFORM set_config('app.tenant_id', '', true);
END $$
"""
# Not validated: to read both tables through under the lock that it takes on the orders would keep their writers waiting.
OF_AN_ORDER = """
ALTER TABLE app.order_words ADD CONSTRAINT fk_order_words_tenant_id_order_id
  FOREIGN KEY (tenant_id, order_id) REFERENCES app.orders (tenant_id, id) ON DELETE CASCADE NOT VALID
"""


def upgrade() -> None:
    op.create_table(
        "order_words",
        sa.Column("tenant_id", sa.String(40), nullable=False),
        sa.Column("word", sa.String(40, collation="C"), nullable=False),
        sa.Column("order_id", sa.String(40), nullable=False),
        sa.PrimaryKeyConstraint("tenant_id", "word", "order_id", name="pk_order_words"),
        schema="app",
    )
    op.create_index("ix_order_words_order", "order_words", ["tenant_id", "order_id"], schema="app")
    op.execute(WORDS)
    op.execute(BACKFILL)
    op.execute(OF_AN_ORDER)
    op.execute(TRIGGER)
    op.execute(BACKFILL)


def downgrade() -> None:
    op.execute("DROP TRIGGER order_is_named ON app.orders")
    op.execute("DROP FUNCTION app.order_is_named()")
    op.drop_table("order_words", schema="app")
    op.execute("DROP FUNCTION app.name_words(jsonb, jsonb)")
