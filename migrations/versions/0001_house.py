"""The house: every table of the first release, and the rules the database itself keeps."""

from __future__ import annotations

from alembic import op

from engine.kit.tenancy import Base
from engine.payments.gateways.sandbox.store import SCHEMA_SQL

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


def upgrade() -> None:
    Base.metadata.create_all(op.get_bind())
    op.execute(BALANCED)
    op.execute(SEALED)
    op.execute(SCHEMA_SQL)


def downgrade() -> None:
    op.execute("DROP SCHEMA app CASCADE")
