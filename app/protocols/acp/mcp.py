"""``POST /acp/mcp``: the five operations as MCP tools, over the same functions and the same kept answers as REST.

The protocol's binding is bare: a call's result is the session itself. A client that speaks MCP proper, and so names its
version in every request after the first, gets the session as the tool's structured content.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, cast

import orjson
from fastapi import APIRouter, Request, Response
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import Headers

from app.identity import Merchant
from app.protocols.acp import sessions, versions
from app.protocols.acp.body import json_of, raw_of
from app.protocols.acp.errors import AcpError, Fault, fault_of, flat
from app.protocols.acp.kernel import Asked, Body, Reply, key_of, said, who
from app.protocols.acp.noting import remember
from app.protocols.acp.openapi import schema
from app.site import Site
from engine.kit import idempotency
from engine.kit.identity import Identity

router: Final = APIRouter(tags=["acp"])
PROTOCOLS: Final = ("2025-11-25", "2025-06-18", "2025-03-26")
FAILED, NO_METHOD, BAD_PARAMS, BAD_REQUEST, BAD_JSON = -32000, -32601, -32602, -32600, -32700
_META: Final = {
    "type": "object",
    "required": ["api_version"],
    "properties": {"api_version": {"type": "string"}, "idempotency_key": {"type": "string"}},
}


@dataclass(frozen=True, slots=True)
class Tool:
    """One operation. ``payload`` is the official schema of what it takes, ``path`` its address over REST."""

    name: str
    about: str
    call: Callable[[Asked], Reply]
    path: str
    method: str = "POST"
    payload: str = ""
    payload_needed: bool = True

    def told(self) -> Body:
        """As ``tools/list`` shows it."""
        members: Body = {"meta": _META}
        needed = ["meta"]
        if "{id}" in self.path:
            members["id"] = {"type": "string"}
            needed.append("id")
        if self.payload:
            members["payload"] = schema(self.payload)
            needed += ["payload"] if self.payload_needed else []
        shape = {"type": "object", "properties": members, "required": needed}
        reads = {"readOnlyHint": self.method == "GET", "destructiveHint": False}
        return {"name": self.name, "description": self.about, "inputSchema": shape, "annotations": reads}


_ONE: Final = "/checkout_sessions/{id}"
TOOLS: Final[Mapping[str, Tool]] = {
    tool.name: tool
    for tool in (
        Tool(
            "create_checkout_session",
            "Open a checkout session.",
            sessions.create,
            "/checkout_sessions",
            payload="CheckoutSessionCreateRequest",
        ),
        Tool("get_checkout_session", "The session as it is.", sessions.get, _ONE, method="GET"),
        Tool(
            "update_checkout_session",
            "Change what is said in the session.",
            sessions.update,
            _ONE,
            payload="CheckoutSessionUpdateRequest",
        ),
        Tool(
            "complete_checkout_session",
            "Pay for the session by a delegated token.",
            sessions.complete,
            f"{_ONE}/complete",
            payload="CheckoutSessionCompleteRequest",
        ),
        Tool(
            "cancel_checkout_session",
            "Drop the session.",
            sessions.cancel,
            f"{_ONE}/cancel",
            payload="CancelSessionRequest",
            payload_needed=False,
        ),
    )
}


class _Rpc(Exception):
    """A JSON-RPC error of the transport itself."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


@router.post("/acp/mcp", response_class=Response, include_in_schema=False)
async def serve(request: Request) -> Response:
    """One JSON-RPC message; a notification has no answer."""
    raw = await raw_of(request)
    return await run_in_threadpool(_serve, request, raw)


def _serve(request: Request, raw: bytes | Fault) -> Response:
    site = cast("Site", request.app.state.site)
    try:
        identity, merchant = who(site, request.headers)
    except Exception as error:  # noqa: BLE001 (the door says why in the protocol's words)
        return said(request, fault_of(error))
    if isinstance(raw, Fault):
        return said(request, raw)
    number: Any = None
    try:
        message = _message(raw)
        number = message.get("id")
        if number is None:
            return Response(status_code=202)
        result = _answer(site, identity, merchant, request, message)
    except _Rpc as error:
        return _json({"jsonrpc": "2.0", "id": number, "error": {"code": error.code, "message": error.message}})
    except Exception as error:  # noqa: BLE001 (as above)
        data = flat(fault_of(error))
        problem = {"code": FAILED, "message": data["message"], "data": data}
        return _json({"jsonrpc": "2.0", "id": number, "error": problem})
    return _json({"jsonrpc": "2.0", "id": number, "result": result})


