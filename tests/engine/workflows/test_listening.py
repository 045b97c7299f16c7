"""A system is asked to send what the workflows that are on want to hear, and what it sends begins them."""

from __future__ import annotations

import httpx
import pytest

from engine.kit.errors import InvalidInput
from engine.sync import hearing
from engine.sync.connectors import NotSupported
from engine.sync.models import System
from engine.sync.sandbox import emitting
from engine.workflows import listening, pipeline, registry
from engine.workflows import shopify_to_netsuite as w1
from tests.contracts.connectors import bench
from tests.contracts.connectors.calls_shopify import basket
from tests.engine.workflows.pipeline_scene import Pipeline

ADDRESS = "https://shop.example.com/webhooks/sync/con_1?shop=summit"


def listen(one: Pipeline, system: System = System.SHOPIFY) -> listening.Listening:
    return listening.listen(
        one.runtime,
        one.tenant.id,
        one.connections[system],
        actor="key_test",
        address=ADDRESS,
        transport=bench.line_to(one.world),
    )


def switch_on(one: Pipeline, name: str) -> None:
    with one.uow() as session:
        pipeline.switch(session, one.tenant.id, workflow=name, on=True, actor="key_test")


def test_it_listens_to_what_is_on_and_once(pipeline: Pipeline) -> None:
    switch_on(pipeline, "shopifyToNetsuite")
    wanted = sorted(topic for system, topic in w1.WORKFLOW.hears if system == System.SHOPIFY)

    assert listen(pipeline).topics == wanted
    assert listen(pipeline).topics == wanted

    there = [one.topic.lower().replace("_", "/", 1) for one in pipeline.merchant.shop.state.subscriptions.values()]
    assert sorted(there) == wanted


def test_all_that_the_workflows_hear_of_can_be_listened_to(pipeline: Pipeline) -> None:
    for name in registry.names():
        switch_on(pipeline, name)
    heard = (topic for name in registry.names() for system, topic in registry.live(name).hears if system == "shopify")
    assert listen(pipeline).topics == sorted(heard)


def test_nothing_is_on_and_some_take_no_subscriptions(pipeline: Pipeline) -> None:
    with pytest.raises(InvalidInput):
        listen(pipeline)
    with pytest.raises(NotSupported):
        listen(pipeline, System.NETSUITE)
    assert pipeline.merchant.shop.state.subscriptions == {}


def test_what_the_shop_sends_is_taken_and_begins_the_run(pipeline: Pipeline) -> None:
    switch_on(pipeline, "shopifyToNetsuite")
    listen(pipeline)
    told: list[httpx.Request] = []

    def take(request: httpx.Request) -> httpx.Response:
        told.append(request)
        return httpx.Response(200)

    with httpx.Client(transport=httpx.MockTransport(take)) as post:
        pipeline.world.hooks.use(post)
        order = emitting.place_order(pipeline.world, pipeline.merchant, basket(pipeline.merchant))
        pipeline.world.settle()
    letter = next(one for one in told if one.headers["x-shopify-topic"] == "orders/create")

    with pipeline.uow() as session:
        kept, new = hearing.hear(
            session,
            pipeline.runtime,
            pipeline.tenant.id,
            pipeline.connections[System.SHOPIFY],
            headers=letter.headers,
            body=letter.content,
        )
    assert w1.WORKFLOW.from_delivery is not None
    [payload] = w1.WORKFLOW.from_delivery(pipeline.access(), kept)
    assert (new, str(letter.url), payload.source_id) == (True, ADDRESS, str(order.id))
