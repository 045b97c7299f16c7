"""Whether a connection works: one request that changes nothing, asked for by a person."""

from __future__ import annotations

import time
from typing import Any

import httpx

from engine.kit import clock
from engine.kit.errors import InvalidInput
from engine.kit.views import View
from engine.runtime import Runtime
from engine.sync import connections
from engine.sync.client import VendorClient
from engine.sync.dialects import dialect_of
from engine.sync.errors import SyncError
from engine.sync.models import ConnectionStatus


class NotTestable(InvalidInput):
    """Nothing can be asked of it without doing something, or nobody here speaks its language."""

    code = "not_testable"


class Tested(View):
    """``code`` is what went wrong, nothing when it went well."""

    ok: bool
    code: str
    message: str
    took_ms: int


def try_out(
    runtime: Runtime,
    tenant_id: str,
    connection_id: str,
    *,
    actor: str,
    transport: httpx.BaseTransport | None = None,
    **more: Any,
) -> Tested:
    """Ask, and remember what came of it; a connection that was refused and is taken again is active. Raises
    ``NotFound``, ``NotTestable``.
    """
    with runtime.unit_of_work(tenant_id) as session:
        connection = connections.get(session, tenant_id, connection_id)
        if connection.status == ConnectionStatus.CLOSED:
            raise NotTestable("This connection is closed.")
    probe = dialect_of(connection).probe
    if probe is None:
        raise NotTestable(f"A connection to {connection.system} cannot be tested here.")
    client = VendorClient(runtime, tenant_id, connection, transport=transport, resting=True, **more)
    started, error = time.monotonic(), None
    try:
        client.request(probe.method, probe.path, json=probe.json, cost=probe.cost, reads=True)
    except SyncError as failed:
        error = failed
    took = int((time.monotonic() - started) * 1_000)
    _remember(runtime, tenant_id, connection_id, error, actor)
    if error is None:
        return Tested(ok=True, code="", message="It works.", took_ms=took)
    return Tested(ok=False, code=error.code, message=error.message, took_ms=took)


def _remember(runtime: Runtime, tenant_id: str, connection_id: str, error: SyncError | None, actor: str) -> None:
    with runtime.unit_of_work(tenant_id) as session:
        row = connections.get(session, tenant_id, connection_id, lock=True)
        row.tested_at, row.test_error = clock.now(), error.code if error else ""
        if error is None and row.status == ConnectionStatus.AUTH_EXPIRED:
            connections.resume(session, tenant_id, connection_id, actor=actor)
