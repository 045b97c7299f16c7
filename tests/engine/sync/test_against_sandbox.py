"""The client against emulated systems: their limits are never exceeded, however many ask at once, and faults are told
apart as they are meant.
"""

from __future__ import annotations

import contextvars
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest

from engine.kit import clock
from engine.sync.client import VendorClient
from engine.sync.dialects import BasicDialect, TokenDialect
from engine.sync.errors import AuthExpired, RateLimited, SyncError, Transient, UnknownOutcome
from engine.sync.limits import Feedback
from engine.sync.models import System
from engine.sync.sandbox.faults import Kind, Rule
from engine.sync.sandbox.merchants import Credentials
from engine.sync.sandbox.transport import WorldTransport
from engine.sync.sandbox.world import World
from engine.sync.wire import Outgoing, Reply
from tests.engine.sync.scene import Scene, connect

START = datetime(2036, 11, 1, tzinfo=UTC)
QUERY = {"query": "{ products(first: 50) { nodes { id title } } }"}


class Dcl(BasicDialect):
    user, password = "user", "password"


class Shopify(TokenDialect):
    header = "X-Shopify-Access-Token"

    def refused(self, request: Outgoing, reply: Reply) -> SyncError | None:
        errors = reply.data.get("errors", []) if isinstance(reply.data, Mapping) else []
        if isinstance(errors, list) and any(one.get("extensions", {}).get("code") == "THROTTLED" for one in errors):
            return RateLimited("Throttled.", retry_after=1, answer=reply.status)
        return super().refused(request, reply)

    def feedback(self, reply: Reply) -> Feedback:
        cost = (reply.data or {}).get("extensions", {}).get("cost")
        if not cost:
            return super().feedback(reply)
        status = cost["throttleStatus"]
        return Feedback(
            cost=cost["actualQueryCost"],
            available=int(status["currentlyAvailable"]),
            capacity=int(status["maximumAvailable"]),
            restore_per_second=int(status["restoreRate"]),
        )


def dcl(runtime, tenant, known: Credentials) -> Scene:
    return connect(
        runtime,
        tenant,
        system=System.DCL,
        base_url="http://127.0.0.1:9999/dcl/api/v1",
        settings={"user": known.dcl_username},
        secrets={"password": known.dcl_password},
        limit=None,
    )


def shopify(runtime, tenant, known: Credentials) -> Scene:
    return connect(
        runtime,
        tenant,
        base_url=f"http://127.0.0.1:9999/shopify/{known.shop_domain}/admin/api/2026-10",
        secrets={"access_token": known.shopify_access_token},
        limit=None,
    )


def many(scene: Scene, dialect, world: World, ask, number: int) -> tuple[list[int], timedelta]:
    """The same by eight threads at once, in a time that passes when one of them waits."""
    with clock.own(START) as hands:
        client = scene.client(
            dialect,
            transport=WorldTransport(world),
            patience=10_000.0,
            sleep=lambda seconds: hands.move(timedelta(seconds=seconds)),
        )
        contexts = [contextvars.copy_context() for _ in range(number)]
        with ThreadPoolExecutor(8) as pool:
            work = [pool.submit(one.run, ask, client) for one in contexts]
            return [one.result() for one in work], clock.now() - START


def answers(world: World, system: str) -> list[int | None]:
    return [one.status for one in world.ground.journal.entries(system=system)]


def test_ten_requests_in_two_seconds_and_no_more(runtime, tenant) -> None:
    with clock.own(START):
        world = World.preset("summit")
        scene = dcl(runtime, tenant, world.merchants[0].credentials)

    def ask(client: VendorClient) -> int:
        return client.request("GET", "/items").status

    found, took = many(scene, Dcl, world, ask, 40)

    assert (found, answers(world, "dcl")) == ([200] * 40, [200] * 40)
    assert took >= timedelta(seconds=6)


def test_a_bucket_of_points_is_never_overdrawn(runtime, tenant) -> None:
    with clock.own(START):
        world = World.preset("summit")
        known = world.merchants[0].credentials
        scene = shopify(runtime, tenant, known)

    def ask(client: VendorClient) -> int:
        return client.request("POST", "/graphql.json", json=QUERY, reads=True, cost=500).status

    found, _ = many(scene, Shopify, world, ask, 24)

    assert found == [200] * 24
    assert world.merchants[0].shop.bucket.refusals == 0


@pytest.mark.parametrize(
    ("kind", "reads", "wanted"),
    [
        (Kind.HTTP_429, False, RateLimited),
        (Kind.HTTP_503, False, Transient),
        (Kind.HTTP_500, False, UnknownOutcome),
        (Kind.HTTP_500, True, Transient),
        (Kind.TIMEOUT_AFTER_COMMIT, False, UnknownOutcome),
        (Kind.TIMEOUT_BEFORE_COMMIT, True, Transient),
        (Kind.CONNECTION_RESET, False, UnknownOutcome),
        (Kind.TRUNCATED_JSON, False, UnknownOutcome),
        (Kind.AUTH_EXPIRED, False, AuthExpired),
    ],
)
def test_each_fault_is_what_it_means(runtime, tenant, kind, reads, wanted) -> None:
    world = World.preset("summit")
    scene = dcl(runtime, tenant, world.merchants[0].credentials)
    world.ground.faults.put(Rule(id="f", system="dcl", kind=kind))
    with pytest.raises(SyncError) as error:
        scene.client(Dcl, transport=WorldTransport(world, wait=lambda _s: None)).request(
            "GET" if reads else "POST", "/items" if reads else "/batches", json=None if reads else {"orders": []}
        )
    assert type(error.value) is wanted
    assert [one for one in scene.permits() if one.lease_until > clock.now()] == []
