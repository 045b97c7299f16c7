"""Connections: what is refused, two live secrets, and that nothing secret is ever seen."""

from __future__ import annotations

import pickle
from datetime import timedelta

import pytest
from cryptography.exceptions import InvalidTag
from sqlalchemy import text, update

from engine.kit import clock, envelope
from engine.kit.audit import AuditRow
from engine.kit.errors import Conflict, InvalidInput, NotFound
from engine.kit.outward import AddressRefused
from engine.kit.state_machine import IllegalTransition
from engine.payments.models import Alert
from engine.sync import connections, limits, secrets
from engine.sync.limits import LimitPolicy, Taken
from engine.sync.models import Connection, ConnectionSecret, ConnectionStatus, LimitKind, System
from engine.sync.states import CONNECTION
from tests.engine.sync.scene import HOOK, LEASE, SECRET, Scene, connect, points

NEW = "shpat_new0new0new0new0"
NEWER = "shpat_newer0newer0newer"


@pytest.fixture
def scene(runtime, tenant) -> Scene:
    return connect(runtime, tenant)


def live(scene: Scene) -> dict[str, tuple[str, ...]]:
    with scene.uow() as session:
        return dict(secrets.secrets_of(session, scene.runtime, scene.connection))


def rotate(scene: Scene, value: str, **more) -> None:
    with scene.uow() as session:
        connections.rotate(
            session,
            scene.runtime,
            scene.tenant.id,
            scene.connection.id,
            actor="key_test",
            secrets_given={"access_token": value},
            **more,
        )


def status(scene: Scene) -> ConnectionStatus:
    with scene.uow() as session:
        return connections.get(session, scene.tenant.id, scene.connection.id).status


def test_a_connection_has_its_secrets_its_limit_and_its_breaker(runtime, tenant) -> None:
    scene = connect(runtime, tenant, limit=None)

    assert live(scene) == {"access_token": (SECRET,), "webhook_secret": (HOOK,)}
    assert (scene.limit.kind, scene.limit.capacity, scene.limit.period_ms) == ("points", 2_000, 20_000)
    assert (scene.limit.level_micro, scene.breaker.state) == (2_000_000_000, "closed")


def test_what_is_written_down_is_sealed(scene: Scene) -> None:
    with scene.uow() as session:
        for table in ("sync_connections", "sync_secrets", "audit"):
            rows = session.execute(text(f"SELECT t::text FROM app.{table} t")).scalars().all()  # noqa: S608
            assert rows
            assert not [row for row in rows if SECRET in row or HOOK in row or SECRET.encode().hex() in row]


def test_nothing_secret_is_printed_or_passed_on(scene: Scene) -> None:
    with scene.uow() as session:
        found = secrets.secrets_of(session, scene.runtime, scene.connection)

    assert repr(found) == "Secrets(access_token: 1, webhook_secret: 1)"
    assert repr(found.sets()[0]) == "Credentials(access_token, webhook_secret)"
    assert SECRET not in f"{found} {found.sets()} {scene.client()!r}"
    for one in (found, found.sets()[0]):
        with pytest.raises(TypeError):
            pickle.dumps(one)


def test_a_sealed_row_opens_for_its_own_connection_alone(scene: Scene, runtime, tenant) -> None:
    other = connect(runtime, tenant, name="Other", secrets={"access_token": NEW})
    with scene.uow() as session:
        theirs = session.get_one(ConnectionSecret, (tenant.id, scene.connection.id, "access_token", 1))
        session.execute(
            update(ConnectionSecret)
            .where(ConnectionSecret.connection_id == other.connection.id)
            .values(sealed=theirs.sealed)
        )

    with pytest.raises(InvalidTag):
        live(other)


def test_a_secret_of_one_tenant_is_none_of_another(scene: Scene, runtime, make_tenant) -> None:
    with scene.uow() as session:
        row = session.get_one(ConnectionSecret, (scene.tenant.id, scene.connection.id, "access_token", 1))
    context = f"{scene.connection.id}|access_token|1"

    assert envelope.unseal(runtime.secret_key, scene.tenant.id, context, row.sealed) == SECRET
    with pytest.raises(InvalidTag):
        envelope.unseal(runtime.secret_key, make_tenant().id, context, row.sealed)


@pytest.mark.usefixtures("still_clock")
def test_a_replaced_secret_counts_for_an_hour_more(scene: Scene) -> None:
    rotate(scene, NEW)
    assert live(scene)["access_token"] == (NEW, SECRET)

    with clock.shifted(timedelta(minutes=59, seconds=59)):
        assert live(scene)["access_token"] == (NEW, SECRET)
    with clock.shifted(timedelta(hours=1)):
        assert live(scene)["access_token"] == (NEW,)
    assert live(scene)["webhook_secret"] == (HOOK,)


