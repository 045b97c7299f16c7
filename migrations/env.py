"""Alembic's environment: the connection comes from ``engine.migrate``, the target from the mapped models."""

from __future__ import annotations

from alembic import context

from engine.kit.tenancy import Base
from engine.migrate import load_models

load_models()


context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=Base.metadata,
    version_table_schema="app",
    include_schemas=True,
    include_name=lambda name, kind, _parents: kind != "schema" or name == "app",
    compare_type=True,
)
with context.begin_transaction():
    context.run_migrations()
