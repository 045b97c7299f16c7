"""Many rows in one statement."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from sqlalchemy import event, select
from sqlalchemy.exc import IntegrityError

from engine.customers.models import Address, Customer
from engine.kit.bulk import insert_rows
from engine.kit.ids import new_id

AT = datetime(2026, 3, 2, 18, 30, 15, 250_000, tzinfo=UTC)


def person(tenant, **more):
    made = new_id("customer")
    return {"tenant_id": tenant.id, "id": made, "email": f"{made}@example.com", "name": "Zoë “Z” Ávila\n1"} | more


@pytest.fixture
def inserts(runtime):
    """Statements that insert, as they are asked."""
    asked = []

    def note(_line, _cursor, statement, *_):
        if "INSERT" in statement:
            asked.append(statement)

    event.listen(runtime.store.engine, "before_cursor_execute", note)
    yield asked
    event.remove(runtime.store.engine, "before_cursor_execute", note)


def test_rows_are_as_they_were_said_and_the_rest_is_the_models(runtime, tenant, inserts):
    said = [person(tenant, created_at=AT, phone="1"), person(tenant), person(tenant, phone="2", created_at=AT)]
    with runtime.unit_of_work(tenant.id) as session:
        insert_rows(session, Customer, said)
        rows = {row.id: row for row in session.scalars(select(Customer).where(Customer.tenant_id == tenant.id))}
    assert len(inserts) == 3  # the columns come in three orders
    for row in said:
        kept = rows[row["id"]]
        assert (kept.email, kept.name, kept.phone) == (row["email"], row["name"], row.get("phone", ""))
        assert kept.created_at == AT if "created_at" in row else kept.created_at > AT
    assert {row.merged_into for row in rows.values()} == {None}


def test_rows_alike_go_in_together(runtime, tenant, inserts):
    with runtime.unit_of_work(tenant.id) as session:
        insert_rows(session, Customer, [person(tenant) for _ in range(200)])
        insert_rows(session, Address, [])
    assert len(inserts) == 1


def test_what_cannot_be_stops_all_of_it(runtime, tenant):
    twice = person(tenant)
    with pytest.raises(IntegrityError), runtime.unit_of_work(tenant.id) as session:
        insert_rows(session, Customer, [person(tenant), twice, twice])
    with runtime.unit_of_work(tenant.id) as session:
        assert session.scalars(select(Customer.id).where(Customer.tenant_id == tenant.id)).all() == []


def test_nothing_goes_to_another_tenant(runtime, make_tenant, tenant):
    other = make_tenant()
    with pytest.raises(Exception, match="row-level security"), runtime.unit_of_work(tenant.id) as session:
        insert_rows(session, Customer, [person(other)])
