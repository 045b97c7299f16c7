"""One shop's connections are no other's: no table, no service, no cache tells of them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import pytest
from sqlalchemy import func, insert, select, text
from sqlalchemy.exc import ProgrammingError
from sqlalchemy.orm import Session

from engine.kit.errors import NotFound
from engine.kit.tenancy import Base, Tenant
from engine.migrate import load_models
from engine.sync import (
    connections,
    exceptions,
    inbox,
    journal,
    keeping,
    limits,
    mappings,
    readings,
    targets,
    xref,
)
from engine.sync.alert_models import Notice, Post
from engine.sync.canonical import StockLevel
from engine.sync.errors import Rejected
from engine.sync.models import Breaker, Permit, System
from tests.engine.sync.scene import LEASE, Scene, connect
from tests.engine.sync.targets import PLACE, SPEC

load_models()
TABLES: Final = sorted(
    (one.local_table for one in Base.registry.mappers if one.class_.__module__.startswith("engine.sync.")),
    key=lambda table: table.name,
)


@pytest.fixture
def theirs(runtime, make_tenant, monkeypatch: pytest.MonkeyPatch) -> Scene:
    """A shop with one of everything."""
    monkeypatch.setitem(targets.TARGETS, "test.salesOrder", PLACE)
    scene = connect(runtime, make_tenant())
    scene.client(workflow_id="run-1").request("POST", "/orders", json={"secret of theirs": 1})
    tenant_id, connection_id = scene.tenant.id, scene.connection.id
    with scene.uow() as session:
        limits.take(session, tenant_id, connection_id, permit_id="prm_theirs", cost=1, lease=LEASE)
        xref.link(
            session, tenant_id=tenant_id, system=System.SHOPIFY, kind="order", external_id="1", internal_kind="order",
            internal_id="ord_1",
        )  # fmt: skip
        mappings.save(session, tenant_id, actor="a", name="theirs", target="test.salesOrder", spec=SPEC)
        inbox.receive(
            session, tenant_id=tenant_id, source="shopify", delivery_id="wh-1", topic="t", body=b"{}", headers={}
        )
        exceptions.put(
            session, tenant_id, workflow="w", workflow_id="run-1", subject="order #1", error=Rejected("No."), payload={}
        )
        session.add(Notice(tenant_id=tenant_id, alert_id="alr_1", kind="k", subject="s", words="Theirs."))
        session.add(Post(tenant_id=tenant_id, id="pst_1", connection_id=connection_id, text="Theirs."))
        readings.keep(
            session, tenant_id, connection_id, [StockLevel(sku="THEIRS", item_id="1", location="1", available=1)]
        )
    return scene


def test_there_is_one_row_of_theirs_in_every_table(theirs: Scene) -> None:
    assert len(TABLES) == 13
    with theirs.uow() as session:
        for table in TABLES:
            assert session.scalar(select(func.count()).select_from(table)) >= 1, table.name


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.name)
def test_no_table_shows_or_takes_a_row_of_theirs(theirs: Scene, runtime, tenant: Tenant, table) -> None:
    with theirs.uow() as session:
        row = dict(session.execute(select(table)).first()._mapping)
    with runtime.unit_of_work(tenant.id) as session:
        assert session.scalar(select(func.count()).select_from(table)) == 0
        plain = f"SELECT count(*) FROM app.{table.name} WHERE tenant_id = :theirs"  # noqa: S608 (our own names)
        assert session.scalar(text(plain), {"theirs": theirs.tenant.id}) == 0
        assert session.execute(table.delete()).rowcount == 0
        first = next(column for column in table.columns if column.name != "tenant_id")
        assert session.execute(table.update().values({first.name: first})).rowcount == 0
    with pytest.raises(ProgrammingError, match="row-level security"), runtime.unit_of_work(tenant.id) as session:
        session.execute(insert(table).values(row))


Act = Callable[[Session, str, Scene], Any]
ACTS: Final[dict[str, Act]] = {
    "get": lambda session, mine, scene: connections.get(session, mine, scene.connection.id),
    "pause": lambda session, mine, scene: connections.pause(session, mine, scene.connection.id, actor="a", reason="r"),
    "resume": lambda session, mine, scene: connections.resume(session, mine, scene.connection.id, actor="a"),
    "close": lambda session, mine, scene: connections.close(session, mine, scene.connection.id, actor="a", reason="r"),
    "change": lambda session, mine, scene: connections.change(
        session, scene.runtime, mine, scene.connection.id, actor="a", settings={}
    ),
    "rotate": lambda session, mine, scene: connections.rotate(
        session, scene.runtime, mine, scene.connection.id, actor="a", secrets_given={"access_token": "12345678"}
    ),
    "only": lambda session, mine, _: connections.only(session, mine, System.SHOPIFY),
    "mapping": lambda session, mine, _: mappings.get(session, mine, "theirs"),
    "versions": lambda session, mine, _: mappings.versions(session, mine, "theirs"),
    "activate": lambda session, mine, _: mappings.activate(session, mine, actor="a", name="theirs", version=1),
}


@pytest.mark.parametrize("act", sorted(ACTS))
def test_no_service_finds_what_is_theirs(theirs: Scene, runtime, tenant: Tenant, act: str) -> None:
    with runtime.unit_of_work(tenant.id) as session, pytest.raises(NotFound):
        ACTS[act](session, tenant.id, theirs)


def test_lists_are_empty_and_housekeeping_touches_nothing_of_theirs(theirs: Scene, runtime, tenant: Tenant) -> None:
    with runtime.unit_of_work(tenant.id) as session:
        assert connections.listed(session, tenant.id, closed=True) == []
        assert mappings.listed(session, tenant.id) == []
        assert mappings.ready(session, tenant.id, "theirs") is None
        assert journal.calls(session, tenant.id, workflow_id="run-1", mode=None).items == []
        assert exceptions.listed(session, tenant.id, status=None).items == []
        assert exceptions.causes(session, tenant.id) == []
        assert inbox.claim(session, tenant.id) == []
        assert xref.lineage(session, tenant_id=tenant.id, internal_kind="order", internal_id="ord_1") == []
    keeping.forget_old(runtime, tenant.id)
    with theirs.uow() as session:
        for table in TABLES:
            assert session.scalar(select(func.count()).select_from(table)) >= 1, table.name


def test_a_shop_that_is_full_or_broken_is_so_alone(theirs: Scene, runtime, tenant: Tenant) -> None:
    mine = connect(runtime, tenant)
    with theirs.uow() as session:
        row = session.get_one(type(theirs.limit), (theirs.tenant.id, theirs.connection.id))
        row.max_in_flight = 1
        state = session.get_one(Breaker, (theirs.tenant.id, theirs.connection.id))
        state.state, state.open_until = "open", row.level_at.replace(year=2100)

    assert mine.client().request("GET", "/orders").status == 200
    assert (mine.permits(), mine.breaker.state) == ([], "closed")
    with theirs.uow() as session:
        assert session.get(Permit, (theirs.tenant.id, "prm_theirs")) is not None
