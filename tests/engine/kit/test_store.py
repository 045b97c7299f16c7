"""What the database itself guarantees: tenants apart, books balanced, audit as written."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from sqlalchemy import select, text
from sqlalchemy.exc import DBAPIError, IntegrityError, ProgrammingError

from engine.db import Addresses, Store, open_engine
from engine.finance import postings
from engine.finance import service as finance
from engine.finance.models import Account, JournalEntry, Posting
from engine.kit import audit, clock, idempotency, limits, outbox
from engine.kit.errors import RateLimited
from engine.kit.ids import new_id
from engine.kit.tenancy import ALLOWED_WITHOUT_TENANT, Base, Tenant, tenant_tables
from tests.conftest import MakeTenant
from tests.shop import Shop


def test_every_table_belongs_to_a_tenant_or_is_listed() -> None:
    for table in Base.metadata.tables.values():
        if table.name not in ALLOWED_WITHOUT_TENANT:
            assert next(iter(table.primary_key.columns)).name == "tenant_id", table.name
            for constraint in table.foreign_key_constraints:
                assert constraint.column_keys[0] == "tenant_id", constraint.name
            for index in table.indexes:
                if index.name != "ix_products_search":
                    first = next(iter(index.expressions))
                    assert getattr(first, "name", "") == "tenant_id", index.name


def test_row_level_security_is_on_and_forced_everywhere(store: Store) -> None:
    with store.without_tenant() as session:
        rows = session.execute(
            text(
                "SELECT c.relname, c.relrowsecurity AND c.relforcerowsecurity, count(p.polname) FROM pg_class c"
                " JOIN pg_namespace n ON n.oid = c.relnamespace LEFT JOIN pg_policy p ON p.polrelid = c.oid"
                " WHERE n.nspname = 'app' AND c.relkind = 'r' GROUP BY 1, 2"
            )
        ).all()
    guarded = {name for name, forced, policies in rows if forced and policies}
    assert guarded == set(tenant_tables())
    assert {name for name, *_ in rows} - guarded == ALLOWED_WITHOUT_TENANT | {"alembic_version"}


def test_the_runtime_role_is_nobody_special(store: Store) -> None:
    with store.without_tenant() as session:
        row = session.execute(
            text("SELECT rolsuper, rolbypassrls, rolcreaterole, rolcreatedb FROM pg_roles WHERE rolname = current_user")
        ).one()
        assert tuple(row) == (False, False, False, False)
        with pytest.raises(ProgrammingError, match="permission denied"):
            session.execute(text("SELECT * FROM sandbox.cards"))
        session.rollback()


def test_one_tenant_never_sees_or_touches_another(store: Store, make_tenant: MakeTenant) -> None:
    one, two = make_tenant(), make_tenant()
    with store.unit_of_work(one.id) as session:
        audit.record(session, one.id, actor="a", action="x", subject="s")
    for other in (two.id, "", "nobody"):
        with store.unit_of_work(other) as session:
            assert session.scalars(select(audit.AuditRow)).all() == []
    with store.without_tenant() as session:
        assert session.scalars(select(audit.AuditRow)).all() == []
    with pytest.raises(DBAPIError, match="row-level security"), store.unit_of_work(two.id) as session:
        audit.record(session, one.id, actor="a", action="x", subject="s")


def test_an_unbalanced_entry_does_not_commit(store: Store, tenant: Tenant) -> None:
    entry_id = new_id("entry")
    entry = JournalEntry(tenant_id=tenant.id, id=entry_id, kind="capture", subject="x")
    lines = [
        Posting(tenant_id=tenant.id, entry_id=entry_id, line=line, account=account, amount=amount, currency="USD")
        for line, account, amount in ((1, Account.PSP_CLEARING, 100), (2, Account.CUSTOMER_DEPOSITS, -99))
    ]
    with pytest.raises(IntegrityError, match="does not balance"), store.unit_of_work(tenant.id) as session:
        session.add_all([entry, *lines])
    with store.unit_of_work(tenant.id) as session:
        assert finance.balances(session, tenant.id) == {}
        with pytest.raises(ValueError, match="does not balance"):
            finance.post(session, tenant.id, kind="k", subject="s", currency="USD", amounts={Account.COGS: 1})


@pytest.mark.parametrize("statement", ["UPDATE app.postings SET amount = 1", "DELETE FROM app.journal_entries",
                                       "DELETE FROM app.stock_movements", "DELETE FROM app.audit",
                                       "UPDATE app.audit SET actor = 'x'"])  # fmt: skip
def test_the_books_and_the_audit_are_append_only(store: Store, tenant: Tenant, statement: str) -> None:
    with pytest.raises(ProgrammingError, match="permission denied"), store.unit_of_work(tenant.id) as session:
        session.execute(text(statement))


def test_the_audit_chain_shows_a_change_a_gap_and_a_cut(
    store: Store, addresses: Addresses, make_tenant: MakeTenant
) -> None:
    assert addresses.owner is not None
    owner = open_engine(addresses.owner)
    tampering = {
        "row 2 was changed": "UPDATE app.audit SET facts = '{\"amount\": 7}' WHERE tenant_id = :t AND seq = 2",
        "row 2 is missing": "DELETE FROM app.audit WHERE tenant_id = :t AND seq = 2",
        "the chain ends at 2, its head says 3": "DELETE FROM app.audit WHERE tenant_id = :t AND seq = 3",
    }
    for problem, statement in tampering.items():
        tenant = make_tenant()
        with store.unit_of_work(tenant.id) as session:
            for number in range(3):
                audit.record(session, tenant.id, actor="a", action="x", subject=str(number), facts={"amount": number})
        with store.unit_of_work(tenant.id) as session:
            assert audit.seal(session, tenant.id) == 3
            assert audit.verify(session, tenant.id) == audit.Verdict(ok=True, rows=3)
        with owner.begin() as connection:
            connection.execute(text("ALTER TABLE app.audit DISABLE TRIGGER audit_only_seals"))
            connection.execute(text("SELECT set_config('app.tenant_id', :t, true)"), {"t": tenant.id})
            connection.execute(text(statement), {"t": tenant.id})
            connection.execute(text("ALTER TABLE app.audit ENABLE TRIGGER audit_only_seals"))
        with store.unit_of_work(tenant.id) as session:
            assert audit.verify(session, tenant.id).problem == problem
    owner.dispose()


def test_a_key_answers_once_and_the_same_again(store: Store, tenant: Tenant) -> None:
    done: list[int] = []

    def ask(_: int) -> bytes:
        claim = idempotency.Claim("shp_1", "POST /x", "key", idempotency.fingerprint({"a": 1}))
        with store.unit_of_work(tenant.id) as session:
            stored = idempotency.claim(session, tenant.id, claim)
            if stored is None:
                done.append(1)
                idempotency.store(session, tenant.id, claim, idempotency.Stored(201, b"answer"))
                return b"answer"
            return stored.body

    with ThreadPoolExecutor(8) as pool:
        assert set(pool.map(ask, range(24))) == {b"answer"}
    assert len(done) == 1
    other = idempotency.Claim("shp_1", "POST /x", "key", idempotency.fingerprint({"a": 2}))
    with store.unit_of_work(tenant.id) as session, pytest.raises(idempotency.IdempotencyConflict):
        idempotency.claim(session, tenant.id, other)
    stranger = idempotency.Claim("shp_2", "POST /x", "key", idempotency.fingerprint({"a": 1}))
    with store.unit_of_work(tenant.id) as session:
        assert idempotency.claim(session, tenant.id, stranger) is None
    with clock.shifted(timedelta(hours=26)), store.unit_of_work(tenant.id) as session:
        assert idempotency.forget_old(session, tenant.id) == 2


def test_two_workers_never_take_the_same_message(store: Store, tenant: Tenant) -> None:
    with store.unit_of_work(tenant.id) as session:
        for number in range(30):
            outbox.emit(session, tenant.id, "order.paid", f"ord_{number}")
    with store.unit_of_work(tenant.id) as first, store.unit_of_work(tenant.id) as second:
        one = outbox.claim_batch(first, tenant.id, "conversation", limit=10)
        two = outbox.claim_batch(second, tenant.id, "conversation", limit=100)
        assert (len(one), len(two)) == (10, 20)
        assert not {row.id for row in one} & {row.id for row in two}
        outbox.mark_delivered(one)
    with store.unit_of_work(tenant.id) as session:
        assert outbox.waiting(session, tenant.id, "conversation") == 20
        failed = outbox.claim_batch(session, tenant.id, "conversation")[0]
        outbox.mark_failed(session, tenant.id, failed.id, "down")
        session.flush()
        assert len(outbox.claim_batch(session, tenant.id, "conversation")) == 19


def test_a_limit_counts_and_says_how_long_to_wait(store: Store, tenant: Tenant) -> None:
    bucket = f"test:{tenant.id}"
    for _ in range(3):
        with store.without_tenant() as session:
            limits.hit(session, bucket, limit=3, window=timedelta(minutes=1))
    with store.without_tenant() as session, pytest.raises(RateLimited) as refused:
        limits.hit(session, bucket, limit=3, window=timedelta(minutes=1))
    assert 1 <= (refused.value.retry_after_seconds or 0) <= 61
    with clock.shifted(timedelta(minutes=1)), store.without_tenant() as session:
        limits.hit(session, bucket, limit=3, window=timedelta(minutes=1))


def test_the_books_are_the_same_twice_only_once(store: Store, shop: Shop) -> None:
    amounts = postings.capture(1000, 80)
    with shop.uow() as session:
        finance.post(session, shop.tenant.id, kind="capture", subject="pay_1", currency="USD", amounts=amounts)
    with pytest.raises(IntegrityError), shop.uow() as session:
        finance.post(session, shop.tenant.id, kind="capture", subject="pay_1", currency="USD", amounts=amounts)