def test_two_are_live_and_never_three(scene: Scene) -> None:
    rotate(scene, NEW)
    rotate(scene, NEWER)

    assert live(scene)["access_token"] == (NEWER, NEW)
    with scene.uow() as session:
        rows = session.query(ConnectionSecret).filter(ConnectionSecret.field == "access_token").all()
    assert sorted(row.version for row in rows) == [2, 3]


@pytest.mark.usefixtures("still_clock")
def test_replacing_again_gives_an_old_one_no_more_time(scene: Scene) -> None:
    rotate(scene, NEW, overlap=timedelta(minutes=10))
    with clock.shifted(timedelta(minutes=5)):
        rotate(scene, NEWER, overlap=timedelta(hours=2))
        assert live(scene)["access_token"] == (NEWER, NEW)


def test_without_overlap_the_old_one_is_gone_at_once(scene: Scene) -> None:
    rotate(scene, NEW, overlap=timedelta())

    assert live(scene)["access_token"] == (NEW,)


def test_who_gets_new_secrets_is_called_again(scene: Scene) -> None:
    with scene.uow() as session:
        tried = secrets.secrets_of(session, scene.runtime, scene.connection)
        ids = (scene.tenant.id, scene.connection.id)
        assert connections.expire_auth(session, scene.runtime, *ids, tried=tried)
    assert status(scene) == ConnectionStatus.AUTH_EXPIRED

    rotate(scene, NEW)

    assert status(scene) == ConnectionStatus.ACTIVE
    with scene.uow() as session:
        (alert,) = session.query(Alert).filter(Alert.subject == scene.connection.id)
        assert (alert.kind, alert.resolved_at is not None) == ("connection_auth_expired", True)


def test_secrets_that_were_replaced_meanwhile_do_not_rest_the_connection(scene: Scene) -> None:
    with scene.uow() as session:
        tried = secrets.secrets_of(session, scene.runtime, scene.connection)
    rotate(scene, NEW)

    with scene.uow() as session:
        ids = (scene.tenant.id, scene.connection.id)
        assert not connections.expire_auth(session, scene.runtime, *ids, tried=tried)
    assert status(scene) == ConnectionStatus.ACTIVE


def test_paused_resumed_closed(scene: Scene) -> None:
    ids = (scene.tenant.id, scene.connection.id)
    with scene.uow() as session:
        connections.pause(session, *ids, actor="key_test", reason="Stocktaking")
        connections.resume(session, *ids, actor="key_test")
        connections.close(session, *ids, actor="key_test", reason="They left")
    assert (status(scene), live(scene)) == (ConnectionStatus.CLOSED, {})

    with scene.uow() as session:
        told = [(row.action, row.facts.get("to")) for row in session.query(AuditRow).order_by(AuditRow.id)]
        assert told == [
            ("connection.opened", None),
            ("connection.status_changed", "paused"),
            ("connection.status_changed", "active"),
            ("connection.status_changed", "closed"),
        ]
        with pytest.raises(IllegalTransition):
            connections.resume(session, *ids, actor="key_test")
    with pytest.raises(Conflict):
        rotate(scene, NEW)


def test_a_closed_connection_leaves_its_name(scene: Scene, runtime, tenant) -> None:
    with pytest.raises(connections.NameTaken):
        connect(runtime, tenant)
    with scene.uow() as session:
        connections.close(session, tenant.id, scene.connection.id, actor="key_test", reason="Moved")

    assert connect(runtime, tenant).connection.id != scene.connection.id


def test_the_table_of_states_says_everything() -> None:
    allowed = {(old, new) for old in ConnectionStatus for new in ConnectionStatus if CONNECTION.allows(old, new)}

    assert allowed == {
        ("active", "paused"), ("active", "auth_expired"), ("active", "closed"), ("paused", "active"),
        ("paused", "closed"), ("auth_expired", "active"), ("auth_expired", "paused"), ("auth_expired", "closed"),
    }  # fmt: skip


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"base_url": "http://shop.example.com"}, "https"),
        ({"base_url": "https://10.0.0.1/api?x=1"}, "no query"),
        ({"base_url": "https://user:pass@shop.example.com"}, "names no user"),
        ({"secrets": {"webhook_secret": HOOK}}, "needs access_token"),
        ({"secrets": {"access_token": SECRET, "password": "12345678"}}, "has the secrets"),
        ({"secrets": {"access_token": "short"}}, "8 to 8,192"),
        ({"secrets": {"access_token": f" {SECRET}"}}, "no blanks"),
        ({"settings": {"api_token": "x"}}, "no place for a secret"),
        ({"settings": {"account": [{"login": {"Password": "x"}}]}}, "no place for a secret"),
        ({"settings": {"note": f"use {SECRET}"}}, "repeats a secret"),
        ({"name": ""}, "1 to 80"),
    ],
)
def test_what_cannot_be_is_refused_and_nothing_is_kept(runtime, make_tenant, given, words) -> None:
    tenant = make_tenant(demo=False)
    with pytest.raises((InvalidInput, AddressRefused)) as refused:
        connect(runtime, tenant, **given)

    assert words in str(refused.value)
    assert SECRET not in str(refused.value)
    with runtime.unit_of_work(tenant.id) as session:
        assert session.query(Connection).count() == 0
        assert session.query(AuditRow).count() == 0