def _message(raw: bytes) -> Body:
    try:
        found = json_of(raw)
    except AcpError as refused:
        code = BAD_JSON if refused.said_code == "invalid_json" else BAD_REQUEST
        raise _Rpc(code, refused.message) from None
    if not isinstance(found, dict) or found.get("jsonrpc") != "2.0":
        raise _Rpc(BAD_REQUEST, "Send one JSON-RPC 2.0 message.")
    if not isinstance(found.get("method"), str) or not isinstance(found.get("id"), str | int | None):
        raise _Rpc(BAD_REQUEST, "A message has a method, and an id where it wants an answer.")
    return found


def _answer(site: Site, identity: Identity, merchant: Merchant, request: Request, message: Body) -> Body:
    params = message.get("params") or {}
    if not isinstance(params, dict):
        raise _Rpc(BAD_PARAMS, "params is an object.")
    match message["method"]:
        case "initialize":
            wanted = params.get("protocolVersion")
            return {
                "protocolVersion": wanted if wanted in PROTOCOLS else PROTOCOLS[0],
                "capabilities": {"tools": {"listChanged": False}},
                "serverInfo": {"name": "icommerce-acp", "version": versions.NEWEST},
            }
        case "ping":
            return {}
        case "tools/list":
            return {"tools": [tool.told() for tool in TOOLS.values()]}
        case "tools/call":
            done = _call(site, identity, merchant, request, params)
            proper = "mcp-protocol-version" in request.headers
            return _structured(done) if proper else done
    raise _Rpc(NO_METHOD, "There is no such method.")


def _call(site: Site, identity: Identity, merchant: Merchant, request: Request, params: Body) -> Body:
    """Call the tool as REST would. Raises what its operation refuses."""
    name, given = params.get("name"), params.get("arguments") or {}
    tool = TOOLS.get(name) if isinstance(name, str) else None
    if tool is None or not isinstance(given, dict) or not isinstance(given.get("meta", {}), dict):
        raise _Rpc(BAD_PARAMS, "There is no such tool, or its arguments are no object.")
    asked = _asked(site, identity, merchant, request, tool, given)
    started = time.perf_counter()
    reply = _reply(tool, asked)
    body: Body = orjson.loads(reply.body)
    remember(
        site,
        identity,
        operation=tool.name,
        subject_id=asked.ids.get("session_id", ""),
        headers={"api-version": asked.version},
        answer=Headers({"Request-Id": request.headers.get("request-id", ""), **reply.headers}),
        raw=orjson.dumps(asked.body),
        status=reply.status,
        body=reply.body,
        ms=round((time.perf_counter() - started) * 1000),
    )
    if reply.status >= 400:
        raise AcpError(
            reply.status,
            body["code"],
            body["message"],
            param=body.get("param"),
            supported_versions=body.get("supported_versions", ()),
        )
    return body


def _reply(tool: Tool, asked: Asked) -> Reply:
    """What the operation answers, or why it does not."""
    try:
        return tool.call(asked)
    except Exception as error:  # noqa: BLE001 (told by its code; what is nobody's to know is one sentence)
        fault = fault_of(error)
        return Reply(fault.status, orjson.dumps(flat(fault)), fault.headers)


def _asked(site: Site, identity: Identity, merchant: Merchant, request: Request, tool: Tool, given: Body) -> Asked:
    meta = given.get("meta", {})
    version = versions.negotiate(_text(meta, "api_version"))
    writes = tool.method != "GET"
    key = key_of(_text(meta, "idempotency_key"), versions.NEWEST) if writes else ""
    ids = {}
    path = tool.path
    if "{id}" in path:
        session_id = _text(given, "id") or ""
        if not session_id.replace("_", "").replace("-", "").isalnum() or len(session_id) > 60:
            raise AcpError(404, "not_found", "There is no such checkout session.")
        ids, path = {"session_id": session_id}, path.replace("{id}", session_id)
    body = given.get("payload")
    headers = {"accept-language": _text(meta, "accept_language") or "", "user-agent": _text(meta, "user_agent") or ""}
    return Asked(
        site=site,
        identity=identity,
        merchant=merchant,
        version=version,
        operation=f"{tool.method} {path}",
        key=key,
        request_hash=idempotency.fingerprint(body) if writes else "",
        body=body,
        ids=ids,
        headers=headers,
        address=request.client.host if request.client else "",
    )


def _text(given: Body, name: str) -> str | None:
    value = given.get(name)
    return value if isinstance(value, str) else None


def _structured(done: Body) -> Body:
    text = orjson.dumps(done).decode()
    return {"content": [{"type": "text", "text": text}], "structuredContent": done, "isError": False}


def _json(body: Body) -> Response:
    return Response(orjson.dumps(body), media_type="application/json")
