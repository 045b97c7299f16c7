"""The world for a synchronous client in the same process: an ``httpx`` transport that goes straight to the doors."""

from __future__ import annotations

import time
from collections.abc import Callable

import httpx

from engine.sync.sandbox.control import answer_control, is_control
from engine.sync.sandbox.wire import Answer, Call, NoAnswer
from engine.sync.sandbox.world import World, unknown


class WorldTransport(httpx.BaseTransport):
    """``httpx.Client(transport=WorldTransport(world), base_url="http://sandbox/shopify/…")``."""

    def __init__(self, world: World, *, wait: Callable[[float], None] = time.sleep) -> None:
        self._world = world
        self._wait = wait

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        call = read_request(request)
        try:
            answer = ask(self._world, call, self._wait)
        except NoAnswer as lost:
            raise as_client_error(lost, request) from lost
        return httpx.Response(answer.status, headers=answer.sent_headers(), content=answer.encoded())


def ask(world: World, call: Call, wait: Callable[[float], None]) -> Answer:
    """Through the right door. Raises ``NoAnswer``."""
    if is_control(call):
        return answer_control(world, call)
    found = world.door(call)
    if found is None:
        return unknown()
    door, inner = found
    passage = door.begin(inner)
    if passage.delay_seconds:
        wait(passage.delay_seconds)
    return door.finish(passage)


def read_request(request: httpx.Request) -> Call:
    url = request.url
    return Call(
        method=request.method,
        path=url.path,
        query=dict(url.params),
        headers={name.lower(): value for name, value in request.headers.items()},
        body=request.read(),
        origin=f"{url.scheme}://{url.netloc.decode()}",
    )


def as_client_error(lost: NoAnswer, request: httpx.Request | None = None) -> httpx.TransportError:
    """What a client would have seen on a real line."""
    if lost.reset:
        return httpx.ReadError("connection reset by the sandbox", request=request)
    return httpx.ReadTimeout("the sandbox does not answer", request=request)
