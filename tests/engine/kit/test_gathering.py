"""Rows in one trip: the session's own objects, fresh where they are locked; a refusal costs nothing prepared."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta

import pytest
from sqlalchemy import event, select, text
from sqlalchemy.exc import DataError, DBAPIError, IntegrityError, NoResultFound, OperationalError
from sqlalchemy.orm import Session

from engine.db import Store
from engine.inventory.models import Location
from engine.kit import clock, limits
from engine.kit.direct import Statement, Unwritable
from engine.kit.errors import NotFound, RateLimited
from engine.kit.gathering import Query, Rows, ask, fetch, put
from engine.kit.idempotency import IdempotencyKey
from engine.kit.ids import new_id
from engine.kit.outbox import OutboxRow
from engine.kit.tenancy import Tenant
from engine.sync.work_models import ExceptionRow

SEEN = Rows(Location, "r.tenant_id = %(tenant)s", order="r.position")
LOCKED = Rows(Location, "r.tenant_id = %(tenant)s", order="r.position", lock=True)
FIRST = Rows(Location, "r.tenant_id = %(tenant)s", order="r.position", most=1)
COUNT = Statement("SELECT count(*) AS n FROM app.locations WHERE tenant_id = %(tenant)s")
RENAME = Statement("UPDATE app.locations SET name = %(name)s WHERE tenant_id = %(tenant)s")
PREPARED = Statement("SELECT count(*) AS n FROM pg_prepared_statements WHERE starts_with(name, 'direct_')")


def place(tenant: Tenant, code: str, position: int) -> dict[str, object]:
    named = {"tenant_id": tenant.id, "id": new_id("location"), "code": code, "name": code, "kind": "warehouse"}
    return named | {"country": "US", "region": "WA", "city": "c", "postal_code": "p", "position": position}


def two(session: Session, tenant: Tenant) -> None:
    put(session, Location, [place(tenant, "A", 1), place(tenant, "B", 2)])


def refused(session: Session, tenant: Tenant) -> None:
    two(session, tenant)
    raise NotFound("refused")


def test_they_are_the_sessions_own_and_written_when_they_change(store: Store, tenant: Tenant) -> None:
    with store.unit_of_work(tenant.id) as session:
        two(session, tenant)
        (rows,) = fetch(session, (SEEN, {"tenant": tenant.id}))
        assert [row.code for row in rows] == ["A", "B"]
        assert session.get_one(Location, (tenant.id, rows[0].id)) is rows[0]
        assert not session.dirty
        rows[0].name = "new"
    with store.unit_of_work(tenant.id) as session:
        assert list(session.scalars(select(Location.name).order_by(Location.position))) == ["new", "B"]


def test_a_lock_brings_up_to_date_and_a_look_does_not(store: Store, tenant: Tenant) -> None:
    with store.unit_of_work(tenant.id) as session:
        two(session, tenant)
        (rows,) = fetch(session, (SEEN, {"tenant": tenant.id}))
        ask(session, RENAME, {"tenant": tenant.id, "name": "meanwhile"})
        fetch(session, (SEEN, {"tenant": tenant.id}))
        assert [row.name for row in rows] == ["A", "B"]
        fetch(session, (LOCKED, {"tenant": tenant.id}))
        assert [row.name for row in rows] == ["meanwhile", "meanwhile"]
        session.expire(rows[0], ["name"])
        ask(session, RENAME, {"tenant": tenant.id, "name": "again"})
        fetch(session, (SEEN, {"tenant": tenant.id}))
        assert [row.name for row in rows] == ["again", "meanwhile"]


def test_what_waits_in_the_session_is_written_first(store: Store, tenant: Tenant) -> None:
    with store.unit_of_work(tenant.id) as session:
        two(session, tenant)
        (rows,) = fetch(session, (FIRST, {"tenant": tenant.id}))
        rows[0].position = 9
        first, counted = fetch(session, (FIRST, {"tenant": tenant.id}), (COUNT, {"tenant": tenant.id}))
        assert ([row.code for row in first], counted) == (["B"], [{"n": 2}])
        rows[0].position = 0
        with session.no_autoflush:
            assert fetch(session, (FIRST, {"tenant": tenant.id}))[0][0].code == "B"


def test_a_trip_is_heard_of_once_and_says_all(store: Store, tenant: Tenant) -> None:
    heard: list[str] = []
    note = lambda *told: heard.append(told[2])  # noqa: E731
    event.listen(store.engine, "before_cursor_execute", note)
    try:
        with store.unit_of_work(tenant.id) as session:
            fetch(session, (LOCKED, {"tenant": tenant.id}), (COUNT, {"tenant": tenant.id}))
    finally:
        event.remove(store.engine, "before_cursor_execute", note)
    assert len(heard) == 1
    assert "FROM app.locations r" in heard[0]
    assert "FOR UPDATE; SELECT count(*)" in heard[0]


def test_a_row_has_the_models_defaults_and_documents_are_kept(store: Store, tenant: Tenant) -> None:
    row = {"tenant_id": tenant.id, "consumer": "search", "topic": "t", "subject_id": "s", "payload": {"a": [1, None]}}
    with store.unit_of_work(tenant.id) as session:
        put(session, OutboxRow, [row], alone=True)
        kept = session.scalars(select(OutboxRow).where(OutboxRow.tenant_id == tenant.id)).one()
        assert (kept.payload, kept.attempts, kept.delivered_at) == ({"a": [1, None]}, 0, None)
        assert kept.created_at <= clock.now()


def test_an_error_is_what_the_mappers_would_be(store: Store, tenant: Tenant) -> None:
    same = place(tenant, "A", 1)
    with pytest.raises(IntegrityError), store.unit_of_work(tenant.id) as session:
        put(session, Location, [same, same])
    with store.unit_of_work(tenant.id) as session:
        assert ask(session, COUNT, {"tenant": tenant.id}) == [{"n": 0}]


def test_what_is_asked_first_of_all_is_of_the_blocks_transaction(store: Store) -> None:
    bucket = new_id("location")

    def count(most: int) -> None:
        with store.without_tenant() as session:
            for _ in range(2):
                limits.hit(session, bucket, limit=most, window=timedelta(days=1))

    with pytest.raises(RateLimited):
        count(most=1)
    count(most=2)
    with store.without_tenant() as session:
        assert limits.used(session, bucket, window=timedelta(days=1)) == 2


@pytest.fixture
def line(store: Store) -> Iterator[Store]:
    """A store of one connection: what is prepared is its own."""
    own = Store(store.url, pool_size=1, overflow=0)
    yield own
    own.close()


def test_a_refusal_keeps_what_is_prepared_and_a_savepoint_costs_it(line: Store, tenant: Tenant) -> None:
    def prepared() -> int:
        with line.unit_of_work(tenant.id) as session:
            ask(session, COUNT, {"tenant": tenant.id})
            return int(ask(session, PREPARED, {})[0]["n"])

    prepared()
    before = prepared()
    with pytest.raises(NotFound), line.unit_of_work(tenant.id) as session:
        refused(session, tenant)
    assert prepared() >= before
    with line.unit_of_work(tenant.id) as session:
        with pytest.raises(NoResultFound), session.begin_nested():
            session.get_one(IdempotencyKey, (tenant.id, "a", "b", "c"))
        assert ask(session, COUNT, {"tenant": tenant.id}) == [{"n": 0}]


def test_a_query_is_compiled_once_and_its_values_are_of_each_call(store: Store, tenant: Tenant) -> None:
    made: list[int] = []

    def build() -> object:
        made.append(1)
        return select(Location.code).where(Location.tenant_id == tenant.id).order_by(Location.position)

    query = Query(build)  # type: ignore[arg-type]  # any select
    with store.unit_of_work(tenant.id) as session:
        two(session, tenant)
        assert [query.rows(session) for _ in range(2)] == [[{"code": "A"}, {"code": "B"}]] * 2
    assert made == [1]


DIE = Statement("SELECT pg_terminate_backend(pg_backend_pid())")


def lost(store: Store, tenant: Tenant, work: Callable[[Session], None]) -> None:
    with store.unit_of_work(tenant.id) as session:
        two(session, tenant)
        work(session)


def nested(session: Session) -> None:
    with session.begin_nested():
        ask(session, DIE, {})


def whole(session: Session) -> None:
    ask(session, DIE, {})


def mapped(session: Session) -> None:
    with session.begin_nested():
        session.execute(text("SELECT pg_terminate_backend(pg_backend_pid())"))


@pytest.mark.parametrize("work", [nested, whole, mapped])
def test_a_connection_lost_within_is_told_as_such_and_the_next_is_new(
    line: Store, tenant: Tenant, work: Callable[[Session], None]
) -> None:
    with pytest.raises(OperationalError) as told:
        lost(line, tenant, work)
    assert "savepoint" not in str(told.value).lower()
    with line.unit_of_work(tenant.id) as session:
        assert ask(session, COUNT, {"tenant": tenant.id}) == [{"n": 0}]


@pytest.mark.parametrize("bad", ["a\0b", "\ud800", 2**63, -(2**63) - 1])
def test_what_cannot_be_written_is_refused_before_a_trip(line: Store, tenant: Tenant, bad: object) -> None:
    mark = Statement("SELECT %(mark)s AS mark")
    with line.unit_of_work(tenant.id) as session:
        two(session, tenant)
        with pytest.raises(DataError, match="'mark' cannot be written"):
            fetch(session, (COUNT, {"tenant": tenant.id}), (mark, {"mark": bad}))
        assert ask(session, COUNT, {"tenant": tenant.id}) == [{"n": 2}]
    with pytest.raises(Unwritable, match="'mark' cannot be written"):
        line.ask(tenant.id, (mark, {"mark": bad}))
    assert line.ask(tenant.id, (COUNT, {"tenant": tenant.id})) == [[{"n": 2}]]


@pytest.mark.parametrize("bad", ["a\0b", "\ud800", 2**64, object()])
def test_a_document_that_cannot_be_written_is_refused_before_a_trip(line: Store, tenant: Tenant, bad: object) -> None:
    row = {"tenant_id": tenant.id, "consumer": "search", "topic": "t", "subject_id": "s"}
    with line.unit_of_work(tenant.id) as session:
        with pytest.raises(DataError, match="'payload' cannot be written"):
            put(session, OutboxRow, [row | {"payload": {"a": "fine"}}, row | {"payload": {"a": [bad]}}], alone=True)
        put(session, OutboxRow, [row | {"payload": {"a": "\\u0000"}}], alone=True)
        put(session, OutboxRow, [row | {"payload": {"b": {1: "named by a number"}}}], alone=True)
    with line.unit_of_work(tenant.id) as session:
        kept = session.scalars(select(OutboxRow.payload).where(OutboxRow.tenant_id == tenant.id))
        assert sorted(kept, key=str) == [{"a": "\\u0000"}, {"b": {"1": "named by a number"}}]


def test_nothing_said_of_a_document_is_null(store: Store, tenant: Tenant) -> None:
    with store.unit_of_work(tenant.id) as session:
        put(session, ExceptionRow, [stopped(tenant, fixed=None), stopped(tenant, fixed={"a": None})])
        query = text("SELECT fixed IS NULL, jsonb_typeof(fixed) FROM app.sync_exceptions ORDER BY 1 DESC")
        assert [tuple(row) for row in session.execute(query)] == [(True, None), (False, "object")]


def stopped(tenant: Tenant, **more: object) -> dict[str, object]:
    named = {"tenant_id": tenant.id, "id": new_id("exception"), "workflow": "w", "workflow_id": new_id("exception")}
    return named | {"subject": "order #1", "code": "c", "reason": "r", "fingerprint": "f"} | more


def test_an_error_leaves_no_name_of_what_was_not_prepared(line: Store, tenant: Tenant) -> None:
    """Statements of a trip that ended before them were never prepared, and are not asked by name."""
    divided = Statement("SELECT 1 / %(by)s AS whole")

    def divides_by_none(session: Session) -> None:
        try:
            fetch(session, (divided, {"by": 0}), (COUNT, {"tenant": tenant.id}))
        except DBAPIError as error:
            raise NotFound("refused") from error

    with pytest.raises(NotFound):
        lost(line, tenant, divides_by_none)
    for _ in range(2):
        with line.unit_of_work(tenant.id) as session:
            two(session, tenant)
            assert fetch(session, (divided, {"by": 1}), (COUNT, {"tenant": tenant.id}))[1] == [{"n": 2}]
            session.rollback()
