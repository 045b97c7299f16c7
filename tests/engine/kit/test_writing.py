"""What waits in a session goes in one trip, as the mapper writes it; what is not plain, the mapper does write."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import func, insert, select, text
from sqlalchemy.exc import DBAPIError, IntegrityError, InternalError
from sqlalchemy.orm import Session

from engine.carts.models import Cart
from engine.conversations.models import Message, Mode, Run, Thread
from engine.customers.models import Shopper
from engine.db import Store, open_engine
from engine.inventory.models import Location
from engine.kit import audit, clock, direct, limits
from engine.kit.audit import AuditRow
from engine.kit.direct import Statement
from engine.kit.errors import NotFound
from engine.kit.gathering import Rows, ask, fetch, post, put
from engine.kit.ids import new_id
from engine.kit.tenancy import Tenant
from engine.kit.writing import waiting
from engine.payments.gateways.models import AccountMode, GatewayAccount

HERE = Rows(Thread, "r.tenant_id = %(tenant)s", order="r.id")
LONG_AGO = datetime(2000, 1, 1, tzinfo=UTC)
GO = Statement("DELETE FROM app.threads WHERE tenant_id = %(tenant)s AND id = %(thread)s")


def thread_of(tenant: Tenant, **more: Any) -> Thread:
    return Thread(tenant_id=tenant.id, id=new_id("thread"), owner_id="sho_x", **more)


def message_of(thread: Thread, seq: int = 1, **more: Any) -> Message:
    return Message(tenant_id=thread.tenant_id, id=new_id("message"), thread_id=thread.id, seq=seq, role="user", **more)


@pytest.fixture
def trips(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """What travelled, trip by trip."""
    heard: list[list[str]] = []
    depart = direct._Trip.depart

    def noted(trip: Any) -> None:
        heard.append([" ".join(statement.text.split())[:40] for statement, *_ in trip.packed])
        depart(trip)

    monkeypatch.setattr(direct._Trip, "depart", noted)
    return heard


def test_a_unit_of_work_that_only_writes_is_one_trip(store: Store, tenant: Tenant, trips: list[list[str]]) -> None:
    with store.unit_of_work(tenant.id) as session:
        thread = thread_of(tenant)
        session.add(message_of(thread))
        session.add(thread)
        audit.record(session, tenant.id, actor="a", action="b", subject=thread.id)
        assert trips == []
    (trip,) = trips
    assert [words.split(" ")[0] for words in trip] == ["BEGIN", "SELECT", "INSERT", "INSERT", "INSERT", "COMMIT"]
    assert ["app.audit" in trip[2], "app.threads" in trip[3], "app.messages" in trip[4]] == [True, True, True]
    with store.unit_of_work(tenant.id) as session:
        assert session.scalar(select(func.count()).select_from(Message)) == 1
        assert session.scalars(select(AuditRow.subject)).all() == [thread.id]


def _row(session: Session, of: str) -> dict[str, Any]:
    row = session.execute(text("SELECT to_jsonb(t) - 'id' FROM app.threads t WHERE id = :id"), {"id": of}).scalar_one()
    return dict(row)


def test_a_row_is_what_the_mapper_writes(store: Store, tenant: Tenant, monkeypatch: pytest.MonkeyPatch) -> None:
    moment = clock.now()
    monkeypatch.setattr(clock, "now", lambda: moment)
    same = {"created_at": moment, "updated_at": moment}
    many: list[dict[str, Any]] = [{}, {"handoff": None}, {"handoff": {"a": [1, None, "ü"]}, "mode": Mode.HUMAN}]
    for said in [*many, {"mode": None, "active_agent": None}]:
        with Session(store.engine, expire_on_commit=False) as plain, plain.begin():
            plain.execute(text("SELECT set_config('app.tenant_id', :t, true)"), {"t": tenant.id})
            one = thread_of(tenant, **said, **same)
            plain.add(one)
            plain.flush()
            expected = _row(plain, one.id)
        with store.unit_of_work(tenant.id) as session:
            other = thread_of(tenant, **said, **same)
            session.add(other)
            assert waiting(session) is not None
            session.add(third := thread_of(tenant, **said, **same))
            session.flush()
            assert _row(session, third.id) == expected
        names = ("mode", "requests", "last_event", "active_agent", "human", "handoff")
        assert [getattr(third, name) for name in names] == [getattr(one, name) for name in names]


def test_only_what_changed_is_written_and_only_once(store: Store, tenant: Tenant, trips: list[list[str]]) -> None:
    with store.unit_of_work(tenant.id) as session:
        session.add(thread := thread_of(tenant, human="h"))
        session.flush()
        thread.human, thread.mode, thread.last_event = "h", Mode.HUMAN, 0
        trips.clear()
        (rows,) = fetch(session, (HERE, {"tenant": tenant.id}))
        assert rows == [thread]
        assert not session.dirty
        assert [words[:60] for words in trips[0]][-2:] == [
            'WITH done AS (UPDATE app.threads SET "mo',
            'SELECT r."tenant_id" AS "tenant_id", r."',
        ]
        thread.mode = Mode.HUMAN
        session.flush()
        ask(session, Statement("SELECT 1 AS one"), {})
        assert trips[1] == ["SELECT 1 AS one"]
    with store.unit_of_work(tenant.id) as session:
        assert session.get_one(Thread, (tenant.id, thread.id)).mode == Mode.HUMAN


def test_an_update_of_a_row_that_is_gone_fails_and_all_is_as_before(store: Store, tenant: Tenant) -> None:
    with store.unit_of_work(tenant.id) as session:
        session.add(thread := thread_of(tenant))

    def change() -> None:
        with store.unit_of_work(tenant.id) as session:
            audit.record(session, tenant.id, actor="a", action="b", subject="c")
            mine = session.get_one(Thread, (tenant.id, thread.id))
            ask(session, GO, {"tenant": tenant.id, "thread": thread.id})
            mine.human = "somebody"

    with pytest.raises(DBAPIError, match="division by zero"):
        change()
    with store.unit_of_work(tenant.id) as session:
        assert session.get_one(Thread, (tenant.id, thread.id)).human is None
        assert session.scalar(select(func.count()).select_from(AuditRow)) == 0


def test_what_is_refused_at_the_end_leaves_nothing_and_the_connection_is_good(store: Store, tenant: Tenant) -> None:
    own = Store(store.url, pool_size=1, overflow=0)
    with pytest.raises(IntegrityError), own.unit_of_work(tenant.id) as session:
        session.add_all([thread_of(tenant), message_of(thread_of(tenant))])
    with own.unit_of_work(tenant.id) as session:
        assert session.scalar(select(func.count()).select_from(Thread)) == 0
        session.add(thread_of(tenant))
    with own.unit_of_work(tenant.id) as session:
        assert session.scalar(select(func.count()).select_from(Thread)) == 1
    own.close()


def test_what_failed_is_not_taken_for_written_by_who_caught_it(store: Store, tenant: Tenant) -> None:
    """The database answers the end of a failed transaction with a ``ROLLBACK``, and no error."""
    own = Store(store.url, pool_size=1, overflow=0)
    with own.unit_of_work(tenant.id) as session:
        session.add(first := thread_of(tenant))

    def catch(work: Callable[[Session], object]) -> None:
        with own.unit_of_work(tenant.id) as session:
            session.add(thread_of(tenant))
            with pytest.raises(IntegrityError):
                work(session)

    def twice(session: Session) -> None:
        put(session, Thread, [{"tenant_id": tenant.id, "id": first.id, "owner_id": "sho_x"}])

    def asked(session: Session) -> None:
        twice(session)
        ask(session, Statement("SELECT 1 AS one"), {})

    def saved(session: Session) -> None:
        twice(session)
        session.begin_nested()

    def mapped(session: Session) -> None:
        session.execute(insert(Thread).values(tenant_id=tenant.id, id=first.id, owner_id="sho_x"))

    for work in (asked, saved, mapped):
        with pytest.raises(InternalError, match="nothing of it is written"):
            catch(work)
        with own.unit_of_work(tenant.id) as session:
            assert session.scalars(select(Thread.id)).all() == [first.id]
    own.close()


def test_a_savepoint_that_is_taken_back_takes_what_was_written_in_it(store: Store, tenant: Tenant) -> None:
    with store.unit_of_work(tenant.id) as session:
        session.add(first := thread_of(tenant))
        with session.begin_nested() as attempt:
            session.add(message_of(first))
            first.human = "nobody"
            audit.record(session, tenant.id, actor="a", action="in vain", subject="c")
            attempt.rollback()
        with session.begin_nested():
            audit.record(session, tenant.id, actor="a", action="kept", subject="c")
        first.active_agent = "commerce"
    with store.unit_of_work(tenant.id) as session:
        kept = session.get_one(Thread, (tenant.id, first.id))
        assert (kept.human, kept.active_agent) == (None, "commerce")
        assert session.scalar(select(func.count()).select_from(Message)) == 0
        assert session.scalars(select(AuditRow.action)).all() == ["kept"]


@pytest.mark.parametrize(
    "spoil",
    [
        lambda thread: setattr(thread, "last_event", Thread.last_event + 1),
        lambda thread: setattr(thread, "human", func.upper("a")),
        lambda thread: setattr(thread, "id", new_id("thread")),
    ],
)
def test_what_is_no_plain_value_the_mapper_writes(
    store: Store, tenant: Tenant, spoil: Callable[[Thread], None]
) -> None:
    with store.unit_of_work(tenant.id) as session:
        session.add(thread := thread_of(tenant))
        session.flush()
        spoil(thread)
        assert waiting(session) is None
        assert thread in session.dirty
        session.flush()
        assert not session.dirty
        seen = session.execute(text("SELECT id, human, last_event FROM app.threads")).one()
        assert tuple(seen) == (thread.id, thread.human, thread.last_event)


def test_what_the_mapper_says_at_every_change_is_said(store: Store, tenant: Tenant) -> None:
    key = {"tenant_id": tenant.id, "gateway": "stripe"}
    with store.unit_of_work(tenant.id) as session:
        session.add(GatewayAccount(**key, mode=AccountMode.TEST, secrets_sealed=b"s", updated_at=LONG_AGO))
    with store.unit_of_work(tenant.id) as session:
        session.get_one(GatewayAccount, tuple(key.values())).publishable_key = "pk"
    with store.unit_of_work(tenant.id) as session:
        assert session.get_one(GatewayAccount, tuple(key.values())).updated_at > LONG_AGO


def test_what_the_database_makes_is_there_without_asking(store: Store, tenant: Tenant, trips: list[list[str]]) -> None:
    with store.unit_of_work(tenant.id) as session:
        session.add(row := AuditRow(tenant_id=tenant.id, actor="a", action="b", subject="c"))
        session.flush()
        assert row.id > 0


def test_what_goes_later_goes_before_the_mappers_next(store: Store, tenant: Tenant, trips: list[list[str]]) -> None:
    with store.unit_of_work(tenant.id) as session:
        put(session, Shopper, [{"tenant_id": tenant.id, "id": "sho_1"}])
        assert trips == []
        assert session.scalars(select(Shopper.id)).all() == ["sho_1"]
        assert len(trips) == 1

    def fail(error: Exception) -> None:
        with store.unit_of_work(tenant.id) as session:
            put(session, Shopper, [{"tenant_id": tenant.id, "id": "sho_2"}])
            raise error

    for error in (NotFound("refused"), RuntimeError("broken")):
        with pytest.raises(type(error)):
            fail(error)
    with store.unit_of_work(tenant.id) as session:
        assert session.scalars(select(Shopper.id)).all() == ["sho_1"]


def test_nothing_is_left_waiting_for_the_next_who_has_the_connection(store: Store, tenant: Tenant) -> None:
    own = Store(store.url, pool_size=1, overflow=0)
    with own.unit_of_work(tenant.id):
        pass
    with own.without_tenant() as session:
        assert session.scalar(text("SELECT current_setting('app.tenant_id', true)")) in {"", None}
    own.close()


def test_what_goes_first_of_all_is_of_the_blocks_transaction(store: Store) -> None:
    bucket = new_id("location")
    row = {"bucket": bucket, "window_start": clock.now(), "used": 1}

    def count(error: Exception | None) -> None:
        with store.without_tenant() as session:
            put(session, limits.RateLimit, [row])
            ask(session, Statement("SELECT 1 AS one"), {})
            if error:
                raise error

    with pytest.raises(NotFound):
        count(NotFound("refused"))
    with pytest.raises(RuntimeError):
        count(RuntimeError("broken"))
    count(None)
    with store.without_tenant() as session:
        assert session.scalars(select(limits.RateLimit.used).where(limits.RateLimit.bucket == bucket)).all() == [1]


def test_where_nobody_asks_later_it_is_asked_at_once(store: Store, tenant: Tenant) -> None:
    strange = open_engine(store.url)
    with Session(strange) as session, session.begin():
        session.execute(text("SELECT set_config('app.tenant_id', :t, true)"), {"t": tenant.id})
        post(session, (GO, {"tenant": tenant.id, "thread": "none"}))
        put(session, Shopper, [{"tenant_id": tenant.id, "id": "sho_1"}])
    with store.unit_of_work(tenant.id) as session:
        assert session.scalars(select(Shopper.id)).all() == ["sho_1"]
    strange.dispose()


def test_rows_that_wait_keep_the_order_of_the_tables(store: Store, tenant: Tenant) -> None:
    with store.unit_of_work(tenant.id) as session:
        thread = thread_of(tenant)
        run = Run(tenant_id=tenant.id, id=new_id("run"), thread_id=thread.id, number=1, identity={}, input={})
        session.add_all([message_of(thread, run_id=run.id), run, thread])
        session.flush()
        run.lease_until = clock.now() + timedelta(seconds=1)
    with store.unit_of_work(tenant.id) as session:
        assert session.get_one(Run, (tenant.id, run.id)).lease_until == run.lease_until


def test_what_gives_way_to_a_new_row_has_gone_by_then(store: Store, tenant: Tenant) -> None:
    """An owner has one open cart: the mapper writes what changed before what is new, and so do we."""

    def cart() -> Cart:
        return Cart(tenant_id=tenant.id, id=new_id("cart"), owner_id="sho_x", currency="USD")

    with store.unit_of_work(tenant.id) as session:
        session.add(old := cart())
    with store.unit_of_work(tenant.id) as session:
        old = session.get_one(Cart, (tenant.id, old.id))
        session.add(new := cart())
        old.status = "ordered"
        assert waiting(session) is not None
    with store.unit_of_work(tenant.id) as session:
        assert session.scalars(select(Cart.id).where(Cart.status == "open")).all() == [new.id]


def test_no_document_is_no_value_where_the_column_says_so(store: Store, tenant: Tenant) -> None:
    """A variant without ``digital`` lies on a shelf: JSON's null would make it one of codes."""

    def kept() -> str | None:
        with store.unit_of_work(tenant.id) as session:
            said: str | None = session.execute(text("SELECT pickup::text FROM app.locations")).scalar_one()
            return said

    where = {"kind": "warehouse", "country": "US", "region": "OR", "city": "Portland", "postal_code": "97205"}
    with store.unit_of_work(tenant.id) as session:
        place = Location(tenant_id=tenant.id, id=new_id("location"), code="EAST", name="East", pickup=None, **where)
        session.add(place)
    assert kept() is None
    for pickup in ({"hours": 2}, None):
        with store.unit_of_work(tenant.id) as session:
            session.get_one(Location, (tenant.id, place.id)).pickup = pickup
        assert kept() == (pickup and '{"hours": 2}')


def test_who_begins_a_savepoint_hears_what_refuses_what_was_waiting(store: Store, tenant: Tenant) -> None:
    with store.unit_of_work(tenant.id) as session:
        session.add(kept := thread_of(tenant))
    twice = Thread(tenant_id=tenant.id, id=kept.id, owner_id="sho_y")
    with store.unit_of_work(tenant.id) as session:
        session.add(twice)
        with pytest.raises(IntegrityError):
            session.begin_nested()
        session.rollback()
    with store.unit_of_work(tenant.id) as session:
        assert [one.owner_id for one in session.scalars(select(Thread))] == ["sho_x"]
