"""The short form: fair weather, and storms in which something dies. All of it is ``python -m tests.chaos``."""

from __future__ import annotations

import pytest

from engine.kit.tenancy import Tenant
from engine.runtime import Runtime
from engine.sync.sandbox.faults import Kind
from engine.workflows.rehearsal import When
from tests.chaos.scene import Storm, set_scene, what_is_wrong

pytestmark = pytest.mark.timeout(300)  # thousands of requests each, on a machine that may do other things
STORMS = [
    Storm(Kind.HTTP_503, "netsuite", dies="shopifyToNetsuite", when=When.INSIDE, seed=101),
    Storm(Kind.TIMEOUT_AFTER_COMMIT, "dcl", dies="netsuiteToDCL", when=When.INSIDE, seed=102),
    Storm(Kind.TIMEOUT_AFTER_COMMIT, "shopify", dies="dclTrackingUpdate", when=When.INSIDE, seed=103),
    Storm(Kind.TIMEOUT_AFTER_COMMIT, "netsuite", dies="netsuiteInvoice", when=When.AFTER, seed=104),
    Storm(Kind.PARTIAL_BATCH, "dcl", dies="dclPoNotification", when=When.BEFORE, seed=105, probability=0.8),
]


def named(storm: Storm) -> str:
    return f"{storm.kind}-{storm.system}-{storm.dies}-{storm.when}"


def test_in_fair_weather_everything_is_done_once(runtime: Runtime, tenant: Tenant) -> None:
    with set_scene(runtime, tenant, Storm(stock=True)) as scene:
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
