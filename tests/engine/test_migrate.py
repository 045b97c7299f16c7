"""Migrations build exactly what the models say, and building twice changes nothing."""

from __future__ import annotations

from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import text

from engine.db import Addresses, open_engine
from engine.kit.tenancy import Base
from engine.migrate import migrate, pending


def test_the_migrated_database_is_what_the_models_say(addresses: Addresses) -> None:
    assert addresses.owner is not None
    owner = open_engine(addresses.owner)
    with owner.connect() as connection:
        context = MigrationContext.configure(
            connection,
            opts={
                "include_schemas": True,
                "include_name": lambda name, kind, _: kind != "schema" or name == "app",
                "include_object": lambda _o, name, _k, _r, _c: name != "alembic_version",
                "compare_type": True,
            },
        )
        assert compare_metadata(context, Base.metadata) == []
        logged = connection.execute(text("SELECT relpersistence FROM pg_class WHERE relname = 'rate_limits'")).scalar()
        assert logged == "u"
        assert connection.execute(text("SELECT last_value FROM app.order_numbers")).scalar() is not None
    owner.dispose()


def test_migrating_again_changes_nothing(addresses: Addresses) -> None:
    assert not pending(addresses)
    migrate(addresses)
    assert not pending(addresses)
