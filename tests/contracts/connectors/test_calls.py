"""Every call of every connector, against a recording of it: what goes out is compared to the letter, and what is made
of the answers. The recordings are of the emulated vendors, not of real accounts; a recording of a real one takes the
place of its namesake, and the emulator is held to it.
"""

from __future__ import annotations

from typing import Any

import pytest

from engine.kit import clock
from engine.kit.tenancy import Tenant
from engine.runtime import Runtime
from engine.sync.models import System
from engine.sync.sandbox import World
from tests.contracts.connectors import bench, cassettes, scenes
from tests.contracts.connectors.conftest import Open

EVERY = [pytest.param(*one, id="/".join(one)) for one in scenes.every_call()]


def tried(call: scenes.Call, connector: Any, told: Any) -> Any:
    return scenes.plain(call.do(connector, told))


@pytest.mark.parametrize(("system", "name"), EVERY)
def test_a_call_is_played_back(
    runtime: Runtime, tenant: Tenant, hands: clock.OwnClock, system: System, name: str
) -> None:
    call, known = scenes.calls_of(system)[name], bench.usual_credentials()
    connection = bench.connect(runtime, tenant.id, system, known)
    world = bench.new_world() if cassettes.recording() else None
    line = bench.line_to(world).handle_request if world else cassettes.nobody
    told = call.prepare(world, world.merchants[0]) if world else None
    with cassettes.played(f"{system}/{name}", line, bench.secrets_of(known)) as tape:
        told = tape.keep("told", told)
        found = tried(call, scenes.opened(runtime, tenant.id, connection, tape.line, hands), told)
        assert found == tape.keep("result", found)


@pytest.mark.parametrize(("system", "name"), EVERY)
def test_the_emulator_answers_as_it_was_recorded(open_live: Open, world: World, system: System, name: str) -> None:
    call = scenes.calls_of(system)[name]
    told = call.prepare(world, world.merchants[0])
    assert tried(call, open_live(system), told) == cassettes.kept(f"{system}/{name}", "result")


@pytest.mark.parametrize("system", scenes.MODULES)
def test_every_method_that_is_promised_is_recorded(open_live: Open, world: World, system: System) -> None:
    asked: set[str] = set()
    connector = open_live(system)
    for call in scenes.calls_of(system).values():
        told = call.prepare(world, world.merchants[0])
        try:
            scenes.plain(call.do(scenes.Watched(connector, asked), told))
        except Exception:  # noqa: BLE001, S112 (they share one world here, and may be in each other's way)
            continue
    promised = {name for one in connector.capabilities for name in scenes.promised(system, one)}
    assert promised - asked - {"verify", "delivery"} == set()  # they ask nothing, and are tried with letters


def test_nothing_secret_is_on_any_cassette() -> None:
    secrets = bench.secrets_of(bench.usual_credentials())
    pages = {path: path.read_text() for path in cassettes.FOLDER.rglob("*.yaml")}
    assert len(pages) == len(scenes.every_call())
    spelled = [word for secret in secrets for word in cassettes.spellings(secret)]
    assert [(str(path), secret) for path, page in pages.items() for secret in spelled if secret in page] == []
    assert [path.name for path, page in pages.items() if "authorization" in page.lower()] == []
