"""Two shops at work at once, requests interleaved as they were drawn: nothing of one is anywhere with the other."""

from __future__ import annotations

import os
import random

import httpx
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from engine.kit import audit
from engine.runtime import Runtime
from engine.sync.sandbox import WorldTransport
from tests.chaos.crossing import Beside, asked, crossed, marks_of, play, several, switches
from tests.chaos.oracle import what_is_wrong
from tests.conftest import new_tenant

EXAMPLES = int(os.environ.get("ICOMMERCE_ISOLATION_EXAMPLES", "1"))
pytestmark = pytest.mark.timeout(300 * EXAMPLES)  # thousands of requests, on a machine that may do other things
SHOPS = 2


def turns(seed: int) -> list[int]:
    """Whose turn it is, again and again: the simplest of them is no simple one."""
    dice = random.Random(seed)  # noqa: S311 (reproducible, not secret)
    return [dice.randrange(SHOPS) for _ in range(997)]


@settings(
    derandomize=True,
    database=None,
    deadline=None,
    max_examples=EXAMPLES,
    phases=[Phase.generate],
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture, HealthCheck.data_too_large],
)
@given(draws=st.integers(min_value=1).map(turns))
def test_nothing_of_one_shop_is_ever_with_another(runtime: Runtime, draws: list[int]) -> None:
    with several(runtime, [new_tenant(runtime.store) for _ in range(SHOPS)]) as scenes:
        play(scenes, draws)
        assert [len(marks_of(scene)) > 15 for scene in scenes] == [True] * SHOPS
        assert crossed(scenes) == []
        assert [{entry.system for entry in asked(scene)} for scene in scenes] == [
            {"shopify", "netsuite", "dcl"}
        ] * SHOPS
        assert switches(scenes) > 100
        for scene in scenes:
            assert what_is_wrong(scene) == []
            assert scene.played["shopifyToNetsuite"] >= 2
            assert scene.played["dclTrackingUpdate"] > 0
        assert_it_would_be_seen(*scenes)


def assert_it_would_be_seen(one: Beside, other: Beside) -> None:
    """A request and a row that name another's order are found."""
    its, domain = other.an_order, one.merchant.credentials.shop_domain
    with httpx.Client(transport=WorldTransport(one.world), base_url=f"http://sandbox/shopify/{domain}") as line:
        line.post("/admin/api/2026-10/graphql.json", json={"query": "{shop{name}}", "variables": {"id": its}})
    with one.runtime.unit_of_work(one.tenant.id) as session:
        audit.record(session, one.tenant.id, actor="system", action="test.crossed", subject=its)
    path = "/admin/api/2026-10/graphql.json"
    assert [found.replace(f"/shopify/{domain}", "") for found in crossed([one, other])] == [
        f"shopify {path} of {one.tenant.slug} names another's",
        f"audit of {one.tenant.slug} names another's",
    ]
