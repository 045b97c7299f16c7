"""The short form: each kind of fault once, each workflow dies once, at places that a seed chooses."""

from __future__ import annotations

import pytest

from engine.kit.tenancy import Tenant
from engine.runtime import Runtime
from engine.sync.sandbox.faults import Kind
from engine.workflows.rehearsal import When
from tests.chaos.scene import KINDS, SYSTEMS, Scene, Storm, set_scene, what_is_wrong

STORMS = [
    Storm(
        kind=kind,
        system={Kind.THROTTLED_POINTS: "shopify", Kind.CONCURRENCY_EXCEEDED: "netsuite", Kind.PARTIAL_BATCH: "dcl"}.get(
            kind, SYSTEMS[number % len(SYSTEMS)]
        ),
        seed=100 + number,
        dies=("shopifyToNetsuite", "netsuiteToDCL", "dclTrackingUpdate", "netsuiteInvoice")[number % 4],
        when=list(When)[number % 3],
    )
    for number, kind in enumerate(KINDS)
]


def named(storm: Storm) -> str:
    return f"{storm.kind}-{storm.system}-{storm.dies}-{storm.when}"


@pytest.fixture
def play(runtime: Runtime, tenant: Tenant) -> object:
    def played(storm: Storm) -> Scene:
        with set_scene(runtime, tenant, storm) as scene:
            scene.play_to_the_end()
            assert what_is_wrong(scene) == []
            return scene

    return played


def test_in_fair_weather_everything_is_done_once(runtime: Runtime, tenant: Tenant) -> None:
    with set_scene(runtime, tenant, Storm()) as scene:
        scene.play_to_the_end()
        assert what_is_wrong(scene) == []
        assert scene.played["netsuiteToDCL"] > 0
        assert scene.played["dclTrackingUpdate"] > 0


@pytest.mark.parametrize("storm", STORMS, ids=named)
def test_whatever_strikes_everything_is_done_once_in_the_end(runtime: Runtime, tenant: Tenant, storm: Storm) -> None:
    with set_scene(runtime, tenant, storm) as scene:
        scene.play_to_the_end()
        assert what_is_wrong(scene) == []
        assert scene.struck > 0
