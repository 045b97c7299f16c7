"""What every connector keeps, whatever system is behind it."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from engine.kit import clock
from engine.kit.errors import NotFound
from engine.kit.tenancy import Tenant
from engine.runtime import Runtime
from engine.sync.connectors import NotSupported, class_of, opened_as
from engine.sync.errors import AuthExpired, RateLimited, Rejected, SyncError, Transient, UnknownOutcome
from engine.sync.models import System
from engine.sync.recording import Recording
from engine.sync.sandbox import World
from tests.conftest import MakeTenant
from tests.contracts.connectors import bench, scenes
from tests.contracts.connectors.conftest import Open

SYSTEMS = list(scenes.MODULES)
READS = [pytest.param(*one, id="/".join(one)) for one in scenes.reading()]
READS_EACH = [pytest.param(*one, id="/".join(one)) for one in scenes.reading_each()]
WRITES = [pytest.param(*one, id="/".join(one)) for one in scenes.writing()]
Put = Callable[..., Any]
ACCIDENTS = [
    ("http_429", RateLimited),
    ("http_503", Transient),
    ("http_500", Transient),
    ("timeout_before_commit", Transient),
    ("connection_reset", Transient),
    ("truncated_json", Transient),
    ("auth_expired", AuthExpired),
]


@pytest.mark.parametrize("system", SYSTEMS)
def test_it_has_what_it_declares_and_says_no_to_the_rest(system: System) -> None:
    connector = class_of(system)
    assert connector.system == system
    assert {one.capability for one in scenes.calls_of(system).values()} == connector.capabilities
    for capability in connector.capabilities:
        assert [name for name in scenes.promised(system, capability) if not hasattr(connector, name)] == []


@pytest.mark.parametrize("system", SYSTEMS)
def test_opening_asks_nothing_and_needs_its_own_tenant(
    runtime: Runtime, make_tenant: MakeTenant, open_live: Open, world: World, hands: clock.OwnClock, system: System
) -> None:
    connector = open_live(system)
    assert world.ground.journal.entries(system=system) == []
    assert connector.account
    other = make_tenant()
    with pytest.raises(NotFound):
        scenes.opened(runtime, other.id, connector._client.connection_id, httpx.MockTransport(_nobody), hands)


@pytest.mark.parametrize("system", SYSTEMS)
def test_it_is_opened_as_what_it_is(runtime: Runtime, tenant: Tenant, system: System) -> None:
    connection = bench.connect(runtime, tenant.id, system, bench.usual_credentials())
    kinds = scenes.EVERYBODY - {system}
    with pytest.raises(NotSupported):
        opened_as(runtime, tenant.id, connection, kinds)


@pytest.mark.parametrize(("kind", "meaning"), ACCIDENTS, ids=[kind for kind, _ in ACCIDENTS])
@pytest.mark.parametrize(("system", "name"), READS_EACH)
def test_an_accident_while_reading_is_what_it_means(
    open_live: Open, world: World, put: Put, system: System, name: str, kind: str, meaning: type[SyncError]
) -> None:
    call = scenes.calls_of(system)[name]
    told, connector = call.prepare(world, world.merchants[0]), open_live(system)
    put(system, kind, times=9, params={"retry_after": 90} if kind == "http_429" else {})  # longer than anybody waits
    with pytest.raises(SyncError) as error:
        scenes.plain(call.do(connector, told))
    assert type(error.value) is meaning


@pytest.mark.parametrize(("system", "name"), READS)
def test_pages_that_come_half_hold_nothing_back(
    open_live: Open, world: World, put: Put, system: System, name: str
) -> None:
    call = scenes.calls_of(system)[name]
    told, connector = call.prepare(world, world.merchants[0]), open_live(system)
    whole = scenes.plain(call.do(connector, told))
    for times in (1, 1_000):
        put(system, "partial_page", times=times)
        halved = scenes.plain(call.do(connector, told))
        assert _unordered(halved) == _unordered(whole)


@pytest.mark.parametrize(("system", "name"), READS)
def test_an_answer_without_its_list_is_never_an_empty_one(
    open_live: Open, world: World, put: Put, system: System, name: str
) -> None:
    call = scenes.calls_of(system)[name]
    if not call.lists:
        pytest.skip("it is given by no list")
    told, connector = call.prepare(world, world.merchants[0]), open_live(system)
    put(system, "schema_drift", times=9, params={"op": "remove", "path": call.lists})
    with pytest.raises(Rejected):
        scenes.plain(call.do(connector, told))


@pytest.mark.parametrize(("system", "name"), READS)
def test_documents_say_whose_they_are_and_survive_json(
    open_live: Open, world: World, system: System, name: str
) -> None:
    call = scenes.calls_of(system)[name]
    told, connector = call.prepare(world, world.merchants[0]), open_live(system)
    one: Any
    for one in scenes.documents(call.do(connector, told)):
        assert type(one).model_validate_json(one.model_dump_json()) == one
        if hasattr(one, "source"):
            assert (one.source, one.account) == (system, connector.account)


@pytest.mark.parametrize(("system", "name"), WRITES)
def test_what_is_done_twice_is_done_once(open_live: Open, world: World, system: System, name: str) -> None:
    call = scenes.calls_of(system)[name]
    told, connector = call.prepare(world, world.merchants[0]), open_live(system)
    first = scenes.plain(call.do(connector, told))
    second = scenes.plain(call.do(connector, told))
    assert (second, call.counted(world)) == (first, 1)


@pytest.mark.parametrize("when", ["before_commit", "after_commit"])
@pytest.mark.parametrize(("system", "name"), WRITES)
def test_a_lost_answer_is_told_and_doing_it_again_does_it_once(
    open_live: Open, world: World, put: Put, system: System, name: str, when: str
) -> None:
    call = scenes.calls_of(system)[name]
    told, connector = call.prepare(world, world.merchants[0]), open_live(system)
    lost = put(system, f"timeout_{when}", match=dict(call.match))
    with pytest.raises((UnknownOutcome, Transient)):
        scenes.plain(call.do(connector, told))
    assert (lost.struck, call.counted(world) <= 1) == (1, True)
    scenes.plain(call.do(connector, told))
    assert call.counted(world) == 1


@pytest.mark.parametrize(("system", "name"), WRITES)
def test_in_the_shadow_nothing_leaves(open_live: Open, world: World, system: System, name: str) -> None:
    call = scenes.calls_of(system)[name]
    told = call.prepare(world, world.merchants[0])
    shadow = Recording()
    with contextlib.suppress(SyncError):  # what it would be answered nobody knows
        scenes.plain(call.do(open_live(system, shadow=shadow), told))
    assert call.counted(world) == 0
    assert [one for one in shadow.requests if not one.reads] != []


@pytest.mark.parametrize("system", scenes.telling())
def test_a_letter_is_believed_by_any_live_secret_and_no_other(world: World, system: System) -> None:
    connector, letter = class_of(system), scenes.letter_of(system)(world, world.merchants[0])
    account = bench.account_of(system, world.merchants[0].credentials)
    secret = account.secrets[connector.hook_secret]
    for secrets in ([secret], ["another-secret", secret], [secret, "another-secret"]):
        assert connector.verify(letter.headers, letter.body, secrets)
    for secrets in ([], ["another-secret"], [""]):
        assert not connector.verify(letter.headers, letter.body, secrets)
    assert not connector.verify(letter.headers, letter.body + b" ", [secret])
    assert not connector.verify({}, letter.body, [secret])


@pytest.mark.parametrize("system", scenes.telling())
def test_a_letter_has_a_name_and_a_topic_and_says_what_it_promises(
    open_live: Open, world: World, system: System
) -> None:
    connector, letter = class_of(system), scenes.letter_of(system)(world, world.merchants[0])
    told = connector.delivery(letter.headers)
    assert told.delivery_id
    assert told.topic
    assert connector.delivery({}) is None
    opened = open_live(system)
    [read] = opened.read(told.topic, letter.body)
    assert read.account == opened.account
    assert opened.read("something/else", letter.body) == []
    for broken in (b"", b"{", b"[]", b"{}"):
        with pytest.raises(Rejected):
            opened.read(told.topic, broken)


@pytest.mark.parametrize("system", SYSTEMS)
def test_what_it_does_not_declare_it_does_not_do(open_live: Open, system: System) -> None:
    connector = open_live(system)
    declared = {name for one in connector.capabilities for name in scenes.promised(system, one)}
    for name in scenes.port_of(system) - declared:
        with pytest.raises(NotSupported):
            getattr(connector, name)()


def _nobody(request: httpx.Request) -> httpx.Response:
    raise AssertionError(f"{request.url.path} was asked")


def _unordered(found: Any) -> Any:
    return sorted(found, key=repr) if isinstance(found, list) else found
