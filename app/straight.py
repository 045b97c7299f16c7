"""The shortest way to what agents ask at every purchase: past the routers and layers that have nothing to do there."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from fastapi import APIRouter, FastAPI, Request
from fastapi.routing import APIRoute
from starlette.types import ASGIApp, Receive, Scope, Send


class Straight:
    """Answers the POSTs of some routes whose own handler answers for everything, errors included, and says whether it
    did. What is around them is ``edge``, as around every other.
    """

    def __init__(self, app: FastAPI, routers: Sequence[APIRouter], edge: Any) -> None:
        self._app = app
        self._edge: ASGIApp = edge(self._answer)
        found = [one for router in routers for one in router.routes if isinstance(one, APIRoute)]
        self._routes = [(one, one.get_route_handler()) for one in found if "POST" in (one.methods or ())]

    async def took(self, scope: Scope, receive: Receive, send: Send) -> bool:
        """Whether it was for one of these."""
        if scope["type"] != "http" or scope["method"] != "POST" or scope.get("root_path"):
            return False
        for route, handler in self._routes:
            if found := route.path_regex.match(scope["path"]):
                scope.update(app=self._app, route=route, path_params=found.groupdict(), handler=handler)
                await self._edge(scope, receive, send)
                return True
        return False

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        response = await scope["handler"](Request(scope, receive, send))
        await response(scope, receive, send)
