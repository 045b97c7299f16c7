"""The shadow: what a run would send, and how that differs from what its live one sent."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import httpx
import pytest
from sqlalchemy import select

from engine.kit import clock
from engine.kit.errors import NotFound
from engine.kit.tenancy import Tenant
from engine.operations.pipeline import shadows
from engine.runtime import Runtime
from engine.sync.client import VendorClient
from engine.sync.models import Call, CallMode, Xref
from engine.workflows import registry, starting
from engine.workflows.access import Wiring
from engine.workflows.definition import Workflow
from engine.workflows.models import RunMode, RunRow, RunStatus
from engine.workflows.rehearsal import rehearse
from engine.workflows.shadow import dry_run, replay
from tests.engine.workflows.shadow_scene import SECRET, Server, Shadows
from tests.engine.workflows.toys import Toy, registered, toy


@pytest.fixture
def scene(runtime: Runtime, tenant: Tenant) -> Shadows:
    return Shadows(runtime, tenant)


@pytest.fixture
def server(scene: Shadows) -> Server:
    return scene.server


@pytest.fixture
def bodies(scene: Shadows) -> Callable[..., Workflow[Toy]]:
    return scene.workflow


def links(runtime: Runtime, tenant: Tenant) -> int:
    with runtime.unit_of_work(tenant.id) as session:
        return len(list(session.scalars(select(Xref).where(Xref.tenant_id == tenant.id))))


def test_a_dry_run_tells_what_would_be_sent_and_sends_and_keeps_nothing(
    runtime: Runtime, tenant: Tenant, server: Server, bodies: Callable[..., Workflow[Toy]]
) -> None:
    with registered(bodies()):
        told = dry_run(runtime, tenant.id, "toy", {"ref": "#1"})
    assert (told.status, [(one.method, one.path) for one in told.requests]) == (
        "done",
        [("PUT", "/order"), ("POST", "/bill/")],
    )
    assert '"item":"77"' in told.requests[0].request
    assert (server.wrote, links(runtime, tenant)) == ([], 0)


def test_a_version_that_would_send_the_same_differs_in_nothing(
    runtime: Runtime, tenant: Tenant, server: Server, bodies: Callable[..., Workflow[Toy]]
) -> None:
    rehearse(runtime, tenant.id, bodies(), Toy(ref="#1"))
    assert len(server.wrote) == 2
    since = clock.now() - timedelta(hours=1)
    with registered(bodies("1.1.0")):
        (one,) = replay(runtime, tenant.id, "toy", "1.1.0", since=since)
    assert (one.same, one.missing, one.extra, one.status) == (True, [], [], "done")
    assert (len(server.wrote), links(runtime, tenant)) == (2, 1)


def test_a_version_that_would_send_something_else_is_told(
    runtime: Runtime, tenant: Tenant, server: Server, bodies: Callable[..., Workflow[Toy]]
) -> None:
    rehearse(runtime, tenant.id, bodies(), Toy(ref="#1"))
    since = clock.now() - timedelta(hours=1)
    with registered(bodies("1.1.0", quantity=2)):
        (one,) = replay(runtime, tenant.id, "toy", "1.1.0", since=since)
    assert not one.same
    assert [request.path for request in one.missing] == ["/order", "/bill/9001"]
    assert '"quantity":2' in one.extra[0].request
    assert len(server.wrote) == 2


def test_the_gate_is_open_once_all_were_played_and_none_differs(
    runtime: Runtime, tenant: Tenant, scene: Shadows
) -> None:
    since = clock.now() - timedelta(hours=1)

    def gate() -> tuple[Any, ...]:
        with runtime.unit_of_work(tenant.id) as session:
            (one,) = shadows.gates(session, tenant.id)
        return one.version, one.runs, one.played, one.same, one.differ, one.unfinished, one.ready, one.reason

    for ref in ("#1", "#2"):
        rehearse(runtime, tenant.id, scene.workflow(), Toy(ref=ref))
    with registered(scene.workflow("1.1.0", quantity=2)):
        list(replay(runtime, tenant.id, "toy", "1.1.0", since=since))
    assert gate() == ("1.1.0", 2, 2, 0, 2, 0, False, "2 of 2 differ.")
    with registered(scene.workflow("1.1.0")):
        list(replay(runtime, tenant.id, "toy", "1.1.0", since=since, most=1))
        assert gate() == ("1.1.0", 2, 1, 1, 0, 0, False, "Only 1 of 2 were played.")
        list(replay(runtime, tenant.id, "toy", "1.1.0", since=since))
    assert gate() == ("1.1.0", 2, 2, 2, 0, 0, True, "All 2 would send what was sent.")
    with clock.shifted(shadows.LATELY), runtime.unit_of_work(tenant.id) as session:
        assert shadows.gates(session, tenant.id) == []


def test_who_asks_a_system_in_the_shadow_waits_for_room_as_everybody_does(
    runtime: Runtime, tenant: Tenant, scene: Shadows, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked, slept = list[str](), list[float]()

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request.url.path)
        return httpx.Response(429, headers={"Retry-After": "40"}) if len(asked) == 1 else httpx.Response(200, json={})

    def sleep(seconds: float) -> None:
        slept.append(seconds)
        monkeypatch.setattr(clock, "_offset", clock._offset + timedelta(seconds=seconds))

    def body(run: Any, _: Toy) -> dict[str, Any]:
        client = VendorClient(run.outside, run.tenant_id, scene.scene.connection, **vars(run.wiring))
        return {"status": run.step("item", lambda: client.request("GET", "/item").status)}

    monkeypatch.setattr("engine.sync.client.guarded", lambda *_, **__: httpx.MockTransport(answer))
    monkeypatch.setattr("engine.workflows.rehearsal.time.sleep", sleep)
    with registered(toy(body)):
        told = dry_run(runtime, tenant.id, "toy", {"ref": "#1"})
    assert (told.status, told.result, asked) == ("done", {"status": 200}, ["/item", "/item"])
    assert 39 < sum(slept) <= 41
    with runtime.unit_of_work(tenant.id) as session:
        assert all(call.at <= clock.now() for call in session.scalars(select(Call)))


def test_what_differs_is_told_value_by_value_and_without_secrets(
    runtime: Runtime, tenant: Tenant, scene: Shadows
) -> None:
    rehearse(runtime, tenant.id, scene.workflow(), Toy(ref="#1"))
    with registered(scene.workflow("1.1.0", quantity=2)):
        list(replay(runtime, tenant.id, "toy", "1.1.0", since=clock.now() - timedelta(hours=1)))
    with runtime.unit_of_work(tenant.id) as session:
        gate = shadows.gate(session, tenant.id, "toy", "1.1.0")
        (one,) = shadows.differences(session, tenant.id, gate).items
        with pytest.raises(NotFound):
            shadows.gate(session, tenant.id, "toy", "1.2.0")
    assert (one.run_id, one.subject, one.was, one.would) == (f"{tenant.id}:toy:#1", "order #1", "done", "done")
    (changed,) = one.changed
    assert (changed.method, changed.path) == ("PUT", "/order")
    assert [(each.path, each.was, each.would) for each in changed.changes] == [("body.quantity", "1", "2")]
    assert ([each.path for each in one.missing], [each.path for each in one.extra]) == (["/bill/9001"], ["/bill/"])
    assert SECRET not in one.model_dump_json()


def test_a_replay_that_breaks_off_leaves_nothing_open_and_the_gate_closed(
    runtime: Runtime, tenant: Tenant, scene: Shadows, monkeypatch: pytest.MonkeyPatch
) -> None:
    rehearse(runtime, tenant.id, scene.workflow(), Toy(ref="#1"))
    since = clock.now() - timedelta(hours=1)
    with registered(scene.workflow("1.1.0")):
        with monkeypatch.context() as patched:
            patched.setattr("engine.workflows.rehearsal.perform", broken)
            with pytest.raises(KeyboardInterrupt):
                list(replay(runtime, tenant.id, "toy", "1.1.0", since=since))
        with runtime.unit_of_work(tenant.id) as session:
            gate = shadows.gate(session, tenant.id, "toy", "1.1.0")
            (row,) = session.scalars(select(RunRow).where(RunRow.mode == RunMode.SHADOW))
            assert (row.status, row.error) == ("canceled", "Its replay broke off.")
        assert (gate.ready, gate.reason) == (
            False,
            "1 of 1 were not played to their end: the replay broke off.",
        )
        (one,) = replay(runtime, tenant.id, "toy", "1.1.0", since=since)
    assert one.same


def test_a_shadow_that_its_process_left_open_is_played_from_its_top(
    runtime: Runtime, tenant: Tenant, scene: Shadows
) -> None:
    rehearse(runtime, tenant.id, scene.workflow(), Toy(ref="#1"))
    since = clock.now() - timedelta(hours=1)
    with registered(scene.workflow("1.1.0", quantity=2)):
        list(replay(runtime, tenant.id, "toy", "1.1.0", since=since))
        with runtime.unit_of_work(tenant.id) as session:
            (row,) = session.scalars(select(RunRow).where(RunRow.mode == RunMode.SHADOW))
            row.status, row.ended_at, row.result = RunStatus.RUNNING, None, None
        (one,) = replay(runtime, tenant.id, "toy", "1.1.0", since=since)
    assert [request.path for request in one.extra] == ["/order", "/bill/"]
    with runtime.unit_of_work(tenant.id) as session:
        calls = starting.calls(session, tenant.id, row.id)
        assert [(call.method, call.path) for call in calls if not call.reads] == [("PUT", "/order"), ("POST", "/bill/")]


def broken(*_: Any) -> None:
    raise KeyboardInterrupt


@pytest.mark.parametrize(
    ("was", "would", "expected"),
    [
        ('{"a":1,"b":[{"c":"x"}]}', '{"a":1,"b":[{"c":"y"}]}', [("b[0].c", "x", "y")]),
        ('{"a":1}', '{"a":1,"n":null}', [("n", None, "null")]),
        ('{"a":{}}', "{}", [("a", "{}", None), ("", None, "{}")]),
        ("no document", "none", [("", "no document", "none")]),
        ('{"cut":"', '{"cut":"', []),
    ],
)
def test_two_requests_are_compared_by_their_values(
    was: str, would: str, expected: list[tuple[str, str | None, str | None]]
) -> None:
    assert [(one.path, one.was, one.would) for one in shadows.changes(was, would)] == expected


def test_a_version_that_is_not_there_is_refused_by_name(
    runtime: Runtime, tenant: Tenant, bodies: Callable[..., Workflow[Toy]]
) -> None:
    with registered(bodies()), pytest.raises(registry.VersionGone, match=r"there are: 1\.0\.0"):
        list(replay(runtime, tenant.id, "toy", "2.0.0", since=clock.now()))


def test_a_run_goes_on_under_the_same_major_number_alone(bodies: Callable[..., Workflow[Toy]]) -> None:
    with registered(bodies("1.4.0")):
        assert registry.at("toy", "1.0.0").version == "1.4.0"
        with pytest.raises(registry.VersionGone):
            registry.at("toy", "2.0.0")


def test_calls_of_the_shadow_are_marked(runtime: Runtime, tenant: Tenant, bodies: Callable[..., Workflow[Toy]]) -> None:
    with registered(bodies()):
        told = dry_run(runtime, tenant.id, "toy", {"ref": "#1"}, wiring=Wiring())
    with runtime.unit_of_work(tenant.id) as session:
        modes = [call.mode for call in starting.calls(session, tenant.id, told.run_id)]
    assert modes == [CallMode.LIVE, CallMode.SHADOW, CallMode.SHADOW]
