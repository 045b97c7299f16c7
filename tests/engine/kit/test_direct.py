"""One round trip, one transaction: all of it or nothing, and a connection that is good for the next."""

from __future__ import annotations

from typing import Any

import pytest
from psycopg.errors import (
    DatabaseError,
    DeadlockDetected,
    LockNotAvailable,
    OperationalError,
    SerializationFailure,
    UniqueViolation,
)
from sqlalchemy import text

from engine import db
from engine.db import Store
from engine.kit.direct import Refused, Row, Statement
from engine.kit.ids import new_id
from engine.kit.passing import TRIES
from engine.kit.tenancy import Tenant

WRITE = Statement(
    "INSERT INTO app.locations (tenant_id, id, code, name, kind, country, region, city, postal_code, ships, position)"
    " VALUES (%(tenant)s, %(id)s, %(code)s, 'n', 'warehouse', 'US', 'WA', 'c', 'p', true, %(position)s)"
)
MOVE = Statement(
    "WITH moved AS (UPDATE app.locations SET position = position + %(by)s WHERE tenant_id = %(tenant)s"
    " AND position < %(below)s RETURNING id) SELECT 1 / count(*) AS whole FROM moved"
)
READ = Statement("SELECT code, position, name IS NULL AS bare FROM app.locations ORDER BY position")
HERE = Statement("SELECT current_setting('app.tenant_id') AS tenant, pg_backend_pid() AS backend")


def row(tenant: Tenant, code: str, position: int) -> Row:
    return {"tenant": tenant.id, "id": new_id("location"), "code": code, "position": position}


def test_statements_see_each_other_and_are_committed_together(store: Store, tenant: Tenant) -> None:
    _, moved, seen = store.ask(
        tenant.id,
        (WRITE, row(tenant, "A", 1)),
        (MOVE, {"tenant": tenant.id, "by": 70_000, "below": 5}),
        (READ, {}),
    )
    assert moved == [{"whole": 1}]
    assert seen == [{"code": "A", "position": 70_001, "bare": False}]
    assert store.ask(tenant.id, (READ, {})) == [seen]


def test_a_refusal_or_an_error_leaves_nothing(store: Store, tenant: Tenant) -> None:
    refused = (MOVE, {"tenant": tenant.id, "by": 1, "below": 0})
    with pytest.raises(Refused):
        store.ask(tenant.id, (WRITE, row(tenant, "A", 1)), refused, (WRITE, row(tenant, "B", 2)))
    doubled = row(tenant, "A", 1)
    with pytest.raises(UniqueViolation):
        store.ask(tenant.id, (WRITE, doubled), (WRITE, doubled))
    assert store.ask(tenant.id, (READ, {})) == [[]]
    store.ask(tenant.id, (WRITE, row(tenant, "A", 1)))
    assert [one["code"] for one in store.ask(tenant.id, (READ, {}))[0]] == ["A"]


def test_what_was_ended_for_anothers_sake_is_asked_again(
    store: Store, tenant: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    send, troubles = db.asking, [DeadlockDetected("x"), SerializationFailure("x")]

    def troubled(*args: Any) -> Any:
        if troubles:
            raise troubles.pop()
        return send(*args)

    monkeypatch.setattr(db, "asking", troubled)
    store.ask(tenant.id, (WRITE, row(tenant, "A", 1)))
    assert [one["code"] for one in store.ask(tenant.id, (READ, {}))[0]] == ["A"]
    troubles += [DeadlockDetected("x")] * TRIES
    with pytest.raises(DeadlockDetected):
        store.ask(tenant.id, (READ, {}))
    troubles += [LockNotAvailable("x")]
    with pytest.raises(LockNotAvailable):
        store.ask(tenant.id, (READ, {}))
    assert not troubles


def test_a_code_that_the_driver_does_not_know_is_an_error_of_the_database(store: Store, tenant: Tenant) -> None:
    unknown = Statement("DO $$ BEGIN RAISE EXCEPTION 'odd' USING ERRCODE = 'ZZ999'; END $$")
    with pytest.raises(DatabaseError, match="ZZ999: odd"):
        store.ask(tenant.id, (unknown, {}))


def test_a_tenant_is_bound_for_the_trip_alone(store: Store, tenant: Tenant) -> None:
    (here,) = store.ask(tenant.id, (HERE, {}))
    assert here[0]["tenant"] == tenant.id
    with store.without_tenant() as session:
        assert session.execute(text("SELECT coalesce(current_setting('app.tenant_id', true), '')")).scalar() == ""
        assert session.execute(text("SHOW enable_seqscan")).scalar() == "on"


def test_what_the_driver_forgot_is_prepared_again(store: Store, tenant: Tenant) -> None:
    first = store.ask(tenant.id, (HERE, {}))
    with store.without_tenant() as session:
        session.connection().exec_driver_sql("DEALLOCATE ALL")
    for _ in range(3):
        assert store.ask(tenant.id, (HERE, {}))[0][0]["tenant"] == first[0][0]["tenant"]


def test_a_block_that_fails_costs_the_connection_and_no_more(store: Store, tenant: Tenant) -> None:
    with pytest.raises(KeyError), store.asking(tenant.id, (WRITE, row(tenant, "A", 1))):
        raise KeyError("elsewhere")
    assert len(store.ask(tenant.id, (READ, {}))) == 1


def test_a_lost_connection_is_an_error_and_the_next_is_a_new_one(store: Store, tenant: Tenant) -> None:
    die = Statement("SELECT pg_terminate_backend(pg_backend_pid())")
    with pytest.raises(OperationalError):
        store.ask(tenant.id, (WRITE, row(tenant, "A", 1)), (die, {}))
    assert store.ask(tenant.id, (READ, {})) == [[]]
