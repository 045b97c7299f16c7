"""The world as one ASGI application: ``/shopify/…``, ``/netsuite/…``, ``/dcl/…``, ``/slack/…``, ``/trackers/…``,
``/woocommerce/…``, ``/_sandbox/…``.
"""

from __future__ import annotations

import anyio
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from engine.sync.sandbox.control import answer_control, is_control
from engine.sync.sandbox.transport import as_client_error
from engine.sync.sandbox.wire import Answer, Call, NoAnswer
from engine.sync.sandbox.world import World, unknown

_PATIENCE_SECONDS = 120


def app(world: World, *, on_wire: bool = False) -> ASGIApp:
    """The application of a world.

    Where a fault leaves a request without an answer, ``on_wire`` keeps a real connection waiting or breaks it; without,
    the application raises what ``httpx`` would have raised (for ``ASGITransport``).
    """

    async def application(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await _lifespan(receive, send)
            return
        request = Request(scope, receive)
        try:
            answer = await _answer(world, await _read(request))
        except ClientDisconnect:
            return
        except NoAnswer as lost:
            if not on_wire:
                raise as_client_error(lost) from lost
            await _stay_silent(lost, receive, send)
            return
        await Response(answer.encoded(), answer.status, answer.sent_headers())(scope, receive, send)

    return application


async def _read(request: Request) -> Call:
    url = request.url
    return Call(
        method=request.method,
        path=url.path,
        query=dict(request.query_params),
        headers={name.lower(): value for name, value in request.headers.items()},
        body=await request.body(),
        origin=f"{url.scheme}://{url.netloc}",
    )


async def _answer(world: World, call: Call) -> Answer:
    if is_control(call):
        return await anyio.to_thread.run_sync(answer_control, world, call)
    found = world.door(call)
    if found is None:
        return unknown()
    door, inner = found
    passage = door.begin(inner)
    if passage.delay_seconds:
        await anyio.sleep(passage.delay_seconds)
    return door.finish(passage)


async def _stay_silent(lost: NoAnswer, receive: Receive, send: Send) -> None:
    """Nobody answers: the client is left waiting until it goes away, or its connection ends in the middle."""
    if not lost.reset:
        with anyio.move_on_after(_PATIENCE_SECONDS):
            while (await receive())["type"] != "http.disconnect":
                pass
        return
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"1000")]})
    await send({"type": "http.response.body", "body": b"", "more_body": True})


async def _lifespan(receive: Receive, send: Send) -> None:
    while True:
        message: Message = await receive()
        kind = message["type"].rpartition(".")[2]
        await send({"type": f"lifespan.{kind}.complete"})
        if kind == "shutdown":
            return