def test_this_machine_may_be_named_by_demo_shops_alone(runtime, make_tenant) -> None:
    assert connect(runtime, make_tenant(), base_url="http://127.0.0.1:9000/shopify").connection.id
    with pytest.raises(AddressRefused):
        connect(runtime, make_tenant(demo=False), base_url="http://127.0.0.1:9000/shopify")


def test_a_rotation_that_settings_give_away_is_refused(runtime, tenant) -> None:
    scene = connect(runtime, tenant, settings={"note": f"was {NEW}"})

    with pytest.raises(InvalidInput):
        rotate(scene, NEW)
    assert live(scene)["access_token"] == (SECRET,)


def test_settings_and_limit_are_changed_and_told(scene: Scene) -> None:
    with scene.uow() as session:
        connections.change(
            session,
            scene.runtime,
            scene.tenant.id,
            scene.connection.id,
            actor="key_test",
            base_url="https://shop.example.com/admin/api/2026-10/",
            settings={"location": "1"},
            limit=points(100, 10),
        )
        row = session.query(AuditRow).order_by(AuditRow.id.desc()).first()

    assert row.facts == {
        "base_url": "https://shop.example.com/admin/api/2026-10",
        "settings": ["location"],
        "limit": {"kind": "points", "capacity": 100, "period_ms": 10_000},
    }
    assert (scene.limit.kind, scene.limit.capacity) == ("points", 100)
    with scene.uow() as session:
        found = connections.get(session, scene.tenant.id, scene.connection.id)
    assert (found.base_url, found.settings) == ("https://shop.example.com/admin/api/2026-10", {"location": "1"})


def test_secrets_do_not_follow_to_another_host(scene: Scene) -> None:
    where = (scene.runtime, scene.tenant.id, scene.connection.id)
    with scene.uow() as session, pytest.raises(InvalidInput, match="given for"):
        connections.change(session, *where, actor="key_test", base_url="https://shop.example.com.thief.example/admin")
    with scene.uow() as session:
        assert connections.get(session, *where[1:]).base_url == "https://shop.example.com/admin"


@pytest.mark.parametrize(
    "limit",
    [
        {"kind": LimitKind.POINTS},
        {"kind": LimitKind.REQUESTS, "capacity": 0, "period_ms": 1},
        {"kind": LimitKind.CONCURRENCY},
        {"kind": LimitKind.CONCURRENCY, "max_in_flight": 4, "capacity": 3},
        {"kind": LimitKind.POINTS, "capacity": 5, "period_ms": 5, "max_in_flight": 0},
    ],
)
def test_a_limit_that_limits_nothing_is_refused(limit) -> None:
    with pytest.raises(InvalidInput):
        LimitPolicy(**limit)


def test_one_of_a_system_is_found_and_two_are_told_apart(scene: Scene, runtime, tenant) -> None:
    with scene.uow() as session:
        assert connections.only(session, tenant.id, System.SHOPIFY).id == scene.connection.id
        with pytest.raises(NotFound):
            connections.only(session, tenant.id, System.NETSUITE)
    connect(runtime, tenant, name="Second")
    with scene.uow() as session, pytest.raises(Conflict):
        connections.only(session, tenant.id, System.SHOPIFY)


def test_calls_leave_while_somebody_changes_the_connection(scene: Scene) -> None:
    """Who changes it goes on to its limit; who calls has that, and points at the connection: nobody waits in a ring."""
    with scene.uow() as changing, scene.uow() as calling:
        connections.get(changing, scene.tenant.id, scene.connection.id, lock=True)
        calling.execute(text("SET LOCAL lock_timeout = '5s'"))
        ids = (scene.tenant.id, scene.connection.id)
        assert isinstance(limits.take(calling, *ids, permit_id="prm_1", cost=1, lease=LEASE), Taken)
